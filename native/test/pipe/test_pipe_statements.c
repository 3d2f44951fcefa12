/* Statements over the protocol, against a server whose every byte is decided here: in
 * pieces of every size, ended after every byte, with every byte changed, and with each
 * allocation refused once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipe.h"

static const uint32_t INT4 = 23, TEXT = 25;
static const char SELECT[] = "SELECT a, b FROM t WHERE c = ?";

/* What the server says to a statement that is prepared and gives three rows. */
typedef struct lines {
  reply described, ran;
} lines;

static void row(reply *out, int32_t number, const char *text) {
  reply_begin(out, 'D');
  reply_int16(out, 2);
  reply_int32(out, 4);
  reply_int32(out, number);
  if (text) {
    reply_int32(out, (int32_t)strlen(text));
    reply_bytes(out, text, (int64_t)strlen(text));
  } else {
    reply_int32(out, -1);
  }
  reply_end(out);
}

static void describe(reply *out) {
  const uint32_t parameters[] = {INT4}, fields[] = {INT4, TEXT};

  reply_empty(out, '1');
  reply_parameters(out, 1, parameters);
  reply_fields(out, 2, fields);
  reply_ready(out, 'I');
}

static void write_lines(lines *out) {
  describe(&out->described);
  reply_empty(&out->ran, '2');
  row(&out->ran, 1, "one");
  row(&out->ran, 2, NULL);
  row(&out->ran, -3, "three");
  reply_complete(&out->ran, "SELECT 3");
  reply_ready(&out->ran, 'I');
}

static qe_value integer(int64_t value) {
  return (qe_value){.kind = QE_VALUE_INT64, .int64 = value};
}

static qe_status acquire(qe_connection *connection, const char *sql, qe_statement **out,
                         qe_error *error) {
  qe_status status;

  *out = NULL;
  status = qe__connection_enter(connection, error);
  if (status != QE_OK) return status;
  status = qe__statement_prepare(connection, sql, (int64_t)strlen(sql), out, error);
  if (qe__is_want(status)) {
    PIPE_UNTIL_DONE(status, qe__statement_resume(out, error));
    if (status != QE_OK && *out) {
      qe__statement_return(*out);
      *out = NULL;
    }
  }
  qe__connection_leave(connection);
  return status;
}

/* Reads everything; sums what came, so that a difference shows. */
static qe_status read_all(qe_statement *statement, int64_t *sum, int64_t *rows,
                          qe_error *error) {
  qe_status status = QE_OK;
  int64_t count = 1;

  while (status == QE_OK && count > 0) {
    PIPE_UNTIL_DONE(status, qe_statement_fetch(statement, 2, &count, error));
    *rows += status == QE_OK ? count : 0;
    for (int64_t i = 0; status == QE_OK && i < count; i++) {
      const qe_column *texts = &statement->batch.columns[1];
      int64_t size = 0;

      *sum += qe__column_int64(&statement->batch.columns[0], i);
      if (!qe__column_is_null(texts, i)) (void)qe__column_bytes(texts, i, &size);
      *sum += 100 * size;
    }
  }
  return status;
}

static lines LINES;
static int64_t sum, rows;

/* Connects, prepares, runs, reads, closes. */
static qe_status run_select(qe_error *error) {
  qe_connection *connection = NULL;
  qe_statement *statement = NULL;
  qe_value parameter = integer(7);
  qe_status status = pipe_open(&connection, error);

  sum = 0;
  rows = 0;
  if (status == QE_OK) status = acquire(connection, SELECT, &statement, error);
  if (status == QE_OK) status = qe_statement_start(statement, &parameter, 1, error);
  if (status == QE_OK) status = read_all(statement, &sum, &rows, error);
  qe_statement_release(statement);
  if (connection) {
    CHECK_INT(qe_connection_close(connection, NULL), QE_OK);
    qe_connection_release(connection);
  }
  return status;
}

