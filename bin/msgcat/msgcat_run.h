/* SPDX-License-Identifier: BSD-3-Clause */
/* Listening: connect, subscribe, print until enough, connect again. */
#ifndef RK_MSGCAT_RUN_H
#define RK_MSGCAT_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

#include "bin/msgcat/msgcat_print.h"

struct msgcat_options {
	const char *rundir;
	const char **globs; /* none: all groups */
	int glob_count;
	const char *from; /* a node's id or name; NULL: any */
	bool shows_members, shows_views;
	bool is_lossless;
	bool stays_away;          /* a daemon that went is not sought again */
	uint64_t count_max;       /* UINT64_MAX: no end */
	uint64_t timeout_ns;      /* since it listens; UINT64_MAX: none */
	uint64_t idle_ns;         /* without a message; UINT64_MAX: none */
	int ready_fd;             /* -1: none */
	char *const *command;     /* NULL: print */
	bool stops_on_error;      /* of the command */
	uint64_t hook_timeout_ns; /* for the command */
};

/* Says what went wrong; the exit code. */
RK_MUST_CHECK enum exitcode msgcat_run(
    const struct msgcat_options *options, struct msgcat_printer *printer);

#endif
