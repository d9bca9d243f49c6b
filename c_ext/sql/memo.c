/* memo.c -- see memo.h. */
#include "sql/memo.h"

#define MOST_RESTED ((int64_t)1 << 20) /* bytes; a choice */

/* A BLOB that somebody has open is a statement, too, and has no text. */
static int is_ours(sqlite3_stmt *stmt) {
  const char *sql = sqlite3_sql(stmt);
  return sql && strncmp(sql, ANN_SCAN_MARK, sizeof ANN_SCAN_MARK - 1) == 0;
}

/* The statements that are running, but for ours: the same in all of one run. */
static uint64_t running(sqlite3 *db) {
  sqlite3_stmt *stmt = NULL;
  uint64_t sum = 0;
  while ((stmt = sqlite3_next_stmt(db, stmt)) != NULL) {
    if (!sqlite3_stmt_busy(stmt) || is_ours(stmt)) continue;
    sum += ((uint64_t)(uintptr_t)stmt ^
            (uint64_t)sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_RUN, 0)) *
           0x9E3779B97F4A7C15u;
  }
  return sum;
}

/* All of a stamp but the statements, which are looked at before anything is read.  Where this
** connection writes, an ordinary table may become another from row to row, and by a rollback the
** one that it was, which nothing tells: such a stamp is like none before it, and none after it. */
static void stamp_state(AnnStamp *stamp, const AnnTable *table) {
  AnnContext *context = table->context;
  int is_alone = table->store->content && ann_db_is_in_write(table->store->db);
  (void)ann_db_data_version(table->store->db, &stamp->data_version);
  stamp->total_changes = sqlite3_total_changes(context->db);
  stamp->serial = table->serial;
  context->generation += is_alone;
  stamp->generation = context->generation;
  context->generation += is_alone;
}

static int same_stamp(const AnnStamp *a, const AnnStamp *b) {
  return a->serial == b->serial && a->statements == b->statements &&
         a->data_version == b->data_version && a->total_changes == b->total_changes &&
         a->generation == b->generation;
}

/* Does a memo have what is asked now? */
static int has(const AnnMemo *memo, const AnnStream *asked, const AnnStamp *stamp) {
  return memo->stream && same_stamp(&memo->stamp, stamp) &&
         ann_stream_asks_same(memo->stream, asked);
}

/* ---- results that no cursor has ---- */

static void drop(AnnAnswers *answers, int i) {
  answers->bytes -= ann_stream_bytes(answers->rested[i].stream);
  memmove(answers->rested + i, answers->rested + i + 1,
          (size_t)(answers->n_rested - i - 1) * sizeof *answers->rested);
  answers->n_rested--;
}

static void drop_oldest(AnnAnswers *answers) {
  AnnStream *oldest = answers->rested[0].stream;
  drop(answers, 0);
  ann_stream_free(oldest);
}

/* Put a memo's result among them.  What was asked in another run, or before a change, goes: it
** will not be asked for.  `table`: takes back what the search lent of it, if it is its own. */
static void rest(AnnMemo *memo, AnnTable *table) {
  AnnAnswers *answers = memo->answers;
  AnnStream *stream = memo->stream;
  int64_t bytes;
  memo->stream = NULL;
  if (!stream) return;
  ann_stream_rest(stream, table);
  bytes = ann_stream_bytes(stream);
  if (bytes > MOST_RESTED) {
    ann_stream_free(stream);
    return;
  }
  while (answers->n_rested > 0 &&
         (answers->n_rested == ANN_MEMO_RESTED || answers->bytes + bytes > MOST_RESTED ||
          !same_stamp(&answers->rested[0].stamp, &memo->stamp))) {
    drop_oldest(answers);
  }
  answers->rested[answers->n_rested].stream = stream;
  answers->rested[answers->n_rested++].stamp = memo->stamp;
  answers->bytes += bytes;
}

static AnnStream *find_rested(AnnAnswers *answers, const AnnStream *asked,
                              const AnnStamp *stamp) {
  AnnStream *stream;
  int i = answers->n_rested - 1;
  while (i >= 0 && !has(&answers->rested[i], asked, stamp)) i--;
  if (i < 0) return NULL;
  stream = answers->rested[i].stream;
  drop(answers, i);
  return stream;
}

/* ---- questions ---- */

/* Another cursor that reads the same. */
static const AnnMemo *find_open(const AnnMemo *memo, const AnnStream *asked) {
  const AnnMemo *other = memo->answers->open;
  while (other && (other == memo || !has(other, asked, &memo->stamp))) other = other->next;
  return other;
}

/* Put what is asked into the memo, or a result that there is.  Takes over `asked`. */
static int take(AnnMemo *memo, AnnTable *table, AnnStream *asked, const AnnStamp *stamp) {
  const AnnMemo *other;
  if (!has(memo, asked, stamp)) {
    AnnStream *rested = find_rested(memo->answers, asked, stamp);
    rest(memo, table);
    memo->stamp = *stamp;
    memo->stream = rested;
  }
  if (memo->stream) {
    ann_stream_again(memo->stream, asked);
    ann_stream_free(asked);
    return ANN_OK;
  }
  memo->stream = asked;
  other = find_open(memo, asked);
  return other ? ann_stream_copy(other->stream, asked) : ANN_OK;
}

static void open_memo(AnnMemo *memo, AnnAnswers *answers) {
  if (memo->answers) return;
  memo->answers = answers;
  memo->next = answers->open;
  answers->open = memo;
}

int ann_memo_ask(AnnMemo *memo, AnnAnswers *answers, AnnTable *table, const AnnForm *form,
                 int bits, sqlite3_value **argv, char **out_message) {
  AnnStream *asked = NULL; /* owned until it is taken */
  AnnStamp stamp = {.statements = running(table->context->db)};
  int rc = ann_store_begin(table->store);
  open_memo(memo, answers);
  rc = ann_context_report(table->store, rc, out_message);
  if (rc == ANN_OK) rc = ann_stream_new(table, form, bits, argv, &asked, out_message);
  if (rc == ANN_OK) {
    stamp_state(&stamp, table);
    rc = take(memo, table, asked, &stamp);
    asked = NULL;
  }
  if (rc == ANN_OK) rc = ann_stream_start(memo->stream, table, out_message);
  ann_store_end(table->store);
  ann_stream_free(asked);
  if (rc != ANN_OK) {
    ann_stream_free(memo->stream);
    memo->stream = NULL;
  }
  return rc;
}

void ann_memo_close(AnnMemo *memo) {
  AnnMemo **at;
  if (!memo->answers) return;
  at = &memo->answers->open;
  while (*at != memo) at = &(*at)->next;
  *at = memo->next;
  /* Before SQLite 3.41 a correlated subquery closes and opens its cursor every time. */
  rest(memo, NULL);
}

void ann_answers_clear(AnnAnswers *answers) {
  while (answers->n_rested > 0) drop_oldest(answers);
}
