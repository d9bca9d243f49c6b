/* write.c -- see write.h. */
#include "sql/write.h"

#include "sql/columns.h"
#include "sql/table.h"
#include "sql/value.h"

/* Hidden columns are for questions and commands; a command may have a k. */
static int refuse_hidden(sqlite3_vtab *vtab, sqlite3_value **columns, int is_command) {
  int k = ann_arguments_column(&ann_columns_form, ANN_ARG_K), i;
  for (i = 0; ann_columns_question(i); i++) {
    sqlite3_value *value = columns[ANN_COLUMN_DISTANCE + i];
    if (is_command && ANN_COLUMN_DISTANCE + i == k) continue;
    if (sqlite3_value_nochange(value) || sqlite3_value_type(value) == SQLITE_NULL) continue;
    vtab->zErrMsg =
        sqlite3_mprintf("ann table %s: expected no value for the hidden column %s, got %s",
                        ann_db_name(ann_table_of(vtab)->store->db), ann_columns_question(i),
                        ann_value_kind(value));
    return ANN_ERROR;
  }
  return ANN_OK;
}

/* The vectors of an index over an ordinary table are written there. */
static int refuse_row(sqlite3_vtab *vtab) {
  AnnStore *store = ann_table_of(vtab)->store;
  vtab->zErrMsg =
      sqlite3_mprintf("ann table %s: expected rows to be written to %s, whose vectors "
                      "it indexes",
                      ann_db_name(store->db), ann_content_table(store->content));
  return vtab->zErrMsg ? ANN_ERROR : ANN_NOMEM;
}

static int insert_row(sqlite3_vtab *vtab, sqlite3_value *rowid, sqlite3_value **columns,
                      sqlite3_int64 *out_rowid) {
  AnnTable *table = ann_table_of(vtab);
  int64_t id = 0;
  int is_command = sqlite3_value_type(columns[ANN_COLUMN_COMMAND]) != SQLITE_NULL;
  int rc = refuse_hidden(vtab, columns, is_command);
  if (rc != ANN_OK) return rc;
  if (is_command) {
    sqlite3_value *k = columns[ann_arguments_column(&ann_columns_form, ANN_ARG_K)];
    const char *text = (const char *)sqlite3_value_text(columns[ANN_COLUMN_COMMAND]);
    *out_rowid = sqlite3_last_insert_rowid(ann_db_handle(table->store->db));
    if (text && strcmp(text, "learn") == 0) {
      return ann_table_learn(table, columns[ANN_COLUMN_VECTOR]);
    }
    return ann_table_command(table, columns[ANN_COLUMN_COMMAND],
                             sqlite3_value_type(k) == SQLITE_NULL ? NULL : k);
  }
  if (table->store->content) return refuse_row(vtab);
  if (sqlite3_value_type(rowid) == SQLITE_NULL) {
    rc = ann_table_insert(table, NULL, columns[ANN_COLUMN_VECTOR], &id);
  } else if (ann_value_integer(rowid, &id)) {
    rc = ann_table_insert(table, &id, columns[ANN_COLUMN_VECTOR], &id);
  } else {
    vtab->zErrMsg = sqlite3_mprintf("ann table %s: expected rowid to be an integer, got %s",
                                    ann_db_name(table->store->db), ann_value_kind(rowid));
    return SQLITE_MISMATCH;
  }
  *out_rowid = id;
  return rc;
}

int ann_write(sqlite3_vtab *vtab, int argc, sqlite3_value **argv, sqlite3_int64 *out_rowid) {
  AnnTable *table = ann_table_of(vtab);
  sqlite3 *db = ann_db_handle(table->store->db);
  sqlite3_int64 last = sqlite3_last_insert_rowid(db);
  int64_t id, new_id;
  int rc;
  ANN_KEEP_ORDER(vtab, ANN_ORDER_UPDATE, 0);
  if (table->store->content && (argc == 1 || sqlite3_value_type(argv[0]) != SQLITE_NULL)) {
    return refuse_row(vtab);
  }
  if (argc == 1) {
    rc = ann_table_delete(table, sqlite3_value_int64(argv[0]));
  } else if (sqlite3_value_type(argv[0]) == SQLITE_NULL) {
    rc = insert_row(vtab, argv[1], argv + 2, out_rowid);
  } else {
    sqlite3_value *vector = argv[2 + ANN_COLUMN_VECTOR];
    id = sqlite3_value_int64(argv[0]);
    rc = refuse_hidden(vtab, argv + 2, 0);
    if (rc == ANN_OK && !ann_value_integer(argv[1], &new_id)) {
      vtab->zErrMsg = sqlite3_mprintf("ann table %s: expected rowid to be an integer, got %s",
                                      ann_db_name(table->store->db), ann_value_kind(argv[1]));
      rc = SQLITE_MISMATCH;
    }
    if (rc == ANN_OK) {
      rc = ann_table_update(table, id, new_id, sqlite3_value_nochange(vector) ? NULL : vector);
    }
  }
  sqlite3_set_last_insert_rowid(db, last);
  return ann_context_report(table->store, rc, &vtab->zErrMsg);
}
