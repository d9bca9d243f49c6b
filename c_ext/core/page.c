/* page.c -- see page.h; the only file that uses the offsets of format.h within a page. */
#include "core/page.h"

#include "core/bytes.h"
#include "core/format.h"
#include "core/kernel.h"

#define HALF_PI 1.570796327f
#define OFFSET_COMPONENTS 128 /* by these, chance makes it 1.6 sqrt(2 / 128) / n more or less */
#define OFFSET_ENTRIES 2000   /* in 63 blocks: of 4 entries each, a byte counts up to 252 */
#define MAX_CAPACITY 4096     /* entries a page; far above what any writer uses */

static uint64_t block_size(const AnnPage *page) {
  uint64_t length = (uint64_t)page->length, size = ANN_BLOCK_CODES + 4 * length;
  if (page->kind == ANN_KIND_DIRECTORY) size += ANN_BLOCK * (ANN_CENTRE_SIZE + length);
  return size;
}

static uint64_t size_of(const AnnPage *page, int n) {
  uint64_t blocks = ((uint64_t)n + ANN_BLOCK - 1) / ANN_BLOCK;
  return ANN_HEADER_SIZE + ANN_CENTRE_SIZE + (uint64_t)page->length + blocks * block_size(page);
}

uint64_t ann_page_size(const AnnPage *page) { return size_of(page, page->n); }

static uint8_t *block_at(const AnnPage *page, int i) {
  return page->bytes + size_of(page, 0) + (uint64_t)(i / ANN_BLOCK) * block_size(page);
}

uint8_t *ann_page_centre(const AnnPage *page) { return page->bytes + ANN_HEADER_SIZE; }

uint8_t *ann_page_child_centre(const AnnPage *page, int i) {
  uint64_t length = (uint64_t)page->length;
  return block_at(page, i) + ANN_BLOCK_CODES + 4 * length +
         (uint64_t)(i % ANN_BLOCK) * (ANN_CENTRE_SIZE + length);
}

int ann_page_init(AnnPage *page, int level, int tree, int capacity, int64_t length) {
  memset(page, 0, sizeof *page);
  page->kind = level == 0 ? ANN_KIND_LEAF : ANN_KIND_DIRECTORY;
  page->level = level;
  page->tree = tree;
  page->capacity = capacity;
  page->length = length;
  page->allocated = size_of(page, ANN_BLOCK);
  page->bytes = ann_alloc_zero(page->allocated, 1);
  return page->bytes ? ANN_OK : ANN_NOMEM;
}

static int all_zero(const uint8_t *bytes, uint64_t n) {
  uint64_t i;
  for (i = 0; i < n; i++) {
    if (bytes[i]) return 0;
  }
  return 1;
}

static void read_header(const uint8_t *bytes, AnnPageHeader *out_header) {
  out_header->version = bytes[ANN_HEADER_VERSION];
  out_header->kind = bytes[ANN_HEADER_KIND];
  out_header->tree = bytes[ANN_HEADER_TREE];
  out_header->level = bytes[ANN_HEADER_LEVEL];
  out_header->n = ann_get32(bytes + ANN_HEADER_N);
  out_header->capacity = ann_get32(bytes + ANN_HEADER_CAPACITY);
  out_header->length = ann_get32(bytes + ANN_HEADER_LENGTH);
  out_header->parent = ann_get32(bytes + ANN_HEADER_PARENT);
  out_header->checksum = ann_get64(bytes + ANN_HEADER_CHECKSUM);
}

static AnnPage page_of(const AnnPageHeader *header) {
  AnnPage page = {0};
  page.kind = header->kind;
  page.tree = header->tree;
  page.level = header->level;
  page.n = (int)header->n;
  page.capacity = (int)header->capacity;
  page.length = header->length;
  page.parent = header->parent;
  return page;
}

