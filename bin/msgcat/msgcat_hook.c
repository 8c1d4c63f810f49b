/* SPDX-License-Identifier: BSD-3-Clause */
/* The data lies in a memory file: a command that does not read its input
 * cannot hold us up, and one that is slow to read cannot deadlock with us.
 */
#include "bin/msgcat/msgcat_hook.h"

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/child.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"

#define KILL_AFTER_NS (5 * CLOCK_S_NS)

static void
set_environment(struct ask_line *line)
{
	static const struct {
		const char *name, *key;
	} words[] = {
		{ "RINGKIT_MSG_GROUP", "group" },
		{ "RINGKIT_MSG_FROM", "node" },
		{ "RINGKIT_MSG_INC", "inc" },
		{ "RINGKIT_MSG_CONN", "conn" },
		{ "RINGKIT_MSG_MID", "mid" },
		{ "RINGKIT_MSG_ID", "id" },
		{ "RINGKIT_MSG_SVC", "svc" },
		{ "RINGKIT_MSG_VIEW", "view" },
		{ "RINGKIT_MSG_PHASE", "phase" },
		{ "RINGKIT_MSG_POS", "pos" },
		{ "RINGKIT_MSG_LEN", "len" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		setenv(words[i].name, ask_value(line, words[i].key), 1);
}

/* Never returns. */
static void
become(char *const *argv, struct ask_line *line, int data_fd)
{
	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (dup2(data_fd, STDIN_FILENO) < 0)
		_exit(EXITCODE_WRAPPER);
	set_environment(line);
	execvp(argv[0], argv);
	_exit(errno == ENOENT ? EXITCODE_NOTFOUND : EXITCODE_NOTEXECUTABLE);
}

static int
make_data(const struct ask_line *line)
{
	int fd = memfd_create("message", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (fd_write_full(fd, line->data, line->len, UINT64_MAX) < 0 ||
	    lseek(fd, 0, SEEK_SET) < 0)
		fd_close(&fd);
	return fd;
}

/* The child ended by then. */
static bool
ends_by(pid_t pid, uint64_t deadline_ns)
{
	int pidfd = child_open(pid);
	bool is_over;

	if (pidfd < 0)
		return true; /* there is only the blocking wait */
	is_over = child_ends_by(pidfd, deadline_ns);
	fd_close(&pidfd);
	return is_over;
}

static int
wait_for(pid_t pid, uint64_t timeout_ns)
{
	uint64_t now_ns = clock_now_ns();
	uint64_t deadline_ns =
	    timeout_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + timeout_ns;
	bool is_late = !ends_by(pid, deadline_ns);
	int status;

	if (is_late) {
		kill(-pid, SIGTERM);
		if (!ends_by(pid, clock_now_ns() + KILL_AFTER_NS))
			kill(pid, SIGKILL);
		/* What it left behind in its group, too. */
		kill(-pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return EXITCODE_WRAPPER;
	if (is_late)
		return EXITCODE_TIMEOUT;
	return WIFSIGNALED(status) ? 128 + WTERMSIG(status)
				   : WEXITSTATUS(status);
}

int
msgcat_hook_run(char *const *argv, struct ask_line *line, uint64_t timeout_ns)
{
	int data_fd = make_data(line);
	pid_t pid;

	if (data_fd < 0)
		return EXITCODE_WRAPPER;
	pid = fork();
	if (pid == 0)
		become(argv, line, data_fd);
	fd_close(&data_fd);
	return pid < 0 ? EXITCODE_WRAPPER : wait_for(pid, timeout_ns);
}
