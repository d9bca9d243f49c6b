/* arithmetic.h -- functions that make a vector of others: ann_normalize, ann_add, ann_sub,
** ann_scale, ann_slice, ann_quantize, ann_length, and the aggregates ann_mean and ann_sum. */
#ifndef ANN_SQL_ARITHMETIC_H
#define ANN_SQL_ARITHMETIC_H

#include "index/api.h"

int ann_arithmetic_register(sqlite3 *db);

#endif
