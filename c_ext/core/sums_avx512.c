/* sums_avx512.c -- the sums of sums.h with AVX-512; the same bits as the portable ones.
**
** The 16 lanes are one register.  A tail shorter than a register is loaded under a mask, with
** zeros beyond its end: a lane starts at +0, so it is never -0, and adding +0 leaves it alone.
**
** Where the CPU has none of this, the file is tested with its intrinsics emulated:
** tests/core/emulated/.
*/
#include "core/sums_avx512.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>

#include "core/sums_of.h"

#define FEATURES "avx512f,avx512bw,avx512vl,avx512dq,popcnt"
#define AVX512 __attribute__((target(FEATURES)))
#define VNNI __attribute__((target(FEATURES ",avx512vbmi,avx512vnni,avx512vpopcntdq")))
#define INLINE inline __attribute__((always_inline))

/* A mask for the first n of up to 64. */
static uint64_t first(size_t n) { return n < 64 ? ((uint64_t)1 << n) - 1 : ~(uint64_t)0; }

/* ---- of floats and a row of any type ---- */

/* The first n of sixteen components, then zeros; what they add to a sum. */
typedef __m512 Widen(const uint8_t *x, size_t n);
typedef __m512 Term(__m512 q, __m512 x);

AVX512 static INLINE __m512 load(const float *x, size_t n) {
  return n < 16 ? _mm512_maskz_loadu_ps((__mmask16)first(n), x) : _mm512_loadu_ps(x);
}

AVX512 static INLINE __m256i load_16(const uint8_t *x, size_t n) {
  return n < 16 ? _mm256_maskz_loadu_epi16((__mmask16)first(n), x)
                : _mm256_loadu_si256((const __m256i *)(const void *)x);
}

AVX512 static INLINE __m512 widen_float32(const uint8_t *x, size_t n) {
  return load((const float *)(const void *)x, n);
}

AVX512 static INLINE __m512 widen_float16(const uint8_t *x, size_t n) {
  return _mm512_cvtph_ps(load_16(x, n));
}

AVX512 static INLINE __m512 widen_bfloat16(const uint8_t *x, size_t n) {
  __m512i bits = _mm512_cvtepu16_epi32(load_16(x, n));
  return _mm512_castsi512_ps(_mm512_slli_epi32(bits, 16));
}

AVX512 static INLINE __m512 widen_int8(const uint8_t *x, size_t n) {
  __m128i bytes = n < 16 ? _mm_maskz_loadu_epi8((__mmask16)first(n), x)
                         : _mm_loadu_si128((const __m128i *)(const void *)x);
  return _mm512_cvtepi32_ps(_mm512_cvtepi8_epi32(bytes));
}

AVX512 static INLINE __m512 product(__m512 q, __m512 x) { return _mm512_mul_ps(q, x); }

AVX512 static INLINE __m512 squared_difference(__m512 q, __m512 x) {
  __m512 t = _mm512_sub_ps(q, x);
  return _mm512_mul_ps(t, t);
}

AVX512 static INLINE __m512 difference(__m512 q, __m512 x) {
  return _mm512_andnot_ps(_mm512_set1_ps(-0.0f), _mm512_sub_ps(q, x));
}

/* l[j] += l[j+8], l[j+4], l[j+2], l[j+1]. */
AVX512 static INLINE float reduce(__m512 lane) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lane), _mm512_extractf32x8_ps(lane, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* The sum of kernel.h; size: bytes of a component. */
AVX512 static INLINE float sum(const float *q, const uint8_t *row, size_t n, size_t size,
                               Widen *widen, Term *term) {
  __m512 lane = _mm512_setzero_ps();
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    lane = _mm512_add_ps(lane, term(load(q + i, 16), widen(row + i * size, 16)));
  }
  if (i < n) {
    lane = _mm512_add_ps(lane, term(load(q + i, n - i), widen(row + i * size, n - i)));
  }
  return reduce(lane);
}

