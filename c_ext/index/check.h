/* check.h -- walk every byte that is stored, and say what does not fit.
**
** Looked at: the config rows; every page, its place in its tree and its centre; every
** entry, its vector, its place and its code; every place; every waiting run; every
** vector; and that all counts agree.  Reads, never writes.
*/
#ifndef ANN_INDEX_CHECK_H
#define ANN_INDEX_CHECK_H

#include "index/store.h"

#define ANN_MAX_FAULTS 100 /* then the check stops: more would not help */

typedef struct AnnFault {
  char *text;       /* owned: one sentence */
  int64_t page, id; /* where, 0 when it is nowhere in particular */
  int has_page, has_id;
} AnnFault;

typedef struct AnnFaults {
  AnnFault items[ANN_MAX_FAULTS];
  int n;
} AnnFaults;

/* The caller zeroes *faults and clears it.  ANN_OK also when there are faults; an error
** only where checking itself failed (memory, I/O, interrupt). */
int ann_check(AnnStore *store, AnnFaults *faults);
void ann_faults_clear(AnnFaults *faults);

#endif
