/* PostgreSQL: opening, closing, transactions, scripts, being stopped.
 *
 * Settings of qe_connection_open, all optional; any other is libpq's, and `dbname` may
 * be a whole URI or connection string:
 *   autocommit        "off" (default) or "on"
 *   prepared          "on" (default) or "off": statements are not kept on the server,
 *                     for poolers that give each transaction another one
 *   statement_cache   idle statements kept, 0 to 10000, default 128
 *   timeout_ms        how long a call may wait for the server, 0 (default) for ever
 *
 * Settings of qe_connection_set:
 *   begin             the statement that opens a transaction
 *   pipeline          "on": runs are sent when something is waited for, not at once
 *   timeout_ms        as above
 *
 * Facts of qe_connection_about: see FACTS; also `backend_pid`, `transaction` (the
 * server's letter), `is_lost`, `unsent_bytes`, and `parameter:` with the name of a
 * setting that the server reports. */
#include "qe_postgres.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres_libpq.h"
#include "qe_postgres_tls.h"

/* Where neither the caller nor a file nor the environment gives one. */
enum { CONNECT_TIMEOUT_SECONDS = 10 };
/* How long the server may take to say that it has stopped what we asked it to stop. */
enum { STOP_MS = 5000 };
/* How long it is given before the first request is repeated. */
enum { PATIENCE_MS = 100 };
/* The same once the time is up and nobody waits for an answer any more: it is asked
 * only because it would else go on for as long as the statement takes. */
enum { LATE_STOP_MS = 100, LATE_PATIENCE_MS = 20 };
/* Keywords of libpq that may be given at once, and ours beside them. */
enum { KEYWORDS_MAX = 64 };

const char *qe_backend_name(void) {
  return "postgres";
}

const char *qe_backend_version(void) {
  return PG_VERSION;
}

/* Settings. */

typedef struct settings {
  const char *keywords[KEYWORDS_MAX + 2], *values[KEYWORDS_MAX + 2]; /* libpq's */
  int32_t count;
  bool is_autocommit, is_nameless;
  int64_t statement_cache, timeout_ms;
} settings;

static qe_status read_switch(const char *name, const char *value, const char *yes,
                             const char *no, bool *out, qe_error *error) {
  *out = strcmp(value, yes) == 0;
  if (*out || strcmp(value, no) == 0) return QE_OK;
  return qe__fail(error, QE_ERR_SETTING, "The setting `%s` cannot be `%s`: on or off",
                  name, value);
}

static qe_status read_number(const char *name, const char *value, int64_t most,
                             int64_t *out, qe_error *error) {
  char *end = NULL;
  long long read;

  errno = 0;
  read = strtoll(value, &end, 10);
  *out = read;
  if (end != value && !*end && !errno && read >= 0 && read <= most) return QE_OK;
  return qe__fail(error, QE_ERR_SETTING,
                  "The setting `%s` cannot be `%s`: a whole number from 0 to %lld",
                  name, value, (long long)most);
}

static qe_status read_setting(const char *name, const char *value, settings *out,
                              qe_error *error) {
  if (strcmp(name, "autocommit") == 0) {
    return read_switch(name, value, "on", "off", &out->is_autocommit, error);
  }
  if (strcmp(name, "prepared") == 0) {
    return read_switch(name, value, "off", "on", &out->is_nameless, error);
  }
  if (strcmp(name, "statement_cache") == 0) {
    return read_number(name, value, 10000, &out->statement_cache, error);
  }
  if (strcmp(name, "timeout_ms") == 0) {
    return read_number(name, value, INT32_MAX, &out->timeout_ms, error);
  }
  if (out->count == KEYWORDS_MAX) {
    return qe__fail(error, QE_ERR_SETTING, "There are more than %d settings",
                    KEYWORDS_MAX);
  }
  out->keywords[out->count] = name;
  out->values[out->count++] = value;
  return QE_OK;
}

static qe_status read_settings(const char *const *keywords, const char *const *values,
                               settings *out, qe_error *error) {
  qe_status status = QE_OK;

  out->statement_cache = QE_CACHE_BUCKETS;
  for (; *keywords && status == QE_OK; keywords++, values++) {
    status = read_setting(*keywords, *values, out, error);
  }
  if (status != QE_OK) return status;
  /* Text is UTF-8 from here to Python; the last one named wins. */
  out->keywords[out->count] = "client_encoding";
  out->values[out->count++] = "UTF8";
  out->keywords[out->count] = NULL;
  out->values[out->count] = NULL;
  return QE_OK;
}

