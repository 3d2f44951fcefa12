/* PostgreSQL's types as Arrow has them: formats, values, and what has no counterpart.
 */
#include <stdio.h>
#include <string.h>

#include "../src/qe_arrow.h"
#include "../src/qe_postgres_decode.h"
#include "check.h"

enum { COLUMNS_MAX = 24, ROWS_MAX = 8 };

/* A result of one column for each type, filled by the decoders. */
typedef struct result {
  qe_batch batch;
  qe_column_meta metas[COLUMNS_MAX];
  qe_arrow_column columns[COLUMNS_MAX];
  const qe_pg_type *types[COLUMNS_MAX];
} result;

static qe_status begin(result *made, const uint32_t *oids, int32_t count,
                       qe_error *error) {
  qe_status status;

  *made = (result){0};
  if (!qe__batch_init(&made->batch, count)) {
    (void)snprintf(error->message, sizeof error->message, "no batch");
    return QE_ERR_NOMEM;
  }
  for (int32_t i = 0; i < count; i++) {
    made->types[i] = qe__pg_type_find(NULL, oids[i]);
    made->metas[i].name = (char *)"value";
    qe__pg_type_describe(made->types[i], -1, &made->metas[i]);
    made->batch.columns[i].type = made->metas[i].type;
  }
  status = qe__batch_reserve(&made->batch, ROWS_MAX, error);
  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    status = qe__column_settle(&made->batch.columns[i], 0,
                               qe__pg_type_kind(made->types[i]), error);
  }
  return status;
}

static void choose(result *made) {
  for (int32_t i = 0; i < made->batch.column_count; i++) {
    qe__arrow_choose(&made->metas[i], &made->batch.columns[i], true, &made->columns[i]);
  }
}

static qe_status add(result *made, int32_t column, int64_t row, const char *data,
                     int64_t size, qe_error *error) {
  qe_column *to = &made->batch.columns[column];

  if (!data) return qe__column_add_null(to, row, error);
  return qe__pg_decode(NULL, made->types[column], to, row, (const uint8_t *)data, size,
                       error);
}

#define BYTES(literal) literal, (int64_t)sizeof(literal) - 1

static void test_every_type_has_a_format(void) {
  static const struct {
    uint32_t oid;
    const char *format;
    const char *element; /* of a list, else NULL */
  } CASES[] = {
      {21, "s", NULL},         {23, "i", NULL},      {20, "l", NULL},
      {26, "l", NULL},         {700, "f", NULL},     {701, "g", NULL},
      {1700, "u", NULL},       {2950, "w:16", NULL}, {3802, "u", NULL},
      {1186, "tin", NULL},     {1266, "u", NULL},    {869, "u", NULL},
      {1184, "tsu:UTC", NULL}, {17, "z", NULL},      {2249, "u", NULL},
      {3904, "u", NULL},       {1007, "+l", "i"},    {1009, "+l", "u"},
      {1231, "+l", "u"},       {2951, "+l", "w:16"}, {1000, "+l", "b"},
      {22, "u", NULL},         {2287, "u", NULL},    {790, "u", NULL},
  };
  enum { COUNT = (int)(sizeof CASES / sizeof CASES[0]) };
  uint32_t oids[COUNT];
  struct ArrowSchema schema;
  qe_error error = {0};
  result made;

  for (int i = 0; i < COUNT; i++) oids[i] = CASES[i].oid;
  CHECK_INT(begin(&made, oids, COUNT, &error), QE_OK);
  choose(&made);
  CHECK_INT(qe__arrow_schema(made.columns, COUNT, &schema, &error), QE_OK);
  for (int i = 0; i < COUNT; i++) {
    const struct ArrowSchema *child = schema.children[i];
    CHECK_TEXT(child->format, CASES[i].format);
    CHECK_INT(child->n_children, CASES[i].element ? 1 : 0);
    if (CASES[i].element && child->n_children == 1) {
      CHECK_TEXT(child->children[0]->format, CASES[i].element);
      CHECK_TEXT(child->children[0]->name, "item");
    }
    CHECK_INT(child->metadata != NULL, CASES[i].oid == 2950);
  }
  CHECK(memcmp(schema.children[7]->metadata,
               "\2\0\0\0\x14\0\0\0ARROW:extension:name\x0a\0\0\0arrow.uuid"
               "\x18\0\0\0ARROW:extension:metadata\0\0\0\0",
               74) == 0);
  schema.release(&schema);
  qe__batch_clear(&made.batch);
}

