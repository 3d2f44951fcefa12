/* What a COPY sends: texts that become a type's bytes, and Arrow that becomes values.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "../src/qe_arrow_read.h"
#include "../src/qe_error.h"
#include "../src/qe_postgres_copy_value.h"
#include "../src/qe_postgres_decode.h"
#include "check.h"

enum { OID_INT2 = 21, OID_INT4 = 23, OID_FLOAT4 = 700, OID_NUMERIC = 1700 };
enum { OID_INTERVAL = 1186, OID_TIMETZ = 1266, OID_UUID = 2950, OID_INET = 869 };
enum { OID_JSONB = 3802, OID_TIMESTAMPTZ = 1184, OID_BOOL = 16 };

static const uint32_t OIDS[] = {16,   17,   18,  20,   21,   23,   25,   26,
                                700,  701,  869, 650,  1082, 1083, 1114, 1184,
                                1186, 1266, 114, 1700, 2950, 3802, 1007, 790};
enum { OID_COUNT = (int)(sizeof OIDS / sizeof OIDS[0]) };

static const qe_pg_type *type_of(uint32_t oid) {
  qe_pg_types none = {0};
  return qe__pg_type_find(&none, oid);
}

static qe_status send_text(uint32_t oid, const char *text, qe_bytes *out) {
  qe_value value = {.kind = QE_VALUE_TEXT, .size = (int32_t)strlen(text)};
  qe_error error;

  value.data = text;
  out->size = 0;
  return qe__pg_copy_binary(type_of(oid), &value, out, &error);
}

static void check_bytes(uint32_t oid, const char *text, const char *wanted,
                        int64_t size) {
  qe_bytes out = {0};

  CHECK_INT(send_text(oid, text, &out), QE_OK);
  CHECK_INT(out.size, size + 4);
  CHECK(out.size == size + 4 && memcmp(out.data + 4, wanted, (size_t)size) == 0);
  CHECK(out.size > 3 && out.data[3] == (uint8_t)size);
  qe__bytes_clear(&out);
}

static void test_texts_become_the_bytes_of_their_types(void) {
  check_bytes(OID_INT2, "-2", "\xFF\xFE", 2);
  check_bytes(OID_INT2, "-32768", "\x80\x00", 2);
  check_bytes(OID_BOOL, "true", "\x01", 1);
  check_bytes(OID_NUMERIC, "0", "\0\0\0\0\0\0\0\0", 8);
  check_bytes(OID_NUMERIC, "-0.00", "\0\0\0\0\0\0\0\2", 8);
  check_bytes(OID_NUMERIC, "12345.678", "\0\3\0\1\0\0\0\3\0\1\x09\x29\x1A\x7C", 14);
  check_bytes(OID_NUMERIC, "-10000", "\0\1\0\1\x40\0\0\0\0\1", 10);
  check_bytes(OID_NUMERIC, "1e-5", "\0\1\xFF\xFE\0\0\0\5\x03\xE8", 10);
  check_bytes(OID_NUMERIC, "1.5E+1", "\0\1\0\0\0\0\0\0\0\x0F", 10);
  check_bytes(OID_NUMERIC, "NaN", "\0\0\0\0\xC0\0\0\0", 8);
  check_bytes(OID_INTERVAL, "-1 mons 2 days -00:00:00.000003",
              "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFD\0\0\0\2\xFF\xFF\xFF\xFF", 16);
  check_bytes(OID_TIMETZ, "00:00:01+01:00", "\0\0\0\0\0\x0F\x42\x40\xFF\xFF\xF1\xF0",
              12);
  check_bytes(OID_UUID, "00112233-4455-6677-8899-aabbccddeeff",
              "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xAA\xBB\xCC\xDD\xEE\xFF", 16);
  check_bytes(OID_INET, "10.1.2.3/8", "\2\x08\0\4\x0A\1\2\3", 8);
  check_bytes(OID_JSONB, "{}", "\1{}", 3);
}

static void test_texts_that_mean_something_else_are_refused(void) {
  static const struct {
    uint32_t oid;
    const char *text;
  } REFUSED[] = {
      {OID_INT2, "32768"},
      {OID_INT4, ""},
      {OID_INT4, "1.0"},
      {OID_INT4, "-2147483649"},
      {OID_FLOAT4, "1e39"},
      {OID_FLOAT4, "1,5"},
      {OID_FLOAT4, "0x10"},
      {OID_NUMERIC, ""},
      {OID_NUMERIC, "."},
      {OID_NUMERIC, "1e"},
      {OID_NUMERIC, "1e200000"},
      {OID_NUMERIC, "1e-20000"},
      {OID_INTERVAL, "1 day"},
      {OID_INTERVAL, "1 mons 2 days 0:0:0.1234567"},
      {OID_TIMETZ, "01:02:03"},
      {OID_TIMETZ, "01:02:03+16"},
      {OID_TIMESTAMPTZ, "2024-01-01 00:00:00"},
      {OID_UUID, "0011"},
      {OID_UUID, "00112233-4455-6677-8899-aabbccddeeff0"},
      {OID_INET, "10.1.2"},
      {OID_INET, "10.1.2.3/33"},
      {OID_INET, "::/129"},
  };
  qe_bytes out = {0};

  for (size_t i = 0; i < sizeof REFUSED / sizeof REFUSED[0]; i++) {
    CHECK_INT(send_text(REFUSED[i].oid, REFUSED[i].text, &out), QE_ERR_TYPE);
    CHECK_INT(out.size, 0);
  }
  qe__bytes_clear(&out);
}

/* Whatever text is taken has to be bytes that the server's own form allows, which is
 * what the decoder reads. The seed is fixed. */
