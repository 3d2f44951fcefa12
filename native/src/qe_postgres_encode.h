/* From parameters to PostgreSQL's wire values. */
#ifndef QE_POSTGRES_ENCODE_H
#define QE_POSTGRES_ENCODE_H

#include "qe_postgres_type.h"

/* The formats of a Bind message. */
enum { QE_PG_FORMAT_TEXT = 0, QE_PG_FORMAT_BINARY = 1 };

/* Appends the int32 size and the bytes of one parameter and sets *format. type is what
 * the server says the parameter is, NULL where that is not known. A value is sent in
 * binary where it is one of the type's own and fits; else as the text that the server
 * reads, which refuses what it cannot take. QE_ERR_TYPE where even that would not say
 * what was meant, QE_ERR_ENCODING for text with a zero byte. On failure out has what it
 * had. */
qe_status qe__pg_encode(const qe_pg_type *type, const qe_value *value, qe_bytes *out,
                        int16_t *format, qe_error *error);

#endif
