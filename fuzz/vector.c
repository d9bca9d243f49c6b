/* vector.c -- any bytes as the JSON text, and as the blob, of a vector. */
#include "core/element.h"
#include "core/json.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const AnnElement *element = ann_element_default();
  char message[ANN_VECTOR_MESSAGE];
  float out[8];
  ann_json_length((const char *)data, (int64_t)size);
  ann_element_from_json(element, (const char *)data, (int64_t)size, 8, out, message);
  ann_element_from_blob(element, data, (int64_t)size, 8, out, message);
  return 0;
}
