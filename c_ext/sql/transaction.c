/* transaction.c -- see transaction.h. */
#include "sql/transaction.h"

#include <limits.h>

#include "index/config.h"
#include "sql/table.h"

static AnnTable *table_of(const sqlite3_vtab *vtab) { return ((const AnnVtab *)vtab)->table; }

/* When SQLite has replaced the virtual table in the middle of a transaction, the new one begins
** again what the old one began. */
int ann_transaction_begin(sqlite3_vtab *vtab) {
  AnnTable *table = table_of(vtab);
  if (table->store->in_write) return ANN_OK;
  table->store->loaded = 0;                  /* look again what the database says */
  table->store->in_write = 1;
  table->streak = table->due = 0;
  table->changes_seen = -1;
  return ANN_OK;
}

/* Settle what is in memory; last_insert_rowid() stays the user's. */
static int settle(sqlite3_vtab *vtab) {
  AnnTable *table = table_of(vtab);
  sqlite3 *db = ann_db_handle(table->store->db);
  sqlite3_int64 last = sqlite3_last_insert_rowid(db);
  int rc = ANN_OK;
  /* What a statement of our own opens and ends within another is nothing to settle. */
  if (table->store->depth > 0) return ANN_OK;
  if (ann_table_is_settled(table)) return ANN_OK;
  if (ann_context_is_present(table)) rc = ann_table_settle(table);
  else ann_store_drop(table->store);
  sqlite3_set_last_insert_rowid(db, last);
  return ann_context_report(table->store, rc, &vtab->zErrMsg);
}

int ann_transaction_sync(sqlite3_vtab *vtab) {
  AnnTable *table = table_of(vtab);
  int rc = settle(vtab);
  if (rc == ANN_OK && table->created && ann_context_is_present(table)) {
    sqlite3_int64 last = sqlite3_last_insert_rowid(ann_db_handle(table->store->db));
    rc = ann_config_unmark(table->store);
    sqlite3_set_last_insert_rowid(ann_db_handle(table->store->db), last);
  }
  if (rc == ANN_OK) table->created = 0;
  return rc;
}

static void end_transaction(AnnTable *table) {
  table->store->in_write = table->created = 0;
  table->store->poisoned = 0;
  table->late_savepoint = INT_MAX;
  table->context->generation++;
}

int ann_transaction_commit(sqlite3_vtab *vtab) {
  AnnTable *table = table_of(vtab);
  if (!table->store->in_write) return ANN_OK;
  end_transaction(table);
  ann_store_committed(table->store);
  return ANN_OK;
}

int ann_transaction_rollback(sqlite3_vtab *vtab) {
  AnnTable *table = table_of(vtab);
  end_transaction(table);
  ann_store_forget(table->store);
  return ANN_OK;
}

/* Once a write has failed half-way there is nothing to settle, and SQLite would drop the sentence
** that says so: the write that opens this savepoint will say it.  When it is the settling that
** fails, SQLite rolls back to the savepoint that was to be opened: that one heals nothing. */
int ann_transaction_savepoint(sqlite3_vtab *vtab, int n) {
  AnnTable *table = table_of(vtab);
  int rc = table->store->poisoned ? ANN_OK : settle(vtab);
  if (table->store->poisoned && n < table->late_savepoint) table->late_savepoint = n;
  return rc;
}

int ann_transaction_release(sqlite3_vtab *vtab, int n) {
  AnnTable *table = table_of(vtab);
  if (table->store->depth == 0 && n <= table->late_savepoint) table->late_savepoint = INT_MAX;
  return table->store->poisoned ? ANN_OK : settle(vtab);
}

int ann_transaction_rollback_to(sqlite3_vtab *vtab, int n) {
  AnnTable *table = table_of(vtab);
  /* A statement of our own failed, and its savepoint with it: whoever ran it sees to that. */
  if (table->store->depth > 0) return ANN_OK;
  ann_store_drop(table->store);
  /* Also where a rebuild had healed it in between: that is undone. */
  table->store->poisoned = n >= table->late_savepoint;
  if (!table->store->poisoned) table->late_savepoint = INT_MAX;
  table->changes_seen = -1;
  table->context->generation++;
  return ANN_OK;
}
