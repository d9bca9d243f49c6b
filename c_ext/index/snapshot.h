/* snapshot.h -- which state of a table was read: told by the file, or by the table itself.
**
** SQLite numbers the states of a file (SQLITE_FCNTL_DATA_VERSION, asked after the first read:
** before it the number is old).  A commit that did not touch the table raises that number, too,
** but changes neither pages_sum nor history (state.h).
*/
#ifndef ANN_INDEX_SNAPSHOT_H
#define ANN_INDEX_SNAPSHOT_H

#include "index/db.h"
#include "index/state.h"

/* cffi:on */
typedef struct AnnSnapshot {
  int is_set;     /* 0: of no state */
  int knows_file; /* SQLite told the number of the file: */
  unsigned file;
  uint64_t pages_sum, history; /* of the table */
  int in_write;                /* in a write transaction on the file */
} AnnSnapshot;

/* Of what the open read transaction sees, whose counters are `state`. */
AnnSnapshot ann_snapshot_now(const AnnDb *db, const AnnState *state);
/* Is what was read then what is to be read now? */
int ann_snapshot_is_same(const AnnSnapshot *then, const AnnSnapshot *now);
/* cffi:off */

#endif
