/* The contract between the engine and Python.
 *
 * Plain declarations only: no preprocessor lines. The C compiler reads this text
 * through src/qe.h, cffi reads the same text as its definition, so a change made
 * on one side alone does not compile.
 *
 * Words used for pointers:
 *   owned     the receiver must end it, with the function named
 *   borrowed  valid until the time named
 *   moved     the source is emptied
 *   static    valid for ever
 *
 * Every call that can fail returns a qe_status and takes a qe_error last, which may
 * be NULL. Out-parameters come before it and are set to NULL first. Sizes are in
 * bytes, text is UTF-8 with a size and never relies on a terminator.
 *
 * One connection is used by one thread at a time; a second thread that enters it
 * meanwhile is answered QE_ERR_IN_USE. Only qe_connection_interrupt may be called
 * at any time from any thread. */

typedef enum qe_status {
  QE_OK = 0,
  /* Memory ran out. Nothing was allocated to say so. */
  QE_ERR_NOMEM = 1,
  /* Calls in an order that makes no sense; a fault in the caller's code. */
  QE_ERR_MISUSE = 2,
  /* Another thread is inside this connection. Nothing was done. */
  QE_ERR_IN_USE = 3,
  /* The connection is closed. */
  QE_ERR_CLOSED = 4,
  /* The connection was opened by a process that this one was forked from. */
  QE_ERR_FORKED = 5,
  /* A setting of qe_connection_open is unknown or has a value it cannot take. */
  QE_ERR_SETTING = 6,
  /* Too few or too many parameters, or one named in the statement is missing. */
  QE_ERR_PARAMETER = 7,
  /* The text holds more than one statement. */
  QE_ERR_SEVERAL_STATEMENTS = 8,
  /* A number does not fit where it has to go. */
  QE_ERR_RANGE = 9,
  /* Text that is not UTF-8. */
  QE_ERR_ENCODING = 10,
  /* A value is not what the type of its column says. */
  QE_ERR_TYPE = 11,
  /* The query was stopped by qe_connection_interrupt or by the pulse. */
  QE_ERR_INTERRUPTED = 12,
  /* The database refused: native_code and sqlstate say why. */
  QE_ERR_DATABASE = 13,
  /* Not done yet, and no failure: wait until qe_connection_socket() can be read, or
   * until it can be written or read, and call the same function again with the same
   * arguments. Only a stepped connection gives these. */
  QE_WANT_READ = 14,
  QE_WANT_WRITE = 15,
  /* The connection to the server is lost, or none came about. */
  QE_ERR_CONNECTION = 16,
  /* The server took longer than the connection's timeout allows. */
  QE_ERR_TIMEOUT = 17,
  /* What came from the server is not of the protocol; the connection is given up. */
  QE_ERR_PROTOCOL = 18,
  /* A library that TLS needs is not there, or lacks something. */
  QE_ERR_TLS = 19
} qe_status;

/* Why a call failed. The caller owns it; nothing in it needs to be ended. */
typedef struct qe_error {
  int32_t status;      /* a qe_status; QE_OK where nothing failed */
  int32_t native_code; /* the backend's own number, 0 where it has none */
  int64_t position;    /* offset into the statement in bytes, -1 where unknown */
  int32_t was_sent;    /* whether the server may have seen the statement */
  char sqlstate[6];    /* five characters and a terminator, or empty */
  char message[502];   /* always terminated; cut, never overflowed */
} qe_error;

