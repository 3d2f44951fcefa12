/* What several threads may do to one connection, and the worker. Meant for the thread
 * sanitiser, and true without it. */
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>

#include "../src/qe_connection.h"
#include "../src/qe_worker.h"
#include "check.h"

enum { ROUNDS = 2000 };

static void add_one(void *context) {
  (*(int *)context)++;
}

static void test_a_worker_does_its_jobs_in_order(void) {
  qe_worker *worker = qe__worker_start();
  int count = 0;

  CHECK(worker != NULL);
  CHECK(qe__worker_wait(worker, 0));
  for (int i = 0; i < ROUNDS; i++) {
    qe__worker_submit(worker, add_one, &count);
    while (!qe__worker_wait(worker, 1000)) continue;
    CHECK_INT(count, i + 1);
  }
  qe__worker_submit(worker, add_one, &count);
  qe__worker_stop(worker);
  CHECK_INT(count, ROUNDS + 1);
}

static void take_a_while(void *context) {
  struct timespec pause = {.tv_nsec = 30000000};
  (void)context;
  (void)nanosleep(&pause, NULL);
}

static void test_waiting_gives_up_when_told(void) {
  qe_worker *worker = qe__worker_start();

  qe__worker_submit(worker, take_a_while, NULL);
  CHECK(!qe__worker_wait(worker, 1));
  qe__worker_stop(worker);
}

/* Runs queries, and counts how often another thread was inside. */
static void *query(void *context) {
  qe_connection *connection = context;

  for (int i = 0; i < ROUNDS; i++) {
    qe_statement *statement = NULL;
    qe_error error;
    int64_t count = 0;
    qe_status status =
        qe_statement_acquire(connection, "SELECT 42", 9, &statement, &error);

    if (status == QE_OK) status = qe_statement_start(statement, NULL, 0, &error);
    if (status == QE_OK) status = qe_statement_fetch(statement, 8, &count, &error);
    if (status == QE_OK) CHECK_INT(count, 1);
    CHECK(status == QE_OK || status == QE_ERR_IN_USE || status == QE_ERR_INTERRUPTED ||
          status == QE_ERR_CLOSED);
    qe_statement_release(statement);
  }
  return NULL;
}

static void *interrupt(void *context) {
  for (int i = 0; i < ROUNDS; i++) qe_connection_interrupt(context);
  return NULL;
}

static void test_threads_that_collide_are_told_and_nothing_breaks(void) {
  qe_connection *connection = open_memory();
  pthread_t threads[4];

  for (int i = 0; i < 3; i++) pthread_create(&threads[i], NULL, query, connection);
  pthread_create(&threads[3], NULL, interrupt, connection);
  for (int i = 0; i < 4; i++) pthread_join(threads[i], NULL);
  CHECK_INT(qe_connection_close(connection, NULL), QE_OK);
  qe_connection_release(connection);
}

static void test_closing_while_others_interrupt_is_safe(void) {
  for (int i = 0; i < 50; i++) {
    qe_connection *connection = open_memory();
    pthread_t threads[2];

    pthread_create(&threads[0], NULL, interrupt, connection);
    pthread_create(&threads[1], NULL, query, connection);
    while (qe_connection_close(connection, NULL) != QE_OK) continue;
    pthread_join(threads[0], NULL);
    pthread_join(threads[1], NULL);
    qe_connection_release(connection);
  }
}

/* Releases statements given through a slot, as a collector in another thread would. */
static _Atomic(qe_statement *) slot;
static atomic_bool is_over;

static void *collect(void *context) {
  (void)context;
  while (!atomic_load(&is_over)) qe_statement_release(atomic_exchange(&slot, NULL));
  qe_statement_release(atomic_exchange(&slot, NULL));
  return NULL;
}

static void test_statements_may_be_given_back_by_another_thread(void) {
  qe_connection *connection = open_memory();
  pthread_t thread;
  qe_error error;

  pthread_create(&thread, NULL, collect, NULL);
  for (int i = 0; i < ROUNDS; i++) {
    qe_statement *statement = NULL;
    if (qe_statement_acquire(connection, "SELECT 1", 8, &statement, &error) != QE_OK) {
      continue;
    }
    if (qe_statement_start(statement, NULL, 0, &error) == QE_OK) {
      statement = atomic_exchange(&slot, statement);
    }
    qe_statement_release(statement);
  }
  atomic_store(&is_over, true);
  pthread_join(thread, NULL);
  CHECK_INT(qe_connection_close(connection, &error), QE_OK);
  CHECK_INT(atomic_load(&connection->references), 1);
  qe_connection_release(connection);
}

int main(void) {
  test_a_worker_does_its_jobs_in_order();
  test_waiting_gives_up_when_told();
  test_threads_that_collide_are_told_and_nothing_breaks();
  test_closing_while_others_interrupt_is_safe();
  test_statements_may_be_given_back_by_another_thread();
  return check_result();
}
