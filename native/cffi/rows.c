/* The one file that knows Python: values in, rows out.
 *
 * cffi calls cost little, but building a row needs the interpreter for every value, so
 * what happens most, running a statement and reading its rows, is done by Python
 * objects made here: a Session for each connection, a Reader for each cursor.
 * Everything is of the limited API of CPython 3.9, so one binary serves every later
 * version. Errors are made by a hook, because the exception classes are Python's.
 *
 * The interpreter lock is let go around every call that may wait or work long. What
 * then keeps a second thread out is the connection's busy mark, and a Reader's own.
 *
 * Longer than a file of ours should be, because the rule that only one C file includes
 * Python.h is worth more: it is what keeps every other file testable without Python. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>

#include "../src/qe_arrow.h"
#include "../src/qe_backend.h"
#include "../src/qe_error.h"
#include "../src/qe_mem.h"
#include "../src/qe_nested.h"
#include "../src/qe_temporal.h"
#include "../src/qe_wait.h"
#include "../src/qe_worker.h"

/* Rows read when a statement starts: one round for most queries. Then batches that
 * stay in the processor's cache while rows are made of them. */
enum { FIRST_ROWS = 64, NEXT_ROWS = 512 };
/* When fetchall() has come this far and the result goes on, a second thread reads the
 * following batches while rows are made of the last; each is large enough that handing
 * it over costs nothing. */
enum { AHEAD_AFTER = 4096, AHEAD_ROWS = 2048 };
/* 0001-01-01 and 9999-12-31, what Python's dates can hold, from 1970-01-01. */
enum { DAYS_MIN = -719162, DAYS_MAX = 2932896 };
/* Rows of parameters bound in one go, without the interpreter lock. */
enum { PARAMETER_ROWS = 1024 };
/* How long to wait for the second thread before looking for signals. */
enum { SLICE_MS = 20 };
/* Parameters that need no memory of their own. */
enum { FEW_VALUES = 32 };

/* Callables of the package, in the order of the tuple given to qe_python_new(). */
typedef struct hooks {
  /* (status, native_code, sqlstate, position, message, sql, row, diagnostics,
   * was_sent) -> exception */
  PyObject *make_error;
  /* (object, the parameter's type as the database numbers it, or 0) -> int, float, str,
   * bytes or None; raises for what it cannot adapt */
  PyObject *adapt;
  /* (value, type, column name, row number) -> object; raises if value is not of type */
  PyObject *convert;
  /* (type) -> (value as its column keeps it) -> object, where convert() does no more
   * than that; or None */
  PyObject *maker_of;
  /* () -> (datetime, date, time, UTC, Decimal), called when first needed */
  PyObject *load_types;
  /* the main thread's identifier, an int */
  PyObject *main_thread;
} hooks;

/* The shortest way into one of datetime's classes: its constructor, called straight,
 * with the bytes that its pickles hold. */
typedef struct maker {
  newfunc make;
  PyTypeObject *type;
  PyObject *arguments; /* (state,) or (state, zone) */
  uint8_t *state;      /* the content of the bytes object in them */
} maker;

/* What a UUID is made of: its class's constructor spends its time on finding out which
 * of six ways it was called. */
typedef struct uuid_parts {
  newfunc make;
  PyTypeObject *type;
  PyObject *arguments;       /* none */
  PyObject *number, *safety; /* the names of its attributes */
  PyObject *unknown;         /* the safety of one that did not come from the system */
} uuid_parts;

struct qe_python {
  hooks hooks;
  unsigned long main_thread;
  PyTypeObject *session_type;
  PyTypeObject *reader_type;
  PyTypeObject *copier_type;
  maker timestamp, timestamptz, date, time; /* ready once decimal is there */
  PyObject *utc;
  PyObject *decimal; /* NULL until load_types was asked */
  uuid_parts uuid;   /* ready once unknown is there */
  PyObject *scan;    /* json's (text, index) -> (value, end); NULL until needed */
  PyObject *zero;
  bool has_layout; /* datetime's objects are laid out as expected */
  PyObject *makers[QE_TYPE_NESTED + 1]; /* by qe_type; NULL until maker_of was asked */
};

typedef struct session {
  PyObject_HEAD;
  qe_python *python;
  qe_connection *connection; /* a reference */
} session;

typedef struct reader {
  PyObject_HEAD;
  qe_python *python;
  qe_connection *connection; /* a reference */
  PyObject *sql;             /* the text last run, or NULL */
  qe_statement *statement;   /* made of it and lent to us; NULL when given back */
  PyObject *columns;         /* of a result that became a stream, else NULL */
  int64_t position;          /* of the next row in the batch */
  int64_t row_offset;        /* rows before the batch */
  int64_t changes, last_row_id;
  PyObject *parameters; /* of a run whose statement is being prepared, or NULL */
  enum { STAGE_IDLE, STAGE_PREPARE, STAGE_FIRST } stage; /* where resume() goes on */
  bool has_result; /* rows may be asked for, also when there are no more */
  bool is_busy;    /* a thread is in one of our calls without the interpreter lock */
} reader;

/* In place of a status: an exception was raised. */
#define RAISED QE_ERR_MISUSE

/* Errors. */

/* What the server said with its refusal, or None. */
static PyObject *read_diagnostics(const qe_connection *connection,
                                  const qe_error *error) {
  bool has_said =
      connection &&
      (error->status == QE_ERR_DATABASE || error->status == QE_ERR_CONNECTION) &&
      connection->diagnostics.size > 0;

  return has_said
             ? PyBytes_FromStringAndSize((const char *)connection->diagnostics.data,
                                         (Py_ssize_t)connection->diagnostics.size)
             : Py_BuildValue("");
}

/* Raises what the error says, unless an exception (from a signal) is already there.
 * connection and sql may be NULL; row counts parameter rows from 1, 0 where there is
 * none. */
static PyObject *raise_error(qe_python *python, const qe_connection *connection,
                             const qe_error *error, PyObject *sql, int64_t row) {
  PyObject *exception, *diagnostics;

  if (PyErr_Occurred()) return NULL;
  diagnostics = read_diagnostics(connection, error);
  if (!diagnostics) return NULL;
  exception = PyObject_CallFunction(python->hooks.make_error, "iisLsOLOO",
                                    (int)error->status, (int)error->native_code,
                                    error->sqlstate, (long long)error->position,
                                    error->message, sql ? sql : Py_None, (long long)row,
                                    diagnostics, error->was_sent ? Py_True : Py_False);
  Py_DECREF(diagnostics);
  if (!exception) return NULL;
  PyErr_SetObject((PyObject *)Py_TYPE(exception), exception);
  Py_DECREF(exception);
  return NULL;
}

static PyObject *raise_status(qe_python *python, qe_status status, const char *format,
                              ...) QE_PRINTF(3, 4);

static PyObject *raise_status(qe_python *python, qe_status status, const char *format,
                              ...) {
  qe_error error;
  va_list arguments;

  qe__error_clear(&error);
  error.status = (int32_t)status;
  va_start(arguments, format);
  (void)vsnprintf(error.message, sizeof error.message, format, arguments);
  va_end(arguments);
  return raise_error(python, NULL, &error, NULL, 0);
}

/* Asked by the engine during long work on the main thread, where Python's signal
 * handlers run. An exception they raise stays with this thread. */
