/* ids.h -- sets of ids as values of SQL, and ann_id_set, which makes one of the rows of a query.
**
** Where ids are expected, all of these will do:
**
**   one id              a whole number
**   a set               a blob as ann_id_set makes it (core/bitmap.h)
**   a list              a blob of little-endian 64-bit integers, as ann_ids takes it
**   a JSON array        of whole numbers
**   IN (…)              as sqlite3_vtab_in hands it down, of ids
*/
#ifndef ANN_SQL_IDS_H
#define ANN_SQL_IDS_H

#include "core/bitmap.h"
#include "core/json.h"
#include "index/api.h"

/* A set that was given. */
typedef struct AnnIds {
  AnnBitmap set;
  uint8_t *bytes; /* owned: the set's, unless they are the value's own */
} AnnIds;

/* The ids of a value.  A blob that is a set is borrowed.  NULL gives the empty set.  ANN_ERROR with
** a sentence in *out_message (sqlite3_malloc) when it is something else; clear *out_ids in any
** case. */
int ann_ids_read(const char *function, const char *name, sqlite3_value *value, AnnIds *out_ids,
                 char **out_message);
/* The same of `name IN (…)`: what is no whole number equals no id, but a blob, which may be meant
** for a set, is refused. */
int ann_ids_read_list(const char *function, const char *name, sqlite3_value *list,
                      AnnIds *out_ids, char **out_message);
/* The id that names a member of a JSON object; ANN_ERROR with the clause that refuses it in
** out_message (ANN_VECTOR_MESSAGE bytes). */
int ann_ids_of_name(const AnnMember *member, int64_t *out_id, char *out_message);
int ann_ids_equal(const AnnIds *a, const AnnIds *b);
void ann_ids_clear(AnnIds *ids);

/* ann_id_set. */
int ann_ids_register(sqlite3 *db);

#endif
