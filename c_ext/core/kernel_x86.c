/* kernel_x86.c -- what an x86-64 CPU has; the inner loops of kernel.h with AVX2, the same
** bits as the portable ones.
**
** The 16 lanes are two registers of 8.  A tail shorter than 16 is loaded with zeros
** beyond its end: a lane starts at +0, so it is never -0, and adding +0 leaves it alone.
** Nothing here is compiled for AVX2 but these functions, so that the library loads on
** every x86-64.
*/
#include "core/kernel_x86.h"

#if defined(__x86_64__) || defined(_M_X64)

#include <cpuid.h>
#include <immintrin.h>
#include <math.h>

#include "core/sums_x86.h"

#define AVX2 __attribute__((target("avx2")))
#define FMA __attribute__((target("avx2,fma")))

/* ---- what this CPU and its operating system can do ---- */

static unsigned long long extended_control(void) {
  unsigned low, high;
  __asm__ volatile(".byte 0x0f, 0x01, 0xd0" : "=a"(low), "=d"(high) : "c"(0)); /* xgetbv */
  return (unsigned long long)high << 32 | low;
}

/* CPUID leaf 7 where the system saves the registers that `saved` names (bits of XCR0), else
** zeros: by it nothing can be used.  Asked directly: some compilers answer 0 to
** __builtin_cpu_supports. */
static void leaf_seven(unsigned saved, unsigned *out_b, unsigned *out_c) {
  unsigned a, b, c, d;
  *out_b = *out_c = 0;
  if (!__get_cpuid(1, &a, &b, &c, &d)) return;
  if (!(c >> 27 & 1) || !(c >> 28 & 1)) return; /* OSXSAVE, AVX */
  /* FMA, POPCNT, F16C: all CPUs but a few with AVX2 have them */
  if (!(c >> 12 & 1) || !(c >> 23 & 1) || !(c >> 29 & 1)) return;
  if ((extended_control() & saved) != saved) return;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d)) *out_b = b, *out_c = c;
}

#define SAVED_256 0x06 /* XCR0 bits 1 and 2 */
#define SAVED_512 0xe6 /* and 5 to 7 */

int ann_kernel_x86_has_avx2(void) {
  unsigned b, c;
  leaf_seven(SAVED_256, &b, &c);
  return b >> 5 & 1;
}

int ann_kernel_x86_has_avx512(void) {
  const unsigned needed = 1u << 16 | 1u << 17 | 1u << 30 | 1u << 31; /* F, DQ, BW, VL */
  unsigned b, c;
  leaf_seven(SAVED_512, &b, &c);
  return (b & needed) == needed;
}

int ann_kernel_x86_has_vnni(void) {
  const unsigned needed = 1u << 1 | 1u << 11 | 1u << 14; /* VBMI, VNNI, VPOPCNTDQ */
  unsigned b, c;
  leaf_seven(SAVED_512, &b, &c);
  return ann_kernel_x86_has_avx512() && (c & needed) == needed;
}

/* ---- floating point ---- */

/* l[j] += l[j+8], l[j+4], l[j+2], l[j+1]. */
AVX2 static float reduce(__m256 low, __m256 high) {
  __m256 eight = _mm256_add_ps(low, high);
  __m128 four = _mm_add_ps(_mm256_castps256_ps128(eight), _mm256_extractf128_ps(eight, 1));
  __m128 two = _mm_add_ps(four, _mm_movehl_ps(four, four));
  return _mm_cvtss_f32(_mm_add_ss(two, _mm_shuffle_ps(two, two, 1)));
}

AVX2 static __m256 add_product(__m256 sum, __m256 x, const float *y) {
  return _mm256_add_ps(sum, _mm256_mul_ps(x, _mm256_loadu_ps(y)));
}

