/* SPDX-License-Identifier: BSD-3-Clause */
/* --for-pid: the holder runs behind the caller's back; in front of it somebody
 * waits until the lock is held, and passes on what ends the waiting.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <poll.h>
#include <signal.h>
#include <unistd.h>

#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

#include "bin/ringlock/ringlock.h"
#include "bin/ringlock/ringlock_signals.h"

/* What the holder reports; 70 when it ended without a word. */
static int
await_report(int fd, pid_t holder)
{
	struct pollfd fds[2] = { { fd, POLLIN, 0 },
		{ ringlock_signals_open(false), POLLIN, 0 } };
	int code, signo;

	do {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return EXITCODE_OS;
		signo = ringlock_signals_next(fds[1].fd);
		if (signo != 0)
			kill(holder, signo);
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
		ringlock_signals_die(code - 128);
	return code;
}
