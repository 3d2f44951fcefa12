/* A column is bound to each batch's buffers once; then every value is a switch and a
 * few loads. Memory that comes through the C data interface is trusted, as Arrow has
 * it: a producer that lies about its buffers can be told by nobody. Layouts:
 * https://arrow.apache.org/docs/format/Columnar.html */
#include "qe_arrow_read.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_temporal.h"

typedef enum layout {
  LAYOUT_NULL,
  LAYOUT_BIT,
  LAYOUT_SIGNED,   /* size bytes */
  LAYOUT_UNSIGNED, /* likewise */
  LAYOUT_FLOAT,    /* likewise */
  LAYOUT_OFFSETS,  /* bytes between offsets of size bytes */
  LAYOUT_VIEW,
  LAYOUT_FIXED, /* size bytes each */
  LAYOUT_DECIMAL
} layout;

/* The longest: -170141183460469231731687303715884105728e-128, as digits and zeros. */
enum { SLOT_SIZE = 192, SCALE_MAX = 128, INLINE_VIEW = 12, VIEW_SIZE = 16 };

typedef struct source {
  layout layout;
  qe_value_kind kind;
  int32_t size;
  int32_t scale;               /* of a decimal */
  int64_t multiply, divide;    /* of what counts time, to get to the kind's unit */
  const char *name;            /* the schema's */
  struct source *dictionary;   /* owned; NULL for a plain column */
  const struct ArrowArray *at; /* what it is bound to; the batch's */
  int64_t offset;              /* of the batch's first row */
  char *slots;                 /* owned: texts made of numbers, one for each row */
} source;

struct qe_arrow_input {
  struct ArrowArrayStream stream; /* owned */
  struct ArrowSchema schema;      /* owned */
  struct ArrowArray batch;        /* owned; released where there is none */
  int64_t next_row;
  int32_t column_count;
  source *columns; /* owned */
};

/* Types. */

static bool is_format(const char *format, const char *wanted) {
  return strcmp(format, wanted) == 0;
}

static void set_number(source *out, layout way, int32_t size) {
  out->layout = way;
  out->size = size;
  out->kind = way == LAYOUT_FLOAT ? QE_VALUE_FLOAT64 : QE_VALUE_INT64;
}

static bool read_plain(const char *format, source *out) {
  static const char SIGNED[] = "csil", UNSIGNED[] = "CSIL";
  const char *found;

  if (format[0] == '\0' || format[1] != '\0') return false;
  found = strchr(SIGNED, format[0]);
  if (found) set_number(out, LAYOUT_SIGNED, 1 << (found - SIGNED));
  if (found) return true;
  found = strchr(UNSIGNED, format[0]);
  if (found) set_number(out, LAYOUT_UNSIGNED, 1 << (found - UNSIGNED));
  if (found) return true;
  switch (format[0]) {
    case 'n': *out = (source){.layout = LAYOUT_NULL, .kind = QE_VALUE_NULL}; break;
    case 'b': *out = (source){.layout = LAYOUT_BIT, .kind = QE_VALUE_BOOLEAN}; break;
    case 'f': set_number(out, LAYOUT_FLOAT, 4); break;
    case 'g': set_number(out, LAYOUT_FLOAT, 8); break;
    default: return false;
  }
  return true;
}

static bool read_bytes_type(const char *format, source *out) {
  bool is_view = format[0] == 'v';
  char letter = format[is_view];

  if (format[0] == 'w' && format[1] == ':') {
    out->layout = LAYOUT_FIXED;
    out->kind = QE_VALUE_BLOB;
    out->size = atoi(format + 2);
    return out->size >= 0;
  }
  if (letter == '\0' || !strchr("uUzZ", letter) || format[is_view + 1] != '\0') {
    return false;
  }
  out->layout = is_view ? LAYOUT_VIEW : LAYOUT_OFFSETS;
  out->kind = letter == 'u' || letter == 'U' ? QE_VALUE_TEXT : QE_VALUE_BLOB;
  out->size = letter == 'U' || letter == 'Z' ? 8 : 4;
  return true;
}

