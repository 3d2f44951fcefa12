/* All memory of the engine comes from here, so that a test can refuse the n-th
 * request. New memory is zeroed: half-made things can always be freed. */
#ifndef QE_MEM_H
#define QE_MEM_H

#include "qe.h"

/* Zeroed memory, owned by the caller, ended with qe__free(). NULL when there is none
 * or size is not positive. */
void *qe__zalloc(int64_t size);

/* Grows to new_size, keeping what was there; the new part is NOT zeroed. NULL leaves
 * the old memory untouched and owned. */
void *qe__realloc(void *memory, int64_t new_size);

void qe__free(void *memory);

/* A terminated copy of size bytes, owned, ended with qe__free(). */
char *qe__copy_text(const char *text, int64_t size);

#ifdef QE_TEST_ALLOC
/* The request after this many more is refused, once; -1 refuses none. */
void qe__test_refuse(int64_t countdown);
/* Whether the refusal has happened. */
bool qe__test_refused(void);
/* Blocks handed out and not yet freed. */
int64_t qe__test_live(void);
#endif

#endif
