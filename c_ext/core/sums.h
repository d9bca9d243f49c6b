/* sums.h -- what distances are made of: sums over a query and a row, of each type.
**
** A query is floats; a row is as stored, and its components are widened to floats, exactly, as
** they are loaded.  So a sum is by definition what kernel.h computes of the widened row: 16
** lanes, multiply then add, one order.  Between vectors of whole numbers sums are whole
** numbers, exact in any order; between vectors of bits they are counts.
**
** Every implementation gives the same bits.  Rows may lie anywhere.
*/
#ifndef ANN_CORE_SUMS_H
#define ANN_CORE_SUMS_H

#include "core/base.h"

#define ANN_LANES 16

/* cffi:on */
/* Types of rows that floats are compared with. */
#define ANN_ROW_FLOAT32 0
#define ANN_ROW_FLOAT16 1
#define ANN_ROW_BFLOAT16 2
#define ANN_ROW_INT8 3
#define ANN_N_ROW_TYPES 4

typedef struct AnnRowSums {
  /* sum of q[i] * row[i], of (q[i] - row[i])^2, of |q[i] - row[i]| */
  float (*dot)(const float *q, const void *row, size_t n);
  float (*l2)(const float *q, const void *row, size_t n);
  float (*l1)(const float *q, const void *row, size_t n);
  /* sum of row[i]^2 */
  float (*norm)(const void *row, size_t n);
  /* out[i] = row[i] */
  void (*widen)(const void *row, size_t n, float *out);
} AnnRowSums;

typedef struct AnnSums {
  AnnRowSums of[ANN_N_ROW_TYPES];
  /* The same of int8: exact.  n: at most ANN_MAX_DIMENSIONS, so that l2, the largest, is at
  ** most 65536 x 255^2 and fits into 32 bits without a sign. */
  int64_t (*int8_dot)(const int8_t *a, const int8_t *b, size_t n);
  int64_t (*int8_l2)(const int8_t *a, const int8_t *b, size_t n);
  int64_t (*int8_l1)(const int8_t *a, const int8_t *b, size_t n);
  /* How many bits of n bytes differ; are set in both. */
  int64_t (*differing)(const uint8_t *a, const uint8_t *b, size_t n);
  int64_t (*common)(const uint8_t *a, const uint8_t *b, size_t n);
} AnnSums;

extern const AnnSums ann_sums_portable;
/* cffi:off */

/* Of an implementation, those that kernel.h has in its own table. */
#define ANN_SUMS_SHARED(name)                                          \
  float name##_float32_dot(const float *q, const void *row, size_t n); \
  float name##_float32_l2(const float *q, const void *row, size_t n);  \
  float name##_int8_dot(const float *q, const void *row, size_t n);

ANN_SUMS_SHARED(ann_portable)

#endif
