/* PostgreSQL: the queue of what is expected from the server. */
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres.h"

qe_pg_exchange *qe__pg_exchange_new(qe_postgres *native, qe_pg_task task) {
  qe_pg_exchange *made = native->spare;
  qe_bytes diagnostics = {0};

  if (made) {
    native->spare = made->next;
    diagnostics = made->diagnostics;
    diagnostics.size = 0;
  } else {
    made = qe__zalloc(sizeof *made);
    if (!made) return NULL;
  }
  *made = (qe_pg_exchange){.task = task, .is_held = true, .changes = -1};
  made->diagnostics = diagnostics;
  qe__error_clear(&made->error);
  return made;
}

static void recycle(qe_postgres *native, qe_pg_exchange *exchange) {
  qe__pg_prepared_let_go(native, exchange->prepared);
  exchange->prepared = NULL;
  exchange->next = native->spare;
  native->spare = exchange;
}

void qe__pg_queue(qe_postgres *native, qe_pg_exchange *exchange) {
  exchange->next = NULL;
  native->connection->is_answered = false;
  if (native->tail) {
    native->tail->next = exchange;
  } else {
    native->head = exchange;
  }
  native->tail = exchange;
}

void qe__pg_let_go(qe_postgres *native, qe_pg_exchange *exchange) {
  if (!exchange) return;
  exchange->is_held = false;
  exchange->target = NULL;
  exchange->copy = NULL;
  if (exchange->is_done) recycle(native, exchange);
}

void qe__pg_pop(qe_postgres *native) {
  qe_pg_exchange *done = native->head;

  if (native->abandoned == done) native->abandoned = NULL;
  native->head = done->next;
  if (!native->head) {
    native->tail = NULL;
    native->connection->is_answered = true;
  }
  done->next = NULL;
  done->is_done = true;
  if (!done->is_held) recycle(native, done);
}

void qe__pg_end_exchanges(qe_connection *connection) {
  qe_postgres *native = qe__pg_of(connection);

  while (native->head) {
    if (native->head->error.status == QE_OK) native->head->error = native->lost;
    qe__pg_pop(native);
  }
}

qe_status qe__pg_query(qe_connection *connection, const char *sql, int64_t size,
                       qe_pg_exchange **out, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_COMMAND);
  int64_t begun = native->out.size;

  *out = NULL;
  if (!exchange || qe__pg_begin(&native->out, 'Q') < 0 ||
      !qe__pg_put(&native->out, sql, size) || !qe__pg_put(&native->out, "", 1)) {
    native->out.size = begun;
    if (exchange) {
      exchange->is_done = true;
      qe__pg_let_go(native, exchange);
    }
    return qe__fail_memory(error, "query");
  }
  qe__pg_end(&native->out, begun);
  qe__pg_queue(native, exchange);
  *out = exchange;
  return QE_OK;
}

qe_status qe__pg_finish(qe_connection *connection, qe_pg_exchange *exchange,
                        qe_error *error) {
  qe_status status = QE_OK;

  while (status == QE_OK && !exchange->is_done) {
    status = qe__pg_take(connection, exchange, INT64_MAX, INT64_MAX, error);
    if (status == QE_OK && !exchange->is_done) {
      status = qe__pg_transfer(connection, error);
    }
  }
  return status;
}

qe_status qe__pg_outcome(qe_connection *connection, const qe_pg_exchange *exchange,
                         qe_error *error) {
  if (exchange->error.status == QE_OK) return QE_OK;
  if (error) *error = exchange->error;
  connection->diagnostics.size = 0;
  (void)qe__pg_put(&connection->diagnostics, exchange->diagnostics.data,
                   exchange->diagnostics.size);
  return (qe_status)exchange->error.status;
}
