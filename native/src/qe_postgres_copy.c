/* PostgreSQL: COPY.
 *
 *   begin   [BEGIN] Parse and Describe of the shape, Parse Bind Execute of COPY, Flush
 *   in      CopyData ... CopyDone Sync
 *   out     Sync, then CopyData ... from the server
 *
 * Once the server is in copy mode it passes over every Sync until the data has ended,
 * but one that came before may also end a COPY that failed early; so there is exactly
 * one, sent when it is known how things stand. The shape is described again in the same
 * group, where it holds a lock: what is copied in binary must be of the types that the
 * server has now, or other values would come about without a word.
 *
 * What goes out is written while answers are read, so that a refusal is seen between
 * two pieces, and neither side waits for the other for ever. */
#include <string.h>

#include "qe_copy.h"
#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres.h"
#include "qe_postgres_copy_value.h"
#include "qe_postgres_wire.h"

/* What one CopyData holds, about; what is written at once; and what may wait. */
enum { PIECE_BYTES = 65536, WAITING_BYTES = 524288 };
/* What stands before the rows of a binary COPY: a signature, flags, no extension. */
static const uint8_t BINARY_HEAD[] = {
    'P', 'G', 'C', 'O', 'P', 'Y', '\n', 0xFF, '\r', '\n', '\0', 0, 0, 0, 0, 0, 0, 0, 0};
enum { SIGNATURE_SIZE = 11 };
static const uint8_t BINARY_END[] = {0xFF, 0xFF};

typedef struct pg_copy {
  qe_pg_exchange *exchange; /* held; NULL once all is over */
  enum { COPY_STARTING, COPY_IN, COPY_OUT } stage;
  qe_pg_text text;
  qe_pg_prepared *shape;  /* the statement's; NULL where there is none */
  bool has_synced;        /* Sync was sent */
  bool has_raw, has_rows; /* what went in */
  bool is_past_head;      /* of binary rows that come out */
  int32_t column_count;   /* as the server says */
  uint32_t *types;        /* owned */
  qe_bytes scratch;
  qe_error failure; /* ours, beside what the server says */
} pg_copy;

static pg_copy *native_of(const qe_copy *copy) {
  return copy->native;
}

static qe_status no_memory(qe_error *error) {
  return qe__fail_memory(error, "COPY");
}

/* Ending. */

/* Takes the copy off the connection; both may go on without each other. */
static void detach(qe_copy *copy) {
  pg_copy *own = native_of(copy);
  qe_postgres *native = qe__pg_of(copy->connection);

  if (!own || !own->exchange) return;
  qe__pg_let_go(native, own->exchange);
  own->exchange = NULL;
  copy->is_over = true;
  native->copy = NULL;
  /* Without memory what was deferred stays on the server until the connection ends. */
  (void)qe__pg_put(&native->out, native->deferred.data, native->deferred.size);
  qe__bytes_clear(&native->deferred);
  qe__copy_release(copy);
}

static bool put_fail(qe_bytes *out, const char *why) {
  int64_t begun = qe__pg_begin(out, 'f');

  if (begun < 0 || !qe__pg_put_text(out, why)) return false;
  qe__pg_end(out, begun);
  return true;
}

/* Puts what ends the group, once: CopyFail with why unless it is NULL, and Sync. */
static bool put_end(qe_copy *copy, const char *why) {
  pg_copy *own = native_of(copy);
  qe_bytes *out = &qe__pg_of(copy->connection)->out;
  int64_t begun = out->size;

  if (own->has_synced) return true;
  own->has_synced = (!why || put_fail(out, why)) && qe__pg_put_sync(out);
  if (!own->has_synced) out->size = begun;
  return own->has_synced;
}

void qe__pg_copy_abandon(qe_connection *connection) {
  qe_copy *copy = qe__pg_of(connection)->copy;

  if (!copy) return;
  if (!put_end(copy, "given up")) {
    (void)qe__pg_lose(connection, QE_ERR_CONNECTION,
                      "there was no memory to end a COPY with", NULL);
  }
  detach(copy);
}

