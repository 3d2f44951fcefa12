/* Values out: the rows of a batch as tuples.
 *
 * All that making a row takes is in this file, so that the compiler may put one
 * function into another. */
#include <assert.h>

#include "../src/qe_nested.h"
#include "../src/qe_temporal.h"
#include "py.h"

/* 0001-01-01 and 9999-12-31, what Python's dates can hold, from 1970-01-01. */
enum { DAYS_MIN = -719162, DAYS_MAX = 2932896 };

static PyObject *make(const qe_maker *from) {
  return from->make(from->type, from->arguments, NULL);
}

static void write_date(uint8_t *state, int32_t days) {
  int32_t year, month, day;

  qe__civil_from_days(days, &year, &month, &day);
  state[0] = (uint8_t)(year >> 8);
  state[1] = (uint8_t)year;
  state[2] = (uint8_t)month;
  state[3] = (uint8_t)day;
}

static void write_time(uint8_t *state, int64_t microseconds) {
  int32_t seconds = (int32_t)(microseconds / 1000000);
  int32_t fraction = (int32_t)(microseconds % 1000000);

  state[0] = (uint8_t)(seconds / 3600);
  state[1] = (uint8_t)(seconds / 60 % 60);
  state[2] = (uint8_t)(seconds % 60);
  state[3] = (uint8_t)(fraction >> 16);
  state[4] = (uint8_t)(fraction >> 8);
  state[5] = (uint8_t)fraction;
}

static PyObject *make_timestamp(qe_python *python, qe_type type, int64_t microseconds) {
  const qe_maker *from =
      type == QE_TYPE_TIMESTAMPTZ ? &python->timestamptz : &python->timestamp;
  int64_t days = microseconds / QE_MICROSECONDS_PER_DAY;
  int64_t clock = microseconds % QE_MICROSECONDS_PER_DAY;

  if (!qe__py_has_types(python)) return NULL;
  if (clock < 0) {
    clock += QE_MICROSECONDS_PER_DAY;
    days--;
  }
  write_date(from->state, (int32_t)days);
  write_time(from->state + 4, clock);
  return make(from);
}

/* What Python's classes cannot hold (years before 1 and after 9999, infinities, 24:00)
 * is the hook's, as the number it is kept as. */
static PyObject *make_beyond(const qe_reader *self, int32_t index, int64_t row,
                             int64_t value) {
  const qe_column_meta *meta = &self->statement->columns[index];

  return PyObject_CallFunction(self->python->hooks.convert, "LisL", (long long)value,
                               (int)meta->type, meta->name,
                               (long long)(self->row_offset + row + 1));
}

static bool is_beyond(qe_kind kind, int64_t value) {
  switch (kind) {
    case QE_KIND_DATE: return value < DAYS_MIN || value > DAYS_MAX;
    case QE_KIND_TIME: return value < 0 || value >= QE_MICROSECONDS_PER_DAY;
    default: return value < QE_TIMESTAMP_MIN || value > QE_TIMESTAMP_MAX;
  }
}

static PyObject *make_date(qe_python *python, int32_t days) {
  if (!qe__py_has_types(python)) return NULL;
  write_date(python->date.state, days);
  return make(&python->date);
}

static PyObject *make_time(qe_python *python, int64_t microseconds) {
  if (!qe__py_has_types(python)) return NULL;
  write_time(python->time.state, microseconds);
  return make(&python->time);
}

static PyObject *make_text(const qe_reader *self, int32_t index, int64_t row) {
  const qe_column *column = &self->statement->batch.columns[index];
  int64_t size;
  const uint8_t *data = qe__column_bytes(column, row, &size);
  PyObject *text = PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)size, NULL);

  if (text || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) return text;
  PyErr_Clear();
  return qe__py_raise_status(
      self->python, QE_ERR_ENCODING,
      "Row %lld of column `%s` holds text that is not UTF-8 from byte "
      "%lld on",
      (long long)(self->row_offset + row + 1), self->statement->columns[index].name,
      (long long)qe__utf8_fault(data, size));
}

static PyObject *make_blob(const qe_column *column, int64_t row) {
  int64_t size;
  const uint8_t *data = qe__column_bytes(column, row, &size);
  return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
}

