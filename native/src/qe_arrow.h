/* Results as Arrow: a statement becomes a stream of struct arrays. */
#ifndef QE_ARROW_H
#define QE_ARROW_H

#include "qe_connection.h"

/* What a column is in Arrow. */
typedef enum qe_arrow_kind {
  QE_ARROW_NULL,
  QE_ARROW_INT64,
  QE_ARROW_FLOAT64,
  QE_ARROW_UTF8,
  QE_ARROW_BINARY,
  QE_ARROW_BOOLEAN,
  QE_ARROW_DATE32,
  QE_ARROW_TIME64,
  QE_ARROW_TIMESTAMP,
  QE_ARROW_TIMESTAMPTZ,
  QE_ARROW_DECIMAL128
} qe_arrow_kind;

typedef struct qe_arrow_column {
  qe_arrow_kind kind;
  int32_t precision, scale; /* of a decimal */
  const char *name;         /* borrowed from the statement */
} qe_arrow_column;

/* Writes the schema of a struct array with these columns. */
qe_status qe__arrow_schema(const qe_arrow_column *columns, int32_t count,
                           struct ArrowSchema *out, qe_error *error);

/* Moves the batch's rows from first_row on into a struct array. Buffers that already
 * have Arrow's form are handed over, not copied; the batch is empty afterwards.
 * row_offset is the number of rows before this batch, for messages. */
qe_status qe__arrow_array(const qe_arrow_column *columns, qe_batch *batch,
                          int64_t first_row, int64_t row_offset, struct ArrowArray *out,
                          qe_error *error);

/* Makes the column what it has to be in Arrow, in place, where that loses nothing. */
qe_status qe__arrow_convert(const qe_arrow_column *wanted, qe_column *column,
                            int64_t first_row, int64_t row_count, int64_t row_offset,
                            qe_error *error);

/* qe_statement_arrow() for a thread that is inside the connection. The pulse is asked
 * whenever the stream reads, by whichever thread has it do so. */
qe_status qe__statement_arrow(qe_statement *statement, int64_t first_row,
                              qe_pulse pulse, void *pulse_context,
                              struct ArrowArrayStream *out, qe_error *error);

#endif
