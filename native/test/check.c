#include "check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;

static void report(const char *what, const char *file, int line) {
  failures++;
  (void)fprintf(stderr, "%s:%d: %s\n", file, line, what);
}

void check_true(bool holds, const char *what, const char *file, int line) {
  if (!holds) report(what, file, line);
}

void check_int(long long left, long long right, const char *what, const char *file,
               int line) {
  if (left == right) return;
  report(what, file, line);
  (void)fprintf(stderr, "  is %lld, should be %lld\n", left, right);
}

void check_text(const char *left, const char *right, const char *what, const char *file,
                int line) {
  if (left && strcmp(left, right) == 0) return;
  report(what, file, line);
  (void)fprintf(stderr, "  is \"%s\", should be \"%s\"\n", left ? left : "(null)",
                right);
}

int check_result(void) {
  if (failures == 0) return EXIT_SUCCESS;
  (void)fprintf(stderr, "%d checks failed\n", failures);
  return EXIT_FAILURE;
}

void check_every_refusal(const char *name, scenario run) {
  int64_t live = qe__test_live();
  int64_t refusals = 0;
  bool was_refused = true;

  for (; was_refused; refusals++) {
    qe_error error = {0};
    qe_status status;

    qe__test_refuse(refusals);
    status = run(&error);
    was_refused = qe__test_refused();
    qe__test_refuse(-1);
    if (status != QE_OK) {
      CHECK_INT(status, QE_ERR_NOMEM);
      CHECK(error.message[0] != '\0');
      CHECK(was_refused);
    }
    if (qe__test_live() != live) {
      (void)fprintf(stderr, "%s: refusal %lld left %lld blocks behind\n", name,
                    (long long)refusals, (long long)(qe__test_live() - live));
      failures++;
      return;
    }
    if (failures > 0) return;
  }
  (void)printf("%s: %lld allocations refused one by one\n", name,
               (long long)refusals - 1);
}
