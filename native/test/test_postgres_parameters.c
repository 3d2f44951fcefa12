/* Parameters as they go to PostgreSQL: in binary where they fit, else as text. */
#include <math.h>
#include <string.h>

#include "../src/qe_postgres_encode.h"
#include "check.h"

static qe_value text_value(const char *text) {
  return (qe_value){.kind = QE_VALUE_TEXT, .size = (int32_t)strlen(text), .data = text};
}

static qe_value number_value(qe_value_kind kind, int64_t value) {
  return (qe_value){.kind = (int32_t)kind, .int64 = value};
}

static qe_value float_value(double value) {
  return (qe_value){.kind = QE_VALUE_FLOAT64, .float64 = value};
}

static void test_parameters_are_binary_where_they_fit(void) {
  const struct {
    uint32_t oid;
    qe_value value;
    int16_t format;
    int64_t size;
    const char *data;
  } CASES[] = {
      {20, number_value(QE_VALUE_INT64, -2), 1, 8, "\xff\xff\xff\xff\xff\xff\xff\xfe"},
      {23, number_value(QE_VALUE_INT64, 258), 1, 4, "\0\0\1\2"},
      {23, number_value(QE_VALUE_INT64, INT64_C(2147483648)), 0, 10, "2147483648"},
      {21, number_value(QE_VALUE_INT64, INT16_MIN), 1, 2, "\x80\0"},
      {21, number_value(QE_VALUE_INT64, 32768), 0, 5, "32768"},
      {26, number_value(QE_VALUE_INT64, UINT32_MAX), 1, 4, "\xff\xff\xff\xff"},
      {26, number_value(QE_VALUE_INT64, -1), 0, 2, "-1"},
      {701, number_value(QE_VALUE_INT64, 1), 1, 8, "\x3f\xf0\0\0\0\0\0\0"},
      {701, number_value(QE_VALUE_INT64, (INT64_C(1) << 53) + 1), 0, 16,
       "9007199254740993"},
      {1700, number_value(QE_VALUE_INT64, INT64_MIN), 0, 20, "-9223372036854775808"},
      {0, number_value(QE_VALUE_INT64, 7), 0, 1, "7"},
      {701, float_value(0.1), 1, 8, "\x3f\xb9\x99\x99\x99\x99\x99\x9a"},
      {700, float_value(1.5), 1, 4, "\x3f\xc0\0\0"},
      {700, float_value(0.1), 0, 3, "0.1"},
      {700, float_value(1e300), 0, 6, "1e+300"},
      {1700, float_value(-INFINITY), 0, 9, "-Infinity"},
      {1700, float_value(NAN), 0, 3, "NaN"},
      {1700, float_value(1e300), 0, 6, "1e+300"},
      {16, number_value(QE_VALUE_BOOLEAN, 1), 1, 1, "\1"},
      {25, number_value(QE_VALUE_BOOLEAN, 0), 0, 5, "false"},
      {23, number_value(QE_VALUE_BOOLEAN, 1), 1, 4, "\0\0\0\1"},
      {1700, number_value(QE_VALUE_BOOLEAN, 1), 0, 1, "1"},
      {1082, number_value(QE_VALUE_DATE, 10957), 1, 4, "\0\0\0\0"},
      {1114, number_value(QE_VALUE_DATE, 19782), 0, 10, "2024-02-29"},
      {1083, number_value(QE_VALUE_TIME, 1), 1, 8, "\0\0\0\0\0\0\0\1"},
      {1266, number_value(QE_VALUE_TIME, INT64_C(45296789000)), 0, 12, "12:34:56.789"},
      {1114, number_value(QE_VALUE_TIMESTAMP, INT64_C(946684800000000)), 1, 8,
       "\0\0\0\0\0\0\0\0"},
      {1184, number_value(QE_VALUE_TIMESTAMP, -1), 0, 26, "1969-12-31 23:59:59.999999"},
      {1184, number_value(QE_VALUE_TIMESTAMPTZ, INT64_C(946684799999999)), 1, 8,
       "\xff\xff\xff\xff\xff\xff\xff\xff"},
      {25, number_value(QE_VALUE_TIMESTAMPTZ, 0), 0, 22, "1970-01-01 00:00:00+00"},
      {23, text_value("17"), 0, 2, "17"},
      {25, text_value(""), 0, 0, ""},
      {17, {.kind = QE_VALUE_BLOB, .size = 2, .data = "\0\xff"}, 1, 2, "\0\xff"},
      {2950,
       {.kind = QE_VALUE_BLOB, .size = 16, .data = "0123456789abcdef"},
       1,
       16,
       "0123456789abcdef"},
      {0, {.kind = QE_VALUE_BLOB, .size = 2, .data = "\0\xff"}, 0, 6, "\\x00ff"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    qe_bytes out = {0};
    qe_error error = {0};
    int16_t format = -1;
    int64_t size = CASES[i].size;
    CHECK_INT(qe__pg_encode(qe__pg_type_find(NULL, CASES[i].oid), &CASES[i].value, &out,
                            &format, &error),
              QE_OK);
    CHECK_INT(format, CASES[i].format);
    CHECK_INT(out.size, size + 4);
    if (out.size == size + 4) {
      CHECK(out.data[0] == 0 && out.data[1] == 0 && out.data[2] == 0);
      CHECK_INT(out.data[3], size);
      CHECK(memcmp(out.data + 4, CASES[i].data, (size_t)size) == 0);
    }
    qe__bytes_clear(&out);
  }
}

static void test_null_has_a_size_of_its_own(void) {
  qe_value value = {.kind = QE_VALUE_NULL};
  qe_bytes out = {0};
  int16_t format;

  CHECK_INT(qe__pg_encode(NULL, &value, &out, &format, NULL), QE_OK);
  CHECK_INT(out.size, 4);
  CHECK(memcmp(out.data, "\xff\xff\xff\xff", 4) == 0);
  qe__bytes_clear(&out);
}

static void test_parameters_that_would_lose_something_are_refused(void) {
  const struct {
    uint32_t oid;
    qe_value value;
    qe_status status;
    const char *message;
  } CASES[] = {
      {25,
       {.kind = QE_VALUE_BLOB, .size = 1, .data = "x"},
       QE_ERR_TYPE,
       "A blob cannot be given for a parameter of type text"},
      {2950,
       {.kind = QE_VALUE_BLOB, .size = 1, .data = "x"},
       QE_ERR_TYPE,
       "A blob cannot be given for a parameter of type uuid"},
      {1114, number_value(QE_VALUE_TIMESTAMPTZ, 0), QE_ERR_TYPE,
       "A timestamp with a zone, which would be lost, cannot be given for a parameter "
       "of type timestamp"},
      {25,
       {.kind = QE_VALUE_TEXT, .size = 3, .data = "a\0b"},
       QE_ERR_ENCODING,
       "A text of 3 bytes holds a zero byte at 1, which PostgreSQL cannot store"},
      {1082, number_value(QE_VALUE_DATE, INT64_MAX), QE_ERR_RANGE,
       "A date in days of 9223372036854775807 is past what PostgreSQL can hold"},
      {1083, number_value(QE_VALUE_TIME, -1), QE_ERR_RANGE,
       "A time in microseconds of -1 is past what PostgreSQL can hold"},
      {1114, number_value(QE_VALUE_TIMESTAMP, INT64_MIN), QE_ERR_RANGE,
       "A timestamp in microseconds of -9223372036854775808 is past what PostgreSQL "
       "can hold"},
      {23, number_value((qe_value_kind)77, 0), QE_ERR_MISUSE,
       "A parameter is of the unknown kind 77"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    qe_bytes out = {0};
    qe_error error = {0};
    int16_t format;
    CHECK_INT(qe__pg_encode(qe__pg_type_find(NULL, CASES[i].oid), &CASES[i].value, &out,
                            &format, &error),
              CASES[i].status);
    CHECK_TEXT(error.message, CASES[i].message);
    CHECK_INT(out.size, 0);
    qe__bytes_clear(&out);
  }
}

static qe_status encode_all(qe_error *error) {
  static const char BLOB[] = "0123456789abcdef0123456789abcdef0123456789abcdef";
  const qe_value VALUES[] = {
      {.kind = QE_VALUE_NULL},
      number_value(QE_VALUE_INT64, 1),
      float_value(2),
      text_value(BLOB),
      {.kind = QE_VALUE_BLOB, .size = sizeof BLOB, .data = BLOB},
      number_value(QE_VALUE_TIMESTAMPTZ, 0),
  };
  qe_bytes out = {0};
  qe_status status = QE_OK;

  for (int round = 0; round < 10; round++) {
    for (size_t i = 0; i < sizeof VALUES / sizeof VALUES[0] && status == QE_OK; i++) {
      int16_t format;
      status = qe__pg_encode(NULL, &VALUES[i], &out, &format, error);
    }
  }
  qe__bytes_clear(&out);
  return status;
}

int main(void) {
  test_parameters_are_binary_where_they_fit();
  test_null_has_a_size_of_its_own();
  test_parameters_that_would_lose_something_are_refused();
  check_every_refusal("encode", encode_all);
  return check_result();
}
