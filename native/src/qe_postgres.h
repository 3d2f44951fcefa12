/* Inside the PostgreSQL backend: shared by its files, seen by nothing else.
 *
 * libpq connects: it reads connection strings and files, finds hosts, speaks TLS and
 * proves who we are. From then on the protocol is spoken here, through libpq's
 * functions for reading and writing, so that rows go from the receive buffer into
 * columns with nothing in between.
 *
 *   statement ──▶ messages ──▶ out ──▶ socket ──▶ in ──▶ head of the queue ──▶ batch
 *
 * Requests go out in groups that each end with Sync (or are one simple Query); for each
 * group an exchange stands in a queue, and all that comes from the server up to its
 * ReadyForQuery belongs to the exchange at the head. So several groups may be on their
 * way at once, and rows always find their statement, whoever is reading. */
#ifndef QE_POSTGRES_H
#define QE_POSTGRES_H

#include "qe_backend.h"
#include "qe_postgres_sql.h"
#include "qe_postgres_type.h"
#include "qe_wait.h"

typedef struct pg_conn PGconn;
typedef struct pg_cancel_conn PGcancelConn;

/* The receive buffer at first; it grows for messages that are larger. */
enum { QE_PG_RECEIVE_BYTES = 65536 };
enum { QE_PG_NAME_SIZE = 32, QE_PG_TRANSACTION_SIZE = 96, QE_PG_SQLSTATE_SIZE = 5 };

/* One column of what a prepared statement gives. */
typedef struct qe_pg_field {
  char *name; /* owned */
  uint32_t oid;
  int32_t typmod;
  const qe_pg_type *type; /* static or the registry's; NULL: comes as text */
} qe_pg_field;

/* A statement as the server knows it. Statements of one text share it. */
typedef struct qe_pg_prepared {
  int32_t references;
  char name[QE_PG_NAME_SIZE]; /* empty: nameless, parsed anew for each run */
  char *sql;                  /* as the user wrote it; owned */
  int64_t sql_size;
  qe_pg_text text;   /* as the server gets it */
  bool is_described; /* parameters and fields are known */
  bool is_on_server; /* under its name */
  uint32_t *parameter_oids;
  int32_t parameter_count;
  qe_pg_field *fields;
  int32_t field_count;
  struct qe_pg_prepared *next; /* in the connection's list */
} qe_pg_prepared;

typedef enum qe_pg_task {
  QE_PG_DESCRIBE, /* Parse, Describe: fills prepared */
  QE_PG_LEARN,    /* asks the catalog about types; rows go to the learning batch */
  QE_PG_RUN,      /* rows go to the statement's batch */
  QE_PG_MANY,     /* any number of runs without rows */
  QE_PG_COMMAND,  /* a simple Query, whose rows are dropped */
  QE_PG_COPY      /* COPY; has no Sync until its data has passed */
} qe_pg_task;

/* What is expected from the server up to a ReadyForQuery. */
typedef struct qe_pg_exchange {
  qe_pg_task task;
  bool is_held;    /* somebody will take it back; else it is free when it is done */
  bool is_done;    /* ReadyForQuery came, or the connection was lost */
  bool has_parsed; /* a Parse was answered */
  bool is_shape_changed;    /* the fields are no longer those of prepared */
  bool is_fatal;            /* its error is the server's last word to us */
  bool was_rolled_back;     /* a COMMIT that ended as ROLLBACK */
  int32_t begins_left;      /* CommandCompletes that belong to a BEGIN before it */
  qe_pg_prepared *prepared; /* held; what DESCRIBE fills and RUN was made for */
  qe_batch *target;         /* where rows go; NULL once nobody wants them */
  struct qe_copy *copy;     /* of a COPY; NULL once nobody wants it */
  int64_t received;         /* bytes of rows or COPY since whoever reads began to */
  int64_t completed;        /* runs that came to their end */
  int64_t changes;          /* rows they changed; -1 where none said */
  qe_error error;           /* the first refusal; status QE_OK where none */
  qe_bytes diagnostics;     /* its fields */
  struct qe_pg_exchange *next;
} qe_pg_exchange;

