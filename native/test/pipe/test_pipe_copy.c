/* COPY over the protocol, against a server whose every byte is decided here: in pieces
 * of every size, ended after every byte, with every byte changed, and with each
 * allocation refused once. */
#include <string.h>

#include "../../src/qe_backend.h"
#include "../../src/qe_copy.h"
#include "../../src/qe_error.h"
#include "pipe.h"

static const uint32_t FIELDS[] = {23, 25}; /* int4, text */
static const char SHAPE[] = "SELECT a, b FROM t";
static const char HEAD[] = "PGCOPY\n\377\r\n\0\0\0\0\0\0\0\0";

/* What the server says: of the shape; when a COPY begins; and to its end. */
static reply described, begun_in, ended_in, begun_out, ended_out, refused;

static void say_shape(reply *out) {
  reply_empty(out, '1');
  reply_parameters(out, 0, NULL);
  reply_fields(out, 2, FIELDS);
}

static void say_begin(reply *out, char way) {
  say_shape(out);
  reply_empty(out, '1');
  reply_empty(out, '2');
  reply_begin(out, way);
  reply_bytes(out, "\1", 1);
  reply_int16(out, 2);
  reply_int16(out, 1);
  reply_int16(out, 1);
  reply_end(out);
}

static void say_row(reply *out, bool is_first, int32_t number, const char *text) {
  reply_begin(out, 'd');
  if (is_first) reply_bytes(out, HEAD, sizeof HEAD);
  reply_int16(out, 2);
  reply_int32(out, 4);
  reply_int32(out, number);
  reply_int32(out, text ? (int32_t)strlen(text) : -1);
  if (text) reply_bytes(out, text, (int64_t)strlen(text));
  reply_end(out);
}

static void write_lines(void) {
  say_shape(&described);
  reply_ready(&described, 'I');
  say_begin(&begun_in, 'G');
  reply_complete(&ended_in, "COPY 2");
  reply_ready(&ended_in, 'I');
  say_begin(&begun_out, 'H');
  say_row(&begun_out, true, 1, "one");
  say_row(&begun_out, false, 2, NULL);
  say_row(&begun_out, false, -3, "three");
  reply_begin(&begun_out, 'd');
  reply_int16(&begun_out, -1);
  reply_end(&begun_out);
  reply_empty(&begun_out, 'c');
  reply_complete(&begun_out, "COPY 3");
  reply_ready(&ended_out, 'I');
  reply_error(&refused, "23505", "duplicate key", NULL);
}

static pipe_script script[6];

static void play_in(void) {
  memset(script, 0, sizeof script);
  script[0] = (pipe_script){"PDS", described.data, described.size};
  script[1] = (pipe_script){"PDPBEH", begun_in.data, begun_in.size};
  script[2] = (pipe_script){"ddcS", ended_in.data, ended_in.size};
  pipe_play(script);
}

static void play_out(void) {
  memset(script, 0, sizeof script);
  script[0] = (pipe_script){"PDS", described.data, described.size};
  script[1] = (pipe_script){"PDPBEH", begun_out.data, begun_out.size};
  script[2] = (pipe_script){"S", ended_out.data, ended_out.size};
  pipe_play(script);
}

/* Takes the shape from the server, as any other statement. */
static qe_status take_shape(qe_copy *copy, qe_error *error) {
  qe_statement *shape = NULL;
  qe_batch batch = {0};
  qe_status status =
      qe__statement_prepare(copy->connection, SHAPE, sizeof SHAPE - 1, &shape, error);

  if (qe__is_want(status)) {
    PIPE_UNTIL_DONE(status, qe__statement_resume(&shape, error));
  }
  if (status == QE_OK) {
    if (qe__statement_spare(shape, &batch)) {
      qe__batch_clear(&shape->batch);
      shape->batch = batch;
    } else {
      qe__batch_clear(&batch);
      status = qe__fail_memory(error, "batch");
    }
  }
  copy->shape = shape;
  return status;
}

static qe_status begin(qe_copy *copy, qe_error *error) {
  const char *sql = copy->is_in ? "COPY t FROM STDIN (FORMAT binary)"
                                : "COPY t TO STDOUT (FORMAT binary)";
  qe_status status = take_shape(copy, error);

  if (status == QE_OK) {
    PIPE_UNTIL_DONE(
        status, qe__backend_copy_begin(copy, sql, (int64_t)strlen(sql), false, error));
  }
  return status;
}

static qe_status send(qe_copy *copy, qe_error *error) {
  qe_value values[] = {{.kind = QE_VALUE_INT64, .int64 = 1},
                       {.kind = QE_VALUE_NULL},
                       {.kind = QE_VALUE_INT64, .int64 = 2},
                       {.kind = QE_VALUE_TEXT, .size = 3}};
  int64_t done = 0;
  qe_status status;

  values[3].data = "two";
  PIPE_UNTIL_DONE(status, qe__backend_copy_rows(copy, values, 2, &done, error));
  if (status == QE_OK) CHECK_INT(done, 2);
  if (status == QE_OK) PIPE_UNTIL_DONE(status, qe__backend_copy_end(copy, NULL, error));
  if (status == QE_OK) CHECK(copy->is_over);
  return status;
}

