/* What the files of this folder share: the one place that includes Python.h.
 *
 * cffi calls cost little, but building a row needs the interpreter for every value, so
 * what happens most, running a statement and reading its rows, is done by Python
 * objects made here: a Session for each connection, a Reader for each cursor, a Copier
 * for each COPY. Everything is of the limited API of CPython 3.9, so one binary serves
 * every later version. Errors are made by a hook, because the exception classes are
 * Python's.
 *
 * The interpreter lock is held by whoever calls a function of this folder, and let go
 * around every call into the engine that may wait or work long. What then keeps a
 * second thread out is the connection's busy mark, and a Reader's or Copier's own. */
#ifndef QE_PY_H
#define QE_PY_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "../src/qe_backend.h"
#include "../src/qe_worker.h"

/* When fetchall() has come this far and the result goes on, or executemany() is given
 * more rows, a second thread works ahead. */
enum { AHEAD_AFTER = 4096 };
/* Rows of parameters bound in one go, without the interpreter lock. */
enum { PARAMETER_ROWS = 1024 };
/* Parameters that need no memory of their own. */
enum { FEW_VALUES = 32 };

/* In place of a status: an exception was raised. */
#define QE_RAISED QE_ERR_MISUSE

/* CPython calls such a function without making a tuple of its arguments. 3.9 does so
 * too, though its headers offer it to the limited API only from 3.10 on. */
#ifndef METH_FASTCALL
#define METH_FASTCALL 0x0080
#endif
#define FAST(method) ((PyCFunction)(void (*)(void))(method))

/* Callables of the package, in the order of the tuple given to qe_python_new(). */
typedef struct qe_hooks {
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
} qe_hooks;

/* The shortest way into one of datetime's classes: its constructor, called straight,
 * with the bytes that its pickles hold. */
typedef struct qe_maker {
  newfunc make;
  PyTypeObject *type;
  PyObject *arguments; /* (state,) or (state, zone) */
  uint8_t *state;      /* the content of the bytes object in them */
} qe_maker;

/* What a UUID is made of: its class's constructor spends its time on finding out which
 * of six ways it was called. */
typedef struct qe_uuid_parts {
  newfunc make;
  PyTypeObject *type;
  PyObject *arguments;       /* none */
  PyObject *number, *safety; /* the names of its attributes */
  PyObject *unknown;         /* the safety of one that did not come from the system */
} qe_uuid_parts;

struct qe_python {
  qe_hooks hooks;
  unsigned long main_thread;
  PyTypeObject *session_type;
  PyTypeObject *reader_type;
  PyTypeObject *copier_type;
  qe_maker timestamp, timestamptz, date, time; /* ready once decimal is there */
  PyObject *utc;
  PyObject *decimal;  /* NULL until load_types was asked */
  qe_uuid_parts uuid; /* ready once unknown is there */
  PyObject *scan;     /* json's (text, index) -> (value, end); NULL until needed */
  PyObject *zero;
  bool has_layout; /* datetime's objects are laid out as expected */
  PyObject *makers[QE_TYPE_NESTED + 1]; /* by qe_type; NULL until maker_of was asked */
};

typedef struct qe_session {
  PyObject_HEAD;
  qe_python *python;
  qe_connection *connection; /* a reference */
} qe_session;

typedef struct qe_reader {
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
  /* Where resume() goes on; STAGE_KEEP prepares and runs nothing. */
  enum { STAGE_IDLE, STAGE_PREPARE, STAGE_KEEP, STAGE_FIRST } stage;
  bool has_result; /* rows may be asked for, also when there are no more */
  bool is_busy;    /* a thread is in one of our calls without the interpreter lock */
} qe_reader;

typedef struct qe_values {
  qe_value few[FEW_VALUES];
  PyObject *few_held[FEW_VALUES];
  qe_value *all;   /* few, or owned */
  PyObject **held; /* likewise: objects whose bytes the values point to */
  int64_t held_count;
} qe_values;

/* Where CPython has what in the objects of datetime, in all its versions so far: behind
 * the head a hash, whether there is a zone, the state, and the zone at the end. */
enum {
  LAYOUT_HAS_ZONE = sizeof(PyObject) + sizeof(Py_hash_t),
  LAYOUT_STATE,
  LAYOUT_ZONE = LAYOUT_HAS_ZONE + 16
};

/* py_errors.c: failures and signals. */

/* Raises what the error says, unless an exception (from a signal) is already there;
 * always NULL. connection and sql may be NULL; row counts parameter rows from 1, 0
 * where there is none. */
