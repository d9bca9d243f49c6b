/* memo.h -- the results of searches, remembered.
**
** SQLite asks a search anew for every row of an outer loop, often the same, and a statement may
** ask the same in two places.  A result is given again when the same is asked in the same run of
** the same statements, and neither the database nor an ann table has changed since: by the cursor
** that has it, by another one that reads it now, or from among those that were read last.
**
**   ann_memo_ask   compares a question with at most ANN_MEMO_RESTED + as many as are open
*/
#ifndef ANN_SQL_MEMO_H
#define ANN_SQL_MEMO_H

#include "sql/stream.h"

/* Which run of which statements, and which state of the database, a result belongs to. */
typedef struct AnnStamp {
  int64_t serial;            /* the table's */
  uint64_t statements;       /* the connection's running statements, and their runs */
  unsigned int data_version; /* SQLITE_FCNTL_DATA_VERSION of the schema */
  int total_changes;         /* of this connection */
  int64_t generation;        /* AnnContext's */
} AnnStamp;

/* What one cursor reads.  Zeroed: nothing. */
typedef struct AnnMemo {
  AnnStream *stream; /* owned, or NULL: what was asked, and the rows found so far */
  AnnStamp stamp;
  struct AnnAnswers *answers; /* borrowed: once something was asked */
  struct AnnMemo *next;       /* in answers->open */
} AnnMemo;

#define ANN_MEMO_RESTED 64 /* a choice: few enough to compare a question with each */

/* The results of one virtual table.  Zeroed: none. */
typedef struct AnnAnswers {
  AnnMemo *open;                   /* borrowed: the cursors' */
  AnnMemo rested[ANN_MEMO_RESTED]; /* owned: no cursor has them; the oldest first */
  int n_rested;
  int64_t bytes; /* of the rested */
} AnnAnswers;

/* The search from xFilter's values in the place of the one before, or a result that answers the
** same question.  Its stream stands at the first row; NULL on an error. */
int ann_memo_ask(AnnMemo *memo, AnnAnswers *answers, AnnTable *table, const AnnForm *form,
                 int bits, sqlite3_value **argv, char **out_message);
/* The cursor closes. */
void ann_memo_close(AnnMemo *memo);
void ann_answers_clear(AnnAnswers *answers);

#endif
