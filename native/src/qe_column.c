/* Filling a column. The kind is settled by the first value and may be widened once,
 * to QE_KIND_MIXED; every buffer is made when a kind first needs it and kept for the
 * next batch. */
#include "qe_column.h"

#include <assert.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_temporal.h"

static int64_t bits_size(int64_t rows) {
  return (rows + 7) / 8;
}

static bool has_offsets(qe_kind kind) {
  return kind == QE_KIND_TEXT || kind == QE_KIND_BLOB || kind == QE_KIND_MIXED;
}

static bool has_values(qe_kind kind) {
  return kind != QE_KIND_NULL && kind != QE_KIND_TEXT && kind != QE_KIND_BLOB;
}

static int64_t values_size(qe_kind kind, int64_t rows) {
  if (kind == QE_KIND_BOOLEAN) return bits_size(rows);
  return rows * (kind == QE_KIND_DATE ? 4 : 8);
}

void qe__column_clear(qe_column *column) {
  qe_type type = column->type;

  if (column->child) qe__column_clear(column->child);
  qe__free(column->child);
  qe__free(column->validity);
  qe__free(column->values);
  qe__free(column->offsets);
  qe__free(column->kinds);
  qe__bytes_clear(&column->bytes);
  *column = (qe_column){.type = type};
}

/* Gives a buffer at least size bytes; *capacity is what it has. */
static bool ensure(void **buffer, int64_t *capacity, int64_t size) {
  void *grown;

  if (size <= *capacity) return true;
  grown = qe__realloc(*buffer, size);
  if (!grown) return false;
  *buffer = grown;
  *capacity = size;
  return true;
}

static bool ensure_validity(qe_column *column, int64_t rows) {
  void *buffer = column->validity;
  bool is_ready = ensure(&buffer, &column->validity_capacity, bits_size(rows));
  column->validity = buffer;
  return is_ready;
}

static bool ensure_values(qe_column *column, qe_kind kind, int64_t rows) {
  return ensure(&column->values, &column->values_capacity, values_size(kind, rows));
}

static bool ensure_offsets(qe_column *column, int64_t rows) {
  void *buffer = column->offsets;
  bool is_ready = ensure(&buffer, &column->offsets_capacity, (rows + 1) * 4);
  column->offsets = buffer;
  return is_ready;
}

static bool ensure_kinds(qe_column *column, int64_t rows) {
  void *buffer = column->kinds;
  bool is_ready = ensure(&buffer, &column->kinds_capacity, rows);
  column->kinds = buffer;
  return is_ready;
}

/* Whether the rows before this one are all null, so that any kind may still be taken.
 */
static bool is_open(const qe_column *column, int64_t row) {
  return column->kind == QE_KIND_NULL || column->null_count == row;
}

qe_status qe__column_no_room(const qe_column *column, qe_error *error) {
  if (column->bytes.size > QE_BYTES_MAX / 2) {
    return qe__fail(error, QE_ERR_RANGE,
                    "A batch of rows holds more than 2 GiB in one column");
  }
  return qe__fail_memory(error, "column of a result");
}

qe_status qe__column_grow(qe_column *column, int64_t row_count, int64_t capacity,
                          qe_error *error) {
  int64_t old_bits = bits_size(row_count);

  if (column->null_count > 0) {
    if (!ensure_validity(column, capacity)) return qe__column_no_room(column, error);
    memset(column->validity + old_bits, 0xFF, (size_t)(bits_size(capacity) - old_bits));
  }
  if (has_values(column->kind)) {
    if (!ensure_values(column, column->kind, capacity))
      return qe__column_no_room(column, error);
  }
  if (has_offsets(column->kind) && !ensure_offsets(column, capacity)) {
    return qe__column_no_room(column, error);
  }
  if (column->kind == QE_KIND_MIXED && !ensure_kinds(column, capacity)) {
    return qe__column_no_room(column, error);
  }
  column->capacity = capacity;
  return QE_OK;
}

