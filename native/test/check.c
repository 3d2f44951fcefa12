#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

static int failures = 0;

static void report(const char *what, const char *file, int line) {
  failures++;
  (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

void check_true(bool holds, const char *what, const char *file, int line) {
  if (!holds) report(what, file, line);
}

void check_int(long long left, long long right, const char *what, const char *file,
               int line) {
  if (left == right) return;
  report(what, file, line);
  (void)fprintf(stderr, "  is %lld, should be %lld\n", left, right);
}

void check_text(const char *left, const char *right, const char *what, const char *file,
                int line) {
  if (left && strcmp(left, right) == 0) return;
  report(what, file, line);
  (void)fprintf(stderr, "  is \"%s\", should be \"%s\"\n", left ? left : "(null)",
                right);
}

int check_result(void) {
  if (failures == 0) return EXIT_SUCCESS;
  (void)fprintf(stderr, "%d checks failed\n", failures);
  return EXIT_FAILURE;
}

void check_every_refusal(const char *name, scenario run) {
  int64_t live = qe__test_live();
  int64_t refusals = 0;
  bool was_refused = true;

  for (; was_refused; refusals++) {
    qe_error error = {0};
    qe_status status;

    qe__test_refuse(refusals);
    status = run(&error);
    was_refused = qe__test_refused();
    qe__test_refuse(-1);
    if (status != QE_OK) {
      CHECK_INT(status, QE_ERR_NOMEM);
      CHECK(error.message[0] != '\0');
      CHECK(was_refused);
    }
    if (qe__test_live() != live) {
      (void)fprintf(stderr, "%s: refusal %lld left %lld blocks behind\n", name,
                    (long long)refusals, (long long)(qe__test_live() - live));
      failures++;
      return;
    }
    if (failures > 0) return;
  }
  (void)printf("%s: %lld allocations refused one by one\n", name,
               (long long)refusals - 1);
}

/* A block for SQLite carries its size in front, because SQLite asks for it. */
enum { HEADER = 16 };

static int block_size(void *block) {
  int64_t size;
  memcpy(&size, (char *)block - HEADER, sizeof size);
  return (int)size;
}

static void *with_size(char *memory, int64_t size) {
  if (!memory) return NULL;
  memcpy(memory, &size, sizeof size);
  return memory + HEADER;
}

static void *block_new(int size) {
  return with_size(qe__zalloc((int64_t)size + HEADER), size);
}

static void block_free(void *block) {
  if (block) qe__free((char *)block - HEADER);
}

static void *block_resize(void *block, int size) {
  return with_size(qe__realloc((char *)block - HEADER, (int64_t)size + HEADER), size);
}

static int block_round(int size) {
  return (size + 7) & ~7;
}

static int memory_start(void *context) {
  (void)context;
  return SQLITE_OK;
}

static void memory_end(void *context) {
  (void)context;
}

void route_sqlite_memory(void) {
  static const sqlite3_mem_methods METHODS = {block_new,  block_free,  block_resize,
                                              block_size, block_round, memory_start,
                                              memory_end, NULL};
  CHECK_INT(sqlite3_config(SQLITE_CONFIG_MALLOC, &METHODS), SQLITE_OK);
  /* Carved out of one block per connection, it would hide most allocations. */
  CHECK_INT(sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0), SQLITE_OK);
  CHECK_INT(sqlite3_initialize(), SQLITE_OK);
}

qe_connection *open_memory(void) {
  static const char *const KEYWORDS[] = {"file", NULL};
  static const char *const VALUES[] = {":memory:", NULL};
  qe_connection *connection = NULL;
  qe_error error;

  if (qe_connection_open(KEYWORDS, VALUES, &connection, &error) != QE_OK) {
    CHECK_TEXT(error.message, "");
    exit(EXIT_FAILURE);
  }
  return connection;
}

void run_sql(qe_connection *connection, const char *sql) {
  qe_error error;
  qe_status status =
      qe_connection_execute_script(connection, sql, (int64_t)strlen(sql), &error);

  if (status != QE_OK) CHECK_TEXT(error.message, "");
}
