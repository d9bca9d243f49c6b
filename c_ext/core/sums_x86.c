/* sums_x86.c -- the sums of sums.h with AVX2, F16C and POPCNT; the same bits as the portable
** ones.
**
** The 16 lanes are two registers of 8.  A tail shorter than 16 is copied over zeros: a lane
** starts at +0, so it is never -0, and adding +0 leaves it alone.
*/
#include "core/sums_x86.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>

#include "core/sums_of.h"

#define AVX2 __attribute__((target("avx2,f16c,popcnt")))
#define INLINE inline __attribute__((always_inline))

/* ---- of floats and a row of any type ---- */

/* Eight components from memory; what eight components add to a sum. */
typedef __m256 Widen(const uint8_t *x);
typedef __m256 Term(__m256 q, __m256 x);

AVX2 static INLINE __m256 widen_float32(const uint8_t *x) {
  return _mm256_loadu_ps((const float *)(const void *)x);
}

AVX2 static INLINE __m256 widen_float16(const uint8_t *x) {
  return _mm256_cvtph_ps(_mm_loadu_si128((const __m128i *)(const void *)x));
}

AVX2 static INLINE __m256 widen_bfloat16(const uint8_t *x) {
  __m256i bits = _mm256_cvtepu16_epi32(_mm_loadu_si128((const __m128i *)(const void *)x));
  return _mm256_castsi256_ps(_mm256_slli_epi32(bits, 16));
}

AVX2 static INLINE __m256 widen_int8(const uint8_t *x) {
  return _mm256_cvtepi32_ps(
      _mm256_cvtepi8_epi32(_mm_loadl_epi64((const __m128i *)(const void *)x)));
}

AVX2 static INLINE __m256 product(__m256 q, __m256 x) { return _mm256_mul_ps(q, x); }

AVX2 static INLINE __m256 squared_difference(__m256 q, __m256 x) {
  __m256 t = _mm256_sub_ps(q, x);
  return _mm256_mul_ps(t, t);
}

AVX2 static INLINE __m256 difference(__m256 q, __m256 x) {
  return _mm256_andnot_ps(_mm256_set1_ps(-0.0f), _mm256_sub_ps(q, x));
}

