/* PostgreSQL's wire values: to columns and back, known types and learned ones. The
 * expected values are written out; what a server really sends is in
 * test_postgres_values.c. */
#include <math.h>
#include <string.h>

#include "../src/qe_postgres_decode.h"
#include "../src/qe_postgres_encode.h"
#include "check.h"

enum { ROWS = 16 };

static void start(qe_batch *batch, const qe_pg_type *type) {
  qe_column_meta meta = {0};
  qe_error error;

  CHECK(qe__batch_init(batch, 1));
  qe__pg_type_describe(type, -1, &meta);
  batch->columns[0].type = meta.type;
  CHECK_INT(qe__batch_reserve(batch, ROWS, &error), QE_OK);
  CHECK_INT(qe__column_settle(&batch->columns[0], 0, qe__pg_type_kind(type), &error),
            QE_OK);
}

/* Decodes one value as the next row; the failure's sentence stays in error. */
static qe_status decode(qe_batch *batch, uint32_t oid, const char *data, int64_t size,
                        qe_error *error) {
  const qe_pg_type *type = qe__pg_type_find(NULL, oid);
  qe_status status = qe__pg_decode(NULL, type, &batch->columns[0], batch->row_count,
                                   (const uint8_t *)data, size, error);

  if (status == QE_OK) batch->row_count++;
  return status;
}

#define DECODE(batch, oid, literal) \
  CHECK_INT(decode((batch), (oid), (literal), sizeof(literal) - 1, NULL), QE_OK)

static bool bytes_are(const qe_column *column, int64_t row, const char *wanted,
                      int64_t wanted_size) {
  int64_t size;
  const uint8_t *bytes = qe__column_bytes(column, row, &size);
  return size == wanted_size && memcmp(bytes, wanted, (size_t)size) == 0;
}

#define BYTES_ARE(column, row, literal) \
  CHECK(bytes_are((column), (row), (literal), sizeof(literal) - 1))

static void test_integers_of_every_width(void) {
  static const struct {
    uint32_t oid;
    int64_t size;
    const char *data;
    int64_t value;
  } CASES[] = {
      {21, 2, "\x80\x00", INT16_MIN},
      {21, 2, "\x7f\xff", INT16_MAX},
      {23, 4, "\xff\xff\xff\xfe", -2},
      {23, 4, "\x80\x00\x00\x00", INT32_MIN},
      {20, 8, "\x80\0\0\0\0\0\0\0", INT64_MIN},
      {20, 8, "\0\0\0\0\0\0\1\2", 258},
      {26, 4, "\xff\xff\xff\xff", UINT32_MAX},
      {28, 4, "\x80\0\0\0", INT64_C(0x80000000)},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    qe_batch batch;
    start(&batch, qe__pg_type_find(NULL, CASES[i].oid));
    CHECK_INT(decode(&batch, CASES[i].oid, CASES[i].data, CASES[i].size, NULL), QE_OK);
    CHECK_INT(batch.columns[0].kind, QE_KIND_INT64);
    CHECK_INT(qe__column_int64(&batch.columns[0], 0), CASES[i].value);
    qe__batch_clear(&batch);
  }
}

static void test_floats_and_booleans(void) {
  qe_batch batch;

  start(&batch, qe__pg_type_find(NULL, 701));
  DECODE(&batch, 701, "\x3f\xf8\0\0\0\0\0\0");
  DECODE(&batch, 701, "\x7f\xf0\0\0\0\0\0\0");
  DECODE(&batch, 700, "\xbf\0\0\0");
  DECODE(&batch, 700, "\x7f\xc0\0\0");
  CHECK(qe__column_float64(&batch.columns[0], 0) == 1.5);
  CHECK(isinf(qe__column_float64(&batch.columns[0], 1)));
  CHECK(qe__column_float64(&batch.columns[0], 2) == -0.5);
  CHECK(isnan(qe__column_float64(&batch.columns[0], 3)));
  qe__batch_clear(&batch);

  start(&batch, qe__pg_type_find(NULL, 16));
  for (int i = 0; i < 10; i++) {
    CHECK_INT(decode(&batch, 16, i % 3 ? "\1" : "\0", 1, NULL), QE_OK);
  }
  CHECK_INT(batch.columns[0].kind, QE_KIND_BOOLEAN);
  for (int i = 0; i < 10; i++) {
    CHECK_INT(qe__column_bit(&batch.columns[0], i), i % 3 != 0);
  }
  qe__batch_clear(&batch);
}

