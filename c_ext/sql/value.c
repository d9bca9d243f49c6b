/* value.c -- see value.h. */
#include "sql/value.h"

#include <math.h>
#include <stdio.h>

#include "core/json.h"

const char *ann_value_kind(sqlite3_value *value) {
  switch (sqlite3_value_type(value)) {
  case SQLITE_NULL: return "NULL";
  case SQLITE_INTEGER: return "an integer";
  case SQLITE_FLOAT: return "a real number";
  case SQLITE_TEXT: return "text";
  default: return "a blob";
  }
}

static int refuse_kind(sqlite3_value *value, const AnnSpace *space, char *out_message) {
  snprintf(out_message, ANN_VECTOR_MESSAGE,
           "expected a blob of %lld %s or a JSON array, got %s", (long long)space->dimensions,
           space->element->named.name, ann_value_kind(value));
  return ANN_ERROR;
}

/* Of a smaller type, which no one rounds to unasked. */
static int is_of_floats(const AnnSpace *space, int64_t n_bytes) {
  int64_t size = ann_element_size(ann_element_default(), space->dimensions);
  return n_bytes == size && n_bytes != space->blob_size;
}

static int vector_from_blob(sqlite3_value *value, const AnnSpace *space, void *out_vector,
                            char *out_message) {
  const void *blob = sqlite3_value_blob(value);
  int64_t n_bytes = sqlite3_value_bytes(value);
  if (is_of_floats(space, n_bytes)) {
    snprintf(
        out_message, ANN_VECTOR_MESSAGE,
        "expected a blob of %lld bytes (%lld %s), got %lld bytes, which %s would have: pass "
        "ann_quantize(vector, '%s')",
        (long long)space->blob_size, (long long)space->dimensions, space->element->named.name,
        (long long)n_bytes, ann_element_default()->named.name, space->element->named.name);
    return ANN_ERROR;
  }
  return ann_element_from_blob(space->element, blob, n_bytes, space->dimensions, out_vector,
                               out_message);
}

int ann_value_vector(sqlite3_value *value, const AnnSpace *space, void *out_vector,
                     char *out_message) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_BLOB) return vector_from_blob(value, space, out_vector, out_message);
  if (type == SQLITE_TEXT) {
    const char *text = (const char *)sqlite3_value_text(value);
    if (!text) return ANN_NOMEM;
    return ann_element_from_json(space->element, text, sqlite3_value_bytes(value),
                                 space->dimensions, out_vector, out_message);
  }
  return refuse_kind(value, space, out_message);
}

int ann_value_query(sqlite3_value *value, const AnnSpace *space, void *out_query,
                    char *out_message) {
  int type = sqlite3_value_type(value);
  int64_t n_bytes = type == SQLITE_BLOB || type == SQLITE_TEXT ? sqlite3_value_bytes(value) : 0;
  if (type == SQLITE_BLOB) {
    return ann_query_from_blob(space->element, sqlite3_value_blob(value), n_bytes,
                               space->dimensions, out_query, out_message);
  }
  if (type == SQLITE_TEXT) {
    const char *text = (const char *)sqlite3_value_text(value);
    if (!text) return ANN_NOMEM;
    return ann_query_from_json(space->element, text, n_bytes, space->dimensions, out_query,
                               out_message);
  }
  return refuse_kind(value, space, out_message);
}

int ann_value_any_vector(sqlite3_value *value, AnnSpace *io_space, void **out_vector,
                         char *out_message) {
  const AnnElement *element = io_space->element;
  int type = sqlite3_value_type(value), rc;
  int64_t size = type == SQLITE_BLOB || type == SQLITE_TEXT ? sqlite3_value_bytes(value) : 0, n;
  const char *text = type == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
  *out_vector = NULL;
  if (type != SQLITE_BLOB && type != SQLITE_TEXT) {
    snprintf(out_message, ANN_VECTOR_MESSAGE, "expected a blob of %s or a JSON array, got %s",
             element->named.name, ann_value_kind(value));
    return ANN_ERROR;
  }
  n = text ? ann_json_length(text, size) : ann_element_count(element, size);
  if (text && n < 0) n = 1; /* the parser says what is wrong */
  if (n < 0 || n > ANN_MAX_DIMENSIONS) {
    snprintf(out_message, ANN_VECTOR_MESSAGE,
             "expected a vector of at most %d %s, got %lld bytes", ANN_MAX_DIMENSIONS,
             element->named.name, (long long)size);
    return ANN_ERROR;
  }
  ann_space_init(io_space, element, io_space->metric, n);
  *out_vector = ann_alloc_array((uint64_t)io_space->query_size, 1);
  if (!*out_vector) return ANN_NOMEM;
  rc = ann_value_vector(value, io_space, *out_vector, out_message);
  if (rc == ANN_OK && n == 0) {
    snprintf(out_message, ANN_VECTOR_MESSAGE, "expected at least one component, got none");
    rc = ANN_ERROR;
  }
  if (rc != ANN_OK) {
    ann_free(*out_vector);
    *out_vector = NULL;
  }
  return rc;
}

