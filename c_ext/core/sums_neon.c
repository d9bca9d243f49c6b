/* sums_neon.c -- the sums of sums.h with NEON; the same bits as the portable ones.
**
** The 16 lanes are four registers of 4.  A tail shorter than 16 is copied over zeros: a lane
** starts at +0, so it is never -0, and adding +0 leaves it alone.  Multiply and add are two
** intrinsics: vmlaq and vfmaq of floats may round once.
*/
#include "core/sums_neon.h"

#if defined(__aarch64__) && !defined(__AARCH64EB__)

#include <arm_neon.h>

#include "core/sums_of.h"

#define INLINE inline __attribute__((always_inline))

/* ---- of floats and a row of any type ---- */

/* Sixteen components from memory, four a register; what four components add to a sum. */
typedef void Widen(const uint8_t *x, float32x4_t *out);
typedef float32x4_t Term(float32x4_t q, float32x4_t x);

static INLINE void widen_float32(const uint8_t *x, float32x4_t *out) {
  int j;
  for (j = 0; j < 4; j++) out[j] = vreinterpretq_f32_u8(vld1q_u8(x + 16 * j));
}

static INLINE void widen_float16(const uint8_t *x, float32x4_t *out) {
  int j;
  for (j = 0; j < 4; j++) out[j] = vcvt_f32_f16(vreinterpret_f16_u8(vld1_u8(x + 8 * j)));
}

static INLINE void widen_bfloat16(const uint8_t *x, float32x4_t *out) {
  int j;
  for (j = 0; j < 4; j++) {
    uint16x4_t four = vreinterpret_u16_u8(vld1_u8(x + 8 * j));
    out[j] = vreinterpretq_f32_u32(vshll_n_u16(four, 16));
  }
}

static INLINE void widen_int8(const uint8_t *x, float32x4_t *out) {
  int8x16_t bytes = vreinterpretq_s8_u8(vld1q_u8(x));
  int16x8_t halves[2] = {vmovl_s8(vget_low_s8(bytes)), vmovl_high_s8(bytes)};
  int j;
  for (j = 0; j < 2; j++) {
    out[2 * j] = vcvtq_f32_s32(vmovl_s16(vget_low_s16(halves[j])));
    out[2 * j + 1] = vcvtq_f32_s32(vmovl_high_s16(halves[j]));
  }
}

static INLINE float32x4_t product(float32x4_t q, float32x4_t x) { return vmulq_f32(q, x); }

static INLINE float32x4_t squared_difference(float32x4_t q, float32x4_t x) {
  float32x4_t t = vsubq_f32(q, x);
  return vmulq_f32(t, t);
}

static INLINE float32x4_t difference(float32x4_t q, float32x4_t x) {
  return vabsq_f32(vsubq_f32(q, x));
}

