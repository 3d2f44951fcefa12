/* A fuzzer of whole conversations: what a server says to a few statements is spliced,
 * cut, repeated and changed, by a fixed seed, and comes in pieces of changing size. No
 * answer may crash us, leave memory behind or keep us for ever. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pipe.h"

enum { RUNS = 20000, STEPS = 400 };

static uint64_t state = 0x2545F4914F6CDD1D;

static uint32_t pick(uint32_t below) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 33) % below;
}

static void add_message(reply *out) {
  static const uint32_t OIDS[] = {23, 25, 20, 16, 1700, 1184, 1007, 3802, 2278, 99999};
  static const char TAGS[][16] = {"SELECT 1", "INSERT 0 9", "BEGIN", "DISCARD ALL",
                                  "COPY 3",   "ROLLBACK",   "",      "UPDATE"};
  uint32_t oids[3] = {OIDS[pick(10)], OIDS[pick(10)], OIDS[pick(10)]};

  switch (pick(16)) {
    case 0: reply_empty(out, '1'); break;
    case 1: reply_empty(out, '2'); break;
    case 2: reply_parameters(out, (int)pick(3), oids); break;
    case 3:
    case 4: reply_fields(out, (int)pick(4), oids); break;
    case 5: reply_complete(out, TAGS[pick(8)]); break;
    case 6:
    case 7: reply_ready(out, "ITEX"[pick(4)]); break;
    case 8: reply_error(out, pick(2) ? "26000" : "0A000", "cached plan", "3"); break;
    case 9: reply_empty(out, "nIs3GHWcd"[pick(9)]); break;
    case 10:
      reply_begin(out, 'A');
      reply_int32(out, 1);
      reply_text(out, "c");
      reply_text(out, "p");
      reply_end(out);
      break;
    case 11:
      reply_begin(out, 'S');
      reply_text(out, "client_encoding");
      reply_text(out, pick(4) ? "UTF8" : "LATIN1");
      reply_end(out);
      break;
    default:
      reply_begin(out, 'D');
      reply_int16(out, 2);
      for (int i = 0; i < 2; i++) {
        int32_t size = (int32_t)pick(10) - 1;
        reply_int32(out, size);
        for (int32_t b = 0; b < size; b++) {
          uint8_t byte = (uint8_t)pick(256);
          reply_bytes(out, &byte, 1);
        }
      }
      reply_end(out);
  }
}

static void add_usual(reply *out) {
  const uint32_t oids[] = {23, 25, 1007};

  reply_empty(out, '1');
  reply_parameters(out, 1, oids);
  reply_fields(out, 2, oids + pick(2));
  reply_ready(out, 'I');
}

static void drain(qe_statement *statement) {
  qe_error error;
  qe_status status = QE_OK;
  int64_t count = 1;

  for (int i = 0; i < STEPS && (status == QE_OK || qe__is_want(status)) && count >= 0;
       i++) {
    status = qe_statement_fetch(statement, 3, &count, &error);
    if (qe__is_want(status) && pipe_is_dry()) return;
    if (status == QE_OK && count == 0) return;
  }
}

static void converse(qe_connection *connection) {
  static const char *const TEXTS[] = {"SELECT ?", "SELECT a FROM t WHERE b = ?",
                                      "INSERT INTO t VALUES (?) RETURNING a"};
  qe_value value = {.kind = QE_VALUE_INT64, .int64 = pick(100)};
  qe_error error;

  for (int i = 0; i < 3; i++) {
    const char *sql = TEXTS[pick(3)];
    qe_statement *statement = NULL;
    qe_status status = qe__connection_enter(connection, &error);

    if (status != QE_OK) return;
    status = qe__statement_prepare(connection, sql, (int64_t)strlen(sql), &statement,
                                   &error);
    for (int step = 0; step < STEPS && qe__is_want(status) && !pipe_is_dry(); step++) {
      status = qe__statement_resume(&statement, &error);
    }
    qe__connection_leave(connection);
    if (status == QE_OK) {
      status = qe_statement_start(statement, &value, statement->parameter_count == 1,
                                  &error);
    }
    if (status == QE_OK && pick(4)) drain(statement);
    qe_statement_release(statement);
    if (pick(8) == 0) (void)qe_connection_poll(connection, &error);
    if (pick(8) == 0) (void)qe_connection_commit(connection, &error);
  }
}

static void run_once(void) {
  static reply first, rest;
  static pipe_script script[4];
  qe_connection *connection = NULL;
  int64_t live = qe__test_live();
  qe_error error;

  first.size = rest.size = 0;
  if (pick(4)) add_usual(&first);
  for (uint32_t i = pick(6); i > 0; i--) add_message(&first);
  for (uint32_t i = pick(20); i > 0; i--) add_message(&rest);
  script[0] = (pipe_script){"P", first.data, first.size};
  script[1] = (pipe_script){"DS", rest.data, rest.size};
  script[2] = (pipe_script){NULL, NULL, 0};
  pipe_play(script);
  pipe_cut_into(pick(3) ? pick(40) : 0);
  if (pick(2) && first.size > 0) {
    pipe_change(pick((uint32_t)first.size), (uint8_t)pick(256));
  }
  if (pick(8) == 0) pipe_end_after(pick(400));
  if (pipe_open(&connection, &error) == QE_OK) {
    converse(connection);
    (void)qe_connection_close(connection, &error);
    qe_connection_release(connection);
  }
  CHECK_INT(qe__test_live(), live);
}

int main(int argc, char **argv) {
  long runs = argc > 1 ? strtol(argv[1], NULL, 10) : RUNS;

  for (long run = 0; run < runs; run++) run_once();
  (void)printf("%ld conversations\n", runs);
  return check_result();
}
