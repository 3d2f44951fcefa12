/* The Arrow C data interface: schemas, arrays and the stream that makes them.
 *
 * Ownership follows the interface's own rules: whoever holds a struct whose release is
 * not NULL must call it, children may be moved out of their parent, and releasing the
 * parent releases the children that are left. */
#include "qe_arrow.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"

enum { NULLABLE = 2 }; /* ARROW_FLAG_NULLABLE */
enum { FORMAT_SIZE = 24 };
/* Rows of one array: large enough that the per-array cost vanishes, small enough that
 * a stream of any length stays in a few megabytes. */
enum { ARRAY_ROWS = 65536 };

static void write_format(const qe_arrow_column *column, char *out) {
  static const char *const FORMATS[] = {"n",   "l",   "g",    "u",       "z",  "b",
                                        "tdD", "ttu", "tsu:", "tsu:UTC", "d:", "s",
                                        "i",   "f",   "w:16", "tin",     "+l"};
  if (column->kind == QE_ARROW_DECIMAL128) {
    (void)snprintf(out, FORMAT_SIZE, "d:%d,%d", (int)column->precision,
                   (int)column->scale);
  } else {
    (void)snprintf(out, FORMAT_SIZE, "%s", FORMATS[column->kind]);
  }
}

/* One schema's texts, and the children of the outermost. */
typedef struct schema_memory {
  char format[FORMAT_SIZE];
  char *name;                    /* owned */
  struct ArrowSchema *children;  /* owned */
  struct ArrowSchema **pointers; /* owned */
} schema_memory;

static void release_schema(struct ArrowSchema *schema) {
  schema_memory *memory = schema->private_data;

  for (int64_t i = 0; i < schema->n_children; i++) {
    if (schema->children[i]->release) schema->children[i]->release(schema->children[i]);
  }
  qe__free(memory->name);
  qe__free(memory->children);
  qe__free(memory->pointers);
  qe__free(memory);
  schema->release = NULL;
}

/* An empty schema with its memory; release_schema() ends it however far it came. */
static schema_memory *begin_schema(const char *name, struct ArrowSchema *out) {
  schema_memory *memory = qe__zalloc(sizeof *memory);

  *out = (struct ArrowSchema){0};
  if (!memory) return NULL;
  out->private_data = memory;
  out->release = release_schema;
  memory->name = qe__copy_text(name, (int64_t)strlen(name));
  out->format = memory->format;
  out->name = memory->name;
  if (memory->name) return memory;
  release_schema(out);
  return NULL;
}

/* What the metadata of a field looks like is told beside ArrowSchema.metadata: pairs of
 * texts, each with its size, in the machine's own order. */
static const char UUID_METADATA[] =
    "\2\0\0\0\24\0\0\0ARROW:extension:name\12\0\0\0arrow.uuid"
    "\30\0\0\0ARROW:extension:metadata\0\0\0";

static bool describe_column(const qe_arrow_column *column, schema_memory *memory,
                            struct ArrowSchema *out);

/* The one child of a list, which Arrow calls `item`. */
static bool add_element_schema(const qe_arrow_column *list, schema_memory *memory,
                               struct ArrowSchema *out) {
  qe_arrow_column element = qe__arrow_element(list);
  schema_memory *child;

  memory->children = qe__zalloc(sizeof *memory->children);
  memory->pointers = qe__zalloc(sizeof *memory->pointers);
  if (!memory->children || !memory->pointers) return false;
  out->children = memory->pointers;
  child = begin_schema("item", memory->children);
  if (!child) return false;
  memory->pointers[0] = memory->children;
  out->n_children = 1;
  return describe_column(&element, child, memory->children);
}

static bool describe_column(const qe_arrow_column *column, schema_memory *memory,
                            struct ArrowSchema *out) {
  write_format(column, memory->format);
  out->flags = NULLABLE;
  if (column->kind == QE_ARROW_UUID) out->metadata = UUID_METADATA;
  return column->kind != QE_ARROW_LIST || add_element_schema(column, memory, out);
}

