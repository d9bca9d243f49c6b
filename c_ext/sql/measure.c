/* measure.c -- see measure.h. */
#include "sql/measure.h"

#include "index/recall.h"
#include "sql/value.h"

#define DEFAULT_SAMPLE 100      /* contract */

static int make_searcher(AnnTable *table) {
  return table->searcher ? ANN_OK : ann_searcher_new(table->store, &table->searcher);
}

int ann_measure_recall(const AnnCall *call) {
  AnnTable *table = call->table;
  AnnListing *listing = call->listing;
  AnnRecall measured;
  int64_t k = ANN_DEFAULT_K, sample = DEFAULT_SAMPLE;
  double recall = ANN_DEFAULT_RECALL;
  int rc = ann_value_count(call->function, "k", call->arguments[0], &k, call->out_message);
  if (rc == ANN_OK) {
    rc = ann_value_count(call->function, "sample", call->arguments[1], &sample,
                         call->out_message);
  }
  if (rc == ANN_OK) {
    rc = ann_value_recall(call->function, "wanted_recall", call->arguments[2], &recall,
                          call->out_message);
  }
  if (rc == ANN_OK) rc = make_searcher(table);
  if (rc == ANN_OK) {
    rc = ann_recall_measure(table->store, table->searcher, k, sample, recall, &measured);
  }
  if (rc != ANN_OK) return rc;
  ann_listing_number(listing, k);
  ann_listing_number(listing, measured.sample);
  if (measured.sample > 0) {
    ann_listing_real(listing, measured.recall);
    ann_listing_real(listing, measured.low);
    ann_listing_real(listing, measured.high);
  } else {
    ann_listing_null(listing);
    ann_listing_null(listing);
    ann_listing_null(listing);
  }
  return ANN_OK;
}