/* What a header must say for the rest of the code to be safe. */
static const char *header_fault(const AnnPageHeader *header, const uint8_t *bytes,
                                uint64_t size) {
  AnnPage page = page_of(header);
  if (header->version != ANN_FORMAT_VERSION) return "expected format version 2";
  if (page.kind != ANN_KIND_LEAF && page.kind != ANN_KIND_DIRECTORY) {
    return "expected kind 1, a leaf, or 2, a directory";
  }
  if ((page.kind == ANN_KIND_LEAF) != (page.level == 0)) {
    return "expected level 0 of a leaf, a higher one of a directory";
  }
  if (page.tree >= ANN_MAX_TREES) return "expected a tree from 0 to 7";
  if (header->capacity == 0 || header->capacity > MAX_CAPACITY ||
      header->capacity % ANN_BLOCK) {
    return "expected a capacity from 32 to 4096, a multiple of 32";
  }
  if (header->n > header->capacity) return "expected no more entries than the capacity";
  if (header->length == 0 || header->length % ANN_BLOCK) {
    return "expected a length that is a multiple of 32";
  }
  if (bytes[ANN_HEADER_CODE_BITS] != 1 || bytes[ANN_HEADER_FINE_BITS] != 0) {
    return "expected codes of one bit, and no finer ones";
  }
  /* Reserved bytes will one day mean something that we do not know. */
  if (!all_zero(bytes + 26, 6) || !all_zero(bytes + 40, 24)) {
    return "expected zeros in the reserved bytes of the header";
  }
  return size == size_of(&page, page.n) ? NULL : "expected another size for so many entries";
}

const char *ann_page_fault(const void *blob, uint64_t size, AnnPageHeader *out_header) {
  const uint8_t *bytes = blob;
  const char *fault;
  memset(out_header, 0, sizeof *out_header);
  if (size < ANN_HEADER_SIZE) return "expected at least 64 bytes, the header";
  if (size > ANN_MAX_ALLOC) return "expected fewer bytes";
  if (ann_get32(bytes + ANN_HEADER_MAGIC) != ANN_PAGE_MAGIC) return "expected the magic ANNP";
  out_header->is_known = 1;
  read_header(bytes, out_header);
  fault = header_fault(out_header, bytes, size);
  if (fault) return fault;
  out_header->is_whole = 1;
  if (out_header->checksum != ann_checksum(bytes, size, ANN_HEADER_CHECKSUM)) {
    return "expected another checksum of these bytes";
  }
  return NULL;
}

static int take(AnnPage *page, const AnnPageHeader *header, const void *blob, uint64_t size) {
  uint8_t *bytes = ann_alloc(size);
  if (!bytes) return ANN_NOMEM;
  memcpy(bytes, blob, size);
  *page = page_of(header);
  page->bytes = bytes;
  page->allocated = size;
  return ANN_OK;
}

int ann_page_load(AnnPage *page, const void *blob, uint64_t size, int64_t length) {
  AnnPageHeader header;
  memset(page, 0, sizeof *page);
  if (ann_page_fault(blob, size, &header) || header.length != length) return ANN_CORRUPT;
  return take(page, &header, blob, size);
}

int ann_page_salvage(AnnPage *page, const void *blob, uint64_t size) {
  AnnPageHeader header;
  memset(page, 0, sizeof *page);
  ann_page_fault(blob, size, &header);
  return header.is_whole ? take(page, &header, blob, size) : ANN_CORRUPT;
}

void ann_page_seal(AnnPage *page) {
  uint8_t *bytes = page->bytes;
  memset(bytes, 0, ANN_HEADER_SIZE);
  ann_put32(bytes + ANN_HEADER_MAGIC, ANN_PAGE_MAGIC);
  bytes[ANN_HEADER_VERSION] = ANN_FORMAT_VERSION;
  bytes[ANN_HEADER_KIND] = (uint8_t)page->kind;
  bytes[ANN_HEADER_TREE] = (uint8_t)page->tree;
  bytes[ANN_HEADER_LEVEL] = (uint8_t)page->level;
  ann_put32(bytes + ANN_HEADER_N, (uint32_t)page->n);
  ann_put32(bytes + ANN_HEADER_CAPACITY, (uint32_t)page->capacity);
  ann_put32(bytes + ANN_HEADER_LENGTH, (uint32_t)page->length);
  ann_put32(bytes + ANN_HEADER_PARENT, page->parent);
  bytes[ANN_HEADER_CODE_BITS] = 1;
  ann_put64(bytes + ANN_HEADER_CHECKSUM,
            ann_checksum(bytes, ann_page_size(page), ANN_HEADER_CHECKSUM));
}

