/* content.c -- see content.h. */
#include "index/content.h"

#include "index/log.h"
#include "index/schema.h"

struct AnnContent {
  AnnDb *db;                 /* borrowed */
  const AnnOptions *options; /* borrowed */
  int found;                 /* all is in order */
  int watched;               /* there is a trigger that says what the names are now: */
  char *table, *id, *vector; /* owned: the table, its primary key, its column */
};

enum { ON_INSERT, ON_UPDATE, ON_DELETE, N_TRIGGERS };

static const char *const suffixes[N_TRIGGERS] = {"insert", "update", "delete"};

/* ---- life ---- */

int ann_content_new(AnnDb *db, const AnnOptions *options, AnnContent **out_content) {
  *out_content = NULL;
  if (!options->content) return ANN_OK;
  *out_content = ann_alloc_zero(1, sizeof **out_content);
  if (!*out_content) return ANN_NOMEM;
  (*out_content)->db = db;
  (*out_content)->options = options;
  return ANN_OK;
}

static int set_name(char **io_name, const char *name) {
  char *copy = name ? sqlite3_mprintf("%s", name) : NULL;
  sqlite3_free(*io_name);
  *io_name = copy;
  return copy || !name ? ANN_OK : ANN_NOMEM;
}

void ann_content_free(AnnContent *content) {
  if (!content) return;
  sqlite3_free(content->table);
  sqlite3_free(content->id);
  sqlite3_free(content->vector);
  ann_free(content);
}

void ann_content_forget(AnnContent *content) {
  if (content) content->found = 0;
}

const char *ann_content_table(const AnnContent *content) {
  return content->table ? content->table : content->options->content;
}

/* ---- statements that are run once ---- */

/* Prepare what sqlite3_mprintf made, and free it; the statement is the caller's. */
static int prepare(AnnDb *db, char *sql, sqlite3_stmt **out_stmt) {
  int rc = sql ? sqlite3_prepare_v2(ann_db_handle(db), sql, -1, out_stmt, NULL) : ANN_NOMEM;
  sqlite3_free(sql);
  return rc == ANN_OK || rc == ANN_NOMEM ? rc : ann_db_sqlite_failed(db, rc);
}

static int run(AnnDb *db, char *sql) {
  sqlite3_stmt *stmt = NULL;
  int rc = prepare(db, sql, &stmt);
  if (rc == ANN_OK) rc = ann_db_run(db, stmt);
  sqlite3_finalize(stmt);
  return rc;
}

/* The text in the first column of the first row, or NULL; *out_found: there is a row. */
static int ask(AnnDb *db, char *sql, char **out_text, int *out_found) {
  sqlite3_stmt *stmt = NULL;
  int rc = prepare(db, sql, &stmt);
  *out_found = 0;
  if (rc == ANN_OK) rc = ann_db_step(db, stmt, out_found);
  if (rc == ANN_OK) {
    rc = set_name(out_text, *out_found ? (const char *)sqlite3_column_text(stmt, 0) : NULL);
  }
  sqlite3_finalize(stmt);
  return rc;
}

/* ---- the table ---- */

/* An ordinary table, no view, no virtual table and no part of another index? */
static int check_kind(AnnContent *content) {
  AnnDb *db = content->db;
  const char *schema = ann_db_schema(db), *table = content->table;
  const char *suffix = strrchr(table, '_');
  int owner = suffix && ann_schema_is_shadow(suffix + 1) ? (int)(suffix - table) : 0;
  char *kind = NULL; /* owned */
  int found = 0;
  int rc =
      ask(db,
          sqlite3_mprintf(
              "SELECT CASE WHEN type = 'view' THEN 'a view' WHEN rootpage = 0 THEN "
              "'a virtual table' WHEN EXISTS (SELECT 1 FROM \"%w\".sqlite_schema WHERE "
              "rootpage = 0 AND name = '%.*q' COLLATE NOCASE AND replace(replace("
              "replace(replace(lower(sql), ' ', ''), char(10), ''), char(9), ''), "
              "'\"', '') GLOB '*usingann(*') THEN 'a part of another index' ELSE '' END FROM "
              "\"%w\".sqlite_schema WHERE type IN ('table', 'view') AND name = '%q' "
              "COLLATE NOCASE",
              schema, owner, table, schema, table),
          &kind, &found);
  if (rc == ANN_OK && !found) {
    rc = ann_db_fail(db, ANN_ERROR,
                     "expected content to be a table of the schema %s, which has no table %s",
                     ann_db_schema(db), content->table);
  } else if (rc == ANN_OK && *kind) {
    rc = ann_db_fail(db, ANN_ERROR, "expected content to be an ordinary table, but %s is %s",
                     content->table, kind);
  }
  sqlite3_free(kind);
  return rc;
}

