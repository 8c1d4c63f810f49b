/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_spawn.h"

#include <sys/prctl.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"

#include "bin/ringkit/ringkit_process.h"

enum { ARGS_MAX = 8, ARG_BYTES = 4200 };

struct command_line {
	char bytes[ARGS_MAX][ARG_BYTES];
	char *argv[ARGS_MAX + 1];
	int count;
};

static void
add(struct command_line *line, const char *option, const char *value)
{
	if (value == NULL)
		return;
	snprintf(line->bytes[line->count], ARG_BYTES, "%s%s", option, value);
	line->argv[line->count] = line->bytes[line->count];
	line->count++;
}

/* In the child; never returns. */
static void
become(const struct ringkit_plan *plan, const char *path, int ready_fd)
{
	static struct command_line line;
	char number[16];
	sigset_t none;
	int log_fd = open(plan->log,
	    O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY, 0640);
	int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (plan->dies_with_us)
		prctl(PR_SET_PDEATHSIG, SIGTERM);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (log_fd < 0 || null_fd < 0 || dup2(null_fd, STDIN_FILENO) < 0 ||
	    dup2(log_fd, STDOUT_FILENO) < 0 || dup2(log_fd, STDERR_FILENO) < 0)
		_exit(EXITCODE_CANTCREATE);
	/* Whoever waits for our caller's pipes must not wait for a daemon. */
	fd_close_on_exec_from(STDERR_FILENO + 1);
	if (fd_set_cloexec(ready_fd, false) < 0)
		_exit(EXITCODE_OS);
	snprintf(number, sizeof number, "%d", ready_fd);
	add(&line, "", plan->program);
	add(&line, "--config=", plan->config);
	add(&line, "--rundir=", plan->rundir);
	add(&line, "--statedir=", plan->statedir);
	add(&line, "--node=", plan->node);
	add(&line, "--ready-fd=", number);
	execv(path, line.argv);
	dprintf(STDERR_FILENO, "%s: %s\n", path, strerror(errno));
	_exit(EXITCODE_NOTFOUND);
}

pid_t
ringkit_spawn(const struct ringkit_plan *plan, const char *path, int ready_fd)
{
	pid_t pid = fork();

	if (pid == 0)
		become(plan, path, ready_fd);
	return pid;
}
