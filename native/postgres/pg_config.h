/* What PostgreSQL's configure would answer, for the files of libpq that the engine is
 * made of, on all targets. Only what those files ask stands here: the rest of
 * configure's 300 answers belong to the server and its programs.
 *
 * How they were found: configure itself was run with the pinned compiler for each
 * system, and its answers compared. Where it is wrong they differ: it finds functions
 * in headers that are newer than the floor of a target, and those answers say "no"
 * here, with the reason. tests/unit/build/test_build_postgres.py compiles and links a
 * probe of every answer for every target, and fails when this file asks or says
 * anything that no probe holds. */
#ifndef ENGINEROOM_PG_CONFIG_H
#define ENGINEROOM_PG_CONFIG_H

#define PG_MAJORVERSION "17"
#define PG_VERSION "17.11"
#define PG_VERSION_NUM 170011

/* Where a server is looked for that no setting names. The service principal is named
 * by a setting that is there without GSSAPI too. */
#define DEF_PGPORT 5432
#define DEF_PGPORT_STR "5432"
#define PG_KRB_SRVNAM "postgres"

/* Every target is 64 bits wide, LP64 and little-endian. */
#define ALIGNOF_SHORT 2
#define ALIGNOF_INT 4
#define ALIGNOF_LONG 8
#define ALIGNOF_DOUBLE 8
#define ALIGNOF_PG_INT128_TYPE 16
#define MAXIMUM_ALIGNOF 8
#define SIZEOF_SIZE_T 8
#define SIZEOF_VOID_P 8
#define HAVE_LONG_INT_64 1
#define INT64_MODIFIER "l"
#define PG_INT128_TYPE __int128
#define PG_USE_STDBOOL 1
#define MEMSET_LOOP_LIMIT 1024
/* Sizes of the server's files, asked for by types that libpq does not use. */
#define BLCKSZ 8192
#define XLOG_BLCKSZ 8192

/* One compiler builds all. */
#define HAVE_VISIBILITY_ATTRIBUTE 1
#define HAVE__BUILTIN_BSWAP16 1
#define HAVE__BUILTIN_BSWAP32 1
#define HAVE__BUILTIN_BSWAP64 1
#define HAVE__BUILTIN_CLZ 1
#define HAVE__BUILTIN_CTZ 1
#define HAVE__BUILTIN_OP_OVERFLOW 1
#define HAVE__BUILTIN_TYPES_COMPATIBLE_P 1
#define HAVE__BUILTIN_UNREACHABLE 1
#define HAVE__STATIC_ASSERT 1
#define PG_C_PRINTF_ATTRIBUTE gnu_printf
#define PG_CXX_PRINTF_ATTRIBUTE gnu_printf
#define pg_restrict __restrict
/* Strict C11 has no `typeof`. */
#define HAVE_TYPEOF 1
#define typeof __typeof__

/* Headers, types and functions that are everywhere. */
#define HAVE_INET_ATON 1
#define HAVE_INET_PTON 1
#define HAVE_LANGINFO_H 1
#define HAVE_MKDTEMP 1
#define HAVE_SOCKLEN_T 1
#define HAVE_STRERROR_R 1
#define HAVE_STRINGS_H 1
#define HAVE_DECL_STRNLEN 1

#if defined(__APPLE__)
/* strchrnul came with macOS 15.4; headers declare it for every floor. */
#define HAVE_DECL_STRCHRNUL 0
/* The symbol is there, the declaration is not. */
#define HAVE_DECL_FDATASYNC 0
#define HAVE_DECL_MEMSET_S 1
#define HAVE_DECL_STRLCAT 1
#define HAVE_DECL_STRLCPY 1
#define HAVE_DECL_TIMINGSAFE_BCMP 1
#define HAVE_GETPEEREID 1
#define HAVE_SYS_UCRED_H 1
#define STRERROR_R_INT 1
#else
#define HAVE_DECL_STRCHRNUL 1
#define HAVE_DECL_FDATASYNC 1
#define HAVE_DECL_MEMSET_S 0
#define HAVE_DECL_TIMINGSAFE_BCMP 0
#define HAVE_EXPLICIT_BZERO 1
#include <features.h> /* which libc it is */
#if defined(__GLIBC__)
/* strlcpy and strlcat came with glibc 2.38; strerror_r returns text by _GNU_SOURCE. */
#define HAVE_DECL_STRLCAT 0
#define HAVE_DECL_STRLCPY 0
#else
#define HAVE_DECL_STRLCAT 1
#define HAVE_DECL_STRLCPY 1
#define STRERROR_R_INT 1
#endif
#endif

/* TLS; what its library has is decided by its headers, which are of OpenSSL 3. Programs
 * that test without it need no headers of it. */
#ifndef QE_WITHOUT_OPENSSL
#define USE_OPENSSL 1
#endif
/* Keeps the older names that libpq uses from being refused. */
#define OPENSSL_API_COMPAT 0x10002000L
#define HAVE_ASN1_STRING_GET0_DATA 1
#define HAVE_BIO_METH_NEW 1
#define HAVE_HMAC_CTX_FREE 1
#define HAVE_HMAC_CTX_NEW 1
#define HAVE_OPENSSL_INIT_SSL 1
#define HAVE_SSL_CTX_SET_CERT_CB 1
#define HAVE_X509_GET_SIGNATURE_INFO 1

#endif
