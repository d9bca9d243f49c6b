/* groups.c -- see groups.h. */
#include "core/groups.h"

static const uint8_t *id_at(const AnnGroups *groups, int64_t i) {
  return groups->bytes + ANN_GROUPS_HEADER + 8 * i;
}

static const uint8_t *group_at(const AnnGroups *groups, int64_t i) {
  return groups->bytes + ANN_GROUPS_HEADER + 8 * groups->n + 4 * i;
}

int ann_groups_make(const AnnGrouped *rows, int64_t n, int64_t n_groups, uint8_t **out_bytes,
                    int64_t *out_size) {
  int64_t size = ANN_GROUPS_HEADER + 12 * n, i;
  uint8_t *bytes = ann_alloc_array((uint64_t)size, 1);
  if (!bytes) return ANN_NOMEM;
  ann_put32(bytes, ANN_GROUPS_MAGIC);
  ann_put64(bytes + 4, (uint64_t)n);
  ann_put64(bytes + 12, (uint64_t)n_groups);
  for (i = 0; i < n; i++) {
    ann_put64(bytes + ANN_GROUPS_HEADER + 8 * i, (uint64_t)rows[i].id);
    ann_put32(bytes + ANN_GROUPS_HEADER + 8 * n + 4 * i, (uint32_t)rows[i].group);
  }
  *out_bytes = bytes;
  *out_size = size;
  return ANN_OK;
}

int ann_groups_open(AnnGroups *groups, const uint8_t *bytes, int64_t size) {
  int64_t n = (size - ANN_GROUPS_HEADER) / 12, n_groups = 0, i;
  memset(groups, 0, sizeof *groups);
  if (size < ANN_GROUPS_HEADER || ann_get32(bytes) != ANN_GROUPS_MAGIC) return ANN_ERROR;
  if (size != ANN_GROUPS_HEADER + 12 * n || ann_get64(bytes + 4) != (uint64_t)n) {
    return ANN_ERROR;
  }
  groups->bytes = bytes;
  groups->size = size;
  groups->n = n;
  for (i = 0; i < n; i++) {
    int64_t group = ann_get32(group_at(groups, i));
    if (i > 0 &&
        (int64_t)ann_get64(id_at(groups, i)) <= (int64_t)ann_get64(id_at(groups, i - 1))) {
      return ANN_ERROR;
    }
    if (group > n_groups) return ANN_ERROR;
    n_groups += group == n_groups;
  }
  if (ann_get64(bytes + 12) != (uint64_t)n_groups) return ANN_ERROR;
  groups->n_groups = n_groups;
  return ANN_OK;
}

int64_t ann_groups_find(const AnnGroups *groups, int64_t id) {
  int64_t from = 0, to = groups->n;
  while (from < to) {
    int64_t middle = from + (to - from) / 2;
    if ((int64_t)ann_get64(id_at(groups, middle)) < id) from = middle + 1;
    else to = middle;
  }
  if (from == groups->n || (int64_t)ann_get64(id_at(groups, from)) != id) return -1;
  return ann_get32(group_at(groups, from));
}
