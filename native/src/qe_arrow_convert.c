/* Making a column what its Arrow type says. An Arrow column has one type and SQLite's
 * values have each their own, so this is where they are held to it: what can be carried
 * over exactly is, anything else is refused with its row and value. */
#include <inttypes.h>
#include <stdio.h>

#include "qe_arrow.h"
#include "qe_decimal.h"
#include "qe_error.h"
#include "qe_mem.h"
#include "qe_temporal.h"

/* Integers up to here have an exact double. */
#define EXACT_DOUBLE (INT64_C(1) << 53)

static const char *name_of(qe_arrow_kind kind) {
  static const char *const NAMES[] = {"null",
                                      "int64",
                                      "float64",
                                      "utf8",
                                      "binary",
                                      "bool",
                                      "date32",
                                      "time64",
                                      "timestamp without zone",
                                      "timestamp with zone",
                                      "decimal128",
                                      "int16",
                                      "int32",
                                      "float32",
                                      "uuid",
                                      "month_day_nano_interval",
                                      "list"};
  return NAMES[kind];
}

static qe_kind form_of(qe_arrow_kind kind) {
  static const qe_kind FORMS[] = {QE_KIND_NULL,      QE_KIND_INT64,   QE_KIND_FLOAT64,
                                  QE_KIND_TEXT,      QE_KIND_BLOB,    QE_KIND_BOOLEAN,
                                  QE_KIND_DATE,      QE_KIND_TIME,    QE_KIND_TIMESTAMP,
                                  QE_KIND_TIMESTAMP, QE_KIND_DECIMAL, QE_KIND_INT16,
                                  QE_KIND_INT32,     QE_KIND_FLOAT32, QE_KIND_UUID,
                                  QE_KIND_INTERVAL,  QE_KIND_LIST};
  return FORMS[kind];
}

static qe_kind kind_at(const qe_column *column, int64_t row) {
  if (column->kind == QE_KIND_NULL || qe__column_is_null(column, row)) {
    return QE_KIND_NULL;
  }
  return column->kind == QE_KIND_MIXED ? (qe_kind)column->kinds[row] : column->kind;
}

enum { SHOWN_BYTES = 40 };

/* A short text of the value, for a message. */
static void show_value(const qe_column *column, int64_t row, char *out, size_t size) {
  int64_t bytes_size = 0;
  const uint8_t *bytes;

  switch (kind_at(column, row)) {
    case QE_KIND_FLOAT64:
      (void)snprintf(out, size, "%.17g", qe__column_float64(column, row));
      break;
    case QE_KIND_TEXT:
      bytes = qe__column_bytes(column, row, &bytes_size);
      if (bytes_size > SHOWN_BYTES) bytes_size = SHOWN_BYTES;
      if (qe__utf8_fault(bytes, bytes_size) >= 0) {
        bytes_size = qe__utf8_fault(bytes, bytes_size);
      }
      (void)snprintf(out, size, "%.*s", (int)bytes_size, (const char *)bytes);
      break;
    case QE_KIND_BLOB:
      (void)qe__column_bytes(column, row, &bytes_size);
      (void)snprintf(out, size, "a blob of %" PRId64 " bytes", bytes_size);
      break;
    case QE_KIND_INT64:
      (void)snprintf(out, size, "%" PRId64, qe__column_int64(column, row));
      break;
    case QE_KIND_DATE:
      (void)qe__format_date(column->kind == QE_KIND_MIXED
                                ? (int32_t)qe__column_int64(column, row)
                                : qe__column_int32(column, row),
                            out);
      break;
    case QE_KIND_TIME: (void)qe__format_time(qe__column_int64(column, row), out); break;
    case QE_KIND_TIMESTAMP:
      (void)qe__format_timestamp(qe__column_int64(column, row), false, out);
      break;
    default: (void)snprintf(out, size, "another type");
  }
}

static const char *row_word(const qe_arrow_column *wanted) {
  return wanted->is_element ? "Element" : "Row";
}

