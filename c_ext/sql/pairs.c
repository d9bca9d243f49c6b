/* pairs.c -- see pairs.h. */
#include "sql/pairs.h"

/* From where it stands to a row that is there; n_rows says whether there is one. */
static int settle(AnnPairs *pairs) {
  AnnFunctionCursor *base = &pairs->base;
  int rc = ANN_OK;
  while (rc == ANN_OK) {
    while (pairs->at < pairs->n && pairs->rank >= pairs->tops[pairs->at].n) {
      pairs->at++;
      pairs->rank = 0;
    }
    if (pairs->at < pairs->n || pairs->done) break;
    rc = pairs->more(pairs);
    pairs->at = pairs->rank = 0;
  }
  base->n_rows = base->at + (rc == ANN_OK && pairs->at < pairs->n);
  return rc;
}

int ann_pairs_start(AnnPairs *pairs) {
  pairs->n = pairs->at = pairs->rank = 0;
  return settle(pairs);
}

int ann_pairs_step(AnnFunctionCursor *base) {
  AnnPairs *pairs = (AnnPairs *)base;
  pairs->rank++;
  return settle(pairs);
}

void ann_pairs_result(AnnFunctionCursor *base, sqlite3_context *out, int column) {
  const AnnPairs *pairs = (const AnnPairs *)base;
  const AnnRanked *row = &pairs->tops[pairs->at].items[pairs->rank];
  switch (column) {
  case ANN_PAIR_SUBJECT:
    sqlite3_result_int64(out, pairs->subjects ? pairs->subjects[pairs->at]
                                              : pairs->first + pairs->at);
    break;
  case ANN_PAIR_ID: sqlite3_result_int64(out, row->id); break;
  case ANN_PAIR_DISTANCE: sqlite3_result_double(out, row->key); break;
  case ANN_PAIR_RANK: sqlite3_result_int64(out, pairs->rank + 1); break;
  }
}

int ann_pairs_in_order(const sqlite3_index_info *info) {
  int i;
  for (i = 0; i < info->nOrderBy; i++) {
    int column = info->aOrderBy[i].iColumn;
    if (info->aOrderBy[i].desc) return 0;
    if (i == 0 && column != ANN_PAIR_SUBJECT) return 0;
    if (i == 1 && column == ANN_PAIR_RANK) return 1;
    if (i == 1 && column != ANN_PAIR_DISTANCE) return 0;
    if (i == 2) return column == ANN_PAIR_ID || column == ANN_PAIR_RANK;
  }
  return info->nOrderBy > 0;
}