/* Waits for the end of the group and tells how it went. */
static qe_status finish(qe_copy *copy, qe_error *error) {
  pg_copy *own = native_of(copy);
  qe_status status = qe__pg_finish(copy->connection, own->exchange, error);

  if (status != QE_OK) return status;
  status = qe__pg_outcome(copy->connection, own->exchange, error);
  if (own->failure.status != QE_OK) {
    if (error) *error = own->failure;
    copy->connection->diagnostics.size = 0;
    status = (qe_status)own->failure.status;
  }
  copy->rows = own->exchange->changes;
  detach(copy);
  return status;
}

/* The server has refused, or we have: ends the group. */
static qe_status finish_failed(qe_copy *copy, qe_error *error) {
  if (!put_end(copy, native_of(copy)->failure.status == QE_OK ? NULL : "given up")) {
    return no_memory(error);
  }
  return finish(copy, error);
}

static qe_status check_open(const qe_copy *copy, bool is_in, qe_error *error) {
  if (!copy->native || copy->is_over || copy->is_in != is_in) {
    return qe__fail(error, QE_ERR_MISUSE, "The COPY has ended");
  }
  return qe__pg_check_alive(copy->connection, error);
}

/* A lost connection has ended the exchange too. */
static qe_status end_lost(qe_copy *copy, qe_status status) {
  const qe_postgres *native = qe__pg_of(copy->connection);

  if (status != QE_OK && native->lost.status != QE_OK) detach(copy);
  return status;
}

/* Beginning. */

static bool put_parse(qe_bytes *out, const qe_bytes *sql) {
  int64_t begun = qe__pg_begin(out, 'P');

  if (begun < 0 || !qe__pg_put_text(out, "") ||
      !qe__pg_put(out, sql->data, sql->size + 1) || !qe__pg_put_int16(out, 0)) {
    return false;
  }
  qe__pg_end(out, begun);
  return true;
}

static bool put_group(const qe_postgres *native, const pg_copy *own, bool is_beginning,
                      qe_bytes *out) {
  static const uint8_t DESCRIBE[] = {'D', 0, 0, 0, 6, 'S', 0};
  static const uint8_t BIND[] = {'B', 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0};
  static const uint8_t EXECUTE[] = {'E', 0, 0, 0, 9, 0, 0, 0, 0, 0};
  static const uint8_t FLUSH[] = {'H', 0, 0, 0, 4};

  if (is_beginning && !qe__pg_put_begin(native, out)) return false;
  if (own->shape && !(put_parse(out, &own->shape->text.sql) &&
                      qe__pg_put(out, DESCRIBE, sizeof DESCRIBE))) {
    return false;
  }
  return put_parse(out, &own->text.sql) && qe__pg_put(out, BIND, sizeof BIND) &&
         qe__pg_put(out, EXECUTE, sizeof EXECUTE) &&
         qe__pg_put(out, FLUSH, sizeof FLUSH);
}

static qe_status wrong_kind(const qe_copy *copy, qe_error *error) {
  return qe__fail(error, QE_ERR_MISUSE, "%s",
                  copy->is_in ? "A statement for copy_in() is COPY ... FROM STDIN"
                              : "A statement for copy_out() is COPY ... TO STDOUT");
}

static qe_status translate(qe_copy *copy, const char *sql, int64_t size,
                           qe_error *error) {
  qe_postgres *native = qe__pg_of(copy->connection);
  pg_copy *own = native_of(copy);
  qe_status status;

  if (qe__pg_verb(sql, size) != QE_PG_VERB_COPY) {
    return wrong_kind(copy, error);
  }
  if (memchr(sql, '\0', (size_t)size)) {
    return qe__fail(error, QE_ERR_ENCODING, "The statement holds a zero byte");
  }
  status = qe__pg_translate(sql, size, native->is_std_strings, &own->text, error);
  if (status != QE_OK) return status;
  if (own->text.parameter_count == 0) return QE_OK;
  return qe__fail(error, QE_ERR_PARAMETER, "A COPY takes no parameters");
}

