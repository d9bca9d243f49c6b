/* quantize.c -- see quantize.h. */
#include "core/quantize.h"

#include <math.h>

#include "core/half.h"

#define LARGEST 127.0

int ann_quantize_takes_scale(const AnnElement *element) {
  return element->named.types == ANN_INT8;
}

int ann_quantize_takes_fractions(const AnnElement *element) {
  return (element->named.types & (ANN_INT8 | ANN_BIT)) == 0;
}

static int to_halves(const AnnElement *element, const float *x, int64_t n, uint16_t *out,
                     char *out_message) {
  int half = element->named.types == ANN_FLOAT16 ? ANN_HALF_FLOAT16 : ANN_HALF_BFLOAT16;
  int64_t i;
  for (i = 0; i < n; i++) out[i] = ann_half_from_double(half, (double)x[i]);
  return element->check(out, n, out_message);
}

static void to_int8(const float *x, int64_t n, double scale, int8_t *out) {
  double largest = 0;
  int64_t i;
  /* Not by fmax: of that loop gcc 12 for 64-bit ARM makes an internal error. */
  for (i = 0; i < n; i++) {
    if (fabs((double)x[i]) > largest) largest = fabs((double)x[i]);
  }
  for (i = 0; i < n; i++) {
    /* Multiplied before it is divided, so that the largest is exactly 127. */
    double y = scale != 0     ? (double)x[i] * scale
               : largest == 0 ? 0
                              : (double)x[i] * LARGEST / largest;
    out[i] = (int8_t)rint(fmax(-LARGEST, fmin(LARGEST, y)));
  }
}

static void to_bits(const float *x, int64_t n, uint8_t *out) {
  int64_t i;
  memset(out, 0, (size_t)((n + 7) / 8));
  for (i = 0; i < n; i++) out[i / 8] |= (uint8_t)((x[i] > 0) << i % 8);
}

int ann_quantize(const AnnElement *element, const float *x, int64_t n, double scale,
                 void *out_vector, char *out_message) {
  switch (element->named.types) {
  case ANN_FLOAT32: memmove(out_vector, x, (size_t)n * sizeof *x); return ANN_OK;
  case ANN_INT8: to_int8(x, n, scale, out_vector); return ANN_OK;
  case ANN_BIT: to_bits(x, n, out_vector); return ANN_OK;
  default: return to_halves(element, x, n, out_vector, out_message);
  }
}

void ann_slice(const AnnElement *element, const void *vector, int64_t start, int64_t end,
               void *out_vector) {
  int64_t width = element->bits / 8, i;
  uint8_t *out = out_vector;
  if (width > 0) {
    memcpy(out, (const uint8_t *)vector + start * width, (size_t)((end - start) * width));
    return;
  }
  memset(out, 0, (size_t)ann_element_size(element, end - start));
  for (i = start; i < end; i++) {
    out[(i - start) / 8] |= (uint8_t)((element->at(vector, i) != 0) << (i - start) % 8);
  }
}
