/* items.c -- see items.h. */
#include "sql/items.h"

#include <math.h>
#include <stdlib.h>

#include "core/grow.h"
#include "core/json.h"
#include "core/sort.h"

/* ---- an object ---- */

static int is_object(sqlite3_value *value) {
  const char *text =
      sqlite3_value_type(value) == SQLITE_TEXT ? (const char *)sqlite3_value_text(value) : NULL;
  while (text && *text && strchr(" \t\r\n", *text)) text++;
  return text && *text == '{';
}

static int read_weight(const AnnMember *member, int64_t id, double *out_weight,
                       char *out_message) {
  char number[ANN_JSON_NUMBER];
  *out_weight = ann_json_is_number(member, number) ? strtod(number, NULL) : INFINITY;
  if (isfinite(*out_weight)) return ANN_OK;
  sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message,
                   "expected a finite number as the weight of %lld, got %.*s", (long long)id,
                   member->n_value < 40 ? (int)member->n_value : 40, member->value);
  return ANN_ERROR;
}

static int read_members(sqlite3_value *value, AnnItems *items, char *out_message) {
  AnnJson json;
  AnnMember member;
  int found = 1;
  int rc = ann_json_open_object(&json, (const char *)sqlite3_value_text(value),
                                sqlite3_value_bytes(value), out_message);
  while (rc == ANN_OK) {
    AnnItem item = {0, 0};
    rc = ann_json_next_member(&json, &member, &found, out_message);
    if (rc != ANN_OK || !found) break;
    rc = ann_ids_of_name(&member, &item.id, out_message);
    if (rc == ANN_OK) rc = read_weight(&member, item.id, &item.weight, out_message);
    if (rc == ANN_OK) {
      rc = ann_grow(&items->of, items->n, 1, &items->allocated, sizeof *items->of);
    }
    if (rc == ANN_OK) items->of[items->n++] = item;
  }
  return rc;
}

static int compare(const void *a, const void *b) {
  const AnnItem *one = a, *other = b;
  return (one->id > other->id) - (one->id < other->id);
}

static int put_in_order(AnnItems *items, char *out_message) {
  int64_t i;
  int rc = ann_sort(items->of, items->n, sizeof *items->of, compare, NULL);
  for (i = 1; i < items->n && rc == ANN_OK; i++) {
    if (items->of[i].id != items->of[i - 1].id) continue;
    sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message,
                     "expected one weight for each id, got two for %lld",
                     (long long)items->of[i].id);
    rc = ANN_ERROR;
  }
  return rc;
}

static int read_object(const char *function, sqlite3_value *value, AnnItems *items,
                       char **out_message) {
  char clause[ANN_VECTOR_MESSAGE];
  int rc = read_members(value, items, clause);
  if (rc == ANN_OK) rc = put_in_order(items, clause);
  if (rc != ANN_ERROR) return rc;
  sqlite3_free(*out_message);
  *out_message = sqlite3_mprintf("%s, items: %s", function, clause);
  return *out_message ? ANN_ERROR : ANN_NOMEM;
}

/* ---- ids ---- */

static int read_ids(const char *function, sqlite3_value *value, AnnItems *items,
                    char **out_message) {
  AnnIds ids;
  int64_t *list = NULL; /* owned */
  int64_t i;
  int rc = ann_ids_read(function, "items", value, &ids, out_message);
  if (rc == ANN_OK) {
    list = ann_alloc_array((uint64_t)ids.set.n, sizeof *list);
    rc = list ? ann_grow(&items->of, 0, ids.set.n, &items->allocated, sizeof *items->of)
              : ANN_NOMEM;
  }
  if (rc == ANN_OK) {
    ann_bitmap_ids(&ids.set, list);
    for (i = 0; i < ids.set.n; i++) items->of[items->n++] = (AnnItem){list[i], 1};
  }
  ann_free(list);
  ann_ids_clear(&ids);
  return rc;
}

int ann_items_read(const char *function, sqlite3_value *value, AnnItems *out_items,
                   char **out_message) {
  memset(out_items, 0, sizeof *out_items);
  return is_object(value) ? read_object(function, value, out_items, out_message)
                          : read_ids(function, value, out_items, out_message);
}

void ann_items_clear(AnnItems *items) {
  ann_free(items->of);
  memset(items, 0, sizeof *items);
}
