/* measure.h -- the rows of ann_recall and ann_explain, which search in order to tell of it.
** Called inside ann_store_begin. */
#ifndef ANN_SQL_MEASURE_H
#define ANN_SQL_MEASURE_H

#include "sql/call.h"

/* Arguments k, sample, wanted_recall: one row (k, sample, recall, low, high). */
int ann_measure_recall(const AnnCall *call);
/* Arguments query, k, recall, search_k: rows (step, count, bytes, microseconds). */
int ann_measure_explain(const AnnCall *call);

#endif
