/* A parameter that has no binary form of its own may go as text, and the server reads
 * it; a binary COPY has no such way, so what the server would make of the text is made
 * here. Only texts that mean the same in every session are read: not `tomorrow`, not
 * `01/02/03`, no clock time without a zone where a zone is needed. */
#include "qe_postgres_copy_value.h"

#include <arpa/inet.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "qe_error.h"
#include "qe_postgres_encode.h"
#include "qe_postgres_wire.h"
#include "qe_temporal.h"

enum { SIZE_SIZE = 4, NUMBER_TEXT = 64 };
/* What of a text is shown in a failure. */
enum { SHOWN_BYTES = 40 };
enum { OID_CIDR = 650 };
/* numeric: see qe_postgres_numeric.c. */
enum { GROUP_DIGITS = 4, SCALE_MAX = 16383, DIGITS_MAX = 131072 + SCALE_MAX };
enum {
  SIGN_NEGATIVE = 0x4000,
  SIGN_NAN = 0xC000,
  SIGN_INFINITY = 0xD000,
  SIGN_MINUS_INFINITY = 0xF000
};
/* The families of addresses, as PostgreSQL numbers them. */
enum { FAMILY_4 = 2, FAMILY_6 = 3 };

/* A text, and what of it is still to be read. */
typedef struct text {
  const char *at, *end;
} text;

/* Each of the functions below reads the whole text and writes the value's bytes, for
 * which there is room; -1 for a text that is not of its form, else how many. */

static bool is_word(text in, const char *word) {
  return (size_t)(in.end - in.at) == strlen(word) &&
         memcmp(in.at, word, strlen(word)) == 0;
}

static bool take(text *in, char c) {
  if (in->at == in->end || *in->at != c) return false;
  in->at++;
  return true;
}

/* Digits as a number up to most; false without any. */
static bool take_number(text *in, uint64_t most, uint64_t *value) {
  const char *start = in->at;

  *value = 0;
  for (; in->at < in->end && *in->at >= '0' && *in->at <= '9'; in->at++) {
    uint64_t digit = (uint64_t)(*in->at - '0');
    if (*value > (most - digit) / 10) return false;
    *value = *value * 10 + digit;
  }
  return in->at > start;
}

static bool take_signed(text *in, int64_t most, int64_t *value) {
  bool is_negative = take(in, '-');
  uint64_t digits;

  if (!take_number(in, (uint64_t)most + is_negative, &digits)) return false;
  *value = (int64_t)(is_negative ? 0 - digits : digits);
  return true;
}

static int64_t write_big(uint8_t *out, uint64_t value, int64_t size) {
  uint8_t bytes[8];

  qe__pg_write64(bytes, value);
  memcpy(out, bytes + 8 - size, (size_t)size);
  return size;
}

static int64_t read_integer(text in, int64_t most, int64_t size, uint8_t *out) {
  int64_t value;

  if (!take_signed(&in, most, &value) || in.at != in.end) return -1;
  return write_big(out, (uint64_t)value, size);
}

static int64_t read_unsigned(text in, uint8_t *out) {
  uint64_t value;

  if (!take_number(&in, UINT32_MAX, &value) || in.at != in.end) return -1;
  return write_big(out, value, 4);
}

/* As the server: the nearest, and no infinity that was not meant. */
static int64_t read_float(text in, bool is_single, uint8_t *out) {
  char copy[NUMBER_TEXT];
  size_t size = (size_t)(in.end - in.at);
  char *end;
  double value;
  float single;
  uint64_t bits = 0;
  uint32_t single_bits;

  if (size == 0 || size >= sizeof copy) return -1;
  memcpy(copy, in.at, size);
  copy[size] = '\0';
  /* Where a program has set another decimal point nothing is misread: it stops there.
   */
  value = strtod(copy, &end);
  if (end != copy + size || strpbrk(copy, " \t\n\v\f\rxX")) return -1;
  if (isinf(value) && !memchr("iI", copy[copy[0] == '-' || copy[0] == '+'], 2)) {
    return -1;
  }
  if (!is_single) {
    memcpy(&bits, &value, sizeof bits);
    return write_big(out, bits, 8);
  }
  if (fabs(value) > 3.4028235677973366e38 && !isinf(value)) return -1;
  single = (float)value;
  memcpy(&single_bits, &single, sizeof single_bits);
  return write_big(out, single_bits, 4);
}

