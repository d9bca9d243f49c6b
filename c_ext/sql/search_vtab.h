/* search_vtab.h -- the table functions ann_search, ann_search_item, ann_search_items. */
#ifndef ANN_SQL_SEARCH_VTAB_H
#define ANN_SQL_SEARCH_VTAB_H

#include "sql/context.h"

int ann_search_vtab_register(sqlite3 *db, AnnContext *context);

#endif
