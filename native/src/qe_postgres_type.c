/* A type is known in one of three ways: it is in the table of built-in types, the
 * catalog has told what it is, or the catalog has told that we cannot read it, and then
 * it is known to arrive as text. Only the first two have a binary form for us, and what
 * is made of parts has one only if each part has. */
#include "qe_postgres_type.h"

#include <assert.h>
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"
#include "qe_postgres_type_table.h"

/* Types of one database that a single connection may learn; a hostile server could
 * otherwise name them without end. */
enum { TYPES_MAX = 1 << 16, FIELDS_MAX = 1 << 14 };

/* Every table is read by its index, row by row, since a catalog may be large: OFFSET 0
 * keeps the planner from joining whole tables, which it would for the number of types
 * it expects. pg_range has its multiranges since PostgreSQL 14 only, and a column that
 * is not there is an error; to_jsonb asks for it in a way that older servers answer
 * with null. A type that sends itself as PostgreSQL's text does, such as citext, is a
 * string.
 */
const char QE_PG_TYPES_QUERY[] =
    "WITH RECURSIVE wanted(oid) AS ("
    " SELECT pg_catalog.unnest($1::text::oid[])"
    " UNION"
    " SELECT part.oid FROM wanted w,"
    " LATERAL (SELECT t.typtype, t.typrelid, CASE"
    "  WHEN t.typinput = 'pg_catalog.array_in'::regproc THEN t.typelem"
    "  WHEN t.typtype = 'd' THEN t.typbasetype"
    "  WHEN t.typtype = 'r' THEN"
    "   (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)"
    "  WHEN t.typtype = 'm' THEN"
    "   (SELECT r.rngtypid FROM pg_catalog.pg_range r"
    "    WHERE (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid)"
    "  END AS element FROM pg_catalog.pg_type t WHERE t.oid = w.oid OFFSET 0) t,"
    " LATERAL (SELECT t.element UNION ALL (SELECT a.atttypid"
    "  FROM pg_catalog.pg_attribute a WHERE t.typtype = 'c'"
    "  AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
    "  OFFSET 0)) part(oid)"
    " WHERE part.oid <> 0"
    ") SELECT w.oid::text, coalesce(t.kind, 'b'),"
    " coalesce(pg_catalog.format_type(t.oid, NULL), w.oid::text),"
    " coalesce(t.element, 0)::text, coalesce(a.atttypid, 0)::text"
    " FROM wanted w"
    " LEFT JOIN LATERAL (SELECT t.oid, t.typtype, t.typrelid, CASE"
    "  WHEN t.typinput = 'pg_catalog.array_in'::regproc THEN 'a' ||"
    "   coalesce((SELECT e.typdelim::text FROM pg_catalog.pg_type e"
    "    WHERE e.oid = t.typelem), ',')"
    "  WHEN t.typtype <> 'b' THEN t.typtype::text"
    "  WHEN t.typname = 'hstore' AND EXISTS (SELECT FROM pg_catalog.pg_depend d"
    "   JOIN pg_catalog.pg_extension x ON x.oid = d.refobjid"
    "   WHERE d.classid = 'pg_catalog.pg_type'::regclass AND d.objid = t.oid"
    "   AND d.refclassid = 'pg_catalog.pg_extension'::regclass"
    "   AND d.deptype = 'e' AND x.extname = 'hstore') THEN 'h'"
    "  WHEN (SELECT p.prosrc FROM pg_catalog.pg_proc p"
    "   WHERE p.oid = t.typsend AND p.prolang = 12)"
    "   IN ('textsend', 'varcharsend', 'bpcharsend') THEN 's'"
    "  ELSE 'b' END AS kind, CASE"
    "  WHEN t.typinput = 'pg_catalog.array_in'::regproc THEN t.typelem"
    "  WHEN t.typtype = 'd' THEN t.typbasetype"
    "  WHEN t.typtype = 'r' THEN"
    "   (SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE r.rngtypid = t.oid)"
    "  WHEN t.typtype = 'm' THEN"
    "   (SELECT r.rngtypid FROM pg_catalog.pg_range r"
    "    WHERE (pg_catalog.to_jsonb(r) ->> 'rngmultitypid')::oid = t.oid)"
    "  END AS element FROM pg_catalog.pg_type t WHERE t.oid = w.oid OFFSET 0) t ON true"
    " LEFT JOIN LATERAL (SELECT a.atttypid, a.attnum"
    "  FROM pg_catalog.pg_attribute a WHERE t.typtype = 'c'"
    "  AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped"
    "  OFFSET 0) a ON true"
    " ORDER BY w.oid, a.attnum";

