/* libpq's functions, as far as the engine calls them, over a script in memory. */
#include "pipe.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "../../src/qe_error.h"
#include "../../src/qe_postgres_libpq.h"
#include "../../src/qe_postgres_tls.h"
#include "../../src/qe_postgres_wire.h"

enum { HEARD_MAX = 65536 };

static struct {
  const pipe_script *next;
  uint8_t said[PIPE_BYTES * 4];
  int64_t said_size, read_size;
  char heard[HEARD_MAX];
  int64_t heard_size, answered; /* types in heard, and those a reply was given for */
  uint8_t header[5];            /* of a message of the client that is coming */
  int64_t header_size, body_left;
  int64_t chunk, end_after, change_at;
  uint8_t change_to;
  int64_t dry_reads;
  int cancels;
  bool is_quiet; /* every second read brings nothing */
} pipe_state;

/* Of the socket that is there for its descriptor: the engine's, and the server's. */
static int pipe_ends[2];

void pipe_play(const pipe_script *script) {
  memset(&pipe_state, 0, sizeof pipe_state);
  pipe_state.next = script;
  pipe_state.end_after = -1;
  pipe_state.change_at = -1;
}

void pipe_cut_into(int64_t size) {
  pipe_state.chunk = size;
}

void pipe_end_after(int64_t size) {
  pipe_state.end_after = size;
}

void pipe_change(int64_t at, uint8_t byte) {
  pipe_state.change_at = at;
  pipe_state.change_to = byte;
}

int64_t pipe_said(void) {
  return pipe_state.said_size;
}

const char *pipe_heard(void) {
  return pipe_state.heard;
}

int pipe_cancels(void) {
  return pipe_state.cancels;
}

void pipe_rest(void) {
  char byte;
  if (recv(pipe_ends[0], &byte, 1, 0) != 1) abort();
}

bool pipe_is_dry(void) {
  return pipe_state.dry_reads > 8;
}

/* Gives the replies that what was heard is enough for. */
static void answer(void) {
  const pipe_script *row = pipe_state.next;

  while (row && row->wanted &&
         pipe_state.heard_size - pipe_state.answered >= (int64_t)strlen(row->wanted)) {
    const char *came = pipe_state.heard + pipe_state.answered;
    size_t count = strlen(row->wanted);

    if (strncmp(came, row->wanted, count) != 0) {
      /* Whoever was told something else may ask something else, and is not answered. */
      if (pipe_state.change_at < 0) CHECK_TEXT(came, row->wanted);
      pipe_state.next = NULL;
      return;
    }
    if (pipe_state.said_size + row->reply_size > (int64_t)sizeof pipe_state.said)
      abort();
    memcpy(pipe_state.said + pipe_state.said_size, row->reply, (size_t)row->reply_size);
    pipe_state.said_size += row->reply_size;
    pipe_state.answered += (int64_t)count;
    pipe_state.next = ++row;
  }
}

static void hear(const uint8_t *data, int64_t size) {
  while (size > 0) {
    int64_t taken = pipe_state.body_left < size ? pipe_state.body_left : size;

    if (pipe_state.body_left > 0) {
      data += taken;
      size -= taken;
      pipe_state.body_left -= taken;
      continue;
    }
    pipe_state.header[pipe_state.header_size++] = *data++;
    size--;
    if (pipe_state.header_size < 5) continue;
    pipe_state.header_size = 0;
    pipe_state.body_left = (int64_t)qe__pg_read32(pipe_state.header + 1) - 4;
    CHECK(pipe_state.body_left >= 0);
    if (pipe_state.heard_size + 1 < HEARD_MAX) {
      pipe_state.heard[pipe_state.heard_size++] = (char)pipe_state.header[0];
    }
  }
  answer();
}

ssize_t pqsecure_write(PGconn *pg, const void *data, size_t size) {
  (void)pg;
  hear(data, (int64_t)size);
  return (ssize_t)size;
}

static ssize_t nothing_yet(void) {
  errno = EAGAIN;
  return -1;
}

