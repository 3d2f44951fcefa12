/* Values within values as text. An element is written first and quoted afterwards,
 * where it stands, so that no level needs memory of its own. */
#include "qe_nested.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "qe_decimal.h"
#include "qe_temporal.h"

typedef struct reader {
  const uint8_t *data;
  const uint8_t *end;
  qe_bytes *out;
} reader;

static bool write_value(reader *from);

static bool append(qe_bytes *out, const void *data, int64_t size) {
  if (!qe__bytes_reserve(out, size)) return false;
  if (size > 0) memcpy(out->data + out->size, data, (size_t)size);
  out->size += size;
  return true;
}

static bool append_text(qe_bytes *out, const char *text) {
  return append(out, text, (int64_t)strlen(text));
}

static const uint8_t *take(reader *from, int64_t size) {
  const uint8_t *data = from->data;

  assert(size <= from->end - from->data);
  from->data += size;
  return data;
}

static uint32_t take_count(reader *from) {
  uint32_t count;

  memcpy(&count, take(from, sizeof count), sizeof count);
  return count;
}

static int32_t read_int32(const uint8_t *data) {
  int32_t value;
  memcpy(&value, data, sizeof value);
  return value;
}

static int64_t read_int64(const uint8_t *data) {
  int64_t value;
  memcpy(&value, data, sizeof value);
  return value;
}

/* From here on PostgreSQL writes a float with an exponent; below 1e-4 too. */
enum { FLOAT_EXPONENT = 15 };

/* Appends a float in PostgreSQL's form: the shortest text that reads back the same, and
 * where its point goes decided by the number alone. Where that text lies midway between
 * two floats PostgreSQL writes a digit more, for readers that do not round to even. */
static bool write_float(const uint8_t *data, qe_bytes *out) {
  char text[QE_FLOAT_TEXT_SIZE];
  double value;
  int exponent;
  int size;

  memcpy(&value, data, sizeof value);
  if (isnan(value)) return append_text(out, "NaN");
  if (isinf(value)) return append_text(out, value > 0 ? "Infinity" : "-Infinity");
  for (int places = 14; places <= 16; places++) { /* after the first digit */
    (void)snprintf(text, sizeof text, "%.*e", places, value);
    if (strtod(text, NULL) == value) break;
  }
  exponent = (int)strtol(strchr(text, 'e') + 1, NULL, 10);
  if (exponent >= -4 && exponent < FLOAT_EXPONENT) {
    return append(out, text, qe__float_to_text(value, text));
  }
  /* No zeros at the end, and no point without a digit behind it. */
  size = (int)(strchr(text, 'e') - text);
  while (text[size - 1] == '0') size--;
  if (text[size - 1] < '0' || text[size - 1] > '9') size--;
  for (int i = 0; i < size; i++) {
    if (text[i] == ',') text[i] = '.'; /* of a locale */
  }
  return append(out, text, size) &&
         append(out, text,
                snprintf(text, sizeof text, "e%c%02d", exponent < 0 ? '-' : '+',
                         abs(exponent)));
}

static bool write_hex(const uint8_t *data, int64_t size, qe_bytes *out) {
  static const char DIGITS[] = "0123456789abcdef";

  if (!qe__bytes_reserve(out, size * 2)) return false;
  for (int64_t i = 0; i < size; i++) {
    out->data[out->size++] = (uint8_t)DIGITS[data[i] >> 4];
    out->data[out->size++] = (uint8_t)DIGITS[data[i] & 15];
  }
  return true;
}

static bool write_uuid(const uint8_t *data, qe_bytes *out) {
  static const int64_t PARTS[] = {4, 2, 2, 2, 6};

  for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++) {
    if (i > 0 && !append(out, "-", 1)) return false;
    if (!write_hex(data, PARTS[i], out)) return false;
    data += PARTS[i];
  }
  return true;
}

