/* listing.c -- see listing.h. */
#include "sql/listing.h"

#include "core/grow.h"

void ann_listing_init(AnnListing *listing, int n_columns) {
  memset(listing, 0, sizeof *listing);
  listing->n_columns = n_columns;
}

static AnnCell *add(AnnListing *listing) {
  AnnCell *cell;
  if (listing->rc != ANN_OK) return NULL;
  listing->rc =
      ann_grow(&listing->cells, listing->n_cells, 1, &listing->n_allocated, sizeof *cell);
  if (listing->rc != ANN_OK) return NULL;
  cell = &listing->cells[listing->n_cells++];
  memset(cell, 0, sizeof *cell);
  cell->type = SQLITE_NULL;
  return cell;
}

void ann_listing_text(AnnListing *listing, const char *text) {
  AnnCell *cell = add(listing);
  if (!cell || !text) return;
  cell->type = SQLITE_TEXT;
  cell->text = sqlite3_mprintf("%s", text);
  if (!cell->text) listing->rc = ANN_NOMEM;
}

void ann_listing_number(AnnListing *listing, int64_t number) {
  AnnCell *cell = add(listing);
  if (!cell) return;
  cell->type = SQLITE_INTEGER;
  cell->number = number;
}

void ann_listing_real(AnnListing *listing, double real) {
  AnnCell *cell = add(listing);
  if (!cell) return;
  cell->type = SQLITE_FLOAT;
  cell->real = real;
}

void ann_listing_null(AnnListing *listing) { add(listing); }

int64_t ann_listing_rows(const AnnListing *listing) {
  return listing->n_cells / listing->n_columns;
}

void ann_listing_result(const AnnListing *listing, int64_t row, int column,
                        sqlite3_context *out) {
  const AnnCell *cell = &listing->cells[row * listing->n_columns + column];
  if (cell->type == SQLITE_TEXT) sqlite3_result_text(out, cell->text, -1, SQLITE_TRANSIENT);
  else if (cell->type == SQLITE_INTEGER) sqlite3_result_int64(out, cell->number);
  else if (cell->type == SQLITE_FLOAT) sqlite3_result_double(out, cell->real);
}

void ann_listing_clear(AnnListing *listing) {
  int64_t i;
  for (i = 0; i < listing->n_cells; i++) sqlite3_free(listing->cells[i].text);
  ann_free(listing->cells);
  memset(listing, 0, sizeof *listing);
}
