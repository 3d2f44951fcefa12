/* COPY, seen from Python.
 *
 * A Copier is made when the COPY has begun, and ends it at the latest when it goes. */
#include "../src/qe_arrow_read.h"
#include "../src/qe_copy.h"
#include "../src/qe_error.h"
#include "../src/qe_mem.h"
#include "../src/qe_wait.h"
#include "py.h"

/* What a read of raw bytes gives, about; and rows. */
enum { COPY_READ_BYTES = 262144, COPY_READ_ROWS = 1024 };
/* Of Arrow, chunks between two looks at signals. */
enum { COPY_CHUNKS = 64 };

typedef struct copier {
  PyObject_HEAD;
  qe_session *session; /* a reference */
  qe_reader *shape;    /* its statement has the columns that pass; NULL: not known */
  PyObject *sql;
  qe_copy *copy;
  bool is_busy; /* a thread is in one of our calls without the interpreter lock */
} copier;

/* Enters the connection for one of a copier's calls; raises if that cannot be. */
static bool copier_enter(copier *self) {
  qe_python *python = self->session->python;
  qe_connection *connection = self->session->connection;
  qe_error error;

  if (self->is_busy) {
    qe__py_raise_status(python, QE_ERR_IN_USE,
                        "Another thread is using the connection");
    return false;
  }
  if (qe__connection_enter(connection, &error) != QE_OK) {
    qe__py_raise(python, connection, &error, NULL, 0);
    return false;
  }
  if (connection->is_stepped) {
    qe__connection_leave(connection);
    qe__py_raise_status(python, QE_ERR_MISUSE, "A COPY waits by itself");
    return false;
  }
  qe__py_set_pulse(python, connection);
  self->is_busy = true;
  return true;
}

/* Leaves; false with what failed raised, for that row if not 0. */
static bool copier_leave(copier *self, qe_status status, const qe_error *error,
                         int64_t row) {
  qe_connection *connection = self->session->connection;

  self->is_busy = false;
  qe__connection_leave(connection);
  if (status != QE_OK) {
    qe__py_raise(self->session->python, connection, error, self->sql, row);
  }
  return status == QE_OK && PyErr_CheckSignals() == 0;
}

static PyObject *none_if(bool is_done) {
  if (!is_done) return NULL;
  Py_INCREF(Py_None);
  return Py_None;
}

/* Whether the columns are known; raises if not. */
static bool has_shape(const copier *self) {
  if (self->copy->shape) return true;
  qe__py_raise_status(self->session->python, QE_ERR_MISUSE,
                      "The columns of this COPY are not known, only bytes can pass");
  return false;
}

/* Prepares what has the columns. */
static bool take_shape(copier *self, PyObject *sql) {
  qe_session *session = self->session;
  qe_reader *shape = qe__py_reader_new(session->python, session->connection);
  qe_statement *statement;
  qe_batch batch = {0};
  qe_status status;

  self->shape = shape;
  if (!shape || !qe__py_reader_enter(shape)) return false;
  status = qe__py_take_statement(shape, sql);
  statement = shape->statement;
  if (status == QE_OK) {
    /* A new one: another COPY may have left values in it. */
    if (qe__statement_spare(statement, &batch)) {
      qe__batch_clear(&statement->batch);
      statement->batch = batch;
    } else {
      qe__batch_clear(&batch);
      status = QE_ERR_NOMEM;
    }
  }
  qe__connection_leave(self->session->connection);
  if (status == QE_ERR_NOMEM) PyErr_NoMemory();
  if (status != QE_OK) return false;
  if (statement->parameter_count > 0) {
    qe__py_raise_status(self->session->python, QE_ERR_PARAMETER,
                        "A COPY takes no parameters");
    return false;
  }
  shape->has_result = true; /* as far as its columns go */
  self->copy->shape = statement;
  return true;
}