PyObject *qe__py_raise(qe_python *python, const qe_connection *connection,
                       const qe_error *error, PyObject *sql, int64_t row);

/* The same with a sentence of ours. */
PyObject *qe__py_raise_status(qe_python *python, qe_status status, const char *format,
                              ...) QE_PRINTF(3, 4);

/* None, or what has to be waited for; NULL for QE_RAISED. */
PyObject *qe__py_wish(qe_status status);

/* Has the engine ask for signals during long work, where this is the main thread.
 * Inside the connection; qe__connection_leave() takes it away again. */
void qe__py_set_pulse(qe_python *python, qe_connection *connection);

/* The pulse of a stream, which other libraries read; context is a qe_python. */
bool qe__py_peek_signals(void *context);

/* Waits until the worker's job is done, handling signals meanwhile; one that raises
 * stops the job, and the answer is false. */
bool qe__py_await_worker(qe_worker *worker, qe_connection *connection);

/* py_types.c: Python's own classes, and ours. */

/* Readies what needs datetime and decimal; false with an exception. */
bool qe__py_load_types(qe_python *python);

static inline bool qe__py_has_types(qe_python *python) {
  return QE_LIKELY(python->decimal != NULL) || qe__py_load_types(python);
}

/* A new type that only the engine makes objects of: slots have qe__py_refuse_new().
 * NULL with an exception. */
PyTypeObject *qe__py_make_type(const char *name, int size, PyType_Slot *slots);
PyObject *qe__py_refuse_new(PyTypeObject *type, PyObject *arguments, PyObject *names);

/* Frees an object of a type made here: such types are counted, and objects hold one. */
void qe__py_free_object(PyObject *self);

/* py_values.c: values in. */

/* Room for so many values; false without memory, and then there is nothing to clear. */
bool qe__py_values_init(qe_values *out, int64_t count);
void qe__py_values_drop_held(qe_values *out);
void qe__py_values_clear(qe_values *out);

/* Reads an object into the value, which is valid until out lets go of what it holds.
 * type is the parameter's, as the database numbers it; 0 where it has none. */
bool qe__py_read_value(qe_python *python, qe_values *out, qe_value *value,
                       PyObject *object, uint32_t type);

/* Reads one row of parameters: a sequence, or a mapping for named ones. */
bool qe__py_read_row(qe_python *python, qe_values *out, qe_value *first,
                     const qe_statement *statement, PyObject *row);

/* The text's UTF-8 as a new bytes object. */
PyObject *qe__py_encode_sql(qe_python *python, PyObject *sql);

/* py_rows.c: values out. */

/* A new tuple of the batch's row. */
PyObject *qe__py_make_row(const qe_reader *self, int64_t row);

/* Appends up to most of the batch's rows to the list. */
bool qe__py_append_rows(qe_reader *self, PyObject *list, int64_t most);

/* py_reader.c: what a Reader is, and its rows. */

PyTypeObject *qe__py_reader_type(void);

/* A new Reader without a statement. */
qe_reader *qe__py_reader_new(qe_python *python, qe_connection *connection);

/* Enters the connection for one of a reader's calls; raises if that cannot be. */
bool qe__py_reader_enter(const qe_reader *self);
PyObject *qe__py_reader_columns(PyObject *object, PyObject *ignored);

/* py_execute.c: a Reader's statement, prepared and run. */

/* Makes the statement for this text the reader's; inside. */
qe_status qe__py_take_statement(qe_reader *self, PyObject *sql);

PyObject *qe__py_reader_prepare(PyObject *object, PyObject *sql);
PyObject *qe__py_reader_execute(PyObject *object, PyObject *const *arguments,
                                Py_ssize_t count);
PyObject *qe__py_reader_executemany(PyObject *object, PyObject *const *arguments,
                                    Py_ssize_t count);
PyObject *qe__py_reader_resume(PyObject *object, PyObject *ignored);
PyObject *qe__py_reader_settle(PyObject *object, PyObject *ignored);

/* py_session.c: a Session, and the way in from cffi. */

/* Does one thing to the whole connection without the interpreter lock. Where an
 * exception is on its way already, no signal's handler may raise another. */
qe_status qe__py_do(qe_python *python, qe_connection *connection, qe_action action,
                    qe_error *error);

/* py_copier.c: a COPY under way. */

PyTypeObject *qe__py_copier_type(void);

/* (sql, a statement that gives the same columns or None, is_in, format) */
PyObject *qe__py_session_copy(PyObject *object, PyObject *const *arguments,
                              Py_ssize_t count);

#endif