/* What has been written of an interval so far decides how the next part begins. */
typedef struct interval_text {
  char text[160];
  int size;
  bool is_begun;
  bool is_before; /* the last part was negative */
} interval_text;

static void add_part(interval_text *to, int32_t value, const char *unit) {
  if (value == 0) return;
  to->size += snprintf(to->text + to->size, 32, "%s%s%d %s%s", to->is_begun ? " " : "",
                       to->is_before && value > 0 ? "+" : "", (int)value, unit,
                       value == 1 ? "" : "s");
  to->is_begun = true;
  to->is_before = value < 0;
}

static void add_clock(interval_text *to, int64_t microseconds) {
  bool is_negative = microseconds < 0;
  uint64_t all = is_negative ? 0 - (uint64_t)microseconds : (uint64_t)microseconds;
  uint64_t seconds = all / 1000000;
  int fraction = (int)(all % 1000000);

  to->size += snprintf(to->text + to->size, 48, "%s%s%02" PRIu64 ":%02d:%02d",
                       to->is_begun ? " " : "",
                       is_negative     ? "-"
                       : to->is_before ? "+"
                                       : "",
                       seconds / 3600, (int)(seconds / 60 % 60), (int)(seconds % 60));
  if (fraction == 0) return;
  to->size += snprintf(to->text + to->size, 16, ".%06d", fraction);
  while (to->text[to->size - 1] == '0') to->size--;
}

static bool write_interval(const uint8_t *data, qe_bytes *out) {
  qe_interval value = qe__interval_read(data);
  interval_text to = {{0}, 0, false, false};

  if (value.microseconds == INT64_MAX && value.days == INT32_MAX &&
      value.months == INT32_MAX) {
    return append_text(out, "infinity");
  }
  if (value.microseconds == INT64_MIN && value.days == INT32_MIN &&
      value.months == INT32_MIN) {
    return append_text(out, "-infinity");
  }
  add_part(&to, value.months / 12, "year");
  add_part(&to, value.months % 12, "mon");
  add_part(&to, value.days, "day");
  if (!to.is_begun || value.microseconds != 0) add_clock(&to, value.microseconds);
  return append(out, to.text, to.size);
}

static bool write_timetz(const uint8_t *data, qe_bytes *out) {
  char text[QE_TEMPORAL_TEXT_SIZE];
  qe_timetz value = qe__timetz_read(data);
  int offset = abs(value.east_seconds);
  int64_t size = qe__format_time(value.microseconds, text);

  size += snprintf(text + size, 8, "%c%02d", value.east_seconds < 0 ? '-' : '+',
                   offset / 3600);
  if (offset % 3600 != 0) size += snprintf(text + size, 8, ":%02d", offset / 60 % 60);
  if (offset % 60 != 0) size += snprintf(text + size, 8, ":%02d", offset % 60);
  return append(out, text, size);
}

static bool write_moment(qe_tag tag, const uint8_t *data, qe_bytes *out) {
  char text[QE_TEMPORAL_TEXT_SIZE];
  int64_t size;

  switch (tag) {
    case QE_TAG_DATE: size = qe__format_date(read_int32(data), text); break;
    case QE_TAG_TIME: size = qe__format_time(read_int64(data), text); break;
    default:
      size = qe__format_timestamp(read_int64(data), tag == QE_TAG_TIMESTAMPTZ, text);
  }
  return append(out, text, size);
}

bool qe__scalar_text(qe_tag tag, const uint8_t *data, int64_t size, qe_bytes *out) {
  char text[24];

  switch (tag) {
    case QE_TAG_INT64:
      return append(out, text,
                    snprintf(text, sizeof text, "%" PRId64, read_int64(data)));
    case QE_TAG_FLOAT64: return write_float(data, out);
    case QE_TAG_BOOLEAN: return append(out, data[0] ? "t" : "f", 1);
    case QE_TAG_BLOB: return append(out, "\\x", 2) && write_hex(data, size, out);
    case QE_TAG_UUID: return write_uuid(data, out);
    case QE_TAG_DATE:
    case QE_TAG_TIME:
    case QE_TAG_TIMESTAMP:
    case QE_TAG_TIMESTAMPTZ: return write_moment(tag, data, out);
    case QE_TAG_INTERVAL: return write_interval(data, out);
    case QE_TAG_TIMETZ: return write_timetz(data, out);
    default: return append(out, data, size); /* text of one sort or another */
  }
}

