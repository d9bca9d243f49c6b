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

static int refuse_array(const AnnJson *json, char *out_message) {
  return refuse(out_message, "expected an array at character %lld of the JSON text",
                (long long)(json->at - json->text + 1));
}

static int refuse_name(const AnnJson *json, char *out_message) {
  return refuse(out_message,
                "expected a name in quotation marks at character %lld of the JSON text",
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

static int is_at(const AnnJson *json, char c) { return json->at < json->end && *json->at == c; }

/* Behind what opens it; `expected` is the clause where that is not there. */
static int open(AnnJson *json, const char *text, int64_t n_bytes, char opens,
                const char *expected, char *out_message) {
  json->text = text;
  json->end = text + n_bytes;
  json->at = skip_space(text, json->end);
  json->n = 0;
  if (!is_at(json, opens)) return refuse(out_message, expected, 0);
  json->at = skip_space(json->at + 1, json->end);
  return ANN_OK;
}

int ann_json_open(AnnJson *json, const char *text, int64_t n_bytes, char *out_message) {
  return open(json, text, n_bytes, '[', "expected a JSON array of numbers, got other text",
              out_message);
}

/* The same of what is written as %c and comes at the end. */
static int refuse_end(const AnnJson *json, const char *expected, char close,
                      char *out_message) {
  snprintf(out_message, ANN_VECTOR_MESSAGE, expected, close,
           (long long)(json->at - json->text + 1));
  return ANN_ERROR;
}

/* Says that what comes is no number, no array, or no member. */
typedef int (*Refuse)(const AnnJson *json, char *out_message);

/* Past the comma between two items; stays before the end. */
static int skip_comma(AnnJson *json, char close, Refuse refuse_item, char *out_message) {
  if (json->at == json->end || *json->at == close) return ANN_OK;
  if (*json->at != ',') {
    return refuse_end(json, "expected a comma or %c at character %lld of the JSON text", close,
                      out_message);
  }
  json->at = skip_space(json->at + 1, json->end);
  if (json->at != json->end && *json->at != close) return ANN_OK;
  return refuse_item(json, out_message);
}

/* To the next item, or *out_found = 0 behind the last one. */
static int go_on(AnnJson *json, char close, Refuse refuse_item, int *out_found,
                 char *out_message) {
  *out_found = 0;
  if (json->n > 0 && skip_comma(json, close, refuse_item, out_message) != ANN_OK) {
    return ANN_ERROR;
  }
  if (json->at == json->end) {
    return refuse_end(json, "expected %c at the end of the JSON text", close, out_message);
  }
  *out_found = *json->at != close;
  if (*out_found || skip_space(json->at + 1, json->end) == json->end) return ANN_OK;
  return refuse_end(json, "expected nothing after %c at character %lld of the JSON text", close,
                    out_message);
}

int ann_json_next(AnnJson *json, char *out_number, int *out_found, char *out_message) {
  size_t length;
  int rc = go_on(json, ']', refuse_number, out_found, out_message);
  if (rc != ANN_OK || !*out_found) return rc;
  length = number_length(json->at, json->end);
  if (length == 0 || length > LONGEST) return refuse_number(json, out_message);
  copy_number(json->at, length, out_number);
  json->at = skip_space(json->at + length, json->end);
  json->n++;
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

/* ---- arrays ---- */

int ann_json_open_arrays(AnnJson *json, const char *text, int64_t n_bytes, char *out_message) {
  return open(json, text, n_bytes, '[', "expected a JSON array of arrays, got other text",
              out_message);
}

/* Numbers have no brackets, so that the first one that closes is the array's own. */
int ann_json_next_array(AnnJson *json, const char **out_text, int64_t *out_n_bytes,
                        int *out_found, char *out_message) {
  const char *last;
  int rc = go_on(json, ']', refuse_array, out_found, out_message);
  if (rc != ANN_OK || !*out_found) return rc;
  if (!is_at(json, '[')) return refuse_array(json, out_message);
  last = memchr(json->at, ']', (size_t)(json->end - json->at));
  if (!last) {
    json->at = json->end;
    return refuse_end(json, "expected %c at the end of the JSON text", ']', out_message);
  }
  *out_text = json->at;
  *out_n_bytes = last + 1 - json->at;
  json->at = skip_space(last + 1, json->end);
  json->n++;
  return ANN_OK;
}

/* ---- objects ---- */

int ann_json_open_object(AnnJson *json, const char *text, int64_t n_bytes, char *out_message) {
  return open(json, text, n_bytes, '{', "expected a JSON object, got other text", out_message);
}

/* The length of the string at p with its quotation marks, or 0 when there is none. */
static size_t string_length(const char *p, const char *end) {
  const char *start = p;
  if (p == end || *p != '"') return 0;
  for (p++; p < end && *p != '"'; p++) {
    if (*p == '\\' && ++p == end) return 0;
  }
  return p < end ? (size_t)(p + 1 - start) : 0;
}

/* The length of a value that is a number, a string, true, false or null; 0 of others. */
static size_t value_length(const char *p, const char *end) {
  static const char *const words[] = {"true", "false", "null"};
  size_t length = number_length(p, end), i;
  if (length == 0) length = string_length(p, end);
  for (i = 0; i < sizeof words / sizeof *words && length == 0; i++) {
    size_t n = strlen(words[i]);
    if ((size_t)(end - p) >= n && memcmp(p, words[i], n) == 0) length = n;
  }
  return length;
}

int ann_json_next_member(AnnJson *json, AnnMember *out_member, int *out_found,
                         char *out_message) {
  size_t length;
  int rc = go_on(json, '}', refuse_name, out_found, out_message);
  if (rc != ANN_OK || !*out_found) return rc;
  length = string_length(json->at, json->end);
  if (length == 0) return refuse_name(json, out_message);
  out_member->name = json->at + 1;
  out_member->n_name = (int64_t)length - 2;
  json->at = skip_space(json->at + length, json->end);
  if (!is_at(json, ':')) {
    return refuse(out_message, "expected a colon at character %lld of the JSON text",
                  (long long)(json->at - json->text + 1));
  }
  json->at = skip_space(json->at + 1, json->end);
  length = value_length(json->at, json->end);
  if (length == 0) {
    return refuse(out_message,
                  "expected a number, a string or null at character %lld of the JSON text",
                  (long long)(json->at - json->text + 1));
  }
  out_member->value = json->at;
  out_member->n_value = (int64_t)length;
  json->at = skip_space(json->at + length, json->end);
  json->n++;
  return ANN_OK;
}

int ann_json_is_number(const AnnMember *member, char *out_number) {
  const char *end = member->value + member->n_value;
  size_t length = number_length(member->value, end);
  if (length == 0 || length > LONGEST) return 0;
  copy_number(member->value, length, out_number);
  return 1;
}

int ann_json_is_null(const AnnMember *member) { return member->value[0] == 'n'; }
