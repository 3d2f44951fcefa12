/* PostgreSQL: what the server sends, message by message:
 * https://www.postgresql.org/docs/17/protocol-message-formats.html
 *
 * Nothing is taken on trust: every length and count is held against the bytes there
 * are, and a message that makes no sense ends the connection. */
#include <stdlib.h>
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres.h"
#include "qe_postgres_decode.h"
#include "qe_postgres_libpq.h"
#include "qe_postgres_wire.h"

/* A type and a length, which counts itself. */
enum { HEADER_BYTES = 5 };
/* What the server itself keeps to; a longer message is garbage. */
#define MESSAGE_MAX INT64_C(0x40000000)
/* What is kept of notices and notifications until somebody asks. */
#define MESSAGES_MAX (INT64_C(8) * 1024 * 1024)

typedef struct message {
  char type;
  const uint8_t *at, *end; /* what is left to be read */
} message;

static qe_status garbled(qe_connection *connection, const char *what, qe_error *error) {
  return qe__pg_lose(connection, QE_ERR_PROTOCOL, what, error);
}

static bool read_int32(message *in, int32_t *value) {
  if (in->end - in->at < 4) return false;
  *value = qe__pg_read_int32(in->at);
  in->at += 4;
  return true;
}

static bool read_int16(message *in, int32_t *value) {
  if (in->end - in->at < 2) return false;
  *value = qe__pg_read_int16(in->at);
  in->at += 2;
  return true;
}

/* A terminated text; NULL where the terminator is missing. */
static const char *read_text(message *in) {
  const uint8_t *end = memchr(in->at, 0, (size_t)(in->end - in->at));
  const char *text = (const char *)in->at;

  if (!end) return NULL;
  in->at = end + 1;
  return text;
}

/* The field of an ErrorResponse that a letter marks; NULL if it is not there. */
static const char *find_field(const uint8_t *fields, int64_t size, char letter) {
  message in = {.at = fields, .end = fields + size};

  while (in.at < in.end && *in.at) {
    char found = (char)*in.at++;
    const char *text = read_text(&in);
    if (!text) return NULL;
    if (found == letter) return text;
  }
  return NULL;
}

/* Before the session's encoding is agreed on a server may write any; and a hostile one
 * whatever it likes. */
static void make_utf8(char *text) {
  int64_t size = (int64_t)strlen(text);
  int64_t fault;

  while ((fault = qe__utf8_fault((const uint8_t *)text, size)) >= 0) text[fault] = '?';
}

void qe__pg_read_refusal(const uint8_t *fields, int64_t size, qe_error *error) {
  const char *text = find_field(fields, size, 'M');
  const char *sqlstate = find_field(fields, size, 'C');

  (void)qe__fail(error, QE_ERR_DATABASE, "%s", text ? text : "The server refused");
  make_utf8(error->message);
  if (sqlstate && strlen(sqlstate) == QE_PG_SQLSTATE_SIZE) {
    memcpy(error->sqlstate, sqlstate, QE_PG_SQLSTATE_SIZE + 1);
  }
}

/* Keeps a notice or a notification. Without room the oldest go, so that a server that
 * never stops cannot fill the memory. */
static void keep_message(qe_postgres *native, char type, const message *in) {
  int64_t size = in->end - in->at + 1;
  qe_bytes *kept = &native->messages;
  int32_t stored = (int32_t)size;

  if (size > MESSAGES_MAX / 4) return;
  if (native->messages_start == kept->size) {
    native->messages_start = 0;
    kept->size = 0;
  }
  while (kept->size - native->messages_start + size > MESSAGES_MAX) {
    int32_t oldest;
    memcpy(&oldest, kept->data + native->messages_start, sizeof oldest);
    native->messages_start += (int64_t)sizeof oldest + oldest;
  }
  if (native->messages_start > MESSAGES_MAX) {
    kept->size -= native->messages_start;
    memmove(kept->data, kept->data + native->messages_start, (size_t)kept->size);
    native->messages_start = 0;
  }
  if (!qe__bytes_reserve(kept, size + (int64_t)sizeof stored)) return;
  (void)qe__pg_put(kept, &stored, sizeof stored);
  (void)qe__pg_put(kept, &type, 1);
  (void)qe__pg_put(kept, in->at, size - 1);
}

