/* SPDX-License-Identifier: BSD-3-Clause */
/* A command with all that it starts, and the certain end of all of it.
 *
 * Between us and the command stands a keeper, a process of ours that adopts
 * what the command's processes leave behind, also what calls setsid or forks
 * twice.  So the keeper knows when nothing is left, and it ends all of it when
 * it is told to, or when we die, however we die.  When the keeper is killed,
 * the command is killed with it.
 *
 * A tree has one descriptor for poll; nothing here waits unless it says so.
 */
#ifndef RK_TREE_H
#define RK_TREE_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

struct tree_command {
	char *const *argv; /* ended by NULL; argv[0] is sought in PATH */
	char *const *envp; /* NULL: our environment */
	const char *cwd;   /* NULL: ours */
	int std[3];        /* its standard descriptors; -1: ours */
	bool closes_fds;   /* it gets no descriptor from 3 on */
	uint64_t grace_ns; /* between TERM and KILL when we die */
};

struct tree {
	int fd; /* readable when tree_turn may tell news; -1: closed */
	pid_t keeper;
	pid_t pid;     /* of the command, and its process group */
	bool is_ended; /* the command itself is over */
	bool is_empty; /* nothing is left of it */
	int code;      /* how it ended */
	int error;     /* 0, or the errno for which it did not start */
};

enum tree_state {
	TREE_RUNNING,
	TREE_ENDED, /* the command is over, something that it started is not */
	TREE_EMPTY, /* nothing is left */
};

/*
 * Starts the command: own process group, signals default and unblocked,
 * killed with the keeper.  0 or -E…; that argv[0] is not there comes later,
 * as its exit code.  To be closed by tree_close if 0 was answered.
 */
RK_MUST_CHECK int tree_start(
    struct tree *tree, const struct tree_command *command);

/*
 * TERM (and CONT) to every process now, KILL to what is left after grace_ns
 * and to what appears later.  0 means KILL at once.  A second call can only
 * shorten the time.  Does not wait.
 */
void tree_stop(struct tree *tree, uint64_t grace_ns);

/*
 * The command, or what it left behind, may live on without us; the tree is
 * empty for us.
 */
void tree_release(struct tree *tree);

/* Takes in what fd has to tell, without waiting. */
enum tree_state tree_turn(struct tree *tree);

/* The state once it is at least that, or at the deadline. */
enum tree_state tree_wait(
    struct tree *tree, enum tree_state state, uint64_t deadline_ns);

/*
 * After TREE_ENDED: its exit code; 128 and the signal that ended it; 127 not
 * found, 126 not executable, 125 not started for another reason, or unknown
 * because the keeper was killed.
 */
int tree_code(const struct tree *tree);

/* Not empty yet?  It is stopped, by the command's grace_ns, without us. */
void tree_close(struct tree *tree);

#endif
