/* SPDX-License-Identifier: BSD-3-Clause */
/* What a tree's two ends say to each other. */
#ifndef RK_TREE_INTERNAL_H
#define RK_TREE_INTERNAL_H

#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/tree.h"

enum tree_note_kind {
	/* the keeper's: */
	TREE_STARTED = 1, /* value: pid */
	TREE_FAILED,      /* value: errno, before it is over */
	TREE_OVER,        /* value: wait status of the command */
	TREE_NOTHING,     /* nothing is left; the last word */
	/* ours: */
	TREE_STOP, /* ns: grace */
	TREE_LEAVE,
};

/* One packet. */
struct tree_note {
	uint32_t kind;
	int32_t value;
	uint64_t ns;
};

void tree_note_send(int fd, enum tree_note_kind kind, int value, uint64_t ns);

/* The keeper's life: ends the process. */
RK_NORETURN void tree_keep(int fd, const struct tree_command *command);

/* Signals every process below the caller; answers how many there were. */
unsigned tree_signal_below(int signo);

#endif