static void play_select(void) {
  static pipe_script script[3];

  script[0] = (pipe_script){"PDS", LINES.described.data, LINES.described.size};
  script[1] = (pipe_script){"BES", LINES.ran.data, LINES.ran.size};
  pipe_play(script);
}

static void test_a_result_is_the_same_however_it_is_cut(void) {
  qe_error error;

  for (int64_t size = 0; size <= LINES.described.size + 8; size++) {
    play_select();
    pipe_cut_into(size);
    CHECK_INT(run_select(&error), QE_OK);
    CHECK_INT(rows, 3);
    CHECK_INT(sum, 0 + 100 * (3 + 5));
  }
}

static void test_an_end_after_any_byte_is_a_lost_connection(void) {
  int64_t all = LINES.described.size + LINES.ran.size;
  qe_error error;

  for (int64_t end = 0; end < all; end++) {
    play_select();
    pipe_end_after(end);
    CHECK_INT(run_select(&error), QE_ERR_CONNECTION);
    CHECK(error.message[0] != '\0');
    CHECK_INT(error.was_sent, end >= LINES.described.size || error.was_sent);
  }
}

static bool is_expected(qe_status status) {
  switch (status) {
    case QE_OK:
    case QE_ERR_TYPE:
    case QE_ERR_RANGE:
    case QE_ERR_PARAMETER:
    case QE_ERR_ENCODING:
    case QE_ERR_DATABASE:
    case QE_ERR_CONNECTION:
    case QE_ERR_PROTOCOL:
    case QE_ERR_TIMEOUT: /* the pipe ran dry: a length promised more */ return true;
    default: return false;
  }
}

static void test_no_changed_byte_does_harm(void) {
  static const uint8_t BYTES[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, 'Z', 'D', 'E'};
  int64_t all = LINES.described.size + LINES.ran.size;
  qe_error error;

  for (int64_t at = 0; at < all; at++) {
    for (size_t i = 0; i < sizeof BYTES; i++) {
      qe_status status;

      play_select();
      pipe_change(at, BYTES[i]);
      status = run_select(&error);
      CHECK(is_expected(status));
      CHECK(status == QE_OK || status == QE_ERR_TIMEOUT || error.message[0] != '\0');
    }
  }
}

static qe_status refused_select(qe_error *error) {
  play_select();
  return run_select(error);
}