int ann_value_integer(sqlite3_value *value, int64_t *out_number) {
  int type = sqlite3_value_numeric_type(value);
  double real;
  if (type == SQLITE_INTEGER) {
    *out_number = sqlite3_value_int64(value);
    return 1;
  }
  if (type != SQLITE_FLOAT) return 0;
  real = sqlite3_value_double(value);
  if (!(real >= -9.0e18 && real <= 9.0e18) || real != floor(real)) return 0;
  *out_number = (int64_t)real;
  return 1;
}

int ann_value_number(sqlite3_value *value, double *out_number) {
  int type = sqlite3_value_numeric_type(value);
  if (type != SQLITE_INTEGER && type != SQLITE_FLOAT) return 0;
  *out_number = sqlite3_value_double(value);
  return 1;
}

int ann_value_refuse(char **out_message, char *message) {
  sqlite3_free(*out_message);
  *out_message = message;
  return message ? ANN_ERROR : ANN_NOMEM;
}

/* What came in the place of a number: itself, or for a blob what it probably is
** (sqlite3_malloc). */
static char *shown(sqlite3_value *value, const char *cast, const char *name) {
  if (sqlite3_value_type(value) == SQLITE_BLOB) {
    return sqlite3_mprintf("a blob of %d bytes; pass %s(%s)", sqlite3_value_bytes(value), cast,
                           name);
  }
  if (sqlite3_value_type(value) == SQLITE_NULL) return sqlite3_mprintf("NULL");
  return sqlite3_mprintf("%s", sqlite3_value_text(value));
}

/* The sentence for a number that is none, or not one of those expected. */
static int refuse_number(const char *function, const char *name, const char *expected,
                         const char *cast, sqlite3_value *value, char **out_message) {
  char *got = shown(value, cast, name); /* owned */
  int rc =
      got ? ann_value_refuse(out_message, sqlite3_mprintf("%s: expected %s to be %s, got %s",
                                                          function, name, expected, got))
          : ANN_NOMEM;
  sqlite3_free(got);
  return rc;
}

int ann_value_distance(const char *function, const char *name, sqlite3_value *value,
                       double *out_number, char **out_message) {
  if (!value || ann_value_number(value, out_number)) return ANN_OK;
  if (sqlite3_value_type(value) == SQLITE_BLOB) {
    return refuse_number(function, name, "a number", "float", value, out_message);
  }
  return ann_value_refuse(out_message, sqlite3_mprintf("%s: expected %s to be a number, got %s",
                                                       function, name, ann_value_kind(value)));
}

int ann_value_count(const char *function, const char *name, sqlite3_value *value,
                    int64_t *out_count, char **out_message) {
  if (!value || (ann_value_integer(value, out_count) && *out_count >= 1)) return ANN_OK;
  return refuse_number(function, name, "a whole number from 1", "int", value, out_message);
}

int ann_value_whole(const char *function, const char *name, int64_t least, int64_t most,
                    sqlite3_value *value, int64_t *out_number, char **out_message) {
  char expected[80];
  if (ann_value_integer(value, out_number) && *out_number >= least && *out_number <= most) {
    return ANN_OK;
  }
  sqlite3_snprintf(sizeof expected, expected,
                   least == most ? "%lld" : "a whole number from %lld to %lld", least, most);
  return refuse_number(function, name, expected, "int", value, out_message);
}

int ann_value_recall(const char *function, const char *name, sqlite3_value *value,
                     double *out_recall, char **out_message) {
  if (!value || (ann_value_number(value, out_recall) && *out_recall > 0 && *out_recall <= 1)) {
    return ANN_OK;
  }
  return refuse_number(function, name, "above 0 and at most 1", "float", value, out_message);
}

int ann_value_fraction(const char *function, const char *name, sqlite3_value *value,
                       double *out_number, char **out_message) {
  if (!value || (ann_value_number(value, out_number) && *out_number >= 0 && *out_number <= 1)) {
    return ANN_OK;
  }
  return refuse_number(function, name, "from 0 to 1", "float", value, out_message);
}

/* ---- components as decimals ---- */

/* Does the text of a number give that component? */
static int reads_back(const AnnElement *element, const char *digits, float x) {
  char message[ANN_VECTOR_MESSAGE], array[44];
  double back; /* room for any component */
  sqlite3_snprintf(sizeof array, array, "[%s]", digits);
  return ann_element_from_json(element, array, (int64_t)strlen(array), 1, &back, message) ==
             ANN_OK &&
         element->at(&back, 0) == x;
}

void ann_value_append(sqlite3_str *text, const AnnElement *element, float x) {
  char digits[40];
  int precision = element->fewest_digits;
  if (x == 0) { /* %g drops the sign of a negative zero */
    sqlite3_str_appendall(text, signbit(x) ? "-0.0" : "0");
    return;
  }
  for (;; precision++) {
    sqlite3_snprintf(sizeof digits, digits, "%.*g", precision, (double)x);
    if (precision == element->most_digits || reads_back(element, digits, x)) break;
  }
  sqlite3_str_appendall(text, digits);
}
