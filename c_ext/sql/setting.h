/* setting.h -- what a connection can set of an ann table: nothing of it is stored.
**
**   ann_set(table, name, value)   sets it and writes nothing; -> the value now in force
**   ann_set(table, name)          -> the value in force
**
** Some are commands too (table.h).  A setting is a row of the table in setting.c.
*/
#ifndef ANN_SQL_SETTING_H
#define ANN_SQL_SETTING_H

#include "sql/context.h"
#include "sql/listing.h"

/* Within ann_store_begin: the command "cache_mb=64", "absorb=25" or "warm", if it is one:
** *out_known. */
int ann_setting_command(AnnTable *table, const char *text, int *out_known);

/* Their names and values, as ann_set reads them: a row (name, value) each. */
void ann_setting_list(const AnnTable *table, AnnListing *listing);

int ann_setting_register(sqlite3 *db, AnnContext *context);

#endif
