/* PostgreSQL: preparing statements.
 *
 * A statement is parsed under a name once; statements of one text share the name. The
 * server says what types the parameters and the columns have; a type that is not built
 * in is looked up in the catalog, once for a connection. Preparing goes through stages
 * because each needs an answer of the server. */
#include <stdio.h>
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres_statement.h"

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
  if (!made) return qe__pg_no_memory(error);
  made->references = 1;
  made->sql_size = statement->sql_size;
  made->sql = qe__copy_text(statement->sql, statement->sql_size);
  if (!made->sql) {
    status = qe__pg_no_memory(error);
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

qe_status qe__pg_abandon_group(qe_postgres *native, int64_t begun,
                               qe_pg_exchange *exchange, qe_error *error) {
  native->out.size = begun;
  if (exchange) {
    exchange->is_done = true;
    qe__pg_let_go(native, exchange);
  }
  return qe__pg_no_memory(error);
}

qe_status qe__pg_ask_description(qe_connection *connection, qe_pg_prepared *prepared,
                                 qe_pg_exchange **out, qe_error *error) {
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_DESCRIBE);
  int64_t begun = native->out.size;

  *out = NULL;
  if (!exchange) return qe__pg_no_memory(error);
  if (prepared->is_on_server) put_close(native, prepared);
  prepared->is_on_server = false;
  prepared->is_described = false;
  if (!qe__pg_put_parse(&native->out, prepared) ||
      !qe__pg_put_describe(&native->out, prepared) || !qe__pg_put_sync(&native->out)) {
    return qe__pg_abandon_group(native, begun, exchange, error);
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
  if (!is_put || !qe__pg_put_execute(to) || !qe__pg_put_sync(to) ||
      (!native->learned.columns &&
       !qe__batch_init(&native->learned, QE_PG_TYPES_COLUMNS))) {
    return qe__pg_abandon_group(native, group, exchange, error);
  }
  qe__batch_reset(&native->learned);
  exchange->target = &native->learned;
  qe__pg_queue(native, exchange);
  *out = exchange;
  return QE_OK;
}

static qe_status describe_columns(qe_statement *statement, qe_error *error) {
  qe_pg_prepared *prepared = qe__pg_statement_of(statement)->prepared;
  const qe_postgres *native = qe__pg_of(statement->connection);

  statement->columns = qe__zalloc((int64_t)sizeof(qe_column_meta) *
                                  ((int64_t)prepared->field_count + 1));
  if (!statement->columns) return qe__pg_no_memory(error);
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
      if (!column->declared_type) return qe__pg_no_memory(error);
    }
    if (!column->name) return qe__pg_no_memory(error);
  }
  return QE_OK;
}

static qe_status describe_parameters(qe_statement *statement, qe_error *error) {
  const qe_pg_prepared *prepared = qe__pg_statement_of(statement)->prepared;
  const qe_pg_text *text = &prepared->text;

  statement->parameter_count = prepared->parameter_count;
  statement->parameter_types = prepared->parameter_oids;
  statement->parameter_names =
      qe__zalloc((int64_t)sizeof(char *) * ((int64_t)prepared->parameter_count + 1));
  if (!statement->parameter_names) return qe__pg_no_memory(error);
  for (int32_t i = 0; i < prepared->parameter_count; i++) {
    const char *name = i < text->parameter_count ? text->names[i] : NULL;
    if (!name) continue;
    statement->parameter_names[i] = qe__copy_text(name, (int64_t)strlen(name));
    if (!statement->parameter_names[i]) return qe__pg_no_memory(error);
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
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_pg_verb verb = qe__pg_verb(statement->sql, statement->sql_size);
  qe_status status;

  forget_shape(statement);
  own->prepared->is_described = true;
  status = describe_columns(statement, error);
  if (status == QE_OK) status = describe_parameters(statement, error);
  qe__batch_clear(&own->spool);
  if (status == QE_OK && !qe__statement_spare(statement, &own->spool)) {
    status = qe__pg_no_memory(error);
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
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_status status = qe__pg_outcome(statement->connection, own->exchange, error);

  qe__pg_let_go(qe__pg_of(statement->connection), own->exchange);
  own->exchange = NULL;
  return status;
}

/* What follows a description: the catalog is asked, or all is known. */
static qe_status after_description(qe_statement *statement, qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_bytes oids = {0};
  qe_status status = QE_OK;

  if (!list_unknown(native, own->prepared, &oids)) status = qe__pg_no_memory(error);
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
  qe_pg_statement *own = qe__pg_statement_of(statement);

  if (own->prepared->is_described) return settle(statement, error);
  own->stage = QE_PG_DESCRIBING;
  return qe__pg_ask_description(statement->connection, own->prepared, &own->exchange,
                                error);
}

qe_status qe__pg_resume_preparing(qe_statement *statement, qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_pg_statement *own = qe__pg_statement_of(statement);
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

bool qe__backend_keeps_statements(const qe_connection *connection) {
  return connection->cache_size > 0 && !qe__pg_of(connection)->is_nameless;
}

qe_status qe__backend_prepare(qe_statement *statement, qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_status status = qe__pg_check(connection, error);

  if (status != QE_OK) return status;
  if (own) return qe__pg_resume_preparing(statement, error);
  status = check_text(connection, statement, error);
  if (status != QE_OK) return status;
  own = qe__zalloc(sizeof *own);
  if (!own) return qe__pg_no_memory(error);
  statement->native = own;
  own->prepared = find_prepared(native, statement);
  if (own->prepared) {
    own->prepared->references++;
  } else {
    status = make_prepared(statement, &own->prepared, error);
  }
  return status == QE_OK ? qe__pg_resume_preparing(statement, error) : status;
}

void qe__backend_finalize(qe_statement *statement) {
  qe_pg_statement *own = qe__pg_statement_of(statement);
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