static void forget_spreads(AnnPage *page) {
  ann_free(page->spreads);
  page->spreads = NULL;
}

void ann_page_clear(AnnPage *page) {
  forget_spreads(page);
  ann_free(page->bytes);
  memset(page, 0, sizeof *page);
}

int64_t ann_page_id(const AnnPage *page, int i) {
  return (int64_t)ann_get64(block_at(page, i) + ANN_BLOCK_IDS + 8 * (i % ANN_BLOCK));
}

uint32_t ann_page_with(const AnnPage *page, int block, int64_t id) {
  const uint8_t *ids = block_at(page, block * ANN_BLOCK) + ANN_BLOCK_IDS;
  int n = page->n - block * ANN_BLOCK, i;
  uint32_t found = 0;
  for (i = 0; i < n && i < ANN_BLOCK; i++)
    found |= (uint32_t)((int64_t)ann_get64(ids + 8 * i) == id) << i;
  return found;
}

int ann_page_find(const AnnPage *page, int64_t id) {
  int i = 0;
  while (i < page->n && ann_page_id(page, i) != id) i++;
  return i < page->n ? i : -1;
}

/* Entry i's codes are nibbles 16 bytes apart: `shift` 0 or 4 picks which. */
static void put_bits(const AnnPage *page, int i, const uint8_t *bits) {
  uint8_t *codes = block_at(page, i) + ANN_BLOCK_CODES + i % 16;
  int shift = i % ANN_BLOCK < 16 ? 0 : 4;
  int64_t m;
  for (m = 0; m < page->length / 4; m++) {
    int nibble = bits ? bits[m / 2] >> (m % 2 * 4) & 15 : 0;
    codes[16 * m] = (uint8_t)((codes[16 * m] & ~(15 << shift)) | nibble << shift);
  }
}

static void get_bits(const AnnPage *page, int i, uint8_t *out_bits) {
  const uint8_t *codes = block_at(page, i) + ANN_BLOCK_CODES + i % 16;
  int shift = i % ANN_BLOCK < 16 ? 0 : 4;
  int64_t m;
  memset(out_bits, 0, (size_t)(page->length / 8));
  for (m = 0; m < page->length / 4; m++) {
    out_bits[m / 2] |= (uint8_t)((codes[16 * m] >> shift & 15) << (m % 2 * 4));
  }
}

void ann_page_code(const AnnPage *page, int i, AnnCode *out_code) {
  get_bits(page, i, out_code->bits);
  ann_page_corrections(page, i, out_code);
}

void ann_page_corrections(const AnnPage *page, int i, AnnCode *out_code) {
  const uint8_t *block = block_at(page, i);
  out_code->shift = ann_get_f32(block + ANN_BLOCK_SHIFT + 4 * (i % ANN_BLOCK));
  out_code->slope = ann_get_f32(block + ANN_BLOCK_SLOPE + 4 * (i % ANN_BLOCK));
}

void ann_page_set(AnnPage *page, int i, int64_t id, const AnnCode *code,
                  const uint8_t *record) {
  uint8_t *block = block_at(page, i);
  int at = i % ANN_BLOCK;
  forget_spreads(page);
  ann_put64(block + ANN_BLOCK_IDS + 8 * at, (uint64_t)id);
  ann_put_f32(block + ANN_BLOCK_SHIFT + 4 * at, code->shift);
  ann_put_f32(block + ANN_BLOCK_SLOPE + 4 * at, code->slope);
  put_bits(page, i, code->bits);
  if (page->kind == ANN_KIND_DIRECTORY) {
    memcpy(ann_page_child_centre(page, i), record, ANN_CENTRE_SIZE + (size_t)page->length);
  }
}

