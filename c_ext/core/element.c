/* element.c -- see element.h. */
#include "core/element.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/bytes.h"
#include "core/json.h"
#include "core/kernel.h"

/* ---- float32 ---- */

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

static int float32_check(const void *vector, int64_t n, char *out_message) {
  const float *x = vector;
  int64_t i;
  if (all_finite(x, n)) return ANN_OK;
  for (i = 0; i < n && isfinite(x[i]); i++) {}
  return refuse_not_finite(out_message, i, x[i]);
}

static int float32_parse(const char *number, int64_t i, void *out_vector, char *out_message) {
  float x = strtof(number, NULL);
  ((float *)out_vector)[i] = x;
  return isfinite(x) ? ANN_OK : refuse_not_finite(out_message, i, x);
}

static const float *float32_floats(const void *vector, int64_t n, float *scratch) {
  (void)n, (void)scratch;
  return vector;
}

static int float32_is_zero(const void *vector, int64_t n) {
  const float *x = vector;
  int64_t i;
  for (i = 0; i < n; i++) {
    if (x[i] != 0.0f) return 0;
  }
  return 1;
}

static double float32_norm(const void *vector, int64_t n) {
  return (double)ann_kernels()->dot(vector, vector, (size_t)n);
}

/* ---- the table ---- */

static const AnnElement elements[] = {
  {
    .name = "float32",
    .alias = "float",
    .type = ANN_FLOAT32,
    .bits = 32,
    .fewest_digits = 6,
    .most_digits = 9,
    .check = float32_check,
    .parse = float32_parse,
    .floats = float32_floats,
    .is_zero = float32_is_zero,
    .norm = float32_norm,
  },
};

#define N_ELEMENTS ((int)(sizeof elements / sizeof *elements))

const AnnElement *ann_element_default(void) { return elements; }

const AnnElement *ann_element_named(const char *name) {
  int i;
  for (i = 0; i < N_ELEMENTS; i++) {
    if (ann_name_is(name, elements[i].name) || ann_name_is(name, elements[i].alias)) {
      return &elements[i];
    }
  }
  return NULL;
}

const AnnElement *ann_element_among(int types) {
  int i = 0;
  while (!(elements[i].type & types)) i++;
  return &elements[i];
}

const char *ann_element_names(char *out_names) {
  int i;
  for (i = 0; i < N_ELEMENTS; i++) {
    ann_names_add(out_names, i, N_ELEMENTS, elements[i].name, NULL);
  }
  return out_names;
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
             (long long)n, element->name, (long long)n_bytes);
    return ANN_ERROR;
  }
  copy_ordered(element, blob, size, out_vector);
  return element->check(out_vector, n, out_message);
}

void ann_element_to_blob(const AnnElement *element, const void *vector, int64_t n,
                         void *out_blob) {
  copy_ordered(element, vector, ann_element_size(element, n), out_blob);
}

/* ---- JSON ---- */

int ann_element_from_json(const AnnElement *element, const char *text, int64_t n_bytes,
                          int64_t n, void *out_vector, char *out_message) {
  char number[ANN_JSON_NUMBER];
  AnnJson json;
  int found = 1, rc = ann_json_open(&json, text, n_bytes, out_message);
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

/* ---- names ---- */

static int small(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

int ann_name_is(const char *given, const char *name) {
  if (!name) return 0;
  while (*given && small(*given) == *name) given++, name++;
  return *given == 0 && *name == 0;
}

void ann_names_add(char *names, int i, int n, const char *name, const char *alias) {
  const char *before = i == 0 ? "" : i == n - 1 ? " or " : ", ";
  size_t used = i == 0 ? 0 : strlen(names);
  snprintf(names + used, ANN_NAMES - used, "%s%s%s%s%s", before, name, alias ? " (" : "",
           alias ? alias : "", alias ? ")" : "");
}
