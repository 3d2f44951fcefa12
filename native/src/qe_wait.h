/* Waiting for a socket: the runner of connections that block. */
#ifndef QE_WAIT_H
#define QE_WAIT_H

#include "qe_connection.h"

/* Milliseconds of a clock that only goes forward. */
int64_t qe__now_ms(void);

static inline bool qe__is_want(qe_status status) {
  return status == QE_WANT_READ || status == QE_WANT_WRITE;
}

/* Waits for one socket; *is_ready is false when timeout_ms (-1: no limit) have passed
 * or a signal came. */
qe_status qe__wait_socket(int64_t socket, qe_status want, int64_t timeout_ms,
                          bool *is_ready, qe_error *error);

/* Inside: waits for the connection's socket. Fails when the connection was interrupted,
 * the pulse says stop, or the connection's timeout has passed; what was under way on
 * the server has then been stopped, or the connection given up. */
qe_status qe__wait(qe_connection *connection, qe_status want, qe_error *error);

/* Inside: whether it was interrupted. */
static inline bool qe__is_interrupted(const qe_connection *connection) {
  return atomic_load_explicit(&connection->is_interrupted, memory_order_relaxed);
}

/* Inside: after some work without waiting, the same questions: should it stop? */
qe_status qe__check_time(qe_connection *connection, qe_error *error);

/* Whether to call again: true after a wait that *status asked for and that a blocking
 * connection has done. A failure of the wait is then in *status. */
bool qe__waited(qe_connection *connection, qe_status *status, qe_error *error);

#endif
