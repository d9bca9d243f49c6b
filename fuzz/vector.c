/* vector.c -- any bytes as the JSON text, and as the blob, of a vector. */
#include "core/vector.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char message[ANN_VECTOR_MESSAGE];
  float out[8];
  ann_vector_json_length((const char *)data, (int64_t)size);
  ann_vector_from_json((const char *)data, (int64_t)size, 8, out, message);
  ann_vector_from_blob(data, (int64_t)size, 8, out, message);
  return 0;
}
