/* The runner of connections that block: it waits where the steps below it do not.
 *
 * The wait goes in slices. Between them the pulse is asked, which lets Python handle
 * its signals, and the flag that another thread sets to interrupt is looked at; a
 * descriptor to wake the wait would cost two for each connection and gain some
 * milliseconds. */
#include "qe_wait.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "qe_backend.h"
#include "qe_error.h"

enum { SLICE_MS = 25 };

int64_t qe__now_ms(void) {
  struct timespec now;

  if (clock_gettime(CLOCK_MONOTONIC, &now) != 0) return 0;
  return (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

qe_status qe__wait_socket(int64_t socket, qe_status want, int64_t timeout_ms,
                          bool *is_ready, qe_error *error) {
  struct pollfd item = {.fd = (int)socket, .events = POLLIN};
  int count;

  *is_ready = false;
  if (socket < 0)
    return qe__fail(error, QE_ERR_CLOSED, "There is no socket to wait for");
  if (want == QE_WANT_WRITE) item.events = POLLIN | POLLOUT;
  count = poll(&item, 1, timeout_ms > INT32_MAX ? INT32_MAX : (int)timeout_ms);
  *is_ready = count > 0;
  if (count >= 0 || errno == EINTR || errno == EAGAIN) return QE_OK;
  return qe__fail(error, QE_ERR_CONNECTION, "Waiting for the server failed: %s",
                  strerror(errno));
}

void qe__limit(qe_connection *connection, int64_t milliseconds) {
  int64_t length = milliseconds > INT32_MAX ? INT32_MAX : milliseconds;
  int64_t until = 0;

  if (length < 0) length = 0;
  if (milliseconds != 0) until = qe__now_ms() + length;
  atomic_store_explicit(&connection->limit_ms, length, memory_order_relaxed);
  atomic_store_explicit(&connection->limit_until_ms, until, memory_order_relaxed);
}

static long long limit_length(const qe_connection *connection) {
  return (long long)atomic_load_explicit(&connection->limit_ms, memory_order_relaxed);
}

int64_t qe__end_of(const qe_connection *connection, int64_t milliseconds) {
  int64_t end = qe__now_ms() + milliseconds;
  int64_t limit = qe__limit_end(connection);

  return limit != 0 && limit < end ? limit : end;
}

qe_status qe__check_limit(const qe_connection *connection, qe_error *error) {
  if (QE_LIKELY(!qe__is_past_limit(connection))) return QE_OK;
  return qe__fail(error, QE_ERR_TIMEOUT,
                  "The time limit of %lld ms had passed before this was begun",
                  limit_length(connection));
}

/* Whether the connection's timeout or its limit has passed; *left is until then, or a
 * slice. */
static bool is_late(qe_connection *connection, int64_t *left) {
  int64_t limit = qe__limit_end(connection);
  int64_t now;

  *left = SLICE_MS;
  if (connection->timeout_ms <= 0 && limit == 0) return false;
  now = qe__now_ms();
  if (connection->timeout_ms > 0) {
    if (connection->wait_until_ms == 0) {
      connection->wait_until_ms = now + connection->timeout_ms;
    }
    if (connection->wait_until_ms - now < *left) {
      *left = connection->wait_until_ms - now;
    }
  }
  if (limit != 0 && limit - now < *left) *left = limit - now;
  return *left <= 0;
}

static bool is_stopped(qe_connection *connection) {
  if (qe__is_interrupted(connection)) return true;
  return connection->pulse && !connection->pulse(connection->pulse_context);
}

static qe_status stop(qe_connection *connection, qe_status reason, qe_error *error) {
  bool is_limit = qe__is_past_limit(connection);

  qe__backend_abort(connection, reason);
  if (reason == QE_ERR_TIMEOUT && is_limit) {
    (void)qe__fail(error, reason,
                   "The server did not answer within the time limit of %lld ms, and "
                   "the connection was given up",
                   limit_length(connection));
  } else if (reason == QE_ERR_TIMEOUT) {
    (void)qe__fail(error, reason,
                   "The server did not answer within %lld ms, and the connection was "
                   "given up",
                   (long long)connection->timeout_ms);
  } else {
    atomic_store(&connection->is_interrupted, false); /* it has been heeded */
    (void)qe__fail(error, reason, "The query was stopped");
    /* query_canceled, which is what the server calls it. */
    if (error) memcpy(error->sqlstate, "57014", sizeof error->sqlstate);
  }
  if (error) error->was_sent = 1;
  return reason;
}

qe_status qe__check_time(qe_connection *connection, qe_error *error) {
  int64_t left;

  if (is_late(connection, &left)) return stop(connection, QE_ERR_TIMEOUT, error);
  if (is_stopped(connection)) return stop(connection, QE_ERR_INTERRUPTED, error);
  return QE_OK;
}

qe_status qe__wait(qe_connection *connection, qe_status want, qe_error *error) {
  int64_t socket = qe__backend_socket(connection);
  qe_status status = QE_OK;
  bool is_ready = false;
  int64_t left;

  while (status == QE_OK && !is_ready) {
    if (is_late(connection, &left)) return stop(connection, QE_ERR_TIMEOUT, error);
    status = qe__wait_socket(socket, want, left, &is_ready, error);
    if (status == QE_OK && !is_ready && is_stopped(connection)) {
      return stop(connection, QE_ERR_INTERRUPTED, error);
    }
  }
  return status;
}

bool qe__waited(qe_connection *connection, qe_status *status, qe_error *error) {
  if (QE_LIKELY(!qe__is_want(*status)) || connection->is_stepped) return false;
  *status = qe__wait(connection, *status, error);
  return *status == QE_OK;
}

qe_status qe_connection_wait(qe_connection *connection, int32_t want,
                             int32_t timeout_ms, int32_t *is_ready, qe_error *error) {
  qe_status status;
  bool is_done = false;

  *is_ready = 0;
  qe__error_clear(error);
  if (!qe__is_want((qe_status)want)) {
    return qe__fail(error, QE_ERR_MISUSE, "There is no wait of kind %d", (int)want);
  }
  status = qe__wait_socket(qe_connection_socket(connection), (qe_status)want,
                           timeout_ms, &is_done, error);
  *is_ready = is_done;
  return status;
}
