/* Error values. The struct is the caller's and of fixed size, so reporting a failure
 * can itself never fail. */
#include "qe_error.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void qe__error_clear(qe_error *error) {
  if (!error) return;
  error->status = QE_OK;
  error->native_code = 0;
  error->position = -1;
  error->was_sent = 0;
  error->sqlstate[0] = '\0';
  error->message[0] = '\0';
}

qe_status qe__fail(qe_error *error, qe_status status, const char *format, ...) {
  va_list arguments;
  size_t size;

  if (!error) return status;
  qe__error_clear(error);
  error->status = (int32_t)status;
  va_start(arguments, format);
  (void)vsnprintf(error->message, sizeof error->message, format, arguments);
  va_end(arguments);
  /* A cut may fall inside a character; take the broken one away, because Python
   * decodes the message strictly. */
  size = strlen(error->message);
  if (size == sizeof error->message - 1) {
    while (size > 0 && ((unsigned char)error->message[size - 1] & 0xC0) == 0x80) size--;
    if (size > 0 && (unsigned char)error->message[size - 1] >= 0xC0) size--;
    error->message[size] = '\0';
  }
  return status;
}

qe_status qe__fail_memory(qe_error *error, const char *what) {
  return qe__fail(error, QE_ERR_NOMEM, "Out of memory: %s", what);
}