/* After such a refusal the server closes the connection. */
static bool is_fatal(const message *in) {
  const char *severity = find_field(in->at, in->end - in->at, 'V');

  return severity && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0);
}

static void note_refusal(qe_connection *connection, const message *in) {
  qe_pg_exchange *head = qe__pg_of(connection)->head;
  const qe_pg_text *text = head->copy       ? qe__pg_copy_text_of(head->copy)
                           : head->prepared ? &head->prepared->text
                                            : NULL;
  bool is_last = is_fatal(in);
  const char *position;

  if (head->error.status != QE_OK && !is_last) return;
  head->is_fatal = is_last;
  qe__pg_read_refusal(in->at, in->end - in->at, &head->error);
  head->error.was_sent = head->task != QE_PG_DESCRIBE && head->task != QE_PG_LEARN;
  position = find_field(in->at, in->end - in->at, 'P');
  if (position && text) {
    head->error.position = qe__pg_position(text, atoll(position));
  } else if (position) {
    head->error.position = -1;
  }
  head->diagnostics.size = 0;
  (void)qe__pg_put(&head->diagnostics, in->at, in->end - in->at);
}

/* An ErrorResponse that belongs to nothing we asked: the server is about to close. */
static qe_status unasked_refusal(qe_connection *connection, const message *in,
                                 qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_error said;
  qe_status status;

  qe__error_clear(&said);
  qe__pg_read_refusal(in->at, in->end - in->at, &said);
  (void)qe__pg_put(&native->lost_diagnostics, in->at, in->end - in->at);
  status = qe__pg_lose(connection, QE_ERR_CONNECTION, said.message, error);
  memcpy(native->lost.sqlstate, said.sqlstate, sizeof said.sqlstate);
  if (error) memcpy(error->sqlstate, said.sqlstate, sizeof said.sqlstate);
  return status;
}

static qe_status take_parameter_status(qe_connection *connection, message *in,
                                       qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  const char *name = read_text(in);
  const char *value = name ? read_text(in) : NULL;

  if (!value) return garbled(connection, "A setting from the server is cut", error);
  if (strcmp(name, "client_encoding") == 0) {
    native->is_utf8 = strcmp(value, "UTF8") == 0;
  } else if (strcmp(name, "standard_conforming_strings") == 0) {
    native->is_std_strings = strcmp(value, "on") == 0;
  }
  /* Only what it told at the hand-shake: it may not fill the memory with names. */
  if (PQparameterStatus(native->pg, name)) {
    pqSaveParameterStatus(native->pg, name, value);
  }
  return QE_OK;
}

/* Whether a group that did not fail lacks what makes it whole. */
static bool is_unanswered(const qe_pg_exchange *exchange) {
  if (exchange->error.status != QE_OK) return false;
  switch (exchange->task) {
    case QE_PG_DESCRIBE: return !exchange->has_parsed;
    case QE_PG_LEARN:
    case QE_PG_RUN: return exchange->completed == 0;
    default: return false;
  }
}

static qe_status take_ready(qe_connection *connection, const message *in,
                            qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);

  if (in->end - in->at != 1 || !memchr("ITE", *in->at, 3)) {
    return garbled(connection, "The server's transaction state is none", error);
  }
  if (is_unanswered(native->head)) {
    return garbled(connection, "The server ended a request without its answer", error);
  }
  /* More groups on their way may hold a BEGIN that the server has yet to see. */
  if (!native->head->next) native->transaction = (char)*in->at;
  qe__pg_pop(native);
  return QE_OK;
}

/* "INSERT 0 5", "UPDATE 5", "SELECT 5": the last word is how many rows. */
static int64_t rows_of_tag(const char *tag) {
  static const char *const COUNTING[] = {"INSERT ", "UPDATE ", "DELETE ", "MERGE ",
                                         "COPY "};
  const char *last = strrchr(tag, ' ');

  for (size_t i = 0; last && i < sizeof COUNTING / sizeof COUNTING[0]; i++) {
    if (strncmp(tag, COUNTING[i], strlen(COUNTING[i])) == 0) return atoll(last + 1);
  }
  return -1;
}

