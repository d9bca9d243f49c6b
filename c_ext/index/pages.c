/* pages.c -- see pages.h.  An open-addressing hash table of pages by number. */
#include "index/pages.h"

#include <stdlib.h>

#include "core/format.h"
#include "core/idset.h"

#define FEWEST_SLOTS 64
#define SPARSE 16           /* slots a page from which on the table is made smaller */

struct AnnCachedPage {
  uint32_t number;
  int dirty;          /* differs from the table */
  int deleted;        /* to be removed from the table; holds no page */
  int used;           /* asked for since the hand of the clock passed */
  int64_t counted;    /* bytes of it in store->page_bytes */
  AnnPage page;
};
typedef struct AnnCachedPage Cached;

/* Where the search for a number begins. */
static int64_t first_slot(const AnnStore *store, uint32_t number) {
  return (int64_t)((number * 0x9E3779B97F4A7C15u) >> 32) & (store->n_page_slots - 1);
}

static int64_t slot_of(const AnnStore *store, uint32_t number) {
  int64_t mask = store->n_page_slots - 1, i = first_slot(store, number);
  while (store->pages[i] && store->pages[i]->number != number) i = (i + 1) & mask;
  return i;
}

static Cached *find(const AnnStore *store, uint32_t number) {
  return store->n_page_slots ? store->pages[slot_of(store, number)] : NULL;
}

/* wanted: a power of two, at least twice the pages. */
static int resize(AnnStore *store, int64_t wanted) {
  int64_t old = store->n_page_slots, i;
  struct AnnCachedPage **slots, **before = store->pages;
  slots = ann_alloc_zero((uint64_t)wanted, sizeof *slots);
  if (!slots) return ANN_NOMEM;
  store->pages = slots;
  store->n_page_slots = wanted;
  for (i = 0; i < old; i++) {
    if (before[i]) slots[slot_of(store, before[i]->number)] = before[i];
  }
  ann_free(before);
  return ANN_OK;
}

static int add(AnnStore *store, uint32_t number, Cached **out_cached) {
  int64_t slots = store->n_page_slots;
  int rc = store->n_pages * 2 < slots ? ANN_OK
                                      : resize(store, slots ? slots * 2 : FEWEST_SLOTS);
  Cached *cached = rc == ANN_OK ? ann_alloc_zero(1, sizeof *cached) : NULL;
  if (!cached) return ANN_NOMEM;
  cached->number = number;
  store->pages[slot_of(store, number)] = cached;
  store->n_pages++;
  *out_cached = cached;
  return ANN_OK;
}

/* Keep the sum of bytes held in step with a page that came, grew or went. */
static void recount(AnnStore *store, Cached *cached) {
  int64_t bytes = (int64_t)(cached->page.allocated + sizeof *cached);
  store->page_bytes += bytes - cached->counted;
  cached->counted = bytes;
}

static void release(AnnStore *store, Cached *cached) {
  store->page_bytes -= cached->counted;
  store->n_dirty_pages -= cached->dirty;
  ann_page_clear(&cached->page);
  ann_free(cached);
}

/* Take over a page, or clear it when memory is out. */
static int hold(AnnStore *store, uint32_t number, AnnPage *page, Cached **out_cached) {
  int rc = add(store, number, out_cached);
  if (rc != ANN_OK) {
    ann_page_clear(page);
    return rc;
  }
  (*out_cached)->page = *page;
  recount(store, *out_cached);
  return ANN_OK;
}

/* Take slot i out and move up what hashed past it. */
static void remove_slot(AnnStore *store, int64_t i) {
  int64_t mask = store->n_page_slots - 1;
  release(store, store->pages[i]);
  store->pages[i] = NULL;
  store->n_pages--;
  for (i = (i + 1) & mask; store->pages[i]; i = (i + 1) & mask) {
    Cached *moved = store->pages[i];
    store->pages[i] = NULL;
    store->pages[slot_of(store, moved->number)] = moved;
  }
}

void ann_pages_forget(AnnStore *store, uint32_t number) {
  Cached *cached = find(store, number);
  if (cached && !cached->dirty) remove_slot(store, slot_of(store, number));
}

