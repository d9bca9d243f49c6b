/* grouping.c -- see grouping.h. */
#include "sql/grouping.h"

#include "core/grouper.h"
#include "core/json.h"
#include "sql/ids.h"
#include "sql/operand.h"
#include "sql/value.h"

/* ---- groups as a value ---- */

/* The clause that refuses an id with two keys. */
static int refuse_second(int64_t id, char *out_message) {
  sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message,
                   "expected one key for each id, got two for %lld", (long long)id);
  return ANN_ERROR;
}

/* ANN_ERROR comes with its clause. */
static int finish(AnnGrouper *grouper, uint8_t **out_bytes, int64_t *out_size,
                  char *out_message) {
  int64_t id = 0;
  int rc = ann_grouper_finish(grouper, out_bytes, out_size, &id);
  return rc == ANN_ERROR ? refuse_second(id, out_message) : rc;
}

static int add_members(AnnGrouper *grouper, sqlite3_value *value, char *out_message) {
  const char *text = (const char *)sqlite3_value_text(value);
  AnnMember member;
  AnnJson json;
  int64_t id = 0;
  int found = 1, rc = ANN_NOMEM;
  if (text) { rc = ann_json_open_object(&json, text, sqlite3_value_bytes(value), out_message); }
  while (rc == ANN_OK) {
    rc = ann_json_next_member(&json, &member, &found, out_message);
    if (rc != ANN_OK || !found) return rc;
    rc = ann_ids_of_name(&member, &id, out_message);
    if (rc == ANN_OK && !ann_json_is_null(&member)) {
      rc = ann_grouper_add(grouper, id, member.value, member.n_value);
    }
  }
  return rc;
}

static int read_object(sqlite3_value *value, AnnGrouping *out_grouping, char *out_message) {
  AnnGrouper grouper;
  int64_t size = 0;
  int rc;
  memset(&grouper, 0, sizeof grouper);
  rc = add_members(&grouper, value, out_message);
  if (rc == ANN_OK) rc = finish(&grouper, &out_grouping->bytes, &size, out_message);
  if (rc == ANN_OK) rc = ann_groups_open(&out_grouping->groups, out_grouping->bytes, size);
  ann_grouper_clear(&grouper);
  return rc;
}

static int read_blob(sqlite3_value *value, AnnGrouping *out_grouping, char *out_message) {
  const uint8_t *blob = sqlite3_value_blob(value);
  int64_t size = sqlite3_value_bytes(value);
  if (blob && ann_groups_open(&out_grouping->groups, blob, size) == ANN_OK) return ANN_OK;
  sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message,
                   "expected groups as ann_groups makes them, or a JSON object, got a blob of "
                   "%lld bytes that is neither",
                   (long long)size);
  return ANN_ERROR;
}

int ann_grouping_read(const char *function, const char *name, sqlite3_value *value,
                      AnnGrouping *out_grouping, char **out_message) {
  char clause[ANN_VECTOR_MESSAGE];
  int type = sqlite3_value_type(value), rc = ANN_ERROR;
  memset(out_grouping, 0, sizeof *out_grouping);
  if (type == SQLITE_BLOB) {
    rc = read_blob(value, out_grouping, clause);
  } else if (type == SQLITE_TEXT) {
    rc = read_object(value, out_grouping, clause);
  } else {
    sqlite3_snprintf(sizeof clause, clause,
                     "expected groups as ann_groups makes them, or a JSON object, got %s",
                     ann_value_kind(value));
  }
  if (rc != ANN_ERROR) return rc;
  sqlite3_free(*out_message);
  *out_message = sqlite3_mprintf("%s, %s: %s", function, name, clause);
  return *out_message ? ANN_ERROR : ANN_NOMEM;
}

int ann_grouping_equal(const AnnGrouping *a, const AnnGrouping *b) {
  int64_t size = a->groups.size;
  if (size != b->groups.size) return 0;
  return size == 0 || memcmp(a->groups.bytes, b->groups.bytes, (size_t)size) == 0;
}

void ann_grouping_clear(AnnGrouping *grouping) {
  ann_free(grouping->bytes);
  memset(grouping, 0, sizeof *grouping);
}