static bool add_child_schemas(const qe_arrow_column *columns, int32_t count,
                              schema_memory *memory, struct ArrowSchema *out) {
  if (count == 0) return true;
  memory->children = qe__zalloc((int64_t)sizeof *memory->children * count);
  memory->pointers = qe__zalloc((int64_t)sizeof *memory->pointers * count);
  if (!memory->children || !memory->pointers) return false;
  out->children = memory->pointers;
  for (int32_t i = 0; i < count; i++) {
    schema_memory *child = begin_schema(columns[i].name, &memory->children[i]);
    if (!child) return false;
    memory->pointers[i] = &memory->children[i];
    out->n_children = i + 1;
    if (!describe_column(&columns[i], child, &memory->children[i])) return false;
  }
  return true;
}

qe_status qe__arrow_schema(const qe_arrow_column *columns, int32_t count,
                           struct ArrowSchema *out, qe_error *error) {
  schema_memory *memory = begin_schema("", out);

  if (memory && add_child_schemas(columns, count, memory, out)) {
    (void)snprintf(memory->format, FORMAT_SIZE, "+s");
    return QE_OK;
  }
  if (out->release) release_schema(out);
  return qe__fail_memory(error, "Arrow schema");
}

/* What keeps one array's buffers alive, or the children of the outermost. */
typedef struct array_memory {
  const void *buffers[3];
  void *owned[3];
  struct ArrowArray *children;
  struct ArrowArray **pointers;
} array_memory;

static void release_array(struct ArrowArray *array) {
  array_memory *memory = array->private_data;

  for (int64_t i = 0; i < array->n_children; i++) {
    if (array->children[i]->release) array->children[i]->release(array->children[i]);
  }
  for (int i = 0; i < 3; i++) qe__free(memory->owned[i]);
  qe__free(memory->children);
  qe__free(memory->pointers);
  qe__free(memory);
  array->release = NULL;
}

static array_memory *begin_array(int64_t length, struct ArrowArray *out) {
  array_memory *memory = qe__zalloc(sizeof *memory);

  *out = (struct ArrowArray){0};
  if (!memory) return NULL;
  out->length = length;
  out->buffers = memory->buffers;
  out->private_data = memory;
  out->release = release_array;
  return memory;
}

static void hand_over(array_memory *memory, int index, void *buffer) {
  memory->owned[index] = buffer;
  memory->buffers[index] = buffer;
}

static void take_offsets(array_memory *memory, qe_column *column) {
  hand_over(memory, 1, column->offsets);
  column->offsets = NULL;
  column->offsets_capacity = 0;
}

static bool add_child_array(const qe_arrow_column *wanted, qe_column *column,
                            int64_t first_row, int64_t row_count,
                            struct ArrowArray *out);

/* Moves the elements of a list into the array's one child. */
static bool add_elements(const qe_arrow_column *list, qe_column *column,
                         array_memory *memory, struct ArrowArray *out) {
  qe_arrow_column element = qe__arrow_element(list);

  memory->children = qe__zalloc(sizeof *memory->children);
  memory->pointers = qe__zalloc(sizeof *memory->pointers);
  if (!memory->children || !memory->pointers) return false;
  out->children = memory->pointers;
  memory->pointers[0] = memory->children;
  out->n_children = 1;
  return add_child_array(&element, column->child, 0, column->child_count,
                         memory->children);
}

