/* page.h -- one page of the forest in memory: the bytes of format.h, and access to them.
**
** A page is held as its bytes, so that reading one is a copy and a check.  It is
** validated once, by ann_page_fault in ann_page_load; everyone else trusts it.
**
**   ann_page_id, ann_page_child      O(1)
**   ann_page_append, ann_page_remove O(L)      a removed entry's place is taken by the last
**   ann_page_find, ann_page_with     O(n) of the page, of the block
**   ann_page_estimate                O(n L), by the scan kernel
*/
#ifndef ANN_CORE_PAGE_H
#define ANN_CORE_PAGE_H

#include "core/base.h"
#include "core/code.h"

/* cffi:on */
typedef struct AnnPage {
  uint8_t *bytes;     /* owned: header, centre, blocks */
  uint64_t allocated; /* bytes allocated */
  int kind;           /* ANN_KIND_… */
  int tree;
  int level;       /* 0 for a leaf */
  int n;           /* entries */
  int capacity;    /* entries at most */
  int64_t length;  /* L */
  uint32_t parent; /* page, 0 for a root */
  float *spreads;  /* owned: of a directory's children, made when asked for, else NULL */
} AnnPage;

/* What a blob's header says, true or not. */
typedef struct AnnPageHeader {
  int is_known; /* the blob has the magic; without it nothing below is set */
  int is_whole; /* header and size agree with each other: the entries can be read */
  int version, kind, tree, level;
  uint32_t n, capacity, length, parent;
  uint64_t checksum;
} AnnPageHeader;

int ann_page_init(AnnPage *page, int level, int tree, int capacity, int64_t length);
int ann_page_load(AnnPage *page, const void *blob, uint64_t size, int64_t length);
int ann_page_salvage(AnnPage *page, const void *blob, uint64_t size);
const char *ann_page_fault(const void *blob, uint64_t size, AnnPageHeader *out_header);
void ann_page_seal(AnnPage *page);
uint64_t ann_page_size(const AnnPage *page);
int ann_page_is_tidy(const AnnPage *page);
void ann_page_clear(AnnPage *page);

uint8_t *ann_page_centre(const AnnPage *page);
int64_t ann_page_id(const AnnPage *page, int i);
uint8_t *ann_page_child_centre(const AnnPage *page, int i);
void ann_page_code(const AnnPage *page, int i, AnnCode *out_code);
void ann_page_corrections(const AnnPage *page, int i, AnnCode *out_code);
int ann_page_find(const AnnPage *page, int64_t id);
uint32_t ann_page_with(const AnnPage *page, int block, int64_t id);

int ann_page_append(AnnPage *page, int64_t id, const AnnCode *code, const uint8_t *record);
void ann_page_set(AnnPage *page, int i, int64_t id, const AnnCode *code, const uint8_t *record);
void ann_page_remove(AnnPage *page, int i);

uint32_t ann_page_estimate(const AnnPage *page, int block, const AnnLookup *lookup, float base,
                           float bound, float *out_estimates);
float ann_page_offset(const AnnPage *page);
const float *ann_page_spreads(AnnPage *page);
void ann_page_prefetch(const AnnPage *page);
void ann_page_prefetch_child(const AnnPage *page, int i);
/* cffi:off */

/* ann_page_init: an empty page with a zero centre; ANN_OK or ANN_NOMEM.
** ann_page_load: copies the blob; ANN_CORRUPT when it is not a valid page of that length.
** ann_page_salvage: the same of any length, and the checksum may be wrong; for reading only.
** ann_page_fault: why a blob is no valid page, or NULL; the sentence is static.
** ann_page_seal: writes header and checksum; then bytes[0..ann_page_size) is the blob.
** ann_page_is_tidy: of a sealed page, whether what is reserved or unused is zero.
** ann_page_centre, ann_page_child_centre: borrowed records, valid until the page changes.
** ann_page_corrections: shift and slope alone; the bits stay as they are.
** ann_page_find: the entry with that id, or -1.
** ann_page_with: bit i is set where the i-th entry of the block has that id.
** ann_page_append: ANN_OK or ANN_NOMEM (nothing changed); the caller has checked n < capacity.
** `record`: the child's centre record for a directory, NULL for a leaf.
** ann_page_estimate: 32 floats, of which the first min(32, n - 32 block) count; of these, bit
** i of the result is set unless estimate i is above the bound.
** ann_page_offset: how far the entries' mean is from the page's centre: its square, as a part
** of their mean squared distance from there, as their signs tell.  Right where it is small; of
** entries all on one side it makes pi / 2.
** ann_page_spreads: n mean squared distances, the children's; valid until the page changes;
** NULL when out of memory.
** ann_page_prefetch: a hint that the page is about to be scanned; _child: that a directory's
** child is about to be measured.
*/

#endif