static int64_t read_boolean(text in, uint8_t *out) {
  static const char *const YES[] = {"true", "t", "1", "on", "yes"};
  static const char *const NO[] = {"false", "f", "0", "off", "no"};

  for (size_t i = 0; i < sizeof YES / sizeof YES[0]; i++) {
    *out = is_word(in, YES[i]);
    if (*out || is_word(in, NO[i])) return 1;
  }
  return -1;
}

static int hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

static int64_t read_hex(text in, bool has_dashes, uint8_t *out) {
  uint8_t *start = out;

  while (in.at < in.end) {
    int high, low;

    if (has_dashes && take(&in, '-')) continue;
    if (in.end - in.at < 2) return -1;
    high = hex_digit(in.at[0]);
    low = hex_digit(in.at[1]);
    if (high < 0 || low < 0) return -1;
    *out++ = (uint8_t)(high << 4 | low);
    in.at += 2;
  }
  return out - start;
}

static int64_t read_bytes(text in, uint8_t *out) {
  if (!take(&in, '\\') || !take(&in, 'x')) return -1;
  return read_hex(in, false, out);
}

static int64_t read_uuid(text in, uint8_t *out) {
  if (in.end - in.at > 36) return -1;
  return read_hex(in, true, out) == 16 ? 16 : -1;
}

static int64_t read_date(text in, uint8_t *out) {
  int32_t days;

  if (is_word(in, "infinity")) return write_big(out, (uint32_t)INT32_MAX, 4);
  if (is_word(in, "-infinity")) return write_big(out, (uint32_t)INT32_MIN, 4);
  if (!qe__parse_date(in.at, in.end - in.at, &days)) return -1;
  return write_big(out, (uint64_t)(days - QE_PG_EPOCH_DAYS), 4);
}

static int64_t read_time(text in, uint8_t *out) {
  int64_t microseconds = QE_MICROSECONDS_PER_DAY;

  if (!is_word(in, "24:00:00") &&
      !qe__parse_time(in.at, in.end - in.at, &microseconds)) {
    return -1;
  }
  return write_big(out, (uint64_t)microseconds, 8);
}

static int64_t read_timestamp(text in, bool is_zoned, uint8_t *out) {
  int64_t microseconds;

  if (is_word(in, "infinity")) return write_big(out, (uint64_t)INT64_MAX, 8);
  if (is_word(in, "-infinity")) return write_big(out, (uint64_t)INT64_MIN, 8);
  if (!qe__parse_timestamp(in.at, in.end - in.at, is_zoned, &microseconds)) return -1;
  return write_big(out, (uint64_t)(microseconds - QE_PG_EPOCH_MICROSECONDS), 8);
}

/* "+02", "-03:30" or "+01:02:03" in seconds. */
static bool take_offset(text *in, int32_t *seconds) {
  bool is_west = take(in, '-');
  uint64_t part;
  int32_t unit = 3600;

  *seconds = 0;
  if (!is_west && !take(in, '+')) return false;
  do {
    if (unit == 0 || !take_number(in, 59, &part)) return false;
    *seconds += (int32_t)part * unit;
    unit /= 60;
  } while (take(in, ':'));
  if (*seconds >= 16 * 3600) return false;
  if (is_west) *seconds = -*seconds;
  return in->at == in->end;
}

static int64_t read_timetz(text in, uint8_t *out) {
  text clock = in;
  int32_t seconds;

  while (in.at < in.end && *in.at != '+' && *in.at != '-') in.at++;
  clock.end = in.at;
  if (!take_offset(&in, &seconds) || read_time(clock, out) < 0) return -1;
  /* The server counts what is west of Greenwich. */
  qe__pg_write32(out + 8, (uint32_t)-seconds);
  return 12;
}

