/* SPDX-License-Identifier: BSD-3-Clause */
/* The keeper: adopts, waits, and ends.
 *
 * It is told to stop by a note, by the end of file that our death is, by a
 * signal (a service manager ends all processes of a service), or by time.  It
 * has no other descriptors, so that it holds nothing open that is ours.  Its
 * clock goes on while the machine sleeps.
 */
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/child.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tree_below.h"
#include "libcommon/os/tree_internal.h"
#include "libcommon/os/vital.h"

/* Between two rounds of KILL: longer and longer, for what cannot die. */
#define ROUND_MIN_NS (10 * CLOCK_MS_NS)
#define ROUND_MAX_NS (1 * CLOCK_S_NS)

struct keeper {
	int fd;        /* to the one who started us; -1: it is gone */
	int signal_fd; /* all signals */
	int timer_fd;
	pid_t pid;    /* of the command; 0: it was reaped */
	pid_t reaper; /* process 1 of a contained command; 0: none */
	uint64_t grace_ns;
	/* UINT64_MAX: nobody wants an end. */
	uint64_t until_ns;      /* then it has to stop */
	uint64_t until_kill_ns; /* and then to be gone, whatever else is said */
	uint64_t kill_ns;       /* it was told to stop: gone by then */
	uint64_t round_ns;
	uint64_t next_ns; /* of the next round */
	bool is_left;     /* nobody cares any more */
	bool is_strange;  /* the root is no child of ours: */
	struct tree_strangers strangers;
};

/* ---- ending ------------------------------------------------------------ */

static bool
is_stopping(const struct keeper *keeper)
{
	return keeper->kill_ns != UINT64_MAX;
}

static uint64_t
kill_time(const struct keeper *keeper)
{
	return num_min(keeper->kill_ns, keeper->until_kill_ns);
}

static void
signal_all(struct keeper *keeper, int signo)
{
	tree_signal_below(signo);
	if (keeper->is_strange)
		tree_strangers_signal(&keeper->strangers, signo);
}

static void
stop(struct keeper *keeper, uint64_t grace_ns)
{
	bool is_first = !is_stopping(keeper);
	uint64_t now_ns = clock_boot_ns();

	grace_ns = num_min(grace_ns, UINT64_MAX - 1 - now_ns);
	keeper->kill_ns = num_min(keeper->kill_ns, now_ns + grace_ns);
	if (!is_first)
		return;
	if (keeper->fd >= 0)
		tree_note_send(keeper->fd, TREE_STOPPING, 0, 0);
	if (grace_ns == 0)
		return;
	signal_all(keeper, SIGTERM);
	signal_all(keeper, SIGCONT);
}

static void
kill_all(struct keeper *keeper, uint64_t now_ns)
{
	if (keeper->pid > 0)
		kill(-keeper->pid, SIGKILL);
	signal_all(keeper, SIGKILL);
	keeper->round_ns = num_min(2 * keeper->round_ns, ROUND_MAX_NS);
	keeper->next_ns = now_ns + keeper->round_ns;
}

static void
look_at_time(struct keeper *keeper)
{
	uint64_t now_ns = clock_boot_ns();

	if (now_ns >= kill_time(keeper)) {
		if (!is_stopping(keeper))
			stop(keeper, 0);
		kill_all(keeper, now_ns);
	} else if (now_ns >= keeper->until_ns && !is_stopping(keeper)) {
		stop(keeper, keeper->grace_ns);
	}
}

/* ---- who ended --------------------------------------------------------- */

static void
tell_end(struct keeper *keeper, int status)
{
	if (keeper->fd >= 0)
		tree_note_send(keeper->fd, TREE_OVER, status, 0);
	/* What it started on its way to the end has not heard of it. */
	if (is_stopping(keeper) && clock_boot_ns() < kill_time(keeper)) {
		signal_all(keeper, SIGTERM);
		signal_all(keeper, SIGCONT);
	}
	/* Process 1 may now go, too, when nobody else is left. */
	if (keeper->reaper > 0)
		kill(keeper->reaper, SIGUSR1);
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
		if (pid == keeper->reaper)
			keeper->reaper = 0;
		if (pid != keeper->pid)
			continue;
		keeper->pid = 0;
		if (keeper->is_left)
			return false;
		tell_end(keeper, status);
	}
}

static bool
is_anybody_left(struct keeper *keeper)
{
	bool had_root = keeper->strangers.root > 0, are_left;

	if (!keeper->is_strange)
		return reap_all(keeper);
	are_left = tree_strangers_are_left(&keeper->strangers);
	/* How it ended is its parent's to know. */
	if (had_root && keeper->strangers.root == 0)
		tell_end(
		    keeper, clock_boot_ns() >= kill_time(keeper) ? SIGKILL : 0);
	/* What it leaves behind, unless it was stopped, is nobody's. */
	return are_left && (keeper->strangers.root > 0 || is_stopping(keeper));
}

/* ---- what is said to it ------------------------------------------------ */

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
take_note(struct keeper *keeper, const struct tree_note *note)
{
	switch (note->kind) {
	case TREE_LEAVE:
		leave(keeper);
		break;
	case TREE_STOP:
		stop(keeper, note->ns);
		break;
	case TREE_UNTIL:
		keeper->until_ns = note->ns;
		keeper->until_kill_ns = note->kill_ns;
		break;
	case TREE_SIGNAL:
		if (keeper->pid > 0)
			kill(-keeper->pid, note->value);
		else if (keeper->strangers.root > 0)
			child_signal(keeper->strangers.root_fd, note->value);
		break;
	default:
		break;
	}
}

