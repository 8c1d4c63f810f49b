/* SPDX-License-Identifier: BSD-3-Clause */
/* Watching: connect, take what is told, print it or run hooks, come again. */
#ifndef RK_WATCHER_RUN_H
#define RK_WATCHER_RUN_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/exitcode.h"

#include "bin/watch-membership/watcher_filter.h"

struct watcher_printer;
struct watcher_hooks;

struct watcher_options {
	const char *rundir;
	const char *daemon; /* "quorum" or "member" */
	struct watcher_filter filter;
	const char *nodes;       /* for the filter: ids or names; NULL: all */
	bool is_snapshot_only;   /* end once the state was told */
	bool is_live_only;       /* the state is not told */
	const char *since;       /* a cursor, NULL: none */
	bool stays_away;         /* a daemon that went is not sought again */
	uint64_t count_max;      /* UINT64_MAX: no end */
	uint64_t timeout_ns;     /* since it is ready; UINT64_MAX: none */
	uint64_t heartbeat_ns;   /* UINT64_MAX: none */
	uint64_t wait_daemon_ns; /* how long it may be missing at the start */
	int ready_fd;            /* -1: none */
	struct watcher_hooks *hooks; /* NULL: print; borrowed */
};

/* Says what went wrong; the exit code. */
RK_MUST_CHECK enum exitcode watcher_run(
    struct watcher_options *options, struct watcher_printer *printer);

#endif
