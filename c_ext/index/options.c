/* options.c -- see options.h. */
#include "index/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>

#include "core/pool.h"

#define DEFAULT_TREES 2           /* contract */
#define DEFAULT_LEAF_CAPACITY 256 /* docs/MEASUREMENTS.md, "leaf size" */
#define DEFAULT_CACHE_MB 256      /* docs/SQL.md, "cache_mb" */

/* Said to those who declare an id, a second vector or a title. */
static const char only_vectors[] =
    "; a row has a rowid and one vector, other columns are for a table with the same ids";

static const char *skip_space(const char *p) {
  while (isspace((unsigned char)*p)) p++;
  return p;
}

static int name_char(char c) {
  return isalnum((unsigned char)c) || c == '_' || c == '$' || (unsigned char)c >= 0x80;
}

/* Read a name at *p, quoted in one of SQLite's ways or bare; NULL when out of memory. */
static char *read_name(const char **p) {
  const char *start = *p;
  char *name = sqlite3_malloc64(strlen(start) + 1), quote = *start;
  size_t n = 0;
  if (!name) return NULL;
  if (quote == '"' || quote == '\'' || quote == '`' || quote == '[') {
    char end = quote == '[' ? ']' : quote;
    for ((*p)++; **p; (*p)++) {
      if (**p == end) {
        if (end == ']' || (*p)[1] != end) break;
        (*p)++;
      }
      name[n++] = **p;
    }
    if (**p) (*p)++;
  } else {
    while (name_char(**p)) name[n++] = *(*p)++;
  }
  name[n] = 0;
  return name;
}

static int refuse(char **out_message, char *message) {
  *out_message = message;
  return message ? ANN_ERROR : ANN_NOMEM;
}

/* Of the metrics that go with the column's type, which stands before all options. */
static int set_metric(const char *table, const char *value, AnnSpace *space,
                      char **out_message) {
  const AnnMetric *metric = ann_metric_named(space->element, value);
  char names[ANN_NAMES];
  if (!metric) {
    return refuse(out_message,
                  sqlite3_mprintf("ann table %s, option metric: expected %s for %s, got \"%s\"",
                                  table, ann_metric_names(space->element, names),
                                  space->element->named.name, value));
  }
  ann_space_init(space, space->element, metric, space->dimensions);
  return ANN_OK;
}

/* What may stand behind the dimensions, as sqlite-vec has it: "distance_metric=l2". */
static int parse_suffix(const char *table, const char *text, AnnOptions *options,
                        char **out_message) {
  const char *p = skip_space(text);
  char *word, *value = NULL;
  int rc = ANN_NOMEM;
  if (!*p) return ANN_OK;
  word = read_name(&p);
  if (!word) return ANN_NOMEM;
  p = skip_space(p);
  if (sqlite3_stricmp(word, "distance_metric") == 0 && *p == '=') {
    p = skip_space(p + 1);
    value = read_name(&p);
    if (!value) goto done;
  }
  if (value && !*skip_space(p)) {
    rc = set_metric(table, value, &options->space, out_message);
  } else {
    rc = refuse(out_message,
                sqlite3_mprintf("ann table %s, column %s: expected nothing after the "
                                "dimensions but \"distance_metric = l2\", got \"%s\"",
                                table, options->column, skip_space(text)));
  }
done:
  sqlite3_free(word);
  sqlite3_free(value);
  return rc;
}