static void
take_notes(struct keeper *keeper)
{
	struct tree_note note;

	while (keeper->fd >= 0) {
		ssize_t n = recv(keeper->fd, &note, sizeof note, MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == EAGAIN)
			return;
		if (n == sizeof note) {
			take_note(keeper, &note);
			continue;
		}
		fd_close(&keeper->fd);
		stop(keeper, keeper->grace_ns);
	}
}

/* ---- life -------------------------------------------------------------- */

/* When there is something to do unless something happens. */
static void
set_timer(const struct keeper *keeper)
{
	struct itimerspec when = { 0 };
	uint64_t due_ns = num_max(kill_time(keeper), keeper->next_ns);

	if (!is_stopping(keeper))
		due_ns = num_min(due_ns, keeper->until_ns);
	if (due_ns != UINT64_MAX) {
		due_ns = num_max(due_ns, 1); /* 0 would mean never */
		when.it_value.tv_sec = (time_t)(due_ns / CLOCK_S_NS);
		when.it_value.tv_nsec = (long)(due_ns % CLOCK_S_NS);
	}
	(void)timerfd_settime(keeper->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* Whose end is to be noticed, and is not told by SIGCHLD. */
static int
stranger_fd(const struct tree_strangers *strangers)
{
	if (strangers->root > 0)
		return strangers->root_fd;
	return strangers->count > 0 ? strangers->below[0].fd : -1;
}

static void
turn(struct keeper *keeper)
{
	struct pollfd fds[4] = {
		{ keeper->fd, POLLIN, 0 },
		{ keeper->signal_fd, POLLIN, 0 },
		{ keeper->timer_fd, POLLIN, 0 },
		{ stranger_fd(&keeper->strangers), POLLIN, 0 },
	};

	set_timer(keeper);
	(void)poll(fds, 4, -1);
	/* Whoever was stopped first hears what was said meanwhile. */
	take_signals(keeper);
	take_notes(keeper);
	look_at_time(keeper);
}

static int
compare_fds(const void *a, const void *b)
{
	const int *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Of the descriptors we were born with, only these are ours. */
static void
let_go(const struct keeper *keeper)
{
	int kept[] = { keeper->fd, keeper->signal_fd, keeper->timer_fd,
		keeper->is_strange ? keeper->strangers.root_fd : 2 };
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int first = 3;

	for (int i = 0; i < 3; i++)
		if (null >= 0)
			(void)dup2(null, i);
	qsort(kept, ARRAY_COUNT(kept), sizeof *kept, compare_fds);
	for (size_t i = 0; i < ARRAY_COUNT(kept); i++) {
		if (kept[i] > first)
			(void)close_range(
			    (unsigned)first, (unsigned)kept[i] - 1, 0);
		first =
		    kept[i] > first ? kept[i] + 1 : first + (kept[i] == first);
	}
	(void)close_range((unsigned)first, ~0U, 0);
}

/* Opens what it lives with: 0 or -E…. */
static int
open_all(struct keeper *keeper)
{
	sigset_t all;

	sigfillset(&all);
	keeper->signal_fd = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	keeper->timer_fd =
	    timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (keeper->signal_fd < 0 || keeper->timer_fd < 0 ||
	    prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	return 0;
}

/* 0 or -E…; the child does not return. */
static int
start_command(struct keeper *keeper, const struct tree_command *command)
{
	int self_fd = child_open(getpid()), rc = 0;

	if (self_fd < 0)
		return self_fd;
	if (command->is_contained)
		rc = tree_contain(&keeper->reaper, self_fd);
	if (rc != 0)
		return rc;
	keeper->pid = fork();
	if (keeper->pid < 0)
		return -errno;
	if (keeper->pid == 0)
		tree_become(keeper->fd, command, self_fd);
	setpgid(keeper->pid, keeper->pid);
	fd_close(&self_fd);
	tree_note_send(keeper->fd, TREE_STARTED, (int)keeper->pid, 0);
	return 0;
}

static uint64_t
or_never(uint64_t ns)
{
	return ns != 0 ? ns : UINT64_MAX;
}

void
tree_keep(int fd, const struct tree_command *command)
{
	static struct keeper keeper;
	sigset_t all;
	int rc;

	keeper = (struct keeper){ .fd = fd,
		.grace_ns = command->grace_ns,
		.until_ns = or_never(command->stop_ns),
		.until_kill_ns = or_never(command->kill_ns),
		.kill_ns = UINT64_MAX,
		.is_strange = command->stranger > 0,
		.strangers = { .root = command->stranger,
		    .root_fd = command->stranger_fd },
		.round_ns = ROUND_MIN_NS };
	/* Blocked before anybody can signal the group we make. */
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	/* One who ignores it has no children to wait for. */
	(void)signal(SIGCHLD, SIG_DFL);
	setpgid(0, 0);
	rc = open_all(&keeper);
	if (rc == 0 && command->stranger == 0)
		rc = start_command(&keeper, command);
	if (rc != 0) {
		tree_note_send(fd, TREE_FAILED, -rc, 0);
		_exit(EXITCODE_WRAPPER);
	}
	if (command->is_vital)
		vital_become();
	let_go(&keeper);
	while (is_anybody_left(&keeper))
		turn(&keeper);
	if (keeper.fd >= 0)
		tree_note_send(keeper.fd, TREE_NOTHING, 0, 0);
	_exit(0);
}
