/* element.c -- see element.h. */
#include "core/element.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/bytes.h"
#include "core/half.h"
#include "core/json.h"
#include "core/kernel.h"

/* ---- float32 ---- */

int ann_element_not_finite(char *out_message, int64_t i, float x) {
  snprintf(out_message, ANN_VECTOR_MESSAGE,
           "expected finite components, got %s at component %lld",
           x != x  ? "NaN"
           : x > 0 ? "infinity"
                   : "-infinity",
           (long long)i);
  return ANN_ERROR;
}

/* x - x is 0 for a finite number, else NaN, as is then the sum; sixteen at a time, so that
** compilers vectorise it. */
static int all_finite(const float *x, int64_t n) {
  float lane[16] = {0}, sum = 0;
  int64_t i = 0;
  int j;
  for (; i + 16 <= n; i += 16) {
    for (j = 0; j < 16; j++) lane[j] += x[i + j] - x[i + j];
  }
  for (; i < n; i++) sum += x[i] - x[i];
  for (j = 0; j < 16; j++) sum += lane[j];
  return sum == 0;
}

static int float32_check(const void *vector, int64_t n, char *out_message) {
  const float *x = vector;
  int64_t i;
  if (all_finite(x, n)) return ANN_OK;
  for (i = 0; i < n && isfinite(x[i]); i++) {}
  return ann_element_not_finite(out_message, i, x[i]);
}

static int float32_parse(const char *number, int64_t i, void *out_vector, char *out_message) {
  float x = strtof(number, NULL);
  ((float *)out_vector)[i] = x;
  return isfinite(x) ? ANN_OK : ann_element_not_finite(out_message, i, x);
}

static const float *float32_floats(const void *vector, int64_t n, float *scratch) {
  (void)n, (void)scratch;
  return vector;
}

static float float32_at(const void *vector, int64_t i) { return ((const float *)vector)[i]; }

static double float32_norm(const void *vector, int64_t n) {
  return (double)ann_kernels()->dot(vector, vector, (size_t)n);
}

/* ---- float16, bfloat16 ---- */

/* Those whose exponent, of these bits, is the largest are infinite or NaN. */
static int half_check(const uint16_t *x, int64_t n, uint16_t exponent,
                      float (*at)(const void *, int64_t), char *out_message) {
  int64_t i;
  for (i = 0; i < n && (x[i] & exponent) != exponent; i++) {}
  return i == n ? ANN_OK : ann_element_not_finite(out_message, i, at(x, i));
}

static float float16_at(const void *vector, int64_t i) {
  return ann_float16_to_float(((const uint16_t *)vector)[i]);
}

static int float16_check(const void *vector, int64_t n, char *out_message) {
  return half_check(vector, n, 0x7c00, float16_at, out_message);
}

static int float16_parse(const char *number, int64_t i, void *out_vector, char *out_message) {
  uint16_t *x = (uint16_t *)out_vector + i;
  *x = ann_half_from_decimal(ANN_HALF_FLOAT16, number);
  return (*x & 0x7c00) != 0x7c00 ? ANN_OK
                                 : ann_element_not_finite(out_message, i, float16_at(x, 0));
}

static const float *float16_floats(const void *vector, int64_t n, float *scratch) {
  ann_kernels()->sums->of[ANN_ROW_FLOAT16].widen(vector, (size_t)n, scratch);
  return scratch;
}

static double float16_norm(const void *vector, int64_t n) {
  return (double)ann_kernels()->sums->of[ANN_ROW_FLOAT16].norm(vector, (size_t)n);
}

static float bfloat16_at(const void *vector, int64_t i) {
  return ann_bfloat16_to_float(((const uint16_t *)vector)[i]);
}

static int bfloat16_check(const void *vector, int64_t n, char *out_message) {
  return half_check(vector, n, 0x7f80, bfloat16_at, out_message);
}

static int bfloat16_parse(const char *number, int64_t i, void *out_vector, char *out_message) {
  uint16_t *x = (uint16_t *)out_vector + i;
  *x = ann_half_from_decimal(ANN_HALF_BFLOAT16, number);
  return (*x & 0x7f80) != 0x7f80 ? ANN_OK
                                 : ann_element_not_finite(out_message, i, bfloat16_at(x, 0));
}

