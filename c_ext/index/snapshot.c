/* snapshot.c -- see snapshot.h. */
#include "index/snapshot.h"

AnnSnapshot ann_snapshot_now(const AnnDb *db, const AnnState *state) {
  AnnSnapshot now = {1, 0, 0, state->pages_sum, state->history, ann_db_is_in_write(db)};
  now.knows_file = ann_db_data_version(db, &now.file);
  return now;
}

/* The number of the file stays when a write transaction is rolled back, with what somebody
** wrote to our tables by hand and we have read: when a look outside follows one inside, it is
** another state. */
int ann_snapshot_is_same(const AnnSnapshot *then, const AnnSnapshot *now) {
  int same_file = now->knows_file && now->file == then->file;
  int same_table = now->pages_sum == then->pages_sum && now->history == then->history;
  if (!then->is_set || (same_file && then->in_write && !now->in_write)) return 0;
  return same_file || same_table;
}
