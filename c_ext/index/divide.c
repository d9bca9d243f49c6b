/* divide.c -- see divide.h. */
#include "index/divide.h"

#include "core/bytes.h"
#include "core/format.h"
#include "core/kernel.h"
#include "core/rng.h"
#include "core/split.h"
#include "index/pages.h"
#include "index/places.h"
#include "index/rows.h"

/* Members the smaller half gets at least: a quarter, so that neither half is soon
** dissolved or full again. */
#define SMALLER_SHARE 4
#define KEY_DIVIDE 0x646976u /* "div": apart from the streams of core/bisect.c */

/* What is cut in two: entries of one page, with their points. */
typedef struct Halves {
  int n;
  int64_t length;
  int64_t *ids;           /* owned: n */
  float *points;          /* owned: n x length */
  const float **pointers; /* owned: n, into points */
  uint8_t *sides;         /* owned: n */
  uint8_t *records;       /* owned: centres of a directory's children, else NULL */
  uint8_t *centre;        /* owned: record of the two halves' centres, one after the other */
  float *mean;            /* owned: scratch, length */
} Halves;

static uint64_t record_size(int64_t length) { return ANN_CENTRE_SIZE + (uint64_t)length; }

static int halves_init(Halves *h, const AnnPage *page) {
  uint64_t n = (uint64_t)page->n, length = (uint64_t)page->length, i;
  memset(h, 0, sizeof *h);
  h->n = page->n;
  h->length = page->length;
  h->ids = ann_alloc_array(n, sizeof *h->ids);
  h->points = ann_alloc_array(n, length * sizeof(float));
  h->pointers = ann_alloc_array(n, sizeof *h->pointers);
  h->sides = ann_alloc_array(n, 1);
  h->centre = ann_alloc_array(2, record_size(h->length));
  h->mean = ann_alloc_array(length, sizeof(float));
  if (page->kind == ANN_KIND_DIRECTORY) {
    h->records = ann_alloc_array(n, record_size(h->length));
    if (!h->records) return ANN_NOMEM;
  }
  if (!h->ids || !h->points || !h->pointers || !h->sides || !h->centre || !h->mean) {
    return ANN_NOMEM;
  }
  for (i = 0; i < n; i++) {
    h->ids[i] = ann_page_id(page, (int)i);
    h->pointers[i] = h->points + i * length;
  }
  return ANN_OK;
}

static void halves_clear(Halves *h) {
  ann_free(h->ids);
  ann_free(h->points);
  ann_free(h->pointers);
  ann_free(h->sides);
  ann_free(h->records);
  ann_free(h->centre);
  ann_free(h->mean);
}

/* Cut, and compute both centres. */
static int halves_cut(Halves *h, AnnStore *store, int tree, uint32_t number) {
  AnnRng rng = ann_rng_keyed((uint64_t)store->options.seed,
                             ((uint64_t)KEY_DIVIDE << 8) + (uint64_t)tree, number);
  int rc = ann_split(h->pointers, h->n, h->length, h->n / SMALLER_SHARE, &rng, h->sides), side;
  for (side = 0; side < 2 && rc == ANN_OK; side++) {
    float spread = 0;
    rc = ann_split_mean(h->pointers, h->sides, side, h->n, h->length, h->mean, &spread);
    if (rc != ANN_OK) break;
    ann_centre_encode(h->mean, h->length, spread,
                      h->centre + (uint64_t)side * record_size(h->length));
  }
  return rc;
}

/* Room to encode against one centre. */
typedef struct Coder {
  int geometry;
  float *centre; /* owned */
  AnnCode code;  /* bits owned */
} Coder;

static void coder_clear(Coder *coder) {
  ann_free(coder->centre);
  ann_free(coder->code.bits);
}

/* For the centre of a record.  To be cleared after a failure, too. */
static int coder_init(Coder *coder, const AnnStore *store, const uint8_t *record) {
  uint64_t length = (uint64_t)store->rotation.length;
  coder->geometry = store->options.space.geometry;
  coder->centre = ann_alloc_array(length, sizeof *coder->centre);
  coder->code.bits = ann_alloc_array(length / 8, 1);
  if (!coder->centre || !coder->code.bits) return ANN_NOMEM;
  ann_centre_decode(record, store->rotation.length, coder->centre);
  return ANN_OK;
}

/* Append x, L rotated components; record: of a directory's child its centre, else NULL. */
static int append(Coder *coder, AnnPage *page, int64_t id, const float *x,
                  const uint8_t *record) {
  ann_code_encode(coder->geometry, x, coder->centre, page->length, &coder->code);
  return ann_page_append(page, id, &coder->code, record);
}

