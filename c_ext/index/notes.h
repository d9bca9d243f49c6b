/* notes.h -- the ids that the triggers of an ordinary table have noted (content.h): what the
** forest has of them is old.
**
** A search reads them once a call, masks them in the forest, and scores their rows as they are.
** They go when the forest has taken their rows in (absorb.h).
**
**   ann_notes_get   once a call, about 0.1 us an id; then O(1)
*/
#ifndef ANN_INDEX_NOTES_H
#define ANN_INDEX_NOTES_H

#include "core/bitmap.h"
#include "index/db.h"

/* cffi:on */
typedef struct AnnNotes AnnNotes;

/* db: borrowed.  exist: there are triggers; else nothing is ever noted.  ANN_OK or ANN_NOMEM. */
int ann_notes_new(AnnDb *db, int exist, AnnNotes **out_notes);
void ann_notes_free(AnnNotes *notes);

/* The ids noted, NULL for none; borrowed until they are forgotten. */
int ann_notes_get(AnnNotes *notes, const AnnBitmap **out_ids);
/* Is it the same set that had that digest?  Of what ann_notes_get gave; 0 for none. */
uint64_t ann_notes_digest(const AnnNotes *notes);
/* At the end of every call: the next one reads them again. */
void ann_notes_forget(AnnNotes *notes);

/* How many there are. */
int ann_notes_count(AnnNotes *notes, int64_t *out_n);
/* The first of them, at most `most`, ascending. */
int ann_notes_first(AnnNotes *notes, int64_t most, int64_t *out_ids, int64_t *out_n);
/* The notes of ids up to `last` go. */
int ann_notes_delete(AnnNotes *notes, int64_t last);
/* cffi:off */

#endif
