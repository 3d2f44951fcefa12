/* PostgreSQL's types by number: the built-in ones from a table, the others as the
 * server's catalog tells them. Speaks to nobody; the statement asks the catalog and
 * feeds what it says. */
#ifndef QE_POSTGRES_TYPE_H
#define QE_POSTGRES_TYPE_H

#include "qe_connection.h"

/* How a value is read. All but the first two want the binary format. */
typedef enum qe_pg_decoder {
  QE_PG_TEXT = 0,       /* text format: a type that has no decoder of ours */
  QE_PG_ARRAY_TEXT = 1, /* text format too: an array of such a type */
  QE_PG_INT2,
  QE_PG_INT4,
  QE_PG_INT8,
  QE_PG_UINT4,
  QE_PG_FLOAT4,
  QE_PG_FLOAT8,
  QE_PG_BOOL,
  QE_PG_STRING, /* its binary form is its text */
  QE_PG_CHAR,   /* the one byte of "char" */
  QE_PG_BYTES,
  QE_PG_DATE,
  QE_PG_TIME,
  QE_PG_TIMESTAMP, /* with zone too: both count microseconds */
  QE_PG_NUMERIC,
  QE_PG_UUID,
  QE_PG_JSON,
  QE_PG_JSONB,
  QE_PG_INTERVAL,
  QE_PG_TIMETZ,
  QE_PG_NETWORK,
  QE_PG_VOID,
  QE_PG_NESTED
} qe_pg_decoder;

/* How deep values may lie in one another. */
enum { QE_PG_DEPTH_MAX = 64 };

typedef struct qe_pg_type {
  uint32_t oid;
  /* Of an array the element, of a range the subtype, of a multirange the range, of a
   * domain what it is made from; else 0. */
  uint32_t element;
  qe_pg_decoder decoder;
  qe_type type;
  int32_t width; /* bytes of an integer or float, else 0 */
  /* b base, a array, r range, m multirange, c composite, d domain, e enum, h hstore,
   * p pseudo-type */
  char kind;
  const char *name; /* static, or owned by the registry */
  int32_t field_count;
  const uint32_t *fields; /* owned by the registry: the types of a composite's parts */
  qe_type element_type;   /* of an array whose elements have no parts, else ANY */
  int32_t element_width;
  char delimiter; /* between the elements of an array as text */
} qe_pg_type;

/* The types that one connection has learned. Zeroed is empty. Types never move or
 * change while it lives, so pointers to them stay good. */
typedef struct qe_pg_types {
  qe_pg_type **slots; /* owned, each too: an open hash table */
  int32_t count;
  int32_t capacity; /* a power of two, or 0 */
} qe_pg_types;

/* The type with this number, or NULL where it is not known. Borrowed from the registry,
 * or static. */
const qe_pg_type *qe__pg_type_find(const qe_pg_types *registry, uint32_t oid);

/* Whether values are to be asked for in the binary format. type may be NULL. */
static inline bool qe__pg_type_is_binary(const qe_pg_type *type) {
  return type && type->decoder > QE_PG_ARRAY_TEXT;
}

/* What a column of the type is in memory, so that it can be settled before its first
 * value (qe__column_settle). type may be NULL; void is QE_KIND_NULL. */
qe_kind qe__pg_type_kind(const qe_pg_type *type);

/* Sets type, width, precision and scale from a RowDescription's type and modifier.
 * type may be NULL. Names are left alone. */
void qe__pg_type_describe(const qe_pg_type *type, int32_t modifier,
                          qe_column_meta *meta);

/* What to ask the catalog. $1 is the text of an oid[], such as {16402,16405}; the
 * answer has QE_PG_TYPES_COLUMNS columns, all text, and a row for each type named, for
 * each that those are made of, and for each field of a composite. */
extern const char QE_PG_TYPES_QUERY[];
enum { QE_PG_TYPES_COLUMNS = 5 };

/* Takes the answer in, which must be whole. A type that the catalog does not have, or
 * that has a part we cannot read in binary, is from then on known to arrive as text;
 * one that is already known stays as it is. On failure nothing was learned. */
qe_status qe__pg_types_learn(qe_pg_types *registry, const qe_batch *rows,
                             qe_error *error);

void qe__pg_types_clear(qe_pg_types *registry);

#endif