int ann_page_append(AnnPage *page, int64_t id, const AnnCode *code, const uint8_t *record) {
  uint64_t needed = size_of(page, page->n + 1);
  if (needed > page->allocated) {
    uint8_t *larger = ann_realloc_array(page->bytes, needed, 1);
    if (!larger) return ANN_NOMEM;
    page->bytes = larger;
    page->allocated = needed;
  }
  if (page->n % ANN_BLOCK == 0) memset(block_at(page, page->n), 0, block_size(page));
  ann_page_set(page, page->n++, id, code, record);
  return ANN_OK;
}

/* Zero an entry, so that unused bytes are always zero. */
static void blank(AnnPage *page, int i) {
  uint8_t *block = block_at(page, i);
  int at = i % ANN_BLOCK;
  memset(block + ANN_BLOCK_IDS + 8 * at, 0, 8);
  memset(block + ANN_BLOCK_SHIFT + 4 * at, 0, 4);
  memset(block + ANN_BLOCK_SLOPE + 4 * at, 0, 4);
  put_bits(page, i, NULL);
  if (page->kind == ANN_KIND_DIRECTORY) {
    memset(ann_page_child_centre(page, i), 0, ANN_CENTRE_SIZE + (size_t)page->length);
  }
}

int ann_page_is_tidy(const AnnPage *page) {
  AnnPage copy;
  int i, n = page->n, tidy;
  if (!all_zero(ann_page_centre(page) + 12, 20)) return 0;
  if (n % ANN_BLOCK == 0) return 1;
  /* Blanking what is unused changes nothing in a tidy page. */
  memset(&copy, 0, sizeof copy);
  if (ann_page_load(&copy, page->bytes, ann_page_size(page), page->length) != ANN_OK) return 1;
  for (i = n; i % ANN_BLOCK != 0; i++) blank(&copy, i);
  tidy = memcmp(copy.bytes, page->bytes, ann_page_size(page)) == 0;
  ann_page_clear(&copy);
  return tidy;
}

/* Copy entry `from` over entry `to`, nibble by nibble. */
static void copy_entry(AnnPage *page, int from, int to) {
  const uint8_t *source = block_at(page, from) + ANN_BLOCK_CODES + from % 16;
  uint8_t *target = block_at(page, to) + ANN_BLOCK_CODES + to % 16;
  int read = from % ANN_BLOCK < 16 ? 0 : 4, write = to % ANN_BLOCK < 16 ? 0 : 4;
  uint8_t *a = block_at(page, to), *b = block_at(page, from);
  int64_t m;
  for (m = 0; m < page->length / 4; m++) {
    int nibble = source[16 * m] >> read & 15;
    target[16 * m] = (uint8_t)((target[16 * m] & ~(15 << write)) | nibble << write);
  }
  memcpy(a + ANN_BLOCK_IDS + 8 * (to % ANN_BLOCK), b + ANN_BLOCK_IDS + 8 * (from % ANN_BLOCK),
         8);
  memcpy(a + ANN_BLOCK_SHIFT + 4 * (to % ANN_BLOCK),
         b + ANN_BLOCK_SHIFT + 4 * (from % ANN_BLOCK), 4);
  memcpy(a + ANN_BLOCK_SLOPE + 4 * (to % ANN_BLOCK),
         b + ANN_BLOCK_SLOPE + 4 * (from % ANN_BLOCK), 4);
  if (page->kind == ANN_KIND_DIRECTORY) {
    memcpy(ann_page_child_centre(page, to), ann_page_child_centre(page, from),
           ANN_CENTRE_SIZE + (size_t)page->length);
  }
}

void ann_page_remove(AnnPage *page, int i) {
  int last = page->n - 1;
  forget_spreads(page);
  if (i != last) copy_entry(page, last, i);
  blank(page, last);
  page->n = last;
}

