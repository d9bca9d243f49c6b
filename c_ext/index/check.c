/* check.c -- see check.h. */
#include "index/check.h"

#include <stdarg.h>

#include "core/bytes.h"
#include "core/format.h"
#include "core/idset.h"
#include "index/config.h"
#include "index/effort.h"
#include "index/walk.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/stored.h"
#include "index/waiting.h"

typedef struct Check {
  AnnStore *store;
  AnnFaults *faults;
  const AnnBitmap *noted; /* borrowed: rows of which the forest has old vectors, or NULL */
  AnnProbe probe;         /* owned */
  void *vector;           /* owned */
  float *centre;          /* owned */
  uint8_t *bits;          /* owned: the code a vector should have */
  uint8_t *stored;        /* owned: the code it has */
  int64_t n_entries;
  int64_t n_leaves, n_directories, n_children;
  uint64_t pages_sum;
  int has_invalid; /* pages, of which the sum cannot be known */
} Check;

/* Note a fault; page or id < 0 is left out. */
static int fault(Check *c, int64_t page, const int64_t *id, const char *format, ...) {
  AnnFault *item = &c->faults->items[c->faults->n];
  va_list arguments;
  if (c->faults->n == ANN_MAX_FAULTS) return ANN_OK;
  va_start(arguments, format);
  item->text = sqlite3_vmprintf(format, arguments);
  va_end(arguments);
  if (!item->text) return ANN_NOMEM;
  item->has_page = page >= 0;
  item->page = page;
  item->has_id = id != NULL;
  item->id = id ? *id : 0;
  c->faults->n++;
  return ANN_OK;
}

static int full(const Check *c) { return c->faults->n == ANN_MAX_FAULTS; }

/* A fault that the store's own reading found is a finding, not a failure to check. */
static int find(Check *c, int rc, int64_t page, const int64_t *id) {
  AnnDb *db = c->store->db;
  if (rc != ANN_CORRUPT) return rc;
  rc = fault(c, page, id, "%s", ann_db_cause(db) ? ann_db_cause(db) : "damaged");
  ann_db_unsay(db);
  return rc;
}

/* May the forest have of a row what it is not, for all that it knows? */
static int is_noted(const Check *c, int64_t id) {
  return c->noted && ann_bitmap_has(c->noted, id);
}

/* ---- pages ---- */

static int check_parent(Check *c, int64_t number, const AnnPage *page) {
  AnnPage *parent = NULL;
  const AnnState *state = &c->store->state;
  int at, rc;
  if (page->parent == 0) {
    if (page->tree < c->store->options.trees && state->roots[page->tree] == number)
      return ANN_OK;
    return fault(c, number, NULL, "page without a parent is not the root of tree %d",
                 page->tree);
  }
  rc = ann_pages_get(c->store->pages, page->parent, page->tree, page->level + 1, &parent);
  if (rc != ANN_OK) return find(c, rc, number, NULL);
  at = ann_page_find(parent, number);
  if (at < 0) {
    return fault(c, number, NULL, "page is not among the children of its parent %u",
                 page->parent);
  }
  if (memcmp(ann_page_child_centre(parent, at), ann_page_centre(page),
             ANN_CENTRE_SIZE + (size_t)page->length) != 0) {
    return fault(c, number, NULL, "centre differs from the one in its parent %u", page->parent);
  }
  return ANN_OK;
}

/* The entry's code is what its point (rotated) gives. */
static int check_code(Check *c, int64_t number, const AnnPage *page, int i, const float *x) {
  int64_t id = ann_page_id(page, i);
  AnnCode wanted, stored;
  wanted.bits = c->bits;
  stored.bits = c->stored;
  ann_code_encode(c->store->options.space.geometry, x, c->centre, page->length, &wanted);
  ann_page_code(page, i, &stored);
  if (memcmp(&wanted.shift, &stored.shift, sizeof wanted.shift) == 0 &&
      memcmp(&wanted.slope, &stored.slope, sizeof wanted.slope) == 0 &&
      memcmp(wanted.bits, stored.bits, (size_t)page->length / 8) == 0) {
    return ANN_OK;
  }
  return page->level == 0
             ? fault(c, number, &id, "code differs from the one its vector gives")
             : fault(c, number, NULL,
                     "code of child %lld differs from the one its centre gives", (long long)id);
}

