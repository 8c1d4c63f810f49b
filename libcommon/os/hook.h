/* SPDX-License-Identifier: BSD-3-Clause */
/* Runs commands for records, one at a time, for the tools that tell them.
 *
 * While one runs, records gather; then the next runs once for all of them.
 * It lives in the caller's poll: hook_poll, hook_deadline_ns, hook_turn.  A
 * command gets its records as input, what is true in its environment, and an
 * end to all its processes when it is late, or when something urgent comes.
 */
#ifndef RK_HOOK_H
#define RK_HOOK_H

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/hook_queue.h"

struct hook;

enum {
	HOOK_JOBS = 256, /* of one run */
	HOOK_FDS = 3,
};

/* A command, the records that it is for, and the name of what they are. */
struct hook_job {
	char *path; /* given to the runner, which frees it */
	uint32_t class;
	const char *event; /* borrowed */
};

/* The jobs for these classes, in their order: how many. */
typedef size_t hook_plan_fn(
    void *arg, uint32_t classes, struct hook_job jobs[HOOK_JOBS]);

struct hook_options {
	char **argv;        /* the one command, for every class; or NULL … */
	hook_plan_fn *plan; /* … and this is asked */
	void *arg;          /* of plan */
	const char *rundir; /* for the environment; NULL: none */
	bool is_every;      /* one record a run */
	uint64_t settle_ns; /* start when no record came for so long … */
	uint64_t max_delay_ns; /* … but at most so long after the first */
	uint64_t timeout_ns;   /* of one command; UINT64_MAX: none */
	uint64_t retries;      /* after 75; UINT64_MAX: for ever */
	bool stops_on_error;
	/* Where what was done is written: context and table of the newest
	 * record, after a run in which all ended with 0.  NULL: nowhere, and
	 * then what failed is not tried again. */
	const char *state_path;
};

/*
 * options is borrowed.  From now on TERM, INT, HUP and QUIT end the process
 * only after the command that runs, and all it started, was ended; umask is
 * 022.  0 or -E…; *out is to be closed.
 */
RK_MUST_CHECK int hook_open(
    struct hook **out, const struct hook_options *options);
/* What runs is ended first: waits for that. */
void hook_close(struct hook *hook);

/* The record is copied; what is urgent preempts in hook_turn. */
void hook_offer(struct hook *hook, const struct hook_record *record);

/* For poll; what is not there is -1. */
void hook_poll(const struct hook *hook, struct pollfd fds[HOOK_FDS]);
uint64_t hook_deadline_ns(const struct hook *hook);

/*
 * To be called after poll, when all records that are there were offered.  0,
 * or -1 when a command failed and stops_on_error, or the one command could
 * not even be executed for the first time; then *code is its code.
 */
RK_MUST_CHECK int hook_turn(struct hook *hook, uint64_t now_ns, int *code);

/* Nothing runs, nothing waits to be run. */
bool hook_is_idle(const struct hook *hook);

#endif