/* A transaction is opened in the same group as its first statement. */
static void test_a_begin_goes_with_the_statement(void) {
  static reply described, ran;
  static pipe_script script[3];
  qe_connection *connection = NULL;
  qe_statement *statement = NULL;
  qe_value parameter = integer(7);
  qe_error error;

  describe(&described);
  reply_empty(&ran, '1');
  reply_empty(&ran, '2');
  reply_complete(&ran, "BEGIN");
  reply_empty(&ran, '2');
  row(&ran, 5, "x");
  reply_complete(&ran, "SELECT 1");
  reply_ready(&ran, 'T');
  script[0] = (pipe_script){"PDS", described.data, described.size};
  script[1] = (pipe_script){"PBEBES", ran.data, ran.size};
  pipe_play(script);
  sum = rows = 0;
  CHECK_INT(pipe_open(&connection, &error), QE_OK);
  CHECK_INT(qe_connection_set_autocommit(connection, 0, &error), QE_OK);
  CHECK_INT(acquire(connection, SELECT, &statement, &error), QE_OK);
  CHECK_INT(qe_statement_start(statement, &parameter, 1, &error), QE_OK);
  CHECK_INT(qe_connection_in_transaction(connection), 1);
  CHECK_INT(read_all(statement, &sum, &rows, &error), QE_OK);
  CHECK_INT(rows, 1);
  qe_statement_release(statement);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

/* DEALLOCATE ALL, or a pooler: the server has forgotten; the run is sent again. */
static void test_a_forgotten_statement_is_prepared_anew(void) {
  static reply described, refused, again, ran;
  static pipe_script script[5];

  describe(&described);
  reply_error(&refused, "26000", "prepared statement \"er_1\" does not exist", NULL);
  reply_ready(&refused, 'I');
  describe(&again);
  ran = LINES.ran;
  script[0] = (pipe_script){"PDS", described.data, described.size};
  script[1] = (pipe_script){"BES", refused.data, refused.size};
  script[2] = (pipe_script){"CPDS", again.data, again.size};
  script[3] = (pipe_script){"BES", ran.data, ran.size};
  pipe_play(script);
  {
    qe_error error;
    CHECK_INT(run_select(&error), QE_OK);
    CHECK_INT(rows, 3);
  }
  CHECK_TEXT(pipe_heard(), "PDSBESCPDSBES");
}

static qe_status refused_anew(qe_error *error) {
  static reply described, refused, ran;
  static pipe_script script[5];

  described.size = refused.size = 0;
  describe(&described);
  reply_error(&refused, "0A000", "cached plan must not change result type", NULL);
  reply_ready(&refused, 'I');
  ran = LINES.ran;
  script[0] = (pipe_script){"PDS", described.data, described.size};
  script[1] = (pipe_script){"BES", refused.data, refused.size};
  script[2] = (pipe_script){"CPDS", described.data, described.size};
  script[3] = (pipe_script){"BES", ran.data, ran.size};
  pipe_play(script);
  return run_select(error);
}

static void test_a_refusal_keeps_its_place_in_the_users_text(void) {
  static const char SQL[] = "SELECT ?, :: nope";
  static reply refused;
  static pipe_script script[2];
  qe_connection *connection = NULL;
  qe_statement *statement = NULL;
  qe_error error;

  /* The server sees "SELECT $1, :: nope", one character longer. */
  reply_error(&refused, "42704", "type \"nope\" does not exist", "15");
  reply_ready(&refused, 'I');
  script[0] = (pipe_script){"PDS", refused.data, refused.size};
  pipe_play(script);
  CHECK_INT(pipe_open(&connection, &error), QE_OK);
  CHECK_INT(acquire(connection, SQL, &statement, &error), QE_ERR_DATABASE);
  CHECK_TEXT(error.sqlstate, "42704");
  CHECK_INT(error.position, strstr(SQL, "nope") - SQL);
  CHECK_INT(error.was_sent, 0);
  CHECK(connection->diagnostics.size > 0);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

/* Two results at once: what is read first does not depend on what was sent first. */
static void test_rows_find_their_statement(void) {
  static reply described, both;
  static pipe_script script[3];
  qe_connection *connection = NULL;
  qe_statement *first = NULL, *second = NULL;
  qe_value parameter = integer(7);
  qe_error error;

  describe(&described);
  both = LINES.ran;
  reply_empty(&both, '2');
  row(&both, 1000, "");
  reply_complete(&both, "SELECT 1");
  reply_ready(&both, 'I');
  script[0] = (pipe_script){"PDS", described.data, described.size};
  script[1] = (pipe_script){"BESBES", both.data, both.size};
  pipe_play(script);
  CHECK_INT(pipe_open(&connection, &error), QE_OK);
  CHECK_INT(acquire(connection, SELECT, &first, &error), QE_OK);
  CHECK_INT(acquire(connection, SELECT, &second, &error), QE_OK); /* shares the name */
  CHECK_INT(qe_statement_start(first, &parameter, 1, &error), QE_OK);
  CHECK_INT(qe_statement_start(second, &parameter, 1, &error), QE_OK);
  sum = rows = 0;
  CHECK_INT(read_all(second, &sum, &rows, &error), QE_OK);
  CHECK_INT(sum, 1000);
  sum = rows = 0;
  CHECK_INT(read_all(first, &sum, &rows, &error), QE_OK);
  CHECK_INT(rows, 3);
  qe_statement_release(first);
  qe_statement_release(second);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

static void test_many_rows_tell_which_failed(void) {
  static reply described, ran;
  static pipe_script script[3];
  qe_connection *connection = NULL;
  qe_statement *statement = NULL;
  qe_value values[3] = {integer(1), integer(2), integer(3)};
  qe_status status;
  qe_error error;
  const uint32_t parameters[] = {INT4};
  int64_t done = 0;

  reply_empty(&described, '1');
  reply_parameters(&described, 1, parameters);
  reply_empty(&described, 'n');
  reply_ready(&described, 'I');
  reply_empty(&ran, '2');
  reply_complete(&ran, "INSERT 0 1");
  reply_empty(&ran, '2');
  reply_error(&ran, "23505", "duplicate key", NULL);
  reply_ready(&ran, 'I');
  script[0] = (pipe_script){"PDS", described.data, described.size};
  script[1] = (pipe_script){"BEBEBES", ran.data, ran.size};
  pipe_play(script);
  CHECK_INT(pipe_open(&connection, &error), QE_OK);
  CHECK_INT(acquire(connection, "INSERT INTO t VALUES (?)", &statement, &error), QE_OK);
  CHECK_INT(qe__connection_enter(connection, &error), QE_OK);
  PIPE_UNTIL_DONE(status,
                  qe__statement_run_many(statement, values, 1, 3, &done, &error));
  qe__connection_leave(connection);
  CHECK_INT(status, QE_ERR_DATABASE);
  CHECK_INT(done, 1);
  CHECK_TEXT(error.sqlstate, "23505");
  qe_statement_release(statement);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

static void test_messages_that_come_unasked_are_kept_in_order(void) {
  static reply said;
  static pipe_script script[2];
  qe_connection *connection = NULL;
  const char *data = NULL;
  qe_status status;
  qe_error error;
  int64_t size = 0;

  reply_begin(&said, 'N');
  reply_bytes(&said, "SNOTICE\0MHello\0", 15);
  reply_bytes(&said, "", 1);
  reply_end(&said);
  reply_begin(&said, 'A');
  reply_int32(&said, 4711);
  reply_text(&said, "channel");
  reply_text(&said, "payload");
  reply_end(&said);
  reply_complete(&said, "SET");
  reply_ready(&said, 'I');
  script[0] = (pipe_script){"Q", said.data, said.size};
  pipe_play(script);
  CHECK_INT(pipe_open(&connection, &error), QE_OK);
  PIPE_UNTIL_DONE(status, qe_connection_execute_script(connection, "SET x", 5, &error));
  CHECK_INT(status, QE_OK);
  CHECK_INT(qe_connection_next_message(connection, &data, &size, &error), QE_OK);
  CHECK(size == 17 && data[0] == 'N');
  CHECK_INT(qe_connection_next_message(connection, &data, &size, &error), QE_OK);
  CHECK(size == 21 && data[0] == 'A' && memcmp(data + 5, "channel", 8) == 0);
  CHECK_INT(qe_connection_next_message(connection, &data, &size, &error), QE_OK);
  CHECK_INT(size, 0);
  qe_connection_close(connection, &error);
  qe_connection_release(connection);
}

int main(void) {
  write_lines(&LINES);
  test_a_result_is_the_same_however_it_is_cut();
  test_an_end_after_any_byte_is_a_lost_connection();
  test_no_changed_byte_does_harm();
  check_every_refusal("select", refused_select);
  check_every_refusal("select, prepared anew", refused_anew);
  test_a_begin_goes_with_the_statement();
  test_a_forgotten_statement_is_prepared_anew();
  test_a_refusal_keeps_its_place_in_the_users_text();
  test_rows_find_their_statement();
  test_many_rows_tell_which_failed();
  test_messages_that_come_unasked_are_kept_in_order();
  return check_result();
}
