/* rows_vtab.h -- blobs of many values as rows.
**
** ann_rows is the fast way in, ann_ids hands a list of ids to `id IN (SELECT id FROM …)`:
**
** ann_ids(ids) -> (n, id)
** ann_rows(vectors, dimensions [, type [, ids]]) -> (n, vector, id)
** n counts from 0; ids is a blob of little-endian int64, one a vector; without it id is n.
** A vector that is not finite is an error, which names its n and id, when it is asked for.
*/
#ifndef ANN_SQL_ROWS_VTAB_H
#define ANN_SQL_ROWS_VTAB_H

#include "sql/context.h"

int ann_rows_vtab_register(sqlite3 *db, AnnContext *context);

#endif
