/* One column of a batch of rows, laid out as Arrow has it, so that the same bytes
 * serve rows and Arrow:
 *
 *   validity   one bit a row, least significant first; absent while no row is null
 *   values     8 bytes a row (4 for a date, one bit for a boolean)
 *   offsets    row_count + 1 int32, where each text or blob begins in bytes
 *   bytes      the texts or blobs, end to end
 *
 * The first value of a batch that is not null settles the column's kind, and the
 * declared type has a say: text in a DATE column that reads as a date becomes days. A
 * later value of another kind turns the column into QE_KIND_MIXED, which keeps a kind
 * for each row and loses nothing. A batch begins with the kind of the one before, since
 * most columns never change theirs. */
#ifndef QE_COLUMN_H
#define QE_COLUMN_H

#include <string.h>

#include "qe.h"
#include "qe_port.h"
#include "qe_text.h"

typedef enum qe_kind {
  QE_KIND_NULL = 0,  /* no value yet; in a mixed column: this row is null */
  QE_KIND_INT64,     /* values: int64_t */
  QE_KIND_FLOAT64,   /* values: double */
  QE_KIND_TEXT,      /* offsets, bytes */
  QE_KIND_BLOB,      /* offsets, bytes */
  QE_KIND_BOOLEAN,   /* values: one bit a row */
  QE_KIND_DATE,      /* values: int32_t, days from 1970-01-01 */
  QE_KIND_TIME,      /* values: int64_t, microseconds from midnight */
  QE_KIND_TIMESTAMP, /* values: int64_t, microseconds from 1970-01-01 */
  QE_KIND_MIXED,     /* kinds, and values and offsets both */
  QE_KIND_DECIMAL,  /* values: 16 bytes a row; this and what follows: for Arrow alone */
  QE_KIND_INT16,    /* values: int16_t */
  QE_KIND_INT32,    /* values: int32_t */
  QE_KIND_FLOAT32,  /* values: float */
  QE_KIND_UUID,     /* values: 16 bytes a row */
  QE_KIND_INTERVAL, /* values: int32_t months and days, int64_t nanoseconds */
  QE_KIND_LIST      /* offsets into the rows of child */
} qe_kind;

typedef struct qe_column {
  qe_type type;            /* as declared; the column's owner sets it once */
  qe_kind kind;            /* what every value of this batch is */
  int64_t null_count;      /* of this batch */
  int64_t capacity;        /* rows there is room for */
  uint8_t *validity;       /* owned; NULL until the first null of the batch */
  void *values;            /* owned; NULL until needed */
  int32_t *offsets;        /* owned; NULL until needed */
  uint8_t *kinds;          /* owned; a qe_kind a row, QE_KIND_MIXED only */
  qe_bytes bytes;          /* owned */
  struct qe_column *child; /* owned; of a list its elements, else NULL */
  int64_t child_count;     /* rows of it */
  int64_t validity_capacity, values_capacity, offsets_capacity, kinds_capacity;
} qe_column;

/* Forgets the rows, keeps the memory and the kind, if it is one that rows have. */
static inline void qe__column_reset(qe_column *column) {
  if (column->kind >= QE_KIND_MIXED) column->kind = QE_KIND_NULL;
  column->null_count = 0;
  column->bytes.size = 0;
}

/* Frees everything. */
void qe__column_clear(qe_column *column);
/* Makes room for capacity rows in every buffer in use. */
qe_status qe__column_grow(qe_column *column, int64_t row_count, int64_t capacity,
                          qe_error *error);

/* Settles the kind before a value comes, for a backend that knows it; the rows before
 * row must all be null. Does nothing where the column is of that kind already. */
qe_status qe__column_settle(qe_column *column, int64_t row, qe_kind kind,
                            qe_error *error);

/* The general way to add row number row; row < capacity. The short ways below fall
 * back to these where the column is not yet, or no longer, of the value's kind. */
qe_status qe__column_add_null(qe_column *column, int64_t row, qe_error *error);
qe_status qe__column_add_int64(qe_column *column, int64_t row, int64_t value,
                               qe_error *error);
qe_status qe__column_add_float64(qe_column *column, int64_t row, double value,
                                 qe_error *error);
qe_status qe__column_add_bytes(qe_column *column, int64_t row, qe_kind kind,
                               const void *data, int64_t size, qe_error *error);

/* A value of a kind that has values; date, time and timestamp as the kind says, a
 * boolean as 0 or 1. */