/* "embedding float32[64]" */
static int parse_column(const char *table, const char *text, AnnIsReserved is_reserved,
                        AnnOptions *options, char **out_message) {
  const char *p = skip_space(text);
  const AnnElement *element;
  char *type = NULL, *end = NULL, names[ANN_NAMES];
  int64_t dimensions;
  int rc = ANN_OK;
  options->column = read_name(&p);
  if (!options->column) return ANN_NOMEM;
  p = skip_space(p);
  type = read_name(&p);
  if (!type) return ANN_NOMEM;
  p = skip_space(p);
  if (!options->column[0] || !type[0] || *p != '[') {
    rc = refuse(
        out_message,
        sqlite3_mprintf(
            "ann table %s: expected a column such as \"embedding float32[64]\", got \"%s\"%s",
            table, text, only_vectors));
    goto done;
  }
  element = ann_element_named(type);
  dimensions = strtoll(p + 1, &end, 10);
  if (!element) {
    rc = refuse(out_message,
                sqlite3_mprintf("ann table %s, column %s: expected type %s, got \"%s\"", table,
                                options->column, ann_element_names(names), type));
  } else if (end == p + 1 || *skip_space(end) != ']') {
    rc = refuse(
        out_message,
        sqlite3_mprintf("ann table %s, column %s: expected dimensions such as [64], got \"%s\"",
                        table, options->column, p));
  } else if (dimensions < 1 || dimensions > ANN_MAX_DIMENSIONS) {
    rc = refuse(
        out_message,
        sqlite3_mprintf("ann table %s, column %s: expected 1 to %d dimensions, got %lld", table,
                        options->column, ANN_MAX_DIMENSIONS, (long long)dimensions));
  } else if (is_reserved(options->column) || sqlite3_stricmp(table, options->column) == 0) {
    rc = refuse(
        out_message,
        sqlite3_mprintf(
            "ann table %s: expected another column name than \"%s\", which names a hidden column",
            table, options->column));
  } else {
    ann_space_init(&options->space, element, ann_metric_default(element), dimensions);
    rc = parse_suffix(table, skip_space(end) + 1, options, out_message);
  }
done:
  sqlite3_free(type);
  return rc;
}

/* A whole number within bounds, or a message. */
static int parse_number(const char *table, const char *name, const char *value, int64_t low,
                        int64_t high, int64_t *out_number, char **out_message) {
  char *end;
  long long number;
  errno = 0;
  number = strtoll(value, &end, 10);
  if (errno == ERANGE || end == value || *skip_space(end) || number < low || number > high) {
    return refuse(
        out_message,
        sqlite3_mprintf(
            "ann table %s, option %s: expected a whole number from %lld to %lld, got \"%s\"",
            table, name, (long long)low, (long long)high, value));
  }
  *out_number = number;
  return ANN_OK;
}

/* A name that is kept. */
static int set_name(const char *table, const char *option, const char *value, char **io_name,
                    char **out_message) {
  if (!value[0]) {
    return refuse(
        out_message,
        sqlite3_mprintf("ann table %s, option %s: expected a name, got \"\"", table, option));
  }
  sqlite3_free(*io_name);
  *io_name = sqlite3_mprintf("%s", value);
  return *io_name ? ANN_OK : ANN_NOMEM;
}

static int set_option(const char *table, const char *name, const char *value,
                      AnnOptions *options, char **out_message) {
  int64_t number = 0;
  int rc;
  if (sqlite3_stricmp(name, "metric") == 0) {
    return set_metric(table, value, &options->space, out_message);
  }
  if (sqlite3_stricmp(name, "trees") == 0) {
    rc = parse_number(table, name, value, 1, ANN_MAX_TREES, &number, out_message);
    if (rc == ANN_OK) options->trees = (int)number;
    return rc;
  }
  if (sqlite3_stricmp(name, "seed") == 0) {
    return parse_number(table, name, value, 0, INT64_MAX, &options->seed, out_message);
  }
  if (sqlite3_stricmp(name, "cache_mb") == 0) {
    rc = parse_number(table, name, value, 0, 1 << 20, &number, out_message);
    if (rc == ANN_OK) options->cache_mb = (int)number;
    return rc;
  }
  if (sqlite3_stricmp(name, "threads") == 0) {
    rc = parse_number(table, name, value, 0, ANN_MAX_THREADS, &number, out_message);
    if (rc == ANN_OK) options->threads = (int)number;
    return rc;
  }
  if (sqlite3_stricmp(name, "leaf_capacity") == 0) {
    rc = parse_number(table, name, value, 32, 1024, &number, out_message);
    if (rc == ANN_OK) options->leaf_capacity = (int)((number + 31) / 32 * 32);
    return rc;
  }
  if (sqlite3_stricmp(name, "content") == 0) {
    return set_name(table, name, value, &options->content, out_message);
  }
  if (sqlite3_stricmp(name, "content_rowid") == 0) {
    return set_name(table, name, value, &options->content_rowid, out_message);
  }
  return refuse(
      out_message,
      sqlite3_mprintf(
          "ann table %s: expected one of the options metric, trees, seed, cache_mb, leaf_capacity, "
          "threads, content, content_rowid, got \"%s\"",
          table, name));
}

