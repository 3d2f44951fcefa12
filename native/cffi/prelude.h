/* What the module that cffi writes includes before everything else of ours. Its
 * converters use alloca(), which strict C11 does not declare by itself. */
#include <alloca.h>

#include "qe.h"
