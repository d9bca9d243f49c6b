/* immintrin.h -- stands before the compiler's own when core/kernel_avx512.c is compiled to be tested on a CPU
** without AVX-512: its intrinsics as plain C, by SIMDe (Debian: libsimde-dev).
**
** The attribute `target` is taken away, so that the compiler uses no instruction that the CPU lacks.
** Below are the few intrinsics that SIMDe 0.7.4 has not, or under its own name only, each as Intel's manual defines it.
*/
#ifndef ANN_TEST_IMMINTRIN_H
#define ANN_TEST_IMMINTRIN_H

#define SIMDE_NO_NATIVE /* SSE and AVX2 too: the headers that they come with would lead here again */
#define SIMDE_ENABLE_NATIVE_ALIASES
#include <simde/x86/avx2.h>
#include <simde/x86/avx512.h>
#include <string.h>

#define target(features) unused
#define __mmask8 simde__mmask8
#define __mmask16 simde__mmask16

/* out[i] = f(in[i]) for the first n items of two registers. */
#define ANN_EACH(n, to_type, out, from_type, in)                   \
  do {                                                             \
    from_type from_[n];                                            \
    to_type to_[n];                                                \
    int i_;                                                        \
    memcpy(from_, &(in), sizeof from_);                            \
    for (i_ = 0; i_ < (n); i_++) { to_[i_] = (to_type)from_[i_]; } \
    memcpy(&(out), to_, sizeof to_);                               \
  } while (0)

static inline simde__m512i ann_cvtepi8_epi32(simde__m128i a) {
  simde__m512i out;
  ANN_EACH(16, int32_t, out, int8_t, a);
  return out;
}

static inline simde__m512 ann_cvtepi32_ps(simde__m512i a) {
  simde__m512 out;
  ANN_EACH(16, float, out, int32_t, a);
  return out;
}

static inline simde__m512i ann_cvttps_epi32(simde__m512 a) {
  simde__m512i out;
  ANN_EACH(16, int32_t, out, float, a);
  return out;
}

static inline simde__m256 ann_extract(simde__m512 a, int half) {
  simde__m256 out;
  memcpy(&out, (char *)&a + 32 * half, sizeof out);
  return out;
}

/* Memory under a mask: what is masked out is not touched. */
static inline void ann_masked(void *to, const void *from, uint64_t mask, size_t size) {
  size_t i;
  for (i = 0; mask >> i; i++) {
    if (mask >> i & 1) memcpy((char *)to + size * i, (const char *)from + size * i, size);
  }
}

static inline simde__m512 ann_load_ps(uint16_t mask, const float *from) {
  simde__m512 out = simde_mm512_setzero_ps();
  ann_masked(&out, from, mask, 4);
  return out;
}

static inline simde__m512i ann_load_epi64(uint8_t mask, const void *from) {
  simde__m512i out = simde_mm512_setzero_si512();
  ann_masked(&out, from, mask, 8);
  return out;
}

static inline simde__m128i ann_load_epi8(uint16_t mask, const void *from) {
  simde__m128i out = simde_mm_setzero_si128();
  ann_masked(&out, from, mask, 1);
  return out;
}

static inline simde__m256i ann_load_epi16(uint16_t mask, const void *from) {
  simde__m256i out = simde_mm256_setzero_si256();
  ann_masked(&out, from, mask, 2);
  return out;
}

static inline simde__m512i ann_load_64_epi8(uint64_t mask, const void *from) {
  simde__m512i out = simde_mm512_setzero_si512();
  int i;
  for (i = 0; i < 64; i++) {
    if (mask >> i & 1) ((char *)&out)[i] = ((const char *)from)[i];
  }
  return out;
}

static inline simde__m512i ann_cvtepu16_epi32(simde__m256i a) {
  simde__m512i out;
  ANN_EACH(16, uint32_t, out, uint16_t, a);
  return out;
}

static inline simde__m512 ann_cvtph_ps(simde__m256i a) {
  simde__m512 out;
  ANN_EACH(16, float, out, _Float16, a);
  return out;
}

/* Products of neighbours, added in pairs. */
static inline simde__m512i ann_madd_epi16(simde__m512i a, simde__m512i b) {
  int16_t from_a[32], from_b[32];
  int32_t to[16];
  simde__m512i out;
  int i;
  memcpy(from_a, &a, sizeof from_a);
  memcpy(from_b, &b, sizeof from_b);
  for (i = 0; i < 16; i++) {
    to[i] = from_a[2 * i] * from_b[2 * i] + from_a[2 * i + 1] * from_b[2 * i + 1];
  }
  memcpy(&out, to, sizeof out);
  return out;
}

static inline simde__m512i ann_popcnt_epi64(simde__m512i a) {
  uint64_t words[8];
  int i;
  memcpy(words, &a, sizeof words);
  for (i = 0; i < 8; i++) words[i] = (uint64_t)__builtin_popcountll(words[i]);
  memcpy(&a, words, sizeof words);
  return a;
}

static inline void ann_store_epi64(void *to, uint8_t mask, simde__m512i a) {
  ann_masked(to, &a, mask, 8);
}

#undef _mm512_shuffle_f32x4
#undef _mm512_cvtepi8_epi32
#undef _mm512_cvtepi32_ps
#undef _mm512_cvttps_epi32
#undef _mm512_extractf32x8_ps
#undef _mm512_maskz_loadu_ps
#undef _mm512_maskz_loadu_epi64
#undef _mm_maskz_loadu_epi8
#undef _mm512_mask_storeu_epi64
#define _mm512_shuffle_f32x4 simde_mm512_shuffle_f32x4
#define _mm512_cvtepi8_epi32 ann_cvtepi8_epi32
#define _mm512_cvtepi32_ps ann_cvtepi32_ps
#define _mm512_cvttps_epi32 ann_cvttps_epi32
#define _mm512_extractf32x8_ps ann_extract
#define _mm512_maskz_loadu_ps ann_load_ps
#define _mm512_maskz_loadu_epi64 ann_load_epi64
#define _mm_maskz_loadu_epi8 ann_load_epi8
#define _mm512_mask_storeu_epi64 ann_store_epi64
#undef _mm256_maskz_loadu_epi16
#undef _mm512_maskz_loadu_epi8
#undef _mm512_cvtepu16_epi32
#undef _mm512_cvtph_ps
#undef _mm512_madd_epi16
#undef _mm512_popcnt_epi64
#undef _mm_popcnt_u64
#define _mm256_maskz_loadu_epi16 ann_load_epi16
#define _mm512_maskz_loadu_epi8 ann_load_64_epi8
#define _mm512_cvtepu16_epi32 ann_cvtepu16_epi32
#define _mm512_cvtph_ps ann_cvtph_ps
#define _mm512_madd_epi16 ann_madd_epi16
#define _mm512_popcnt_epi64 ann_popcnt_epi64
#define _mm_popcnt_u64(x) __builtin_popcountll(x)

#endif