static bool begin_copy(copier *self) {
  qe_connection *connection = self->session->connection;
  PyObject *bytes = qe__py_encode_sql(self->session->python, self->sql);
  bool is_beginning, is_begun = false;
  qe_error error;
  qe_status status;
  char *text;
  Py_ssize_t size;

  qe__error_clear(&error);
  if (bytes && PyBytes_AsStringAndSize(bytes, &text, &size) == 0 &&
      copier_enter(self)) {
    is_beginning =
        !connection->is_autocommit && !qe__backend_in_transaction(connection);
    Py_BEGIN_ALLOW_THREADS;
    do {
      status =
          qe__backend_copy_begin(self->copy, text, (int64_t)size, is_beginning, &error);
    } while (qe__waited(connection, &status, &error));
    Py_END_ALLOW_THREADS;
    is_begun = copier_leave(self, status, &error, 0);
  }
  Py_XDECREF(bytes);
  return is_begun;
}

/* (bytes) */
static PyObject *copier_write(PyObject *object, PyObject *given) {
  copier *self = (copier *)object;
  qe_connection *connection = self->session->connection;
  qe_error error;
  qe_status status;
  int64_t done = 0;
  char *data;
  Py_ssize_t size;

  if (PyBytes_AsStringAndSize(given, &data, &size) < 0 || !copier_enter(self)) {
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS;
  do {
    status = qe__backend_copy_write(self->copy, data, (int64_t)size, &done, &error);
  } while (qe__waited(connection, &status, &error));
  Py_END_ALLOW_THREADS;
  return none_if(copier_leave(self, status, &error, 0));
}

/* Sends rows of values; false with a failure raised for a row, counted from before. */
static bool send_rows(copier *self, const qe_value *values, int64_t count,
                      int64_t before) {
  qe_connection *connection = self->session->connection;
  qe_error error;
  qe_status status;
  int64_t done = 0;

  if (!copier_enter(self)) return false;
  Py_BEGIN_ALLOW_THREADS;
  do {
    status = qe__backend_copy_rows(self->copy, values, count, &done, &error);
  } while (qe__waited(connection, &status, &error));
  Py_END_ALLOW_THREADS;
  return copier_leave(
      self, status, &error,
      status == QE_ERR_TYPE || status == QE_ERR_RANGE || status == QE_ERR_ENCODING
          ? before + done + 1
          : 0);
}

/* One row of the iterable; its items are held, since an adapter could change it. */
static bool read_copy_row(const copier *self, qe_values *out, qe_value *first,
                          PyObject *row) {
  qe_python *python = self->session->python;
  int32_t count = self->copy->shape->column_count;
  bool is_plain = PyTuple_Check(row) || PyList_Check(row);
  PyObject *sequence = NULL;
  bool is_read = true;

  if (!is_plain && (PyUnicode_Check(row) || PyBytes_Check(row) || PyDict_Check(row))) {
    qe__py_raise_status(python, QE_ERR_PARAMETER,
                        "A row for a COPY has to be a sequence");
    return false;
  }
  if (is_plain) {
    sequence = row;
    Py_INCREF(row);
  } else {
    sequence = PySequence_Tuple(row);
  }
  if (!sequence) return false;
  if (PySequence_Size(sequence) != count) {
    qe__py_raise_status(python, QE_ERR_PARAMETER,
                        "A row has %lld values for %d columns",
                        (long long)PySequence_Size(sequence), (int)count);
    is_read = false;
  }
  for (Py_ssize_t i = 0; is_read && i < count; i++) {
    PyObject *item = PyTuple_Check(sequence) ? PyTuple_GetItem(sequence, i)
                                             : PyList_GetItem(sequence, i);

    if (item) Py_INCREF(item);
    is_read =
        item && qe__py_read_value(python, out, first + i, item, self->copy->types[i]);
    Py_XDECREF(item);
  }
  Py_DECREF(sequence);
  return is_read;
}

/* Reads up to PARAMETER_ROWS rows; *count is how many, 0 at the end. */
static bool read_copy_rows(const copier *self, PyObject *iterator, qe_values *out,
                           int64_t *count) {
  int32_t columns = self->copy->shape->column_count;
  bool is_read = true;
  PyObject *row;

  qe__py_values_drop_held(out);
  *count = 0;
  while (is_read && *count < PARAMETER_ROWS && (row = PyIter_Next(iterator))) {
    is_read = read_copy_row(self, out, out->all + *count * columns, row);
    Py_DECREF(row);
    if (is_read) ++*count;
  }
  return is_read && !PyErr_Occurred();
}

/* (iterable of rows) -> how many there were */
static PyObject *copier_write_rows(PyObject *object, PyObject *rows) {
  copier *self = (copier *)object;
  PyObject *iterator = has_shape(self) ? PyObject_GetIter(rows) : NULL;
  int64_t sent = 0;
  int64_t count = 1;
  bool goes_on = true;
  qe_values given;

  if (!iterator) return NULL;
  if (!qe__py_values_init(&given,
                          (int64_t)self->copy->shape->column_count * PARAMETER_ROWS)) {
    Py_DECREF(iterator);
    return PyErr_NoMemory();
  }
  while (goes_on && count > 0) {
    goes_on = read_copy_rows(self, iterator, &given, &count);
    if (goes_on && count > 0) goes_on = send_rows(self, given.all, count, sent);
    if (goes_on) sent += count;
  }
  qe__py_values_clear(&given);
  Py_DECREF(iterator);
  return goes_on ? PyLong_FromLongLong((long long)sent) : NULL;
}

/* Arrow. */

typedef struct arrow_copy {
  copier *copier;
  qe_arrow_input *input;
  int32_t *order;
  qe_value *values;
  int64_t sent;
  bool is_end;
} arrow_copy;

/* The stream's columns for the table's: by name where each has one of its own, else by
 * place. */
static bool find_order(arrow_copy *work) {
  const qe_statement *shape = work->copier->copy->shape;
  int32_t count = shape->column_count;

  for (int32_t i = 0; i < count; i++) {
    int32_t found = 0;
    while (found < count && strcmp(qe__arrow_input_name(work->input, found),
                                   shape->columns[i].name) != 0) {
      found++;
    }
    work->order[i] = found;
    if (found == count) return false;
  }
  return true;
}

/* What can be refused is refused before anything is sent. */
static qe_status check_arrow(arrow_copy *work, qe_error *error) {
  const qe_copy *copy = work->copier->copy;
  int32_t count = copy->shape->column_count;
  qe_status status = QE_OK;

  if (qe__arrow_input_columns(work->input) != count) {
    return qe__fail(error, QE_ERR_PARAMETER,
                    "The Arrow stream has %d columns, the COPY has %d",
                    (int)qe__arrow_input_columns(work->input), (int)count);
  }
  work->order = qe__zalloc((int64_t)sizeof(int32_t) * (count + 1));
  work->values = qe__zalloc((int64_t)sizeof(qe_value) * (count + 1) * QE_ARROW_ROWS);
  if (!work->order || !work->values) return qe__fail_memory(error, "rows of Arrow");
  if (!find_order(work)) {
    for (int32_t i = 0; i < count; i++) work->order[i] = i;
  }
  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    status = qe__backend_copy_takes(
        copy, i, qe__arrow_input_kind(work->input, work->order[i]), error);
  }
  return status;
}

