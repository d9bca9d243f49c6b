/* nearest.h -- the rows of one search, computed in batches as they are read.
**
** A search for k asks the index for the nearest FIRST_BATCH (or k) and, when those
** are read, for four times as many, and so on up to k: reading ten rows of a search
** for a million costs what a search for a few dozen costs.  A later batch starts
** anew and continues after the last row given; a row that it finds before that one
** was missed and stays so, as the recall allows.
**
** The result is remembered with the state of the database it came from, and given
** again from memory when the same is asked of the same state.
*/
#ifndef ANN_SQL_NEAREST_H
#define ANN_SQL_NEAREST_H

#include "core/idset.h"
#include "core/topk.h"
#include "sql/context.h"
#include "sql/plan.h"

/* Which state of the database a result belongs to. */
typedef struct AnnStamp {
  unsigned int data_version;   /* SQLITE_FCNTL_DATA_VERSION of the schema */
  int total_changes;           /* of this connection */
  int64_t generation;          /* AnnContext's */
} AnnStamp;

typedef struct AnnNearest {
  AnnContext *context;         /* borrowed */
  char *schema, *name;         /* owned: the table; found again for every batch */
  float *vector;               /* owned: the query */
  int64_t dimensions;
  int64_t k;                   /* wanted; INT64_MAX for "as long as someone reads" */
  double recall, max_distance; /* in force; max_distance +infinity for none */
  int64_t search_k;            /* 0 for none */
  int recall_given, k_given;
  int has_only;
  AnnIdSet only, exclude;      /* owned */

  AnnStamp stamp;
  AnnTopk batch;               /* owned: rows of the batch, ascending */
  int64_t batch_k;             /* how many the batch asked for */
  int64_t at;                  /* the current row in the batch */
  int64_t rank;                /* of the current row, from 1 */
  int64_t n_batches;
  int eof;
} AnnNearest;

/* A search from xFilter's values; `columns` says whose.  found: the table, the query or the
** item exists; without it the search has no rows.  *spare (may hold an earlier result,
** owned) is taken over when it answers the same question, else freed.  The result
** stands at its first row. */
int ann_nearest_open(AnnContext *context, AnnTable *table, const AnnPlanColumns *columns,
                     int index_number, sqlite3_value **argv, AnnNearest **spare,
                     AnnNearest **out_nearest, char **out_message);
int ann_nearest_next(AnnNearest *nearest, char **out_message);
const AnnRanked *ann_nearest_row(const AnnNearest *nearest);
void ann_nearest_free(AnnNearest *nearest);

#endif