/* A clock's reading of any number of hours, with six digits after the point at most. */
static bool take_clock(text *in, int64_t *microseconds) {
  bool is_negative = take(in, '-');
  uint64_t hours, minutes, seconds, fraction = 0;
  const char *point;

  if (!take_number(in, 2562047787, &hours) || !take(in, ':') ||
      !take_number(in, 59, &minutes) || !take(in, ':') ||
      !take_number(in, 59, &seconds)) {
    return false;
  }
  if (take(in, '.')) {
    point = in->at;
    if (!take_number(in, 999999, &fraction) || in->at - point > 6) return false;
    for (int64_t i = in->at - point; i < 6; i++) fraction *= 10;
  }
  *microseconds =
      (int64_t)(((hours * 60 + minutes) * 60 + seconds) * 1000000 + fraction);
  if (is_negative) *microseconds = -*microseconds;
  return true;
}

static bool take_word(text *in, const char *word) {
  size_t size = strlen(word);

  if ((size_t)(in->end - in->at) < size || memcmp(in->at, word, size) != 0)
    return false;
  in->at += size;
  return true;
}

/* "1 mons -2 days 03:04:05.6", as the package writes intervals: all three parts. */
static int64_t read_interval(text in, uint8_t *out) {
  int64_t months, days, microseconds;

  if (!take_signed(&in, INT32_MAX, &months) || !take_word(&in, " mons ") ||
      !take_signed(&in, INT32_MAX, &days) || !take_word(&in, " days ") ||
      !take_clock(&in, &microseconds) || in.at != in.end) {
    return -1;
  }
  qe__pg_write64(out, (uint64_t)microseconds);
  qe__pg_write32(out + 8, (uint32_t)days);
  qe__pg_write32(out + 12, (uint32_t)months);
  return 16;
}

static int64_t read_network(text in, bool is_cidr, uint8_t *out) {
  char address[INET6_ADDRSTRLEN];
  const char *slash = memchr(in.at, '/', (size_t)(in.end - in.at));
  size_t size = (size_t)((slash ? slash : in.end) - in.at);
  bool is_6 = memchr(in.at, ':', size) != NULL;
  uint64_t most = is_6 ? 128 : 32;
  uint64_t bits = most;

  if (size >= sizeof address) return -1;
  memcpy(address, in.at, size);
  address[size] = '\0';
  if (inet_pton(is_6 ? AF_INET6 : AF_INET, address, out + 4) != 1) return -1;
  in.at += size;
  if (take(&in, '/') && !take_number(&in, most, &bits)) return -1;
  if (in.at != in.end) return -1;
  out[0] = is_6 ? FAMILY_6 : FAMILY_4;
  out[1] = (uint8_t)bits;
  out[2] = is_cidr;
  out[3] = (uint8_t)(most / 8);
  return 4 + (int64_t)most / 8;
}

/* A number's digits without its point, and where that stood. */
typedef struct digits {
  text all;       /* digits, and perhaps a point among them */
  int64_t before; /* digits before the point, without zeros in front */
  int64_t after;
  int64_t exponent;
  bool is_negative;
} digits;

static bool read_digits(text in, digits *out) {
  bool has_digit = false, has_point = false;

  *out = (digits){.is_negative = take(&in, '-')};
  if (!out->is_negative) (void)take(&in, '+');
  out->all.at = in.at;
  for (; in.at < in.end; in.at++) {
    if (*in.at == '.' && !has_point) {
      has_point = true;
    } else if (*in.at >= '0' && *in.at <= '9') {
      has_digit = true;
      if (has_point) {
        out->after++;
      } else {
        out->before++;
      }
    } else {
      break;
    }
  }
  out->all.end = in.at;
  if (has_digit && (take(&in, 'e') || take(&in, 'E'))) {
    (void)take(&in, '+');
    if (!take_signed(&in, DIGITS_MAX, &out->exponent)) return false;
  }
  return has_digit && in.at == in.end;
}

/* The digit that counts ten to the power of place. */
static uint32_t digit_at(const digits *number, int64_t place) {
  int64_t index = number->before - 1 - (place - number->exponent);

  if (index < 0 || index >= number->before + number->after) return 0;
  /* The point stands between the two parts. */
  return (uint32_t)(number->all.at[index + (index >= number->before)] - '0');
}

