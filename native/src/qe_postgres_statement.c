/* PostgreSQL: preparing, running and reading statements.
 *
 * A statement is parsed under a name once; statements of one text share the name. The
 * server says what types the parameters and the columns have; a type that is not built
 * in is looked up in the catalog, once for a connection. Values then go and come in
 * their binary form, and as text where a type has none that we read.
 *
 * Preparing goes through stages because each needs an answer of the server. A run does
 * not: its messages are sent at once, behind a BEGIN where a transaction is due, in one
 * group, so that a statement never runs without the transaction it belongs to.
 *
 * What the server knows can go away under us: DEALLOCATE ALL, a pooler that hands us
 * another server, a table that was altered. Such a run is sent again, once, where
 * nothing can have happened yet and no transaction of the user's was broken by it. */
#include <stdio.h>
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres.h"
#include "qe_postgres_encode.h"

/* Bytes of executemany() on their way at once; and rows to a group. */
enum { SEND_BYTES = 262144 };
/* Bytes of a pipeline that are sent without anybody waiting: enough for a hundred small
 * runs, so that the server begins while we go on. */
enum { PIPED_BYTES = 16384 };
/* What a statement keeps of a run's parameters for the next run's. */
enum { BOUND_KEPT = 65536 };

static qe_pg_statement *native_of(const qe_statement *statement) {
  return statement->native;
}

static qe_status no_memory(qe_error *error) {
  return qe__fail_memory(error, "statement");
}

/* Prepared statements. */

static void free_prepared(qe_pg_prepared *prepared) {
  for (int32_t i = 0; i < prepared->field_count; i++)
    qe__free(prepared->fields[i].name);
  qe__free(prepared->fields);
  qe__free(prepared->parameter_oids);
  qe__free(prepared->sql);
  qe__pg_text_clear(&prepared->text);
  qe__free(prepared);
}

/* Tells the server to forget a name; goes out with whatever is sent next. */
static void put_close(qe_postgres *native, const qe_pg_prepared *prepared) {
  qe_bytes *out = native->copy ? &native->deferred : &native->out;
  int64_t begun = out->size;

  if (qe__pg_begin(out, 'C') >= 0 && qe__pg_put(out, "S", 1) &&
      qe__pg_put_text(out, prepared->name)) {
    qe__pg_end(out, begun);
  } else {
    out->size = begun; /* it stays until the connection ends */
  }
}

void qe__pg_prepared_let_go(qe_postgres *native, qe_pg_prepared *prepared) {
  qe_pg_prepared **link = &native->prepared;

  if (!prepared || --prepared->references > 0) return;
  while (*link && *link != prepared) link = &(*link)->next;
  if (*link) *link = prepared->next;
  if (prepared->is_on_server && native->lost.status == QE_OK) {
    put_close(native, prepared);
  }
  free_prepared(prepared);
}

void qe__pg_forget_prepared(qe_postgres *native) {
  for (qe_pg_prepared *p = native->prepared; p; p = p->next) p->is_on_server = false;
}

static qe_pg_prepared *find_prepared(const qe_postgres *native,
                                     const qe_statement *statement) {
  for (qe_pg_prepared *p = native->prepared; p; p = p->next) {
    if (p->sql_size == statement->sql_size &&
        memcmp(p->sql, statement->sql, (size_t)p->sql_size) == 0) {
      return p;
    }
  }
  return NULL;
}

/* The name holds a number of this connection's own: behind a pooler the server may know
 * other clients' statements, and one of theirs must never be run for ours. */
static void give_name(qe_postgres *native, qe_pg_prepared *prepared) {
  if (native->is_nameless) return;
  (void)snprintf(prepared->name, sizeof prepared->name, "er_%llx_%llx",
                 (unsigned long long)(native->name_prefix & 0xFFFFFFFFFF),
                 (unsigned long long)++native->name_count);
}

