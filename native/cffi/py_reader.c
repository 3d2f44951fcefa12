/* Reader: one cursor's statement and the rows it gives, as they are or as Arrow.
 * py_execute.c has how it comes to run. */
#include "../src/qe_arrow.h"
#include "../src/qe_error.h"
#include "../src/qe_mem.h"
#include "../src/qe_wait.h"
#include "py.h"

/* Batches that stay in the processor's cache while rows are made of them. */
enum { NEXT_ROWS = 512 };
/* What the second thread reads at a time, while rows are made of the last batch: large
 * enough that handing it over costs nothing. */
enum { AHEAD_ROWS = 2048 };

static bool raise_in_use(const qe_reader *self) {
  qe__py_raise_status(self->python, QE_ERR_IN_USE,
                      "Another thread is using the connection");
  return false;
}

bool qe__py_reader_enter(const qe_reader *self) {
  qe_error error;

  if (self->is_busy) return raise_in_use(self);
  if (QE_LIKELY(qe__connection_enter(self->connection, &error) == QE_OK)) return true;
  qe__py_raise(self->python, self->connection, &error, NULL, 0);
  return false;
}

/* Whether rows may be asked for; raises if not. */
static bool can_read(const qe_reader *self) {
  qe_error error;

  if (self->is_busy) return raise_in_use(self);
  if (!self->has_result) {
    qe__py_raise_status(self->python, QE_ERR_MISUSE,
                        "There is no result to fetch from");
    return false;
  }
  if (QE_LIKELY(atomic_load(&self->connection->life) == QE_LIFE_OPEN)) return true;
  if (qe__connection_enter(self->connection, &error) == QE_OK) {
    qe__connection_leave(self->connection);
    return true;
  }
  qe__py_raise(self->python, self->connection, &error, NULL, 0);
  return false;
}

/* Reads the next batch when the present one is used up. QE_OK with rows at hand or at
 * the end. */
static qe_status load(qe_reader *self) {
  qe_statement *statement = self->statement;
  qe_error error;
  qe_status status;

  if (self->position < statement->batch.row_count) return QE_OK;
  if (!statement->is_running) return QE_OK;
  if (qe__connection_enter(self->connection, &error) != QE_OK) {
    qe__py_raise(self->python, self->connection, &error, NULL, 0);
    return QE_RAISED;
  }
  qe__py_set_pulse(self->python, self->connection);
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
  qe__py_raise(self->python, self->connection, &error, self->sql, 0);
  return QE_RAISED;
}

/* Whether there is a row at hand; false at the end or with an exception. */
static inline bool advance(qe_reader *self) {
  if (QE_LIKELY(self->position < self->statement->batch.row_count)) return true;
  return load(self) == QE_OK && self->position < self->statement->batch.row_count;
}

static PyObject *reader_next(PyObject *object) {
  qe_reader *self = (qe_reader *)object;

  if (!can_read(self) || !advance(self)) return NULL;
  return qe__py_make_row(self, self->position++);
}

