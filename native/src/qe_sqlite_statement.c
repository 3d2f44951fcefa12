/* SQLite: preparing, binding, stepping, and reading rows into columns. */
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_sqlite.h"
#include "qe_wait.h"

/* Skips blanks and comments. */
static const char *skip_blank(const char *at, const char *end) {
  while (at < end) {
    if (*at == ' ' || (*at >= '\t' && *at <= '\r') || *at == ';') {
      at++;
    } else if (end - at >= 2 && at[0] == '-' && at[1] == '-') {
      while (at < end && *at != '\n') at++;
    } else if (end - at >= 2 && at[0] == '/' && at[1] == '*') {
      at += 2;
      while (at < end && !(at[0] == '*' && end - at >= 2 && at[1] == '/')) at++;
      at = end - at >= 2 ? at + 2 : end;
    } else {
      break;
    }
  }
  return at;
}

static bool is_keyword(const char *at, const char *end, const char *word) {
  for (; *word; at++, word++) {
    if (at == end || (*at & ~0x20) != *word) return false;
  }
  return true;
}

static bool is_any_keyword(const char *at, const char *end, const char *const *words) {
  for (; *words; words++) {
    if (is_keyword(at, end, *words)) return true;
  }
  return false;
}

/* What SQLite itself cannot be asked: whether a transaction should be opened first, and
 * whether sqlite3_changes() will speak of this statement. */
static void classify(qe_statement *statement, sqlite3_stmt *native) {
  static const char *const CHANGING[] = {"INSERT",  "UPDATE", "DELETE",
                                         "REPLACE", "WITH",   NULL};
  static const char *const DEFINING[] = {"CREATE",  "DROP",    "ALTER",
                                         "REINDEX", "ANALYZE", NULL};
  const char *end = statement->sql + statement->sql_size;
  const char *at = skip_blank(statement->sql, end);
  bool is_writing = !sqlite3_stmt_readonly(native) && !sqlite3_stmt_isexplain(native);

  statement->is_reading = !is_writing && statement->column_count > 0;
  statement->counts_changes = is_writing && is_any_keyword(at, end, CHANGING);
  statement->opens_transaction =
      statement->counts_changes || (is_writing && is_any_keyword(at, end, DEFINING));
}

static qe_status no_memory(qe_error *error) {
  return qe__fail_memory(error, "description of a statement");
}

static qe_status describe_columns(qe_statement *statement, sqlite3_stmt *native,
                                  qe_error *error) {
  bool is_as_stored = qe__sqlite_of(statement->connection)->is_typed_as_stored;

  statement->column_count = sqlite3_column_count(native);
  if (statement->column_count == 0) return QE_OK;
  statement->columns =
      qe__zalloc((int64_t)sizeof *statement->columns * statement->column_count);
  if (!statement->columns) return no_memory(error);
  for (int32_t i = 0; i < statement->column_count; i++) {
    qe_column_meta *column = &statement->columns[i];
    const char *name = sqlite3_column_name(native, i);
    const char *declared = sqlite3_column_decltype(native, i);

    if (!name) return no_memory(error);
    column->name = qe__copy_text(name, (int64_t)strlen(name));
    if (!column->name) return no_memory(error);
    column->type = qe__sqlite_type(declared, &column->precision, &column->scale);
    if (is_as_stored && column->type > QE_TYPE_BLOB) column->type = QE_TYPE_ANY;
    if (!declared) continue;
    column->declared_type = qe__copy_text(declared, (int64_t)strlen(declared));
    if (!column->declared_type) return no_memory(error);
  }
  return QE_OK;
}

static qe_status describe_parameters(qe_statement *statement, sqlite3_stmt *native,
                                     qe_error *error) {
  statement->parameter_count = sqlite3_bind_parameter_count(native);
  if (statement->parameter_count == 0) return QE_OK;
  statement->parameter_names =
      qe__zalloc((int64_t)sizeof(char *) * statement->parameter_count);
  if (!statement->parameter_names) return no_memory(error);
  for (int32_t i = 0; i < statement->parameter_count; i++) {
    const char *name = sqlite3_bind_parameter_name(native, i + 1);
    if (!name || name[0] == '?') continue;
    statement->parameter_names[i] = qe__copy_text(name + 1, (int64_t)strlen(name + 1));
    if (!statement->parameter_names[i]) return no_memory(error);
  }
  return QE_OK;
}

bool qe__backend_keeps_statements(const qe_connection *connection) {
  return connection->cache_size > 0;
}

