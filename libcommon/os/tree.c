/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/tree.h"

#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tree_internal.h"

static void
send_note(int fd, const struct tree_note *note)
{
	/* There is an end of file to notice when nobody is there. */
	(void)!send(fd, note, sizeof *note, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void
tree_note_send(int fd, enum tree_note_kind kind, int value, uint64_t ns)
{
	struct tree_note note = {
		.kind = (uint32_t)kind, .value = value, .ns = ns
	};

	send_note(fd, &note);
}

/* The keeper is gone for good. */
static void
reap(struct tree *tree)
{
	if (tree->keeper > 0)
		while (waitpid(tree->keeper, NULL, 0) < 0 && errno == EINTR)
			;
	tree->keeper = 0;
	tree->is_empty = true;
}

/* It went without its last word: it was killed. */
static void
lose_keeper(struct tree *tree)
{
	/* The kernel has killed the command; this is for its group. */
	if (tree->pid > 0 && !tree->is_ended)
		kill(-tree->pid, SIGKILL);
	reap(tree);
	if (!tree->is_ended)
		tree->code = EXITCODE_WRAPPER;
	tree->is_ended = true;
	tree->is_lost = tree->error == 0;
}

static int
code_of(int status)
{
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	return 128 + WTERMSIG(status);
}

static void
take(struct tree *tree, const struct tree_note *note)
{
	switch (note->kind) {
	case TREE_STARTED:
		tree->pid = note->value;
		break;
	case TREE_FAILED:
		tree->error = note->value;
		break;
	case TREE_STOPPING:
		tree->is_stopping = true;
		break;
	case TREE_OVER:
		tree->is_ended = true;
		tree->code = code_of(note->value);
		break;
	case TREE_NOTHING:
		reap(tree);
		break;
	default:
		break;
	}
}

/* 0; -EAGAIN when there is no more; anything else: the keeper is gone. */
static int
receive(struct tree *tree, int flags)
{
	struct tree_note note;
	ssize_t n = recv(tree->fd, &note, sizeof note, flags);

	/* A reset: it went without reading our last, its own words follow. */
	if (n < 0)
		return errno == EINTR || errno == ECONNRESET ? 0 : -errno;
	if (n != sizeof note)
		return -EPIPE;
	take(tree, &note);
	return 0;
}

enum tree_state
tree_turn(struct tree *tree)
{
	int rc = 0;

	while (!tree->is_empty && rc == 0)
		rc = receive(tree, MSG_DONTWAIT);
	if (rc != 0 && rc != -EAGAIN)
		lose_keeper(tree);
	if (tree->is_empty)
		return TREE_EMPTY;
	return tree->is_ended ? TREE_ENDED : TREE_RUNNING;
}

enum tree_state
tree_wait(struct tree *tree, enum tree_state state, uint64_t deadline_ns)
{
	enum tree_state now = tree_turn(tree);

	while (now < state && fd_wait(tree->fd, POLLIN, deadline_ns) > 0)
		now = tree_turn(tree);
	return now;
}

void
tree_stop(struct tree *tree, uint64_t grace_ns)
{
	if (!tree->is_empty)
		tree_note_send(tree->fd, TREE_STOP, 0, grace_ns);
}

void
tree_until(struct tree *tree, uint64_t stop_ns, uint64_t kill_ns)
{
	struct tree_note note = {
		.kind = TREE_UNTIL, .ns = stop_ns, .kill_ns = kill_ns
	};

	if (!tree->is_empty)
		send_note(tree->fd, &note);
}

void
tree_signal(struct tree *tree, int signo)
{
	if (!tree->is_ended)
		tree_note_send(tree->fd, TREE_SIGNAL, signo, 0);
}

void
tree_release(struct tree *tree)
{
	if (tree->is_empty)
		return;
	tree_note_send(tree->fd, TREE_LEAVE, 0, 0);
	/* While the command runs its keeper stays, and is init's at last. */
	if (!tree->is_ended)
		tree->keeper = 0;
	reap(tree);
}

int
tree_code(const struct tree *tree)
{
	return tree->code;
}

void
tree_close(struct tree *tree)
{
	fd_close(&tree->fd);
}

int
tree_begin(struct tree *tree, const struct tree_command *command)
{
	int ends[2];

	*tree = (struct tree){ .fd = -1 };
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	tree->keeper = fork();
	if (tree->keeper < 0) {
		int rc = -errno;

		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return rc;
	}
	if (tree->keeper == 0) {
		fd_close(&ends[0]);
		tree_keep(ends[1], command);
	}
	fd_close(&ends[1]);
	tree->fd = ends[0];
	return 0;
}

/* Until the command runs, or did not start. */
static int
await_start(struct tree *tree)
{
	int rc = 0;

	while (rc == 0 && tree->pid == 0)
		rc = receive(tree, 0);
	if (rc == 0)
		return 0;
	reap(tree);
	fd_close(&tree->fd);
	return tree->error != 0 ? -tree->error : rc;
}

int
tree_start(struct tree *tree, const struct tree_command *command)
{
	int rc = tree_begin(tree, command);

	return rc == 0 ? await_start(tree) : rc;
}