/* Three rows, the second null, in a column for each type. */
static qe_status make_three(result *made, qe_error *error) {
  static const uint32_t OIDS[] = {21, 23, 700, 2950, 1186, 1266, 1007, 1009, 2249};
  static const struct {
    const char *data;
    int64_t size;
  } VALUES[][2] = {
      {{BYTES("\xff\xfe")}, {BYTES("\x7f\xff")}},
      {{BYTES("\x80\0\0\0")}, {BYTES("\0\0\0\7")}},
      {{BYTES("\x3f\xc0\0\0")}, {BYTES("\xbf\0\0\0")}},
      {{BYTES("0123456789abcdef")}, {BYTES("ABCDEFGHIJKLMNOP")}},
      {{BYTES("\0\0\0\0\0\0\0\1\0\0\0\2\0\0\0\3")},
       {BYTES("\xff\xff\xff\xff\xff\xff\xff\xff\0\0\0\0\xff\xff\xff\xff")}},
      {{BYTES("\0\0\0\0\0\0\0\0\xff\xff\xf1\xf0")},
       {BYTES("\0\0\0\0\0\x0f\x42\x40\0\0\0\0")}},
      {{BYTES("\0\0\0\1\0\0\0\1\0\0\0\x17\0\0\0\2\0\0\0\1\0\0\0\4\0\0\0\7\xff\xff\xff"
              "\xff")},
       {BYTES("\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\xff\xff\xff\xff")}},
      {{BYTES("\0\0\0\0\0\0\0\0\0\0\0\x19")},
       {BYTES("\0\0\0\1\0\0\0\0\0\0\0\x19\0\0\0\1\0\0\0\1\0\0\0\3abc")}},
      {{BYTES("\0\0\0\2\0\0\0\x17\0\0\0\4\0\0\0\1\0\0\0\x19\0\0\0\3x y")},
       {BYTES("\0\0\0\0")}},
  };
  int32_t count = (int32_t)(sizeof OIDS / sizeof OIDS[0]);
  qe_status status = begin(made, OIDS, count, error);

  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    status = add(made, i, 0, VALUES[i][0].data, VALUES[i][0].size, error);
    if (status == QE_OK) status = add(made, i, 1, NULL, 0, error);
    if (status == QE_OK) {
      status = add(made, i, 2, VALUES[i][1].data, VALUES[i][1].size, error);
    }
  }
  made->batch.row_count = 3;
  if (status == QE_OK) choose(made);
  return status;
}

static void check_offsets(const struct ArrowArray *array, int32_t second, int32_t third,
                          int32_t end) {
  const int32_t *offsets = array->buffers[1];

  CHECK_INT(offsets[0], 0);
  CHECK_INT(offsets[1], second);
  CHECK_INT(offsets[2], third);
  CHECK_INT(offsets[3], end);
}