/* The statement's native. */
typedef struct qe_pg_statement {
  qe_pg_prepared *prepared;
  qe_pg_exchange *exchange; /* held; of the stage it is in */
  enum { QE_PG_NEW, QE_PG_DESCRIBING, QE_PG_LEARNING, QE_PG_READY } stage;
  bool is_retried;   /* this run has been sent again already */
  bool is_beginning; /* this run opened the transaction */
  bool is_redescribing;
  qe_batch spool;       /* rows that came while others were read */
  qe_bytes bound;       /* the run's parameters, as Bind has them */
  qe_bytes bound_types; /* what types they had when the run was to be sent again */
  int64_t next_row;     /* of many: the next to be sent */
  qe_error failure;     /* of many: why a row could not be sent; status QE_OK if none */
} qe_pg_statement;

typedef struct qe_postgres {
  qe_connection *connection; /* whose native this is */
  PGconn *pg;
  PGcancelConn *cancel; /* while one is on its way */
  bool is_open;         /* the hand-shake is over */
  bool is_nameless;     /* statements are not kept on the server */
  bool is_drained;      /* the last read left nothing in the socket */
  char transaction;     /* 'I' none, 'T' open, 'E' failed: the server's own letters */
  bool is_std_strings;  /* backslashes in plain string literals mean themselves */
  bool is_utf8;
  int64_t connect_timeout_ms;
  int64_t connect_until_ms;
  int connect_host, connect_address; /* which ones the time is running for */
  qe_status connect_want;            /* what the hand-shake waits for; 0 for nothing */
  char begin_sql[QE_PG_TRANSACTION_SIZE];
  uint64_t name_prefix, name_count;
  qe_error lost; /* why the connection was given up; status QE_OK while it lives */
  qe_bytes lost_diagnostics;
  qe_bytes out;
  int64_t out_start; /* written so far */
  qe_bytes deferred; /* what may not be sent in the midst of a COPY */
  uint8_t *in;
  int64_t in_start, in_end, in_capacity;
  int64_t in_needed; /* bytes the message at in_start takes, 0 if not known */
  int32_t reads;     /* since the clock was last looked at */
  qe_pg_exchange *head, *tail;
  enum {
    QE_PG_HURRY_NONE,
    QE_PG_HURRY_READING,  /* what was abandoned is read and dropped */
    QE_PG_HURRY_STOPPING, /* a request to stop is on its way */
    QE_PG_HURRY_STOPPED
  } hurry;
  qe_pg_exchange *abandoned; /* while it is in the queue */
  int64_t abandoned_bytes;
  int64_t hurry_socket;
  qe_status hurry_want;
  qe_pg_exchange *spare;   /* to be used again */
  qe_pg_exchange *control; /* held: of begin, commit, rollback or a script */
  struct qe_copy *copy;    /* the one under way, or NULL */
  qe_pg_prepared *prepared;
  qe_pg_types types;
  qe_batch learned;
  qe_bytes messages; /* notices and notifications: int32 size and bytes each */
  int64_t messages_start;
  qe_bytes message; /* the one given last */
  char about[256];
} qe_postgres;

static inline qe_postgres *qe__pg_of(const qe_connection *connection) {
  return connection->native;
}

/* qe_postgres_wire.c: bytes. */

/* Appends a message's type and a length to be filled in by qe__pg_end(), which takes
 * what this gave; -1 without memory. */
int64_t qe__pg_begin(qe_bytes *out, char type);
bool qe__pg_put(qe_bytes *out, const void *data, int64_t size);
bool qe__pg_put_int16(qe_bytes *out, int32_t value);
bool qe__pg_put_int32(qe_bytes *out, int32_t value);
bool qe__pg_put_text(qe_bytes *out, const char *text); /* terminated */
void qe__pg_end(qe_bytes *out, int64_t begun);
bool qe__pg_put_sync(qe_bytes *out);

