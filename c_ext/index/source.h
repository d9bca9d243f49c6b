/* source.h -- where the vectors of an ann table come from, and go to.
**
** One interface with two kinds: the table's own shadow table, and the column of an ordinary one
** (content.h), which others write.  What they do otherwise is a row of AnnSourceKind (source.c).
**
** A stored vector is untrusted like every byte.  In the table's own, one that is none is
** ANN_CORRUPT with a sentence; in an ordinary table its row is passed over, as one without a
** vector is.  There, JSON text is a vector, too.
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

/* db, state (told of every row that is written), space: borrowed.  is_content: of an ordinary
** table; else its own.  ANN_OK or ANN_NOMEM. */
int ann_source_new(AnnDb *db, AnnState *state, const AnnSpace *space, int is_content,
                   AnnSource **out_source);
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
/* May rows go, or become others, behind the index's back? */
int ann_source_may_lack(const AnnSource *source);
/* From now on until 0 is given, also in an ordinary table what is no vector is ANN_CORRUPT with a
** sentence. */
void ann_source_be_strict(AnnSource *source, int strict);

/* What another statement has read in a column, the vector of the row `id`; *out_found: it is
** one. */
int ann_source_read(AnnSource *source, sqlite3_stmt *stmt, int column, int64_t id,
                    void *out_vector, int *out_found);

/* A scan of ids first..last in order; one at a time. */
int ann_source_scan(AnnSource *source, int64_t first, int64_t last);
int ann_source_next(AnnSource *source, int64_t *out_id, void *out_vector, int *out_found);
void ann_source_end(AnnSource *source);
/* Rows with first <= id <= last, and the smallest and largest id among them (0 without rows); in
** an ordinary table also those that are passed over, for what they have is no vector. */
int ann_source_count(AnnSource *source, int64_t first, int64_t last, int64_t *out_n,
                     int64_t *out_smallest, int64_t *out_largest);
/* Rows that have a vector, as far as type and length tell, which SQLite reads without the rest of
** it: a number that is not finite is not seen, nor what a text says. */
int ann_source_count_fit(AnnSource *source, int64_t *out_n);
/* For a state that knows nothing of them: tell it of all rows, and how many there are.  About 1 us
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
