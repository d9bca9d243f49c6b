/* vector.h -- vectors as people write them: blobs of components, or JSON text.
**
** A blob is the components, little-endian, with no header.  JSON is an array of
** numbers; each decimal is rounded once to the nearest float, whatever the locale.
** A component that is not finite is refused.
*/
#ifndef ANN_CORE_VECTOR_H
#define ANN_CORE_VECTOR_H

#include "core/base.h"

/* cffi:on */
#define ANN_FLOAT32 1           /* element types, as stored in the config table */
#define ANN_VECTOR_MESSAGE 200  /* bytes of a message, with its end */

int ann_type_named(const char *name);
const char *ann_type_name(int type);
int ann_type_size(int type);

int ann_vector_from_blob(const void *blob, int64_t n_bytes, int64_t dimensions,
                         float *out_vector, char *out_message);
int ann_vector_from_json(const char *text, int64_t n_bytes, int64_t dimensions,
                         float *out_vector, char *out_message);
int64_t ann_vector_json_length(const char *text, int64_t n_bytes);
void ann_vector_to_blob(const float *vector, int64_t dimensions, void *out_blob);
/* cffi:off */

/* ann_type_named: ANN_FLOAT32 for "float32" and "float" (any case), else 0.
** ann_vector_from_…: ANN_OK; or ANN_ERROR and one clause in out_message, of
** ANN_VECTOR_MESSAGE bytes, that says what was expected and what came.
** ann_vector_json_length: how many elements the array seems to have (commas + 1);
** 0 for an empty one, -1 when the text is no array.
*/

#endif
