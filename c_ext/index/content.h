/* content.h -- an index over an ordinary table: the table found, and watched.
**
** The vectors are a column of an ordinary table of the same schema, and ids its INTEGER PRIMARY
** KEY.  Three triggers on it note in name_changes the id of every row that is written.  They are
** plain SQL, so that a program without this extension can write the table, too:
**
**   name_insert   AFTER INSERT                    the new id
**   name_update   AFTER UPDATE, when the vector
**                 or the id is another            the old id and the new one
**   name_delete   AFTER DELETE                    the old id
**
** An id that is there already is not inserted again: a conflict clause in the trigger would not
** help, for that of the statement of the user takes its place.  SQLite's REPLACE does not tell of
** rows that it deletes (unless PRAGMA recursive_triggers is on): an id in the forest may have no
** row, and whoever meets it must know.
**
** SQLite keeps the triggers up to date when the table or its column is renamed.  So it is they that
** say what the names are now, and not the arguments of CREATE VIRTUAL TABLE.
*/
#ifndef ANN_INDEX_CONTENT_H
#define ANN_INDEX_CONTENT_H

#include "index/db.h"
#include "index/options.h"

typedef struct AnnContent AnnContent;

/* Both borrowed.  NULL in *out_content for a table with vectors of its own.  ANN_OK or
** ANN_NOMEM. */
int ann_content_new(AnnDb *db, const AnnOptions *options, AnnContent **out_content);
void ann_content_free(AnnContent *content);
/* What all that follows take for a table with vectors of its own is NULL; then nothing is done.  */

/* The table as CREATE names it, or as the triggers that are left do, gets the triggers that it
** lacks, and name_changes is made if it is not there. */
int ann_content_attach(AnnContent *content);
/* The triggers go.  They and the table may be gone already. */
int ann_content_detach(AnnContent *content);
/* The triggers, the table and its columns are in order, and db reads vectors from there; else an
** error with a sentence.  Looked at again whenever the schema has changed.  About a
** microsecond. */
int ann_content_watch(AnnContent *content);
/* They are to be looked at again: the statements were closed. */
void ann_content_forget(AnnContent *content);
/* The triggers, if they are in order, are made anew for another name of the index, whose tables
** have it; db has still the old name. */
int ann_content_rename(AnnContent *content, const char *new_name);
/* The table's name of now, borrowed until the next call. */
const char *ann_content_table(const AnnContent *content);

#endif