static const float *bfloat16_floats(const void *vector, int64_t n, float *scratch) {
  ann_kernels()->sums->of[ANN_ROW_BFLOAT16].widen(vector, (size_t)n, scratch);
  return scratch;
}

static double bfloat16_norm(const void *vector, int64_t n) {
  return (double)ann_kernels()->sums->of[ANN_ROW_BFLOAT16].norm(vector, (size_t)n);
}

/* ---- int8 ---- */

static int all_allowed(const void *vector, int64_t n, char *out_message) {
  (void)vector, (void)n, (void)out_message;
  return ANN_OK;
}

static float int8_at(const void *vector, int64_t i) { return ((const int8_t *)vector)[i]; }

static int int8_parse(const char *number, int64_t i, void *out_vector, char *out_message) {
  double x = strtod(number, NULL);
  if (!(x >= INT8_MIN && x <= INT8_MAX) || x != floor(x)) {
    snprintf(out_message, ANN_VECTOR_MESSAGE,
             "expected whole numbers from -128 to 127, got %.40s at component %lld", number,
             (long long)i);
    return ANN_ERROR;
  }
  ((int8_t *)out_vector)[i] = (int8_t)x;
  return ANN_OK;
}

static const float *int8_floats(const void *vector, int64_t n, float *scratch) {
  ann_kernels()->sums->of[ANN_ROW_INT8].widen(vector, (size_t)n, scratch);
  return scratch;
}

static double int8_norm(const void *vector, int64_t n) {
  return (double)ann_kernels()->sums->int8_dot(vector, vector, (size_t)n);
}

/* ---- bit ---- */

static float bit_at(const void *vector, int64_t i) {
  return (float)(((const uint8_t *)vector)[i / 8] >> i % 8 & 1);
}

static int bit_check(const void *vector, int64_t n, char *out_message) {
  uint8_t last = n % 8 ? ((const uint8_t *)vector)[n / 8] : 0;
  if (last >> n % 8 == 0) return ANN_OK;
  snprintf(out_message, ANN_VECTOR_MESSAGE,
           "expected 0 in the bits after the first %lld, got a last byte 0x%02x", (long long)n,
           last);
  return ANN_ERROR;
}

static int bit_parse(const char *number, int64_t i, void *out_vector, char *out_message) {
  uint8_t *byte = (uint8_t *)out_vector + i / 8, mask = (uint8_t)(1 << i % 8);
  double x = strtod(number, NULL);
  if (x != 0 && x != 1) {
    snprintf(out_message, ANN_VECTOR_MESSAGE, "expected 0 or 1, got %.40s at component %lld",
             number, (long long)i);
    return ANN_ERROR;
  }
  *byte = (uint8_t)(x == 1 ? *byte | mask : *byte & ~mask);
  return ANN_OK;
}

static const float *bit_floats(const void *vector, int64_t n, float *scratch) {
  int64_t i;
  for (i = 0; i < n; i++) scratch[i] = bit_at(vector, i);
  return scratch;
}

static double bit_norm(const void *vector, int64_t n) {
  return (double)ann_kernels()->sums->common(vector, vector, (size_t)((n + 7) / 8));
}

/* ---- the table ---- */

static const AnnElement elements[] = {
  {
    .named = {"float32", "float", ANN_FLOAT32},
    .bits = 32,
    .fewest_digits = 6,
    .most_digits = 9,
    .row_type = ANN_ROW_FLOAT32,
    .check = float32_check,
    .parse = float32_parse,
    .at = float32_at,
    .floats = float32_floats,
    .norm = float32_norm,
  },
  {
    .named = {"float16", NULL, ANN_FLOAT16},
    .bits = 16,
    .fewest_digits = 3,
    .most_digits = 5,
    .row_type = ANN_ROW_FLOAT16,
    .check = float16_check,
    .parse = float16_parse,
    .at = float16_at,
    .floats = float16_floats,
    .norm = float16_norm,
  },
  {
    .named = {"bfloat16", NULL, ANN_BFLOAT16},
    .bits = 16,
    .fewest_digits = 2,
    .most_digits = 4,
    .row_type = ANN_ROW_BFLOAT16,
    .check = bfloat16_check,
    .parse = bfloat16_parse,
    .at = bfloat16_at,
    .floats = bfloat16_floats,
    .norm = bfloat16_norm,
  },
  {
    .named = {"int8", NULL, ANN_INT8},
    .bits = 8,
    .fewest_digits = 3,
    .most_digits = 3,
    .row_type = ANN_ROW_INT8,
    .check = all_allowed,
    .parse = int8_parse,
    .at = int8_at,
    .floats = int8_floats,
    .norm = int8_norm,
  },
  {
    .named = {"bit", NULL, ANN_BIT},
    .bits = 1,
    .fewest_digits = 1,
    .most_digits = 1,
    .row_type = -1,
    .check = bit_check,
    .parse = bit_parse,
    .at = bit_at,
    .floats = bit_floats,
    .norm = bit_norm,
  },
};

