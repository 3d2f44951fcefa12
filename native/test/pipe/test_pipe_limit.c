/* A server that does not answer, and connections that have a limit of time. */
#include <string.h>

#include "pipe.h"

static const pipe_script SILENCE[] = {{NULL, NULL, 0}};
static const char SELECT[] = "SELECT 1";

/* A connection that waits by itself, to a server that never says anything. */
static qe_connection *open_silent(void) {
  qe_connection *connection = NULL;
  qe_error error;

  pipe_play(SILENCE);
  CHECK_INT(pipe_open(&connection, &error), QE_OK);
  CHECK_INT(qe_connection_set_stepped(connection, 0, &error), QE_OK);
  return connection;
}

static qe_status prepare(qe_connection *connection, qe_error *error) {
  qe_statement *statement = NULL;
  qe_status status = qe_statement_acquire(connection, SELECT, (int64_t)strlen(SELECT),
                                          &statement, error);

  qe_statement_release(statement);
  return status;
}

static void end(qe_connection *connection) {
  CHECK_INT(qe_connection_close(connection, NULL), QE_OK);
  qe_connection_release(connection);
}

static void test_a_call_ends_at_the_limit_and_the_server_is_asked_to_stop(void) {
  qe_connection *connection = open_silent();
  int64_t begun = qe__now_ms();
  qe_error error;

  qe__limit(connection, 40);
  CHECK_INT(prepare(connection, &error), QE_ERR_TIMEOUT);
  CHECK(qe__now_ms() - begun >= 40);
  CHECK_TEXT(error.message,
             "The server did not answer within the time limit of 40 ms, and the "
             "connection was given up");
  CHECK_INT(error.was_sent, 1);
  CHECK(pipe_cancels() > 0);
  /* It is given up: nothing more goes out. */
  CHECK_INT(qe_connection_begin(connection, &error), QE_ERR_TIMEOUT);
  CHECK_INT(error.was_sent, 0);
  qe__limit(connection, 0);
  CHECK_INT(qe_connection_begin(connection, &error), QE_ERR_TIMEOUT);
  CHECK_TEXT(pipe_heard(), "PDS");
  end(connection);
}

static void test_the_earlier_of_limit_and_timeout_counts(void) {
  qe_connection *connection = open_silent();
  qe_error error;

  qe__limit(connection, 60000);
  CHECK_INT(qe_connection_set(connection, "timeout_ms", "30", &error), QE_OK);
  CHECK_INT(prepare(connection, &error), QE_ERR_TIMEOUT);
  CHECK_TEXT(error.message,
             "The server did not answer within 30 ms, and the connection was given up");
  end(connection);
}

static void test_nothing_is_sent_once_it_has_passed(void) {
  static const char EMPTY[] = "BEGIN";
  qe_connection *connection = open_silent();
  qe_error error;

  qe__limit(connection, -1);
  CHECK_INT(prepare(connection, &error), QE_ERR_TIMEOUT);
  CHECK_TEXT(error.message, "The time limit of 0 ms had passed before this was begun");
  CHECK_INT(error.was_sent, 0);
  CHECK_INT(qe_connection_begin(connection, &error), QE_ERR_TIMEOUT);
  CHECK_INT(qe_connection_execute_script(connection, EMPTY, 5, &error), QE_ERR_TIMEOUT);
  CHECK_INT(error.was_sent, 0);
  CHECK_TEXT(pipe_heard(), "");
  CHECK_INT(pipe_cancels(), 0);
  end(connection);
}

int main(void) {
  test_a_call_ends_at_the_limit_and_the_server_is_asked_to_stop();
  test_the_earlier_of_limit_and_timeout_counts();
  test_nothing_is_sent_once_it_has_passed();
  return check_result();
}