static uint32_t group_at(const digits *number, int64_t place) {
  uint32_t group = 0;

  for (int64_t i = GROUP_DIGITS - 1; i >= 0; i--) {
    group = group * 10 + digit_at(number, place * GROUP_DIGITS + i);
  }
  return group;
}

static int64_t write_numeric(uint8_t *out, int64_t count, int64_t weight, uint32_t sign,
                             int64_t scale) {
  qe__pg_write16(out, (uint16_t)count);
  qe__pg_write16(out + 2, (uint16_t)weight);
  qe__pg_write16(out + 4, (uint16_t)sign);
  qe__pg_write16(out + 6, (uint16_t)scale);
  return 8 + count * 2;
}

/* How many bytes a number of this text can take; its exponent can make it long. */
static int64_t numeric_room(text in) {
  digits number;

  if (!read_digits(in, &number)) return NUMBER_TEXT;
  return NUMBER_TEXT + in.end - in.at +
         (number.exponent > 0 ? number.exponent : -number.exponent);
}

static int64_t read_numeric(text in, uint8_t *out) {
  digits number;
  int64_t top, low, scale;
  int64_t count = 0;

  if (is_word(in, "NaN")) return write_numeric(out, 0, 0, SIGN_NAN, 0);
  if (is_word(in, "Infinity")) return write_numeric(out, 0, 0, SIGN_INFINITY, 0);
  if (is_word(in, "-Infinity")) return write_numeric(out, 0, 0, SIGN_MINUS_INFINITY, 0);
  if (!read_digits(in, &number)) return -1;
  scale = number.after - number.exponent;
  if (scale < 0) scale = 0;
  if (scale > SCALE_MAX || number.before + number.exponent > DIGITS_MAX) return -1;
  /* Groups from the first that is not zero to the last one; places count from the
   * point, downwards below it. */
  top = (number.before + number.exponent) / GROUP_DIGITS + 1;
  low = -(scale + GROUP_DIGITS - 1) / GROUP_DIGITS;
  while (top >= low && group_at(&number, top) == 0) top--;
  while (low <= top && group_at(&number, low) == 0) low++;
  for (int64_t place = top; place >= low; place--) {
    qe__pg_write16(out + 8 + 2 * count++, (uint16_t)group_at(&number, place));
  }
  return write_numeric(out, count, count ? top : 0,
                       number.is_negative && count ? SIGN_NEGATIVE : 0, scale);
}

static int64_t read_value(const qe_pg_type *type, text in, uint8_t *out) {
  switch (type->decoder) {
    case QE_PG_INT2: return read_integer(in, INT16_MAX, 2, out);
    case QE_PG_INT4: return read_integer(in, INT32_MAX, 4, out);
    case QE_PG_INT8: return read_integer(in, INT64_MAX, 8, out);
    case QE_PG_UINT4: return read_unsigned(in, out);
    case QE_PG_FLOAT4: return read_float(in, true, out);
    case QE_PG_FLOAT8: return read_float(in, false, out);
    case QE_PG_BOOL: return read_boolean(in, out);
    case QE_PG_BYTES: return read_bytes(in, out);
    case QE_PG_DATE: return read_date(in, out);
    case QE_PG_TIME: return read_time(in, out);
    case QE_PG_TIMESTAMP:
      return read_timestamp(in, type->type == QE_TYPE_TIMESTAMPTZ, out);
    case QE_PG_NUMERIC: return read_numeric(in, out);
    case QE_PG_UUID: return read_uuid(in, out);
    case QE_PG_INTERVAL: return read_interval(in, out);
    case QE_PG_TIMETZ: return read_timetz(in, out);
    case QE_PG_NETWORK: return read_network(in, type->oid == OID_CIDR, out);
    default: return -1;
  }
}

/* Whether the type's binary form is its text. */
static bool is_text(const qe_pg_type *type) {
  return type->decoder == QE_PG_STRING || type->decoder == QE_PG_JSON ||
         type->kind == 'e';
}

