/* What this build is, in an object of its own: a new release number or build id
 * compiles this file and links, nothing more. */
#include "qe.h"

int32_t qe_abi_version(void) {
  return 2;
}

const char *qe_package_version(void) {
  return QE_PACKAGE_VERSION;
}

const char *qe_build_id(void) {
  return QE_BUILD_ID;
}
