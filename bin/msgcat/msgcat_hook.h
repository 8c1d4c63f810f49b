/* SPDX-License-Identifier: BSD-3-Clause */
/* A command run for a message: its data on standard input, one at a time. */
#ifndef RK_MSGCAT_HOOK_H
#define RK_MSGCAT_HOOK_H

#include <stdint.h>

struct ask_line;

/*
 * Runs argv without a shell and waits for its end: its exit code, 128 + the
 * signal that ended it, 126 or 127 when it could not be run, 125 when nothing
 * could.  The message's words are in RINGKIT_MSG_….  After timeout_ns it
 * and all that it started gets TERM, 5 s later KILL; then 124.
 */
int msgcat_hook_run(
    char *const *argv, struct ask_line *line, uint64_t timeout_ns);

#endif
