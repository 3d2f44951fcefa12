/* UTF-8 checks and a growable run of bytes. */
#ifndef QE_TEXT_H
#define QE_TEXT_H

#include "qe.h"

/* Offset of the first byte that is not part of well-formed UTF-8 (Unicode, table
 * 3-7: no overlong forms, no surrogates), or -1 when all of it is. */
int64_t qe__utf8_fault(const uint8_t *text, int64_t size);

/* Offset of the first byte past ASCII, or size when there is none. */
int64_t qe__ascii_prefix(const uint8_t *text, int64_t size);

/* The ceiling of a growable run of bytes: Arrow's offsets have 31 bits. */
#define QE_BYTES_MAX INT64_C(0x7FFFFFFF)

typedef struct qe_bytes {
  uint8_t *data; /* owned */
  int64_t size;
  int64_t capacity;
  int64_t first_capacity; /* what to begin with, 0 for little */
} qe_bytes;

/* Makes room for extra more bytes; false when memory or the ceiling ends. */
bool qe__bytes_reserve(qe_bytes *bytes, int64_t extra);
void qe__bytes_clear(qe_bytes *bytes);

#endif
