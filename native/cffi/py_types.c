/* Classes: Python's own, with the bytes that their objects are made of, and what those
 * made here have in common. */
#include "py.h"

/* Where load_types has what. */
enum { TYPE_DATETIME, TYPE_DATE, TYPE_TIME, TYPE_UTC, TYPE_DECIMAL };

/* What PyType_GetSlot() cannot give: before 3.10 it knows no type like datetime's. */
static PyObject *call_type(PyTypeObject *type, PyObject *arguments, PyObject *names) {
  return PyObject_Call((PyObject *)type, arguments, names);
}

/* Readies a maker for objects whose pickled state has so many bytes. The bytes object
 * is ours alone: only the constructor sees it, and it copies. */
static bool maker_init(qe_maker *out, PyObject *type, Py_ssize_t size, PyObject *zone) {
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

static bool has_size(PyTypeObject *type, long wanted) {
  PyObject *size = PyObject_GetAttrString((PyObject *)type, "__basicsize__");
  bool is_wanted = size && PyLong_AsLong(size) == wanted;

  Py_XDECREF(size);
  PyErr_Clear();
  return is_wanted;
}

/* Whether an object made now has its state and zone there. */
static bool is_laid_out(const qe_maker *from, PyObject *zone, size_t size) {
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

bool qe__py_load_types(qe_python *python) {
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

PyTypeObject *qe__py_make_type(const char *name, int size, PyType_Slot *slots) {
  PyType_Spec spec = {name, size, 0, Py_TPFLAGS_DEFAULT, slots};
  return (PyTypeObject *)PyType_FromSpec(&spec);
}

/* The types are made by the engine only; calling one would give an object without a
 * connection. */
PyObject *qe__py_refuse_new(PyTypeObject *type, PyObject *arguments, PyObject *names) {
  (void)type;
  (void)arguments;
  (void)names;
  PyErr_SetString(PyExc_TypeError, "Only the engine makes objects of this type");
  return NULL;
}

void qe__py_free_object(PyObject *self) {
  PyTypeObject *type = Py_TYPE(self);
  PyObject_Free(self);
  Py_DECREF(type);
}
