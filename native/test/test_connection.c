/* Connections and statements through the contract alone, and with every allocation
 * refused once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/qe_connection.h"
#include "check.h"

static qe_status acquire(qe_connection *connection, const char *sql,
                         qe_statement **statement, qe_error *error) {
  return qe_statement_acquire(connection, sql, (int64_t)strlen(sql), statement, error);
}

static qe_value integer(int64_t value) {
  return (qe_value){.kind = QE_VALUE_INT64, .int64 = value};
}

static qe_value text(const char *value) {
  return (qe_value){
      .kind = QE_VALUE_TEXT, .size = (int32_t)strlen(value), .data = value};
}

static void test_a_statement_is_prepared_once_and_lent_to_one(void) {
  qe_connection *connection = open_memory();
  qe_statement *first = NULL, *second = NULL, *again = NULL;
  qe_error error;

  CHECK_INT(acquire(connection, "SELECT 1", &first, &error), QE_OK);
  CHECK_INT(acquire(connection, "SELECT 1", &second, &error), QE_OK);
  CHECK(first != second);
  qe_statement_release(first);
  CHECK_INT(acquire(connection, "SELECT 1", &again, &error), QE_OK);
  CHECK(again == first);
  qe_statement_release(again);
  qe_statement_release(second);
  CHECK_INT(qe_connection_close(connection, &error), QE_OK);
  qe_connection_release(connection);
}

static void test_the_cache_keeps_no_more_than_it_is_told(void) {
  static const char *const KEYWORDS[] = {"file", "statement_cache", NULL};
  static const char *const VALUES[] = {":memory:", "3", NULL};
  qe_connection *connection = NULL;
  qe_statement *statement = NULL;
  qe_error error;
  char sql[32];

  CHECK_INT(qe_connection_open(KEYWORDS, VALUES, &connection, &error), QE_OK);
  for (int i = 0; i < 20; i++) {
    (void)snprintf(sql, sizeof sql, "SELECT %d", i);
    CHECK_INT(acquire(connection, sql, &statement, &error), QE_OK);
    qe_statement_release(statement);
  }
  CHECK_INT(connection->idle_count, 3);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

static void test_closing_ends_statements_that_are_lent(void) {
  qe_connection *connection = open_memory();
  qe_statement *statement = NULL;
  qe_error error;
  int64_t rows = -1;

  CHECK_INT(acquire(connection, "SELECT 1", &statement, &error), QE_OK);
  CHECK_INT(qe_statement_start(statement, NULL, 0, &error), QE_OK);
  CHECK_INT(qe_connection_close(connection, &error), QE_OK);
  CHECK_INT(qe_connection_close(connection, &error), QE_OK);
  CHECK_INT(qe_statement_fetch(statement, 10, &rows, &error), QE_ERR_CLOSED);
  CHECK_INT(rows, 0);
  CHECK_INT(qe_connection_commit(connection, &error), QE_ERR_CLOSED);
  qe_connection_interrupt(connection);
  qe_connection_release(connection);
  qe_statement_release(statement);
}

static void test_a_second_thread_inside_is_told_so(void) {
  qe_connection *connection = open_memory();
  qe_statement *statement = NULL;
  qe_error error;

  CHECK_INT(acquire(connection, "SELECT 1", &statement, &error), QE_OK);
  CHECK_INT(qe__connection_enter(connection, &error), QE_OK);
  CHECK_INT(qe_connection_commit(connection, &error), QE_ERR_IN_USE);
  CHECK_INT(qe_connection_close(connection, &error), QE_ERR_IN_USE);
  qe_statement_release(statement); /* waits as an orphan */
  CHECK_INT(connection->idle_count, 0);
  qe__connection_leave(connection);
  CHECK_INT(connection->idle_count, 1);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

