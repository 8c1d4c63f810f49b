/* SPDX-License-Identifier: BSD-3-Clause */
/* What a daemon owes its surroundings: readiness, priority, a clean death. */
#ifndef RK_DAEMON_H
#define RK_DAEMON_H

#include <stdbool.h>
#include <stddef.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

/*
 * "PROGRAM: what: why" on standard error, then exit(code).  For what makes
 * starting impossible, and for nothing later.
 */
RK_NORETURN void daemon_die(enum exitcode code, const char *format, ...)
    RK_PRINTF(2, 3);

/* The name daemon_die begins with; kept. */
void daemon_set_name(const char *program);

/*
 * All memory that the daemon will ever have: zeroed, for life, and resident
 * only where it is touched.  NULL when there is not so much.
 */
void *daemon_map_memory(size_t bytes);

/* Keeps bytes at base in memory: 0, or -E… when that is not allowed. */
RK_MUST_CHECK int daemon_lock_memory(const void *base, size_t bytes);

/*
 * Tries SCHED_RR at priority, then a nice value of -20: "rr", "nice" or
 * "other", what it became.  Children have SCHED_RR only if is_inherited.
 */
const char *daemon_raise_priority(int priority, bool is_inherited);

/*
 * Says that the daemon serves: one newline on ready_fd, which is then
 * closed (-1: none), and READY=1 to NOTIFY_SOCKET if there is one.
 */
void daemon_ready(int ready_fd);

/* One or more lines of the notification protocol; false when nobody asked. */
bool daemon_notify(const char *lines);

/* Becomes that user, with its groups, for good: 0 or -E…. */
RK_MUST_CHECK int daemon_become(const char *user_name);

/* No core file with keys in it, no new privileges, a private umask; and
 * children that wait to be waited for. */
void daemon_harden(void);

#endif
