/* code.c -- see code.h and format.h. */
#include "core/code.h"

#include <math.h>

#include "core/bytes.h"
#include "core/format.h"
#include "core/kernel.h"

void ann_code_encode(int geometry, const float *x, const float *centre, int64_t length,
                     AnnCode *out_code) {
  float norm = ann_kernels()->l2(x, centre, (size_t)length);
  float sum = 0, signs_centre = 0, r_centre = 0, k;
  float sums[3 * ANN_LANES];
  int j;
  ann_kernels()->signs(x, centre, (size_t)length, out_code->bits, sums);
  for (j = 0; j < ANN_LANES; j++) {
    sum += sums[j];
    signs_centre += sums[ANN_LANES + j];
    r_centre += sums[2 * ANN_LANES + j];
  }
  k = sum > 0 ? norm / sum : 0;
  if (!isfinite(k)) k = norm = 0; /* beyond a float: ranked by its centre */
  if (geometry == ANN_PRODUCT) {
    out_code->shift = k * signs_centre - r_centre;
    out_code->slope = -k;
  } else {
    out_code->shift = norm + 2.0f * k * signs_centre;
    out_code->slope = -2.0f * k;
  }
  if (!isfinite(out_code->shift)) out_code->shift = out_code->slope = 0;
}

static float size_of(const float *q) {
  return fabsf(q[0]) + fabsf(q[1]) + fabsf(q[2]) + fabsf(q[3]);
}

int ann_lookup_init(AnnLookup *lookup, int64_t length) {
  memset(lookup, 0, sizeof *lookup);
  lookup->n_tables = length / 4;
  lookup->bytes = ann_alloc_zero((uint64_t)lookup->n_tables, 16);
  return lookup->bytes ? ANN_OK : ANN_NOMEM;
}

void ann_lookup_fill(AnnLookup *lookup, const float *query) {
  int64_t n = lookup->n_tables, m;
  float largest = 0, steps;
  lookup->minimum = 0;
  for (m = 0; m < n; m++) {
    float size = size_of(query + 4 * m);
    if (2 * size > largest) largest = 2 * size;
    lookup->minimum -= size;
  }
  steps = largest > 0 ? 255.0f / largest : 0;
  /* Beyond a float, or all zero: every table says nothing. */
  if (!isfinite(lookup->minimum) || !isfinite(largest) || !isfinite(steps)) steps = 0;
  lookup->unit = steps > 0 ? largest / 255.0f : 0;
  if (steps == 0) {
    lookup->minimum = 0;
    memset(lookup->bytes, 0, (size_t)(16 * n));
    return;
  }
  /* The largest value is 255 but for rounding, and 255.5 truncates to 255. */
  ann_kernels()->fill(query, (size_t)n, steps, lookup->bytes);
}

void ann_lookup_clear(AnnLookup *lookup) {
  ann_free(lookup->bytes);
  memset(lookup, 0, sizeof *lookup);
}

void ann_centre_encode(const float *centre, int64_t length, float spread, uint8_t *out_record) {
  float largest = 0, scale, steps;
  double squares = 0;
  int64_t i;
  memset(out_record, 0, ANN_CENTRE_SIZE);
  for (i = 0; i < length; i++) {
    float size = fabsf(centre[i]);
    if (size > largest) largest = size;
  }
  if (!isfinite(largest)) largest = 0;
  scale = largest / 127.0f;
  steps = scale > 0 ? 127.0f / largest : 0;
  if (!isfinite(steps)) steps = scale = 0;
  for (i = 0; i < length; i++) {
    float value = centre[i] * steps;
    int q = steps == 0 || !isfinite(value) ? 0
                                           : (int)(value >= 0 ? value + 0.5f : value - 0.5f);
    out_record[ANN_CENTRE_SIZE + i] = (uint8_t)(int8_t)q;
    squares += (double)(q * q);
  }
  ann_put_f32(out_record + ANN_CENTRE_SCALE, scale);
  ann_put_f32(out_record + ANN_CENTRE_NORM, (float)(squares * ((double)scale * (double)scale)));
  ann_put_f32(out_record + ANN_CENTRE_SPREAD, isfinite(spread) ? spread : 0);
}

void ann_centre_decode(const uint8_t *record, int64_t length, float *out_centre) {
  float scale = ann_get_f32(record + ANN_CENTRE_SCALE);
  const int8_t *components = (const int8_t *)(record + ANN_CENTRE_SIZE);
  int64_t i;
  int j;
  for (i = 0; i < length; i += ANN_LANES) {
    for (j = 0; j < ANN_LANES; j++) out_centre[i + j] = scale * (float)components[i + j];
  }
}

float ann_centre_base(int geometry, const uint8_t *record, const float *query, float query_norm,
                      int64_t length) {
  float scale = ann_get_f32(record + ANN_CENTRE_SCALE);
  float product = scale * ann_kernels()->dot_i8(query,
                                                (const int8_t *)(record + ANN_CENTRE_SIZE),
                                                (size_t)length);
  if (geometry == ANN_PRODUCT) return -product;
  return (query_norm + ann_get_f32(record + ANN_CENTRE_NORM)) - 2.0f * product;
}

float ann_centre_score(int geometry, const uint8_t *record, float base, float query_norm,
                       int64_t length) {
  float spread = ann_get_f32(record + ANN_CENTRE_SPREAD);
  /* For a product the best member lies about two deviations along the query. */
  if (geometry == ANN_PRODUCT) return base - 2.0f * sqrtf(query_norm * spread / (float)length);
  return base + ANN_SPREAD_WEIGHT * (spread < base ? spread : base);
}

void ann_centre_prefetch(const uint8_t *record, int64_t length) {
  int64_t i;
  for (i = 0; i < ANN_CENTRE_SIZE + length; i += 64) __builtin_prefetch(record + i);
}