/* The same of a row and itself. */
AVX512 static INLINE float sum_of_squares(const uint8_t *row, size_t n, size_t size,
                                          Widen *widen) {
  __m512 lane = _mm512_setzero_ps();
  size_t i;
  for (i = 0; i < n; i += 16) {
    __m512 x = n - i < 16 ? widen(row + i * size, n - i) : widen(row + i * size, 16);
    lane = _mm512_add_ps(lane, _mm512_mul_ps(x, x));
  }
  return reduce(lane);
}

AVX512 static INLINE void widen_all(const uint8_t *row, size_t n, size_t size, Widen *widen,
                                    float *out) {
  float wide[16];
  size_t i = 0;
  for (; i + 16 <= n; i += 16) _mm512_storeu_ps(out + i, widen(row + i * size, 16));
  if (i == n) return;
  _mm512_storeu_ps(wide, widen(row + i * size, n - i));
  memcpy(out + i, wide, (n - i) * sizeof *out);
}

ANN_SUMS_OF(AVX512, ann_avx512_float32, 4, widen_float32)
ANN_SUMS_OF(AVX512 static, float16, 2, widen_float16)
ANN_SUMS_OF(AVX512 static, bfloat16, 2, widen_bfloat16)
ANN_SUMS_OF(AVX512, ann_avx512_int8, 1, widen_int8)

/* ---- of whole numbers ---- */

/* The first n of 64 bytes, then zeros. */
AVX512 static INLINE __m512i load_8(const void *x, size_t n) {
  return n < 64 ? _mm512_maskz_loadu_epi8(first(n), x) : _mm512_loadu_si512(x);
}

AVX512 static INLINE __m512i lower(__m512i x) {
  return _mm512_cvtepi8_epi16(_mm512_castsi512_si256(x));
}

AVX512 static INLINE __m512i upper(__m512i x) {
  return _mm512_cvtepi8_epi16(_mm512_extracti64x4_epi64(x, 1));
}

/* The sum of 16 lanes, modulo 2^32. */
AVX512 static INLINE uint32_t total_32(__m512i lane) {
  uint32_t lanes[16], total = 0;
  int j;
  _mm512_storeu_si512(lanes, lane);
  for (j = 0; j < 16; j++) total += lanes[j];
  return total;
}

AVX512 static INLINE int64_t total_64(__m512i lane) {
  int64_t lanes[8], total = 0;
  int j;
  _mm512_storeu_si512(lanes, lane);
  for (j = 0; j < 8; j++) total += lanes[j];
  return total;
}

AVX512 static int64_t whole_dot(const int8_t *a, const int8_t *b, size_t n) {
  __m512i lane = _mm512_setzero_si512();
  size_t i;
  for (i = 0; i < n; i += 64) {
    __m512i va = load_8(a + i, n - i), vb = load_8(b + i, n - i);
    lane = _mm512_add_epi32(lane, _mm512_madd_epi16(lower(va), lower(vb)));
    lane = _mm512_add_epi32(lane, _mm512_madd_epi16(upper(va), upper(vb)));
  }
  return (int32_t)total_32(lane);
}

AVX512 static int64_t whole_l2(const int8_t *a, const int8_t *b, size_t n) {
  __m512i lane = _mm512_setzero_si512();
  size_t i;
  for (i = 0; i < n; i += 64) {
    __m512i va = load_8(a + i, n - i), vb = load_8(b + i, n - i);
    __m512i low = _mm512_sub_epi16(lower(va), lower(vb));
    __m512i high = _mm512_sub_epi16(upper(va), upper(vb));
    lane = _mm512_add_epi32(lane, _mm512_madd_epi16(low, low));
    lane = _mm512_add_epi32(lane, _mm512_madd_epi16(high, high));
  }
  return total_32(lane);
}

