/* queries.c -- see queries.h. */
#include "sql/queries.h"

#include "core/query.h"
#include "sql/value.h"

/* ---- error sentences ---- */

/* The text itself is wrong. */
static int refuse_text(const AnnQueries *queries, const char *clause, char **out_message) {
  return ann_value_refuse(out_message,
                          sqlite3_mprintf("%s, queries: %s", queries->function, clause));
}

/* The next vector is. */
static int refuse_query(const AnnQueries *queries, const char *clause, char **out_message) {
  const AnnStore *store = queries->store;
  return ann_value_refuse(
      out_message, sqlite3_mprintf("%s, table %s, column %s, query[%lld]: %s",
                                   queries->function, ann_db_name(store->db),
                                   store->options.column, (long long)queries->next, clause));
}

/* ---- blobs ---- */

/* The type of the vectors in a blob, which must be one that the table can be searched with. */
static int read_type(AnnQueries *queries, sqlite3_value *value, char **out_message) {
  const AnnElement *rows = queries->store->options.space.element;
  char names[ANN_NAMES];
  const char *name;
  queries->element = ann_element_default();
  if (!value || sqlite3_value_type(value) == SQLITE_NULL) return ANN_OK;
  name = (const char *)sqlite3_value_text(value);
  if (!name) return ANN_NOMEM;
  queries->element = ann_element_named(name);
  if (!queries->element) {
    return ann_value_refuse(out_message,
                            sqlite3_mprintf("%s: expected type %s, got \"%.40s\"",
                                            queries->function, ann_element_names(names), name));
  }
  if (ann_query_takes(rows, queries->element)) return ANN_OK;
  return ann_value_refuse(
      out_message,
      sqlite3_mprintf("%s: expected queries of a type that can be compared with %s, got %s",
                      queries->function, rows->named.name, queries->element->named.name));
}

static int open_blob(AnnQueries *queries, sqlite3_value *value, char **out_message) {
  int64_t dimensions = queries->store->options.space.dimensions;
  int64_t n_bytes = sqlite3_value_bytes(value);
  queries->blob = sqlite3_value_blob(value); /* NULL when it is empty */
  queries->size = ann_element_size(queries->element, dimensions);
  queries->n = n_bytes / queries->size;
  if (n_bytes > 0 && !queries->blob) return ANN_NOMEM;
  if (n_bytes % queries->size == 0) return ANN_OK;
  return ann_value_refuse(
      out_message,
      sqlite3_mprintf("%s: expected queries to be a multiple of %lld bytes (%lld %s each), "
                      "got %lld bytes",
                      queries->function, (long long)queries->size, (long long)dimensions,
                      queries->element->named.name, (long long)n_bytes));
}

/* ---- text ---- */

/* The next array of the text; NULL behind the last one. */
static int next_array(AnnQueries *queries, const char **out_text, int64_t *out_n_bytes,
                      char **out_message) {
  char clause[ANN_VECTOR_MESSAGE];
  int found = 0;
  *out_text = NULL;
  if (ann_json_next_array(&queries->json, out_text, out_n_bytes, &found, clause) == ANN_OK) {
    return ANN_OK;
  }
  return refuse_text(queries, clause, out_message);
}

/* How many there are is known when all arrays have been found. */
static int open_text(AnnQueries *queries, sqlite3_value *value, char **out_message) {
  const char *text = (const char *)sqlite3_value_text(value), *array;
  int64_t n_bytes = sqlite3_value_bytes(value), n;
  char clause[ANN_VECTOR_MESSAGE];
  int rc;
  if (!text) return ANN_NOMEM;
  if (ann_json_open_arrays(&queries->json, text, n_bytes, clause) != ANN_OK) {
    return refuse_text(queries, clause, out_message);
  }
  do { rc = next_array(queries, &array, &n, out_message); } while (rc == ANN_OK && array);
  queries->n = queries->json.n;
  (void)ann_json_open_arrays(&queries->json, text, n_bytes, clause); /* as before */
  return rc;
}

/* ---- all of them ---- */

int ann_queries_open(AnnQueries *queries, const char *function, const AnnStore *store,
                     sqlite3_value *value, sqlite3_value *type, char **out_message) {
  int rc;
  memset(queries, 0, sizeof *queries);
  queries->function = function;
  queries->store = store;
  rc = read_type(queries, type, out_message);
  if (rc != ANN_OK) return rc;
  switch (sqlite3_value_type(value)) {
  case SQLITE_NULL: return ANN_OK;
  case SQLITE_BLOB: return open_blob(queries, value, out_message);
  case SQLITE_TEXT: return open_text(queries, value, out_message);
  default:
    return ann_value_refuse(out_message,
                            sqlite3_mprintf("%s: expected queries to be a blob or a JSON array "
                                            "of arrays, got %s",
                                            function, ann_value_kind(value)));
  }
}

int ann_queries_skip(AnnQueries *queries, int64_t n, char **out_message) {
  const char *array;
  int64_t n_bytes;
  int rc = ANN_OK;
  while (!queries->blob && queries->next < n && rc == ANN_OK) {
    rc = next_array(queries, &array, &n_bytes, out_message);
    queries->next++;
  }
  queries->next = n;
  return rc;
}

int ann_queries_next(AnnQueries *queries, void *out_query, char **out_message) {
  const AnnSpace *space = &queries->store->options.space;
  const char *array;
  int64_t n_bytes;
  char clause[ANN_VECTOR_MESSAGE];
  int rc = ANN_OK;
  if (queries->blob) {
    rc = ann_query_from_blob_of(space->element, queries->element,
                                queries->blob + queries->next * queries->size, queries->size,
                                space->dimensions, out_query, clause);
  } else {
    rc = next_array(queries, &array, &n_bytes, out_message);
    if (rc != ANN_OK) return rc;
    rc = ann_query_from_json(space->element, array, n_bytes, space->dimensions, out_query,
                             clause);
  }
  if (rc == ANN_ERROR) return refuse_query(queries, clause, out_message);
  queries->next++;
  return rc;
}
