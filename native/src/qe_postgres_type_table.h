/* The types that every server has, in the order of their numbers. */
#ifndef QE_POSTGRES_TYPE_TABLE_H
#define QE_POSTGRES_TYPE_TABLE_H

#include "qe_postgres_type.h"

extern const qe_pg_type QE_PG_BUILT_IN[];
extern const int32_t QE_PG_BUILT_IN_COUNT;

#endif
