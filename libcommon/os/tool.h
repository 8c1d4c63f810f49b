/* SPDX-License-Identifier: BSD-3-Clause */
/* What a command line tool owes its surroundings.
 *
 * Diagnostics are one line each on standard error, "PROGRAM: what: why".
 */
#ifndef RK_TOOL_H
#define RK_TOOL_H

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

enum { TOOL_EXIT_PIPE = 141 }; /* what a shell says of SIGPIPE */

/*
 * First of all: gives a closed standard descriptor something harmless, so
 * that no socket takes its number, and SIGPIPE its default.  program is kept.
 */
void tool_start(const char *program);

/* Silent with -q. */
void tool_warn(const char *format, ...) RK_PRINTF(1, 2);

/* Only with -v. */
void tool_say(const char *format, ...) RK_PRINTF(1, 2);

/* Says why, even with -q when it is about usage, and exits. */
RK_NORETURN void tool_fail(enum exitcode code, const char *format, ...)
    RK_PRINTF(2, 3);

/*
 * Standard output took no more (rc is -E…): silent 141 when its reader is
 * gone, 124 when it was too slow, else 74.
 */
RK_NORETURN void tool_fail_output(int rc);

/* The exit code for what opt_parse or opt_usage answered, if not 0. */
int tool_opt_exit(int rc);

#endif