/* ---- ann_groups(id, key) ---- */

/* Bytes of a number as a key: its kind, and itself. */
typedef struct Number {
  char kind; /* 'i' or 'r' */
  uint8_t bytes[8];
} Number;

/* Equal numbers are one key, whether they are written with a point or not. */
static Number number_of(sqlite3_value *key) {
  Number number = {'i', {0}};
  int64_t whole = 0;
  double real = sqlite3_value_double(key);
  if (ann_value_integer(key, &whole)) {
    ann_put64(number.bytes, (uint64_t)whole);
  } else {
    number.kind = 'r';
    memcpy(number.bytes, &real, sizeof real);
  }
  return number;
}

/* What keeps '7' and x'37' apart, and from 7: the sizes of numbers and a byte for the kind. */
static int add_bytes(AnnGrouper *grouper, int64_t id, char kind, const void *bytes, int64_t n) {
  uint8_t *key = ann_alloc_array((uint64_t)n + 1, 1); /* owned */
  int rc = key && (bytes || n == 0) ? ANN_OK : ANN_NOMEM;
  if (rc == ANN_OK) {
    key[0] = (uint8_t)kind;
    if (n > 0) memcpy(key + 1, bytes, (size_t)n);
    rc = ann_grouper_add(grouper, id, key, n + 1);
  }
  ann_free(key);
  return rc;
}

static int add_row(AnnGrouper *grouper, sqlite3_value *id, sqlite3_value *key,
                   char *out_message) {
  int type = sqlite3_value_type(key);
  int64_t number = 0;
  if (!ann_value_integer(id, &number)) {
    sqlite3_snprintf(ANN_VECTOR_MESSAGE, out_message, "expected the id of a row, got %s",
                     ann_value_kind(id));
    return ANN_ERROR;
  }
  if (type == SQLITE_NULL) return ANN_OK;
  if (type == SQLITE_TEXT || type == SQLITE_BLOB) {
    const void *bytes = type == SQLITE_TEXT ? (const void *)sqlite3_value_text(key)
                                            : sqlite3_value_blob(key);
    return add_bytes(grouper, number, type == SQLITE_TEXT ? 't' : 'b', bytes,
                     sqlite3_value_bytes(key));
  }
  Number as_key = number_of(key);
  return add_bytes(grouper, number, as_key.kind, as_key.bytes, sizeof as_key.bytes);
}

/* Begins as zeros. */
typedef struct Groups {
  AnnGrouper grouper; /* owned */
  int failed;         /* what is wrong is said */
} Groups;

static void step(sqlite3_context *out, int argc, sqlite3_value **argv) {
  char clause[ANN_VECTOR_MESSAGE];
  Groups *groups = sqlite3_aggregate_context(out, sizeof *groups);
  int rc = ANN_NOMEM;
  (void)argc;
  if (groups && (groups->failed || sqlite3_value_type(argv[0]) == SQLITE_NULL)) return;
  if (groups) rc = add_row(&groups->grouper, argv[0], argv[1], clause);
  if (rc == ANN_OK) return;
  if (groups) groups->failed = 1;
  ann_operand_fail(out, "ann_groups", clause, rc);
}

static void final(sqlite3_context *out) {
  char clause[ANN_VECTOR_MESSAGE];
  Groups none, *groups = sqlite3_aggregate_context(out, 0);
  uint8_t *bytes = NULL;
  int64_t size = 0;
  int rc;
  memset(&none, 0, sizeof none);
  if (!groups) groups = &none; /* of no rows: no groups */
  rc = groups->failed ? ANN_OK : finish(&groups->grouper, &bytes, &size, clause);
  if (bytes) sqlite3_result_blob64(out, bytes, (uint64_t)size, ann_free);
  else if (rc != ANN_OK) ann_operand_fail(out, "ann_groups", clause, rc);
  ann_grouper_clear(&groups->grouper);
}

int ann_grouping_register(sqlite3 *db) {
  return sqlite3_create_function(db, "ann_groups", 2,
                                 SQLITE_UTF8 | SQLITE_DETERMINISTIC | SQLITE_INNOCUOUS, NULL,
                                 NULL, step, final);
}
