/* SQLite's result codes as errors of ours. The SQLSTATE is the one PostgreSQL gives
 * for the like failure, so that one handler serves both backends. */
#include <string.h>

#include "qe_error.h"
#include "qe_sqlite.h"
#include "qe_wait.h"

typedef struct sqlstate_row {
  int code; /* extended where it is listed, else primary */
  char sqlstate[6];
} sqlstate_row;

static const sqlstate_row SQLSTATES[] = {
    {SQLITE_CONSTRAINT_UNIQUE, "23505"},
    {SQLITE_CONSTRAINT_PRIMARYKEY, "23505"},
    {SQLITE_CONSTRAINT_ROWID, "23505"},
    {SQLITE_CONSTRAINT_NOTNULL, "23502"},
    {SQLITE_CONSTRAINT_FOREIGNKEY, "23503"},
    {SQLITE_CONSTRAINT_CHECK, "23514"},
    {SQLITE_CONSTRAINT_DATATYPE, "22018"},
    {SQLITE_CONSTRAINT, "23000"},
    {SQLITE_INTERRUPT, "57014"},
    {SQLITE_BUSY_SNAPSHOT, "40001"},
    {SQLITE_BUSY, "55P03"},
    {SQLITE_LOCKED, "55P03"},
    {SQLITE_NOMEM, "53200"},
    {SQLITE_FULL, "53100"},
    {SQLITE_READONLY, "25006"},
    {SQLITE_IOERR, "58030"},
    {SQLITE_CORRUPT, "XX001"},
    {SQLITE_NOTADB, "XX001"},
    {SQLITE_CANTOPEN, "58P01"},
    {SQLITE_PERM, "42501"},
    {SQLITE_AUTH, "42501"},
    {SQLITE_TOOBIG, "54000"},
    {SQLITE_MISMATCH, "22018"},
    {SQLITE_RANGE, "22003"},
    {SQLITE_ABORT_ROLLBACK, "40000"},
    {SQLITE_ERROR, "42000"},
    {SQLITE_INTERNAL, "XX000"},
};

static const char *sqlstate_of(int code) {
  size_t count = sizeof SQLSTATES / sizeof SQLSTATES[0];

  for (size_t i = 0; i < count; i++) {
    if (SQLSTATES[i].code == code) return SQLSTATES[i].sqlstate;
  }
  return code > 0xFF ? sqlstate_of(code & 0xFF) : "";
}

static qe_status status_of(int code) {
  switch (code & 0xFF) {
    case SQLITE_NOMEM: return QE_ERR_NOMEM;
    case SQLITE_INTERRUPT: return QE_ERR_INTERRUPTED;
    case SQLITE_MISUSE: return QE_ERR_MISUSE;
    default: return QE_ERR_DATABASE;
  }
}

/* Nothing but an interruption and the limit ends a statement so. */
static qe_status fail_late(const qe_connection *connection, qe_error *error) {
  int64_t limit_ms = atomic_load_explicit(&connection->limit_ms, memory_order_relaxed);
  qe_status status = qe__fail(error, QE_ERR_TIMEOUT,
                              "The statement was stopped at its limit of %lld ms",
                              (long long)limit_ms);

  if (!error) return status;
  error->native_code = SQLITE_INTERRUPT;
  memcpy(error->sqlstate, "HYT00", sizeof error->sqlstate);
  return status;
}

qe_status qe__sqlite_fail(const qe_connection *connection, int code, qe_error *error) {
  sqlite3 *db = qe__sqlite_of(connection)->db;
  bool is_current = sqlite3_extended_errcode(db) == code;
  const char *message = is_current ? sqlite3_errmsg(db) : sqlite3_errstr(code);
  qe_status status;

  if (code == SQLITE_INTERRUPT && !qe__is_interrupted(connection)) {
    return fail_late(connection, error);
  }
  status = qe__fail(error, status_of(code), "%s", message);
  if (!error) return status;
  error->native_code = code;
  error->position = is_current ? sqlite3_error_offset(db) : -1;
  memcpy(error->sqlstate, sqlstate_of(code), strlen(sqlstate_of(code)) + 1);
  return status;
}
