/* api.h -- SQLite for everyone but init.c, which owns the API pointer. */
#ifndef ANN_INDEX_API_H
#define ANN_INDEX_API_H

#include <sqlite3ext.h>

#include "core/base.h"

#ifndef ANN_OWNS_API
SQLITE_EXTENSION_INIT3
#endif

_Static_assert(ANN_OK == SQLITE_OK && ANN_ERROR == SQLITE_ERROR, "codes are SQLite's");
_Static_assert(ANN_NOMEM == SQLITE_NOMEM && ANN_INTERRUPT == SQLITE_INTERRUPT,
               "codes are SQLite's");
_Static_assert(ANN_CORRUPT == SQLITE_CORRUPT_VTAB, "codes are SQLite's");

#endif
