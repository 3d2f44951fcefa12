/* SQLite: opening, transactions, waiting for locks, being stopped.
 *
 * Settings of qe_connection_open, all optional but the first:
 *   file              path, or ":memory:"
 *   mode              "rw" (default: the file must exist), "rwc" (made when missing),
 *                     "ro"
 *   busy_timeout_ms   how long to wait for another connection's lock, default 5000
 *   limit_ms          how long opening waits for that lock at most, if that is less
 *   foreign_keys      "on" (default) or "off"
 *   autocommit        "off" (default) or "on"
 *   transaction       "deferred" (default), "immediate" or "exclusive"
 *   types             "declared" (default) or "stored"
 *   statement_cache   idle statements kept, 0 to 10000, default 128
 *
 * SQLite is built with SQLITE_THREADSAFE=2: it takes no lock of its own for a
 * connection, because the busy mark already lets one thread in at a time. */
#include "qe_sqlite.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_wait.h"

/* Steps of SQLite's virtual machine between two looks at the clock, a fraction of a
 * millisecond; and the time between two pulses, each of which takes the interpreter
 * lock. */
enum { PROGRESS_STEPS = 10000, PULSE_INTERVAL_MS = 25 };
/* The longest nap while another connection holds a lock; bounds how late a pulse or
 * an interrupt is seen. */
enum { NAP_MAX_MS = 20 };

const char *qe_backend_name(void) {
  return "sqlite";
}
const char *qe_backend_version(void) {
  return sqlite3_libversion();
}
const char *qe_backend_tls_library(void) {
  return "";
}
const char *qe_backend_tls_version(void) {
  return "";
}
const char *qe_backend_tls_file(void) {
  return "";
}
qe_status qe_backend_bind_tls(qe_error *error) {
  qe__error_clear(error);
  return QE_OK;
}

static void nap(int64_t milliseconds) {
  struct timespec left = {.tv_sec = 0, .tv_nsec = (long)milliseconds * 1000000};
  (void)nanosleep(&left, NULL);
}

/* Whether what is being done should stop, asking the pulse when its time has come. */
static bool should_stop(qe_connection *connection) {
  qe_sqlite *native = qe__sqlite_of(connection);
  int64_t now;

  if (connection->is_stopping) return false;
  if (qe__is_interrupted(connection) || qe__is_past_limit(connection)) return true;
  if (!connection->pulse) return false;
  now = qe__now_ms();
  if (now - native->pulse_last_ms < PULSE_INTERVAL_MS) return false;
  native->pulse_last_ms = now;
  if (connection->pulse(connection->pulse_context)) return false;
  atomic_store(&connection->is_interrupted, true);
  return true;
}

/* SQLite calls it every PROGRESS_STEPS; not 0 makes the statement fail with
 * SQLITE_INTERRUPT. */
static int on_progress(void *context) {
  return should_stop(context);
}

/* SQLite calls it when a lock is held by somebody else; 0 gives up. The naps grow as
 * in sqlite3_busy_timeout(), but stay short enough to be stopped. */
static int on_busy(void *context, int count) {
  qe_connection *connection = context;
  qe_sqlite *native = qe__sqlite_of(connection);
  int64_t limit = qe__limit_end(connection);
  int64_t now = qe__now_ms();
  int64_t left;
  int64_t rest = count < 5 ? 1 << count : NAP_MAX_MS;

  if (count == 0) native->busy_since_ms = now;
  left = native->busy_timeout_ms - (now - native->busy_since_ms);
  if (limit != 0 && limit - now < left) left = limit - now;
  if (left <= 0 || should_stop(connection)) return 0;
  nap(rest < left ? rest : left);
  return 1;
}

static const char *find_setting(const char *const *keywords, const char *const *values,
                                const char *name, const char *otherwise) {
  for (; *keywords; keywords++, values++) {
    if (strcmp(*keywords, name) == 0) return *values;
  }
  return otherwise;
}

static qe_status check_keywords(const char *const *keywords, qe_error *error) {
  static const char *const KNOWN[] = {"file",        "mode",         "busy_timeout_ms",
                                      "limit_ms",    "foreign_keys", "autocommit",
                                      "transaction", "types",        "statement_cache"};
  for (; *keywords; keywords++) {
    bool is_known = false;
    for (size_t i = 0; i < sizeof KNOWN / sizeof KNOWN[0]; i++) {
      is_known = is_known || strcmp(*keywords, KNOWN[i]) == 0;
    }
    if (!is_known) {
      return qe__fail(error, QE_ERR_SETTING, "There is no setting `%s`", *keywords);
    }
  }
  return QE_OK;
}

/* Which of the words, separated by single spaces, the value is; -1 if none. */
static int32_t word_index(const char *words, const char *value) {
  size_t size = strlen(value);

  for (int32_t index = 0;; index++) {
    size_t word_size = strcspn(words, " ");
    if (word_size == size && memcmp(words, value, size) == 0) return index;
    if (words[word_size] == '\0') return -1;
    words += word_size + 1;
  }
}