/* Bytes of a value without parts, -1 where a size stands in front. */
static int64_t size_of(qe_tag tag) {
  switch (tag) {
    case QE_TAG_BOOLEAN: return 1;
    case QE_TAG_DATE: return 4;
    case QE_TAG_INT64:
    case QE_TAG_FLOAT64:
    case QE_TAG_TIME:
    case QE_TAG_TIMESTAMP:
    case QE_TAG_TIMESTAMPTZ: return 8;
    case QE_TAG_UUID: return QE_UUID_SIZE;
    case QE_TAG_INTERVAL: return QE_INTERVAL_SIZE;
    case QE_TAG_TIMETZ: return QE_TIMETZ_SIZE;
    default: return -1;
  }
}

static bool is_space(uint8_t byte) {
  return byte == ' ' || (byte >= '\t' && byte <= '\r');
}

static bool is_null_word(const uint8_t *text, int64_t size) {
  static const char WORD[] = "null";

  if (size != 4) return false;
  for (int i = 0; i < 4; i++) {
    if ((text[i] | 0x20) != WORD[i]) return false;
  }
  return true;
}

/* Quotes what was written from start on: always where special is NULL, else if it is
 * empty or has a space or a byte of special. In it, quotes and backslashes get a mark
 * in front: themselves or a backslash. */
static bool quote(qe_bytes *out, int64_t start, const char *special, bool is_doubled) {
  int64_t marks = 0;
  bool is_needed = !special || out->size == start;
  uint8_t *to;

  for (int64_t i = start; i < out->size; i++) {
    uint8_t byte = out->data[i];
    if (byte == '"' || byte == '\\') marks++;
    if (!is_needed) {
      is_needed = is_space(byte) || (byte != 0 && strchr(special, byte));
    }
  }
  if (!is_needed && marks == 0) return true;
  if (!qe__bytes_reserve(out, marks + 2)) return false;
  /* From the end, so that nothing is overwritten before it was moved. */
  to = out->data + out->size + marks + 2;
  *--to = '"';
  for (int64_t i = out->size - 1; i >= start; i--) {
    uint8_t byte = out->data[i];
    *--to = byte;
    if (byte == '"' || byte == '\\') *--to = is_doubled ? byte : '\\';
  }
  *--to = '"';
  assert(to == out->data + start);
  out->size += marks + 2;
  return true;
}

/* One dimension of an array. Only what is no dimension itself is quoted. */
static bool write_list(reader *from) {
  uint32_t count = take_count(from);

  if (!append(from->out, "{", 1)) return false;
  for (uint32_t i = 0; i < count; i++) {
    qe_tag tag = (qe_tag)from->data[0];
    int64_t start;
    if (i > 0 && !append(from->out, ",", 1)) return false;
    start = from->out->size;
    if (tag == QE_TAG_NULL) {
      (void)take(from, 1);
      if (!append_text(from->out, "NULL")) return false;
      continue;
    }
    if (!write_value(from)) return false;
    if (tag == QE_TAG_LIST) continue;
    if (is_null_word(from->out->data + start, from->out->size - start)) {
      if (!quote(from->out, start, NULL, false)) return false;
    } else if (!quote(from->out, start, "{},", false)) {
      return false;
    }
  }
  return append(from->out, "}", 1);
}

/* The bounds stand in front of the braces: [0:2][5:6]={...}; their ends follow from the
 * counts, which begin the first list of each dimension. */
