/* call.h -- one call of an inspecting table function: what it was asked, and its rows. */
#ifndef ANN_SQL_CALL_H
#define ANN_SQL_CALL_H

#include "sql/function.h"
#include "sql/listing.h"

typedef struct AnnCall {
  const char *function;      /* for error sentences */
  AnnTable *table;           /* borrowed, as all that follows */
  const char *key;           /* the one value of the first column that is asked for, or
                                ** NULL for all; SQLite checks it again */
  sqlite3_value **arguments; /* after the table's name; NULL where not given, or NULL */
  AnnListing *listing;
  char **out_message; /* an error that the store knows nothing of (sqlite3_malloc) */
} AnnCall;

#endif
