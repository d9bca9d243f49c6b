/* many_vtab.h -- the table function ann_search_many. */
#ifndef ANN_SQL_MANY_VTAB_H
#define ANN_SQL_MANY_VTAB_H

#include "sql/context.h"

int ann_many_vtab_register(sqlite3 *db, AnnContext *context);

#endif
