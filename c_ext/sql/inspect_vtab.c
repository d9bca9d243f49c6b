/* inspect_vtab.c -- see inspect_vtab.h.  Seven table functions, alike but for what fills them. */
#include "sql/inspect_vtab.h"

#include "core/format.h"
#include "core/kernel.h"
#include "index/check.h"
#include "index/learned.h"
#include "index/pages.h"
#include "index/stored.h"
#include "index/rows.h"
#include "sql/measure.h"
#include "sql/memory.h"

enum {
  /* All is written that the open transaction has changed, and ann_store_begin called. */
  WHAT_IS_READ,
  WHAT_IS_STORED, /* all is written */
  WHAT_IS_HELD,   /* nothing is: memory stays as it is */
};

/* One table function.  Its arguments are `table` and then further ones. */
typedef struct Inspector {
  AnnFunction function; /* first */
  int (*fill)(const AnnCall *call);
  int looks_at; /* and what has been done before */
} Inspector;

typedef struct Cursor {
  AnnFunctionCursor base;
  AnnListing listing; /* owned */
} Cursor;

/* ---- what there is to tell; recall and explain are in measure.c, state in memory.c ---- */

static void info_number(AnnListing *listing, const char *key, int64_t value) {
  ann_listing_text(listing, key);
  ann_listing_number(listing, value);
}

static void info_text(AnnListing *listing, const char *key, const char *value) {
  ann_listing_text(listing, key);
  ann_listing_text(listing, value);
}

/* Bytes of a shadow table's pages where SQLite was built with dbstat, else of its blobs. */
static int table_bytes(const AnnStore *store, const char *suffix, const char *column,
                       int64_t *out_bytes) {
  sqlite3_stmt *stmt = NULL;
  char *sql = sqlite3_mprintf("SELECT sum(pgsize) FROM dbstat('%q', 1) WHERE name = '%q_%q' "
                              "COLLATE NOCASE",
                              ann_db_schema(store->db), ann_db_name(store->db), suffix);
  int rc = sql ? sqlite3_prepare_v2(ann_db_handle(store->db), sql, -1, &stmt, NULL) : ANN_NOMEM;
  sqlite3_free(sql);
  if (rc != ANN_OK && rc != ANN_NOMEM) {
    sql = sqlite3_mprintf("SELECT sum(coalesce(length(\"%w\"), 0) + 12) FROM \"%w\".\"%w_%w\"",
                          column, ann_db_schema(store->db), ann_db_name(store->db), suffix);
    rc = sql ? sqlite3_prepare_v2(ann_db_handle(store->db), sql, -1, &stmt, NULL) : ANN_NOMEM;
    sqlite3_free(sql);
  }
  if (rc == ANN_OK && sqlite3_step(stmt) == SQLITE_ROW)
    *out_bytes = sqlite3_column_int64(stmt, 0);
  return rc == ANN_OK ? sqlite3_finalize(stmt) : rc;
}

/* The two sizes, which read whole tables: only when they are asked for. */
static int fill_bytes(AnnStore *store, const char *key, AnnListing *listing) {
  int64_t pages = 0, places = 0, waiting = 0, changes = 0, vectors = 0;
  int rc = ANN_OK;
  if (!key || sqlite3_stricmp(key, "index_bytes") == 0) {
    rc = table_bytes(store, "pages", "data", &pages);
    if (rc == ANN_OK) rc = table_bytes(store, "places", "pages", &places);
    if (rc == ANN_OK) rc = table_bytes(store, "waiting", "last", &waiting);
    if (rc == ANN_OK && store->content) rc = table_bytes(store, "changes", "id", &changes);
    info_number(listing, "index_bytes", pages + places + waiting + changes);
  }
  if (rc == ANN_OK && (!key || sqlite3_stricmp(key, "vector_bytes") == 0)) {
    if (!store->content) rc = table_bytes(store, "vectors", "vector", &vectors);
    info_number(listing, "vector_bytes", vectors);
  }
  return rc;
}