static qe_status take_complete(qe_connection *connection, message *in,
                               qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_exchange *head = native->head;
  const char *tag = read_text(in);
  int64_t rows;

  if (!tag) return garbled(connection, "The end of a statement is cut", error);
  if (head->begins_left > 0) {
    head->begins_left--;
    return QE_OK;
  }
  if (strcmp(tag, "DISCARD ALL") == 0 || strcmp(tag, "DEALLOCATE ALL") == 0) {
    qe__pg_forget_prepared(native);
  }
  head->completed++;
  head->was_rolled_back = strcmp(tag, "ROLLBACK") == 0;
  rows = rows_of_tag(tag);
  if (rows >= 0) head->changes = (head->changes < 0 ? 0 : head->changes) + rows;
  return QE_OK;
}

static qe_status take_parameters(qe_connection *connection, message *in,
                                 qe_error *error) {
  qe_pg_prepared *prepared = qe__pg_of(connection)->head->prepared;
  int32_t count;

  if (!prepared || !read_int16(in, &count) ||
      (in->end - in->at) != 4 * (count & 0xFFFF)) {
    return garbled(connection, "The description of the parameters is cut", error);
  }
  count &= 0xFFFF;
  if (prepared->is_described && prepared->parameter_count == count) {
    for (int32_t i = 0; i < count; i++, in->at += 4) {
      if (prepared->parameter_oids[i] != qe__pg_read32(in->at)) {
        qe__pg_of(connection)->head->is_shape_changed = true;
        prepared->parameter_oids[i] = qe__pg_read32(in->at);
      }
    }
    return QE_OK;
  }
  qe__free(prepared->parameter_oids);
  prepared->parameter_count = 0;
  prepared->parameter_oids = qe__zalloc(4 * ((int64_t)count + 1));
  if (!prepared->parameter_oids) return qe__fail_memory(error, "parameter types");
  for (int32_t i = 0; i < count; i++, in->at += 4) {
    prepared->parameter_oids[i] = qe__pg_read32(in->at);
  }
  prepared->parameter_count = count;
  return QE_OK;
}

static void clear_fields(qe_pg_prepared *prepared) {
  for (int32_t i = 0; i < prepared->field_count; i++)
    qe__free(prepared->fields[i].name);
  qe__free(prepared->fields);
  prepared->fields = NULL;
  prepared->field_count = 0;
}

/* Reads one column's description: name, table, column number, type, size, modifier,
 * format. */
static bool read_field(message *in, qe_pg_field *out, const char **name) {
  int32_t table, number, oid, size, format;

  *name = read_text(in);
  if (!*name || !read_int32(in, &table) || !read_int16(in, &number) ||
      !read_int32(in, &oid) || !read_int16(in, &size) ||
      !read_int32(in, &out->typmod) || !read_int16(in, &format)) {
    return false;
  }
  out->oid = (uint32_t)oid;
  return true;
}

static bool is_same_shape(const qe_pg_prepared *prepared, message in, int32_t count) {
  bool is_same = prepared->field_count == count;

  for (int32_t i = 0; is_same && i < count; i++) {
    qe_pg_field field = {0};
    const char *name;
    is_same = read_field(&in, &field, &name) && field.oid == prepared->fields[i].oid &&
              strcmp(name, prepared->fields[i].name) == 0;
  }
  return is_same;
}

