/* Arrays, ranges, composites and hstore, from their binary form to the tagged one. */
#ifndef QE_POSTGRES_NESTED_H
#define QE_POSTGRES_NESTED_H

#include "qe_nested.h"
#include "qe_postgres_type.h"

/* Appends the value as qe_nested.h has it, checked in full, texts too. On failure out
 * may have part of it. */
qe_status qe__pg_nested(const qe_pg_types *registry, const qe_pg_type *type,
                        const uint8_t *data, int64_t size, qe_bytes *out,
                        qe_error *error);

#endif
