/* ids.c -- see ids.h. */
#include "sql/ids.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#include "core/gather.h"
#include "sql/operand.h"
#include "sql/value.h"

/* ---- one value ---- */

/* A number of a JSON array, as strtod of this locale reads it. */
static int id_of_text(const char *number, int64_t *out_id) {
  char *end = NULL;
  double real;
  errno = 0;
  *out_id = strtoll(number, &end, 10);
  if (*end == 0) return errno == 0;
  real = strtod(number, &end);
  if (*end != 0 || !(real >= -9.0e18 && real <= 9.0e18) || real != floor(real)) return 0;
  *out_id = (int64_t)real;
  return 1;
}

/* The clause that says what is wrong, in out_message (ANN_VECTOR_MESSAGE bytes). */
static int add_json(AnnGather *gather, sqlite3_value *value, char *out_message) {
  const char *text = (const char *)sqlite3_value_text(value);
  char number[ANN_JSON_NUMBER];
  AnnJson json;
  int64_t id = 0;
  int found = 1, rc = ANN_NOMEM;
  if (text) rc = ann_json_open(&json, text, sqlite3_value_bytes(value), out_message);
  while (rc == ANN_OK) {
    rc = ann_json_next(&json, number, &found, out_message);
    if (rc != ANN_OK || !found) return rc;
    if (id_of_text(number, &id)) {
      rc = ann_gather_add(gather, id);
    } else {
      sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message,
                       "expected whole numbers of 64 bits in the JSON array, got %.40s",
                       number);
      rc = ANN_ERROR;
    }
  }
  return rc;
}

static int refuse_blob(int64_t size, char *out_message) {
  sqlite3_snprintf(
      ANN_VECTOR_MESSAGE, out_message,
      "expected a set of ids as ann_id_set makes it, or a multiple of 8 bytes, got a "
      "blob of %lld bytes that is neither",
      (long long)size);
  return ANN_ERROR;
}

static int add_blob(AnnGather *gather, sqlite3_value *value, char *out_message) {
  const uint8_t *blob = sqlite3_value_blob(value);
  int64_t size = sqlite3_value_bytes(value);
  AnnBitmap set;
  if (size % 8 == 0) return ann_gather_add_list(gather, blob, size / 8);
  if (!blob) return ANN_NOMEM;
  if (ann_bitmap_open(&set, blob, size) != ANN_OK) return refuse_blob(size, out_message);
  return ann_gather_add_set(gather, &set);
}

/* The ids of one value that is not NULL. */
static int add_value(AnnGather *gather, sqlite3_value *value, char *out_message) {
  int type = sqlite3_value_type(value);
  int64_t id;
  if (type == SQLITE_BLOB) return add_blob(gather, value, out_message);
  if (ann_value_integer(value, &id)) return ann_gather_add(gather, id);
  if (type == SQLITE_TEXT) return add_json(gather, value, out_message);
  sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message, "expected ids, got %s",
                   ann_value_kind(value));
  return ANN_ERROR;
}

/* ---- arguments ---- */

/* The sentence around a clause. */
static int report(const char *function, const char *name, const char *clause, int rc,
                  char **out_message) {
  if (rc != ANN_ERROR) return rc;
  sqlite3_free(*out_message);
  *out_message = sqlite3_mprintf("%s, %s: %s", function, name, clause);
  return *out_message ? ANN_ERROR : ANN_NOMEM;
}

/* Make a set of what was gathered. */
static int finish(AnnGather *gather, int rc, AnnIds *out_ids) {
  int64_t size = 0;
  if (rc == ANN_OK) rc = ann_gather_finish(gather, &out_ids->bytes, &size);
  if (rc == ANN_OK) rc = ann_bitmap_open(&out_ids->set, out_ids->bytes, size);
  ann_gather_clear(gather);
  return rc;
}