static qe_status take_fields(qe_connection *connection, message *in, qe_error *error) {
  qe_pg_exchange *head = qe__pg_of(connection)->head;
  qe_pg_prepared *prepared = head->prepared;
  int32_t count = 0;

  if (in->type == 'T' && !read_int16(in, &count)) {
    return garbled(connection, "The description of a result is cut", error);
  }
  /* Of a simple query, whose rows are dropped. */
  if (!prepared || head->task == QE_PG_COMMAND) return QE_OK;
  count &= 0xFFFF;
  if (prepared->is_described && head->task != QE_PG_DESCRIBE) {
    if (!is_same_shape(prepared, *in, count)) head->is_shape_changed = true;
    return QE_OK;
  }
  clear_fields(prepared);
  prepared->fields = qe__zalloc((int64_t)sizeof(qe_pg_field) * ((int64_t)count + 1));
  if (!prepared->fields) return qe__fail_memory(error, "description of a result");
  for (int32_t i = 0; i < count; i++) {
    qe_pg_field *field = &prepared->fields[i];
    const char *name;

    if (!read_field(in, field, &name)) {
      return garbled(connection, "The description of a result is cut", error);
    }
    field->name = qe__copy_text(name, (int64_t)strlen(name));
    if (!field->name) return qe__fail_memory(error, "description of a result");
    prepared->field_count = i + 1;
  }
  return QE_OK;
}

/* Reads one value into its column; what is most frequent first. */
static inline qe_status read_value(const qe_postgres *native, const qe_pg_type *type,
                                   qe_column *column, int64_t row, const uint8_t *data,
                                   int32_t size, qe_error *error) {
  switch (type ? type->decoder : QE_PG_TEXT) {
    case QE_PG_INT4:
      if (size != 4) break;
      return qe__column_put_int64(column, row, qe__pg_read_int32(data), error);
    case QE_PG_INT8:
      if (size != 8) break;
      return qe__column_put_int64(column, row, qe__pg_read_int64(data), error);
    case QE_PG_TEXT:
    case QE_PG_STRING:
      return qe__column_put_bytes(column, row, QE_KIND_TEXT, data, size, error);
    default: break;
  }
  return qe__pg_decode(&native->types, type, column, row, data, size, error);
}

/* Appends a DataRow to the batch. */
static qe_status take_row(qe_connection *connection, message *in, qe_pg_exchange *head,
                          qe_error *error) {
  const qe_postgres *native = qe__pg_of(connection);
  /* What the catalog tells about types comes without a description, as text. */
  const qe_pg_field *fields = head->prepared ? head->prepared->fields : NULL;
  qe_batch *batch = head->target;
  int64_t row = batch->row_count;
  qe_status status = QE_OK;
  int32_t count;

  if (!read_int16(in, &count) || count != batch->column_count) {
    return garbled(connection, "A row has another number of values than was said",
                   error);
  }
  if (row == batch->capacity) {
    status = qe__batch_grow(batch, INT64_MAX, error);
    if (status != QE_OK) return status;
  }
  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    qe_column *column = &batch->columns[i];
    int32_t size;

    if (!read_int32(in, &size) || size < -1 || size > in->end - in->at) {
      return garbled(connection, "A value is longer than its message", error);
    }
    if (size < 0) {
      status = qe__column_add_null(column, row, error);
    } else {
      const qe_pg_type *type = fields ? fields[i].type : NULL;
      status = read_value(native, type, column, row, in->at, size, error);
      in->at += size;
    }
  }
  if (status == QE_OK) batch->row_count++;
  return status;
}

/* A row that cannot be taken fails its statement, not the connection: what follows is
 * dropped. */
static qe_status take_data(qe_connection *connection, message *in, qe_error *error) {
  qe_pg_exchange *head = qe__pg_of(connection)->head;
  qe_error failure;
  qe_status status;

  if (!head->target || head->error.status != QE_OK || head->is_shape_changed) {
    return QE_OK;
  }
  qe__error_clear(&failure);
  status = take_row(connection, in, head, &failure);
  if (status == QE_OK) return QE_OK;
  if (status == QE_ERR_PROTOCOL) {
    if (error) *error = failure;
    return status;
  }
  failure.was_sent = 1;
  head->error = failure;
  return QE_OK;
}

qe_status qe__pg_take_row(qe_connection *connection, const uint8_t *at,
                          const uint8_t *end, qe_error *error) {
  message in = {'d', at, end};
  return take_data(connection, &in, error);
}

