/* memory.h -- the rows of ann_state: what this connection holds in memory of one table.
**
** Nothing is read, written or forgotten for it; each owner tells its own figures.
*/
#ifndef ANN_SQL_MEMORY_H
#define ANN_SQL_MEMORY_H

#include "sql/call.h"

/* No argument: rows (key, value). */
int ann_memory_tell(const AnnCall *call);

#endif
