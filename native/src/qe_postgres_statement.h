/* Between the files that prepare and run PostgreSQL's statements. */
#ifndef QE_POSTGRES_STATEMENT_H
#define QE_POSTGRES_STATEMENT_H

#include "qe_error.h"
#include "qe_postgres.h"

static inline qe_pg_statement *qe__pg_statement_of(const qe_statement *statement) {
  return statement->native;
}

static inline qe_status qe__pg_no_memory(qe_error *error) {
  return qe__fail_memory(error, "statement");
}

/* qe_postgres_message.c: what is said of a statement. Each false, or -1, without
 * memory.
 */
bool qe__pg_put_parse(qe_bytes *out, const qe_pg_prepared *prepared);
bool qe__pg_put_describe(qe_bytes *out, const qe_pg_prepared *prepared);
bool qe__pg_put_execute(qe_bytes *out);
/* What Bind says of one row of values: formats, then the values. */
qe_status qe__pg_put_values(qe_postgres *native, qe_bytes *out,
                            const qe_pg_prepared *prepared, const qe_value *values,
                            qe_error *error);
/* Begins a Bind of the nameless portal; what follows is qe__pg_put_values()'s. */
int64_t qe__pg_begin_bind(qe_bytes *out, const qe_pg_prepared *prepared);
/* Ends it, with an Execute behind it. */
bool qe__pg_end_bind(qe_bytes *out, int64_t begun, const qe_pg_prepared *prepared);
/* Bind and Execute of one row. */
qe_status qe__pg_put_row(qe_postgres *native, qe_bytes *out,
                         const qe_pg_prepared *prepared, const qe_value *values,
                         qe_error *error);

/* qe_postgres_prepare.c */

/* Takes back what was appended since, where a group could not be completed. */
qe_status qe__pg_abandon_group(qe_postgres *native, int64_t begun,
                               qe_pg_exchange *exchange, qe_error *error);
/* Sends Parse and Describe. */
qe_status qe__pg_ask_description(qe_connection *connection, qe_pg_prepared *prepared,
                                 qe_pg_exchange **out, qe_error *error);
/* Goes through the stages that are left; may want to wait. */
qe_status qe__pg_resume_preparing(qe_statement *statement, qe_error *error);

#endif
