/* PostgreSQL's wire values to columns, of known types and of learned ones. The
 * expected values are written out; what a server really sends is in
 * test_postgres_values.c. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "../src/qe_postgres_decode.h"
#include "../src/qe_postgres_type_table.h"
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

static void test_nested_values_that_lie_are_refused(void) {
#define INT4_ARRAY(dimensions) "\0\0\0" dimensions "\0\0\0\0\0\0\0\x17"
  static const struct {
    uint32_t oid;
    int64_t size;
    const char *data;
    const char *message;
  } CASES[] = {
      {1007, 11, INT4_ARRAY("\1"), "A value of type int4[] ends before its elements"},
      {1007, 36,
       INT4_ARRAY("\3") "\0\0\3\xe8\0\0\0\1\0\0\3\xe8\0\0\0\1\0\0\3\xe8\0\0\0\1",
       "A value of type int4[] promises more elements than it carries"},
      {1007, 12, "\0\0\0\7\0\0\0\0\0\0\0\x17",
       "A value of type int4[] has impossible dimensions or flags"},
      {1007, 12, "\xff\xff\xff\xff\0\0\0\0\0\0\0\x17",
       "A value of type int4[] has impossible dimensions or flags"},
      {1007, 12, "\0\0\0\0\0\0\0\2\0\0\0\x17",
       "A value of type int4[] has impossible dimensions or flags"},
      {1007, 12, "\0\0\0\0\0\0\0\0\0\0\0\x19",
       "A value of type int4[] has elements of type 25 instead of 23"},
      {1007, 20, INT4_ARRAY("\1") "\xff\xff\xff\xff\0\0\0\1",
       "A value of type int4[] has a dimension of impossible size or bounds"},
      {1007, 20, INT4_ARRAY("\1") "\0\0\0\0\0\0\0\1",
       "A value of type int4[] has a dimension of impossible size or bounds"},
      {1007, 24, INT4_ARRAY("\1") "\0\0\0\2\x7f\xff\xff\xff\0\0\0\0",
       "A value of type int4[] has a dimension of impossible size or bounds"},
      {1007, 28, INT4_ARRAY("\1") "\0\0\0\1\0\0\0\1\x7f\xff\xff\xff\0\0\0\1",
       "A value of type int4[] ends within an element"},
      {1007, 28, INT4_ARRAY("\1") "\0\0\0\1\0\0\0\1\xff\xff\xff\xfe\0\0\0\1",
       "A value of type int4[] ends within an element"},
      {1007, 28, INT4_ARRAY("\1") "\0\0\0\1\0\0\0\1\0\0\0\3\0\0\0\1",
       "A value of type int4 has 3 bytes instead of 4"},
      {1007, 13, INT4_ARRAY("\0") "x", "A value of type int4[] goes on after its end"},
      {1009, 25, "\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\1\xff",
       "A value of type text is not UTF-8 from byte 0 on"},
      {3904, 1, "\x20", "A value of type int4range has no flags or impossible ones"},
      {3904, 1, "\3", "A value of type int4range has no flags or impossible ones"},
      {3904, 5, "\x12\xff\xff\xff\xff",
       "A value of type int4range has a bound that is null"},
      {4451, 4, "\x7f\xff\xff\xff",
       "A value of type int4multirange promises more ranges than it carries"},
      {2249, 4, "\xff\xff\xff\xff",
       "A value of type record promises more fields than it carries"},
      {2249, 12, "\0\0\0\1\0\0\x03\x16\0\0\0\0",
       "A value of type record holds one of type money (790), which can be read as "
       "text only: cast it to text in the query"},
      {791, 2, "{1", "A value of type money[] is not the text of an array"},
      {791, 0, "", "A value of type money[] is not the text of an array"},
      {791, 4, "{,1}", "A value of type money[] is not the text of an array"},
      {791, 5, "{1}{}", "A value of type money[] is not the text of an array"},
      {791, 7, "{1,{2}}", "A value of type money[] is not the text of an array"},
      {791, 11, "{{1},{2,3}}", "A value of type money[] is not the text of an array"},
      {791, 7, "{{},{}}", "A value of type money[] is not the text of an array"},
      {791, 5, "{\"1\\}", "A value of type money[] is not the text of an array"},
      {791, 9, "[0:1]={1}", "A value of type money[] is not the text of an array"},
      {791, 20, "[99999999999:1]={1,}",
       "A value of type money[] is not the text of an array"},
      {791, 14, "[1:1][1:1]={1}",
       "A value of type money[] is not the text of an array"},
      {791, 15, "{{{{{{{1}}}}}}}",
       "A value of type money[] is not the text of an array"},
      {791, 3, "{\xff}", "A value of type money[] is not UTF-8 from byte 1 on"},
      {2249, 12, "\0\0\0\1\0\x0f\x42\x40\0\0\0\0",
       "A value of type record holds one of type unknown (1000000), which can be read "
       "as text only: cast it to text in the query"},
  };
#undef INT4_ARRAY
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    qe_batch batch;
    qe_error error = {0};
    start(&batch, qe__pg_type_find(NULL, CASES[i].oid));
    CHECK(decode(&batch, CASES[i].oid, CASES[i].data, CASES[i].size, &error) != QE_OK);
    CHECK_TEXT(error.message, CASES[i].message);
    CHECK_INT(batch.columns[0].bytes.size, 0);
    qe__batch_clear(&batch);
  }
}

static void test_records_nested_without_end_are_refused(void) {
  enum { LEVELS = 200, LEVEL_SIZE = 12 };
  uint8_t data[LEVELS * LEVEL_SIZE] = {0};
  qe_batch batch;
  qe_error error = {0};

  for (int i = 0; i < LEVELS; i++) {
    uint8_t *at = data + (ptrdiff_t)i * LEVEL_SIZE;
    int32_t left = (LEVELS - i - 1) * LEVEL_SIZE;
    at[3] = i + 1 < LEVELS; /* one field, of type record */
    at[6] = 2249 >> 8;
    at[7] = 2249 & 0xFF;
    at[10] = (uint8_t)(left >> 8);
    at[11] = (uint8_t)left;
  }
  start(&batch, qe__pg_type_find(NULL, 2249));
  CHECK_INT(decode(&batch, 2249, (const char *)data, sizeof data, &error), QE_ERR_TYPE);
  CHECK_TEXT(error.message, "A value of type record is nested too deep");
  qe__batch_clear(&batch);
}

