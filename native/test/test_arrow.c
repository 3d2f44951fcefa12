/* Arrow streams: schemas, moved buffers, values that do not fit. */
#include <errno.h>
#include <string.h>

#include "check.h"

static qe_status open_stream(qe_connection *connection, const char *sql,
                             struct ArrowArrayStream *stream, qe_error *error) {
  qe_statement *statement = NULL;
  qe_status status =
      qe_statement_acquire(connection, sql, (int64_t)strlen(sql), &statement, error);

  if (status == QE_OK) status = qe_statement_start(statement, NULL, 0, error);
  if (status == QE_OK) status = qe_statement_arrow(statement, 0, stream, error);
  if (status != QE_OK) qe_statement_release(statement);
  return status;
}

static void end_connection(qe_connection *connection) {
  CHECK_INT(qe_connection_close(connection, NULL), QE_OK);
  qe_connection_release(connection);
}

static void test_declared_types_make_the_schema(void) {
  static const char *const FORMATS[] = {"l",   "g",    "u",       "z",      "b", "tdD",
                                        "ttu", "tsu:", "tsu:UTC", "d:10,2", "g", "n"};
  qe_connection *connection = open_memory();
  struct ArrowArrayStream stream;
  struct ArrowSchema schema;
  qe_error error;

  run_sql(
      connection,
      "CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e BOOLEAN, f DATE, g TIME, "
      "h DATETIME, i TIMESTAMP WITH TIME ZONE, j DECIMAL(10, 2), k NUMERIC)");
  CHECK_INT(open_stream(connection, "SELECT *, NULL FROM t", &stream, &error), QE_OK);
  CHECK_INT(stream.get_schema(&stream, &schema), 0);
  CHECK_TEXT(schema.format, "+s");
  CHECK_INT(schema.n_children, 12);
  for (int i = 0; i < 12; i++) CHECK_TEXT(schema.children[i]->format, FORMATS[i]);
  CHECK_TEXT(schema.children[9]->name, "j");
  schema.release(&schema);
  stream.release(&stream);
  end_connection(connection);
}

static void test_a_stream_gives_every_row_and_then_ends(void) {
  static const char SQL[] =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < "
      "150000) "
      "SELECT x, CASE WHEN x % 3 THEN 'row ' || x END FROM c";
  qe_connection *connection = open_memory();
  struct ArrowArrayStream stream;
  struct ArrowArray array;
  qe_error error;
  int64_t rows = 0, sum = 0, nulls = 0;

  CHECK_INT(open_stream(connection, SQL, &stream, &error), QE_OK);
  for (;;) {
    CHECK_INT(stream.get_next(&stream, &array), 0);
    if (!array.release) break;
    for (int64_t i = 0; i < array.length; i++) {
      sum += ((const int64_t *)array.children[0]->buffers[1])[i];
    }
    rows += array.length;
    /* The children may outlive their parent. */
    struct ArrowArray child = *array.children[1];
    array.children[1]->release = NULL;
    array.release(&array);
    nulls += child.null_count;
    child.release(&child);
  }
  CHECK_INT(rows, 150000);
  CHECK_INT(nulls, 50000);
  CHECK_INT(sum, INT64_C(150000) * 150001 / 2);
  stream.release(&stream);
  end_connection(connection);
}

static void test_rows_before_first_row_are_left_out(void) {
  qe_connection *connection = open_memory();
  qe_statement *statement = NULL;
  struct ArrowArrayStream stream;
  struct ArrowArray array;
  qe_error error;
  static const char SQL[] = "VALUES ('one'), (2), (3)";
  int64_t count;

  CHECK_INT(
      qe_statement_acquire(connection, SQL, (int64_t)strlen(SQL), &statement, &error),
      QE_OK);
  CHECK_INT(qe_statement_start(statement, NULL, 0, &error), QE_OK);
  CHECK_INT(qe_statement_fetch(statement, 10, &count, &error), QE_OK);
  CHECK_INT(count, 3);
  CHECK_INT(qe_statement_arrow(statement, 1, &stream, &error), QE_OK);
  CHECK_INT(stream.get_next(&stream, &array), 0);
  CHECK_INT(array.length, 2);
  CHECK_INT(array.children[0]->offset, 1);
  array.release(&array);
  stream.release(&stream);
  end_connection(connection);
}