ssize_t pqsecure_read(PGconn *pg, void *data, size_t room) {
  int64_t size = pipe_state.said_size - pipe_state.read_size;

  (void)pg;
  pipe_state.is_quiet = pipe_state.chunk > 0 && !pipe_state.is_quiet;
  if (pipe_state.is_quiet) return nothing_yet();
  if (pipe_state.end_after >= 0 &&
      pipe_state.read_size + size >= pipe_state.end_after) {
    size = pipe_state.end_after - pipe_state.read_size;
    if (size <= 0) return 0;
  }
  if (size <= 0) {
    pipe_state.dry_reads++;
    return nothing_yet();
  }
  if (size > (int64_t)room) size = (int64_t)room;
  if (pipe_state.chunk > 0 && size > pipe_state.chunk) size = pipe_state.chunk;
  memcpy(data, pipe_state.said + pipe_state.read_size, (size_t)size);
  if (pipe_state.change_at >= pipe_state.read_size &&
      pipe_state.change_at < pipe_state.read_size + size) {
    ((uint8_t *)data)[pipe_state.change_at - pipe_state.read_size] =
        pipe_state.change_to;
  }
  pipe_state.read_size += size;
  pipe_state.dry_reads = 0;
  return (ssize_t)size;
}

/* The rest of libpq: a connection that is there at once. */

PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values,
                             int expand) {
  PGconn *pg = calloc(1, sizeof *pg);

  (void)keywords;
  (void)values;
  (void)expand;
  if (!pg) return NULL;
  pg->options_valid = true;
  pg->status = CONNECTION_STARTED;
  /* Always ready to be read, for whoever waits for it. */
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, pipe_ends) != 0) abort();
  if (write(pipe_ends[1], "!", 1) != 1) abort();
  if (fcntl(pipe_ends[0], F_SETFL, O_NONBLOCK) != 0) abort(); /* as libpq has it */
  pg->sock = pipe_ends[0];
  return pg;
}

PostgresPollingStatusType PQconnectPoll(PGconn *pg) {
  pg->status = CONNECTION_OK;
  return PGRES_POLLING_OK;
}

void PQfinish(PGconn *pg) {
  if (!pg) return;
  (void)close(pipe_ends[0]);
  (void)close(pipe_ends[1]);
  free(pg);
}

ConnStatusType PQstatus(const PGconn *pg) {
  return pg->status;
}

int PQsocket(const PGconn *pg) {
  return pg ? pg->sock : -1;
}

char *PQerrorMessage(const PGconn *pg) {
  static char none[1];
  (void)pg;
  return none;
}

const char *PQparameterStatus(const PGconn *pg, const char *name) {
  (void)pg;
  (void)name;
  return NULL;
}

void pqSaveParameterStatus(PGconn *pg, const char *name, const char *value) {
  (void)pg;
  (void)name;
  (void)value;
}

PQnoticeReceiver PQsetNoticeReceiver(PGconn *pg, PQnoticeReceiver receiver,
                                     void *context) {
  (void)pg;
  (void)receiver;
  (void)context;
  return NULL;
}

int PQbackendPID(const PGconn *pg) {
  (void)pg;
  return 1;
}

int PQsslInUse(PGconn *pg) {
  (void)pg;
  return 0;
}

const char *PQsslAttribute(PGconn *pg, const char *name) {
  (void)pg;
  (void)name;
  return NULL;
}

static char *nothing(void) {
  static char none[1];
  return none;
}

char *PQhost(const PGconn *pg) {
  (void)pg;
  return nothing();
}

char *PQhostaddr(const PGconn *pg) {
  (void)pg;
  return nothing();
}

char *PQport(const PGconn *pg) {
  (void)pg;
  return nothing();
}

char *PQuser(const PGconn *pg) {
  (void)pg;
  return nothing();
}

char *PQdb(const PGconn *pg) {
  (void)pg;
  return nothing();
}

/* A request to stop is heard with the first step behind its start; the script goes on.
 */

PGcancelConn *PQcancelCreate(PGconn *pg) {
  return (PGcancelConn *)(void *)pg;
}

int PQcancelStart(PGcancelConn *cancel) {
  (void)cancel;
  return 1;
}