void ann_pages_prefetch_slot(const AnnStore *store, uint32_t number) {
  if (store->n_page_slots) __builtin_prefetch(store->pages[first_slot(store, number)]);
}

void ann_pages_prefetch(const AnnStore *store, uint32_t number) {
  const Cached *cached = find(store, number);
  if (cached && cached->page.bytes) ann_page_prefetch(&cached->page);
}

void ann_pages_drop(AnnStore *store) {
  int64_t i;
  for (i = 0; i < store->n_page_slots && store->n_pages; i++) {
    if (!store->pages[i]) continue;
    release(store, store->pages[i]);
    store->pages[i] = NULL;
    store->n_pages--;
  }
}

void ann_pages_clear(AnnStore *store) {
  ann_pages_drop(store);
  ann_free(store->pages);
  store->pages = NULL;
  store->n_page_slots = 0;
}

int ann_pages_over_budget(const AnnStore *store) {
  return store->page_bytes > (int64_t)store->options.cache_mb << 20;
}

/* The hand goes round until an eighth of the budget is free, so that it need not move for
** every page; twice at most: once to take the marks away, once to evict. */
static void trim(AnnStore *store, int directories) {
  int64_t turns = 2 * store->n_page_slots;
  int64_t enough = ((int64_t)store->options.cache_mb << 20) / 8 * 7;
  if (!ann_pages_over_budget(store)) return;
  for (; turns > 0 && store->page_bytes > enough; turns--) {
    int64_t i = store->page_hand & (store->n_page_slots - 1);
    Cached *cached = store->pages[i];
    if (cached && !cached->dirty && !cached->used && (directories || cached->page.level == 0)) {
      remove_slot(store, i);                  /* another may have moved here: look again */
    } else {
      if (cached) cached->used = 0;
      store->page_hand++;
    }
  }
  /* The next hand would go over mostly empty slots; without the memory for fewer, it does. */
  if (store->n_page_slots / 4 >= FEWEST_SLOTS &&
      store->n_pages * SPARSE < store->n_page_slots) {
    (void)resize(store, store->n_page_slots / 4);
  }
}

void ann_pages_trim_leaves(AnnStore *store) { trim(store, 0); }

void ann_pages_trim(AnnStore *store) {
  trim(store, 0);
  trim(store, 1);                            /* what leaves alone could not free */
}

/* A directory that names a child twice would be walked below twice, at each level again. */
static int check_children(AnnStore *store, int64_t number, const AnnPage *page) {
  AnnIdSet named;
  int rc = ANN_OK, is_new = 1, i;
  if (page->level == 0) return ANN_OK;
  ann_idset_init(&named);
  for (i = 0; i < page->n && rc == ANN_OK && is_new; i++) {
    rc = ann_idset_add(&named, ann_page_id(page, i), &is_new);
  }
  ann_idset_clear(&named);
  return rc == ANN_OK && !is_new ? ann_db_corrupt(store->db, "page", number) : rc;
}

static int load(AnnStore *store, uint32_t number, AnnPage *out_page) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_PAGE_GET, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, number);
  rc = sqlite3_step(stmt);
  if (rc == SQLITE_ROW) {
    int size = sqlite3_column_bytes(stmt, 0);
    const void *blob = sqlite3_column_blob(stmt, 0);
    rc = ann_page_load(out_page, blob, blob ? (uint64_t)size : 0, store->rotation.length);
    sqlite3_reset(stmt);
    if (rc == ANN_CORRUPT) return ann_db_corrupt(store->db, "page", number);
    if (rc == ANN_OK) rc = check_children(store, number, out_page);
    if (rc != ANN_OK) ann_page_clear(out_page);
    return rc;
  }
  rc = sqlite3_reset(stmt);
  if (rc == ANN_OK) {
    return ann_db_fail(store->db, ANN_CORRUPT, "page %u is missing; rebuild it", number);
  }
  return ann_db_sqlite_failed(store->db, rc);
}

/* A child's level is one less than its parent's, so that no damage makes a circle. */
static int fits(const Cached *cached, int tree, int level) {
  if (cached->deleted || (tree != ANN_ANY_TREE && cached->page.tree != tree)) return 0;
  return level == ANN_ANY_LEVEL ? cached->page.level != 0 : cached->page.level == level;
}

