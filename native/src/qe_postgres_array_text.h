/* Arrays of types that are read as text, from the text form of the array. */
#ifndef QE_POSTGRES_ARRAY_TEXT_H
#define QE_POSTGRES_ARRAY_TEXT_H

#include "qe_nested.h"
#include "qe_postgres_type.h"

/* Appends the array as qe_nested.h has it, its elements as texts. On failure out may
 * have part of it. */
qe_status qe__pg_array_text(const qe_pg_type *type, const uint8_t *data, int64_t size,
                            qe_bytes *out, qe_error *error);

#endif
