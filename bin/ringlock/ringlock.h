/* SPDX-License-Identifier: BSD-3-Clause */
/* The holder: what the core decides, done with sockets and processes. */
#ifndef RK_RINGLOCK_H
#define RK_RINGLOCK_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "bin/ringlock/lock.h"

enum ringlock_stuck {
	RINGLOCK_STUCK_NONE,
	RINGLOCK_STUCK_WATCHDOG,
	RINGLOCK_STUCK_REBOOT,
};

struct ringlock_options {
	const char *rundir;
	struct lock_config lock; /* wait_ns is a span, value NULL for ours */
	char *const *command;    /* NULL: none */
	pid_t pid;               /* --for-pid; 0: none */
	bool is_contained;
	bool is_json;
	enum ringlock_stuck on_stuck;
	const char *watchdog; /* the device */
};

/*
 * Waits, holds, and lets go: what main returns.  report_fd: -1, or where to
 * say by one int, 0 or an exit code, that it is held, or will not be; what
 * is printed goes to standard output in either case.
 */
int ringlock_hold(const struct ringlock_options *options, int report_fd);

/* The same behind the caller's back, for options->pid. */
int ringlock_hold_behind(const struct ringlock_options *options);

/* Prints who holds the lock, or all locks when name is NULL. */
int ringlock_list(const char *rundir, const char *name, bool is_json);

#endif