/* Four rows at a time share the loads of x. */
AVX2 static void dot_four(const float *x, const float *a, size_t n, float *out) {
  const float *b = a + n, *c = b + n, *d = c + n;
  __m256 low[4], high[4];
  size_t i;
  low[0] = low[1] = low[2] = low[3] = _mm256_setzero_ps();
  high[0] = high[1] = high[2] = high[3] = _mm256_setzero_ps();
  for (i = 0; i < n; i += 16) {
    __m256 x0 = _mm256_loadu_ps(x + i), x1 = _mm256_loadu_ps(x + i + 8);
    low[0] = add_product(low[0], x0, a + i);
    high[0] = add_product(high[0], x1, a + i + 8);
    low[1] = add_product(low[1], x0, b + i);
    high[1] = add_product(high[1], x1, b + i + 8);
    low[2] = add_product(low[2], x0, c + i);
    high[2] = add_product(high[2], x1, c + i + 8);
    low[3] = add_product(low[3], x0, d + i);
    high[3] = add_product(high[3], x1, d + i + 8);
  }
  for (i = 0; i < 4; i++) out[i] = reduce(low[i], high[i]);
}

AVX2 static void avx2_dot_rows(const float *x, const float *rows, size_t n, size_t n_rows,
                               float *out) {
  size_t r = 0;
  for (; n % 16 == 0 && r + 4 <= n_rows; r += 4) dot_four(x, rows + r * n, n, out + r);
  for (; r < n_rows; r++) out[r] = ann_avx2_float32_dot(x, rows + r * n, n);
}

/* The sums of four registers. */
FMA static __m128 sums(const __m256 *lane) {
  __m256 two =
      _mm256_hadd_ps(_mm256_hadd_ps(lane[0], lane[1]), _mm256_hadd_ps(lane[2], lane[3]));
  return _mm_add_ps(_mm256_castps256_ps128(two), _mm256_extractf128_ps(two, 1));
}

/* Two rows at a time share the loads of the four vectors, and each of these theirs. */
FMA static void products_of_two(const float *a, const float *b, const float *c, size_t n,
                                float *out_b, float *out_c) {
  __m256 first[4], second[4];
  size_t i;
  int j;
#pragma GCC unroll 4
  for (j = 0; j < 4; j++) first[j] = second[j] = _mm256_setzero_ps();
  for (i = 0; i < n; i += 8) {
    __m256 x = _mm256_loadu_ps(b + i), y = _mm256_loadu_ps(c + i);
#pragma GCC unroll 4
    for (j = 0; j < 4; j++) {
      __m256 z = _mm256_loadu_ps(a + (size_t)j * n + i);
      first[j] = _mm256_fmadd_ps(x, z, first[j]);
      second[j] = _mm256_fmadd_ps(y, z, second[j]);
    }
  }
  _mm_storeu_ps(out_b, sums(first));
  _mm_storeu_ps(out_c, sums(second));
}

FMA static void avx2_products(const float *a, const float *b, size_t n, size_t n_rows,
                              float *out) {
  float spare[4];
  size_t r = 0;
  for (; r + 2 <= n_rows; r += 2) {
    products_of_two(a, b + r * n, b + (r + 1) * n, n, out + 4 * r, out + 4 * (r + 1));
  }
  if (r < n_rows) products_of_two(a, b + r * n, b + r * n, n, out + 4 * r, spare);
}

/* ---- codes ---- */

/* Sums of up to 256 tables for 16 codes: `all` adds bytes in pairs as 16-bit numbers,
** `odd` the upper byte of each pair; all - 256 odd is then the lower one's sum. */
AVX2 static void store_sums(__m256i all, __m256i odd, uint32_t *out) {
  __m256i even = _mm256_sub_epi16(all, _mm256_slli_epi16(odd, 8));
  __m128i e = _mm_add_epi16(_mm256_castsi256_si128(even), _mm256_extracti128_si256(even, 1));
  __m128i o = _mm_add_epi16(_mm256_castsi256_si128(odd), _mm256_extracti128_si256(odd, 1));
  __m256i *to = (__m256i *)(void *)out;
  __m256i low = _mm256_cvtepu16_epi32(_mm_unpacklo_epi16(e, o));
  __m256i high = _mm256_cvtepu16_epi32(_mm_unpackhi_epi16(e, o));
  _mm256_storeu_si256(to, _mm256_add_epi32(_mm256_loadu_si256(to), low));
  _mm256_storeu_si256(to + 1, _mm256_add_epi32(_mm256_loadu_si256(to + 1), high));
}

