/* subject.c -- see subject.h. */
#include "sql/subject.h"

#include "core/blend.h"
#include "core/grow.h"
#include "sql/value.h"

#define ITEMS_PER_TICK 256

/* ---- a vector ---- */

static int read_vector(AnnSubject *subject, const AnnTable *table, const AnnForm *form,
                       sqlite3_value *value, char **out_message) {
  const AnnStore *store = table->store;
  char message[ANN_VECTOR_MESSAGE];
  int rc = ann_value_query(value, &store->options.space, subject->query, message);
  subject->is_there = 1;
  if (rc != ANN_ERROR) return rc;
  return ann_value_refuse(out_message, sqlite3_mprintf("%s, table %s, column %s: %s",
                                                       form->function, ann_db_name(store->db),
                                                       store->options.column, message));
}

/* ---- a row ---- */

/* The row as a query, and how far it is from itself. */
static int read_row(AnnSubject *subject, AnnStore *store) {
  const AnnSpace *space = &store->options.space;
  AnnOrigin origin;
  void *vector = ann_alloc((uint64_t)space->blob_size); /* owned */
  int rc = vector ? ann_source_get(store->source, subject->item, vector, &subject->is_there)
                  : ANN_NOMEM;
  if (rc == ANN_OK && subject->is_there) {
    ann_space_as_query(space, vector, subject->query);
    ann_origin_init(&origin, space, subject->query);
    subject->item_distance = ann_origin_distance(&origin, vector);
    subject->is_row = ann_space_is_own_nearest(space);
  }
  ann_free(vector);
  return rc;
}

static int read_item(AnnSubject *subject, AnnTable *table, const AnnForm *form,
                     sqlite3_value *value, char **out_message) {
  AnnItems *items = &subject->items;
  int rc;
  if (!ann_value_integer(value, &subject->item)) {
    return ann_value_refuse(out_message,
                            sqlite3_mprintf("%s: expected the id of a row, got %s",
                                            form->function, ann_value_kind(value)));
  }
  rc = ann_grow(&items->of, 0, 1, &items->allocated, sizeof *items->of);
  if (rc == ANN_OK) items->of[items->n++] = (AnnItem){subject->item, 1};
  if (rc == ANN_OK) rc = read_row(subject, table->store);
  return ann_context_report(table->store, rc, out_message);
}

/* ---- several rows ---- */

/* Add up those that are there. */
static int add_rows(const AnnItems *items, AnnStore *store, AnnBlend *blend) {
  void *vector = ann_alloc((uint64_t)store->options.space.blob_size); /* owned */
  int64_t i;
  int rc = vector ? ANN_OK : ANN_NOMEM;
  for (i = 0; i < items->n && rc == ANN_OK; i++) {
    int found = 0;
    rc = ann_source_get(store->source, items->of[i].id, vector, &found);
    if (rc == ANN_OK && found) ann_blend_add(blend, vector, items->of[i].weight);
    if (rc == ANN_OK && i % ITEMS_PER_TICK == ITEMS_PER_TICK - 1) rc = ann_db_tick(store->db);
  }
  ann_free(vector);
  return rc;
}

static int read_items(AnnSubject *subject, AnnTable *table, const AnnForm *form,
                      sqlite3_value *value, char **out_message) {
  AnnStore *store = table->store;
  char clause[ANN_VECTOR_MESSAGE];
  AnnBlend blend; /* owned */
  int rc = ann_items_read(form->function, value, &subject->items, out_message);
  if (rc != ANN_OK) return rc;
  rc = ann_blend_init(&blend, &store->options.space);
  if (rc == ANN_OK) rc = add_rows(&subject->items, store, &blend);
  rc = ann_context_report(store, rc, out_message);
  subject->is_there = rc == ANN_OK && blend.n > 0;
  if (subject->is_there) {
    rc = ann_blend_finish(&blend, subject->query, clause);
    if (rc == ANN_ERROR) {
      rc = ann_value_refuse(out_message,
                            sqlite3_mprintf("%s, items: %s", form->function, clause));
    }
  }
  ann_blend_clear(&blend);
  return rc;
}

/* ---- any of them ---- */

int ann_subject_read(AnnSubject *subject, AnnTable *table, const AnnForm *form,
                     sqlite3_value *value, char **out_message) {
  memset(subject, 0, sizeof *subject);
  subject->size = table->store->options.space.query_size;
  subject->query = ann_alloc_zero((uint64_t)subject->size, 1);
  if (!subject->query) return ANN_NOMEM;
  if (!value) return ANN_OK;
  switch (form->kind) {
  case ANN_FORM_ITEM: return read_item(subject, table, form, value, out_message);
  case ANN_FORM_ITEMS: return read_items(subject, table, form, value, out_message);
  default: return read_vector(subject, table, form, value, out_message);
  }
}

static int same_ids(const AnnItems *a, const AnnItems *b) {
  int64_t i;
  if (a->n != b->n) return 0;
  for (i = 0; i < a->n; i++) {
    if (a->of[i].id != b->of[i].id) return 0;
  }
  return 1;
}

/* What the weights made is in the query. */
int ann_subject_equal(const AnnSubject *a, const AnnSubject *b) {
  return a->size == b->size && a->is_there == b->is_there && same_ids(&a->items, &b->items) &&
         memcmp(a->query, b->query, (size_t)a->size) == 0;
}

void ann_subject_clear(AnnSubject *subject) {
  ann_free(subject->query);
  ann_items_clear(&subject->items);
  memset(subject, 0, sizeof *subject);
}
