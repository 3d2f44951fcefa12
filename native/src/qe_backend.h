/* What a database backend gives to the rest. Linked, not looked up: one engine holds
 * one backend, so there is no table of functions. All are called by the one thread
 * that is inside the connection, except qe__backend_interrupt. */
#ifndef QE_BACKEND_H
#define QE_BACKEND_H

#include "qe_connection.h"

/* Functions that may answer QE_WANT_READ or QE_WANT_WRITE (they say so) are called
 * again with the same arguments once the socket is ready, until they give another
 * answer. */

/* Opens the database and sets connection->native; on failure native is NULL. May want
 * to wait, with native set: then qe__backend_resume_open() goes on. */
qe_status qe__backend_open(qe_connection *connection, const char *const *keywords,
                           const char *const *values, qe_error *error);
qe_status qe__backend_resume_open(qe_connection *connection, qe_error *error);
/* What to wait for; -1 for a database that is never waited for. */
int64_t qe__backend_socket(const qe_connection *connection);
/* The time is up, or the work should stop (QE_ERR_TIMEOUT, QE_ERR_INTERRUPTED): ends
 * what the server is doing for this connection, or gives the connection up. */
void qe__backend_abort(qe_connection *connection, qe_status reason);
/* See the functions of the same names in abi/qe_abi.h. */
qe_status qe__backend_set(qe_connection *connection, const char *keyword,
                          const char *value, qe_error *error);
const char *qe__backend_about(qe_connection *connection, const char *what);
void qe__backend_next_message(qe_connection *connection, const char **data,
                              int64_t *size);
qe_status qe__backend_poll(qe_connection *connection, qe_error *error);
/* Whether the other end has gone, as far as can be known without waiting: what came
 * unasked is taken in, and with it the news of an end. */
bool qe__backend_is_gone(qe_connection *connection);
qe_status qe__backend_cancel(qe_connection *connection, int64_t *socket,
                             qe_error *error);
/* Ends connection->native. Every statement has been finalized before. */
void qe__backend_close(qe_connection *connection);
/* Any thread; the native door is held. */
void qe__backend_interrupt(qe_connection *connection);

bool qe__backend_in_transaction(const qe_connection *connection);
/* Each of these may want to wait. */
qe_status qe__backend_begin(qe_connection *connection, qe_error *error);
qe_status qe__backend_commit(qe_connection *connection, qe_error *error);
qe_status qe__backend_rollback(qe_connection *connection, qe_error *error);
qe_status qe__backend_script(qe_connection *connection, const char *sql, int64_t size,
                             qe_error *error);

/* Whether a statement that is prepared is there for the next one who runs its text. */
bool qe__backend_keeps_statements(const qe_connection *connection);
/* Prepares statement->sql: sets native, columns, parameters and the flags. May want to
 * wait. */
qe_status qe__backend_prepare(qe_statement *statement, qe_error *error);
void qe__backend_finalize(qe_statement *statement);

/* Opens a transaction if is_beginning, and starts the statement with one row of values,
 * copying what lives shorter than the run. Never waits. */
qe_status qe__backend_bind(qe_statement *statement, const qe_value *values,
                           bool is_beginning, qe_error *error);
/* Adds rows to the batch until it holds max_rows, the texts and blobs added reach
 * max_bytes, or the result ends; then clears statement->is_running and sets changes and
 * last_row_id. batch is the statement's own or one with like columns. May want to wait,
 * gives fewer rows instead where it has some, and more where they have come already. */
qe_status qe__backend_fill(qe_statement *statement, qe_batch *batch, int64_t max_rows,
                           int64_t max_bytes, qe_error *error);
/* Runs the statement to its end, dropping rows, for each row of values. May want to
 * wait, having set *rows_done to what to begin with the next time. */
qe_status qe__backend_run_many(qe_statement *statement, const qe_value *values,
                               int64_t row_count, bool is_beginning, int64_t *rows_done,
                               qe_error *error);
/* Makes a running statement stop; never fails in a way that matters. */
void qe__backend_reset(qe_statement *statement);

#endif
