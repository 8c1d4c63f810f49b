/* SPDX-License-Identifier: BSD-3-Clause */
/* A pid file holds the pid and the time at which that process began (field
 * 22 of /proc/PID/stat); only both together name a process.
 */
#include "bin/ringkit/ringkit_pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/base/parse.h"
#include "libcommon/os/child.h"
#include "libcommon/os/fd.h"

#include "bin/ringkit/ringkit_find.h"

enum { STAT_BYTES = 1024 };

/* When the process began, in clock ticks since boot; 0: there is none. */
static uint64_t
started_at(pid_t pid)
{
	char path[64], bytes[STAT_BYTES];
	long len;
	const char *at;
	uint64_t ticks = 0;

	snprintf(path, sizeof path, "/proc/%ld/stat", (long)pid);
	len = fd_read_file(path, bytes, sizeof bytes - 1);
	if (len <= 0)
		return 0;
	bytes[len] = '\0';
	/* Its name may hold anything, a bracket too; the last one ends it. */
	at = strrchr(bytes, ')');
	for (int field = 2; at != NULL && field < 22; field++)
		at = strchr(at + 1, ' ');
	if (at == NULL ||
	    parse_u64(at + 1, strcspn(at + 1, " "), 1, UINT64_MAX, &ticks) != 0)
		return 0;
	return ticks;
}

static int
pid_path(char out[RINGKIT_PATH_BYTES], const char *rundir, const char *program)
{
	int n = snprintf(out, RINGKIT_PATH_BYTES, "%s/%s.pid", rundir, program);

	return n < RINGKIT_PATH_BYTES ? 0 : -ENAMETOOLONG;
}

int
ringkit_pidfile_write(const char *rundir, const char *program, pid_t pid)
{
	char path[RINGKIT_PATH_BYTES], line[64];
	int rc = pid_path(path, rundir, program), fd;
	int n = snprintf(line, sizeof line, "%ld %llu\n", (long)pid,
	    (unsigned long long)started_at(pid));

	if (rc < 0)
		return rc;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, line, (size_t)n, UINT64_MAX);
	fd_close(&fd);
	return rc;
}

static bool
read_pid(const char *path, pid_t *pid, uint64_t *ticks)
{
	char bytes[64];
	long len = fd_read_file(path, bytes, sizeof bytes);
	const char *blank;
	uint64_t number;

	if (len <= 1 || bytes[len - 1] != '\n')
		return false;
	blank = memchr(bytes, ' ', (size_t)len);
	if (blank == NULL ||
	    parse_u64(bytes, (size_t)(blank - bytes), 2, INT32_MAX, &number) !=
		0 ||
	    parse_u64(blank + 1, (size_t)(bytes + len - blank) - 2, 1,
		UINT64_MAX, ticks) != 0)
		return false;
	*pid = (pid_t)number;
	return true;
}

int
ringkit_pidfile_open(const char *rundir, const char *program)
{
	char path[RINGKIT_PATH_BYTES];
	uint64_t ticks = 0;
	pid_t pid = 0;
	int fd;

	if (pid_path(path, rundir, program) < 0 ||
	    !read_pid(path, &pid, &ticks))
		return -ENOENT;
	fd = child_open(pid);
	if (fd < 0)
		return fd;
	/*
	 * Looked at after the descriptor: the number is now held.  One that
	 * ended and was not reaped does not run, either.
	 */
	if (started_at(pid) != ticks || child_ends_by(fd, 0)) {
		fd_close(&fd);
		return -ENOENT;
	}
	return fd;
}
