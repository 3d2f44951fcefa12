/* Decimal numbers of up to 38 digits as Arrow has them: 128-bit two's complement. */
#ifndef QE_DECIMAL_H
#define QE_DECIMAL_H

#include "qe.h"

typedef struct qe_decimal128 {
  uint64_t low; /* first in memory: every target is little-endian */
  uint64_t high;
} qe_decimal128;

/* Reads "-12.5", "1e3" and the like as a number with scale digits after the point.
 * False when the text is no number, needs more digits after the point than scale, or
 * more in all than precision. Nothing is rounded. */
bool qe__decimal_from_text(const char *text, int64_t size, int32_t precision,
                           int32_t scale, qe_decimal128 *out);

enum { QE_FLOAT_TEXT_SIZE = 32 };

/* The shortest text that reads back as the same number, as Python's repr gives it but
 * for the exponent's form. Terminated; returns its size. */
int64_t qe__float_to_text(double value, char out[QE_FLOAT_TEXT_SIZE]);

#endif
