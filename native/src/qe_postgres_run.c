/* PostgreSQL: running statements and reading what they give.
 *
 * A run does not wait: its messages are sent at once, behind a BEGIN where a
 * transaction is due, in one group, so that a statement never runs without the
 * transaction it belongs to. Values go and come in their binary form, and as text where
 * a type has none that we read.
 *
 * What the server knows can go away under us: DEALLOCATE ALL, a pooler that hands us
 * another server, a table that was altered. Such a run is sent again, once, where
 * nothing can have happened yet and no transaction of the user's was broken by it. */
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres_statement.h"

/* Bytes of executemany() on their way at once; and rows to a group. */
enum { SEND_BYTES = 262144 };
/* Bytes of a pipeline that are sent without anybody waiting: enough for a hundred small
 * runs, so that the server begins while we go on. */
enum { PIPED_BYTES = 16384 };
/* What a statement keeps of a run's parameters for the next run's. */
enum { BOUND_KEPT = 65536 };

void qe__backend_reset(qe_statement *statement) {
  qe_pg_statement *own = qe__pg_statement_of(statement);

  if (!own || !own->exchange) return;
  qe__pg_abandon_run(qe__pg_of(statement->connection), own->exchange);
  qe__pg_let_go(qe__pg_of(statement->connection), own->exchange);
  own->exchange = NULL;
}

/* Begins a group with what stands before the runs: perhaps BEGIN, perhaps Parse. */
static bool put_prelude(const qe_postgres *native, const qe_pg_statement *own,
                        qe_bytes *out) {
  if (own->is_beginning && !qe__pg_put_begin(native, out)) return false;
  return own->prepared->is_on_server || (qe__pg_put_parse(out, own->prepared) &&
                                         qe__pg_put_describe(out, own->prepared));
}

/* The group's messages are there: queues what will come for them. */
static void queue_run(qe_statement *statement, qe_pg_exchange *exchange) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = qe__pg_statement_of(statement);

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
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_RUN);
  qe_bytes *out = &native->out;
  int64_t group = out->size;
  int64_t begun = exchange && put_prelude(native, own, out)
                      ? qe__pg_begin_bind(out, own->prepared)
                      : -1;

  if (begun < 0 || !qe__pg_put(out, own->bound.data, own->bound.size) ||
      !qe__pg_end_bind(out, begun, own->prepared) || !qe__pg_put_sync(out)) {
    return qe__pg_abandon_group(native, group, exchange, error);
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
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_status status = qe__pg_check(connection, error);

  if (status != QE_OK) return status;
  own->bound.size = 0;
  qe__batch_reset(&own->spool);
  own->is_retried = false;
  own->is_redescribing = false;
  own->is_beginning = is_beginning;
  status = qe__pg_put_values(native, &own->bound, own->prepared, values, error);
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
  const qe_pg_prepared *prepared = qe__pg_statement_of(statement)->prepared;

  for (qe_statement *s = statement->connection->newest; s; s = s->older) {
    if (s != statement && s->native && qe__pg_statement_of(s)->prepared == prepared) {
      s->is_ready = false;
    }
  }
}

/* Begins to run it again, having the server parse and describe the text anew. */
static qe_status retry(qe_statement *statement, qe_error *error) {
  qe_connection *connection = statement->connection;
  qe_postgres *native = qe__pg_of(connection);
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_pg_exchange *undoing = NULL;
  qe_status status = QE_OK;

  own->is_retried = true;
  qe__pg_let_go(native, own->exchange);
  own->exchange = NULL;
  own->bound_types.size = 0;
  if (!qe__pg_put(&own->bound_types, own->prepared->parameter_oids,
                  4 * (int64_t)own->prepared->parameter_count)) {
    return qe__pg_no_memory(error);
  }
  if (native->transaction == 'E') {
    status = qe__pg_query(connection, "ROLLBACK", 8, &undoing, error);
    qe__pg_let_go(native, undoing);
  }
  if (status != QE_OK) return status;
  outdate_others(statement);
  own->is_redescribing = true;
  own->stage = QE_PG_DESCRIBING;
  return qe__pg_ask_description(connection, own->prepared, &own->exchange, error);
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
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_status status = qe__pg_resume_preparing(statement, error);

  if (status != QE_OK) return status;
  own->is_redescribing = false;
  if (own->bound_types.size != 4 * (int64_t)own->prepared->parameter_count ||
      (own->bound_types.size > 0 &&
       memcmp(own->bound_types.data, own->prepared->parameter_oids,
              (size_t)own->bound_types.size) != 0)) {
    return must_run_again(statement->connection, "types of the parameters", error);
  }
  qe__batch_clear(&statement->batch);
  if (!qe__statement_spare(statement, &statement->batch))
    return qe__pg_no_memory(error);
  return send_run(statement, error);
}

