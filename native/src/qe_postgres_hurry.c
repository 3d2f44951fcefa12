/* PostgreSQL: results that nobody wants any more.
 *
 * A cursor that is closed after its first rows leaves the rest on its way, and what
 * comes next would wait for all of it. A small rest is read and dropped. For a large
 * one the server is asked to stop, over a connection of its own, and until that is over
 * nothing is sent, or the request might hit what was sent instead. Inside a transaction
 * a stop would fail the transaction, so there every rest is read, unless what comes
 * next is its rollback. */
#include "qe_error.h"
#include "qe_postgres.h"

/* A rest up to this is read faster than a request to stop takes. */
#define REST_BYTES (INT64_C(1) * 1024 * 1024)
/* How long the end of a request is waited for that has come too late. */
enum { LATE_MS = 1000 };

void qe__pg_abandon_run(qe_postgres *native, qe_pg_exchange *exchange) {
  bool is_alone = exchange == native->head && !exchange->next && native->out.size == 0;

  if (exchange->is_done || !is_alone || native->transaction != 'I') return;
  if (native->is_nameless)
    return; /* behind a pooler a request may hit another's query */
  native->abandoned = exchange;
  native->abandoned_bytes = 0;
  native->hurry = QE_PG_HURRY_READING;
}

void qe__pg_abandon_for_rollback(qe_postgres *native) {
  qe_pg_exchange *head = native->head;
  bool is_left = head && head->task == QE_PG_RUN && !head->is_held && !head->next;

  if (!is_left || native->hurry != QE_PG_HURRY_NONE || native->out.size > 0) return;
  if (native->is_nameless) return;
  native->abandoned = head;
  native->abandoned_bytes = 0;
  native->hurry = QE_PG_HURRY_READING;
}

/* One step of the request, if its socket is ready. */
static void step(qe_connection *connection, int64_t wait_ms) {
  qe_postgres *native = qe__pg_of(connection);
  bool is_ready = true;
  qe_status status;

  if (native->hurry == QE_PG_HURRY_STOPPING) {
    (void)qe__wait_socket(native->hurry_socket, native->hurry_want, wait_ms, &is_ready,
                          NULL);
  }
  if (!is_ready) return;
  status = qe__backend_cancel(connection, &native->hurry_socket, NULL);
  native->hurry = qe__is_want(status) ? QE_PG_HURRY_STOPPING : QE_PG_HURRY_STOPPED;
  native->hurry_want = status;
}

bool qe__pg_hurry(qe_connection *connection) {
  qe_postgres *native = qe__pg_of(connection);
  int64_t until;

  if (native->hurry == QE_PG_HURRY_NONE) return false;
  if (native->abandoned) {
    bool is_due =
        native->hurry == QE_PG_HURRY_READING && native->abandoned_bytes > REST_BYTES;
    if (is_due || native->hurry == QE_PG_HURRY_STOPPING) step(connection, 0);
    return true;
  }
  /* The result came to its end by itself: the request must, too. */
  until = qe__end_of(connection, LATE_MS);
  while (native->hurry == QE_PG_HURRY_STOPPING && qe__now_ms() < until) {
    step(connection, until - qe__now_ms());
  }
  native->hurry = QE_PG_HURRY_NONE;
  return false;
}
