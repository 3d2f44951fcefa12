/* The system's own part, which configure would link to. It is read after
 * pg_config_manual.h, so what that says and distributions patch is said again here. */
#ifndef ENGINEROOM_PG_CONFIG_OS_H
#define ENGINEROOM_PG_CONFIG_OS_H

#if defined(__APPLE__)
#include "port/darwin.h"
#else
#include "port/linux.h"
/* Where the servers of Debian, Red Hat and Alpine have their socket. /tmp, which
 * PostgreSQL names, is where those of Homebrew and Postgres.app have it. */
#undef DEFAULT_PGSOCKET_DIR
#define DEFAULT_PGSOCKET_DIR "/var/run/postgresql"
#endif

#endif