static bool check_signals(void *context) {
  PyGILState_STATE state = PyGILState_Ensure();
  bool goes_on = PyErr_CheckSignals() == 0;

  (void)context;
  PyGILState_Release(state);
  return goes_on;
}

/* Inside the connection; qe__connection_leave() takes it away again. */
static void set_pulse(qe_python *python, qe_connection *connection) {
  if (PyThread_get_thread_ident() == python->main_thread) {
    connection->pulse = check_signals;
  }
}

/* Python's own classes, and the bytes that their objects are made of. */

/* Where load_types has what. */
enum { TYPE_DATETIME, TYPE_DATE, TYPE_TIME, TYPE_UTC, TYPE_DECIMAL };

/* What PyType_GetSlot() cannot give: before 3.10 it knows no type like datetime's. */
static PyObject *call_type(PyTypeObject *type, PyObject *arguments, PyObject *names) {
  return PyObject_Call((PyObject *)type, arguments, names);
}

/* Readies a maker for objects whose pickled state has so many bytes. The bytes object
 * is ours alone: only the constructor sees it, and it copies. */
static bool maker_init(maker *out, PyObject *type, Py_ssize_t size, PyObject *zone) {
  PyObject *state = PyBytes_FromStringAndSize(NULL, size);

  if (!state) return false;
  out->arguments = zone ? PyTuple_Pack(2, state, zone) : PyTuple_Pack(1, state);
  out->state = (uint8_t *)PyBytes_AsString(state);
  out->type = (PyTypeObject *)type;
  out->make = (newfunc)PyType_GetSlot(out->type, Py_tp_new);
  if (!out->make) {
    PyErr_Clear();
    out->make = call_type;
  }
  Py_DECREF(state);
  return out->arguments != NULL;
}

/* Where CPython has what in the objects of datetime, in all its versions so far: behind
 * the head a hash, whether there is a zone, the state, and the zone at the end. */
enum {
  LAYOUT_HAS_ZONE = sizeof(PyObject) + sizeof(Py_hash_t),
  LAYOUT_STATE,
  LAYOUT_ZONE = LAYOUT_HAS_ZONE + 16
};

static bool has_size(PyTypeObject *type, long wanted) {
  PyObject *size = PyObject_GetAttrString((PyObject *)type, "__basicsize__");
  bool is_wanted = size && PyLong_AsLong(size) == wanted;

  Py_XDECREF(size);
  PyErr_Clear();
  return is_wanted;
}

/* Whether an object made now has its state and zone there. */
static bool is_laid_out(const maker *from, PyObject *zone, size_t size) {
  PyObject *object;
  const uint8_t *bytes;
  bool is_so;

  memcpy(from->state, "\x07\xE5\x0B\x0C\x0D\x0E\x0F\x01\x02\x03", size);
  if (size == 6) memcpy(from->state, "\x11\x12\x13\x01\x02\x03", size);
  object = from->make(from->type, from->arguments, NULL);
  bytes = (const uint8_t *)object;
  is_so = object && bytes[LAYOUT_HAS_ZONE] == (zone != NULL) &&
          memcmp(bytes + LAYOUT_STATE, from->state, size) == 0 &&
          (!zone || memcmp(bytes + LAYOUT_ZONE, &zone, sizeof zone) == 0);
  Py_XDECREF(object);
  PyErr_Clear();
  return is_so;
}

/* Reading a datetime through its methods takes ten times as long as all else that is
 * done with it. The limited API promises nothing of its memory, so it is looked at once
 * whether things are where they always were; if not, the methods are what is left. */
static bool knows_layout(const qe_python *python, PyObject *utc) {
  return has_size(python->timestamp.type, LAYOUT_ZONE + (long)sizeof utc) &&
         has_size(python->date.type, LAYOUT_HAS_ZONE + 8) &&
         has_size(python->time.type, LAYOUT_HAS_ZONE + 16) &&
         is_laid_out(&python->timestamp, NULL, 10) &&
         is_laid_out(&python->timestamptz, utc, 10) &&
         is_laid_out(&python->date, NULL, 4) && is_laid_out(&python->time, NULL, 6);
}

static bool load_types(qe_python *python) {
  PyObject *types = PyObject_CallFunctionObjArgs(python->hooks.load_types, NULL);
  PyObject *datetime = types ? PyTuple_GetItem(types, TYPE_DATETIME) : NULL;
  bool is_loaded =
      types && maker_init(&python->timestamp, datetime, 10, NULL) &&
      maker_init(&python->timestamptz, datetime, 10,
                 PyTuple_GetItem(types, TYPE_UTC)) &&
      maker_init(&python->date, PyTuple_GetItem(types, TYPE_DATE), 4, NULL) &&
      maker_init(&python->time, PyTuple_GetItem(types, TYPE_TIME), 6, NULL);

  if (is_loaded) {
    python->utc = PyTuple_GetItem(types, TYPE_UTC);
    python->has_layout = knows_layout(python, python->utc);
    python->decimal = PyTuple_GetItem(types, TYPE_DECIMAL);
  }
  /* On success the reference stays for as long as the process lives. */
  if (!is_loaded) Py_XDECREF(types);
  return is_loaded;
}

static inline bool has_types(qe_python *python) {
  return QE_LIKELY(python->decimal != NULL) || load_types(python);
}

/* The same bytes, read. */
static int64_t read_date_state(const uint8_t *state) {
  return qe__days_from_civil(state[0] << 8 | state[1], state[2], state[3]);
}

static int64_t read_time_state(const uint8_t *state) {
  int64_t seconds = state[0] * INT64_C(3600) + state[1] * INT64_C(60) + state[2];
  return seconds * 1000000 + (state[3] << 16 | state[4] << 8 | state[5]);
}

/* Values in. */

typedef struct values {
  qe_value few[FEW_VALUES];
  PyObject *few_held[FEW_VALUES];
  qe_value *all;   /* few, or owned */
  PyObject **held; /* likewise: objects whose bytes the values point to */
  int64_t held_count;
} values;

