/* numeric: PostgreSQL's exact decimals, from their binary form to their text. */
#ifndef QE_POSTGRES_NUMERIC_H
#define QE_POSTGRES_NUMERIC_H

#include "qe_text.h"

/* Appends the number as PostgreSQL writes it: "NaN", "Infinity", else every digit, with
 * as many after the point as the value has. QE_ERR_TYPE for bytes that are no number;
 * out then has what it had. */
qe_status qe__pg_numeric_text(const uint8_t *data, int64_t size, qe_bytes *out,
                              qe_error *error);

#endif
