/* operand.c -- see operand.h. */
#include "sql/operand.h"

#include "sql/value.h"

void ann_operand_fail(sqlite3_context *out, const char *function, const char *message, int rc) {
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

const AnnElement *ann_operand_type(sqlite3_context *out, const char *function,
                                   sqlite3_value *value) {
  char message[ANN_VECTOR_MESSAGE], names[ANN_NAMES];
  const AnnElement *element;
  const char *name;
  if (!value || sqlite3_value_type(value) == SQLITE_NULL) return ann_element_default();
  name = (const char *)sqlite3_value_text(value);
  element = name ? ann_element_named(name) : NULL;
  if (element) return element;
  sqlite3_snprintf(sizeof message, message, "expected type %s, got \"%.40s\"",
                   ann_element_names(names), name);
  ann_operand_fail(out, function, message, ANN_ERROR);
  return NULL;
}

int ann_operand_read(sqlite3_context *out, const char *function, sqlite3_value *value,
                     const AnnElement *element, AnnOperand *operand) {
  char message[ANN_VECTOR_MESSAGE];
  int rc;
  operand->vector = NULL;
  ann_space_init(&operand->space, element, ann_metric_default(element), 0);
  rc = ann_value_any_vector(value, &operand->space, &operand->vector, message);
  if (rc != ANN_OK) ann_operand_fail(out, function, message, rc);
  return rc;
}

int ann_operand_read_like(sqlite3_context *out, const char *function, sqlite3_value *value,
                          const AnnOperand *other, AnnOperand *operand) {
  char message[ANN_VECTOR_MESSAGE];
  int rc;
  operand->space = other->space;
  operand->vector = ann_alloc((uint64_t)operand->space.query_size);
  rc = operand->vector ? ann_value_vector(value, &operand->space, operand->vector, message)
                       : ANN_NOMEM;
  if (rc == ANN_OK) return rc;
  ann_operand_clear(operand);
  ann_operand_fail(out, function, message, rc);
  return rc;
}

void ann_operand_clear(AnnOperand *operand) {
  ann_free(operand->vector);
  operand->vector = NULL;
}

void ann_operand_result(sqlite3_context *out, const AnnElement *element, const void *vector,
                        int64_t n) {
  uint64_t size = (uint64_t)ann_element_size(element, n);
  void *blob = sqlite3_malloc64(size);
  if (!blob) {
    sqlite3_result_error_nomem(out);
    return;
  }
  ann_element_to_blob(element, vector, n, blob);
  sqlite3_result_blob64(out, blob, size, sqlite3_free);
}

void ann_operand_result_floats(sqlite3_context *out, const char *function, const float *x,
                               int64_t n) {
  char message[ANN_VECTOR_MESSAGE];
  const AnnElement *element = ann_element_default();
  if (element->check(x, n, message) == ANN_OK) ann_operand_result(out, element, x, n);
  else ann_operand_fail(out, function, message, ANN_ERROR);
}