static void test_values_have_the_form_that_the_format_says(void) {
  struct ArrowArray array, *const *columns;
  qe_error error = {0};
  result made;

  CHECK_INT(make_three(&made, &error), QE_OK);
  CHECK_INT(qe__arrow_array(made.columns, &made.batch, 0, 0, &array, &error), QE_OK);
  CHECK_INT(array.length, 3);
  columns = array.children;
  for (int i = 0; i < array.n_children; i++) {
    CHECK_INT(columns[i]->null_count, 1);
    CHECK_INT(*(const uint8_t *)columns[i]->buffers[0] & 7, 5);
  }
  CHECK_INT(((const int16_t *)columns[0]->buffers[1])[0], -2);
  CHECK_INT(((const int16_t *)columns[0]->buffers[1])[2], 32767);
  CHECK_INT(((const int32_t *)columns[1]->buffers[1])[0], INT32_MIN);
  CHECK_INT(((const int32_t *)columns[1]->buffers[1])[2], 7);
  CHECK(((const float *)columns[2]->buffers[1])[0] == 1.5F);
  CHECK(((const float *)columns[2]->buffers[1])[2] == -0.5F);
  CHECK(memcmp(columns[3]->buffers[1], "0123456789abcdef", 16) == 0);
  CHECK(memcmp((const char *)columns[3]->buffers[1] + 32, "ABCDEFGHIJKLMNOP", 16) == 0);
  CHECK(memcmp(columns[4]->buffers[1], "\3\0\0\0\2\0\0\0\xe8\3\0\0\0\0\0\0", 16) == 0);
  check_offsets(columns[5], 11, 11, 22);
  CHECK(memcmp(columns[5]->buffers[2], "00:00:00+0100:00:01+00", 22) == 0);
  check_offsets(columns[6], 2, 2, 3);
  CHECK_INT(columns[6]->n_buffers, 2);
  CHECK_INT(columns[6]->n_children, 1);
  CHECK_INT(columns[6]->children[0]->length, 3);
  CHECK_INT(columns[6]->children[0]->null_count, 1);
  CHECK_INT(((const int32_t *)columns[6]->children[0]->buffers[1])[0], 7);
  CHECK_INT(((const int32_t *)columns[6]->children[0]->buffers[1])[2], -1);
  check_offsets(columns[7], 0, 0, 1);
  CHECK(memcmp(columns[7]->children[0]->buffers[2], "abc", 3) == 0);
  check_offsets(columns[8], 9, 9, 11);
  CHECK(memcmp(columns[8]->buffers[2], "(1,\"x y\")()", 11) == 0);
  array.release(&array);
  qe__batch_clear(&made.batch);
}