/* "name = value" */
static int parse_option(const char *table, const char *text, AnnOptions *options,
                        char **out_message) {
  const char *p = skip_space(text);
  char *name = read_name(&p), *value = NULL;
  int rc = ANN_NOMEM;
  size_t n;
  if (!name) return ANN_NOMEM;
  p = skip_space(p);
  if (!name[0] || *p != '=') {
    rc =
        refuse(out_message,
               sqlite3_mprintf(
                   "ann table %s: expected an option such as \"metric = cosine\", got \"%s\"%s",
                   table, text, only_vectors));
    goto done;
  }
  p = skip_space(p + 1);
  value = *p == '\'' || *p == '"' ? read_name(&p) : sqlite3_mprintf("%s", p);
  if (!value) goto done;
  for (n = strlen(value); n > 0 && isspace((unsigned char)value[n - 1]); n--) value[n - 1] = 0;
  rc = set_option(table, name, value, options, out_message);
done:
  sqlite3_free(name);
  sqlite3_free(value);
  return rc;
}

int ann_options_parse(const char *table, int n, const char *const *argv,
                      AnnIsReserved is_reserved, AnnOptions *out_options, char **out_message) {
  int rc, i;
  memset(out_options, 0, sizeof *out_options);
  out_options->trees = DEFAULT_TREES;
  out_options->leaf_capacity = DEFAULT_LEAF_CAPACITY;
  out_options->cache_mb = DEFAULT_CACHE_MB;
  if (n < 1) {
    return refuse(
        out_message,
        sqlite3_mprintf(
            "ann table %s: expected a column such as \"embedding float32[64]\", got no argument",
            table));
  }
  if (is_reserved(table)) {
    return refuse(
        out_message,
        sqlite3_mprintf(
            "ann table %s: expected another table name than \"%s\", which names a hidden column",
            table, table));
  }
  rc = parse_column(table, argv[0], is_reserved, out_options, out_message);
  for (i = 1; rc == ANN_OK && i < n; i++) {
    rc = parse_option(table, argv[i], out_options, out_message);
  }
  if (rc == ANN_OK && out_options->content_rowid && !out_options->content) {
    rc = refuse(
        out_message,
        sqlite3_mprintf("ann table %s, option content_rowid: expected the option content "
                        "beside it, which is missing",
                        table));
  }
  if (rc != ANN_OK) ann_options_clear(out_options);
  return rc;
}

static int equal_names(const char *a, const char *b) {
  return a && b ? strcmp(a, b) == 0 : a == b;
}

int ann_options_equal(const AnnOptions *a, const AnnOptions *b) {
  return strcmp(a->column, b->column) == 0 && equal_names(a->content, b->content) &&
         equal_names(a->content_rowid, b->content_rowid) &&
         ann_space_equal(&a->space, &b->space) && a->trees == b->trees && a->seed == b->seed &&
         a->leaf_capacity == b->leaf_capacity;
}

void ann_options_clear(AnnOptions *options) {
  sqlite3_free(options->column);
  sqlite3_free(options->content);
  sqlite3_free(options->content_rowid);
  memset(options, 0, sizeof *options);
}