/* The value as its kind has it, whatever the column was declared to hold. */
static PyObject *make_plain(const qe_reader *self, int32_t index, int64_t row,
                            qe_kind kind) {
  const qe_column *column = &self->statement->batch.columns[index];
  int64_t value;

  switch (kind) {
    case QE_KIND_INT64: return PyLong_FromLongLong(qe__column_int64(column, row));
    case QE_KIND_FLOAT64: return PyFloat_FromDouble(qe__column_float64(column, row));
    case QE_KIND_TEXT: return make_text(self, index, row);
    case QE_KIND_BLOB: return make_blob(column, row);
    case QE_KIND_BOOLEAN:
      /* A mixed column has its booleans 8 bytes wide. */
      return PyBool_FromLong(column->kind == QE_KIND_MIXED
                                 ? qe__column_int64(column, row) != 0
                                 : qe__column_bit(column, row));
    case QE_KIND_DATE:
      value = column->kind == QE_KIND_MIXED ? qe__column_int64(column, row)
                                            : qe__column_int32(column, row);
      if (is_beyond(kind, value)) return make_beyond(self, index, row, value);
      return make_date(self->python, (int32_t)value);
    case QE_KIND_TIME:
      value = qe__column_int64(column, row);
      if (is_beyond(kind, value)) return make_beyond(self, index, row, value);
      return make_time(self->python, value);
    case QE_KIND_TIMESTAMP:
      value = qe__column_int64(column, row);
      if (is_beyond(kind, value)) return make_beyond(self, index, row, value);
      return make_timestamp(self->python, column->type, value);
    default: Py_INCREF(Py_None); return Py_None;
  }
}

static PyObject *make_decimal(const qe_reader *self, PyObject *plain) {
  PyObject *decimal = NULL;
  /* Decimal(0.1) would show the binary digits; Decimal("0.1") is what was meant. */
  PyObject *source = PyFloat_Check(plain) ? PyObject_Str(plain) : NULL;

  if (PyFloat_Check(plain) && !source) return NULL;
  if (qe__py_has_types(self->python)) {
    decimal = PyObject_CallFunctionObjArgs(self->python->decimal,
                                           source ? source : plain, NULL);
  }
  Py_XDECREF(source);
  return decimal;
}

static PyObject *convert(const qe_reader *self, const qe_column_meta *meta, int64_t row,
                         PyObject *plain) {
  return PyObject_CallFunction(self->python->hooks.convert, "OisL", plain,
                               (int)meta->type, meta->name,
                               (long long)(self->row_offset + row + 1));
}

static bool load_uuid(qe_uuid_parts *out) {
  PyObject *module = PyImport_ImportModule("uuid");
  PyObject *type = module ? PyObject_GetAttrString(module, "UUID") : NULL;
  PyObject *safety = type ? PyObject_GetAttrString(module, "SafeUUID") : NULL;

  if (safety) {
    out->type = (PyTypeObject *)type;
    out->make = (newfunc)PyType_GetSlot(out->type, Py_tp_new);
    if (!out->arguments) out->arguments = PyTuple_New(0);
    if (!out->number) out->number = PyUnicode_InternFromString("int");
    if (!out->safety) out->safety = PyUnicode_InternFromString("is_safe");
  }
  if (safety && out->make && out->arguments && out->number && out->safety) {
    out->unknown = PyObject_GetAttrString(safety, "unknown");
  }
  if (!out->unknown) Py_XDECREF(type);
  Py_XDECREF(safety);
  Py_XDECREF(module);
  return out->unknown != NULL;
}

/* The class forbids setting its attributes, which its constructor gets round likewise.
 */
static PyObject *make_uuid(qe_python *python, const uint8_t *data) {
  static const char DIGITS[] = "0123456789abcdef";
  const qe_uuid_parts *parts = &python->uuid;
  char text[2 * QE_UUID_SIZE + 1];
  PyObject *number, *uuid;

  if (!QE_LIKELY(parts->unknown != NULL) && !load_uuid(&python->uuid)) return NULL;
  for (int i = 0; i < QE_UUID_SIZE; i++) {
    text[2 * i] = DIGITS[data[i] >> 4];
    text[2 * i + 1] = DIGITS[data[i] & 15];
  }
  text[2 * QE_UUID_SIZE] = '\0';
  number = PyLong_FromString(text, NULL, 16);
  uuid = number ? parts->make(parts->type, parts->arguments, NULL) : NULL;
  if (uuid && (PyObject_GenericSetAttr(uuid, parts->number, number) < 0 ||
               PyObject_GenericSetAttr(uuid, parts->safety, parts->unknown) < 0)) {
    Py_CLEAR(uuid);
  }
  Py_XDECREF(number);
  return uuid;
}

