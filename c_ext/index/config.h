/* config.h -- the rows of the config table: FORMAT.md, "config".
**
** All O(1): one statement for each row that is read or written.
*/
#ifndef ANN_INDEX_CONFIG_H
#define ANN_INDEX_CONFIG_H

#include "index/db.h"
#include "index/options.h"
#include "index/state.h"

/* Rows of the config table; FORMAT.md. */
#define ANN_CONFIG_FORMAT 1
#define ANN_CONFIG_STATE 2
#define ANN_CONFIG_CALIBRATION 3
#define ANN_CONFIG_OPTIONS 4
#define ANN_CONFIG_SAMPLING 5
#define ANN_CONFIG_SAMPLED 6
#define ANN_CONFIG_LEAST 7
#define ANN_CONFIG_LEARNED 8
#define ANN_CONFIG_MADE 9

/* cffi:on */
/* The blob of a config row, copied to the caller (ann_free); NULL when there is none. */
int ann_config_blob(AnnDb *db, int row, uint8_t **out_blob, int64_t *out_size);
int ann_config_put(AnnDb *db, int row, const char *name, const void *blob, int64_t size);
int ann_config_delete(AnnDb *db, int row);

/* Write the config rows of an empty table; one of them is a mark, a number that no other table
** of this connection has, until ann_config_unmark: only by it can a table that was made in the
** open transaction be told from one of that name that a rollback brought back. */
int ann_config_create(AnnDb *db, const AnnOptions *options, int64_t mark);
int ann_config_is_marked(AnnDb *db, int64_t mark);
int ann_config_unmark(AnnDb *db);

/* What config row 4 says of the options (sqlite3_free), or NULL when out of memory. */
char *ann_config_options_text(const AnnOptions *options);

/* The rows that every table has, counters at nought, without a mark. */
int ann_config_put_first(AnnDb *db, const AnnOptions *options);
int ann_config_put_state(AnnDb *db, const AnnState *state);
/* ANN_OK, or a sentence: the row is missing, damaged, or a newer format's. */
int ann_config_check_format(AnnDb *db);
/* For what makes all but the vectors anew: only a newer format's row is refused. */
int ann_config_refuse_newer(AnnDb *db);
/* cffi:off */

#endif
