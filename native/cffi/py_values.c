/* Values in: Python's objects as parameters. Bytes and text are not copied; the object
 * that has them is held for as long. */
#include "../src/qe_mem.h"
#include "../src/qe_temporal.h"
#include "py.h"

/* The bytes of datetime's objects, as py_types.c knows them. */
static int64_t read_date_state(const uint8_t *state) {
  return qe__days_from_civil(state[0] << 8 | state[1], state[2], state[3]);
}

static int64_t read_time_state(const uint8_t *state) {
  int64_t seconds = state[0] * INT64_C(3600) + state[1] * INT64_C(60) + state[2];
  return seconds * 1000000 + (state[3] << 16 | state[4] << 8 | state[5]);
}

bool qe__py_values_init(qe_values *out, int64_t count) {
  out->all = out->few;
  out->held = out->few_held;
  out->held_count = 0;
  if (count <= FEW_VALUES) return true;
  out->all = qe__zalloc((int64_t)sizeof(qe_value) * count);
  out->held = qe__zalloc((int64_t)sizeof(PyObject *) * count);
  if (out->all && out->held) return true;
  qe__free(out->all);
  qe__free(out->held);
  return false;
}

void qe__py_values_drop_held(qe_values *out) {
  while (out->held_count > 0) Py_DECREF(out->held[--out->held_count]);
}

void qe__py_values_clear(qe_values *out) {
  qe__py_values_drop_held(out);
  if (out->all == out->few) return;
  qe__free(out->all);
  qe__free(out->held);
}

/* Points the value at a bytes object's content and keeps the object; takes over the
 * reference. */
static bool read_bytes(qe_python *python, qe_values *out, qe_value *value,
                       qe_value_kind kind, PyObject *bytes) {
  char *data;
  Py_ssize_t size;

  out->held[out->held_count++] = bytes;
  if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0) return false;
  if (size > INT32_MAX) {
    qe__py_raise_status(python, QE_ERR_RANGE, "A parameter of %lld bytes is too large",
                        (long long)size);
    return false;
  }
  value->kind = (int32_t)kind;
  value->data = data;
  value->size = (int32_t)size;
  return true;
}

static bool read_text(qe_python *python, qe_values *out, qe_value *value,
                      PyObject *text) {
  PyObject *bytes = PyUnicode_AsUTF8String(text);

  if (bytes) return read_bytes(python, out, value, QE_VALUE_TEXT, bytes);
  if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
  PyErr_Clear();
  qe__py_raise_status(python, QE_ERR_ENCODING,
                      "A parameter holds a surrogate, which UTF-8 cannot express");
  return false;
}

static bool read_int(qe_python *python, qe_value *value, PyObject *number) {
  int overflow = 0;

  value->kind = QE_VALUE_INT64;
  value->int64 = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow) {
    qe__py_raise_status(python, QE_ERR_RANGE,
                        "An integer parameter is past the 64 bits a column can hold");
    return false;
  }
  return value->int64 != -1 || !PyErr_Occurred();
}

/* The types the database has; *is_known false for any other. */
static bool read_plain(qe_python *python, qe_values *out, qe_value *value,
                       PyObject *object, bool *is_known) {
  *is_known = true;
  /* The exact type first: in the limited API the others cost a call each. */
  if (PyLong_CheckExact(object)) return read_int(python, value, object);
  if (object == Py_True || object == Py_False) {
    value->kind = QE_VALUE_BOOLEAN;
    value->int64 = object == Py_True;
    return true;
  }
  if (PyLong_Check(object)) return read_int(python, value, object);
  if (PyUnicode_CheckExact(object) || PyUnicode_Check(object)) {
    return read_text(python, out, value, object);
  }
  if (PyFloat_CheckExact(object) || PyFloat_Check(object)) {
    value->kind = QE_VALUE_FLOAT64;
    value->float64 = PyFloat_AsDouble(object);
    return true;
  }
  if (object == Py_None) {
    value->kind = QE_VALUE_NULL;
    return true;
  }
  if (PyBytes_Check(object)) {
    Py_INCREF(object);
    return read_bytes(python, out, value, QE_VALUE_BLOB, object);
  }
  *is_known = false;
  return true;
}