/* Sends some chunks, without the interpreter lock. */
static qe_status send_arrow(arrow_copy *work, qe_error *error) {
  qe_copy *copy = work->copier->copy;
  qe_status status = QE_OK;

  for (int i = 0; i < COPY_CHUNKS && status == QE_OK && !work->is_end; i++) {
    int64_t count;
    int64_t done = 0;

    status =
        qe__arrow_input_read(work->input, work->order, work->values, &count, error);
    work->is_end = status == QE_OK && count == 0;
    while (status == QE_OK && done < count) {
      status = qe__backend_copy_rows(copy, work->values, count, &done, error);
      if (qe__waited(copy->connection, &status, error)) status = QE_OK;
    }
    work->sent += done;
  }
  return status;
}

static bool send_stream(arrow_copy *work) {
  copier *self = work->copier;
  qe_error error;
  qe_status status;
  bool goes_on = true;

  if (!copier_enter(self)) return false;
  status = check_arrow(work, &error);
  if (!copier_leave(self, status, &error, 0)) return false;
  while (goes_on && !work->is_end) {
    if (!copier_enter(self)) return false;
    Py_BEGIN_ALLOW_THREADS;
    status = send_arrow(work, &error);
    Py_END_ALLOW_THREADS;
    goes_on = copier_leave(
        self, status, &error,
        status == QE_ERR_TYPE || status == QE_ERR_RANGE || status == QE_ERR_ENCODING
            ? work->sent + 1
            : 0);
  }
  return goes_on;
}