AnnPage *ann_pages_peek(const AnnStore *store, uint32_t number, int tree, int level) {
  Cached *cached = find(store, number);
  return cached && fits(cached, tree, level) ? &cached->page : NULL;
}

int ann_pages_get(AnnStore *store, uint32_t number, int tree, int level, AnnPage **out_page) {
  Cached *cached = find(store, number);
  int rc = ANN_OK;
  store->n_page_hits += cached != NULL;
  if (cached) cached->used = 1;
  if (!cached) {
    AnnPage page;
    int step = ann_trace_enter(store->trace, ANN_TRACE_READ_PAGES);
    rc = load(store, number, &page);
    if (rc == ANN_OK) ann_trace_count(store->trace, 1, (int64_t)ann_page_size(&page));
    ann_trace_enter(store->trace, step);
    if (rc != ANN_OK) return rc;
    rc = hold(store, number, &page, &cached);
    if (rc != ANN_OK) return rc;
  }
  if (!fits(cached, tree, level)) return ann_db_corrupt(store->db, "page", number);
  *out_page = &cached->page;
  return ANN_OK;
}

int ann_pages_reach(const AnnStore *store, AnnStore *reader, uint32_t number, uint32_t parent,
                    int tree, int level, AnnPage **out_page) {
  int rc = ANN_OK;
  if (reader) rc = ann_pages_get(reader, number, tree, level, out_page);
  else *out_page = ann_pages_peek(store, number, tree, level);
  if (rc != ANN_OK) return rc;
  if (*out_page && (*out_page)->parent == parent) return ANN_OK;
  return reader ? ann_db_corrupt(reader->db, "page", number) : ANN_NOT_HERE;
}

static void count_pages(AnnStore *store, int level, int change) {
  if (level == 0) store->state.leaf_pages += change;
  else store->state.directory_pages += change;
  store->dirty = 1;
}

int ann_pages_capacity(const AnnStore *store, int level) {
  return level == 0 ? store->options.leaf_capacity : 2 * store->options.leaf_capacity;
}

int ann_pages_new(AnnStore *store, int tree, int level, uint32_t parent, uint32_t *out_number,
                  AnnPage **out_page) {
  Cached *cached;
  AnnPage page;
  int rc;
  if (store->state.last_page >= UINT32_MAX) {
    return ann_db_fail(store->db, ANN_ERROR, "no page number is left; rebuild it");
  }
  rc = ann_page_init(&page, level, tree, ann_pages_capacity(store, level),
                     store->rotation.length);
  if (rc != ANN_OK) return rc;
  page.parent = parent;
  rc = hold(store, (uint32_t)store->state.last_page + 1, &page, &cached);
  if (rc != ANN_OK) return rc;
  cached->dirty = 1;
  store->n_dirty_pages++;
  store->state.last_page++;
  count_pages(store, level, 1);
  *out_number = cached->number;
  *out_page = &cached->page;
  return ANN_OK;
}

void ann_pages_touch(AnnStore *store, uint32_t number) {
  Cached *cached = find(store, number);
  if (!cached) return;
  ann_db_changed(store->db);
  store->n_dirty_pages += !cached->dirty;
  cached->dirty = 1;
  recount(store, cached);
}

int ann_pages_delete(AnnStore *store, uint32_t number) {
  Cached *cached = find(store, number);
  if (!cached) return ANN_ERROR;             /* only pages in hand are deleted */
  count_pages(store, cached->page.level, -1);
  ann_page_clear(&cached->page);
  cached->deleted = 1;
  ann_pages_touch(store, number);
  return ANN_OK;
}

int ann_pages_delete_all(AnnStore *store) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_PAGE_CLEAR, &rc);
  ann_pages_drop(store);
  store->state.leaf_pages = store->state.directory_pages = 0;
  store->dirty = 1;
  return stmt ? ann_db_run(store->db, stmt) : rc;
}

