/* Reading SQL by PostgreSQL's own lexical rules, as far as it takes to tell a parameter
 * from what only looks like one:
 * https://www.postgresql.org/docs/17/sql-syntax-lexical.html
 *
 * A text that holds $1 is left alone: who writes PostgreSQL's own marks means its `?`
 * operators too. */
#include "qe_postgres_sql.h"

#include <stdio.h>
#include <string.h>

#include "qe_error.h"
#include "qe_mem.h"

typedef struct lexer {
  const char *start, *at, *end;
  bool is_std_strings;
} lexer;

static bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

static bool is_name_start(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' ||
         (unsigned char)c >= 0x80;
}

static bool is_name_part(char c) {
  return is_name_start(c) || is_digit(c) || c == '$';
}

static char before(const lexer *in) {
  return in->at > in->start ? in->at[-1] : ' ';
}

static char after(const lexer *in) {
  return in->end - in->at > 1 ? in->at[1] : '\0';
}

/* Skips to behind the closing quote; a doubled one does not close. */
static void skip_quoted(lexer *in, char quote, bool has_escapes) {
  for (in->at++; in->at < in->end; in->at++) {
    if (has_escapes && *in->at == '\\') {
      in->at++;
    } else if (*in->at == quote) {
      if (after(in) != quote) break;
      in->at++;
    }
  }
  in->at = in->at < in->end ? in->at + 1 : in->end;
}

/* E'...' has backslash escapes whatever the setting is. */
static bool is_escape_string(const lexer *in) {
  const char *at = in->at - 1;

  if (in->at == in->start || (*at != 'e' && *at != 'E')) return false;
  return at == in->start || !is_name_part(at[-1]);
}

static void skip_line(lexer *in) {
  while (in->at < in->end && *in->at != '\n' && *in->at != '\r') in->at++;
}

/* Comments of this kind nest. */
static void skip_comment(lexer *in) {
  int32_t depth = 0;

  do {
    if (in->at[0] == '/' && after(in) == '*') {
      depth++;
      in->at += 2;
    } else if (in->at[0] == '*' && after(in) == '/') {
      depth--;
      in->at += 2;
    } else {
      in->at++;
    }
  } while (depth > 0 && in->at < in->end);
}

/* At a `$`: skips $tag$...$tag$; false if it is not one. */
static bool skip_dollar_quoted(lexer *in) {
  const char *tag = in->at;
  const char *tag_end = tag + 1;
  int64_t size;

  if (is_name_part(before(in))) return false;
  if (tag_end < in->end && is_digit(*tag_end)) return false;
  while (tag_end < in->end && *tag_end != '$') {
    if (!is_name_part(*tag_end)) return false;
    tag_end++;
  }
  if (tag_end >= in->end) return false;
  tag_end++;
  size = tag_end - tag;
  for (in->at = tag_end; in->end - in->at >= size; in->at++) {
    if (memcmp(in->at, tag, (size_t)size) == 0) {
      in->at += size;
      return true;
    }
  }
  in->at = in->end;
  return true;
}

/* Skips what cannot hold a mark, if it stands there. */
static bool skip_opaque(lexer *in) {
  switch (*in->at) {
    case '\'':
      skip_quoted(in, '\'', !in->is_std_strings || is_escape_string(in));
      return true;
    case '"': skip_quoted(in, '"', false); return true;
    case '-':
      if (after(in) != '-') return false;
      skip_line(in);
      return true;
    case '/':
      if (after(in) != '*') return false;
      skip_comment(in);
      return true;
    case '$': return skip_dollar_quoted(in);
    default: return false;
  }
}

static bool is_number_mark(const lexer *in) {
  return *in->at == '$' && is_digit(after(in)) && !is_name_part(before(in));
}

static bool has_number_mark(lexer in) {
  while (in.at < in.end) {
    if (is_number_mark(&in)) return true;
    if (!skip_opaque(&in)) in.at++;
  }
  return false;
}

/* `:name`, but not `::type`, and not the middle of a slice such as a[1:n]. */
static bool is_named_mark(const lexer *in) {
  char last = before(in);

  return *in->at == ':' && is_name_start(after(in)) && last != ':' &&
         !is_name_part(last) && last != ']' && last != ')';
}

static qe_status no_memory(qe_error *error) {
  return qe__fail_memory(error, "text of a statement");
}

