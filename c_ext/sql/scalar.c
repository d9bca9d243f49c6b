/* scalar.c -- see scalar.h. */
#include "sql/scalar.h"

#include "core/space.h"
#include "sql/operand.h"
#include "sql/value.h"
#include "sql/version.h"

/* The metric that a value names, of the type or, without one, of whatever type has it; the
** default when there is no name; NULL after a failure. */
static const AnnMetric *metric_of(sqlite3_context *out, sqlite3_value *value,
                                  const AnnElement *element) {
  char message[ANN_VECTOR_MESSAGE], names[ANN_NAMES];
  const AnnMetric *metric;
  const char *name;
  if (!value || sqlite3_value_type(value) == SQLITE_NULL) {
    return ann_metric_default(element ? element : ann_element_default());
  }
  name = (const char *)sqlite3_value_text(value);
  metric = name ? ann_metric_named(element, name) : NULL;
  if (metric) return metric;
  sqlite3_snprintf(sizeof message, message, "expected metric %s%s%s, got \"%.40s\"",
                   ann_metric_names(element, names), element ? " for " : "",
                   element ? element->named.name : "", name);
  ann_operand_fail(out, "ann_distance", message, ANN_ERROR);
  return NULL;
}

/* ann_distance(a, b [, metric [, type]]); NULL when a or b is NULL. */
static void distance(sqlite3_context *out, int argc, sqlite3_value **argv) {
  int has_type = argc > 3 && sqlite3_value_type(argv[3]) != SQLITE_NULL;
  const AnnElement *element = NULL;
  const AnnMetric *metric;
  AnnOperand a, b;
  AnnOrigin origin;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL ||
      sqlite3_value_type(argv[1]) == SQLITE_NULL) {
    return;
  }
  if (has_type) element = ann_operand_type(out, "ann_distance", argv[3]);
  if (has_type && !element) return;
  metric = metric_of(out, argc > 2 ? argv[2] : NULL, element);
  if (!metric) return;
  if (!element) element = ann_metric_element(metric);
  if (ann_operand_read(out, "ann_distance", argv[0], element, &a) != ANN_OK) return;
  if (ann_operand_read_like(out, "ann_distance", argv[1], &a, &b) == ANN_OK) {
    ann_space_init(&a.space, element, metric, a.space.dimensions);
    ann_space_as_query(&a.space, a.vector, a.vector);
    ann_origin_init(&origin, &a.space, a.vector);
    sqlite3_result_double(out, ann_origin_distance(&origin, b.vector));
    ann_operand_clear(&b);
  }
  ann_operand_clear(&a);
}

/* ann_vector(x [, type]): the blob of a vector. */
static void vector(sqlite3_context *out, int argc, sqlite3_value **argv) {
  const AnnElement *element;
  AnnOperand x;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  element = ann_operand_type(out, "ann_vector", argc > 1 ? argv[1] : NULL);
  if (!element || ann_operand_read(out, "ann_vector", argv[0], element, &x) != ANN_OK) return;
  ann_operand_result(out, element, x.vector, x.space.dimensions);
  ann_operand_clear(&x);
}

/* ann_json(v [, type]): a vector as JSON text. */
static void json(sqlite3_context *out, int argc, sqlite3_value **argv) {
  const AnnElement *element;
  AnnOperand x;
  sqlite3_str *text;
  char *result;
  int64_t i;
  int length;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  element = ann_operand_type(out, "ann_json", argc > 1 ? argv[1] : NULL);
  if (!element || ann_operand_read(out, "ann_json", argv[0], element, &x) != ANN_OK) return;
  text = sqlite3_str_new(sqlite3_context_db_handle(out));
  for (i = 0; i < x.space.dimensions; i++) {
    sqlite3_str_appendchar(text, 1, i ? ',' : '[');
    ann_value_append(text, element, element->at(x.vector, i));
  }
  sqlite3_str_appendchar(text, 1, ']');
  length = sqlite3_str_length(text);
  result = sqlite3_str_finish(text);
  if (result) sqlite3_result_text(out, result, length, sqlite3_free);
  else sqlite3_result_error_nomem(out);
  ann_operand_clear(&x);
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
    {"ann_distance", 2, distance}, {"ann_distance", 3, distance}, {"ann_distance", 4, distance},
    {"ann_vector", 1, vector},     {"ann_vector", 2, vector},     {"ann_json", 1, json},
    {"ann_json", 2, json},         {"ann_version", 0, version},
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