/* Tags and what follows, as src/qe_nested.h has them. */
static void test_nested_values_are_tagged(void) {
  static const char ARRAY[] =
      "\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\7\xff\xff\xff\xff";
  static const char SHIFTED[] =
      "\0\0\0\1\0\0\0\0\0\0\0\x15\0\0\0\1\0\0\0\0\0\0\0\2\0\1";
  static const char RANGE[] = "\x12\0\0\0\4\0\0\0\5";
  qe_batch batch;

  start(&batch, qe__pg_type_find(NULL, 1007));
  CHECK_INT(decode(&batch, 1007, ARRAY, sizeof ARRAY - 1, NULL), QE_OK);
  CHECK_INT(decode(&batch, 1005, SHIFTED, sizeof SHIFTED - 1, NULL), QE_OK);
  CHECK_INT(decode(&batch, 3904, RANGE, sizeof RANGE - 1, NULL), QE_OK);
  BYTES_ARE(&batch.columns[0], 0, "[\2\0\0\0i\7\0\0\0\0\0\0\0n");
  BYTES_ARE(&batch.columns[0], 1, "A\1\0\0\0\0\0\0\0[\1\0\0\0i\1\0\0\0\0\0\0\0");
  BYTES_ARE(&batch.columns[0], 2, "r\x12i\5\0\0\0\0\0\0\0n");
  qe__batch_clear(&batch);
}

/* What the catalog says, in rows of five texts, NULL for null. */
static qe_status learn(qe_pg_types *registry, const char *const (*cells)[5],
                       int64_t count, qe_error *error) {
  qe_batch rows;
  qe_status status;

  CHECK(qe__batch_init(&rows, QE_PG_TYPES_COLUMNS));
  CHECK_INT(qe__batch_reserve(&rows, count, error), QE_OK);
  for (int64_t row = 0; row < count; row++) {
    for (int i = 0; i < 5; i++) {
      const char *text = cells[row][i];
      CHECK_INT(text ? qe__column_put_bytes(&rows.columns[i], row, QE_KIND_TEXT, text,
                                            (int64_t)strlen(text), error)
                     : qe__column_add_null(&rows.columns[i], row, error),
                QE_OK);
    }
    rows.row_count++;
  }
  status = qe__pg_types_learn(registry, &rows, error);
  qe__batch_clear(&rows);
  return status;
}

