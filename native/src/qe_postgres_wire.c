/* PostgreSQL: bytes to and from the server.
 *
 * libpq's pqsecure_read() and pqsecure_write() do the reading and writing, with TLS or
 * without; libpq's buffers are not used once the hand-shake is over. Nothing waits. */
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

#include "qe_copy.h"
#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres.h"
#include "qe_postgres_libpq.h"

/* Written bytes that are given back while others still wait to be. */
enum { SHIFT_BYTES = 262144 };
/* Reads between two looks at the clock: a server that never stops sending must not keep
 * us beyond the timeout, though there is nothing to wait for. */
enum { READS_BETWEEN_CHECKS = 64 };
/* Reads in one step of an event loop, which others wait for, and the bytes of each. */
enum { READS_IN_A_STEP = 8, STEP_BYTES = 131072 };

int64_t qe__pg_begin(qe_bytes *out, char type) {
  int64_t begun = out->size;

  if (!qe__bytes_reserve(out, 5)) return -1;
  out->data[out->size] = (uint8_t)type;
  out->size += 5;
  return begun;
}

bool qe__pg_put(qe_bytes *out, const void *data, int64_t size) {
  if (!qe__bytes_reserve(out, size)) return false;
  if (size > 0) memcpy(out->data + out->size, data, (size_t)size);
  out->size += size;
  return true;
}

bool qe__pg_put_int16(qe_bytes *out, int32_t value) {
  uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
  return qe__pg_put(out, bytes, sizeof bytes);
}

static void write_int32(uint8_t *at, uint32_t value) {
  at[0] = (uint8_t)(value >> 24);
  at[1] = (uint8_t)(value >> 16);
  at[2] = (uint8_t)(value >> 8);
  at[3] = (uint8_t)value;
}

bool qe__pg_put_int32(qe_bytes *out, int32_t value) {
  uint8_t bytes[4];

  write_int32(bytes, (uint32_t)value);
  return qe__pg_put(out, bytes, sizeof bytes);
}

bool qe__pg_put_text(qe_bytes *out, const char *text) {
  return qe__pg_put(out, text, (int64_t)strlen(text) + 1);
}

void qe__pg_end(qe_bytes *out, int64_t begun) {
  write_int32(out->data + begun + 1, (uint32_t)(out->size - begun - 1));
}

bool qe__pg_put_sync(qe_bytes *out) {
  int64_t begun = qe__pg_begin(out, 'S');

  if (begun < 0) return false;
  qe__pg_end(out, begun);
  return true;
}

qe_status qe__pg_check_alive(qe_connection *connection, qe_error *error) {
  const qe_postgres *native = qe__pg_of(connection);

  if (QE_LIKELY(native->lost.status == QE_OK)) return QE_OK;
  if (error) *error = native->lost;
  if (error) error->was_sent = 0; /* nothing goes out any more */
  connection->diagnostics.size = 0;
  (void)qe__pg_put(&connection->diagnostics, native->lost_diagnostics.data,
                   native->lost_diagnostics.size);
  return (qe_status)native->lost.status;
}

qe_status qe__pg_check(qe_connection *connection, qe_error *error) {
  qe_status status = qe__pg_check_alive(connection, error);

  if (QE_LIKELY(status != QE_OK || !qe__pg_of(connection)->copy)) return status;
  if (atomic_load(&qe__pg_of(connection)->copy->is_orphan)) {
    qe__pg_copy_abandon(connection);
    return QE_OK;
  }
  return qe__fail(error, QE_ERR_MISUSE,
                  "A COPY is under way on the connection, and has to end first");
}

qe_status qe__pg_lose(qe_connection *connection, qe_status status, const char *reason,
                      qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  bool is_new = native->lost.status == QE_OK;
  bool was_sent = is_new && native->head;

  if (is_new) {
    /* The server may have said why before it went. */
    const qe_pg_exchange *head = native->head;
    bool has_said = head && head->is_fatal;

    if (has_said && status == QE_ERR_CONNECTION) {
      native->lost = head->error;
      (void)qe__pg_put(&native->lost_diagnostics, head->diagnostics.data,
                       head->diagnostics.size);
    } else {
      (void)qe__fail(&native->lost, status, "%s", reason);
    }
    native->lost.was_sent = was_sent;
    /* Not closed: an event loop may still know the descriptor by its number, which the
     * system would give to the next who asks. */
    if (PQsocket(native->pg) >= 0) (void)shutdown(PQsocket(native->pg), SHUT_RDWR);
    qe__pg_end_exchanges(connection);
  }
  status = qe__pg_check_alive(connection, error);
  if (error) error->was_sent = was_sent;
  return status;
}

