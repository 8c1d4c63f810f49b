/* SPDX-License-Identifier: BSD-3-Clause */
/* ENSURE: an invariant that is checked in every build. */
#ifndef RK_ENSURE_H
#define RK_ENSURE_H

#include "libcommon/base/attr.h"

/*
 * Prints "file:line: ENSURE(what)" on standard error and aborts.  Never
 * returns.  For programmer errors only: whatever comes from a network, a
 * file, a client or an argument is validated and reported instead.
 */
RK_NORETURN void ensure_fail(const char *file, int line, const char *what);

/* An expression, so that it adds neither a branch nor a level to its place. */
#define ENSURE(x) ((x) ? (void)0 : ensure_fail(__FILE__, __LINE__, #x))

#endif