/* Rows, and those of them that the forest has not as they are.  Of an ordinary table they are
** counted only when they are asked for; without a forest all of them wait. */
static int fill_rows(AnnStore *store, const char *key, AnnListing *listing) {
  int64_t rows = store->state.rows, changes = 0, waiting;
  int all_wait = store->content && store->state.roots[0] == 0;
  int asked = !key || sqlite3_stricmp(key, "rows") == 0 ||
              (all_wait && sqlite3_stricmp(key, "waiting") == 0);
  int rc = ann_notes_count(store->notes, &changes);
  if (rc == ANN_OK && store->content && asked) {
    rc = ann_source_count_fit(store->source, &rows);
  }
  waiting = all_wait ? rows : store->state.rows - store->state.placed + changes;
  info_number(listing, "rows", rows);
  info_number(listing, "waiting", waiting);
  info_text(listing, "content", store->content ? ann_content_table(store->content) : NULL);
  info_number(listing, "changes_waiting", changes);
  return rc;
}

static int fill_info(const AnnCall *call) {
  AnnLearnedQueries learned;
  AnnStore *store = call->table->store;
  AnnListing *listing = call->listing;
  const AnnState *state = &store->state;
  const AnnOptions *options = &store->options;
  int rc;
  info_number(listing, "format", ANN_FORMAT_VERSION);
  rc = fill_rows(store, call->key, listing);
  info_text(listing, "column", options->column);
  info_number(listing, "dimensions", options->space.dimensions);
  info_text(listing, "type", options->space.element->named.name);
  info_text(listing, "metric", options->space.metric->named.name);
  info_number(listing, "seed", options->seed);
  info_number(listing, "trees", options->trees);
  info_number(listing, "leaf_capacity", options->leaf_capacity);
  info_number(listing, "leaf_pages", state->leaf_pages);
  info_number(listing, "directory_pages", state->directory_pages);
  if (rc == ANN_OK) rc = fill_bytes(store, call->key, listing);
  info_number(listing, "planted_rows", state->planted_rows);
  info_number(listing, "calibrated_rows", state->calibrated_rows);
  info_number(listing, "changes", state->changes);
  rc = rc == ANN_OK ? ann_learned_get(store->learned, &learned) : rc;
  if (rc == ANN_OK) info_number(listing, "learned", learned.n);
  info_text(listing, "backend", ann_kernels()->name);
  info_number(listing, "cache_bytes", store->budget.pages + ann_rows_bytes(store->rows));
  info_number(listing, "cache_hits", ann_pages_hits(store->pages) + ann_rows_hits(store->rows));
  info_number(listing, "searches", store->n_searches);
  info_number(listing, "inspected", store->n_inspected);
  info_number(listing, "absorb", call->table->absorb);
  return rc;
}

/* Per tree: walk the stored pages and count. */
static int fill_trees(const AnnCall *call) {
  AnnStore *store = call->table->store;
  AnnListing *listing = call->listing;
  AnnStoredPage each = {0};
  int64_t leaves[ANN_MAX_TREES] = {0}, directories[ANN_MAX_TREES] = {0};
  int64_t entries[ANN_MAX_TREES] = {0}, fullest[ANN_MAX_TREES] = {0},
          depth[ANN_MAX_TREES] = {0};
  int rc = ANN_OK, found = 1, t;
  while (rc == ANN_OK) {
    const AnnPage *page = &each.page;
    rc = ann_stored_next(store->db, store->rotation.length, &each, &found);
    if (rc != ANN_OK || !found) break;
    if (!each.is_valid) rc = ann_db_corrupt(store->db, "page", each.number);
    t = page->tree;
    if (rc == ANN_OK && page->level == 0) {
      leaves[t]++;
      entries[t] += page->n;
      if (page->n > fullest[t]) fullest[t] = page->n;
    } else if (rc == ANN_OK) {
      directories[t]++;
      if (page->level > depth[t]) depth[t] = page->level;
    }
    if (rc == ANN_OK) rc = ann_db_tick(store->db);
  }
  ann_stored_end(&each);
  for (t = 0; rc == ANN_OK && store->state.roots[0] && t < store->options.trees; t++) {
    ann_listing_number(listing, t);
    ann_listing_number(listing, store->state.roots[t]);
    ann_listing_number(listing, depth[t]);
    ann_listing_number(listing, directories[t]);
    ann_listing_number(listing, leaves[t]);
    ann_listing_number(listing, entries[t]);
    ann_listing_number(listing, fullest[t]);
  }
  return rc;
}

