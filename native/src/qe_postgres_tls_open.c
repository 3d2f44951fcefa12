/* Finds OpenSSL when it is first needed, 3 or 1.1.1, for engines that run where either
 * may be. Elsewhere this file is empty.
 *
 * libpq's files are compiled as they are, with the headers of OpenSSL 3, and call
 * SSL_new and a hundred more. Each of those is one instruction here, which jumps to
 * wherever a pointer of its own says; binding fills the pointers. Renaming the
 * functions with macros was considered: OpenSSL's headers call some in inline functions
 * and libpq takes the addresses of others, so there would be cases, and here there are
 * none.
 *
 * What differs between the versions is in `for_1_1`. All else that libpq uses,
 * functions, numbers and structures, is the same in both. The headers are pinned,
 * because newer ones may call what 3.0 does not have. */
#ifdef QE_TLS_OPENED

/* RTLD_NOLOAD, which tells what the process has loaded already. */
#define _GNU_SOURCE

#include <dlfcn.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <string.h>

#include "qe_error.h"
#include "qe_port.h"
#include "qe_postgres_tls.h"
#include "qe_postgres_tls_functions.h"

typedef void (*any_function)(void);

#define DEFINE(name)              \
  any_function qe__tls_to_##name; \
  QE_JUMP_THROUGH(name, qe__tls_to_##name)
QE__TLS_FUNCTIONS(DEFINE)

typedef struct function {
  const char *name;
  any_function *pointer;
} function;

#define ROW(name) {#name, &qe__tls_to_##name},
static const function functions[] = {QE__TLS_FUNCTIONS(ROW)};

/* OpenSSL 3 packs an error as library << 23 | reason, or for the system's as a flag and
 * errno; 1.1.1 as library << 24 | function << 12 | reason, the system being library 2.
 * libpq is compiled with the macros of 3, so codes of 1.1.1 are packed anew on their
 * way in and out. */
enum {
  OLD_LIBRARY_SHIFT = 24,
  OLD_LIBRARY_MASK = 0xff,
  OLD_REASON_MASK = 0xfff,
  OLD_SYSTEM = 2,
};

static unsigned long (*old_get_error)(void);
static const char *(*old_reason)(unsigned long);
static void (*old_put_error)(int, int, int, const char *, int);

static unsigned long get_error(void) {
  unsigned long code = old_get_error();
  unsigned long library = (code >> OLD_LIBRARY_SHIFT) & OLD_LIBRARY_MASK;
  unsigned long reason = code & OLD_REASON_MASK;

  if (!code) return 0;
  if (library == OLD_SYSTEM) return (unsigned long)ERR_SYSTEM_FLAG | reason;
  return library << ERR_LIB_OFFSET | reason;
}

static const char *reason_text(unsigned long code) {
  unsigned long library = (unsigned long)ERR_GET_LIB(code);
  unsigned long reason = (unsigned long)ERR_GET_REASON(code);

  return old_reason(library << OLD_LIBRARY_SHIFT | (reason & OLD_REASON_MASK));
}

/* ERR_raise of OpenSSL 3 is three calls, of which the last says what was wrong. */
static void nothing(void) {}

static void set_error(int library, int reason, const char *format, ...) {
  (void)format;
  old_put_error(library, 0, reason, "", 0);
}

static void *no_engine(const char *name) {
  (void)name;
  return NULL;
}

typedef struct substitute {
  const char *name;
  const char *other_name; /* taken from the library, or NULL */
  any_function function;  /* taken where other_name is NULL */
} substitute;

/* Taken with 1.1.1, which lacks them or means something else. */
static const substitute for_1_1[] = {
    {"SSL_get1_peer_certificate", "SSL_get_peer_certificate", NULL},
    {"ERR_get_error", NULL, (any_function)get_error},
    {"ERR_reason_error_string", NULL, (any_function)reason_text},
    {"ERR_new", NULL, nothing},
    {"ERR_set_debug", NULL, nothing},
    {"ERR_set_error", NULL, (any_function)set_error},
    {NULL, NULL, NULL},
};

static const substitute for_3[] = {
    {NULL, NULL, NULL},
};

/* Taken where the library lacks them: distributions begin to leave engines out. libpq
 * asks for an engine by name first, and goes no further without one. */
static const substitute for_missing[] = {
    {"ENGINE_by_id", NULL, (any_function)no_engine},
    {"ENGINE_finish", NULL, nothing},
    {"ENGINE_free", NULL, nothing},
    {"ENGINE_init", NULL, nothing},
    {"ENGINE_load_private_key", NULL, nothing},
    {NULL, NULL, NULL},
};

/* OpenSSL's two libraries; the first needs the second, so it is enough to open one. */
typedef struct version {
  const char *ssl;
  const char *crypto;
  const substitute *substitutes;
} version;

static const version versions[] = {
    {"libssl.so.3", "libcrypto.so.3", for_3},
    {"libssl.so.1.1", "libcrypto.so.1.1", for_1_1},
};

enum {
  VERSION_COUNT = sizeof versions / sizeof versions[0],
  FUNCTION_COUNT = sizeof functions / sizeof functions[0],
};

static const substitute *find(const substitute *rows, const char *name) {
  for (; rows->name; rows++)
    if (strcmp(rows->name, name) == 0) return rows;
  return NULL;
}

/* dlsym gives an object's address; that a function fits is what POSIX promises. */
static void look_up(void *library, const char *name, void *pointer) {
  const void *address = dlsym(library, name);

  memcpy(pointer, &address, sizeof address);
}

static any_function resolve(void *library, const version *chosen, const char *name) {
  const substitute *other = find(chosen->substitutes, name);
  any_function found = NULL;

  if (other && !other->other_name) return other->function;
  look_up(library, other ? other->other_name : name, &found);
  if (found) return found;
  other = find(for_missing, name);
  return other ? other->function : NULL;
}

/* Fills the pointers; nothing is called through them before all are. */
static const char *fill(void *library, const version *chosen) {
  look_up(library, "ERR_get_error", &old_get_error);
  look_up(library, "ERR_reason_error_string", &old_reason);
  look_up(library, "ERR_put_error", &old_put_error);
  for (size_t i = 0; i < FUNCTION_COUNT; i++) {
    *functions[i].pointer = resolve(library, chosen, functions[i].name);
    if (!*functions[i].pointer) return functions[i].name;
  }
  return NULL;
}

static bool is_loaded(const char *name) {
  void *library = dlopen(name, RTLD_LAZY | RTLD_NOLOAD);

  if (library) dlclose(library);
  return library != NULL;
}

/* Two versions in one process have crashed many: the one that Python's ssl or hashlib
 * has loaded comes first. */
static const version *preferred(void) {
  for (size_t i = 0; i < VERSION_COUNT; i++)
    if (is_loaded(versions[i].ssl)) return &versions[i];
  for (size_t i = 0; i < VERSION_COUNT; i++)
    if (is_loaded(versions[i].crypto)) return &versions[i];
  return &versions[0];
}

/* Opens a version for good; on failure reason tells why. */
static bool take(const version *chosen, char *reason, size_t size) {
  qe_error why;
  void *library = dlopen(chosen->ssl, RTLD_NOW | RTLD_LOCAL);
  const char *missing = NULL;

  if (!library) {
    const char *text = dlerror();
    (void)qe__fail(&why, QE_ERR_TLS, "%s", text ? text : chosen->ssl);
  } else {
    missing = fill(library, chosen);
    if (!missing) return true;
    (void)qe__fail(&why, QE_ERR_TLS, "`%s` has no `%s`", chosen->ssl, missing);
    dlclose(library);
  }
  if (size > sizeof why.message) size = sizeof why.message;
  memcpy(reason, why.message, size);
  reason[size - 1] = '\0';
  return false;
}

qe_status qe__tls_open(qe_error *error) {
  const version *first = preferred();
  const version *second = &versions[first == &versions[0]];
  char reasons[VERSION_COUNT][200];
  qe_status status;

  if (take(first, reasons[0], sizeof reasons[0])) return QE_OK;
  if (take(second, reasons[1], sizeof reasons[1])) return QE_OK;
  status = qe__fail(error, QE_ERR_TLS, "OpenSSL could not be loaded: %s; %s",
                    reasons[0], reasons[1]);
  if (error) memcpy(error->sqlstate, "08001", sizeof error->sqlstate);
  return status;
}

const void *qe__tls_address(void) {
  const void *address = NULL;

  memcpy(&address, &qe__tls_to_SSL_new, sizeof address);
  return address;
}

#else
/* A file must declare something. */
typedef int qe__tls_is_not_opened;
#endif