/* Settles the kind of a column whose rows so far are all null. */
static qe_status settle(qe_column *column, int64_t row, qe_kind kind, qe_error *error) {
  if (has_values(kind)) {
    if (!ensure_values(column, kind, column->capacity))
      return qe__column_no_room(column, error);
    memset(column->values, 0, (size_t)values_size(kind, row));
  }
  if (has_offsets(kind)) {
    if (!ensure_offsets(column, column->capacity))
      return qe__column_no_room(column, error);
    memset(column->offsets, 0, (size_t)(row + 1) * 4);
  }
  if (kind == QE_KIND_MIXED) {
    if (!ensure_kinds(column, column->capacity))
      return qe__column_no_room(column, error);
    memset(column->kinds, QE_KIND_NULL, (size_t)row);
  }
  column->kind = kind;
  return QE_OK;
}

qe_status qe__column_settle(qe_column *column, int64_t row, qe_kind kind,
                            qe_error *error) {
  assert(is_open(column, row) || column->kind == kind);
  return column->kind == kind ? QE_OK : settle(column, row, kind, error);
}

/* Values of the 4-byte and 1-bit kinds become 8 bytes wide, last row first because
 * the wide ones overlap the narrow ones. */
static void widen_values(qe_column *column, int64_t row_count) {
  int64_t *wide = column->values;

  for (int64_t row = row_count - 1; row >= 0; row--) {
    int64_t value = column->kind == QE_KIND_DATE ? qe__column_int32(column, row)
                                                 : qe__column_bit(column, row);
    wide[row] = value;
  }
}

/* Turns a column of one kind, or none, into a mixed one; loses nothing. */
static qe_status widen(qe_column *column, int64_t row_count, qe_error *error) {
  qe_kind kind = column->kind;

  if (kind == QE_KIND_MIXED) return QE_OK;
  if (kind == QE_KIND_NULL) return settle(column, row_count, QE_KIND_MIXED, error);
  if (!ensure_kinds(column, column->capacity) ||
      !ensure_values(column, QE_KIND_MIXED, column->capacity) ||
      !ensure_offsets(column, column->capacity)) {
    return qe__column_no_room(column, error);
  }
  if (kind == QE_KIND_DATE || kind == QE_KIND_BOOLEAN) widen_values(column, row_count);
  if (!has_offsets(kind)) memset(column->offsets, 0, (size_t)(row_count + 1) * 4);
  for (int64_t row = 0; row < row_count; row++) {
    bool is_null = qe__column_is_null(column, row);
    column->kinds[row] = (uint8_t)(is_null ? QE_KIND_NULL : kind);
  }
  column->kind = QE_KIND_MIXED;
  return QE_OK;
}

qe_status qe__column_add_null(qe_column *column, int64_t row, qe_error *error) {
  if (column->null_count == 0) {
    if (!ensure_validity(column, column->capacity))
      return qe__column_no_room(column, error);
    memset(column->validity, 0xFF, (size_t)bits_size(column->capacity));
  }
  column->validity[row >> 3] &= (uint8_t)~(1U << (row & 7));
  column->null_count++;
  switch (column->kind) {
    case QE_KIND_NULL:
    case QE_KIND_BOOLEAN: break;
    case QE_KIND_DATE: ((int32_t *)column->values)[row] = 0; break;
    case QE_KIND_TEXT:
    case QE_KIND_BLOB: column->offsets[row + 1] = (int32_t)column->bytes.size; break;
    case QE_KIND_MIXED:
      column->kinds[row] = QE_KIND_NULL;
      column->offsets[row + 1] = (int32_t)column->bytes.size;
      ((int64_t *)column->values)[row] = 0;
      break;
    case QE_KIND_INT64:
    case QE_KIND_FLOAT64:
    case QE_KIND_TIME:
    case QE_KIND_TIMESTAMP: ((int64_t *)column->values)[row] = 0; break;
    case QE_KIND_DECIMAL:
    case QE_KIND_INT16:
    case QE_KIND_INT32:
    case QE_KIND_FLOAT32:
    case QE_KIND_UUID:
    case QE_KIND_INTERVAL:
    case QE_KIND_LIST: break; /* left from Arrow: the next value settles another */
  }
  return QE_OK;
}

static void put_bit(uint8_t *bits, int64_t row, bool is_set) {
  uint8_t mask = (uint8_t)(1U << (row & 7));
  bits[row >> 3] = (uint8_t)(is_set ? bits[row >> 3] | mask : bits[row >> 3] & ~mask);
}

