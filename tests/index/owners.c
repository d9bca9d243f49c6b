/* owners.c -- c_ext/index as a library that a test can take apart: every symbol visible, over
** the allocator of tests/core/alloc.c, with the SQLite of whoever loads it as an extension.
*/
#define ANN_OWNS_API
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

#include "core/base.h"

/* cffi:on */
/* The connection that loaded this last. */
sqlite3 *ann_test_handle(void);
/* cffi:off */

static sqlite3 *handle;

sqlite3 *ann_test_handle(void) { return handle; }

int sqlite3_annindextest_init(sqlite3 *db, char **out_message,
                              const sqlite3_api_routines *api) {
  (void)out_message;
  SQLITE_EXTENSION_INIT2(api);
  handle = db;
  return SQLITE_OK;
}
