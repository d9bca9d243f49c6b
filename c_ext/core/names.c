/* names.c -- see names.h. */
#include "core/names.h"

#include <stdio.h>

static const AnnNamed *row_at(const AnnNames *names, int i) {
  return (const void *)((const uint8_t *)names->rows + (size_t)i * names->size);
}

static int small(char c) { return c >= 'A' && c <= 'Z' ? c - 'A' + 'a' : c; }

/* name: in small letters, or NULL, which nothing is. */
static int is_name(const char *given, const char *name) {
  if (!name) return 0;
  while (*given && small(*given) == *name) given++, name++;
  return *given == 0 && *name == 0;
}

const void *ann_names_find(const AnnNames *names, int types, const char *given) {
  int i;
  for (i = 0; i < names->n; i++) {
    const AnnNamed *row = row_at(names, i);
    if (types != ANN_ANY_TYPE && !(row->types & types)) continue;
    if (!given || is_name(given, row->name) || is_name(given, row->alias)) return row;
  }
  return NULL;
}

/* The next row from number i on that is to be listed, which is the first of its name. */
static int next_listed(const AnnNames *names, int types, int i) {
  while (i < names->n &&
         ann_names_find(names, types, row_at(names, i)->name) != row_at(names, i)) {
    i++;
  }
  return i;
}

const char *ann_names_list(const AnnNames *names, int types, int with_alias, char *out_names) {
  int i = next_listed(names, types, 0), next;
  size_t used = 0;
  out_names[0] = 0;
  for (; i < names->n; i = next) {
    const AnnNamed *row = row_at(names, i);
    const char *alias = with_alias ? row->alias : NULL, *before = ", ";
    next = next_listed(names, types, i + 1);
    if (used == 0) before = "";
    else if (next == names->n) before = " or ";
    snprintf(out_names + used, ANN_NAMES - used, "%s%s%s%s%s", before, row->name,
             alias ? " (" : "", alias ? alias : "", alias ? ")" : "");
    used = strlen(out_names);
  }
  return out_names;
}
