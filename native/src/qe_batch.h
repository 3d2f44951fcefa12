/* Some rows of a result, column by column. */
#ifndef QE_BATCH_H
#define QE_BATCH_H

#include "qe_column.h"

typedef struct qe_batch {
  qe_column *columns; /* owned */
  int32_t column_count;
  int64_t row_count;
  int64_t capacity; /* rows there is room for */
} qe_batch;

/* Makes an empty batch of column_count columns; false when memory ends. */
bool qe__batch_init(qe_batch *batch, int32_t column_count);
/* Forgets the rows, keeps the memory. */
static inline void qe__batch_reset(qe_batch *batch) {
  for (int32_t i = 0; i < batch->column_count; i++) {
    qe__column_reset(&batch->columns[i]);
  }
  batch->row_count = 0;
}

void qe__batch_clear(qe_batch *batch);

/* Makes room for at least one more row, doubling up to max_rows. */
qe_status qe__batch_grow(qe_batch *batch, int64_t max_rows, qe_error *error);

/* Makes room for capacity rows in all. */
qe_status qe__batch_reserve(qe_batch *batch, int64_t capacity, qe_error *error);

/* Gives the memory back if an unusually large batch was held. */
void qe__batch_shrink(qe_batch *batch);

#endif