static int fill_pages(const AnnCall *call) {
  AnnStore *store = call->table->store;
  AnnListing *listing = call->listing;
  AnnStoredPage each = {0};
  int rc = ANN_OK, found = 1;
  while (rc == ANN_OK) {
    const AnnPage *page = &each.page;
    rc = ann_stored_next(store->db, store->rotation.length, &each, &found);
    if (rc != ANN_OK || !found) break;
    ann_listing_number(listing, each.number);
    if (each.is_valid) {
      ann_listing_number(listing, page->tree);
      ann_listing_number(listing, page->level);
      ann_listing_text(listing, page->kind == ANN_KIND_LEAF ? "leaf" : "directory");
      ann_listing_number(listing, page->n);
      ann_listing_number(listing, page->capacity);
    } else {
      ann_listing_null(listing);
      ann_listing_null(listing);
      ann_listing_text(listing, "damaged");
      ann_listing_null(listing);
      ann_listing_null(listing);
    }
    ann_listing_number(listing, each.bytes);
    if (each.is_valid && page->parent) ann_listing_number(listing, page->parent);
    else ann_listing_null(listing);
    rc = ann_db_tick(store->db);
  }
  ann_stored_end(&each);
  return rc;
}

static int fill_check(const AnnCall *call) {
  AnnListing *listing = call->listing;
  AnnFaults *faults = ann_alloc_zero(1, sizeof *faults);
  int rc = faults ? ann_check(call->table->store, faults) : ANN_NOMEM, i;
  for (i = 0; rc == ANN_OK && i < faults->n; i++) {
    const AnnFault *fault = &faults->items[i];
    ann_listing_text(listing, fault->text);
    if (fault->has_page) ann_listing_number(listing, fault->page);
    else ann_listing_null(listing);
    if (fault->has_id) ann_listing_number(listing, fault->id);
    else ann_listing_null(listing);
  }
  if (faults) ann_faults_clear(faults);
  ann_free(faults);
  return rc;
}

/* ---- the table functions ---- */

static int fill(AnnFunctionCursor *base, sqlite3_value **values) {
  const Inspector *inspector = (const Inspector *)base->function;
  AnnListing *listing = &((Cursor *)base)->listing;
  char **out_message = &base->base.pVtab->zErrMsg;
  AnnCall call = {.function = base->function->name,
                  .arguments = values + 1,
                  .listing = listing,
                  .out_message = out_message};
  AnnTable *table = NULL;
  AnnHold hold = {NULL, NULL, NULL};
  int rc, begun, i;
  ann_listing_init(listing, base->function->n_columns);
  if (values[ANN_KEY]) call.key = (const char *)sqlite3_value_text(values[ANN_KEY]);
  for (i = 1; i < ANN_MAX_ARGUMENTS; i++) {
    if (values[i] && sqlite3_value_type(values[i]) == SQLITE_NULL) values[i] = NULL;
  }
  rc = ann_context_find(base->context, call.function, values[0], &hold, &table, out_message);
  if (rc != ANN_OK) return rc;
  call.table = table;
  /* Pages changed in this transaction are looked at as they will be stored. */
  if (inspector->looks_at != WHAT_IS_HELD) rc = ann_store_flush_to_look(table->store);
  begun = rc == ANN_OK && inspector->looks_at == WHAT_IS_READ;
  if (begun) rc = ann_store_begin(table->store);
  if (rc == ANN_OK) rc = inspector->fill(&call);
  if (rc == ANN_OK) rc = listing->rc;
  if (rc == ANN_OK) base->n_rows = ann_listing_rows(listing);
  rc = ann_context_report(table->store, rc, out_message);
  if (begun) ann_store_end(table->store);
  ann_hold_clear(&hold);
  return rc;
}

static void result(AnnFunctionCursor *base, sqlite3_context *out, int column) {
  ann_listing_result(&((Cursor *)base)->listing, base->at, column, out);
}

