/* SQL as the user writes it, with `?` or `:name`, and as PostgreSQL takes it, with
 * `$1`.
 */
#ifndef QE_POSTGRES_SQL_H
#define QE_POSTGRES_SQL_H

#include "qe_text.h"

typedef struct qe_pg_text {
  qe_bytes sql;            /* for the server; terminated */
  bool is_numbered;        /* the text held $1 itself: nothing was put in */
  int32_t parameter_count; /* of ? and :name; -1 where is_numbered */
  char **names;            /* owned, each too; NULL for `?` */
  int32_t *marks;          /* where $n stands for a mark: offsets in sql ... */
  int32_t *mark_sizes;     /* ... and in bytes there, and in the user's text */
  int32_t *mark_lengths;
  int32_t mark_count;
  int32_t mark_capacity;
} qe_pg_text;

/* What a statement is, by its first word. */
typedef enum qe_pg_verb {
  QE_PG_VERB_OTHER,
  QE_PG_VERB_CHANGE,      /* tells how many rows it changed */
  QE_PG_VERB_TRANSACTION, /* begins or ends a transaction itself */
  QE_PG_VERB_ALONE,       /* may not run inside a transaction */
  QE_PG_VERB_COPY
} qe_pg_verb;

/* Puts $1, $2, ... in place of the marks. `??` becomes `?`. is_std_strings: whether a
 * backslash in '...' means itself. On failure *out may be cleared like any other. */
qe_status qe__pg_translate(const char *sql, int64_t size, bool is_std_strings,
                           qe_pg_text *out, qe_error *error);
void qe__pg_text_clear(qe_pg_text *text);

/* The offset in the user's text of a character (counted from 1) of the server's; -1 for
 * one that is not in it. */
int64_t qe__pg_position(const qe_pg_text *text, int64_t character);

qe_pg_verb qe__pg_verb(const char *sql, int64_t size);

#endif