static qe_status make_prepared(qe_statement *statement, qe_pg_prepared **out,
                               qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_prepared *made = qe__zalloc(sizeof *made);
  qe_status status = QE_OK;

  *out = NULL;
  if (!made) return no_memory(error);
  made->references = 1;
  made->sql_size = statement->sql_size;
  made->sql = qe__copy_text(statement->sql, statement->sql_size);
  if (!made->sql) {
    status = no_memory(error);
    goto done;
  }
  status = qe__pg_translate(statement->sql, statement->sql_size, native->is_std_strings,
                            &made->text, error);
  if (status != QE_OK) goto done;
  give_name(native, made);
  made->next = native->prepared;
  native->prepared = made;
  *out = made;
  made = NULL; /* in the list */

done:
  if (made) free_prepared(made);
  return status;
}

/* Messages. */

static bool put_parse(qe_bytes *out, const qe_pg_prepared *prepared) {
  int64_t begun = qe__pg_begin(out, 'P');

  if (begun < 0 || !qe__pg_put_text(out, prepared->name) ||
      !qe__pg_put(out, prepared->text.sql.data, prepared->text.sql.size + 1) ||
      !qe__pg_put_int16(out, 0)) {
    return false;
  }
  qe__pg_end(out, begun);
  return true;
}

/* what is 'S', a statement. */
static bool put_describe(qe_bytes *out, const qe_pg_prepared *prepared) {
  int64_t begun = qe__pg_begin(out, 'D');

  if (begun < 0 || !qe__pg_put(out, "S", 1) || !qe__pg_put_text(out, prepared->name)) {
    return false;
  }
  qe__pg_end(out, begun);
  return true;
}

static bool put_execute(qe_bytes *out) {
  static const uint8_t EXECUTE[] = {'E', 0, 0, 0, 9, 0, 0, 0, 0, 0};
  return qe__pg_put(out, EXECUTE, sizeof EXECUTE);
}

bool qe__pg_put_begin(const qe_postgres *native, qe_bytes *out) {
  static const uint8_t BIND[] = {'B', 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0};
  int64_t begun = qe__pg_begin(out, 'P');

  if (begun < 0 || !qe__pg_put_text(out, "") ||
      !qe__pg_put_text(out, native->begin_sql) || !qe__pg_put_int16(out, 0)) {
    return false;
  }
  qe__pg_end(out, begun);
  return qe__pg_put(out, BIND, sizeof BIND) && put_execute(out);
}

/* The formats that values come back in: 1 is binary. */
static bool put_formats(qe_bytes *out, const qe_pg_prepared *prepared) {
  if (!qe__pg_put_int16(out, prepared->field_count)) return false;
  for (int32_t i = 0; i < prepared->field_count; i++) {
    const qe_pg_type *type = prepared->fields[i].type;
    if (!qe__pg_put_int16(out, type && qe__pg_type_is_binary(type))) return false;
  }
  return true;
}

/* What Bind says of one row of values: formats, then the values. */
static qe_status put_values(qe_postgres *native, qe_bytes *out,
                            const qe_pg_prepared *prepared, const qe_value *values,
                            qe_error *error) {
  int32_t count = prepared->parameter_count;
  int64_t formats;
  qe_status status = QE_OK;

  if (!qe__pg_put_int16(out, count)) return no_memory(error);
  formats = out->size;
  if (!qe__bytes_reserve(out, 2 * ((int64_t)count + 1))) return no_memory(error);
  memset(out->data + out->size, 0, 2 * (size_t)count);
  out->size += 2 * (int64_t)count;
  if (!qe__pg_put_int16(out, count)) return no_memory(error);
  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    const qe_pg_type *type =
        qe__pg_type_find(&native->types, prepared->parameter_oids[i]);
    int16_t format = 0;

    status = qe__pg_encode(type, &values[i], out, &format, error);
    out->data[formats + 2 * i + 1] = (uint8_t)format;
  }
  return status;
}

