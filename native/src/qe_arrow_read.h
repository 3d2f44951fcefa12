/* Arrow streams, read row by row: what others made becomes values for a database. */
#ifndef QE_ARROW_READ_H
#define QE_ARROW_READ_H

#include "qe.h"

typedef struct qe_arrow_input qe_arrow_input;

/* Moves the stream in, unless memory ends, and reads its schema. QE_ERR_TYPE for a
 * column of a type that is not read. On success the caller owns *out and ends it with
 * qe__arrow_input_free(). */
qe_status qe__arrow_input_new(struct ArrowArrayStream *stream, qe_arrow_input **out,
                              qe_error *error);
/* NULL is allowed. */
void qe__arrow_input_free(qe_arrow_input *input);

int32_t qe__arrow_input_columns(const qe_arrow_input *input);
/* Borrowed for as long as the input lives; never NULL. */
const char *qe__arrow_input_name(const qe_arrow_input *input, int32_t column);
/* What its values are, where they are not null. */
qe_value_kind qe__arrow_input_kind(const qe_arrow_input *input, int32_t column);

enum { QE_ARROW_ROWS = 256 };

/* Reads at most QE_ARROW_ROWS rows into values, row after row, column order[i] of the
 * stream as the i-th; *row_count is how many, 0 at the end. Borrowed until the next
 * call. A value that would lose something (QE_ERR_RANGE) is told once the rows before
 * it have been given. */
qe_status qe__arrow_input_read(qe_arrow_input *input, const int32_t *order,
                               qe_value *values, int64_t *row_count, qe_error *error);

#endif
