/* Which OpenSSL the engine speaks TLS with: by target the machine's own, needed or
 * looked for, or one that is part of the engine (native/build/tls.py). */
#ifndef QE_POSTGRES_TLS_H
#define QE_POSTGRES_TLS_H

#include "qe.h"

/* Has OpenSSL at hand; to be called before anything of libpq. On failure error tells
 * which libraries were looked for and why each was not taken; it may be called again,
 * and looks again. Any thread, at any time. */
qe_status qe__tls_bind(qe_error *error);

/* Who it is: "OpenSSL". Static. */
const char *qe__tls_library(void);
/* Its version as it says itself, such as "3.0.22"; "" before it is bound. Static. */
const char *qe__tls_version(void);
/* The file it was found in, or "(built in)"; "" before it is bound. Static. */
const char *qe__tls_file(void);

/* The half that differs where OpenSSL is looked for (qe_postgres_tls_open.c). The lock
 * is held. */
qe_status qe__tls_open(qe_error *error);
/* The address of SSL_new in the library that was bound. */
const void *qe__tls_address(void);

#endif
