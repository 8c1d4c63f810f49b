/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_lock.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

/* As long as a slow disk may take for what a writer still had. */
#define LOCK_NS (10 * CLOCK_S_NS)

static bool
take_lock(int fd)
{
	const struct timespec pause = { .tv_nsec = 10 * (long)CLOCK_MS_NS };
	const uint64_t deadline_ns = clock_now_ns() + LOCK_NS;

	while (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		if (clock_now_ns() >= deadline_ns)
			return false;
		nanosleep(&pause, NULL);
	}
	return true;
}

int
cfgstored_lock_folder(const char *statedir, int *folder_fd, int *lock_fd)
{
	int parent, rc;

	/* Its parents are the administrator's; a failure shows right below. */
	(void)mkdir(statedir, 0750);
	parent = open(statedir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (parent < 0)
		return -errno;
	(void)mkdirat(parent, "cfg", 0750);
	*folder_fd = openat(parent, "cfg", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	rc = *folder_fd < 0 || fsync(parent) < 0 ? -errno : 0;
	fd_close(&parent);
	if (rc < 0)
		return rc;
	*lock_fd = openat(*folder_fd, "lock",
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (*lock_fd < 0)
		return -errno;
	return take_lock(*lock_fd) ? 0 : -EBUSY;
}
