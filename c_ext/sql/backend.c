/* backend.c -- see backend.h. */
#include "sql/backend.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "core/kernel.h"

#define VARIABLE "SQLITE_ANN_BACKEND"
#define BEST "best" /* what is used when nothing is chosen */

char *ann_backend_names(void) {
  sqlite3_str *names = sqlite3_str_new(NULL);
  const AnnKernels *kernels;
  int i;
  for (i = 0; (kernels = ann_kernels_at(i)) != NULL; i++) {
    sqlite3_str_appendf(names, "%s, ", kernels->name);
  }
  sqlite3_str_appendall(names, "or " BEST);
  return sqlite3_str_finish(names);
}

int ann_backend_choose(const char *name) {
  int i = 0;
  if (strcmp(name, BEST) == 0) {
    while (ann_kernels_at(i + 1)) i++;
    name = ann_kernels_at(i)->name;
  }
  return ann_kernels_force(name) ? ANN_OK : ANN_ERROR;
}

int ann_backend_from_environment(char **out_message) {
  static atomic_int done;
  const char *name = getenv(VARIABLE);
  char *names = NULL; /* owned */
  int rc = ANN_OK;
  if (atomic_load(&done)) return ANN_OK;
  if (name && *name) rc = ann_backend_choose(name);
  if (rc == ANN_OK) {
    atomic_store(&done, 1);
    return ANN_OK;
  }
  names = ann_backend_names();
  if (names) {
    *out_message =
        sqlite3_mprintf("sqlite_ann: expected " VARIABLE " to be %s, got \"%s\"", names, name);
  }
  sqlite3_free(names);
  return rc;
}
