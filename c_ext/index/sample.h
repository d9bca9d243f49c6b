/* sample.h -- the queries that a calibration is made of, and what is known of each.
**
** Rows of the table serve as queries, each left out of its own answer, and after them the
** queries that the user gave (learned.h).  Of each the nearest ANN_SAMPLE_NEAR rows are looked
** for; of the first few also those that stand for the nearest 1,000 (a thinned truth, truth.h).
** What it costs to find them is kept for some ranks only, since neighbours of one query are
** found or missed together:
**
**     1, 2, ... 10, 20, 30, ... 100      ANN_NEAR_RANKS of them
**     a tenth, two ... of the thinned    ANN_FAR_RANKS of them
**
** Memory: 64 MiB of queries at most, and 2 kB a query besides.
*/
#ifndef ANN_INDEX_SAMPLE_H
#define ANN_INDEX_SAMPLE_H

#include "index/effort.h"
#include "index/truth.h"

/* Neighbours of one query are missed together, so that the standard error of a recall of .95
** measured on 400 queries is about .005. */
#define ANN_SAMPLE_MOST 400
/* So many of them for k = 1,000: their neighbours are dear to find, and there are many. */
#define ANN_SAMPLE_MOST_FAR 48
/* Rows that are searched for by themselves alone, for each of the queries: that is soon done, as
** most are in the first leaves. */
#define ANN_SAMPLE_OWN 5
#define ANN_SAMPLE_OWN_SHARE 5 /* one in so many rows of the table, at most */
#define ANN_SAMPLE_NEAR 100
#define ANN_SAMPLE_FAR 125 /* x ANN_TRUTH_SHARE = 1,000, ann_effort_ks' last */
#define ANN_NEAR_RANKS 19
#define ANN_FAR_RANKS 10
#define ANN_SELF_RANK \
  (ANN_NEAR_RANKS + ANN_FAR_RANKS) /* the query's own row, as if it were a neighbour */
#define ANN_SAMPLE_RANKS (ANN_SELF_RANK + 1)

/* cffi:on */
/* What one true neighbour costs to find. */
typedef struct AnnCost {
  float reach[ANN_EFFORT_RULES]; /* the rule's largest ratio up to its leaf, for each k */
  uint32_t inspected;            /* entries looked at when its leaf was done */
  uint32_t better;               /* estimates at least as good as its best one; 0: not known */
} AnnCost;
/* inspected, of one that was not found; better, of one with more than were counted */
#define ANN_NOT_REACHED UINT32_MAX

/* What it costs rows to find themselves, at which one in a thousand may fail: what needs more rows
** than there are queries, and of them those that cost most. */
typedef struct AnnOwn {
  uint32_t n;         /* rows that were tried */
  uint32_t inspected; /* as in AnnCost: the largest of all ... */
  uint32_t second;    /* ... and the second largest */
  uint32_t better;    /* the largest */
} AnnOwn;

typedef struct AnnSample {
  const AnnSpace *space; /* borrowed */
  int n, n_wanted;       /* queries; room for */
  int n_rows;            /* of them rows: the first ones; the others were given */
  int n_far;             /* for large k too: the first of the rows ... */
  int n_given_far;       /* ... and the first of the given */
  int64_t *ids;          /* owned: the queries' rows; 0 for those given */
  uint8_t *queries;      /* owned: n_wanted, of space->query_size, as they were when picked */
  AnnTruth *truths;      /* owned: n near ones, then the thinned ones of the far */
  int n_truths;          /* of them made */
  AnnCost *costs;        /* owned: n_wanted x ANN_SAMPLE_RANKS */
  int n_measured;        /* queries whose costs are known: the first ones */
  AnnOwn own;            /* of these and other rows */
} AnnSample;

/* How many queries are to be picked for a table of so many rows: one for rows_each of them,
** `most` at most. */
int ann_sample_size(const AnnSpace *space, int64_t rows, int64_t rows_each, int most);
/* How many rows are to be searched for by themselves, of `rows`, with n_rows queries. */
int64_t ann_sample_own(int64_t n_rows, int64_t rows);
/* Empty, with room for so many queries: ANN_OK or ANN_NOMEM.  clear takes what init failed
** on. */
int ann_sample_init(AnnSample *sample, const AnnSpace *space, int n_wanted);
void ann_sample_clear(AnnSample *sample);
/* Of which query truth i is. */
int ann_sample_query(const AnnSample *sample, int i);
/* Truths of the queries in ids and queries, still empty. */
int ann_sample_make_truths(AnnSample *sample);
/* After the truths are complete: ascending, as ann_sample_neighbour needs them. */
void ann_sample_sort(AnnSample *sample);
/* The row of rank 0..ANN_SAMPLE_RANKS-1 among a query's neighbours, or NULL. */
const AnnRanked *ann_sample_neighbour(const AnnSample *sample, int query, int rank);
AnnCost *ann_sample_costs(const AnnSample *sample, int query);
const void *ann_sample_query_at(const AnnSample *sample, int query);
/* cffi:off */

#endif
