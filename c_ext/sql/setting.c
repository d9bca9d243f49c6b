/* setting.c -- see setting.h. */
#include "sql/setting.h"

#include <stdlib.h>

#include "index/pages.h"
#include "index/rows.h"
#include "sql/value.h"

/* One that can be set to nothing but 1 is an act; its value tells what came of it. */
typedef struct Setting {
  const char *name;
  int least, most;
  int is_command; /* NAME=N, or NAME for an act */
  int64_t (*get)(const AnnTable *table);
  int (*set)(AnnTable *table, int number); /* the store has the sentence of a failure */
} Setting;

/* ---- each of them ---- */

static int64_t get_cache(const AnnTable *table) { return table->store->options.cache_mb; }

/* What is held beyond it goes at once, but for pages that are changed and not yet written. */
static int set_cache(AnnTable *table, int number) {
  AnnStore *store = table->store;
  ann_store_set_cache(store, number);
  ann_pages_trim(store->pages);
  ann_rows_trim(store->rows);
  return ANN_OK;
}

static int64_t get_absorb(const AnnTable *table) { return table->absorb; }

/* What a bulk load left is taken in when the statement that is writing, or its transaction,
** ends; where none is writing, there is nothing to end. */
static int set_absorb(AnnTable *table, int number) {
  table->absorb = number;
  table->due = number > 0 && ann_store_is_writing(table->store);
  return ANN_OK;
}

static int64_t get_threads(const AnnTable *table) { return table->store->options.threads; }

static int set_threads(AnnTable *table, int number) {
  table->store->options.threads = number;
  return ANN_OK;
}

static int64_t get_warm(const AnnTable *table) {
  return table->store->budget.pages + ann_rows_bytes(table->store->rows);
}

/* What the open transaction has changed need not be written before: it is in memory, and stays
** there in the place of what is stored. */
static int set_warm(AnnTable *table, int number) {
  AnnStore *store = table->store;
  int rc = ann_store_begin(store);
  (void)number;
  if (rc == ANN_OK) rc = ann_pages_warm(store->pages);
  if (rc == ANN_OK) rc = ann_rows_warm(store->rows);
  ann_store_end(store);
  return rc;
}

static const Setting settings[] = {
  {"cache_mb", 0, 1 << 20, 1, get_cache, set_cache},
  {"absorb", 0, 100, 1, get_absorb, set_absorb},
  {"threads", 0, ANN_MAX_THREADS, 0, get_threads, set_threads},
  {"warm", 1, 1, 1, get_warm, set_warm},
};
#define N_SETTINGS ((int)(sizeof settings / sizeof *settings))

static int is_act(const Setting *setting) { return setting->least == setting->most; }

void ann_setting_list(const AnnTable *table, AnnListing *listing) {
  int i;
  for (i = 0; i < N_SETTINGS; i++) {
    ann_listing_text(listing, settings[i].name);
    ann_listing_number(listing, settings[i].get(table));
  }
}

/* ---- by a command ---- */

/* What comes after the name, and after = where there is a value; NULL: it is not this
** setting. */
static const char *value_of_command(const Setting *setting, const char *text) {
  size_t n = strlen(setting->name);
  if (!setting->is_command || strncmp(text, setting->name, n) != 0) return NULL;
  if (is_act(setting)) return text[n] ? NULL : text + n;
  return text[n] == '=' ? text + n + 1 : NULL;
}

static int run_command(AnnTable *table, const Setting *setting, const char *text,
                       const char *value) {
  char *end = NULL;
  long number = is_act(setting) ? 1 : strtol(value, &end, 10);
  if (!is_act(setting) &&
      (end == value || *end || number < setting->least || number > setting->most)) {
    return ann_db_fail(table->store->db, ANN_ERROR,
                       "expected a whole number from %d to %d, got \"%s\"", setting->least,
                       setting->most, text);
  }
  return setting->set(table, (int)number);
}

int ann_setting_command(AnnTable *table, const char *text, int *out_known) {
  int i;
  *out_known = 0;
  for (i = 0; i < N_SETTINGS; i++) {
    const char *value = value_of_command(&settings[i], text);
    if (!value) continue;
    *out_known = 1;
    return run_command(table, &settings[i], text, value);
  }
  return ANN_OK;
}

/* ---- by ann_set ---- */

#define FUNCTION "ann_set"

/* "cache_mb, absorb, threads, warm" (sqlite3_malloc) */
static char *all_names(void) {
  sqlite3_str *text = sqlite3_str_new(NULL);
  int i;
  for (i = 0; i < N_SETTINGS; i++) {
    sqlite3_str_appendf(text, "%s%s", i ? ", " : "", settings[i].name);
  }
  return sqlite3_str_finish(text);
}

static int find(sqlite3_value *name, const Setting **out_setting, char **out_message) {
  const char *text = (const char *)sqlite3_value_text(name);
  char *names; /* owned */
  int i;
  *out_setting = NULL;
  if (!text && sqlite3_value_type(name) != SQLITE_NULL) return ANN_NOMEM;
  for (i = 0; text && i < N_SETTINGS; i++) {
    if (sqlite3_stricmp(settings[i].name, text) == 0) {
      *out_setting = &settings[i];
      return ANN_OK;
    }
  }
  names = all_names();
  if (!names) return ANN_NOMEM;
  *out_message = sqlite3_mprintf(text ? FUNCTION ": expected one of %s, got \"%.40s\""
                                      : FUNCTION ": expected one of %s, got NULL",
                                 names, text);
  sqlite3_free(names);
  return *out_message ? ANN_ERROR : ANN_NOMEM;
}

/* NULL is a value for an act, as nothing else need be said of it. */
static int change(AnnTable *table, const Setting *setting, sqlite3_value *value,
                  char **out_message) {
  int64_t number = setting->least;
  int rc = ANN_OK;
  if (!is_act(setting) || sqlite3_value_type(value) != SQLITE_NULL) {
    rc = ann_value_whole(FUNCTION, setting->name, setting->least, setting->most, value, &number,
                         out_message);
  }
  if (rc != ANN_OK) return rc;
  ann_db_unsay(table->store->db);
  rc = setting->set(table, (int)number);
  return ann_context_report(table->store, rc, out_message);
}

static void set(sqlite3_context *out, int argc, sqlite3_value **argv) {
  AnnHold hold = {NULL, NULL, NULL}; /* owned */
  AnnTable *table = NULL;
  const Setting *setting = NULL;
  char *message = NULL; /* owned */
  int rc = ann_context_find(sqlite3_user_data(out), FUNCTION, argv[0], &hold, &table, &message);
  if (rc == ANN_OK) rc = find(argv[1], &setting, &message);
  if (rc == ANN_OK && argc > 2) rc = change(table, setting, argv[2], &message);
  if (rc == ANN_OK) {
    sqlite3_result_int64(out, setting->get(table));
  } else if (rc == ANN_NOMEM) {
    sqlite3_result_error_nomem(out);
  } else {
    if (message) sqlite3_result_error(out, message, -1);
    sqlite3_result_error_code(out, rc);
  }
  sqlite3_free(message);
  ann_hold_clear(&hold);
}

int ann_setting_register(sqlite3 *db, AnnContext *context) {
  int rc = ANN_OK, n;
  for (n = 2; n <= 3 && rc == ANN_OK; n++) {
    context->references++;
    rc = sqlite3_create_function_v2(db, FUNCTION, n, SQLITE_UTF8 | SQLITE_DIRECTONLY, context,
                                    set, NULL, NULL, ann_context_release);
  }
  return rc;
}
