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
	/* In a PID namespace that dies with the keeper: needs privilege. */
	bool is_contained;
	bool is_vital;     /* the keeper is, see vital.h */
	uint64_t grace_ns; /* between TERM and KILL when we die */
	uint64_t stop_ns;  /* as of tree_until; 0: never */
	uint64_t kill_ns;  /* likewise */
	/*
	 * 0, or another process, and its descriptor, for tree_begin: nothing
	 * is started, that one is kept, with what is below it when it is
	 * stopped.  Its exit code is 0, or 137 when it was killed by us.
	 */
	pid_t stranger;
	int stranger_fd;
};

struct tree {
	int fd; /* readable when tree_turn may tell news; -1: closed */
	pid_t keeper;
	pid_t pid;        /* of the command, and its process group */
	bool is_stopping; /* it was sent TERM, or KILL */
	bool is_ended;    /* the command itself is over */
	bool is_empty;    /* nothing is left of it */
	bool is_lost;     /* the keeper was killed: something may be left */
	int code;         /* how it ended */
	int error;        /* 0, or the errno for which it did not start */
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
 * The same without waiting for the command: that it did not start is then its
 * end, with tree.error.
 */
RK_MUST_CHECK int tree_begin(
    struct tree *tree, const struct tree_command *command);

/*
 * Unless it is told again: at stop_ns the keeper does as tree_stop with the
 * command's grace_ns does; from kill_ns on it ends all with KILL, whatever
 * grace was given.  By clock_boot_ns; UINT64_MAX: never.
 */
void tree_until(struct tree *tree, uint64_t stop_ns, uint64_t kill_ns);

/* For the command's process group, or the stranger, and nothing else. */
void tree_signal(struct tree *tree, int signo);

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