qe_status qe__backend_prepare(qe_statement *statement, qe_error *error) {
  sqlite3 *db = qe__sqlite_of(statement->connection)->db;
  const char *end = statement->sql + statement->sql_size;
  const char *tail = NULL;
  sqlite3_stmt *native = NULL;
  qe_status status;
  int code;

  if (statement->sql_size > INT32_MAX) {
    return qe__fail(error, QE_ERR_RANGE, "A statement of %lld bytes is too long",
                    (long long)statement->sql_size);
  }
  if (memchr(statement->sql, '\0', (size_t)statement->sql_size)) {
    return qe__fail(error, QE_ERR_ENCODING, "The statement holds a zero byte");
  }
  /* Terminated by qe__copy_text; with the terminator counted SQLite need not copy. */
  code = sqlite3_prepare_v3(db, statement->sql, (int)statement->sql_size + 1,
                            SQLITE_PREPARE_PERSISTENT, &native, &tail);
  if (code != SQLITE_OK) return qe__sqlite_fail(statement->connection, code, error);
  statement->native = native;
  if (!native) return QE_OK;
  if (skip_blank(tail, end) < end) {
    status = qe__fail(error, QE_ERR_SEVERAL_STATEMENTS,
                      "The text holds more than one statement");
    if (error) error->position = skip_blank(tail, end) - statement->sql;
    return status;
  }
  status = describe_columns(statement, native, error);
  if (status == QE_OK) status = describe_parameters(statement, native, error);
  if (status == QE_OK) classify(statement, native);
  return status;
}

void qe__backend_finalize(qe_statement *statement) {
  sqlite3_finalize(statement->native);
  statement->native = NULL;
}

void qe__backend_reset(qe_statement *statement) {
  sqlite3_reset(statement->native);
}

/* Binds a value whose text or blob, at data, outlives the run. */
static int bind_value(sqlite3_stmt *native, int index, const qe_value *value,
                      const void *data) {
  switch (value->kind) {
    case QE_VALUE_INT64:
    case QE_VALUE_BOOLEAN: return sqlite3_bind_int64(native, index, value->int64);
    case QE_VALUE_FLOAT64: return sqlite3_bind_double(native, index, value->float64);
    case QE_VALUE_TEXT:
      return sqlite3_bind_text64(native, index, data, (sqlite3_uint64)value->size,
                                 SQLITE_STATIC, SQLITE_UTF8);
    case QE_VALUE_BLOB:
      /* An empty blob still needs a pointer, or SQLite takes it for NULL. */
      return sqlite3_bind_blob64(native, index, value->size > 0 ? data : "",
                                 (sqlite3_uint64)value->size, SQLITE_STATIC);
    default: return sqlite3_bind_null(native, index);
  }
}

static bool has_bytes(const qe_value *value) {
  return value->kind == QE_VALUE_TEXT || value->kind == QE_VALUE_BLOB;
}

static qe_status begin_first(qe_statement *statement, bool is_beginning,
                             qe_error *error) {
  return is_beginning ? qe__backend_begin(statement->connection, error) : QE_OK;
}

qe_status qe__backend_bind(qe_statement *statement, const qe_value *values,
                           bool is_beginning, qe_error *error) {
  sqlite3_stmt *native = statement->native;
  qe_bytes *copies = &statement->parameters;
  int64_t total = 0;
  qe_status status = begin_first(statement, is_beginning, error);

  if (status != QE_OK) return status;

  for (int32_t i = 0; i < statement->parameter_count; i++) {
    if (has_bytes(&values[i])) total += values[i].size;
  }
  copies->size = 0;
  if (total > 0 && !qe__bytes_reserve(copies, total)) {
    return qe__fail_memory(error, "copies of the parameters");
  }
  for (int32_t i = 0; i < statement->parameter_count; i++) {
    const qe_value *value = &values[i];
    const uint8_t *data = copies->data ? copies->data + copies->size : NULL;
    int code;

    if (has_bytes(value) && value->size > 0) {
      memcpy(copies->data + copies->size, value->data, (size_t)value->size);
      copies->size += value->size;
    }
    code = bind_value(native, i + 1, value, data ? (const void *)data : "");
    if (code != SQLITE_OK) {
      return qe__sqlite_fail(statement->connection, code, error);
    }
  }
  return QE_OK;
}

/* The values of a row lie side by side in SQLite, so the address of the first and the
 * distance to the second give the rest, which saves a call a value: an eighth of the
 * time of a scan. Nothing documents that, so it is checked at a statement's first row;
 * where it should not hold the distance is -1 and each value is asked for. */
static int32_t value_distance(sqlite3_stmt *native, int32_t count) {
  const char *first = (const char *)sqlite3_column_value(native, 0);
  ptrdiff_t distance =
      count > 1 ? (const char *)sqlite3_column_value(native, 1) - first : 1;

  for (int32_t i = 2; i < count; i++) {
    if ((const char *)sqlite3_column_value(native, i) - first != distance * i)
      return -1;
  }
  return distance > 0 && distance < INT32_MAX ? (int32_t)distance : -1;
}