/* Moves a converted column's buffers into an array. */
static bool add_child_array(const qe_arrow_column *wanted, qe_column *column,
                            int64_t first_row, int64_t row_count,
                            struct ArrowArray *out) {
  bool has_offsets = wanted->kind == QE_ARROW_UTF8 || wanted->kind == QE_ARROW_BINARY;
  array_memory *memory = begin_array(row_count - first_row, out);

  if (!memory) return false;
  out->offset = first_row;
  if (wanted->kind == QE_ARROW_NULL) {
    out->null_count = out->length;
    return true;
  }
  /* -1 has the consumer count: some of the nulls may lie before first_row. */
  out->null_count = first_row > 0 && column->null_count > 0 ? -1 : column->null_count;
  out->n_buffers = has_offsets ? 3 : 2;
  if (column->null_count > 0) {
    hand_over(memory, 0, column->validity);
    column->validity = NULL;
    column->validity_capacity = 0;
  }
  if (wanted->kind == QE_ARROW_LIST) {
    take_offsets(memory, column);
    return add_elements(wanted, column, memory, out);
  }
  if (has_offsets) {
    take_offsets(memory, column);
    hand_over(memory, 2, column->bytes.data);
    column->bytes = (qe_bytes){.first_capacity = column->bytes.size};
  } else {
    hand_over(memory, 1, column->values);
    column->values = NULL;
    column->values_capacity = 0;
  }
  return true;
}

static bool add_child_arrays(const qe_arrow_column *columns, qe_batch *batch,
                             int64_t first_row, array_memory *memory,
                             struct ArrowArray *out) {
  int32_t count = batch->column_count;

  if (count == 0) return true;
  memory->children = qe__zalloc((int64_t)sizeof *memory->children * count);
  memory->pointers = qe__zalloc((int64_t)sizeof *memory->pointers * count);
  if (!memory->children || !memory->pointers) return false;
  out->children = memory->pointers;
  for (int32_t i = 0; i < count; i++) {
    memory->pointers[i] = &memory->children[i];
    out->n_children = i + 1;
    if (!add_child_array(&columns[i], &batch->columns[i], first_row, batch->row_count,
                         &memory->children[i])) {
      return false;
    }
  }
  return true;
}

qe_status qe__arrow_array(const qe_arrow_column *columns, qe_batch *batch,
                          int64_t first_row, int64_t row_offset, struct ArrowArray *out,
                          qe_error *error) {
  array_memory *memory;

  *out = (struct ArrowArray){0};
  for (int32_t i = 0; i < batch->column_count; i++) {
    qe_status status = qe__arrow_convert(&columns[i], &batch->columns[i], first_row,
                                         batch->row_count, row_offset, error);
    if (status != QE_OK) return status;
  }
  memory = begin_array(batch->row_count - first_row, out);
  if (!memory || !add_child_arrays(columns, batch, first_row, memory, out)) {
    if (out->release) release_array(out);
    return qe__fail_memory(error, "Arrow array");
  }
  out->n_buffers = 1;
  for (int32_t i = 0; i < batch->column_count; i++) {
    qe__column_reset(&batch->columns[i]);
    batch->columns[i].kind = QE_KIND_NULL; /* its buffers are gone */
    batch->columns[i].capacity = 0;
  }
  batch->row_count = 0;
  batch->capacity = 0;
  return QE_OK;
}

/* A statement on its way out as arrays. */
typedef struct stream_memory {
  qe_statement *statement;  /* owned */
  qe_arrow_column *columns; /* owned */
  int64_t first_row;        /* of the batch that is ready, rows already read */
  int64_t row_offset;       /* rows before the batch that is ready */
  bool is_ready;            /* the statement's batch waits to be taken */
  qe_pulse pulse;           /* asked while rows are read, or NULL */
  void *pulse_context;
  qe_error error;
} stream_memory;

static int errno_of(qe_status status) {
  switch (status) {
    case QE_OK: return 0;
    case QE_ERR_NOMEM: return ENOMEM;
    case QE_ERR_INTERRUPTED: return EINTR;
    case QE_ERR_DATABASE: return EIO;
    default: return EINVAL;
  }
}

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
  stream_memory *memory = stream->private_data;
  qe_status status;

  qe__error_clear(&memory->error);
  status = qe__arrow_schema(memory->columns, memory->statement->column_count, out,
                            &memory->error);
  return errno_of(status);
}