/* Sets the value from the state of a date, time or datetime. */
static void read_state(const qe_python *python, qe_value *value,
                       const PyTypeObject *type, const uint8_t *state, bool is_zoned) {
  if (type == python->date.type) {
    value->kind = QE_VALUE_DATE;
    value->int64 = read_date_state(state);
  } else if (type == python->time.type) {
    value->kind = QE_VALUE_TIME;
    value->int64 = read_time_state(state);
  } else {
    value->kind = is_zoned ? QE_VALUE_TIMESTAMPTZ : QE_VALUE_TIMESTAMP;
    value->int64 =
        read_date_state(state) * QE_MICROSECONDS_PER_DAY + read_time_state(state + 4);
  }
}

/* Its pickled form has the class, and its state with perhaps a zone. */
static bool read_reduced(qe_python *python, qe_value *value, PyObject *object,
                         bool *is_known) {
  PyObject *reduced = PyObject_CallMethod(object, "__reduce_ex__", "i", 2);
  PyObject *state =
      reduced && PyTuple_Check(reduced) ? PyTuple_GetItem(reduced, 1) : NULL;
  PyObject *bytes = state && PyTuple_Check(state) ? PyTuple_GetItem(state, 0) : NULL;
  bool is_zoned;
  char *data;
  Py_ssize_t size;

  if (!bytes || PyBytes_AsStringAndSize(bytes, &data, &size) < 0) {
    Py_XDECREF(reduced);
    return false;
  }
  is_zoned = PyTuple_Size(state) > 1;
  *is_known = !is_zoned || (Py_TYPE(object) == python->timestamp.type &&
                            PyTuple_GetItem(state, 1) == python->utc);
  if (*is_known) {
    read_state(python, value, Py_TYPE(object), (const uint8_t *)data, is_zoned);
  }
  Py_DECREF(reduced);
  return true;
}

/* What a database with types of its own for dates and times is given as a number; false
 * with *is_known for any other object, or one whose zone needs Python. */
static bool read_temporal(qe_python *python, qe_value *value, PyObject *object,
                          bool *is_known) {
  PyTypeObject *type = Py_TYPE(object);
  const uint8_t *bytes = (const uint8_t *)object;
  bool is_zoned;

  *is_known = type == python->timestamp.type || type == python->date.type ||
              type == python->time.type;
  if (!*is_known) return true;
  if (!python->has_layout) return read_reduced(python, value, object, is_known);
  is_zoned = type != python->date.type && bytes[LAYOUT_HAS_ZONE];
  if (is_zoned) {
    *is_known = type == python->timestamp.type &&
                memcmp(bytes + LAYOUT_ZONE, &python->utc, sizeof python->utc) == 0;
  }
  if (*is_known) read_state(python, value, type, bytes + LAYOUT_STATE, is_zoned);
  return true;
}

bool qe__py_read_value(qe_python *python, qe_values *out, qe_value *value,
                       PyObject *object, uint32_t type) {
  bool is_known;
  bool is_read = read_plain(python, out, value, object, &is_known);
  PyObject *adapted;

  if (is_known && !is_read && type != 0 && PyLong_Check(object)) {
    /* Past 64 bits: as text it may still fit the database's own types. */
    PyErr_Clear();
    is_known = false;
  }
  if (is_known) return is_read;
  if (type != 0) {
    if (!qe__py_has_types(python)) return false;
    is_read = read_temporal(python, value, object, &is_known);
    if (is_known || !is_read) return is_read;
  }
  adapted =
      PyObject_CallFunction(python->hooks.adapt, "Ok", object, (unsigned long)type);
  if (!adapted) return false;
  is_read = read_plain(python, out, value, adapted, &is_known);
  Py_DECREF(adapted);
  if (!is_known) {
    PyErr_SetString(PyExc_SystemError, "adapt() gave a type that is not the engine's");
    return false;
  }
  return is_read;
}

/* The type of a parameter as the database numbers it, 0 where it has none. */
static uint32_t type_of(const qe_statement *statement, Py_ssize_t index) {
  return statement->parameter_types ? statement->parameter_types[index] : 0;
}

