/* inet and cidr, from their binary form to their text. */
#ifndef QE_POSTGRES_NETWORK_H
#define QE_POSTGRES_NETWORK_H

#include "qe_text.h"

/* Appends the address as PostgreSQL writes it: inet without the bits of its mask where
 * they are all, cidr always with them. QE_ERR_TYPE for bytes that are no address; out
 * then has what it had. */
qe_status qe__pg_network_text(const uint8_t *data, int64_t size, qe_bytes *out,
                              qe_error *error);

#endif
