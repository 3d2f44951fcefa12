/* A second thread for the length of one long call, so that the database works while the
 * caller makes Python objects. It runs one job at a time, in order, and touches nothing
 * but what the job is given. */
#ifndef QE_WORKER_H
#define QE_WORKER_H

#include "qe.h"

typedef struct qe_worker qe_worker;

typedef void (*qe_job)(void *context);

/* Starts a thread, in which no signal is delivered. NULL when there is none to be had;
 * the caller then does the work itself. Ended with qe__worker_stop(). */
qe_worker *qe__worker_start(void);

/* Hands over a job; the one before has been waited for. */
void qe__worker_submit(qe_worker *worker, qe_job job, void *context);

/* Waits until the job is done, at most timeout_ms; whether it is. True when there is
 * no job. What the job wrote may be read afterwards. */
bool qe__worker_wait(qe_worker *worker, int64_t timeout_ms);

/* Waits for the job, if any, and ends the thread. NULL is allowed. */
void qe__worker_stop(qe_worker *worker);

#endif
