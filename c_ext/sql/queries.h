/* queries.h -- one SQL value as many vectors to search for.
**
** A blob of vectors of one type, one after the other, or a JSON array of arrays.  Of a blob the
** type has to be told: from its length alone two vectors of float16 look like one of float32.
**
**   ann_queries_open   O(1) of a blob, else one look at the text
*/
#ifndef ANN_SQL_QUERIES_H
#define ANN_SQL_QUERIES_H

#include "core/json.h"
#include "sql/context.h"

typedef struct AnnQueries {
  const char *function;      /* for error sentences, as the table */
  const AnnStore *store;     /* borrowed: the table in which they are searched for */
  const AnnElement *element; /* of the vectors of a blob */
  const uint8_t *blob;       /* borrowed; NULL: it is text */
  int64_t size;              /* bytes of a vector in it */
  AnnJson json;              /* what of a text is to be read next */
  int64_t n;                 /* vectors */
  int64_t next;              /* to be read next */
} AnnQueries;

/* value: borrowed as long as they are read; NULL is none.  type: what the vectors of a blob are;
** NULL, or a value that is NULL, for float32.  ANN_ERROR with a sentence in *out_message. */
int ann_queries_open(AnnQueries *queries, const char *function, const AnnStore *store,
                     sqlite3_value *value, sqlite3_value *type, char **out_message);
/* Those up to the n-th are passed over. */
int ann_queries_skip(AnnQueries *queries, int64_t n, char **out_message);
/* The next one, as a query of the table.  The sentence of ANN_ERROR has its number. */
int ann_queries_next(AnnQueries *queries, void *out_query, char **out_message);

#endif
