/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/tool.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/fd.h"
#include "libcommon/os/opt.h"

enum { LINE_BYTES = 1024 };

static const char *tool_name = "ringkit";

void
tool_start(const char *program)
{
	tool_name = program;
	/* Opens the lowest free number: 0, 1 or 2 as long as one is free. */
	for (;;) {
		int fd = open("/dev/null", O_RDONLY);

		if (fd < 0)
			break;
		if (fd > STDERR_FILENO) {
			fd_close(&fd);
			break;
		}
	}
	signal(SIGPIPE, SIG_DFL);
}

/* One write, so that lines of several programs do not mix. */
static void RK_PRINTF(1, 0) say(const char *format, va_list args)
{
	char line[LINE_BYTES];
	size_t len, room = sizeof line - 1;
	int n = snprintf(line, room, "%s: ", tool_name);

	len = n > 0 ? (size_t)n : 0;
	n = vsnprintf(line + len, room - len, format, args);
	len += n > 0 ? (size_t)n : 0;
	if (len >= room)
		len = room - 1;
	line[len++] = '\n';
	/* There is nowhere left to complain. */
	(void)!write(STDERR_FILENO, line, len);
}

void
tool_warn(const char *format, ...)
{
	va_list args;

	if (opt_verbosity() < 0)
		return;
	va_start(args, format);
	say(format, args);
	va_end(args);
}

void
tool_say(const char *format, ...)
{
	va_list args;

	if (opt_verbosity() < 1)
		return;
	va_start(args, format);
	say(format, args);
	va_end(args);
}

void
tool_fail(enum exitcode code, const char *format, ...)
{
	va_list args;

	if (opt_verbosity() >= 0 || code == EXITCODE_USAGE) {
		va_start(args, format);
		say(format, args);
		va_end(args);
	}
	exit((int)code);
}

void
tool_fail_output(int rc)
{
	if (rc == -EPIPE)
		exit(TOOL_EXIT_PIPE);
	if (rc == -ETIMEDOUT)
		tool_fail(EXITCODE_TIMEOUT, "standard output: timed out");
	if (rc == -ENOMEM)
		tool_fail(EXITCODE_OS, "out of memory");
	tool_fail(EXITCODE_IO, "standard output: %s", strerror(-rc));
}

int
tool_opt_exit(int rc)
{
	if (rc != OPT_DONE)
		return EXITCODE_USAGE;
	if (fflush(stdout) != 0)
		tool_fail_output(-errno);
	return EXITCODE_OK;
}
