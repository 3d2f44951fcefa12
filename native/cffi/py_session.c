/* Session: a connection, seen from Python; and the way in from cffi. */
#include "../src/qe_error.h"
#include "../src/qe_mem.h"
#include "../src/qe_wait.h"
#include "py.h"

static PyObject *session_reader(PyObject *object, PyObject *ignored) {
  qe_session *self = (qe_session *)object;

  (void)ignored;
  return (PyObject *)qe__py_reader_new(self->python, self->connection);
}

/* Ends one of a session's calls: None, or the error raised. */
static PyObject *answer(qe_session *self, qe_status status, const qe_error *error,
                        PyObject *sql) {
  if (status == QE_OK || qe__is_want(status)) return qe__py_wish(status);
  return qe__py_raise(self->python, self->connection, error, sql, 0);
}

qe_status qe__py_do(qe_python *python, qe_connection *connection, qe_action action,
                    qe_error *error) {
  qe_status status = qe__connection_enter(connection, error);

  if (status != QE_OK) return status;
  if (!PyErr_Occurred()) qe__py_set_pulse(python, connection);
  Py_BEGIN_ALLOW_THREADS;
  status = qe__connection_do(connection, action, error);
  Py_END_ALLOW_THREADS;
  qe__connection_leave(connection);
  return status;
}

static PyObject *inside(qe_session *self, qe_action action) {
  qe_error error;
  qe_status status = qe__py_do(self->python, self->connection, action, &error);

  return answer(self, status, &error, NULL);
}

static PyObject *session_begin(PyObject *self, PyObject *ignored) {
  (void)ignored;
  return inside((qe_session *)self, qe__backend_begin);
}

static PyObject *session_commit(PyObject *self, PyObject *ignored) {
  (void)ignored;
  return inside((qe_session *)self, qe__backend_commit);
}

static PyObject *session_rollback(PyObject *self, PyObject *ignored) {
  (void)ignored;
  return inside((qe_session *)self, qe__backend_rollback);
}

static PyObject *session_executescript(PyObject *object, PyObject *sql) {
  qe_session *self = (qe_session *)object;
  PyObject *bytes = qe__py_encode_sql(self->python, sql);
  qe_error error;
  qe_status status;
  char *text;
  Py_ssize_t size;

  if (!bytes || PyBytes_AsStringAndSize(bytes, &text, &size) < 0) return NULL;
  status = qe__connection_enter(self->connection, &error);
  if (status == QE_OK) {
    qe__py_set_pulse(self->python, self->connection);
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

static PyObject *session_in_transaction(PyObject *self, PyObject *ignored) {
  (void)ignored;
  return PyBool_FromLong(
      qe_connection_in_transaction(((qe_session *)self)->connection));
}

/* Takes no lock and enters nothing: it may come while another thread is inside. */
static PyObject *session_limit(PyObject *object, PyObject *milliseconds) {
  long long length = PyLong_AsLongLong(milliseconds);

  if (length == -1 && PyErr_Occurred()) return NULL;
  qe__limit(((qe_session *)object)->connection, length);
  Py_INCREF(Py_None);
  return Py_None;
}

/* Nothing is waited for, so the interpreter lock is kept. */
static PyObject *session_is_gone(PyObject *object, PyObject *ignored) {
  qe_session *self = (qe_session *)object;
  bool is_gone = true;
  qe_error error;
  qe_status status = qe__connection_enter(self->connection, &error);

  (void)ignored;
  if (status == QE_OK) {
    is_gone = qe__backend_is_gone(self->connection);
    qe__connection_leave(self->connection);
  } else if (status != QE_ERR_CLOSED && status != QE_ERR_FORKED) {
    return answer(self, status, &error, NULL);
  }
  return PyBool_FromLong(is_gone);
}

static void session_dealloc(PyObject *object) {
  qe_connection_release(((qe_session *)object)->connection);
  qe__py_free_object(object);
}

static PyMethodDef session_methods[] = {
    {"reader", session_reader, METH_NOARGS, "A new Reader."},
    {"copy", FAST(qe__py_session_copy), METH_FASTCALL, "A Copier that has begun."},
    {"executescript", session_executescript, METH_O, "Run every statement of a text."},
    {"begin", session_begin, METH_NOARGS, "Open a transaction."},
    {"commit", session_commit, METH_NOARGS, "Commit the transaction, if one is open."},
    {"limit", session_limit, METH_O,
     "Have every call end within so many milliseconds from now; 0: no more."},
    {"in_transaction", session_in_transaction, METH_NOARGS,
     "Whether a transaction is open; not so once it is closed."},
    {"is_gone", session_is_gone, METH_NOARGS,
     "Whether it cannot be used further, as far as is known without waiting."},
    {"rollback", session_rollback, METH_NOARGS, "Undo the transaction, if any."},
    {NULL, NULL, 0, NULL}};

static PyTypeObject *session_type(void) {
  PyType_Slot slots[] = {{Py_tp_new, (void *)qe__py_refuse_new},
                         {Py_tp_dealloc, (void *)session_dealloc},
                         {Py_tp_methods, session_methods},
                         {Py_tp_doc, (void *)"An open connection."},
                         {0, NULL}};

  return qe__py_make_type("engineroom.Session", sizeof(qe_session), slots);
}

static bool make_types(qe_python *python) {
  python->session_type = session_type();
  python->reader_type = qe__py_reader_type();
  python->copier_type = qe__py_copier_type();
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
  qe_session *self = PyObject_New(qe_session, python->session_type);
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