static qe_status take_shape(qe_copy *copy, qe_error *error) {
  pg_copy *own = native_of(copy);
  const qe_pg_prepared *shape;

  if (!copy->shape || !copy->shape->native) return QE_OK;
  own->shape = ((qe_pg_statement *)copy->shape->native)->prepared;
  shape = own->shape;
  own->types = qe__zalloc(4 * ((int64_t)shape->field_count + 1));
  if (!own->types) return no_memory(error);
  for (int32_t i = 0; i < shape->field_count; i++) own->types[i] = shape->fields[i].oid;
  copy->types = own->types;
  return QE_OK;
}

static qe_status send_group(qe_copy *copy, bool is_beginning, qe_error *error) {
  qe_postgres *native = qe__pg_of(copy->connection);
  pg_copy *own = native_of(copy);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_COPY);
  int64_t group = native->out.size;

  if (!exchange || !put_group(native, own, is_beginning, &native->out)) {
    native->out.size = group;
    if (exchange) {
      exchange->is_done = true;
      qe__pg_let_go(native, exchange);
    }
    return no_memory(error);
  }
  if (is_beginning) native->transaction = 'T';
  exchange->begins_left = is_beginning;
  exchange->copy = copy;
  exchange->prepared = own->shape;
  if (own->shape) own->shape->references++;
  qe__pg_queue(native, exchange);
  own->exchange = exchange;
  native->copy = copy;
  atomic_fetch_add(&copy->references, 1);
  return QE_OK;
}

static qe_status start(qe_copy *copy, const char *sql, int64_t size, bool is_beginning,
                       qe_error *error) {
  qe_status status = qe__pg_check(copy->connection, error);
  pg_copy *own;

  if (status != QE_OK) return status;
  copy->native = own = qe__zalloc(sizeof *own);
  if (!own) return no_memory(error);
  status = take_shape(copy, error);
  if (status == QE_OK) status = translate(copy, sql, size, error);
  return status == QE_OK ? send_group(copy, is_beginning, error) : status;
}

/* The server is in copy mode, or has refused, or has run something else. */
static void settle(qe_copy *copy) {
  pg_copy *own = native_of(copy);
  qe_error *failure = &own->failure;

  if (own->exchange->error.status != QE_OK) return;
  if (own->stage == COPY_STARTING || (own->stage == COPY_IN) != copy->is_in) {
    (void)wrong_kind(copy, failure);
  } else if (own->exchange->is_shape_changed) {
    copy->shape->is_ready = false;
    own->shape->is_described = false;
    (void)qe__fail(failure, QE_ERR_DATABASE,
                   "The columns changed since the last COPY of this text; they have "
                   "been asked for anew, and it may be run again");
    memcpy(failure->sqlstate, "0A000", QE_PG_SQLSTATE_SIZE + 1);
  } else if (own->shape && own->column_count != own->shape->field_count) {
    (void)qe__fail(failure, QE_ERR_MISUSE,
                   "The COPY has %d columns and the table has %d; name the columns",
                   (int)own->column_count, (int)own->shape->field_count);
  }
}

/* Whether nothing but the Sync can come any more. */
static bool has_answered(const pg_copy *own) {
  return own->stage != COPY_STARTING || own->exchange->is_done ||
         own->exchange->error.status != QE_OK || own->exchange->completed > 0;
}