static void test_a_catalog_that_makes_no_sense(void) {
  static const char *const CASES[][5] = {
      {"x", "b", "name", "0", "0"},          {"0", "b", "name", "0", "0"},
      {"4294967296", "b", "name", "0", "0"}, {"70000", "bb", "name", "0", "0"},
      {"70000", "b", NULL, "0", "0"},        {"70000", "b", "name", "-1", "0"},
      {NULL, "b", "name", "0", "0"},         {"70000", "c", "name", "0", ""},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    qe_pg_types registry = {0};
    qe_error error = {0};
    CHECK_INT(learn(&registry, &CASES[i], 1, &error), QE_ERR_TYPE);
    CHECK_TEXT(error.message,
               "Row 1 of what the server says of its types is malformed");
    CHECK_INT(registry.count, 0);
    qe__pg_types_clear(&registry);
  }
}

static void test_types_made_of_themselves_stay_text(void) {
  static const char *const CIRCLE[][5] = {
      {"70000", "a", "one[]", "70001", "0"}, {"70001", "c", "one", "0", "23"},
      {"70001", "c", "one", "0", "70000"},   {"70002", "r", "itself", "70002", "0"},
      {"70003", "m", "no range", "23", "0"}, {"70004", "d", "nothing", "70009", "0"},
      {"70005", "c", "empty", "0", "0"},     {"23", "e", "int4", "0", "0"},
  };
  qe_pg_types registry = {0};
  qe_error error = {0};

  CHECK_INT(learn(&registry, CIRCLE, 8, &error), QE_OK);
  for (uint32_t oid = 70000; oid < 70005; oid++) {
    CHECK(qe__pg_type_find(&registry, oid) != NULL);
    CHECK(!qe__pg_type_is_binary(qe__pg_type_find(&registry, oid)));
  }
  CHECK(qe__pg_type_is_binary(qe__pg_type_find(&registry, 70005)));
  CHECK_INT(qe__pg_type_find(&registry, 23)->decoder, QE_PG_INT4);
  CHECK_INT(registry.count, 6);
  qe__pg_types_clear(&registry);
}

static void test_many_types_are_found_again(void) {
  qe_pg_types registry = {0};
  qe_error error = {0};

  for (int i = 0; i < 1000; i++) {
    char oid[12];
    const char *const row[1][5] = {{oid, "e", "label", "0", "0"}};
    (void)snprintf(oid, sizeof oid, "%d", 100000 + i * 64);
    CHECK_INT(learn(&registry, row, 1, &error), QE_OK);
  }
  CHECK_INT(registry.count, 1000);
  for (int i = 0; i < 1000; i++) {
    const qe_pg_type *type = qe__pg_type_find(&registry, (uint32_t)(100000 + i * 64));
    CHECK(type && type->decoder == QE_PG_STRING);
  }
  CHECK(qe__pg_type_find(&registry, 100001) == NULL);
  qe__pg_types_clear(&registry);
}

/* The table is searched by halves. */
static void test_built_in_types_are_in_order_and_whole(void) {
  for (int32_t i = 0; i < QE_PG_BUILT_IN_COUNT; i++) {
    const qe_pg_type *type = &QE_PG_BUILT_IN[i];
    const qe_pg_type *part = qe__pg_type_find(NULL, type->element);
    CHECK(i == 0 || QE_PG_BUILT_IN[i - 1].oid < type->oid);
    CHECK(qe__pg_type_find(NULL, type->oid) == type);
    if (type->element == 0) continue;
    CHECK(part != NULL);
    if (part) CHECK_INT(qe__pg_type_is_binary(type), qe__pg_type_is_binary(part));
    CHECK_INT(type->type, QE_TYPE_NESTED);
  }
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
  test_nested_values_that_lie_are_refused();
  test_records_nested_without_end_are_refused();
  test_nested_values_are_tagged();
  test_a_catalog_that_makes_no_sense();
  test_types_made_of_themselves_stay_text();
  test_many_types_are_found_again();
  test_built_in_types_are_in_order_and_whole();
  return check_result();
}