static int is_among(const uint32_t *pages, int n, int64_t number) {
  int i;
  for (i = 0; i < n && pages[i] != number; i++) {}
  return i < n;
}

static int check_leaf(Check *c, int64_t number, const AnnPage *page) {
  int rc = ANN_OK, i, found = 0;
  ann_centre_decode(ann_page_centre(page), page->length, c->centre);
  for (i = 0; i < page->n && rc == ANN_OK && !full(c); i++) {
    uint32_t pages[ANN_MAX_TREES] = {0};
    int64_t id = ann_page_id(page, i);
    rc = find(c, ann_places_get(c->store->places, id, pages, &found), number, &id);
    if (rc != ANN_OK) break;
    if (!found || !is_among(pages, c->store->options.trees, number)) {
      rc = fault(c, number, &id, "entry is not where the places table says");
      continue;
    }
    rc = find(c, ann_source_get(c->store->source, id, c->vector, &found), number, &id);
    if (rc == ANN_OK && ann_page_find(page, id) != i) {
      rc = fault(c, number, &id, "entry is in the leaf twice");
    } else if (rc == ANN_OK && !found && !ann_source_may_lack(c->store->source)) {
      rc = fault(c, number, &id, "entry has no vector");
    } else if (rc == ANN_OK && found && !is_noted(c, id)) {
      ann_probe_rotate(&c->probe, c->store, c->vector);
      rc = check_code(c, number, page, i, c->probe.vector);
    }
  }
  c->n_entries += page->n;
  return rc;
}

static int check_directory(Check *c, int64_t number, const AnnPage *page) {
  AnnIdSet seen;
  int rc = ANN_OK, i, is_new = 0;
  ann_idset_init(&seen);
  ann_centre_decode(ann_page_centre(page), page->length, c->centre);
  for (i = 0; i < page->n && rc == ANN_OK && !full(c); i++) {
    AnnPage *child = NULL;
    int64_t id = ann_page_id(page, i);
    rc = ann_idset_add(&seen, id, &is_new);
    if (rc != ANN_OK) break;
    if (!is_new || id <= 0 || id > UINT32_MAX) {
      rc = fault(c, number, NULL, "child %lld is named twice or is no page number",
                 (long long)id);
      continue;
    }
    rc = find(c,
              ann_pages_get(c->store->pages, (uint32_t)id, page->tree, page->level - 1, &child),
              number, NULL);
    if (rc == ANN_OK && child && child->parent != number) {
      rc = fault(c, number, NULL, "child %lld has another parent, %u", (long long)id,
                 child->parent);
    }
    if (child && child->level == 0) ann_pages_forget(c->store->pages, (uint32_t)id);
    if (rc == ANN_OK) {
      ann_centre_decode(ann_page_child_centre(page, i), page->length, c->probe.vector);
      rc = check_code(c, number, page, i, c->probe.vector);
    }
  }
  c->n_children += page->n;
  ann_idset_clear(&seen);
  return rc;
}

static int check_page(Check *c, const AnnStoredPage *each) {
  int rc = ANN_OK;
  if (!each->is_valid) {
    c->has_invalid = 1;
    return fault(c, each->number, NULL, "page of %lld bytes is not valid",
                 (long long)each->bytes);
  }
  c->pages_sum +=
      ann_state_page((uint32_t)each->number, ann_get64(each->page.bytes + ANN_HEADER_CHECKSUM));
  if (each->number > c->store->state.last_page) {
    rc = fault(c, each->number, NULL, "page number is beyond the last one used");
  }
  if (rc == ANN_OK && !ann_page_is_tidy(&each->page)) {
    rc = fault(c, each->number, NULL, "bytes that are reserved or unused are not zero");
  }
  if (rc == ANN_OK) rc = check_parent(c, each->number, &each->page);
  if (rc == ANN_OK && each->page.level == 0) rc = check_leaf(c, each->number, &each->page);
  else if (rc == ANN_OK) rc = check_directory(c, each->number, &each->page);
  if (each->page.level == 0) c->n_leaves++;
  else c->n_directories++;
  return rc;
}

static int check_pages(Check *c) {
  AnnStoredPage each = {0};
  int rc = ANN_OK, found = 1;
  while (rc == ANN_OK && !full(c)) {
    rc = ann_stored_next(c->store->db, c->store->rotation.length, &each, &found);
    if (rc != ANN_OK || !found) break;
    rc = check_page(c, &each);
    if (rc == ANN_OK) rc = ann_db_tick(c->store->db);
  }
  ann_stored_end(&each);
  return rc;
}