qe_status qe__backend_copy_begin(qe_copy *copy, const char *sql, int64_t size,
                                 bool is_beginning, qe_error *error) {
  qe_connection *connection = copy->connection;
  pg_copy *own;
  qe_status status = QE_OK;

  if (!copy->native) status = start(copy, sql, size, is_beginning, error);
  own = native_of(copy);
  while (status == QE_OK && !has_answered(own)) {
    status = qe__pg_take(connection, own->exchange, INT64_MAX, 0, error);
    if (status == QE_OK && !has_answered(own)) {
      status = qe__pg_transfer(connection, error);
    }
  }
  if (status != QE_OK) return own && own->exchange ? end_lost(copy, status) : status;
  if (own->failure.status == QE_OK) settle(copy);
  if (own->failure.status != QE_OK || own->exchange->error.status != QE_OK) {
    return finish_failed(copy, error);
  }
  if (own->stage == COPY_OUT && !put_end(copy, NULL)) return no_memory(error);
  status = qe__pg_flush(connection, error);
  return status == QE_WANT_WRITE ? QE_OK : end_lost(copy, status);
}

/* What the server says. */

const qe_pg_text *qe__pg_copy_text_of(const qe_copy *copy) {
  return &native_of(copy)->text;
}

static qe_status take_mode(qe_copy *copy, char type, const uint8_t *at,
                           const uint8_t *end, qe_error *error) {
  pg_copy *own = native_of(copy);

  if (end - at < 3 || own->stage != COPY_STARTING) {
    return qe__pg_lose(copy->connection, QE_ERR_PROTOCOL,
                       "The server's answer to a COPY is cut", error);
  }
  own->stage = type == 'G' ? COPY_IN : COPY_OUT;
  if ((copy->format == QE_COPY_BINARY) != (at[0] == 1)) {
    copy->format = at[0] == 1 ? QE_COPY_BINARY : QE_COPY_TEXT;
  }
  own->column_count = qe__pg_read16(at + 1);
  return QE_OK;
}

/* Rows of a binary COPY: the server sends each whole, the first behind the head. */
static qe_status take_binary(qe_copy *copy, const uint8_t *at, const uint8_t *end,
                             qe_error *error) {
  pg_copy *own = native_of(copy);
  int64_t extension;

  if (!own->is_past_head) {
    if (end - at < (int64_t)sizeof BINARY_HEAD ||
        memcmp(at, BINARY_HEAD, SIGNATURE_SIZE) != 0) {
      return qe__pg_lose(copy->connection, QE_ERR_PROTOCOL,
                         "The head of a binary COPY is none", error);
    }
    extension = qe__pg_read32(at + SIGNATURE_SIZE + 4);
    at += sizeof BINARY_HEAD;
    if (extension > end - at) {
      return qe__pg_lose(copy->connection, QE_ERR_PROTOCOL,
                         "The head of a binary COPY is cut", error);
    }
    at += extension;
    own->is_past_head = true;
  }
  if (at == end || (end - at == 2 && memcmp(at, BINARY_END, 2) == 0)) return QE_OK;
  return qe__pg_take_row(copy->connection, at, end, error);
}

qe_status qe__pg_copy_take(qe_connection *connection, char type, const uint8_t *at,
                           const uint8_t *end, qe_error *error) {
  qe_pg_exchange *head = qe__pg_of(connection)->head;
  qe_copy *copy = head->copy;

  if (!copy) return QE_OK; /* given up: what comes is dropped */
  switch (type) {
    case 'G':
    case 'H': return take_mode(copy, type, at, end, error);
    case 'd':
      if (native_of(copy)->stage != COPY_OUT) break;
      if (head->target) return take_binary(copy, at, end, error);
      return qe__pg_put(&copy->data, at, end - at) ? QE_OK : no_memory(error);
    default: return QE_OK;
  }
  return qe__pg_lose(connection, QE_ERR_PROTOCOL, "The server sent data for no COPY",
                     error);
}

/* In. */

/* Writes what can be written and reads what has come; wants to wait where too much is
 * on its way. */
