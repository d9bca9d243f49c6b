/* transaction.c -- see transaction.h. */
#include "sql/transaction.h"

#include "index/config.h"
#include "sql/table.h"

/* When SQLite has replaced the virtual table in the middle of a transaction, the new one begins
** again what the old one began. */
int ann_transaction_begin(sqlite3_vtab *vtab) {
  AnnTable *table = ann_table_of(vtab);
  ANN_KEEP_ORDER(vtab, ANN_ORDER_BEGIN, 0);
  if (ann_store_is_writing(table->store)) return ANN_OK;
  ann_store_write_begins(table->store);
  table->streak = table->due = 0;
  table->changes_seen = -1;
  return ANN_OK;
}

/* Under PRAGMA query_only nothing can be written, and `refusal` is the answer: for a COMMIT,
** SQLITE_BUSY, after which alone SQLite leaves the transaction open.  Where it cannot be asked,
** writing will tell. */
static int check_writable(AnnDb *db, int refusal) {
  if (ann_db_check_writable(db, "committed") == SQLITE_READONLY) return refusal;
  ann_db_unsay(db);
  return ANN_OK;
}

/* Write what is in memory; last_insert_rowid() stays the user's. */
static int flush(sqlite3_vtab *vtab, int refusal) {
  AnnTable *table = ann_table_of(vtab);
  AnnStore *store = table->store;
  sqlite3 *db = ann_db_handle(store->db);
  sqlite3_int64 last = sqlite3_last_insert_rowid(db);
  int rc = ANN_OK;
  /* What a statement of our own opens and ends within another is nothing to write. */
  if (ann_store_is_busy(store)) return ANN_OK;
  if (ann_table_is_clean(table)) return ANN_OK;
  if (!ann_context_is_present(table)) {
    ann_store_drop(store);
  } else {
    if (!ann_store_is_poisoned(store) && !ann_store_is_clean(store)) {
      rc = check_writable(store->db, refusal);
    }
    if (rc == ANN_OK) rc = ann_table_flush(table);
  }
  sqlite3_set_last_insert_rowid(db, last);
  return ann_context_report(store, rc, &vtab->zErrMsg);
}

/* The table is there for good. */
static int unmark(sqlite3_vtab *vtab) {
  AnnTable *table = ann_table_of(vtab);
  AnnDb *db = table->store->db;
  sqlite3_int64 last = sqlite3_last_insert_rowid(ann_db_handle(db));
  int rc = check_writable(db, SQLITE_BUSY);
  if (rc == ANN_OK) rc = ann_config_unmark(db);
  sqlite3_set_last_insert_rowid(ann_db_handle(db), last);
  return ann_context_report(table->store, rc, &vtab->zErrMsg);
}

int ann_transaction_sync(sqlite3_vtab *vtab) {
  AnnTable *table = ann_table_of(vtab);
  int rc;
  ANN_KEEP_ORDER(vtab, ANN_ORDER_SYNC, 0);
  rc = flush(vtab, SQLITE_BUSY);
  if (rc == ANN_OK && table->created && ann_context_is_present(table)) rc = unmark(vtab);
  if (rc != ANN_OK) return rc;
  table->created = 0;
  ANN_KEEP_ORDER(vtab, ANN_ORDER_SYNCED, 0);
  return ANN_OK;
}

int ann_transaction_commit(sqlite3_vtab *vtab) {
  AnnTable *table = ann_table_of(vtab);
  ANN_KEEP_ORDER(vtab, ANN_ORDER_COMMIT, 0);
  if (!ann_store_is_writing(table->store)) return ANN_OK;
  table->created = 0;
  table->context->generation++;
  ann_store_committed(table->store);
  return ANN_OK;
}

int ann_transaction_rollback(sqlite3_vtab *vtab) {
  AnnTable *table = ann_table_of(vtab);
  ANN_KEEP_ORDER(vtab, ANN_ORDER_ROLLBACK, 0);
  table->created = 0;
  table->context->generation++;
  ann_store_rolled_back(table->store);
  return ANN_OK;
}

/* Once a write has failed half-way there is nothing to write, and SQLite would drop the sentence
** that says so: the write that opens this savepoint will say it. */
int ann_transaction_savepoint(sqlite3_vtab *vtab, int n) {
  AnnStore *store = ann_table_of(vtab)->store;
  int rc;
  ANN_KEEP_ORDER(vtab, ANN_ORDER_SAVEPOINT, n);
  rc = ann_store_is_poisoned(store) ? ANN_OK : flush(vtab, SQLITE_READONLY);
  ann_store_savepoint_opened(store, n);
  return rc;
}

int ann_transaction_release(sqlite3_vtab *vtab, int n) {
  AnnStore *store = ann_table_of(vtab)->store;
  ANN_KEEP_ORDER(vtab, ANN_ORDER_RELEASE, n);
  ann_store_savepoint_released(store, n);
  return ann_store_is_poisoned(store) ? ANN_OK : flush(vtab, SQLITE_READONLY);
}

int ann_transaction_rollback_to(sqlite3_vtab *vtab, int n) {
  AnnTable *table = ann_table_of(vtab);
  ANN_KEEP_ORDER(vtab, ANN_ORDER_ROLLBACK_TO, n);
  if (ann_store_is_busy(table->store)) return ANN_OK;
  ann_store_rolled_back_to(table->store, n);
  table->changes_seen = -1;
  table->context->generation++;
  return ANN_OK;
}