/* "d:19,10" or "d:19,10,128". */
static bool read_decimal_type(const char *format, source *out) {
  char *end;
  long precision, scale;
  long bits = 128;

  if (format[0] != 'd' || format[1] != ':') return false;
  precision = strtol(format + 2, &end, 10);
  if (*end != ',') return false;
  scale = strtol(end + 1, &end, 10);
  if (*end == ',') bits = strtol(end + 1, &end, 10);
  if (*end || bits != 128 || precision < 1 || precision > 38 || scale < -SCALE_MAX ||
      scale > SCALE_MAX) {
    return false;
  }
  out->layout = LAYOUT_DECIMAL;
  out->kind = QE_VALUE_TEXT;
  out->size = 16;
  out->scale = (int32_t)scale;
  return true;
}

static bool read_unit(char unit, source *out) {
  out->multiply = unit == 's' ? 1000000 : unit == 'm' ? 1000 : 1;
  out->divide = unit == 'n' ? 1000 : 1;
  return unit && strchr("smun", unit);
}

static bool read_temporal_type(const char *format, source *out) {
  if (format[0] != 't' || !format[1] || !format[2]) return false;
  out->layout = LAYOUT_SIGNED;
  out->size = 8;
  out->multiply = 1;
  out->divide = 1;
  if (is_format(format, "tdD") || is_format(format, "tdm")) {
    out->kind = QE_VALUE_DATE;
    if (format[2] == 'D') out->size = 4;
    if (format[2] == 'm') out->divide = QE_MICROSECONDS_PER_DAY / 1000;
    return true;
  }
  if (!read_unit(format[2], out)) return false;
  if (format[1] == 't' && format[3] == '\0') {
    out->kind = QE_VALUE_TIME;
    if (format[2] == 's' || format[2] == 'm') out->size = 4;
    return true;
  }
  if (format[1] != 's' || format[3] != ':') return false;
  out->kind = format[4] ? QE_VALUE_TIMESTAMPTZ : QE_VALUE_TIMESTAMP;
  return true;
}

static qe_status read_type(const struct ArrowSchema *schema, source *out,
                           qe_error *error) {
  const char *format = schema->format;
  const char *name = schema->name ? schema->name : "";

  if (!read_plain(format, out) && !read_bytes_type(format, out) &&
      !read_decimal_type(format, out) && !read_temporal_type(format, out)) {
    return qe__fail(error, QE_ERR_TYPE,
                    "Column `%.100s` is of the Arrow type `%.60s`, which is not read",
                    name, format);
  }
  out->name = name;
  if (!schema->dictionary) return QE_OK;
  if (out->layout != LAYOUT_SIGNED && out->layout != LAYOUT_UNSIGNED) {
    return qe__fail(error, QE_ERR_TYPE,
                    "Column `%.100s` has a dictionary, and indexes that are none",
                    name);
  }
  out->dictionary = qe__zalloc(sizeof *out->dictionary);
  if (!out->dictionary) return qe__fail_memory(error, "Arrow dictionary");
  return read_type(schema->dictionary, out->dictionary, error);
}

static const source *values_of(const source *column) {
  while (column->dictionary) column = column->dictionary;
  return column;
}

static bool needs_slots(const source *column) {
  return column->layout == LAYOUT_DECIMAL ||
         (column->layout == LAYOUT_UNSIGNED && column->size == 8);
}

static qe_status read_schema(qe_arrow_input *input, qe_error *error) {
  const struct ArrowSchema *schema = &input->schema;
  qe_status status = QE_OK;

  if (!is_format(schema->format, "+s") || schema->n_children > INT32_MAX) {
    return qe__fail(error, QE_ERR_TYPE, "The Arrow stream is not one of rows");
  }
  input->columns = qe__zalloc((int64_t)sizeof(source) * (schema->n_children + 1));
  if (!input->columns) return qe__fail_memory(error, "Arrow columns");
  for (int64_t i = 0; i < schema->n_children && status == QE_OK; i++) {
    source *column = &input->columns[i];

    input->column_count = (int32_t)i + 1;
    status = read_type(schema->children[i], column, error);
    if (status != QE_OK || !needs_slots(values_of(column))) continue;
    column->slots = qe__zalloc((int64_t)QE_ARROW_ROWS * SLOT_SIZE);
    if (!column->slots) status = qe__fail_memory(error, "Arrow column");
  }
  return status;
}