qe_status qe__arrow_mismatch(const qe_arrow_column *wanted, const char *shown,
                             int64_t row, qe_error *error) {
  return qe__fail(error, QE_ERR_TYPE,
                  "%s %" PRId64 " of column `%s` holds `%s`, which is no Arrow %s",
                  row_word(wanted), row + 1, wanted->name, shown,
                  name_of(wanted->kind));
}

static qe_status mismatch(const qe_arrow_column *wanted, const qe_column *column,
                          int64_t row, int64_t row_offset, qe_error *error) {
  char shown[96];

  show_value(column, row, shown, sizeof shown);
  return qe__arrow_mismatch(wanted, shown, row_offset + row, error);
}

/* The first row from first_row on that is not null, row_count if there is none. */
static int64_t first_value(const qe_column *column, int64_t first_row,
                           int64_t row_count) {
  while (first_row < row_count && kind_at(column, first_row) == QE_KIND_NULL) {
    first_row++;
  }
  return first_row;
}

static qe_status check_text(const qe_arrow_column *wanted, const qe_column *column,
                            int64_t row_count, int64_t row_offset, qe_error *error) {
  const uint8_t *all = column->bytes.data;

  if (qe__ascii_prefix(all, column->bytes.size) == column->bytes.size) return QE_OK;
  for (int64_t row = 0; row < row_count; row++) {
    int64_t size;
    const uint8_t *text = qe__column_bytes(column, row, &size);
    int64_t fault = qe__utf8_fault(text, size);
    if (fault >= 0) {
      return qe__fail(error, QE_ERR_ENCODING,
                      "%s %" PRId64
                      " of column `%s` holds text that is not UTF-8 "
                      "from byte %" PRId64 " on",
                      row_word(wanted), row_offset + row + 1, wanted->name, fault);
    }
  }
  return QE_OK;
}

/* A list without elements still has a column of them. */
static qe_status make_no_elements(const qe_arrow_column *list, qe_column *column,
                                  qe_error *error) {
  qe_arrow_column element = qe__arrow_element(list);

  if (column->child) qe__column_clear(column->child);
  qe__free(column->child);
  column->child_count = 0;
  column->child = qe__zalloc(sizeof *column->child);
  if (!column->child) return qe__fail_memory(error, "Arrow column");
  return qe__arrow_convert(&element, column->child, 0, 0, 0, error);
}

/* Gives an all-null column the buffers its type needs. */
static qe_status make_null(const qe_arrow_column *wanted, qe_column *column,
                           int64_t row_count, qe_error *error) {
  qe_kind form = form_of(wanted->kind);
  int64_t values_size = (row_count + 1) * 16; /* as wide as any */
  void *values = qe__zalloc(values_size);
  qe_status status = QE_OK;

  if (!values) return qe__fail_memory(error, "Arrow column");
  if (form == QE_KIND_LIST) status = make_no_elements(wanted, column, error);
  if (status != QE_OK) {
    qe__free(values);
    return status;
  }
  if (form == QE_KIND_TEXT || form == QE_KIND_BLOB || form == QE_KIND_LIST) {
    qe__free(column->offsets);
    column->offsets = values;
    column->offsets_capacity = values_size;
    column->bytes.size = 0;
  } else {
    qe__free(column->values);
    column->values = values;
    column->values_capacity = values_size;
  }
  column->kind = form;
  return QE_OK;
}

static bool as_double(const qe_column *column, int64_t row, double *out) {
  int64_t integer;

  switch (kind_at(column, row)) {
    case QE_KIND_NULL: *out = 0; return true;
    case QE_KIND_FLOAT64: *out = qe__column_float64(column, row); return true;
    case QE_KIND_INT64:
      integer = qe__column_int64(column, row);
      *out = (double)integer;
      return integer >= -EXACT_DOUBLE && integer <= EXACT_DOUBLE;
    default: *out = 0; return false;
  }
}

