/* From PostgreSQL's wire values to columns. What arrives is never believed: each size,
 * count and flag is checked, and a value that is not what its type says is refused with
 * QE_ERR_TYPE, or QE_ERR_RANGE where it is one that we cannot hold. */
#ifndef QE_POSTGRES_DECODE_H
#define QE_POSTGRES_DECODE_H

#include "qe_nested.h"
#include "qe_postgres_type.h"

/* Adds a value that is not null as row number row; row < capacity. type is NULL for one
 * that is not known; data is in the format that qe__pg_type_is_binary() says. On
 * failure the column holds what it held. Text is not checked to be UTF-8 here: as with
 * every backend, that happens where it is read. */
qe_status qe__pg_decode(const qe_pg_types *registry, const qe_pg_type *type,
                        qe_column *column, int64_t row, const uint8_t *data,
                        int64_t size, qe_error *error);

/* The parts, for whoever makes another form than a column of them. */

/* QE_OK where size is wanted. */
qe_status qe__pg_expect(const qe_pg_type *type, int64_t size, int64_t wanted,
                        qe_error *error);
qe_status qe__pg_decode_integer(const qe_pg_type *type, const uint8_t *data,
                                int64_t size, int64_t *out, qe_error *error);
qe_status qe__pg_decode_float(const qe_pg_type *type, const uint8_t *data, int64_t size,
                              double *out, qe_error *error);
qe_status qe__pg_decode_bool(const qe_pg_type *type, const uint8_t *data, int64_t size,
                             bool *out, qe_error *error);
/* Days of a date; microseconds of a time or timestamp. */
qe_status qe__pg_decode_moment(const qe_pg_type *type, const uint8_t *data,
                               int64_t size, int64_t *out, qe_error *error);
qe_status qe__pg_decode_interval(const qe_pg_type *type, const uint8_t *data,
                                 int64_t size, uint8_t out[QE_INTERVAL_SIZE],
                                 qe_error *error);
qe_status qe__pg_decode_timetz(const qe_pg_type *type, const uint8_t *data,
                               int64_t size, uint8_t out[QE_TIMETZ_SIZE],
                               qe_error *error);
/* Appends what a type of text is, in any of its binary forms, without checking it. */
qe_status qe__pg_decode_text(const qe_pg_type *type, const uint8_t *data, int64_t size,
                             qe_bytes *out, qe_error *error);

#endif
