/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/durable.h"

#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

enum { FDS = 1024, PATH_BYTES = DURABLE_NAME_BYTES + 8 };

#define LOCK_NS (2 * CLOCK_S_NS)

/* ---- the file ---------------------------------------------------------- */

static void
put_path(const struct durable *durable, const char *suffix, char *path)
{
	int n = snprintf(path, PATH_BYTES, "%s%s", durable->name, suffix);

	ENSURE(n > 0 && n < PATH_BYTES);
}

long
durable_read(const struct durable *durable, void *bytes, size_t size)
{
	int fd = openat(
	    durable->dir_fd, durable->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, bytes, size);
	if (n < 0)
		n = -errno;
	fd_close(&fd);
	return n;
}

static int
write_new(const struct durable *durable, const char *path, const void *bytes,
    size_t len)
{
	int fd = openat(durable->dir_fd, path,
	    O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
	int rc;

	if (fd < 0)
		return -errno;
	rc = fd_write_full(fd, bytes, len, UINT64_MAX);
	if (rc == 0 && fsync(fd) < 0)
		rc = -errno;
	fd_close(&fd);
	return rc;
}

int
durable_write(const struct durable *durable, const void *bytes, size_t len)
{
	char path[PATH_BYTES];
	int rc;

	put_path(durable, ".new", path);
	rc = write_new(durable, path, bytes, len);
	if (rc < 0)
		return rc;
	if (renameat(durable->dir_fd, path, durable->dir_fd, durable->name) < 0)
		return -errno;
	return fsync(durable->dir_fd) < 0 ? -errno : 0;
}

/* ---- start ------------------------------------------------------------- */

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

static int
open_both(struct durable *durable, const char *folder)
{
	char path[PATH_BYTES];

	/* Its parents are the administrator's; a failure shows right below. */
	(void)mkdir(folder, 0750);
	durable->dir_fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (durable->dir_fd < 0)
		return -errno;
	put_path(durable, ".lock", path);
	durable->lock_fd = openat(durable->dir_fd, path,
	    O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (durable->lock_fd < 0)
		return -errno;
	return take_lock(durable->lock_fd) ? 0 : -EBUSY;
}

int
durable_open(struct durable *durable, const char *folder, const char *name,
    struct text *why)
{
	int rc;

	ENSURE(strlen(name) < DURABLE_NAME_BYTES);
	*durable = (struct durable){ .dir_fd = -1, .lock_fd = -1, .fd = -1 };
	memcpy(durable->name, name, strlen(name) + 1);
	rc = open_both(durable, folder);
	if (rc == 0)
		return 0;
	text_put(why, folder);
	text_put(why, ": ");
	text_put(why, rc == -EBUSY ? "another one uses it" : strerror(-rc));
	durable_close(durable);
	return rc;
}

/* ---- the writer -------------------------------------------------------- */

/* What was inherited would be held open after the parent's death. */
static void
close_others(const struct durable *durable, int fd)
{
	for (int i = STDERR_FILENO + 1; i < FDS; i++)
		if (i != fd && i != durable->dir_fd && i != durable->lock_fd)
			close(i);
}

/*
 * Lives until its parent closes the other end, not until somebody signals the
 * process group: the parent's last request must still be served.
 */
RK_NORETURN static void
be_writer(const struct durable *durable, int fd)
{
	static char bytes[DURABLE_BYTES];
	ssize_t n;

	signal(SIGTERM, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	close_others(durable, fd);
	(void)prctl(PR_SET_NAME, "durable-writer", 0, 0, 0);
	while ((n = recv(fd, bytes, sizeof bytes, 0)) > 0) {
		int rc = durable_write(durable, bytes, (size_t)n);

		if (send(fd, &rc, sizeof rc, MSG_NOSIGNAL) < 0)
			break;
	}
	_exit(0);
}

int
durable_start(struct durable *durable)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) < 0)
		return -errno;
	durable->writer = fork();
	if (durable->writer < 0) {
		int rc = -errno;

		fd_close(&ends[0]);
		fd_close(&ends[1]);
		return rc;
	}
	if (durable->writer == 0) {
		fd_close(&ends[0]);
		be_writer(durable, ends[1]);
	}
	fd_close(&ends[1]);
	durable->fd = ends[0];
	return fd_set_nonblock(durable->fd, true);
}

/* ---- requests ---------------------------------------------------------- */

int
durable_ask(struct durable *durable, const void *bytes, size_t len)
{
	ENSURE(len > 0 && len <= DURABLE_BYTES);
	return send(durable->fd, bytes, len, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int
durable_answer(struct durable *durable)
{
	int answer;
	ssize_t n = recv(durable->fd, &answer, sizeof answer, 0);

	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	if (n != sizeof answer)
		return -EPIPE; /* it died */
	return answer < 0 ? answer : 1;
}

void
durable_close(struct durable *durable)
{
	fd_close(&durable->fd);
	if (durable->writer > 0)
		(void)waitpid(durable->writer, NULL, 0);
	durable->writer = 0;
	fd_close(&durable->lock_fd);
	fd_close(&durable->dir_fd);
}
