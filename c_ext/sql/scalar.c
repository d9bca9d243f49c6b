/* scalar.c -- see scalar.h. */
#include "sql/scalar.h"

#include "core/kernel.h"
#include "core/space.h"
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

/* The argument that names a type, or float32 when there is none; NULL, after saying so, for a
** name that we do not know. */
static const AnnElement *element_of(sqlite3_context *out, const char *function, int argc,
                                    sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE], names[ANN_NAMES];
  const AnnElement *element;
  const char *name;
  if (argc < 2 || sqlite3_value_type(argv[1]) == SQLITE_NULL) return ann_element_default();
  name = (const char *)sqlite3_value_text(argv[1]);
  element = name ? ann_element_named(name) : NULL;
  if (element) return element;
  sqlite3_snprintf(sizeof message, message, "expected type %s, got \"%.40s\"",
                   ann_element_names(names), name);
  fail(out, function, message, ANN_ERROR);
  return NULL;
}

/* The same for a metric, of whatever type. */
static const AnnMetric *metric_of(sqlite3_context *out, const char *function, int argc,
                                  sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE], names[ANN_NAMES];
  const AnnMetric *metric;
  const char *name;
  if (argc < 3 || sqlite3_value_type(argv[2]) == SQLITE_NULL) {
    return ann_metric_default(ann_element_default());
  }
  name = (const char *)sqlite3_value_text(argv[2]);
  metric = name ? ann_metric_named(NULL, name) : NULL;
  if (metric) return metric;
  sqlite3_snprintf(sizeof message, message, "expected metric %s, got \"%.40s\"",
                   ann_metric_names(NULL, names), name);
  fail(out, function, message, ANN_ERROR);
  return NULL;
}

/* ann_distance(a, b [, metric]); NULL when a or b is NULL. */
static void distance(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  const AnnMetric *metric;
  AnnSpace space;
  void *a = NULL, *b = NULL; /* owned */
  int rc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
      sqlite3_value_type(argv[1]) == SQLITE_NULL) {
    return;
  }
  metric = metric_of(out, "ann_distance", argc, argv);
  if (!metric) return;
  ann_space_init(&space, ann_metric_element(metric), metric, 0);
  rc = ann_value_any_vector(argv[0], &space, &a, message);
  if (rc == ANN_OK) {
    b = ann_alloc((uint64_t)space.blob_size);
    rc = b ? ann_value_vector(argv[1], &space, b, message) : ANN_NOMEM;
  }
  if (rc == ANN_OK) {
    AnnOrigin origin;
    ann_space_as_query(&space, a, a);
    ann_origin_init(&origin, &space, a);
    sqlite3_result_double(out, ann_origin_distance(&origin, b));
  } else {
    fail(out, "ann_distance", message, rc);
  }
  ann_free(a);
  ann_free(b);
}

/* ann_vector(x [, type]): the blob of a vector. */
static void vector(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  const AnnElement *element;
  AnnSpace space;
  void *x = NULL, *blob; /* x: owned */
  int rc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  element = element_of(out, "ann_vector", argc, argv);
  if (!element) return;
  ann_space_init(&space, element, ann_metric_default(element), 0);
  rc = ann_value_any_vector(argv[0], &space, &x, message);
  blob = rc == ANN_OK ? sqlite3_malloc64((uint64_t)space.blob_size) : NULL;
  if (rc == ANN_OK && !blob) rc = ANN_NOMEM;
  if (rc == ANN_OK) {
    ann_space_to_blobs(&space, x, 1, blob);
    sqlite3_result_blob64(out, blob, (uint64_t)space.blob_size, sqlite3_free);
  } else {
    fail(out, "ann_vector", message, rc);
  }
  ann_free(x);
}

static void append_vector(sqlite3_str *text, const AnnElement *element, const float *x,
                          int64_t n) {
  int64_t i;
  for (i = 0; i < n; i++) {
    sqlite3_str_appendchar(text, 1, i ? ',' : '[');
    ann_value_append(text, element, x[i]);
  }
  sqlite3_str_appendchar(text, 1, ']');
}

/* ann_json(v [, type]): a vector as JSON text. */
static void json(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE], *result;
  const AnnElement *element;
  AnnSpace space;
  void *x = NULL;        /* owned */
  float *scratch = NULL; /* owned */
  sqlite3_str *text;
  int rc, length;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  element = element_of(out, "ann_json", argc, argv);
  if (!element) return;
  ann_space_init(&space, element, ann_metric_default(element), 0);
  rc = ann_value_any_vector(argv[0], &space, &x, message);
  if (rc == ANN_OK) {
    scratch = ann_alloc_array((uint64_t)space.dimensions, sizeof *scratch);
    if (!scratch) rc = ANN_NOMEM;
  }
  if (rc != ANN_OK) {
    fail(out, "ann_json", message, rc);
    ann_free(x);
    return;
  }
  text = sqlite3_str_new(sqlite3_context_db_handle(out));
  append_vector(text, element, element->floats(x, space.dimensions, scratch), space.dimensions);
  length = sqlite3_str_length(text);
  result = sqlite3_str_finish(text);
  if (result) sqlite3_result_text(out, result, length, sqlite3_free);
  else sqlite3_result_error_nomem(out);
  ann_free(scratch);
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
