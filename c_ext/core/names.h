/* names.h -- rows of a table by the names that people give them.
**
** A row of such a table begins with an AnnNamed.  Rows of one name may go with different element
** types; the first row that is found is the one that is meant.
*/
#ifndef ANN_CORE_NAMES_H
#define ANN_CORE_NAMES_H

#include "core/base.h"

/* cffi:on */
#define ANN_NAMES 160 /* bytes of a list of names, with its end */
#define ANN_ANY_TYPE 0

typedef struct AnnNamed {
  const char *name, *alias; /* in small letters; alias: another name, or NULL */
  int types;                /* what the row goes with: ANN_FLOAT32 | … (element.h) */
} AnnNamed;

typedef struct AnnNames {
  const void *rows;
  int n;
  size_t size; /* of a row */
} AnnNames;

/* The first row that goes with one of the types and has the name, or the alias, in any case of
** ASCII letters; NULL when there is none.  given: NULL for any name. */
const void *ann_names_find(const AnnNames *names, int types, const char *given);
/* "a, b or c": the names of the rows that go with one of the types, each once, with their aliases
** behind them in brackets if these are to be told.  Returns out_names, of ANN_NAMES bytes. */
const char *ann_names_list(const AnnNames *names, int types, int with_alias, char *out_names);
/* cffi:off */

#endif
