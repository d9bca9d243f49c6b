/* kernel_avx512.c -- the inner loops of kernel.h with AVX-512; the same bits as the portable
** ones.
**
** The 16 lanes are one register.  A tail shorter than 16 is loaded under a mask, with zeros
** beyond its end: a lane starts at +0, so it is never -0, and adding +0 leaves it alone.
** Nothing else is compiled for AVX-512, so that the library loads on every x86-64.
**
** Where the CPU has none of this, the file is tested with its intrinsics emulated:
** tests/core/emulated/.
*/
#include "core/kernel_avx512.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <immintrin.h>

#include "core/sums_avx512.h"

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq")))
#define VNNI __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi,avx512vnni")))

/* ---- floating point ---- */

/* l[j] += l[j+8], l[j+4], l[j+2], l[j+1]. */
AVX512 static float reduce(__m512 lane) {
  __m256 eight = _mm256_add_ps(_mm512_castps512_ps256(lane), _mm512_extractf32x8_ps(lane, 1));
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

/* A mask for the first n of 16; n: below 16. */
static __mmask16 first(size_t n) { return (__mmask16)((1u << n) - 1); }

AVX512 static __m512 add_product(__m512 sum, __m512 x, const float *y) {
  return _mm512_add_ps(sum, _mm512_mul_ps(x, _mm512_loadu_ps(y)));
}

#define TOGETHER 8

/* Eight rows at a time share the loads of x, and wait for eight sums instead of one. */
AVX512 static void dot_together(const float *x, const float *rows, size_t n, float *out) {
  __m512 lane[TOGETHER];
  size_t i;
  int r;
#pragma GCC unroll 8
  for (r = 0; r < TOGETHER; r++) lane[r] = _mm512_setzero_ps();
  for (i = 0; i < n; i += 16) {
    __m512 vx = _mm512_loadu_ps(x + i);
#pragma GCC unroll 8
    for (r = 0; r < TOGETHER; r++) lane[r] = add_product(lane[r], vx, rows + (size_t)r * n + i);
  }
#pragma GCC unroll 8
  for (r = 0; r < TOGETHER; r++) out[r] = reduce(lane[r]);
}

AVX512 static void avx512_dot_rows(const float *x, const float *rows, size_t n, size_t n_rows,
                                   float *out) {
  size_t r = 0;
  if (n % 16 == 0) {
    for (; r + TOGETHER <= n_rows; r += TOGETHER) dot_together(x, rows + r * n, n, out + r);
  }
  for (; r < n_rows; r++) out[r] = ann_avx512_float32_dot(x, rows + r * n, n);
}

/* Four rows at a time share the loads of the four vectors, and each of these theirs. */
AVX512 static void products_of_four(const float *a, const float *const *rows, size_t n,
                                    float *const *out) {
  __m512 lane[4][4];
  size_t i;
  int r, j;
#pragma GCC unroll 4
  for (r = 0; r < 4; r++) {
#pragma GCC unroll 4
    for (j = 0; j < 4; j++) lane[r][j] = _mm512_setzero_ps();
  }
  for (i = 0; i < n; i += 16) {
    __m512 x[4];
#pragma GCC unroll 4
    for (j = 0; j < 4; j++) x[j] = _mm512_loadu_ps(a + (size_t)j * n + i);
#pragma GCC unroll 4
    for (r = 0; r < 4; r++) {
      __m512 y = _mm512_loadu_ps(rows[r] + i);
#pragma GCC unroll 4
      for (j = 0; j < 4; j++) lane[r][j] = _mm512_fmadd_ps(x[j], y, lane[r][j]);
    }
  }
#pragma GCC unroll 4
  for (r = 0; r < 4; r++) {
#pragma GCC unroll 4
    for (j = 0; j < 4; j++) out[r][j] = reduce(lane[r][j]);
  }
}

AVX512 static void avx512_products(const float *a, const float *b, size_t n, size_t n_rows,
                                   float *out) {
  float spare[4];
  size_t r;
  for (r = 0; r < n_rows; r += 4) {
    const float *rows[4];
    float *places[4];
    size_t i;
    for (i = 0; i < 4; i++) {
      rows[i] = b + (r + i < n_rows ? r + i : r) * n;
      places[i] = r + i < n_rows ? out + 4 * (r + i) : spare;
    }
    products_of_four(a, rows, n, places);
  }
}

/* ---- codes ---- */

/* Four tables of 16 bytes, those after the first n as zeros. */
AVX512 static __m512i four_of(size_t n, const uint8_t *bytes) {
  if (n >= 4) return _mm512_loadu_si512(bytes);
  return _mm512_maskz_loadu_epi64((__mmask8)((1u << 2 * n) - 1), bytes);
}

/* Sums of up to 256 tables for 16 codes: `all` adds bytes in pairs as 16-bit numbers,
** `odd` the upper byte of each pair; all - 256 odd is then the lower one's sum. */
AVX512 static void store_sums(__m512i all, __m512i odd, uint32_t *out) {
  __m512i even = _mm512_sub_epi16(all, _mm512_slli_epi16(odd, 8));
  __m256i e =
      _mm256_add_epi16(_mm512_castsi512_si256(even), _mm512_extracti64x4_epi64(even, 1));
  __m256i o = _mm256_add_epi16(_mm512_castsi512_si256(odd), _mm512_extracti64x4_epi64(odd, 1));
  __m128i e8 = _mm_add_epi16(_mm256_castsi256_si128(e), _mm256_extracti128_si256(e, 1));
  __m128i o8 = _mm_add_epi16(_mm256_castsi256_si128(o), _mm256_extracti128_si256(o, 1));
  __m256i *to = (__m256i *)(void *)out;
  __m256i low = _mm256_cvtepu16_epi32(_mm_unpacklo_epi16(e8, o8));
  __m256i high = _mm256_cvtepu16_epi32(_mm_unpackhi_epi16(e8, o8));
  _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), low));
  _mm256_storeu_si256(to + 1, _mm256_add_epi32(_mm256_loadu_si256(to + 1), high));
}