/* Opening. */

/* libpq quotes what it does not understand, and that may be a password cut in two: only
 * what it says of names, not of values, is passed on. */
static void hide_quoted(char *message) {
  static const char *const SAFE[] = {"invalid connection option",
                                     "invalid URI query",
                                     "invalid sslmode",
                                     "invalid port",
                                     "service file",
                                     "definition of service"};
  char *to = message;
  bool is_inside = false;

  for (size_t i = 0; i < sizeof SAFE / sizeof SAFE[0]; i++) {
    if (strncmp(message, SAFE[i], strlen(SAFE[i])) == 0) return;
  }
  for (const char *from = message; *from; from++) {
    if (*from == '"') is_inside = !is_inside;
    if (!is_inside || *from == '"') *to++ = *from;
  }
  *to = '\0';
}

/* libpq's message in one line. */
static void flatten(const char *said, char *out, size_t capacity) {
  size_t size = strlen(said);
  size_t at = 0;

  while (size > 0 && said[size - 1] == '\n') size--;
  for (size_t i = 0; i < size && at + 3 < capacity; i++) {
    if (said[i] == '\n') {
      out[at++] = ';';
      out[at++] = ' ';
      while (i + 1 < size && (said[i + 1] == '\t' || said[i + 1] == ' ')) i++;
    } else {
      out[at++] = said[i];
    }
  }
  out[at] = '\0';
}

static qe_status open_failed(const PGconn *pg, qe_error *error) {
  char message[sizeof error->message];
  qe_status status;

  flatten(PQerrorMessage(pg), message, sizeof message);
  if (!pg->options_valid) {
    hide_quoted(message);
    return qe__fail(error, QE_ERR_SETTING, "The connection string is not valid: %s",
                    message);
  }
  status = qe__fail(error, QE_ERR_CONNECTION, "%s", message);
  if (error && strlen(pg->last_sqlstate) == QE_PG_SQLSTATE_SIZE) {
    memcpy(error->sqlstate, pg->last_sqlstate, sizeof error->sqlstate);
  }
  return status;
}

/* Notices during the hand-shake are rare and go nowhere: libpq would print them. */
static void drop_notice(void *context, const PGresult *result) {
  (void)context;
  (void)result;
}

/* What libpq's own hand-shake left in its buffer is ours to read. */
static qe_status take_over(qe_connection *connection, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  PGconn *pg = native->pg;
  int64_t left = pg->inEnd - pg->inStart;
  const char *strings = PQparameterStatus(pg, "standard_conforming_strings");

  if (left > 0) {
    int64_t capacity = left < QE_PG_RECEIVE_BYTES ? QE_PG_RECEIVE_BYTES : left;

    native->in = qe__zalloc(capacity);
    if (!native->in) return qe__fail_memory(error, "receive buffer");
    native->in_capacity = capacity;
    memcpy(native->in, pg->inBuffer + pg->inStart, (size_t)left);
    native->in_end = left;
    pg->inStart = pg->inCursor = pg->inEnd = 0;
  }
  native->transaction = 'I';
  native->is_std_strings = !strings || strcmp(strings, "on") == 0;
  native->is_utf8 = true;
  native->is_open = true;
  /* Something no other client of a pooler will have: the key that cancels. */
  native->name_prefix = (uint64_t)(uint32_t)pg->be_pid * UINT64_C(0x9E3779B97F4A7C15) ^
                        (uint64_t)(uint32_t)pg->be_key * UINT64_C(0xD6E8FEB86659FD93) ^
                        (uint64_t)qe__now_ms() * UINT64_C(0xBF58476D1CE4E5B9);
  return QE_OK;
}

/* Whether what the hand-shake waits for has come about. libpq must not be asked before:
 * it would take a socket that is still connecting for one that has. */
static bool may_go_on(const qe_postgres *native) {
  int socket = PQsocket(native->pg);
  bool is_ready = false;

  if (native->connect_want == QE_OK || socket < 0) return true;
  return qe__wait_socket(socket, native->connect_want, 0, &is_ready, NULL) != QE_OK ||
         is_ready;
}