static void test_whatever_is_taken_can_be_decoded(void) {
  static const char LETTERS[] = "0123456789012345.-+:/eENaInfity T\\xabf mons days";
  uint64_t chance = 42;
  qe_bytes out = {0};
  int taken = 0;

  for (int round = 0; round < 60000; round++) {
    uint32_t oid = OIDS[round % OID_COUNT];
    qe_pg_types none = {0};
    qe_column column = {0};
    qe_error error;
    char text[40];
    size_t size;

    chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
    size = (chance >> 33) % sizeof text;
    for (size_t i = 0; i < size; i++) {
      chance = chance * UINT64_C(6364136223846793005) + 1442695040888963407;
      text[i] = LETTERS[(chance >> 33) % (sizeof LETTERS - 1)];
    }
    text[size < sizeof text ? size : size - 1] = '\0';
    if (send_text(oid, text, &out) != QE_OK) continue;
    taken++;
    CHECK_INT(qe__column_grow(&column, 0, 1, &error), QE_OK);
    CHECK_INT(qe__pg_decode(&none, type_of(oid), &column, 0, out.data + 4, out.size - 4,
                            &error),
              QE_OK);
    qe__column_clear(&column);
  }
  CHECK(taken > 1000);
  qe__bytes_clear(&out);
}

static void check_text_form(qe_copy_format format, const char *given,
                            const char *wanted) {
  qe_value value = {.kind = QE_VALUE_TEXT, .size = (int32_t)strlen(given)};
  qe_bytes scratch = {0}, out = {0};
  qe_error error;

  value.data = given;
  CHECK_INT(qe__pg_copy_text(type_of(25), &value, format, &scratch, &out, &error),
            QE_OK);
  CHECK_INT(out.size, (int64_t)strlen(wanted));
  CHECK(memcmp(out.data, wanted, strlen(wanted)) == 0);
  qe__bytes_clear(&scratch);
  qe__bytes_clear(&out);
}

static void test_texts_are_escaped_and_quoted(void) {
  check_text_form(QE_COPY_TEXT, "a\tb\\N\n\r", "a\\tb\\\\N\\n\\r");
  check_text_form(QE_COPY_CSV, "a\"b,\n", "\"a\"\"b,\n\"");
  check_text_form(QE_COPY_CSV, "", "\"\"");
}

/* A stream of one batch with columns int32 and decimal, which counts what is alive. */

static int alive;