static bool write_array(reader *from) {
  uint32_t dimensions = take_count(from);
  const uint8_t *lowers = take(from, (int64_t)dimensions * 4);
  const uint8_t *list = from->data;
  char text[40];

  for (uint32_t i = 0; i < dimensions; i++) {
    int32_t lower = read_int32(lowers + (size_t)i * 4);
    int32_t count = read_int32(list + 1);
    int size = snprintf(text, sizeof text, "[%d:%" PRId64 "]", (int)lower,
                        (int64_t)lower + count - 1);
    if (!append(from->out, text, size)) return false;
    list += 5;
  }
  return append(from->out, "=", 1) && write_value(from);
}

static bool write_tuple(reader *from) {
  uint32_t count = take_count(from);

  if (!append(from->out, "(", 1)) return false;
  for (uint32_t i = 0; i < count; i++) {
    int64_t start;
    if (i > 0 && !append(from->out, ",", 1)) return false;
    start = from->out->size;
    if (from->data[0] == QE_TAG_NULL) {
      (void)take(from, 1);
    } else if (!write_value(from) || !quote(from->out, start, "(),", true)) {
      return false;
    }
  }
  return append(from->out, ")", 1);
}

static bool write_bound(reader *from) {
  int64_t start = from->out->size;

  if (from->data[0] == QE_TAG_NULL) {
    (void)take(from, 1);
    return true;
  }
  return write_value(from) && quote(from->out, start, "()[],", true);
}

static bool write_range(reader *from) {
  uint8_t flags = *take(from, 1);

  if (flags & QE_RANGE_EMPTY) {
    (void)take(from, 2);
    return append_text(from->out, "empty");
  }
  return append(from->out, flags & QE_RANGE_LOWER_INCLUSIVE ? "[" : "(", 1) &&
         write_bound(from) && append(from->out, ",", 1) && write_bound(from) &&
         append(from->out, flags & QE_RANGE_UPPER_INCLUSIVE ? "]" : ")", 1);
}

static bool write_multirange(reader *from) {
  uint32_t count = take_count(from);

  if (!append(from->out, "{", 1)) return false;
  for (uint32_t i = 0; i < count; i++) {
    if (i > 0 && !append(from->out, ",", 1)) return false;
    if (!write_value(from)) return false;
  }
  return append(from->out, "}", 1);
}

/* Keys and values of a map are quoted always. */
static bool write_map_text(reader *from) {
  int64_t start = from->out->size;

  if (from->data[0] == QE_TAG_NULL) {
    (void)take(from, 1);
    return append_text(from->out, "NULL");
  }
  return write_value(from) && quote(from->out, start, NULL, false);
}

static bool write_map(reader *from) {
  uint32_t count = take_count(from);

  for (uint32_t i = 0; i < count; i++) {
    if (i > 0 && !append_text(from->out, ", ")) return false;
    if (!write_map_text(from) || !append_text(from->out, "=>") ||
        !write_map_text(from)) {
      return false;
    }
  }
  return true;
}

static bool write_value(reader *from) {
  qe_tag tag = (qe_tag)*take(from, 1);
  int64_t size;

  switch (tag) {
    case QE_TAG_NULL: return true;
    case QE_TAG_LIST: return write_list(from);
    case QE_TAG_ARRAY: return write_array(from);
    case QE_TAG_TUPLE: return write_tuple(from);
    case QE_TAG_RANGE: return write_range(from);
    case QE_TAG_MULTIRANGE: return write_multirange(from);
    case QE_TAG_MAP: return write_map(from);
    default: break;
  }
  size = size_of(tag);
  if (size < 0) size = (int64_t)take_count(from);
  return qe__scalar_text(tag, take(from, size), size, from->out);
}

bool qe__nested_text(const uint8_t *data, int64_t size, qe_bytes *out) {
  reader from = {data, data + size, out};

  return write_value(&from) && from.data == from.end;
}
