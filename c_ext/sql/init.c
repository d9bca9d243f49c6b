/* init.c -- the entry point: everything is registered here, and nothing else is exported. */
#define ANN_OWNS_API
#include <sqlite3ext.h>
SQLITE_EXTENSION_INIT1

#include "sql/arithmetic.h"
#include "sql/backend.h"
#include "sql/context.h"
#include "sql/decode.h"
#include "sql/each_vtab.h"
#include "sql/grouping.h"
#include "sql/ids.h"
#include "sql/inspect_vtab.h"
#include "sql/join_vtab.h"
#include "sql/many_vtab.h"
#include "sql/rows_vtab.h"
#include "sql/scalar.h"
#include "sql/search_vtab.h"
#include "sql/setting.h"
#include "sql/vtab.h"

#define OLDEST_SQLITE 3039000 /* sqlite3_vtab_in needs 3.38; RIGHT JOIN and db_name 3.39 */

#ifdef _WIN32
#define ANN_EXPORT __declspec(dllexport)
#else
#define ANN_EXPORT __attribute__((visibility("default")))
#endif

/* A copy of this library has one pointer to SQLite's functions.  A process may have two SQLites:
** the first one's connections would go on with the second one's functions.  One that is linked into
** SQLite has no such pointer. */
static int is_anothers(const sqlite3_api_routines *api, char **out_message) {
#ifdef SQLITE_CORE
  (void)api;
  (void)out_message;
  return 0;
#else
  if (!sqlite3_api || sqlite3_api == api) return 0;
  *out_message =
      api->mprintf("sqlite_ann: expected one SQLite library in a process, got %s beside "
                   "%s: load a copy of this file into the second",
                   api->libversion(), sqlite3_libversion());
  return 1;
#endif
}

ANN_EXPORT int sqlite3_sqliteann_init(sqlite3 *db, char **out_message,
                                      const sqlite3_api_routines *api) {
  AnnContext *context;
  int rc;
  if (is_anothers(api, out_message)) return SQLITE_ERROR;
  SQLITE_EXTENSION_INIT2(api);
  if (sqlite3_libversion_number() < OLDEST_SQLITE) {
    *out_message = sqlite3_mprintf("sqlite_ann: expected SQLite 3.39 or later, got %s",
                                   sqlite3_libversion());
    return SQLITE_ERROR;
  }
  if (ann_context_exists(db)) return SQLITE_OK; /* loaded before: all is registered */
  rc = ann_backend_from_environment(out_message);
  if (rc != ANN_OK) return rc;
  context = ann_alloc_zero(1, sizeof *context);
  if (!context) return SQLITE_NOMEM;
  context->db = db;
  context->references = 1; /* ours, until all is registered */
  rc = ann_context_register(db, context);
  if (rc == SQLITE_OK) rc = ann_vtab_register(db, context);
  if (rc == SQLITE_OK) rc = ann_search_vtab_register(db, context);
  if (rc == SQLITE_OK) rc = ann_join_vtab_register(db, context);
  if (rc == SQLITE_OK) rc = ann_many_vtab_register(db, context);
  if (rc == SQLITE_OK) rc = ann_inspect_vtab_register(db, context);
  if (rc == SQLITE_OK) rc = ann_rows_vtab_register(db, context);
  if (rc == SQLITE_OK) rc = ann_each_vtab_register(db, context);
  if (rc == SQLITE_OK) rc = ann_scalar_register(db);
  if (rc == SQLITE_OK) rc = ann_decode_register(db);
  if (rc == SQLITE_OK) rc = ann_arithmetic_register(db);
  if (rc == SQLITE_OK) rc = ann_ids_register(db);
  if (rc == SQLITE_OK) rc = ann_grouping_register(db);
  if (rc == SQLITE_OK) rc = ann_setting_register(db, context);
  ann_context_release(context);
  return rc;
}
