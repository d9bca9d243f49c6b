/* vtab.h -- the module `ann`: the vector table as SQLite sees it. */
#ifndef ANN_SQL_VTAB_H
#define ANN_SQL_VTAB_H

#include "sql/context.h"

int ann_vtab_register(sqlite3 *db, AnnContext *context);

#endif
