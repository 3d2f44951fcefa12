/* What only the tests of SQLite's engine share. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "sqlite3.h"

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
