/* A connection at rest: whether the other end has gone, told without waiting. */
#include <string.h>

#include "pipe.h"

static const char SET[] = "SET a = b";

/* Opens, runs a command, and has the server say more behind its answer; what it said
 * lies unread in the buffer, or has not come yet. */
static qe_connection *open_and_say(reply *more, int64_t chunk) {
  static reply said;
  static pipe_script script[2];
  qe_connection *connection = NULL;
  qe_status status;
  qe_error error;

  said.size = 0;
  reply_complete(&said, "SET");
  reply_ready(&said, 'I');
  reply_bytes(&said, more->data, more->size);
  script[0] = (pipe_script){"Q", said.data, said.size};
  pipe_play(script);
  pipe_cut_into(chunk);
  pipe_end_after(said.size);
  CHECK_INT(pipe_open(&connection, &error), QE_OK);
  PIPE_UNTIL_DONE(status, qe_connection_execute_script(connection, SET, 9, &error));
  CHECK_INT(status, QE_OK);
  return connection;
}

static bool is_gone(qe_connection *connection) {
  bool found;

  CHECK_INT(qe__connection_enter(connection, NULL), QE_OK);
  found = qe__backend_is_gone(connection);
  qe__connection_leave(connection);
  return found;
}

static void end(qe_connection *connection) {
  CHECK_INT(qe_connection_close(connection, NULL), QE_OK);
  qe_connection_release(connection);
}

static void test_a_quiet_connection_is_not_even_read_from(void) {
  reply nothing = {.size = 0};
  qe_connection *connection = open_and_say(&nothing, 0);

  pipe_rest();
  CHECK(!is_gone(connection)); /* reading would meet the end */
  CHECK(!is_gone(connection));
  end(connection);
}

static void test_an_end_is_noticed(void) {
  reply nothing = {.size = 0};
  qe_connection *connection = open_and_say(&nothing, 0);
  qe_error error;

  CHECK(is_gone(connection));
  CHECK(is_gone(connection));
  CHECK_INT(qe_connection_begin(connection, &error), QE_ERR_CONNECTION);
  CHECK_INT(error.was_sent, 0);
  end(connection);
}

static void test_the_servers_last_words_are_kept(void) {
  for (int64_t chunk = 0; chunk < 20; chunk += 19) {
    reply last = {.size = 0};
    qe_connection *connection;
    qe_error error;
    int looks = 0;

    reply_begin(&last, 'E');
    reply_bytes(&last, "SFATAL\0VFATAL\0C57P01\0MGoodbye\0", 30);
    reply_bytes(&last, "", 1);
    reply_end(&last);
    connection = open_and_say(&last, chunk);
    /* In pieces they take as many looks as there are. */
    while (!is_gone(connection)) CHECK(chunk > 0 && looks++ < 50);
    CHECK_INT(qe_connection_begin(connection, &error), QE_ERR_CONNECTION);
    CHECK_TEXT(error.sqlstate, "57P01");
    end(connection);
  }
}

static void test_what_came_unasked_is_kept_for_who_wants_it(void) {
  reply news = {.size = 0};
  qe_connection *connection;
  const char *data = NULL;
  int64_t size = 0;
  qe_error error;

  reply_begin(&news, 'A');
  reply_int32(&news, 4711);
  reply_text(&news, "channel");
  reply_text(&news, "payload");
  reply_end(&news);
  connection = open_and_say(&news, 0);
  pipe_end_after(-1);
  CHECK(!is_gone(connection));
  CHECK_INT(qe_connection_next_message(connection, &data, &size, &error), QE_OK);
  CHECK(size == 21 && data[0] == 'A');
  end(connection);
}

int main(void) {
  test_a_quiet_connection_is_not_even_read_from();
  test_an_end_is_noticed();
  test_the_servers_last_words_are_kept();
  test_what_came_unasked_is_kept_for_who_wants_it();
  return check_result();
}
