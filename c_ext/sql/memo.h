/* memo.h -- the last result of a search, remembered.
**
** SQLite asks a search anew for every row of an outer loop, often the same.  A result is given
** again when the same is asked in the same run of the same statements, and neither the database
** nor an ann table has changed since.
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

/* Zeroed: nothing is remembered. */
typedef struct AnnMemo {
  AnnStream *stream; /* owned, or NULL: what was asked, and the rows found so far */
  AnnStamp stamp;
} AnnMemo;

/* The search from xFilter's values in the place of the one before, or that one again, when it
** answers the same question.  Its stream stands at the first row; NULL on an error. */
int ann_memo_ask(AnnMemo *memo, AnnTable *table, const AnnForm *form, int bits,
                 sqlite3_value **argv, char **out_message);
/* Give what is remembered to another place, which forgets its own. */
void ann_memo_move(AnnMemo *from, AnnMemo *to);
void ann_memo_clear(AnnMemo *memo);

#endif