static qe_status read_word(const char *const *keywords, const char *const *values,
                           const char *name, const char *words, int32_t *index,
                           qe_error *error) {
  const char *value = find_setting(keywords, values, name, NULL);

  *index = value ? word_index(words, value) : 0;
  if (*index >= 0) return QE_OK;
  return qe__fail(error, QE_ERR_SETTING, "The setting `%s` cannot be `%s`: one of %s",
                  name, value, words);
}

static qe_status read_number(const char *const *keywords, const char *const *values,
                             const char *name, int64_t otherwise, int64_t most,
                             int64_t *number, qe_error *error) {
  const char *value = find_setting(keywords, values, name, NULL);
  char *end = NULL;
  long long read;

  *number = otherwise;
  if (!value) return QE_OK;
  errno = 0;
  read = strtoll(value, &end, 10);
  if (end == value || *end || errno || read < 0 || read > most) {
    return qe__fail(error, QE_ERR_SETTING,
                    "The setting `%s` cannot be `%s`: a whole number from 0 to %lld",
                    name, value, (long long)most);
  }
  *number = read;
  return QE_OK;
}

typedef struct settings {
  const char *file;
  int32_t mode, foreign_keys, autocommit, transaction, types;
  int64_t busy_timeout_ms, limit_ms, statement_cache;
} settings;

static qe_status read_settings(const char *const *keywords, const char *const *values,
                               settings *out, qe_error *error) {
  qe_status status = check_keywords(keywords, error);

  out->file = find_setting(keywords, values, "file", NULL);
  if (status == QE_OK && !out->file) {
    status = qe__fail(error, QE_ERR_SETTING, "The setting `file` is missing");
  }
  if (status == QE_OK) {
    status = read_word(keywords, values, "mode", "rw rwc ro", &out->mode, error);
  }
  if (status == QE_OK) {
    status = read_word(keywords, values, "foreign_keys", "on off", &out->foreign_keys,
                       error);
  }
  if (status == QE_OK) {
    status =
        read_word(keywords, values, "autocommit", "off on", &out->autocommit, error);
  }
  if (status == QE_OK) {
    status = read_word(keywords, values, "transaction", "deferred immediate exclusive",
                       &out->transaction, error);
  }
  if (status == QE_OK) {
    status =
        read_word(keywords, values, "types", "declared stored", &out->types, error);
  }
  if (status == QE_OK) {
    status = read_number(keywords, values, "busy_timeout_ms", 5000, INT32_MAX,
                         &out->busy_timeout_ms, error);
  }
  if (status == QE_OK) {
    status =
        read_number(keywords, values, "limit_ms", 0, INT32_MAX, &out->limit_ms, error);
  }
  if (status == QE_OK) {
    status = read_number(keywords, values, "statement_cache", QE_CACHE_BUCKETS, 10000,
                         &out->statement_cache, error);
  }
  return status;
}

/* Opens the file and reads its header, so that a file that is no database, or one that
 * may not be read, fails here and not at the first query. */
static qe_status open_file(qe_connection *connection, const settings *wanted,
                           qe_error *error) {
  static const int MODES[] = {SQLITE_OPEN_READWRITE,
                              SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE,
                              SQLITE_OPEN_READONLY};
  qe_sqlite *native = qe__sqlite_of(connection);
  bool is_memory = strcmp(wanted->file, ":memory:") == 0;
  int flags =
      MODES[is_memory ? 1 : wanted->mode] | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  int code = sqlite3_open_v2(wanted->file, &native->db, flags, NULL);

  if (code != SQLITE_OK) return qe__sqlite_fail(connection, code, error);
  sqlite3_progress_handler(native->db, PROGRESS_STEPS, on_progress, connection);
  sqlite3_busy_handler(native->db, on_busy, connection);
  code = sqlite3_db_config(native->db, SQLITE_DBCONFIG_ENABLE_FKEY,
                           wanted->foreign_keys == 0, NULL);
  if (code == SQLITE_OK) {
    code = sqlite3_exec(native->db, "PRAGMA schema_version", NULL, NULL, NULL);
  }
  return code == SQLITE_OK ? QE_OK : qe__sqlite_fail(connection, code, error);
}

qe_status qe__backend_open(qe_connection *connection, const char *const *keywords,
                           const char *const *values, qe_error *error) {
  static const char *const BEGINS[] = {"BEGIN DEFERRED", "BEGIN IMMEDIATE",
                                       "BEGIN EXCLUSIVE"};
  settings wanted = {0};
  qe_sqlite *native;
  qe_status status = read_settings(keywords, values, &wanted, error);

  if (status != QE_OK) return status;
  native = qe__zalloc(sizeof *native);
  if (!native) return qe__fail_memory(error, "SQLite connection");
  native->begin_sql = BEGINS[wanted.transaction];
  native->busy_timeout_ms = wanted.busy_timeout_ms;
  native->is_typed_as_stored = wanted.types == 1;
  connection->native = native;
  connection->is_autocommit = wanted.autocommit == 1;
  connection->cache_size = (int32_t)wanted.statement_cache;
  qe__limit(connection, wanted.limit_ms);
  status = open_file(connection, &wanted, error);
  qe__limit(connection, 0);
  if (status != QE_OK) {
    qe__backend_close(connection);
    connection->native = NULL;
  }
  return status;
}