static bool load_scan(qe_python *python) {
  PyObject *module = PyImport_ImportModule("json.decoder");
  PyObject *decoder = module ? PyObject_CallMethod(module, "JSONDecoder", NULL) : NULL;

  if (!python->zero) python->zero = PyLong_FromLong(0);
  if (decoder && python->zero) {
    python->scan = PyObject_GetAttrString(decoder, "scan_once");
  }
  Py_XDECREF(decoder);
  Py_XDECREF(module);
  return python->scan != NULL;
}

/* With the scanner that json.loads() would call in the end. NULL without an exception
 * where that does not take the whole text at once, as with blanks around it. */
static PyObject *make_json(qe_python *python, PyObject *text) {
  PyObject *found, *value = NULL;

  if (!QE_LIKELY(python->scan != NULL) && !load_scan(python)) return NULL;
  found = PyObject_CallFunctionObjArgs(python->scan, text, python->zero, NULL);
  if (!found) {
    if (PyErr_ExceptionMatches(PyExc_Exception)) PyErr_Clear();
    return NULL;
  }
  if (PyLong_AsSsize_t(PyTuple_GetItem(found, 1)) == PyUnicode_GetLength(text)) {
    value = PyTuple_GetItem(found, 0);
    Py_INCREF(value);
  }
  Py_DECREF(found);
  return value;
}

/* What makes values of the type, borrowed; NULL with an exception. */
static PyObject *maker_for(qe_python *python, qe_type type) {
  if (!python->makers[type]) {
    python->makers[type] =
        PyObject_CallFunction(python->hooks.maker_of, "i", (int)type);
  }
  return python->makers[type];
}

/* With a maker that knows nothing of rows; what it refuses convert() refuses too, and
 * says where. */
static PyObject *make_with_maker(const qe_reader *self, const qe_column_meta *meta,
                                 int64_t row, PyObject *plain) {
  PyObject *maker = maker_for(self->python, meta->type);
  PyObject *value = maker ? PyObject_CallFunctionObjArgs(maker, plain, NULL) : NULL;

  if (value || !PyErr_ExceptionMatches(PyExc_Exception)) return value;
  PyErr_Clear();
  return convert(self, meta, row, plain);
}

/* A value in a column declared to hold another type: a number in a DECIMAL is made
 * one; text with a zone in a TIMESTAMP, and anything that does not fit, is the hook's.
 */
static PyObject *make_declared(const qe_reader *self, int32_t index, int64_t row,
                               qe_kind kind) {
  const qe_column_meta *meta = &self->statement->columns[index];
  PyObject *plain, *value;

  if (meta->type == QE_TYPE_UUID && kind == QE_KIND_BLOB) {
    int64_t size;
    const uint8_t *data =
        qe__column_bytes(&self->statement->batch.columns[index], row, &size);

    assert(size == QE_UUID_SIZE);
    return make_uuid(self->python, data);
  }
  plain = make_plain(self, index, row, kind);
  if (!plain || plain == Py_None) return plain;
  if (self->python->hooks.maker_of != Py_None) {
    value = meta->type == QE_TYPE_JSON ? make_json(self->python, plain) : NULL;
    if (!value && !PyErr_Occurred()) value = make_with_maker(self, meta, row, plain);
  } else if (meta->type == QE_TYPE_DECIMAL && kind != QE_KIND_TEXT &&
             kind != QE_KIND_BLOB) {
    value = make_decimal(self, plain);
  } else {
    value = convert(self, meta, row, plain);
  }
  Py_DECREF(plain);
  return value;
}

static bool is_as_declared(qe_type type, qe_kind kind) {
  return type <= QE_TYPE_BLOB || kind == QE_KIND_NULL ||
         (kind >= QE_KIND_BOOLEAN && kind <= QE_KIND_TIMESTAMP);
}

