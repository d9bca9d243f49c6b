/* pages.c -- see pages.h. */
#include "index/pages.h"

#include <stdlib.h>

#include "core/bytes.h"
#include "core/format.h"
#include "core/hash.h"
#include "core/idset.h"
#include "index/stored.h"

typedef struct Cached {
  uint32_t number;
  int dirty;       /* differs from the table */
  int is_new;      /* and is not in it yet */
  int deleted;     /* to be removed from the table; holds no page */
  int used;        /* asked for since the hand of the clock passed */
  int64_t counted; /* bytes of it in the budget */
  uint64_t stored; /* what it adds to the sum of stored pages: 0 for one that is not stored */
  AnnPage page;
} Cached;

struct AnnPages {
  AnnDb *db;              /* borrowed */
  AnnState *state;        /* borrowed: counts pages, numbers new ones */
  AnnBudget *budget;      /* borrowed */
  AnnTrace *const *trace; /* borrowed: of the search that is being explained, or NULL */
  int64_t length;         /* L */
  int leaf_capacity;
  AnnHash held; /* owned, and what it holds: by number */
  int64_t n_dirty;
  int64_t hand;    /* where the clock that evicts them stands */
  int64_t n_hits;  /* pages asked for and already in memory, ever */
  int64_t n_moved; /* directories changed or let go, ever */
};

int ann_pages_new(const AnnPagesPlan *plan, AnnPages **out_pages) {
  AnnPages *pages = ann_alloc_zero(1, sizeof *pages);
  *out_pages = pages;
  if (!pages) return ANN_NOMEM;
  pages->db = plan->db;
  pages->state = plan->state;
  pages->budget = plan->budget;
  pages->trace = plan->trace;
  pages->length = plan->length;
  pages->leaf_capacity = plan->leaf_capacity;
  return ANN_OK;
}

int64_t ann_pages_held(const AnnPages *pages) { return pages->held.n; }

int64_t ann_pages_dirty(const AnnPages *pages) { return pages->n_dirty; }

int64_t ann_pages_hits(const AnnPages *pages) { return pages->n_hits; }

int64_t ann_pages_moved(const AnnPages *pages) { return pages->n_moved; }

static Cached *find(const AnnPages *pages, uint32_t number) {
  return ann_hash_get(&pages->held, number);
}

static int add(AnnPages *pages, uint32_t number, Cached **out_cached) {
  int rc = ann_hash_reserve(&pages->held);
  Cached *cached = rc == ANN_OK ? ann_alloc_zero(1, sizeof *cached) : NULL;
  if (!cached) return ANN_NOMEM;
  cached->number = number;
  (void)ann_hash_put(&pages->held, number, cached); /* has room */
  *out_cached = cached;
  return ANN_OK;
}

/* Keep the sum of bytes held in step with a page that came, grew or went. */
static void recount(AnnPages *pages, Cached *cached) {
  int64_t bytes = (int64_t)(cached->page.allocated + sizeof *cached);
  pages->budget->pages += bytes - cached->counted;
  cached->counted = bytes;
}

static void release(AnnPages *pages, Cached *cached) {
  pages->budget->pages -= cached->counted;
  pages->n_dirty -= cached->dirty;
  pages->n_moved += cached->page.level > 0;
  ann_page_clear(&cached->page);
  ann_free(cached);
}

/* What a page, as it is sealed, adds to the sum of stored pages. */
static uint64_t term_of(const Cached *cached) {
  return ann_state_page(cached->number, ann_get64(cached->page.bytes + ANN_HEADER_CHECKSUM));
}

/* Take over a page, or clear it when memory is out. */
static int hold(AnnPages *pages, uint32_t number, AnnPage *page, Cached **out_cached) {
  int rc = add(pages, number, out_cached);
  if (rc != ANN_OK) {
    ann_page_clear(page);
    return rc;
  }
  (*out_cached)->page = *page;
  recount(pages, *out_cached);
  return ANN_OK;
}

static void remove_page(AnnPages *pages, uint32_t number) {
  release(pages, ann_hash_remove(&pages->held, number));
}