static void test_moments_count_from_1970(void) {
  qe_batch batch;

  start(&batch, qe__pg_type_find(NULL, 1082));
  DECODE(&batch, 1082, "\0\0\0\0");
  DECODE(&batch, 1082, "\x7f\xff\xff\xff");
  DECODE(&batch, 1082, "\x80\0\0\0");
  DECODE(&batch, 1082, "\xff\xda\x97\xa7"); /* the first day there is */
  CHECK_INT(batch.columns[0].kind, QE_KIND_DATE);
  CHECK_INT(qe__column_int32(&batch.columns[0], 0), 10957);
  CHECK_INT(qe__column_int32(&batch.columns[0], 1), INT32_MAX);
  CHECK_INT(qe__column_int32(&batch.columns[0], 2), INT32_MIN);
  CHECK_INT(qe__column_int32(&batch.columns[0], 3), -2440588);
  qe__batch_clear(&batch);

  start(&batch, qe__pg_type_find(NULL, 1184));
  DECODE(&batch, 1184, "\0\0\0\0\0\0\0\1");
  DECODE(&batch, 1184, "\x7f\xff\xff\xff\xff\xff\xff\xff");
  CHECK_INT(batch.columns[0].kind, QE_KIND_TIMESTAMP);
  CHECK_INT(qe__column_int64(&batch.columns[0], 0), INT64_C(946684800000001));
  CHECK_INT(qe__column_int64(&batch.columns[0], 1), INT64_MAX);
  qe__batch_clear(&batch);

  start(&batch, qe__pg_type_find(NULL, 1083));
  DECODE(&batch, 1083, "\0\0\0\x14\x1d\xd7\x60\0"); /* 24:00 */
  CHECK_INT(qe__column_int64(&batch.columns[0], 0), INT64_C(86400000000));
  qe__batch_clear(&batch);
}

static void test_records_of_fixed_size(void) {
  static const qe_interval WANTED = {-1, 2, -3};
  qe_batch batch;
  qe_interval interval;
  qe_timetz timetz;
  int64_t size;

  start(&batch, qe__pg_type_find(NULL, 1186));
  DECODE(&batch, 1186, "\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\2\xff\xff\xff\xfd");
  interval = qe__interval_read(qe__column_bytes(&batch.columns[0], 0, &size));
  CHECK_INT(size, 16);
  CHECK_INT(interval.microseconds, WANTED.microseconds);
  CHECK_INT(interval.days, WANTED.days);
  CHECK_INT(interval.months, WANTED.months);
  qe__batch_clear(&batch);

  start(&batch, qe__pg_type_find(NULL, 1266));
  DECODE(&batch, 1266, "\0\0\0\0\0\0\0\1\xff\xff\xf1\xf0"); /* 3600 s east */
  timetz = qe__timetz_read(qe__column_bytes(&batch.columns[0], 0, &size));
  CHECK_INT(size, 12);
  CHECK_INT(timetz.microseconds, 1);
  CHECK_INT(timetz.east_seconds, 3600);
  qe__batch_clear(&batch);

  start(&batch, qe__pg_type_find(NULL, 2950));
  DECODE(&batch, 2950, "0123456789abcdef");
  BYTES_ARE(&batch.columns[0], 0, "0123456789abcdef");
  qe__batch_clear(&batch);
}

static void test_texts_of_every_form(void) {
  qe_batch batch;

  start(&batch, qe__pg_type_find(NULL, 25));
  DECODE(&batch, 25, "abc");
  DECODE(&batch, 25, "");
  DECODE(&batch, 18, "\0");
  DECODE(&batch, 18, "x");
  DECODE(&batch, 18, "\xff");
  DECODE(&batch, 3802, "\1{}");
  DECODE(&batch, 114, "[1, 2]");
  DECODE(&batch, 790, "$1.00");
  BYTES_ARE(&batch.columns[0], 0, "abc");
  BYTES_ARE(&batch.columns[0], 1, "");
  BYTES_ARE(&batch.columns[0], 2, "");
  BYTES_ARE(&batch.columns[0], 3, "x");
  BYTES_ARE(&batch.columns[0], 4, "\\377");
  BYTES_ARE(&batch.columns[0], 5, "{}");
  BYTES_ARE(&batch.columns[0], 6, "[1, 2]");
  BYTES_ARE(&batch.columns[0], 7, "$1.00");
  qe__batch_clear(&batch);
}

