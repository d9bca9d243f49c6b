/* kernel.c -- the portable inner loops, and the choice among implementations. */
#include "core/kernel.h"

#include <math.h>
#include <stdatomic.h>

#include "core/bytes.h"
#include "core/kernel_avx512.h"
#include "core/kernel_neon.h"
#include "core/kernel_x86.h"

static void portable_dot_rows(const float *x, const float *rows, size_t n, size_t n_rows,
                              float *out) {
  size_t r;
  for (r = 0; r < n_rows; r++) out[r] = ann_portable_float32_dot(x, rows + r * n, n);
}

static void portable_products(const float *a, const float *b, size_t n, size_t n_rows,
                              float *out) {
  size_t r, j;
  for (r = 0; r < n_rows; r++) {
    for (j = 0; j < 4; j++) out[4 * r + j] = ann_portable_float32_dot(a + j * n, b + r * n, n);
  }
}

static void portable_scan(const uint8_t *codes, const uint8_t *lut, size_t n_tables,
                          uint32_t *out) {
  size_t m = 0;
  int j;
  memset(out, 0, ANN_BLOCK * sizeof *out);
  while (m < n_tables) {
    /* 256 tables of at most 255 stay within 16 bits. */
    size_t end = n_tables - m > 256 ? m + 256 : n_tables;
    uint16_t sum[ANN_BLOCK] = {0};
    for (; m < end; m++) {
      const uint8_t *byte = codes + 16 * m, *table = lut + 16 * m;
      for (j = 0; j < 16; j++) {
        sum[j] = (uint16_t)(sum[j] + table[byte[j] & 15]);
        sum[j + 16] = (uint16_t)(sum[j + 16] + table[byte[j] >> 4]);
      }
    }
    for (j = 0; j < ANN_BLOCK; j++) out[j] += sum[j];
  }
}

static uint32_t portable_estimate(const uint32_t *sums, const uint8_t *corrections,
                                  const AnnLine *line, float *out) {
  uint32_t within = 0;
  int v;
  for (v = 0; v < ANN_BLOCK; v++) {
    float shift = ann_get_f32(corrections + 4 * v);
    float slope = ann_get_f32(corrections + 4 * (ANN_BLOCK + v));
    out[v] = (line->base + shift) + slope * ((float)sums[v] * line->unit + line->minimum);
    within |= (uint32_t)!(out[v] > line->bound) << v;
  }
  return within;
}

static size_t portable_least(const float *x, size_t n) {
  size_t at = 0, i;
  for (i = 1; i < n; i++) {
    if (x[i] < x[at]) at = i;
  }
  return at;
}

static void portable_hadamard(float *x, size_t n) {
  size_t width, i, j;
  for (width = n / 2; width >= 4; width /= 2) {
    for (i = 0; i < n; i += 2 * width) {
      float *restrict low = x + i, *restrict high = x + i + width;
      for (j = 0; j < width; j++) {
        float a = low[j], b = high[j];
        low[j] = a + b;
        high[j] = a - b;
      }
    }
  }
  for (i = 0; i < n; i += 4) {
    float a = x[i] + x[i + 2], b = x[i + 1] + x[i + 3];
    float c = x[i] - x[i + 2], d = x[i + 1] - x[i + 3];
    x[i] = a + b;
    x[i + 1] = a - b;
    x[i + 2] = c + d;
    x[i + 3] = c - d;
  }
}

static void portable_fill(const float *query, size_t n_tables, float steps, uint8_t *lut) {
  size_t m;
  int i, t;
  for (m = 0; m < n_tables; m++, query += 4, lut += 16) {
    float least = -(((fabsf(query[0]) + fabsf(query[1])) + fabsf(query[2])) + fabsf(query[3]));
    float sums[16];
    sums[0] = -(((query[0] + query[1]) + query[2]) + query[3]);
    for (t = 0; t < 4; t++) {
      for (i = 0; i < 1 << t; i++) sums[i + (1 << t)] = sums[i] + 2.0f * query[t];
    }
    for (i = 0; i < 16; i++) lut[i] = (uint8_t)(int)((sums[i] - least) * steps + 0.5f);
  }
}

static void portable_signs(const float *x, const float *c, size_t n, uint8_t *bits,
                           float *out) {
  size_t i;
  int j;
  memset(out, 0, 3 * ANN_LANES * sizeof *out);
  for (i = 0; i < n; i += ANN_LANES) {
    float r[ANN_LANES];
    unsigned set = 0;
    /* Loops of a fixed length, so that compilers vectorise them. */
    for (j = 0; j < ANN_LANES; j++) r[j] = x[i + (size_t)j] - c[i + (size_t)j];
    for (j = 0; j < ANN_LANES; j++) out[j] += r[j] >= 0 ? r[j] : -r[j];
    for (j = 0; j < ANN_LANES; j++) {
      out[ANN_LANES + j] += r[j] >= 0 ? c[i + (size_t)j] : -c[i + (size_t)j];
    }
    for (j = 0; j < ANN_LANES; j++) out[2 * ANN_LANES + j] += r[j] * c[i + (size_t)j];
    for (j = 0; j < ANN_LANES; j++) set |= (unsigned)(r[j] >= 0) << j;
    bits[i / 8] = (uint8_t)set;
    bits[i / 8 + 1] = (uint8_t)(set >> 8);
  }
}

static const AnnKernels portable = {
  "portable",
  ann_portable_float32_dot,
  portable_dot_rows,
  portable_products,
  ann_portable_float32_l2,
  ann_portable_int8_dot,
  portable_scan,
  portable_estimate,
  portable_least,
  portable_hadamard,
  portable_fill,
  portable_signs,
  .sums = &ann_sums_portable,
};

const AnnKernels *ann_kernels_at(int i) {
  const AnnKernels *list[4];
  int n = 0;
  list[n++] = &portable;
#ifdef ANN_HAS_KERNEL_X86
  if (ann_kernel_x86_has_avx2()) list[n++] = &ann_kernels_avx2;
  if (ann_kernel_x86_has_avx512()) list[n++] = &ann_kernels_avx512;
  if (ann_kernel_x86_has_vnni()) list[n++] = &ann_kernels_vnni;
#endif
#ifdef ANN_HAS_KERNEL_NEON
  list[n++] = &ann_kernels_neon;
#endif
  return i < n ? list[i] : NULL;
}

/* Chosen once; whoever comes first writes what everyone else would. */
static _Atomic(const AnnKernels *) chosen;

const AnnKernels *ann_kernels(void) {
  const AnnKernels *kernels = atomic_load_explicit(&chosen, memory_order_relaxed);
  int i;
  if (!kernels) {
    for (i = 0; ann_kernels_at(i); i++) kernels = ann_kernels_at(i);
    atomic_store_explicit(&chosen, kernels, memory_order_relaxed);
  }
  return kernels;
}

const AnnKernels *ann_kernels_named(const char *name) {
  const AnnKernels *kernels;
  int i;
  for (i = 0; (kernels = ann_kernels_at(i)) != NULL; i++) {
    if (strcmp(name, kernels->name) == 0) break;
  }
  return kernels;
}

int ann_kernels_force(const char *name) {
  const AnnKernels *kernels = ann_kernels_named(name);
  if (kernels) atomic_store_explicit(&chosen, kernels, memory_order_relaxed);
  return kernels != NULL;
}
