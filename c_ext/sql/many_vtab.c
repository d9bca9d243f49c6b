/* many_vtab.c -- see many_vtab.h. */
#include "sql/many_vtab.h"

#include <math.h>

#include "core/bytes.h"
#include "core/grow.h"
#include "index/part.h"
#include "sql/pairs.h"
#include "sql/queries.h"
#include "sql/value.h"

enum { ARG_TABLE, ARG_QUERIES, ARG_K, ARG_RECALL, ARG_TYPE, ARG_THREADS, N_ARGUMENTS };
enum { COLUMN_ALL_IDS = ANN_PAIR_COLUMNS + N_ARGUMENTS, COLUMN_ALL_DISTANCES };

#define TABLES_OWN (-1) /* threads: as the table's option says */
#define QUERIES_PER_TICK 256

typedef struct Cursor {
  AnnPairs pairs;
  AnnHold hold; /* owned: of the table */
  int64_t k;
  double recall;
  int64_t threads;
  int64_t next, last; /* queries that are still to be searched for */
  AnnPart part;       /* owned */
  AnnTopk *tops; /* owned: the answers of now, or, where they are read at once, all so far */
  int64_t n_tops, allocated;
} Cursor;

static char **message_of(Cursor *cursor) { return &cursor->pairs.base.base.pVtab->zErrMsg; }

/* ---- answers ---- */

static void clear_tops(Cursor *cursor) {
  int64_t i;
  for (i = 0; i < cursor->n_tops; i++) ann_topk_clear(&cursor->tops[i]);
  cursor->n_tops = 0;
}

/* The answers of the part, in the place of those before or behind them. */
static int take_tops(Cursor *cursor) {
  AnnPart *part = &cursor->part;
  int rc;
  if (!cursor->pairs.base.reads_all) clear_tops(cursor);
  rc = ann_grow(&cursor->tops, cursor->n_tops, part->n, &cursor->allocated,
                sizeof *cursor->tops);
  if (rc != ANN_OK || part->n == 0) return rc;
  memcpy(cursor->tops + cursor->n_tops, part->tops, (size_t)part->n * sizeof *part->tops);
  cursor->n_tops += part->n;
  part->n = 0; /* what it had is ours */
  return ANN_OK;
}

/* The next queries, as many as the part has room for. */
static int read_queries(Cursor *cursor, AnnStore *store) {
  AnnFunctionCursor *base = &cursor->pairs.base;
  AnnPart *part = &cursor->part;
  AnnQueries queries;
  int rc = ann_queries_open(&queries, base->function->name, store, base->arguments[ARG_QUERIES],
                            base->arguments[ARG_TYPE], message_of(cursor));
  if (cursor->last > queries.n) cursor->last = queries.n;
  if (rc != ANN_OK || cursor->next >= cursor->last) return rc;
  rc = ann_part_begin(part, store, cursor->k, cursor->last - cursor->next, base->reads_all);
  if (rc == ANN_OK) rc = ann_queries_skip(&queries, cursor->next, message_of(cursor));
  while (rc == ANN_OK && part->n < part->most) {
    rc = ann_queries_next(&queries, part->queries + part->n * store->options.space.query_size,
                          message_of(cursor));
    if (rc == ANN_OK && ++part->n % QUERIES_PER_TICK == 0) rc = ann_db_tick(store->db);
  }
  return rc;
}

static int search_part(Cursor *cursor, AnnStore *store) {
  AnnAsked asked = {.k = cursor->k, .recall = cursor->recall};
  int64_t first = cursor->next;
  int rc = ann_store_begin(store);
  asked.threads = cursor->threads == TABLES_OWN ? store->options.threads : (int)cursor->threads;
  if (rc == ANN_OK) rc = read_queries(cursor, store);
  cursor->next += cursor->part.n;
  if (rc == ANN_OK) rc = ann_part_search(&cursor->part, store, asked);
  if (rc == ANN_OK) rc = take_tops(cursor);
  rc = ann_context_report(store, rc, message_of(cursor));
  ann_store_end(store);
  if (!cursor->pairs.base.reads_all) cursor->pairs.first = first;
  cursor->pairs.done = cursor->next >= cursor->last;
  return rc;
}

/* The next part, or all of them, in the table as it is now. */
static int more(AnnPairs *pairs) {
  Cursor *cursor = (Cursor *)pairs;
  AnnFunctionCursor *base = &pairs->base;
  AnnTable *table = NULL;
  int rc = ann_context_find(base->context, base->function->name, base->arguments[ARG_TABLE],
                            &cursor->hold, &table, message_of(cursor));
  do {
    if (rc == ANN_OK) rc = search_part(cursor, table->store);
  } while (rc == ANN_OK && base->reads_all && !pairs->done);
  pairs->n = rc == ANN_OK ? cursor->n_tops : 0;
  pairs->tops = cursor->tops;
  return rc;
}