AVX512 static void avx512_scan(const uint8_t *codes, const uint8_t *lut, size_t n_tables,
                               uint32_t *out) {
  const __m512i nibble = _mm512_set1_epi8(15);
  size_t m = 0;
  memset(out, 0, ANN_BLOCK * sizeof *out);
  while (m < n_tables) {
    size_t end = n_tables - m > 256 ? m + 256 : n_tables;
    __m512i all0 = _mm512_setzero_si512(), odd0 = all0, all1 = all0, odd1 = all0;
    for (; m < end; m += 4) {
      __m512i code = four_of(n_tables - m, codes + 16 * m);
      __m512i table = four_of(n_tables - m, lut + 16 * m);
      __m512i r0 = _mm512_shuffle_epi8(table, _mm512_and_si512(code, nibble));
      __m512i r1 =
          _mm512_shuffle_epi8(table, _mm512_and_si512(_mm512_srli_epi16(code, 4), nibble));
      all0 = _mm512_add_epi16(all0, r0);
      odd0 = _mm512_add_epi16(odd0, _mm512_srli_epi16(r0, 8));
      all1 = _mm512_add_epi16(all1, r1);
      odd1 = _mm512_add_epi16(odd1, _mm512_srli_epi16(r1, 8));
    }
    store_sums(all0, odd0, out);
    store_sums(all1, odd1, out + 16);
  }
}

