/* arithmetic.c -- see arithmetic.h.
**
** Vectors are of float32 unless a type is said.  Each component is computed in double and rounded
** once.  NULL for a vector gives NULL.
*/
#include "sql/arithmetic.h"

#include <math.h>

#include "core/quantize.h"
#include "sql/operand.h"
#include "sql/value.h"

static int is_null(sqlite3_value *value) { return sqlite3_value_type(value) == SQLITE_NULL; }

/* The argument, if it was given. */
static sqlite3_value *optional(int argc, sqlite3_value **argv, int i) {
  return i < argc ? argv[i] : NULL;
}

/* ---- of one vector ---- */

/* ann_length(v [, type]): the number of components. */
static void length(sqlite3_context *out, int argc, sqlite3_value **argv) {
  const AnnElement *element;
  AnnOperand v;
  if (is_null(argv[0])) return;
  element = ann_operand_type(out, "ann_length", optional(argc, argv, 1));
  if (!element || ann_operand_read(out, "ann_length", argv[0], element, &v) != ANN_OK) return;
  sqlite3_result_int64(out, v.space.dimensions);
  ann_operand_clear(&v);
}

/* The components over the length, which may be beyond a float; of zeros zeros. */
static void divide_by_length(const AnnOperand *v, float *out_x) {
  int64_t n = v->space.dimensions, i;
  double sum = 0;
  for (i = 0; i < n; i++) {
    double x = (double)v->space.element->at(v->vector, i);
    sum += x * x;
  }
  for (i = 0; i < n; i++) {
    double x = (double)v->space.element->at(v->vector, i);
    out_x[i] = (float)(sum > 0 ? x / sqrt(sum) : 0);
  }
}

/* ann_normalize(v [, type]): of length 1. */
static void normalize(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  const AnnElement *element;
  float *x;
  AnnOperand v;
  if (is_null(argv[0])) return;
  element = ann_operand_type(out, "ann_normalize", optional(argc, argv, 1));
  if (!element) return;
  if (!ann_quantize_takes_fractions(element)) {
    sqlite3_snprintf(sizeof message, message, "expected a type that has fractions, got %s",
                     element->named.name);
    ann_operand_fail(out, "ann_normalize", message, ANN_ERROR);
    return;
  }
  if (ann_operand_read(out, "ann_normalize", argv[0], element, &v) != ANN_OK) return;
  x = ann_alloc_array((uint64_t)v.space.dimensions, sizeof *x);
  if (!x) {
    sqlite3_result_error_nomem(out);
  } else {
    divide_by_length(&v, x);
    (void)ann_quantize(element, x, v.space.dimensions, 0, v.vector, message);
    ann_operand_result(out, element, v.vector, v.space.dimensions);
  }
  ann_free(x);
  ann_operand_clear(&v);
}

/* ann_scale(v, factor) */
static void scale(sqlite3_context *out, int argc, sqlite3_value **argv) {
  double factor = 0;
  float *x;
  int64_t i;
  AnnOperand v;
  (void)argc;
  if (is_null(argv[0])) return;
  if (!ann_value_number(argv[1], &factor) || !isfinite(factor)) {
    ann_operand_fail(out, "ann_scale", "expected factor to be a finite number", ANN_ERROR);
    return;
  }
  if (ann_operand_read(out, "ann_scale", argv[0], ann_element_default(), &v) != ANN_OK) return;
  x = v.vector;
  for (i = 0; i < v.space.dimensions; i++) x[i] = (float)((double)x[i] * factor);
  ann_operand_result_floats(out, "ann_scale", x, v.space.dimensions);
  ann_operand_clear(&v);
}

/* ann_slice(v, start, end [, type]): the components from start, counted from 0, to end - 1. */
static void slice(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  const AnnElement *element;
  int64_t start = -1, end = -1;
  AnnOperand v;
  void *part = NULL; /* owned */
  if (is_null(argv[0])) return;
  element = ann_operand_type(out, "ann_slice", optional(argc, argv, 3));
  if (!element || ann_operand_read(out, "ann_slice", argv[0], element, &v) != ANN_OK) return;
  if (!ann_value_integer(argv[1], &start) || !ann_value_integer(argv[2], &end) || start < 0 ||
      end <= start || end > v.space.dimensions) {
    const char *first = (const char *)sqlite3_value_text(argv[1]);
    const char *last = (const char *)sqlite3_value_text(argv[2]);
    sqlite3_snprintf(sizeof message, message,
                     "expected 0 <= start < end <= %lld, got start %.24s and end %.24s",
                     (long long)v.space.dimensions, first ? first : "NULL",
                     last ? last : "NULL");
    ann_operand_fail(out, "ann_slice", message, ANN_ERROR);
  } else if (!(part = ann_alloc((uint64_t)v.space.blob_size))) {
    sqlite3_result_error_nomem(out);
  } else {
    ann_slice(element, v.vector, start, end, part);
    ann_operand_result(out, element, part, end - start);
  }
  ann_free(part);
  ann_operand_clear(&v);
}

