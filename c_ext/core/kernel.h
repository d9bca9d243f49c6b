/* kernel.h -- the inner loops, behind one table of functions.
**
** Every implementation gives the same bits, but for `products`.  Floating point sums run in 16
** fixed lanes (element i goes to lane i mod 16), multiply then add, each rounded, and the lanes
** are added in one fixed order: l[j] += l[j+8], l[j+4], l[j+2], l[j+1].  Files are compiled
** with -ffp-contract=off, so that no compiler fuses the two steps.  Integer sums are exact in
** any order.
**
** Cost on one 2 GHz core, 384 components: see docs/MEASUREMENTS.md.
*/
#ifndef ANN_CORE_KERNEL_H
#define ANN_CORE_KERNEL_H

#include "core/sums.h"

#define ANN_BLOCK 32 /* codes scored together; the unit of a page */

/* cffi:on */
/* What turns the sums of a block into estimates. */
typedef struct AnnLine {
  float unit, minimum; /* of the look-up table */
  float base;          /* of the page's centre */
  float bound;         /* estimates above it are of no interest */
} AnnLine;

typedef struct AnnKernels {
  const char *name; /* "portable", "avx2", "avx512", "avx512vnni", "neon" */
  /* sum of a[i] * b[i]; b: floats.  This, l2 and dot_i8 are those of `sums`. */
  float (*dot)(const float *a, const void *b, size_t n);
  /* out[r] = dot(x, rows + r n, n), bit for bit */
  void (*dot_rows)(const float *x, const float *rows, size_t n, size_t n_rows, float *out);
  /* Of four vectors, a + j n, with each of the rows b + r n: out[4 r + j] is nearly dot(), but
  ** summed in any order and perhaps fused: to rule pairs out, not to be stored or compared.
  ** n: a multiple of 16. */
  void (*products)(const float *a, const float *b, size_t n, size_t n_rows, float *out);
  /* sum of (a[i] - b[i])^2; b: floats */
  float (*l2)(const float *a, const void *b, size_t n);
  /* sum of q[i] * (float)c[i]; c: int8 */
  float (*dot_i8)(const float *q, const void *c, size_t n);
  /* out[v] = sum over tables m of lut[16 m + nibble v of table m], for the 32 codes
  ** of a block: byte 16 m + j holds code j in its low and code j + 16 in its high
  ** nibble.  lut: 16 bytes a table. */
  void (*scan)(const uint8_t *codes, const uint8_t *lut, size_t n_tables, uint32_t *out);
  /* out[v] = (base + shift v) + slope v * ((float)sums[v] * unit + minimum), for the 32
  ** entries of a block; bit v of the result is 0 where out[v] > bound.  corrections: 32
  ** shifts, then 32 slopes, as they are stored. */
  uint32_t (*estimate)(const uint32_t *sums, const uint8_t *corrections, const AnnLine *line,
                       float *out);
  /* The place of the smallest of n numbers, the first of equals; n: a multiple of 32, at
  ** least 32; none is NaN. */
  size_t (*least)(const float *x, size_t n);
  /* The unnormalised Walsh-Hadamard transform in place: for width n/2, n/4 ... 1, and the
  ** halves a and b of every 2 width numbers, (a, b) -> (a + b, a - b).  n: a power of two, at
  ** least 16. */
  void (*hadamard)(float *x, size_t n);
  /* The look-up tables of code.h, of 4 components each.  With the sums v_0 = -(((q0 + q1) + q2)
  ** + q3), v_(i + 2^t) = v_i + 2 q_t for t = 0 ... 3 and i < 2^t, and u = -(((|q0| + |q1|) +
  ** |q2|) + |q3|), byte i is the whole part of (v_i - u) steps + 0.5, which is below 256. */
  void (*fill)(const float *query, size_t n_tables, float steps, uint8_t *lut);
  /* Of r = x - c: bit i of `bits` is r[i] >= 0; and the sums of |r[i]|, of c[i] where that bit
  ** is set and else -c[i], and of r[i] c[i], 16 lanes of each, which are not added up:
  ** out[0..15], [16..31] and [32..47].  n: a multiple of 16. */
  void (*signs)(const float *x, const float *c, size_t n, uint8_t *bits, float *out);
  const AnnSums *sums; /* over a query and a row, of each type: sums.h */
} AnnKernels;

const AnnKernels *ann_kernels(void);
const AnnKernels *ann_kernels_at(int i);
const AnnKernels *ann_kernels_named(const char *name);
int ann_kernels_force(const char *name);
/* cffi:off */

/* ann_kernels: the best that this CPU runs, or what was forced; never NULL.
** ann_kernels_at: the i-th that this CPU runs, the portable one first and the best last; NULL
** from their number on.
** ann_kernels_named: the named one, or NULL when it is unknown or this CPU lacks it.
** ann_kernels_force: from now on ann_kernels() is the named one; 0 and no change when
** there is none.  For tests and comparisons; the results are the same.  The choice is the
** process's; it may change while others compute.
*/

#endif