/* Fill a page anew with the members of one side; not begun when memory is out. */
static int fill(AnnStore *store, AnnPage *page, const Halves *h, int side) {
  const uint8_t *centre = h->centre + (uint64_t)side * record_size(h->length);
  Coder coder;
  int rc = coder_init(&coder, store, centre), i;
  if (rc == ANN_OK) {
    memcpy(ann_page_centre(page), centre, record_size(h->length));
    page->n = 0;
  }
  for (i = 0; i < h->n && rc == ANN_OK; i++) {
    const uint8_t *record = h->records ? h->records + (uint64_t)i * record_size(h->length)
                                       : NULL;
    if (h->sides[i] == side) rc = append(&coder, page, h->ids[i], h->pointers[i], record);
  }
  coder_clear(&coder);
  return rc;
}

int ann_divide_enter(AnnStore *store, AnnPage *parent, uint32_t number, const AnnPage *page) {
  float *point = ann_alloc_array((uint64_t)page->length, sizeof *point); /* owned */
  Coder coder;
  int rc = coder_init(&coder, store, ann_page_centre(parent));
  if (rc == ANN_OK && !point) rc = ANN_NOMEM;
  if (rc == ANN_OK) {
    ann_centre_decode(ann_page_centre(page), page->length, point);
    rc = append(&coder, parent, number, point, ann_page_centre(page));
  }
  coder_clear(&coder);
  ann_free(point);
  return rc;
}

static int divide_page(AnnStore *store, int tree, uint32_t number, Halves *h,
                       uint32_t *out_other);

/* The vectors of a leaf's members as points; one whose row is gone, as in an ordinary table, is
** taken to be at the leaf's centre. */
static int take_members(AnnStore *store, Halves *h, const AnnPage *page, uint32_t number) {
  AnnProbe probe;
  int rc = ann_probe_init(&probe, store), i;
  if (rc != ANN_OK) return rc;
  for (i = 0; i < h->n && rc == ANN_OK; i++) {
    const AnnRow *row = NULL;
    rc = ann_rows_get(store->rows, h->ids[i], &row);
    if (rc == ANN_OK && !row && !ann_source_may_lack(store->source)) {
      rc = ann_db_corrupt(store->db, "page", number);
    }
    if (rc != ANN_OK) break;
    if (!row) {
      ann_centre_decode(ann_page_centre(page), h->length, h->points + i * h->length);
      continue;
    }
    ann_probe_rotate(&probe, store, row->vector);
    memcpy(h->points + i * h->length, probe.vector, (size_t)h->length * sizeof(float));
  }
  ann_probe_clear(&probe);
  return rc;
}

/* Divide a directory; its moved children get a new parent. */
static int divide_directory(AnnStore *store, int tree, uint32_t number) {
  AnnPage *page = NULL, *child = NULL;
  Halves h;
  uint32_t other = 0;
  int rc = ann_pages_get(store->pages, number, tree, ANN_ANY_LEVEL, &page), i, level;
  if (rc != ANN_OK) return rc;
  level = page->level;
  rc = halves_init(&h, page);
  for (i = 0; i < h.n && rc == ANN_OK; i++) {
    memcpy(h.records + (uint64_t)i * record_size(h.length), ann_page_child_centre(page, i),
           record_size(h.length));
    ann_centre_decode(ann_page_child_centre(page, i), h.length, h.points + i * h.length);
  }
  if (rc == ANN_OK) rc = divide_page(store, tree, number, &h, &other);
  for (i = 0; i < h.n && rc == ANN_OK; i++) {
    if (h.sides[i] == 0) continue;
    rc = ann_pages_get(store->pages, (uint32_t)h.ids[i], tree, level - 1, &child);
    if (rc != ANN_OK) break;
    child->parent = other;
    ann_pages_touch(store->pages, (uint32_t)h.ids[i]);
  }
  halves_clear(&h);
  return rc;
}

/* A root over what was the root. */
static int add_root(AnnStore *store, int tree, uint32_t number, AnnPage *page) {
  AnnPage *root = NULL;
  uint32_t above = 0;
  int rc;
  if (page->level >= 255) return ann_db_corrupt(store->db, "page", number);
  rc = ann_pages_add(store->pages, tree, page->level + 1, 0, &above, &root);
  if (rc != ANN_OK) return rc;
  memcpy(ann_page_centre(root), ann_page_centre(page), record_size(page->length));
  page->parent = above;
  ann_pages_touch(store->pages, number);
  store->state.roots[tree] = above;
  store->state.dirty = 1;
  return ann_divide_enter(store, root, number, page);
}

/* Room for one more in the parent of `number`; which parent that is may change. */
static int make_room(AnnStore *store, int tree, uint32_t number, AnnPage *page,
                     uint32_t *out_parent, AnnPage **out_page) {
  int rc = page->parent ? ANN_OK : add_root(store, tree, number, page);
  if (rc == ANN_OK)
    rc = ann_pages_get(store->pages, page->parent, tree, page->level + 1, out_page);
  if (rc == ANN_OK && (*out_page)->n >= (*out_page)->capacity) {
    rc = divide_directory(store, tree, page->parent);
    if (rc == ANN_OK)
      rc = ann_pages_get(store->pages, page->parent, tree, page->level + 1, out_page);
  }
  *out_parent = page->parent;
  return rc;
}