/* With bytes from anywhere in a register, and sums of four of them.  Byte 4 j + t is made of
** code j in table t: its place in the four tables is 16 t + nibble, and the four bytes that
** are found are then added to sum j at once. */
VNNI static void vnni_scan(const uint8_t *codes, const uint8_t *lut, size_t n_tables,
                           uint32_t *out) {
  const __m512i t = _mm512_set1_epi32(0x30201000), ones = _mm512_set1_epi8(1);
  const __m512i j = _mm512_setr_epi32(0, 0x01010101, 0x02020202, 0x03030303, 0x04040404,
                                      0x05050505, 0x06060606, 0x07070707, 0x08080808,
                                      0x09090909, 0x0a0a0a0a, 0x0b0b0b0b, 0x0c0c0c0c,
                                      0x0d0d0d0d, 0x0e0e0e0e, 0x0f0f0f0f);
  const __m512i across = _mm512_or_si512(t, j), nibble = _mm512_set1_epi8(15);
  __m512i low = _mm512_setzero_si512(), high = low;
  size_t m;
  for (m = 0; m < n_tables; m += 4) {
    __m512i code = _mm512_permutexvar_epi8(across, four_of(n_tables - m, codes + 16 * m));
    __m512i table = four_of(n_tables - m, lut + 16 * m);
    /* 0xea: first and second, or third */
    __m512i at0 = _mm512_ternarylogic_epi32(code, nibble, t, 0xea);
    __m512i at1 = _mm512_ternarylogic_epi32(_mm512_srli_epi16(code, 4), nibble, t, 0xea);
    low = _mm512_dpbusd_epi32(low, _mm512_permutexvar_epi8(at0, table), ones);
    high = _mm512_dpbusd_epi32(high, _mm512_permutexvar_epi8(at1, table), ones);
  }
  _mm512_storeu_si512(out, low);
  _mm512_storeu_si512(out + 16, high);
}

AVX512 static uint32_t avx512_estimate(const uint32_t *sums, const uint8_t *corrections,
                                       const AnnLine *line, float *out) {
  const __m512 unit = _mm512_set1_ps(line->unit), minimum = _mm512_set1_ps(line->minimum);
  const __m512 base = _mm512_set1_ps(line->base), bound = _mm512_set1_ps(line->bound);
  const float *shifts = (const float *)(const void *)corrections, *slopes = shifts + ANN_BLOCK;
  uint32_t within = 0;
  int v;
  for (v = 0; v < ANN_BLOCK; v += 16) {
    /* Sums are far below 2^31, so that their sign is no matter. */
    __m512 sum = _mm512_cvtepi32_ps(_mm512_loadu_si512(sums + v));
    __m512 s = _mm512_add_ps(_mm512_mul_ps(sum, unit), minimum);
    __m512 shift = _mm512_add_ps(base, _mm512_loadu_ps(shifts + v));
    __m512 value = _mm512_add_ps(shift, _mm512_mul_ps(_mm512_loadu_ps(slopes + v), s));
    _mm512_storeu_ps(out + v, value);
    within |= (uint32_t)_mm512_cmp_ps_mask(value, bound, _CMP_NGT_UQ) << v;
  }
  return within;
}

AVX512 static size_t avx512_least(const float *x, size_t n) {
  __m512 least = _mm512_min_ps(_mm512_loadu_ps(x), _mm512_loadu_ps(x + 16));
  __m256 eight;
  __m128 four;
  size_t i;
  for (i = 32; i < n; i += 32) {
    least = _mm512_min_ps(least,
                          _mm512_min_ps(_mm512_loadu_ps(x + i), _mm512_loadu_ps(x + i + 16)));
  }
  eight = _mm256_min_ps(_mm512_castps512_ps256(least), _mm512_extractf32x8_ps(least, 1));
  four = _mm_min_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  four = _mm_min_ps(four, _mm_movehl_ps(four, four));
  least = _mm512_set1_ps(_mm_cvtss_f32(_mm_min_ss(four, _mm_shuffle_ps(four, four, 1))));
  for (i = 0; i < n; i += 16) {
    __mmask16 equal = _mm512_cmp_ps_mask(_mm512_loadu_ps(x + i), least, _CMP_EQ_OQ);
    if (equal) return i + (size_t)ann_lowest_bit(equal);
  }
  return 0;
}

/* ---- the query ---- */

