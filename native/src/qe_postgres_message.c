/* PostgreSQL: the messages that statements are prepared and run with:
 * https://www.postgresql.org/docs/17/protocol-message-formats.html */
#include <string.h>

#include "qe_postgres_encode.h"
#include "qe_postgres_statement.h"

bool qe__pg_put_parse(qe_bytes *out, const qe_pg_prepared *prepared) {
  int64_t begun = qe__pg_begin(out, 'P');

  if (begun < 0 || !qe__pg_put_text(out, prepared->name) ||
      !qe__pg_put(out, prepared->text.sql.data, prepared->text.sql.size + 1) ||
      !qe__pg_put_int16(out, 0)) {
    return false;
  }
  qe__pg_end(out, begun);
  return true;
}

/* what is 'S', a statement. */
bool qe__pg_put_describe(qe_bytes *out, const qe_pg_prepared *prepared) {
  int64_t begun = qe__pg_begin(out, 'D');

  if (begun < 0 || !qe__pg_put(out, "S", 1) || !qe__pg_put_text(out, prepared->name)) {
    return false;
  }
  qe__pg_end(out, begun);
  return true;
}

bool qe__pg_put_execute(qe_bytes *out) {
  static const uint8_t EXECUTE[] = {'E', 0, 0, 0, 9, 0, 0, 0, 0, 0};
  return qe__pg_put(out, EXECUTE, sizeof EXECUTE);
}

bool qe__pg_put_begin(const qe_postgres *native, qe_bytes *out) {
  static const uint8_t BIND[] = {'B', 0, 0, 0, 12, 0, 0, 0, 0, 0, 0, 0, 0};
  int64_t begun = qe__pg_begin(out, 'P');

  if (begun < 0 || !qe__pg_put_text(out, "") ||
      !qe__pg_put_text(out, native->begin_sql) || !qe__pg_put_int16(out, 0)) {
    return false;
  }
  qe__pg_end(out, begun);
  return qe__pg_put(out, BIND, sizeof BIND) && qe__pg_put_execute(out);
}

/* The formats that values come back in: 1 is binary. */
static bool put_formats(qe_bytes *out, const qe_pg_prepared *prepared) {
  if (!qe__pg_put_int16(out, prepared->field_count)) return false;
  for (int32_t i = 0; i < prepared->field_count; i++) {
    const qe_pg_type *type = prepared->fields[i].type;
    if (!qe__pg_put_int16(out, type && qe__pg_type_is_binary(type))) return false;
  }
  return true;
}

/* What Bind says of one row of values: formats, then the values. */
qe_status qe__pg_put_values(qe_postgres *native, qe_bytes *out,
                            const qe_pg_prepared *prepared, const qe_value *values,
                            qe_error *error) {
  int32_t count = prepared->parameter_count;
  int64_t formats;
  qe_status status = QE_OK;

  if (!qe__pg_put_int16(out, count)) return qe__pg_no_memory(error);
  formats = out->size;
  if (!qe__bytes_reserve(out, 2 * ((int64_t)count + 1))) return qe__pg_no_memory(error);
  memset(out->data + out->size, 0, 2 * (size_t)count);
  out->size += 2 * (int64_t)count;
  if (!qe__pg_put_int16(out, count)) return qe__pg_no_memory(error);
  for (int32_t i = 0; i < count && status == QE_OK; i++) {
    const qe_pg_type *type =
        qe__pg_type_find(&native->types, prepared->parameter_oids[i]);
    int16_t format = 0;

    status = qe__pg_encode(type, &values[i], out, &format, error);
    out->data[formats + 2 * i + 1] = (uint8_t)format;
  }
  return status;
}

/* Begins a Bind of the nameless portal; -1 without memory. */
int64_t qe__pg_begin_bind(qe_bytes *out, const qe_pg_prepared *prepared) {
  int64_t begun = qe__pg_begin(out, 'B');
  bool is_begun =
      begun >= 0 && qe__pg_put_text(out, "") && qe__pg_put_text(out, prepared->name);
  return is_begun ? begun : -1;
}

bool qe__pg_end_bind(qe_bytes *out, int64_t begun, const qe_pg_prepared *prepared) {
  if (!put_formats(out, prepared)) return false;
  qe__pg_end(out, begun);
  return qe__pg_put_execute(out);
}

/* Bind and Execute of one row. */
qe_status qe__pg_put_row(qe_postgres *native, qe_bytes *out,
                         const qe_pg_prepared *prepared, const qe_value *values,
                         qe_error *error) {
  int64_t begun = qe__pg_begin_bind(out, prepared);
  qe_status status;

  if (begun < 0) return qe__pg_no_memory(error);
  status = qe__pg_put_values(native, out, prepared, values, error);
  if (status != QE_OK) return status;
  return qe__pg_end_bind(out, begun, prepared) ? QE_OK : qe__pg_no_memory(error);
}
