/* Statements: prepared once, kept, lent out.
 *
 * The cache holds idle statements only. One that is lent belongs to its borrower, and
 * a second cursor that runs the same text meanwhile gets another, so no result can be
 * reset under its reader. A statement keeps its batch between runs: a query for one
 * row that has run before allocates nothing. */
#include <string.h>

#include "qe_backend.h"
#include "qe_error.h"
#include "qe_mem.h"
#include "qe_wait.h"

/* A batch ends early when its texts and blobs reach this. */
#define HEAVY_BYTES (INT64_C(4) * 1024 * 1024)
/* The same on an event loop, where others wait while rows are made of it. */
#define HEAVY_STEP_BYTES (INT64_C(512) * 1024)

/* Eight bytes at a time, multiplied and folded: SQL texts are long and this runs for
 * every execute. Not meant to stand against chosen collisions; texts are compared. */
static uint64_t hash_text(const char *text, int64_t size) {
  uint64_t hash = (uint64_t)size * UINT64_C(0x9E3779B97F4A7C15);
  uint64_t word = 0;

  for (; size >= 8; text += 8, size -= 8) {
    memcpy(&word, text, 8);
    hash = (hash ^ word) * UINT64_C(0xD6E8FEB86659FD93);
    hash ^= hash >> 32;
  }
  word = 0;
  memcpy(&word, text, (size_t)size);
  hash = (hash ^ word) * UINT64_C(0xD6E8FEB86659FD93);
  return hash ^ hash >> 32;
}

static void link_newest(qe_statement *statement) {
  qe_connection *connection = statement->connection;

  statement->newer = NULL;
  statement->older = connection->newest;
  if (connection->newest) {
    connection->newest->newer = statement;
  } else {
    connection->oldest = statement;
  }
  connection->newest = statement;
}

static void unlink_statement(qe_statement *statement) {
  qe_connection *connection = statement->connection;

  if (statement->newer) {
    statement->newer->older = statement->older;
  } else {
    connection->newest = statement->older;
  }
  if (statement->older) {
    statement->older->newer = statement->newer;
  } else {
    connection->oldest = statement->newer;
  }
}

static qe_statement **bucket_of(qe_connection *connection, uint64_t hash) {
  return &connection->buckets[hash % QE_CACHE_BUCKETS];
}

static void take_from_bucket(qe_statement *statement) {
  qe_statement **link = bucket_of(statement->connection, statement->sql_hash);

  while (*link != statement) link = &(*link)->next_in_bucket;
  *link = statement->next_in_bucket;
  statement->connection->idle_count--;
}

/* Ends what qe__statement_prepare made, however far it came. */
static void destroy(qe_statement *statement) {
  qe__backend_finalize(statement);
  for (int32_t i = 0; statement->columns && i < statement->column_count; i++) {
    qe__free(statement->columns[i].name);
    qe__free(statement->columns[i].declared_type);
  }
  for (int32_t i = 0; statement->parameter_names && i < statement->parameter_count;
       i++) {
    qe__free(statement->parameter_names[i]);
  }
  qe__free(statement->columns);
  qe__free(statement->parameter_names);
  qe__free(statement->sql);
  qe__bytes_clear(&statement->parameters);
  qe__batch_clear(&statement->batch);
  qe__free(statement);
}

static void evict_oldest(qe_connection *connection) {
  qe_statement *statement = connection->oldest;

  while (statement && statement->is_lent) statement = statement->newer;
  if (!statement) return;
  take_from_bucket(statement);
  unlink_statement(statement);
  destroy(statement);
}

/* Whether the cache is full and has the text already. Many statements of one text, as a
 * pipeline makes them, must not push all other texts out. */
static bool is_one_too_many(const qe_statement *statement) {
  qe_connection *connection = statement->connection;
  const qe_statement *idle = *bucket_of(connection, statement->sql_hash);

  return connection->idle_count >= connection->cache_size && idle &&
         idle->sql_hash == statement->sql_hash &&
         idle->sql_size == statement->sql_size &&
         memcmp(idle->sql, statement->sql, (size_t)idle->sql_size) == 0;
}

void qe__statement_shelve(qe_statement *statement) {
  qe_connection *connection = statement->connection;
  qe_statement **bucket = bucket_of(connection, statement->sql_hash);

  if (statement->is_lent && (!statement->is_ready || is_one_too_many(statement))) {
    unlink_statement(statement);
    destroy(statement);
    return;
  }
  if (statement->is_lent) {
    if (statement->is_running) qe__backend_reset(statement);
    statement->is_running = false;
    statement->is_lent = false;
    qe__batch_shrink(&statement->batch);
    statement->next_in_bucket = *bucket;
    *bucket = statement;
    connection->idle_count++;
  }
  if (connection->native == NULL) {
    take_from_bucket(statement);
    unlink_statement(statement);
    destroy(statement);
    return;
  }
  while (connection->idle_count > connection->cache_size) evict_oldest(connection);
}

void qe__statement_finalize_all(qe_connection *connection) {
  for (qe_statement *s = connection->newest; s; s = s->older) {
    qe__backend_finalize(s);
    s->is_running = false;
  }
}