static qe_status refuse(const qe_pg_type *type, text in, qe_error *error) {
  int64_t size = in.end - in.at;

  if (!type || type->decoder == QE_PG_TEXT || type->decoder == QE_PG_NESTED) {
    return qe__fail(error, QE_ERR_TYPE,
                    "Values of type %.100s cannot be copied in the binary format",
                    type ? type->name : "unknown");
  }
  if (size > SHOWN_BYTES) size = SHOWN_BYTES;
  while (size > 0 && size < in.end - in.at && (in.at[size] & 0xC0) == 0x80) size--;
  return qe__fail(error, QE_ERR_TYPE,
                  "`%.*s%s` cannot be copied as %.100s in the binary format", (int)size,
                  in.at, size < in.end - in.at ? "..." : "", type->name);
}

/* Puts a byte before a value's text, which begins at start. */
static bool prefix_byte(qe_bytes *out, int64_t start, uint8_t byte) {
  if (!qe__bytes_reserve(out, 1)) return false;
  memmove(out->data + start + 1, out->data + start, (size_t)(out->size - start));
  out->data[start] = byte;
  out->size++;
  return true;
}

/* Turns the text that out ends with, from start on, into the type's bytes. */
static qe_status from_text(const qe_pg_type *type, qe_bytes *out, int64_t start,
                           qe_error *error) {
  text in = {(const char *)out->data + start, (const char *)out->data + out->size};
  int64_t room = type && type->decoder == QE_PG_NUMERIC ? numeric_room(in)
                                                        : in.end - in.at + NUMBER_TEXT;
  int64_t size;

  if (type && type->decoder == QE_PG_JSONB) {
    if (prefix_byte(out, start, 1)) return QE_OK;
    return qe__fail_memory(error, "value for a COPY");
  }
  if (type &&
      (is_text(type) || (type->decoder == QE_PG_CHAR && out->size - start == 1))) {
    return QE_OK;
  }
  if (!type) return refuse(type, in, error);
  if (!qe__bytes_reserve(out, room)) return qe__fail_memory(error, "value for a COPY");
  in.at = (const char *)out->data + start;
  in.end = (const char *)out->data + out->size;
  size = read_value(type, in, out->data + out->size);
  if (size < 0) return refuse(type, in, error);
  memmove(out->data + start, out->data + out->size, (size_t)size);
  out->size = start + size;
  return QE_OK;
}

qe_status qe__pg_copy_binary(const qe_pg_type *type, const qe_value *value,
                             qe_bytes *out, qe_error *error) {
  int64_t start = out->size;
  int16_t format;
  qe_status status = qe__pg_encode(type, value, out, &format, error);

  if (status != QE_OK || format == QE_PG_FORMAT_BINARY) return status;
  if (value->kind == QE_VALUE_NULL) return QE_OK;
  status = from_text(type, out, start + SIZE_SIZE, error);
  if (status != QE_OK) {
    out->size = start;
  } else {
    qe__pg_write32(out->data + start, (uint32_t)(out->size - start - SIZE_SIZE));
  }
  return status;
}

/* The text format: a backslash before what would end a value or a row. */
static bool put_escaped(const uint8_t *data, int64_t size, qe_bytes *out) {
  uint8_t *to;

  if (!qe__bytes_reserve(out, size * 2)) return false;
  to = out->data + out->size;
  for (int64_t i = 0; i < size; i++) {
    static const char SPECIAL[] = "\\\n\r\t\b\f\v", NAMES[] = "\\nrtbfv";
    const char *found = data[i] == '\\' || data[i] < ' '
                            ? memchr(SPECIAL, data[i], sizeof SPECIAL - 1)
                            : NULL;

    if (found) *to++ = '\\';
    *to++ = found ? (uint8_t)NAMES[found - SPECIAL] : data[i];
  }
  out->size = to - out->data;
  return true;
}

/* CSV: every value is quoted, so that none is taken for NULL. */
static bool put_quoted(const uint8_t *data, int64_t size, qe_bytes *out) {
  uint8_t *to;

  if (!qe__bytes_reserve(out, size * 2 + 2)) return false;
  to = out->data + out->size;
  *to++ = '"';
  for (int64_t i = 0; i < size; i++) {
    if (data[i] == '"') *to++ = '"';
    *to++ = data[i];
  }
  *to++ = '"';
  out->size = to - out->data;
  return true;
}