/* Without a rowid, or with one that VACUUM may change? */
static int refuse_key(AnnContent *content) {
  AnnDb *db = content->db;
  sqlite3_stmt *stmt = NULL;
  char *sql =
      sqlite3_mprintf("SELECT rowid FROM \"%w\".\"%w\"", ann_db_schema(db), content->table);
  int rc = sql ? sqlite3_prepare_v2(ann_db_handle(db), sql, -1, &stmt, NULL) : ANN_NOMEM;
  sqlite3_finalize(stmt);
  sqlite3_free(sql);
  if (rc == ANN_NOMEM) return rc;
  return ann_db_fail(db, ANN_ERROR, "expected %s to have %s, got %s", content->table,
                     "an INTEGER PRIMARY KEY, for VACUUM may change any other rowid",
                     rc == ANN_OK ? "none" : "a table WITHOUT ROWID");
}

/* The INTEGER PRIMARY KEY is the rowid, where no index is made for it. */
static int find_id(AnnContent *content) {
  AnnDb *db = content->db;
  const char *table = content->table, *schema = ann_db_schema(db);
  const char *wanted = content->options->content_rowid;
  int found = 0;
  int rc = ask(
      db,
      sqlite3_mprintf("SELECT name FROM pragma_table_xinfo('%q', '%q') WHERE pk = 1 AND type "
                      "= 'INTEGER' COLLATE NOCASE AND NOT EXISTS (SELECT 1 FROM "
                      "pragma_index_list('%q', '%q') WHERE origin = 'pk')",
                      table, schema, table, schema),
      &content->id, &found);
  if (rc == ANN_OK && !found) return refuse_key(content);
  if (rc == ANN_OK && wanted && !content->watched &&
      sqlite3_stricmp(wanted, content->id) != 0) {
    rc = ann_db_fail(db, ANN_ERROR,
                     "expected content_rowid to be the INTEGER PRIMARY KEY of %s, which is %s, "
                     "got %s",
                     table, content->id, wanted);
  }
  return rc;
}

static int check_vector(AnnContent *content) {
  AnnDb *db = content->db;
  char *name = NULL; /* owned */
  int found = 0;
  int rc =
      ask(db,
          sqlite3_mprintf("SELECT name FROM pragma_table_xinfo('%q', '%q') WHERE name = '%q' "
                          "COLLATE NOCASE",
                          content->table, ann_db_schema(db), content->vector),
          &name, &found);
  if (rc == ANN_OK && !found) {
    rc = ann_db_fail(db, ANN_ERROR, "expected a column %s in %s, which has none",
                     content->vector, content->table);
  }
  sqlite3_free(name);
  return rc;
}

/* content->table and ->vector are set: can that table be one's content? */
static int check_table(AnnContent *content) {
  int rc = check_kind(content);
  if (rc == ANN_OK) rc = find_id(content);
  return rc == ANN_OK ? check_vector(content) : rc;
}

/* ---- the triggers ---- */

/* One step of a trigger: note the id of `row`, "new" or "old". */
static char *note_sql(const AnnContent *content, const char *name, const char *row) {
  return sqlite3_mprintf("INSERT INTO \"%w_changes\"(id) SELECT %s.\"%w\" WHERE NOT EXISTS "
                         "(SELECT 1 FROM \"%w_changes\" WHERE id = %s.\"%w\");",
                         name, row, content->id, name, row, content->id);
}

