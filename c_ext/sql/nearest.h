/* nearest.h -- the rows of one search, computed in batches as they are read.
**
** A search for k asks the index for the nearest FIRST_BATCH (or k) and, when those
** are read, for four times as many, and so on: reading ten rows of a search for a
** million costs what a search for a few hundred costs.  A later batch starts anew and
** goes on after the last row given; a row that it finds before that one was missed, as
** the recall allows: rows come in order, and it is too late for it.  Batches grow beyond
** k until k rows were given or none are left.  Small tables are read in one batch.
**
** A row that is searched for by its id, and may be in the answer, is its first row, before
** others that are as near; it need not be found.
**
** The rows given are remembered with the state of the database and the run of the
** statement they came from, and given again from memory when the same statement asks
** the same again.
*/
#ifndef ANN_SQL_NEAREST_H
#define ANN_SQL_NEAREST_H

#include "core/idset.h"
#include "core/topk.h"
#include "sql/context.h"
#include "sql/plan.h"

/* Which run of a statement, and which state of the database, a result belongs to. */
typedef struct AnnStamp {
  uint64_t statements;         /* the connection's running statements, and their runs */
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
  int recall_given, k_given, limit_given;
  int has_item;                /* the query is a row, which comes first; not of products */
  int64_t item;
  int has_only;
  AnnIdSet only, exclude;      /* owned */

  AnnStamp stamp;
  AnnRanked *rows;             /* owned: every row found so far that is to be given */
  int64_t n_rows, n_allocated;
  int64_t at;                  /* the current one; its rank is one more */
  int64_t batch_k;             /* how many the last batch asked for */
  int exhausted;               /* no batch can bring more */
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
/* Compute all rows that are still to come; stays where it is. */
int ann_nearest_finish(AnnNearest *nearest, char **out_message);
const AnnRanked *ann_nearest_row(const AnnNearest *nearest);
int64_t ann_nearest_rank(const AnnNearest *nearest);
void ann_nearest_free(AnnNearest *nearest);

#endif