/* The value's text with its size, as the server reads it. */
static qe_status spell(const qe_pg_type *type, const qe_value *value, qe_bytes *out,
                       qe_error *error) {
  qe_pg_type as_text = {.name = "unknown", .type = QE_TYPE_TEXT};
  qe_value number = {.kind = QE_VALUE_INT64};
  int16_t format;
  qe_status status = qe__pg_encode(type, value, out, &format, error);

  if (status != QE_OK || format == QE_PG_FORMAT_TEXT) return status;
  /* It fits the type, so what is left is to write it another way. */
  if (type) as_text.name = type->name;
  if (value->kind == QE_VALUE_BOOLEAN && type && type->decoder != QE_PG_BOOL) {
    number.int64 = value->int64;
    value = &number;
  }
  out->size = 0;
  return qe__pg_encode(&as_text, value, out, &format, error);
}

qe_status qe__pg_copy_text(const qe_pg_type *type, const qe_value *value,
                           qe_copy_format format, qe_bytes *scratch, qe_bytes *out,
                           qe_error *error) {
  const uint8_t *data;
  int64_t size;
  qe_status status = QE_OK;
  bool is_put;

  if (value->kind == QE_VALUE_NULL) {
    if (format == QE_COPY_CSV) return QE_OK; /* nothing at all */
    if (!qe__bytes_reserve(out, 2)) return qe__fail_memory(error, "value for a COPY");
    memcpy(out->data + out->size, "\\N", 2);
    out->size += 2;
    return QE_OK;
  }
  scratch->size = 0;
  status = spell(type, value, scratch, error);
  if (status != QE_OK) return status;
  data = scratch->data + SIZE_SIZE;
  size = scratch->size - SIZE_SIZE;
  /* Sixteen bytes were written as `\x` and digits; a uuid has no such prefix. */
  if (type && type->decoder == QE_PG_UUID && value->kind == QE_VALUE_BLOB) {
    data += 2;
    size -= 2;
  }
  is_put = format == QE_COPY_CSV ? put_quoted(data, size, out)
                                 : put_escaped(data, size, out);
  return is_put ? QE_OK : qe__fail_memory(error, "value for a COPY");
}

bool qe__pg_copy_takes(const qe_pg_type *type, qe_value_kind kind) {
  bool is_zoned = type && type->type == QE_TYPE_TIMESTAMPTZ;

  if (kind == QE_VALUE_NULL) return true;
  if (!type) return false;
  if (is_text(type) || type->decoder == QE_PG_JSONB) return kind != QE_VALUE_BLOB;
  switch (type->decoder) {
    case QE_PG_INT2:
    case QE_PG_INT4:
    case QE_PG_INT8: return kind == QE_VALUE_INT64 || kind == QE_VALUE_BOOLEAN;
    case QE_PG_UINT4: return kind == QE_VALUE_INT64;
    case QE_PG_FLOAT4:
    case QE_PG_FLOAT8:
      return kind == QE_VALUE_INT64 || kind == QE_VALUE_FLOAT64 ||
             kind == QE_VALUE_BOOLEAN;
    case QE_PG_NUMERIC:
      return kind == QE_VALUE_INT64 || kind == QE_VALUE_FLOAT64 ||
             kind == QE_VALUE_TEXT || kind == QE_VALUE_BOOLEAN;
    case QE_PG_BOOL: return kind == QE_VALUE_BOOLEAN;
    case QE_PG_BYTES: return kind == QE_VALUE_BLOB;
    case QE_PG_UUID: return kind == QE_VALUE_BLOB || kind == QE_VALUE_TEXT;
    case QE_PG_DATE: return kind == QE_VALUE_DATE;
    case QE_PG_TIME: return kind == QE_VALUE_TIME;
    case QE_PG_TIMESTAMP:
      return kind == (is_zoned ? QE_VALUE_TIMESTAMPTZ : QE_VALUE_TIMESTAMP) ||
             (kind == QE_VALUE_DATE && !is_zoned);
    case QE_PG_CHAR:
    case QE_PG_INTERVAL:
    case QE_PG_TIMETZ:
    case QE_PG_NETWORK: return kind == QE_VALUE_TEXT;
    default: return false;
  }
}

bool qe__pg_copy_reads(const qe_pg_type *type) {
  return type && (type->decoder != QE_PG_TEXT || type->kind == 'e');
}
