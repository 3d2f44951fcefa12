/* Values as COPY has them, in its three formats. */
#ifndef QE_POSTGRES_COPY_VALUE_H
#define QE_POSTGRES_COPY_VALUE_H

#include "qe_copy.h"
#include "qe_postgres_type.h"

/* Appends the int32 size and the binary form of one value. type may be NULL. A value
 * that would go as text elsewhere is read here as the server would read it, where its
 * text has one meaning in every session: QE_ERR_TYPE for any other, with a failure that
 * says so. On failure out has what it had. */
qe_status qe__pg_copy_binary(const qe_pg_type *type, const qe_value *value,
                             qe_bytes *out, qe_error *error);

/* Appends one value as the text format or CSV has it, without what stands between two.
 * scratch is anybody's. On failure out has what it had. */
qe_status qe__pg_copy_text(const qe_pg_type *type, const qe_value *value,
                           qe_copy_format format, qe_bytes *scratch, qe_bytes *out,
                           qe_error *error);

/* Whether values of that kind can be of the type at all, in binary. */
bool qe__pg_copy_takes(const qe_pg_type *type, qe_value_kind kind);

/* Whether the type's binary form is one that is read here. */
bool qe__pg_copy_reads(const qe_pg_type *type);

#endif