/* Begins a Bind of the nameless portal; -1 without memory. */
static int64_t begin_bind(qe_bytes *out, const qe_pg_prepared *prepared) {
  int64_t begun = qe__pg_begin(out, 'B');
  bool is_begun =
      begun >= 0 && qe__pg_put_text(out, "") && qe__pg_put_text(out, prepared->name);
  return is_begun ? begun : -1;
}

static bool end_bind(qe_bytes *out, int64_t begun, const qe_pg_prepared *prepared) {
  if (!put_formats(out, prepared)) return false;
  qe__pg_end(out, begun);
  return put_execute(out);
}

/* Bind and Execute of one row. */
static qe_status put_row(qe_postgres *native, qe_bytes *out,
                         const qe_pg_prepared *prepared, const qe_value *values,
                         qe_error *error) {
  int64_t begun = begin_bind(out, prepared);
  qe_status status;

  if (begun < 0) return no_memory(error);
  status = put_values(native, out, prepared, values, error);
  if (status != QE_OK) return status;
  return end_bind(out, begun, prepared) ? QE_OK : no_memory(error);
}

/* Preparing, in stages. */

/* Takes back what was appended since, where the group could not be completed. */
static qe_status abandon(qe_postgres *native, int64_t begun, qe_pg_exchange *exchange,
                         qe_error *error) {
  native->out.size = begun;
  if (exchange) {
    exchange->is_done = true;
    qe__pg_let_go(native, exchange);
  }
  return no_memory(error);
}

/* Sends Parse and Describe. */
static qe_status ask_description(qe_connection *connection, qe_pg_prepared *prepared,
                                 qe_pg_exchange **out, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_DESCRIBE);
  int64_t begun = native->out.size;

  *out = NULL;
  if (!exchange) return no_memory(error);
  if (prepared->is_on_server) put_close(native, prepared);
  prepared->is_on_server = false;
  prepared->is_described = false;
  if (!put_parse(&native->out, prepared) || !put_describe(&native->out, prepared) ||
      !qe__pg_put_sync(&native->out)) {
    return abandon(native, begun, exchange, error);
  }
  exchange->prepared = prepared;
  prepared->references++;
  qe__pg_queue(native, exchange);
  *out = exchange;
  return QE_OK;
}

/* A text of all types that have to be learned, as `{16402,16405}`; empty without any.
 */
static bool list_unknown(const qe_postgres *native, const qe_pg_prepared *prepared,
                         qe_bytes *out) {
  int32_t count = prepared->parameter_count + prepared->field_count;

  for (int32_t i = 0; i < count; i++) {
    char number[16];
    uint32_t oid = i < prepared->parameter_count
                       ? prepared->parameter_oids[i]
                       : prepared->fields[i - prepared->parameter_count].oid;

    if (qe__pg_type_find(&native->types, oid)) continue;
    (void)snprintf(number, sizeof number, "%c%lu", out->size ? ',' : '{',
                   (unsigned long)oid);
    if (!qe__pg_put(out, number, (int64_t)strlen(number))) return false;
  }
  return out->size == 0 || qe__pg_put(out, "}", 1);
}

/* Asks the catalog about the types listed. */
static qe_status ask_types(qe_connection *connection, const qe_bytes *oids,
                           qe_pg_exchange **out, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_LEARN);
  qe_bytes *to = &native->out;
  int64_t group = to->size;
  int64_t begun = qe__pg_begin(to, 'P');
  bool is_put;

  *out = NULL;
  /* Type 25 is text. */
  is_put = exchange && begun >= 0 && qe__pg_put_text(to, "") &&
           qe__pg_put_text(to, QE_PG_TYPES_QUERY) && qe__pg_put_int16(to, 1) &&
           qe__pg_put_int32(to, 25);
  if (is_put) qe__pg_end(to, begun);
  begun = is_put ? qe__pg_begin(to, 'B') : -1;
  is_put = begun >= 0 && qe__pg_put_text(to, "") && qe__pg_put_text(to, "") &&
           qe__pg_put_int16(to, 0) && qe__pg_put_int16(to, 1) &&
           qe__pg_put_int32(to, (int32_t)oids->size) &&
           qe__pg_put(to, oids->data, oids->size) && qe__pg_put_int16(to, 0);
  if (is_put) qe__pg_end(to, begun);
  if (!is_put || !put_execute(to) || !qe__pg_put_sync(to) ||
      (!native->learned.columns &&
       !qe__batch_init(&native->learned, QE_PG_TYPES_COLUMNS))) {
    return abandon(native, group, exchange, error);
  }
  qe__batch_reset(&native->learned);
  exchange->target = &native->learned;
  qe__pg_queue(native, exchange);
  *out = exchange;
  return QE_OK;
}