static PyObject *reader_fetchone(PyObject *object, PyObject *ignored) {
  PyObject *row = reader_next(object);

  (void)ignored;
  if (row || PyErr_Occurred()) return row;
  Py_INCREF(Py_None);
  return Py_None;
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
static bool append_all(qe_reader *self, PyObject *list, qe_worker *worker,
                       ahead *next) {
  qe_statement *statement = self->statement;
  bool goes_on = true;

  while (goes_on && statement->is_running) {
    qe__worker_submit(worker, fill_ahead, next);
    goes_on = qe__py_append_rows(self, list, INT64_MAX);
    goes_on = qe__py_await_worker(worker, self->connection) && goes_on;
    if (goes_on && next->status != QE_OK) {
      qe__py_raise(self->python, self->connection, &next->error, NULL, 0);
      goes_on = false;
    }
    self->row_offset += statement->batch.row_count;
    self->position = 0;
    swap_batches(&statement->batch, &next->batch);
  }
  return goes_on && qe__py_append_rows(self, list, INT64_MAX);
}

/* fetchall() of a long result; false with an exception. Where no second thread can be
 * had, it appends the rows at hand, and the caller goes on batch by batch. */
static bool fetch_ahead(qe_reader *self, PyObject *list) {
  ahead next = {.statement = self->statement};
  qe_worker *worker = NULL;
  qe_error error;
  bool is_done = true;

  if (qe__connection_enter(self->connection, &error) != QE_OK) {
    qe__py_raise(self->python, self->connection, &error, NULL, 0);
    return false;
  }
  self->is_busy = true;
  worker = qe__worker_start();
  if (worker && qe__statement_spare(self->statement, &next.batch)) {
    is_done = append_all(self, list, worker, &next);
  } else {
    is_done = qe__py_append_rows(self, list, INT64_MAX);
  }
  qe__worker_stop(worker);
  qe__batch_clear(&next.batch);
  self->is_busy = false;
  qe__connection_leave(self->connection);
  return is_done;
}

/* A failure ends the result: rows that were read for the list are gone with it, and
 * going on after a gap would hide that. */
static PyObject *fetch(qe_reader *self, int64_t most) {
  PyObject *list;

  if (!can_read(self)) return NULL;
  list = PyList_New(0);
  while (list && most > 0 && advance(self)) {
    int64_t before = self->position;

    if (most == INT64_MAX && self->row_offset >= AHEAD_AFTER) {
      if (!fetch_ahead(self, list)) break;
    } else if (!qe__py_append_rows(self, list, most)) {
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
  return fetch((qe_reader *)self, INT64_MAX);
}

static PyObject *reader_load(PyObject *object, PyObject *ignored) {
  (void)ignored;
  if (!can_read((qe_reader *)object)) return NULL;
  return qe__py_wish(load((qe_reader *)object));
}

static PyObject *reader_take(PyObject *object, PyObject *size) {
  qe_reader *self = (qe_reader *)object;
  long long most = PyLong_AsLongLong(size);
  PyObject *list;

  if (most == -1 && PyErr_Occurred()) return NULL;
  if (!can_read(self)) return NULL;
  list = PyList_New(0);
  if (list && !qe__py_append_rows(self, list, most)) Py_CLEAR(list);
  return list;
}

static PyObject *reader_fetchmany(PyObject *self, PyObject *size) {
  long long most = PyLong_AsLongLong(size);

  if (most == -1 && PyErr_Occurred()) return NULL;
  if (most < 0) {
    return qe__py_raise_status(((qe_reader *)self)->python, QE_ERR_MISUSE,
                               "fetchmany() cannot give %lld rows", most);
  }
  return fetch((qe_reader *)self, most);
}

/* What the column holds: as declared, else as the rows at hand show. */
static qe_type shown_type(const qe_reader *self, int32_t index) {
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
PyObject *qe__py_reader_columns(PyObject *object, PyObject *ignored) {
  qe_reader *self = (qe_reader *)object;
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

static void drop_statement(qe_reader *self) {
  qe_statement_release(self->statement);
  self->statement = NULL;
  self->has_result = false;
  Py_CLEAR(self->sql);
  Py_CLEAR(self->columns);
  Py_CLEAR(self->parameters);
  self->stage = STAGE_IDLE;
}

static PyObject *reader_close(PyObject *object, PyObject *ignored) {
  qe_reader *self = (qe_reader *)object;

  (void)ignored;
  if (self->is_busy) {
    raise_in_use(self);
    return NULL;
  }
  drop_statement(self);
  Py_INCREF(Py_None);
  return Py_None;
}

static void end_stream(PyObject *capsule) {
  struct ArrowArrayStream *stream = PyCapsule_GetPointer(capsule, "arrow_array_stream");

  if (stream && stream->release) stream->release(stream);
  qe__free(stream);
}

/* Moves the statement into the stream; false with an exception. Its rows may be half
 * converted when it fails, so the result ends either way. */
static bool move_to_stream(qe_reader *self, struct ArrowArrayStream *stream) {
  qe_error error;
  qe_status status = qe__connection_enter(self->connection, &error);

  if (status != QE_OK) {
    qe__py_raise(self->python, self->connection, &error, NULL, 0);
    return false;
  }
  qe__py_set_pulse(self->python, self->connection);
  self->is_busy = true;
  Py_BEGIN_ALLOW_THREADS;
  status = qe__statement_arrow(self->statement, self->position, qe__py_peek_signals,
                               self->python, stream, &error);
  Py_END_ALLOW_THREADS;
  self->is_busy = false;
  qe__connection_leave(self->connection);
  if (status == QE_OK) self->statement = NULL;
  drop_statement(self);
  if (status != QE_OK) qe__py_raise(self->python, self->connection, &error, NULL, 0);
  return status == QE_OK;
}

/* What is left of the result in a PyCapsule, as the Arrow PyCapsule interface has it:
 * https://arrow.apache.org/docs/format/CDataInterface/PyCapsuleInterface.html */
static PyObject *reader_arrow(PyObject *object, PyObject *ignored) {
  qe_reader *self = (qe_reader *)object;
  struct ArrowArrayStream *stream;
  PyObject *capsule, *columns;

  if (!can_read(self)) return NULL;
  columns = qe__py_reader_columns(object, ignored);
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

static PyObject *reader_get_changes(PyObject *self, void *ignored) {
  (void)ignored;
  return PyLong_FromLongLong(((qe_reader *)self)->changes);
}

static PyObject *reader_get_last_row_id(PyObject *self, void *ignored) {
  (void)ignored;
  return PyLong_FromLongLong(((qe_reader *)self)->last_row_id);
}

static PyObject *reader_get_has_result(PyObject *self, void *ignored) {
  (void)ignored;
  return PyBool_FromLong(((qe_reader *)self)->has_result);
}

static PyObject *reader_get_is_running(PyObject *self, void *ignored) {
  const qe_statement *statement = ((qe_reader *)self)->statement;

  (void)ignored;
  return PyBool_FromLong(statement && statement->is_running);
}

static PyObject *reader_iter(PyObject *self) {
  Py_INCREF(self);
  return self;
}

qe_reader *qe__py_reader_new(qe_python *python, qe_connection *connection) {
  qe_reader *made = PyObject_New(qe_reader, python->reader_type);

  if (!made) return NULL;
  made->python = python;
  made->connection = connection;
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
  qe__connection_retain(connection);
  return made;
}

static void reader_dealloc(PyObject *object) {
  qe_reader *self = (qe_reader *)object;

  drop_statement(self);
  qe_connection_release(self->connection);
  qe__py_free_object(object);
}

static PyMethodDef reader_methods[] = {
    {"execute", FAST(qe__py_reader_execute), METH_FASTCALL,
     "(sql, parameters) -> None"},
    {"executemany", FAST(qe__py_reader_executemany), METH_FASTCALL,
     "(sql, rows of parameters) -> None"},
    {"prepare", qe__py_reader_prepare, METH_O, "(sql) -> None"},
    {"resume", qe__py_reader_resume, METH_NOARGS, "Go on with what wished to wait."},
    {"settle", qe__py_reader_settle, METH_NOARGS,
     "Wait for a run that is in a pipeline."},
    {"load", reader_load, METH_NOARGS, "Have rows at hand, if there are more."},
    {"take", reader_take, METH_O, "A list of up to so many rows of those at hand."},
    {"fetchone", reader_fetchone, METH_NOARGS, "The next row, or None at the end."},
    {"fetchmany", reader_fetchmany, METH_O, "A list of up to so many rows."},
    {"fetchall", reader_fetchall, METH_NOARGS, "A list of all rows that are left."},
    {"columns", qe__py_reader_columns, METH_NOARGS,
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

PyTypeObject *qe__py_reader_type(void) {
  PyType_Slot slots[] = {{Py_tp_new, (void *)qe__py_refuse_new},
                         {Py_tp_dealloc, (void *)reader_dealloc},
                         {Py_tp_methods, reader_methods},
                         {Py_tp_getset, reader_attributes},
                         {Py_tp_iter, (void *)reader_iter},
                         {Py_tp_iternext, (void *)reader_next},
                         {Py_tp_doc, (void *)"A statement and its rows."},
                         {0, NULL}};

  return qe__py_make_type("engineroom.Reader", sizeof(qe_reader), slots);
}
