/* Values within values: how an array, a range, a composite or a map is kept as one blob
 * of a QE_TYPE_NESTED column. A value is a tag and what follows it, numbers in the
 * machine's own order, unaligned:
 *
 *   n  null
 *   i  int64                    f  double                  ?  one byte, 0 or 1
 *   t  u32 size, UTF-8 text     b  u32 size, blob          u  16 bytes of a uuid
 *   m  u32 size, decimal text   j  u32 size, JSON text     w  u32 size, address text
 *   d  int32 days               c  int64 microseconds      v  an interval, 16 bytes
 *   s  int64 timestamp          z  the same in UTC         o  a timetz, 12 bytes
 *   [  u32 count, that many values: one dimension of an array
 *   A  u32 dimensions, an int32 lower bound for each, one [: only where one is not 1
 *   (  u32 count, that many values: a composite
 *   r  a byte of QE_RANGE flags, lower bound, upper bound (n where there is none)
 *   R  u32 count, that many ranges
 *   h  u32 count, that many pairs: t, then t or n
 *
 * Dates, times, timestamps, intervals and timetz are as in columns of their own.
 * Whoever writes such a blob has checked all it promises; readers trust it. */
#ifndef QE_NESTED_H
#define QE_NESTED_H

#include <string.h>

#include "qe_text.h"

typedef enum qe_tag {
  QE_TAG_NULL = 'n',
  QE_TAG_INT64 = 'i',
  QE_TAG_FLOAT64 = 'f',
  QE_TAG_BOOLEAN = '?',
  QE_TAG_TEXT = 't',
  QE_TAG_BLOB = 'b',
  QE_TAG_UUID = 'u',
  QE_TAG_DECIMAL = 'm',
  QE_TAG_JSON = 'j',
  QE_TAG_NETWORK = 'w',
  QE_TAG_DATE = 'd',
  QE_TAG_TIME = 'c',
  QE_TAG_INTERVAL = 'v',
  QE_TAG_TIMESTAMP = 's',
  QE_TAG_TIMESTAMPTZ = 'z',
  QE_TAG_TIMETZ = 'o',
  QE_TAG_LIST = '[',
  QE_TAG_ARRAY = 'A',
  QE_TAG_TUPLE = '(',
  QE_TAG_RANGE = 'r',
  QE_TAG_MULTIRANGE = 'R',
  QE_TAG_MAP = 'h'
} qe_tag;

enum {
  QE_RANGE_EMPTY = 1,
  QE_RANGE_LOWER_INCLUSIVE = 2,
  QE_RANGE_UPPER_INCLUSIVE = 4,
  QE_RANGE_LOWER_INFINITE = 8,
  QE_RANGE_UPPER_INFINITE = 16
};

/* Sizes of what is kept without a size of its own. */
enum { QE_UUID_SIZE = 16, QE_INTERVAL_SIZE = 16, QE_TIMETZ_SIZE = 12 };

typedef struct qe_interval {
  int64_t microseconds;
  int32_t days, months;
} qe_interval;

typedef struct qe_timetz {
  int64_t microseconds;
  int32_t east_seconds; /* of UTC */
} qe_timetz;

static inline void qe__interval_write(uint8_t *out, qe_interval value) {
  memcpy(out, &value.microseconds, 8);
  memcpy(out + 8, &value.days, 4);
  memcpy(out + 12, &value.months, 4);
}

static inline qe_interval qe__interval_read(const uint8_t *data) {
  qe_interval value;
  memcpy(&value.microseconds, data, 8);
  memcpy(&value.days, data + 8, 4);
  memcpy(&value.months, data + 12, 4);
  return value;
}

static inline void qe__timetz_write(uint8_t *out, qe_timetz value) {
  memcpy(out, &value.microseconds, 8);
  memcpy(out + 8, &value.east_seconds, 4);
}

static inline qe_timetz qe__timetz_read(const uint8_t *data) {
  qe_timetz value;
  memcpy(&value.microseconds, data, 8);
  memcpy(&value.east_seconds, data + 8, 4);
  return value;
}

/* Appends the value as PostgreSQL writes it: {1,2}, (a,"b c"), [1,5), "a"=>"b". false
 * when memory ends; out may then have part of it. */
bool qe__nested_text(const uint8_t *data, int64_t size, qe_bytes *out);

/* The same for a value without parts whose tag is not in front of it: data is what
 * would follow, and a text's size is size. */
bool qe__scalar_text(qe_tag tag, const uint8_t *data, int64_t size, qe_bytes *out);

#endif