AVX2 static void avx2_scan(const uint8_t *codes, const uint8_t *lut, size_t n_tables,
                           uint32_t *out) {
  const __m256i nibble = _mm256_set1_epi8(15);
  size_t m = 0;
  int j;
  memset(out, 0, ANN_BLOCK * sizeof *out);
  while (m + 2 <= n_tables) {
    size_t end = n_tables - m > 256 ? m + 256 : n_tables;
    __m256i all0 = _mm256_setzero_si256(), odd0 = all0, all1 = all0, odd1 = all0;
    /* Counting the loop costs a fifth: 6.4 and 5.1 ns a code at 96 tables (make
    ** bench-kernels). */
#pragma GCC unroll 4
    for (; m + 2 <= end; m += 2) {
      __m256i code = _mm256_loadu_si256((const __m256i *)(const void *)(codes + 16 * m));
      __m256i table = _mm256_loadu_si256((const __m256i *)(const void *)(lut + 16 * m));
      __m256i r0 = _mm256_shuffle_epi8(table, _mm256_and_si256(code, nibble));
      __m256i r1 =
          _mm256_shuffle_epi8(table, _mm256_and_si256(_mm256_srli_epi16(code, 4), nibble));
      all0 = _mm256_add_epi16(all0, r0);
      odd0 = _mm256_add_epi16(odd0, _mm256_srli_epi16(r0, 8));
      all1 = _mm256_add_epi16(all1, r1);
      odd1 = _mm256_add_epi16(odd1, _mm256_srli_epi16(r1, 8));
    }
    store_sums(all0, odd0, out);
    store_sums(all1, odd1, out + 16);
  }
  for (; m < n_tables; m++) { /* an odd table at the end */
    for (j = 0; j < 16; j++) {
      out[j] += lut[16 * m + (codes[16 * m + (size_t)j] & 15)];
      out[j + 16] += lut[16 * m + (codes[16 * m + (size_t)j] >> 4)];
    }
  }
}

AVX2 static uint32_t avx2_estimate(const uint32_t *sums, const uint8_t *corrections,
                                   const AnnLine *line, float *out) {
  const __m256 unit = _mm256_set1_ps(line->unit), minimum = _mm256_set1_ps(line->minimum);
  const __m256 base = _mm256_set1_ps(line->base), bound = _mm256_set1_ps(line->bound);
  const float *shifts = (const float *)(const void *)corrections, *slopes = shifts + ANN_BLOCK;
  uint32_t within = 0;
  int v;
  for (v = 0; v < ANN_BLOCK; v += 8) {
    /* Sums are far below 2^31, so that their sign is no matter. */
    __m256 sum = _mm256_cvtepi32_ps(_mm256_loadu_si256((const __m256i *)(sums + v)));
    __m256 s = _mm256_add_ps(_mm256_mul_ps(sum, unit), minimum);
    __m256 shift = _mm256_add_ps(base, _mm256_loadu_ps(shifts + v));
    __m256 value = _mm256_add_ps(shift, _mm256_mul_ps(_mm256_loadu_ps(slopes + v), s));
    _mm256_storeu_ps(out + v, value);
    within |= (uint32_t)_mm256_movemask_ps(_mm256_cmp_ps(value, bound, _CMP_NGT_UQ)) << v;
  }
  return within;
}

AVX2 static size_t avx2_least(const float *x, size_t n) {
  __m256 least = _mm256_min_ps(_mm256_loadu_ps(x), _mm256_loadu_ps(x + 8));
  __m128 four;
  size_t i;
  for (i = 16; i < n; i += 16) {
    least =
        _mm256_min_ps(least, _mm256_min_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(x + i + 8)));
  }
  four = _mm_min_ps(_mm256_castps256_ps128(least), _mm256_extractf128_ps(least, 1));
  four = _mm_min_ps(four, _mm_movehl_ps(four, four));
  least = _mm256_broadcastss_ps(_mm_min_ss(four, _mm_shuffle_ps(four, four, 1)));
  for (i = 0; i < n; i += 8) {
    int equal = _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(x + i), least, _CMP_EQ_OQ));
    if (equal) return i + (size_t)ann_lowest_bit((uint32_t)equal);
  }
  return 0;
}

/* ---- the query ---- */