/* Whether the address at hand has had its time; each gets the whole of it. */
static bool is_late(qe_postgres *native) {
  PGconn *pg = native->pg;
  int64_t now;

  if (native->connect_timeout_ms <= 0) return false;
  now = qe__now_ms();
  if (pg->whichhost != native->connect_host ||
      pg->whichaddr != native->connect_address || native->connect_until_ms == 0) {
    native->connect_host = pg->whichhost;
    native->connect_address = pg->whichaddr;
    native->connect_until_ms = now + native->connect_timeout_ms;
    return false;
  }
  return now >= native->connect_until_ms;
}

qe_status qe__backend_resume_open(qe_connection *connection, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  PGconn *pg = native->pg;

  if (native->is_open) return QE_OK;
  if (is_late(native)) {
    /* As libpq's own waiting does it: on to the next address. */
    libpq_append_conn_error(pg, "timeout expired");
    pg->try_next_addr = true;
    pg->status = CONNECTION_NEEDED;
    native->connect_until_ms = 0;
  } else if (!may_go_on(native)) {
    return native->connect_want;
  }
  switch (PQconnectPoll(pg)) {
    case PGRES_POLLING_OK: return take_over(connection, error);
    case PGRES_POLLING_READING: native->connect_want = QE_WANT_READ; break;
    case PGRES_POLLING_WRITING: native->connect_want = QE_WANT_WRITE; break;
    default: return open_failed(pg, error);
  }
  return native->connect_want;
}

static void read_connect_timeout(qe_postgres *native) {
  const char *text = native->pg->connect_timeout;
  int64_t seconds = text ? atoll(text) : CONNECT_TIMEOUT_SECONDS;

  native->connect_timeout_ms = seconds > 0 ? seconds * 1000 : 0;
}

static qe_status start(qe_connection *connection, const settings *wanted,
                       qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);

  native->pg = PQconnectStartParams(wanted->keywords, wanted->values, 1);
  if (!native->pg) return qe__fail_memory(error, "libpq's connection");
  PQsetNoticeReceiver(native->pg, drop_notice, NULL);
  if (PQstatus(native->pg) == CONNECTION_BAD) return open_failed(native->pg, error);
  read_connect_timeout(native);
  /* PQconnectStart's manual: the first wait is for writing. */
  native->connect_want = QE_WANT_WRITE;
  return native->connect_want;
}

qe_status qe__backend_open(qe_connection *connection, const char *const *keywords,
                           const char *const *values, qe_error *error) {
  settings wanted = {0};
  qe_postgres *native;
  qe_status status = read_settings(keywords, values, &wanted, error);

  if (status == QE_OK) status = qe__tls_bind(error);
  if (status != QE_OK) return status;
  native = qe__zalloc(sizeof *native);
  if (!native) return qe__fail_memory(error, "PostgreSQL connection");
  memcpy(native->begin_sql, "BEGIN", sizeof "BEGIN");
  native->is_nameless = wanted.is_nameless;
  native->connection = connection;
  connection->native = native;
  connection->is_autocommit = wanted.is_autocommit;
  connection->cache_size = (int32_t)wanted.statement_cache;
  connection->timeout_ms = wanted.timeout_ms;
  status = start(connection, &wanted, error);
  if (!qe__is_want(status)) {
    qe__backend_close(connection);
    connection->native = NULL;
  }
  return status;
}

void qe__backend_close(qe_connection *connection) {
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_exchange *next;

  qe__pg_let_go(native, native->control);
  native->control = NULL;
  qe__pg_copy_abandon(connection);
  if (native->lost.status == QE_OK) {
    (void)qe__fail(&native->lost, QE_ERR_CLOSED, "The connection is closed");
  }
  qe__pg_end_exchanges(connection);
  if (native->cancel) PQcancelFinish(native->cancel);
  PQfinish(native->pg);
  for (qe_pg_exchange *e = native->spare; e; e = next) {
    next = e->next;
    qe__bytes_clear(&e->diagnostics);
    qe__free(e);
  }
  qe__pg_types_clear(&native->types);
  qe__batch_clear(&native->learned);
  qe__bytes_clear(&native->lost_diagnostics);
  qe__bytes_clear(&native->out);
  qe__bytes_clear(&native->deferred);
  qe__bytes_clear(&native->messages);
  qe__bytes_clear(&native->message);
  qe__free(native->in);
  qe__free(native);
}