static qe_status describe_columns(qe_statement *statement, qe_error *error) {
  qe_pg_prepared *prepared = native_of(statement)->prepared;
  const qe_postgres *native = qe__pg_of(statement->connection);

  statement->columns = qe__zalloc((int64_t)sizeof(qe_column_meta) *
                                  ((int64_t)prepared->field_count + 1));
  if (!statement->columns) return no_memory(error);
  for (int32_t i = 0; i < prepared->field_count; i++) {
    qe_pg_field *field = &prepared->fields[i];
    qe_column_meta *column = &statement->columns[i];

    field->type = qe__pg_type_find(&native->types, field->oid);
    qe__pg_type_describe(field->type, field->typmod, column);
    statement->has_containers = statement->has_containers ||
                                column->type == QE_TYPE_JSON ||
                                column->type == QE_TYPE_NESTED;
    column->name = qe__copy_text(field->name, (int64_t)strlen(field->name));
    statement->column_count = i + 1;
    if (field->type && field->type->name) {
      const char *named = field->type->name;
      column->declared_type = qe__copy_text(named, (int64_t)strlen(named));
      if (!column->declared_type) return no_memory(error);
    }
    if (!column->name) return no_memory(error);
  }
  return QE_OK;
}

static qe_status describe_parameters(qe_statement *statement, qe_error *error) {
  const qe_pg_prepared *prepared = native_of(statement)->prepared;
  const qe_pg_text *text = &prepared->text;

  statement->parameter_count = prepared->parameter_count;
  statement->parameter_types = prepared->parameter_oids;
  statement->parameter_names =
      qe__zalloc((int64_t)sizeof(char *) * ((int64_t)prepared->parameter_count + 1));
  if (!statement->parameter_names) return no_memory(error);
  for (int32_t i = 0; i < prepared->parameter_count; i++) {
    const char *name = i < text->parameter_count ? text->names[i] : NULL;
    if (!name) continue;
    statement->parameter_names[i] = qe__copy_text(name, (int64_t)strlen(name));
    if (!statement->parameter_names[i]) return no_memory(error);
  }
  return QE_OK;
}

static void forget_shape(qe_statement *statement) {
  for (int32_t i = 0; i < statement->column_count; i++) {
    qe__free(statement->columns[i].name);
    qe__free(statement->columns[i].declared_type);
  }
  for (int32_t i = 0; statement->parameter_names && i < statement->parameter_count;
       i++) {
    qe__free(statement->parameter_names[i]);
  }
  qe__free(statement->columns);
  qe__free(statement->parameter_names);
  statement->columns = NULL;
  statement->parameter_names = NULL;
  statement->column_count = 0;
  statement->parameter_count = 0;
}

static qe_status settle(qe_statement *statement, qe_error *error) {
  qe_pg_statement *own = native_of(statement);
  qe_pg_verb verb = qe__pg_verb(statement->sql, statement->sql_size);
  qe_status status;

  forget_shape(statement);
  own->prepared->is_described = true;
  status = describe_columns(statement, error);
  if (status == QE_OK) status = describe_parameters(statement, error);
  qe__batch_clear(&own->spool);
  if (status == QE_OK && !qe__statement_spare(statement, &own->spool)) {
    status = no_memory(error);
  }
  statement->counts_changes = verb == QE_PG_VERB_CHANGE || verb == QE_PG_VERB_COPY;
  statement->is_reading = verb != QE_PG_VERB_CHANGE;
  statement->opens_transaction =
      verb != QE_PG_VERB_TRANSACTION && verb != QE_PG_VERB_ALONE;
  own->stage = QE_PG_READY;
  return status;
}