/* Moved by 128 the numbers are bytes without a sign, and their differences the same. */
AVX512 static int64_t whole_l1(const int8_t *a, const int8_t *b, size_t n) {
  const __m512i moved = _mm512_set1_epi8(-128);
  __m512i lane = _mm512_setzero_si512();
  size_t i;
  for (i = 0; i < n; i += 64) {
    __m512i va = _mm512_xor_si512(load_8(a + i, n - i), moved);
    __m512i vb = _mm512_xor_si512(load_8(b + i, n - i), moved);
    lane = _mm512_add_epi64(lane, _mm512_sad_epu8(va, vb));
  }
  return total_64(lane);
}

/* Bytes without a sign times bytes with one: <a + 128, b>, less 128 times the sum of b. */
VNNI static int64_t vnni_dot(const int8_t *a, const int8_t *b, size_t n) {
  const __m512i moved = _mm512_set1_epi8(-128);
  __m512i lane = _mm512_setzero_si512(), less = lane;
  size_t i;
  for (i = 0; i < n; i += 64) {
    __m512i va = load_8(a + i, n - i), vb = load_8(b + i, n - i);
    lane = _mm512_dpbusd_epi32(lane, _mm512_xor_si512(va, moved), vb);
    less = _mm512_dpbusd_epi32(less, moved, vb);
  }
  return (int32_t)total_32(_mm512_sub_epi32(lane, less));
}

/* ---- of bits ---- */

AVX512 static INLINE uint64_t up_to_eight(const uint8_t *p, size_t n) {
  uint64_t x = 0;
  memcpy(&x, p, n < 8 ? n : 8);
  return x;
}

AVX512 static int64_t differing(const uint8_t *a, const uint8_t *b, size_t n) {
  int64_t total = 0;
  size_t i;
  for (i = 0; i < n; i += 8) {
    total += _mm_popcnt_u64(up_to_eight(a + i, n - i) ^ up_to_eight(b + i, n - i));
  }
  return total;
}

AVX512 static int64_t common(const uint8_t *a, const uint8_t *b, size_t n) {
  int64_t total = 0;
  size_t i;
  for (i = 0; i < n; i += 8) {
    total += _mm_popcnt_u64(up_to_eight(a + i, n - i) & up_to_eight(b + i, n - i));
  }
  return total;
}

VNNI static int64_t vnni_differing(const uint8_t *a, const uint8_t *b, size_t n) {
  __m512i lane = _mm512_setzero_si512();
  size_t i;
  for (i = 0; i < n; i += 64) {
    __m512i x = _mm512_xor_si512(load_8(a + i, n - i), load_8(b + i, n - i));
    lane = _mm512_add_epi64(lane, _mm512_popcnt_epi64(x));
  }
  return total_64(lane);
}

VNNI static int64_t vnni_common(const uint8_t *a, const uint8_t *b, size_t n) {
  __m512i lane = _mm512_setzero_si512();
  size_t i;
  for (i = 0; i < n; i += 64) {
    __m512i x = _mm512_and_si512(load_8(a + i, n - i), load_8(b + i, n - i));
    lane = _mm512_add_epi64(lane, _mm512_popcnt_epi64(x));
  }
  return total_64(lane);
}

const AnnSums ann_sums_avx512 = {
  {ANN_SUMS_ROW(ann_avx512_float32), ANN_SUMS_ROW(float16), ANN_SUMS_ROW(bfloat16),
   ANN_SUMS_ROW(ann_avx512_int8)},
  whole_dot,
  whole_l2,
  whole_l1,
  differing,
  common,
};

const AnnSums ann_sums_vnni = {
  {ANN_SUMS_ROW(ann_avx512_float32), ANN_SUMS_ROW(float16), ANN_SUMS_ROW(bfloat16),
   ANN_SUMS_ROW(ann_avx512_int8)},
  vnni_dot,
  whole_l2,
  whole_l1,
  vnni_differing,
  vnni_common,
};

#endif