static const AnnNames names = {elements, (int)(sizeof elements / sizeof *elements),
                               sizeof *elements};

const AnnElement *ann_element_default(void) { return elements; }

const AnnElement *ann_element_named(const char *name) {
  return ann_names_find(&names, ANN_ANY_TYPE, name);
}

const AnnElement *ann_element_among(int types) { return ann_names_find(&names, types, NULL); }

const char *ann_element_names(char *out_names) {
  return ann_names_list(&names, ANN_ANY_TYPE, 0, out_names);
}

/* ---- bytes ---- */

int64_t ann_element_size(const AnnElement *element, int64_t n) {
  return (n * element->bits + 7) / 8;
}

int64_t ann_element_count(const AnnElement *element, int64_t n_bytes) {
  int64_t n = n_bytes * 8 / element->bits;
  return ann_element_size(element, n) == n_bytes ? n : -1;
}

/* Bytes from one order to the other, which are the same on most hosts. */
static void copy_ordered(const AnnElement *element, const void *from, int64_t n_bytes,
                         void *to) {
  if (to != from && n_bytes > 0) memcpy(to, from, (size_t)n_bytes);
#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
  {
    int64_t width = element->bits / 8, i, j;
    uint8_t *p = to;
    for (i = 0; width > 1 && i < n_bytes; i += width, p += width) {
      for (j = 0; j < width / 2; j++) {
        uint8_t byte = p[j];
        p[j] = p[width - 1 - j];
        p[width - 1 - j] = byte;
      }
    }
  }
#else
  (void)element;
#endif
}

int ann_element_from_blob(const AnnElement *element, const void *blob, int64_t n_bytes,
                          int64_t n, void *out_vector, char *out_message) {
  int64_t size = ann_element_size(element, n);
  if (n_bytes != size) {
    snprintf(out_message, ANN_VECTOR_MESSAGE,
             "expected a blob of %lld bytes (%lld %s), got %lld bytes", (long long)size,
             (long long)n, element->named.name, (long long)n_bytes);
    return ANN_ERROR;
  }
  copy_ordered(element, blob, size, out_vector);
  return element->check(out_vector, n, out_message);
}

void ann_element_to_blob(const AnnElement *element, const void *vector, int64_t n,
                         void *out_blob) {
  copy_ordered(element, vector, ann_element_size(element, n), out_blob);
}

int ann_element_is_zero(const AnnElement *element, const void *vector, int64_t n) {
  int64_t i;
  for (i = 0; i < n && element->at(vector, i) == 0; i++) {}
  return i == n;
}

/* ---- JSON ---- */

int ann_element_from_json(const AnnElement *element, const char *text, int64_t n_bytes,
                          int64_t n, void *out_vector, char *out_message) {
  char number[ANN_JSON_NUMBER];
  AnnJson json;
  int found = 1, rc = ann_json_open(&json, text, n_bytes, out_message);
  /* Bits to spare are 0. */
  if (rc == ANN_OK && n > 0) ((uint8_t *)out_vector)[ann_element_size(element, n) - 1] = 0;
  while (rc == ANN_OK) {
    rc = ann_json_next(&json, number, &found, out_message);
    if (rc != ANN_OK || !found) break;
    /* What is too many is counted, to be told. */
    if (json.n <= n) rc = element->parse(number, json.n - 1, out_vector, out_message);
  }
  if (rc == ANN_OK && json.n != n) {
    snprintf(out_message, ANN_VECTOR_MESSAGE, "expected %lld numbers, got %lld", (long long)n,
             (long long)json.n);
    rc = ANN_ERROR;
  }
  return rc;
}
