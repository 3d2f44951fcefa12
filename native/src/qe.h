/* The one way in: every C file of the engine includes this first. */
#ifndef QE_H
#define QE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "../abi/qe_abi.h"

#endif