static int64_t sum, count;

static qe_status receive(qe_copy *copy, qe_error *error) {
  qe_batch *batch = &copy->shape->batch;
  qe_status status;

  sum = count = 0;
  do {
    qe__batch_reset(batch);
    PIPE_UNTIL_DONE(status, qe__backend_copy_fill(copy, batch, 2, 1 << 20, error));
    for (int64_t i = 0; status == QE_OK && i < batch->row_count; i++) {
      sum += qe__column_int64(&batch->columns[0], i);
      count++;
    }
  } while (status == QE_OK && batch->row_count > 0);
  return status;
}

/* Connects, copies, closes; a copy that has failed is let go of as it is. */
static qe_status run(bool is_in, qe_error *error) {
  qe_connection *connection = NULL;
  qe_copy *copy = NULL;
  qe_statement *shape;
  qe_status status = pipe_open(&connection, error);

  if (status != QE_OK) {
    qe_connection_release(connection);
    return status;
  }
  copy = qe__copy_new(connection);
  if (!copy) status = qe__fail_memory(error, "COPY");
  if (status == QE_OK) status = qe__connection_enter(connection, error);
  if (status == QE_OK) {
    copy->is_in = is_in;
    status = begin(copy, error);
    if (status == QE_OK) status = is_in ? send(copy, error) : receive(copy, error);
    shape = copy->shape;
    copy->shape = NULL;
    atomic_store(&copy->is_orphan, true);
    if (shape) qe__statement_return(shape);
    qe__connection_leave(connection);
  }
  qe__copy_release(copy);
  CHECK_INT(qe_connection_close(connection, NULL), QE_OK);
  qe_connection_release(connection);
  return status;
}

static void test_a_copy_is_the_same_however_it_is_cut(void) {
  qe_error error;

  for (int64_t size = 0; size <= begun_out.size; size++) {
    play_in();
    pipe_cut_into(size);
    CHECK_INT(run(true, &error), QE_OK);
    play_out();
    pipe_cut_into(size);
    CHECK_INT(run(false, &error), QE_OK);
    CHECK_INT(count, 3);
    CHECK_INT(sum, 0);
  }
}

static void test_an_end_after_any_byte_is_a_lost_connection(void) {
  int64_t in = described.size + begun_in.size + ended_in.size;
  int64_t out = described.size + begun_out.size + ended_out.size;
  qe_error error;

  for (int64_t end = 0; end < in || end < out; end++) {
    if (end < in) {
      play_in();
      pipe_end_after(end);
      CHECK_INT(run(true, &error), QE_ERR_CONNECTION);
    }
    if (end < out) {
      play_out();
      pipe_end_after(end);
      CHECK_INT(run(false, &error), QE_ERR_CONNECTION);
    }
    CHECK(error.message[0] != '\0');
  }
}

static bool is_expected(qe_status status) {
  return status == QE_OK || status == QE_ERR_TYPE || status == QE_ERR_MISUSE ||
         status == QE_ERR_PARAMETER || status == QE_ERR_RANGE ||
         status == QE_ERR_ENCODING || status == QE_ERR_DATABASE ||
         status == QE_ERR_CONNECTION || status == QE_ERR_PROTOCOL ||
         status == QE_ERR_TIMEOUT;
}

static void test_no_changed_byte_does_harm(void) {
  static const uint8_t BYTES[] = {0x00, 0x01, 0x7F, 0x80, 0xFF, 'Z', 'd',
                                  'E',  'G',  'H',  'c',  'C',  'T'};
  int64_t out = described.size + begun_out.size + ended_out.size;
  qe_error error;

  for (int64_t at = 0; at < out; at++) {
    for (size_t i = 0; i < sizeof BYTES; i++) {
      play_out();
      pipe_change(at, BYTES[i]);
      CHECK(is_expected(run(false, &error)));
      play_in();
      pipe_change(at, BYTES[i]);
      CHECK(is_expected(run(true, &error)));
    }
  }
}

/* The server refuses while rows are on their way: one Sync, and it is over. */
static void test_a_refusal_midway_ends_it(void) {
  static reply ready;
  qe_error error;

  reply_ready(&ready, 'I');
  memset(script, 0, sizeof script);
  script[0] = (pipe_script){"PDS", described.data, described.size};
  script[1] = (pipe_script){"PDPBEH", begun_in.data, begun_in.size};
  script[2] = (pipe_script){"ddcS", refused.data, refused.size};
  script[3] = (pipe_script){"", ready.data, ready.size};
  pipe_play(script);
  CHECK_INT(run(true, &error), QE_ERR_DATABASE);
  CHECK_TEXT(error.sqlstate, "23505");
}

static qe_status refuse_in(qe_error *error) {
  play_in();
  return run(true, error);
}

static qe_status refuse_out(qe_error *error) {
  play_out();
  return run(false, error);
}

int main(void) {
  write_lines();
  test_a_copy_is_the_same_however_it_is_cut();
  test_an_end_after_any_byte_is_a_lost_connection();
  test_no_changed_byte_does_harm();
  test_a_refusal_midway_ends_it();
  check_every_refusal("copy in", refuse_in);
  check_every_refusal("copy out", refuse_out);
  return check_result();
}