/* What a column is meant to hold, by its declaration. */
typedef enum qe_type {
  QE_TYPE_ANY = 0, /* not declared: each value has the type it was stored with */
  QE_TYPE_INTEGER = 1,
  QE_TYPE_FLOAT = 2,
  QE_TYPE_TEXT = 3,
  QE_TYPE_BLOB = 4,
  QE_TYPE_BOOLEAN = 5,
  QE_TYPE_DATE = 6,
  QE_TYPE_TIME = 7,
  QE_TYPE_TIMESTAMP = 8,
  QE_TYPE_TIMESTAMPTZ = 9,
  QE_TYPE_DECIMAL = 10,
  QE_TYPE_UUID = 11,     /* 16 bytes */
  QE_TYPE_JSON = 12,     /* text */
  QE_TYPE_INTERVAL = 13, /* int64 microseconds, int32 days, int32 months */
  QE_TYPE_TIMETZ = 14,   /* int64 microseconds, int32 seconds east of UTC */
  QE_TYPE_NETWORK = 15,  /* text: an address of a host or of a network */
  QE_TYPE_NESTED = 16    /* values within values: src/qe_nested.h has the form */
} qe_type;

/* One column of a statement, as the caller may read it. */
typedef struct qe_column_info {
  const char *name;          /* borrowed until the statement is released */
  const char *declared_type; /* as written in the schema, or NULL; borrowed likewise */
  int32_t type;              /* a qe_type */
  int32_t precision;         /* decimal digits in all, 0 where not declared */
  int32_t scale;             /* of them after the point */
  int32_t width;             /* bytes of an integer or float, 0 where not declared */
} qe_column_info;

/* A value that goes in as a parameter. Sixteen bytes, since executemany fills them by
 * the thousand; no database takes a value past 2 GiB. */
typedef enum qe_value_kind {
  QE_VALUE_NULL = 0,
  QE_VALUE_INT64 = 1,
  QE_VALUE_FLOAT64 = 2,
  QE_VALUE_TEXT = 3,
  QE_VALUE_BLOB = 4,
  QE_VALUE_BOOLEAN = 5,    /* int64: 0 or 1 */
  QE_VALUE_DATE = 6,       /* int64: days from 1970-01-01 */
  QE_VALUE_TIME = 7,       /* int64: microseconds from midnight */
  QE_VALUE_TIMESTAMP = 8,  /* int64: microseconds from 1970-01-01, by a clock */
  QE_VALUE_TIMESTAMPTZ = 9 /* int64: microseconds from 1970-01-01 UTC */
} qe_value_kind;

typedef struct qe_value {
  int32_t kind; /* a qe_value_kind */
  int32_t size; /* of bytes; text and blob only */
  union {
    int64_t int64;    /* QE_VALUE_INT64, and from QE_VALUE_BOOLEAN on */
    double float64;   /* QE_VALUE_FLOAT64 */
    const char *data; /* QE_VALUE_TEXT, QE_VALUE_BLOB; borrowed for the call */
  };
} qe_value;

/* The Arrow C data interface and C stream interface, as the Arrow project has them:
 * https://arrow.apache.org/docs/format/CDataInterface.html */
struct ArrowSchema {
  const char *format;
  const char *name;
  const char *metadata;
  int64_t flags;
  int64_t n_children;
  struct ArrowSchema **children;
  struct ArrowSchema *dictionary;
  void (*release)(struct ArrowSchema *);
  void *private_data;
};

struct ArrowArray {
  int64_t length;
  int64_t null_count;
  int64_t offset;
  int64_t n_buffers;
  int64_t n_children;
  const void **buffers;
  struct ArrowArray **children;
  struct ArrowArray *dictionary;
  void (*release)(struct ArrowArray *);
  void *private_data;
};

struct ArrowArrayStream {
  int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
  int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
  const char *(*get_last_error)(struct ArrowArrayStream *);
  void (*release)(struct ArrowArrayStream *);
  void *private_data;
};

typedef struct qe_connection qe_connection;
typedef struct qe_statement qe_statement;
typedef struct qe_python qe_python;

/* Who the engine is. The first call after the module is loaded: the package refuses
 * an engine whose number differs from its own. All texts are static. */
int32_t qe_abi_version(void);
const char *qe_package_version(void); /* the release it was built for */
const char *qe_build_id(void);        /* a hash of everything that went into it */
const char *qe_backend_name(void);    /* "sqlite" */
const char *qe_backend_version(void); /* the database library's own version */

