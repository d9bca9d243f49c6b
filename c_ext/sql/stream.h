/* stream.h -- the rows of one search, computed as they are read.
**
** A search for k asks the index for the nearest FIRST_BATCH (or k) and, when those are read,
** for four times as many, and so on, which goes on where it stopped (index/search.h): reading
** ten rows of a search for a million costs what a search for a few hundred costs.  A row that
** is found only then, and is nearer than the last row given, was missed, as the recall allows:
** rows come in order, and it is too late for it.  Small tables are read at once.
**
** A search that gives k rows of others that it comes upon (sieve.h), or chooses among more
** (diversity.h), computes all k before the first is read.  Where it comes to the end of the index,
** or to a good part of the table, with fewer than k, it begins anew and looks at every row: k rows
** come whenever there are k.
**
** A row that is searched for by its id, and may be in the answer, is its first row, before
** others that are as near; it need not be found.
*/
#ifndef ANN_SQL_STREAM_H
#define ANN_SQL_STREAM_H

#include "core/topk.h"
#include "sql/arguments.h"
#include "sql/context.h"
#include "sql/sieve.h"
#include "sql/subject.h"

typedef struct AnnStream {
  AnnContext *context; /* borrowed */
  char *schema, *name; /* owned: the table; found again when rows are needed later */
  const AnnForm *form;
  AnnArguments arguments; /* owned: as they read back */
  AnnSubject subject;     /* owned */
  AnnIds exclude;   /* owned: ids to exclude and several items, where these are left out */
  AnnSieve sieve;   /* owned */
  int64_t k;        /* wanted; INT64_MAX for "as long as someone reads" */
  int64_t n_wanted; /* the same, or how many to choose k of */
  int has_item;     /* the subject is a row that may be in the answer */
  int is_whole;     /* all are computed before the first is read */
  int is_exact;     /* it began anew, and looks at every row */

  AnnRanked *rows; /* owned: every row found so far that is to be given */
  int64_t n_rows, n_allocated;
  int64_t at;                   /* the current one; its rank is one more */
  int64_t asked;                /* how many rows were asked of the index last */
  struct AnnSearcher *searcher; /* owned: while the search goes on; else the table has it */
  int64_t table_serial;         /* of the table that it began in */
  int exhausted;                /* there are no more rows than those found */
  int is_beyond;                /* as the next one is farther than max_distance */
} AnnStream;

/* A search from xFilter's values, without a row yet; inside ann_store_begin.  A NULL query, and
** an item that does not exist, give no rows.  Free *out_stream in any case. */
int ann_stream_new(AnnTable *table, const AnnForm *form, int bits, sqlite3_value **argv,
                   AnnStream **out_stream, char **out_message);
/* Compute the row at which it stands.  Inside the same xFilter. */
int ann_stream_start(AnnStream *stream, AnnTable *table, char **out_message);
int ann_stream_next(AnnStream *stream, char **out_message);
/* Compute all rows that are still to come; stays where it is. */
int ann_stream_finish(AnnStream *stream, char **out_message);
/* Memory of what was asked, and of the rows found so far. */
int64_t ann_stream_bytes(const AnnStream *stream);
/* Whether it stands behind the last row, as NULL does. */
int ann_stream_eof(const AnnStream *stream);
int64_t ann_stream_id(const AnnStream *stream);
/* A column of the form: id, distance, rank or an argument; nothing for another one. */
void ann_stream_result(const AnnStream *stream, int column, sqlite3_context *out);
int ann_stream_asks_same(const AnnStream *a, const AnnStream *b);
/* Go back to the first row, for one who asked the same: what reads back is as it was asked
** now. */
void ann_stream_again(AnnStream *stream, AnnStream *asked);
/* Nobody reads for now: what it lent of the table's is there for the search that comes.  The table
** may be NULL, or another one.  The rows stay; whoever reads beyond them has it begin anew. */
void ann_stream_rest(AnnStream *stream, AnnTable *table);
/* Take over the rows of a search for the same.  Beyond them it begins anew, too, and so finds what
** the other finds. */
int ann_stream_copy(const AnnStream *from, AnnStream *to);
void ann_stream_free(AnnStream *stream);

#endif