/* Takes the batch that is ready, or reads the next; inside the connection. */
static qe_status next_array(stream_memory *memory, struct ArrowArray *out) {
  qe_statement *statement = memory->statement;
  qe_batch *batch = &statement->batch;
  qe_status status = QE_OK;
  int64_t taken;

  if (!memory->is_ready) {
    qe__batch_reset(batch);
    status = qe__statement_fill(statement, batch, ARRAY_ROWS, &memory->error);
  }
  memory->is_ready = false;
  if (status != QE_OK || batch->row_count == 0) return status;
  taken = batch->row_count;
  status = qe__arrow_array(memory->columns, batch, memory->first_row,
                           memory->row_offset, out, &memory->error);
  memory->first_row = 0;
  memory->row_offset += taken;
  if (status == QE_OK && statement->is_running) {
    status = qe__batch_reserve(batch, ARRAY_ROWS, &memory->error);
    if (status != QE_OK) out->release(out);
  }
  return status;
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
  stream_memory *memory = stream->private_data;
  qe_connection *connection = memory->statement->connection;
  qe_status status;

  *out = (struct ArrowArray){0};
  qe__error_clear(&memory->error);
  status = qe__connection_enter(connection, &memory->error);
  if (status != QE_OK) return errno_of(status);
  connection->pulse = memory->pulse;
  connection->pulse_context = memory->pulse_context;
  status = next_array(memory, out);
  qe__connection_leave(connection);
  return errno_of(status);
}

static const char *stream_get_last_error(struct ArrowArrayStream *stream) {
  stream_memory *memory = stream->private_data;
  return memory->error.message[0] ? memory->error.message : NULL;
}

static void stream_release(struct ArrowArrayStream *stream) {
  stream_memory *memory = stream->private_data;

  qe_statement_release(memory->statement);
  qe__free(memory->columns);
  qe__free(memory);
  stream->release = NULL;
}

/* An undeclared column is what the first batch shows it to be. One without any value
 * there is Arrow's null type when that was the whole result, else int64, which is what
 * most such columns turn out to hold. */
static qe_arrow_kind kind_of_values(const qe_column *column, bool is_whole) {
  switch (column->kind) {
    case QE_KIND_NULL: return is_whole ? QE_ARROW_NULL : QE_ARROW_INT64;
    case QE_KIND_FLOAT64:
    case QE_KIND_MIXED: return QE_ARROW_FLOAT64;
    case QE_KIND_TEXT: return QE_ARROW_UTF8;
    case QE_KIND_BLOB: return QE_ARROW_BINARY;
    default: return QE_ARROW_INT64;
  }
}

/* By type and width; what has no Arrow type of its own is text. */
static qe_arrow_kind kind_of_type(qe_type type, int32_t width) {
  static const qe_arrow_kind KINDS[] = {
      QE_ARROW_NULL,      QE_ARROW_INT64,       QE_ARROW_FLOAT64, QE_ARROW_UTF8,
      QE_ARROW_BINARY,    QE_ARROW_BOOLEAN,     QE_ARROW_DATE32,  QE_ARROW_TIME64,
      QE_ARROW_TIMESTAMP, QE_ARROW_TIMESTAMPTZ, QE_ARROW_UTF8,    QE_ARROW_UUID,
      QE_ARROW_UTF8,      QE_ARROW_INTERVAL,    QE_ARROW_UTF8,    QE_ARROW_UTF8,
      QE_ARROW_UTF8};

  if (type == QE_TYPE_INTEGER && width == 2) return QE_ARROW_INT16;
  if (type == QE_TYPE_INTEGER && width == 4) return QE_ARROW_INT32;
  if (type == QE_TYPE_FLOAT && width == 4) return QE_ARROW_FLOAT32;
  return KINDS[type];
}