/* Two steps at once, of width and width / 2, so that memory is passed over half as often;
** width: at least 16. */
AVX2 static void butterflies(float *x, size_t n, size_t width) {
  size_t half = width / 2, i, j;
  for (i = 0; i < n; i += 2 * width) {
    float *a = x + i, *b = a + half, *c = b + half, *d = c + half;
    for (j = 0; j < half; j += 8) {
      __m256 va = _mm256_loadu_ps(a + j), vb = _mm256_loadu_ps(b + j);
      __m256 vc = _mm256_loadu_ps(c + j), vd = _mm256_loadu_ps(d + j);
      __m256 ac = _mm256_add_ps(va, vc), bd = _mm256_add_ps(vb, vd);
      __m256 a_c = _mm256_sub_ps(va, vc), b_d = _mm256_sub_ps(vb, vd);
      _mm256_storeu_ps(a + j, _mm256_add_ps(ac, bd));
      _mm256_storeu_ps(b + j, _mm256_sub_ps(ac, bd));
      _mm256_storeu_ps(c + j, _mm256_add_ps(a_c, b_d));
      _mm256_storeu_ps(d + j, _mm256_sub_ps(a_c, b_d));
    }
  }
}

/* The steps of width 4, 2 and 1 within 8 numbers; a - b is a + (-b). */
AVX2 static __m256 within_eight(__m256 v) {
  const __m256 minus4 = _mm256_setr_ps(0, 0, 0, 0, -0.0f, -0.0f, -0.0f, -0.0f);
  const __m256 minus2 = _mm256_setr_ps(0, 0, -0.0f, -0.0f, 0, 0, -0.0f, -0.0f);
  const __m256 minus1 = _mm256_setr_ps(0, -0.0f, 0, -0.0f, 0, -0.0f, 0, -0.0f);
  __m256 a = _mm256_permute2f128_ps(v, v, 0x00), b = _mm256_permute2f128_ps(v, v, 0x11);
  v = _mm256_add_ps(a, _mm256_xor_ps(b, minus4));
  a = _mm256_shuffle_ps(v, v, _MM_SHUFFLE(1, 0, 1, 0));
  b = _mm256_shuffle_ps(v, v, _MM_SHUFFLE(3, 2, 3, 2));
  v = _mm256_add_ps(a, _mm256_xor_ps(b, minus2));
  a = _mm256_shuffle_ps(v, v, _MM_SHUFFLE(2, 2, 0, 0));
  b = _mm256_shuffle_ps(v, v, _MM_SHUFFLE(3, 3, 1, 1));
  return _mm256_add_ps(a, _mm256_xor_ps(b, minus1));
}

AVX2 static void avx2_hadamard(float *x, size_t n) {
  size_t width = n / 2, i;
  for (; width >= 16; width /= 4) butterflies(x, n, width);
  for (i = 0; i < n; i += 16) {
    __m256 a = _mm256_loadu_ps(x + i), b = _mm256_loadu_ps(x + i + 8);
    if (width == 8) {
      __m256 sum = _mm256_add_ps(a, b);
      b = _mm256_sub_ps(a, b);
      a = sum;
    }
    _mm256_storeu_ps(x + i, within_eight(a));
    _mm256_storeu_ps(x + i + 8, within_eight(b));
  }
}

/* Component t of each table, in the table's four lanes. */
#define EACH(q, t) _mm256_shuffle_ps(q, q, _MM_SHUFFLE(t, t, t, t))

/* The whole part of (sum - u) steps + 0.5. */
AVX2 static __m256i whole(__m256 sum, __m256 u, __m256 steps) {
  __m256 x = _mm256_mul_ps(_mm256_sub_ps(sum, u), steps);
  return _mm256_cvttps_epi32(_mm256_add_ps(x, _mm256_set1_ps(0.5f)));
}

