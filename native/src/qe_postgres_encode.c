/* One function for each kind of value. Each sees whether the parameter's type takes the
 * value as it is; what is left is written as text. */
#include "qe_postgres_encode.h"

#include <assert.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "qe_decimal.h"
#include "qe_error.h"
#include "qe_postgres_wire.h"
#include "qe_temporal.h"

/* Integers up to here have an exact double, or float. */
#define EXACT_DOUBLE (INT64_C(1) << 53)
#define EXACT_FLOAT (INT64_C(1) << 24)

enum { SIZE_SIZE = 4, NO_VALUE = -1 };

/* Where a value goes, and what of it is said in a failure. */
typedef struct target {
  qe_pg_decoder decoder;
  qe_type type;
  const char *name;
  qe_bytes *out;
  int16_t *format;
  qe_error *error;
} target;

static qe_status put(target *to, int16_t format, const void *data, int64_t size) {
  uint8_t *at;

  assert(size >= 0 && size <= INT32_MAX);
  if (!qe__bytes_reserve(to->out, size + SIZE_SIZE)) {
    return qe__fail_memory(to->error, "parameters of a statement");
  }
  at = to->out->data + to->out->size;
  qe__pg_write32(at, (uint32_t)size);
  if (size > 0) memcpy(at + SIZE_SIZE, data, (size_t)size);
  to->out->size += size + SIZE_SIZE;
  *to->format = format;
  return QE_OK;
}

static qe_status put_text(target *to, const char *text, int64_t size) {
  return put(to, QE_PG_FORMAT_TEXT, text, size);
}

static qe_status put_number(target *to, uint64_t value, int64_t size) {
  uint8_t bytes[8];

  qe__pg_write64(bytes, value);
  return put(to, QE_PG_FORMAT_BINARY, bytes + 8 - size, size);
}

static qe_status put_null(target *to) {
  if (!qe__bytes_reserve(to->out, SIZE_SIZE)) {
    return qe__fail_memory(to->error, "parameters of a statement");
  }
  qe__pg_write32(to->out->data + to->out->size, (uint32_t)NO_VALUE);
  to->out->size += SIZE_SIZE;
  *to->format = QE_PG_FORMAT_TEXT;
  return QE_OK;
}

static qe_status refuse(target *to, const char *what) {
  return qe__fail(to->error, QE_ERR_TYPE,
                  "%s cannot be given for a parameter of type %.100s", what, to->name);
}

static qe_status put_float8(target *to, double value) {
  uint64_t bits;

  memcpy(&bits, &value, sizeof bits);
  return put_number(to, bits, 8);
}

static qe_status put_float4(target *to, float value) {
  uint32_t bits;

  memcpy(&bits, &value, sizeof bits);
  return put_number(to, bits, 4);
}

static qe_status encode_int64(target *to, int64_t value) {
  char text[24];

  switch (to->decoder) {
    case QE_PG_INT8: return put_number(to, (uint64_t)value, 8);
    case QE_PG_INT4:
      if (value < INT32_MIN || value > INT32_MAX) break;
      return put_number(to, (uint64_t)value, 4);
    case QE_PG_INT2:
      if (value < INT16_MIN || value > INT16_MAX) break;
      return put_number(to, (uint64_t)value, 2);
    case QE_PG_UINT4:
      if (value < 0 || value > UINT32_MAX) break;
      return put_number(to, (uint64_t)value, 4);
    case QE_PG_FLOAT8:
      if (value < -EXACT_DOUBLE || value > EXACT_DOUBLE) break;
      return put_float8(to, (double)value);
    case QE_PG_FLOAT4:
      if (value < -EXACT_FLOAT || value > EXACT_FLOAT) break;
      return put_float4(to, (float)value);
    default: break;
  }
  return put_text(to, text, snprintf(text, sizeof text, "%" PRId64, value));
}

static qe_status encode_float64(target *to, double value) {
  char text[QE_FLOAT_TEXT_SIZE];

  if (to->decoder == QE_PG_FLOAT8) return put_float8(to, value);
  /* What a float4 cannot hold is left to the server, which rounds text, or says that it
   * is too large. */
  if (to->decoder == QE_PG_FLOAT4 &&
      (isnan(value) || isinf(value) ||
       (fabs(value) <= 3.4028234663852886e38 && (double)(float)value == value))) {
    return put_float4(to, (float)value);
  }
  if (isnan(value)) return put_text(to, "NaN", 3);
  if (isinf(value))
    return value > 0 ? put_text(to, "Infinity", 8) : put_text(to, "-Infinity", 9);
  return put_text(to, text, qe__float_to_text(value, text));
}

/* The server would end the text at a zero byte, or answer with an error that names no
 * parameter. */
static qe_status encode_text(target *to, const char *data, int64_t size) {
  const char *zero = size > 0 ? memchr(data, 0, (size_t)size) : NULL;

  if (zero) {
    return qe__fail(to->error, QE_ERR_ENCODING,
                    "A text of %lld bytes holds a zero byte at %lld, which PostgreSQL "
                    "cannot store",
                    (long long)size, (long long)(zero - data));
  }
  return put_text(to, data, size);
}

/* "\x" and two digits for each byte: what the server takes for a bytea, whatever the
 * parameter's type is called. */