static qe_status end_copy(qe_connection *connection, const char *why, qe_error *error) {
  qe_bytes *out = &qe__pg_of(connection)->out;
  int64_t begun = qe__pg_begin(out, 'f');

  if (begun < 0 || !qe__pg_put_text(out, why)) {
    return qe__fail_memory(error, "end of a COPY");
  }
  qe__pg_end(out, begun);
  return QE_OK;
}

/* Messages that may come at any time. *is_known false for any other. */
static qe_status take_unasked(qe_connection *connection, message *in, bool *is_known,
                              qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);

  *is_known = true;
  switch (in->type) {
    case 'N':
    case 'A':
      if (in->end == in->at || in->end[-1] != 0) {
        return garbled(connection, "A notice or notification is cut", error);
      }
      keep_message(native, in->type, in);
      return QE_OK;
    case 'S': return take_parameter_status(connection, in, error);
    case 'E':
      if (in->end == in->at || in->end[-1] != 0) {
        return garbled(connection, "A refusal of the server is cut", error);
      }
      if (!native->head) return unasked_refusal(connection, in, error);
      note_refusal(connection, in);
      return QE_OK;
    default: *is_known = false; return QE_OK;
  }
}

/* Messages of COPY. A statement that is not run by copy_in() or copy_out() has no data
 * to give, and nobody who reads what comes. */
static qe_status take_copy(qe_connection *connection, const message *in,
                           qe_error *error) {
  if (qe__pg_of(connection)->head->task == QE_PG_COPY) {
    return qe__pg_copy_take(connection, in->type, in->at, in->end, error);
  }
  if (in->type != 'G') return QE_OK;
  return end_copy(connection, "COPY needs copy_in()", error);
}

static qe_status take_message(qe_connection *connection, message *in, qe_error *error) {
  qe_pg_exchange *head = qe__pg_of(connection)->head;
  bool is_known;
  qe_status status;

  if (QE_LIKELY(in->type == 'D' && head)) return take_data(connection, in, error);
  status = take_unasked(connection, in, &is_known, error);
  if (is_known) return status;
  if (!head) {
    return garbled(connection, "The server answered what nobody asked", error);
  }
  switch (in->type) {
    case 'Z': return take_ready(connection, in, error);
    case 'C': return take_complete(connection, in, error);
    case 'I': head->completed++; return QE_OK; /* an empty query */
    case '1': head->has_parsed = true; return QE_OK;
    case '2': /* bound */
    case '3': /* closed */
    case 's': /* suspended */ return QE_OK;
    case 't': return take_parameters(connection, in, error);
    case 'T':
    case 'n': return take_fields(connection, in, error);
    case 'G':
    case 'H':
    case 'd':
    case 'c': return take_copy(connection, in, error);
    default:
      return garbled(connection, "The server sent a message of an unknown type", error);
  }
}

/* Whether what is wanted has enough; a message of this type would give it more. */
static bool is_full(const qe_pg_exchange *wanted, char type, int64_t max_rows,
                    int64_t max_bytes) {
  bool is_more = type == 'D' ? wanted->target != NULL : type == 'd' && wanted->copy;

  if (!is_more) return false;
  return wanted->received >= max_bytes ||
         (wanted->target && wanted->target->row_count >= max_rows);
}

qe_status qe__pg_take(qe_connection *connection, qe_pg_exchange *wanted,
                      int64_t max_rows, int64_t max_bytes, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_status status = QE_OK;

  while (status == QE_OK && native->in_end - native->in_start >= HEADER_BYTES) {
    const uint8_t *at = native->in + native->in_start;
    int64_t size = (int64_t)qe__pg_read32(at + 1) + 1;
    message in = {(char)at[0], at + HEADER_BYTES, at + size};

    if (size < HEADER_BYTES || size > MESSAGE_MAX) {
      return garbled(connection, "A message of the server has an impossible length",
                     error);
    }
    if (size > native->in_end - native->in_start) break;
    if (wanted && wanted == native->head &&
        is_full(wanted, in.type, max_rows, max_bytes)) {
      break;
    }
    native->in_start += size;
    if (native->head && (in.type == 'D' || in.type == 'd')) {
      native->head->received += size;
    }
    status = take_message(connection, &in, error);
    if (wanted && wanted->is_done) break;
  }
  return status;
}