static int write_page(AnnStore *store, Cached *cached) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt =
      ann_db_stmt(store->db, cached->deleted ? ANN_STMT_PAGE_DELETE : ANN_STMT_PAGE_PUT, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, cached->number);
  if (!cached->deleted) {
    ann_page_seal(&cached->page);
    rc = sqlite3_bind_blob64(stmt, 2, cached->page.bytes, ann_page_size(&cached->page),
                             SQLITE_STATIC);
  }
  return rc == ANN_OK ? ann_db_run(store->db, stmt) : rc;
}

static int by_number(const void *a, const void *b) {
  const Cached *const *x = a, *const *y = b;
  return (*x)->number<(*y)->number ? -1 : (*x)->number>(*y)->number;
}

int ann_pages_flush(AnnStore *store) {
  int rc = ANN_OK;
  int64_t i, n = 0;
  Cached **dirty;
  if (store->n_dirty_pages == 0) return ANN_OK;
  dirty = ann_alloc_array((uint64_t)store->n_dirty_pages, sizeof *dirty);
  if (!dirty) return ANN_NOMEM;
  for (i = 0; i < store->n_page_slots; i++) {
    if (store->pages[i] && store->pages[i]->dirty) dirty[n++] = store->pages[i];
  }
  qsort(dirty, (size_t)n, sizeof *dirty, by_number);
  for (i = 0; i < n && rc == ANN_OK; i++) {
    rc = write_page(store, dirty[i]);
    if (rc != ANN_OK) break;
    dirty[i]->dirty = 0;
    store->n_dirty_pages--;
    if (dirty[i]->deleted) remove_slot(store, slot_of(store, dirty[i]->number));
  }
  ann_free(dirty);
  return rc;
}

void ann_pages_end(AnnStoredPage *each) {
  ann_page_clear(&each->page);
  each->done = 1;
}

static int load_stored(AnnStore *store, sqlite3_stmt *stmt, AnnStoredPage *each) {
  const void *blob = sqlite3_column_blob(stmt, 1);
  int rc;
  each->number = sqlite3_column_int64(stmt, 0);
  each->bytes = sqlite3_column_bytes(stmt, 1);
  rc = ann_page_load(&each->page, blob, blob ? (uint64_t)each->bytes : 0,
                     store->rotation.length);
  each->is_valid = rc == ANN_OK && each->number >= 1 && each->number <= UINT32_MAX;
  if (!each->is_valid) ann_page_clear(&each->page);
  return rc == ANN_NOMEM ? ANN_NOMEM : ANN_OK;
}

int ann_pages_each(AnnStore *store, AnnStoredPage *each, int *out_found) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(store->db, ANN_STMT_PAGE_NEXT, &rc);
  *out_found = 0;
  ann_page_clear(&each->page);
  if (each->begun && each->number == INT64_MAX) each->done = 1;
  if (!stmt || each->done) return rc;
  sqlite3_bind_int64(stmt, 1, each->begun ? each->number + 1 : INT64_MIN);
  each->begun = 1;
  rc = ann_db_step(store->db, stmt, out_found);
  if (rc == ANN_OK && *out_found) rc = load_stored(store, stmt, each);
  sqlite3_reset(stmt);
  if (rc != ANN_OK) *out_found = 0;
  if (!*out_found) each->done = 1;
  return rc;
}

int ann_pages_warm(AnnStore *store) {
  int64_t budget = (int64_t)store->options.cache_mb << 20, n = 0;
  AnnStoredPage each = {0};
  int found = 1, rc = ANN_OK;
  while (rc == ANN_OK) {
    Cached *cached = NULL;
    rc = ann_pages_each(store, &each, &found);
    if (rc != ANN_OK || !found) break;
    if (!each.is_valid) return ann_db_corrupt(store->db, "page", each.number);
    if (store->page_bytes + each.bytes > budget) break;
    if (!find(store, (uint32_t)each.number)) {
      rc = check_children(store, each.number, &each.page);
      if (rc != ANN_OK) break;
      rc = hold(store, (uint32_t)each.number, &each.page, &cached);
      memset(&each.page, 0, sizeof each.page);         /* it has another owner */
    }
    if (rc == ANN_OK && ++n % 64 == 0) rc = ann_db_tick(store->db);
  }
  ann_pages_end(&each);
  return rc;
}