static void test_an_abandoned_connection_does_nothing_more(void) {
  qe_connection *connection = open_memory();
  qe_error error;

  qe_connection_abandon(connection);
  CHECK_INT(qe_connection_commit(connection, &error), QE_ERR_FORKED);
  CHECK_INT(qe_connection_close(connection, &error), QE_OK);
  /* Its memory stays, as it would in a child. Take the mark away to end it here. */
  atomic_store(&connection->life, QE_LIFE_OPEN);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

static void test_settings_are_checked(void) {
  static const char *const FILE_ONLY[] = {"file", "colour", NULL};
  static const char *const MODE[] = {"file", "mode", NULL};
  static const char *const TIMEOUT[] = {"file", "busy_timeout_ms", NULL};
  static const char *const NONE[] = {NULL};
  static const char *const RED[] = {":memory:", "red", NULL};
  static const char *const MINUS[] = {":memory:", "-1", NULL};
  qe_connection *connection = NULL;
  qe_error error;

  CHECK_INT(qe_connection_open(FILE_ONLY, RED, &connection, &error), QE_ERR_SETTING);
  CHECK_TEXT(error.message, "There is no setting `colour`");
  CHECK_INT(qe_connection_open(MODE, RED, &connection, &error), QE_ERR_SETTING);
  CHECK_INT(qe_connection_open(TIMEOUT, MINUS, &connection, &error), QE_ERR_SETTING);
  CHECK_INT(qe_connection_open(NONE, NONE, &connection, &error), QE_ERR_SETTING);
  CHECK(connection == NULL);
}

static void test_an_error_names_its_place(void) {
  qe_connection *connection = open_memory();
  qe_statement *statement = NULL;
  qe_error error;

  CHECK_INT(acquire(connection, "SELECT *\n FRM t", &statement, &error),
            QE_ERR_DATABASE);
  CHECK_INT(error.native_code, 1);
  CHECK_INT(error.position, 10);
  CHECK_TEXT(error.sqlstate, "42000");
  CHECK_INT(acquire(connection, "SELECT 1; SELECT 2", &statement, &error),
            QE_ERR_SEVERAL_STATEMENTS);
  CHECK_INT(error.position, 10);
  CHECK(statement == NULL);
  CHECK_INT(acquire(connection, " -- nothing\n", &statement, &error), QE_OK);
  CHECK_INT(qe_statement_start(statement, NULL, 0, &error), QE_OK);
  qe_statement_release(statement);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

static void test_a_write_opens_a_transaction_and_a_read_does_not(void) {
  qe_connection *connection = open_memory();
  qe_statement *statement = NULL;
  qe_error error;

  run_sql(connection, "CREATE TABLE t (a)");
  CHECK_INT(acquire(connection, "SELECT * FROM t", &statement, &error), QE_OK);
  CHECK_INT(qe_statement_start(statement, NULL, 0, &error), QE_OK);
  qe_statement_release(statement);
  CHECK_INT(qe_connection_in_transaction(connection), 0);
  CHECK_INT(
      acquire(connection, "/* x */ insert into t values (1), (2)", &statement, &error),
      QE_OK);
  CHECK_INT(qe_statement_start(statement, NULL, 0, &error), QE_OK);
  CHECK_INT(qe_statement_changes(statement), 2);
  CHECK_INT(qe_statement_last_row_id(statement), 2);
  qe_statement_release(statement);
  CHECK_INT(qe_connection_in_transaction(connection), 1);
  CHECK_INT(qe_connection_rollback(connection, &error), QE_OK);
  CHECK_INT(qe_connection_in_transaction(connection), 0);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

static bool never(void *context) {
  (*(int *)context)++;
  return false;
}

static void test_the_pulse_and_an_interrupt_stop_a_long_query(void) {
  static const char ENDLESS[] =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) "
      "SELECT count(*) FROM c";
  qe_connection *connection = open_memory();
  qe_statement *statement = NULL;
  qe_error error;
  int pulses = 0;

  CHECK_INT(acquire(connection, ENDLESS, &statement, &error), QE_OK);
  CHECK_INT(qe__connection_enter(connection, &error), QE_OK);
  connection->pulse = never;
  connection->pulse_context = &pulses;
  CHECK_INT(qe__statement_start(statement, NULL, 0, &error), QE_OK);
  CHECK_INT(qe__statement_fill(statement, &statement->batch, 1, &error),
            QE_ERR_INTERRUPTED);
  CHECK_TEXT(error.sqlstate, "57014");
  CHECK_INT(pulses, 1);
  CHECK(!statement->is_running);
  qe__connection_leave(connection);
  qe_statement_release(statement);
  CHECK_INT(acquire(connection, "SELECT 1", &statement, &error), QE_OK);
  CHECK_INT(qe_statement_start(statement, NULL, 0, &error), QE_OK);
  qe_statement_release(statement);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

static void test_run_many_says_how_far_it_came(void) {
  qe_connection *connection = open_memory();
  qe_statement *statement = NULL;
  qe_value values[4];
  qe_error error;
  int64_t done = -1;

  run_sql(connection, "CREATE TABLE t (a UNIQUE)");
  CHECK_INT(acquire(connection, "INSERT INTO t VALUES (?)", &statement, &error), QE_OK);
  for (int i = 0; i < 4; i++) values[i] = integer(i == 3 ? 1 : i);
  CHECK_INT(qe_statement_run_many(statement, values, 1, 4, &done, &error),
            QE_ERR_DATABASE);
  CHECK_INT(done, 3);
  CHECK_TEXT(error.sqlstate, "23505");
  CHECK_INT(qe_statement_run_many(statement, values, 2, 1, &done, &error),
            QE_ERR_PARAMETER);
  qe_statement_release(statement);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

/* Reads every row as rows and counts them. */
static qe_status read_all(qe_statement *statement, qe_error *error) {
  qe_status status = QE_OK;
  int64_t count = 1;

  while (status == QE_OK && count > 0) {
    status = qe_statement_fetch(statement, 7, &count, error);
  }
  return status;
}

static qe_status run_one(qe_connection *connection, const char *sql,
                         const qe_value *values, int64_t count, qe_error *error) {
  qe_statement *statement = NULL;
  qe_status status = acquire(connection, sql, &statement, error);

  if (status == QE_OK) status = qe_statement_start(statement, values, count, error);
  if (status == QE_OK) status = read_all(statement, error);
  qe_statement_release(statement);
  return status;
}

/* Tables, parameters, every kind of column, columns that turn mixed, RETURNING. */
static qe_status whole_life(qe_error *error) {
  static const char *const KEYWORDS[] = {"file", NULL};
  static const char *const VALUES[] = {":memory:", NULL};
  static const char MANY[] =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 40) "
      "SELECT x, x / 2.0, 'text ' || x, NULL, iif(x % 9, x, 'odd'), zeroblob(x) FROM c";
  qe_connection *connection = NULL;
  qe_value row[2] = {integer(1), text("2024-02-29")};
  qe_status status = qe_connection_open(KEYWORDS, VALUES, &connection, error);

  if (status == QE_OK) {
    status = run_one(connection, "CREATE TABLE t (a BOOLEAN, b DATE)", NULL, 0, error);
  }
  if (status == QE_OK) {
    status =
        run_one(connection, "INSERT INTO t VALUES (?, :b) RETURNING *", row, 2, error);
  }
  if (status == QE_OK) status = run_one(connection, "SELECT * FROM t", NULL, 0, error);
  if (status == QE_OK) status = run_one(connection, MANY, NULL, 0, error);
  if (status == QE_OK) status = qe_connection_commit(connection, error);
  if (connection) qe_connection_close(connection, NULL);
  qe_connection_release(connection);
  return status;
}

int main(void) {
  route_sqlite_memory();
  /* What SQLite keeps for the life of the process is taken now. */
  qe_connection_release(open_memory());
  test_a_statement_is_prepared_once_and_lent_to_one();
  test_the_cache_keeps_no_more_than_it_is_told();
  test_closing_ends_statements_that_are_lent();
  test_a_second_thread_inside_is_told_so();
  test_an_abandoned_connection_does_nothing_more();
  test_settings_are_checked();
  test_an_error_names_its_place();
  test_a_write_opens_a_transaction_and_a_read_does_not();
  test_the_pulse_and_an_interrupt_stop_a_long_query();
  test_run_many_says_how_far_it_came();
  check_every_refusal("whole life", whole_life);
  return check_result();
}
