/* Columns: kinds that settle, widen and lose nothing. */
#include <string.h>

#include "../src/qe_batch.h"
#include "check.h"

static void start(qe_batch *batch, qe_type type, int64_t capacity) {
  qe_error error;

  CHECK(qe__batch_init(batch, 1));
  batch->columns[0].type = type;
  CHECK_INT(qe__batch_reserve(batch, capacity, &error), QE_OK);
}

static void add_text(qe_batch *batch, const char *text) {
  qe_error error;

  CHECK_INT(qe__column_put_bytes(&batch->columns[0], batch->row_count, QE_KIND_TEXT,
                                 text, (int64_t)strlen(text), &error),
            QE_OK);
  batch->row_count++;
}

static void add_int(qe_batch *batch, int64_t value) {
  qe_error error;

  CHECK_INT(qe__column_put_int64(&batch->columns[0], batch->row_count, value, &error),
            QE_OK);
  batch->row_count++;
}

static void add_null(qe_batch *batch) {
  qe_error error;

  CHECK_INT(qe__column_add_null(&batch->columns[0], batch->row_count, &error), QE_OK);
  batch->row_count++;
}

static bool text_is(const qe_column *column, int64_t row, const char *wanted) {
  int64_t size;
  const uint8_t *text = qe__column_bytes(column, row, &size);
  return size == (int64_t)strlen(wanted) && memcmp(text, wanted, (size_t)size) == 0;
}

static void test_nulls_before_the_first_value_take_its_kind(void) {
  qe_batch batch;
  const qe_column *column;

  start(&batch, QE_TYPE_ANY, 8);
  column = &batch.columns[0];
  add_null(&batch);
  add_null(&batch);
  add_text(&batch, "abc");
  add_null(&batch);
  add_text(&batch, "");
  CHECK_INT(column->kind, QE_KIND_TEXT);
  CHECK_INT(column->null_count, 3);
  CHECK(qe__column_is_null(column, 0) && qe__column_is_null(column, 3));
  CHECK(!qe__column_is_null(column, 2) && !qe__column_is_null(column, 4));
  CHECK(text_is(column, 2, "abc") && text_is(column, 4, ""));
  qe__batch_clear(&batch);
}

static void test_a_second_kind_makes_the_column_mixed_and_keeps_every_value(void) {
  qe_batch batch;
  const qe_column *column;

  start(&batch, QE_TYPE_ANY, 8);
  column = &batch.columns[0];
  add_int(&batch, -7);
  add_null(&batch);
  add_text(&batch, "x");
  add_int(&batch, 9);
  add_text(&batch, "yz");
  CHECK_INT(column->kind, QE_KIND_MIXED);
  CHECK_INT(column->kinds[0], QE_KIND_INT64);
  CHECK_INT(column->kinds[1], QE_KIND_NULL);
  CHECK_INT(column->kinds[2], QE_KIND_TEXT);
  CHECK_INT(qe__column_int64(column, 0), -7);
  CHECK_INT(qe__column_int64(column, 3), 9);
  CHECK(text_is(column, 2, "x") && text_is(column, 4, "yz"));
  qe__batch_clear(&batch);
}

static void test_booleans_and_dates_widen_in_place(void) {
  qe_batch batch;
  const qe_column *column;

  start(&batch, QE_TYPE_BOOLEAN, 32);
  column = &batch.columns[0];
  for (int i = 0; i < 20; i++) add_int(&batch, i % 3 == 0);
  CHECK_INT(column->kind, QE_KIND_BOOLEAN);
  CHECK(qe__column_bit(column, 18) && !qe__column_bit(column, 19));
  add_int(&batch, 2);
  CHECK_INT(column->kind, QE_KIND_MIXED);
  for (int i = 0; i < 20; i++) CHECK_INT(qe__column_int64(column, i), i % 3 == 0);
  CHECK_INT(column->kinds[20], QE_KIND_INT64);
  CHECK_INT(column->kinds[19], QE_KIND_BOOLEAN);
  qe__batch_clear(&batch);

  start(&batch, QE_TYPE_DATE, 32);
  column = &batch.columns[0];
  for (int i = 0; i < 20; i++) add_text(&batch, "1970-01-03");
  CHECK_INT(column->kind, QE_KIND_DATE);
  add_text(&batch, "some day");
  CHECK_INT(column->kind, QE_KIND_MIXED);
  for (int i = 0; i < 20; i++) CHECK_INT(qe__column_int64(column, i), 2);
  CHECK(text_is(column, 20, "some day"));
  qe__batch_clear(&batch);
}

static void test_the_next_batch_may_be_of_another_kind(void) {
  qe_batch batch;
  const qe_column *column;

  start(&batch, QE_TYPE_ANY, 4);
  column = &batch.columns[0];
  add_int(&batch, 1);
  qe__batch_reset(&batch);
  add_null(&batch);
  add_text(&batch, "now text");
  CHECK_INT(column->kind, QE_KIND_TEXT);
  CHECK(text_is(column, 1, "now text"));
  qe__batch_reset(&batch);
  add_null(&batch);
  CHECK(qe__column_is_empty(column, batch.row_count));
  qe__batch_clear(&batch);
}

static void test_a_batch_grows_while_it_is_filled(void) {
  qe_batch batch;
  qe_error error;

  start(&batch, QE_TYPE_ANY, 1);
  for (int i = 0; i < 1000; i++) {
    if (batch.row_count == batch.capacity) {
      CHECK_INT(qe__batch_grow(&batch, 1000, &error), QE_OK);
    }
    if (i % 7 == 3) {
      add_null(&batch);
    } else {
      add_int(&batch, i);
    }
  }
  CHECK_INT(batch.capacity, 1000);
  for (int i = 0; i < 1000; i++) {
    CHECK_INT(qe__column_is_null(&batch.columns[0], i), i % 7 == 3);
    if (i % 7 != 3) CHECK_INT(qe__column_int64(&batch.columns[0], i), i);
  }
  qe__batch_clear(&batch);
}

int main(void) {
  test_nulls_before_the_first_value_take_its_kind();
  test_a_second_kind_makes_the_column_mixed_and_keeps_every_value();
  test_booleans_and_dates_widen_in_place();
  test_the_next_batch_may_be_of_another_kind();
  test_a_batch_grows_while_it_is_filled();
  CHECK_INT(qe__test_live(), 0);
  return check_result();
}
