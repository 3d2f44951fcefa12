/* A cursor walks over the value and every step asks it for bytes, so nothing is read
 * past the end. Counts are held against the bytes that are left before anything is made
 * for them: each element has a size of four bytes at the least. Values in values are
 * followed by recursion, QE_PG_DEPTH_MAX deep. */
#include "qe_postgres_nested.h"

#include <assert.h>

#include "qe_error.h"
#include "qe_postgres_decode.h"
#include "qe_postgres_wire.h"

enum { DIMENSIONS_MAX = 6 }; /* MAXDIM of PostgreSQL */
enum { SIZE_SIZE = 4 };      /* what stands before each element */

typedef struct cursor {
  const uint8_t *data;
  int64_t left;
} cursor;

/* What stays the same all the way down. */
typedef struct nested_walk {
  const qe_pg_types *registry;
  qe_bytes *out;
  qe_error *error;
} nested_walk;

static qe_status add_value(nested_walk *walk, const qe_pg_type *type, cursor *value,
                           int depth);

static qe_status out_of_memory(nested_walk *walk) {
  return qe__fail_memory(walk->error, "array, range or composite of a column");
}

static qe_status malformed(nested_walk *walk, const qe_pg_type *type,
                           const char *what) {
  return qe__fail(walk->error, QE_ERR_TYPE, "A value of type %.100s %s", type->name,
                  what);
}

static qe_status append(nested_walk *walk, const void *data, int64_t size) {
  if (!qe__bytes_reserve(walk->out, size)) return out_of_memory(walk);
  if (size > 0) memcpy(walk->out->data + walk->out->size, data, (size_t)size);
  walk->out->size += size;
  return QE_OK;
}

/* A tag, then size bytes. */
static qe_status append_tagged(nested_walk *walk, qe_tag tag, const void *data,
                               int64_t size) {
  if (!qe__bytes_reserve(walk->out, size + 1)) return out_of_memory(walk);
  walk->out->data[walk->out->size++] = (uint8_t)tag;
  return append(walk, data, size);
}

static qe_status append_count(nested_walk *walk, qe_tag tag, int64_t count) {
  uint32_t written = (uint32_t)count;

  assert(count >= 0 && count <= INT32_MAX);
  return append_tagged(walk, tag, &written, sizeof written);
}

static bool take(cursor *from, int64_t size, const uint8_t **out) {
  if (size < 0 || size > from->left) return false;
  *out = from->data;
  from->data += size;
  from->left -= size;
  return true;
}

static bool take_int32(cursor *from, int32_t *out) {
  const uint8_t *data;

  if (!take(from, 4, &data)) return false;
  *out = qe__pg_read_int32(data);
  return true;
}

/* A size and that many bytes; is_null where the size is -1. */
static bool take_sized(cursor *from, cursor *out, bool *is_null) {
  int32_t size;

  *out = (cursor){0};
  if (!take_int32(from, &size)) return false;
  *is_null = size == -1;
  if (*is_null) return true;
  out->left = size;
  return take(from, size, &out->data);
}

/* Texts of every sort, with a size that is known only afterwards. */
static qe_status add_text(nested_walk *walk, const qe_pg_type *type, qe_tag tag,
                          const cursor *value) {
  int64_t start;
  uint32_t size;
  int64_t fault;
  qe_status status = append_count(walk, tag, 0);

  if (status != QE_OK) return status;
  start = walk->out->size;
  status = qe__pg_decode_text(type, value->data, value->left, walk->out, walk->error);
  if (status != QE_OK) return status;
  fault = qe__utf8_fault(walk->out->data + start, walk->out->size - start);
  if (fault >= 0) {
    return qe__fail(walk->error, QE_ERR_ENCODING,
                    "A value of type %.100s is not UTF-8 from byte %lld on", type->name,
                    (long long)fault);
  }
  size = (uint32_t)(walk->out->size - start);
  memcpy(walk->out->data + start - sizeof size, &size, sizeof size);
  return QE_OK;
}

static qe_status add_moment(nested_walk *walk, const qe_pg_type *type,
                            const cursor *value) {
  int64_t moment;
  int32_t days;
  qe_status status =
      qe__pg_decode_moment(type, value->data, value->left, &moment, walk->error);

  if (status != QE_OK) return status;
  if (type->decoder == QE_PG_DATE) {
    days = (int32_t)moment;
    return append_tagged(walk, QE_TAG_DATE, &days, sizeof days);
  }
  return append_tagged(walk,
                       type->decoder == QE_PG_TIME         ? QE_TAG_TIME
                       : type->type == QE_TYPE_TIMESTAMPTZ ? QE_TAG_TIMESTAMPTZ
                                                           : QE_TAG_TIMESTAMP,
                       &moment, sizeof moment);
}

