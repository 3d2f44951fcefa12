/* One function for each way a value is kept in a column. */
#include "qe_postgres_decode.h"

#include <assert.h>
#include <string.h>

#include "qe_error.h"
#include "qe_postgres_array_text.h"
#include "qe_postgres_nested.h"
#include "qe_postgres_network.h"
#include "qe_postgres_numeric.h"
#include "qe_postgres_wire.h"
#include "qe_temporal.h"

/* Zones of a timetz lie within 15:59:59 of UTC. */
enum { ZONE_END = 16 * 3600 };
enum { JSONB_VERSION = 1 };

static const char *name_of(const qe_pg_type *type) {
  return type ? type->name : "unknown";
}

static qe_status wrong_size(const qe_pg_type *type, int64_t size, int64_t wanted,
                            qe_error *error) {
  return qe__fail(error, QE_ERR_TYPE,
                  "A value of type %.100s has %lld bytes instead of %lld",
                  name_of(type), (long long)size, (long long)wanted);
}

qe_status qe__pg_expect(const qe_pg_type *type, int64_t size, int64_t wanted,
                        qe_error *error) {
  return size == wanted ? QE_OK : wrong_size(type, size, wanted, error);
}

qe_status qe__pg_decode_integer(const qe_pg_type *type, const uint8_t *data,
                                int64_t size, int64_t *out, qe_error *error) {
  int64_t wanted = type->decoder == QE_PG_INT2   ? 2
                   : type->decoder == QE_PG_INT8 ? 8
                                                 : 4;

  *out = 0;
  if (size != wanted) return wrong_size(type, size, wanted, error);
  switch (type->decoder) {
    case QE_PG_INT2: *out = qe__pg_read_int16(data); break;
    case QE_PG_INT4: *out = qe__pg_read_int32(data); break;
    case QE_PG_UINT4: *out = qe__pg_read32(data); break;
    default: *out = qe__pg_read_int64(data);
  }
  return QE_OK;
}

qe_status qe__pg_decode_float(const qe_pg_type *type, const uint8_t *data, int64_t size,
                              double *out, qe_error *error) {
  int64_t wanted = type->decoder == QE_PG_FLOAT4 ? 4 : 8;

  *out = 0;
  if (size != wanted) return wrong_size(type, size, wanted, error);
  *out = wanted == 4 ? qe__pg_read_float4(data) : qe__pg_read_float8(data);
  return QE_OK;
}

qe_status qe__pg_decode_bool(const qe_pg_type *type, const uint8_t *data, int64_t size,
                             bool *out, qe_error *error) {
  *out = false;
  if (size != 1) return wrong_size(type, size, 1, error);
  if (data[0] > 1) {
    return qe__fail(error, QE_ERR_TYPE, "A value of type bool is %d", data[0]);
  }
  *out = data[0] == 1;
  return QE_OK;
}

static qe_status no_moment(const qe_pg_type *type, int64_t value, qe_error *error) {
  return qe__fail(error, QE_ERR_RANGE, "A value of type %.100s is out of range: %lld",
                  name_of(type), (long long)value);
}

qe_status qe__pg_decode_moment(const qe_pg_type *type, const uint8_t *data,
                               int64_t size, int64_t *out, qe_error *error) {
  int64_t wanted = type->decoder == QE_PG_DATE ? 4 : 8;
  int32_t days;

  *out = 0;
  if (size != wanted) return wrong_size(type, size, wanted, error);
  switch (type->decoder) {
    case QE_PG_DATE:
      if (!qe__pg_read_date(data, &days)) {
        return no_moment(type, qe__pg_read_int32(data), error);
      }
      *out = days;
      return QE_OK;
    case QE_PG_TIME:
      *out = qe__pg_read_int64(data);
      return *out >= 0 && *out <= QE_MICROSECONDS_PER_DAY
                 ? QE_OK
                 : no_moment(type, *out, error);
    default:
      return qe__pg_read_timestamp(data, out)
                 ? QE_OK
                 : no_moment(type, qe__pg_read_int64(data), error);
  }
}

