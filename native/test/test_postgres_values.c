/* Values as a real server sends them (postgres/values.h, made by record_values.py),
 * decoded and written as text again, which has to be the server's own text. */
#include <stdlib.h>
#include <string.h>

#include "../src/qe_error.h"
#include "../src/qe_postgres_decode.h"
#include "check.h"

typedef struct recorded_value {
  uint32_t oid;
  int64_t size;
  const char *expression;
  const char *data;
  const char *text;
} recorded_value;

#include "postgres/values.h"

enum {
  VALUE_COUNT = (int)(sizeof VALUES / sizeof VALUES[0]),
  CATALOG_COUNT = (int)(sizeof CATALOG / sizeof CATALOG[0])
};

/* The catalog's answer as the statement would hand it over. */
static qe_status fill_catalog(qe_batch *rows, qe_error *error) {
  qe_status status = QE_OK;

  if (!qe__batch_init(rows, QE_PG_TYPES_COLUMNS)) return QE_ERR_NOMEM;
  for (int i = 0; i < QE_PG_TYPES_COLUMNS; i++) rows->columns[i].type = QE_TYPE_TEXT;
  status = qe__batch_reserve(rows, CATALOG_COUNT, error);
  for (int row = 0; row < CATALOG_COUNT && status == QE_OK; row++) {
    for (int i = 0; i < QE_PG_TYPES_COLUMNS && status == QE_OK; i++) {
      const char *text = CATALOG[row][i];
      status = qe__column_put_bytes(&rows->columns[i], row, QE_KIND_TEXT, text,
                                    (int64_t)strlen(text), error);
    }
    rows->row_count++;
  }
  return status;
}

static qe_status learn(qe_pg_types *registry, qe_error *error) {
  qe_batch rows = {0};
  qe_status status = fill_catalog(&rows, error);

  if (status == QE_OK) status = qe__pg_types_learn(registry, &rows, error);
  qe__batch_clear(&rows);
  return status;
}

static qe_tag tag_of(const qe_column *column) {
  switch (column->kind) {
    case QE_KIND_INT64: return QE_TAG_INT64;
    case QE_KIND_FLOAT64: return QE_TAG_FLOAT64;
    case QE_KIND_DATE: return QE_TAG_DATE;
    case QE_KIND_TIME: return QE_TAG_TIME;
    case QE_KIND_TIMESTAMP:
      return column->type == QE_TYPE_TIMESTAMPTZ ? QE_TAG_TIMESTAMPTZ
                                                 : QE_TAG_TIMESTAMP;
    case QE_KIND_TEXT: return QE_TAG_TEXT;
    default: break;
  }
  switch (column->type) {
    case QE_TYPE_UUID: return QE_TAG_UUID;
    case QE_TYPE_INTERVAL: return QE_TAG_INTERVAL;
    case QE_TYPE_TIMETZ: return QE_TAG_TIMETZ;
    default: return QE_TAG_BLOB;
  }
}

/* The text of the first row. */
static bool show(const qe_column *column, qe_bytes *out) {
  const uint8_t *data;
  int64_t size;

  if (column->kind == QE_KIND_BOOLEAN) {
    uint8_t byte = qe__column_bit(column, 0);
    return qe__scalar_text(QE_TAG_BOOLEAN, &byte, 1, out);
  }
  if (column->kind != QE_KIND_TEXT && column->kind != QE_KIND_BLOB) {
    return qe__scalar_text(tag_of(column), column->values, 8, out);
  }
  data = qe__column_bytes(column, 0, &size);
  return column->type == QE_TYPE_NESTED
             ? qe__nested_text(data, size, out)
             : qe__scalar_text(tag_of(column), data, size, out);
}

/* Where we say it in another way: old vectors are arrays that count from 0, and an
 * array that a domain hides within another looks like one more dimension. */
static const char *wanted_text(const recorded_value *value) {
  static const char *const OTHERS[][2] = {
      {"'1 2 3'::int2vector", "[0:2]={1,2,3}"},
      {"'10 20'::oidvector", "[0:1]={10,20}"},
      {"array['{1,2}'::smalls]", "{{1,2}}"},
      {"'{(2,2),(1,1);(4,4),(3,3)}'::box[]", "{\"(2,2),(1,1)\",\"(4,4),(3,3)\"}"},
  };
  for (size_t i = 0; i < sizeof OTHERS / sizeof OTHERS[0]; i++) {
    if (strcmp(OTHERS[i][0], value->expression) == 0) return OTHERS[i][1];
  }
  return value->text;
}

static qe_status decode_one(const qe_pg_types *registry, const recorded_value *value,
                            qe_batch *batch, qe_error *error) {
  const qe_pg_type *type = qe__pg_type_find(registry, value->oid);
  qe_column_meta meta = {0};
  qe_status status;

  if (!qe__batch_init(batch, 1)) return qe__fail_memory(error, "batch");
  qe__pg_type_describe(type, -1, &meta);
  batch->columns[0].type = meta.type;
  status = qe__batch_reserve(batch, 1, error);
  if (status != QE_OK) return status;
  return qe__pg_decode(registry, type, &batch->columns[0], 0,
                       (const uint8_t *)value->data, value->size, error);
}

/* What the server sends when it is asked for the format that we can read. */
static recorded_value asked_for(const qe_pg_types *registry, int index) {
  recorded_value value = VALUES[index];

  if (!qe__pg_type_is_binary(qe__pg_type_find(registry, value.oid))) {
    value.data = value.text;
    value.size = (int64_t)strlen(value.text);
  }
  return value;
}