static bool values_init(values *out, int64_t count) {
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

static void values_drop_held(values *out) {
  while (out->held_count > 0) Py_DECREF(out->held[--out->held_count]);
}

static void values_clear(values *out) {
  values_drop_held(out);
  if (out->all == out->few) return;
  qe__free(out->all);
  qe__free(out->held);
}

/* Points the value at a bytes object's content and keeps the object; takes over the
 * reference. */
static bool read_bytes(qe_python *python, values *out, qe_value *value,
                       qe_value_kind kind, PyObject *bytes) {
  char *data;
  Py_ssize_t size;

  out->held[out->held_count++] = bytes;
  if (PyBytes_AsStringAndSize(bytes, &data, &size) < 0) return false;
  if (size > INT32_MAX) {
    raise_status(python, QE_ERR_RANGE, "A parameter of %lld bytes is too large",
                 (long long)size);
    return false;
  }
  value->kind = (int32_t)kind;
  value->data = data;
  value->size = (int32_t)size;
  return true;
}

static bool read_text(qe_python *python, values *out, qe_value *value, PyObject *text) {
  PyObject *bytes = PyUnicode_AsUTF8String(text);

  if (bytes) return read_bytes(python, out, value, QE_VALUE_TEXT, bytes);
  if (!PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return false;
  PyErr_Clear();
  raise_status(python, QE_ERR_ENCODING,
               "A parameter holds a surrogate, which UTF-8 cannot express");
  return false;
}

static bool read_int(qe_python *python, qe_value *value, PyObject *number) {
  int overflow = 0;

  value->kind = QE_VALUE_INT64;
  value->int64 = PyLong_AsLongLongAndOverflow(number, &overflow);
  if (overflow) {
    raise_status(python, QE_ERR_RANGE,
                 "An integer parameter is past the 64 bits a column can hold");
    return false;
  }
  return value->int64 != -1 || !PyErr_Occurred();
}

/* The types the database has; *is_known false for any other. */
static bool read_plain(qe_python *python, values *out, qe_value *value,
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

/* type is the parameter's, as the database numbers it; 0 where it has none. */
static bool read_value(qe_python *python, values *out, qe_value *value,
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
    if (!has_types(python)) return false;
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
  raise_status(python, QE_ERR_PARAMETER,
               "The statement takes %d parameters and was given %lld",
               (int)statement->parameter_count, (long long)given);
  return false;
}

static bool read_mapping(qe_python *python, values *out, qe_value *first,
                         const qe_statement *statement, PyObject *mapping) {
  for (int32_t i = 0; i < statement->parameter_count; i++) {
    const char *name = statement->parameter_names[i];
    PyObject *object;
    bool is_read;

    if (!name) {
      raise_status(python, QE_ERR_PARAMETER,
                   "Parameter %d of the statement has no name, and a mapping was given",
                   (int)i + 1);
      return false;
    }
    object = PyMapping_GetItemString(mapping, name);
    if (!object) {
      if (!PyErr_ExceptionMatches(PyExc_KeyError)) return false;
      PyErr_Clear();
      raise_status(python, QE_ERR_PARAMETER,
                   "The statement takes a parameter `%s`, which was not given", name);
      return false;
    }
    is_read = read_value(python, out, first + i, object, type_of(statement, i));
    Py_DECREF(object);
    if (!is_read) return false;
  }
  return true;
}

/* A tuple (borrowed items read in place) or a list, which another thread cannot change
 * while we hold the interpreter lock, but an adapter could: its items are held. */
static bool read_sequence(qe_python *python, values *out, qe_value *first,
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
    is_read = read_value(python, out, first + i, object, type_of(statement, i));
    Py_DECREF(object);
    if (!is_read) return false;
  }
  return true;
}

/* Reads one row of parameters: a sequence, or a mapping for named ones. */
static bool read_row(qe_python *python, values *out, qe_value *first,
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
    raise_status(python, QE_ERR_PARAMETER,
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

/* CPython calls such a function without making a tuple of its arguments. 3.9 does so
 * too, though its headers offer it to the limited API only from 3.10 on. */
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif
#define FAST(method) ((PyCFunction)(void (*)(void))(method))

static bool takes_two(Py_ssize_t count) {
  if (count == 2) return true;
  PyErr_SetString(PyExc_TypeError, "Two arguments are needed");
  return false;
}

/* The text's UTF-8 as a new bytes object. */
static PyObject *encode_sql(qe_python *python, PyObject *sql) {
  PyObject *bytes;

  if (!PyUnicode_Check(sql)) {
    return raise_status(python, QE_ERR_MISUSE, "A statement has to be a str");
  }
  bytes = PyUnicode_AsUTF8String(sql);
  if (bytes || !PyErr_ExceptionMatches(PyExc_UnicodeEncodeError)) return bytes;
  PyErr_Clear();
  return raise_status(python, QE_ERR_ENCODING,
                      "The statement holds a surrogate, which UTF-8 cannot express");
}

/* Values out. */

static PyObject *make(const maker *from) {
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
  const maker *from =
      type == QE_TYPE_TIMESTAMPTZ ? &python->timestamptz : &python->timestamp;
  int64_t days = microseconds / QE_MICROSECONDS_PER_DAY;
  int64_t clock = microseconds % QE_MICROSECONDS_PER_DAY;

  if (!has_types(python)) return NULL;
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
static PyObject *make_beyond(const reader *self, int32_t index, int64_t row,
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
  if (!has_types(python)) return NULL;
  write_date(python->date.state, days);
  return make(&python->date);
}

static PyObject *make_time(qe_python *python, int64_t microseconds) {
  if (!has_types(python)) return NULL;
  write_time(python->time.state, microseconds);
  return make(&python->time);
}

static PyObject *make_text(const reader *self, int32_t index, int64_t row) {
  const qe_column *column = &self->statement->batch.columns[index];
  int64_t size;
  const uint8_t *data = qe__column_bytes(column, row, &size);
  PyObject *text = PyUnicode_DecodeUTF8((const char *)data, (Py_ssize_t)size, NULL);

  if (text || !PyErr_ExceptionMatches(PyExc_UnicodeDecodeError)) return text;
  PyErr_Clear();
  return raise_status(self->python, QE_ERR_ENCODING,
                      "Row %lld of column `%s` holds text that is not UTF-8 from byte "
                      "%lld on",
                      (long long)(self->row_offset + row + 1),
                      self->statement->columns[index].name,
                      (long long)qe__utf8_fault(data, size));
}

static PyObject *make_blob(const qe_column *column, int64_t row) {
  int64_t size;
  const uint8_t *data = qe__column_bytes(column, row, &size);
  return PyBytes_FromStringAndSize((const char *)data, (Py_ssize_t)size);
}

/* The value as its kind has it, whatever the column was declared to hold. */
static PyObject *make_plain(const reader *self, int32_t index, int64_t row,
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

static PyObject *make_decimal(const reader *self, PyObject *plain) {
  PyObject *decimal = NULL;
  /* Decimal(0.1) would show the binary digits; Decimal("0.1") is what was meant. */
  PyObject *source = PyFloat_Check(plain) ? PyObject_Str(plain) : NULL;

  if (PyFloat_Check(plain) && !source) return NULL;
  if (has_types(self->python)) {
    decimal = PyObject_CallFunctionObjArgs(self->python->decimal,
                                           source ? source : plain, NULL);
  }
  Py_XDECREF(source);
  return decimal;
}

static PyObject *convert(const reader *self, const qe_column_meta *meta, int64_t row,
                         PyObject *plain) {
  return PyObject_CallFunction(self->python->hooks.convert, "OisL", plain,
                               (int)meta->type, meta->name,
                               (long long)(self->row_offset + row + 1));
}

static bool load_uuid(uuid_parts *out) {
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
  const uuid_parts *parts = &python->uuid;
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
static PyObject *make_with_maker(const reader *self, const qe_column_meta *meta,
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
static PyObject *make_declared(const reader *self, int32_t index, int64_t row,
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

static QE_NOINLINE PyObject *make_unusual(const reader *self, int32_t index,
                                          int64_t row) {
  const qe_column *column = &self->statement->batch.columns[index];
  qe_kind kind =
      column->kind == QE_KIND_MIXED ? (qe_kind)column->kinds[row] : column->kind;

  return is_as_declared(column->type, kind) ? make_plain(self, index, row, kind)
                                            : make_declared(self, index, row, kind);
}

static inline PyObject *make_value(const reader *self, int32_t index, int64_t row) {
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

static PyObject *make_few(const reader *self, int64_t row, int32_t count) {
  PyObject *made[PACKED_VALUES];

  for (int32_t i = 0; i < count; i++) {
    made[i] = make_value(self, i, row);
    if (made[i]) continue;
    while (i > 0) Py_DECREF(made[--i]);
    return NULL;
  }
  return pack_few(made, count);
}

static PyObject *make_many(const reader *self, int64_t row, int32_t count) {
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

static PyObject *make_row(const reader *self, int64_t row) {
  int32_t count = self->statement->column_count;
  PyObject *tuple =
      count <= PACKED_VALUES ? make_few(self, row, count) : make_many(self, row, count);

  /* A row of values that refer to nothing can never be part of a cycle, and the
   * collector need not look at it; it would find that out itself later. */
  if (tuple && !self->statement->has_containers) PyObject_GC_UnTrack(tuple);
  return tuple;
}

/* Reader: one cursor's statement and the rows it gives. */

/* None, or what has to be waited for, or an exception that was raised. */
static PyObject *wish(qe_status status) {
  if (qe__is_want(status)) return PyLong_FromLong((long)status);
  if (status != QE_OK) return NULL;
  Py_INCREF(Py_None);
  return Py_None;
}

static bool raise_in_use(const reader *self) {
  raise_status(self->python, QE_ERR_IN_USE, "Another thread is using the connection");
  return false;
}

/* Whether rows may be asked for; raises if not. */
static bool can_read(const reader *self) {
  qe_error error;

  if (self->is_busy) return raise_in_use(self);
  if (!self->has_result) {
    raise_status(self->python, QE_ERR_MISUSE, "There is no result to fetch from");
    return false;
  }
  if (QE_LIKELY(atomic_load(&self->connection->life) == QE_LIFE_OPEN)) return true;
  if (qe__connection_enter(self->connection, &error) == QE_OK) {
    qe__connection_leave(self->connection);
    return true;
  }
  raise_error(self->python, self->connection, &error, NULL, 0);
  return false;
}

/* Reads the next batch when the present one is used up. QE_OK with rows at hand or at
 * the end. */
static qe_status load(reader *self) {
  qe_statement *statement = self->statement;
  qe_error error;
  qe_status status;

  if (self->position < statement->batch.row_count) return QE_OK;
  if (!statement->is_running) return QE_OK;
  if (qe__connection_enter(self->connection, &error) != QE_OK) {
    raise_error(self->python, self->connection, &error, NULL, 0);
    return RAISED;
  }
  set_pulse(self->python, self->connection);
  self->row_offset += statement->batch.row_count;
  self->position = 0;
  self->is_busy = true;
  Py_BEGIN_ALLOW_THREADS;
  qe__batch_reset(&statement->batch);
  status = qe__statement_fill(statement, &statement->batch, NEXT_ROWS, &error);
  Py_END_ALLOW_THREADS;
  self->is_busy = false;
  qe__connection_leave(self->connection);
  if (qe__is_want(status)) return status;
  if (status == QE_OK) {
    /* Of a run in a pipeline nothing was known before. */
    if (!statement->is_running) self->changes = statement->changes;
    return QE_OK;
  }
  self->has_result = false;
  raise_error(self->python, self->connection, &error, self->sql, 0);
  return RAISED;
}

/* Whether there is a row at hand; false at the end or with an exception. */
static inline bool advance(reader *self) {
  if (QE_LIKELY(self->position < self->statement->batch.row_count)) return true;
  return load(self) == QE_OK && self->position < self->statement->batch.row_count;
}

static PyObject *reader_next(PyObject *object) {
  reader *self = (reader *)object;

  if (!can_read(self) || !advance(self)) return NULL;
  return make_row(self, self->position++);
}

static PyObject *reader_fetchone(PyObject *object, PyObject *ignored) {
  PyObject *row = reader_next(object);

  (void)ignored;
  if (row || PyErr_Occurred()) return row;
  Py_INCREF(Py_None);
  return Py_None;
}

/* Appends up to most of the batch's rows to the list. */
static bool append_rows(reader *self, PyObject *list, int64_t most) {
  int64_t count = self->statement->batch.row_count - self->position;
  PyObject *part;
  int status;

  if (count > most) count = most;
  part = PyList_New((Py_ssize_t)count);
  if (!part) return false;
  for (int64_t i = 0; i < count; i++) {
    PyObject *row = make_row(self, self->position + i);
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

/* Waits until the worker's job is done, handling signals meanwhile; one that raises
 * stops the job, and the answer is false. */
static bool await_worker(qe_worker *worker, qe_connection *connection) {
  bool goes_on = true;
  bool is_done;

  do {
    Py_BEGIN_ALLOW_THREADS;
    is_done = qe__worker_wait(worker, SLICE_MS);
    Py_END_ALLOW_THREADS;
    if (goes_on && PyErr_CheckSignals() != 0) {
      goes_on = false;
      atomic_store(&connection->is_interrupted, true);
    }
  } while (!is_done);
  return goes_on;
}

/* The batch that is read while rows are made of the one before. */
typedef struct ahead {
  qe_statement *statement;
  qe_batch batch;
  qe_status status;
  qe_error error;
} ahead;

static void fill_ahead(void *context) {
  ahead *next = context;

  qe__batch_reset(&next->batch);
  next->status =
      qe__statement_fill(next->statement, &next->batch, AHEAD_ROWS, &next->error);
}

static void swap_batches(qe_batch *left, qe_batch *right) {
  qe_batch kept = *left;
  *left = *right;
  *right = kept;
}

/* Appends everything that is left, with the worker reading; inside the connection. */
static bool append_all(reader *self, PyObject *list, qe_worker *worker, ahead *next) {
  qe_statement *statement = self->statement;
  bool goes_on = true;

  while (goes_on && statement->is_running) {
    qe__worker_submit(worker, fill_ahead, next);
    goes_on = append_rows(self, list, INT64_MAX);
    goes_on = await_worker(worker, self->connection) && goes_on;
    if (goes_on && next->status != QE_OK) {
      raise_error(self->python, self->connection, &next->error, NULL, 0);
      goes_on = false;
    }
    self->row_offset += statement->batch.row_count;
    self->position = 0;
    swap_batches(&statement->batch, &next->batch);
  }
  return goes_on && append_rows(self, list, INT64_MAX);
}

/* fetchall() of a long result; false with an exception. Where no second thread can be
 * had, it appends the rows at hand, and the caller goes on batch by batch. */
static bool fetch_ahead(reader *self, PyObject *list) {
  ahead next = {.statement = self->statement};
  qe_worker *worker = NULL;
  qe_error error;
  bool is_done = true;

  if (qe__connection_enter(self->connection, &error) != QE_OK) {
    raise_error(self->python, self->connection, &error, NULL, 0);
    return false;
  }
  self->is_busy = true;
  worker = qe__worker_start();
  if (worker && qe__statement_spare(self->statement, &next.batch)) {
    is_done = append_all(self, list, worker, &next);
  } else {
    is_done = append_rows(self, list, INT64_MAX);
  }
  qe__worker_stop(worker);
  qe__batch_clear(&next.batch);
  self->is_busy = false;
  qe__connection_leave(self->connection);
  return is_done;
}

/* A failure ends the result: rows that were read for the list are gone with it, and
 * going on after a gap would hide that. */
static PyObject *fetch(reader *self, int64_t most) {
  PyObject *list;

  if (!can_read(self)) return NULL;
  list = PyList_New(0);
  while (list && most > 0 && advance(self)) {
    int64_t before = self->position;

    if (most == INT64_MAX && self->row_offset >= AHEAD_AFTER) {
      if (!fetch_ahead(self, list)) break;
    } else if (!append_rows(self, list, most)) {
      break;
    } else {
      most -= most == INT64_MAX ? 0 : self->position - before;
    }
  }
  if (!PyErr_Occurred()) return list;
  self->has_result = false;
  Py_XDECREF(list);
  return NULL;
}

static PyObject *reader_fetchall(PyObject *self, PyObject *ignored) {
  (void)ignored;
  return fetch((reader *)self, INT64_MAX);
}

static PyObject *reader_load(PyObject *object, PyObject *ignored) {
  (void)ignored;
  if (!can_read((reader *)object)) return NULL;
  return wish(load((reader *)object));
}

static PyObject *reader_take(PyObject *object, PyObject *size) {
  reader *self = (reader *)object;
  long long most = PyLong_AsLongLong(size);
  PyObject *list;

  if (most == -1 && PyErr_Occurred()) return NULL;
  if (!can_read(self)) return NULL;
  list = PyList_New(0);
  if (list && !append_rows(self, list, most)) Py_CLEAR(list);
  return list;
}

static PyObject *reader_fetchmany(PyObject *self, PyObject *size) {
  long long most = PyLong_AsLongLong(size);

  if (most == -1 && PyErr_Occurred()) return NULL;
  if (most < 0) {
    return raise_status(((reader *)self)->python, QE_ERR_MISUSE,
                        "fetchmany() cannot give %lld rows", most);
  }
  return fetch((reader *)self, most);
}

/* What the column holds: as declared, else as the rows at hand show. */
static qe_type shown_type(const reader *self, int32_t index) {
  const qe_batch *batch = &self->statement->batch;
  const qe_column *column = &batch->columns[index];

  if (column->type != QE_TYPE_ANY) return column->type;
  if (qe__column_is_empty(column, batch->row_count)) return QE_TYPE_ANY;
  switch (column->kind) {
    case QE_KIND_INT64: return QE_TYPE_INTEGER;
    case QE_KIND_FLOAT64: return QE_TYPE_FLOAT;
    case QE_KIND_TEXT: return QE_TYPE_TEXT;
    case QE_KIND_BLOB: return QE_TYPE_BLOB;
    default: return QE_TYPE_ANY;
  }
}

/* A list of (name, declared type or None, qe_type, precision, scale), empty without a
 * result. */
static PyObject *reader_columns(PyObject *object, PyObject *ignored) {
  reader *self = (reader *)object;
  PyObject *list = self->columns ? self->columns : PyList_New(0);

  (void)ignored;
  if (self->columns) Py_INCREF(list);
  if (!self->has_result || !self->statement) return list;
  for (int32_t i = 0; list && i < self->statement->column_count; i++) {
    const qe_column_meta *meta = &self->statement->columns[i];
    PyObject *column =
        Py_BuildValue("(sziii)", meta->name, meta->declared_type,
                      (int)shown_type(self, i), (int)meta->precision, (int)meta->scale);
    if (!column || PyList_Append(list, column) < 0) Py_CLEAR(list);
    Py_XDECREF(column);
  }
  return list;
}

static void drop_statement(reader *self) {
  qe_statement_release(self->statement);
  self->statement = NULL;
  self->has_result = false;
  Py_CLEAR(self->sql);
  Py_CLEAR(self->columns);
  Py_CLEAR(self->parameters);
  self->stage = STAGE_IDLE;
}

static PyObject *reader_close(PyObject *object, PyObject *ignored) {
  reader *self = (reader *)object;

  (void)ignored;
  if (self->is_busy) {
    raise_in_use(self);
    return NULL;
  }
  drop_statement(self);
  Py_INCREF(Py_None);
  return Py_None;
}

/* The pulse of a stream, which other libraries read: they do not expect an exception of
 * Python's, so the signal is only looked at, and left for the interpreter to handle. */
static bool peek_signals(void *context) {
  qe_python *python = context;
  PyGILState_STATE state;
  bool is_interrupted;

  if (PyThread_get_thread_ident() != python->main_thread) return true;
  state = PyGILState_Ensure();
  is_interrupted = PyOS_InterruptOccurred() != 0;
  if (is_interrupted) PyErr_SetInterrupt();
  PyGILState_Release(state);
  return !is_interrupted;
}

static void end_stream(PyObject *capsule) {
  struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");

  if (stream && stream->release) stream->release(stream);
  qe__free(stream);
}

/* Moves the statement into the stream; false with an exception. Its rows may be half
 * converted when it fails, so the result ends either way. */
static bool move_to_stream(reader *self, struct ArrowArrayStream *stream) {
  qe_error error;
  qe_status status = qe__connection_enter(self->connection, &error);

  if (status != QE_OK) {
    raise_error(self->python, self->connection, &error, NULL, 0);
    return false;
  }
  set_pulse(self->python, self->connection);
  self->is_busy = true;
  Py_BEGIN_ALLOW_THREADS;
  status = qe__statement_arrow(self->statement, self->position, peek_signals,
                               self->python, stream, &error);
  Py_END_ALLOW_THREADS;
  self->is_busy = false;
  qe__connection_leave(self->connection);
  if (status == QE_OK) self->statement = NULL;
  drop_statement(self);
  if (status != QE_OK) raise_error(self->python, self->connection, &error, NULL, 0);
  return status == QE_OK;
}

/* What is left of the result in a PyCapsule, as the Arrow PyCapsule interface has it:
 * https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html */
static PyObject *reader_arrow(PyObject *object, PyObject *ignored) {
  reader *self = (reader *)object;
  struct ArrowArrayStream *stream;
  PyObject *capsule, *columns;

  if (!can_read(self)) return NULL;
  columns = reader_columns(object, ignored);
  if (!columns) return NULL;
  stream = qe__zalloc(sizeof *stream);
  if (!stream || !move_to_stream(self, stream)) {
    if (!stream) PyErr_NoMemory();
    qe__free(stream);
    Py_DECREF(columns);
    return NULL;
  }
  self->columns = columns;
  capsule = PyCapsule_New(stream, "arrow_array_stream", end_stream);
  if (capsule) return capsule;
  stream->release(stream);
  qe__free(stream);
  return NULL;
}

/* What a status becomes: QE_OK and wishes to wait stay, anything else is raised. */
static qe_status told(reader *self, qe_status status, const qe_error *error) {
  if (status != QE_OK && !qe__is_want(status)) {
    raise_error(self->python, self->connection, error, self->sql, 0);
  }
  return status;
}

/* Goes on preparing the statement; inside. */
static qe_status resume_preparing(reader *self) {
  qe_error error;
  qe_status status;

  set_pulse(self->python, self->connection);
  self->is_busy = true;
  Py_BEGIN_ALLOW_THREADS;
  status = qe__statement_resume(&self->statement, &error);
  Py_END_ALLOW_THREADS;
  self->is_busy = false;
  return told(self, status, &error);
}

/* Encodes the text and takes its statement from the cache, or prepares it; inside. */
static qe_status find_statement(reader *self, PyObject *sql) {
  PyObject *bytes;
  qe_error error;
  qe_status status = QE_OK;
  char *text;
  Py_ssize_t size;

  bytes = encode_sql(self->python, sql);
  if (!bytes || PyBytes_AsStringAndSize(bytes, &text, &size) < 0) return RAISED;
  Py_INCREF(sql);
  self->sql = sql;
  self->statement = qe__statement_find(self->connection, text, size);
  if (!self->statement) {
    set_pulse(self->python, self->connection);
    self->is_busy = true;
    Py_BEGIN_ALLOW_THREADS;
    status =
        qe__statement_prepare(self->connection, text, size, &self->statement, &error);
    Py_END_ALLOW_THREADS;
    self->is_busy = false;
  }
  Py_DECREF(bytes);
  return told(self, status, &error);
}

/* Makes the statement for this text ours. Programs run the same string object again and
 * again: then it still is. */
static qe_status take_statement(reader *self, PyObject *sql) {
  self->has_result = false;
  self->row_offset = 0;
  self->position = 0;
  self->changes = -1;
  if (self->statement && sql == self->sql && self->statement->is_ready) return QE_OK;
  Py_CLEAR(self->columns);
  if (self->statement) qe__statement_return(self->statement);
  self->statement = NULL;
  Py_CLEAR(self->sql);
  return find_statement(self, sql);
}

/* Reads the first rows of a run, and what it did where that is known; inside. */
static qe_status read_first(reader *self) {
  qe_statement *statement = self->statement;
  qe_error error;
  qe_status status;

  set_pulse(self->python, self->connection);
  self->is_busy = true;
  Py_BEGIN_ALLOW_THREADS;
  status = qe__statement_first(statement, FIRST_ROWS, &error);
  Py_END_ALLOW_THREADS;
  self->is_busy = false;
  if (status == QE_OK) {
    self->changes = statement->changes;
    self->last_row_id = statement->last_row_id;
    self->has_result = statement->column_count > 0;
  } else if (!qe__is_want(status)) {
    self->has_result = false; /* a pipeline had promised one */
  }
  return told(self, status, &error);
}

/* Starts the statement and reads its first rows; inside. */
static qe_status start_statement(reader *self, PyObject *parameters) {
  qe_statement *statement = self->statement;
  int32_t count = statement->parameter_count;
  qe_error error;
  qe_status status = RAISED;
  values given;
  bool is_read;

  if (!values_init(&given, count)) {
    PyErr_NoMemory();
    return RAISED;
  }
  is_read = read_row(self->python, &given, given.all, statement, parameters);
  if (is_read) {
    self->is_busy = true;
    Py_BEGIN_ALLOW_THREADS;
    status = qe__statement_start(statement, given.all, count, &error);
    Py_END_ALLOW_THREADS;
    self->is_busy = false;
    status = told(self, status, &error);
  }
  values_clear(&given);
  if (status != QE_OK) return status;
  self->stage = STAGE_FIRST;
  if (!self->connection->is_piped) return read_first(self);
  /* In a pipeline nothing is waited for: the rows come when they are asked for. */
  self->has_result = statement->column_count > 0;
  return QE_OK;
}

/* Enters the connection for one of a reader's calls; raises if that cannot be. */
static bool enter(const reader *self) {
  qe_error error;

  if (self->is_busy) return raise_in_use(self);
  if (QE_LIKELY(qe__connection_enter(self->connection, &error) == QE_OK)) return true;
  raise_error(self->python, self->connection, &error, NULL, 0);
  return false;
}

/* Ends a call of execute() or resume(), and leaves. */
static PyObject *end_step(reader *self, qe_status status) {
  qe__connection_leave(self->connection);
  if (!qe__is_want(status)) {
    self->stage = STAGE_IDLE;
    Py_CLEAR(self->parameters);
  }
  return wish(status);
}

/* (sql, parameters); a stepped connection may answer with a wish, and goes on with
 * resume(). */
static PyObject *reader_execute(PyObject *object, PyObject *const *arguments,
                                Py_ssize_t count) {
  reader *self = (reader *)object;
  qe_status status;

  if (!takes_two(count) || !enter(self)) return NULL;
  self->stage = STAGE_PREPARE;
  status = take_statement(self, arguments[0]);
  if (status == QE_OK) {
    status = start_statement(self, arguments[1]);
  } else if (qe__is_want(status)) {
    Py_INCREF(arguments[1]);
    Py_XDECREF(self->parameters);
    self->parameters = arguments[1];
  }
  return end_step(self, status);
}

static PyObject *reader_resume(PyObject *object, PyObject *ignored) {
  reader *self = (reader *)object;
  qe_status status = QE_OK;

  (void)ignored;
  if (!enter(self)) return NULL;
  if (self->stage == STAGE_PREPARE) {
    status = resume_preparing(self);
    if (status == QE_OK) status = start_statement(self, self->parameters);
  } else if (self->stage == STAGE_FIRST) {
    status = read_first(self);
  }
  return end_step(self, status);
}

/* Waits for what a run in a pipeline gives or did. Rows that came while others waited
 * may be there already, and behind them a failure. */
static PyObject *reader_settle(PyObject *object, PyObject *ignored) {
  reader *self = (reader *)object;
  bool is_unsettled =
      self->statement && self->statement->is_running && self->row_offset == 0;

  (void)ignored;
  if (!is_unsettled) return wish(QE_OK);
  if (!enter(self)) return NULL;
  self->stage = STAGE_FIRST;
  return end_step(self, read_first(self));
}

/* Some rows of parameters on their way into the database. */
typedef struct chunk {
  qe_statement *statement;
  values given;
  int64_t row_count, rows_done;
  qe_status status;
  qe_error error;
} chunk;

static void run_chunk(void *context) {
  chunk *rows = context;

  rows->rows_done = 0;
  rows->status = qe__statement_run_many(
      rows->statement, rows->given.all, rows->statement->parameter_count,
      rows->row_count, &rows->rows_done, &rows->error);
}

/* Fills the chunk with the next rows of the iterator; row_count is 0 at the end. */
static bool read_chunk(reader *self, PyObject *iterator, chunk *rows) {
  qe_value *first = rows->given.all;
  PyObject *row;

  values_drop_held(&rows->given);
  rows->row_count = 0;
  while (rows->row_count < PARAMETER_ROWS && (row = PyIter_Next(iterator))) {
    bool is_read = read_row(self->python, &rows->given, first, rows->statement, row);
    Py_DECREF(row);
    if (!is_read) return false;
    first += rows->statement->parameter_count;
    rows->row_count++;
  }
  return !PyErr_Occurred();
}

/* Reads the next chunk while the worker runs the one before. What a signal's handler
 * raised comes first, then what the database refused, then what could not be read,
 * because that is the order in which they would have happened one after the other. */
static bool read_while_running(reader *self, PyObject *iterator, qe_worker *worker,
                               chunk *rows, chunk *next) {
  PyObject *type = NULL, *value = NULL, *traceback = NULL;
  bool is_read;

  qe__worker_submit(worker, run_chunk, rows);
  is_read = read_chunk(self, iterator, next);
  if (!is_read) PyErr_Fetch(&type, &value, &traceback);
  if (await_worker(worker, self->connection) && rows->status == QE_OK) {
    PyErr_Restore(type, value, traceback);
    return is_read;
  }
  Py_XDECREF(type);
  Py_XDECREF(value);
  Py_XDECREF(traceback);
  return false;
}

/* Runs one chunk and reads the next. With a worker both happen at once, inside the
 * connection; without, the iterator is outside of it and may itself read from it. */
static bool run_and_read(reader *self, PyObject *iterator, qe_worker *worker,
                         chunk *rows, chunk *next) {
  bool goes_on;

  if (!enter(self)) return false;
  self->is_busy = true;
  if (worker) {
    goes_on = read_while_running(self, iterator, worker, rows, next);
  } else {
    set_pulse(self->python, self->connection);
    Py_BEGIN_ALLOW_THREADS;
    run_chunk(rows);
    Py_END_ALLOW_THREADS;
    goes_on = PyErr_CheckSignals() == 0;
  }
  self->is_busy = false;
  qe__connection_leave(self->connection);
  if (goes_on && rows->status == QE_OK && !worker) {
    goes_on = read_chunk(self, iterator, next);
  }
  return goes_on;
}

/* Runs all rows of the iterator and counts changes, also those before a failure. */
static bool run_chunks(reader *self, PyObject *iterator, qe_worker *worker,
                       chunk chunks[2]) {
  int64_t rows_before = 0;
  int current = 0;
  bool goes_on = read_chunk(self, iterator, &chunks[0]);

  while (goes_on && chunks[current].row_count > 0) {
    chunk *rows = &chunks[current];

    goes_on = run_and_read(self, iterator, worker, rows, &chunks[1 - current]);
    if (self->statement->changes > 0) self->changes += self->statement->changes;
    if (rows->status != QE_OK) {
      raise_error(self->python, self->connection, &rows->error, self->sql,
                  rows_before + rows->rows_done + 1);
      goes_on = false;
    }
    rows_before += rows->row_count;
    current = 1 - current;
  }
  return goes_on;
}

/* A list is read while the database works; anything else may hold code that uses the
 * connection, and waits its turn. */
static qe_worker *worker_for(PyObject *parameters) {
  bool is_long = (PyList_Check(parameters) && PyList_Size(parameters) > AHEAD_AFTER) ||
                 (PyTuple_Check(parameters) && PyTuple_Size(parameters) > AHEAD_AFTER);
  return is_long ? qe__worker_start() : NULL;
}

static bool run_all(reader *self, PyObject *parameters) {
  int64_t count = (int64_t)self->statement->parameter_count * PARAMETER_ROWS;
  PyObject *iterator = PyObject_GetIter(parameters);
  chunk *chunks = iterator ? qe__zalloc(2 * (int64_t)sizeof *chunks) : NULL;
  qe_worker *worker = NULL;
  bool is_done = false;

  self->changes = 0;
  if (chunks && values_init(&chunks[0].given, count)) {
    if (values_init(&chunks[1].given, count)) {
      chunks[0].statement = self->statement;
      chunks[1].statement = self->statement;
      worker = worker_for(parameters);
      is_done = run_chunks(self, iterator, worker, chunks);
      qe__worker_stop(worker);
      values_clear(&chunks[1].given);
    }
    values_clear(&chunks[0].given);
  }
  if (!is_done && !PyErr_Occurred()) PyErr_NoMemory();
  qe__free(chunks);
  Py_XDECREF(iterator);
  return is_done;
}

/* With autocommit on, many rows are one transaction of their own: all or none. */
static bool run_in_transaction(reader *self, PyObject *parameters) {
  qe_connection *connection = self->connection;
  bool is_own = connection->is_autocommit && self->statement->opens_transaction &&
                !qe_connection_in_transaction(connection);
  qe_error error;
  bool is_done;

  if (is_own && qe_connection_begin(connection, &error) != QE_OK) {
    raise_error(self->python, self->connection, &error, NULL, 0);
    return false;
  }
  is_done = run_all(self, parameters);
  if (is_own && is_done && qe_connection_commit(connection, &error) != QE_OK) {
    raise_error(self->python, self->connection, &error, NULL, 0);
    is_done = false;
  }
  if (is_own && !is_done) {
    (void)qe_connection_rollback(connection, NULL);
    self->changes = 0;
  }
  return is_done;
}

/* (sql, rows of parameters) */
static PyObject *reader_executemany(PyObject *object, PyObject *const *arguments,
                                    Py_ssize_t count) {
  reader *self = (reader *)object;
  qe_status status;

  if (!takes_two(count) || !enter(self)) return NULL;
  status = take_statement(self, arguments[0]);
  qe__connection_leave(self->connection);
  if (status != QE_OK) return NULL;
  if (self->statement->column_count > 0) {
    return raise_status(self->python, QE_ERR_MISUSE,
                        "executemany() is for statements that give no rows");
  }
  if (!run_in_transaction(self, arguments[1])) return NULL;
  if (!self->statement->counts_changes) self->changes = -1;
  self->last_row_id = self->statement->last_row_id;
  Py_INCREF(Py_None);
  return Py_None;
}

static PyObject *reader_get_changes(PyObject *self, void *ignored) {
  (void)ignored;
  return PyLong_FromLongLong(((reader *)self)->changes);
}

static PyObject *reader_get_last_row_id(PyObject *self, void *ignored) {
  (void)ignored;
  return PyLong_FromLongLong(((reader *)self)->last_row_id);
}

static PyObject *reader_get_has_result(PyObject *self, void *ignored) {
  (void)ignored;
  return PyBool_FromLong(((reader *)self)->has_result);
}

static PyObject *reader_get_is_running(PyObject *self, void *ignored) {
  const qe_statement *statement = ((reader *)self)->statement;

  (void)ignored;
  return PyBool_FromLong(statement && statement->is_running);
}

static PyObject *reader_iter(PyObject *self) {
  Py_INCREF(self);
  return self;
}

/* Frees an object of a type made here: such types are counted, and objects hold one. */
static void free_object(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}

static void reader_dealloc(PyObject *object) {
  reader *self = (reader *)object;

  drop_statement(self);
  qe_connection_release(self->connection);
  free_object(object);
}

static PyMethodDef reader_methods[] = {
    {"execute", FAST(reader_execute), METH_FASTCALL, "(sql, parameters) -> None"},
    {"executemany", FAST(reader_executemany), METH_FASTCALL,
     "(sql, rows of parameters) -> None"},
    {"resume", reader_resume, METH_NOARGS, "Go on with what wished to wait."},
    {"settle", reader_settle, METH_NOARGS, "Wait for a run that is in a pipeline."},
    {"load", reader_load, METH_NOARGS, "Have rows at hand, if there are more."},
    {"take", reader_take, METH_O, "A list of up to so many rows of those at hand."},
    {"fetchone", reader_fetchone, METH_NOARGS, "The next row, or None at the end."},
    {"fetchmany", reader_fetchmany, METH_O, "A list of up to so many rows."},
    {"fetchall", reader_fetchall, METH_NOARGS, "A list of all rows that are left."},
    {"columns", reader_columns, METH_NOARGS,
     "A list of (name, declared type, type, precision, scale)."},
    {"arrow", reader_arrow, METH_NOARGS, "The rows that are left as an Arrow stream."},
    {"close", reader_close, METH_NOARGS, "Give the statement back."},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef reader_attributes[] = {
    {"changes", reader_get_changes, NULL, "Rows changed; -1 for a reading statement.",
     NULL},
    {"last_row_id", reader_get_last_row_id, NULL, "Row id of the last insert.", NULL},
    {"has_result", reader_get_has_result, NULL, "Whether rows may be fetched.", NULL},
    {"is_running", reader_get_is_running, NULL,
     "Whether there may be more rows than those at hand.", NULL},
    {NULL, NULL, NULL, NULL, NULL}};

/* Session: a connection, seen from Python. */

static PyObject *session_reader(PyObject *object, PyObject *ignored) {
  session *self = (session *)object;
  reader *made = PyObject_New(reader, self->python->reader_type);

  (void)ignored;
  if (!made) return NULL;
  made->python = self->python;
  made->connection = self->connection;
  made->sql = NULL;
  made->statement = NULL;
  made->columns = NULL;
  made->parameters = NULL;
  made->stage = STAGE_IDLE;
  made->position = 0;
  made->row_offset = 0;
  made->changes = -1;
  made->last_row_id = 0;
  made->has_result = false;
  made->is_busy = false;
  qe__connection_retain(self->connection);
  return (PyObject *)made;
}

/* Ends one of a session's calls: None, or the error raised. */
static PyObject *answer(session *self, qe_status status, const qe_error *error,
                        PyObject *sql) {
  if (status == QE_OK || qe__is_want(status)) return wish(status);
  return raise_error(self->python, self->connection, error, sql, 0);
}

/* Does one thing to the whole connection without the interpreter lock. */
static PyObject *inside(session *self, qe_action action) {
  qe_error error;
  qe_status status = qe__connection_enter(self->connection, &error);

  if (status == QE_OK) {
    set_pulse(self->python, self->connection);
    Py_BEGIN_ALLOW_THREADS;
    status = qe__connection_do(self->connection, action, &error);
    Py_END_ALLOW_THREADS;
    qe__connection_leave(self->connection);
  }
  return answer(self, status, &error, NULL);
}

static PyObject *session_begin(PyObject *self, PyObject *ignored) {
  (void)ignored;
  return inside((session *)self, qe__backend_begin);
}

static PyObject *session_commit(PyObject *self, PyObject *ignored) {
  (void)ignored;
  return inside((session *)self, qe__backend_commit);
}

static PyObject *session_rollback(PyObject *self, PyObject *ignored) {
  (void)ignored;
  return inside((session *)self, qe__backend_rollback);
}

static PyObject *session_executescript(PyObject *object, PyObject *sql) {
  session *self = (session *)object;
  PyObject *bytes = encode_sql(self->python, sql);
  qe_error error;
  qe_status status;
  char *text;
  Py_ssize_t size;

  if (!bytes || PyBytes_AsStringAndSize(bytes, &text, &size) < 0) return NULL;
  status = qe__connection_enter(self->connection, &error);
  if (status == QE_OK) {
    set_pulse(self->python, self->connection);
    Py_BEGIN_ALLOW_THREADS;
    do {
      status = qe__backend_script(self->connection, text, size, &error);
    } while (qe__waited(self->connection, &status, &error));
    Py_END_ALLOW_THREADS;
    qe__connection_leave(self->connection);
  }
  Py_DECREF(bytes);
  return answer(self, status, &error, sql);
}

static void session_dealloc(PyObject *object) {
  qe_connection_release(((session *)object)->connection);
  free_object(object);
}

#include "rows_copy.h"

static PyMethodDef session_methods[] = {
    {"reader", session_reader, METH_NOARGS, "A new Reader."},
    {"copy", FAST(session_copy), METH_FASTCALL, "A Copier that has begun."},
    {"executescript", session_executescript, METH_O, "Run every statement of a text."},
    {"begin", session_begin, METH_NOARGS, "Open a transaction."},
    {"commit", session_commit, METH_NOARGS, "Commit the transaction, if one is open."},
    {"rollback", session_rollback, METH_NOARGS, "Undo the transaction, if any."},
    {NULL, NULL, 0, NULL}};

/* The way in from cffi. */

static PyTypeObject *make_type(const char *name, int size, PyType_Slot *slots) {
  PyType_Spec spec = {name, size, 0, Py_TPFLAGS_DEFAULT, slots};
  return (PyTypeObject *)PyType_FromSpec(&spec);
}

/* The types are made by the engine only; calling one would give an object without a
 * connection. */
static PyObject *refuse_new(PyTypeObject *type, PyObject *arguments, PyObject *names) {
  (void)type;
  (void)arguments;
  (void)names;
  PyErr_SetString(PyExc_TypeError, "Only the engine makes objects of this type");
  return NULL;
}

static bool make_types(qe_python *python) {
  PyType_Slot session_slots[] = {{Py_tp_new, (void *)refuse_new},
                                 {Py_tp_dealloc, (void *)session_dealloc},
                                 {Py_tp_methods, session_methods},
                                 {Py_tp_doc, (void *)"An open connection."},
                                 {0, NULL}};
  PyType_Slot reader_slots[] = {{Py_tp_new, (void *)refuse_new},
                                {Py_tp_dealloc, (void *)reader_dealloc},
                                {Py_tp_methods, reader_methods},
                                {Py_tp_getset, reader_attributes},
                                {Py_tp_iter, (void *)reader_iter},
                                {Py_tp_iternext, (void *)reader_next},
                                {Py_tp_doc, (void *)"A statement and its rows."},
                                {0, NULL}};
  PyType_Slot copier_slots[] = {
      {Py_tp_new, (void *)refuse_new},          {Py_tp_dealloc, (void *)copier_dealloc},
      {Py_tp_methods, copier_methods},          {Py_tp_getset, copier_attributes},
      {Py_tp_doc, (void *)"A COPY under way."}, {0, NULL}};

  python->session_type =
      make_type("engineroom.Session", sizeof(session), session_slots);
  python->reader_type = make_type("engineroom.Reader", sizeof(reader), reader_slots);
  python->copier_type = make_type("engineroom.Copier", sizeof(copier), copier_slots);
  return python->session_type && python->reader_type && python->copier_type;
}

static bool read_hooks(qe_python *python, PyObject *tuple) {
  PyObject **hooks = (PyObject **)&python->hooks;
  Py_ssize_t count = sizeof python->hooks / sizeof *hooks;

  if (!PyTuple_Check(tuple) || PyTuple_Size(tuple) != count) return false;
  for (Py_ssize_t i = 0; i < count; i++) {
    hooks[i] = PyTuple_GetItem(tuple, i);
    Py_INCREF(hooks[i]);
  }
  python->main_thread = PyLong_AsUnsignedLong(python->hooks.main_thread);
  return !PyErr_Occurred();
}

/* Called through cffi, which cannot pass an exception on: it becomes a status. */
static qe_status without_exception(qe_status status) {
  PyErr_Clear();
  return status;
}

qe_status qe_python_new(uintptr_t hook_tuple, qe_python **out, qe_error *error) {
  PyGILState_STATE state = PyGILState_Ensure();
  qe_python *python = qe__zalloc(sizeof *python);
  qe_status status = QE_OK;

  *out = NULL;
  qe__error_clear(error);
  if (!python) {
    status = qe__fail_memory(error, "Python types");
  } else if (!read_hooks(python, (PyObject *)hook_tuple) || !make_types(python)) {
    status = without_exception(
        qe__fail(error, QE_ERR_MISUSE, "The hooks are not what this engine needs"));
  } else {
    *out = python;
    python = NULL; /* kept by the package for as long as the process lives */
  }
  qe__free(python);
  PyGILState_Release(state);
  return status;
}

qe_status qe_python_attach(qe_python *python, qe_connection *connection, uintptr_t list,
                           qe_error *error) {
  PyGILState_STATE state = PyGILState_Ensure();
  session *self = PyObject_New(session, python->session_type);
  qe_status status = QE_OK;

  qe__error_clear(error);
  if (self) {
    self->python = python;
    self->connection = connection;
    qe__connection_retain(connection);
  }
  if (!self || PyList_Append((PyObject *)list, (PyObject *)self) < 0) {
    status = without_exception(qe__fail_memory(error, "session"));
  }
  Py_XDECREF((PyObject *)self);
  PyGILState_Release(state);
  return status;
}