static qe_status to_double(const qe_arrow_column *wanted, qe_column *column,
                           int64_t first_row, int64_t row_count, int64_t row_offset,
                           qe_error *error) {
  if (column->kind != QE_KIND_INT64 && column->kind != QE_KIND_MIXED) {
    return mismatch(wanted, column, first_value(column, first_row, row_count),
                    row_offset, error);
  }
  for (int64_t row = 0; row < row_count; row++) {
    double value;
    if (!as_double(column, row, &value) && row >= first_row) {
      return mismatch(wanted, column, row, row_offset, error);
    }
    ((double *)column->values)[row] = value;
  }
  column->kind = QE_KIND_FLOAT64;
  return QE_OK;
}

static bool as_decimal(const qe_arrow_column *wanted, const qe_column *column,
                       int64_t row, qe_decimal128 *out) {
  char number[QE_FLOAT_TEXT_SIZE];
  const char *text = number;
  int64_t size = 0;

  *out = (qe_decimal128){0};
  switch (kind_at(column, row)) {
    case QE_KIND_NULL: return true;
    case QE_KIND_INT64:
      size = snprintf(number, sizeof number, "%" PRId64, qe__column_int64(column, row));
      break;
    case QE_KIND_FLOAT64:
      size = qe__float_to_text(qe__column_float64(column, row), number);
      break;
    case QE_KIND_TEXT: text = (const char *)qe__column_bytes(column, row, &size); break;
    default: return false;
  }
  return qe__decimal_from_text(text, size, wanted->precision, wanted->scale, out);
}

static qe_status to_decimal(const qe_arrow_column *wanted, qe_column *column,
                            int64_t first_row, int64_t row_count, int64_t row_offset,
                            qe_error *error) {
  int64_t values_size = (row_count + 1) * (int64_t)sizeof(qe_decimal128);
  qe_decimal128 *values = qe__zalloc(values_size);

  if (!values) return qe__fail_memory(error, "Arrow column");
  for (int64_t row = first_row; row < row_count; row++) {
    if (!as_decimal(wanted, column, row, &values[row])) {
      qe__free(values);
      return mismatch(wanted, column, row, row_offset, error);
    }
  }
  qe__free(column->values);
  column->values = values;
  column->values_capacity = values_size;
  column->kind = QE_KIND_DECIMAL;
  return QE_OK;
}

/* Turns a mixed column whose rows are all of one kind after all into that kind: the
 * ones that differed lie before first_row and have been read as rows. */
static qe_status narrow(const qe_arrow_column *wanted, qe_column *column,
                        int64_t first_row, int64_t row_count, int64_t row_offset,
                        qe_error *error) {
  qe_kind form = form_of(wanted->kind);
  const int64_t *wide = column->values;

  for (int64_t row = first_row; row < row_count; row++) {
    qe_kind kind = kind_at(column, row);
    if (kind != form && kind != QE_KIND_NULL) {
      return mismatch(wanted, column, row, row_offset, error);
    }
  }
  for (int64_t row = 0; row < row_count; row++) {
    int64_t value = wide[row];
    uint8_t *bits = column->values;
    if (form == QE_KIND_DATE) {
      ((int32_t *)column->values)[row] = (int32_t)value;
    } else if (form == QE_KIND_BOOLEAN) {
      uint8_t mask = (uint8_t)(1U << (row & 7));
      bits[row >> 3] = (uint8_t)((bits[row >> 3] & ~mask) | (value == 1 ? mask : 0));
    }
  }
  column->kind = form;
  return QE_OK;
}

static bool is_narrow(qe_kind form) {
  return form == QE_KIND_INT16 || form == QE_KIND_INT32 || form == QE_KIND_FLOAT32;
}

/* Makes room by moving each value to the left, first row first: the narrow ones never
 * overtake the wide ones. */
