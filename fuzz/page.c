/* page.c -- hostile pages: whatever ann_page_load accepts, everything done to a page must bear.
**
** The checksum is made right first, or nothing would ever get past it.
*/
#include <stdlib.h>

#include "core/bytes.h"
#include "core/format.h"
#include "core/kernel.h"
#include "core/page.h"

#define LENGTH 64 /* rotated components; small, so that pages are found quickly */

static volatile float sink; /* so that what is read is not optimised away */

static void use(AnnPage *page) {
  static const float query[LENGTH] = {1, -2, 3};
  static uint8_t bits[LENGTH / 8], record[ANN_CENTRE_SIZE + LENGTH];
  float estimates[ANN_BLOCK];
  AnnCode code = {bits, 0, 0};
  AnnLookup lookup;
  int i;
  if (ann_lookup_init(&lookup, LENGTH) != ANN_OK) return;
  ann_lookup_fill(&lookup, query);
  for (i = 0; i < page->n; i++) {
    if (i % ANN_BLOCK == 0) ann_page_estimate(page, i / ANN_BLOCK, &lookup, 1, 2, estimates);
    ann_page_code(page, i, &code);
    ann_page_find(page, ann_page_id(page, i));
    if (page->kind == ANN_KIND_DIRECTORY) {
      ann_centre_base(ANN_DISTANCE, ann_page_child_centre(page, i), query, 14, LENGTH);
    }
  }
  ann_page_is_tidy(page);
  if (page->n < page->capacity) ann_page_append(page, 7, &code, record);
  if (page->n > 0) ann_page_remove(page, 0);
  ann_page_seal(page);
  ann_lookup_clear(&lookup);
}

/* As ann_page_decode reads one: of any length, and whatever its checksum says. */
static void read_any(const uint8_t *data, size_t size) {
  AnnPageHeader header;
  AnnCode code = {NULL, 0, 0};
  AnnPage page;
  float sum = 0;
  int i;
  ann_page_fault(data, size, &header);
  if (ann_page_salvage(&page, data, size) != ANN_OK) return;
  for (i = 0; i < page.n; i++) {
    ann_page_corrections(&page, i, &code);
    sum += (float)ann_page_id(&page, i) + code.shift;
    if (page.kind == ANN_KIND_DIRECTORY) sum += (float)ann_page_child_centre(&page, i)[0];
  }
  sink = sum;
  ann_page_is_tidy(&page);
  ann_page_clear(&page);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  uint8_t *copy = malloc(size ? size : 1);
  AnnPage page;
  if (!copy) return 0;
  memcpy(copy, data, size);
  read_any(copy, size);
  if (size >= ANN_HEADER_SIZE && size % 32 == 0) {
    ann_put64(copy + ANN_HEADER_CHECKSUM, ann_checksum(copy, size, ANN_HEADER_CHECKSUM));
  }
  if (ann_page_load(&page, copy, size, LENGTH) == ANN_OK) {
    use(&page);
    ann_page_clear(&page);
  }
  free(copy);
  return 0;
}