int64_t qe__backend_socket(const qe_connection *connection) {
  return PQsocket(qe__pg_of(connection)->pg);
}

/* Transactions and scripts: one simple query at a time, held as native->control. */

bool qe__backend_in_transaction(const qe_connection *connection) {
  return qe__pg_of(connection)->transaction != 'I';
}

/* Sends the text, or goes on waiting for what it was sent for before. *is_rolled_back
 * (may be NULL) tells that a COMMIT ended so. */
static qe_status command(qe_connection *connection, const char *sql, int64_t size,
                         bool *is_rolled_back, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_status status = qe__pg_check(connection, error);

  if (status == QE_OK && !native->control) {
    status = qe__pg_query(connection, sql, size, &native->control, error);
  }
  if (status == QE_OK) status = qe__pg_finish(connection, native->control, error);
  if (qe__is_want(status)) return status;
  if (status == QE_OK) status = qe__pg_outcome(connection, native->control, error);
  if (native->control && is_rolled_back) {
    *is_rolled_back = native->control->was_rolled_back;
  }
  qe__pg_let_go(native, native->control);
  native->control = NULL;
  return status;
}

/* Whether a command may be sent, unless it has been. A rollback always may: it ends
 * what the limit has come too late for. */
static qe_status check_limit(const qe_connection *connection, qe_error *error) {
  return qe__pg_of(connection)->control ? QE_OK : qe__check_limit(connection, error);
}

qe_status qe__backend_begin(qe_connection *connection, qe_error *error) {
  const char *sql = qe__pg_of(connection)->begin_sql;
  qe_status status = check_limit(connection, error);

  if (status != QE_OK) return status;
  return command(connection, sql, (int64_t)strlen(sql), NULL, error);
}

/* COMMIT of a failed transaction rolls back, and the server calls that a success. */
qe_status qe__backend_commit(qe_connection *connection, qe_error *error) {
  bool is_rolled_back = false;
  qe_postgres *native = qe__pg_of(connection);
  qe_status status;

  if (native->transaction == 'I' && !native->control) {
    return qe__pg_check(connection, error);
  }
  status = check_limit(connection, error);
  if (status != QE_OK) return status;
  status = command(connection, "COMMIT", 6, &is_rolled_back, error);
  if (status != QE_OK || !is_rolled_back) return status;
  status = qe__fail(error, QE_ERR_DATABASE,
                    "The transaction had failed, and was rolled back instead");
  if (error) memcpy(error->sqlstate, "25P02", QE_PG_SQLSTATE_SIZE + 1);
  connection->diagnostics.size = 0;
  return status;
}

qe_status qe__backend_rollback(qe_connection *connection, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);

  if (native->transaction == 'I' && !native->control) return QE_OK;
  /* The server has rolled back what a lost connection began. */
  if (native->lost.status != QE_OK) return QE_OK;
  if (!native->control) qe__pg_abandon_for_rollback(native);
  return command(connection, "ROLLBACK", 8, NULL, error);
}

qe_status qe__backend_script(qe_connection *connection, const char *sql, int64_t size,
                             qe_error *error) {
  qe_status status = check_limit(connection, error);

  if (status != QE_OK) return status;
  if (memchr(sql, '\0', (size_t)size)) {
    return qe__fail(error, QE_ERR_ENCODING, "The script holds a zero byte");
  }
  return command(connection, sql, size, NULL, error);
}

/* Being stopped. */

void qe__backend_interrupt(qe_connection *connection) {
  /* Whoever waits sees the flag within a slice, and cancels from there. */
  (void)connection;
}

qe_status qe__backend_cancel(qe_connection *connection, int64_t *socket,
                             qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  PostgresPollingStatusType state = PGRES_POLLING_WRITING;
  char message[sizeof error->message];

  *socket = -1;
  if (!native->is_open || native->lost.status != QE_OK) return QE_OK;
  if (!native->cancel) {
    native->cancel = PQcancelCreate(native->pg);
    if (!native->cancel) return qe__fail_memory(error, "request to cancel");
    if (!PQcancelStart(native->cancel)) state = PGRES_POLLING_FAILED;
  } else {
    state = PQcancelPoll(native->cancel);
  }
  if (state == PGRES_POLLING_READING || state == PGRES_POLLING_WRITING) {
    *socket = PQcancelSocket(native->cancel);
    return state == PGRES_POLLING_READING ? QE_WANT_READ : QE_WANT_WRITE;
  }
  flatten(PQcancelErrorMessage(native->cancel), message, sizeof message);
  PQcancelFinish(native->cancel);
  native->cancel = NULL;
  if (state == PGRES_POLLING_OK) return QE_OK;
  return qe__fail(error, QE_ERR_CONNECTION, "The request to cancel failed: %s",
                  message);
}

