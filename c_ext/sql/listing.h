/* listing.h -- rows of values gathered in memory, for table functions that answer all at
** once. */
#ifndef ANN_SQL_LISTING_H
#define ANN_SQL_LISTING_H

#include "index/api.h"

typedef struct AnnCell {
  char *text; /* owned; NULL: a number, or SQL NULL */
  int64_t number;
  double real;
  int type; /* SQLite's: SQLITE_TEXT, … */
} AnnCell;

typedef struct AnnListing {
  AnnCell *cells; /* owned: n x n_columns, row by row */
  int64_t n_cells, n_allocated;
  int n_columns;
  int rc; /* the first failure; later calls do nothing */
} AnnListing;

void ann_listing_init(AnnListing *listing, int n_columns);
void ann_listing_text(AnnListing *listing, const char *text); /* copied; NULL is SQL NULL */
void ann_listing_number(AnnListing *listing, int64_t number);
void ann_listing_real(AnnListing *listing, double real);
void ann_listing_null(AnnListing *listing);
int64_t ann_listing_rows(const AnnListing *listing);
void ann_listing_result(const AnnListing *listing, int64_t row, int column,
                        sqlite3_context *out);
void ann_listing_clear(AnnListing *listing);

#endif
