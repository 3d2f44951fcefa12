/* Values that are kept as blobs in a form of our own, on their way to Arrow: uuids and
 * intervals get as many bytes a row as Arrow has for them, arrays become lists, the
 * rest becomes text. What is checked once when it is made, such as the tags of an
 * array, is trusted here. */
#include <assert.h>
#include <stdio.h>

#include "qe_arrow.h"
#include "qe_error.h"
#include "qe_mem.h"
#include "qe_nested.h"

enum { CELL_SIZE = 16 }; /* of a uuid, and of Arrow's interval */

static qe_status out_of_memory(qe_error *error) {
  return qe__fail_memory(error, "Arrow column");
}

/* Gives the column these values in place of its own. */
static void replace_values(qe_column *column, qe_kind kind, void *values,
                           int64_t size) {
  qe__free(column->values);
  column->values = values;
  column->values_capacity = size;
  column->kind = kind;
}

/* An interval as Arrow has it; false where it has none: PostgreSQL's infinities, and
 * hours of more than 292 years, which overflow when they are nanoseconds. */
static bool to_nanoseconds(const uint8_t *data, uint8_t *out) {
  qe_interval value = qe__interval_read(data);
  int64_t nanoseconds;

  if (value.microseconds > INT64_MAX / 1000 || value.microseconds < INT64_MIN / 1000) {
    return false;
  }
  nanoseconds = value.microseconds * 1000;
  memcpy(out, &value.months, 4);
  memcpy(out + 4, &value.days, 4);
  memcpy(out + 8, &nanoseconds, 8);
  return true;
}

static qe_status refuse(const qe_arrow_column *wanted, qe_tag tag, const uint8_t *data,
                        int64_t size, int64_t row, qe_error *error) {
  qe_bytes text = {0};
  char shown[64] = "another value";

  if (qe__scalar_text(tag, data, size, &text)) {
    (void)snprintf(shown, sizeof shown, "%.*s", (int)text.size,
                   (const char *)text.data);
  }
  qe__bytes_clear(&text);
  return qe__arrow_mismatch(wanted, shown, row, error);
}

static qe_status to_cells(const qe_arrow_column *wanted, qe_column *column,
                          int64_t first_row, int64_t row_count, int64_t row_offset,
                          qe_error *error) {
  int64_t values_size = (row_count + 1) * CELL_SIZE;
  bool is_uuid = wanted->kind == QE_ARROW_UUID;
  uint8_t *values = qe__zalloc(values_size);

  if (!values) return out_of_memory(error);
  for (int64_t row = 0; row < row_count; row++) {
    int64_t size;
    const uint8_t *data = qe__column_bytes(column, row, &size);
    uint8_t *cell = values + row * CELL_SIZE;
    if (qe__column_is_null(column, row)) continue;
    assert(size == CELL_SIZE);
    if (is_uuid) {
      memcpy(cell, data, CELL_SIZE);
    } else if (!to_nanoseconds(data, cell) && row >= first_row) {
      qe__free(values);
      return refuse(wanted, QE_TAG_INTERVAL, data, size, row_offset + row, error);
    }
  }
  replace_values(column, is_uuid ? QE_KIND_UUID : QE_KIND_INTERVAL, values,
                 values_size);
  return QE_OK;
}

static bool write_text(qe_type type, const uint8_t *data, int64_t size, qe_bytes *out) {
  return type == QE_TYPE_NESTED ? qe__nested_text(data, size, out)
                                : qe__scalar_text(QE_TAG_TIMETZ, data, size, out);
}

static qe_status to_text(const qe_arrow_column *wanted, qe_column *column,
                         int64_t row_count, qe_error *error) {
  int64_t offsets_size = (row_count + 1) * (int64_t)sizeof(int32_t);
  int32_t *offsets = qe__zalloc(offsets_size);
  qe_bytes text = {.first_capacity = column->bytes.size + 1};
  bool is_written = offsets != NULL;

  assert(wanted->type == QE_TYPE_NESTED || wanted->type == QE_TYPE_TIMETZ);
  for (int64_t row = 0; row < row_count && is_written; row++) {
    int64_t size;
    const uint8_t *data = qe__column_bytes(column, row, &size);
    if (!qe__column_is_null(column, row)) {
      is_written = write_text(wanted->type, data, size, &text);
    }
    offsets[row + 1] = (int32_t)text.size;
  }
  if (!is_written) {
    qe__bytes_clear(&text);
    qe__free(offsets);
    return out_of_memory(error);
  }
  qe__bytes_clear(&column->bytes);
  qe__free(column->offsets);
  column->bytes = text;
  column->offsets = offsets;
  column->offsets_capacity = offsets_size;
  column->kind = QE_KIND_TEXT;
  return QE_OK;
}

