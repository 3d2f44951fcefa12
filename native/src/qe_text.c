/* Text arrives from files that promise UTF-8 and may not keep the promise. */
#include "qe_text.h"

#include <string.h>

#include "qe_mem.h"

int64_t qe__ascii_prefix(const uint8_t *text, int64_t size) {
  int64_t at = 0;

  for (; at + 32 <= size; at += 32) {
    uint64_t words[4];
    memcpy(words, text + at, sizeof words);
    if ((words[0] | words[1] | words[2] | words[3]) & UINT64_C(0x8080808080808080)) {
      break;
    }
  }
  while (at < size && text[at] < 0x80) at++;
  return at;
}

/* Length of the well-formed sequence that starts here (2, 3 or 4), 0 if none does.
 * The bounds of the second byte shut out overlong forms, surrogates and everything
 * past U+10FFFF. */
static int64_t sequence_size(const uint8_t *text, int64_t size) {
  uint8_t first = text[0];
  uint8_t low = 0x80;
  uint8_t high = 0xBF;
  int64_t wanted;

  if (first >= 0xC2 && first <= 0xDF) {
    wanted = 2;
  } else if (first >= 0xE0 && first <= 0xEF) {
    wanted = 3;
    if (first == 0xE0) low = 0xA0;
    if (first == 0xED) high = 0x9F;
  } else if (first >= 0xF0 && first <= 0xF4) {
    wanted = 4;
    if (first == 0xF0) low = 0x90;
    if (first == 0xF4) high = 0x8F;
  } else {
    return 0;
  }
  if (size < wanted || text[1] < low || text[1] > high) return 0;
  for (int64_t i = 2; i < wanted; i++) {
    if ((text[i] & 0xC0) != 0x80) return 0;
  }
  return wanted;
}

int64_t qe__utf8_fault(const uint8_t *text, int64_t size) {
  int64_t at = qe__ascii_prefix(text, size);

  while (at < size) {
    int64_t step = sequence_size(text + at, size - at);
    if (step == 0) return at;
    at += step;
    at += qe__ascii_prefix(text + at, size - at);
  }
  return -1;
}

bool qe__bytes_reserve(qe_bytes *bytes, int64_t extra) {
  int64_t capacity = bytes->capacity;
  uint8_t *data;

  if (extra > QE_BYTES_MAX - bytes->size) return false;
  if (bytes->size + extra <= capacity) return true;
  if (capacity < bytes->first_capacity) capacity = bytes->first_capacity;
  if (capacity < 64) capacity = 64;
  while (capacity < bytes->size + extra) capacity *= 2;
  if (capacity > QE_BYTES_MAX) capacity = QE_BYTES_MAX;
  data = qe__realloc(bytes->data, capacity);
  if (!data) return false;
  bytes->data = data;
  bytes->capacity = capacity;
  return true;
}

void qe__bytes_clear(qe_bytes *bytes) {
  qe__free(bytes->data);
  *bytes = (qe_bytes){0};
}
