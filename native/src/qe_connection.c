/* A connection's life and who is inside it.
 *
 * cffi and the row maker let go of the interpreter lock while C runs, so nothing in
 * Python keeps two threads apart: the busy mark does. Whoever enters first is inside;
 * a second thread is told so and nothing happens. The one thing that must be possible
 * while another thread is inside is giving a statement back, because Python frees
 * objects whenever it likes: such a statement is hung on a list of orphans, which the
 * thread inside takes care of when it leaves. */
#include "qe_connection.h"

#include "qe_backend.h"
#include "qe_error.h"
#include "qe_mem.h"
#include "qe_wait.h"

void qe__connection_adopt(qe_connection *connection) {
  qe_statement *orphan = atomic_exchange(&connection->orphans, NULL);

  while (orphan) {
    qe_statement *next = orphan->next_orphan;
    qe__statement_shelve(orphan);
    orphan = next;
  }
}

qe_status qe__connection_refuse(qe_connection *connection, bool is_inside,
                                qe_error *error) {
  if (is_inside) {
    qe__connection_leave(connection);
    return qe__fail(error, QE_ERR_CLOSED, "The connection is closed");
  }
  if (atomic_load(&connection->life) == QE_LIFE_FORKED) {
    return qe__fail(error, QE_ERR_FORKED,
                    "The connection belongs to the process that "
                    "this one was forked from");
  }
  return qe__fail(error, QE_ERR_IN_USE, "Another thread is using the connection");
}

void qe__connection_retain(qe_connection *connection) {
  atomic_fetch_add(&connection->references, 1);
}

/* All statements are idle or gone: a lent one holds a reference. */
static void destroy(qe_connection *connection) {
  qe__statement_finalize_all(connection);
  if (connection->native) qe__backend_close(connection);
  connection->native = NULL; /* nothing is shelved any more, all is ended */
  while (connection->newest) qe__statement_shelve(connection->newest);
  pthread_mutex_destroy(&connection->native_door);
  qe__bytes_clear(&connection->diagnostics);
  qe__free(connection);
}

void qe_connection_release(qe_connection *connection) {
  if (!connection || atomic_fetch_sub(&connection->references, 1) > 1) return;
  /* What was the parent's stays the parent's: its memory is given up with it. */
  if (atomic_load(&connection->life) == QE_LIFE_FORKED) return;
  atomic_store(&connection->life, QE_LIFE_CLOSED);
  destroy(connection);
}

qe_status qe_connection_open(const char *const *keywords, const char *const *values,
                             qe_connection **out, qe_error *error) {
  qe_status status = QE_OK;
  qe_connection *connection = NULL;

  qe__error_clear(error);
  *out = NULL;
  connection = qe__zalloc(sizeof *connection);
  if (!connection) return qe__fail_memory(error, "connection");
  if (pthread_mutex_init(&connection->native_door, NULL) != 0) {
    qe__free(connection);
    return qe__fail_memory(error, "lock of a connection");
  }
  atomic_store(&connection->references, 1);
  connection->cache_size = QE_CACHE_BUCKETS;
  connection->is_answered = true;
  status = qe__backend_open(connection, keywords, values, error);
  if (status != QE_OK && !qe__is_want(status)) {
    qe_connection_release(connection);
    return status;
  }
  *out = connection;
  return status;
}

qe_status qe_connection_resume_open(qe_connection *connection, qe_error *error) {
  qe_status status;

  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  status = qe__backend_resume_open(connection, error);
  qe__connection_leave(connection);
  return status;
}

qe_status qe_connection_close(qe_connection *connection, qe_error *error) {
  qe_status status;

  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status == QE_ERR_CLOSED || status == QE_ERR_FORKED) {
    qe__error_clear(error);
    return QE_OK;
  }
  if (status != QE_OK) return status;
  qe__statement_finalize_all(connection);
  pthread_mutex_lock(&connection->native_door);
  qe__backend_close(connection);
  connection->native = NULL;
  pthread_mutex_unlock(&connection->native_door);
  atomic_store(&connection->life, QE_LIFE_CLOSED);
  qe__connection_leave(connection);
  return QE_OK;
}