/* SQLite is a library, not a server: nothing below is ever waited for. */

qe_status qe__backend_resume_open(qe_connection *connection, qe_error *error) {
  (void)connection;
  qe__error_clear(error);
  return QE_OK;
}

int64_t qe__backend_socket(const qe_connection *connection) {
  (void)connection;
  return -1;
}

void qe__backend_abort(qe_connection *connection, qe_status reason) {
  (void)connection;
  (void)reason;
}

qe_status qe__backend_set(qe_connection *connection, const char *keyword,
                          const char *value, qe_error *error) {
  (void)connection;
  (void)value;
  return qe__fail(error, QE_ERR_SETTING, "There is no setting `%s` to change", keyword);
}

const char *qe__backend_about(qe_connection *connection, const char *what) {
  (void)connection;
  return strcmp(what, "server_version") == 0 ? sqlite3_libversion() : NULL;
}

void qe__backend_next_message(qe_connection *connection, const char **data,
                              int64_t *size) {
  (void)connection;
  *data = NULL;
  *size = 0;
}

qe_status qe__backend_poll(qe_connection *connection, qe_error *error) {
  (void)connection;
  qe__error_clear(error);
  return QE_OK;
}

bool qe__backend_is_gone(qe_connection *connection) {
  (void)connection; /* there is no other end */
  return false;
}

qe_status qe__backend_cancel(qe_connection *connection, int64_t *socket,
                             qe_error *error) {
  (void)connection; /* who calls this is inside, so nothing runs */
  *socket = -1;
  qe__error_clear(error);
  return QE_OK;
}

void qe__backend_close(qe_connection *connection) {
  qe_sqlite *native = qe__sqlite_of(connection);

  sqlite3_finalize(native->begin);
  sqlite3_finalize(native->commit);
  sqlite3_finalize(native->rollback);
  (void)sqlite3_close(native->db);
  qe__free(native);
}

void qe__backend_interrupt(qe_connection *connection) {
  /* What runs sees the connection's own flag within PROGRESS_STEPS. SQLite's stays up
   * for as long as any statement is half read: an interruption that came when nothing
   * ran would fail whatever is run next. */
  (void)connection;
}

bool qe__backend_in_transaction(const qe_connection *connection) {
  return !sqlite3_get_autocommit(qe__sqlite_of(connection)->db);
}

/* Runs a statement without parameters or rows, preparing it at its first use. */
static qe_status run_kept(qe_connection *connection, sqlite3_stmt **kept,
                          const char *sql, qe_error *error) {
  qe_sqlite *native = qe__sqlite_of(connection);
  qe_status status = QE_OK;
  int code = SQLITE_OK;

  if (!*kept) {
    code =
        sqlite3_prepare_v3(native->db, sql, -1, SQLITE_PREPARE_PERSISTENT, kept, NULL);
  }
  if (code == SQLITE_OK) code = sqlite3_step(*kept);
  if (code != SQLITE_DONE) status = qe__sqlite_fail(connection, code, error);
  sqlite3_reset(*kept);
  return status;
}

qe_status qe__backend_begin(qe_connection *connection, qe_error *error) {
  qe_sqlite *native = qe__sqlite_of(connection);
  qe_status status = qe__check_limit(connection, error);

  if (status != QE_OK) return status;
  return run_kept(connection, &native->begin, native->begin_sql, error);
}

qe_status qe__backend_commit(qe_connection *connection, qe_error *error) {
  qe_sqlite *native = qe__sqlite_of(connection);
  qe_status status = qe__check_limit(connection, error);

  if (status != QE_OK || !qe__backend_in_transaction(connection)) return status;
  return run_kept(connection, &native->commit, "COMMIT", error);
}

qe_status qe__backend_rollback(qe_connection *connection, qe_error *error) {
  qe_sqlite *native = qe__sqlite_of(connection);
  qe_status status;

  if (!qe__backend_in_transaction(connection)) return QE_OK;
  connection->is_stopping = true; /* and nothing stops that, nor is it late */
  status = run_kept(connection, &native->rollback, "ROLLBACK", error);
  connection->is_stopping = false;
  return status;
}

qe_status qe__backend_script(qe_connection *connection, const char *sql, int64_t size,
                             qe_error *error) {
  sqlite3 *db = qe__sqlite_of(connection)->db;
  const char *at = sql;
  const char *end = sql + size;
  qe_status status = qe__check_limit(connection, error);

  while (status == QE_OK && at < end) {
    const char *tail = NULL;
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, at, (int)(end - at), &statement, &tail);

    if (code == SQLITE_OK && statement) {
      do {
        code = sqlite3_step(statement);
      } while (code == SQLITE_ROW);
    }
    if (code != SQLITE_OK && code != SQLITE_DONE) {
      status = qe__sqlite_fail(connection, code, error);
      if (error && error->position >= 0) error->position += at - sql;
    }
    sqlite3_finalize(statement);
    at = tail;
  }
  return status;
}
