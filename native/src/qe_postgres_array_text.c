/* The text is [0:1][1:2]={{a,"b c"},{NULL,"d"}}: bounds only where one does not begin
 * at 1, quotes only where an element would be read in another way, a backslash before
 * what is meant as it stands. PostgreSQL writes no blanks between. Every list of a
 * level is as long as the others, and this is checked, since readers count on it. */
#include "qe_postgres_array_text.h"

#include <assert.h>

#include "qe_error.h"

enum { DIMENSIONS_MAX = 6, UNKNOWN = -1 };

typedef struct array_text {
  const qe_pg_type *type;
  const uint8_t *at;
  const uint8_t *end;
  qe_bytes *out;
  qe_error *error;
  int32_t
      depth; /* of the lists whose elements are no lists, UNKNOWN before the first */
  int32_t sizes[DIMENSIONS_MAX]; /* UNKNOWN likewise */
  int32_t lowers[DIMENSIONS_MAX];
  int32_t uppers[DIMENSIONS_MAX];
  int32_t bounds; /* how many of them are written */
} array_text;

static qe_status malformed(array_text *array) {
  return qe__fail(array->error, QE_ERR_TYPE,
                  "A value of type %.100s is not the text of an array",
                  array->type->name);
}

static qe_status append(array_text *array, const void *data, int64_t size) {
  if (!qe__bytes_reserve(array->out, size)) {
    return qe__fail_memory(array->error, "array of a column");
  }
  if (size > 0) memcpy(array->out->data + array->out->size, data, (size_t)size);
  array->out->size += size;
  return QE_OK;
}

/* A tag and a number that is written when it is known; where it goes is *place. */
static qe_status begin_counted(array_text *array, qe_tag tag, int64_t *place) {
  uint8_t head[5] = {(uint8_t)tag};

  *place = array->out->size + 1;
  return append(array, head, sizeof head);
}

static void end_counted(array_text *array, int64_t place, int64_t count) {
  uint32_t written = (uint32_t)count;

  assert(count >= 0 && count <= UINT32_MAX);
  memcpy(array->out->data + place, &written, sizeof written);
}

static bool take(array_text *array, char wanted) {
  if (array->at == array->end || *array->at != (uint8_t)wanted) return false;
  array->at++;
  return true;
}

static bool take_number(array_text *array, int32_t *out) {
  bool is_negative = take(array, '-');
  const uint8_t *first = array->at;
  int64_t value = 0;

  for (; array->at < array->end && *array->at >= '0' && *array->at <= '9';
       array->at++) {
    value = value * 10 + (*array->at - '0');
    if (value > INT32_MAX) return false;
  }
  *out = (int32_t)(is_negative ? -value : value);
  return array->at > first;
}

static bool take_bounds(array_text *array) {
  while (take(array, '[')) {
    int32_t level = array->bounds;
    if (level == DIMENSIONS_MAX || !take_number(array, &array->lowers[level]) ||
        !take(array, ':') || !take_number(array, &array->uppers[level]) ||
        !take(array, ']')) {
      return false;
    }
    array->bounds++;
  }
  return array->bounds == 0 || take(array, '=');
}

/* What stands between quotes. */
static qe_status add_quoted(array_text *array) {
  qe_status status = QE_OK;

  while (status == QE_OK && array->at < array->end && *array->at != '"') {
    if (*array->at == '\\') array->at++;
    if (array->at == array->end) break;
    status = append(array, array->at, 1);
    array->at++;
  }
  if (status == QE_OK && !take(array, '"')) status = malformed(array);
  return status;
}

static bool ends_element(const array_text *array) {
  return *array->at == (uint8_t)array->type->delimiter || *array->at == '}';
}

static qe_status add_bare(array_text *array) {
  const uint8_t *first = array->at;

  while (array->at < array->end && !ends_element(array)) {
    /* PostgreSQL quotes an element that has one of these. */
    if (*array->at == '"' || *array->at == '\\' || *array->at == '{') {
      return malformed(array);
    }
    array->at++;
  }
  if (array->at == first) return malformed(array);
  return append(array, first, array->at - first);
}

static bool is_null(const array_text *array) {
  static const char WORD[] = "NULL";

  return array->end - array->at > 4 && memcmp(array->at, WORD, 4) == 0 &&
         (array->at[4] == (uint8_t)array->type->delimiter || array->at[4] == '}');
}

static qe_status add_element(array_text *array) {
  int64_t place;
  qe_status status;

  if (is_null(array)) {
    array->at += 4;
    return append(array, "n", 1);
  }
  status = begin_counted(array, QE_TAG_TEXT, &place);
  if (status != QE_OK) return status;
  status = take(array, '"') ? add_quoted(array) : add_bare(array);
  if (status == QE_OK) end_counted(array, place, array->out->size - place - 4);
  return status;
}

/* One list, its brace not yet taken. */
static qe_status add_list(array_text *array, int32_t level) {
  int64_t place;
  int32_t count = 0;
  qe_status status = begin_counted(array, QE_TAG_LIST, &place);

  if (status != QE_OK) return status;
  if (level == DIMENSIONS_MAX || !take(array, '{')) return malformed(array);
  /* Nothing but the whole array is empty. */
  if (level == 0 && take(array, '}')) return QE_OK;
  do {
    bool is_list = array->at < array->end && *array->at == '{';
    if (count == INT32_MAX) return malformed(array);
    if (!is_list && array->depth == UNKNOWN) array->depth = level;
    if (is_list == (array->depth == level)) return malformed(array);
    status = is_list ? add_list(array, level + 1) : add_element(array);
    if (status != QE_OK) return status;
    count++;
  } while (take(array, array->type->delimiter));
  if (!take(array, '}')) return malformed(array);
  if (array->sizes[level] == UNKNOWN) array->sizes[level] = count;
  if (array->sizes[level] != count) return malformed(array);
  end_counted(array, place, count);
  return QE_OK;
}

/* Whether the bounds that are written are those of what followed. */
static bool are_bounds_true(const array_text *array) {
  if (array->bounds == 0) return true;
  if (array->bounds != array->depth + 1) return false;
  for (int32_t i = 0; i < array->bounds; i++) {
    if ((int64_t)array->uppers[i] - array->lowers[i] + 1 != array->sizes[i]) {
      return false;
    }
  }
  return true;
}

qe_status qe__pg_array_text(const qe_pg_type *type, const uint8_t *data, int64_t size,
                            qe_bytes *out, qe_error *error) {
  array_text array = {.type = type,
                      .at = data,
                      .end = data + size,
                      .out = out,
                      .error = error,
                      .depth = UNKNOWN};
  int64_t place;
  qe_status status = QE_OK;

  for (int32_t i = 0; i < DIMENSIONS_MAX; i++) array.sizes[i] = UNKNOWN;
  if (qe__utf8_fault(data, size) >= 0) {
    return qe__fail(error, QE_ERR_ENCODING,
                    "A value of type %.100s is not UTF-8 from byte %lld on", type->name,
                    (long long)qe__utf8_fault(data, size));
  }
  if (!take_bounds(&array)) return malformed(&array);
  if (array.bounds > 0) {
    status = begin_counted(&array, QE_TAG_ARRAY, &place);
    if (status == QE_OK) end_counted(&array, place, array.bounds);
    if (status == QE_OK) {
      status = append(&array, array.lowers, array.bounds * (int64_t)sizeof(int32_t));
    }
  }
  if (status == QE_OK) status = add_list(&array, 0);
  if (status == QE_OK && (array.at != array.end || !are_bounds_true(&array))) {
    status = malformed(&array);
  }
  return status;
}
