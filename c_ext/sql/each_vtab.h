/* each_vtab.h -- the table function ann_each: the components of a vector. */
#ifndef ANN_SQL_EACH_VTAB_H
#define ANN_SQL_EACH_VTAB_H

#include "sql/context.h"

int ann_each_vtab_register(sqlite3 *db, AnnContext *context);

#endif