static void end_schema(struct ArrowSchema *schema) {
  schema->release = NULL;
  alive--;
}

static void end_array(struct ArrowArray *array) {
  array->release = NULL;
  alive--;
}

static void end_input(struct ArrowArrayStream *stream) {
  stream->release = NULL;
  alive--;
}

static int give_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  static struct ArrowSchema columns[] = {{.format = "i", .name = "a"},
                                         {.format = "d:38,2", .name = "b"}};
  static struct ArrowSchema *children[] = {&columns[0], &columns[1]};

  (void)stream;
  *out = (struct ArrowSchema){
      .format = "+s", .n_children = 2, .children = children, .release = end_schema};
  alive++;
  return 0;
}

static int give_batch(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  static const int32_t numbers[] = {7, -8, 9};
  static const uint8_t valid[] = {0x5};
  static const uint64_t decimals[] = {0,          0,   UINT64_C(0xFFFFFFFFFFFFFF85),
                                      UINT64_MAX, 105, 0};
  static const void *first[] = {valid, numbers}, *second[] = {NULL, decimals};
  static struct ArrowArray columns[] = {
      {.length = 3, .null_count = 1, .n_buffers = 2, .buffers = first},
      {.length = 3, .n_buffers = 2, .buffers = second}};
  static struct ArrowArray *children[] = {&columns[0], &columns[1]};
  int *left = stream->private_data;

  *out = (struct ArrowArray){0};
  if ((*left)-- <= 0) return 0;
  *out = (struct ArrowArray){.length = 2,
                             .offset = 1,
                             .n_children = 2,
                             .children = children,
                             .release = end_array};
  alive++;
  return 0;
}

static const char *last_error(struct ArrowArrayStream *stream) {
  (void)stream;
  return NULL;
}

static qe_status read_arrow(qe_error *error) {
  static const int32_t order[] = {1, 0};
  int left = 1;
  struct ArrowArrayStream stream = {give_schema, give_batch, last_error, end_input,
                                    &left};
  qe_value values[2 * QE_ARROW_ROWS];
  qe_arrow_input *input = NULL;
  int64_t count = 0;
  qe_status status;

  alive++;
  status = qe__arrow_input_new(&stream, &input, error);
  if (status == QE_OK)
    status = qe__arrow_input_read(input, order, values, &count, error);
  if (status == QE_OK) {
    CHECK_INT(count, 2);
    CHECK_INT(values[0].kind, QE_VALUE_TEXT);
    CHECK(values[0].size == 5 && memcmp(values[0].data, "-1.23", 5) == 0);
    CHECK_INT(values[1].kind, QE_VALUE_NULL);
    CHECK(values[2].size == 4 && memcmp(values[2].data, "1.05", 4) == 0);
    CHECK_INT(values[3].int64, 9);
    status = qe__arrow_input_read(input, order, values, &count, error);
    CHECK_INT(count, 0);
  }
  qe__arrow_input_free(input);
  if (stream.release) stream.release(&stream); /* was not taken */
  CHECK_INT(alive, 0);
  return status;
}

static qe_status send_values(qe_error *error) {
  static const char NUMBER[] = "-12345678901234567890.5";
  qe_value value = {.kind = QE_VALUE_TEXT, .size = (int32_t)sizeof NUMBER - 1};
  qe_bytes scratch = {0}, out = {0};
  qe_status status;

  value.data = NUMBER;
  status = qe__pg_copy_binary(type_of(OID_NUMERIC), &value, &out, error);
  if (status == QE_OK) {
    status = qe__pg_copy_text(type_of(OID_NUMERIC), &value, QE_COPY_TEXT, &scratch,
                              &out, error);
  }
  qe__bytes_clear(&scratch);
  qe__bytes_clear(&out);
  return status;
}

int main(void) {
  test_texts_become_the_bytes_of_their_types();
  test_texts_that_mean_something_else_are_refused();
  test_whatever_is_taken_can_be_decoded();
  test_texts_are_escaped_and_quoted();
  check_every_refusal("Arrow in", read_arrow);
  check_every_refusal("values for a COPY", send_values);
  return check_result();
}