/* Adds eight bytes as a value of kind to a mixed column. */
static void put_mixed(qe_column *column, int64_t row, qe_kind kind, int64_t value) {
  column->kinds[row] = (uint8_t)kind;
  ((int64_t *)column->values)[row] = value;
  column->offsets[row + 1] = (int32_t)column->bytes.size;
}

/* Makes the column one that can take a value of kind. */
static qe_status admit(qe_column *column, int64_t row, qe_kind kind, qe_error *error) {
  if (column->kind == kind) return QE_OK;
  return is_open(column, row) ? settle(column, row, kind, error)
                              : widen(column, row, error);
}

qe_status qe__column_add_value(qe_column *column, int64_t row, qe_kind kind,
                               int64_t value, qe_error *error) {
  qe_status status = admit(column, row, kind, error);

  if (status != QE_OK) return status;
  switch (column->kind) {
    case QE_KIND_BOOLEAN: put_bit(column->values, row, value != 0); break;
    case QE_KIND_DATE: ((int32_t *)column->values)[row] = (int32_t)value; break;
    case QE_KIND_MIXED: put_mixed(column, row, kind, value); break;
    default: ((int64_t *)column->values)[row] = value;
  }
  return QE_OK;
}

qe_status qe__column_add_int64(qe_column *column, int64_t row, int64_t value,
                               qe_error *error) {
  bool is_boolean = column->type == QE_TYPE_BOOLEAN && (value == 0 || value == 1);
  return qe__column_add_value(column, row, is_boolean ? QE_KIND_BOOLEAN : QE_KIND_INT64,
                              value, error);
}

qe_status qe__column_add_float64(qe_column *column, int64_t row, double value,
                                 qe_error *error) {
  int64_t bits;
  memcpy(&bits, &value, sizeof bits);
  return qe__column_add_value(column, row, QE_KIND_FLOAT64, bits, error);
}

/* Reads text as what the column is declared to hold; QE_KIND_TEXT if it is not. */
static qe_kind read_temporal(qe_type type, const char *text, int64_t size,
                             int64_t *value) {
  int32_t days;

  switch (type) {
    case QE_TYPE_DATE:
      if (!qe__parse_date(text, size, &days)) return QE_KIND_TEXT;
      *value = days;
      return QE_KIND_DATE;
    case QE_TYPE_TIME:
      return qe__parse_time(text, size, value) ? QE_KIND_TIME : QE_KIND_TEXT;
    case QE_TYPE_TIMESTAMP:
    case QE_TYPE_TIMESTAMPTZ:
      return qe__parse_timestamp(text, size, type == QE_TYPE_TIMESTAMPTZ, value)
                 ? QE_KIND_TIMESTAMP
                 : QE_KIND_TEXT;
    default: return QE_KIND_TEXT;
  }
}

qe_status qe__column_begin_bytes(qe_column *column, int64_t row, qe_kind kind,
                                 qe_error *error) {
  assert(kind == QE_KIND_TEXT || kind == QE_KIND_BLOB);
  return admit(column, row, kind, error);
}

void qe__column_end_bytes(qe_column *column, int64_t row, qe_kind kind) {
  if (column->kind == QE_KIND_MIXED) {
    put_mixed(column, row, kind, 0);
  } else {
    column->offsets[row + 1] = (int32_t)column->bytes.size;
  }
}

qe_status qe__column_add_bytes(qe_column *column, int64_t row, qe_kind kind,
                               const void *data, int64_t size, qe_error *error) {
  qe_status status;
  int64_t value = 0;

  if (kind == QE_KIND_TEXT && column->type >= QE_TYPE_DATE &&
      column->type <= QE_TYPE_TIMESTAMPTZ) {
    qe_kind temporal = read_temporal(column->type, data, size, &value);
    if (temporal != QE_KIND_TEXT) {
      return qe__column_add_value(column, row, temporal, value, error);
    }
  }
  status = qe__column_begin_bytes(column, row, kind, error);
  if (status != QE_OK) return status;
  if (!qe__bytes_reserve(&column->bytes, size))
    return qe__column_no_room(column, error);
  if (size > 0) memcpy(column->bytes.data + column->bytes.size, data, (size_t)size);
  column->bytes.size += size;
  qe__column_end_bytes(column, row, kind);
  return QE_OK;
}
