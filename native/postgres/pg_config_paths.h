/* Of all the folders of an installation libpq asks for one: where pg_service.conf of
 * the whole machine is. Debian's libpq looks there; PGSYSCONFDIR names another. */
#define SYSCONFDIR "/etc/postgresql-common"
