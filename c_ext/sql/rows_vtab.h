/* rows_vtab.h -- ann_rows: one blob of many vectors as rows, the fast way in.
**
** ann_rows(vectors, dimensions [, type [, ids]]) -> (n, vector, id)
** n counts from 0; ids is a blob of little-endian int64, one a vector; without it id is n.
*/
#ifndef ANN_SQL_ROWS_VTAB_H
#define ANN_SQL_ROWS_VTAB_H

#include "index/api.h"

int ann_rows_vtab_register(sqlite3 *db);

#endif