/* ---- rows ---- */

/* NULL where an argument is not given. */
static sqlite3_value *value_of(sqlite3_value **values, int argument) {
  sqlite3_value *value = values[argument];
  return value && sqlite3_value_type(value) != SQLITE_NULL ? value : NULL;
}

static int fill(AnnFunctionCursor *base, sqlite3_value **values) {
  Cursor *cursor = (Cursor *)base;
  const char *name = base->function->name;
  sqlite3_value *threads = value_of(values, ARG_THREADS);
  char **message = message_of(cursor);
  int rc;
  cursor->k = ANN_DEFAULT_K;
  cursor->recall = ANN_DEFAULT_RECALL;
  cursor->threads = TABLES_OWN;
  cursor->next = 0;
  cursor->last = INT64_MAX;
  rc = ann_value_count(name, "k", value_of(values, ARG_K), &cursor->k, message);
  if (rc == ANN_OK) {
    rc = ann_value_recall(name, "recall", value_of(values, ARG_RECALL), &cursor->recall,
                          message);
  }
  if (rc == ANN_OK && threads) {
    rc = ann_value_whole(name, "threads", 0, ANN_MAX_THREADS, threads, &cursor->threads,
                         message);
  }
  if (rc != ANN_OK) return rc;
  cursor->pairs.more = more;
  cursor->pairs.done = 0;
  cursor->pairs.first = 0;
  if (values[ANN_KEY]) {
    int64_t key = -1;
    cursor->pairs.done = !ann_value_integer(values[ANN_KEY], &key) || key < 0;
    cursor->next = cursor->pairs.first = key;
    if (key < INT64_MAX) cursor->last = key + 1;
  }
  return ann_pairs_start(&cursor->pairs);
}

/* Ids or distances of all queries, as many for each as the one with the most has; where another has
** fewer, -1 and infinite. */
static void result_all(const Cursor *cursor, sqlite3_context *out, int is_distances) {
  int64_t width = 0, i, j;
  uint64_t missing = (uint64_t)(int64_t)-1;
  double infinite = INFINITY;
  uint8_t *blob, *at;
  for (i = 0; i < cursor->n_tops; i++) {
    if (width < cursor->tops[i].n) width = cursor->tops[i].n;
  }
  if (is_distances) memcpy(&missing, &infinite, sizeof missing);
  at = blob = ann_alloc_array((uint64_t)cursor->n_tops, (uint64_t)width * 8);
  if (!blob) {
    sqlite3_result_error_nomem(out);
    return;
  }
  for (i = 0; i < cursor->n_tops; i++) {
    const AnnTopk *top = &cursor->tops[i];
    for (j = 0; j < width; j++, at += 8) {
      uint64_t bits = j < top->n ? (uint64_t)top->items[j].id : missing;
      if (is_distances && j < top->n) memcpy(&bits, &top->items[j].key, sizeof bits);
      ann_put64(at, bits);
    }
  }
  sqlite3_result_blob64(out, blob, (uint64_t)(cursor->n_tops * width * 8), ann_free);
}

static void result(AnnFunctionCursor *base, sqlite3_context *out, int column) {
  if (column < ANN_PAIR_COLUMNS) ann_pairs_result(base, out, column);
  else result_all((Cursor *)base, out, column == COLUMN_ALL_DISTANCES);
}

static void clear(AnnFunctionCursor *base) {
  Cursor *cursor = (Cursor *)base;
  ann_part_clear(&cursor->part);
  clear_tops(cursor);
  ann_free(cursor->tops);
  cursor->tops = NULL;
  cursor->allocated = 0;
  ann_hold_clear(&cursor->hold);
}

/* ---- life ---- */

static const AnnFunctionKind kind = {
  .cursor_size = sizeof(Cursor),
  .safety = SQLITE_VTAB_INNOCUOUS,
  .expected_rows = 10000,
  .fill = fill,
  .result = result,
  .clear = clear,
  .step = ann_pairs_step,
  .is_in_order = ann_pairs_in_order,
};

static const AnnFunction function = {
  .kind = &kind,
  .name = "ann_search_many",
  .declaration = "CREATE TABLE x(query INTEGER, id INTEGER, distance REAL, rank INTEGER, "
                 "\"table\" HIDDEN, queries HIDDEN, k HIDDEN, recall HIDDEN, type HIDDEN, "
                 "threads HIDDEN, all_ids BLOB HIDDEN, all_distances BLOB HIDDEN)",
  .usage = "arguments (table, queries [, k [, recall]])",
  .n_columns = ANN_PAIR_COLUMNS,
  .n_arguments = N_ARGUMENTS,
  .n_needed = 2,
  .by_key = 1,
  .once = {"table", "queries", "k", "recall", "type", "threads"},
};

int ann_many_vtab_register(sqlite3 *db, AnnContext *context) {
  return ann_function_register(db, context, &function);
}