/* Ends the exchange of a stage; its refusal, if any, is the answer. */
static qe_status end_stage(qe_statement *statement, qe_error *error) {
  qe_pg_statement *own = native_of(statement);
  qe_status status = qe__pg_outcome(statement->connection, own->exchange, error);

  qe__pg_let_go(qe__pg_of(statement->connection), own->exchange);
  own->exchange = NULL;
  return status;
}

/* What follows a description: the catalog is asked, or all is known. */
static qe_status after_description(qe_statement *statement, qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = native_of(statement);
  qe_bytes oids = {0};
  qe_status status = QE_OK;

  if (!list_unknown(native, own->prepared, &oids)) status = no_memory(error);
  if (status == QE_OK && oids.size == 0) {
    status = settle(statement, error);
  } else if (status == QE_OK) {
    own->stage = QE_PG_LEARNING;
    status = ask_types(statement->connection, &oids, &own->exchange, error);
  }
  qe__bytes_clear(&oids);
  return status;
}

static qe_status begin_stages(qe_statement *statement, qe_error *error) {
  qe_pg_statement *own = native_of(statement);

  if (own->prepared->is_described) return settle(statement, error);
  own->stage = QE_PG_DESCRIBING;
  return ask_description(statement->connection, own->prepared, &own->exchange, error);
}

/* Goes through the stages that are left; may want to wait. */
static qe_status go_on(qe_statement *statement, qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_pg_statement *own = native_of(statement);
  qe_status status = QE_OK;

  if (own->stage == QE_PG_NEW) status = begin_stages(statement, error);
  while (status == QE_OK && own->stage != QE_PG_READY) {
    status = qe__pg_finish(connection, own->exchange, error);
    if (status != QE_OK) return status;
    status = end_stage(statement, error);
    if (status != QE_OK) return status;
    if (own->stage == QE_PG_DESCRIBING) {
      own->prepared->is_on_server = own->prepared->name[0] != '\0';
      status = after_description(statement, error);
    } else {
      status = qe__pg_types_learn(&qe__pg_of(connection)->types,
                                  &qe__pg_of(connection)->learned, error);
      if (status == QE_OK) status = settle(statement, error);
    }
  }
  return status;
}

static qe_status check_text(const qe_connection *connection,
                            const qe_statement *statement, qe_error *error) {
  if (memchr(statement->sql, '\0', (size_t)statement->sql_size)) {
    return qe__fail(error, QE_ERR_ENCODING, "The statement holds a zero byte");
  }
  if (!qe__pg_of(connection)->is_utf8) {
    return qe__fail(error, QE_ERR_ENCODING,
                    "The session's client_encoding is no longer UTF8");
  }
  return QE_OK;
}

qe_status qe__backend_prepare(qe_statement *statement, qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_statement *own = native_of(statement);
  qe_status status = qe__pg_check(connection, error);

  if (status != QE_OK) return status;
  if (own) return go_on(statement, error);
  status = check_text(connection, statement, error);
  if (status != QE_OK) return status;
  own = qe__zalloc(sizeof *own);
  if (!own) return no_memory(error);
  statement->native = own;
  own->prepared = find_prepared(native, statement);
  if (own->prepared) {
    own->prepared->references++;
  } else {
    status = make_prepared(statement, &own->prepared, error);
  }
  return status == QE_OK ? go_on(statement, error) : status;
}

