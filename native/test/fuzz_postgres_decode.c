/* A fuzzer of what a server may send: values of every type, and what the catalog says
 * of types. An input is two bytes that choose a type and the value; what is decoded is
 * also written as text, whose writer asserts that all it reads is there.
 *
 * With libFuzzer: clang -DQE_LIBFUZZER -fsanitize=fuzzer,address,undefined and the
 * files that the tests are linked with. Without, main() changes recorded values in ways
 * that a fixed seed decides, as many times as its argument says. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../src/qe_mem.h"
#include "../src/qe_postgres_decode.h"
#include "../src/qe_postgres_type_table.h"

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
  CATALOG_COUNT = (int)(sizeof CATALOG / sizeof CATALOG[0]),
  CHOICE_SIZE = 2,
  CATALOG_CHOICE = 0xFFFF, /* the input is rows of the catalog and not a value */
  INPUT_MAX = 512,
  RUNS = 300000
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void fail(const char *what) {
  (void)fprintf(stderr, "%s\n", what);
  abort();
}

static void add_cell(qe_batch *rows, int column, const char *text, int64_t size) {
  if (qe__column_put_bytes(&rows->columns[column], rows->row_count, QE_KIND_TEXT, text,
                           size, NULL) != QE_OK) {
    fail("a cell cannot be added");
  }
}

static void begin_rows(qe_batch *rows, int64_t capacity) {
  if (!qe__batch_init(rows, QE_PG_TYPES_COLUMNS) ||
      qe__batch_reserve(rows, capacity, NULL) != QE_OK) {
    fail("no memory for rows");
  }
}

static const qe_pg_types *recorded_types(void) {
  static qe_pg_types registry;
  qe_batch rows;

  if (registry.count > 0) return &registry;
  begin_rows(&rows, CATALOG_COUNT);
  for (int row = 0; row < CATALOG_COUNT; row++) {
    for (int i = 0; i < QE_PG_TYPES_COLUMNS; i++) {
      add_cell(&rows, i, CATALOG[row][i], (int64_t)strlen(CATALOG[row][i]));
    }
    rows.row_count++;
  }
  if (qe__pg_types_learn(&registry, &rows, NULL) != QE_OK) fail("no types");
  qe__batch_clear(&rows);
  return &registry;
}

/* Rows of five texts, each ended by a zero byte. */
static void learn_rows(const char *data, int64_t size) {
  qe_pg_types registry = {0};
  qe_error error = {0};
  qe_batch rows;
  int column = 0;
  qe_status status;

  begin_rows(&rows, INPUT_MAX);
  for (const char *end = data + size; data < end && rows.row_count < INPUT_MAX;) {
    const char *zero = memchr(data, 0, (size_t)(end - data));
    int64_t cell = (zero ? zero : end) - data;
    add_cell(&rows, column, data, cell);
    data += cell + (zero ? 1 : 0);
    column = (column + 1) % QE_PG_TYPES_COLUMNS;
    if (column == 0) rows.row_count++;
  }
  status = qe__pg_types_learn(&registry, &rows, &error);
  if (status != QE_OK && error.message[0] == '\0') fail("a failure without a word");
  for (uint32_t oid = 16600; oid < 17000; oid++) {
    (void)qe__pg_type_find(&registry, oid);
  }
  qe__pg_types_clear(&registry);
  qe__batch_clear(&rows);
}

static void show_nested(const qe_column *column) {
  qe_bytes text = {0};
  int64_t size;
  const uint8_t *data = qe__column_bytes(column, 0, &size);

  if (!qe__nested_text(data, size, &text)) fail("a nested value that has no text");
  qe__bytes_clear(&text);
}