/* Two tables at once, one in each half of the registers: sums 0 to 3 are in s0, 4 to 7 in s1,
** 8 to 11 in s2, 12 to 15 in s3.  What lacks bit 0 or 1 gets +0, which no byte shows. */
AVX2 static __m256i tables_of(__m256 q, __m256 steps) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  const __m256 odd = _mm256_castsi256_ps(_mm256_setr_epi32(0, -1, 0, -1, 0, -1, 0, -1));
  const __m256 upper = _mm256_castsi256_ps(_mm256_setr_epi32(0, 0, -1, -1, 0, 0, -1, -1));
  __m256 a = _mm256_andnot_ps(sign, q), twice = _mm256_add_ps(q, q), u, s0, s1, s2, s3;
  u = _mm256_add_ps(_mm256_add_ps(EACH(a, 0), EACH(a, 1)), EACH(a, 2));
  u = _mm256_xor_ps(sign, _mm256_add_ps(u, EACH(a, 3)));
  s0 = _mm256_add_ps(_mm256_add_ps(EACH(q, 0), EACH(q, 1)), EACH(q, 2));
  s0 = _mm256_xor_ps(sign, _mm256_add_ps(s0, EACH(q, 3)));
  s0 = _mm256_add_ps(s0, _mm256_and_ps(odd, EACH(twice, 0)));
  s0 = _mm256_add_ps(s0, _mm256_and_ps(upper, EACH(twice, 1)));
  s1 = _mm256_add_ps(s0, EACH(twice, 2));
  s2 = _mm256_add_ps(s0, EACH(twice, 3));
  s3 = _mm256_add_ps(s1, EACH(twice, 3));
  return _mm256_packus_epi16(_mm256_packs_epi32(whole(s0, u, steps), whole(s1, u, steps)),
                             _mm256_packs_epi32(whole(s2, u, steps), whole(s3, u, steps)));
}

AVX2 static void avx2_fill(const float *query, size_t n_tables, float steps, uint8_t *lut) {
  const __m256 step = _mm256_set1_ps(steps);
  size_t m = 0;
  for (; m + 2 <= n_tables; m += 2) {
    __m256i tables = tables_of(_mm256_loadu_ps(query + 4 * m), step);
    _mm256_storeu_si256((__m256i *)(void *)(lut + 16 * m), tables);
  }
  if (m < n_tables) { /* an odd table at the end */
    __m256 q = _mm256_insertf128_ps(_mm256_setzero_ps(), _mm_loadu_ps(query + 4 * m), 0);
    _mm_storeu_si128((__m128i *)(void *)(lut + 16 * m),
                     _mm256_castsi256_si128(tables_of(q, step)));
  }
}

/* Eight components: their bits, and the three sums by one step. */
AVX2 static unsigned signs_of_eight(const float *x, const float *c, __m256 *sums) {
  const __m256 sign = _mm256_set1_ps(-0.0f);
  __m256 centre = _mm256_loadu_ps(c), r = _mm256_sub_ps(_mm256_loadu_ps(x), centre);
  __m256 set = _mm256_cmp_ps(r, _mm256_setzero_ps(), _CMP_GE_OQ);
  sums[0] = _mm256_add_ps(sums[0], _mm256_andnot_ps(sign, r));
  sums[1] = _mm256_add_ps(sums[1], _mm256_xor_ps(centre, _mm256_andnot_ps(set, sign)));
  sums[2] = _mm256_add_ps(sums[2], _mm256_mul_ps(r, centre));
  return (unsigned)_mm256_movemask_ps(set);
}

AVX2 static void avx2_signs(const float *x, const float *c, size_t n, uint8_t *bits,
                            float *out) {
  __m256 low[3], high[3];
  size_t i;
  int s;
  for (s = 0; s < 3; s++) low[s] = high[s] = _mm256_setzero_ps();
  for (i = 0; i < n; i += 16) {
    bits[i / 8] = (uint8_t)signs_of_eight(x + i, c + i, low);
    bits[i / 8 + 1] = (uint8_t)signs_of_eight(x + i + 8, c + i + 8, high);
  }
  for (s = 0; s < 3; s++) {
    _mm256_storeu_ps(out + 16 * s, low[s]);
    _mm256_storeu_ps(out + 16 * s + 8, high[s]);
  }
}

const AnnKernels ann_kernels_avx2 = {
  "avx2",
  ann_avx2_float32_dot,
  avx2_dot_rows,
  avx2_products,
  ann_avx2_float32_l2,
  ann_avx2_int8_dot,
  avx2_scan,
  avx2_estimate,
  avx2_least,
  avx2_hadamard,
  avx2_fill,
  avx2_signs,
  .sums = &ann_sums_avx2,
};

#endif
