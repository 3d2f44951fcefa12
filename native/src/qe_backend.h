/* What a database backend gives to the rest. Linked, not looked up: one engine holds
 * one backend, so there is no table of functions. All are called by the one thread
 * that is inside the connection, except qe__backend_interrupt. */
#ifndef QE_BACKEND_H
#define QE_BACKEND_H

#include "qe_connection.h"

/* Opens the database and sets connection->native; on failure native is NULL. */
qe_status qe__backend_open(qe_connection *connection, const char *const *keywords,
                           const char *const *values, qe_error *error);
/* Ends connection->native. Every statement has been finalized before. */
void qe__backend_close(qe_connection *connection);
/* Any thread; the native door is held. */
void qe__backend_interrupt(qe_connection *connection);

bool qe__backend_in_transaction(const qe_connection *connection);
qe_status qe__backend_begin(qe_connection *connection, qe_error *error);
qe_status qe__backend_commit(qe_connection *connection, qe_error *error);
qe_status qe__backend_rollback(qe_connection *connection, qe_error *error);
qe_status qe__backend_script(qe_connection *connection, const char *sql, int64_t size,
                             qe_error *error);

/* Prepares statement->sql: sets native, columns, parameters and the flags. */
qe_status qe__backend_prepare(qe_statement *statement, qe_error *error);
void qe__backend_finalize(qe_statement *statement);

/* Binds one row of values, copying what lives shorter than the run. */
qe_status qe__backend_bind(qe_statement *statement, const qe_value *values,
                           qe_error *error);
/* Adds rows to the batch until it holds max_rows, the texts and blobs added reach
 * max_bytes, or the result ends; then clears statement->is_running and sets changes and
 * last_row_id. batch is the statement's own or one with like columns. */
qe_status qe__backend_fill(qe_statement *statement, qe_batch *batch, int64_t max_rows,
                           int64_t max_bytes, qe_error *error);
/* Runs the statement to its end, dropping rows, for each row of values. */
qe_status qe__backend_run_many(qe_statement *statement, const qe_value *values,
                               int64_t row_count, int64_t *rows_done, qe_error *error);
/* Makes a running statement stop; never fails in a way that matters. */
void qe__backend_reset(qe_statement *statement);

#endif
