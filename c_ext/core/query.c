/* query.c -- see query.h. */
#include "core/query.h"

#include <math.h>
#include <stdio.h>

#include "core/bytes.h"

static int is_of_bits(const AnnElement *rows) { return rows->named.types == ANN_BIT; }

static int is_of_whole_numbers(const AnnElement *rows) { return rows->named.types == ANN_INT8; }

const AnnElement *ann_query_element(const AnnElement *rows) {
  return is_of_bits(rows) ? rows : ann_element_default();
}

int64_t ann_query_size(const AnnElement *rows, int64_t n) {
  int64_t size = ann_element_size(ann_query_element(rows), n);
  return is_of_whole_numbers(rows) ? size + (n + 3) / 4 * 4 : size;
}

/* ---- int8 ---- */

static int is_int8(float x) { return x >= INT8_MIN && x <= INT8_MAX && x == floorf(x); }

const int8_t *ann_query_whole(const AnnElement *rows, const void *query, int64_t n) {
  const float *x = query;
  const int8_t *whole = (const int8_t *)(x + n);
  int64_t i;
  if (!is_of_whole_numbers(rows)) return NULL;
  for (i = 0; i < n && x[i] == (float)whole[i]; i++) {}
  return i == n ? whole : NULL;
}

/* After the floats are there: what is behind them. */
static void complete(const AnnElement *rows, int64_t n, void *query) {
  const float *x = query;
  int8_t *whole = (int8_t *)query + n * (int64_t)sizeof *x;
  int64_t i;
  if (!is_of_whole_numbers(rows)) return;
  memset(whole, 0, (size_t)(ann_query_size(rows, n) - n * (int64_t)sizeof *x));
  for (i = 0; i < n && is_int8(x[i]); i++) {}
  if (i < n) return;
  for (i = 0; i < n; i++) whole[i] = (int8_t)x[i];
}

/* ---- making ---- */

/* A vector becomes floats in its place, from the last on: no float lies before the component
** that it is made of. */
static void widen(const AnnElement *element, int64_t n, void *io_vector) {
  float *x = io_vector;
  int64_t i;
  for (i = n - 1; i >= 0; i--) x[i] = element->at(io_vector, i);
}

void ann_query_from_vector(const AnnElement *rows, const void *vector, int64_t n,
                           void *out_query) {
  int64_t size = ann_element_size(rows, n);
  if (out_query != vector) memmove(out_query, vector, (size_t)size);
  if (rows == ann_query_element(rows)) return;
  widen(rows, n, out_query);
  complete(rows, n, out_query);
}

int ann_query_can_be(const AnnElement *rows, const AnnElement *element) {
  return is_of_bits(rows) == is_of_bits(element);
}

void ann_query_from_other(const AnnElement *rows, const AnnElement *element, const void *vector,
                          int64_t n, void *out_query) {
  float *x = out_query;
  int64_t i;
  if (element == rows) {
    ann_query_from_vector(rows, vector, n, out_query);
    return;
  }
  for (i = 0; i < n; i++) x[i] = element->at(vector, i);
  complete(rows, n, out_query);
}

/* The bits of the components of float32 that are above 0. */
static int bits_of_floats(const void *blob, int64_t n, void *out_query, char *out_message) {
  uint8_t *bits = out_query;
  int64_t i;
  memset(bits, 0, (size_t)((n + 7) / 8));
  for (i = 0; i < n; i++) {
    float x = ann_get_f32((const uint8_t *)blob + 4 * i);
    if (!isfinite(x)) return ann_element_not_finite(out_message, i, x);
    bits[i / 8] |= (uint8_t)((x > 0) << i % 8);
  }
  return ANN_OK;
}

/* Of float32. */
static int from_floats(const AnnElement *rows, const void *blob, int64_t n_bytes, int64_t n,
                       void *out_query, char *out_message) {
  int rc;
  if (is_of_bits(rows)) return bits_of_floats(blob, n, out_query, out_message);
  rc = ann_element_from_blob(ann_element_default(), blob, n_bytes, n, out_query, out_message);
  if (rc == ANN_OK) complete(rows, n, out_query);
  return rc;
}

int ann_query_from_blob(const AnnElement *rows, const void *blob, int64_t n_bytes, int64_t n,
                        void *out_query, char *out_message) {
  const AnnElement *floats = ann_element_default();
  int64_t own = ann_element_size(rows, n), others = ann_element_size(floats, n);
  int rc;
  if (n_bytes == others) { return from_floats(rows, blob, n_bytes, n, out_query, out_message); }
  if (n_bytes != own && rows != floats) {
    snprintf(out_message, ANN_VECTOR_MESSAGE,
             "expected a blob of %lld bytes (%lld %s) or %lld bytes (%s), got %lld bytes",
             (long long)own, (long long)n, rows->named.name, (long long)others,
             floats->named.name, (long long)n_bytes);
    return ANN_ERROR;
  }
  rc = ann_element_from_blob(rows, blob, n_bytes, n, out_query, out_message);
  if (rc == ANN_OK) ann_query_from_vector(rows, out_query, n, out_query);
  return rc;
}

int ann_query_takes(const AnnElement *rows, const AnnElement *element) {
  return element == ann_element_default() || ann_query_can_be(rows, element);
}

int ann_query_from_blob_of(const AnnElement *rows, const AnnElement *element, const void *blob,
                           int64_t n_bytes, int64_t n, void *out_query, char *out_message) {
  int rc;
  if (element == ann_element_default()) {
    return from_floats(rows, blob, n_bytes, n, out_query, out_message);
  }
  rc = ann_element_from_blob(element, blob, n_bytes, n, out_query, out_message);
  if (rc != ANN_OK || is_of_bits(rows)) return rc;
  widen(element, n, out_query);
  complete(rows, n, out_query);
  return rc;
}

int ann_query_from_json(const AnnElement *rows, const char *text, int64_t n_bytes, int64_t n,
                        void *out_query, char *out_message) {
  int rc =
      ann_element_from_json(ann_query_element(rows), text, n_bytes, n, out_query, out_message);
  if (rc == ANN_OK) complete(rows, n, out_query);
  return rc;
}

int ann_query_is_vector(const AnnElement *rows, const void *query, const void *vector,
                        int64_t n) {
  const float *x = query;
  int64_t i;
  if (rows == ann_query_element(rows)) {
    return memcmp(query, vector, (size_t)ann_element_size(rows, n)) == 0;
  }
  for (i = 0; i < n; i++) {
    float component = rows->at(vector, i);
    if (memcmp(&x[i], &component, sizeof component) != 0) return 0;
  }
  return 1;
}