static qe_status add_integer(nested_walk *walk, const qe_pg_type *type,
                             const cursor *value) {
  int64_t integer;
  qe_status status =
      qe__pg_decode_integer(type, value->data, value->left, &integer, walk->error);

  if (status != QE_OK) return status;
  return append_tagged(walk, QE_TAG_INT64, &integer, sizeof integer);
}

static qe_status add_float(nested_walk *walk, const qe_pg_type *type,
                           const cursor *value) {
  double number;
  qe_status status =
      qe__pg_decode_float(type, value->data, value->left, &number, walk->error);

  if (status != QE_OK) return status;
  return append_tagged(walk, QE_TAG_FLOAT64, &number, sizeof number);
}

static qe_status add_bool(nested_walk *walk, const qe_pg_type *type,
                          const cursor *value) {
  bool is_true;
  uint8_t byte;
  qe_status status =
      qe__pg_decode_bool(type, value->data, value->left, &is_true, walk->error);

  if (status != QE_OK) return status;
  byte = is_true;
  return append_tagged(walk, QE_TAG_BOOLEAN, &byte, sizeof byte);
}

static qe_status add_record(nested_walk *walk, const qe_pg_type *type,
                            const cursor *value) {
  uint8_t record[QE_INTERVAL_SIZE];
  qe_status status;

  switch (type->decoder) {
    case QE_PG_INTERVAL:
      status =
          qe__pg_decode_interval(type, value->data, value->left, record, walk->error);
      if (status != QE_OK) return status;
      return append_tagged(walk, QE_TAG_INTERVAL, record, QE_INTERVAL_SIZE);
    case QE_PG_TIMETZ:
      status =
          qe__pg_decode_timetz(type, value->data, value->left, record, walk->error);
      if (status != QE_OK) return status;
      return append_tagged(walk, QE_TAG_TIMETZ, record, QE_TIMETZ_SIZE);
    default:
      status = qe__pg_expect(type, value->left, QE_UUID_SIZE, walk->error);
      if (status != QE_OK) return status;
      return append_tagged(walk, QE_TAG_UUID, value->data, QE_UUID_SIZE);
  }
}

static qe_status add_blob(nested_walk *walk, const cursor *value) {
  qe_status status = append_count(walk, QE_TAG_BLOB, value->left);

  if (status != QE_OK) return status;
  return append(walk, value->data, value->left);
}

/* One element, with its size in front. type is what it has to be. */
static qe_status add_sized(nested_walk *walk, const qe_pg_type *outer,
                           const qe_pg_type *type, cursor *from, int depth) {
  cursor value;
  bool is_null;
  qe_status status;

  if (!take_sized(from, &value, &is_null)) {
    return malformed(walk, outer, "ends within an element");
  }
  if (is_null) return append_tagged(walk, QE_TAG_NULL, NULL, 0);
  status = add_value(walk, type, &value, depth + 1);
  return status;
}

/* The type of an element, which has to be one that we read in binary. */
static qe_status find_part(nested_walk *walk, const qe_pg_type *outer, uint32_t oid,
                           const qe_pg_type **out) {
  *out = qe__pg_type_find(walk->registry, oid);
  if (qe__pg_type_is_binary(*out) && (*out)->decoder != QE_PG_VOID) return QE_OK;
  return qe__fail(walk->error, QE_ERR_TYPE,
                  "A value of type %.100s holds one of type %.100s (%lu), which can be "
                  "read as text only: cast it to text in the query",
                  outer->name, *out ? (*out)->name : "unknown", (unsigned long)oid);
}

typedef struct dimensions {
  int32_t count;
  int32_t sizes[DIMENSIONS_MAX];
  int32_t lowers[DIMENSIONS_MAX];
  bool is_shifted; /* some lower bound is not 1 */
} dimensions;

static qe_status read_dimensions(nested_walk *walk, const qe_pg_type *type,
                                 cursor *from, dimensions *out) {
  int64_t elements = 1;

  for (int32_t i = 0; i < out->count; i++) {
    int32_t size, lower;
    if (!take_int32(from, &size) || !take_int32(from, &lower)) {
      return malformed(walk, type, "ends within its dimensions");
    }
    if (size < 1 || (int64_t)lower + size - 1 > INT32_MAX) {
      return malformed(walk, type, "has a dimension of impossible size or bounds");
    }
    elements *= size;
    /* Divided, so that the product of six sizes cannot overflow. */
    if (elements > from->left / SIZE_SIZE) {
      return malformed(walk, type, "promises more elements than it carries");
    }
    out->sizes[i] = size;
    out->lowers[i] = lower;
    if (lower != 1) out->is_shifted = true;
  }
  return QE_OK;
}

