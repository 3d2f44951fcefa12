/* What a declared type means. SQLite keeps any value in any column and only leans
 * towards a storage class (https://sqlite.org/datatype3.html, 3.1); people declare
 * BOOLEAN, DATE or DECIMAL(10,2) and mean it, so we read that too. */
#include <stdlib.h>
#include <string.h>

#include "qe_sqlite.h"

static char upper(char c) {
  return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

static bool starts_with(const char *text, const char *word) {
  for (; *word; text++, word++) {
    if (upper(*text) != *word) return false;
  }
  return true;
}

static bool contains(const char *text, const char *word) {
  for (; *text; text++) {
    if (starts_with(text, word)) return true;
  }
  return false;
}

/* The whole word, perhaps with a size: "DATE" and "DATE(6)", not "DATEFORMAT". */
static bool is_word(const char *text, const char *word) {
  char next;

  if (!starts_with(text, word)) return false;
  next = text[strlen(word)];
  return next == '\0' || next == '(' || next == ' ';
}

/* Reads "(10, 2)" or "(10)"; leaves both 0 for anything else. */
static void read_size(const char *text, int32_t *precision, int32_t *scale) {
  const char *open = strchr(text, '(');
  char *end;
  long digits, after = 0;

  if (!open) return;
  digits = strtol(open + 1, &end, 10);
  while (*end == ' ') end++;
  if (*end == ',') {
    after = strtol(end + 1, &end, 10);
    while (*end == ' ') end++;
  }
  if (*end != ')' || digits < 1 || digits > 1000 || after < 0 || after > digits) return;
  *precision = (int32_t)digits;
  *scale = (int32_t)after;
}

/* SQLite's own rules, in their order; what leans to NUMERIC may hold anything. */
static qe_type by_affinity(const char *declared_type) {
  if (contains(declared_type, "INT")) return QE_TYPE_INTEGER;
  if (contains(declared_type, "CHAR") || contains(declared_type, "CLOB") ||
      contains(declared_type, "TEXT")) {
    return QE_TYPE_TEXT;
  }
  if (contains(declared_type, "BLOB")) return QE_TYPE_BLOB;
  if (contains(declared_type, "REAL") || contains(declared_type, "FLOA") ||
      contains(declared_type, "DOUB")) {
    return QE_TYPE_FLOAT;
  }
  return QE_TYPE_ANY;
}

qe_type qe__sqlite_type(const char *declared_type, int32_t *precision, int32_t *scale) {
  *precision = 0;
  *scale = 0;
  if (!declared_type) return QE_TYPE_ANY;
  if (is_word(declared_type, "BOOLEAN") || is_word(declared_type, "BOOL")) {
    return QE_TYPE_BOOLEAN;
  }
  if (is_word(declared_type, "DATE")) return QE_TYPE_DATE;
  if (is_word(declared_type, "TIMESTAMPTZ")) return QE_TYPE_TIMESTAMPTZ;
  if (is_word(declared_type, "TIMESTAMP") || is_word(declared_type, "DATETIME")) {
    return contains(declared_type, "WITH TIME ZONE") ? QE_TYPE_TIMESTAMPTZ
                                                     : QE_TYPE_TIMESTAMP;
  }
  if (is_word(declared_type, "TIME")) return QE_TYPE_TIME;
  if (is_word(declared_type, "DECIMAL") || is_word(declared_type, "NUMERIC")) {
    read_size(declared_type, precision, scale);
    return QE_TYPE_DECIMAL;
  }
  return by_affinity(declared_type);
}