/* One array's way into the elements. */
typedef struct elements {
  qe_column *column;
  int64_t count;
} elements;

static uint32_t read_count(const uint8_t *data) {
  uint32_t count;
  memcpy(&count, data, sizeof count);
  return count;
}

/* Adds one text or blob, whose size stands in front of it. */
static qe_status add_sized(elements *to, qe_kind kind, const uint8_t **data,
                           qe_error *error) {
  int64_t size = (int64_t)read_count(*data);
  const uint8_t *bytes = *data + 4;

  *data = bytes + size;
  return qe__column_put_bytes(to->column, to->count, kind, bytes, size, error);
}

static qe_status add_cell(elements *to, int64_t size, const uint8_t **data,
                          qe_error *error) {
  const uint8_t *bytes = *data;

  *data = bytes + size;
  return qe__column_put_bytes(to->column, to->count, QE_KIND_BLOB, bytes, size, error);
}

static qe_status add_eight(elements *to, qe_tag tag, const uint8_t **data,
                           qe_error *error) {
  int64_t value;
  double number;

  memcpy(&value, *data, sizeof value);
  memcpy(&number, *data, sizeof number);
  *data += sizeof value;
  switch (tag) {
    case QE_TAG_INT64: return qe__column_put_int64(to->column, to->count, value, error);
    case QE_TAG_FLOAT64:
      return qe__column_put_float64(to->column, to->count, number, error);
    default:
      return qe__column_put_microseconds(
          to->column, to->count, tag == QE_TAG_TIME ? QE_KIND_TIME : QE_KIND_TIMESTAMP,
          value, error);
  }
}

/* Adds the element at *data and moves *data past it; false in *is_scalar for one that
 * has parts of its own. */
static qe_status add_element(elements *to, const uint8_t **data, bool *is_scalar,
                             qe_error *error) {
  qe_tag tag = (qe_tag) * (*data)++;
  int32_t days;

  *is_scalar = true;
  switch (tag) {
    case QE_TAG_NULL: return qe__column_add_null(to->column, to->count, error);
    case QE_TAG_INT64:
    case QE_TAG_FLOAT64:
    case QE_TAG_TIME:
    case QE_TAG_TIMESTAMP:
    case QE_TAG_TIMESTAMPTZ: return add_eight(to, tag, data, error);
    case QE_TAG_BOOLEAN:
      return qe__column_put_boolean(to->column, to->count, *(*data)++ != 0, error);
    case QE_TAG_DATE:
      memcpy(&days, *data, sizeof days);
      *data += sizeof days;
      return qe__column_put_date(to->column, to->count, days, error);
    case QE_TAG_TEXT:
    case QE_TAG_DECIMAL:
    case QE_TAG_JSON:
    case QE_TAG_NETWORK: return add_sized(to, QE_KIND_TEXT, data, error);
    case QE_TAG_BLOB: return add_sized(to, QE_KIND_BLOB, data, error);
    case QE_TAG_UUID: return add_cell(to, QE_UUID_SIZE, data, error);
    case QE_TAG_INTERVAL: return add_cell(to, QE_INTERVAL_SIZE, data, error);
    case QE_TAG_TIMETZ: return add_cell(to, QE_TIMETZ_SIZE, data, error);
    default: *is_scalar = false; return QE_OK;
  }
}

/* How many elements the arrays of the column have in all. A list's count follows its
 * tag; arrays of another shape are refused later. */
static int64_t count_elements(const qe_column *column, int64_t row_count) {
  int64_t count = 0;

  for (int64_t row = 0; row < row_count; row++) {
    int64_t size;
    const uint8_t *data = qe__column_bytes(column, row, &size);
    if (size > 0 && data[0] == QE_TAG_LIST) count += (int64_t)read_count(data + 1);
  }
  return count;
}

