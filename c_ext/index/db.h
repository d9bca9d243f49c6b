/* db.h -- one ann table's handle on the database: its statements, its first error sentence.
**
** Everything that reads or writes a shadow table does it by a statement of this handle.  Of a
** failure the first sentence is kept, whoever meets it, until whoever asked takes it.  What is
** changed is counted, so that a failure can be told from one after which nothing has happened.
**
**   ann_db_tick   about half a microsecond
*/
#ifndef ANN_INDEX_DB_H
#define ANN_INDEX_DB_H

#include "core/base.h"
#include "index/api.h"

/* cffi:on */
enum {
  ANN_STMT_CONFIG_GET,
  ANN_STMT_CONFIG_PUT,
  ANN_STMT_CONFIG_DELETE,
  ANN_STMT_SNAPSHOT,
  ANN_STMT_VECTOR_GET,
  ANN_STMT_VECTOR_HAS,
  ANN_STMT_VECTOR_PUT,
  ANN_STMT_VECTOR_UPDATE,
  ANN_STMT_VECTOR_DELETE,
  ANN_STMT_VECTOR_SCAN,
  ANN_STMT_VECTOR_MAX,
  ANN_STMT_VECTOR_COUNT,
  ANN_STMT_VECTOR_FIT,
  ANN_STMT_PAGE_GET,
  ANN_STMT_PAGE_ADD,
  ANN_STMT_PAGE_PUT,
  ANN_STMT_PAGE_DELETE,
  ANN_STMT_PAGE_CLEAR,
  ANN_STMT_PAGE_NEXT,
  ANN_STMT_PLACE_GET,
  ANN_STMT_PLACE_PUT,
  ANN_STMT_PLACE_DELETE,
  ANN_STMT_PLACE_CLEAR,
  ANN_STMT_PLACE_NEXT,
  ANN_STMT_WAITING_AT,
  ANN_STMT_WAITING_NEXT,
  ANN_STMT_WAITING_PUT,
  ANN_STMT_WAITING_DELETE,
  ANN_STMT_WAITING_CLEAR,
  ANN_STMT_CHANGE_ANY,
  ANN_STMT_CHANGE_SCAN,
  ANN_STMT_CHANGE_COUNT,
  ANN_STMT_CHANGE_DELETE,
  ANN_STMT_PLACE_GONE,
  ANN_STMT_QUERY_ONLY,
  ANN_STMT_TICK,
  ANN_STMT_ALLOWED,
  ANN_N_STMTS
};
typedef struct AnnDb AnnDb;

/* handle: borrowed.  ANN_OK, or ANN_NOMEM with nothing owned. */
int ann_db_new(sqlite3 *handle, const char *schema, const char *name, AnnDb **out_db);
void ann_db_free(AnnDb *db);
sqlite3 *ann_db_handle(const AnnDb *db);
const char *ann_db_schema(const AnnDb *db); /* borrowed, like the name, until it is renamed */
const char *ann_db_name(const AnnDb *db);
/* The table has another name: ANN_OK or ANN_NOMEM.  Its statements are closed. */
int ann_db_rename(AnnDb *db, const char *name);
/* Close all statements: before the tables are dropped or renamed. */
void ann_db_close(AnnDb *db);
/* Vectors are read from there, a table or subquery with the columns id and vector, and no longer
** from the table's own; sqlite3_malloc, taken over.  Statements that read them are closed. */
void ann_db_read_from(AnnDb *db, char *from);
/* From where they are read (sqlite3_free), or NULL when out of memory. */
char *ann_db_from(const AnnDb *db);

/* A reset statement, prepared at its first use; NULL and *out_rc on failure. */
sqlite3_stmt *ann_db_stmt(AnnDb *db, int which, int *out_rc);
/* The same if it was used before, as it stands; else NULL. */
sqlite3_stmt *ann_db_prepared(const AnnDb *db, int which);
int ann_db_statements(const AnnDb *db); /* prepared by now */
/* Step for a row: 1 in *out_row, or 0 and the statement is reset. */
int ann_db_step(AnnDb *db, sqlite3_stmt *stmt, int *out_row);
/* Step once and reset; ANN_OK unless it failed. */
int ann_db_run(AnnDb *db, sqlite3_stmt *stmt);
/* The number of the file's state, which every commit of anybody raises (after a read; before it
** is old): 0 when SQLite does not tell. */
int ann_db_data_version(const AnnDb *db, unsigned *out_version);

/* Is a write transaction on the file open? */
int ann_db_is_in_write(const AnnDb *db);
/* May the host still read what answers are made of, by its authorizer?  What is in memory needs
** no statement that would ask.  *out_typed (may be NULL): all columns have a type; one that is
** to be read as NULL has none, and some builds of SQLite do not tell (0). */
int ann_db_ask_authorizer(AnnDb *db, int *out_typed);
/* The same, if the statement had to be compiled anew since this was asked: the schema has
** changed, or what the authorizer allows. */
int ann_db_ask_if_compiled_anew(AnnDb *db, sqlite3_stmt *stmt, int *out_typed);
/* ANN_OK, or SQLITE_READONLY with a sentence: PRAGMA query_only is on, so that what a
** transaction has changed cannot be written before it is looked at, or what else is to be done. */
int ann_db_check_writable(AnnDb *db, const char *what);

/* Keep the first error's sentence, "ann table NAME: ..."; returns rc. */
int ann_db_fail(AnnDb *db, int rc, const char *format, ...);
/* The same with where it was: "ann table NAME, column embedding: ..." ("column",
** "embedding"). */
int ann_db_fail_in(AnnDb *db, int rc, const char *where, const char *which, const char *format,
                   ...);
/* An error of SQLite's own: its code, and its words. */
int ann_db_sqlite_failed(AnnDb *db, int rc);
/* A stored thing is not what FORMAT.md says: one place for a breakpoint. */
int ann_db_corrupt(AnnDb *db, const char *what, int64_t number);
const char *ann_db_message(const AnnDb *db); /* the sentence, borrowed, or NULL */
const char *ann_db_cause(const AnnDb *db);   /* what of it comes after the table's name */
/* Take the sentence back: the failure is none, or is told. */
void ann_db_unsay(AnnDb *db);
/* A sentence is told to others than who asked: is it another than the last?  NULL: that is of the
** past. */
int ann_db_tell(AnnDb *db, const char *sentence);
/* For AnnPoll: was the connection interrupted?  ANN_OK or ANN_INTERRUPT, with a sentence. */
int ann_db_tick(void *db);

/* Something of the table has been, or is about to be, changed. */
void ann_db_changed(AnnDb *db);
/* How often that was, ever. */
int64_t ann_db_changes(const AnnDb *db);
/* Back to what it was: the changes since then were undone. */
void ann_db_unchanged(AnnDb *db, int64_t changes);
/* cffi:off */

#endif
