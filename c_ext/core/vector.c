/* vector.c -- see vector.h. */
#include "core/vector.h"

#include <ctype.h>
#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/bytes.h"

#define MAX_NUMBER 128        /* characters of one JSON number; a choice */

static int same_word(const char *a, const char *b) {
  while (*a && *b && tolower((unsigned char)*a) == *b) a++, b++;
  return *a == 0 && *b == 0;
}

int ann_type_named(const char *name) {
  return same_word(name, "float32") || same_word(name, "float") ? ANN_FLOAT32 : 0;
}

const char *ann_type_name(int type) { return type == ANN_FLOAT32 ? "float32" : "unknown"; }

int ann_type_size(int type) { return type == ANN_FLOAT32 ? 4 : 0; }

static int refuse(char *out_message, const char *format, long long a, long long b) {
  snprintf(out_message, ANN_VECTOR_MESSAGE, format, a, b);
  return ANN_ERROR;
}

static int refuse_not_finite(char *out_message, int64_t i, float x) {
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

int ann_vector_from_blob(const void *blob, int64_t n_bytes, int64_t dimensions,
                         float *out_vector, char *out_message) {
  const uint8_t *p = blob;
  int64_t i;
  if (n_bytes != 4 * dimensions) {
    snprintf(out_message, ANN_VECTOR_MESSAGE,
             "expected a blob of %lld bytes (%lld float32), got %lld bytes",
             (long long)(4 * dimensions), (long long)dimensions, (long long)n_bytes);
    return ANN_ERROR;
  }
  for (i = 0; i < dimensions; i++) out_vector[i] = ann_get_f32(p + 4 * i);
  if (all_finite(out_vector, dimensions)) return ANN_OK;
  for (i = 0; i < dimensions && isfinite(out_vector[i]); i++) {}
  return refuse_not_finite(out_message, i, out_vector[i]);
}

static const char *skip_space(const char *p, const char *end) {
  while (p < end && (*p == ' ' || *p == '\t' || *p == '\n' || *p == '\r')) p++;
  return p;
}

/* The length of the JSON number at p, or 0 when there is none. */
static size_t number_length(const char *p, const char *end) {
  const char *start = p, *digits;
  if (p < end && *p == '-') p++;
  digits = p;
  while (p < end && isdigit((unsigned char)*p)) p++;
  if (p == digits || (*digits == '0' && p > digits + 1)) return 0;
  if (p < end && *p == '.') {
    digits = ++p;
    while (p < end && isdigit((unsigned char)*p)) p++;
    if (p == digits) return 0;
  }
  if (p < end && (*p == 'e' || *p == 'E')) {
    p++;
    if (p < end && (*p == '+' || *p == '-')) p++;
    digits = p;
    while (p < end && isdigit((unsigned char)*p)) p++;
    if (p == digits) return 0;
  }
  return (size_t)(p - start);
}

/* strtof rounds once, but reads the locale's decimal point: give it that. */
static float number_value(const char *p, size_t n) {
  char text[MAX_NUMBER + 16];
  const char *point = localeconv()->decimal_point;
  size_t i, used = 0;
  for (i = 0; i < n; i++) {
    if (p[i] == '.') {
      size_t width = strlen(point);
      if (width > 8) width = 8;
      memcpy(text + used, point, width);
      used += width;
    } else {
      text[used++] = p[i];
    }
  }
  text[used] = 0;
  return strtof(text, NULL);
}

int ann_vector_from_json(const char *text, int64_t n_bytes, int64_t dimensions,
                         float *out_vector, char *out_message) {
  const char *end = text + n_bytes, *p = skip_space(text, end);
  int64_t n = 0;
  if (p == end || *p != '[') {
    return refuse(out_message, "expected a JSON array of numbers, got other text", 0, 0);
  }
  p = skip_space(p + 1, end);
  while (p < end && *p != ']') {
    size_t length = number_length(p, end);
    if (length == 0 || length > MAX_NUMBER) {
      return refuse(out_message, "expected a number at character %lld of the JSON text",
                    (long long)(p - text + 1), 0);
    }
    if (n < dimensions) {
      out_vector[n] = number_value(p, length);
      if (!isfinite(out_vector[n])) return refuse_not_finite(out_message, n, out_vector[n]);
    }
    n++;
    p = skip_space(p + length, end);
    if (p < end && *p == ',') {
      p = skip_space(p + 1, end);
      if (p == end || *p == ']') {
        return refuse(out_message, "expected a number at character %lld of the JSON text",
                      (long long)(p - text + 1), 0);
      }
    } else if (p < end && *p != ']') {
      return refuse(out_message, "expected a comma or ] at character %lld of the JSON text",
                    (long long)(p - text + 1), 0);
    }
  }
  if (p == end) { return refuse(out_message, "expected ] at the end of the JSON text", 0, 0); }
  if (skip_space(p + 1, end) != end) {
    return refuse(out_message, "expected nothing after ] at character %lld of the JSON text",
                  (long long)(p - text + 1), 0);
  }
  if (n != dimensions) {
    return refuse(out_message, "expected %lld numbers, got %lld", (long long)dimensions,
                  (long long)n);
  }
  return ANN_OK;
}

int64_t ann_vector_json_length(const char *text, int64_t n_bytes) {
  const char *end = text + n_bytes, *p = skip_space(text, end);
  int64_t n = 1;
  if (p == end || *p != '[') return -1;
  p = skip_space(p + 1, end);
  if (p < end && *p == ']') return 0;
  for (; p < end; p++) n += *p == ',';
  return n;
}

void ann_vector_to_blob(const float *vector, int64_t dimensions, void *out_blob) {
  uint8_t *p = out_blob;
  int64_t i;
  for (i = 0; i < dimensions; i++) ann_put_f32(p + 4 * i, vector[i]);
}
