/* table.h -- writing to an ann table: rows, commands, and the end of statements.
**
** A statement is told from the next by sqlite3_total_changes, which SQLite raises when
** one ends.  The first STRAIGHT rows of a statement go straight into the forest; the
** rest of a longer one go onto the waiting list, which is absorbed when the statement
** ends and more than `absorb` percent of the rows wait.
*/
#ifndef ANN_SQL_TABLE_H
#define ANN_SQL_TABLE_H

#include "sql/context.h"

/* Insert (id NULL: SQLite chooses) with what the statement says about conflicts. */
int ann_table_insert(AnnTable *table, const int64_t *id, sqlite3_value *vector,
                     int64_t *out_id);
int ann_table_delete(AnnTable *table, int64_t id);
/* Another id, another vector (NULL: the same), or both. */
int ann_table_update(AnnTable *table, int64_t id, int64_t new_id, sqlite3_value *vector);
/* INSERT INTO name(name [, k]) VALUES(command [, k]). */
int ann_table_command(AnnTable *table, sqlite3_value *command, sqlite3_value *k);
/* INSERT INTO name(name, column) VALUES('learn', queries): one query or, as a blob, many. */
int ann_table_learn(AnnTable *table, sqlite3_value *queries);
/* All pages anew, from the vectors; the log says for whom. */
int ann_table_rebuild(AnnTable *table, const char *who);
/* A statement has ended, or the transaction is about to: absorb if enough waits, write all. */
int ann_table_flush(AnnTable *table);
/* Is there nothing to absorb, and nothing to write? */
int ann_table_is_clean(const AnnTable *table);

#endif