static qe_status stream_failed(qe_arrow_input *input, int code, qe_error *error) {
  const char *said = input->stream.get_last_error(&input->stream);

  return qe__fail(error, code == 12 ? QE_ERR_NOMEM : QE_ERR_MISUSE,
                  "The Arrow stream failed: %.300s", said ? said : strerror(code));
}

qe_status qe__arrow_input_new(struct ArrowArrayStream *stream, qe_arrow_input **out,
                              qe_error *error) {
  qe_arrow_input *input = qe__zalloc(sizeof *input);
  qe_status status;
  int code;

  *out = NULL;
  if (!input) return qe__fail_memory(error, "Arrow input");
  input->stream = *stream;
  stream->release = NULL; /* moved */
  code = input->stream.get_schema(&input->stream, &input->schema);
  if (code != 0) {
    input->schema.release = NULL;
    status = stream_failed(input, code, error);
  } else {
    status = read_schema(input, error);
  }
  if (status != QE_OK) {
    qe__arrow_input_free(input);
    return status;
  }
  *out = input;
  return QE_OK;
}

static void free_column(source *column) {
  if (column->dictionary) free_column(column->dictionary);
  qe__free(column->dictionary);
  qe__free(column->slots);
}

void qe__arrow_input_free(qe_arrow_input *input) {
  if (!input) return;
  for (int32_t i = 0; i < input->column_count; i++) free_column(&input->columns[i]);
  qe__free(input->columns);
  if (input->batch.release) input->batch.release(&input->batch);
  if (input->schema.release) input->schema.release(&input->schema);
  if (input->stream.release) input->stream.release(&input->stream);
  qe__free(input);
}

int32_t qe__arrow_input_columns(const qe_arrow_input *input) {
  return input->column_count;
}

const char *qe__arrow_input_name(const qe_arrow_input *input, int32_t column) {
  return input->columns[column].name;
}

qe_value_kind qe__arrow_input_kind(const qe_arrow_input *input, int32_t column) {
  return values_of(&input->columns[column])->kind;
}

/* Values. */

static bool is_null(const source *column, int64_t row) {
  const uint8_t *valid = column->at->buffers[0];

  return column->at->null_count != 0 && valid && !(valid[row >> 3] >> (row & 7) & 1);
}

static int64_t load_signed(const source *column, int64_t row) {
  const void *data = column->at->buffers[1];

  switch (column->size) {
    case 1: return ((const int8_t *)data)[row];
    case 2: return ((const int16_t *)data)[row];
    case 4: return ((const int32_t *)data)[row];
    default: return ((const int64_t *)data)[row];
  }
}

static uint64_t load_unsigned(const source *column, int64_t row) {
  const void *data = column->at->buffers[1];

  switch (column->size) {
    case 1: return ((const uint8_t *)data)[row];
    case 2: return ((const uint16_t *)data)[row];
    case 4: return ((const uint32_t *)data)[row];
    default: return ((const uint64_t *)data)[row];
  }
}

/* Divides in place, and gives the remainder. */
static uint32_t divide(uint32_t limbs[4], uint32_t by) {
  uint64_t left = 0;

  for (int i = 3; i >= 0; i--) {
    left = left << 32 | limbs[i];
    limbs[i] = (uint32_t)(left / by);
    left %= by;
  }
  return (uint32_t)left;
}

/* The digits of a 128-bit number, last first; returns how many, at least one. */
static int32_t digits_of(uint32_t limbs[4], char digits[40]) {
  int32_t count = 0;

  do {
    uint32_t group = divide(limbs, 1000000000);
    for (int i = 0; i < 9; i++, group /= 10) digits[count++] = (char)('0' + group % 10);
  } while (count < 36 && (limbs[0] | limbs[1] | limbs[2] | limbs[3]));
  for (; limbs[0]; limbs[0] /= 10) digits[count++] = (char)('0' + limbs[0] % 10);
  while (count > 1 && digits[count - 1] == '0') count--;
  return count;
}