qe_statement *qe__statement_find(qe_connection *connection, const char *sql,
                                 int64_t size) {
  uint64_t hash = hash_text(sql, size);
  qe_statement *statement = *bucket_of(connection, hash);

  while (statement && (statement->sql_hash != hash || statement->sql_size != size ||
                       memcmp(statement->sql, sql, (size_t)size) != 0)) {
    statement = statement->next_in_bucket;
  }
  if (!statement) return NULL;
  take_from_bucket(statement);
  if (!statement->is_ready) { /* what it was prepared for has changed */
    unlink_statement(statement);
    destroy(statement);
    return NULL;
  }
  if (connection->newest != statement) {
    unlink_statement(statement);
    link_newest(statement);
  }
  statement->is_lent = true;
  qe__connection_retain(connection);
  return statement;
}

bool qe__statement_spare(const qe_statement *statement, qe_batch *spare) {
  if (!qe__batch_init(spare, statement->column_count)) return false;
  for (int32_t i = 0; i < statement->column_count; i++) {
    spare->columns[i].type = statement->columns[i].type;
  }
  return true;
}

void qe__statement_return(qe_statement *statement) {
  qe_connection *connection = statement->connection;

  qe__statement_shelve(statement);
  qe_connection_release(connection);
}

qe_status qe__statement_prepare(qe_connection *connection, const char *sql,
                                int64_t size, qe_statement **out, qe_error *error) {
  qe_status status = QE_OK;
  qe_statement *statement = NULL;

  *out = NULL;
  status = qe__check_limit(connection, error);
  if (status != QE_OK) return status;
  statement = qe__zalloc(sizeof *statement);
  if (!statement) return qe__fail_memory(error, "statement");
  statement->connection = connection;
  statement->sql_size = size;
  statement->sql_hash = hash_text(sql, size);
  statement->sql = qe__copy_text(sql, size);
  if (!statement->sql) {
    status = qe__fail_memory(error, "text of a statement");
    goto done;
  }
  statement->is_lent = true;
  link_newest(statement);
  qe__connection_retain(connection);
  *out = statement;
  statement = NULL; /* lent to the caller */
  status = qe__statement_resume(out, error);

done:
  if (statement) destroy(statement);
  return status;
}

qe_status qe__statement_resume(qe_statement **lent, qe_error *error) {
  qe_statement *statement = *lent;
  qe_status status;

  do {
    status = qe__backend_prepare(statement, error);
  } while (qe__waited(statement->connection, &status, error));
  if (qe__is_want(status)) return status;
  if (status == QE_OK && !qe__statement_spare(statement, &statement->batch)) {
    status = qe__fail_memory(error, "columns of a result");
  }
  statement->is_ready = status == QE_OK;
  if (statement->is_ready) return QE_OK;
  *lent = NULL;
  qe__statement_return(statement);
  return status;
}

static qe_status check_count(const qe_statement *statement, int64_t value_count,
                             qe_error *error) {
  if (value_count == statement->parameter_count) return QE_OK;
  return qe__fail(error, QE_ERR_PARAMETER,
                  "The statement takes %d parameters and was given %lld",
                  (int)statement->parameter_count, (long long)value_count);
}

/* Stops a run that is under way. */
static void make_ready(qe_statement *statement) {
  if (statement->is_running) qe__backend_reset(statement);
  statement->is_running = false;
  statement->is_unread = false;
  qe__batch_reset(&statement->batch);
}

/* Whether a transaction has to be opened before the statement. */
static bool is_beginning(const qe_statement *statement) {
  const qe_connection *connection = statement->connection;

  return statement->opens_transaction && !connection->is_autocommit &&
         !qe__backend_in_transaction(connection);
}

qe_status qe__statement_start(qe_statement *statement, const qe_value *values,
                              int64_t value_count, qe_error *error) {
  qe_status status = check_count(statement, value_count, error);

  if (status == QE_OK) status = qe__check_limit(statement->connection, error);
  if (status != QE_OK) return status;
  make_ready(statement);
  if (!statement->native) return QE_OK;
  status = qe__backend_bind(statement, values, is_beginning(statement), error);
  if (status != QE_OK) return status;
  statement->changes = -1;
  statement->is_running = true;
  return QE_OK;
}

qe_status qe__statement_first(qe_statement *statement, int64_t max_rows,
                              qe_error *error) {
  qe_status status;

  if (!statement->is_running) return QE_OK;
  if (statement->is_reading) {
    return qe__statement_fill(statement, &statement->batch, max_rows, error);
  }
  /* Rows given by a statement that writes are few, and a half-run write would hold
   * up the commit. */
  do {
    status =
        qe__backend_fill(statement, &statement->batch, INT64_MAX, INT64_MAX, error);
    if (status == QE_OK && !statement->is_running) return QE_OK;
  } while (status == QE_OK || qe__waited(statement->connection, &status, error));
  return status;
}

