/* json.c -- see json.h. */
#include "core/json.h"

#include <ctype.h>
#include <locale.h>
#include <stdio.h>

#define LONGEST 128     /* characters of one number; a choice */
#define LONGEST_POINT 8 /* bytes of a locale's decimal point */

static int refuse(char *out_message, const char *format, long long place) {
  snprintf(out_message, ANN_VECTOR_MESSAGE, format, place);
  return ANN_ERROR;
}

static int refuse_number(const AnnJson *json, char *out_message) {
  return refuse(out_message, "expected a number at character %lld of the JSON text",
                (long long)(json->at - json->text + 1));
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

/* strtof reads the locale's decimal point: give it that. */
static void copy_number(const char *p, size_t n, char *out_number) {
  const char *point = localeconv()->decimal_point;
  size_t i, used = 0;
  for (i = 0; i < n; i++) {
    if (p[i] == '.') {
      size_t width = strlen(point);
      if (width > LONGEST_POINT) width = LONGEST_POINT;
      memcpy(out_number + used, point, width);
      used += width;
    } else {
      out_number[used++] = p[i];
    }
  }
  out_number[used] = 0;
}

int ann_json_open(AnnJson *json, const char *text, int64_t n_bytes, char *out_message) {
  json->text = text;
  json->end = text + n_bytes;
  json->at = skip_space(text, json->end);
  json->n = 0;
  if (json->at == json->end || *json->at != '[') {
    return refuse(out_message, "expected a JSON array of numbers, got other text", 0);
  }
  json->at = skip_space(json->at + 1, json->end);
  return ANN_OK;
}

/* Past the comma between two numbers; stays before the end of the array. */
static int skip_comma(AnnJson *json, char *out_message) {
  if (json->at == json->end || *json->at == ']') return ANN_OK;
  if (*json->at != ',') {
    return refuse(out_message, "expected a comma or ] at character %lld of the JSON text",
                  (long long)(json->at - json->text + 1));
  }
  json->at = skip_space(json->at + 1, json->end);
  return json->at == json->end || *json->at == ']' ? refuse_number(json, out_message) : ANN_OK;
}

int ann_json_next(AnnJson *json, char *out_number, int *out_found, char *out_message) {
  size_t length;
  *out_found = 0;
  if (json->n > 0 && skip_comma(json, out_message) != ANN_OK) return ANN_ERROR;
  if (json->at == json->end) {
    return refuse(out_message, "expected ] at the end of the JSON text", 0);
  }
  if (*json->at == ']') {
    if (skip_space(json->at + 1, json->end) == json->end) return ANN_OK;
    return refuse(out_message, "expected nothing after ] at character %lld of the JSON text",
                  (long long)(json->at - json->text + 1));
  }
  length = number_length(json->at, json->end);
  if (length == 0 || length > LONGEST) return refuse_number(json, out_message);
  copy_number(json->at, length, out_number);
  json->at = skip_space(json->at + length, json->end);
  json->n++;
  *out_found = 1;
  return ANN_OK;
}

int64_t ann_json_length(const char *text, int64_t n_bytes) {
  const char *end = text + n_bytes, *p = skip_space(text, end);
  int64_t n = 1;
  if (p == end || *p != '[') return -1;
  p = skip_space(p + 1, end);
  if (p < end && *p == ']') return 0;
  for (; p < end; p++) n += *p == ',';
  return n;
}