static void test_a_value_that_does_not_fit_is_named(void) {
  qe_connection *connection = open_memory();
  struct ArrowArrayStream stream;
  qe_error error;

  run_sql(connection,
          "CREATE TABLE t (a INTEGER, b DATE, c DECIMAL(4, 1));"
          "INSERT INTO t VALUES (1, '2024-01-01', 1.5), ('x', 'soon', 1.25)");
  CHECK_INT(open_stream(connection, "SELECT a FROM t", &stream, &error), QE_ERR_TYPE);
  CHECK_TEXT(error.message, "Row 2 of column `a` holds `x`, which is no Arrow int64");
  CHECK_INT(open_stream(connection, "SELECT b FROM t", &stream, &error), QE_ERR_TYPE);
  CHECK_TEXT(error.message,
             "Row 2 of column `b` holds `soon`, which is no Arrow date32");
  CHECK_INT(open_stream(connection, "SELECT c FROM t", &stream, &error), QE_ERR_TYPE);
  CHECK_INT(open_stream(connection, "SELECT CAST(x'ff' AS TEXT)", &stream, &error),
            QE_ERR_ENCODING);
  CHECK_INT(open_stream(connection, "VALUES (1), (2.5), (NULL)", &stream, &error),
            QE_OK);
  stream.release(&stream);
  CHECK_INT(
      open_stream(connection, "VALUES (9007199254740993), (2.5)", &stream, &error),
      QE_ERR_TYPE);
  end_connection(connection);
}

static void test_a_stream_outlives_its_connection_and_says_so(void) {
  qe_connection *connection = open_memory();
  struct ArrowArrayStream stream;
  struct ArrowArray array;
  qe_error error;

  CHECK_INT(open_stream(connection, "SELECT 1", &stream, &error), QE_OK);
  end_connection(connection);
  CHECK_INT(stream.get_next(&stream, &array), EINVAL);
  CHECK_TEXT(stream.get_last_error(&stream), "The connection is closed");
  stream.release(&stream);
}

/* Reads a whole stream of every form a column can have. */
static qe_status whole_stream(qe_error *error) {
  static const char *const KEYWORDS[] = {"file", NULL};
  static const char *const VALUES[] = {":memory:", NULL};
  static const char TABLE[] =
      "CREATE TABLE t (a INTEGER, b REAL, c TEXT, d BLOB, e BOOLEAN, f DATE, "
      "j DECIMAL(10, 2), k NUMERIC)";
  static const char FILL[] =
      "WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c WHERE x < 30) "
      "INSERT INTO t SELECT x, x / 3.0, 'text', x'00ff', x % 2, '2024-01-01', x / 4.0, "
      "nullif(x, 7) FROM c";
  struct ArrowArrayStream stream = {0};
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  qe_connection *connection = NULL;
  qe_status status = qe_connection_open(KEYWORDS, VALUES, &connection, error);
  int code = 0;

  if (status == QE_OK) {
    status = qe_connection_execute_script(connection, TABLE, sizeof TABLE - 1, error);
  }
  if (status == QE_OK) {
    status = qe_connection_execute_script(connection, FILL, sizeof FILL - 1, error);
  }
  if (status == QE_OK) {
    status = open_stream(connection, "SELECT *, NULL, 1.5 FROM t", &stream, error);
  }
  if (status == QE_OK) code = stream.get_schema(&stream, &schema);
  if (status == QE_OK && code == 0) code = stream.get_next(&stream, &array);
  if (status == QE_OK && code != 0) {
    CHECK_INT(code, ENOMEM);
    (void)strncpy(error->message, stream.get_last_error(&stream), 100);
    status = QE_ERR_NOMEM;
  }
  if (array.release) array.release(&array);
  if (schema.release) schema.release(&schema);
  if (stream.release) stream.release(&stream);
  if (connection) qe_connection_close(connection, NULL);
  qe_connection_release(connection);
  return status;
}

int main(void) {
  route_sqlite_memory();
  qe_connection_release(open_memory());
  test_declared_types_make_the_schema();
  test_a_stream_gives_every_row_and_then_ends();
  test_rows_before_first_row_are_left_out();
  test_a_value_that_does_not_fit_is_named();
  test_a_stream_outlives_its_connection_and_says_so();
  check_every_refusal("whole stream", whole_stream);
  return check_result();
}