/* l[j] += l[j+8], l[j+4], l[j+2], l[j+1]. */
AVX2 static INLINE float reduce(__m256 low, __m256 high) {
  __m256 eight = _mm256_add_ps(low, high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* The sum of kernel.h; size: bytes of a component. */
AVX2 static INLINE float sum(const float *q, const uint8_t *row, size_t n, size_t size,
                             Widen *widen, Term *term) {
  __m256 low = _mm256_setzero_ps(), high = low;
  size_t i = 0;
  for (; i + 16 <= n; i += 16, row += 16 * size) {
    low = _mm256_add_ps(low, term(_mm256_loadu_ps(q + i), widen(row)));
    high = _mm256_add_ps(high, term(_mm256_loadu_ps(q + i + 8), widen(row + 8 * size)));
  }
  if (i < n) {
    float rest_q[16] = {0};
    uint8_t rest[64] = {0};
    memcpy(rest_q, q + i, (n - i) * sizeof *q);
    memcpy(rest, row, (n - i) * size);
    low = _mm256_add_ps(low, term(_mm256_loadu_ps(rest_q), widen(rest)));
    high = _mm256_add_ps(high, term(_mm256_loadu_ps(rest_q + 8), widen(rest + 8 * size)));
  }
  return reduce(low, high);
}

/* The same of a row and itself. */
AVX2 static INLINE float sum_of_squares(const uint8_t *row, size_t n, size_t size,
                                        Widen *widen) {
  __m256 low = _mm256_setzero_ps(), high = low;
  uint8_t rest[64] = {0};
  size_t i = 0;
  for (; i < n; i += 16, row += 16 * size) {
    __m256 a, b;
    if (n - i < 16) row = memcpy(rest, row, (n - i) * size);
    a = widen(row);
    b = widen(row + 8 * size);
    low = _mm256_add_ps(low, _mm256_mul_ps(a, a));
    high = _mm256_add_ps(high, _mm256_mul_ps(b, b));
  }
  return reduce(low, high);
}

AVX2 static INLINE void widen_all(const uint8_t *row, size_t n, size_t size, Widen *widen,
                                  float *out) {
  uint8_t rest[32] = {0};
  float wide[8];
  size_t i = 0;
  for (; i + 8 <= n; i += 8, row += 8 * size) _mm256_storeu_ps(out + i, widen(row));
  if (i == n) return;
  memcpy(rest, row, (n - i) * size);
  _mm256_storeu_ps(wide, widen(rest));
  memcpy(out + i, wide, (n - i) * sizeof *out);
}

ANN_SUMS_OF(AVX2, ann_avx2_float32, 4, widen_float32)
ANN_SUMS_OF(AVX2 static, float16, 2, widen_float16)
ANN_SUMS_OF(AVX2 static, bfloat16, 2, widen_bfloat16)
ANN_SUMS_OF(AVX2, ann_avx2_int8, 1, widen_int8)

/* ---- of whole numbers ---- */

AVX2 static INLINE __m256i sixteen(const int8_t *x) {
  return _mm256_cvtepi8_epi16(_mm_loadu_si128((const __m128i *)(const void *)x));
}

/* Products in pairs: at most 2 x 2^14. */
AVX2 static INLINE __m256i pairs_dot(const int8_t *a, const int8_t *b) {
  return _mm256_madd_epi16(sixteen(a), sixteen(b));
}

/* At most 2 x 255^2; a lane has at most 4,096 of them. */
AVX2 static INLINE __m256i pairs_l2(const int8_t *a, const int8_t *b) {
  __m256i t = _mm256_sub_epi16(sixteen(a), sixteen(b));
  return _mm256_madd_epi16(t, t);
}

typedef __m256i Pairs(const int8_t *a, const int8_t *b);

/* The sum of 8 lanes, modulo 2^32. */
AVX2 static INLINE uint32_t whole_sum(const int8_t *a, const int8_t *b, size_t n,
                                      Pairs *pairs) {
  __m256i even = _mm256_setzero_si256(), odd = even;
  __m128i four;
  size_t i = 0;
  for (; i + 32 <= n; i += 32) {
    even = _mm256_add_epi32(even, pairs(a + i, b + i));
    odd = _mm256_add_epi32(odd, pairs(a + i + 16, b + i + 16));
  }
  if (i < n) {
    int8_t rest_a[32] = {0}, rest_b[32] = {0};
    memcpy(rest_a, a + i, n - i);
    memcpy(rest_b, b + i, n - i);
    even = _mm256_add_epi32(even, pairs(rest_a, rest_b));
    odd = _mm256_add_epi32(odd, pairs(rest_a + 16, rest_b + 16));
  }
  even = _mm256_add_epi32(even, odd);
  four = _mm_add_epi32(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
  four = _mm_add_epi32(four, _mm_unpackhi_epi64(four, four));
  four = _mm_add_epi32(four, _mm_shuffle_epi32(four, 1));
  return (uint32_t)_mm_cvtsi128_si32(four);
}

AVX2 static int64_t whole_dot(const int8_t *a, const int8_t *b, size_t n) {
  return (int32_t)whole_sum(a, b, n, pairs_dot);
}

AVX2 static int64_t whole_l2(const int8_t *a, const int8_t *b, size_t n) {
  return whole_sum(a, b, n, pairs_l2);
}

/* Moved by 128 the numbers are bytes without a sign, and their differences the same. */
AVX2 static INLINE __m256i differences(const int8_t *a, const int8_t *b) {
  const __m256i moved = _mm256_set1_epi8(-128);
  __m256i va = _mm256_loadu_si256((const __m256i *)(const void *)a);
  __m256i vb = _mm256_loadu_si256((const __m256i *)(const void *)b);
  return _mm256_sad_epu8(_mm256_xor_si256(va, moved), _mm256_xor_si256(vb, moved));
}

AVX2 static int64_t whole_l1(const int8_t *a, const int8_t *b, size_t n) {
  __m256i lane = _mm256_setzero_si256();
  __m128i two;
  size_t i = 0;
  for (; i + 32 <= n; i += 32) lane = _mm256_add_epi64(lane, differences(a + i, b + i));
  if (i < n) {
    int8_t rest_a[32] = {0}, rest_b[32] = {0};
    memcpy(rest_a, a + i, n - i);
    memcpy(rest_b, b + i, n - i);
    lane = _mm256_add_epi64(lane, differences(rest_a, rest_b));
  }
  two = _mm_add_epi64(_mm256_castsi256_si128(lane), _mm256_extracti128_si256(lane, 1));
  return _mm_cvtsi128_si64(_mm_add_epi64(two, _mm_unpackhi_epi64(two, two)));
}

/* ---- of bits ---- */

AVX2 static INLINE uint64_t eight(const uint8_t *p) {
  uint64_t x;
  memcpy(&x, p, 8);
  return x;
}

AVX2 static INLINE uint64_t up_to_eight(const uint8_t *p, size_t n) {
  uint64_t x = 0;
  memcpy(&x, p, n);
  return x;
}

AVX2 static int64_t differing(const uint8_t *a, const uint8_t *b, size_t n) {
  int64_t total = 0;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) total += _mm_popcnt_u64(eight(a + i) ^ eight(b + i));
  if (i < n) total += _mm_popcnt_u64(up_to_eight(a + i, n - i) ^ up_to_eight(b + i, n - i));
  return total;
}

AVX2 static int64_t common(const uint8_t *a, const uint8_t *b, size_t n) {
  int64_t total = 0;
  size_t i = 0;
  for (; i + 8 <= n; i += 8) total += _mm_popcnt_u64(eight(a + i) & eight(b + i));
  if (i < n) total += _mm_popcnt_u64(up_to_eight(a + i, n - i) & up_to_eight(b + i, n - i));
  return total;
}

const AnnSums ann_sums_avx2 = {
  {ANN_SUMS_ROW(ann_avx2_float32), ANN_SUMS_ROW(float16), ANN_SUMS_ROW(bfloat16),
   ANN_SUMS_ROW(ann_avx2_int8)},
  whole_dot,
  whole_l2,
  whole_l1,
  differing,
  common,
};

#endif