static bool check_count(qe_python *python, const qe_statement *statement,
                        Py_ssize_t given) {
  if (given == statement->parameter_count) return true;
  qe__py_raise_status(python, QE_ERR_PARAMETER,
                      "The statement takes %d parameters and was given %lld",
                      (int)statement->parameter_count, (long long)given);
  return false;
}

static bool read_mapping(qe_python *python, qe_values *out, qe_value *first,
                         const qe_statement *statement, PyObject *mapping) {
  for (int32_t i = 0; i < statement->parameter_count; i++) {
    const char *name = statement->parameter_names[i];
    PyObject *object;
    bool is_read;

    if (!name) {
      qe__py_raise_status(
          python, QE_ERR_PARAMETER,
          "Parameter %d of the statement has no name, and a mapping was given",
          (int)i + 1);
      return false;
    }
    object = PyMapping_GetItemString(mapping, name);
    if (!object) {
      if (!PyErr_ExceptionMatches(PyExc_KeyError)) return false;
      PyErr_Clear();
      qe__py_raise_status(python, QE_ERR_PARAMETER,
                          "The statement takes a parameter `%s`, which was not given",
                          name);
      return false;
    }
    is_read = qe__py_read_value(python, out, first + i, object, type_of(statement, i));
    Py_DECREF(object);
    if (!is_read) return false;
  }
  return true;
}

/* A tuple (borrowed items read in place) or a list, which another thread cannot change
 * while we hold the interpreter lock, but an adapter could: its items are held. */
static bool read_sequence(qe_python *python, qe_values *out, qe_value *first,
                          const qe_statement *statement, PyObject *sequence) {
  bool is_tuple = PyTuple_Check(sequence);
  Py_ssize_t count = is_tuple ? PyTuple_Size(sequence) : PyList_Size(sequence);

  if (!check_count(python, statement, count)) return false;
  for (Py_ssize_t i = 0; i < count; i++) {
    PyObject *object =
        is_tuple ? PyTuple_GetItem(sequence, i) : PyList_GetItem(sequence, i);
    bool is_read;

    if (!object) return false;
    Py_INCREF(object);
    is_read = qe__py_read_value(python, out, first + i, object, type_of(statement, i));
    Py_DECREF(object);
    if (!is_read) return false;
  }
  return true;
}

bool qe__py_read_row(qe_python *python, qe_values *out, qe_value *first,
                     const qe_statement *statement, PyObject *row) {
  PyObject *copy;
  bool is_read;

  if (PyTuple_Check(row) || PyList_Check(row)) {
    return read_sequence(python, out, first, statement, row);
  }
  if (row == Py_None) return check_count(python, statement, 0);
  if (PyDict_Check(row) || (PyMapping_Check(row) && !PySequence_Check(row))) {
    return read_mapping(python, out, first, statement, row);
  }
  if (PyUnicode_Check(row) || PyBytes_Check(row) || !PySequence_Check(row)) {
    /* A mapping that is also a sequence to PySequence_Check comes as far as here. */
    if (PyMapping_Check(row) && PyObject_HasAttrString(row, "keys")) {
      return read_mapping(python, out, first, statement, row);
    }
    qe__py_raise_status(
        python, QE_ERR_PARAMETER,
        "Parameters come as a sequence or a mapping, and were given as a "
        "single value");
    return false;
  }
  if (PyObject_HasAttrString(row, "keys")) {
    return read_mapping(python, out, first, statement, row);
  }
  copy = PySequence_Tuple(row);
  if (!copy) return false;
  is_read = read_sequence(python, out, first, statement, copy);
  Py_DECREF(copy);
  return is_read;
}

PyObject *qe__py_encode_sql(qe_python *python, PyObject *sql) {
  PyObject *bytes;

  if (!PyUnicode_Check(sql)) {
    return qe__py_raise_status(python, QE_ERR_MISUSE, "A statement has to be a str");
  }
  bytes = PyUnicode_AsUTF8String(sql);
  if (bytes || !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return bytes;
  PyErr_Clear();
  return qe__py_raise_status(
      python, QE_ERR_ENCODING,
      "The statement holds a surrogate, which UTF-8 cannot express");
}
