/* The one answer of configure that libpq's public header asks for. */
#define PG_INT64_TYPE long int
