/* join_vtab.h -- the table functions ann_join and ann_graph. */
#ifndef ANN_SQL_JOIN_VTAB_H
#define ANN_SQL_JOIN_VTAB_H

#include "sql/context.h"

int ann_join_vtab_register(sqlite3 *db, AnnContext *context);

#endif