/* The third argument of ann_quantize; 0 without one. */
static int read_scale(sqlite3_context *out, const AnnElement *element, sqlite3_value *value,
                      double *out_scale) {
  char message[ANN_VECTOR_MESSAGE];
  *out_scale = 0;
  if (!value || is_null(value)) return ANN_OK;
  if (!ann_quantize_takes_scale(element)) {
    sqlite3_snprintf(sizeof message, message, "expected no scale for %s", element->named.name);
  } else if (ann_value_number(value, out_scale) && *out_scale > 0 && isfinite(*out_scale)) {
    return ANN_OK;
  } else {
    sqlite3_snprintf(sizeof message, message, "expected scale to be a number above 0");
  }
  ann_operand_fail(out, "ann_quantize", message, ANN_ERROR);
  return ANN_ERROR;
}

/* ann_quantize(v, type [, scale]): the nearest vector of the type to one of float32. */
static void quantize(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char message[ANN_VECTOR_MESSAGE];
  const AnnElement *element;
  double by = 0;
  AnnOperand v;
  void *x = NULL; /* owned */
  int rc;
  if (is_null(argv[0])) return;
  element = ann_operand_type(out, "ann_quantize", argv[1]);
  if (!element || read_scale(out, element, optional(argc, argv, 2), &by) != ANN_OK ||
      ann_operand_read(out, "ann_quantize", argv[0], ann_element_default(), &v) != ANN_OK) {
    return;
  }
  x = ann_alloc((uint64_t)ann_element_size(element, v.space.dimensions));
  rc = x ? ann_quantize(element, v.vector, v.space.dimensions, by, x, message) : ANN_NOMEM;
  if (rc == ANN_OK) ann_operand_result(out, element, x, v.space.dimensions);
  else ann_operand_fail(out, "ann_quantize", message, rc);
  ann_free(x);
  ann_operand_clear(&v);
}

/* ---- of two ---- */

static void combine(sqlite3_context *out, const char *function, sqlite3_value **argv,
                    double factor) {
  AnnOperand a, b;
  float *x, *y;
  int64_t i;
  if (is_null(argv[0]) || is_null(argv[1])) return;
  if (ann_operand_read(out, function, argv[0], ann_element_default(), &a) != ANN_OK) return;
  if (ann_operand_read_like(out, function, argv[1], &a, &b) == ANN_OK) {
    x = a.vector;
    y = b.vector;
    for (i = 0; i < a.space.dimensions; i++)
      x[i] = (float)((double)x[i] + factor * (double)y[i]);
    ann_operand_result_floats(out, function, x, a.space.dimensions);
    ann_operand_clear(&b);
  }
  ann_operand_clear(&a);
}

/* ann_add(a, b) */
static void add(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  combine(out, "ann_add", argv, 1);
}

/* ann_sub(a, b) */
static void sub(sqlite3_context *out, int argc, sqlite3_value **argv) {
  (void)argc;
  combine(out, "ann_sub", argv, -1);
}

/* ---- of many ---- */

typedef struct Sum {
  double *sums;   /* owned: NULL before the first vector */
  AnnSpace space; /* of the vectors */
  double weights; /* sum of them */
  int failed;     /* what is wrong is said */
} Sum;

static void clear_sum(Sum *sum) {
  ann_free(sum->sums);
  sum->sums = NULL;
}

/* The second argument; 1 without one. */
static int read_weight(sqlite3_context *out, const char *function, sqlite3_value *value,
                       double *out_weight) {
  *out_weight = 1;
  if (!value) return ANN_OK;
  if (ann_value_number(value, out_weight) && *out_weight > 0 && isfinite(*out_weight)) {
    return ANN_OK;
  }
  ann_operand_fail(out, function, "expected weight to be a number above 0", ANN_ERROR);
  return ANN_ERROR;
}

