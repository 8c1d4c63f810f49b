/* SPDX-License-Identifier: BSD-3-Clause */
/* --for-pid: the holder runs behind the caller's back; in front of it somebody
 * waits until the lock is held, and passes on what ends the waiting.
 */
#include <sys/signalfd.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

#include "bin/ringlock/ringlock.h"

/* What ends us unless it is ignored: it is the holder's to answer. */
static int
open_signals(void)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_COUNT(signals); i++) {
		struct sigaction now;

		if (sigaction(signals[i], NULL, &now) == 0 &&
		    now.sa_handler != SIG_IGN)
			sigaddset(&set, signals[i]);
	}
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* What the holder reports; 70 when it ended without a word. */
static int
await_report(int fd, pid_t holder)
{
	struct pollfd fds[2] = { { fd, POLLIN, 0 },
		{ open_signals(), POLLIN, 0 } };
	struct signalfd_siginfo info;
	int code;

	do {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return EXITCODE_OS;
		if (read(fds[1].fd, &info, sizeof info) == sizeof info)
			kill(holder, (int)info.ssi_signo);
	} while (fds[0].revents == 0);
	return read(fd, &code, sizeof code) == sizeof code ? code
							   : EXITCODE_INTERNAL;
}

/* Of the caller's it holds nothing open but where to print and complain. */
static int
part(int report_fd)
{
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (null >= 0)
		(void)dup2(null, STDIN_FILENO);
	report_fd = dup3(report_fd, STDERR_FILENO + 1, O_CLOEXEC) >= 0
	    ? STDERR_FILENO + 1
	    : report_fd;
	if (report_fd == STDERR_FILENO + 1)
		(void)close_range(STDERR_FILENO + 2, ~0U, 0);
	return report_fd;
}

int
ringlock_hold_behind(const struct ringlock_options *options)
{
	sigset_t all;
	int ends[2], code;
	pid_t holder;

	if (pipe2(ends, O_CLOEXEC) < 0)
		tool_fail(EXITCODE_OS, "out of descriptors");
	/* None may come while nobody passes it on. */
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	holder = fork();
	if (holder < 0)
		tool_fail(EXITCODE_OS, "out of processes");
	if (holder == 0)
		_exit(ringlock_hold(options, part(ends[1])));
	fd_close(&ends[1]);
	code = await_report(ends[0], holder);
	if (code > 128)
		ringlock_die(code - 128);
	return code;
}
