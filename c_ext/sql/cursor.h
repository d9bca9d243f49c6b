/* cursor.h -- reading an ann table: by rowid, or by a search (embedding MATCH query).
**
** The functions are those of sqlite3_module, each told in SQLite's own documentation.
*/
#ifndef ANN_SQL_CURSOR_H
#define ANN_SQL_CURSOR_H

#include "index/api.h"

int ann_cursor_best_index(sqlite3_vtab *vtab, sqlite3_index_info *info);
int ann_cursor_find_function(sqlite3_vtab *vtab, int argc, const char *name,
                             void (**out_function)(sqlite3_context *, int, sqlite3_value **),
                             void **out_user);
int ann_cursor_open(sqlite3_vtab *vtab, sqlite3_vtab_cursor **out_cursor);
int ann_cursor_close(sqlite3_vtab_cursor *base);
int ann_cursor_filter(sqlite3_vtab_cursor *base, int plan, const char *words, int argc,
                      sqlite3_value **argv);
int ann_cursor_next(sqlite3_vtab_cursor *base);
int ann_cursor_eof(sqlite3_vtab_cursor *base);
int ann_cursor_column(sqlite3_vtab_cursor *base, sqlite3_context *out, int which);
int ann_cursor_rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *out_rowid);
/* The virtual table goes: what its searches found goes with it. */
void ann_cursor_forget(sqlite3_vtab *vtab);

#endif
