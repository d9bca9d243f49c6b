/* log.c -- see log.h. */
#include "index/log.h"

#include <stdarg.h>

#define MOST 210 /* bytes of a sentence, with its end: older SQLites cut a line there */

static void say(const AnnDb *db, int code, const char *text) {
  sqlite3_log(code, "sqlite_ann: %s.%s: %s", ann_db_schema(db), ann_db_name(db), text);
}

void ann_log_news(AnnDb *db, const char *format, ...) {
  char text[MOST];
  va_list arguments;
  va_start(arguments, format);
  sqlite3_vsnprintf(MOST, text, format, arguments);
  va_end(arguments);
  ann_db_tell(db, NULL);
  say(db, SQLITE_NOTICE, text);
}

void ann_log_failure(AnnDb *db, int code) {
  const char *cause = ann_db_cause(db);
  if (cause && ann_db_tell(db, cause)) say(db, code, cause);
}
