/* value.h -- SQL values as vectors, numbers, each with its error sentence. */
#ifndef ANN_SQL_VALUE_H
#define ANN_SQL_VALUE_H

#include "core/space.h"
#include "index/api.h"

/* ANN_ERROR with this sentence (sqlite3_malloc, taken over) in the place of one before it;
** ANN_NOMEM when it is NULL. */
int ann_value_refuse(char **out_message, char *message);

/* A blob or JSON text as a vector of the space.  ANN_ERROR and a clause such as "expected …,
** got …" in out_message (ANN_VECTOR_MESSAGE bytes) when it is neither. */
int ann_value_vector(sqlite3_value *value, const AnnSpace *space, void *out_vector,
                     char *out_message);
/* The same as a query of the space: a blob may also be of float32, JSON may have fractions. */
int ann_value_query(sqlite3_value *value, const AnnSpace *space, void *out_query,
                    char *out_message);
/* The same with the dimensions of *io_space, whose metric is kept, taken from the value;
** *out_vector is the caller's (ann_free), with room for a query. */
int ann_value_any_vector(sqlite3_value *value, AnnSpace *io_space, void **out_vector,
                         char *out_message);

/* Whole numbers: INTEGER, REAL without a fraction, or text that is one of them. */
int ann_value_integer(sqlite3_value *value, int64_t *out_number);
int ann_value_number(sqlite3_value *value, double *out_number);

#define ANN_DEFAULT_K 10        /* contract */
#define ANN_DEFAULT_RECALL 0.95 /* contract */

/* Arguments that many functions have: *out_… stays as it is where value is NULL, for "not
** given".  ANN_ERROR with a sentence in *out_message (sqlite3_malloc) when it is not a whole
** number from 1, no number, not a recall, or not from 0 to 1. */
int ann_value_count(const char *function, const char *name, sqlite3_value *value,
                    int64_t *out_count, char **out_message);
int ann_value_distance(const char *function, const char *name, sqlite3_value *value,
                       double *out_number, char **out_message);
int ann_value_recall(const char *function, const char *name, sqlite3_value *value,
                     double *out_recall, char **out_message);
int ann_value_fraction(const char *function, const char *name, sqlite3_value *value,
                       double *out_number, char **out_message);

/* A whole number from least to most; NULL is none. */
int ann_value_whole(const char *function, const char *name, int64_t least, int64_t most,
                    sqlite3_value *value, int64_t *out_number, char **out_message);

/* A component as the shortest decimal that reads back as it; x is finite. */
void ann_value_append(sqlite3_str *text, const AnnElement *element, float x);

/* What a value is, in a word, for error sentences. */
const char *ann_value_kind(sqlite3_value *value);

#endif
