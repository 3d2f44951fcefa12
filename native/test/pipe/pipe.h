/* A server that is a script, and the way to it: what libpq does for us, done in memory.
 *
 * The files of the engine that speak the protocol are linked with this in place of
 * libpq, so a test decides each byte that comes, in which pieces, and where it ends. */
#ifndef QE_PIPE_H
#define QE_PIPE_H

#include "../../src/qe_postgres.h"
#include "../check.h"

enum { PIPE_BYTES = 1 << 16 };

typedef struct pipe_script {
  /* Once messages of these types have come from the client ... */
  const char *wanted;
  /* ... this is what the server says. */
  const uint8_t *reply;
  int64_t reply_size;
} pipe_script;

/* What the next connections meet. Ended by a row whose wanted is NULL. */
void pipe_play(const pipe_script *script);
/* At most so many bytes come at once, and nothing with every second read; 0: all. */
void pipe_cut_into(int64_t size);
/* The server is gone after so many bytes; -1: it stays. */
void pipe_end_after(int64_t size);
/* One byte that comes is another. at -1: none. */
void pipe_change(int64_t at, uint8_t byte);
/* All that the server has said so far, and what the client has: types of messages. */
int64_t pipe_said(void);
const char *pipe_heard(void);
/* How many requests to stop have come. */
int pipe_cancels(void);
/* The socket has nothing to show to who looks into it; at first it always has. */
void pipe_rest(void);
/* Whether the client waits for what will never come. */
bool pipe_is_dry(void);

/* Writing what a server says. */
typedef struct reply {
  uint8_t data[PIPE_BYTES];
  int64_t size;
} reply;

void reply_begin(reply *out, char type);
void reply_end(reply *out);
void reply_int16(reply *out, int value);
void reply_int32(reply *out, int32_t value);
void reply_text(reply *out, const char *text); /* with its terminator */
void reply_bytes(reply *out, const void *data, int64_t size);
/* Whole messages. */
void reply_empty(reply *out, char type);
void reply_ready(reply *out, char transaction);
void reply_complete(reply *out, const char *tag);
void reply_parameters(reply *out, int count, const uint32_t *oids);
/* Columns named a, b, c, ... of these types. */
void reply_fields(reply *out, int count, const uint32_t *oids);
void reply_error(reply *out, const char *sqlstate, const char *message,
                 const char *position);

/* Opens a stepped connection to the script. */
qe_status pipe_open(qe_connection **out, qe_error *error);
/* Calls again what wanted to wait, until it is done or the pipe is dry, which is
 * QE_ERR_TIMEOUT. */
#define PIPE_UNTIL_DONE(status, call)                                    \
  do {                                                                   \
    (status) = (call);                                                   \
    if (qe__is_want(status) && pipe_is_dry()) (status) = QE_ERR_TIMEOUT; \
  } while (qe__is_want(status))

#endif
