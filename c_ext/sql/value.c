/* value.c -- see value.h. */
#include "sql/value.h"

#include <math.h>
#include <stdio.h>

#include "core/vector.h"

const char *ann_value_kind(sqlite3_value *value) {
  switch (sqlite3_value_type(value)) {
  case SQLITE_NULL: return "NULL";
  case SQLITE_INTEGER: return "an integer";
  case SQLITE_FLOAT: return "a real number";
  case SQLITE_TEXT: return "text";
  default: return "a blob";
  }
}

int ann_value_vector(sqlite3_value *value, int64_t dimensions, float *out_vector,
                     char *out_message) {
  int type = sqlite3_value_type(value);
  if (type == SQLITE_BLOB) {
    const void *blob = sqlite3_value_blob(value);
    return ann_vector_from_blob(blob, sqlite3_value_bytes(value), dimensions, out_vector,
                                out_message);
  }
  if (type == SQLITE_TEXT) {
    const char *text = (const char *)sqlite3_value_text(value);
    if (!text) return ANN_NOMEM;
    return ann_vector_from_json(text, sqlite3_value_bytes(value), dimensions, out_vector,
                                out_message);
  }
  snprintf(out_message, ANN_VECTOR_MESSAGE,
           "expected a blob of %lld float32 or a JSON array, got %s", (long long)dimensions,
           ann_value_kind(value));
  return ANN_ERROR;
}

int ann_value_any_vector(sqlite3_value *value, float **out_vector, int64_t *out_dimensions,
                         char *out_message) {
  int type = sqlite3_value_type(value), rc;
  int64_t size = type == SQLITE_BLOB || type == SQLITE_TEXT ? sqlite3_value_bytes(value) : 0;
  const char *text = type == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
  *out_vector = NULL;
  if (type != SQLITE_BLOB && type != SQLITE_TEXT) {
    snprintf(out_message, ANN_VECTOR_MESSAGE,
             "expected a blob of float32 or a JSON array, got %s", ann_value_kind(value));
    return ANN_ERROR;
  }
  *out_dimensions = text ? ann_vector_json_length(text, size) : size / 4;
  if (*out_dimensions < 0) *out_dimensions = 1;       /* the parser says what is wrong */
  if (*out_dimensions > ANN_MAX_DIMENSIONS || (type == SQLITE_BLOB && size % 4)) {
    snprintf(out_message, ANN_VECTOR_MESSAGE,
             "expected a vector of at most %d float32, got %lld bytes", ANN_MAX_DIMENSIONS,
             (long long)size);
    return ANN_ERROR;
  }
  *out_vector = ann_alloc_array((uint64_t)*out_dimensions, sizeof **out_vector);
  if (!*out_vector) return ANN_NOMEM;
  rc = ann_value_vector(value, *out_dimensions, *out_vector, out_message);
  if (rc == ANN_OK && *out_dimensions == 0) {
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

static int refuse(char *message, char **out_message) {
  sqlite3_free(*out_message);
  *out_message = message;
  return message ? ANN_ERROR : ANN_NOMEM;
}

/* What came in the place of a number: itself, or for a blob what it probably is (sqlite3_malloc). */
static char *shown(sqlite3_value *value, const char *cast, const char *name) {
  if (sqlite3_value_type(value) == SQLITE_BLOB) {
    return sqlite3_mprintf("a blob of %d bytes; pass %s(%s)", sqlite3_value_bytes(value), cast,
                           name);
  }
  return sqlite3_mprintf("%s", sqlite3_value_text(value));
}

/* The sentence for a number that is none, or not one of those expected. */
static int refuse_number(const char *function, const char *name, const char *expected,
                         const char *cast, sqlite3_value *value, char **out_message) {
  char *got = shown(value, cast, name);      /* owned */
  int rc = got ? refuse(sqlite3_mprintf("%s: expected %s to be %s, got %s", function, name,
                                        expected, got),
                        out_message)
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
  return refuse(sqlite3_mprintf("%s: expected %s to be a number, got %s", function, name,
                                ann_value_kind(value)),
                out_message);
}

int ann_value_count(const char *function, const char *name, sqlite3_value *value,
                    int64_t *out_count, char **out_message) {
  if (!value || (ann_value_integer(value, out_count) && *out_count >= 1)) return ANN_OK;
  return refuse_number(function, name, "a whole number from 1", "int", value, out_message);
}

int ann_value_recall(const char *function, const char *name, sqlite3_value *value,
                     double *out_recall, char **out_message) {
  if (!value || (ann_value_number(value, out_recall) && *out_recall > 0 && *out_recall <= 1)) {
    return ANN_OK;
  }
  return refuse_number(function, name, "above 0 and at most 1", "float", value, out_message);
}

int ann_value_ids(sqlite3_value *list, AnnIdSet *out_ids) {
  sqlite3_value *item = NULL;
  int64_t id;
  int rc = sqlite3_vtab_in_first(list, &item);
  if (rc == SQLITE_ERROR || rc == SQLITE_MISUSE) {     /* one value, not a list */
    return ann_value_integer(list, &id) ? ann_idset_add(out_ids, id, NULL) : ANN_OK;
  }
  while (rc == SQLITE_OK && item) {
    /* What is not a whole number equals no id. */
    if (ann_value_integer(item, &id)) {
      int added = ann_idset_add(out_ids, id, NULL);
      if (added != ANN_OK) return added;
    }
    rc = sqlite3_vtab_in_next(list, &item);
  }
  return rc == SQLITE_DONE ? ANN_OK : rc;
}
