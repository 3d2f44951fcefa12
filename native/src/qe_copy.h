/* COPY: data in bulk, into the database and out of it.
 *
 * While one is under way nothing else can be done with its connection. */
#ifndef QE_COPY_H
#define QE_COPY_H

#include "qe_connection.h"

/* How values are written, where it is not raw bytes that pass. */
typedef enum qe_copy_format {
  QE_COPY_BINARY,
  QE_COPY_TEXT,
  QE_COPY_CSV
} qe_copy_format;

/* Two hold it: who asked for it, and the connection while it is under way. The last to
 * let go frees it. */
typedef struct qe_copy {
  atomic_int references;
  atomic_bool is_orphan;     /* who asked for it has gone */
  qe_connection *connection; /* borrowed; who asked has a reference */
  /* Prepared, never run, and lent to who asked: its columns are those that pass. NULL
   * where they are not known; then only raw bytes pass. */
  qe_statement *shape;
  const uint32_t *types; /* of the shape's columns, by number; the backend's */
  void *native;          /* the backend's; owned */
  bool is_in;            /* into the database */
  qe_copy_format format;
  bool is_over;  /* has ended, one way or the other */
  int64_t rows;  /* how many the server says passed; -1 where it has not said */
  qe_bytes data; /* raw bytes that came out */
} qe_copy;

/* NULL without memory. */
qe_copy *qe__copy_new(qe_connection *connection);
/* Lets go; NULL is allowed. Any thread. */
void qe__copy_release(qe_copy *copy);

/* What a backend gives. All but the last are called inside, and may want to wait, to be
 * called again with the same arguments. A failure ends the COPY, except where it says
 * otherwise. */

/* Starts it, behind what opens a transaction if is_beginning. */
qe_status qe__backend_copy_begin(qe_copy *copy, const char *sql, int64_t size,
                                 bool is_beginning, qe_error *error);
/* Sends bytes; *done, 0 at first, says how many have been taken. */
qe_status qe__backend_copy_write(qe_copy *copy, const void *data, int64_t size,
                                 int64_t *done, qe_error *error);
/* Sends rows of values; *done, 0 at first, says how many have been taken. A row that
 * cannot be sent (QE_ERR_TYPE, QE_ERR_RANGE, QE_ERR_ENCODING) does not end the COPY;
 * the rows before it have been taken. */
qe_status qe__backend_copy_rows(qe_copy *copy, const qe_value *values,
                                int64_t row_count, int64_t *done, qe_error *error);
/* Whether a column of the shape can be sent values of that kind at all; QE_ERR_TYPE if
 * not. What each value says is seen when it is sent. Never waits. */
qe_status qe__backend_copy_takes(const qe_copy *copy, int32_t column,
                                 qe_value_kind kind, qe_error *error);
/* Reads raw bytes into copy->data, in place of what it held: about max_bytes, none at
 * the end. */
qe_status qe__backend_copy_read(qe_copy *copy, int64_t max_bytes, qe_error *error);
/* Reads rows into the batch, which has the shape's columns; none at the end. */
qe_status qe__backend_copy_fill(qe_copy *copy, qe_batch *batch, int64_t max_rows,
                                int64_t max_bytes, qe_error *error);
/* Ends it: with failure (terminated; NULL for none) as a failure, where the server
 * undoes what went in; what went out and was not read is dropped. Sets copy->rows. */
qe_status qe__backend_copy_end(qe_copy *copy, const char *failure, qe_error *error);
/* Frees copy->native. */
void qe__backend_copy_clear(qe_copy *copy);

#endif
