/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_child.h"

#include <sys/prctl.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/exitcode.h"
#include "libcommon/os/tool.h"

static void
our_signals(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGCHLD);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGHUP);
	sigaddset(set, SIGQUIT);
}

void
ringkit_child_prepare(void)
{
	sigset_t set;

	our_signals(&set);
	sigprocmask(SIG_BLOCK, &set, NULL);
	/* Ignored, its children could not be waited for. */
	signal(SIGCHLD, SIG_DFL);
}

/* Never returns. */
static void
become(char *const *argv)
{
	sigset_t none;

	prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	execvp(argv[0], argv);
	tool_warn("%s: %s", argv[0], strerror(errno));
	_exit(errno == ENOENT ? EXITCODE_NOTFOUND : EXITCODE_NOTEXECUTABLE);
}

/* pid ended: its code is in *code.  All others that ended are reaped. */
static bool
reap(pid_t pid, int *code)
{
	bool is_over = false;
	pid_t ended;
	int status;

	while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
		if (ended != pid)
			continue;
		is_over = true;
		*code = WIFSIGNALED(status) ? 128 + WTERMSIG(status)
					    : WEXITSTATUS(status);
	}
	return is_over;
}

int
ringkit_child_run(char *const *argv)
{
	int code = EXITCODE_WRAPPER;
	sigset_t set;
	pid_t pid = fork();

	if (pid < 0) {
		tool_warn("fork: %s", strerror(errno));
		return code;
	}
	if (pid == 0)
		become(argv);
	our_signals(&set);
	while (!reap(pid, &code)) {
		siginfo_t info;
		int signo = sigwaitinfo(&set, &info);

		/* The terminal has told the whole group already. */
		if (signo > 0 && signo != SIGCHLD && info.si_code <= 0)
			kill(pid, signo);
	}
	return code;
}