uint32_t ann_page_estimate(const AnnPage *page, int block, const AnnLookup *lookup, float base,
                           float bound, float *out_estimates) {
  const AnnKernels *kernels = ann_kernels();
  const uint8_t *bytes = block_at(page, block * ANN_BLOCK);
  int n = page->n - block * ANN_BLOCK;
  uint32_t sums[ANN_BLOCK], within;
  AnnLine line = {lookup->unit, lookup->minimum, base, bound};
  kernels->scan(bytes + ANN_BLOCK_CODES, lookup->bytes, (size_t)lookup->n_tables, sums);
  within = kernels->estimate(sums, bytes + ANN_BLOCK_SHIFT, &line, out_estimates);
  return n < ANN_BLOCK ? within & (((uint32_t)1 << n) - 1) : within;
}

#define EACH_BYTE 0x0101010101010101u /* the lowest bit of eight bytes */
#define EACH_PAIR 0x00ff00ff00ff00ffu /* the lower byte of four pairs */

/* Of all entries, how many have component 4 m + t positive. */
static int count_ones(const AnnPage *page, int64_t m, int t) {
  uint64_t sums = 0;
  int i, half;
  for (i = 0; i < page->n; i += ANN_BLOCK) {
    const uint8_t *codes = block_at(page, i) + ANN_BLOCK_CODES + 16 * m;
    for (half = 0; half < 16; half += 8) {
      uint64_t word = ann_get64(codes + half);
      sums += (word >> t & EACH_BYTE) + (word >> (t + 4) & EACH_BYTE);
    }
  }
  sums = (sums & EACH_PAIR) + (sums >> 8 & EACH_PAIR);
  return (int)((sums * 0x0001000100010001u) >> 48);
}

/* k times a sign estimates a component of a residual (code.h), and |r|^2 is nearly 2 / pi k^2
** L.  Rotated components are alike, so some of them speak for all; 1 / n is what chance alone
** gives. */
/* Members no farther from the centre than twice what its int8 components are rounded by: their
** signs tell but that, and moving it would not help. */
static int is_beyond_rounding(const AnnPage *page) {
  float scale = ann_get_f32(ann_page_centre(page) + ANN_CENTRE_SCALE), sum = 0;
  int i;
  for (i = 0; i < page->n; i++) {
    float slope = ann_get_f32(block_at(page, i) + ANN_BLOCK_SLOPE + 4 * (i % ANN_BLOCK));
    sum += slope * slope; /* k^2, or for distances 4 k^2; (2 / pi) k^2 a component */
  }
  return sum / (float)page->n / (4 * HALF_PI) > 4 * scale * scale / 12;
}

float ann_page_offset(const AnnPage *page) {
  int64_t length = page->length < OFFSET_COMPONENTS ? page->length : OFFSET_COMPONENTS, m;
  int64_t sum = 0, n = page->n;
  int t;
  if (n == 0 || n > OFFSET_ENTRIES || !is_beyond_rounding(page)) return 0;
  for (m = 0; m < length / 4; m++) {
    for (t = 0; t < 4; t++) {
      int64_t more = 2 * count_ones(page, m, t) - n;
      sum += more * more;
    }
  }
  return ((float)sum / (float)(n * n * length) - 1.0f / (float)n) * HALF_PI;
}

const float *ann_page_spreads(AnnPage *page) {
  int i;
  if (page->spreads) return page->spreads;
  page->spreads = ann_alloc_array((uint64_t)page->n, sizeof *page->spreads);
  for (i = 0; page->spreads && i < page->n; i++) {
    page->spreads[i] = ann_get_f32(ann_page_child_centre(page, i) + ANN_CENTRE_SPREAD);
  }
  return page->spreads;
}

/* What follows, the hardware sees coming. */
#define PREFETCHED 2048 /* bytes */

void ann_page_prefetch(const AnnPage *page) {
  uint64_t size = ann_page_size(page), i = size_of(page, 0);
  if (size > i + PREFETCHED) size = i + PREFETCHED;
  for (; i < size; i += 64) __builtin_prefetch(page->bytes + i);
}

void ann_page_prefetch_child(const AnnPage *page, int i) {
  __builtin_prefetch(block_at(page, i) + ANN_BLOCK_IDS + 8 * (i % ANN_BLOCK));
  ann_centre_prefetch(ann_page_child_centre(page, i), page->length);
}