static void decode_value(const qe_pg_type *type, const uint8_t *data, int64_t size) {
  qe_error error = {0};
  qe_column_meta meta = {0};
  qe_batch batch;
  qe_status status;

  if (!qe__batch_init(&batch, 1)) fail("no memory for a batch");
  qe__pg_type_describe(type, -1, &meta);
  batch.columns[0].type = meta.type;
  if (qe__batch_reserve(&batch, 1, NULL) != QE_OK) fail("no memory for a row");
  status =
      qe__pg_decode(recorded_types(), type, &batch.columns[0], 0, data, size, &error);
  if (status != QE_OK && error.message[0] == '\0') fail("a failure without a word");
  if (status != QE_OK && batch.columns[0].bytes.size != 0) fail("a part was left");
  if (status == QE_OK && meta.type == QE_TYPE_NESTED) show_nested(&batch.columns[0]);
  qe__batch_clear(&batch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const qe_pg_types *registry = recorded_types();
  int choice;

  if (size < CHOICE_SIZE) return 0;
  choice = data[0] << 8 | data[1];
  data += CHOICE_SIZE;
  size -= CHOICE_SIZE;
  if (choice == CATALOG_CHOICE) {
    learn_rows((const char *)data, (int64_t)size);
    return 0;
  }
  choice %= QE_PG_BUILT_IN_COUNT + registry->capacity;
  if (choice < QE_PG_BUILT_IN_COUNT) {
    decode_value(&QE_PG_BUILT_IN[choice], data, (int64_t)size);
  } else {
    const qe_pg_type *type = registry->slots[choice - QE_PG_BUILT_IN_COUNT];
    if (type) decode_value(type, data, (int64_t)size);
  }
  return 0;
}

#ifndef QE_LIBFUZZER

typedef struct input {
  uint8_t data[INPUT_MAX];
  int size;
} input;

static uint64_t next_random(void) {
  static uint64_t state = UINT64_C(0x2545F4914F6CDD1D);

  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

/* From 0 to end - 1. */
static int pick(int end) {
  return (int)(next_random() % (uint64_t)end);
}

static int choice_of(uint32_t oid) {
  const qe_pg_types *registry = recorded_types();

  for (int i = 0; i < QE_PG_BUILT_IN_COUNT; i++) {
    if (QE_PG_BUILT_IN[i].oid == oid) return i;
  }
  for (int i = 0; i < registry->capacity; i++) {
    if (registry->slots[i] && registry->slots[i]->oid == oid) {
      return QE_PG_BUILT_IN_COUNT + i;
    }
  }
  return 0;
}

static void add_bytes(input *to, const void *data, int size) {
  if (size > INPUT_MAX - to->size) size = INPUT_MAX - to->size;
  memcpy(to->data + to->size, data, (size_t)size);
  to->size += size;
}

static void begin_input(input *to) {
  int choice = CATALOG_CHOICE;
  int first = pick(VALUE_COUNT + VALUE_COUNT / 8);

  to->size = CHOICE_SIZE;
  if (first < VALUE_COUNT) {
    const recorded_value *value = &VALUES[first];
    choice = choice_of(value->oid);
    if (qe__pg_type_is_binary(qe__pg_type_find(recorded_types(), value->oid))) {
      add_bytes(to, value->data, (int)value->size);
    } else {
      add_bytes(to, value->text, (int)strlen(value->text));
    }
  } else {
    for (int row = pick(CATALOG_COUNT); row < CATALOG_COUNT; row++) {
      for (int i = 0; i < 5; i++) {
        add_bytes(to, CATALOG[row][i], (int)strlen(CATALOG[row][i]) + 1);
      }
    }
  }
  to->data[0] = (uint8_t)(choice >> 8);
  to->data[1] = (uint8_t)choice;
}

/* Numbers that sizes and counts should not be, and some that they may. */
static void put_number(input *to, int at) {
  static const uint32_t NUMBERS[] = {0,          1,          2,          6,
                                     7,          0x7F,       0x80,       0xFFFF,
                                     0x10000,    0x3FFFFFFF, 0x40000000, 0x7FFFFFFF,
                                     0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 2249};
  uint32_t number = NUMBERS[pick(16)];
  int size = pick(2) ? 4 : 2;

  for (int i = 0; i < size && at + i < to->size; i++) {
    to->data[at + i] = (uint8_t)(number >> 8 * (size - 1 - i));
  }
}

static void change(input *to) {
  static const char MARKS[] = "{}[]=,;:\"\\ 01N";
  int at = CHOICE_SIZE + (to->size > CHOICE_SIZE ? pick(to->size - CHOICE_SIZE) : 0);
  int other = pick(VALUE_COUNT);

  switch (pick(8)) {
    case 7:
      if (at < to->size) to->data[at] = (uint8_t)MARKS[pick((int)sizeof MARKS - 1)];
      break;
    case 0: to->size = at; break;
    case 1: add_bytes(to, VALUES[other].data, (int)VALUES[other].size); break;
    case 2: to->data[1] = (uint8_t)next_random(); break;
    case 3: put_number(to, CHOICE_SIZE + (at - CHOICE_SIZE) / 4 * 4); break;
    case 4: put_number(to, at); break;
    case 5:
      if (at < to->size) to->data[at] ^= (uint8_t)(1U << pick(8));
      break;
    default:
      if (at < to->size) to->data[at] = (uint8_t)next_random();
  }
}

int main(int argc, char **argv) {
  long runs = argc > 1 ? strtol(argv[1], NULL, 10) : RUNS;

  for (long run = 0; run < runs; run++) {
    input made = {{0}, 0};
    uint8_t *exact;
    begin_input(&made);
    for (int changes = pick(4); changes >= 0; changes--) change(&made);
    /* A block of its own, so that the sanitiser sees a read past its end. */
    exact = malloc((size_t)made.size);
    if (!exact) return EXIT_FAILURE;
    memcpy(exact, made.data, (size_t)made.size);
    (void)LLVMFuzzerTestOneInput(exact, (size_t)made.size);
    free(exact);
  }
  qe__pg_types_clear((qe_pg_types *)recorded_types());
  (void)printf("%ld inputs\n", runs);
  return EXIT_SUCCESS;
}

#endif