static qe_status refuse_array(const qe_arrow_column *wanted, const uint8_t *data,
                              int64_t row, qe_error *error) {
  return qe__arrow_mismatch(wanted,
                            data[0] == QE_TAG_ARRAY
                                ? "an array with bounds other than 1"
                                : "an array of several dimensions",
                            row, error);
}

/* Adds the elements of one array. */
static qe_status add_array(const qe_arrow_column *wanted, elements *to,
                           const uint8_t *data, int64_t row, qe_error *error) {
  const uint8_t *at = data + 5;
  qe_status status = QE_OK;
  uint32_t count;

  if (data[0] != QE_TAG_LIST) return refuse_array(wanted, data, row, error);
  count = read_count(data + 1);
  for (uint32_t i = 0; i < count; i++) {
    bool is_scalar;
    status = add_element(to, &at, &is_scalar, error);
    if (status != QE_OK) return status;
    if (!is_scalar) return refuse_array(wanted, data, row, error);
    to->count++;
  }
  return QE_OK;
}

static void end_child(qe_column *column) {
  if (column->child) qe__column_clear(column->child);
  qe__free(column->child);
  column->child = NULL;
  column->child_count = 0;
}

/* The elements of all rows, converted to what they have to be, end to end. offsets gets
 * where each row's end. Rows before first_row were read and have none. */
static qe_status gather(const qe_arrow_column *wanted, qe_column *column,
                        int64_t first_row, int64_t row_count, int64_t row_offset,
                        int32_t *offsets, qe_error *error) {
  int64_t capacity = count_elements(column, row_count);
  qe_arrow_column element = qe__arrow_element(wanted);
  elements to = {column->child, 0};
  qe_status status;

  if (capacity > INT32_MAX) {
    return qe__fail(error, QE_ERR_RANGE,
                    "The arrays of column `%s` have more than 2^31 elements in one "
                    "batch",
                    wanted->name);
  }
  to.column->type = wanted->element_type;
  status = qe__column_grow(to.column, 0, capacity > 0 ? capacity : 1, error);
  for (int64_t row = 0; row < row_count && status == QE_OK; row++) {
    int64_t size;
    const uint8_t *data = qe__column_bytes(column, row, &size);
    if (row >= first_row && !qe__column_is_null(column, row)) {
      status = add_array(wanted, &to, data, row_offset + row, error);
    }
    offsets[row + 1] = (int32_t)to.count;
  }
  column->child_count = to.count;
  if (status != QE_OK) return status;
  return qe__arrow_convert(&element, to.column, 0, to.count, 0, error);
}

static qe_status to_list(const qe_arrow_column *wanted, qe_column *column,
                         int64_t first_row, int64_t row_count, int64_t row_offset,
                         qe_error *error) {
  int64_t offsets_size = (row_count + 1) * (int64_t)sizeof(int32_t);
  int32_t *offsets = qe__zalloc(offsets_size);
  qe_status status = QE_OK;

  end_child(column);
  column->child = qe__zalloc(sizeof *column->child);
  if (!offsets || !column->child) {
    status = out_of_memory(error);
    goto done;
  }
  status = gather(wanted, column, first_row, row_count, row_offset, offsets, error);
  if (status != QE_OK) goto done;
  qe__free(column->offsets);
  column->offsets = offsets;
  column->offsets_capacity = offsets_size;
  column->kind = QE_KIND_LIST;
  offsets = NULL; /* moved to the column */

done:
  if (status != QE_OK) end_child(column);
  qe__free(offsets);
  return status;
}

qe_status qe__arrow_convert_stored(const qe_arrow_column *wanted, qe_column *column,
                                   int64_t first_row, int64_t row_count,
                                   int64_t row_offset, qe_error *error) {
  assert(column->kind == QE_KIND_BLOB);
  switch (wanted->kind) {
    case QE_ARROW_UUID:
    case QE_ARROW_INTERVAL:
      return to_cells(wanted, column, first_row, row_count, row_offset, error);
    case QE_ARROW_LIST:
      return to_list(wanted, column, first_row, row_count, row_offset, error);
    default: return to_text(wanted, column, row_count, error);
  }
}
