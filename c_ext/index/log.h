/* log.h -- what an operator should know, said once, to SQLite's log.
**
** A host listens by SQLITE_CONFIG_LOG, from Python by apsw.ext.log_sqlite.  What is said is what a
** table does by itself, what a command has done, and what wants attention: never one search, one
** row, or a value of the user's.  Only the thread that SQLite called says anything.
*/
#ifndef ANN_INDEX_LOG_H
#define ANN_INDEX_LOG_H

#include "index/db.h"

/* cffi:on */
/* News: "sqlite_ann: SCHEMA.TABLE: ..." with SQLITE_NOTICE. */
void ann_log_news(AnnDb *db, const char *format, ...);
/* The failure whose sentence is kept (db.h), if any: not again until there is news or another. */
void ann_log_failure(AnnDb *db, int code);
/* cffi:off */

#endif
