/* How the engine says that something failed. */
#ifndef QE_ERROR_H
#define QE_ERROR_H

#include "qe.h"
#include "qe_port.h"

/* Fills *error (which may be NULL) with a sentence and returns status, so that a
 * failure is one statement: status = qe__fail(error, QE_ERR_..., "...", ...). */
qe_status qe__fail(qe_error *error, qe_status status, const char *format, ...)
    QE_PRINTF(3, 4);

/* The same for memory that ran out; allocates nothing. */
qe_status qe__fail_memory(qe_error *error, const char *what);

/* Empties *error (which may be NULL). */
void qe__error_clear(qe_error *error);

#endif
