/* element.h -- what the components of a vector are: a type, its bytes, its decimals.
**
** An element type is one row of the table in element.c.  Its vectors take three forms:
**
**   blob     as people write and read them, and as they lie in a table: little-endian
**            components, no header, at any address
**   vector   as all of our code passes them, by `const void *`: the same bytes, but in this
**            host's order, and aligned as the components are.  So on most hosts the two are equal.
**   floats   as kernels want them: of float32 the vector itself
**
** Whatever was read here holds only components that the type allows: of float32, float16 and
** bfloat16 none that is not finite; int8 all; of bit 0 and 1, bit i being byte[i / 8] >> i % 8
** & 1, and 0 in the bits of the last byte that are to spare.
*/
#ifndef ANN_CORE_ELEMENT_H
#define ANN_CORE_ELEMENT_H

#include "core/names.h"

/* cffi:on */
/* One bit each, so that a set of types is a number. */
#define ANN_FLOAT32 1
#define ANN_FLOAT16 2
#define ANN_BFLOAT16 4
#define ANN_INT8 8
#define ANN_BIT 16

typedef struct AnnElement {
  AnnNamed named;    /* `types` is its one bit */
  int bits;          /* of a component */
  int fewest_digits; /* significant decimal digits that a component may need ... */
  int most_digits;   /* ... and that tell it from every other */
  /* Whether n components are allowed: ANN_OK, or ANN_ERROR and the clause that says why not. */
  int (*check)(const void *vector, int64_t n, char *out_message);
  /* Component i from the text of a number, rounded once; the same results. */
  int (*parse)(const char *number, int64_t i, void *out_vector, char *out_message);
  int row_type; /* ANN_ROW_… of core/sums.h; of bits -1 */
  /* Component i as a float, which all of them are exactly. */
  float (*at)(const void *vector, int64_t i);
  /* All of them: in scratch, of n floats, or where they lie. */
  const float *(*floats)(const void *vector, int64_t n, float *scratch);
  /* The squared length: of floats as kernel.h sums it, of whole numbers and bits exactly. */
  double (*norm)(const void *vector, int64_t n);
} AnnElement;

const AnnElement *ann_element_default(void);
const AnnElement *ann_element_named(const char *name);
const AnnElement *ann_element_among(int types);
const char *ann_element_names(char *out_names);

int64_t ann_element_size(const AnnElement *element, int64_t n);
int64_t ann_element_count(const AnnElement *element, int64_t n_bytes);
int ann_element_from_blob(const AnnElement *element, const void *blob, int64_t n_bytes,
                          int64_t n, void *out_vector, char *out_message);
int ann_element_from_json(const AnnElement *element, const char *text, int64_t n_bytes,
                          int64_t n, void *out_vector, char *out_message);
void ann_element_to_blob(const AnnElement *element, const void *vector, int64_t n,
                         void *out_blob);
int ann_element_is_zero(const AnnElement *element, const void *vector, int64_t n);
int ann_element_not_finite(char *out_message, int64_t i, float x);
/* cffi:off */

/* ann_element_default: float32, the first of the table.
** ann_element_named: by name or alias, in any case, or NULL.
** ann_element_among: the first of the table that is in a set of types, not empty.
** ann_element_names: all of them, for "expected type …": written to out_names, of ANN_NAMES
** bytes, which is returned.
** ann_element_size: bytes of n components.  ann_element_count: the components in so many bytes,
** or -1 when no number of them has that size.
** ann_element_from_…: n components; ANN_OK, or ANN_ERROR and one clause in out_message, of
** ANN_VECTOR_MESSAGE bytes, that says what was expected and what came.  out_vector may then be
** filled in part.
** ann_element_to_blob: the bytes of the vector as people get them; out_blob may be the vector
** itself.
** ann_element_is_zero: whether every component is 0, of either sign.
** ann_element_not_finite: ANN_ERROR and the clause that refuses component i.
*/

#endif