/* A trigger as sqlite_schema has it, but for the words CREATE TRIGGER; NULL when out of memory. */
static char *trigger_sql(const AnnContent *content, const char *name, int which) {
  const char *table = content->table, *id = content->id, *vector = content->vector;
  char *before = note_sql(content, name, "old"), *after = note_sql(content, name, "new");
  char *sql = NULL;
  if (!before || !after) {
    sql = NULL;
  } else if (which == ON_INSERT) {
    sql = sqlite3_mprintf("\"%w_insert\" AFTER INSERT ON \"%w\" BEGIN %s END", name, table,
                          after);
  } else if (which == ON_DELETE) {
    sql = sqlite3_mprintf("\"%w_delete\" AFTER DELETE ON \"%w\" BEGIN %s END", name, table,
                          before);
  } else {
    sql = sqlite3_mprintf("\"%w_update\" AFTER UPDATE ON \"%w\" WHEN new.\"%w\" IS NOT "
                          "old.\"%w\" OR new.\"%w\" IS NOT old.\"%w\" BEGIN %s %s END",
                          name, table, vector, vector, id, id, before, after);
  }
  sqlite3_free(before);
  sqlite3_free(after);
  return sql;
}

static int make_triggers(AnnContent *content, const char *name) {
  AnnDb *db = content->db;
  int rc = ANN_OK, i;
  for (i = 0; i < N_TRIGGERS && rc == ANN_OK; i++) {
    char *sql = trigger_sql(content, name, i); /* owned */
    rc = sql ? run(db, sqlite3_mprintf("CREATE TRIGGER \"%w\".%s", ann_db_schema(db), sql))
             : ANN_NOMEM;
    sqlite3_free(sql);
  }
  return rc;
}

/* A trigger of that name, if it is ours; column: of sqlite_schema.  NULL without one. */
static int look_up(const AnnContent *content, int which, const char *column, char **out_text) {
  AnnDb *db = content->db;
  char *ours = sqlite3_mprintf("\"%w_changes\"", ann_db_name(db)); /* owned */
  int found = 0, rc = ANN_NOMEM;
  if (ours) {
    rc = ask(
        db,
        sqlite3_mprintf("SELECT %s FROM \"%w\".sqlite_schema WHERE type = 'trigger' AND name "
                        "= '%q_%q' COLLATE NOCASE AND instr(sql, '%q')",
                        column, ann_db_schema(db), ann_db_name(db), suffixes[which], ours),
        out_text, &found);
  }
  sqlite3_free(ours);
  return rc;
}

static int drop_triggers(const AnnContent *content) {
  AnnDb *db = content->db;
  char *sql = NULL; /* owned */
  int rc = ANN_OK, i;
  for (i = 0; i < N_TRIGGERS && rc == ANN_OK; i++) {
    rc = look_up(content, i, "sql", &sql);
    if (rc == ANN_OK && sql) {
      rc = run(db, sqlite3_mprintf("DROP TRIGGER \"%w\".\"%w_%w\"", ann_db_schema(db),
                                   ann_db_name(db), suffixes[i]));
    }
  }
  sqlite3_free(sql);
  return rc;
}

/* The column that the trigger on updates looks at first, "… WHEN new."embedding" IS NOT …", if it
** begins as ours does.  What SQLite makes of a renamed column is quoted as it was. */
static int read_vector_name(AnnContent *content, const char *sql) {
  char *begin =
      sqlite3_mprintf("CREATE TRIGGER \"%w_update\" AFTER UPDATE ON \"%w\" WHEN new.\"",
                      ann_db_name(content->db), content->table); /* owned */
  char *name = begin ? sqlite3_malloc64(strlen(sql) + 1) : NULL; /* owned */
  const char *p;
  size_t n = 0;
  int rc = name ? ANN_OK : ANN_NOMEM;
  if (name && strncmp(sql, begin, strlen(begin)) == 0) {
    for (p = sql + strlen(begin); *p; p++) {
      if (*p == '"' && *++p != '"') break;
      name[n++] = *p;
    }
    name[n] = 0;
    rc = set_name(&content->vector, name);
  }
  sqlite3_free(begin);
  sqlite3_free(name);
  return rc;
}

/* The names of now: what the triggers say that are left, or else CREATE.  The one on updates alone
** has the column's. */
static int find_names(AnnContent *content) {
  static const int order[N_TRIGGERS] = {ON_UPDATE, ON_INSERT, ON_DELETE};
  char *table = NULL, *sql = NULL; /* owned */
  int rc = look_up(content, ON_UPDATE, "sql", &sql), i;
  for (i = 0; i < N_TRIGGERS && !table && rc == ANN_OK; i++) {
    rc = look_up(content, order[i], "tbl_name", &table);
  }
  if (rc == ANN_OK) rc = set_name(&content->table, table ? table : content->options->content);
  if (rc == ANN_OK) rc = set_name(&content->vector, content->options->column);
  content->watched = rc == ANN_OK && table;
  if (rc == ANN_OK && sql) rc = read_vector_name(content, sql);
  sqlite3_free(table);
  sqlite3_free(sql);
  return rc;
}

