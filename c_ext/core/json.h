/* json.h -- a JSON array of numbers, one number at a time; an array of such arrays, one at a time;
** an object, one member at a time.
**
** An array has nothing but numbers, written as JSON wants them.  A number comes as text, so that
** each element type rounds the decimal itself, and once.  An object has numbers, strings, true,
** false and null; a member comes as it is written.
**
** Cost: one look at every character.
*/
#ifndef ANN_CORE_JSON_H
#define ANN_CORE_JSON_H

#include "core/base.h"

/* cffi:on */
#define ANN_JSON_NUMBER 144 /* bytes of a number as text, with its end */

typedef struct AnnJson {
  const char *text, *at, *end; /* borrowed: the text, what is to be read next */
  int64_t n;                   /* numbers, arrays or members read */
} AnnJson;

/* Borrowed from the text. */
typedef struct AnnMember {
  const char *name;  /* between its quotation marks */
  const char *value; /* with them, if it has any */
  int64_t n_name, n_value;
} AnnMember;

int ann_json_open(AnnJson *json, const char *text, int64_t n_bytes, char *out_message);
int ann_json_next(AnnJson *json, char *out_number, int *out_found, char *out_message);
int64_t ann_json_length(const char *text, int64_t n_bytes);
int ann_json_open_arrays(AnnJson *json, const char *text, int64_t n_bytes, char *out_message);
int ann_json_next_array(AnnJson *json, const char **out_text, int64_t *out_n_bytes,
                        int *out_found, char *out_message);
int ann_json_open_object(AnnJson *json, const char *text, int64_t n_bytes, char *out_message);
int ann_json_next_member(AnnJson *json, AnnMember *out_member, int *out_found,
                         char *out_message);
int ann_json_is_number(const AnnMember *member, char *out_number);
int ann_json_is_null(const AnnMember *member);
/* cffi:off */

/* ann_json_open, ann_json_next: ANN_OK; or ANN_ERROR and one clause in out_message (of
** ANN_VECTOR_MESSAGE bytes).
** ann_json_next: the next number, in out_number (of ANN_JSON_NUMBER bytes) as strtof of this
** locale reads it; *out_found is 0 after the last one, when the text has ended as it should.
** ann_json_length: how many numbers the array seems to have (commas + 1); 0 for an empty one,
** -1 when the text is no array.
** ann_json_open_arrays, ann_json_next_array: the same of an array of arrays; *out_text is
** borrowed from the text, from one bracket to the other; what is in between is not looked at.
** ann_json_open_object, ann_json_next_member: the same of an object.
** ann_json_is_number: whether a member's value is a number, which is then in out_number as above.
** ann_json_is_null: whether it is null.
*/

#endif
