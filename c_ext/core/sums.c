/* sums.c -- see sums.h: the portable sums. */
#include "core/sums.h"

#include <math.h>

#include "core/half.h"
#include "core/sums_of.h"

#define INLINE inline __attribute__((always_inline))

/* A component from memory; what one component adds to a sum. */
typedef float Widen(const uint8_t *x);
typedef float Term(float q, float x);

static INLINE float widen_float32(const uint8_t *x) {
  float wide;
  memcpy(&wide, x, 4);
  return wide;
}

static INLINE uint16_t two_bytes(const uint8_t *x) {
  uint16_t bits;
  memcpy(&bits, x, 2);
  return bits;
}

static INLINE float widen_float16(const uint8_t *x) {
  return ann_float16_to_float(two_bytes(x));
}

static INLINE float widen_bfloat16(const uint8_t *x) {
  return ann_bfloat16_to_float(two_bytes(x));
}

static INLINE float widen_int8(const uint8_t *x) { return (float)(int8_t)*x; }

static INLINE float product(float q, float x) { return q * x; }

static INLINE float squared_difference(float q, float x) { return (q - x) * (q - x); }

static INLINE float difference(float q, float x) { return fabsf(q - x); }

/* l[j] += l[j+8], l[j+4], l[j+2], l[j+1]. */
static float reduce(float *lane) {
  size_t width, j;
  for (width = ANN_LANES / 2; width > 0; width /= 2) {
    for (j = 0; j < width; j++) lane[j] += lane[j + width];
  }
  return lane[0];
}

/* The sum of kernel.h; size: bytes of a component. */
static INLINE float sum(const float *q, const uint8_t *row, size_t n, size_t size, Widen *widen,
                        Term *term) {
  float lane[ANN_LANES] = {0};
  size_t i, j;
  for (i = 0; i + ANN_LANES <= n; i += ANN_LANES) {
    for (j = 0; j < ANN_LANES; j++) lane[j] += term(q[i + j], widen(row + (i + j) * size));
  }
  for (j = 0; i < n; i++, j++) lane[j] += term(q[i], widen(row + i * size));
  return reduce(lane);
}

/* The same of a row and itself. */
static INLINE float sum_of_squares(const uint8_t *row, size_t n, size_t size, Widen *widen) {
  float lane[ANN_LANES] = {0};
  size_t i;
  for (i = 0; i < n; i++, row += size) lane[i % ANN_LANES] += product(widen(row), widen(row));
  return reduce(lane);
}

static INLINE void widen_all(const uint8_t *row, size_t n, size_t size, Widen *widen,
                             float *out) {
  size_t i;
  for (i = 0; i < n; i++) out[i] = widen(row + i * size);
}

ANN_SUMS_OF(, ann_portable_float32, 4, widen_float32)
ANN_SUMS_OF(static, float16, 2, widen_float16)
ANN_SUMS_OF(static, bfloat16, 2, widen_bfloat16)
ANN_SUMS_OF(, ann_portable_int8, 1, widen_int8)

static int64_t whole_dot(const int8_t *a, const int8_t *b, size_t n) {
  int32_t total = 0;
  size_t i;
  for (i = 0; i < n; i++) total += a[i] * b[i];
  return total;
}

static int64_t whole_l2(const int8_t *a, const int8_t *b, size_t n) {
  uint32_t total = 0;
  size_t i;
  for (i = 0; i < n; i++) total += (uint32_t)((a[i] - b[i]) * (a[i] - b[i]));
  return total;
}

static int64_t whole_l1(const int8_t *a, const int8_t *b, size_t n) {
  uint32_t total = 0;
  size_t i;
  for (i = 0; i < n; i++) total += (uint32_t)(a[i] > b[i] ? a[i] - b[i] : b[i] - a[i]);
  return total;
}

/* The bits set of eight bytes: in pairs, in fours, in bytes, and the bytes added by a
** product. */
static int64_t count(uint64_t x) {
  x -= x >> 1 & 0x5555555555555555u;
  x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
  x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
  return (int64_t)(x * 0x0101010101010101u >> 56);
}

/* At most eight bytes, and zeros. */
static INLINE uint64_t eight(const uint8_t *p, size_t n) {
  uint64_t x = 0;
  memcpy(&x, p, n < 8 ? n : 8);
  return x;
}

static int64_t differing(const uint8_t *a, const uint8_t *b, size_t n) {
  int64_t total = 0;
  size_t i;
  for (i = 0; i < n; i += 8) total += count(eight(a + i, n - i) ^ eight(b + i, n - i));
  return total;
}

static int64_t common(const uint8_t *a, const uint8_t *b, size_t n) {
  int64_t total = 0;
  size_t i;
  for (i = 0; i < n; i += 8) total += count(eight(a + i, n - i) & eight(b + i, n - i));
  return total;
}

const AnnSums ann_sums_portable = {
  {ANN_SUMS_ROW(ann_portable_float32), ANN_SUMS_ROW(float16), ANN_SUMS_ROW(bfloat16),
   ANN_SUMS_ROW(ann_portable_int8)},
  whole_dot,
  whole_l2,
  whole_l1,
  differing,
  common,
};