/* Waits for a step, at most until then; false when the time is up. */
static bool wait_until(int64_t socket, qe_status want, int64_t until) {
  int64_t left = until - qe__now_ms();
  bool is_ready = false;

  if (left <= 0) return false;
  (void)qe__wait_socket(socket, want, left, &is_ready, NULL);
  return true;
}

static void send_cancel(qe_connection *connection, int64_t until) {
  qe_status status;
  int64_t socket;

  qe__pg_copy_abandon(connection);
  do {
    status = qe__backend_cancel(connection, &socket, NULL);
  } while (qe__is_want(status) && wait_until(socket, status, until));
}

/* Takes what the server sends until the exchange is over, at most until then. */
static void drain(qe_connection *connection, const qe_pg_exchange *exchange,
                  int64_t until) {
  qe_postgres *native = qe__pg_of(connection);
  qe_status status;

  while (exchange && native->head == exchange && native->lost.status == QE_OK) {
    status = qe__pg_take(connection, native->head, INT64_MAX, INT64_MAX, NULL);
    if (status == QE_OK && native->head == exchange) {
      status = qe__pg_transfer(connection, NULL);
    }
    if (qe__is_want(status) && !wait_until(PQsocket(native->pg), status, until)) return;
    if (qe__now_ms() >= until) return;
  }
}

/* Asks the server to stop, and takes what it sends until it has, at most until then. A
 * request that comes before the server has begun with what we sent last has no effect,
 * so it is repeated; but never for what was sent behind it. */
static bool stop_running(qe_connection *connection, int64_t patience, int64_t until) {
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_exchange *head = native->head;

  /* Rows that come meanwhile are not wanted, and there may be millions. */
  if (head && head->task == QE_PG_RUN) head->target = NULL;
  do {
    int64_t again = qe__now_ms() + patience;

    send_cancel(connection, until);
    drain(connection, head, again < until ? again : until);
    patience *= 2;
  } while (head && native->head == head && native->lost.status == QE_OK &&
           qe__now_ms() < until);
  while (native->head && native->lost.status == QE_OK && qe__now_ms() < until) {
    drain(connection, native->head, until);
  }
  return native->head == NULL;
}

void qe__backend_abort(qe_connection *connection, qe_status reason) {
  qe_postgres *native = qe__pg_of(connection);

  if (!native->is_open || connection->is_stopping) return;
  connection->is_stopping = true;
  if (reason == QE_ERR_TIMEOUT) {
    if (native->head) {
      (void)stop_running(connection, LATE_PATIENCE_MS, qe__now_ms() + LATE_STOP_MS);
    }
    (void)qe__pg_lose(connection, reason,
                      "the server did not answer within the timeout", NULL);
  } else if (!stop_running(connection, PATIENCE_MS, qe__end_of(connection, STOP_MS))) {
    (void)qe__pg_lose(connection, QE_ERR_CONNECTION,
                      "the server did not stop when it was asked to", NULL);
  }
  qe__pg_let_go(native, native->control);
  native->control = NULL;
  connection->is_stopping = false;
}

/* What else there is to ask and to set. */

qe_status qe__backend_set(qe_connection *connection, const char *keyword,
                          const char *value, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);

  if (strcmp(keyword, "begin") == 0) {
    if (strlen(value) >= sizeof native->begin_sql) {
      return qe__fail(error, QE_ERR_SETTING, "The setting `begin` is too long");
    }
    memcpy(native->begin_sql, value, strlen(value) + 1);
    return QE_OK;
  }
  if (strcmp(keyword, "pipeline") == 0) {
    return read_switch(keyword, value, "on", "off", &connection->is_piped, error);
  }
  if (strcmp(keyword, "timeout_ms") == 0) {
    return read_number(keyword, value, INT32_MAX, &connection->timeout_ms, error);
  }
  return qe__fail(error, QE_ERR_SETTING, "There is no setting `%s` to change", keyword);
}