void ann_pages_forget(AnnPages *pages, uint32_t number) {
  Cached *cached = find(pages, number);
  if (cached && !cached->dirty) remove_page(pages, number);
}

void ann_pages_prefetch_slot(const AnnPages *pages, uint32_t number) {
  __builtin_prefetch(find(pages, number));
}

void ann_pages_prefetch(const AnnPages *pages, uint32_t number) {
  const Cached *cached = find(pages, number);
  if (cached && cached->page.bytes) ann_page_prefetch(&cached->page);
}

void ann_pages_drop(AnnPages *pages) {
  int64_t slot = 0;
  Cached *cached;
  while ((cached = ann_hash_next(&pages->held, &slot)) != NULL) release(pages, cached);
  ann_hash_drop(&pages->held);
}

void ann_pages_free(AnnPages *pages) {
  if (!pages) return;
  ann_pages_drop(pages);
  ann_hash_clear(&pages->held);
  ann_free(pages);
}

/* The hand goes round until an eighth of the budget is free, so that it need not move for
** every page; twice at most: once to take the marks away, once to evict. */
static void trim(AnnPages *pages, int directories) {
  int64_t turns = 2 * pages->held.n_slots;
  int64_t enough = (pages->budget->most) / 8 * 7;
  if (!ann_budget_is_exceeded(pages->budget)) return;
  for (; turns > 0 && pages->budget->pages > enough; turns--) {
    int64_t i = pages->hand & (pages->held.n_slots - 1);
    Cached *cached = pages->held.slots[i].value;
    if (cached && !cached->dirty && !cached->used && (directories || cached->page.level == 0)) {
      ann_hash_remove_at(&pages->held, i); /* another may have moved here: look again */
      release(pages, cached);
    } else {
      if (cached) cached->used = 0;
      pages->hand++;
    }
  }
  ann_hash_shrink(&pages->held); /* or the next hand goes over mostly free slots */
}

void ann_pages_trim_leaves(AnnPages *pages) { trim(pages, 0); }

void ann_pages_trim(AnnPages *pages) {
  trim(pages, 0);
  trim(pages, 1); /* what leaves alone could not free */
}

/* A directory that names a child twice would be walked below twice, at each level again. */
static int check_children(AnnPages *pages, int64_t number, const AnnPage *page) {
  AnnIdSet named;
  int rc = ANN_OK, is_new = 1, i;
  if (page->level == 0) return ANN_OK;
  ann_idset_init(&named);
  for (i = 0; i < page->n && rc == ANN_OK && is_new; i++) {
    rc = ann_idset_add(&named, ann_page_id(page, i), &is_new);
  }
  ann_idset_clear(&named);
  return rc == ANN_OK && !is_new ? ann_db_corrupt(pages->db, "page", number) : rc;
}

static int load(AnnPages *pages, uint32_t number, AnnPage *out_page) {
  int rc = ANN_OK, found = 0;
  const void *blob;
  sqlite3_stmt *stmt = ann_db_stmt(pages->db, ANN_STMT_PAGE_GET, &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, number);
  rc = ann_db_step(pages->db, stmt, &found);
  if (rc == ANN_OK && !found) {
    return ann_db_fail(pages->db, ANN_CORRUPT, "page %u is missing; rebuild it", number);
  }
  if (rc != ANN_OK) return rc;
  blob = sqlite3_column_blob(stmt, 0);
  rc = ann_page_load(out_page, blob, blob ? (uint64_t)sqlite3_column_bytes(stmt, 0) : 0,
                     pages->length);
  sqlite3_reset(stmt);
  if (rc == ANN_CORRUPT) return ann_db_corrupt(pages->db, "page", number);
  if (rc == ANN_OK) rc = check_children(pages, number, out_page);
  if (rc != ANN_OK) ann_page_clear(out_page);
  return rc;
}

/* A child's level is one less than its parent's, so that no damage makes a circle. */
static int fits(const Cached *cached, int tree, int level) {
  if (cached->deleted || (tree != ANN_ANY_TREE && cached->page.tree != tree)) return 0;
  return level == ANN_ANY_LEVEL ? cached->page.level != 0 : cached->page.level == level;
}

