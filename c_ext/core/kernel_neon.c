/* kernel_neon.c -- the inner loops of kernel.h with NEON; the same bits as the portable ones.
**
** The 16 lanes are four registers of 4.  A tail shorter than 16 is copied over
** zeros: a lane starts at +0, so it is never -0, and adding +0 leaves it alone.  Multiply
** and add are two intrinsics: vmlaq and vfmaq may round once, which only `products` may.
*/
#include "core/kernel_neon.h"

#ifdef ANN_HAS_KERNEL_NEON

#include <arm_neon.h>

#include "core/sums_neon.h"

/* ---- floating point ---- */

/* l[j] += l[j+8], l[j+4], l[j+2], l[j+1]. */
static float reduce(const float32x4_t *lane) {
  float32x4_t low = vaddq_f32(lane[0], lane[2]), high = vaddq_f32(lane[1], lane[3]);
  float32x4_t four = vaddq_f32(low, high);
  float32x2_t two = vadd_f32(vget_low_f32(four), vget_high_f32(four));
  return vget_lane_f32(two, 0) + vget_lane_f32(two, 1);
}

/* Two rows at a time share the loads of x. */
static void dot_two(const float *x, const float *a, size_t n, float *out) {
  float32x4_t lane[2][4];
  size_t i;
  int j;
  for (j = 0; j < 4; j++) lane[0][j] = lane[1][j] = vdupq_n_f32(0);
  for (i = 0; i < n; i += 16) {
    for (j = 0; j < 4; j++) {
      float32x4_t vx = vld1q_f32(x + i + 4 * j);
      lane[0][j] = vaddq_f32(lane[0][j], vmulq_f32(vx, vld1q_f32(a + i + 4 * j)));
      lane[1][j] = vaddq_f32(lane[1][j], vmulq_f32(vx, vld1q_f32(a + n + i + 4 * j)));
    }
  }
  out[0] = reduce(lane[0]);
  out[1] = reduce(lane[1]);
}

static void neon_dot_rows(const float *x, const float *rows, size_t n, size_t n_rows,
                          float *out) {
  size_t r = 0;
  for (; n % 16 == 0 && r + 2 <= n_rows; r += 2) dot_two(x, rows + r * n, n, out + r);
  for (; r < n_rows; r++) out[r] = ann_neon_float32_dot(x, rows + r * n, n);
}

/* Two rows at a time share the loads of the four vectors, and each of these theirs. */
static void products_of_two(const float *a, const float *b, const float *c, size_t n,
                            float *out_b, float *out_c) {
  float32x4_t first[4], second[4];
  size_t i;
  int j;
  for (j = 0; j < 4; j++) first[j] = second[j] = vdupq_n_f32(0);
  for (i = 0; i < n; i += 4) {
    float32x4_t x = vld1q_f32(b + i), y = vld1q_f32(c + i);
    for (j = 0; j < 4; j++) {
      float32x4_t z = vld1q_f32(a + (size_t)j * n + i);
      first[j] = vfmaq_f32(first[j], x, z);
      second[j] = vfmaq_f32(second[j], y, z);
    }
  }
  for (j = 0; j < 4; j++) {
    out_b[j] = vaddvq_f32(first[j]);
    out_c[j] = vaddvq_f32(second[j]);
  }
}

static void neon_products(const float *a, const float *b, size_t n, size_t n_rows, float *out) {
  float spare[4];
  size_t r = 0;
  for (; r + 2 <= n_rows; r += 2) {
    products_of_two(a, b + r * n, b + (r + 1) * n, n, out + 4 * r, out + 4 * (r + 1));
  }
  if (r < n_rows) products_of_two(a, b + r * n, b + r * n, n, out + 4 * r, spare);
}

/* ---- codes ---- */

/* Eight sums of 16 bits onto eight of 32. */
static void add_sums(uint32_t *out, uint16x8_t sums) {
  vst1q_u32(out, vaddw_u16(vld1q_u32(out), vget_low_u16(sums)));
  vst1q_u32(out + 4, vaddw_high_u16(vld1q_u32(out + 4), sums));
}

static void neon_scan(const uint8_t *codes, const uint8_t *lut, size_t n_tables,
                      uint32_t *out) {
  const uint8x16_t nibble = vdupq_n_u8(15);
  size_t m = 0;
  memset(out, 0, ANN_BLOCK * sizeof *out);
  while (m < n_tables) {
    /* 256 tables of at most 255 stay within 16 bits. */
    size_t end = n_tables - m > 256 ? m + 256 : n_tables;
    uint16x8_t a = vdupq_n_u16(0), b = a, c = a, d = a;
    for (; m < end; m++) {
      uint8x16_t code = vld1q_u8(codes + 16 * m), table = vld1q_u8(lut + 16 * m);
      uint8x16_t low = vqtbl1q_u8(table, vandq_u8(code, nibble));
      uint8x16_t high = vqtbl1q_u8(table, vshrq_n_u8(code, 4));
      a = vaddw_u8(a, vget_low_u8(low));
      b = vaddw_high_u8(b, low);
      c = vaddw_u8(c, vget_low_u8(high));
      d = vaddw_high_u8(d, high);
    }
    add_sums(out, a);
    add_sums(out + 8, b);
    add_sums(out + 16, c);
    add_sums(out + 24, d);
  }
}

