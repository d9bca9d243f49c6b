/* options.h -- the arguments of CREATE VIRTUAL TABLE … USING ann(…).
**
**   <column> <type>[<dimensions>] [distance_metric = value] [, name = value]…
**
** content and content_rowid are the names that CREATE gave; the table and its column may have been
** renamed since (content.h).
*/
#ifndef ANN_INDEX_OPTIONS_H
#define ANN_INDEX_OPTIONS_H

#include "core/space.h"
#include "index/api.h"

/* cffi:on */
typedef struct AnnOptions {
  char *column;  /* owned: the vector column's name, unquoted */
  char *content; /* owned: the ordinary table that has the vectors; NULL: a table of its own */
  char *content_rowid; /* owned: its INTEGER PRIMARY KEY; NULL: whatever that is called */
  AnnSpace space;      /* element type, metric, dimensions */
  int trees;           /* 1..8 */
  int leaf_capacity;   /* entries a leaf page holds at most, a multiple of 32 */
  int cache_mb;        /* megabytes of pages and rows that may be kept in memory */
  int threads;         /* that a build may use, 0: as many as there are cores */
  int64_t seed;
} AnnOptions;

/* Is it the name of a hidden column? */
typedef int (*AnnIsReserved)(const char *name);

/* argv[0..n-1]: the arguments after module, schema and table name.  The vector's column cannot
** have a reserved name, nor that of the table, which names a hidden column, too.  ANN_OK,
** ANN_NOMEM, or ANN_ERROR with one sentence in *out_message (sqlite3_malloc, the caller's). */
int ann_options_parse(const char *table, int n, const char *const *argv,
                      AnnIsReserved is_reserved, AnnOptions *out_options, char **out_message);
/* Whether both describe the same stored table; what concerns only the connection may differ. */
int ann_options_equal(const AnnOptions *a, const AnnOptions *b);
void ann_options_clear(AnnOptions *options);
/* cffi:off */

#endif
