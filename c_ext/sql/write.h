/* write.h -- INSERT, UPDATE and DELETE as SQLite hands them over: rows, and commands among
** them. */
#ifndef ANN_SQL_WRITE_H
#define ANN_SQL_WRITE_H

#include "index/api.h"

/* xUpdate of sqlite3_module. */
int ann_write(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *out_rowid);

#endif