static qe_status to_narrow(const qe_arrow_column *wanted, qe_column *column,
                           int64_t first_row, int64_t row_count, int64_t row_offset,
                           qe_error *error) {
  qe_kind form = form_of(wanted->kind);
  qe_kind wide = form == QE_KIND_FLOAT32 ? QE_KIND_FLOAT64 : QE_KIND_INT64;
  int64_t limit = form == QE_KIND_INT16 ? INT16_MAX : INT32_MAX;

  if (column->kind != wide) {
    return mismatch(wanted, column, first_value(column, first_row, row_count),
                    row_offset, error);
  }
  for (int64_t row = 0; row < row_count && wide == QE_KIND_INT64; row++) {
    int64_t value = qe__column_int64(column, row);
    if (value < -limit - 1 || value > limit) {
      return mismatch(wanted, column, row, row_offset, error);
    }
  }
  for (int64_t row = 0; row < row_count; row++) {
    if (form == QE_KIND_FLOAT32) {
      ((float *)column->values)[row] = (float)qe__column_float64(column, row);
    } else if (form == QE_KIND_INT32) {
      ((int32_t *)column->values)[row] = (int32_t)qe__column_int64(column, row);
    } else {
      ((int16_t *)column->values)[row] = (int16_t)qe__column_int64(column, row);
    }
  }
  column->kind = form;
  return QE_OK;
}

/* PostgreSQL's infinities and its 24:00 have no counterpart. */
static qe_status check_moments(const qe_arrow_column *wanted, const qe_column *column,
                               int64_t first_row, int64_t row_count, int64_t row_offset,
                               qe_error *error) {
  for (int64_t row = first_row; row < row_count; row++) {
    bool is_fine = true;
    if (column->kind == QE_KIND_DATE) {
      int32_t days = qe__column_int32(column, row);
      is_fine = days != INT32_MAX && days != INT32_MIN;
    } else {
      int64_t value = qe__column_int64(column, row);
      is_fine = column->kind == QE_KIND_TIME ? value < QE_MICROSECONDS_PER_DAY
                                             : value != INT64_MAX && value != INT64_MIN;
    }
    if (!is_fine) return mismatch(wanted, column, row, row_offset, error);
  }
  return QE_OK;
}

static bool is_moment(qe_kind kind) {
  return kind == QE_KIND_DATE || kind == QE_KIND_TIME || kind == QE_KIND_TIMESTAMP;
}

/* Makes a column that has a value of another kind than its form. */
static qe_status reshape(const qe_arrow_column *wanted, qe_column *column,
                         int64_t first_row, int64_t row_count, int64_t row_offset,
                         qe_error *error) {
  qe_kind form = form_of(wanted->kind);

  if (form == QE_KIND_DECIMAL) {
    return to_decimal(wanted, column, first_row, row_count, row_offset, error);
  }
  if (form == QE_KIND_FLOAT64) {
    return to_double(wanted, column, first_row, row_count, row_offset, error);
  }
  if (is_narrow(form)) {
    return to_narrow(wanted, column, first_row, row_count, row_offset, error);
  }
  if (column->kind == QE_KIND_BLOB && wanted->type >= QE_TYPE_UUID) {
    return qe__arrow_convert_stored(wanted, column, first_row, row_count, row_offset,
                                    error);
  }
  if (column->kind != QE_KIND_MIXED || form > QE_KIND_MIXED) {
    return mismatch(wanted, column, first_value(column, first_row, row_count),
                    row_offset, error);
  }
  return narrow(wanted, column, first_row, row_count, row_offset, error);
}

qe_status qe__arrow_convert(const qe_arrow_column *wanted, qe_column *column,
                            int64_t first_row, int64_t row_count, int64_t row_offset,
                            qe_error *error) {
  qe_kind form = form_of(wanted->kind);
  qe_status status = QE_OK;

  if (column->kind != form && first_value(column, first_row, row_count) == row_count) {
    status = make_null(wanted, column, row_count, error);
  } else if (column->kind != form) {
    status = reshape(wanted, column, first_row, row_count, row_offset, error);
  }
  if (status == QE_OK && is_moment(form)) {
    status = check_moments(wanted, column, first_row, row_count, row_offset, error);
  }
  if (status == QE_OK && form == QE_KIND_TEXT) {
    status = check_text(wanted, column, row_count, row_offset, error);
  }
  /* Arrow wants an address even for no bytes. */
  if (status == QE_OK && (form == QE_KIND_TEXT || form == QE_KIND_BLOB) &&
      !qe__bytes_reserve(&column->bytes, 1)) {
    status = qe__fail_memory(error, "Arrow column");
  }
  return status;
}
