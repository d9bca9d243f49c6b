/* grouping.h -- SQL values as groups of ids, and ann_groups, which makes them of the rows of a
** query.
**
** Where groups are expected, these will do:
**
**   groups          a blob as ann_groups makes it (core/groups.h)
**   a JSON object   of ids and the keys of their groups, numbers or strings, which are the same
**                   where they are written the same; null is no group
*/
#ifndef ANN_SQL_GROUPING_H
#define ANN_SQL_GROUPING_H

#include "core/groups.h"
#include "index/api.h"

/* Groups that were given. */
typedef struct AnnGrouping {
  AnnGroups groups;
  uint8_t *bytes; /* owned: the groups', unless they are the value's own */
} AnnGrouping;

/* The groups of a value that is not NULL.  A blob is borrowed.  ANN_ERROR with a sentence in
** *out_message (sqlite3_malloc); clear *out_grouping in any case. */
int ann_grouping_read(const char *function, const char *name, sqlite3_value *value,
                      AnnGrouping *out_grouping, char **out_message);
int ann_grouping_equal(const AnnGrouping *a, const AnnGrouping *b);
void ann_grouping_clear(AnnGrouping *grouping);

/* ann_groups. */
int ann_grouping_register(sqlite3 *db);

#endif