/* Two steps at once, of width and width / 2, so that memory is passed over half as often;
** width: at least 32. */
AVX512 static void butterflies(float *x, size_t n, size_t width) {
  size_t half = width / 2, i, j;
  for (i = 0; i < n; i += 2 * width) {
    float *a = x + i, *b = a + half, *c = b + half, *d = c + half;
    for (j = 0; j < half; j += 16) {
      __m512 va = _mm512_loadu_ps(a + j), vb = _mm512_loadu_ps(b + j);
      __m512 vc = _mm512_loadu_ps(c + j), vd = _mm512_loadu_ps(d + j);
      __m512 ac = _mm512_add_ps(va, vc), bd = _mm512_add_ps(vb, vd);
      __m512 a_c = _mm512_sub_ps(va, vc), b_d = _mm512_sub_ps(vb, vd);
      _mm512_storeu_ps(a + j, _mm512_add_ps(ac, bd));
      _mm512_storeu_ps(b + j, _mm512_sub_ps(ac, bd));
      _mm512_storeu_ps(c + j, _mm512_add_ps(a_c, b_d));
      _mm512_storeu_ps(d + j, _mm512_sub_ps(a_c, b_d));
    }
  }
}

/* a + b, and a - b in the lanes of the mask; a - b is a + (-b). */
AVX512 static __m512 add_or_subtract(__mmask16 minus, __m512 a, __m512 b) {
  const __m512 sign = _mm512_set1_ps(-0.0f);
  return _mm512_add_ps(a, _mm512_mask_xor_ps(b, minus, b, sign));
}

/* The steps of width 8, 4, 2 and 1 within 16 numbers. */
AVX512 static __m512 within_sixteen(__m512 v) {
  v = add_or_subtract(0xff00, _mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(1, 0, 1, 0)),
                      _mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(3, 2, 3, 2)));
  v = add_or_subtract(0xf0f0, _mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(2, 2, 0, 0)),
                      _mm512_shuffle_f32x4(v, v, _MM_SHUFFLE(3, 3, 1, 1)));
  v = add_or_subtract(0xcccc, _mm512_shuffle_ps(v, v, _MM_SHUFFLE(1, 0, 1, 0)),
                      _mm512_shuffle_ps(v, v, _MM_SHUFFLE(3, 2, 3, 2)));
  return add_or_subtract(0xaaaa, _mm512_shuffle_ps(v, v, _MM_SHUFFLE(2, 2, 0, 0)),
                         _mm512_shuffle_ps(v, v, _MM_SHUFFLE(3, 3, 1, 1)));
}

AVX512 static void avx512_hadamard(float *x, size_t n) {
  size_t width = n / 2, i;
  for (; width >= 32; width /= 4) butterflies(x, n, width);
  if (width == 16) {
    for (i = 0; i < n; i += 32) {
      __m512 a = _mm512_loadu_ps(x + i), b = _mm512_loadu_ps(x + i + 16);
      _mm512_storeu_ps(x + i, within_sixteen(_mm512_add_ps(a, b)));
      _mm512_storeu_ps(x + i + 16, within_sixteen(_mm512_sub_ps(a, b)));
    }
  } else {
    for (i = 0; i < n; i += 16) {
      _mm512_storeu_ps(x + i, within_sixteen(_mm512_loadu_ps(x + i)));
    }
  }
}

/* Component t of each table, in the table's four lanes. */
#define EACH(q, t) _mm512_shuffle_ps(q, q, _MM_SHUFFLE(t, t, t, t))