static int check_page_counts(Check *c) {
  const AnnState *state = &c->store->state;
  int rc = ANN_OK, n_roots = state->roots[0] ? c->store->options.trees : 0;
  if (!c->has_invalid && c->pages_sum != state->pages_sum) {
    rc = fault(c, -1, NULL, "config row %d has another pages_sum than the pages",
               ANN_CONFIG_STATE);
  }
  if (rc == ANN_OK &&
      (c->n_leaves != state->leaf_pages || c->n_directories != state->directory_pages)) {
    rc = fault(c, -1, NULL, "expected %lld leaf and %lld directory pages, got %lld and %lld",
               (long long)state->leaf_pages, (long long)state->directory_pages,
               (long long)c->n_leaves, (long long)c->n_directories);
  }
  if (rc == ANN_OK && c->n_children != c->n_leaves + c->n_directories - n_roots) {
    rc = fault(c, -1, NULL, "expected %lld children in directories, got %lld",
               (long long)(c->n_leaves + c->n_directories - n_roots), (long long)c->n_children);
  }
  if (rc == ANN_OK && c->n_entries != state->placed * c->store->options.trees) {
    rc = fault(c, -1, NULL, "expected %lld entries in all leaves, got %lld",
               (long long)(state->placed * c->store->options.trees), (long long)c->n_entries);
  }
  return rc;
}

/* ---- rows ---- */

static int check_places(Check *c) {
  int64_t id = INT64_MIN, n = 0;
  int rc = ANN_OK, found = 1, waits = 0;
  while (rc == ANN_OK && !full(c)) {
    uint32_t pages[ANN_MAX_TREES];
    rc = find(c, ann_places_next(c->store->places, id, &id, pages, &found), -1, &id);
    if (rc != ANN_OK || !found) break;
    n++;
    rc = find(c, ann_waiting_has(c->store->waiting, id, &waits), -1, &id);
    if (rc == ANN_OK && waits) rc = fault(c, -1, &id, "row is in the forest and waits as well");
    if (rc == ANN_OK && n % 256 == 0) rc = ann_db_tick(c->store->db);
    if (id == INT64_MAX) break;
    id++;
  }
  if (rc == ANN_OK && n != c->store->state.placed && !full(c)) {
    rc = fault(c, -1, NULL, "expected %lld rows in the forest, got %lld places",
               (long long)c->store->state.placed, (long long)n);
  }
  return rc;
}

static int check_waiting(Check *c) {
  int64_t from = INT64_MIN, first = 0, last = 0, end = 0, n = 0, count, smallest, largest;
  int rc = ANN_OK, found = 1, any = 0;
  while (rc == ANN_OK && !full(c)) {
    rc = ann_waiting_next(c->store->waiting, from, &first, &last, &found);
    if (rc == ANN_CORRUPT) return find(c, rc, -1, &first);
    if (rc != ANN_OK || !found) break;
    if (any && first <= end) rc = fault(c, -1, &first, "waiting runs overlap");
    if (rc == ANN_OK && !(any && last <= end)) {
      rc = ann_source_count(c->store->source, any && first <= end ? end + 1 : first, last,
                            &count, &smallest, &largest);
      n += count;
      end = last;
    }
    any = 1;
    if (first == INT64_MAX) break;
    from = first + 1;
  }
  if (c->store->content) return rc; /* others write there, and nobody has counted them */
  if (rc == ANN_OK && n != c->store->state.rows - c->store->state.placed && !full(c)) {
    rc = fault(c, -1, NULL, "expected %lld waiting rows, got %lld",
               (long long)(c->store->state.rows - c->store->state.placed), (long long)n);
  }
  return rc;
}