/* l[j] += l[j+8], l[j+4], l[j+2], l[j+1]. */
static INLINE float reduce(const float32x4_t *lane) {
  float32x4_t low = vaddq_f32(lane[0], lane[2]), high = vaddq_f32(lane[1], lane[3]);
  float32x4_t four = vaddq_f32(low, high);
  float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

/* The sum of kernel.h; size: bytes of a component. */
static INLINE float sum(const float *q, const uint8_t *row, size_t n, size_t size, Widen *widen,
                        Term *term) {
  float32x4_t lane[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  float rest_q[16] = {0};
  uint8_t rest[64] = {0};
  size_t i, j;
  for (i = 0; i < n; i += 16, q += 16, row += 16 * size) {
    float32x4_t x[4];
    if (n - i < 16) {
      q = memcpy(rest_q, q, (n - i) * sizeof *q);
      row = memcpy(rest, row, (n - i) * size);
    }
    widen(row, x);
    for (j = 0; j < 4; j++) lane[j] = vaddq_f32(lane[j], term(vld1q_f32(q + 4 * j), x[j]));
  }
  return reduce(lane);
}

/* The same of a row and itself. */
static INLINE float sum_of_squares(const uint8_t *row, size_t n, size_t size, Widen *widen) {
  float32x4_t lane[4] = {vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0), vdupq_n_f32(0)};
  uint8_t rest[64] = {0};
  size_t i, j;
  for (i = 0; i < n; i += 16, row += 16 * size) {
    float32x4_t x[4];
    if (n - i < 16) row = memcpy(rest, row, (n - i) * size);
    widen(row, x);
    for (j = 0; j < 4; j++) lane[j] = vaddq_f32(lane[j], vmulq_f32(x[j], x[j]));
  }
  return reduce(lane);
}

static INLINE void store(float *out, const float32x4_t *x) {
  int j;
  for (j = 0; j < 4; j++) vst1q_f32(out + 4 * j, x[j]);
}

static INLINE void widen_all(const uint8_t *row, size_t n, size_t size, Widen *widen,
                             float *out) {
  uint8_t rest[64] = {0};
  float32x4_t x[4];
  float wide[16];
  size_t i = 0;
  for (; i + 16 <= n; i += 16, row += 16 * size) {
    widen(row, x);
    store(out + i, x);
  }
  if (i == n) return;
  memcpy(rest, row, (n - i) * size);
  widen(rest, x);
  store(wide, x);
  memcpy(out + i, wide, (n - i) * sizeof *out);
}

ANN_SUMS_OF(, ann_neon_float32, 4, widen_float32)
ANN_SUMS_OF(static, float16, 2, widen_float16)
ANN_SUMS_OF(static, bfloat16, 2, widen_bfloat16)
ANN_SUMS_OF(, ann_neon_int8, 1, widen_int8)

/* ---- of whole numbers ---- */

/* What 16 components add to four sums of 32 bits: of products; of squares, at most 16,384 x
** 255^2; of differences, which vabdq leaves right as bytes without a sign. */
static INLINE uint32x4_t add_dot(uint32x4_t lane, int8x16_t a, int8x16_t b) {
  int32x4_t sums = vreinterpretq_s32_u32(lane);
  sums = vpadalq_s16(sums, vmull_s8(vget_low_s8(a), vget_low_s8(b)));
  return vreinterpretq_u32_s32(vpadalq_s16(sums, vmull_high_s8(a, b)));
}

static INLINE uint32x4_t add_l2(uint32x4_t lane, int8x16_t a, int8x16_t b) {
  int32x4_t sums = vreinterpretq_s32_u32(lane);
  int16x8_t low = vsubl_s8(vget_low_s8(a), vget_low_s8(b)), high = vsubl_high_s8(a, b);
  sums = vmlal_s16(sums, vget_low_s16(low), vget_low_s16(low));
  sums = vmlal_high_s16(sums, low, low);
  sums = vmlal_s16(sums, vget_low_s16(high), vget_low_s16(high));
  return vreinterpretq_u32_s32(vmlal_high_s16(sums, high, high));
}

static INLINE uint32x4_t add_l1(uint32x4_t lane, int8x16_t a, int8x16_t b) {
  return vpadalq_u16(lane, vpaddlq_u8(vreinterpretq_u8_s8(vabdq_s8(a, b))));
}

typedef uint32x4_t Add(uint32x4_t lane, int8x16_t a, int8x16_t b);

/* The sum of the lanes, modulo 2^32. */
static INLINE uint32_t whole_sum(const int8_t *a, const int8_t *b, size_t n, Add *add) {
  uint32x4_t lane = vdupq_n_u32(0);
  int8_t rest_a[16] = {0}, rest_b[16] = {0};
  size_t i;
  for (i = 0; i < n; i += 16, a += 16, b += 16) {
    if (n - i < 16) {
      a = memcpy(rest_a, a, n - i);
      b = memcpy(rest_b, b, n - i);
    }
    lane = add(lane, vld1q_s8(a), vld1q_s8(b));
  }
  return vaddvq_u32(lane);
}

static int64_t whole_dot(const int8_t *a, const int8_t *b, size_t n) {
  return (int32_t)whole_sum(a, b, n, add_dot);
}

static int64_t whole_l2(const int8_t *a, const int8_t *b, size_t n) {
  return whole_sum(a, b, n, add_l2);
}

static int64_t whole_l1(const int8_t *a, const int8_t *b, size_t n) {
  return whole_sum(a, b, n, add_l1);
}

/* ---- of bits ---- */

static INLINE uint8x16_t exclusive(uint8x16_t a, uint8x16_t b) { return veorq_u8(a, b); }

static INLINE uint8x16_t both(uint8x16_t a, uint8x16_t b) { return vandq_u8(a, b); }

static INLINE int64_t count(const uint8_t *a, const uint8_t *b, size_t n,
                            uint8x16_t (*join)(uint8x16_t, uint8x16_t)) {
  uint32x4_t lane = vdupq_n_u32(0);
  uint8_t rest_a[16] = {0}, rest_b[16] = {0};
  size_t i;
  for (i = 0; i < n; i += 16, a += 16, b += 16) {
    if (n - i < 16) {
      a = memcpy(rest_a, a, n - i);
      b = memcpy(rest_b, b, n - i);
    }
    lane = vpadalq_u16(lane, vpaddlq_u8(vcntq_u8(join(vld1q_u8(a), vld1q_u8(b)))));
  }
  return vaddvq_u32(lane);
}

static int64_t differing(const uint8_t *a, const uint8_t *b, size_t n) {
  return count(a, b, n, exclusive);
}

static int64_t common(const uint8_t *a, const uint8_t *b, size_t n) {
  return count(a, b, n, both);
}

const AnnSums ann_sums_neon = {
  {ANN_SUMS_ROW(ann_neon_float32), ANN_SUMS_ROW(float16), ANN_SUMS_ROW(bfloat16),
   ANN_SUMS_ROW(ann_neon_int8)},
  whole_dot,
  whole_l2,
  whole_l1,
  differing,
  common,
};

#endif
