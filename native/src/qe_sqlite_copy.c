/* SQLite has no COPY: nothing is ever begun, so nothing else is ever called. */
#include <stddef.h>

#include "qe_copy.h"
#include "qe_error.h"

static qe_status refuse(qe_error *error) {
  return qe__fail(error, QE_ERR_MISUSE, "SQLite has no COPY");
}

qe_status qe__backend_copy_begin(qe_copy *copy, const char *sql, int64_t size,
                                 bool is_beginning, qe_error *error) {
  (void)copy;
  (void)sql;
  (void)size;
  (void)is_beginning;
  return refuse(error);
}

qe_status qe__backend_copy_write(qe_copy *copy, const void *data, int64_t size,
                                 int64_t *done, qe_error *error) {
  (void)copy;
  (void)data;
  (void)size;
  (void)done;
  return refuse(error);
}

qe_status qe__backend_copy_rows(qe_copy *copy, const qe_value *values,
                                int64_t row_count, int64_t *done, qe_error *error) {
  (void)copy;
  (void)values;
  (void)row_count;
  (void)done;
  return refuse(error);
}

qe_status qe__backend_copy_takes(const qe_copy *copy, int32_t column,
                                 qe_value_kind kind, qe_error *error) {
  (void)copy;
  (void)column;
  (void)kind;
  return refuse(error);
}

qe_status qe__backend_copy_read(qe_copy *copy, int64_t max_bytes, qe_error *error) {
  (void)copy;
  (void)max_bytes;
  return refuse(error);
}

qe_status qe__backend_copy_fill(qe_copy *copy, qe_batch *batch, int64_t max_rows,
                                int64_t max_bytes, qe_error *error) {
  (void)copy;
  (void)batch;
  (void)max_rows;
  (void)max_bytes;
  return refuse(error);
}

qe_status qe__backend_copy_end(qe_copy *copy, const char *failure, qe_error *error) {
  (void)copy;
  (void)failure;
  return refuse(error);
}

void qe__backend_copy_clear(qe_copy *copy) {
  (void)copy;
}
