/* operand.h -- the vectors that scalar functions are given, and give. */
#ifndef ANN_SQL_OPERAND_H
#define ANN_SQL_OPERAND_H

#include "core/space.h"
#include "index/api.h"

typedef struct AnnOperand {
  AnnSpace space;
  void *vector; /* owned; with room for a query */
} AnnOperand;

/* Failures are reported to SQLite, as "function: message". */
void ann_operand_fail(sqlite3_context *out, const char *function, const char *message, int rc);
/* The type that a value names, float32 when it is NULL or not given; NULL after a failure. */
const AnnElement *ann_operand_type(sqlite3_context *out, const char *function,
                                   sqlite3_value *name);
/* A vector of the type: ANN_OK, or a failure that is reported, with nothing owned. */
int ann_operand_read(sqlite3_context *out, const char *function, sqlite3_value *value,
                     const AnnElement *element, AnnOperand *operand);
/* One of as many components as another. */
int ann_operand_read_like(sqlite3_context *out, const char *function, sqlite3_value *value,
                          const AnnOperand *other, AnnOperand *operand);
void ann_operand_clear(AnnOperand *operand);

/* The blob of n components is the result. */
void ann_operand_result(sqlite3_context *out, const AnnElement *element, const void *vector,
                        int64_t n);
/* The same of floats, which may have become infinite. */
void ann_operand_result_floats(sqlite3_context *out, const char *function, const float *x,
                               int64_t n);

#endif
