/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/ensure.h"

#include <stdio.h>
#include <stdlib.h>

void
ensure_fail(const char *file, int line, const char *what)
{
	fprintf(stderr, "%s:%d: ENSURE(%s)\n", file, line, what);
	abort();
}