static qe_status put_hex(target *to, const uint8_t *data, int64_t size) {
  static const char DIGITS[] = "0123456789abcdef";
  int64_t text_size = 2 + size * 2;
  uint8_t *at;

  if (text_size > INT32_MAX || !qe__bytes_reserve(to->out, text_size + SIZE_SIZE)) {
    return qe__fail_memory(to->error, "parameters of a statement");
  }
  at = to->out->data + to->out->size;
  qe__pg_write32(at, (uint32_t)text_size);
  at += SIZE_SIZE;
  *at++ = '\\';
  *at++ = 'x';
  for (int64_t i = 0; i < size; i++) {
    *at++ = (uint8_t)DIGITS[data[i] >> 4];
    *at++ = (uint8_t)DIGITS[data[i] & 15];
  }
  to->out->size += text_size + SIZE_SIZE;
  *to->format = QE_PG_FORMAT_TEXT;
  return QE_OK;
}

/* A blob is sent to a type that is made of bytes, and to one we do not know. Elsewhere
 * its digits would be stored as text, or parsed as something else. */
static qe_status encode_blob(target *to, const char *data, int64_t size) {
  if (to->decoder == QE_PG_BYTES || (to->decoder == QE_PG_UUID && size == 16)) {
    return put(to, QE_PG_FORMAT_BINARY, data, size);
  }
  if (to->decoder == QE_PG_TEXT) return put_hex(to, (const uint8_t *)data, size);
  return refuse(to, "A blob");
}

/* A number where one is wanted, as Python's and SQLite's truth values are. */
static qe_status encode_boolean(target *to, int64_t value) {
  bool is_true = value != 0;

  switch (to->decoder) {
    case QE_PG_BOOL: return put_number(to, is_true, 1);
    case QE_PG_INT2:
    case QE_PG_INT4:
    case QE_PG_INT8:
    case QE_PG_FLOAT4:
    case QE_PG_FLOAT8:
    case QE_PG_NUMERIC: return encode_int64(to, is_true);
    default: break;
  }
  return is_true ? put_text(to, "true", 4) : put_text(to, "false", 5);
}

static qe_status out_of_range(target *to, const char *what, int64_t value) {
  return qe__fail(to->error, QE_ERR_RANGE,
                  "A %s of %" PRId64 " is past what PostgreSQL can hold", what, value);
}

static qe_status encode_date(target *to, int64_t days) {
  char text[QE_TEMPORAL_TEXT_SIZE];

  if (days < QE_PG_DATE_MIN || days > QE_PG_DATE_MAX) {
    return out_of_range(to, "date in days", days);
  }
  if (to->decoder == QE_PG_DATE) {
    return put_number(to, (uint64_t)(days - QE_PG_EPOCH_DAYS), 4);
  }
  return put_text(to, text, qe__format_date((int32_t)days, text));
}

static qe_status encode_time(target *to, int64_t microseconds) {
  char text[QE_TEMPORAL_TEXT_SIZE];

  if (microseconds < 0 || microseconds > QE_MICROSECONDS_PER_DAY) {
    return out_of_range(to, "time in microseconds", microseconds);
  }
  if (to->decoder == QE_PG_TIME) return put_number(to, (uint64_t)microseconds, 8);
  return put_text(to, text, qe__format_time(microseconds, text));
}

/* A zone is neither made up nor dropped: a timestamp without one is read in the
 * session's zone by a type with one, as everywhere in PostgreSQL; one with a zone is
 * refused where the server would throw the zone away without a word. */
static qe_status encode_timestamp(target *to, bool is_zoned, int64_t microseconds) {
  char text[QE_TEMPORAL_TEXT_SIZE];
  int64_t size;

  if (microseconds < QE_PG_TIMESTAMP_MIN || microseconds > INT64_MAX - 1) {
    return out_of_range(to, "timestamp in microseconds", microseconds);
  }
  if (to->decoder == QE_PG_TIMESTAMP && (to->type == QE_TYPE_TIMESTAMPTZ) == is_zoned) {
    return put_number(to, (uint64_t)(microseconds - QE_PG_EPOCH_MICROSECONDS), 8);
  }
  if (is_zoned && (to->type == QE_TYPE_TIMESTAMP || to->decoder == QE_PG_DATE ||
                   to->decoder == QE_PG_TIME)) {
    return refuse(to, "A timestamp with a zone, which would be lost,");
  }
  size = qe__format_timestamp(microseconds, is_zoned, text);
  return put_text(to, text, size);
}

qe_status qe__pg_encode(const qe_pg_type *type, const qe_value *value, qe_bytes *out,
                        int16_t *format, qe_error *error) {
  target to = {type ? type->decoder : QE_PG_TEXT,
               type ? type->type : QE_TYPE_TEXT,
               type ? type->name : "unknown",
               out,
               format,
               error};

  *format = QE_PG_FORMAT_TEXT;
  switch (value->kind) {
    case QE_VALUE_NULL: return put_null(&to);
    case QE_VALUE_INT64: return encode_int64(&to, value->int64);
    case QE_VALUE_FLOAT64: return encode_float64(&to, value->float64);
    case QE_VALUE_TEXT: return encode_text(&to, value->data, value->size);
    case QE_VALUE_BLOB: return encode_blob(&to, value->data, value->size);
    case QE_VALUE_BOOLEAN: return encode_boolean(&to, value->int64);
    case QE_VALUE_DATE: return encode_date(&to, value->int64);
    case QE_VALUE_TIME: return encode_time(&to, value->int64);
    case QE_VALUE_TIMESTAMP: return encode_timestamp(&to, false, value->int64);
    case QE_VALUE_TIMESTAMPTZ: return encode_timestamp(&to, true, value->int64);
    default:
      return qe__fail(error, QE_ERR_MISUSE, "A parameter is of the unknown kind %d",
                      (int)value->kind);
  }
}