PostgresPollingStatusType PQcancelPoll(PGcancelConn *cancel) {
  (void)cancel;
  pipe_state.cancels++;
  return PGRES_POLLING_OK;
}

int PQcancelSocket(const PGcancelConn *cancel) {
  (void)cancel;
  return -1;
}

char *PQcancelErrorMessage(const PGcancelConn *cancel) {
  (void)cancel;
  return nothing();
}

void PQcancelFinish(PGcancelConn *cancel) {
  (void)cancel;
}

void libpq_append_conn_error(PGconn *pg, const char *format, ...) {
  (void)pg;
  (void)format;
}

qe_status qe__tls_bind(qe_error *error) {
  qe__error_clear(error);
  return QE_OK;
}

/* What a server says. */

static int64_t begun;

void reply_bytes(reply *out, const void *data, int64_t size) {
  if (out->size + size > PIPE_BYTES) abort();
  if (size > 0) memcpy(out->data + out->size, data, (size_t)size);
  out->size += size;
}

void reply_int32(reply *out, int32_t value) {
  uint8_t bytes[4] = {(uint8_t)(value >> 24), (uint8_t)(value >> 16),
                      (uint8_t)(value >> 8), (uint8_t)value};
  reply_bytes(out, bytes, 4);
}

void reply_int16(reply *out, int value) {
  uint8_t bytes[2] = {(uint8_t)(value >> 8), (uint8_t)value};
  reply_bytes(out, bytes, 2);
}

void reply_text(reply *out, const char *text) {
  reply_bytes(out, text, (int64_t)strlen(text) + 1);
}

void reply_begin(reply *out, char type) {
  reply_bytes(out, &type, 1);
  begun = out->size;
  reply_int32(out, 0);
}

void reply_end(reply *out) {
  int64_t end = out->size;

  out->size = begun;
  reply_int32(out, (int32_t)(end - begun));
  out->size = end;
}

void reply_empty(reply *out, char type) {
  reply_begin(out, type);
  reply_end(out);
}

void reply_ready(reply *out, char transaction) {
  reply_begin(out, 'Z');
  reply_bytes(out, &transaction, 1);
  reply_end(out);
}

void reply_complete(reply *out, const char *tag) {
  reply_begin(out, 'C');
  reply_text(out, tag);
  reply_end(out);
}

void reply_parameters(reply *out, int count, const uint32_t *oids) {
  reply_begin(out, 't');
  reply_int16(out, count);
  for (int i = 0; i < count; i++) reply_int32(out, (int32_t)oids[i]);
  reply_end(out);
}

void reply_fields(reply *out, int count, const uint32_t *oids) {
  char name[2] = "a";

  reply_begin(out, 'T');
  reply_int16(out, count);
  for (int i = 0; i < count; i++, name[0]++) {
    reply_text(out, name);
    reply_int32(out, 0);
    reply_int16(out, 0);
    reply_int32(out, (int32_t)oids[i]);
    reply_int16(out, -1);
    reply_int32(out, -1);
    reply_int16(out, 0);
  }
  reply_end(out);
}

void reply_error(reply *out, const char *sqlstate, const char *message,
                 const char *position) {
  reply_begin(out, 'E');
  reply_bytes(out, "SERROR\0VERROR\0C", 15);
  reply_text(out, sqlstate);
  reply_bytes(out, "M", 1);
  reply_text(out, message);
  if (position) {
    reply_bytes(out, "P", 1);
    reply_text(out, position);
  }
  reply_bytes(out, "", 1);
  reply_end(out);
}

qe_status pipe_open(qe_connection **out, qe_error *error) {
  static const char *const KEYWORDS[] = {"autocommit", NULL};
  static const char *const VALUES[] = {"on", NULL};
  qe_status status = qe_connection_open(KEYWORDS, VALUES, out, error);

  if (qe__is_want(status)) status = qe_connection_resume_open(*out, error);
  if (status == QE_OK) return qe_connection_set_stepped(*out, 1, error);
  if (*out) {
    qe_connection_close(*out, NULL);
    qe_connection_release(*out);
    *out = NULL;
  }
  return status;
}
