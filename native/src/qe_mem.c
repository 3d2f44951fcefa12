/* Allocation, with a counter that tests can arm. Outside the test build it is the C
 * library's allocator and one multiplication saved. */
#include "qe_mem.h"

#include <stdlib.h>
#include <string.h>

#ifdef QE_TEST_ALLOC
#include <stdatomic.h>

static atomic_llong countdown = -1;
static atomic_llong live = 0;
static atomic_bool refused = false;

void qe__test_refuse(int64_t count) {
  atomic_store(&refused, false);
  atomic_store(&countdown, count);
}

bool qe__test_refused(void) {
  return atomic_load(&refused);
}

int64_t qe__test_live(void) {
  return atomic_load(&live);
}

static bool is_refused(void) {
  if (atomic_load(&countdown) < 0) return false;
  if (atomic_fetch_sub(&countdown, 1) > 0) return false;
  atomic_store(&countdown, -1);
  atomic_store(&refused, true);
  return true;
}

static void *counted(void *memory) {
  if (memory) atomic_fetch_add(&live, 1);
  return memory;
}
#else
static bool is_refused(void) {
  return false;
}
static void *counted(void *memory) {
  return memory;
}
#endif

void *qe__zalloc(int64_t size) {
  if (size <= 0 || is_refused()) return NULL;
  return counted(calloc(1, (size_t)size));
}

void *qe__realloc(void *memory, int64_t new_size) {
  if (!memory) return qe__zalloc(new_size);
  if (new_size <= 0 || is_refused()) return NULL;
  return realloc(memory, (size_t)new_size);
}

void qe__free(void *memory) {
  if (!memory) return;
#ifdef QE_TEST_ALLOC
  atomic_fetch_sub(&live, 1);
#endif
  free(memory);
}

char *qe__copy_text(const char *text, int64_t size) {
  char *copy = size < INT64_MAX ? qe__zalloc(size + 1) : NULL;
  if (copy && size > 0) memcpy(copy, text, (size_t)size);
  return copy;
}
