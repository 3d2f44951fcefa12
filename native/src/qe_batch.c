/* A batch grows as rows come, because most results are one row and some are millions:
 * the first has room for eight. */
#include "qe_batch.h"

#include "qe_error.h"
#include "qe_mem.h"

enum { FIRST_CAPACITY = 8 };
/* What an idle statement may keep for its next run. */
enum { KEPT_ROWS = 1024, KEPT_BYTES = 256 * 1024 };

bool qe__batch_init(qe_batch *batch, int32_t column_count) {
  *batch = (qe_batch){0};
  if (column_count == 0) return true;
  batch->columns = qe__zalloc((int64_t)sizeof(qe_column) * column_count);
  if (batch->columns) batch->column_count = column_count;
  return batch->columns != NULL;
}

void qe__batch_clear(qe_batch *batch) {
  for (int32_t i = 0; batch->columns && i < batch->column_count; i++) {
    qe__column_clear(&batch->columns[i]);
  }
  qe__free(batch->columns);
  *batch = (qe_batch){0};
}

qe_status qe__batch_reserve(qe_batch *batch, int64_t capacity, qe_error *error) {
  for (int32_t i = 0; i < batch->column_count; i++) {
    qe_status status =
        qe__column_grow(&batch->columns[i], batch->row_count, capacity, error);
    if (status != QE_OK) return status;
  }
  batch->capacity = capacity;
  return QE_OK;
}

qe_status qe__batch_grow(qe_batch *batch, int64_t max_rows, qe_error *error) {
  int64_t capacity = batch->capacity > 0 ? batch->capacity * 2 : FIRST_CAPACITY;

  if (capacity > max_rows) capacity = max_rows;
  return qe__batch_reserve(batch, capacity, error);
}

void qe__batch_shrink(qe_batch *batch) {
  bool is_large = batch->capacity > KEPT_ROWS;

  for (int32_t i = 0; i < batch->column_count && !is_large; i++) {
    is_large = batch->columns[i].bytes.capacity > KEPT_BYTES;
  }
  if (!is_large) return;
  for (int32_t i = 0; i < batch->column_count; i++) {
    qe__column_clear(&batch->columns[i]);
  }
  batch->capacity = 0;
  batch->row_count = 0;
}
