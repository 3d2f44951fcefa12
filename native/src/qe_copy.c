/* What a COPY is, whatever the database. */
#include "qe_copy.h"

#include "qe_mem.h"

qe_copy *qe__copy_new(qe_connection *connection) {
  qe_copy *made = qe__zalloc(sizeof *made);

  if (!made) return NULL;
  atomic_store(&made->references, 1);
  made->connection = connection;
  made->rows = -1;
  return made;
}

void qe__copy_release(qe_copy *copy) {
  if (!copy || atomic_fetch_sub(&copy->references, 1) > 1) return;
  qe__backend_copy_clear(copy);
  qe__bytes_clear(&copy->data);
  qe__free(copy);
}