/* Like the first of them. */
static int read_next(sqlite3_context *out, const char *function, sqlite3_value *value, Sum *sum,
                     AnnOperand *v) {
  AnnOperand first = {sum->space, NULL};
  int rc;
  if (sum->sums) return ann_operand_read_like(out, function, value, &first, v);
  rc = ann_operand_read(out, function, value, ann_element_default(), v);
  if (rc != ANN_OK) return rc;
  sum->space = v->space;
  sum->sums = ann_alloc_zero((uint64_t)v->space.dimensions, sizeof *sum->sums);
  if (sum->sums) return ANN_OK;
  ann_operand_clear(v);
  sqlite3_result_error_nomem(out);
  return ANN_NOMEM;
}

static void step(sqlite3_context *out, const char *function, int argc, sqlite3_value **argv) {
  Sum *sum = sqlite3_aggregate_context(out, sizeof *sum);
  double weight;
  AnnOperand v;
  int64_t i;
  if (!sum) {
    sqlite3_result_error_nomem(out);
    return;
  }
  if (sum->failed || is_null(argv[0])) return;
  sum->failed = read_weight(out, function, optional(argc, argv, 1), &weight) != ANN_OK ||
                read_next(out, function, argv[0], sum, &v) != ANN_OK;
  if (sum->failed) return;
  for (i = 0; i < sum->space.dimensions; i++) {
    sum->sums[i] += weight * (double)((const float *)v.vector)[i];
  }
  sum->weights += weight;
  ann_operand_clear(&v);
}

/* The sums over a number; NULL when there was no vector. */
static void finish(sqlite3_context *out, const char *function, int is_mean) {
  Sum *sum = sqlite3_aggregate_context(out, 0);
  float *x;
  int64_t i;
  if (!sum || !sum->sums) return;
  x = sum->failed ? NULL : ann_alloc_array((uint64_t)sum->space.dimensions, sizeof *x);
  if (x) {
    double by = is_mean ? sum->weights : 1;
    for (i = 0; i < sum->space.dimensions; i++) x[i] = (float)(sum->sums[i] / by);
    ann_operand_result_floats(out, function, x, sum->space.dimensions);
  } else if (!sum->failed) {
    sqlite3_result_error_nomem(out);
  }
  ann_free(x);
  clear_sum(sum);
}

/* ann_mean(v [, weight]) */
static void mean_step(sqlite3_context *out, int argc, sqlite3_value **argv) {
  step(out, "ann_mean", argc, argv);
}

static void mean_finish(sqlite3_context *out) { finish(out, "ann_mean", 1); }

/* ann_sum(v [, weight]) */
static void sum_step(sqlite3_context *out, int argc, sqlite3_value **argv) {
  step(out, "ann_sum", argc, argv);
}

static void sum_finish(sqlite3_context *out) { finish(out, "ann_sum", 0); }

int ann_arithmetic_register(sqlite3 *db) {
  static const struct {
    const char *name;
    int fewest, most; /* arguments */
    void (*function)(sqlite3_context *, int, sqlite3_value **);
    void (*step)(sqlite3_context *, int, sqlite3_value **);
    void (*finish)(sqlite3_context *);
  } functions[] = {
    {"ann_length", 1, 2, length, NULL, NULL},
    {"ann_normalize", 1, 2, normalize, NULL, NULL},
    {"ann_scale", 2, 2, scale, NULL, NULL},
    {"ann_slice", 3, 4, slice, NULL, NULL},
    {"ann_quantize", 2, 3, quantize, NULL, NULL},
    {"ann_add", 2, 2, add, NULL, NULL},
    {"ann_sub", 2, 2, sub, NULL, NULL},
    {"ann_mean", 1, 2, NULL, mean_step, mean_finish},
    {"ann_sum", 1, 2, NULL, sum_step, sum_finish},
  };
  int rc = ANN_OK, n;
  size_t i;
  for (i = 0; i < sizeof functions / sizeof *functions; i++) {
    for (n = functions[i].fewest; n <= functions[i].most && rc == ANN_OK; n++) {
      rc = sqlite3_create_function(
          db, functions[i].name, n, SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
          functions[i].function, functions[i].step, functions[i].finish);
    }
  }
  return rc;
}