static void clear(AnnFunctionCursor *base) { ann_listing_clear(&((Cursor *)base)->listing); }

static const AnnFunctionKind kind = {
  .cursor_size = sizeof(Cursor),
  .safety = SQLITE_VTAB_DIRECTONLY,
  .expected_rows = 100,
  .first_rowid = 1,
  .fill = fill,
  .result = result,
  .clear = clear,
};

#define TABLE_ALONE "one argument, the name of an ann table"

static const Inspector inspectors[] = {
  {.function = {.kind = &kind,
                .name = "ann_info",
                .declaration = "CREATE TABLE x(key TEXT, value, \"table\" HIDDEN)",
                .usage = TABLE_ALONE,
                .n_columns = 2,
                .n_needed = 1,
                .by_key = 1},
   .fill = fill_info},
  {.function = {.kind = &kind,
                .name = "ann_trees",
                .declaration = "CREATE TABLE x(tree INTEGER, root INTEGER, depth INTEGER, "
                               "directories INTEGER, leaves INTEGER, entries INTEGER, "
                               "fullest INTEGER, \"table\" HIDDEN)",
                .usage = TABLE_ALONE,
                .n_columns = 7,
                .n_needed = 1},
   .fill = fill_trees},
  {.function = {.kind = &kind,
                .name = "ann_pages",
                .declaration = "CREATE TABLE x(page INTEGER, tree INTEGER, level INTEGER, "
                               "kind TEXT, entries INTEGER, capacity INTEGER, bytes INTEGER, "
                               "parent INTEGER, \"table\" HIDDEN)",
                .usage = TABLE_ALONE,
                .n_columns = 8,
                .n_needed = 1},
   .fill = fill_pages},
  {.function = {.kind = &kind,
                .name = "ann_check",
                .declaration =
                    "CREATE TABLE x(fault TEXT, page INTEGER, id INTEGER, \"table\" HIDDEN)",
                .usage = TABLE_ALONE,
                .n_columns = 3,
                .n_needed = 1},
   .fill = fill_check,
   .looks_at = WHAT_IS_STORED},
  {.function = {.kind = &kind,
                .name = "ann_recall",
                .declaration =
                    "CREATE TABLE x(k INTEGER, sample INTEGER, recall REAL, low REAL, "
                    "high REAL, \"table\" HIDDEN, wanted_k HIDDEN, "
                    "wanted_sample HIDDEN, wanted_recall HIDDEN, queries HIDDEN)",
                .usage = "arguments (table [, k [, sample [, wanted_recall [, queries]]]])",
                .n_columns = 5,
                .n_needed = 1,
                .n_shown = 2,
                .once = {NULL, "k", "sample", "wanted_recall", "queries"}},
   .fill = ann_measure_recall},
  {.function =
       {.kind = &kind,
        .name = "ann_explain",
        .declaration =
            "CREATE TABLE x(step TEXT, count INTEGER, bytes INTEGER, microseconds REAL, "
            "\"table\" HIDDEN, query HIDDEN, k HIDDEN, recall HIDDEN, search_k HIDDEN)",
        .usage = "arguments (table, query [, k [, recall]])",
        .n_columns = 4,
        .n_needed = 2,
        .once = {NULL, "query", "k", "recall", "search_k"}},
   .fill = ann_measure_explain},
  {.function = {.kind = &kind,
                .name = "ann_state",
                .declaration = "CREATE TABLE x(key TEXT, value, \"table\" HIDDEN)",
                .usage = TABLE_ALONE,
                .n_columns = 2,
                .n_needed = 1},
   .fill = ann_memory_tell,
   .looks_at = WHAT_IS_HELD},
};
#define N_INSPECTORS ((int)(sizeof inspectors / sizeof *inspectors))

int ann_inspect_vtab_register(sqlite3 *db, AnnContext *context) {
  int rc = ANN_OK, i;
  for (i = 0; i < N_INSPECTORS && rc == ANN_OK; i++) {
    rc = ann_function_register(db, context, &inspectors[i].function);
  }
  return rc;
}
