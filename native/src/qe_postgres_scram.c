/* A ceiling for what a server may ask of us before it has proven anything.
 *
 * With SCRAM the server says how many times the password is hashed, up to
 * 2,147,483,647, and libpq does as it is told: half an hour in which no timeout is
 * looked at. Its call comes here instead (native/build/postgres_options.py).
 * PostgreSQL's default is 4,096. */
#include "qe_postgres_libpq.h"

#include "common/scram-common.h"

enum { ITERATIONS_MAX = 2000000 };

int qe__pg_salted_password(const char *password, pg_cryptohash_type hash_type,
                           int key_length, const char *salt, int salt_size,
                           int iterations, uint8 *result, const char **why);

int qe__pg_salted_password(const char *password, pg_cryptohash_type hash_type,
                           int key_length, const char *salt, int salt_size,
                           int iterations, uint8 *result, const char **why) {
  if (iterations > ITERATIONS_MAX) {
    *why = "the server asks for more than 2000000 iterations of the password's hash";
    return -1;
  }
  return scram_SaltedPassword(password, hash_type, key_length, salt, salt_size,
                              iterations, result, why);
}