/* Is each as we would make it? */
static int check_triggers(AnnContent *content) {
  AnnDb *db = content->db;
  const char *name = ann_db_name(db), *prefix = "CREATE TRIGGER ";
  int rc = ANN_OK, i;
  for (i = 0; i < N_TRIGGERS && rc == ANN_OK; i++) {
    char *wanted = trigger_sql(content, name, i), *sql = NULL; /* owned */
    rc = wanted ? look_up(content, i, "sql", &sql) : ANN_NOMEM;
    if (rc == ANN_OK && (!sql || strncmp(sql, prefix, strlen(prefix)) != 0 ||
                         strcmp(sql + strlen(prefix), wanted) != 0)) {
      rc = ann_db_fail(
          db, ANN_ERROR,
          "expected the trigger %s_%s on %s, which is %s; rebuild makes it anew, and "
          "finds what was written meanwhile",
          name, suffixes[i], content->table, sql ? "another" : "missing");
    }
    sqlite3_free(wanted);
    sqlite3_free(sql);
  }
  return rc;
}

/* ---- what others call ---- */

/* Vectors are read from the table from now on. */
static int read_from(AnnContent *content) {
  char *from =
      sqlite3_mprintf("(SELECT \"%w\" AS id, \"%w\" AS vector FROM \"%w\".\"%w\" WHERE "
                      "\"%w\" IS NOT NULL)",
                      content->id, content->vector, ann_db_schema(content->db), content->table,
                      content->vector);
  if (!from) return ANN_NOMEM;
  ann_db_read_from(content->db, from);
  content->found = 1;
  return ANN_OK;
}

int ann_content_attach(AnnContent *content) {
  AnnDb *db = content->db;
  AnnSchema schema = {ann_db_handle(db), ann_db_schema(db), ann_db_name(db), 1};
  char *message = NULL; /* owned */
  int rc = find_names(content);
  content->found = 0;
  if (rc == ANN_OK) rc = check_table(content);
  if (rc != ANN_OK) return rc;
  rc = ann_schema_add_changes(schema, &message);
  if (rc != ANN_OK) ann_db_fail(db, rc, "%s", message ? message : "out of memory");
  sqlite3_free(message);
  if (rc == ANN_OK && check_triggers(content) != ANN_OK) {
    ann_db_unsay(db);
    rc = drop_triggers(content);
    if (rc == ANN_OK) rc = make_triggers(content, ann_db_name(db));
  }
  return rc == ANN_OK ? read_from(content) : rc;
}

int ann_content_detach(AnnContent *content) {
  if (!content) return ANN_OK;
  content->found = 0;
  return drop_triggers(content);
}

/* Ask something of name_changes; has its statement been compiled, or compiled anew, since it was
** asked last? */
static int is_compiled_anew(AnnContent *content, int *out_anew) {
  int rc = ANN_OK, is_new = ann_db_prepared(content->db, ANN_STMT_CHANGE_ANY) == NULL;
  sqlite3_stmt *stmt = ann_db_stmt(content->db, ANN_STMT_CHANGE_ANY, &rc);
  if (stmt) rc = ann_db_run(content->db, stmt);
  *out_anew = is_new || sqlite3_stmt_status(stmt, SQLITE_STMTSTATUS_REPREPARE, 1) > 0;
  return rc;
}

int ann_content_watch(AnnContent *content) {
  int anew = 0, rc;
  if (!content) return ANN_OK;
  rc = is_compiled_anew(content, &anew);
  if (rc != ANN_OK || (content->found && !anew)) return rc;
  content->found = 0;
  rc = find_names(content);
  if (rc == ANN_OK) rc = check_table(content);
  if (rc == ANN_OK) rc = check_triggers(content);
  if (rc == ANN_ERROR) ann_log_failure(content->db, SQLITE_WARNING);
  return rc == ANN_OK ? read_from(content) : rc;
}

int ann_content_rename(AnnContent *content, const char *new_name) {
  int rc, is_sound;
  if (!content) return ANN_OK;
  is_sound = content->found;
  rc = drop_triggers(content);
  if (rc == ANN_OK && is_sound) rc = make_triggers(content, new_name);
  content->found = 0;
  return rc;
}
