/* transaction.h -- a table's part in SQLite's transactions: methods of the module `ann`.
**
** What is changed in memory is written when the outermost statement or the transaction ends,
** and before a savepoint is opened or released, so that SQLite can undo it.  A write that
** failed half-way poisons the table until a savepoint from before it, or everything, is rolled
** back.
*/
#ifndef ANN_SQL_TRANSACTION_H
#define ANN_SQL_TRANSACTION_H

#include "sql/context.h"

int ann_transaction_begin(sqlite3_vtab *vtab);
int ann_transaction_sync(sqlite3_vtab *vtab);
int ann_transaction_commit(sqlite3_vtab *vtab);
int ann_transaction_rollback(sqlite3_vtab *vtab);
int ann_transaction_savepoint(sqlite3_vtab *vtab, int n);
int ann_transaction_release(sqlite3_vtab *vtab, int n);
int ann_transaction_rollback_to(sqlite3_vtab *vtab, int n);

#endif
