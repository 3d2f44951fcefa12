/* The inside of a connection and of a statement: what every backend shares. */
#ifndef QE_CONNECTION_H
#define QE_CONNECTION_H

#include <pthread.h>
#include <stdatomic.h>

#include "qe_batch.h"

typedef struct qe_column_meta {
  char *name;          /* owned */
  char *declared_type; /* owned, or NULL */
  qe_type type;
  int32_t precision;
  int32_t scale;
  int32_t width; /* bytes of an integer or float, 0 where not declared */
  /* Of an array that may be a list: what its elements are; else QE_TYPE_ANY. */
  qe_type element_type;
  int32_t element_width;
  bool is_exact; /* a decimal without precision keeps every digit, as text */
} qe_column_meta;

/* A prepared statement. It lies in its connection's cache, or is lent to one caller
 * who then also holds a reference to the connection. */
struct qe_statement {
  qe_connection *connection; /* borrowed; a reference is held while lent */
  void *native;              /* the backend's; NULL for a text without a statement */
  char *sql;                 /* owned */
  int64_t sql_size;
  uint64_t sql_hash;
  qe_column_meta *columns; /* owned */
  int32_t column_count;
  int32_t parameter_count;
  char **parameter_names; /* owned, each too; NULL for a nameless one */
  /* Numbers of types, where the database has such for parameters; the backend's. */
  const uint32_t *parameter_types;
  qe_bytes parameters;    /* copies of texts and blobs bound to a running statement */
  bool has_containers;    /* a column's values are made of other values */
  bool is_ready;          /* prepared to the end */
  bool is_reading;        /* its rows are read as they are asked for */
  bool opens_transaction; /* with autocommit off, wants one to be open */
  bool counts_changes;    /* changes has a meaning after a run */
  bool is_lent;
  bool is_running; /* started, and not yet at its end */
  bool is_unread;  /* the batch holds rows that qe_statement_fetch has yet to give */
  int32_t value_distance; /* the backend's; 0 until it has seen a row */
  int64_t changes;
  int64_t last_row_id;
  qe_batch batch;
  qe_statement *newer, *older;  /* in the list of all, most recently used first */
  qe_statement *next_in_bucket; /* of idle statements with a like hash */
  qe_statement *next_orphan;    /* in the list of those given back meanwhile */
};

typedef enum qe_life { QE_LIFE_OPEN, QE_LIFE_CLOSED, QE_LIFE_FORKED } qe_life;

enum { QE_CACHE_BUCKETS = 128 };

/* Asked now and then during long work: false means stop. */
typedef bool (*qe_pulse)(void *context);

struct qe_connection {
  atomic_int references;
  atomic_int life;                 /* a qe_life */
  atomic_bool is_busy;             /* some thread is inside */
  atomic_bool is_interrupted;      /* what is being done inside should stop */
  _Atomic(qe_statement *) orphans; /* given back while another thread was inside */
  pthread_mutex_t native_door;     /* interrupting and closing exclude each other */
  void *native;                    /* the backend's; NULL once closed */
  qe_pulse pulse;                  /* set by whoever is inside, or NULL */
  void *pulse_context;
  bool is_autocommit;
  bool is_stepped;    /* waits are the caller's */
  bool is_answered;   /* nothing that was asked for is on its way; see enter */
  bool is_piped;      /* runs are sent without waiting for what they give */
  bool is_stopping;   /* what it does is to end what it did */
  int64_t timeout_ms; /* the longest wait within one call; 0 for no limit */
  int64_t
      wait_until_ms; /* when it ends for the present call; 0 before its first wait */
  /* When every call has to have ended, 0 for never, and how long that was when it was
   * set. Any thread sets them. */
  _Atomic(int64_t) limit_until_ms, limit_ms;
  qe_bytes diagnostics; /* what the server said with its last refusal */
  int32_t cache_size;   /* idle statements kept at the most */
  int32_t idle_count;
  qe_statement *newest, *oldest;           /* all statements, lent and idle */
  qe_statement *buckets[QE_CACHE_BUCKETS]; /* the idle ones, by hash */
};

