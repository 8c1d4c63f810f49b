/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringlock/ringlock_signals.h"

#include <sys/signalfd.h>

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "libcommon/base/num.h"

static const int end_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
static const int other_signals[] = { SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH,
	SIGTSTP };

int
ringlock_signals_open(bool passes_on)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_COUNT(end_signals); i++) {
		struct sigaction now;

		if (sigaction(end_signals[i], NULL, &now) == 0 &&
		    now.sa_handler != SIG_IGN)
			sigaddset(&set, end_signals[i]);
	}
	for (size_t i = 0; passes_on && i < ARRAY_COUNT(other_signals); i++)
		sigaddset(&set, other_signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* One who ignores it has no children to wait for. */
	(void)signal(SIGCHLD, SIG_DFL);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return fd >= 0 ? fd : -errno;
}

int
ringlock_signals_next(int fd)
{
	struct signalfd_siginfo info;

	return read(fd, &info, sizeof info) == sizeof info ? (int)info.ssi_signo
							   : 0;
}

bool
ringlock_signals_is_end(int signo)
{
	for (size_t i = 0; i < ARRAY_COUNT(end_signals); i++)
		if (end_signals[i] == signo)
			return true;
	return false;
}

void
ringlock_signals_die(int signo)
{
	sigset_t set;

	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}