/* (capsule with a stream) -> how many rows there were */
static PyObject *copier_write_arrow(PyObject *object, PyObject *capsule) {
  copier *self = (copier *)object;
  struct ArrowArrayStream *stream = NULL;
  arrow_copy work = {.copier = self};
  qe_error error;
  qe_status status;
  bool is_done;

  if (!has_shape(self)) return NULL;
  stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");
  if (!stream) return NULL;
  if (!stream->release) {
    return qe__py_raise_status(self->session->python, QE_ERR_MISUSE,
                               "The Arrow stream was read before");
  }
  Py_BEGIN_ALLOW_THREADS;
  status = qe__arrow_input_new(stream, &work.input, &error);
  Py_END_ALLOW_THREADS;
  is_done = status == QE_OK && send_stream(&work);
  if (status != QE_OK) qe__py_raise(self->session->python, NULL, &error, NULL, 0);
  Py_BEGIN_ALLOW_THREADS;
  qe__arrow_input_free(work.input);
  Py_END_ALLOW_THREADS;
  qe__free(work.order);
  qe__free(work.values);
  return is_done ? PyLong_FromLongLong((long long)work.sent) : NULL;
}

/* Out. */

static PyObject *copier_read(PyObject *object, PyObject *ignored) {
  copier *self = (copier *)object;
  qe_connection *connection = self->session->connection;
  qe_error error;
  qe_status status;

  (void)ignored;
  if (!copier_enter(self)) return NULL;
  Py_BEGIN_ALLOW_THREADS;
  do {
    status = qe__backend_copy_read(self->copy, COPY_READ_BYTES, &error);
  } while (qe__waited(connection, &status, &error));
  Py_END_ALLOW_THREADS;
  if (!copier_leave(self, status, &error, 0)) return NULL;
  return PyBytes_FromStringAndSize((const char *)self->copy->data.data,
                                   (Py_ssize_t)self->copy->data.size);
}

/* A list of the next rows, empty at the end. */
static PyObject *copier_rows(PyObject *object, PyObject *ignored) {
  copier *self = (copier *)object;
  qe_connection *connection = self->session->connection;
  qe_batch *batch;
  PyObject *list;
  qe_error error;
  qe_status status;

  (void)ignored;
  if (!has_shape(self) || !copier_enter(self)) return NULL;
  batch = &self->copy->shape->batch;
  self->shape->row_offset += batch->row_count;
  self->shape->position = 0;
  qe__batch_reset(batch);
  Py_BEGIN_ALLOW_THREADS;
  do {
    status = qe__backend_copy_fill(self->copy, batch, COPY_READ_ROWS, COPY_READ_BYTES,
                                   &error);
  } while (qe__waited(connection, &status, &error));
  Py_END_ALLOW_THREADS;
  if (!copier_leave(self, status, &error, 0)) return NULL;
  list = PyList_New(0);
  if (list && qe__py_append_rows(self->shape, list, INT64_MAX)) return list;
  Py_XDECREF(list);
  return NULL;
}

/* The columns that pass, as a reader has them. */
static PyObject *copier_columns(PyObject *object, PyObject *ignored) {
  copier *self = (copier *)object;
  return has_shape(self) ? qe__py_reader_columns((PyObject *)self->shape, ignored)
                         : NULL;
}