qe_status qe__statement_run_many(qe_statement *statement, const qe_value *values,
                                 int64_t value_count, int64_t row_count,
                                 int64_t *rows_done, qe_error *error) {
  qe_status status = check_count(statement, value_count, error);

  if (status != QE_OK) return status;
  make_ready(statement);
  if (!statement->native) return QE_OK;
  do {
    status = qe__backend_run_many(statement, values, row_count, is_beginning(statement),
                                  rows_done, error);
  } while (qe__waited(statement->connection, &status, error));
  return status;
}

qe_status qe__statement_fill(qe_statement *statement, qe_batch *batch, int64_t max_rows,
                             qe_error *error) {
  int64_t most = statement->connection->is_stepped ? HEAVY_STEP_BYTES : HEAVY_BYTES;
  qe_status status;

  if (!statement->is_running) return QE_OK;
  do {
    status = qe__backend_fill(statement, batch, max_rows, most, error);
  } while (qe__waited(statement->connection, &status, error));
  return status;
}

qe_status qe_statement_acquire(qe_connection *connection, const char *sql,
                               int64_t sql_size, qe_statement **out, qe_error *error) {
  qe_status status;

  *out = NULL;
  qe__error_clear(error);
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  *out = qe__statement_find(connection, sql, sql_size);
  if (!*out) status = qe__statement_prepare(connection, sql, sql_size, out, error);
  qe__connection_leave(connection);
  return status;
}

void qe_statement_release(qe_statement *statement) {
  qe_connection *connection;
  qe_statement *head;

  if (!statement) return;
  connection = statement->connection;
  if (atomic_load(&connection->life) == QE_LIFE_FORKED) return;
  if (!atomic_exchange(&connection->is_busy, true)) {
    qe__statement_shelve(statement);
    qe__connection_leave(connection);
  } else {
    head = atomic_load(&connection->orphans);
    do {
      statement->next_orphan = head;
    } while (!atomic_compare_exchange_weak(&connection->orphans, &head, statement));
    /* The thread inside may have left before it could see this one. */
    if (!atomic_exchange(&connection->is_busy, true)) qe__connection_leave(connection);
  }
  qe_connection_release(connection);
}

qe_status qe_statement_start(qe_statement *statement, const qe_value *values,
                             int64_t value_count, qe_error *error) {
  qe_status status;

  qe__error_clear(error);
  status = qe__connection_enter(statement->connection, error);
  if (status != QE_OK) return status;
  status = qe__statement_start(statement, values, value_count, error);
  if (status == QE_OK && !statement->is_reading && !statement->connection->is_stepped) {
    status = qe__statement_first(statement, 0, error);
    statement->is_unread = statement->batch.row_count > 0;
  }
  qe__connection_leave(statement->connection);
  return status;
}

qe_status qe_statement_run_many(qe_statement *statement, const qe_value *values,
                                int64_t value_count, int64_t row_count,
                                int64_t *rows_done, qe_error *error) {
  qe_status status;

  *rows_done = 0;
  qe__error_clear(error);
  status = qe__connection_enter(statement->connection, error);
  if (status != QE_OK) return status;
  status = qe__statement_run_many(statement, values, value_count, row_count, rows_done,
                                  error);
  qe__connection_leave(statement->connection);
  return status;
}

qe_status qe_statement_fetch(qe_statement *statement, int64_t max_rows,
                             int64_t *row_count, qe_error *error) {
  qe_status status;

  *row_count = 0;
  qe__error_clear(error);
  status = qe__connection_enter(statement->connection, error);
  if (status != QE_OK) return status;
  if (!statement->is_unread) {
    qe__batch_reset(&statement->batch);
    status = qe__statement_fill(statement, &statement->batch, max_rows, error);
  }
  statement->is_unread = false;
  *row_count = statement->batch.row_count;
  qe__connection_leave(statement->connection);
  return status;
}

int32_t qe_statement_column_count(const qe_statement *statement) {
  return statement->column_count;
}

qe_status qe_statement_column(const qe_statement *statement, int32_t index,
                              qe_column_info *out, qe_error *error) {
  const qe_column_meta *column;

  *out = (qe_column_info){0};
  qe__error_clear(error);
  if (index < 0 || index >= statement->column_count) {
    return qe__fail(error, QE_ERR_MISUSE, "There is no column %d: the statement has %d",
                    (int)index, (int)statement->column_count);
  }
  column = &statement->columns[index];
  out->name = column->name;
  out->declared_type = column->declared_type;
  out->type = (int32_t)column->type;
  out->precision = column->precision;
  out->scale = column->scale;
  out->width = column->width;
  return QE_OK;
}

int32_t qe_statement_parameter_count(const qe_statement *statement) {
  return statement->parameter_count;
}

const char *qe_statement_parameter_name(const qe_statement *statement, int32_t index) {
  if (index < 0 || index >= statement->parameter_count) return NULL;
  return statement->parameter_names[index];
}

int64_t qe_statement_changes(const qe_statement *statement) {
  return statement->changes;
}

int64_t qe_statement_last_row_id(const qe_statement *statement) {
  return statement->last_row_id;
}