AnnPage *ann_pages_peek(const AnnPages *pages, uint32_t number, int tree, int level) {
  Cached *cached = find(pages, number);
  return cached && fits(cached, tree, level) ? &cached->page : NULL;
}

int ann_pages_get(AnnPages *pages, uint32_t number, int tree, int level, AnnPage **out_page) {
  Cached *cached = find(pages, number);
  int rc = ANN_OK;
  pages->n_hits += cached != NULL;
  if (cached) cached->used = 1;
  if (!cached) {
    AnnPage page;
    int step = ann_trace_enter(*pages->trace, ANN_TRACE_READ_PAGES);
    rc = load(pages, number, &page);
    if (rc == ANN_OK) ann_trace_count(*pages->trace, 1, (int64_t)ann_page_size(&page));
    ann_trace_enter(*pages->trace, step);
    if (rc != ANN_OK) return rc;
    rc = hold(pages, number, &page, &cached);
    if (rc != ANN_OK) return rc;
    cached->stored = term_of(cached);
  }
  if (!fits(cached, tree, level)) return ann_db_corrupt(pages->db, "page", number);
  *out_page = &cached->page;
  return ANN_OK;
}

int ann_pages_reach(AnnPages *pages, int may_read, uint32_t number, uint32_t parent, int tree,
                    int level, AnnPage **out_page) {
  int rc = ANN_OK;
  if (may_read) rc = ann_pages_get(pages, number, tree, level, out_page);
  else *out_page = ann_pages_peek(pages, number, tree, level);
  if (rc != ANN_OK) return rc;
  if (*out_page && (*out_page)->parent == parent) return ANN_OK;
  return may_read ? ann_db_corrupt(pages->db, "page", number) : ANN_NOT_HERE;
}

int ann_pages_child(AnnPages *pages, uint32_t number, const AnnPage *page,
                    const AnnPage *parent, int *out_at) {
  *out_at = ann_page_find(parent, number);
  return *out_at < 0 ? ann_db_corrupt(pages->db, "page", page->parent) : ANN_OK;
}

static void count_pages(AnnPages *pages, int level, int change) {
  if (level == 0) pages->state->leaf_pages += change;
  else pages->state->directory_pages += change;
  pages->state->dirty = 1;
}

int ann_pages_capacity(const AnnPages *pages, int level) {
  return level == 0 ? pages->leaf_capacity : 2 * pages->leaf_capacity;
}

int ann_pages_add(AnnPages *pages, int tree, int level, uint32_t parent, uint32_t *out_number,
                  AnnPage **out_page) {
  Cached *cached;
  AnnPage page;
  uint32_t number;
  int rc;
  if (pages->state->last_page >= UINT32_MAX) {
    return ann_db_fail(pages->db, ANN_ERROR, "no page number is left; rebuild it");
  }
  number = (uint32_t)pages->state->last_page + 1;
  if (find(pages, number)) return ann_db_corrupt(pages->db, "page", number);
  rc = ann_page_init(&page, level, tree, ann_pages_capacity(pages, level), pages->length);
  if (rc != ANN_OK) return rc;
  page.parent = parent;
  rc = hold(pages, number, &page, &cached);
  if (rc != ANN_OK) return rc;
  cached->dirty = cached->is_new = 1;
  pages->n_dirty++;
  pages->state->last_page++;
  count_pages(pages, level, 1);
  *out_number = cached->number;
  *out_page = &cached->page;
  return ANN_OK;
}

void ann_pages_touch(AnnPages *pages, uint32_t number) {
  Cached *cached = find(pages, number);
  if (!cached) return;
  ann_db_changed(pages->db);
  pages->n_moved += cached->page.level > 0;
  pages->n_dirty += !cached->dirty;
  cached->dirty = 1;
  recount(pages, cached);
}

int ann_pages_delete(AnnPages *pages, uint32_t number) {
  Cached *cached = find(pages, number);
  if (!cached) return ANN_ERROR; /* only pages in hand are deleted */
  count_pages(pages, cached->page.level, -1);
  ann_page_clear(&cached->page);
  cached->deleted = 1;
  ann_pages_touch(pages, number);
  return ANN_OK;
}