static int32_t write_decimal(const uint8_t *data, int32_t scale, char *out) {
  uint32_t limbs[4];
  char digits[40];
  char *at = out;
  int32_t count;

  memcpy(limbs, data, sizeof limbs); /* every target is little-endian */
  if (limbs[3] >> 31) {
    uint64_t carry = 1;
    *at++ = '-';
    for (int i = 0; i < 4; i++, carry >>= 32) {
      carry += (uint32_t)~limbs[i];
      limbs[i] = (uint32_t)carry;
    }
  }
  count = digits_of(limbs, digits);
  for (int32_t place = count > scale ? count - 1 : scale; place >= 0; place--) {
    if (place == scale - 1) *at++ = '.';
    *at++ = place < count ? digits[place] : '0';
  }
  for (; scale < 0; scale++) *at++ = '0';
  assert(at - out <= SLOT_SIZE);
  return (int32_t)(at - out);
}

static qe_status set_bytes(const source *column, qe_value *out, const void *data,
                           int64_t size, qe_error *error) {
  if (size < 0 || size > INT32_MAX) {
    return qe__fail(error, QE_ERR_RANGE,
                    "Column `%.100s`: a value of %lld bytes is too large", column->name,
                    (long long)size);
  }
  out->data = data;
  out->size = (int32_t)size;
  return QE_OK;
}

static qe_status read_offsets(const source *column, int64_t row, qe_value *out,
                              qe_error *error) {
  const void *offsets = column->at->buffers[1];
  const char *data = column->at->buffers[2];
  int64_t start, end;

  if (column->size == 8) {
    start = ((const int64_t *)offsets)[row];
    end = ((const int64_t *)offsets)[row + 1];
  } else {
    start = ((const int32_t *)offsets)[row];
    end = ((const int32_t *)offsets)[row + 1];
  }
  return set_bytes(column, out, data ? data + start : NULL, end - start, error);
}

static qe_status read_view(const source *column, int64_t row, qe_value *out,
                           qe_error *error) {
  const uint8_t *view =
      (const uint8_t *)column->at->buffers[1] + row * (int64_t)VIEW_SIZE;
  int32_t parts[4]; /* size, prefix, buffer, offset */
  const char *data;

  memcpy(parts, view, sizeof parts);
  if (parts[0] <= INLINE_VIEW) return set_bytes(column, out, view + 4, parts[0], error);
  data = column->at->buffers[2 + parts[2]];
  return set_bytes(column, out, data + parts[3], parts[0], error);
}

static qe_status read_count(const source *column, int64_t row, qe_value *out,
                            qe_error *error) {
  int64_t count = load_signed(column, row);

  out->int64 = count;
  if (column->multiply <= 1 && column->divide <= 1) return QE_OK;
  if (column->divide > 1 && count % column->divide != 0) {
    return qe__fail(error, QE_ERR_RANGE,
                    "Column `%.100s`: %" PRId64 " is %s, which would be lost",
                    column->name, count,
                    column->kind == QE_VALUE_DATE ? "a date and a time of day"
                                                  : "more exact than a microsecond");
  }
  if (count > INT64_MAX / column->multiply || count < INT64_MIN / column->multiply) {
    return qe__fail(error, QE_ERR_RANGE,
                    "Column `%.100s`: %" PRId64 " is too far from 1970", column->name,
                    count);
  }
  out->int64 = count / column->divide * column->multiply;
  return QE_OK;
}

