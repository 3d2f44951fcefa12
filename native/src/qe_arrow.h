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
  QE_ARROW_DECIMAL128,
  QE_ARROW_INT16,
  QE_ARROW_INT32,
  QE_ARROW_FLOAT32,
  QE_ARROW_UUID,     /* 16 bytes, with the extension type arrow.uuid */
  QE_ARROW_INTERVAL, /* months, days and nanoseconds */
  QE_ARROW_LIST
} qe_arrow_kind;

typedef struct qe_arrow_column {
  qe_arrow_kind kind;
  int32_t precision, scale; /* of a decimal */
  const char *name;         /* borrowed from the statement */
  qe_type type;             /* as declared */
  qe_arrow_kind element;    /* of a list */
  qe_type element_type;     /* of a list */
  bool is_element;          /* rows are elements of a list, for messages */
} qe_arrow_column;

/* What the elements of a list are, as a column of their own. */
static inline qe_arrow_column qe__arrow_element(const qe_arrow_column *list) {
  return (qe_arrow_column){.kind = list->element,
                           .name = list->name,
                           .type = list->element_type,
                           .is_element = true};
}

/* Settles what a column is in Arrow: as it is declared, or as its first values are.
 * is_whole tells that there are no others. The name stays borrowed from meta. */
void qe__arrow_choose(const qe_column_meta *meta, const qe_column *column,
                      bool is_whole, qe_arrow_column *out);

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

/* The parts of qe__arrow_convert() for what is kept in a form of its own: uuids,
 * intervals, arrays and what becomes text. */
qe_status qe__arrow_convert_stored(const qe_arrow_column *wanted, qe_column *column,
                                   int64_t first_row, int64_t row_count,
                                   int64_t row_offset, qe_error *error);
/* Says that the row's value, of which shown is a text, is not what is wanted. */
qe_status qe__arrow_mismatch(const qe_arrow_column *wanted, const char *shown,
                             int64_t row, qe_error *error);

/* qe_statement_arrow() for a thread that is inside the connection. The pulse is asked
 * whenever the stream reads, by whichever thread has it do so. */
qe_status qe__statement_arrow(qe_statement *statement, int64_t first_row,
                              qe_pulse pulse, void *pulse_context,
                              struct ArrowArrayStream *out, qe_error *error);

#endif
