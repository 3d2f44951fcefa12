/* Failures and signals: from what the engine says to exceptions, and back. */
#include <stdarg.h>
#include <stdio.h>

#include "../src/qe_error.h"
#include "../src/qe_wait.h"
#include "py.h"

/* How long to wait for the second thread before looking for signals. */
enum { SLICE_MS = 20 };

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

PyObject *qe__py_raise(qe_python *python, const qe_connection *connection,
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

PyObject *qe__py_raise_status(qe_python *python, qe_status status, const char *format,
                              ...) {
  qe_error error;
  va_list arguments;

  qe__error_clear(&error);
  error.status = (int32_t)status;
  va_start(arguments, format);
  (void)vsnprintf(error.message, sizeof error.message, format, arguments);
  va_end(arguments);
  return qe__py_raise(python, NULL, &error, NULL, 0);
}

PyObject *qe__py_wish(qe_status status) {
  if (qe__is_want(status)) return PyLong_FromLong((long)status);
  if (status != QE_OK) return NULL;
  Py_INCREF(Py_None);
  return Py_None;
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

void qe__py_set_pulse(qe_python *python, qe_connection *connection) {
  if (PyThread_get_thread_ident() == python->main_thread) {
    connection->pulse = check_signals;
  }
}

/* The pulse of a stream, which other libraries read: they do not expect an exception of
 * Python's, so the signal is only looked at, and left for the interpreter to handle. */
bool qe__py_peek_signals(void *context) {
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

bool qe__py_await_worker(qe_worker *worker, qe_connection *connection) {
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
