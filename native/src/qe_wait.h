/* Waiting for a socket: the runner of connections that block. */
#ifndef QE_WAIT_H
#define QE_WAIT_H

#include "qe_connection.h"

/* Milliseconds of a clock that only goes forward. */
int64_t qe__now_ms(void);

static inline bool qe__is_want(qe_status status) {
  return status == QE_WANT_READ || status == QE_WANT_WRITE;
}

/* From now on all calls have to end within so many milliseconds from now, the one under
 * way too, until there is another limit; 0 takes it away, and less than 0 is a time
 * that has passed. Any thread. */
void qe__limit(qe_connection *connection, int64_t milliseconds);

/* When the limit is over; 0 where there is none. */
static inline int64_t qe__limit_end(const qe_connection *connection) {
  return atomic_load_explicit(&connection->limit_until_ms, memory_order_relaxed);
}

/* Whether there is a limit, and it has passed. */
static inline bool qe__is_past_limit(const qe_connection *connection) {
  int64_t end = qe__limit_end(connection);
  return end != 0 && qe__now_ms() >= end;
}

/* When so many milliseconds from now are over, or the limit where that is earlier. */
int64_t qe__end_of(const qe_connection *connection, int64_t milliseconds);

/* Before something is begun: fails where the limit has passed, and nothing is lost. */
qe_status qe__check_limit(const qe_connection *connection, qe_error *error);

/* Waits for one socket; *is_ready is false when timeout_ms (-1: no limit) have passed
 * or a signal came. */
qe_status qe__wait_socket(int64_t socket, qe_status want, int64_t timeout_ms,
                          bool *is_ready, qe_error *error);

/* Inside: waits for the connection's socket. Fails when the connection was interrupted,
 * the pulse says stop, or the connection's timeout or limit has passed; what was under
 * way on the server has then been stopped, or the connection given up. */
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
