/* sieve.c -- see sieve.h. */
#include "sql/sieve.h"

#include <math.h>

/* Behind the row that comes first, wherever its id would have its place, come all others. */
static void begin_behind(AnnSieve *sieve, const AnnArguments *arguments,
                         const AnnRanked *first) {
  const AnnArgument *distance = &arguments->of[ANN_ARG_AFTER_DISTANCE];
  const AnnArgument *id = &arguments->of[ANN_ARG_AFTER_ID];
  sieve->has_after = distance->is_given;
  sieve->after.key = distance->number;
  sieve->after.id = id->is_given ? id->count : INT64_MAX;
  if (first && id->is_given && id->count == first->id && distance->number <= first->key) {
    sieve->after.key = -INFINITY;
  }
}

int ann_sieve_init(AnnSieve *sieve, const AnnArguments *arguments, const AnnRanked *first) {
  const AnnArgument *groups = &arguments->of[ANN_ARG_GROUPS];
  memset(sieve, 0, sizeof *sieve);
  begin_behind(sieve, arguments, first);
  if (!groups->is_given) return ANN_OK;
  sieve->groups = &groups->grouping.groups;
  sieve->max_per = arguments->of[ANN_ARG_MAX_PER].count;
  sieve->counts = ann_alloc_zero((uint64_t)sieve->groups->n_groups, sizeof *sieve->counts);
  return sieve->counts ? ANN_OK : ANN_NOMEM;
}

int ann_sieve_is_open(const AnnSieve *sieve) { return !sieve->groups && !sieve->has_after; }

/* Count a row: is there room for it in its group? */
static int fits(AnnSieve *sieve, int64_t id) {
  int64_t group = sieve->groups ? ann_groups_find(sieve->groups, id) : -1;
  return group < 0 || sieve->counts[group]++ < sieve->max_per;
}

int ann_sieve_takes(AnnSieve *sieve, const AnnRanked *row) {
  if (sieve->has_seen && ann_ranked_compare(row, &sieve->seen) <= 0) return 0;
  sieve->has_seen = 1;
  sieve->seen = *row;
  return fits(sieve, row->id) &&
         (!sieve->has_after || ann_ranked_compare(row, &sieve->after) > 0);
}

int ann_sieve_takes_first(AnnSieve *sieve, const AnnRanked *row) {
  if (sieve->has_first) return 0;
  sieve->has_first = 1;
  return fits(sieve, row->id) && !sieve->has_after;
}

void ann_sieve_follow(AnnSieve *sieve, const AnnArguments *arguments) {
  if (sieve->groups) sieve->groups = &arguments->of[ANN_ARG_GROUPS].grouping.groups;
}

int64_t ann_sieve_bytes(const AnnSieve *sieve) {
  return sieve->groups ? sieve->groups->n_groups * (int64_t)sizeof *sieve->counts : 0;
}

void ann_sieve_copy(const AnnSieve *from, AnnSieve *to) {
  to->has_first = from->has_first;
  to->has_seen = from->has_seen;
  to->seen = from->seen;
  if (to->groups) memcpy(to->counts, from->counts, (size_t)ann_sieve_bytes(from));
}

void ann_sieve_restart(AnnSieve *sieve) {
  sieve->has_first = sieve->has_seen = 0;
  if (!sieve->groups) return;
  memset(sieve->counts, 0, (size_t)ann_sieve_bytes(sieve));
}

void ann_sieve_clear(AnnSieve *sieve) {
  ann_free(sieve->counts);
  memset(sieve, 0, sizeof *sieve);
}