static QE_NOINLINE PyObject *make_unusual(const qe_reader *self, int32_t index,
                                          int64_t row) {
  const qe_column *column = &self->statement->batch.columns[index];
  qe_kind kind =
      column->kind == QE_KIND_MIXED ? (qe_kind)column->kinds[row] : column->kind;

  return is_as_declared(column->type, kind) ? make_plain(self, index, row, kind)
                                            : make_declared(self, index, row, kind);
}

static inline PyObject *make_value(const qe_reader *self, int32_t index, int64_t row) {
  const qe_column *column = &self->statement->batch.columns[index];

  if (column->kind == QE_KIND_NULL || qe__column_is_null(column, row)) {
    Py_INCREF(Py_None);
    return Py_None;
  }
  if (column->kind == QE_KIND_MIXED || !is_as_declared(column->type, column->kind)) {
    return make_unusual(self, index, row);
  }
  return make_plain(self, index, row, column->kind);
}

/* A tuple of few values in one call: PyTuple_SetItem() for each, the only other way the
 * limited API has, takes a third longer. Takes over the references. */
static PyObject *pack_few(PyObject **v, int32_t count) {
  PyObject *tuple = NULL;

  switch (count) {
    case 1: tuple = PyTuple_Pack(1, v[0]); break;
    case 2: tuple = PyTuple_Pack(2, v[0], v[1]); break;
    case 3: tuple = PyTuple_Pack(3, v[0], v[1], v[2]); break;
    case 4: tuple = PyTuple_Pack(4, v[0], v[1], v[2], v[3]); break;
    case 5: tuple = PyTuple_Pack(5, v[0], v[1], v[2], v[3], v[4]); break;
    case 6: tuple = PyTuple_Pack(6, v[0], v[1], v[2], v[3], v[4], v[5]); break;
    case 7: tuple = PyTuple_Pack(7, v[0], v[1], v[2], v[3], v[4], v[5], v[6]); break;
    default: tuple = PyTuple_Pack(8, v[0], v[1], v[2], v[3], v[4], v[5], v[6], v[7]);
  }
  for (int32_t i = 0; i < count; i++) Py_DECREF(v[i]);
  return tuple;
}

enum { PACKED_VALUES = 8 };

static PyObject *make_few(const qe_reader *self, int64_t row, int32_t count) {
  PyObject *made[PACKED_VALUES];

  for (int32_t i = 0; i < count; i++) {
    made[i] = make_value(self, i, row);
    if (made[i]) continue;
    while (i > 0) Py_DECREF(made[--i]);
    return NULL;
  }
  return pack_few(made, count);
}

static PyObject *make_many(const qe_reader *self, int64_t row, int32_t count) {
  PyObject *tuple = PyTuple_New(count);

  for (int32_t i = 0; tuple && i < count; i++) {
    PyObject *value = make_value(self, i, row);
    if (value) {
      PyTuple_SetItem(tuple, i, value);
    } else {
      Py_DECREF(tuple);
      tuple = NULL;
    }
  }
  return tuple;
}

PyObject *qe__py_make_row(const qe_reader *self, int64_t row) {
  int32_t count = self->statement->column_count;
  PyObject *tuple =
      count <= PACKED_VALUES ? make_few(self, row, count) : make_many(self, row, count);

  /* A row of values that refer to nothing can never be part of a cycle, and the
   * collector need not look at it; it would find that out itself later. */
  if (tuple && !self->statement->has_containers) PyObject_GC_UnTrack(tuple);
  return tuple;
}

bool qe__py_append_rows(qe_reader *self, PyObject *list, int64_t most) {
  int64_t count = self->statement->batch.row_count - self->position;
  PyObject *part;
  int status;

  if (count > most) count = most;
  part = PyList_New((Py_ssize_t)count);
  if (!part) return false;
  for (int64_t i = 0; i < count; i++) {
    PyObject *row = qe__py_make_row(self, self->position + i);
    if (!row) {
      Py_DECREF(part);
      return false;
    }
    PyList_SetItem(part, (Py_ssize_t)i, row);
  }
  self->position += count;
  status = PyList_SetSlice(list, PY_SSIZE_T_MAX, PY_SSIZE_T_MAX, part);
  Py_DECREF(part);
  return status == 0;
}
