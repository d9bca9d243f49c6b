/* source.h -- where the vectors of an ann table come from, and go to.
**
** One interface; today with one kind, the table's own shadow table.  What another kind would do
** otherwise is a row of AnnSourceKind (source.c): its statements, whether a row that the index
** names may be gone, and whether what was read may be kept.
**
** A stored vector is untrusted like every byte: one that is none is ANN_CORRUPT with a
** sentence.
**
**   ann_source_get    one row by id: 2-3 us      ann_source_scan   in order of id: about 1 us a row
*/
#ifndef ANN_INDEX_SOURCE_H
#define ANN_INDEX_SOURCE_H

#include "core/space.h"
#include "index/db.h"
#include "index/state.h"

/* cffi:on */
typedef struct AnnSource AnnSource;

/* The table's own vectors.  db, state (told of every row that is written), space: borrowed.
** ANN_OK or ANN_NOMEM. */
int ann_source_new(AnnDb *db, AnnState *state, const AnnSpace *space, AnnSource **out_source);
void ann_source_free(AnnSource *source);
int64_t ann_source_vector_bytes(const AnnSource *source);
/* May a vector that was read be remembered for as long as nobody changes the table? */
int ann_source_may_keep(const AnnSource *source);

/* Vectors are space->blob_size bytes. */
int ann_source_get(AnnSource *source, int64_t id, void *out_vector, int *out_found);
int ann_source_has(AnnSource *source, int64_t id, int *out_found);
/* For a row that the index names and the source lacks: damage, with a sentence, or ANN_OK where
** rows may go behind the index's back. */
int ann_source_lacks(AnnSource *source, int64_t id);

/* A scan of ids first..last in order; one at a time. */
int ann_source_scan(AnnSource *source, int64_t first, int64_t last);
int ann_source_next(AnnSource *source, int64_t *out_id, void *out_vector, int *out_found);
void ann_source_end(AnnSource *source);
/* Rows with first <= id <= last, and the smallest and largest id among them (0 without
** rows). */
int ann_source_count(AnnSource *source, int64_t first, int64_t last, int64_t *out_n,
                     int64_t *out_smallest, int64_t *out_largest);
/* For a state that knows nothing yet: tell it of all rows, and how many there are.  About 1 us
** a row. */
int ann_source_tell(AnnSource *source, int64_t *out_n);
/* The largest id; INT64_MIN without rows. */
int ann_source_max(AnnSource *source, int64_t *out_id);

/* id NULL lets SQLite choose; the id used comes back.  SQLITE_CONSTRAINT_ROWID when taken. */
int ann_source_put(AnnSource *source, const int64_t *id, const void *vector, int64_t *out_id);
int ann_source_update(AnnSource *source, int64_t id, const void *vector);
int ann_source_delete(AnnSource *source, int64_t id, int *out_found);
/* cffi:off */

#endif
