/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is below a process, wherever its group and session are. */
#ifndef RK_TREE_BELOW_H
#define RK_TREE_BELOW_H

#include <sys/types.h>

#include <stdbool.h>
#include <stddef.h>

/* Signals every process below the caller; answers how many there were. */
unsigned tree_signal_below(int signo);

enum { TREE_STRANGERS_MAX = 512 };

/* A process that is another's child, and what was seen below it. */
struct tree_strangers {
	pid_t root; /* 0: there is none, or it is gone */
	int root_fd;
	size_t count;
	struct {
		pid_t pid;
		int fd;
	} below[TREE_STRANGERS_MAX];
};

/*
 * Signals root and what is below it now, or was at an earlier call; never
 * the caller and its parent.
 */
void tree_strangers_signal(struct tree_strangers *strangers, int signo);

/* Any of them is alive; forgets those that are not. */
bool tree_strangers_are_left(struct tree_strangers *strangers);

#endif