static void test_what_has_no_counterpart_names_its_row(void) {
  static const struct {
    uint32_t oid;
    int32_t modifier;
    const char *data;
    int64_t size;
    const char *message;
  } CASES[] = {
      {1082, -1, BYTES("\x7f\xff\xff\xff"),
       "Row 12 of column `value` holds `infinity`, which is no Arrow date32"},
      {1114, -1, BYTES("\x80\0\0\0\0\0\0\0"),
       "Row 12 of column `value` holds `-infinity`, which is no Arrow timestamp "
       "without "
       "zone"},
      {1083, -1, BYTES("\0\0\0\x14\x1d\xd7\x60\0"),
       "Row 12 of column `value` holds `24:00:00`, which is no Arrow time64"},
      {1186, -1,
       BYTES("\x7f\xff\xff\xff\xff\xff\xff\xff\x7f\xff\xff\xff\x7f\xff\xff"
             "\xff"),
       "Row 12 of column `value` holds `infinity`, which is no Arrow "
       "month_day_nano_interval"},
      {1700, (10 << 16 | 2) + 4, BYTES("\0\0\0\0\xc0\0\0\0"),
       "Row 12 of column `value` holds `NaN`, which is no Arrow decimal128"},
      {1007, -1, BYTES("\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\0\0\0\0\4\0\0\0\1"),
       "Row 12 of column `value` holds `an array with bounds other than 1`, which is "
       "no "
       "Arrow list"},
      {1007, -1,
       BYTES("\0\0\0\2\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0"
             "\1"),
       "Row 12 of column `value` holds `an array of several dimensions`, which is no "
       "Arrow list"},
      {1182, -1,
       BYTES("\0\0\0\1\0\0\0\0\0\0\x04\x3a\0\0\0\1\0\0\0\1\0\0\0\4\x7f\xff\xff\xff"),
       "Element 1 of column `value` holds `infinity`, which is no Arrow date32"},
      {25, -1, BYTES("\xff"),
       "Row 12 of column `value` holds text that is not UTF-8 from byte 0 on"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    struct ArrowArray array;
    qe_error error = {0};
    result made;
    CHECK_INT(begin(&made, &CASES[i].oid, 1, &error), QE_OK);
    qe__pg_type_describe(made.types[0], CASES[i].modifier, &made.metas[0]);
    CHECK_INT(add(&made, 0, 0, NULL, 0, &error), QE_OK);
    CHECK_INT(add(&made, 0, 1, CASES[i].data, CASES[i].size, &error), QE_OK);
    made.batch.row_count = 2;
    choose(&made);
    CHECK(qe__arrow_array(made.columns, &made.batch, 0, 10, &array, &error) != QE_OK);
    CHECK_TEXT(error.message, CASES[i].message);
    CHECK(array.release == NULL);
    qe__batch_clear(&made.batch);
  }
}

static void test_columns_without_values_still_have_their_type(void) {
  static const uint32_t OIDS[] = {21, 2950, 1186, 1007, 2951, 2249, 1266, 1009, 1082};
  enum { COUNT = (int)(sizeof OIDS / sizeof OIDS[0]) };
  struct ArrowArray array;
  qe_error error = {0};
  result made;

  CHECK_INT(begin(&made, OIDS, COUNT, &error), QE_OK);
  for (int32_t i = 0; i < COUNT; i++) {
    CHECK_INT(add(&made, i, 0, NULL, 0, &error), QE_OK);
    CHECK_INT(add(&made, i, 1, NULL, 0, &error), QE_OK);
  }
  made.batch.row_count = 2;
  choose(&made);
  CHECK_INT(qe__arrow_array(made.columns, &made.batch, 0, 0, &array, &error), QE_OK);
  for (int i = 0; i < COUNT; i++) {
    CHECK_INT(array.children[i]->null_count, 2);
    CHECK(array.children[i]->buffers[1] != NULL);
  }
  CHECK_INT(array.children[3]->n_children, 1);
  CHECK_INT(array.children[3]->children[0]->length, 0);
  array.release(&array);
  qe__batch_clear(&made.batch);
}

static void test_rows_already_read_are_left_out(void) {
  static const uint32_t OID = 1007;
  struct ArrowArray array;
  qe_error error = {0};
  result made;

  CHECK_INT(begin(&made, &OID, 1, &error), QE_OK);
  /* One of two dimensions, which was read as a row; then {7}. */
  CHECK_INT(add(&made, 0, 0,
                BYTES("\0\0\0\2\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0"
                      "\4\0\0\0\1"),
                &error),
            QE_OK);
  CHECK_INT(
      add(&made, 0, 1,
          BYTES("\0\0\0\1\0\0\0\0\0\0\0\x17\0\0\0\1\0\0\0\1\0\0\0\4\0\0\0\7"), &error),
      QE_OK);
  made.batch.row_count = 2;
  choose(&made);
  CHECK_INT(qe__arrow_array(made.columns, &made.batch, 1, 0, &array, &error), QE_OK);
  CHECK_INT(array.length, 1);
  CHECK_INT(array.children[0]->offset, 1);
  CHECK_INT(((const int32_t *)array.children[0]->buffers[1])[1], 0);
  CHECK_INT(((const int32_t *)array.children[0]->buffers[1])[2], 1);
  array.release(&array);
  qe__batch_clear(&made.batch);
}

static qe_status convert_all(qe_error *error) {
  struct ArrowSchema schema = {0};
  struct ArrowArray array = {0};
  result made;
  qe_status status = make_three(&made, error);

  if (status == QE_OK) {
    status = qe__arrow_schema(made.columns, made.batch.column_count, &schema, error);
  }
  if (status == QE_OK) {
    status = qe__arrow_array(made.columns, &made.batch, 0, 0, &array, error);
  }
  if (array.release) array.release(&array);
  if (schema.release) schema.release(&schema);
  qe__batch_clear(&made.batch);
  return status;
}

int main(void) {
  test_every_type_has_a_format();
  test_values_have_the_form_that_the_format_says();
  test_what_has_no_counterpart_names_its_row();
  test_columns_without_values_still_have_their_type();
  test_rows_already_read_are_left_out();
  check_every_refusal("convert", convert_all);
  return check_result();
}
