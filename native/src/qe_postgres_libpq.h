/* What we use of libpq's inside: its reading and writing, what is left in its buffer
 * after the hand-shake, and whom it is connecting to. libpq-int.h defines names that
 * clash with nothing of ours, but wants its own postgres_fe.h first. */
#ifndef QE_POSTGRES_LIBPQ_H
#define QE_POSTGRES_LIBPQ_H

#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#pragma GCC diagnostic ignored "-Wstrict-prototypes"
#endif
#include "postgres_fe.h"

#include "libpq-fe.h"
#include "libpq-int.h"
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

/* PostgreSQL's headers put functions of their own in place of these. */
#undef snprintf
#undef vsnprintf
#undef strerror

#endif