static bool append(qe_pg_text *out, const char *text, int64_t size) {
  if (!qe__bytes_reserve(&out->sql, size + 1)) return false;
  memcpy(out->sql.data + out->sql.size, text, (size_t)size);
  out->sql.size += size;
  out->sql.data[out->sql.size] = '\0';
  return true;
}

static bool grow(void *memory, int64_t item_size, int32_t capacity) {
  void **array = memory;
  void *grown = qe__realloc(*array, item_size * capacity);

  if (!grown) return false;
  *array = grown;
  return true;
}

/* Makes room for one more mark, and for as many names. */
static bool reserve_mark(qe_pg_text *out) {
  int32_t capacity = out->mark_capacity ? out->mark_capacity * 2 : 8;

  if (out->mark_count < out->mark_capacity) return true;
  if (!grow(&out->marks, sizeof *out->marks, capacity) ||
      !grow(&out->mark_sizes, sizeof *out->mark_sizes, capacity) ||
      !grow(&out->mark_lengths, sizeof *out->mark_lengths, capacity) ||
      !grow(&out->names, sizeof *out->names, capacity)) {
    return false;
  }
  out->mark_capacity = capacity;
  return true;
}

/* Notes that size bytes will stand where the user wrote length. */
static bool note_mark(qe_pg_text *out, int32_t size, int64_t length) {
  if (!reserve_mark(out)) return false;
  out->marks[out->mark_count] = (int32_t)out->sql.size;
  out->mark_sizes[out->mark_count] = size;
  out->mark_lengths[out->mark_count++] = (int32_t)length;
  return true;
}

/* The number (from 1) of the parameter so named, making it if it is new; 0 without
 * memory. */
static int32_t number_of(qe_pg_text *out, const char *name, int64_t size) {
  for (int32_t i = 0; name && i < out->parameter_count; i++) {
    if (strlen(out->names[i]) == (size_t)size &&
        memcmp(out->names[i], name, (size_t)size) == 0) {
      return i + 1;
    }
  }
  out->names[out->parameter_count] = NULL;
  if (name) {
    out->names[out->parameter_count] = qe__copy_text(name, size);
    if (!out->names[out->parameter_count]) return 0;
  }
  return ++out->parameter_count;
}

/* Puts a number in place of the mark of so many bytes at in->at. */
static qe_status put_mark(lexer *in, int64_t length, qe_pg_text *out, qe_error *error) {
  const char *name = length > 1 ? in->at + 1 : NULL;
  char number[16];
  int32_t index;
  int size;

  if (out->parameter_count > 0 && (out->names[0] != NULL) != (name != NULL)) {
    return qe__fail(error, QE_ERR_PARAMETER,
                    "The statement mixes `?` with parameters that have names");
  }
  if (!reserve_mark(out)) return no_memory(error);
  index = number_of(out, name, length - 1);
  if (index == 0) return no_memory(error);
  size = snprintf(number, sizeof number, "$%d", (int)index);
  if (!note_mark(out, size, length) || !append(out, number, size)) {
    return no_memory(error);
  }
  in->at += length;
  /* A digit that follows must not become part of the number. */
  if (in->at < in->end && is_name_part(*in->at)) {
    if (!append(out, " ", 1)) return no_memory(error);
    out->mark_sizes[out->mark_count - 1]++;
  }
  return QE_OK;
}

static int64_t name_length(const lexer *in) {
  const char *at = in->at + 1;

  while (at < in->end && is_name_part(*at)) at++;
  return at - in->at;
}

qe_status qe__pg_translate(const char *sql, int64_t size, bool is_std_strings,
                           qe_pg_text *out, qe_error *error) {
  lexer in = {sql, sql, sql + size, is_std_strings};
  qe_status status = QE_OK;

  if (size > QE_BYTES_MAX / 4) {
    return qe__fail(error, QE_ERR_RANGE, "A statement of %lld bytes is too long",
                    (long long)size);
  }
  out->is_numbered = has_number_mark(in);
  if (out->is_numbered) {
    out->parameter_count = -1;
    return append(out, sql, size) ? QE_OK : no_memory(error);
  }
  if (!append(out, "", 0)) return no_memory(error);
  while (in.at < in.end && status == QE_OK) {
    const char *from = in.at;

    if (*in.at == '?' && after(&in) == '?') {
      in.at += 2;
      if (!note_mark(out, 1, 2) || !append(out, "?", 1)) return no_memory(error);
      continue;
    }
    if (*in.at == '?') {
      status = put_mark(&in, 1, out, error);
      continue;
    }
    if (is_named_mark(&in)) {
      status = put_mark(&in, name_length(&in), out, error);
      continue;
    }
    if (!skip_opaque(&in)) in.at++;
    /* Runs of plain text are copied whole. */
    while (in.at < in.end && !strchr("?:'\"-/$", *in.at)) in.at++;
    if (!append(out, from, in.at - from)) return no_memory(error);
  }
  return status;
}