/* libpq's own words for what went wrong with the socket, without the newline. */
static qe_status lose_socket(qe_connection *connection, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  char reason[sizeof native->lost.message];
  const char *said = PQerrorMessage(native->pg);
  size_t size = strcspn(said, "\n");

  if (size == 0) {
    said = "the server closed the connection unexpectedly";
    size = strlen(said);
  }
  if (size >= sizeof reason) size = sizeof reason - 1;
  memcpy(reason, said, size);
  reason[size] = '\0';
  return qe__pg_lose(connection, QE_ERR_CONNECTION, reason, error);
}

static bool would_block(void) {
  return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
}

/* libpq's sockets never block, so no flag need say so; not every system has one that
 * this program may see. */
bool qe__pg_is_quiet(const qe_postgres *native) {
  char byte;
  ssize_t count;

  errno = 0;
  count = recv(PQsocket(native->pg), &byte, 1, MSG_PEEK);
  return count < 0 && would_block();
}

/* Gives room back that has been written, where much has. */
static void shift_out(qe_postgres *native) {
  qe_bytes *out = &native->out;

  if (native->out_start < SHIFT_BYTES) return;
  out->size -= native->out_start;
  memmove(out->data, out->data + native->out_start, (size_t)out->size);
  native->out_start = 0;
}

qe_status qe__pg_flush(qe_connection *connection, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_bytes *out = &native->out;

  if (qe__pg_hurry(connection)) return QE_OK;
  while (native->out_start < out->size) {
    ssize_t count;

    errno = 0;
    count = pqsecure_write(native->pg, out->data + native->out_start,
                           (size_t)(out->size - native->out_start));
    if (count > 0) {
      native->out_start += count;
    } else if (count == 0 || would_block()) {
      shift_out(native);
      return QE_WANT_WRITE;
    } else {
      return lose_socket(connection, error);
    }
  }
  out->size = 0;
  native->out_start = 0;
  return QE_OK;
}

/* Moves what is unread to the front, and makes room for the rest of the message that
 * stands there. A length alone does not get memory: it comes as bytes do. */
static bool make_room(qe_postgres *native) {
  int64_t unread = native->in_end - native->in_start;
  uint8_t *grown;

  if (native->in_start > 0) {
    memmove(native->in, native->in + native->in_start, (size_t)unread);
    native->in_start = 0;
    native->in_end = unread;
  }
  if (unread == 0 && native->in_capacity > 16 * QE_PG_RECEIVE_BYTES) {
    qe__free(native->in); /* a large message has passed */
    native->in = NULL;
    native->in_capacity = 0;
  }
  if (native->in_end < native->in_capacity) return true;
  grown = qe__realloc(
      native->in, native->in_capacity ? native->in_capacity * 2 : QE_PG_RECEIVE_BYTES);
  if (!grown) return false;
  native->in = grown;
  native->in_capacity =
      native->in_capacity ? native->in_capacity * 2 : QE_PG_RECEIVE_BYTES;
  return true;
}

static qe_status receive(qe_connection *connection, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  bool is_secure = PQsslInUse(native->pg);
  int64_t room;
  ssize_t count;

  if (!make_room(native)) return qe__fail_memory(error, "message of the server");
  room = native->in_capacity - native->in_end;
  if (connection->is_stepped && room > STEP_BYTES) room = STEP_BYTES;
  errno = 0;
  count = pqsecure_read(native->pg, native->in + native->in_end, (size_t)room);
  if (count > 0) {
    native->in_end += count;
    native->abandoned_bytes += count;
    native->is_drained = !is_secure && count < room;
    native->reads++;
    if (connection->is_stepped && native->reads >= READS_IN_A_STEP) {
      native->reads = 0;
      return QE_WANT_WRITE; /* granted at once, when others have had their turns */
    }
    if (native->reads < READS_BETWEEN_CHECKS) return QE_OK;
    native->reads = 0;
    return qe__check_time(connection, error);
  }
  /* With TLS 0 is "not yet", and an end is told as a failure; without it is the end. */
  if ((count == 0 && is_secure) || (count < 0 && would_block())) {
    native->is_drained = true;
    return QE_WANT_READ;
  }
  return lose_socket(connection, error);
}

qe_status qe__pg_transfer(qe_connection *connection, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_status status = qe__pg_check_alive(connection, error);
  qe_status written;

  if (status != QE_OK) return status;
  written = qe__pg_flush(connection, error);
  if (written != QE_OK && written != QE_WANT_WRITE) return written;
  /* To look would be in vain: what was sent has only just left, or all was taken. */
  if (native->is_drained) {
    native->is_drained = false;
    return written == QE_OK ? QE_WANT_READ : written;
  }
  status = receive(connection, error);
  if (status == QE_WANT_READ) {
    native->is_drained = false;
    if (written == QE_WANT_WRITE) return written;
  }
  return status;
}