/* The run is over: what it did, or why it failed. */
static qe_status end_run(qe_statement *statement, qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = qe__pg_statement_of(statement);
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
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_status status = QE_OK;

  if (qe__is_interrupted(connection) && !connection->is_stepped) {
    status = qe__check_time(connection, error);
    if (status != QE_OK) {
      statement->is_running = false;
      return status;
    }
  }
  if (own->is_redescribing) {
    status = resend(statement, error);
    if (status != QE_OK) {
      statement->is_running = qe__is_want(status);
      return status;
    }
  }
  if (own->spool.row_count > 0) {
    /* With rows in both, those in the batch are to be read first. */
    if (batch->row_count > 0) return QE_OK;
    take_spooled(own, batch);
    /* The run may be over, and have failed behind them. */
    if (!own->exchange->is_done) return QE_OK;
  }
  if (own->exchange->target) own->exchange->target = batch;
  own->exchange->received = 0;
  for (;;) {
    status = qe__pg_take(connection, own->exchange, max_rows, max_bytes, error);
    if (status != QE_OK || own->exchange->is_done) break;
    if (statement->column_count > 0 &&
        (batch->row_count >= max_rows || own->exchange->received >= max_bytes)) {
      break;
    }
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
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_bytes *out = &native->out;

  while (own->next_row < row_count && out->size - native->out_start < SEND_BYTES) {
    int64_t begun = out->size;
    qe_status status = qe__pg_put_row(
        native, out, own->prepared, values + own->next_row * statement->parameter_count,
        &own->failure);

    if (status != QE_OK) {
      out->size = begun;
      row_count = own->next_row;
    } else {
      own->next_row++;
    }
  }
  if (own->next_row < row_count) return QE_OK;
  own->next_row = INT64_MAX;
  return qe__pg_put_sync(out) ? QE_OK : qe__pg_no_memory(error);
}

static qe_status begin_many(qe_statement *statement, bool is_beginning,
                            qe_error *error) {
  qe_postgres *native = qe__pg_of(statement->connection);
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_pg_exchange *exchange = qe__pg_exchange_new(native, QE_PG_MANY);
  int64_t group = native->out.size;

  own->is_beginning = is_beginning;
  own->next_row = 0;
  qe__error_clear(&own->failure);
  if (!exchange || !put_prelude(native, own, &native->out)) {
    return qe__pg_abandon_group(native, group, exchange, error);
  }
  queue_run(statement, exchange);
  return QE_OK;
}

static qe_status end_many(qe_statement *statement, int64_t row_count,
                          int64_t *rows_done, qe_error *error) {
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_status status;

  *rows_done = own->exchange->completed;
  status = end_run(statement, error);
  if (status == QE_OK && own->failure.status == QE_OK && *rows_done != row_count) {
    return qe__pg_lose(statement->connection, QE_ERR_PROTOCOL,
                       "The server answered another number of rows than were sent",
                       error);
  }
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
  qe_pg_statement *own = qe__pg_statement_of(statement);
  qe_status status = qe__pg_check(connection, error);

  if (status == QE_OK && !own->exchange) status = qe__check_limit(connection, error);
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
      /* The server keeps short answers back until there is a Sync: while rows are left
       * to be sent there is nothing to wait for. */
      if (status == QE_WANT_READ && own->next_row != INT64_MAX) status = QE_OK;
    }
  }
  return status == QE_OK ? end_many(statement, row_count, rows_done, error) : status;
}
