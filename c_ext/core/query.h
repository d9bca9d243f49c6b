/* query.h -- what a search starts from: the vector that rows are compared with.
**
** A query is of floats, whatever type the rows are: rounding it would lose what it says, and
** one of small components could be of no use among whole numbers.  Only among bits it is bits.
** In memory:
**
**   for int8     n floats, and behind them the same as int8 if all of them are whole numbers from
**                -128 to 127, else zeros: sums of whole numbers are exact and faster
**   for bit      the vector
**   for others   n floats
**
** A row that acts as a query is widened, exactly.  A blob is told by its length: of the rows'
** own type or of float32, whose components above 0 are the bits that are set.
*/
#ifndef ANN_CORE_QUERY_H
#define ANN_CORE_QUERY_H

#include "core/element.h"

/* cffi:on */
const AnnElement *ann_query_element(const AnnElement *rows);
int64_t ann_query_size(const AnnElement *rows, int64_t n);
const int8_t *ann_query_whole(const AnnElement *rows, const void *query, int64_t n);

void ann_query_from_vector(const AnnElement *rows, const void *vector, int64_t n,
                           void *out_query);
int ann_query_can_be(const AnnElement *rows, const AnnElement *element);
void ann_query_from_other(const AnnElement *rows, const AnnElement *element, const void *vector,
                          int64_t n, void *out_query);
int ann_query_from_blob(const AnnElement *rows, const void *blob, int64_t n_bytes, int64_t n,
                        void *out_query, char *out_message);
int ann_query_takes(const AnnElement *rows, const AnnElement *element);
int ann_query_from_blob_of(const AnnElement *rows, const AnnElement *element, const void *blob,
                           int64_t n_bytes, int64_t n, void *out_query, char *out_message);
int ann_query_from_json(const AnnElement *rows, const char *text, int64_t n_bytes, int64_t n,
                        void *out_query, char *out_message);
int ann_query_is_vector(const AnnElement *rows, const void *query, const void *vector,
                        int64_t n);
/* cffi:off */

/* rows: the type that is compared with.
**
** ann_query_element: what a query is of, and stored as: float32, or the bits. ann_query_size:
** its bytes in memory; a multiple of 4 but for bits, and never less than those of a vector or a
** blob of n. ann_query_whole: its components as int8, if rows are and all of them are that;
** else NULL.
**
** ann_query_from_vector: out_query may be where the vector is. ann_query_can_be: whether a vector
** of that type can be a query, exactly; all but bits among numbers, and numbers among bits.
** ann_query_from_other: of such a one; out_query is elsewhere. ann_query_from_blob,
** ann_query_from_json: ANN_OK, or ANN_ERROR and one clause in out_message, of
** ANN_VECTOR_MESSAGE bytes.  JSON may have fractions for whatever rows but bits.
** ann_query_takes: whether a blob of that type can be made a query; ann_query_from_blob_of: it is,
** with n_bytes as many as n components have.
** ann_query_is_vector: whether it is what is made of this vector, bit by bit.
*/

#endif