void qe__backend_finalize(qe_statement *statement) {
  qe_pg_statement *own = native_of(statement);
  qe_postgres *native = qe__pg_of(statement->connection);

  if (!own) return;
  qe__pg_let_go(native, own->exchange);
  qe__pg_prepared_let_go(native, own->prepared);
  qe__batch_clear(&own->spool);
  qe__bytes_clear(&own->bound);
  qe__bytes_clear(&own->bound_types);
  qe__free(own);
  statement->native = NULL;
}

/* Running. */

void qe__backend_reset(qe_statement *statement) {
  qe_pg_statement *own = native_of(statement);

  if (!own || !own->exchange) return;
  qe__pg_abandon_run(qe__pg_of(statement->connection), own->exchange);
  qe__pg_let_go(qe__pg_of(statement->connection), own->exchange);
  own->exchange = NULL;
}

/* Begins a group with what stands before the runs: perhaps BEGIN, perhaps Parse. */
static bool put_prelude(const qe_postgres *native, const qe_pg_statement *own,
                        qe_bytes *out) {
  if (own->is_beginning && !qe__pg_put_begin(native, out)) return false;
  return own->prepared->is_on_server ||
         (put_parse(out, own->prepared) && put_describe(out, own->prepared));
}

/* The group's messages are there: queues what will come for them. */
static void queue_run(qe_statement *statement, qe_pg_exchange *exchange) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = native_of(statement);

  if (own->prepared->name[0]) own->prepared->is_on_server = true;
  if (own->is_beginning) native->transaction = 'T';
  exchange->begins_left = own->is_beginning;
  exchange->prepared = own->prepared;
  own->prepared->references++;
  qe__pg_queue(native, exchange);
  own->exchange = exchange;
}

static qe_status send_run(qe_statement *statement, qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = native_of(statement);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_RUN);
  qe_bytes *out = &native->out;
  int64_t group = out->size;
  int64_t begun =
      exchange && put_prelude(native, own, out) ? begin_bind(out, own->prepared) : -1;

  if (begun < 0 || !qe__pg_put(out, own->bound.data, own->bound.size) ||
      !end_bind(out, begun, own->prepared) || !qe__pg_put_sync(out)) {
    return abandon(native, group, exchange, error);
  }
  exchange->target = statement->column_count > 0 ? &own->spool : NULL;
  queue_run(statement, exchange);
  return QE_OK;
}

static qe_status flush(qe_connection *connection, qe_error *error) {
  qe_status status;

  if (connection->is_piped && qe__pg_of(connection)->out.size < PIPED_BYTES) {
    return QE_OK;
  }
  status = qe__pg_flush(connection, error);
  return status == QE_WANT_WRITE ? QE_OK : status;
}

qe_status qe__backend_bind(qe_statement *statement, const qe_value *values,
                           bool is_beginning, qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_statement *own = native_of(statement);
  qe_status status = qe__pg_check(connection, error);

  if (status != QE_OK) return status;
  own->bound.size = 0;
  qe__batch_reset(&own->spool);
  own->is_retried = false;
  own->is_redescribing = false;
  own->is_beginning = is_beginning;
  status = put_values(native, &own->bound, own->prepared, values, error);
  if (status == QE_OK) status = send_run(statement, error);
  return status == QE_OK ? flush(connection, error) : status;
}

/* Whether a refusal says that the server no longer knows what we prepared. */
static bool is_stale(const qe_pg_exchange *exchange) {
  const char *sqlstate = exchange->error.sqlstate;

  return exchange->is_shape_changed || strcmp(sqlstate, "26000") == 0 ||
         (strcmp(sqlstate, "0A000") == 0 &&
          strstr(exchange->error.message, "cached plan"));
}

/* Whether the run may be sent again: nothing of it was done, and outside a transaction,
 * or in one that it began itself. */
static bool may_retry(const qe_postgres *native, const qe_pg_statement *own) {
  if (own->is_retried || !is_stale(own->exchange)) return false;
  if (native->head || native->lost.status != QE_OK) return false;
  if (own->exchange->is_shape_changed) return false; /* it did run */
  return native->transaction == 'I' || own->is_beginning;
}