/* What is left of entering and leaving when it is not the plain case. */
qe_status qe__connection_refuse(qe_connection *connection, bool is_inside,
                                qe_error *error);
void qe__connection_adopt(qe_connection *connection);

/* Enters the connection: afterwards this thread alone is inside, until it leaves. */
static inline qe_status qe__connection_enter(qe_connection *connection,
                                             qe_error *error) {
  bool is_inside = atomic_load(&connection->life) != QE_LIFE_FORKED &&
                   !atomic_exchange(&connection->is_busy, true);

  /* Only who is inside closes, so the answer holds until we leave. */
  if (!is_inside || atomic_load(&connection->life) != QE_LIFE_OPEN) {
    return qe__connection_refuse(connection, is_inside, error);
  }
  /* An interruption is meant for what goes on. Between two calls that is nothing,
   * unless rows are still on their way: then it is for whoever reads them. */
  if (connection->is_answered) {
    atomic_store_explicit(&connection->is_interrupted, false, memory_order_relaxed);
  }
  connection->wait_until_ms = 0;
  return QE_OK;
}

static inline void qe__connection_leave(qe_connection *connection) {
  connection->pulse = NULL;
  if (atomic_load(&connection->orphans)) qe__connection_adopt(connection);
  atomic_store(&connection->is_busy, false);
  /* An orphan hung up between the two lines above has nobody else to see it. */
  while (atomic_load(&connection->orphans) &&
         !atomic_exchange(&connection->is_busy, true)) {
    qe__connection_adopt(connection);
    atomic_store(&connection->is_busy, false);
  }
}

void qe__connection_retain(qe_connection *connection);

/* Inside: does one thing to the whole connection, waiting where it has to and may. */
typedef qe_status (*qe_action)(qe_connection *, qe_error *);
qe_status qe__connection_do(qe_connection *connection, qe_action action,
                            qe_error *error);

/* The functions below are for a thread that is inside the connection. */

/* An idle statement for this text, taken out of the cache and lent; NULL if none. */
qe_statement *qe__statement_find(qe_connection *connection, const char *sql,
                                 int64_t size);
/* Makes a new one and lends it. Where its preparing wants a wait *out is set too, and
 * qe__statement_resume() goes on; any other failure takes the statement back. */
qe_status qe__statement_prepare(qe_connection *connection, const char *sql,
                                int64_t size, qe_statement **out, qe_error *error);
qe_status qe__statement_resume(qe_statement **statement, qe_error *error);
/* Starts it; never wants a wait. Rows and the end of the run come with
 * qe__statement_fill(), which qe__statement_first() calls with what fits the statement:
 * one that writes is run to its end. */
qe_status qe__statement_first(qe_statement *statement, int64_t max_rows,
                              qe_error *error);
qe_status qe__statement_start(qe_statement *statement, const qe_value *values,
                              int64_t value_count, qe_error *error);
qe_status qe__statement_run_many(qe_statement *statement, const qe_value *values,
                                 int64_t value_count, int64_t row_count,
                                 int64_t *rows_done, qe_error *error);
/* Adds rows until the batch holds max_rows, is heavy, or the result ends. */
qe_status qe__statement_fill(qe_statement *statement, qe_batch *batch, int64_t max_rows,
                             qe_error *error);
/* Makes an empty batch with columns like the statement's own. */
bool qe__statement_spare(const qe_statement *statement, qe_batch *spare);
/* Ends the loan of a statement, as qe_statement_release() does. */
void qe__statement_return(qe_statement *statement);
/* Puts a statement that is no longer lent into the cache, or ends it. */
void qe__statement_shelve(qe_statement *statement);
/* Takes the backend's part away from every statement. */
void qe__statement_finalize_all(qe_connection *connection);

#endif
