/* idset.c -- see idset.h. */
#include "core/idset.h"

static char held; /* what every id of a set has for a value */

void ann_idset_init(AnnIdSet *set) { memset(set, 0, sizeof *set); }

int ann_idset_add(AnnIdSet *set, int64_t id, int *out_new) {
  int64_t before = set->n;
  int rc = ann_hash_put(set, id, &held);
  if (rc == ANN_OK && out_new) *out_new = set->n > before;
  return rc;
}

int ann_idset_has(const AnnIdSet *set, int64_t id) { return ann_hash_get(set, id) != NULL; }

void ann_idset_clear(AnnIdSet *set) { ann_hash_clear(set); }