/* Other statements of the same text must find out anew what it gives. */
static void outdate_others(const qe_statement *statement) {
  const qe_pg_prepared *prepared = native_of(statement)->prepared;

  for (qe_statement *s = statement->connection->newest; s; s = s->older) {
    if (s != statement && s->native && native_of(s)->prepared == prepared) {
      s->is_ready = false;
    }
  }
}

/* Begins to run it again, having the server parse and describe the text anew. */
static qe_status retry(qe_statement *statement, qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_statement *own = native_of(statement);
  qe_pg_exchange *undoing = NULL;
  qe_status status = QE_OK;

  own->is_retried = true;
  qe__pg_let_go(native, own->exchange);
  own->exchange = NULL;
  own->bound_types.size = 0;
  if (!qe__pg_put(&own->bound_types, own->prepared->parameter_oids,
                  4 * (int64_t)own->prepared->parameter_count)) {
    return no_memory(error);
  }
  if (native->transaction == 'E') {
    status = qe__pg_query(connection, "ROLLBACK", 8, &undoing, error);
    qe__pg_let_go(native, undoing);
  }
  if (status != QE_OK) return status;
  outdate_others(statement);
  own->is_redescribing = true;
  own->stage = QE_PG_DESCRIBING;
  return ask_description(connection, own->prepared, &own->exchange, error);
}

static qe_status must_run_again(qe_connection *connection, const char *what,
                                qe_error *error) {
  qe_status status = qe__fail(error, QE_ERR_DATABASE,
                              "The %s changed since the statement was prepared; it was "
                              "prepared anew, and may be run again",
                              what);
  if (error) memcpy(error->sqlstate, "0A000", QE_PG_SQLSTATE_SIZE + 1);
  connection->diagnostics.size = 0;
  return status;
}

/* The new description is there: with parameters of the same types the run is sent
 * again; others need the values, which are gone. */
static qe_status resend(qe_statement *statement, qe_error *error) {
  qe_pg_statement *own = native_of(statement);
  qe_status status = go_on(statement, error);

  if (status != QE_OK) return status;
  own->is_redescribing = false;
  if (own->bound_types.size != 4 * (int64_t)own->prepared->parameter_count ||
      (own->bound_types.size > 0 &&
       memcmp(own->bound_types.data, own->prepared->parameter_oids,
              (size_t)own->bound_types.size) != 0)) {
    return must_run_again(statement->connection, "types of the parameters", error);
  }
  qe__batch_clear(&statement->batch);
  if (!qe__statement_spare(statement, &statement->batch)) return no_memory(error);
  return send_run(statement, error);
}

/* The run is over: what it did, or why it failed. */
static qe_status end_run(qe_statement *statement, qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = native_of(statement);
  qe_status status = qe__pg_outcome(statement->connection, own->exchange, error);

  if (own->exchange->is_shape_changed && status == QE_OK) {
    status = must_run_again(statement->connection, "columns of the result", error);
    if (error) error->was_sent = 1;
  }
  if (is_stale(own->exchange)) {
    own->prepared->is_described = false;
    statement->is_ready = false;
    outdate_others(statement);
  }
  if (statement->counts_changes) statement->changes = own->exchange->changes;
  qe__pg_let_go(native, own->exchange);
  own->exchange = NULL;
  if (own->bound.capacity > BOUND_KEPT) qe__bytes_clear(&own->bound);
  statement->is_running = false;
  return status;
}

/* Rows that have come already, while another statement waited for its own, lie in a
 * batch of their own: the one the statement has given may be being read meanwhile. */
static void take_spooled(qe_pg_statement *own, qe_batch *batch) {
  qe_batch taken = own->spool;

  own->spool = *batch;
  *batch = taken;
}