void qe_connection_interrupt(qe_connection *connection) {
  if (atomic_load(&connection->life) != QE_LIFE_OPEN) return;
  atomic_store(&connection->is_interrupted, true);
  pthread_mutex_lock(&connection->native_door);
  if (connection->native) qe__backend_interrupt(connection);
  pthread_mutex_unlock(&connection->native_door);
}

void qe_connection_abandon(qe_connection *connection) {
  atomic_store(&connection->life, QE_LIFE_FORKED);
}

int32_t qe_connection_in_transaction(qe_connection *connection) {
  int32_t is_open = 0;

  if (qe__connection_enter(connection, NULL) != QE_OK) return 0;
  is_open = qe__backend_in_transaction(connection);
  qe__connection_leave(connection);
  return is_open;
}

qe_status qe_connection_set_autocommit(qe_connection *connection, int32_t is_on,
                                       qe_error *error) {
  qe_status status;

  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  connection->is_autocommit = is_on != 0;
  qe__connection_leave(connection);
  return QE_OK;
}

qe_status qe__connection_do(qe_connection *connection, qe_action action,
                            qe_error *error) {
  qe_status status;

  do {
    status = action(connection, error);
  } while (qe__waited(connection, &status, error));
  return status;
}

/* Enters, does one thing to the whole connection, leaves. */
static qe_status inside(qe_connection *connection, qe_action action, qe_error *error) {
  qe_status status;

  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  status = qe__connection_do(connection, action, error);
  qe__connection_leave(connection);
  return status;
}

qe_status qe_connection_begin(qe_connection *connection, qe_error *error) {
  return inside(connection, qe__backend_begin, error);
}

qe_status qe_connection_commit(qe_connection *connection, qe_error *error) {
  return inside(connection, qe__backend_commit, error);
}

qe_status qe_connection_rollback(qe_connection *connection, qe_error *error) {
  return inside(connection, qe__backend_rollback, error);
}

qe_status qe_connection_execute_script(qe_connection *connection, const char *sql,
                                       int64_t sql_size, qe_error *error) {
  qe_status status;

  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  do {
    status = qe__backend_script(connection, sql, sql_size, error);
  } while (qe__waited(connection, &status, error));
  qe__connection_leave(connection);
  return status;
}

/* Asked from outside too, while another thread may be closing. */
int64_t qe_connection_socket(qe_connection *connection) {
  int64_t socket = -1;

  if (atomic_load(&connection->life) == QE_LIFE_FORKED) return -1;
  pthread_mutex_lock(&connection->native_door);
  if (connection->native) socket = qe__backend_socket(connection);
  pthread_mutex_unlock(&connection->native_door);
  return socket;
}

qe_status qe_connection_set_stepped(qe_connection *connection, int32_t is_on,
                                    qe_error *error) {
  qe_status status;

  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  connection->is_stepped = is_on != 0;
  qe__connection_leave(connection);
  return QE_OK;
}

qe_status qe_connection_set(qe_connection *connection, const char *keyword,
                            const char *value, qe_error *error) {
  qe_status status;

  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  status = qe__backend_set(connection, keyword, value, error);
  qe__connection_leave(connection);
  return status;
}

qe_status qe_connection_about(qe_connection *connection, const char *what,
                              const char **text, qe_error *error) {
  qe_status status;

  *text = NULL;
  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  *text = qe__backend_about(connection, what);
  qe__connection_leave(connection);
  return QE_OK;
}

void qe_connection_diagnostics(qe_connection *connection, const char **data,
                               int64_t *size) {
  *data = (const char *)connection->diagnostics.data;
  *size = connection->diagnostics.size;
}

qe_status qe_connection_next_message(qe_connection *connection, const char **data,
                                     int64_t *size, qe_error *error) {
  qe_status status;

  *data = NULL;
  *size = 0;
  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  qe__backend_next_message(connection, data, size);
  qe__connection_leave(connection);
  return QE_OK;
}

qe_status qe_connection_poll(qe_connection *connection, qe_error *error) {
  return inside(connection, qe__backend_poll, error);
}

qe_status qe_connection_cancel(qe_connection *connection, int64_t *socket,
                               qe_error *error) {
  qe_status status;

  *socket = -1;
  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  status = qe__backend_cancel(connection, socket, error);
  qe__connection_leave(connection);
  return status;
}
