/* sums_of.h -- the five sums of a type (AnnRowSums), written once for all implementations.
**
** For the files sums*.c alone, each of which has its own registers, and defines
**
**   sum(q, row, n, size, widen, term)       q and a row of components of `size` bytes
**   sum_of_squares(row, n, size, widen)     the same of a row and itself
**   widen_all(row, n, size, widen, out)
**   product, squared_difference, difference what components add to a sum
*/
#ifndef ANN_CORE_SUMS_OF_H
#define ANN_CORE_SUMS_OF_H

#include "core/sums.h"

/* The functions name_dot, name_l2 ... ; how: what stands before a definition. */
#define ANN_SUMS_OF(how, name, size, widen)                         \
  how float name##_dot(const float *q, const void *row, size_t n) { \
    return sum(q, row, n, size, widen, product);                    \
  }                                                                 \
  how float name##_l2(const float *q, const void *row, size_t n) {  \
    return sum(q, row, n, size, widen, squared_difference);         \
  }                                                                 \
  how float name##_l1(const float *q, const void *row, size_t n) {  \
    return sum(q, row, n, size, widen, difference);                 \
  }                                                                 \
  how float name##_norm(const void *row, size_t n) {                \
    return sum_of_squares(row, n, size, widen);                     \
  }                                                                 \
  how void name##_widen(const void *row, size_t n, float *out) {    \
    widen_all(row, n, size, widen, out);                            \
  }

/* Those of one type in a table. */
#define ANN_SUMS_ROW(name) {name##_dot, name##_l2, name##_l1, name##_norm, name##_widen}

#endif