/* Four tables at once, table m in the m-th quarter of each register: sums 0 to 3 are in s0,
** 4 to 7 in s1, 8 to 11 in s2, 12 to 15 in s3. */
AVX512 static __m512i tables_of(__m512 q, __m512 steps) {
  const __m512 two = _mm512_set1_ps(2.0f), half = _mm512_set1_ps(0.5f);
  const __m512 sign = _mm512_set1_ps(-0.0f);
  __m512 q0 = EACH(q, 0), q1 = EACH(q, 1), q2 = EACH(q, 2), q3 = EACH(q, 3);
  __m512 a = _mm512_andnot_ps(sign, q), u, s0, s1, s2, s3;
  u = _mm512_add_ps(_mm512_add_ps(EACH(a, 0), EACH(a, 1)), EACH(a, 2));
  u = _mm512_xor_ps(sign, _mm512_add_ps(u, EACH(a, 3)));
  s0 = _mm512_xor_ps(sign, _mm512_add_ps(_mm512_add_ps(_mm512_add_ps(q0, q1), q2), q3));
  s0 = _mm512_mask_add_ps(s0, 0xaaaa, s0, _mm512_mul_ps(two, q0));
  s0 = _mm512_mask_add_ps(s0, 0xcccc, s0, _mm512_mul_ps(two, q1));
  s1 = _mm512_add_ps(s0, _mm512_mul_ps(two, q2));
  s2 = _mm512_add_ps(s0, _mm512_mul_ps(two, q3));
  s3 = _mm512_add_ps(s1, _mm512_mul_ps(two, q3));
#define WHOLE(s) \
  _mm512_cvttps_epi32(_mm512_add_ps(_mm512_mul_ps(_mm512_sub_ps(s, u), steps), half))
  return _mm512_packus_epi16(_mm512_packs_epi32(WHOLE(s0), WHOLE(s1)),
                             _mm512_packs_epi32(WHOLE(s2), WHOLE(s3)));
#undef WHOLE
}

AVX512 static void avx512_fill(const float *query, size_t n_tables, float steps, uint8_t *lut) {
  const __m512 step = _mm512_set1_ps(steps);
  size_t m = 0;
  for (; m + 4 <= n_tables; m += 4) {
    _mm512_storeu_si512(lut + 16 * m, tables_of(_mm512_loadu_ps(query + 4 * m), step));
  }
  if (m < n_tables) {
    size_t n = n_tables - m;
    __m512 q = _mm512_maskz_loadu_ps(first(4 * n), query + 4 * m);
    _mm512_mask_storeu_epi64(lut + 16 * m, (__mmask8)((1u << 2 * n) - 1), tables_of(q, step));
  }
}

AVX512 static void avx512_signs(const float *x, const float *c, size_t n, uint8_t *bits,
                                float *out) {
  const __m512 sign = _mm512_set1_ps(-0.0f);
  __m512 taxi = _mm512_setzero_ps(), along = taxi, inner = taxi;
  size_t i;
  for (i = 0; i < n; i += 16) {
    __m512 centre = _mm512_loadu_ps(c + i), r = _mm512_sub_ps(_mm512_loadu_ps(x + i), centre);
    __mmask16 set = _mm512_cmp_ps_mask(r, _mm512_setzero_ps(), _CMP_GE_OQ);
    taxi = _mm512_add_ps(taxi, _mm512_andnot_ps(sign, r));
    along = _mm512_add_ps(along,
                          _mm512_mask_xor_ps(centre, (__mmask16) ~(unsigned)set, centre, sign));
    inner = _mm512_add_ps(inner, _mm512_mul_ps(r, centre));
    bits[i / 8] = (uint8_t)set;
    bits[i / 8 + 1] = (uint8_t)(set >> 8);
  }
  _mm512_storeu_ps(out, taxi);
  _mm512_storeu_ps(out + 16, along);
  _mm512_storeu_ps(out + 32, inner);
}

const AnnKernels ann_kernels_avx512 = {
  "avx512",
  ann_avx512_float32_dot,
  avx512_dot_rows,
  avx512_products,
  ann_avx512_float32_l2,
  ann_avx512_int8_dot,
  avx512_scan,
  avx512_estimate,
  avx512_least,
  avx512_hadamard,
  avx512_fill,
  avx512_signs,
  .sums = &ann_sums_avx512,
};

const AnnKernels ann_kernels_vnni = {
  "avx512vnni",           ann_avx512_float32_dot, avx512_dot_rows, avx512_products,
  ann_avx512_float32_l2,  ann_avx512_int8_dot,    vnni_scan,       avx512_estimate,
  avx512_least,           avx512_hadamard,        avx512_fill,     avx512_signs,
  .sums = &ann_sums_vnni,
};

#endif
