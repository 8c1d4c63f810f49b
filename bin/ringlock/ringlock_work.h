/* SPDX-License-Identifier: BSD-3-Clause */
/* The work under the lock, and its certain end even without the guard. */
#ifndef RK_RINGLOCK_WORK_H
#define RK_RINGLOCK_WORK_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/tree.h"
#include "libcommon/os/tree_below.h"

enum ringlock_work_state {
	RINGLOCK_WORK_NONE,
	RINGLOCK_WORK_RUNS,
	RINGLOCK_WORK_ENDED,
	RINGLOCK_WORK_EMPTY,
};

/* Times by clock_boot_ns; UINT64_MAX: never. */
struct ringlock_work {
	struct tree tree;
	enum ringlock_work_state state;
	bool is_guard_lost; /* it was killed, not by us */
	bool has_killed;
	bool has_termed;  /* we, not the guard */
	uint64_t stop_ns; /* as the guard was told */
	uint64_t kill_ns;
	uint64_t gone_ns;  /* it was told to have ended it by then */
	uint64_t round_ns; /* of our own KILL, the next one */
	uint64_t round_span_ns;
	struct tree_strangers strangers; /* root: of --for-pid */
};

void ringlock_work_init(struct ringlock_work *work);

/*
 * Starts the guard with the command, or only the guard when the command is
 * about a stranger.  0 or -E….
 */
RK_MUST_CHECK int ringlock_work_start(
    struct ringlock_work *work, const struct tree_command *command);

void ringlock_work_until(
    struct ringlock_work *work, uint64_t stop_ns, uint64_t kill_ns);
void ringlock_work_stop(struct ringlock_work *work, uint64_t grace_ns);

/*
 * Takes in what the guard says, and does at its time what the guard should
 * have done.
 */
void ringlock_work_turn(struct ringlock_work *work);

/* Readable when the guard says something; -1: it is no more. */
int ringlock_work_fd(const struct ringlock_work *work);

/* When ringlock_work_turn is due. */
uint64_t ringlock_work_deadline_ns(const struct ringlock_work *work);

#endif