/* Writes what can be written. */
qe_status qe__pg_flush(qe_connection *connection, qe_error *error);
/* Writes and reads what can be; QE_OK when something was read. May want to wait. */
qe_status qe__pg_transfer(qe_connection *connection, qe_error *error);
/* Whether neither bytes nor an end wait in the socket; one system call. */
bool qe__pg_is_quiet(const qe_postgres *native);
/* Gives the connection up: from now on everything fails with this reason. */
qe_status qe__pg_lose(qe_connection *connection, qe_status status, const char *reason,
                      qe_error *error);
/* The failure of a connection that was given up, or QE_OK. */
qe_status qe__pg_check_alive(qe_connection *connection, qe_error *error);
/* The same before anything is sent: nothing can be while a COPY is under way. */
qe_status qe__pg_check(qe_connection *connection, qe_error *error);

/* qe_postgres_exchange.c: the queue. */

/* An exchange, not yet queued; NULL without memory. */
qe_pg_exchange *qe__pg_exchange_new(qe_postgres *native, qe_pg_task task);
void qe__pg_queue(qe_postgres *native, qe_pg_exchange *exchange);
/* Ends the holder's interest; NULL is allowed. Rows still to come are dropped. */
void qe__pg_let_go(qe_postgres *native, qe_pg_exchange *exchange);
/* Queues a simple Query. */
qe_status qe__pg_query(qe_connection *connection, const char *sql, int64_t size,
                       qe_pg_exchange **out, qe_error *error);
/* Goes on until the exchange is done; may want to wait. The server's refusal is the
 * exchange's error, not a failure. */
qe_status qe__pg_finish(qe_connection *connection, qe_pg_exchange *exchange,
                        qe_error *error);
/* Copies the refusal of an exchange, if any, with its diagnostics. */
qe_status qe__pg_outcome(qe_connection *connection, const qe_pg_exchange *exchange,
                         qe_error *error);
/* Takes the exchange at the head away: nothing more comes for it. */
void qe__pg_pop(qe_postgres *native);
/* The connection is lost: all that is queued ends with that. */
void qe__pg_end_exchanges(qe_connection *connection);

/* qe_postgres_hurry.c: what nobody wants any more. */

/* A run's rows are no longer wanted: the rest is got rid of before anything is sent. */
void qe__pg_abandon_run(qe_postgres *native, qe_pg_exchange *exchange);
/* The same for one that was left in a transaction which is now given up. */
void qe__pg_abandon_for_rollback(qe_postgres *native);
/* Whether nothing may be sent yet; does what can be done about it. */
bool qe__pg_hurry(qe_connection *connection);

/* qe_postgres_reply.c: messages from the server. */

/* Takes the messages that are whole, until the rows of wanted (may be NULL) are
 * max_rows or max_bytes, wanted is done, or no message is whole. */
qe_status qe__pg_take(qe_connection *connection, qe_pg_exchange *wanted,
                      int64_t max_rows, int64_t max_bytes, qe_error *error);
/* Fills error from the fields of an ErrorResponse. */
void qe__pg_read_refusal(const uint8_t *fields, int64_t size, qe_error *error);
/* Takes a row for the exchange at the head; it fails the exchange, not the connection,
 * unless it is garbled. */
qe_status qe__pg_take_row(qe_connection *connection, const uint8_t *at,
                          const uint8_t *end, qe_error *error);

/* qe_postgres_prepare.c */

void qe__pg_prepared_let_go(qe_postgres *native, qe_pg_prepared *prepared);
/* After DEALLOCATE ALL or DISCARD ALL: nothing is on the server any more. */
void qe__pg_forget_prepared(qe_postgres *native);
/* Puts the messages that open a transaction; a Sync follows what they are for. */
bool qe__pg_put_begin(const qe_postgres *native, qe_bytes *out);

/* qe_postgres_copy.c */

/* Takes a message of COPY for the exchange at the head: 'G', 'H', 'd' or 'c'. */
qe_status qe__pg_copy_take(qe_connection *connection, char type, const uint8_t *at,
                           const uint8_t *end, qe_error *error);
/* The statement as the server got it. */
const qe_pg_text *qe__pg_copy_text_of(const struct qe_copy *copy);
/* Has the COPY under way, if any, end as a failure; what the server says of it is
 * dropped. */
void qe__pg_copy_abandon(qe_connection *connection);

#endif