static qe_status pump(qe_copy *copy, qe_error *error) {
  qe_connection *connection = copy->connection;
  qe_postgres *native = qe__pg_of(connection);
  pg_copy *own = native_of(copy);
  qe_status status = QE_OK;

  while (status == QE_OK && own->exchange->error.status == QE_OK) {
    status = qe__pg_take(connection, own->exchange, INT64_MAX, INT64_MAX, error);
    if (status == QE_OK && own->exchange->error.status == QE_OK) {
      status = qe__pg_transfer(connection, error);
    }
  }
  if (status == QE_OK) return finish_failed(copy, error);
  if (!qe__is_want(status)) return end_lost(copy, status);
  if (native->out.size - native->out_start > WAITING_BYTES) return QE_WANT_WRITE;
  return QE_OK;
}

/* Before a piece is put: whether there is room for it, and nobody has refused. */
static qe_status make_way(qe_copy *copy, qe_error *error) {
  const qe_postgres *native = qe__pg_of(copy->connection);
  qe_status status = check_open(copy, true, error);

  if (status != QE_OK) return end_lost(copy, status);
  if (native_of(copy)->exchange->error.status != QE_OK) {
    return finish_failed(copy, error);
  }
  return native->out.size - native->out_start < PIECE_BYTES ? QE_OK : pump(copy, error);
}

static qe_status mixed(qe_error *error) {
  return qe__fail(error, QE_ERR_MISUSE,
                  "Rows and bytes cannot both go into one binary COPY");
}

qe_status qe__backend_copy_write(qe_copy *copy, const void *data, int64_t size,
                                 int64_t *done, qe_error *error) {
  qe_bytes *out = &qe__pg_of(copy->connection)->out;

  while (*done < size) {
    int64_t piece = size - *done < PIECE_BYTES ? size - *done : PIECE_BYTES;
    qe_status status = make_way(copy, error);
    int64_t begun = out->size;

    if (status != QE_OK) return status;
    if (native_of(copy)->has_rows && copy->format == QE_COPY_BINARY) {
      return mixed(error);
    }
    native_of(copy)->has_raw = true;
    if (qe__pg_begin(out, 'd') < 0 ||
        !qe__pg_put(out, (const uint8_t *)data + *done, piece)) {
      out->size = begun;
      return no_memory(error);
    }
    qe__pg_end(out, begun);
    *done += piece;
  }
  return QE_OK;
}

/* Says which column a value was for. */
static qe_status blame(const qe_pg_field *field, qe_status status, qe_error *error) {
  char reason[sizeof error->message];

  if (!error || status == QE_ERR_NOMEM) return status;
  memcpy(reason, error->message, sizeof reason);
  return qe__fail(error, status, "Column `%.80s`: %s", field->name, reason);
}

static qe_status put_binary(qe_copy *copy, const qe_value *values, qe_bytes *out,
                            qe_error *error) {
  const qe_pg_prepared *shape = native_of(copy)->shape;
  int32_t count = shape->field_count;

  if (!qe__pg_put_int16(out, count)) return no_memory(error);
  for (int32_t i = 0; i < count; i++) {
    const qe_pg_field *field = &shape->fields[i];
    qe_status status = qe__pg_copy_binary(field->type, &values[i], out, error);
    if (status != QE_OK) return blame(field, status, error);
  }
  return QE_OK;
}

static qe_status put_text(qe_copy *copy, const qe_value *values, qe_bytes *out,
                          qe_error *error) {
  pg_copy *own = native_of(copy);
  const qe_pg_prepared *shape = own->shape;
  const char *separator = copy->format == QE_COPY_CSV ? "," : "\t";

  for (int32_t i = 0; i < shape->field_count; i++) {
    const qe_pg_field *field = &shape->fields[i];
    qe_status status;

    if (i > 0 && !qe__pg_put(out, separator, 1)) return no_memory(error);
    status = qe__pg_copy_text(field->type, &values[i], copy->format, &own->scratch, out,
                              error);
    if (status != QE_OK) return blame(field, status, error);
  }
  return qe__pg_put(out, "\n", 1) ? QE_OK : no_memory(error);
}

