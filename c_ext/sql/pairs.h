/* pairs.h -- rows of table functions that pair each of many subjects with what is near to it.
**
** The columns are the subject, the id, the distance and the rank.  Rows come by subject and then by
** rank, which is by distance and id, some subjects at a time.
*/
#ifndef ANN_SQL_PAIRS_H
#define ANN_SQL_PAIRS_H

#include "core/topk.h"
#include "sql/function.h"

enum { ANN_PAIR_SUBJECT, ANN_PAIR_ID, ANN_PAIR_DISTANCE, ANN_PAIR_RANK, ANN_PAIR_COLUMNS };

/* One call; a function's own cursor begins with it. */
typedef struct AnnPairs {
  AnnFunctionCursor base;
  /* The next subjects in the place of those before. */
  int (*more)(struct AnnPairs *pairs);
  int done; /* there are no more */
  /* the subjects of now; all borrowed */
  int64_t n;
  const int64_t *subjects; /* NULL: numbers from `first` on */
  int64_t first;
  const AnnTopk *tops; /* of each, ascending */
  int64_t at, rank;    /* where it stands among them: rank counts from 0 */
} AnnPairs;

/* At the first row, when all but the subjects is set. */
int ann_pairs_start(AnnPairs *pairs);
/* What functions of this kind have in common (function.h). */
int ann_pairs_step(AnnFunctionCursor *base);
void ann_pairs_result(AnnFunctionCursor *base, sqlite3_context *out, int column);
int ann_pairs_in_order(const sqlite3_index_info *info);

#endif
