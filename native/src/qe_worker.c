/* One thread, one job, one lock: there is nothing to tune here. */
#include "qe_worker.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include "qe_mem.h"

struct qe_worker {
  pthread_t thread;
  pthread_mutex_t mutex;
  pthread_cond_t changed;
  qe_job job; /* NULL while there is nothing to do */
  void *context;
  bool is_ending;
};

static void *work(void *argument) {
  qe_worker *worker = argument;

  pthread_mutex_lock(&worker->mutex);
  for (;;) {
    qe_job job;
    void *context;

    while (!worker->job && !worker->is_ending) {
      pthread_cond_wait(&worker->changed, &worker->mutex);
    }
    if (!worker->job) break;
    job = worker->job;
    context = worker->context;
    pthread_mutex_unlock(&worker->mutex);
    job(context);
    pthread_mutex_lock(&worker->mutex);
    worker->job = NULL;
    pthread_cond_broadcast(&worker->changed);
  }
  pthread_mutex_unlock(&worker->mutex);
  return NULL;
}

/* Creates the thread with every signal blocked: handlers belong to the threads that
 * the program made. */
static int create_thread(qe_worker *worker) {
  sigset_t all, before;
  int code;

  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  code = pthread_create(&worker->thread, NULL, work, worker);
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  return code;
}

qe_worker *qe__worker_start(void) {
  qe_worker *worker = qe__zalloc(sizeof *worker);

  if (!worker) return NULL;
  if (pthread_mutex_init(&worker->mutex, NULL) != 0) goto no_mutex;
  if (pthread_cond_init(&worker->changed, NULL) != 0) goto no_condition;
  if (create_thread(worker) == 0) return worker;
  pthread_cond_destroy(&worker->changed);
no_condition:
  pthread_mutex_destroy(&worker->mutex);
no_mutex:
  qe__free(worker);
  return NULL;
}

void qe__worker_submit(qe_worker *worker, qe_job job, void *context) {
  pthread_mutex_lock(&worker->mutex);
  worker->job = job;
  worker->context = context;
  pthread_cond_broadcast(&worker->changed);
  pthread_mutex_unlock(&worker->mutex);
}

bool qe__worker_wait(qe_worker *worker, int64_t timeout_ms) {
  struct timespec until;
  bool is_done;
  int code = 0;

  /* The clock that pthread_cond_timedwait() has everywhere; a jump of it makes one wait
   * longer or shorter, which the callers, who wait in slices, do not mind. */
  clock_gettime(CLOCK_REALTIME, &until);
  until.tv_sec += (time_t)(timeout_ms / 1000);
  until.tv_nsec += (long)(timeout_ms % 1000) * 1000000;
  if (until.tv_nsec >= 1000000000) {
    until.tv_sec++;
    until.tv_nsec -= 1000000000;
  }
  pthread_mutex_lock(&worker->mutex);
  while (worker->job && code != ETIMEDOUT) {
    code = pthread_cond_timedwait(&worker->changed, &worker->mutex, &until);
  }
  is_done = !worker->job;
  pthread_mutex_unlock(&worker->mutex);
  return is_done;
}

void qe__worker_stop(qe_worker *worker) {
  if (!worker) return;
  pthread_mutex_lock(&worker->mutex);
  worker->is_ending = true;
  pthread_cond_broadcast(&worker->changed);
  pthread_mutex_unlock(&worker->mutex);
  pthread_join(worker->thread, NULL);
  pthread_cond_destroy(&worker->changed);
  pthread_mutex_destroy(&worker->mutex);
  qe__free(worker);
}
