/* SPDX-License-Identifier: BSD-3-Clause */
/* Daemons started by us: until they are ready, and until they are gone. */
#ifndef RK_RINGKIT_PROCESS_H
#define RK_RINGKIT_PROCESS_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

/* How to start a daemon.  Borrowed strings; NULL: its own default. */
struct ringkit_plan {
	const char *program; /* "ringd" */
	const char *config, *rundir, *statedir, *node;
	const char *log;   /* where its standard error goes, at the end */
	bool dies_with_us; /* when this process ends */
};

struct ringkit_process {
	pid_t pid;
	int ready_fd; /* -1: it is ready, or was never started */
};

/*
 * Starts it and leaves its pid in RUNDIR/PROGRAM.pid.  What went wrong is
 * said.
 */
RK_MUST_CHECK enum exitcode ringkit_process_start(
    const struct ringkit_plan *plan, struct ringkit_process *process);

/*
 * Until it is ready.  When it ended instead: its exit code, and what it last
 * said is repeated.
 */
RK_MUST_CHECK enum exitcode ringkit_process_wait(
    const struct ringkit_plan *plan, struct ringkit_process *process,
    uint64_t deadline_ns);

/*
 * Asks the process to end, so that it leaves the ring.  -EPERM: it is another
 * user's, and cannot be killed either.
 */
RK_MUST_CHECK int ringkit_process_ask_to_end(int pidfd);

/*
 * Waits until it is gone; after deadline_ns it is killed.  false: it had to
 * be.  Closes pidfd.
 */
bool ringkit_process_finish(int pidfd, uint64_t deadline_ns);

#endif