static const qe_pg_type *find_built_in(uint32_t oid) {
  int32_t low = 0;
  int32_t high = QE_PG_BUILT_IN_COUNT;

  while (low < high) {
    int32_t middle = low + (high - low) / 2;
    if (QE_PG_BUILT_IN[middle].oid < oid) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return low < QE_PG_BUILT_IN_COUNT && QE_PG_BUILT_IN[low].oid == oid
             ? &QE_PG_BUILT_IN[low]
             : NULL;
}

/* Where the type is, or where it would go. Never full: it is kept half empty. */
static int32_t slot_of(qe_pg_type *const *slots, int32_t capacity, uint32_t oid) {
  int32_t slot = (int32_t)(oid * UINT32_C(2654435761) & (uint32_t)(capacity - 1));

  while (slots[slot] && slots[slot]->oid != oid) slot = (slot + 1) & (capacity - 1);
  return slot;
}

const qe_pg_type *qe__pg_type_find(const qe_pg_types *registry, uint32_t oid) {
  const qe_pg_type *type = find_built_in(oid);

  if (type || !registry || registry->count == 0) return type;
  return registry->slots[slot_of(registry->slots, registry->capacity, oid)];
}

qe_kind qe__pg_type_kind(const qe_pg_type *type) {
  switch (type ? type->decoder : QE_PG_TEXT) {
    case QE_PG_INT2:
    case QE_PG_INT4:
    case QE_PG_INT8:
    case QE_PG_UINT4: return QE_KIND_INT64;
    case QE_PG_FLOAT4:
    case QE_PG_FLOAT8: return QE_KIND_FLOAT64;
    case QE_PG_BOOL: return QE_KIND_BOOLEAN;
    case QE_PG_DATE: return QE_KIND_DATE;
    case QE_PG_TIME: return QE_KIND_TIME;
    case QE_PG_TIMESTAMP: return QE_KIND_TIMESTAMP;
    case QE_PG_BYTES:
    case QE_PG_UUID:
    case QE_PG_INTERVAL:
    case QE_PG_TIMETZ:
    case QE_PG_ARRAY_TEXT:
    case QE_PG_NESTED: return QE_KIND_BLOB;
    case QE_PG_VOID: return QE_KIND_NULL;
    case QE_PG_TEXT:
    case QE_PG_STRING:
    case QE_PG_CHAR:
    case QE_PG_NUMERIC:
    case QE_PG_JSON:
    case QE_PG_JSONB:
    case QE_PG_NETWORK: break;
  }
  return QE_KIND_TEXT;
}

void qe__pg_type_describe(const qe_pg_type *type, int32_t modifier,
                          qe_column_meta *meta) {
  meta->type = type ? type->type : QE_TYPE_TEXT;
  meta->width = type ? type->width : 0;
  meta->precision = 0;
  meta->scale = 0;
  meta->element_type = type ? type->element_type : QE_TYPE_ANY;
  meta->element_width = type ? type->element_width : 0;
  meta->is_exact = meta->type == QE_TYPE_DECIMAL;
  /* numeric(p, s): four more than p in the upper half and s, which is signed and has
   * eleven bits, in the lower. One with digits only far before or after the point has
   * no counterpart elsewhere and counts as not declared. */
  if (meta->type == QE_TYPE_DECIMAL && modifier >= 4) {
    int32_t precision = (modifier - 4) >> 16 & 0xFFFF;
    int32_t scale = (((modifier - 4) & 0x7FF) ^ 0x400) - 0x400;
    if (precision >= 1 && scale >= 0 && scale <= precision) {
      meta->precision = precision;
      meta->scale = scale;
    }
  }
}

static void free_type(qe_pg_type *type) {
  if (!type) return;
  qe__free((void *)type->name);
  qe__free((void *)type->fields);
  qe__free(type);
}

void qe__pg_types_clear(qe_pg_types *registry) {
  for (int32_t i = 0; i < registry->capacity; i++) free_type(registry->slots[i]);
  qe__free(registry->slots);
  *registry = (qe_pg_types){0};
}

/* Makes room for extra more types with half the slots left empty. */
static qe_status reserve(qe_pg_types *registry, int32_t extra, qe_error *error) {
  int32_t capacity = registry->capacity > 0 ? registry->capacity : 16;
  qe_pg_type **slots;

  if (extra > TYPES_MAX - registry->count) {
    return qe__fail(error, QE_ERR_RANGE,
                    "A connection would have to know more than %d types", TYPES_MAX);
  }
  while (capacity < (registry->count + extra) * 2) capacity *= 2;
  if (capacity == registry->capacity) return QE_OK;
  slots = qe__zalloc((int64_t)sizeof *slots * capacity);
  if (!slots) return qe__fail_memory(error, "types of a connection");
  for (int32_t i = 0; i < registry->capacity; i++) {
    qe_pg_type *type = registry->slots[i];
    if (type) slots[slot_of(slots, capacity, type->oid)] = type;
  }
  qe__free(registry->slots);
  registry->slots = slots;
  registry->capacity = capacity;
  return QE_OK;
}

/* One row of the answer. */
typedef struct catalog_row {
  uint32_t oid, element, field;
  char kind, delimiter;
  const char *name; /* borrowed, not terminated */
  int64_t name_size;
} catalog_row;

static qe_status refuse_row(int64_t row, qe_error *error) {
  return qe__fail(error, QE_ERR_TYPE,
                  "Row %lld of what the server says of its types is malformed",
                  (long long)row + 1);
}

/* The text of a row and column, or NULL where there is none. */
static const char *text_at(const qe_batch *rows, int32_t index, int64_t row,
                           int64_t *size) {
  const qe_column *column = &rows->columns[index];

  *size = 0;
  if (column->kind != QE_KIND_TEXT || qe__column_is_null(column, row)) return NULL;
  return (const char *)qe__column_bytes(column, row, size);
}

static bool read_oid(const qe_batch *rows, int32_t index, int64_t row, uint32_t *oid) {
  int64_t size;
  const char *text = text_at(rows, index, row, &size);
  uint64_t value = 0;

  if (!text || size < 1 || size > 10) return false;
  for (int64_t i = 0; i < size; i++) {
    if (text[i] < '0' || text[i] > '9') return false;
    value = value * 10 + (uint64_t)(text[i] - '0');
  }
  *oid = (uint32_t)value;
  return value <= UINT32_MAX;
}

static bool read_row(const qe_batch *rows, int64_t row, catalog_row *out) {
  int64_t kind_size;
  const char *kind = text_at(rows, 1, row, &kind_size);

  if (!kind || kind_size < 1 || kind_size > (kind[0] == 'a' ? 2 : 1)) return false;
  out->kind = kind[0];
  out->delimiter = kind_size == 2 ? kind[1] : ',';
  out->name = text_at(rows, 2, row, &out->name_size);
  return out->name && read_oid(rows, 0, row, &out->oid) && out->oid != 0 &&
         read_oid(rows, 3, row, &out->element) && read_oid(rows, 4, row, &out->field);
}

/* What a type is by its kind alone; what is made of parts waits for close_types(). */
static void set_decoder(qe_pg_type *type) {
  type->type = QE_TYPE_TEXT;
  if (type->kind == 'e' || type->kind == 's') {
    type->decoder = QE_PG_STRING;
  } else if (type->kind == 'h') {
    type->decoder = QE_PG_NESTED;
    type->type = QE_TYPE_NESTED;
  }
  if (type->kind == 's') type->kind = 'b';
}

/* Makes one type of count rows that all name it. */
static qe_status make_type(const qe_batch *rows, int64_t first, int64_t count,
                           qe_pg_type **out, qe_error *error) {
  qe_pg_type *type = qe__zalloc(sizeof *type);
  uint32_t *fields = NULL;
  catalog_row row;

  *out = NULL;
  if (!type) return qe__fail_memory(error, "type of a column");
  if (!read_row(rows, first, &row)) {
    free_type(type);
    return refuse_row(first, error);
  }
  type->oid = row.oid;
  type->kind = row.kind;
  type->element = row.element;
  type->delimiter = row.delimiter;
  set_decoder(type);
  type->name = qe__copy_text(row.name, row.name_size);
  if (row.field != 0) fields = qe__zalloc((int64_t)sizeof *fields * count);
  type->fields = fields;
  if (!type->name || (row.field != 0 && !fields)) {
    free_type(type);
    return qe__fail_memory(error, "type of a column");
  }
  if (fields) type->field_count = (int32_t)count;
  for (int64_t i = 0; fields && i < count; i++) {
    if (!read_row(rows, first + i, &row)) {
      free_type(type);
      return refuse_row(first + i, error);
    }
    fields[i] = row.field;
  }
  *out = type;
  return QE_OK;
}

/* How many rows from first on speak of one type; 0 where the first is malformed. */
static int64_t run_length(const qe_batch *rows, int64_t first) {
  catalog_row begin, next;
  int64_t count = 1;

  if (!read_row(rows, first, &begin)) return 0;
  while (first + count < rows->row_count && read_row(rows, first + count, &next) &&
         next.oid == begin.oid) {
    count++;
  }
  return count;
}

/* Whether a part can be read in binary, and the part. */
static const qe_pg_type *binary_part(const qe_pg_types *registry, uint32_t oid) {
  const qe_pg_type *part = qe__pg_type_find(registry, oid);
  return qe__pg_type_is_binary(part) && part->decoder != QE_PG_VOID ? part : NULL;
}

/* Gives a type made of parts its decoder once each part has one. */
static bool close_type(const qe_pg_types *registry, qe_pg_type *type) {
  const qe_pg_type *part;

  if (type->decoder != QE_PG_TEXT || !strchr("armcd", type->kind)) return false;
  if (type->kind == 'c') {
    for (int32_t i = 0; i < type->field_count; i++) {
      if (!binary_part(registry, type->fields[i])) return false;
    }
  } else {
    part = binary_part(registry, type->element);
    if (!part) return false;
    if (type->kind == 'd') {
      type->decoder = part->decoder;
      type->type = part->type;
      type->width = part->width;
      return true;
    }
    if (type->kind == 'm' && part->kind != 'r') return false;
    if (type->kind == 'a' && part->decoder != QE_PG_NESTED) {
      type->element_type = part->type;
      type->element_width = part->width;
    }
  }
  type->decoder = QE_PG_NESTED;
  type->type = QE_TYPE_NESTED;
  return true;
}

/* An array whose elements turned out to be text is read from its text. */
static void open_array(const qe_pg_types *registry, qe_pg_type *type) {
  if (type->kind != 'a' || type->decoder != QE_PG_TEXT) return;
  if (!qe__pg_type_find(registry, type->element)) return;
  type->decoder = QE_PG_ARRAY_TEXT;
  type->type = QE_TYPE_NESTED;
  type->element_type = QE_TYPE_TEXT;
}

/* From the innermost outwards, until nothing changes. What is made of itself, which no
 * honest server has, stays text, and so does what is deeper than a value may be. */
static void close_types(qe_pg_types *registry) {
  bool is_changed = true;

  for (int depth = 0; is_changed && depth < QE_PG_DEPTH_MAX; depth++) {
    is_changed = false;
    for (int32_t i = 0; i < registry->capacity; i++) {
      if (registry->slots[i] && close_type(registry, registry->slots[i])) {
        is_changed = true;
      }
    }
  }
  for (int32_t i = 0; i < registry->capacity; i++) {
    if (registry->slots[i]) open_array(registry, registry->slots[i]);
  }
}

static void forget(qe_pg_type **types, int32_t count) {
  for (int32_t i = 0; i < count; i++) free_type(types[i]);
  qe__free(types);
}

/* Makes the types of all rows; on success the caller owns *out and each in it. */
static qe_status make_types(const qe_batch *rows, qe_pg_type ***out, int32_t *count,
                            qe_error *error) {
  qe_pg_type **types = qe__zalloc((int64_t)sizeof *types * rows->row_count);
  int32_t made = 0;

  *out = NULL;
  if (!types) return qe__fail_memory(error, "types of a connection");
  for (int64_t row = 0; row < rows->row_count;) {
    int64_t length = run_length(rows, row);
    qe_status status = length == 0 || length > FIELDS_MAX
                           ? refuse_row(row, error)
                           : make_type(rows, row, length, &types[made], error);
    if (status != QE_OK) {
      forget(types, made);
      return status;
    }
    made++;
    row += length;
  }
  *out = types;
  *count = made;
  return QE_OK;
}

qe_status qe__pg_types_learn(qe_pg_types *registry, const qe_batch *rows,
                             qe_error *error) {
  qe_pg_type **types = NULL;
  int32_t count = 0;
  qe_status status;

  if (rows->row_count == 0) return QE_OK;
  if (rows->column_count != QE_PG_TYPES_COLUMNS || rows->row_count > TYPES_MAX) {
    return qe__fail(error, QE_ERR_TYPE,
                    "The server answers with %lld rows of %d columns when it is asked "
                    "what types it has",
                    (long long)rows->row_count, (int)rows->column_count);
  }
  status = make_types(rows, &types, &count, error);
  if (status == QE_OK) status = reserve(registry, count, error);
  if (status != QE_OK) {
    forget(types, count);
    return status;
  }
  for (int32_t i = 0; i < count; i++) {
    int32_t slot = slot_of(registry->slots, registry->capacity, types[i]->oid);
    if (registry->slots[slot] || find_built_in(types[i]->oid)) continue;
    registry->slots[slot] = types[i];
    registry->count++;
    types[i] = NULL; /* moved to the registry */
  }
  forget(types, count);
  close_types(registry);
  return QE_OK;
}
