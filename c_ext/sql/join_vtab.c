/* join_vtab.c -- see join_vtab.h. */
#include "sql/join_vtab.h"

#include "core/query.h"
#include "index/join.h"
#include "sql/pairs.h"
#include "sql/value.h"

typedef struct Cursor {
  AnnPairs pairs;
  AnnHold holds[2]; /* owned: of the tables; of ann_graph the first alone */
  AnnJoin join;     /* owned */
} Cursor;

static const AnnFunction graph_function;

static const AnnFunction *function_of(const Cursor *cursor) {
  return cursor->pairs.base.function;
}

static int is_graph(const Cursor *cursor) { return function_of(cursor) == &graph_function; }

static char **message_of(Cursor *cursor) { return &cursor->pairs.base.base.pVtab->zErrMsg; }

/* ---- the tables ---- */

/* The table of an argument. */
static int open_table(Cursor *cursor, int argument, AnnTable **out_table) {
  AnnFunctionCursor *base = &cursor->pairs.base;
  return ann_context_find(base->context, base->function->name, base->arguments[argument],
                          &cursor->holds[argument], out_table, message_of(cursor));
}

/* Can the vectors of one be searched for in the other? */
static int check_tables(Cursor *cursor, const AnnStore *left, const AnnStore *right) {
  const AnnSpace *a = &left->options.space, *b = &right->options.space;
  const char *function = function_of(cursor)->name;
  if (a->dimensions != b->dimensions) {
    return ann_value_refuse(
        message_of(cursor),
        sqlite3_mprintf("%s: expected tables of the same dimensions, got %s "
                        "of %lld and %s of %lld",
                        function, ann_db_name(left->db), (long long)a->dimensions,
                        ann_db_name(right->db), (long long)b->dimensions));
  }
  if (ann_query_can_be(b->element, a->element)) return ANN_OK;
  return ann_value_refuse(
      message_of(cursor),
      sqlite3_mprintf("%s: expected tables of numbers or two of bits, got %s "
                      "of %s and %s of %s",
                      function, ann_db_name(left->db), a->element->named.name,
                      ann_db_name(right->db), b->element->named.name));
}

/* The next part, from both tables as they are now. */
static int read_part(Cursor *cursor, AnnStore *left, AnnStore *right) {
  int rc = ann_store_begin(left);
  rc = ann_context_report(left, rc, message_of(cursor));
  if (rc == ANN_OK) {
    rc = ann_store_begin(right);
    if (rc == ANN_OK) rc = ann_join_read(&cursor->join, left, right);
    rc = ann_context_report(left, rc, message_of(cursor));
    rc = ann_context_report(right, rc, message_of(cursor));
    ann_store_end(right);
  }
  ann_store_end(left);
  return rc;
}

static int more(AnnPairs *pairs) {
  Cursor *cursor = (Cursor *)pairs;
  const AnnJoin *join = &cursor->join;
  AnnTable *left = NULL, *right = NULL;
  int rc = open_table(cursor, 0, &left);
  right = left;
  if (rc == ANN_OK && !is_graph(cursor)) rc = open_table(cursor, 1, &right);
  if (rc == ANN_OK) rc = check_tables(cursor, left->store, right->store);
  if (rc == ANN_OK) rc = read_part(cursor, left->store, right->store);
  pairs->n = rc == ANN_OK ? join->part.n : 0;
  pairs->subjects = join->ids;
  pairs->tops = join->part.tops;
  pairs->done = join->done;
  return rc;
}

/* ---- arguments ---- */

/* An argument of ann_graph stands one before that of ann_join; NULL where it is not given. */
static sqlite3_value *value_of(const Cursor *cursor, sqlite3_value **values, int argument) {
  sqlite3_value *value = values[argument - is_graph(cursor)];
  return value && sqlite3_value_type(value) != SQLITE_NULL ? value : NULL;
}

static int fill(AnnFunctionCursor *base, sqlite3_value **values) {
  Cursor *cursor = (Cursor *)base;
  const char *name = base->function->name;
  AnnJoin *join = &cursor->join;
  int rc;
  join->k = ANN_DEFAULT_K;
  join->recall = ANN_DEFAULT_RECALL;
  join->without_self = is_graph(cursor);
  join->next = INT64_MIN;
  join->last = INT64_MAX;
  rc = ann_value_count(name, "k", value_of(cursor, values, 2), &join->k, message_of(cursor));
  if (rc == ANN_OK) {
    rc = ann_value_recall(name, "recall", value_of(cursor, values, 3), &join->recall,
                          message_of(cursor));
  }
  if (rc != ANN_OK) return rc;
  if (values[ANN_KEY]) {
    if (!ann_value_integer(values[ANN_KEY], &join->next)) join->done = 1; /* no row has it */
    join->last = join->next;
  }
  cursor->pairs.more = more;
  cursor->pairs.done = join->done;
  return ann_pairs_start(&cursor->pairs);
}

static void clear(AnnFunctionCursor *base) {
  Cursor *cursor = (Cursor *)base;
  ann_join_clear(&cursor->join);
  ann_hold_clear(&cursor->holds[0]);
  ann_hold_clear(&cursor->holds[1]);
}

/* ---- life ---- */

static const AnnFunctionKind kind = {
  .cursor_size = sizeof(Cursor),
  .safety = SQLITE_VTAB_INNOCUOUS,
  .expected_rows = 100000,
  .fill = fill,
  .result = ann_pairs_result,
  .clear = clear,
  .step = ann_pairs_step,
  .is_in_order = ann_pairs_in_order,
};

static const AnnFunction join_function = {
  .kind = &kind,
  .name = "ann_join",
  .declaration = "CREATE TABLE x(left_id INTEGER, id INTEGER, distance REAL, rank INTEGER, "
                 "\"left\" HIDDEN, \"right\" HIDDEN, k HIDDEN, recall HIDDEN)",
  .usage = "arguments (left, right [, k [, recall]])",
  .n_columns = ANN_PAIR_COLUMNS,
  .n_needed = 2,
  .by_key = 1,
  .once = {"left", "right", "k", "recall"},
};

static const AnnFunction graph_function = {
  .kind = &kind,
  .name = "ann_graph",
  .declaration = "CREATE TABLE x(left_id INTEGER, id INTEGER, distance REAL, rank INTEGER, "
                 "\"table\" HIDDEN, k HIDDEN, recall HIDDEN)",
  .usage = "arguments (table [, k [, recall]])",
  .n_columns = ANN_PAIR_COLUMNS,
  .n_needed = 1,
  .by_key = 1,
  .once = {"table", "k", "recall"},
};

int ann_join_vtab_register(sqlite3 *db, AnnContext *context) {
  int rc = ann_function_register(db, context, &join_function);
  return rc == ANN_OK ? ann_function_register(db, context, &graph_function) : rc;
}
