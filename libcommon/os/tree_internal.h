/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tree's two ends say to each other. */
#ifndef RK_TREE_INTERNAL_H
#define RK_TREE_INTERNAL_H

#include <sys/types.h>

#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/tree.h"

enum tree_note_kind {
	/* the keeper's: */
	TREE_STARTED = 1, /* value: pid */
	TREE_FAILED,      /* value: errno, before it is over */
	TREE_STOPPING,    /* by whomever it was told to, or for its time */
	TREE_OVER,        /* value: wait status of the command */
	TREE_NOTHING,     /* nothing is left; the last word */
	/* ours: */
	TREE_STOP, /* ns: grace */
	TREE_LEAVE,
	TREE_UNTIL,  /* ns, kill_ns: until when, unless it is told again */
	TREE_SIGNAL, /* value: for the command's group */
};

/* One packet. */
struct tree_note {
	uint32_t kind;
	int32_t value;
	uint64_t ns;
	uint64_t kill_ns;
};

void tree_note_send(int fd, enum tree_note_kind kind, int value, uint64_t ns);

/* The keeper's life: ends the process. */
RK_NORETURN void tree_keep(int fd, const struct tree_command *command);

/*
 * A child of the keeper becomes the command, or says TREE_FAILED to fd and
 * ends.  Before, for a contained one: 0 or -E…, the namespace, whose process
 * 1 is *reaper; all its processes die with that, and that with the keeper,
 * of which keeper_fd is the descriptor.
 * Told by SIGUSR1 that the command is over, it ends when nothing is left.
 */
RK_NORETURN void tree_become(
    int fd, const struct tree_command *command, int keeper_fd);
RK_MUST_CHECK int tree_contain(pid_t *reaper, int keeper_fd);

#endif
