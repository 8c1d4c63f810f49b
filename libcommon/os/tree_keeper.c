/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper: adopts, waits, and ends.
 *
 * It is told to stop by a note, by the end of file that our death is, or by
 * a signal (a service manager ends all processes of a service).  It has no
 * other descriptors, so that it holds nothing open that is ours.
 */
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tree_internal.h"

/* Between two rounds of KILL: longer and longer, for what cannot die. */
#define ROUND_MIN_NS (10 * CLOCK_MS_NS)
#define ROUND_MAX_NS (1 * CLOCK_S_NS)

struct keeper {
	int fd;        /* to the one who started us; -1: it is gone */
	int signal_fd; /* all signals */
	pid_t pid;     /* of the command; 0: it was reaped */
	uint64_t grace_ns;
	uint64_t kill_ns; /* UINT64_MAX: nobody wants an end */
	uint64_t round_ns;
	bool is_left; /* nobody cares any more */
};

/* ---- the command ------------------------------------------------------- */

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

/* Never returns. */
static void
become(int fd, const struct tree_command *command, pid_t keeper)
{
	int rc;

	setpgid(0, 0);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != keeper)
		_exit(EXITCODE_WRAPPER);
	rc = set_std(command->std);
	if (rc == 0 && command->cwd != NULL && chdir(command->cwd) < 0)
		rc = -errno;
	if (rc == 0)
		execute(fd, command);
	tree_note_send(fd, TREE_FAILED, -rc, 0);
	_exit(EXITCODE_WRAPPER);
}

/* ---- the keeper -------------------------------------------------------- */

static void
stop(struct keeper *keeper, uint64_t grace_ns)
{
	bool is_first = keeper->kill_ns == UINT64_MAX;
	uint64_t now_ns = clock_now_ns();

	grace_ns = num_min(grace_ns, UINT64_MAX - 1 - now_ns);
	keeper->kill_ns = num_min(keeper->kill_ns, now_ns + grace_ns);
	if (is_first && grace_ns > 0) {
		tree_signal_below(SIGTERM);
		tree_signal_below(SIGCONT);
	}
}

/* Takes in who ended; false: nobody is left. */
static bool
reap_all(struct keeper *keeper)
{
	for (;;) {
		int status;
		pid_t pid = waitpid(-1, &status, WNOHANG);

		if (pid == 0)
			return true;
		if (pid < 0 && errno == EINTR)
			continue;
		if (pid < 0)
			return false;
		if (pid != keeper->pid)
			continue;
		keeper->pid = 0;
		if (keeper->is_left)
			return false;
		if (keeper->fd >= 0)
			tree_note_send(keeper->fd, TREE_OVER, status, 0);
	}
}

static void
take_signals(struct keeper *keeper)
{
	struct signalfd_siginfo info;

	while (read(keeper->signal_fd, &info, sizeof info) == sizeof info)
		if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT ||
		    info.ssi_signo == SIGHUP || info.ssi_signo == SIGQUIT)
			stop(keeper, keeper->grace_ns);
}

/* The command would die with us: we stay as long as it runs. */
static void
leave(struct keeper *keeper)
{
	if (keeper->pid == 0)
		_exit(0);
	fd_close(&keeper->fd);
	keeper->is_left = true;
}

static void
take_notes(struct keeper *keeper)
{
	struct tree_note note;
	ssize_t n = 1;

	while (keeper->fd >= 0) {
		n = recv(keeper->fd, &note, sizeof note, MSG_DONTWAIT);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n == sizeof note && note.kind == TREE_LEAVE) {
			leave(keeper);
			return;
		}
		if (n == sizeof note && note.kind == TREE_STOP)
			stop(keeper, note.ns);
		if (n == sizeof note)
			continue;
		fd_close(&keeper->fd);
		stop(keeper, keeper->grace_ns);
	}
}

static int
wait_ms(const struct keeper *keeper)
{
	uint64_t now_ns = clock_now_ns(), left_ns;

	if (keeper->kill_ns == UINT64_MAX)
		return -1;
	left_ns = keeper->kill_ns > now_ns ? keeper->kill_ns - now_ns
					   : keeper->round_ns;
	left_ns = num_min(left_ns, 60 * CLOCK_S_NS);
	return (int)((left_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
}

static void
turn(struct keeper *keeper)
{
	struct pollfd fds[2] = {
		{ keeper->fd, POLLIN, 0 },
		{ keeper->signal_fd, POLLIN, 0 },
	};

	if (clock_now_ns() >= keeper->kill_ns) {
		if (keeper->pid > 0)
			kill(-keeper->pid, SIGKILL);
		tree_signal_below(SIGKILL);
		keeper->round_ns = num_min(2 * keeper->round_ns, ROUND_MAX_NS);
	}
	(void)poll(fds, 2, wait_ms(keeper));
	take_signals(keeper);
	take_notes(keeper);
}

/* Of the descriptors we were born with, only two are ours. */
static void
let_go(const struct keeper *keeper)
{
	unsigned low = (unsigned)num_min(
	    (uint64_t)keeper->fd, (uint64_t)keeper->signal_fd);
	unsigned high = (unsigned)num_max(
	    (uint64_t)keeper->fd, (uint64_t)keeper->signal_fd);
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	for (int i = 0; i < 3; i++)
		if (null >= 0)
			(void)dup2(null, i);
	if (low > 3)
		(void)close_range(3, low - 1, 0);
	if (high > low + 1)
		(void)close_range(low + 1, high - 1, 0);
	(void)close_range(high + 1, ~0U, 0);
}

void
tree_keep(int fd, const struct tree_command *command)
{
	struct keeper keeper = {
		.fd = fd, .grace_ns = command->grace_ns, .kill_ns = UINT64_MAX
	};
	pid_t self = getpid();
	sigset_t all;

	/* Blocked before anybody can signal the group we make. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* One who ignores it has no children to wait for. */
	(void)signal(SIGCHLD, SIG_DFL);
	setpgid(0, 0);
	keeper.signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	if (keeper.signal_fd >= 0 && prctl(PR_SET_CHILD_SUBREAPER, 1) == 0)
		keeper.pid = fork();
	else
		keeper.pid = -1;
	if (keeper.pid == 0)
		become(fd, command, self);
	if (keeper.pid < 0) {
		tree_note_send(fd, TREE_FAILED, errno, 0);
		_exit(EXITCODE_WRAPPER);
	}
	setpgid(keeper.pid, keeper.pid);
	tree_note_send(fd, TREE_STARTED, (int)keeper.pid, 0);
	let_go(&keeper);
	while (reap_all(&keeper))
		turn(&keeper);
	if (keeper.fd >= 0)
		tree_note_send(keeper.fd, TREE_NOTHING, 0, 0);
	_exit(0);
}