/* Puts one CopyData with as many rows as it should hold. */
static qe_status put_rows(qe_copy *copy, const qe_value *values, int64_t row_count,
                          int64_t *done, qe_error *error) {
  pg_copy *own = native_of(copy);
  bool is_binary = copy->format == QE_COPY_BINARY;
  qe_bytes *out = &qe__pg_of(copy->connection)->out;
  int64_t begun = qe__pg_begin(out, 'd');
  int64_t row_begun = out->size;
  qe_status status = QE_OK;

  if (begun < 0) return no_memory(error);
  if (is_binary && !own->has_rows &&
      !qe__pg_put(out, BINARY_HEAD, sizeof BINARY_HEAD)) {
    status = no_memory(error);
  }
  if (status == QE_OK) {
    own->has_rows = true;
    row_begun = out->size;
  }
  while (status == QE_OK && *done < row_count && out->size - begun < PIECE_BYTES) {
    const qe_value *row = values + *done * own->shape->field_count;

    row_begun = out->size;
    status =
        is_binary ? put_binary(copy, row, out, error) : put_text(copy, row, out, error);
    if (status == QE_OK) row_begun = out->size;
    if (status == QE_OK) ++*done;
  }
  out->size = own->has_rows ? row_begun : begun;
  if (own->has_rows) qe__pg_end(out, begun);
  return status;
}

qe_status qe__backend_copy_rows(qe_copy *copy, const qe_value *values,
                                int64_t row_count, int64_t *done, qe_error *error) {
  qe_status status = QE_OK;

  while (status == QE_OK && *done < row_count) {
    status = make_way(copy, error);
    if (status != QE_OK) return status;
    if (native_of(copy)->has_raw && copy->format == QE_COPY_BINARY) {
      return mixed(error);
    }
    status = put_rows(copy, values, row_count, done, error);
  }
  return status;
}

qe_status qe__backend_copy_takes(const qe_copy *copy, int32_t column,
                                 qe_value_kind kind, qe_error *error) {
  const qe_pg_field *field = &native_of(copy)->shape->fields[column];
  static const char *const KINDS[] = {"null",
                                      "integer",
                                      "float",
                                      "text",
                                      "bytes",
                                      "boolean",
                                      "date",
                                      "time",
                                      "timestamp without a zone",
                                      "timestamp with a zone"};

  if (copy->format != QE_COPY_BINARY || qe__pg_copy_takes(field->type, kind)) {
    return QE_OK;
  }
  return qe__fail(error, QE_ERR_TYPE,
                  "Column `%.80s` is of type %.80s, which cannot be copied from values "
                  "of kind %s in the binary format",
                  field->name, field->type ? field->type->name : "unknown",
                  KINDS[kind]);
}

/* Out. */

/* Reads until there is something, the end, or something to wait for. */
static qe_status receive(qe_copy *copy, const int64_t *have, int64_t most,
                         int64_t max_bytes, qe_error *error) {
  qe_connection *connection = copy->connection;
  qe_pg_exchange *exchange = native_of(copy)->exchange;
  qe_status status = QE_OK;

  exchange->received = 0;
  for (;;) {
    status = qe__pg_take(connection, exchange, most, max_bytes, error);
    if (status != QE_OK || exchange->is_done) break;
    if (*have >= most || exchange->received >= max_bytes) return QE_OK;
    status = qe__pg_transfer(connection, error);
    if (status != QE_OK) break;
  }
  if (qe__is_want(status)) return *have > 0 ? QE_OK : status;
  if (status != QE_OK) return end_lost(copy, status);
  /* What came before the end is given first; a failure comes with the next call. */
  return *have > 0 ? QE_OK : finish(copy, error);
}

