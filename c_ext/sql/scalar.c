/* scalar.c -- see scalar.h. */
#include "sql/scalar.h"

#include <math.h>

#include "core/kernel.h"
#include "core/metric.h"
#include "core/vector.h"
#include "sql/value.h"
#include "sql/version.h"

static void fail(sqlite3_context *out, const char *function, const char *message, int rc) {
  char *sentence;
  if (rc == ANN_NOMEM) {
    sqlite3_result_error_nomem(out);
    return;
  }
  sentence = sqlite3_mprintf("%s: %s", function, message);
  if (sentence) sqlite3_result_error(out, sentence, -1);
  else sqlite3_result_error_nomem(out);
  sqlite3_free(sentence);
}

/* ann_distance(a, b [, metric]); NULL when a or b is NULL. */
static void distance(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  float *a = NULL, *b = NULL;                /* owned */
  int64_t n = 0;
  int metric = ANN_COSINE, rc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
      sqlite3_value_type(argv[1]) == SQLITE_NULL) {
    return;
  }
  if (argc == 3 && sqlite3_value_type(argv[2]) != SQLITE_NULL) {
    const char *name = (const char *)sqlite3_value_text(argv[2]);
    metric = name ? ann_metric_named(name) : 0;
    if (!metric) {
      sqlite3_snprintf(sizeof message, message,
                       "expected metric cosine, l2 (euclidean) or dot, got \"%.40s\"", name);
      fail(out, "ann_distance", message, ANN_ERROR);
      return;
    }
  }
  rc = ann_value_any_vector(argv[0], &a, &n, message);
  if (rc == ANN_OK) {
    b = ann_alloc_array((uint64_t)n, sizeof *b);
    rc = b ? ann_value_vector(argv[1], n, b, message) : ANN_NOMEM;
  }
  if (rc == ANN_OK) sqlite3_result_double(out, ann_metric_distance(metric, a, b, n));
  else fail(out, "ann_distance", message, rc);
  ann_free(a);
  ann_free(b);
}

/* The type argument of ann_vector and ann_json, if it is one we know. */
static int check_type(sqlite3_context *out, const char *function, int argc,
                      sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  const char *name;
  if (argc < 2 || sqlite3_value_type(argv[1]) == SQLITE_NULL) return 1;
  name = (const char *)sqlite3_value_text(argv[1]);
  if (name && ann_type_named(name)) return 1;
  sqlite3_snprintf(sizeof message, message, "expected type float32, got \"%.40s\"", name);
  fail(out, function, message, ANN_ERROR);
  return 0;
}

/* ann_vector(x [, type]): the blob of a vector. */
static void vector(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  float *x = NULL;                           /* owned */
  int64_t n = 0;
  void *blob;
  int rc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  if (!check_type(out, "ann_vector", argc, argv)) return;
  rc = ann_value_any_vector(argv[0], &x, &n, message);
  blob = rc == ANN_OK ? sqlite3_malloc64((uint64_t)n * 4) : NULL;
  if (rc == ANN_OK && !blob) rc = ANN_NOMEM;
  if (rc == ANN_OK) {
    ann_vector_to_blob(x, n, blob);
    sqlite3_result_blob64(out, blob, (uint64_t)n * 4, sqlite3_free);
  } else {
    fail(out, "ann_vector", message, rc);
  }
  ann_free(x);
}

/* The shortest decimal that reads back as x: 6 to 9 digits. */
static void append_float(sqlite3_str *text, float x) {
  char digits[40];
  int precision;
  if (x == 0) {                             /* %g drops the sign of a negative zero */
    sqlite3_str_appendall(text, signbit(x) ? "-0.0" : "0");
    return;
  }
  for (precision = 6; precision <= 9; precision++) {
    sqlite3_snprintf(sizeof digits, digits, "%.*g", precision, (double)x);
    if (precision == 9) break;
    {
      float back;
      char message[ANN_VECTOR_MESSAGE], array[44];
      sqlite3_snprintf(sizeof array, array, "[%s]", digits);
      if (ann_vector_from_json(array, (int64_t)strlen(array), 1, &back, message) == ANN_OK &&
          back == x) {
        break;
      }
    }
  }
  sqlite3_str_appendall(text, digits);
}

/* ann_json(v [, type]): a vector as JSON text. */
static void json(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  float *x = NULL;                           /* owned */
  int64_t n = 0, i;
  sqlite3_str *text;
  char *result;
  int rc, length;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  if (!check_type(out, "ann_json", argc, argv)) return;
  rc = ann_value_any_vector(argv[0], &x, &n, message);
  if (rc != ANN_OK) {
    fail(out, "ann_json", message, rc);
    return;
  }
  text = sqlite3_str_new(sqlite3_context_db_handle(out));
  for (i = 0; i < n; i++) {
    sqlite3_str_appendchar(text, 1, i ? ',' : '[');
    append_float(text, x[i]);
  }
  sqlite3_str_appendchar(text, 1, ']');
  length = sqlite3_str_length(text);
  result = sqlite3_str_finish(text);
  if (result) sqlite3_result_text(out, result, length, sqlite3_free);
  else sqlite3_result_error_nomem(out);
  ann_free(x);
}

static void version(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc, (void)argv;
  sqlite3_result_text(out, ANN_VERSION, -1, SQLITE_STATIC);
}

int ann_scalar_register(sqlite3 *db) {
  static const struct {
    const char *name;
    int n_arguments;
    void (*function)(sqlite3_context *, int, sqlite3_value **);
  } functions[] = {
    {"ann_distance", 2, distance}, {"ann_distance", 3, distance}, {"ann_vector", 1, vector},
    {"ann_vector", 2, vector},     {"ann_json", 1, json},         {"ann_json", 2, json},
    {"ann_version", 0, version},
  };
  int rc = ANN_OK;
  size_t i;
  for (i = 0; i < sizeof functions / sizeof *functions && rc == ANN_OK; i++) {
    rc = sqlite3_create_function(db, functions[i].name, functions[i].n_arguments,
                                 SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                 functions[i].function, NULL, NULL);
  }
  return rc;
}
