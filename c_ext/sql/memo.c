/* memo.c -- see memo.h. */
#include "sql/memo.h"

/* The statements that are running, ours being at rest: the same in all of one run. */
static uint64_t running(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  uint64_t sum = 0;
  while ((stmt = sqlite3_next_stmt(db, stmt)) != NULL) {
    if (!sqlite3_stmt_busy(stmt)) continue;
    sum += ((uint64_t)(uintptr_t)stmt ^
            (uint64_t)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_RUN, 0)) *
           0x9E3779B97F4A7C15u;
  }
  return sum;
}

/* All of a stamp but the statements, which are looked at before anything is read. */
static void stamp_state(AnnStamp *stamp, const AnnTable *table) {
  (void)ann_db_data_version(table->store->db, &stamp->data_version);
  stamp->total_changes = sqlite3_total_changes(table->context->db);
  stamp->serial = table->serial;
  stamp->generation = table->context->generation;
}

static int same_stamp(const AnnStamp *a, const AnnStamp *b) {
  return a->serial == b->serial && a->statements == b->statements &&
         a->data_version == b->data_version && a->total_changes == b->total_changes &&
         a->generation == b->generation;
}

/* Take over what was asked now: it is asked again, or remembered instead. */
static void take(AnnMemo *memo, AnnTable *table, AnnStream *asked, const AnnStamp *stamp) {
  if (memo->stream && same_stamp(&memo->stamp, stamp) &&
      ann_stream_asks_same(memo->stream, asked)) {
    ann_stream_again(memo->stream, asked);
    ann_stream_free(asked);
    return;
  }
  ann_stream_end(memo->stream, table);
  memo->stream = asked;
  memo->stamp = *stamp;
}

int ann_memo_ask(AnnMemo *memo, AnnTable *table, const AnnForm *form, int bits,
                 sqlite3_value **argv, char **out_message) {
  AnnStream *asked = NULL; /* owned until it is taken */
  AnnStamp stamp = {.statements = running(table->context->db)};
  int rc = ann_store_begin(table->store);
  rc = ann_context_report(table->store, rc, out_message);
  if (rc == ANN_OK) rc = ann_stream_new(table, form, bits, argv, &asked, out_message);
  if (rc == ANN_OK) {
    stamp_state(&stamp, table);
    take(memo, table, asked, &stamp);
    asked = NULL;
    rc = ann_stream_start(memo->stream, table, out_message);
  }
  ann_store_end(table->store);
  ann_stream_free(asked);
  if (rc != ANN_OK) ann_memo_clear(memo);
  return rc;
}

void ann_memo_move(AnnMemo *from, AnnMemo *to) {
  ann_memo_clear(to);
  *to = *from;
  from->stream = NULL;
}

void ann_memo_clear(AnnMemo *memo) {
  ann_stream_free(memo->stream);
  memo->stream = NULL;
}
