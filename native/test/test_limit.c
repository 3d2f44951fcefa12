/* The limit of time over several calls, on a database that is a file: it stops what
 * runs, ends the wait for a lock, and leaves the connection as it says it is. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "../src/qe_wait.h"
#include "check.h"

static const char ENDLESS[] =
    "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT count(*) FROM c";
static const char FILLING[] =
    "INSERT INTO t WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
    "SELECT x FROM c";

/* Prepares, runs and reads one statement. */
static qe_status run(qe_connection *connection, const char *sql, qe_error *error) {
  qe_statement *statement = NULL;
  int64_t count = 1;
  qe_status status =
      qe_statement_acquire(connection, sql, (int64_t)strlen(sql), &statement, error);

  if (status == QE_OK) status = qe_statement_start(statement, NULL, 0, error);
  while (status == QE_OK && count > 0) {
    status = qe_statement_fetch(statement, 100, &count, error);
  }
  qe_statement_release(statement);
  return status;
}

static void end(qe_connection *connection) {
  qe_connection_close(connection, NULL);
  qe_connection_release(connection);
}

static void test_what_runs_is_stopped_and_what_follows_is_not_begun(void) {
  qe_connection *connection = open_memory();
  qe_error error;
  int64_t begun = qe__now_ms();

  qe__limit(connection, 50);
  CHECK_INT(run(connection, "SELECT 1", &error), QE_OK);
  CHECK_INT(run(connection, ENDLESS, &error), QE_ERR_TIMEOUT);
  CHECK(qe__now_ms() - begun >= 50);
  CHECK_TEXT(error.message, "The statement was stopped at its limit of 50 ms");
  CHECK_TEXT(error.sqlstate, "HYT00");
  CHECK_INT(error.native_code, 9);
  CHECK_INT(run(connection, "SELECT 1", &error), QE_ERR_TIMEOUT);
  CHECK_TEXT(error.message, "The time limit of 50 ms had passed before this was begun");
  CHECK_INT(error.was_sent, 0);
  qe__limit(connection, 0);
  CHECK_INT(run(connection, "SELECT 1", &error), QE_OK);
  qe__limit(connection, -1);
  CHECK_INT(run(connection, "SELECT 1", &error), QE_ERR_TIMEOUT);
  end(connection);
}

static void test_an_interruption_is_not_called_a_limit(void) {
  qe_connection *connection = open_memory();
  qe_statement *statement = NULL;
  qe_error error;
  int64_t size = (int64_t)strlen(ENDLESS);

  qe__limit(connection, 60000);
  CHECK_INT(qe_statement_acquire(connection, ENDLESS, size, &statement, &error), QE_OK);
  CHECK_INT(qe__connection_enter(connection, &error), QE_OK);
  CHECK_INT(qe__statement_start(statement, NULL, 0, &error), QE_OK);
  qe_connection_interrupt(connection);
  CHECK_INT(qe__statement_fill(statement, &statement->batch, 1, &error),
            QE_ERR_INTERRUPTED);
  qe__connection_leave(connection);
  qe_statement_release(statement);
  end(connection);
}

static void test_a_transaction_is_what_it_says_it_is(void) {
  qe_connection *connection = open_memory();
  qe_error error;

  run_sql(connection, "CREATE TABLE t (a)");
  CHECK_INT(run(connection, "INSERT INTO t VALUES (1)", &error), QE_OK);
  qe__limit(connection, 20);
  /* A read leaves the transaction as it was; a write that is stopped undoes it. */
  CHECK_INT(run(connection, ENDLESS, &error), QE_ERR_TIMEOUT);
  CHECK_INT(qe_connection_in_transaction(connection), 1);
  /* What ends it is done also when it is late. */
  CHECK_INT(qe_connection_rollback(connection, &error), QE_OK);
  CHECK_INT(qe_connection_in_transaction(connection), 0);
  CHECK_INT(qe_connection_commit(connection, &error), QE_ERR_TIMEOUT);
  qe__limit(connection, 20);
  CHECK_INT(run(connection, FILLING, &error), QE_ERR_TIMEOUT);
  CHECK_INT(qe_connection_in_transaction(connection), 0);
  qe__limit(connection, 0);
  CHECK_INT(run(connection, "INSERT INTO t VALUES (2)", &error), QE_OK);
  CHECK_INT(qe_connection_commit(connection, &error), QE_OK);
  end(connection);
}

static qe_connection *open_file(const char *path, const char *limit_ms,
                                qe_error *error) {
  const char *const keywords[] = {"file", "limit_ms", NULL};
  const char *const values[] = {path, limit_ms, NULL};
  qe_connection *connection = NULL;

  (void)qe_connection_open(keywords, values, &connection, error);
  return connection;
}

static void test_a_lock_is_waited_for_no_longer(void) {
  char path[] = "/tmp/qe_limit_XXXXXX";
  int file = mkstemp(path);
  qe_connection *holder, *waiter;
  qe_error error;
  int64_t begun;

  CHECK(file >= 0);
  holder = open_file(path, "0", &error);
  waiter = open_file(path, "60000", &error);
  run_sql(holder, "CREATE TABLE t (a)");
  run_sql(holder, "BEGIN EXCLUSIVE");
  qe__limit(waiter, 50);
  begun = qe__now_ms();
  CHECK_INT(run(waiter, "SELECT * FROM t", &error), QE_ERR_DATABASE);
  CHECK_INT(error.native_code, 5);
  /* The settings have five seconds for it; opening has as long as it was given. */
  CHECK(qe__now_ms() - begun < 4000);
  CHECK(open_file(path, "50", &error) == NULL);
  CHECK_INT(error.native_code, 5);
  CHECK(qe__now_ms() - begun < 4000);
  run_sql(holder, "ROLLBACK");
  qe__limit(waiter, 0);
  CHECK_INT(run(waiter, "SELECT * FROM t", &error), QE_OK);
  end(waiter);
  end(holder);
  (void)close(file);
  (void)unlink(path);
}

static void *set_limit(void *context) {
  for (int i = 0; i < 1000; i++) qe__limit(context, 60000);
  qe__limit(context, 1);
  return NULL;
}

/* Also what is under way: a client may shorten the time of another thread's call. */
static void test_any_thread_may_set_it(void) {
  qe_connection *connection = open_memory();
  pthread_t thread;
  qe_error error;

  CHECK_INT(pthread_create(&thread, NULL, set_limit, connection), 0);
  CHECK_INT(run(connection, ENDLESS, &error), QE_ERR_TIMEOUT);
  CHECK_INT(pthread_join(thread, NULL), 0);
  end(connection);
}

int main(void) {
  test_what_runs_is_stopped_and_what_follows_is_not_begun();
  test_an_interruption_is_not_called_a_limit();
  test_a_transaction_is_what_it_says_it_is();
  test_a_lock_is_waited_for_no_longer();
  test_any_thread_may_set_it();
  return check_result();
}