static float32x4_t load_f32(const uint8_t *bytes) {
  return vreinterpretq_f32_u8(vld1q_u8(bytes));
}

static uint32_t neon_estimate(const uint32_t *sums, const uint8_t *corrections,
                              const AnnLine *line, float *out) {
  static const uint32_t bits[4] = {1, 2, 4, 8};
  const float32x4_t unit = vdupq_n_f32(line->unit), minimum = vdupq_n_f32(line->minimum);
  const float32x4_t base = vdupq_n_f32(line->base), bound = vdupq_n_f32(line->bound);
  const uint8_t *slopes = corrections + 4 * ANN_BLOCK;
  uint32_t within = 0;
  int v;
  for (v = 0; v < ANN_BLOCK; v += 4) {
    float32x4_t sum = vcvtq_f32_u32(vld1q_u32(sums + v));
    float32x4_t s = vaddq_f32(vmulq_f32(sum, unit), minimum);
    float32x4_t shift = vaddq_f32(base, load_f32(corrections + 4 * v));
    float32x4_t value = vaddq_f32(shift, vmulq_f32(load_f32(slopes + 4 * v), s));
    vst1q_f32(out + v, value);
    within |= vaddvq_u32(vbicq_u32(vld1q_u32(bits), vcgtq_f32(value, bound))) << v;
  }
  return within;
}

static size_t neon_least(const float *x, size_t n) {
  float32x4_t a = vld1q_f32(x), b = vld1q_f32(x + 4);
  float32x4_t c = vld1q_f32(x + 8), d = vld1q_f32(x + 12);
  float least;
  size_t i;
  for (i = 16; i < n; i += 16) {
    a = vminq_f32(a, vld1q_f32(x + i));
    b = vminq_f32(b, vld1q_f32(x + i + 4));
    c = vminq_f32(c, vld1q_f32(x + i + 8));
    d = vminq_f32(d, vld1q_f32(x + i + 12));
  }
  least = vminvq_f32(vminq_f32(vminq_f32(a, b), vminq_f32(c, d)));
  a = vdupq_n_f32(least);
  for (i = 0; i < n; i += 8) {
    uint32x4_t equal =
        vorrq_u32(vceqq_f32(vld1q_f32(x + i), a), vceqq_f32(vld1q_f32(x + i + 4), a));
    if (vmaxvq_u32(equal)) break;
  }
  while (x[i] != least) i++;
  return i;
}

/* ---- the query ---- */

/* Two steps at once, of width and width / 2, so that memory is passed over half as often;
** width: at least 8. */
static void butterflies(float *x, size_t n, size_t width) {
  size_t half = width / 2, i, j;
  for (i = 0; i < n; i += 2 * width) {
    float *a = x + i, *b = a + half, *c = b + half, *d = c + half;
    for (j = 0; j < half; j += 4) {
      float32x4_t va = vld1q_f32(a + j), vb = vld1q_f32(b + j);
      float32x4_t vc = vld1q_f32(c + j), vd = vld1q_f32(d + j);
      float32x4_t ac = vaddq_f32(va, vc), bd = vaddq_f32(vb, vd);
      float32x4_t a_c = vsubq_f32(va, vc), b_d = vsubq_f32(vb, vd);
      vst1q_f32(a + j, vaddq_f32(ac, bd));
      vst1q_f32(b + j, vsubq_f32(ac, bd));
      vst1q_f32(c + j, vaddq_f32(a_c, b_d));
      vst1q_f32(d + j, vsubq_f32(a_c, b_d));
    }
  }
}

/* The steps of width 2 and 1 within both of two times 4 numbers. */
static inline void within_four(float *x, float32x4_t v, float32x4_t w) {
  float32x4_t a = vcombine_f32(vget_low_f32(v), vget_low_f32(w));
  float32x4_t b = vcombine_f32(vget_high_f32(v), vget_high_f32(w));
  float32x4_t sum = vaddq_f32(a, b), difference = vsubq_f32(a, b);
  /* Sums are now v0 v1 w0 w1, differences v2 v3 w2 w3. */
  a = vuzp1q_f32(sum, difference);
  b = vuzp2q_f32(sum, difference);
  sum = vaddq_f32(a, b);
  difference = vsubq_f32(a, b);
  /* v0 w0 v2 w2 and v1 w1 v3 w3. */
  a = vtrn1q_f32(sum, difference);
  b = vtrn2q_f32(sum, difference);
  vst1q_f32(x, a);
  vst1q_f32(x + 4, b);
}