static qe_status add_dimension(nested_walk *walk, const qe_pg_type *type,
                               const qe_pg_type *element, const dimensions *shape,
                               int32_t level, cursor *from, int depth) {
  qe_status status = append_count(walk, QE_TAG_LIST, shape->sizes[level]);

  for (int32_t i = 0; i < shape->sizes[level] && status == QE_OK; i++) {
    status = level + 1 < shape->count
                 ? add_dimension(walk, type, element, shape, level + 1, from, depth)
                 : add_sized(walk, type, element, from, depth);
  }
  return status;
}

static qe_status add_shape(nested_walk *walk, const dimensions *shape) {
  qe_status status = append_count(walk, QE_TAG_ARRAY, shape->count);

  if (status != QE_OK) return status;
  return append(walk, shape->lowers, (int64_t)sizeof(int32_t) * shape->count);
}

/* int32 dimensions, int32 whether there are nulls, u32 type of the elements, size and
 * lower bound of each dimension, then the elements. */
static qe_status add_array(nested_walk *walk, const qe_pg_type *type, cursor *from,
                           int depth) {
  dimensions shape = {0};
  const qe_pg_type *element;
  int32_t flags, oid;
  qe_status status;

  if (!take_int32(from, &shape.count) || !take_int32(from, &flags) ||
      !take_int32(from, &oid)) {
    return malformed(walk, type, "ends before its elements");
  }
  if (shape.count < 0 || shape.count > DIMENSIONS_MAX || flags < 0 || flags > 1) {
    return malformed(walk, type, "has impossible dimensions or flags");
  }
  if ((uint32_t)oid != type->element) {
    return qe__fail(walk->error, QE_ERR_TYPE,
                    "A value of type %.100s has elements of type %lu instead of %lu",
                    type->name, (unsigned long)(uint32_t)oid,
                    (unsigned long)type->element);
  }
  status = find_part(walk, type, type->element, &element);
  if (status == QE_OK) status = read_dimensions(walk, type, from, &shape);
  if (status != QE_OK) return status;
  if (shape.count == 0) return append_count(walk, QE_TAG_LIST, 0);
  if (shape.is_shifted) status = add_shape(walk, &shape);
  if (status != QE_OK) return status;
  return add_dimension(walk, type, element, &shape, 0, from, depth);
}

/* int32 count; for each field the u32 type and the element. The types are those of the
 * value itself: a table may have changed since its type was learned. */
static qe_status add_composite(nested_walk *walk, const qe_pg_type *type, cursor *from,
                               int depth) {
  int32_t count, oid;
  qe_status status;

  if (!take_int32(from, &count) || count < 0 || count > from->left / (2 * SIZE_SIZE)) {
    return malformed(walk, type, "promises more fields than it carries");
  }
  status = append_count(walk, QE_TAG_TUPLE, count);
  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    const qe_pg_type *part = NULL;
    if (!take_int32(from, &oid)) {
      return malformed(walk, type, "ends before its last field");
    }
    status = find_part(walk, type, (uint32_t)oid, &part);
    if (status == QE_OK) status = add_sized(walk, type, part, from, depth);
  }
  return status;
}

enum { RANGE_FLAGS = 31 };

static qe_status add_bound(nested_walk *walk, const qe_pg_type *type,
                           const qe_pg_type *subtype, bool is_absent, cursor *from,
                           int depth) {
  int64_t before = walk->out->size;
  qe_status status;

  if (is_absent) return append_tagged(walk, QE_TAG_NULL, NULL, 0);
  status = add_sized(walk, type, subtype, from, depth);
  if (status == QE_OK && walk->out->data[before] == QE_TAG_NULL) {
    return malformed(walk, type, "has a bound that is null");
  }
  return status;
}

/* A byte of flags, then the bounds that are neither infinite nor those of nothing. */
static qe_status add_range(nested_walk *walk, const qe_pg_type *type, cursor *from,
                           int depth) {
  const qe_pg_type *subtype;
  const uint8_t *flags;
  bool is_empty;
  qe_status status = find_part(walk, type, type->element, &subtype);

  if (status != QE_OK) return status;
  if (!take(from, 1, &flags) || (flags[0] & ~RANGE_FLAGS) ||
      ((flags[0] & QE_RANGE_EMPTY) && flags[0] != QE_RANGE_EMPTY)) {
    return malformed(walk, type, "has no flags or impossible ones");
  }
  is_empty = (flags[0] & QE_RANGE_EMPTY) != 0;
  status = append_tagged(walk, QE_TAG_RANGE, flags, 1);
  if (status != QE_OK) return status;
  status = add_bound(walk, type, subtype,
                     is_empty || (flags[0] & QE_RANGE_LOWER_INFINITE), from, depth);
  if (status != QE_OK) return status;
  return add_bound(walk, type, subtype,
                   is_empty || (flags[0] & QE_RANGE_UPPER_INFINITE), from, depth);
}