static void test_numbers_keep_every_digit(void) {
  qe_batch batch;
  int64_t size;

  start(&batch, qe__pg_type_find(NULL, 1700));
  DECODE(&batch, 1700, "\0\0\0\0\0\0\0\0");
  DECODE(&batch, 1700, "\0\0\0\0\0\0\0\3");
  DECODE(&batch, 1700, "\0\2\0\1\x40\0\0\2\0\1\x09\x29");
  DECODE(&batch, 1700, "\0\1\xff\xff\0\0\0\5\0\x0c");
  DECODE(&batch, 1700, "\0\0\0\0\xc0\0\0\0");
  DECODE(&batch, 1700, "\0\0\0\0\xd0\0\0\x20");
  DECODE(&batch, 1700, "\0\0\0\0\xf0\0\0\x20");
  DECODE(&batch, 1700, "\0\1\x7f\xff\0\0\x3f\xff\x03\xe8");
  BYTES_ARE(&batch.columns[0], 0, "0");
  BYTES_ARE(&batch.columns[0], 1, "0.000");
  BYTES_ARE(&batch.columns[0], 2, "-12345.00");
  BYTES_ARE(&batch.columns[0], 3, "0.00120");
  BYTES_ARE(&batch.columns[0], 4, "NaN");
  BYTES_ARE(&batch.columns[0], 5, "Infinity");
  BYTES_ARE(&batch.columns[0], 6, "-Infinity");
  (void)qe__column_bytes(&batch.columns[0], 7, &size);
  CHECK_INT(size, 131072 + 1 + 16383);
  qe__batch_clear(&batch);
}

static void test_addresses(void) {
  qe_batch batch;

  start(&batch, qe__pg_type_find(NULL, 869));
  DECODE(&batch, 869, "\2\x20\0\4\x7f\0\0\1");
  DECODE(&batch, 650, "\2\x20\1\4\x7f\0\0\1");
  DECODE(&batch, 869, "\3\x40\0\x10\x20\1\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1");
  DECODE(&batch, 869, "\3\x80\0\x10\0\0\0\0\0\0\0\0\0\0\xff\xff\x0a\0\0\1");
  BYTES_ARE(&batch.columns[0], 0, "127.0.0.1");
  BYTES_ARE(&batch.columns[0], 1, "127.0.0.1/32");
  BYTES_ARE(&batch.columns[0], 2, "2001:db8::1/64");
  BYTES_ARE(&batch.columns[0], 3, "::ffff:10.0.0.1");
  qe__batch_clear(&batch);
}

