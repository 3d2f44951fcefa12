/* Inside the SQLite backend: shared by its files, seen by nothing else. */
#ifndef QE_SQLITE_H
#define QE_SQLITE_H

#include "qe_backend.h"
#include "sqlite3.h"

typedef struct qe_sqlite {
  sqlite3 *db;
  sqlite3_stmt *begin, *commit, *rollback; /* prepared when first needed */
  const char *begin_sql;                   /* static */
  bool is_typed_as_stored;                 /* declared types are not looked at */
  int64_t busy_timeout_ms;
  int64_t busy_since_ms; /* when the present wait for a lock began */
  int64_t pulse_last_ms; /* when the pulse was last asked */
} qe_sqlite;

static inline qe_sqlite *qe__sqlite_of(const qe_connection *connection) {
  return connection->native;
}

/* Tells why SQLite answered code. */
qe_status qe__sqlite_fail(const qe_connection *connection, int code, qe_error *error);

/* What a column declared so is meant to hold; precision and scale of a decimal. */
qe_type qe__sqlite_type(const char *declared_type, int32_t *precision, int32_t *scale);

#endif
