/* items.h -- SQL values as rows that are liked or disliked, each with its weight.
**
** Where items are expected, all that ids can be (ids.h) will do, each of them with weight 1; or a
** JSON object of ids and weights, as json_group_object(id, weight) makes it of the rows of a query.
*/
#ifndef ANN_SQL_ITEMS_H
#define ANN_SQL_ITEMS_H

#include "index/api.h"
#include "sql/ids.h"

typedef struct AnnItem {
  int64_t id;
  double weight;
} AnnItem;

typedef struct AnnItems {
  AnnItem *of; /* owned: by ascending id, no two equal */
  int64_t n, allocated;
} AnnItems;

/* The items of a value that is not NULL.  ANN_ERROR with a sentence in *out_message
** (sqlite3_malloc); clear *out_items in any case. */
int ann_items_read(const char *function, sqlite3_value *value, AnnItems *out_items,
                   char **out_message);
void ann_items_clear(AnnItems *items);

#endif