/* int32 count, then ranges with their sizes. */
static qe_status add_multirange(nested_walk *walk, const qe_pg_type *type, cursor *from,
                                int depth) {
  const qe_pg_type *range;
  int32_t count;
  qe_status status = find_part(walk, type, type->element, &range);

  if (status != QE_OK) return status;
  if (!take_int32(from, &count) || count < 0 || count > from->left / (SIZE_SIZE + 1)) {
    return malformed(walk, type, "promises more ranges than it carries");
  }
  status = append_count(walk, QE_TAG_MULTIRANGE, count);
  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    status = add_bound(walk, type, range, false, from, depth);
  }
  return status;
}

/* int32 count, then keys and values, texts with their sizes. */
static qe_status add_hstore(nested_walk *walk, const qe_pg_type *type, cursor *from,
                            int depth) {
  const qe_pg_type *text = qe__pg_type_find(NULL, 25);
  int32_t count;
  qe_status status;

  if (!take_int32(from, &count) || count < 0 || count > from->left / (2 * SIZE_SIZE)) {
    return malformed(walk, type, "promises more pairs than it carries");
  }
  status = append_count(walk, QE_TAG_MAP, count);
  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    status = add_bound(walk, type, text, false, from, depth);
    if (status == QE_OK) status = add_sized(walk, type, text, from, depth);
  }
  return status;
}

/* What is made of parts, and a domain over it, whose element is that. */
static qe_status add_parts(nested_walk *walk, const qe_pg_type *type, cursor *value,
                           int depth) {
  qe_status status;

  switch (type->kind) {
    case 'a': status = add_array(walk, type, value, depth); break;
    case 'c': status = add_composite(walk, type, value, depth); break;
    case 'r': status = add_range(walk, type, value, depth); break;
    case 'm': status = add_multirange(walk, type, value, depth); break;
    case 'h': status = add_hstore(walk, type, value, depth); break;
    default:
      assert(type->kind == 'd');
      status = find_part(walk, type, type->element, &type);
      if (status != QE_OK) return status;
      return add_value(walk, type, value, depth + 1);
  }
  if (status == QE_OK && value->left != 0) {
    return malformed(walk, type, "goes on after its end");
  }
  return status;
}

static qe_status add_value(nested_walk *walk, const qe_pg_type *type, cursor *value,
                           int depth) {
  if (depth > QE_PG_DEPTH_MAX) return malformed(walk, type, "is nested too deep");
  switch (type->decoder) {
    case QE_PG_INT2:
    case QE_PG_INT4:
    case QE_PG_INT8:
    case QE_PG_UINT4: return add_integer(walk, type, value);
    case QE_PG_FLOAT4:
    case QE_PG_FLOAT8: return add_float(walk, type, value);
    case QE_PG_BOOL: return add_bool(walk, type, value);
    case QE_PG_STRING:
    case QE_PG_CHAR: return add_text(walk, type, QE_TAG_TEXT, value);
    case QE_PG_NUMERIC: return add_text(walk, type, QE_TAG_DECIMAL, value);
    case QE_PG_JSON:
    case QE_PG_JSONB: return add_text(walk, type, QE_TAG_JSON, value);
    case QE_PG_NETWORK: return add_text(walk, type, QE_TAG_NETWORK, value);
    case QE_PG_BYTES: return add_blob(walk, value);
    case QE_PG_DATE:
    case QE_PG_TIME:
    case QE_PG_TIMESTAMP: return add_moment(walk, type, value);
    case QE_PG_UUID:
    case QE_PG_INTERVAL:
    case QE_PG_TIMETZ: return add_record(walk, type, value);
    case QE_PG_NESTED: return add_parts(walk, type, value, depth);
    case QE_PG_TEXT:
    case QE_PG_ARRAY_TEXT:
    case QE_PG_VOID: break; /* find_part() lets neither in */
  }
  return malformed(walk, type, "has no binary form");
}

qe_status qe__pg_nested(const qe_pg_types *registry, const qe_pg_type *type,
                        const uint8_t *data, int64_t size, qe_bytes *out,
                        qe_error *error) {
  nested_walk walk = {registry, out, error};
  cursor value = {data, size};

  return add_value(&walk, type, &value, 0);
}