static void test_every_value_is_what_the_server_says(void) {
  qe_pg_types registry = {0};
  qe_error error = {0};

  CHECK_INT(learn(&registry, &error), QE_OK);
  for (int i = 0; i < VALUE_COUNT; i++) {
    const recorded_value recorded = asked_for(&registry, i);
    const recorded_value *value = &recorded;
    qe_batch batch = {0};
    qe_bytes text = {0};
    CHECK_INT(decode_one(&registry, value, &batch, &error), QE_OK);
    if (batch.columns[0].kind != QE_KIND_NULL) {
      CHECK(show(&batch.columns[0], &text));
      CHECK(qe__bytes_reserve(&text, 1));
      text.data[text.size] = '\0';
      if (strcmp((const char *)text.data, wanted_text(value)) != 0) {
        CHECK_TEXT((const char *)text.data, wanted_text(value));
        CHECK_TEXT("", value->expression);
      }
    } else {
      CHECK_TEXT(error.message, value->expression);
    }
    qe__bytes_clear(&text);
    qe__batch_clear(&batch);
  }
  qe__pg_types_clear(&registry);
}

/* Each value cut off at each length, and with a byte too many: a failure or a value,
 * never a read past the end, which the sanitiser would see. */
static void test_values_that_are_cut_or_too_long(void) {
  qe_pg_types registry = {0};
  qe_error error;

  CHECK_INT(learn(&registry, &error), QE_OK);
  for (int i = 0; i < VALUE_COUNT; i++) {
    const recorded_value whole = asked_for(&registry, i);
    for (int64_t size = 0; size <= whole.size + 1; size++) {
      recorded_value value = whole;
      qe_batch batch = {0};
      char *data = calloc(1, (size_t)size + 1); /* so that its end is guarded */
      char *exact = realloc(data, size > 0 ? (size_t)size : 1);
      qe_status status;
      CHECK(exact != NULL);
      if (!exact) return;
      memcpy(exact, value.data, (size_t)(size < value.size ? size : value.size));
      value.data = exact;
      value.size = size;
      status = decode_one(&registry, &value, &batch, &error);
      if (status != QE_OK) {
        CHECK(error.message[0] != '\0');
        CHECK(status == QE_ERR_TYPE || status == QE_ERR_RANGE ||
              status == QE_ERR_ENCODING);
        CHECK_INT(batch.columns[0].bytes.size, 0);
      } else if (size != whole.size) {
        const qe_pg_type *type = qe__pg_type_find(&registry, value.oid);
        /* Only what is all text or bytes has no size of its own. */
        CHECK(type->decoder == QE_PG_STRING || type->decoder == QE_PG_BYTES ||
              type->decoder == QE_PG_JSON || type->decoder == QE_PG_JSONB ||
              type->decoder == QE_PG_TEXT);
      }
      qe__batch_clear(&batch);
      free(exact);
    }
  }
  qe__pg_types_clear(&registry);
}

static void test_learned_types_know_their_parts(void) {
  qe_pg_types registry = {0};
  qe_error error;
  int composites = 0;
  int as_text = 0;

  CHECK_INT(learn(&registry, &error), QE_OK);
  CHECK_INT(learn(&registry, &error), QE_OK); /* a second time changes nothing */
  for (int i = 0; i < CATALOG_COUNT; i++) {
    const char *name = CATALOG[i][2];
    const qe_pg_type *type =
        qe__pg_type_find(&registry, (uint32_t)strtoul(CATALOG[i][0], NULL, 10));
    CHECK(type != NULL);
    if (!type) continue;
    if (strcmp(name, "nest") == 0) {
      composites++;
      CHECK_INT(type->field_count, 4);
      CHECK_INT(type->kind, 'c');
      CHECK_INT(type->decoder, QE_PG_NESTED);
    } else if (strcmp(name, "priced") == 0 || strcmp(name, "4294967295") == 0) {
      as_text++;
      CHECK(!qe__pg_type_is_binary(type));
      CHECK_INT(type->type, QE_TYPE_TEXT);
    } else if (strcmp(name, "small") == 0) {
      CHECK_INT(type->kind, 'd');
      CHECK_INT(type->decoder, QE_PG_INT4);
      CHECK_INT(type->width, 4);
    } else if (strcmp(name, "citext") == 0 || strcmp(name, "mood") == 0) {
      CHECK_INT(type->decoder, QE_PG_STRING);
    }
  }
  CHECK_INT(composites, 4);
  CHECK_INT(as_text, 3);
  qe__pg_types_clear(&registry);
}

static qe_status learn_and_decode(qe_error *error) {
  qe_pg_types registry = {0};
  qe_status status = learn(&registry, error);

  if (status == QE_ERR_NOMEM && error->message[0] == '\0') {
    (void)qe__fail_memory(error, "rows of the catalog");
  }
  for (int i = 0; i < VALUE_COUNT && status == QE_OK; i++) {
    qe_batch batch = {0};
    qe_bytes text = {0};
    recorded_value value = asked_for(&registry, i);
    status = decode_one(&registry, &value, &batch, error);
    if (status == QE_OK && !show(&batch.columns[0], &text)) {
      status = qe__fail_memory(error, "text");
    }
    qe__bytes_clear(&text);
    qe__batch_clear(&batch);
  }
  qe__pg_types_clear(&registry);
  return status;
}

int main(void) {
  test_every_value_is_what_the_server_says();
  test_values_that_are_cut_or_too_long();
  test_learned_types_know_their_parts();
  check_every_refusal("learn and decode", learn_and_decode);
  return check_result();
}
