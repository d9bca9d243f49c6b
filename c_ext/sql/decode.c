/* decode.c -- see decode.h. */
#include "sql/decode.h"

#include <math.h>

#include "core/bytes.h"
#include "core/format.h"
#include "core/page.h"
#include "sql/value.h"

#define FUNCTION "ann_page_decode"

/* ---- JSON ---- */

/* JSON has no other numbers than finite ones; of a damaged page there are others. */
static void append_float(sqlite3_str *text, const char *key, float x) {
  sqlite3_str_appendall(text, key);
  if (isfinite(x)) ann_value_append(text, ann_element_default(), x);
  else
    sqlite3_str_appendall(text, isnan(x) ? "\"NaN\""
                                : x > 0  ? "\"Infinity\""
                                         : "\"-Infinity\"");
}

static void append_centre(sqlite3_str *text, const uint8_t *record) {
  sqlite3_str_appendall(text, ",\"centre\":{");
  append_float(text, "\"scale\":", ann_get_f32(record + ANN_CENTRE_SCALE));
  append_float(text, ",\"norm\":", ann_get_f32(record + ANN_CENTRE_NORM));
  append_float(text, ",\"spread\":", ann_get_f32(record + ANN_CENTRE_SPREAD));
  sqlite3_str_appendchar(text, 1, '}');
}

static void append_header(sqlite3_str *text, const AnnPageHeader *header) {
  sqlite3_str_appendf(text, ",\"format\":%d", header->version);
  if (header->kind == ANN_KIND_LEAF) sqlite3_str_appendall(text, ",\"kind\":\"leaf\"");
  else if (header->kind == ANN_KIND_DIRECTORY)
    sqlite3_str_appendall(text, ",\"kind\":\"directory\"");
  else sqlite3_str_appendf(text, ",\"kind\":%d", header->kind);
  sqlite3_str_appendf(text,
                      ",\"tree\":%d,\"level\":%d,\"entries\":%u,\"capacity\":%u,\"length\":%u",
                      header->tree, header->level, header->n, header->capacity, header->length);
  if (header->parent) sqlite3_str_appendf(text, ",\"parent\":%u", header->parent);
  else sqlite3_str_appendall(text, ",\"parent\":null");
  sqlite3_str_appendf(text, ",\"checksum\":\"%016llx\"", (unsigned long long)header->checksum);
}

static void append_entries(sqlite3_str *text, const AnnPage *page) {
  int is_leaf = page->kind == ANN_KIND_LEAF, i;
  sqlite3_str_appendf(text, ",\"%s\":[", is_leaf ? "vectors" : "children");
  for (i = 0; i < page->n; i++) {
    AnnCode code = {NULL, 0, 0};
    ann_page_corrections(page, i, &code);
    sqlite3_str_appendf(text, "%s{\"%s\":%lld", i ? "," : "", is_leaf ? "id" : "page",
                        (long long)ann_page_id(page, i));
    append_float(text, ",\"shift\":", code.shift);
    append_float(text, ",\"slope\":", code.slope);
    if (!is_leaf) append_centre(text, ann_page_child_centre(page, i));
    sqlite3_str_appendchar(text, 1, '}');
  }
  sqlite3_str_appendchar(text, 1, ']');
}

/* ---- the function ---- */

static int append_page(sqlite3_str *text, const void *blob, uint64_t size) {
  AnnPageHeader header;
  AnnPage page = {0}; /* owned */
  const char *fault = ann_page_fault(blob, size, &header);
  int rc = header.is_whole ? ann_page_salvage(&page, blob, size) : ANN_OK;
  if (rc != ANN_OK) return rc;
  if (!fault && !ann_page_is_tidy(&page)) fault = "expected zeros in reserved and unused bytes";
  sqlite3_str_appendf(text, "{\"bytes\":%llu", (unsigned long long)size);
  if (fault) sqlite3_str_appendf(text, ",\"fault\":\"%s\"", fault);
  else sqlite3_str_appendall(text, ",\"fault\":null");
  if (header.is_known) append_header(text, &header);
  if (header.is_whole) {
    append_centre(text, ann_page_centre(&page));
    append_entries(text, &page);
  }
  sqlite3_str_appendchar(text, 1, '}');
  ann_page_clear(&page);
  return ANN_OK;
}

static void decode(sqlite3_context *out, int argc, sqlite3_value **argv) {
  const void *blob;
  sqlite3_str *text;
  char *result; /* owned */
  int size, rc = ANN_OK;
  (void)argc;
  if (sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  if (sqlite3_value_type(argv[0]) != SQLITE_BLOB) {
    result = sqlite3_mprintf(FUNCTION ": expected a page, which is a blob, got %s",
                             ann_value_kind(argv[0]));
    if (result) sqlite3_result_error(out, result, -1);
    else sqlite3_result_error_nomem(out);
    sqlite3_free(result);
    return;
  }
  blob = sqlite3_value_blob(argv[0]);
  size = sqlite3_value_bytes(argv[0]);
  text = sqlite3_str_new(sqlite3_context_db_handle(out));
  if (size > 0 && !blob) rc = ANN_NOMEM; /* of a zeroblob that was to be written out */
  if (rc == ANN_OK) rc = append_page(text, blob, (uint64_t)size);
  if (rc == ANN_OK) rc = sqlite3_str_errcode(text);
  result = sqlite3_str_finish(text);
  if (rc == SQLITE_TOOBIG) sqlite3_result_error_toobig(out);
  else if (rc != ANN_OK || !result) sqlite3_result_error_nomem(out);
  else sqlite3_result_text(out, result, -1, SQLITE_TRANSIENT);
  sqlite3_free(result);
}

int ann_decode_register(sqlite3 *db) {
  return sqlite3_create_function(db, FUNCTION, 1,
                                 SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_DIRECTONLY, NULL,
                                 decode, NULL, NULL);
}