qe_status qe__backend_copy_read(qe_copy *copy, int64_t max_bytes, qe_error *error) {
  qe_status status;

  copy->data.size = 0;
  if (copy->is_over) return QE_OK;
  status = check_open(copy, false, error);
  if (status != QE_OK) return end_lost(copy, status);
  return receive(copy, &copy->data.size, INT64_MAX, max_bytes, error);
}

qe_status qe__backend_copy_fill(qe_copy *copy, qe_batch *batch, int64_t max_rows,
                                int64_t max_bytes, qe_error *error) {
  const qe_pg_prepared *shape = copy->native ? native_of(copy)->shape : NULL;
  qe_status status;

  if (copy->is_over) return QE_OK;
  status = check_open(copy, false, error);
  if (status != QE_OK) return end_lost(copy, status);
  for (int32_t i = 0; shape && i < shape->field_count; i++) {
    if (qe__pg_copy_reads(shape->fields[i].type)) continue;
    return qe__fail(error, QE_ERR_TYPE,
                    "Column `%.80s` is of a type whose binary form is not read; cast "
                    "it to text in the query",
                    shape->fields[i].name);
  }
  native_of(copy)->exchange->target = batch;
  status = receive(copy, &batch->row_count, max_rows, max_bytes, error);
  if (native_of(copy)->exchange) native_of(copy)->exchange->target = NULL;
  return status;
}

/* The end. */

static bool put_done(qe_copy *copy) {
  static const uint8_t DONE[] = {'c', 0, 0, 0, 4};
  pg_copy *own = native_of(copy);
  qe_bytes *out = &qe__pg_of(copy->connection)->out;
  int64_t begun = out->size;

  if (own->has_synced) return true;
  if (copy->format == QE_COPY_BINARY && !own->has_raw) {
    int64_t piece = qe__pg_begin(out, 'd');
    if (piece < 0 ||
        (!own->has_rows && !qe__pg_put(out, BINARY_HEAD, sizeof BINARY_HEAD)) ||
        !qe__pg_put(out, BINARY_END, sizeof BINARY_END)) {
      out->size = begun;
      return false;
    }
    qe__pg_end(out, piece);
  }
  if (qe__pg_put(out, DONE, sizeof DONE) && put_end(copy, NULL)) return true;
  out->size = begun;
  return false;
}

static qe_status end_in(qe_copy *copy, const char *failure, qe_error *error) {
  const pg_copy *own = native_of(copy);
  qe_status status;
  bool is_put = own->exchange->error.status != QE_OK ? put_end(copy, NULL)
                : failure                            ? put_end(copy, failure)
                                                     : put_done(copy);

  if (!is_put) return no_memory(error);
  status = finish(copy, error);
  /* The failure that we asked for is none. */
  return failure && status == QE_ERR_DATABASE ? QE_OK : status;
}

qe_status qe__backend_copy_end(qe_copy *copy, const char *failure, qe_error *error) {
  qe_connection *connection = copy->connection;
  qe_status status;

  if (!copy->native || copy->is_over) return QE_OK;
  status = qe__pg_check_alive(connection, error);
  if (status == QE_OK && copy->is_in) status = end_in(copy, failure, error);
  if (status != QE_OK) return end_lost(copy, status);
  if (copy->is_over) return QE_OK;
  /* Of what goes out the rest is dropped. To stop it would be quicker, and fail the
   * transaction that it is in, if any; where that has failed already nothing is lost.
   */
  if (native_of(copy)->exchange->is_done) return finish(copy, error);
  if (failure || qe__pg_of(connection)->transaction == 'I') {
    qe__backend_abort(connection, QE_ERR_INTERRUPTED);
  }
  detach(copy);
  return QE_OK;
}

void qe__backend_copy_clear(qe_copy *copy) {
  pg_copy *own = native_of(copy);

  if (!own) return;
  qe__pg_text_clear(&own->text);
  qe__bytes_clear(&own->scratch);
  qe__free(own->types);
  qe__free(own);
}
