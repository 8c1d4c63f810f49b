/* SPDX-License-Identifier: BSD-3-Clause */
/* The command's first moments, and the namespace that it may live in. */
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include "libcommon/os/child.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tree_internal.h"

static void
reset_signals(void)
{
	sigset_t none;

	for (int signo = 1; signo < NSIG; signo++)
		if (signo != SIGKILL && signo != SIGSTOP)
			(void)signal(signo, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Its standard descriptors; the given ones may be standard ones, too. */
static int
set_std(const int std[3])
{
	int kept[3];

	for (int i = 0; i < 3; i++) {
		kept[i] = -1;
		if (std[i] < 0)
			continue;
		kept[i] = fcntl(std[i], F_DUPFD_CLOEXEC, 3);
		if (kept[i] < 0)
			return -errno;
	}
	for (int i = 0; i < 3; i++)
		if (kept[i] >= 0 && dup2(kept[i], i) < 0)
			return -errno;
	return 0;
}

/* Never returns. */
static void
execute(int fd, const struct tree_command *command)
{
	int error;

	if (command->closes_fds)
		fd_close_on_exec_from(STDERR_FILENO + 1);
	reset_signals();
	if (command->envp != NULL)
		execvpe(command->argv[0], command->argv, command->envp);
	else
		execvp(command->argv[0], command->argv);
	error = errno;
	tree_note_send(fd, TREE_FAILED, error, 0);
	_exit(error == ENOENT || error == ENOTDIR ? EXITCODE_NOTFOUND
						  : EXITCODE_NOTEXECUTABLE);
}

/*
 * Its /proc shows its own processes; all else that is mounted, now or later,
 * stays common.
 */
static int
show_own_processes(void)
{
	if (unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/proc", NULL, MS_PRIVATE, NULL) < 0 ||
	    mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC,
		NULL) < 0)
		return -errno;
	return 0;
}

void
tree_become(int fd, const struct tree_command *command, int keeper_fd)
{
	int rc = 0;

	setpgid(0, 0);
	/* Forgotten when what is executed gains privileges by that. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* It may have died before that. */
	if (child_ends_by(keeper_fd, 0))
		_exit(EXITCODE_WRAPPER);
	if (command->is_contained)
		rc = show_own_processes();
	if (rc == 0)
		rc = set_std(command->std);
	if (rc == 0 && command->cwd != NULL && chdir(command->cwd) < 0)
		rc = -errno;
	if (rc == 0)
		execute(fd, command);
	tree_note_send(fd, TREE_FAILED, -rc, 0);
	_exit(EXITCODE_WRAPPER);
}

/* ---- process 1 --------------------------------------------------------- */

/* Of what was left behind; all signals are blocked. */
RK_NORETURN static void
reap_for_ever(void)
{
	bool is_over = false;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGUSR1);
	for (;;) {
		int signo;
		pid_t pid;

		do
			pid = waitpid(-1, NULL, WNOHANG);
		while (pid > 0 || (pid < 0 && errno == EINTR));
		if (is_over && pid < 0)
			_exit(0);
		if (sigwait(&set, &signo) == 0 && signo == SIGUSR1)
			is_over = true;
	}
}

int
tree_contain(pid_t *reaper, int keeper_fd)
{
	/* The first child that comes now is process 1, the next is beside. */
	if (unshare(CLONE_NEWPID) < 0)
		return -errno;
	*reaper = fork();
	if (*reaper < 0)
		return -errno;
	if (*reaper > 0)
		return 0;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (child_ends_by(keeper_fd, 0))
		_exit(EXITCODE_WRAPPER);
	setpgid(0, 0);
	/* Nothing of ours is held open by one that may live longer. */
	for (int i = 0; i < 3; i++)
		(void)dup2(open("/dev/null", O_RDWR | O_CLOEXEC), i);
	(void)close_range(3, ~0U, 0);
	reap_for_ever();
}