int ann_pages_delete_all(AnnPages *pages) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(pages->db, ANN_STMT_PAGE_CLEAR, &rc);
  ann_pages_drop(pages);
  pages->state->leaf_pages = pages->state->directory_pages = 0;
  pages->state->pages_sum = 0;
  pages->state->dirty = 1;
  return stmt ? ann_db_run(pages->db, stmt) : rc;
}

/* By which statement: a new page must not take the place of one that lies there, where counters
** are damaged. */
static int statement_of(const Cached *cached) {
  if (cached->deleted) return ANN_STMT_PAGE_DELETE;
  return cached->is_new ? ANN_STMT_PAGE_ADD : ANN_STMT_PAGE_PUT;
}

static int write_page(AnnPages *pages, Cached *cached) {
  int rc = ANN_OK;
  sqlite3_stmt *stmt = ann_db_stmt(pages->db, statement_of(cached), &rc);
  if (!stmt) return rc;
  sqlite3_bind_int64(stmt, 1, cached->number);
  if (!cached->deleted) {
    ann_page_seal(&cached->page);
    rc = sqlite3_bind_blob64(stmt, 2, cached->page.bytes, ann_page_size(&cached->page),
                             SQLITE_STATIC);
  }
  if (rc != ANN_OK) return rc;
  sqlite3_step(stmt);
  rc = sqlite3_reset(stmt);
  if ((rc & 0xff) == SQLITE_CONSTRAINT && cached->is_new) {
    return ann_db_corrupt(pages->db, "page", cached->number);
  }
  if (rc != ANN_OK) return ann_db_sqlite_failed(pages->db, rc);
  cached->is_new = 0;
  pages->state->pages_sum -= cached->stored;
  cached->stored = cached->deleted ? 0 : term_of(cached);
  pages->state->pages_sum += cached->stored;
  pages->state->dirty = 1;
  return ANN_OK;
}

static int by_number(const void *a, const void *b) {
  const Cached *const *x = a, *const *y = b;
  return (*x)->number<(*y)->number ? -1 : (*x)->number>(*y)->number;
}

int ann_pages_flush(AnnPages *pages) {
  int rc = ANN_OK;
  int64_t i, n = 0, slot = 0;
  Cached **dirty, *cached;
  if (pages->n_dirty == 0) return ANN_OK;
  dirty = ann_alloc_array((uint64_t)pages->n_dirty, sizeof *dirty);
  if (!dirty) return ANN_NOMEM;
  while ((cached = ann_hash_next(&pages->held, &slot)) != NULL) {
    if (cached->dirty) dirty[n++] = cached;
  }
  qsort(dirty, (size_t)n, sizeof *dirty, by_number);
  for (i = 0; i < n && rc == ANN_OK; i++) {
    rc = write_page(pages, dirty[i]);
    if (rc != ANN_OK) break;
    dirty[i]->dirty = 0;
    pages->n_dirty--;
    if (dirty[i]->deleted) remove_page(pages, dirty[i]->number);
  }
  ann_free(dirty);
  return rc;
}

int ann_pages_warm(AnnPages *pages) {
  int64_t budget = pages->budget->most, n = 0;
  AnnStoredPage each = {0};
  int found = 1, rc = ANN_OK;
  while (rc == ANN_OK) {
    Cached *cached = NULL;
    rc = ann_stored_next(pages->db, pages->length, &each, &found);
    if (rc != ANN_OK || !found) break;
    /* One that is in memory is newer, or the same. */
    if (each.number > 0 && each.number <= UINT32_MAX && find(pages, (uint32_t)each.number)) {
      continue;
    }
    if (!each.is_valid) return ann_db_corrupt(pages->db, "page", each.number);
    if (pages->budget->pages + each.bytes > budget) break;
    rc = check_children(pages, each.number, &each.page);
    if (rc != ANN_OK) break;
    rc = hold(pages, (uint32_t)each.number, &each.page, &cached);
    if (rc == ANN_OK) cached->stored = term_of(cached);
    memset(&each.page, 0, sizeof each.page); /* it has another owner */
    if (rc == ANN_OK && ++n % 64 == 0) rc = ann_db_tick(pages->db);
  }
  ann_stored_end(&each);
  return rc;
}
