/* backend.h -- which of the inner loops of core/kernel.h this process uses, by name. */
#ifndef ANN_SQL_BACKEND_H
#define ANN_SQL_BACKEND_H

#include "index/api.h"

/* Takes what the environment variable SQLITE_ANN_BACKEND names, if it is set: the first time
** only, so that a later command holds.  ANN_ERROR when this CPU has no such, with a sentence
** that the caller frees by sqlite3_free. */
int ann_backend_from_environment(char **out_message);

/* ANN_OK and from now on the named one; ANN_ERROR and no change when this CPU has no such. */
int ann_backend_choose(const char *name);

/* The names that can be chosen here, as in "portable, avx2, or best"; the caller frees it by
** sqlite3_free.  NULL: out of memory. */
char *ann_backend_names(void);

#endif