/* row counts from the buffers' beginning. */
static qe_status read_value(const source *column, int64_t row, char *slot,
                            qe_value *out, qe_error *error) {
  const uint8_t *data;

  if (column->layout == LAYOUT_NULL || is_null(column, row)) {
    out->kind = QE_VALUE_NULL;
    return QE_OK;
  }
  if (column->dictionary) {
    int64_t index = column->layout == LAYOUT_SIGNED
                        ? load_signed(column, row)
                        : (int64_t)load_unsigned(column, row);
    return read_value(column->dictionary, index + column->dictionary->offset, slot, out,
                      error);
  }
  out->kind = (int32_t)column->kind;
  data = column->at->buffers[1];
  switch (column->layout) {
    case LAYOUT_BIT: out->int64 = data[row >> 3] >> (row & 7) & 1; return QE_OK;
    case LAYOUT_SIGNED: return read_count(column, row, out, error);
    case LAYOUT_UNSIGNED:
      out->int64 = (int64_t)load_unsigned(column, row);
      if (out->int64 >= 0 || column->size < 8) return QE_OK;
      out->kind = QE_VALUE_TEXT;
      out->size = snprintf(slot, SLOT_SIZE, "%" PRIu64, (uint64_t)out->int64);
      out->data = slot;
      return QE_OK;
    case LAYOUT_FLOAT:
      out->float64 = column->size == 4
                         ? (double)((const float *)(const void *)data)[row]
                         : ((const double *)(const void *)data)[row];
      return QE_OK;
    case LAYOUT_OFFSETS: return read_offsets(column, row, out, error);
    case LAYOUT_VIEW: return read_view(column, row, out, error);
    case LAYOUT_FIXED:
      return set_bytes(column, out, data + row * column->size, column->size, error);
    default:
      out->size = write_decimal(data + row * column->size, column->scale, slot);
      out->data = slot;
      return QE_OK;
  }
}

/* Batches. */

static int64_t buffers_of(const source *column) {
  switch (column->layout) {
    case LAYOUT_NULL: return 0;
    case LAYOUT_OFFSETS:
    case LAYOUT_VIEW: return 3;
    default: return 2;
  }
}

static qe_status bind(source *column, const struct ArrowArray *array, int64_t offset,
                      qe_error *error) {
  if (array->n_buffers < buffers_of(column) ||
      (column->dictionary && !array->dictionary)) {
    return qe__fail(error, QE_ERR_TYPE,
                    "Column `%.100s` has fewer buffers than its Arrow type needs",
                    column->name);
  }
  column->at = array;
  column->offset = array->offset + offset;
  if (!column->dictionary) return QE_OK;
  return bind(column->dictionary, array->dictionary, 0, error);
}

/* Gets the next batch that has rows; *is_end when there is none. */
static qe_status next_batch(qe_arrow_input *input, bool *is_end, qe_error *error) {
  struct ArrowArray *batch = &input->batch;
  qe_status status = QE_OK;

  *is_end = false;
  do {
    int code;

    if (batch->release) batch->release(batch);
    batch->release = NULL;
    code = input->stream.get_next(&input->stream, batch);
    if (code != 0) {
      batch->release = NULL;
      return stream_failed(input, code, error);
    }
    if (!batch->release) *is_end = true;
  } while (!*is_end && batch->length == 0);
  input->next_row = 0;
  if (*is_end) return QE_OK;
  if (batch->n_children != input->column_count || batch->null_count > 0) {
    return qe__fail(error, QE_ERR_TYPE,
                    "A batch of the Arrow stream is not one of its "
                    "schema's rows");
  }
  for (int32_t i = 0; i < input->column_count && status == QE_OK; i++) {
    status = bind(&input->columns[i], batch->children[i], batch->offset, error);
  }
  return status;
}

qe_status qe__arrow_input_read(qe_arrow_input *input, const int32_t *order,
                               qe_value *values, int64_t *row_count, qe_error *error) {
  int32_t count = input->column_count;
  qe_status status = QE_OK;
  bool is_end = false;
  int64_t rows;

  *row_count = 0;
  if (!input->batch.release || input->next_row == input->batch.length) {
    status = next_batch(input, &is_end, error);
    if (status != QE_OK || is_end) return status;
  }
  rows = input->batch.length - input->next_row;
  if (rows > QE_ARROW_ROWS) rows = QE_ARROW_ROWS;
  for (int64_t row = 0; row < rows; row++) {
    for (int32_t i = 0; i < count && status == QE_OK; i++) {
      const source *column = &input->columns[order[i]];
      char *slot = column->slots ? column->slots + row * SLOT_SIZE : NULL;

      status = read_value(column, column->offset + input->next_row, slot,
                          values + row * count + i, error);
    }
    if (status != QE_OK) break;
    input->next_row++;
    ++*row_count;
  }
  return *row_count > 0 ? QE_OK : status;
}
