/* dladdr, and the clean type for its answer. */
#ifdef __APPLE__
#define _DARWIN_C_SOURCE
#else
#define _GNU_SOURCE
#endif

#include "qe_postgres_tls.h"

#include <assert.h>
#include <dlfcn.h>
#include <openssl/crypto.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <string.h>

#include "qe_error.h"

/* One process has one OpenSSL, so what is known of it is static. It is written once,
 * under the lock, and read by those who have called qe__tls_bind. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static bool is_bound;
static char bound_version[32];
static char bound_file[1024];

static void copy(char *place, size_t size, const char *text, size_t length) {
  if (length >= size) length = size - 1;
  memcpy(place, text, length);
  place[length] = '\0';
}

/* Cuts the version out of "OpenSSL 3.0.22 1 Nov 2026". */
static void describe_version(void) {
  const char *text = OpenSSL_version(OPENSSL_VERSION);
  const char *start = strchr(text, ' ');

  start = start ? start + 1 : text;
  copy(bound_version, sizeof bound_version, start, strcspn(start, " "));
}

static void describe_file(void) {
#ifdef QE_TLS_BUILT_IN
  copy(bound_file, sizeof bound_file, "(built in)", strlen("(built in)"));
#else
  Dl_info found = {0};

  if (dladdr(qe__tls_address(), &found) && found.dli_fname)
    copy(bound_file, sizeof bound_file, found.dli_fname, strlen(found.dli_fname));
#endif
}

qe_status qe__tls_bind(qe_error *error) {
  qe_status status = QE_OK;

  pthread_mutex_lock(&lock);
  if (!is_bound) {
    status = qe__tls_open(error);
    if (status == QE_OK) {
      describe_version();
      describe_file();
      is_bound = true;
    }
  }
  pthread_mutex_unlock(&lock);
  assert(status != QE_OK || bound_version[0]);
  return status;
}

const char *qe__tls_library(void) {
  return "OpenSSL";
}

const char *qe__tls_version(void) {
  return bound_version;
}

const char *qe__tls_file(void) {
  return bound_file;
}

const char *qe_backend_tls_library(void) {
  return qe__tls_library();
}

const char *qe_backend_tls_version(void) {
  return qe__tls_bind(NULL) == QE_OK ? bound_version : "";
}

const char *qe_backend_tls_file(void) {
  return qe__tls_bind(NULL) == QE_OK ? bound_file : "";
}

#ifndef QE_TLS_OPENED
/* The loader has bound it, or it is part of the engine: there is nothing to open. */
qe_status qe__tls_open(qe_error *error) {
  (void)error;
  return QE_OK;
}

const void *qe__tls_address(void) {
  SSL *(*function)(SSL_CTX *) = SSL_new;
  const void *address = NULL;

  memcpy(&address, &function, sizeof address);
  return address;
}
#endif

qe_status qe_backend_bind_tls(qe_error *error) {
  qe__error_clear(error);
  return qe__tls_bind(error);
}