qe_status qe__pg_decode_interval(const qe_pg_type *type, const uint8_t *data,
                                 int64_t size, uint8_t out[QE_INTERVAL_SIZE],
                                 qe_error *error) {
  if (size != 16) return wrong_size(type, size, 16, error);
  qe__interval_write(out,
                     (qe_interval){qe__pg_read_int64(data), qe__pg_read_int32(data + 8),
                                   qe__pg_read_int32(data + 12)});
  return QE_OK;
}

/* On the wire a zone counts west of UTC. */
qe_status qe__pg_decode_timetz(const qe_pg_type *type, const uint8_t *data,
                               int64_t size, uint8_t out[QE_TIMETZ_SIZE],
                               qe_error *error) {
  int64_t microseconds;
  int32_t west;

  if (size != 12) return wrong_size(type, size, 12, error);
  microseconds = qe__pg_read_int64(data);
  west = qe__pg_read_int32(data + 8);
  if (microseconds < 0 || microseconds > QE_MICROSECONDS_PER_DAY) {
    return no_moment(type, microseconds, error);
  }
  if (west <= -ZONE_END || west >= ZONE_END) return no_moment(type, west, error);
  qe__timetz_write(out, (qe_timetz){microseconds, -west});
  return QE_OK;
}

static qe_status append(qe_bytes *out, const void *data, int64_t size,
                        qe_error *error) {
  if (!qe__bytes_reserve(out, size)) return qe__fail_memory(error, "value of a column");
  if (size > 0) memcpy(out->data + out->size, data, (size_t)size);
  out->size += size;
  return QE_OK;
}

/* "char" is one byte of any value, which PostgreSQL writes as nothing for 0 and as
 * "\ooo" past ASCII. */
static qe_status char_text(const qe_pg_type *type, const uint8_t *data, int64_t size,
                           qe_bytes *out, qe_error *error) {
  uint8_t escaped[4];

  if (size != 1) return wrong_size(type, size, 1, error);
  if (data[0] < 0x80) return append(out, data, data[0] == 0 ? 0 : 1, error);
  escaped[0] = '\\';
  escaped[1] = (uint8_t)('0' + (data[0] >> 6));
  escaped[2] = (uint8_t)('0' + (data[0] >> 3 & 7));
  escaped[3] = (uint8_t)('0' + (data[0] & 7));
  return append(out, escaped, 4, error);
}

qe_status qe__pg_decode_text(const qe_pg_type *type, const uint8_t *data, int64_t size,
                             qe_bytes *out, qe_error *error) {
  switch (type->decoder) {
    case QE_PG_CHAR: return char_text(type, data, size, out, error);
    case QE_PG_NUMERIC: return qe__pg_numeric_text(data, size, out, error);
    case QE_PG_NETWORK: return qe__pg_network_text(data, size, out, error);
    case QE_PG_JSONB:
      if (size < 1 || data[0] != JSONB_VERSION) {
        return qe__fail(error, QE_ERR_TYPE,
                        "A value of type jsonb is not of version 1");
      }
      return append(out, data + 1, size - 1, error);
    default: return append(out, data, size, error);
  }
}

/* Adds what is made piece by piece in the column's own bytes. */
static qe_status add_made(const qe_pg_types *registry, const qe_pg_type *type,
                          qe_column *column, int64_t row, const uint8_t *data,
                          int64_t size, qe_error *error) {
  bool is_nested = type->type == QE_TYPE_NESTED;
  qe_kind kind = is_nested ? QE_KIND_BLOB : QE_KIND_TEXT;
  int64_t before = column->bytes.size;
  qe_status status = qe__column_begin_bytes(column, row, kind, error);

  if (status != QE_OK) return status;
  if (type->decoder == QE_PG_NESTED) {
    status = qe__pg_nested(registry, type, data, size, &column->bytes, error);
  } else if (type->decoder == QE_PG_ARRAY_TEXT) {
    status = qe__pg_array_text(type, data, size, &column->bytes, error);
  } else {
    status = qe__pg_decode_text(type, data, size, &column->bytes, error);
  }
  if (status == QE_OK) {
    qe__column_end_bytes(column, row, kind);
  } else {
    bool is_full = status == QE_ERR_NOMEM;
    if (is_full) status = qe__column_no_room(column, error);
    column->bytes.size = before;
  }
  return status;
}