void qe__arrow_choose(const qe_column_meta *meta, const qe_column *column,
                      bool is_whole, qe_arrow_column *out) {
  *out = (qe_arrow_column){.name = meta->name, .type = meta->type};
  if (meta->type == QE_TYPE_ANY) {
    out->kind = kind_of_values(column, is_whole);
  } else if (meta->type == QE_TYPE_DECIMAL && meta->precision >= 1 &&
             meta->precision <= 38) {
    out->kind = QE_ARROW_DECIMAL128;
    out->precision = meta->precision;
    out->scale = meta->scale;
  } else if (meta->type == QE_TYPE_DECIMAL && !meta->is_exact) {
    out->kind = QE_ARROW_FLOAT64;
  } else if (meta->type == QE_TYPE_NESTED && meta->element_type != QE_TYPE_ANY) {
    out->kind = QE_ARROW_LIST;
    out->element = kind_of_type(meta->element_type, meta->element_width);
    out->element_type = meta->element_type;
  } else {
    out->kind = kind_of_type(meta->type, meta->width);
  }
}

/* Fills the first batch up and settles the schema; inside the connection. */
static qe_status prepare_stream(qe_statement *statement, stream_memory *memory,
                                qe_error *error) {
  qe_batch *batch = &statement->batch;
  qe_status status = qe__statement_fill(statement, batch, ARRAY_ROWS, error);

  if (status != QE_OK) return status;
  for (int32_t i = 0; i < statement->column_count; i++) {
    qe_column *column = &statement->batch.columns[i];
    /* The kind may be left from an earlier run, which must not show. */
    if (qe__column_is_empty(column, statement->batch.row_count)) {
      column->kind = QE_KIND_NULL;
    }
    qe__arrow_choose(&statement->columns[i], column, !statement->is_running,
                     &memory->columns[i]);
  }
  for (int32_t i = 0; i < statement->column_count && status == QE_OK; i++) {
    status = qe__arrow_convert(&memory->columns[i], &statement->batch.columns[i],
                               memory->first_row, statement->batch.row_count, 0, error);
  }
  return status;
}

qe_status qe__statement_arrow(qe_statement *statement, int64_t first_row,
                              qe_pulse pulse, void *pulse_context,
                              struct ArrowArrayStream *out, qe_error *error) {
  stream_memory *memory = NULL;
  qe_status status = QE_OK;

  *out = (struct ArrowArrayStream){0};
  if (statement->column_count == 0) {
    return qe__fail(error, QE_ERR_MISUSE, "The statement gives no rows");
  }
  memory = qe__zalloc(sizeof *memory);
  if (memory) {
    memory->columns =
        qe__zalloc((int64_t)sizeof *memory->columns * statement->column_count);
  }
  if (!memory || !memory->columns) {
    status = qe__fail_memory(error, "Arrow stream");
    goto done;
  }
  memory->first_row = first_row;
  memory->is_ready = true;
  status = prepare_stream(statement, memory, error);
  if (status != QE_OK) goto done;
  memory->statement = statement;
  memory->pulse = pulse;
  memory->pulse_context = pulse_context;
  *out = (struct ArrowArrayStream){stream_get_schema, stream_get_next,
                                   stream_get_last_error, stream_release, memory};
  memory = NULL; /* moved to the stream */

done:
  if (memory) qe__free(memory->columns);
  qe__free(memory);
  return status;
}

qe_status qe_statement_arrow(qe_statement *statement, int64_t first_row,
                             struct ArrowArrayStream *out, qe_error *error) {
  qe_status status;

  *out = (struct ArrowArrayStream){0};
  qe__error_clear(error);
  status = qe__connection_enter(statement->connection, error);
  if (status != QE_OK) return status;
  status = qe__statement_arrow(statement, first_row, NULL, NULL, out, error);
  qe__connection_leave(statement->connection);
  return status;
}
