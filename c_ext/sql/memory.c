/* memory.c -- see memory.h. */
#include "sql/memory.h"

#include <limits.h>

#include "sql/setting.h"

static void tell(AnnListing *listing, const char *key, int64_t value) {
  ann_listing_text(listing, key);
  ann_listing_number(listing, value);
}

/* A value that may be unknown. */
static void tell_if(AnnListing *listing, const char *key, int is_known, int64_t value) {
  ann_listing_text(listing, key);
  if (is_known) ann_listing_number(listing, value);
  else ann_listing_null(listing);
}

/* A number of 64 bits without a sign. */
static void tell_sum(AnnListing *listing, const char *key, int is_known, uint64_t value) {
  char digits[20];
  sqlite3_snprintf(sizeof digits, digits, "%016llx", (unsigned long long)value);
  ann_listing_text(listing, key);
  ann_listing_text(listing, is_known ? digits : NULL);
}

static void tell_life(const AnnStore *store, AnnListing *listing) {
  AnnLife life = ann_store_life(store);
  tell(listing, "kept", life.read.is_set);
  tell_if(listing, "data_version", life.read.knows_file, life.read.file);
  tell_sum(listing, "pages_sum", life.read.is_set, life.read.pages_sum);
  tell_sum(listing, "history", life.read.is_set, life.read.history);
  tell(listing, "counters_known", life.loaded);
  tell(listing, "writing", life.writing);
  tell(listing, "poisoned", life.poisoned);
  tell_if(listing, "late_savepoint", life.late_savepoint != INT_MAX, life.late_savepoint);
}

static void tell_read(const AnnStore *store, AnnListing *listing) {
  int64_t learned = ann_learned_held(store->learned);
  tell(listing, "pages", ann_pages_held(store->pages));
  tell(listing, "page_bytes", store->budget.pages);
  tell(listing, "rows", ann_rows_held(store->rows));
  tell(listing, "row_bytes", ann_rows_bytes(store->rows));
  tell(listing, "limit_bytes", store->budget.most);
  tell(listing, "none_wait", ann_waiting_knows_none(store->waiting));
  tell(listing, "calibration_known", ann_efforts_is_known(store->efforts));
  tell_if(listing, "learned", learned >= 0, learned);
}

static void tell_calibrating(const AnnStore *store, AnnListing *listing) {
  const AnnProgress *progress = NULL;
  int is_known = ann_progresses_held(store->progresses, &progress);
  const char *stage = "none";
  if (progress) stage = progress->stage == ANN_STAGE_TRUTH ? "truth" : "measure";
  ann_listing_text(listing, "calibrating");
  ann_listing_text(listing, is_known ? stage : NULL);
  tell_if(listing, "calibrating_queries", progress != NULL, progress ? progress->sample.n : 0);
  tell_if(listing, "calibrating_measured", progress != NULL,
          progress ? progress->sample.n_measured : 0);
}

static void tell_changed(const AnnStore *store, AnnListing *listing) {
  tell(listing, "changed_pages", ann_pages_dirty(store->pages));
  tell(listing, "changed_places", ann_places_changed(store->places));
  tell(listing, "changed_counters", store->state.dirty);
  tell(listing, "changed_waiting", !ann_waiting_is_clean(store->waiting));
  tell(listing, "changed_learned", !ann_learned_is_clean(store->learned));
  tell(listing, "changed_calibrating", !ann_progresses_is_clean(store->progresses));
}

int ann_memory_tell(const AnnCall *call) {
  const AnnStore *store = call->table->store;
  tell_life(store, call->listing);
  tell_read(store, call->listing);
  tell_calibrating(store, call->listing);
  tell_changed(store, call->listing);
  tell(call->listing, "statements", ann_db_statements(store->db));
  ann_setting_list(call->table, call->listing);
  return ANN_OK;
}
