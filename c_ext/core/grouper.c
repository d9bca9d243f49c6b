/* grouper.c -- see grouper.h. */
#include "core/grouper.h"

#include "core/grow.h"
#include "core/sort.h"

typedef struct Key {
  struct Key *next; /* owned: another of the same hash */
  int64_t number;   /* as they came */
  int64_t n_bytes;
  uint8_t bytes[];
} Key;

/* FNV-1a. */
static int64_t hash_of(const uint8_t *bytes, int64_t n) {
  uint64_t hash = 0xcbf29ce484222325u;
  int64_t i;
  for (i = 0; i < n; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
  return (int64_t)hash;
}

static Key *new_key(const void *bytes, int64_t n) {
  Key *key = ann_alloc_array(sizeof *key + (uint64_t)n, 1);
  if (!key) return NULL;
  key->next = NULL;
  key->n_bytes = n;
  if (n > 0) memcpy(key->bytes, bytes, (size_t)n);
  return key;
}

/* The number of a key, which is given one if it is new. */
static int number_of(AnnGrouper *grouper, const void *bytes, int64_t n, int64_t *out_number) {
  int64_t hash = hash_of(bytes, n);
  Key *first = ann_hash_get(&grouper->keys, hash), *key;
  for (key = first; key; key = key->next) {
    if (key->n_bytes != n || (n > 0 && memcmp(key->bytes, bytes, (size_t)n) != 0)) continue;
    *out_number = key->number;
    return ANN_OK;
  }
  if (ann_hash_reserve(&grouper->keys) != ANN_OK) return ANN_NOMEM;
  key = new_key(bytes, n);
  if (!key) return ANN_NOMEM;
  key->next = first;
  key->number = *out_number = grouper->n_keys++;
  return ann_hash_put(&grouper->keys, hash, key);
}

int ann_grouper_add(AnnGrouper *grouper, int64_t id, const void *key, int64_t n_bytes) {
  int64_t number = 0;
  int rc = ann_grow(&grouper->rows, grouper->n, 1, &grouper->allocated, sizeof *grouper->rows);
  if (rc == ANN_OK) rc = number_of(grouper, key, n_bytes, &number);
  if (rc != ANN_OK) return rc;
  if (grouper->n > 0 && id <= grouper->rows[grouper->n - 1].id) grouper->is_unordered = 1;
  grouper->rows[grouper->n++] = (AnnGrouped){id, number};
  return ANN_OK;
}

static int compare(const void *a, const void *b) {
  const AnnGrouped *one = a, *other = b;
  if (one->id != other->id) return one->id < other->id ? -1 : 1;
  return (one->group > other->group) - (one->group < other->group);
}

/* Ascending, each once. */
static int put_in_order(AnnGrouper *grouper, int64_t *out_id) {
  AnnGrouped *rows = grouper->rows;
  int64_t n = 0, i;
  int rc = ann_sort(rows, grouper->n, sizeof *rows, compare, NULL);
  for (i = 0; i < grouper->n && rc == ANN_OK; i++) {
    if (n == 0 || rows[i].id != rows[n - 1].id) {
      rows[n++] = rows[i];
    } else if (rows[i].group != rows[n - 1].group) {
      *out_id = rows[i].id;
      rc = ANN_ERROR;
    }
  }
  grouper->n = n;
  return rc;
}

/* Number the groups as they come among the ids. */
static int number_anew(AnnGrouper *grouper, int64_t *out_n_groups) {
  int64_t *numbers = ann_alloc_array((uint64_t)grouper->n_keys, sizeof *numbers); /* owned */
  int64_t i;
  *out_n_groups = 0;
  if (!numbers) return ANN_NOMEM;
  for (i = 0; i < grouper->n_keys; i++) numbers[i] = -1;
  for (i = 0; i < grouper->n; i++) {
    int64_t *number = &numbers[grouper->rows[i].group];
    if (*number < 0) *number = (*out_n_groups)++;
    grouper->rows[i].group = *number;
  }
  ann_free(numbers);
  return ANN_OK;
}

int ann_grouper_finish(AnnGrouper *grouper, uint8_t **out_bytes, int64_t *out_size,
                       int64_t *out_id) {
  int64_t n_groups = 0;
  int rc = grouper->is_unordered ? put_in_order(grouper, out_id) : ANN_OK;
  if (rc == ANN_OK) rc = number_anew(grouper, &n_groups);
  if (rc == ANN_OK) {
    rc = ann_groups_make(grouper->rows, grouper->n, n_groups, out_bytes, out_size);
  }
  return rc;
}

void ann_grouper_clear(AnnGrouper *grouper) {
  int64_t slot = 0;
  Key *key, *next;
  while ((key = ann_hash_next(&grouper->keys, &slot)) != NULL) {
    for (; key; key = next) {
      next = key->next;
      ann_free(key);
    }
  }
  ann_hash_clear(&grouper->keys);
  ann_free(grouper->rows);
  memset(grouper, 0, sizeof *grouper);
}
