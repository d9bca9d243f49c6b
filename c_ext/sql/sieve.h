/* sieve.h -- which of the rows that a search comes upon are given: those behind a row, and at most
** so many of a group.
**
** Rows come by (distance, id), and are looked at once each.  A row before the one where a page
** begins counts in its group as well: pages are the parts of one list.  A row in no group is a
** group of its own.
**
**   ann_sieve_takes   O(log n) of n grouped ids
*/
#ifndef ANN_SQL_SIEVE_H
#define ANN_SQL_SIEVE_H

#include "core/topk.h"
#include "sql/arguments.h"

typedef struct AnnSieve {
  const AnnGroups *groups; /* borrowed; NULL: any number of each */
  int64_t max_per;
  int64_t *counts; /* owned: of each group, so far */
  int has_after;
  AnnRanked after; /* what is given comes behind it */
  int has_first;   /* the row that comes first was looked at */
  int has_seen;
  AnnRanked seen; /* the last one of the others that was */
} AnnSieve;

/* By the arguments, which are borrowed; first: the row that comes before all others, or NULL.
** ANN_OK or ANN_NOMEM; clear it in any case. */
int ann_sieve_init(AnnSieve *sieve, const AnnArguments *arguments, const AnnRanked *first);
/* Does it take every row? */
int ann_sieve_is_open(const AnnSieve *sieve);
/* Look at a row: is it new, and is it given?  The row that comes first is not in the order. */
int ann_sieve_takes(AnnSieve *sieve, const AnnRanked *row);
int ann_sieve_takes_first(AnnSieve *sieve, const AnnRanked *row);
/* Equal arguments are in the place of those that it borrows. */
void ann_sieve_follow(AnnSieve *sieve, const AnnArguments *arguments);
/* Stand where another of equal arguments does. */
void ann_sieve_copy(const AnnSieve *from, AnnSieve *to);
/* Memory of the counts. */
int64_t ann_sieve_bytes(const AnnSieve *sieve);
/* Begin anew. */
void ann_sieve_restart(AnnSieve *sieve);
void ann_sieve_clear(AnnSieve *sieve);

#endif
