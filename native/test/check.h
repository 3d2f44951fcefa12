/* What every test program of the engine shares: checks that say where they failed, and
 * a way to rerun a scenario with each allocation refused once. */
#ifndef QE_CHECK_H
#define QE_CHECK_H

#include "../src/qe.h"
#include "../src/qe_mem.h"

#define CHECK(condition) check_true((condition), #condition, __FILE__, __LINE__)
#define CHECK_INT(left, right) \
  check_int((long long)(left), (long long)(right), #left, __FILE__, __LINE__)
#define CHECK_TEXT(left, right) check_text((left), (right), #left, __FILE__, __LINE__)

void check_true(bool holds, const char *what, const char *file, int line);
void check_int(long long left, long long right, const char *what, const char *file,
               int line);
void check_text(const char *left, const char *right, const char *what, const char *file,
                int line);

/* A piece of work that cleans up after itself whether it succeeds or not. */
typedef qe_status (*scenario)(qe_error *error);

/* Runs the scenario with allocation 0, 1, 2, ... refused, until none is. After each run
 * nothing may be live, and a failure must be QE_ERR_NOMEM with a sentence. SQLite's
 * allocations count too, once route_sqlite_memory() was called. */
void check_every_refusal(const char *name, scenario run);

/* Has SQLite take its memory from qe_mem. Before anything else uses SQLite. */
void route_sqlite_memory(void);

/* Opens a database in memory; fails the test when that is not possible. */
qe_connection *open_memory(void);
/* Runs a statement without rows; fails the test when it fails. */
void run_sql(qe_connection *connection, const char *sql);

/* To be returned by main(). */
int check_result(void);

#endif
