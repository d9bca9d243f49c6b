/* schema.h -- the shadow tables: all DDL, and the check that they are what we made.
**
** name_config   id INTEGER PRIMARY KEY, name TEXT, value     settings and counters
** name_vectors  id INTEGER PRIMARY KEY, vector BLOB          one row a vector
** name_pages    id INTEGER PRIMARY KEY, data BLOB            the forest
** name_places   id INTEGER PRIMARY KEY, pages BLOB           in which leaves an id is
** name_waiting  id INTEGER PRIMARY KEY, last INTEGER         runs of ids not yet in the forest
**
** An index over an ordinary table (content.h) has no name_vectors, but
**
** name_changes  id INTEGER PRIMARY KEY                       ids whose row was written since
**
** which is no shadow name: SQLite keeps ordinary programs from writing to shadow tables, and those
** that write to the ordinary table write here.
*/
#ifndef ANN_INDEX_SCHEMA_H
#define ANN_INDEX_SCHEMA_H

#include "index/api.h"

/* All: an SQLite code; on failure *out_message may hold one sentence (sqlite3_malloc). */

/* Which tables there are. */
typedef struct AnnSchema {
  sqlite3 *db; /* borrowed, as what follows */
  const char *schema, *name;
  int is_content; /* an index over an ordinary table */
} AnnSchema;

/* Fails when one of the names is taken, and then leaves nothing. */
int ann_schema_create(AnnSchema schema, char **out_message);
/* Makes name_changes, if it is not there. */
int ann_schema_add_changes(AnnSchema schema, char **out_message);
/* Removes the tables that exist; a missing one is no error. */
int ann_schema_drop(AnnSchema schema, char **out_message);
int ann_schema_rename(AnnSchema schema, const char *new_name, char **out_message);
/* Each must be an ordinary table with the declared columns and no triggers. */
int ann_schema_check(AnnSchema schema, char **out_message);
/* Whether name_<suffix> of an ann table would be `suffix`. */
int ann_schema_is_shadow(const char *suffix);

#endif