static int check_config(Check *c) {
  AnnEffort effort;
  uint8_t *stored = NULL;                                     /* owned */
  char *wanted = ann_config_options_text(&c->store->options); /* owned */
  int64_t size = 0;
  int rc = wanted ? find(c, ann_effort_for(c->store->efforts, 1, 0.5, &effort), -1, NULL)
                  : ANN_NOMEM;
  if (rc == ANN_OK) rc = ann_config_blob(c->store->db, ANN_CONFIG_OPTIONS, &stored, &size);
  if (rc == ANN_OK &&
      (size != (int64_t)strlen(wanted) || memcmp(stored, wanted, (size_t)size))) {
    rc = fault(c, -1, NULL, "config row %d is not what CREATE VIRTUAL TABLE says",
               ANN_CONFIG_OPTIONS);
  }
  sqlite3_free(wanted);
  ann_free(stored);
  return rc;
}

/* A row of an ordinary table that no trigger told of is nowhere, as where a program has switched
** triggers off. */
static int check_known(Check *c, int64_t id) {
  AnnStore *store = c->store;
  uint32_t pages[ANN_MAX_TREES];
  int known = 0, rc;
  if (store->state.roots[0] == 0 || is_noted(c, id)) return ANN_OK;
  rc = find(c, ann_places_get(store->places, id, pages, &known), -1, &id);
  if (rc == ANN_OK && !known) {
    rc = find(c, ann_waiting_has(store->waiting, id, &known), -1, &id);
  }
  if (rc != ANN_OK || known) return rc;
  return fault(c, -1, &id, "row is not in the index, and no trigger noted it; rebuild it");
}

static int check_vectors(Check *c) {
  int64_t id = 0, n = 0;
  int found = 1, rc = ann_source_scan(c->store->source, INT64_MIN, INT64_MAX);
  ann_source_be_strict(c->store->source, 1);
  while (rc == ANN_OK && !full(c)) {
    rc = ann_source_next(c->store->source, &id, c->vector, &found);
    if (rc == ANN_CORRUPT) rc = find(c, rc, -1, &id);
    else if (rc == ANN_OK && found && c->store->content) rc = check_known(c, id);
    if (rc != ANN_OK || !found) break;
    if (++n % 256 == 0) rc = ann_db_tick(c->store->db);
  }
  ann_source_be_strict(c->store->source, 0);
  ann_source_end(c->store->source);
  if (c->store->content) return rc;
  if (rc == ANN_OK && n != c->store->state.rows && !full(c)) {
    rc = fault(c, -1, NULL, "expected %lld vectors, got %lld", (long long)c->store->state.rows,
               (long long)n);
  }
  return rc;
}

int ann_check(AnnStore *store, AnnFaults *faults) {
  Check c;
  int rc = ann_store_begin(store);
  memset(&c, 0, sizeof c);
  c.store = store;
  c.faults = faults;
  /* Changes of the open transaction are looked at as they will be stored. */
  if (rc == ANN_OK) rc = ann_store_flush_to_look(store);
  if (rc == ANN_OK) rc = ann_notes_get(store->notes, &c.noted);
  /* What keeps a table from being opened is the first and only finding. */
  if (rc == ANN_OK) {
    uint64_t length = (uint64_t)store->rotation.length;
    rc = ann_probe_init(&c.probe, store);
    c.vector = ann_alloc((uint64_t)ann_store_vector_bytes(store));
    c.centre = ann_alloc_array(length, sizeof(float));
    c.bits = ann_alloc_array(length / 8, 1);
    c.stored = ann_alloc_array(length / 8, 1);
    if (rc == ANN_OK && (!c.vector || !c.centre || !c.bits || !c.stored)) rc = ANN_NOMEM;
    if (rc == ANN_OK) rc = check_pages(&c);
    if (rc == ANN_OK && !full(&c)) rc = check_page_counts(&c);
    if (rc == ANN_OK && !full(&c)) rc = check_config(&c);
    if (rc == ANN_OK && !full(&c)) rc = check_places(&c);
    if (rc == ANN_OK && !full(&c)) rc = check_waiting(&c);
    if (rc == ANN_OK && !full(&c)) rc = check_vectors(&c);
  }
  if (rc == ANN_ERROR) rc = ANN_CORRUPT; /* a newer format, a missing table */
  rc = find(&c, rc, -1, NULL);
  ann_store_end(store);
  ann_probe_clear(&c.probe);
  ann_free(c.vector);
  ann_free(c.centre);
  ann_free(c.bits);
  ann_free(c.stored);
  return rc;
}

void ann_faults_clear(AnnFaults *faults) {
  int i;
  for (i = 0; i < faults->n; i++) sqlite3_free(faults->items[i].text);
  memset(faults, 0, sizeof *faults);
}
