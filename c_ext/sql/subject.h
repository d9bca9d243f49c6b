/* subject.h -- what is searched for: a vector, a row, or several rows with weights. */
#ifndef ANN_SQL_SUBJECT_H
#define ANN_SQL_SUBJECT_H

#include "sql/arguments.h"
#include "sql/context.h"
#include "sql/items.h"

typedef struct AnnSubject {
  void *query;          /* owned */
  int64_t size;         /* its bytes */
  int is_there;         /* else there is nothing to search for, and no row is found */
  int is_row;           /* it is the row `item`, which is the nearest of all */
  int64_t item;         /* the row whose id was given */
  double item_distance; /* of it from itself */
  AnnItems items;       /* owned: the rows whose ids were given, there or not */
} AnnSubject;

/* The subject that a value stands for, as the form takes it; NULL is none, nor are ids of which no
** row is there.  Inside ann_store_begin.  ANN_ERROR with a sentence; clear it in any case. */
int ann_subject_read(AnnSubject *subject, AnnTable *table, const AnnForm *form,
                     sqlite3_value *value, char **out_message);
int ann_subject_equal(const AnnSubject *a, const AnnSubject *b);
void ann_subject_clear(AnnSubject *subject);

#endif
