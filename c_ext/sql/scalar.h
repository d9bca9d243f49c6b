/* scalar.h -- the scalar functions: ann_distance, ann_vector, ann_json, ann_version. */
#ifndef ANN_SQL_SCALAR_H
#define ANN_SQL_SCALAR_H

#include "index/api.h"

int ann_scalar_register(sqlite3 *db);

#endif