qe_status qe__backend_fill(qe_statement *statement, qe_batch *batch, int64_t max_rows,
                           int64_t max_bytes, qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_pg_statement *own = native_of(statement);
  qe_status status = QE_OK;

  if (own->is_redescribing) {
    status = resend(statement, error);
    if (status != QE_OK) {
      statement->is_running = qe__is_want(status);
      return status;
    }
  }
  if (own->spool.row_count > 0) {
    /* With rows in both, those in the batch are to be read first. */
    if (batch->row_count == 0) take_spooled(own, batch);
    return QE_OK;
  }
  if (own->exchange->target) own->exchange->target = batch;
  for (;;) {
    status = qe__pg_take(connection, own->exchange, max_rows, max_bytes, error);
    if (status != QE_OK || own->exchange->is_done) break;
    if (batch->row_count >= max_rows && statement->column_count > 0) break;
    status = qe__pg_transfer(connection, error);
    if (status != QE_OK) break;
  }
  if (own->exchange->target) own->exchange->target = &own->spool;
  if (qe__is_want(status)) return batch->row_count > 0 ? QE_OK : status;
  if (status != QE_OK) {
    statement->is_running = false;
    return status;
  }
  if (!own->exchange->is_done) return QE_OK;
  if (may_retry(qe__pg_of(connection), own)) {
    status = retry(statement, error);
    return status == QE_OK
               ? qe__backend_fill(statement, batch, max_rows, max_bytes, error)
               : status;
  }
  return end_run(statement, error);
}

/* Many. */

/* Puts rows until enough are on their way; the last is followed by Sync. A row that
 * cannot be put ends the group, and the rows before it stand. */
static qe_status put_rows(qe_statement *statement, const qe_value *values,
                          int64_t row_count, qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = native_of(statement);
  qe_bytes *out = &native->out;

  while (own->next_row < row_count && out->size - native->out_start < SEND_BYTES) {
    int64_t begun = out->size;
    qe_status status =
        put_row(native, out, own->prepared,
                values + own->next_row * statement->parameter_count, &own->failure);

    if (status != QE_OK) {
      out->size = begun;
      row_count = own->next_row;
    } else {
      own->next_row++;
    }
  }
  if (own->next_row < row_count) return QE_OK;
  own->next_row = INT64_MAX;
  return qe__pg_put_sync(out) ? QE_OK : no_memory(error);
}

static qe_status begin_many(qe_statement *statement, bool is_beginning,
                            qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = native_of(statement);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_MANY);
  int64_t group = native->out.size;

  own->is_beginning = is_beginning;
  own->next_row = 0;
  qe__error_clear(&own->failure);
  if (!exchange || !put_prelude(native, own, &native->out)) {
    return abandon(native, group, exchange, error);
  }
  queue_run(statement, exchange);
  return QE_OK;
}

static qe_status end_many(qe_statement *statement, int64_t *rows_done,
                          qe_error *error) {
  qe_pg_statement *own = native_of(statement);
  qe_status status;

  *rows_done = own->exchange->completed;
  status = end_run(statement, error);
  if (status == QE_OK && own->failure.status != QE_OK) {
    if (error) *error = own->failure;
    status = (qe_status)own->failure.status;
  }
  return status;
}

qe_status qe__backend_run_many(qe_statement *statement, const qe_value *values,
                               int64_t row_count, bool is_beginning, int64_t *rows_done,
                               qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_pg_statement *own = native_of(statement);
  qe_status status = qe__pg_check(connection, error);

  if (status == QE_OK && !own->exchange) {
    status = begin_many(statement, is_beginning, error);
  }
  while (status == QE_OK && !own->exchange->is_done) {
    if (own->next_row != INT64_MAX) {
      status = put_rows(statement, values, row_count, error);
    }
    if (status == QE_OK) {
      status = qe__pg_take(connection, own->exchange, INT64_MAX, INT64_MAX, error);
    }
    if (status == QE_OK && !own->exchange->is_done) {
      status = qe__pg_transfer(connection, error);
    }
  }
  return status == QE_OK ? end_many(statement, rows_done, error) : status;
}
