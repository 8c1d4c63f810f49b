/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/child.h"

#include <sys/syscall.h>

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "libcommon/os/fd.h"

int
child_open(pid_t pid)
{
	int fd = (int)syscall(SYS_pidfd_open, pid, 0);

	if (fd >= 0)
		return fd;
	return errno == ESRCH ? -ENOENT : -errno;
}

int
child_signal(int pidfd, int signo)
{
	if (syscall(SYS_pidfd_send_signal, pidfd, signo, NULL, 0) == 0 ||
	    errno == ESRCH)
		return 0;
	return -errno;
}

bool
child_ends_by(int pidfd, uint64_t deadline_ns)
{
	return fd_wait(pidfd, POLLIN, deadline_ns) > 0;
}