void qe__pg_text_clear(qe_pg_text *text) {
  for (int32_t i = 0; text->names && i < text->parameter_count; i++) {
    qe__free(text->names[i]);
  }
  qe__free(text->names);
  qe__free(text->marks);
  qe__free(text->mark_sizes);
  qe__free(text->mark_lengths);
  qe__bytes_clear(&text->sql);
  *text = (qe_pg_text){0};
}

int64_t qe__pg_position(const qe_pg_text *text, int64_t character) {
  int64_t offset = 0, shift = 0;

  if (character < 1) return -1;
  /* Characters to bytes: every byte but a continuation begins one. */
  for (; offset < text->sql.size; offset++) {
    if ((text->sql.data[offset] & 0xC0) != 0x80 && --character == 0) break;
  }
  if (character > 1) return -1;
  for (int32_t i = 0; i < text->mark_count && text->marks[i] < offset; i++) {
    shift += text->mark_lengths[i] - text->mark_sizes[i];
  }
  return offset + shift;
}

static bool is_word(const char *at, const char *end, const char *word) {
  for (; *word; at++, word++) {
    if (at == end || (*at & ~0x20) != *word) return false;
  }
  return at == end || !is_name_part(*at);
}

static bool is_any_word(const char *at, const char *end, const char *const *words) {
  for (; *words; words++) {
    if (is_word(at, end, *words)) return true;
  }
  return false;
}

/* Whether one of the words stands anywhere in what is left: WITH may name what changes
 * rows before or behind its AS. FOR UPDATE is taken for one, too, and costs no more
 * than that its rows are read at once. */
static bool has_word(lexer in, const char *const *words) {
  while (in.at < in.end) {
    if (is_name_start(*in.at)) {
      if (is_any_word(in.at, in.end, words)) return true;
      while (in.at < in.end && is_name_part(*in.at)) in.at++;
    } else if (!skip_opaque(&in)) {
      in.at++;
    }
  }
  return false;
}

qe_pg_verb qe__pg_verb(const char *sql, int64_t size) {
  static const char *const CHANGING[] = {"INSERT", "UPDATE", "DELETE", "MERGE", NULL};
  static const char *const TRANSACTING[] = {"BEGIN",    "START", "COMMIT",  "END",
                                            "ROLLBACK", "ABORT", "PREPARE", NULL};
  static const char *const ALONE[] = {"VACUUM", "DISCARD", NULL};
  lexer in = {sql, sql, sql + size, true};

  while (in.at < in.end) {
    bool is_blank = *in.at == ' ' || (*in.at >= '\t' && *in.at <= '\r') ||
                    *in.at == ';' || *in.at == '(';
    bool is_comment =
        (*in.at == '-' && after(&in) == '-') || (*in.at == '/' && after(&in) == '*');
    if (is_blank) {
      in.at++;
    } else if (is_comment) {
      (void)skip_opaque(&in);
    } else {
      break;
    }
  }
  if (is_any_word(in.at, in.end, CHANGING)) return QE_PG_VERB_CHANGE;
  if (is_word(in.at, in.end, "WITH")) {
    return has_word(in, CHANGING) ? QE_PG_VERB_CHANGE : QE_PG_VERB_OTHER;
  }
  if (is_any_word(in.at, in.end, TRANSACTING)) return QE_PG_VERB_TRANSACTION;
  if (is_any_word(in.at, in.end, ALONE)) return QE_PG_VERB_ALONE;
  if (is_word(in.at, in.end, "COPY")) return QE_PG_VERB_COPY;
  return QE_PG_VERB_OTHER;
}
