/* A Reader's statement: prepared, run once, or run for many rows of parameters. */
#include "../src/qe_mem.h"
#include "../src/qe_wait.h"
#include "py.h"

/* Rows read when a statement starts: one round for most queries. */
enum { FIRST_ROWS = 64 };

static bool takes_two(Py_ssize_t count) {
  if (count == 2) return true;
  PyErr_SetString(PyExc_TypeError, "Two arguments are needed");
  return false;
}

/* What a status becomes: QE_OK and wishes to wait stay, anything else is raised. */
static qe_status told(qe_reader *self, qe_status status, const qe_error *error) {
  if (status != QE_OK && !qe__is_want(status)) {
    qe__py_raise(self->python, self->connection, error, self->sql, 0);
  }
  return status;
}

/* Goes on preparing the statement; inside. */
static qe_status resume_preparing(qe_reader *self) {
  qe_error error;
  qe_status status;

  qe__py_set_pulse(self->python, self->connection);
  self->is_busy = true;
  Py_BEGIN_ALLOW_THREADS;
  status = qe__statement_resume(&self->statement, &error);
  Py_END_ALLOW_THREADS;
  self->is_busy = false;
  return told(self, status, &error);
}

/* Encodes the text and takes its statement from the cache, or prepares it; inside. */
static qe_status find_statement(qe_reader *self, PyObject *sql) {
  PyObject *bytes;
  qe_error error;
  qe_status status = QE_OK;
  char *text;
  Py_ssize_t size;

  bytes = qe__py_encode_sql(self->python, sql);
  if (!bytes || PyBytes_AsStringAndSize(bytes, &text, &size) < 0) return QE_RAISED;
  Py_INCREF(sql);
  self->sql = sql;
  self->statement = qe__statement_find(self->connection, text, size);
  if (!self->statement) {
    qe__py_set_pulse(self->python, self->connection);
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
qe_status qe__py_take_statement(qe_reader *self, PyObject *sql) {
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
static qe_status read_first(qe_reader *self) {
  qe_statement *statement = self->statement;
  qe_error error;
  qe_status status;

  qe__py_set_pulse(self->python, self->connection);
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
static qe_status start_statement(qe_reader *self, PyObject *parameters) {
  qe_statement *statement = self->statement;
  int32_t count = statement->parameter_count;
  qe_error error;
  qe_status status = QE_RAISED;
  qe_values given;
  bool is_read;

  if (!qe__py_values_init(&given, count)) {
    PyErr_NoMemory();
    return QE_RAISED;
  }
  is_read = qe__py_read_row(self->python, &given, given.all, statement, parameters);
  if (is_read) {
    self->is_busy = true;
    Py_BEGIN_ALLOW_THREADS;
    status = qe__statement_start(statement, given.all, count, &error);
    Py_END_ALLOW_THREADS;
    self->is_busy = false;
    status = told(self, status, &error);
  }
  qe__py_values_clear(&given);
  if (status != QE_OK) return status;
  self->stage = STAGE_FIRST;
  if (!self->connection->is_piped) return read_first(self);
  /* In a pipeline nothing is waited for: the rows come when they are asked for. */
  self->has_result = statement->column_count > 0;
  return QE_OK;
}

/* Ends a call of execute() or resume(), and leaves. */
static PyObject *end_step(qe_reader *self, qe_status status) {
  qe__connection_leave(self->connection);
  if (!qe__is_want(status)) {
    self->stage = STAGE_IDLE;
    Py_CLEAR(self->parameters);
  }
  return qe__py_wish(status);
}

/* (sql, parameters); a stepped connection may answer with a qe__py_wish, and goes on
 * with resume(). */
PyObject *qe__py_reader_execute(PyObject *object, PyObject *const *arguments,
                                Py_ssize_t count) {
  qe_reader *self = (qe_reader *)object;
  qe_status status;

  if (!takes_two(count) || !qe__py_reader_enter(self)) return NULL;
  self->stage = STAGE_PREPARE;
  status = qe__py_take_statement(self, arguments[0]);
  if (status == QE_OK) {
    status = start_statement(self, arguments[1]);
  } else if (qe__is_want(status)) {
    Py_INCREF(arguments[1]);
    Py_XDECREF(self->parameters);
    self->parameters = arguments[1];
  }
  return end_step(self, status);
}

/* Puts a statement that has just been prepared into the cache; inside. */
static void keep_statement(qe_reader *self) {
  qe__statement_return(self->statement);
  self->statement = NULL;
  Py_CLEAR(self->sql);
}

/* (sql): has the statement in the cache, so that execute() finds it prepared. Answers
 * with wishes as execute() does; does nothing where there is no cache. */
PyObject *qe__py_reader_prepare(PyObject *object, PyObject *sql) {
  qe_reader *self = (qe_reader *)object;
  qe_status status = QE_OK;

  if (!qe__py_reader_enter(self)) return NULL;
  self->stage = STAGE_KEEP;
  if (qe__backend_keeps_statements(self->connection)) {
    status = qe__py_take_statement(self, sql);
    if (status == QE_OK) keep_statement(self);
  }
  return end_step(self, status);
}

PyObject *qe__py_reader_resume(PyObject *object, PyObject *ignored) {
  qe_reader *self = (qe_reader *)object;
  qe_status status = QE_OK;

  (void)ignored;
  if (!qe__py_reader_enter(self)) return NULL;
  if (self->stage == STAGE_PREPARE) {
    status = resume_preparing(self);
    if (status == QE_OK) status = start_statement(self, self->parameters);
  } else if (self->stage == STAGE_KEEP) {
    status = resume_preparing(self);
    if (status == QE_OK) keep_statement(self);
  } else if (self->stage == STAGE_FIRST) {
    status = read_first(self);
  }
  return end_step(self, status);
}

/* Waits for what a run in a pipeline gives or did. Rows that came while others waited
 * may be there already, and behind them a failure. */
PyObject *qe__py_reader_settle(PyObject *object, PyObject *ignored) {
  qe_reader *self = (qe_reader *)object;
  bool is_unsettled =
      self->statement && self->statement->is_running && self->row_offset == 0;

  (void)ignored;
  if (!is_unsettled) return qe__py_wish(QE_OK);
  if (!qe__py_reader_enter(self)) return NULL;
  self->stage = STAGE_FIRST;
  return end_step(self, read_first(self));
}

/* Some rows of parameters on their way into the database. */
typedef struct chunk {
  qe_statement *statement;
  qe_values given;
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
static bool read_chunk(qe_reader *self, PyObject *iterator, chunk *rows) {
  qe_value *first = rows->given.all;
  PyObject *row;

  qe__py_values_drop_held(&rows->given);
  rows->row_count = 0;
  while (rows->row_count < PARAMETER_ROWS && (row = PyIter_Next(iterator))) {
    bool is_read =
        qe__py_read_row(self->python, &rows->given, first, rows->statement, row);
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
static bool read_while_running(qe_reader *self, PyObject *iterator, qe_worker *worker,
                               chunk *rows, chunk *next) {
  PyObject *type = NULL, *value = NULL, *traceback = NULL;
  bool is_read;

  qe__worker_submit(worker, run_chunk, rows);
  is_read = read_chunk(self, iterator, next);
  if (!is_read) PyErr_Fetch(&type, &value, &traceback);
  if (qe__py_await_worker(worker, self->connection) && rows->status == QE_OK) {
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
static bool run_and_read(qe_reader *self, PyObject *iterator, qe_worker *worker,
                         chunk *rows, chunk *next) {
  bool goes_on;

  if (!qe__py_reader_enter(self)) return false;
  self->is_busy = true;
  if (worker) {
    goes_on = read_while_running(self, iterator, worker, rows, next);
  } else {
    qe__py_set_pulse(self->python, self->connection);
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
static bool run_chunks(qe_reader *self, PyObject *iterator, qe_worker *worker,
                       chunk chunks[2]) {
  int64_t rows_before = 0;
  int current = 0;
  bool goes_on = read_chunk(self, iterator, &chunks[0]);

  while (goes_on && chunks[current].row_count > 0) {
    chunk *rows = &chunks[current];

    goes_on = run_and_read(self, iterator, worker, rows, &chunks[1 - current]);
    if (self->statement->changes > 0) self->changes += self->statement->changes;
    if (rows->status != QE_OK) {
      qe__py_raise(self->python, self->connection, &rows->error, self->sql,
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

static bool run_all(qe_reader *self, PyObject *parameters) {
  int64_t count = (int64_t)self->statement->parameter_count * PARAMETER_ROWS;
  PyObject *iterator = PyObject_GetIter(parameters);
  chunk *chunks = iterator ? qe__zalloc(2 * (int64_t)sizeof *chunks) : NULL;
  qe_worker *worker = NULL;
  bool is_done = false;

  self->changes = 0;
  if (chunks && qe__py_values_init(&chunks[0].given, count)) {
    if (qe__py_values_init(&chunks[1].given, count)) {
      chunks[0].statement = self->statement;
      chunks[1].statement = self->statement;
      worker = worker_for(parameters);
      is_done = run_chunks(self, iterator, worker, chunks);
      qe__worker_stop(worker);
      qe__py_values_clear(&chunks[1].given);
    }
    qe__py_values_clear(&chunks[0].given);
  }
  if (!is_done && !PyErr_Occurred()) PyErr_NoMemory();
  qe__free(chunks);
  Py_XDECREF(iterator);
  return is_done;
}

/* With autocommit on, many rows are one transaction of their own: all or none. */
static bool run_in_transaction(qe_reader *self, PyObject *parameters) {
  qe_connection *connection = self->connection;
  bool is_own = connection->is_autocommit && self->statement->opens_transaction &&
                !qe_connection_in_transaction(connection);
  qe_error error;
  bool is_done;

  if (is_own && qe__py_do(self->python, connection, qe__backend_begin, &error)) {
    qe__py_raise(self->python, connection, &error, NULL, 0);
    return false;
  }
  is_done = run_all(self, parameters);
  if (is_own && is_done &&
      qe__py_do(self->python, connection, qe__backend_commit, &error)) {
    qe__py_raise(self->python, connection, &error, NULL, 0);
    is_done = false;
  }
  if (is_own && !is_done) {
    (void)qe__py_do(self->python, connection, qe__backend_rollback, NULL);
    self->changes = 0;
  }
  return is_done;
}

/* (sql, rows of parameters) */
PyObject *qe__py_reader_executemany(PyObject *object, PyObject *const *arguments,
                                    Py_ssize_t count) {
  qe_reader *self = (qe_reader *)object;
  qe_status status;

  if (!takes_two(count) || !qe__py_reader_enter(self)) return NULL;
  status = qe__py_take_statement(self, arguments[0]);
  qe__connection_leave(self->connection);
  if (status != QE_OK) return NULL;
  if (self->statement->column_count > 0) {
    return qe__py_raise_status(self->python, QE_ERR_MISUSE,
                               "executemany() is for statements that give no rows");
  }
  if (!run_in_transaction(self, arguments[1])) return NULL;
  if (!self->statement->counts_changes) self->changes = -1;
  self->last_row_id = self->statement->last_row_id;
  Py_INCREF(Py_None);
  return Py_None;
}