static void test_what_is_not_of_its_type_is_refused(void) {
  static const struct {
    uint32_t oid;
    int64_t size;
    const char *data;
    qe_status status;
    const char *message;
  } CASES[] = {
      {23, 3, "\0\0\0", QE_ERR_TYPE, "A value of type int4 has 3 bytes instead of 4"},
      {20, 0, "", QE_ERR_TYPE, "A value of type int8 has 0 bytes instead of 8"},
      {701, 4, "\0\0\0\0", QE_ERR_TYPE,
       "A value of type float8 has 4 bytes instead of 8"},
      {16, 1, "\2", QE_ERR_TYPE, "A value of type bool is 2"},
      {1082, 4, "\x7f\xff\xff\xfe", QE_ERR_RANGE,
       "A value of type date is out of range: 2147483646"},
      {1083, 8, "\xff\xff\xff\xff\xff\xff\xff\xff", QE_ERR_RANGE,
       "A value of type time is out of range: -1"},
      {1114, 8, "\x7f\xff\xff\xff\xff\xff\xff\xfe", QE_ERR_RANGE,
       "A value of type timestamp is out of range: 9223372036854775806"},
      {1266, 12, "\0\0\0\0\0\0\0\1\x7f\xff\xff\xff", QE_ERR_RANGE,
       "A value of type timetz is out of range: 2147483647"},
      {2950, 15, "0123456789abcde", QE_ERR_TYPE,
       "A value of type uuid has 15 bytes instead of 16"},
      {3802, 2, "\2x", QE_ERR_TYPE, "A value of type jsonb is not of version 1"},
      {1700, 7, "\0\0\0\0\0\0\0", QE_ERR_TYPE,
       "A value of type numeric has 7 bytes instead of 8 or more"},
      {1700, 8, "\x7f\xff\0\0\0\0\0\0", QE_ERR_TYPE,
       "A value of type numeric has 8 bytes for 32767 groups of digits"},
      {1700, 8, "\xff\xff\0\0\0\0\0\0", QE_ERR_TYPE,
       "A value of type numeric has 8 bytes for -1 groups of digits"},
      {1700, 10, "\0\1\0\0\0\0\0\0\x27\x10", QE_ERR_TYPE,
       "A value of type numeric has the group of digits 10000"},
      {1700, 8, "\0\0\0\0\x80\0\0\0", QE_ERR_TYPE,
       "A value of type numeric has the sign 0x8000"},
      {1700, 8, "\0\0\0\0\0\0\x40\0", QE_ERR_TYPE,
       "A value of type numeric has 16384 digits after its point"},
      {869, 8, "\4\x20\0\4\1\2\3\4", QE_ERR_TYPE,
       "A network address of 8 bytes has no known form"},
      {869, 8, "\2\x21\0\4\1\2\3\4", QE_ERR_TYPE,
       "A network address has 8 bytes and 33 bits of a mask"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    qe_batch batch;
    qe_error error = {0};
    start(&batch, qe__pg_type_find(NULL, CASES[i].oid));
    CHECK_INT(decode(&batch, CASES[i].oid, CASES[i].data, CASES[i].size, &error),
              CASES[i].status);
    CHECK_TEXT(error.message, CASES[i].message);
    CHECK_INT(batch.columns[0].bytes.size, 0);
    qe__batch_clear(&batch);
  }
}

static void test_void_is_null_and_the_unknown_is_text(void) {
  qe_batch batch;

  CHECK(qe__pg_type_find(NULL, 999999) == NULL);
  CHECK(!qe__pg_type_is_binary(NULL));
  start(&batch, NULL);
  DECODE(&batch, 999999, "(1,2)");
  BYTES_ARE(&batch.columns[0], 0, "(1,2)");
  CHECK_INT(batch.columns[0].type, QE_TYPE_TEXT);
  qe__batch_clear(&batch);

  start(&batch, qe__pg_type_find(NULL, 2278));
  DECODE(&batch, 2278, "");
  CHECK(qe__column_is_null(&batch.columns[0], 0));
  qe__batch_clear(&batch);
}

static void test_modifiers_say_the_precision(void) {
  const qe_pg_type *numeric = qe__pg_type_find(NULL, 1700);
  qe_column_meta meta = {0};

  qe__pg_type_describe(numeric, (10 << 16 | 2) + 4, &meta);
  CHECK_INT(meta.type, QE_TYPE_DECIMAL);
  CHECK_INT(meta.precision, 10);
  CHECK_INT(meta.scale, 2);
  qe__pg_type_describe(numeric, (2 << 16 | (-3 & 0x7FF)) + 4, &meta);
  CHECK_INT(meta.precision, 0);
  qe__pg_type_describe(numeric, -1, &meta);
  CHECK_INT(meta.precision, 0);
  CHECK_INT(meta.scale, 0);
  qe__pg_type_describe(qe__pg_type_find(NULL, 21), -1, &meta);
  CHECK_INT(meta.width, 2);
}

int main(void) {
  test_integers_of_every_width();
  test_floats_and_booleans();
  test_moments_count_from_1970();
  test_records_of_fixed_size();
  test_texts_of_every_form();
  test_numbers_keep_every_digit();
  test_addresses();
  test_what_is_not_of_its_type_is_refused();
  test_void_is_null_and_the_unknown_is_text();
  test_modifiers_say_the_precision();
  return check_result();
}