int ann_ids_read(const char *function, const char *name, sqlite3_value *value, AnnIds *out_ids,
                 char **out_message) {
  char clause[ANN_VECTOR_MESSAGE];
  AnnGather gather = {NULL, 0, 0, 0};
  int type = sqlite3_value_type(value), rc;
  const uint8_t *blob = type == SQLITE_BLOB ? sqlite3_value_blob(value) : NULL;
  memset(out_ids, 0, sizeof *out_ids);
  if (blob && ann_bitmap_open(&out_ids->set, blob, sqlite3_value_bytes(value)) == ANN_OK) {
    return ANN_OK;
  }
  memset(&out_ids->set, 0, sizeof out_ids->set);
  rc = type == SQLITE_NULL ? ANN_OK : add_value(&gather, value, clause);
  rc = finish(&gather, rc, out_ids);
  return report(function, name, clause, rc, out_message);
}

/* One value of a list. */
static int add_listed(AnnGather *gather, sqlite3_value *item, char *out_message) {
  int64_t id;
  if (ann_value_integer(item, &id)) return ann_gather_add(gather, id);
  if (sqlite3_value_type(item) != SQLITE_BLOB) return ANN_OK;
  sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message,
                   "expected ids in IN (...), got a blob; a set of ids is compared with =");
  return ANN_ERROR;
}

int ann_ids_read_list(const char *function, const char *name, sqlite3_value *list,
                      AnnIds *out_ids, char **out_message) {
  char clause[ANN_VECTOR_MESSAGE] = "expected a list of ids";
  AnnGather gather = {NULL, 0, 0, 0};
  sqlite3_value *item = NULL;
  int rc = sqlite3_vtab_in_first(list, &item);
  memset(out_ids, 0, sizeof *out_ids);
  while (rc == SQLITE_OK && item) {
    rc = add_listed(&gather, item, clause);
    if (rc == ANN_OK) rc = sqlite3_vtab_in_next(list, &item);
  }
  rc = finish(&gather, rc == SQLITE_DONE ? ANN_OK : rc, out_ids);
  return report(function, name, clause, rc, out_message);
}

int ann_ids_of_name(const AnnMember *member, int64_t *out_id, char *out_message) {
  char name[24]; /* room for every id */
  char *end = name;
  int64_t n = member->n_name;
  if (n > 0 && n < (int64_t)sizeof name && strchr("-0123456789", member->name[0])) {
    memcpy(name, member->name, (size_t)n);
    name[n] = 0;
    errno = 0;
    *out_id = strtoll(name, &end, 10);
    if (end == name + n && errno == 0) return ANN_OK;
  }
  sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message,
                   "expected ids as names of the JSON object, got \"%.*s\"",
                   n < 40 ? (int)n : 40, member->name);
  return ANN_ERROR;
}

int ann_ids_equal(const AnnIds *a, const AnnIds *b) {
  int64_t size = a->set.size;
  if (a->set.n != b->set.n || size != b->set.size) return 0;
  return size == 0 || memcmp(a->set.bytes, b->set.bytes, (size_t)size) == 0;
}

void ann_ids_clear(AnnIds *ids) {
  ann_free(ids->bytes);
  memset(ids, 0, sizeof *ids);
}

/* ---- ann_id_set(ids) ---- */

static void step(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char clause[ANN_VECTOR_MESSAGE];
  AnnGather *gather = sqlite3_aggregate_context(out, sizeof *gather);
  int rc;
  (void)argc;
  if (gather && sqlite3_value_type(argv[0]) == SQLITE_NULL) return;
  rc = gather ? add_value(gather, argv[0], clause) : ANN_NOMEM;
  if (rc != ANN_OK) ann_operand_fail(out, "ann_id_set", clause, rc);
}

static void final(sqlite3_context *out) {
  AnnGather none = {NULL, 0, 0, 0}, *gather = sqlite3_aggregate_context(out, 0);
  uint8_t *bytes = NULL;
  int64_t size = 0;
  int rc;
  if (!gather) gather = &none; /* of no rows: the empty set */
  rc = ann_gather_finish(gather, &bytes, &size);
  if (rc == ANN_OK) sqlite3_result_blob64(out, bytes, (uint64_t)size, ann_free);
  else ann_operand_fail(out, "ann_id_set", "", rc);
  ann_gather_clear(gather);
}

int ann_ids_register(sqlite3 *db) {
  return sqlite3_create_function(db, "ann_id_set", 1,
                                 SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                 NULL, step, final);
}