/* Cut the page's entries in two pages and enter both in the parent. */
static int divide_page(AnnStore *store, int tree, uint32_t number, Halves *h,
                       uint32_t *out_other) {
  AnnPage *page = NULL, *other = NULL, *parent = NULL;
  uint32_t parent_number = 0;
  int rc = halves_cut(h, store, tree, number), at = -1;
  if (rc == ANN_OK)
    rc = ann_pages_get(store->pages, number, tree, h->records ? ANN_ANY_LEVEL : 0, &page);
  if (rc == ANN_OK) rc = make_room(store, tree, number, page, &parent_number, &parent);
  if (rc == ANN_OK) {
    rc = ann_pages_add(store->pages, tree, page->level, parent_number, out_other, &other);
  }
  if (rc == ANN_OK) rc = ann_pages_child(store->pages, number, page, parent, &at);
  if (rc != ANN_OK) return rc;
  ann_pages_touch(store->pages, number);
  ann_pages_touch(store->pages, parent_number);
  rc = fill(store, page, h, 0);
  if (rc == ANN_OK) rc = fill(store, other, h, 1);
  ann_page_remove(parent, at);
  if (rc == ANN_OK) rc = ann_divide_enter(store, parent, number, page);
  if (rc == ANN_OK) rc = ann_divide_enter(store, parent, *out_other, other);
  return rc;
}

int ann_divide_leaf(AnnStore *store, int tree, uint32_t number, uint32_t *out_other) {
  AnnPage *page = NULL;
  Halves h;
  int rc = ann_pages_get(store->pages, number, tree, 0, &page), i;
  if (rc != ANN_OK) return rc;
  rc = halves_init(&h, page);
  if (rc == ANN_OK) rc = take_members(store, &h, page, number);
  if (rc == ANN_OK) rc = divide_page(store, tree, number, &h, out_other);
  for (i = 0; i < h.n && rc == ANN_OK; i++) {
    if (h.sides[i]) rc = ann_places_move(store->places, h.ids[i], number, *out_other);
  }
  halves_clear(&h);
  return rc;
}

/* Is the mean of the members, in h->centre, far enough from the centre that they have? */
static int has_moved(const Halves *h, const AnnPage *page, float *scratch, double share) {
  float moved, spread = ann_get_f32(h->centre + ANN_CENTRE_SPREAD);
  ann_centre_decode(ann_page_centre(page), h->length, h->mean);
  ann_centre_decode(h->centre, h->length, scratch);
  moved = ann_kernels()->l2(h->mean, scratch, (size_t)h->length);
  return (double)moved > share * ((double)spread + (double)moved);
}

/* Members as points, their mean as h->centre; *out_moved is 0 when that is no news. */
static int look_for_mean(AnnStore *store, Halves *h, const AnnPage *page, uint32_t number,
                         double share, int *out_moved) {
  float *scratch = ann_alloc_array((uint64_t)page->length, sizeof *scratch); /* owned */
  float spread = 0;
  int rc = scratch ? take_members(store, h, page, number) : ANN_NOMEM;
  if (rc == ANN_OK) {
    rc = ann_split_mean(h->pointers, NULL, -1, h->n, h->length, h->mean, &spread);
  }
  if (rc == ANN_OK) {
    ann_centre_encode(h->mean, h->length, spread, h->centre);
    *out_moved = has_moved(h, page, scratch, share);
  }
  ann_free(scratch);
  return rc;
}

int ann_divide_recentre(AnnStore *store, int tree, uint32_t number, double share,
                        int *out_moved) {
  AnnPage *page = NULL, *parent = NULL;
  Halves h;
  int rc = ann_pages_get(store->pages, number, tree, 0, &page), at = -1;
  *out_moved = 0;
  if (rc == ANN_OK) rc = ann_pages_get(store->pages, page->parent, tree, 1, &parent);
  if (rc == ANN_OK) rc = ann_pages_child(store->pages, number, page, parent, &at);
  if (rc != ANN_OK) return rc;
  rc = halves_init(&h, page);
  if (rc == ANN_OK) rc = look_for_mean(store, &h, page, number, share, out_moved);
  if (rc == ANN_OK && *out_moved) {
    memset(h.sides, 0, (size_t)h.n);
    ann_pages_touch(store->pages, number);
    ann_pages_touch(store->pages, page->parent);
    rc = fill(store, page, &h, 0);
    if (rc == ANN_OK) {
      ann_page_remove(parent, at);
      rc = ann_divide_enter(store, parent, number, page);
    }
  }
  halves_clear(&h);
  return rc;
}