/* (reason or None): ends the COPY; with a reason as a failure, which is not raised. */
static PyObject *copier_end(PyObject *object, PyObject *reason) {
  copier *self = (copier *)object;
  qe_connection *connection = self->session->connection;
  PyObject *bytes = reason == Py_None ? NULL : PyUnicode_AsUTF8String(reason);
  const char *failure = bytes ? PyBytes_AsString(bytes) : NULL;
  qe_error error;
  qe_status status;
  bool is_done;

  if (PyErr_Occurred() || !copier_enter(self)) {
    Py_XDECREF(bytes);
    return NULL;
  }
  Py_BEGIN_ALLOW_THREADS;
  do {
    status = qe__backend_copy_end(self->copy, failure, &error);
  } while (qe__waited(connection, &status, &error));
  Py_END_ALLOW_THREADS;
  is_done = copier_leave(self, status, &error, 0);
  Py_XDECREF(bytes);
  return none_if(is_done);
}

static PyObject *copier_get_count(PyObject *self, void *ignored) {
  (void)ignored;
  return PyLong_FromLongLong(((copier *)self)->copy->rows);
}

static void copier_dealloc(PyObject *object) {
  copier *self = (copier *)object;

  if (self->copy) {
    /* Whoever uses the connection next ends it, where it has not ended. */
    self->copy->shape = NULL;
    atomic_store(&self->copy->is_orphan, true);
    qe__copy_release(self->copy);
  }
  Py_XDECREF((PyObject *)self->shape);
  Py_XDECREF((PyObject *)self->session);
  Py_XDECREF(self->sql);
  qe__py_free_object(object);
}

PyObject *qe__py_session_copy(PyObject *object, PyObject *const *arguments,
                              Py_ssize_t count) {
  qe_session *from = (qe_session *)object;
  copier *self;
  long format;

  if (count != 4) {
    PyErr_SetString(PyExc_TypeError, "Four arguments are needed");
    return NULL;
  }
  format = PyLong_AsLong(arguments[3]);
  if (format == -1 && PyErr_Occurred()) return NULL;
  self = PyObject_New(copier, from->python->copier_type);
  if (!self) return NULL;
  self->session = from;
  Py_INCREF(object);
  self->shape = NULL;
  self->sql = arguments[0];
  Py_INCREF(self->sql);
  self->is_busy = false;
  self->copy = qe__copy_new(from->connection);
  if (!self->copy) {
    PyErr_NoMemory();
  } else {
    self->copy->is_in = PyObject_IsTrue(arguments[2]);
    self->copy->format = (qe_copy_format)format;
    if ((arguments[1] == Py_None || take_shape(self, arguments[1])) &&
        begin_copy(self)) {
      return (PyObject *)self;
    }
  }
  Py_DECREF((PyObject *)self);
  return NULL;
}

static PyMethodDef copier_methods[] = {
    {"write", copier_write, METH_O, "Send bytes."},
    {"write_rows", copier_write_rows, METH_O, "Send rows; how many they were."},
    {"write_arrow", copier_write_arrow, METH_O, "Send an Arrow stream in a capsule."},
    {"read", copier_read, METH_NOARGS, "The next bytes, none at the end."},
    {"rows", copier_rows, METH_NOARGS, "A list of the next rows, empty at the end."},
    {"columns", copier_columns, METH_NOARGS, "The columns, as a Reader's."},
    {"end", copier_end, METH_O, "(why it failed or None) -> None"},
    {NULL, NULL, 0, NULL}};

static PyGetSetDef copier_attributes[] = {
    {"count", copier_get_count, NULL, "Rows that passed, by the server; -1 before.",
     NULL},
    {NULL, NULL, NULL, NULL, NULL}};

PyTypeObject *qe__py_copier_type(void) {
  PyType_Slot slots[] = {
      {Py_tp_new, (void *)qe__py_refuse_new},   {Py_tp_dealloc, (void *)copier_dealloc},
      {Py_tp_methods, copier_methods},          {Py_tp_getset, copier_attributes},
      {Py_tp_doc, (void *)"A COPY under way."}, {0, NULL}};

  return qe__py_make_type("engineroom.Copier", sizeof(copier), slots);
}