/* Which TLS library this process speaks with: its name, the version it tells of itself
 * and the file it was loaded from, or "(built in)". Asking looks for it; version and
 * file are empty where there is none, all three for a backend without TLS. Static. */
const char *qe_backend_tls_library(void); /* "OpenSSL" */
const char *qe_backend_tls_version(void);
const char *qe_backend_tls_file(void);
/* Has at hand the TLS library that connections need; on failure error tells which were
 * looked for and why each was not taken. May be called again, and looks again. */
qe_status qe_backend_bind_tls(qe_error *error);

/* Opens a connection. keywords and values are two lists of equal length, each ended
 * by NULL; what is allowed is listed beside each backend (at the heads of
 * src/qe_sqlite.c and src/qe_postgres.c). On success the caller owns *out and ends it
 * with qe_connection_close() and qe_connection_release(); on failure *out is NULL.
 *
 * Where something has to be waited for the answer is QE_WANT_READ or QE_WANT_WRITE, and
 * the caller owns *out: it goes on with qe_connection_resume_open() until that gives
 * QE_OK or a failure, after which the handle is only good for being released. */
qe_status qe_connection_open(const char *const *keywords, const char *const *values,
                             qe_connection **out, qe_error *error);
qe_status qe_connection_resume_open(qe_connection *connection, qe_error *error);

/* Waits until the socket can do what want (QE_WANT_READ or QE_WANT_WRITE) asks for, or
 * timeout_ms have passed; *is_ready tells which. No other thread is kept out. */
qe_status qe_connection_wait(qe_connection *connection, int32_t want,
                             int32_t timeout_ms, int32_t *is_ready, qe_error *error);

/* The descriptor to wait for; -1 where there is none. */
int64_t qe_connection_socket(qe_connection *connection);

/* Whether functions answer QE_WANT_READ and QE_WANT_WRITE (1) or wait themselves (0,
 * what every connection begins with). */
qe_status qe_connection_set_stepped(qe_connection *connection, int32_t is_on,
                                    qe_error *error);

/* Changes a setting of an open connection; the backend's file says which there are. */
qe_status qe_connection_set(qe_connection *connection, const char *keyword,
                            const char *value, qe_error *error);

/* A fact about the connection, such as `server_version`; *text is NULL for one that is
 * not known, and borrowed until the next call. */
qe_status qe_connection_about(qe_connection *connection, const char *what,
                              const char **text, qe_error *error);

/* What the server said with its last refusal, field by field, each a letter and a
 * terminated text; *size is 0 where there is nothing. Borrowed until the next call. */
void qe_connection_diagnostics(qe_connection *connection, const char **data,
                               int64_t *size);

/* Takes the oldest message that came unasked: *size is 0 when there is none. Its first
 * byte is `N` for a notice, followed by fields as above, or `A` for a notification,
 * followed by the sender's process id as four bytes, most significant first, and two
 * terminated texts, channel and payload. Borrowed until the next call. */
qe_status qe_connection_next_message(qe_connection *connection, const char **data,
                                     int64_t *size, qe_error *error);

/* Reads what has come unasked, without waiting. */
qe_status qe_connection_poll(qe_connection *connection, qe_error *error);

/* Asks the server, over a connection of its own, to stop what it is doing for this one;
 * to be called again until it is QE_OK, waiting for *socket as its answer says. May be
 * called while something else is not done yet; what was stopped then ends with a
 * failure. */
qe_status qe_connection_cancel(qe_connection *connection, int64_t *socket,
                               qe_error *error);

/* Closes the database: open transactions are rolled back, statements ended. The
 * handle stays valid and answers QE_ERR_CLOSED until it is released. Closing twice,
 * or a connection abandoned after a fork, does nothing. */
qe_status qe_connection_close(qe_connection *connection, qe_error *error);

/* Gives one reference back; the last one frees the handle. NULL is allowed. */
void qe_connection_release(qe_connection *connection);

/* Stops what the connection is doing, if anything, from any thread. */
void qe_connection_interrupt(qe_connection *connection);

