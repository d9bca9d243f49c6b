/* inspect_vtab.h -- the table functions that show what is inside an ann table:
** ann_info, ann_trees, ann_pages, ann_check, ann_recall, ann_explain, ann_state.  Each takes
** the table's name; ann_recall and ann_explain, which search, more. */
#ifndef ANN_SQL_INSPECT_VTAB_H
#define ANN_SQL_INSPECT_VTAB_H

#include "sql/context.h"

int ann_inspect_vtab_register(sqlite3 *db, AnnContext *context);

#endif