qe_status qe__column_add_value(qe_column *column, int64_t row, qe_kind kind,
                               int64_t value, qe_error *error);

/* Begins a text or blob that the caller appends to column->bytes itself, perhaps piece
 * by piece, and ends with qe__column_end_bytes(). When it cannot be completed the
 * caller sets column->bytes.size back to what it was. */
qe_status qe__column_begin_bytes(qe_column *column, int64_t row, qe_kind kind,
                                 qe_error *error);
void qe__column_end_bytes(qe_column *column, int64_t row, qe_kind kind);
/* The failure to say when qe__bytes_reserve() refuses column->bytes. */
qe_status qe__column_no_room(const qe_column *column, qe_error *error);

/* Whether no row of the batch has a value. */
static inline bool qe__column_is_empty(const qe_column *column, int64_t row_count) {
  return column->kind == QE_KIND_NULL || column->null_count == row_count;
}

static inline bool qe__column_is_null(const qe_column *column, int64_t row) {
  return column->null_count > 0 && !(column->validity[row >> 3] >> (row & 7) & 1);
}

static inline int64_t qe__column_int64(const qe_column *column, int64_t row) {
  return ((const int64_t *)column->values)[row];
}

static inline double qe__column_float64(const qe_column *column, int64_t row) {
  return ((const double *)column->values)[row];
}

static inline int32_t qe__column_int32(const qe_column *column, int64_t row) {
  return ((const int32_t *)column->values)[row];
}

static inline bool qe__column_bit(const qe_column *column, int64_t row) {
  return ((const uint8_t *)column->values)[row >> 3] >> (row & 7) & 1;
}

static inline const uint8_t *qe__column_bytes(const qe_column *column, int64_t row,
                                              int64_t *size) {
  *size = column->offsets[row + 1] - column->offsets[row];
  return column->bytes.data + column->offsets[row];
}

static inline qe_status qe__column_put_int64(qe_column *column, int64_t row,
                                             int64_t value, qe_error *error) {
  if (QE_LIKELY(column->kind == QE_KIND_INT64)) {
    ((int64_t *)column->values)[row] = value;
    return QE_OK;
  }
  return qe__column_add_int64(column, row, value, error);
}

static inline qe_status qe__column_put_float64(qe_column *column, int64_t row,
                                               double value, qe_error *error) {
  if (QE_LIKELY(column->kind == QE_KIND_FLOAT64)) {
    ((double *)column->values)[row] = value;
    return QE_OK;
  }
  return qe__column_add_float64(column, row, value, error);
}

static inline qe_status qe__column_put_boolean(qe_column *column, int64_t row,
                                               bool value, qe_error *error) {
  if (QE_LIKELY(column->kind == QE_KIND_BOOLEAN)) {
    uint8_t *byte = (uint8_t *)column->values + (row >> 3);
    uint32_t shift = (uint32_t)row & 7;
    *byte = (uint8_t)((*byte & ~(1U << shift)) | (uint32_t)value << shift);
    return QE_OK;
  }
  return qe__column_add_value(column, row, QE_KIND_BOOLEAN, value, error);
}

static inline qe_status qe__column_put_date(qe_column *column, int64_t row,
                                            int32_t days, qe_error *error) {
  if (QE_LIKELY(column->kind == QE_KIND_DATE)) {
    ((int32_t *)column->values)[row] = days;
    return QE_OK;
  }
  return qe__column_add_value(column, row, QE_KIND_DATE, days, error);
}

/* kind is QE_KIND_TIME or QE_KIND_TIMESTAMP. */
static inline qe_status qe__column_put_microseconds(qe_column *column, int64_t row,
                                                    qe_kind kind, int64_t value,
                                                    qe_error *error) {
  if (QE_LIKELY(column->kind == kind)) {
    ((int64_t *)column->values)[row] = value;
    return QE_OK;
  }
  return qe__column_add_value(column, row, kind, value, error);
}

static inline qe_status qe__column_put_bytes(qe_column *column, int64_t row,
                                             qe_kind kind, const void *data,
                                             int64_t size, qe_error *error) {
  if (QE_LIKELY(column->kind == kind &&
                column->bytes.size + size <= column->bytes.capacity)) {
    if (size > 0) memcpy(column->bytes.data + column->bytes.size, data, (size_t)size);
    column->bytes.size += size;
    column->offsets[row + 1] = (int32_t)column->bytes.size;
    return QE_OK;
  }
  return qe__column_add_bytes(column, row, kind, data, size, error);
}

#endif