/* To be called in the child after a fork: from now on the handle answers
 * QE_ERR_FORKED and touches neither files nor locks, which are the parent's. */
void qe_connection_abandon(qe_connection *connection);

/* Whether a transaction is open. */
int32_t qe_connection_in_transaction(qe_connection *connection);

/* With autocommit off (the default) a transaction is opened before the first
 * statement that writes. */
qe_status qe_connection_set_autocommit(qe_connection *connection, int32_t is_on,
                                       qe_error *error);
qe_status qe_connection_begin(qe_connection *connection, qe_error *error);
qe_status qe_connection_commit(qe_connection *connection, qe_error *error);
qe_status qe_connection_rollback(qe_connection *connection, qe_error *error);

/* Runs every statement of a text and gives no rows. A parameter is NULL. */
qe_status qe_connection_execute_script(qe_connection *connection, const char *sql,
                                       int64_t sql_size, qe_error *error);

/* Takes a prepared statement from the connection's cache, or prepares it. On success
 * the caller owns *out, which nobody else is given meanwhile, and ends it with
 * qe_statement_release(). A text without a statement (empty, comments) gives one
 * that has no columns and does nothing. */
qe_status qe_statement_acquire(qe_connection *connection, const char *sql,
                               int64_t sql_size, qe_statement **out, qe_error *error);

/* Resets the statement and puts it back into the cache. Any thread, at any time, also
 * after the connection was closed. NULL is allowed. */
void qe_statement_release(qe_statement *statement);

int32_t qe_statement_column_count(const qe_statement *statement);
qe_status qe_statement_column(const qe_statement *statement, int32_t index,
                              qe_column_info *out, qe_error *error);
int32_t qe_statement_parameter_count(const qe_statement *statement);
/* The parameter's name without its mark (":name" is "name"), NULL for a plain "?";
 * borrowed until the statement is released. index counts from 0. */
const char *qe_statement_parameter_name(const qe_statement *statement, int32_t index);

/* Starts the statement with one row of parameters. A statement that writes is run to
 * its end, and any rows it returns are kept; one that reads runs as its rows are
 * asked for. */
qe_status qe_statement_start(qe_statement *statement, const qe_value *values,
                             int64_t value_count, qe_error *error);

/* Runs the statement once for each of row_count rows of values (row after row). On
 * failure *rows_done tells how many rows were done before the one that failed. */
qe_status qe_statement_run_many(qe_statement *statement, const qe_value *values,
                                int64_t value_count, int64_t row_count,
                                int64_t *rows_done, qe_error *error);

/* Reads the next rows into the statement's batch, in place of those it held: at most
 * max_rows, fewer when they are heavy. *row_count is how many there are; 0 means that
 * the result has ended. Rows that a writing statement returns come in one batch. */
qe_status qe_statement_fetch(qe_statement *statement, int64_t max_rows,
                             int64_t *row_count, qe_error *error);

/* Rows changed by the last start or run_many, -1 for a statement that only reads. */
int64_t qe_statement_changes(const qe_statement *statement);
/* The row id of the last row inserted through this connection. */
int64_t qe_statement_last_row_id(const qe_statement *statement);

/* Moves the statement, with the rows in its batch from first_row on and all that
 * follow, into an Arrow stream. On success *out is a stream of struct arrays that
 * owns the statement; on failure the statement stays the caller's. */
qe_status qe_statement_arrow(qe_statement *statement, int64_t first_row,
                             struct ArrowArrayStream *out, qe_error *error);

/* Makes the part that speaks to the interpreter: the Python types and the callables
 * it needs. hooks is the address of a tuple of callables, in the order that
 * cffi/py.h lists. One for a process; it is never ended. */
qe_status qe_python_new(uintptr_t hooks, qe_python **out, qe_error *error);

/* Appends to the list at the address a Session object for the connection; the object
 * holds a reference of its own. */
qe_status qe_python_attach(qe_python *python, qe_connection *connection, uintptr_t list,
                           qe_error *error);