static void neon_hadamard(float *x, size_t n) {
  size_t width = n / 2, i;
  for (; width >= 8; width /= 4) butterflies(x, n, width);
  for (i = 0; i < n; i += 8) {
    float32x4_t a = vld1q_f32(x + i), b = vld1q_f32(x + i + 4);
    if (width == 4) within_four(x + i, vaddq_f32(a, b), vsubq_f32(a, b));
    else within_four(x + i, a, b);
  }
}

/* The whole part of (sum - u) steps + 0.5. */
static inline int16x4_t whole(float32x4_t sum, float32x4_t u, float steps) {
  float32x4_t x = vmulq_n_f32(vsubq_f32(sum, u), steps);
  return vqmovn_s32(vcvtq_s32_f32(vaddq_f32(x, vdupq_n_f32(0.5f))));
}

static void neon_fill(const float *query, size_t n_tables, float steps, uint8_t *lut) {
  static const uint32_t bit0[4] = {0, ~0u, 0, ~0u}, bit1[4] = {0, 0, ~0u, ~0u};
  const uint32x4_t odd = vld1q_u32(bit0), upper = vld1q_u32(bit1);
  size_t m;
  for (m = 0; m < n_tables; m++, query += 4, lut += 16) {
    float32x4_t q = vld1q_f32(query), a = vabsq_f32(q), twice = vaddq_f32(q, q);
    float32x4_t u = vaddq_f32(vdupq_laneq_f32(a, 0), vdupq_laneq_f32(a, 1)), s0, s1, s2, s3;
    u = vnegq_f32(vaddq_f32(vaddq_f32(u, vdupq_laneq_f32(a, 2)), vdupq_laneq_f32(a, 3)));
    s0 = vaddq_f32(vdupq_laneq_f32(q, 0), vdupq_laneq_f32(q, 1));
    s0 = vnegq_f32(vaddq_f32(vaddq_f32(s0, vdupq_laneq_f32(q, 2)), vdupq_laneq_f32(q, 3)));
    s0 = vbslq_f32(odd, vaddq_f32(s0, vdupq_laneq_f32(twice, 0)), s0);
    s0 = vbslq_f32(upper, vaddq_f32(s0, vdupq_laneq_f32(twice, 1)), s0);
    s1 = vaddq_f32(s0, vdupq_laneq_f32(twice, 2)); /* sums 4 to 7 */
    s2 = vaddq_f32(s0, vdupq_laneq_f32(twice, 3)); /* sums 8 to 11 */
    s3 = vaddq_f32(s1, vdupq_laneq_f32(twice, 3)); /* sums 12 to 15 */
    vst1q_u8(lut,
             vcombine_u8(vqmovun_s16(vcombine_s16(whole(s0, u, steps), whole(s1, u, steps))),
                         vqmovun_s16(vcombine_s16(whole(s2, u, steps), whole(s3, u, steps)))));
  }
}

/* Four components: their bits, and the three sums by one step. */
static inline unsigned signs_of_four(const float *x, const float *c, float32x4_t *taxi,
                                     float32x4_t *along, float32x4_t *inner) {
  static const uint32_t places[4] = {1, 2, 4, 8};
  float32x4_t centre = vld1q_f32(c), r = vsubq_f32(vld1q_f32(x), centre);
  uint32x4_t set = vcgeq_f32(r, vdupq_n_f32(0));
  *taxi = vaddq_f32(*taxi, vabsq_f32(r));
  *along = vaddq_f32(*along, vbslq_f32(set, centre, vnegq_f32(centre)));
  *inner = vaddq_f32(*inner, vmulq_f32(r, centre));
  return vaddvq_u32(vandq_u32(set, vld1q_u32(places)));
}

static void neon_signs(const float *x, const float *c, size_t n, uint8_t *bits, float *out) {
  float32x4_t taxi[4], along[4], inner[4];
  size_t i;
  int j;
  for (j = 0; j < 4; j++) taxi[j] = along[j] = inner[j] = vdupq_n_f32(0);
  for (i = 0; i < n; i += 16) {
    unsigned set = 0;
    for (j = 0; j < 4; j++) {
      set |= signs_of_four(x + i + 4 * j, c + i + 4 * j, taxi + j, along + j, inner + j)
             << 4 * j;
    }
    bits[i / 8] = (uint8_t)set;
    bits[i / 8 + 1] = (uint8_t)(set >> 8);
  }
  for (j = 0; j < 4; j++) {
    vst1q_f32(out + 4 * j, taxi[j]);
    vst1q_f32(out + 16 + 4 * j, along[j]);
    vst1q_f32(out + 32 + 4 * j, inner[j]);
  }
}

const AnnKernels ann_kernels_neon = {
  "neon",
  ann_neon_float32_dot,
  neon_dot_rows,
  neon_products,
  ann_neon_float32_l2,
  ann_neon_int8_dot,
  neon_scan,
  neon_estimate,
  neon_least,
  neon_hadamard,
  neon_fill,
  neon_signs,
  .sums = &ann_sums_neon,
};

#endif