static qe_status add_integer(const qe_pg_type *type, qe_column *column, int64_t row,
                             const uint8_t *data, int64_t size, qe_error *error) {
  int64_t value;
  qe_status status = qe__pg_decode_integer(type, data, size, &value, error);

  if (status != QE_OK) return status;
  return qe__column_put_int64(column, row, value, error);
}

static qe_status add_float(const qe_pg_type *type, qe_column *column, int64_t row,
                           const uint8_t *data, int64_t size, qe_error *error) {
  double value;
  qe_status status = qe__pg_decode_float(type, data, size, &value, error);

  if (status != QE_OK) return status;
  return qe__column_put_float64(column, row, value, error);
}

static qe_status add_bool(const qe_pg_type *type, qe_column *column, int64_t row,
                          const uint8_t *data, int64_t size, qe_error *error) {
  bool value;
  qe_status status = qe__pg_decode_bool(type, data, size, &value, error);

  if (status != QE_OK) return status;
  return qe__column_put_boolean(column, row, value, error);
}

static qe_status add_moment(const qe_pg_type *type, qe_column *column, int64_t row,
                            const uint8_t *data, int64_t size, qe_error *error) {
  int64_t value;
  qe_status status = qe__pg_decode_moment(type, data, size, &value, error);

  if (status != QE_OK) return status;
  if (type->decoder == QE_PG_DATE) {
    return qe__column_put_date(column, row, (int32_t)value, error);
  }
  return qe__column_put_microseconds(column, row, qe__pg_type_kind(type), value, error);
}

static qe_status add_record(const qe_pg_type *type, qe_column *column, int64_t row,
                            const uint8_t *data, int64_t size, qe_error *error) {
  uint8_t record[QE_INTERVAL_SIZE];
  bool is_interval = type->decoder == QE_PG_INTERVAL;
  qe_status status = is_interval
                         ? qe__pg_decode_interval(type, data, size, record, error)
                         : qe__pg_decode_timetz(type, data, size, record, error);

  if (status != QE_OK) return status;
  return qe__column_put_bytes(column, row, QE_KIND_BLOB, record,
                              is_interval ? QE_INTERVAL_SIZE : QE_TIMETZ_SIZE, error);
}

qe_status qe__pg_decode(const qe_pg_types *registry, const qe_pg_type *type,
                        qe_column *column, int64_t row, const uint8_t *data,
                        int64_t size, qe_error *error) {
  assert(size >= 0 && row < column->capacity);
  switch (type ? type->decoder : QE_PG_TEXT) {
    case QE_PG_TEXT:
    case QE_PG_STRING:
    case QE_PG_JSON:
      return qe__column_put_bytes(column, row, QE_KIND_TEXT, data, size, error);
    case QE_PG_INT2:
    case QE_PG_INT4:
    case QE_PG_INT8:
    case QE_PG_UINT4: return add_integer(type, column, row, data, size, error);
    case QE_PG_FLOAT4:
    case QE_PG_FLOAT8: return add_float(type, column, row, data, size, error);
    case QE_PG_BOOL: return add_bool(type, column, row, data, size, error);
    case QE_PG_DATE:
    case QE_PG_TIME:
    case QE_PG_TIMESTAMP: return add_moment(type, column, row, data, size, error);
    case QE_PG_UUID:
      if (size != QE_UUID_SIZE) return wrong_size(type, size, QE_UUID_SIZE, error);
      return qe__column_put_bytes(column, row, QE_KIND_BLOB, data, size, error);
    case QE_PG_BYTES:
      return qe__column_put_bytes(column, row, QE_KIND_BLOB, data, size, error);
    case QE_PG_INTERVAL:
    case QE_PG_TIMETZ: return add_record(type, column, row, data, size, error);
    case QE_PG_VOID: return qe__column_add_null(column, row, error);
    case QE_PG_CHAR:
    case QE_PG_NUMERIC:
    case QE_PG_NETWORK:
    case QE_PG_JSONB:
    case QE_PG_ARRAY_TEXT:
    case QE_PG_NESTED: break;
  }
  return add_made(registry, type, column, row, data, size, error);
}