/* Reads the row SQLite stands on; bytes counts the size of its texts and blobs. */
static qe_status read_row(sqlite3_stmt *native, qe_batch *batch, int32_t distance,
                          int64_t *bytes, qe_error *error) {
  int64_t row = batch->row_count;
  qe_status status = QE_OK;
  char *first = (char *)sqlite3_column_value(native, 0);

  for (int32_t i = 0; i < batch->column_count && status == QE_OK; i++) {
    sqlite3_value *value =
        distance > 0 ? (sqlite3_value *)(void *)(first + (ptrdiff_t)distance * i)
                     : sqlite3_column_value(native, i);
    qe_column *column = &batch->columns[i];
    const void *data;
    int64_t size;

    switch (sqlite3_value_type(value)) {
      case SQLITE_INTEGER:
        status = qe__column_put_int64(column, row, sqlite3_value_int64(value), error);
        break;
      case SQLITE_FLOAT:
        status =
            qe__column_put_float64(column, row, sqlite3_value_double(value), error);
        break;
      case SQLITE_TEXT:
        data = sqlite3_value_text(value);
        size = sqlite3_value_bytes(value);
        *bytes += size;
        if (!data) return qe__fail_memory(error, "text of a result");
        status = qe__column_put_bytes(column, row, QE_KIND_TEXT, data, size, error);
        break;
      case SQLITE_BLOB:
        data = sqlite3_value_blob(value);
        size = sqlite3_value_bytes(value);
        *bytes += size;
        if (!data && size > 0) return qe__fail_memory(error, "blob of a result");
        status = qe__column_put_bytes(column, row, QE_KIND_BLOB, data, size, error);
        break;
      default: status = qe__column_add_null(column, row, error);
    }
  }
  if (status == QE_OK) batch->row_count++;
  return status;
}

/* Why a step failed. A wait for a lock that was stopped ends as SQLITE_BUSY, and a stop
 * between two steps as nothing at all: both are interruptions. */
static qe_status step_failed(const qe_statement *statement, int code, qe_error *error) {
  if (qe__is_interrupted(statement->connection)) code = SQLITE_INTERRUPT;
  return qe__sqlite_fail(statement->connection, code, error);
}

/* Notes what a finished statement did. */
static void note_changes(qe_statement *statement, int64_t changes) {
  sqlite3 *db = qe__sqlite_of(statement->connection)->db;

  if (!statement->counts_changes) return;
  statement->changes = changes;
  statement->last_row_id = sqlite3_last_insert_rowid(db);
}

qe_status qe__backend_fill(qe_statement *statement, qe_batch *batch, int64_t max_rows,
                           int64_t max_bytes, qe_error *error) {
  sqlite3 *db = qe__sqlite_of(statement->connection)->db;
  sqlite3_stmt *native = statement->native;
  qe_status status = QE_OK;
  int64_t bytes = 0;
  int code = SQLITE_ROW;

  while (status == QE_OK && batch->row_count < max_rows && bytes < max_bytes) {
    code = sqlite3_step(native);
    if (code != SQLITE_ROW) break;
    if (batch->row_count == batch->capacity) {
      status = qe__batch_grow(batch, max_rows, error);
    }
    if (statement->value_distance == 0) {
      statement->value_distance = value_distance(native, batch->column_count);
    }
    if (status == QE_OK) {
      status = read_row(native, batch, statement->value_distance, &bytes, error);
    }
    if (qe__is_interrupted(statement->connection))
      status = step_failed(statement, code, error);
  }
  if (status == QE_OK && code == SQLITE_ROW) return QE_OK;
  if (status == QE_OK && code != SQLITE_DONE) {
    status = step_failed(statement, code, error);
  }
  if (status == QE_OK) note_changes(statement, sqlite3_changes64(db));
  /* Ends the read at once, so that no lock outlives the rows. */
  sqlite3_reset(native);
  statement->is_running = false;
  return status;
}

/* Binds one row straight from the caller's memory and runs it to its end. */
static int run_once(sqlite3_stmt *native, const qe_value *values, int32_t count) {
  int code = SQLITE_OK;

  for (int32_t i = 0; i < count && code == SQLITE_OK; i++) {
    code = bind_value(native, i + 1, &values[i], values[i].data);
  }
  if (code != SQLITE_OK) return code;
  do {
    code = sqlite3_step(native);
  } while (code == SQLITE_ROW);
  return code == SQLITE_DONE ? sqlite3_reset(native) : code;
}

qe_status qe__backend_run_many(qe_statement *statement, const qe_value *values,
                               int64_t row_count, bool is_beginning, int64_t *rows_done,
                               qe_error *error) {
  sqlite3 *db = qe__sqlite_of(statement->connection)->db;
  sqlite3_stmt *native = statement->native;
  qe_status status = begin_first(statement, is_beginning, error);
  int64_t changes = 0;

  for (; *rows_done < row_count && status == QE_OK; (*rows_done)++) {
    int code = run_once(native, values, statement->parameter_count);

    if (code != SQLITE_OK || qe__is_interrupted(statement->connection)) {
      status = step_failed(statement, code, error);
      break;
    }
    changes += sqlite3_changes64(db);
    values += statement->parameter_count;
  }
  sqlite3_reset(native);
  sqlite3_clear_bindings(native);
  note_changes(statement, changes);
  return status;
}
