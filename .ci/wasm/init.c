/* init.c -- SQLite with the extension inside: every connection has it.
** Compiled beside sqlite3.c with -DSQLITE_EXTRA_INIT=ann_extra_init. */
#include <sqlite3.h>

int sqlite3_sqliteann_init(sqlite3 *db, char **out_message, const void *api);

int ann_extra_init(const char *unused) {
  (void)unused;
  return sqlite3_auto_extension((void (*)(void))sqlite3_sqliteann_init);
}