typedef struct fact {
  const char *name;
  const char *parameter; /* one that the server reports, or NULL */
  const char *attribute; /* one of libpq's about TLS, or NULL */
  char *(*function)(const PGconn *);
} fact;

static const fact FACTS[] = {
    {"server_version", "server_version", NULL, NULL},
    {"server_encoding", "server_encoding", NULL, NULL},
    {"time_zone", "TimeZone", NULL, NULL},
    {"is_in_recovery", "in_hot_standby", NULL, NULL},
    {"tls_library", NULL, "library", NULL},
    {"tls_version", NULL, "protocol", NULL},
    {"tls_cipher", NULL, "cipher", NULL},
    {"host", NULL, NULL, PQhost},
    {"host_address", NULL, NULL, PQhostaddr},
    {"port", NULL, NULL, PQport},
    {"user", NULL, NULL, PQuser},
    {"database", NULL, NULL, PQdb},
};

/* Before the name of a setting that the server reports. */
#define PARAMETER "parameter:"

const char *qe__backend_about(qe_connection *connection, const char *what) {
  qe_postgres *native = qe__pg_of(connection);

  if (strcmp(what, "backend_pid") == 0) {
    (void)snprintf(native->about, sizeof native->about, "%d", PQbackendPID(native->pg));
    return native->about;
  }
  if (strcmp(what, "transaction") == 0) {
    (void)snprintf(native->about, sizeof native->about, "%c", native->transaction);
    return native->about;
  }
  if (strcmp(what, "unsent_bytes") == 0) {
    (void)snprintf(native->about, sizeof native->about, "%lld",
                   (long long)(native->out.size - native->out_start));
    return native->about;
  }
  if (strcmp(what, "is_lost") == 0) return native->lost.status == QE_OK ? "no" : "yes";
  if (strcmp(what, "is_idle") == 0) return native->head ? "no" : "yes";
  if (strncmp(what, PARAMETER, strlen(PARAMETER)) == 0) {
    return PQparameterStatus(native->pg, what + strlen(PARAMETER));
  }
  for (size_t i = 0; i < sizeof FACTS / sizeof FACTS[0]; i++) {
    const fact *found = &FACTS[i];
    if (strcmp(what, found->name) != 0) continue;
    if (found->parameter) return PQparameterStatus(native->pg, found->parameter);
    if (found->attribute) return PQsslAttribute(native->pg, found->attribute);
    return found->function(native->pg);
  }
  return NULL;
}

void qe__backend_next_message(qe_connection *connection, const char **data,
                              int64_t *size) {
  qe_postgres *native = qe__pg_of(connection);
  const qe_bytes *kept = &native->messages;
  int32_t stored;

  *data = NULL;
  *size = 0;
  if (native->messages_start == kept->size) return;
  memcpy(&stored, kept->data + native->messages_start, sizeof stored);
  native->message.size = 0;
  if (!qe__pg_put(&native->message, kept->data + native->messages_start + 4, stored)) {
    return; /* asked for again later */
  }
  native->messages_start += (int64_t)sizeof stored + stored;
  *data = (const char *)native->message.data;
  *size = stored;
}

qe_status qe__backend_poll(qe_connection *connection, qe_error *error) {
  qe_status status = qe__pg_check_alive(connection, error);

  /* What a COPY brings is not unasked, and read by who asked. */
  if (qe__pg_of(connection)->copy) return status;
  while (status == QE_OK) {
    status = qe__pg_take(connection, NULL, INT64_MAX, INT64_MAX, error);
    if (status == QE_OK) status = qe__pg_transfer(connection, error);
  }
  return qe__is_want(status) ? QE_OK : status;
}

bool qe__backend_is_gone(qe_connection *connection) {
  qe_postgres *native = qe__pg_of(connection);

  if (native->lost.status != QE_OK) return true;
  /* Whatever comes for a result or a COPY was asked for, and is read by who asked. */
  if (native->head || qe__pg_is_quiet(native)) return false;
  /* Under TLS it may be nothing but a session ticket: only reading tells. */
  native->is_drained = false;
  return qe__backend_poll(connection, NULL) != QE_OK;
}
