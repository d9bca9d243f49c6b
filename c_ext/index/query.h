/* query.h -- what a search is asked for, and which rows may be in its answer. */
#ifndef ANN_INDEX_QUERY_H
#define ANN_INDEX_QUERY_H

#include "core/bitmap.h"

typedef struct AnnQuery {
  const void *vector; /* of space->query_size bytes: core/query.h */
  int64_t k;
  double recall;            /* in (0, 1]; 1 is exact */
  int64_t search_k;         /* entries to look at, at most, of such rows; 0: as recall says */
  int recall_given;         /* search_k and recall both hold */
  const AnnBitmap *only;    /* rows that may be returned, NULL for all */
  const AnnBitmap *also;    /* the same once more: a row has to be in both */
  const AnnBitmap *exclude; /* rows that may not, NULL for none */
  const AnnBitmap
      *noted;       /* rows of which the forest has old vectors (notes.h), NULL for none */
  int without_self; /* nor this one: */
  int64_t self;
} AnnQuery;

static inline int ann_query_is_filtered(const AnnQuery *query) {
  return query->only || query->also || query->exclude || query->noted || query->without_self;
}

/* May all rows but one? */
static inline int ann_query_is_of_others(const AnnQuery *query) {
  return query->without_self && !query->only && !query->also && !query->exclude &&
         !query->noted;
}

/* May a row be in the answer? */
static inline int ann_query_allows(const AnnQuery *query, int64_t id) {
  return (!query->only || ann_bitmap_has(query->only, id)) &&
         (!query->also || ann_bitmap_has(query->also, id)) &&
         (!query->exclude || !ann_bitmap_has(query->exclude, id)) &&
         !(query->without_self && id == query->self);
}

/* And is it to be looked for in the forest? */
static inline int ann_query_wants(const AnnQuery *query, int64_t id) {
  return ann_query_allows(query, id) && (!query->noted || !ann_bitmap_has(query->noted, id));
}

/* The part of a table's rows that may be in the answer, at most; above 0. */
static inline double ann_query_share(const AnnQuery *query, int64_t rows) {
  double n = (double)rows, left = query->only ? (double)query->only->n : n;
  if (!query->only && query->exclude) left -= (double)query->exclude->n;
  if (!query->only && query->noted) left -= (double)query->noted->n;
  if (left < 1) left = 1;
  return left < n ? left / n : 1;
}

#endif
