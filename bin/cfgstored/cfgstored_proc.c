/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_proc.h"

#include <sys/prctl.h>

#include <signal.h>
#include <stdbool.h>
#include <unistd.h>

enum { FDS = 1024 };

static bool
is_kept(int fd, const int *keep, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (keep[i] == fd)
			return true;
	return false;
}

void
cfgstored_proc_become(const char *name, const int *keep, size_t count)
{
	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	for (int fd = STDERR_FILENO + 1; fd < FDS; fd++)
		if (!is_kept(fd, keep, count))
			close(fd);
	(void)prctl(PR_SET_NAME, name, 0, 0, 0);
}
