/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/fd.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/close_range.h>
#include <poll.h>
#include <unistd.h>

#include "libcommon/os/clock.h"

/* Sets or clears one flag of the word that get reads and set writes. */
static int
change_flag(int fd, int get, int set, int flag, bool is_set)
{
	int flags = fcntl(fd, get);

	if (flags < 0)
		return -errno;
	flags = is_set ? flags | flag : flags & ~flag;
	return fcntl(fd, set, flags) < 0 ? -errno : 0;
}

int
fd_set_nonblock(int fd, bool is_nonblock)
{
	return change_flag(fd, F_GETFL, F_SETFL, O_NONBLOCK, is_nonblock);
}

int
fd_set_cloexec(int fd, bool is_cloexec)
{
	return change_flag(fd, F_GETFD, F_SETFD, FD_CLOEXEC, is_cloexec);
}

void
fd_close_on_exec_from(int first)
{
	(void)close_range((unsigned)first, ~0U, CLOSE_RANGE_CLOEXEC);
}

/* poll's timeout: rounded up, so that it does not wake before the time. */
static int
left_ms(uint64_t deadline_ns)
{
	uint64_t now_ns, ms;

	if (deadline_ns == UINT64_MAX)
		return -1;
	now_ns = clock_now_ns();
	if (deadline_ns <= now_ns)
		return 0;
	ms = (deadline_ns - now_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS;
	return ms > INT_MAX ? INT_MAX : (int)ms;
}

int
fd_wait(int fd, short events, uint64_t deadline_ns)
{
	struct pollfd pfd = { .fd = fd, .events = events };

	for (;;) {
		int n = poll(&pfd, 1, left_ms(deadline_ns));

		if (n > 0)
			return pfd.revents;
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n == 0 && clock_now_ns() >= deadline_ns)
			return 0;
	}
}

int
fd_write_full(int fd, const void *bytes, size_t len, uint64_t deadline_ns)
{
	const char *at = bytes;

	while (len > 0) {
		ssize_t n = write(fd, at, len);

		if (n >= 0) {
			at += n;
			len -= (size_t)n;
		} else if (errno == EAGAIN) {
			int rc = fd_wait(fd, POLLOUT, deadline_ns);

			if (rc < 0)
				return rc;
			if (rc == 0)
				return -ETIMEDOUT;
		} else if (errno != EINTR) {
			return -errno;
		}
	}
	return 0;
}

static long
read_all(int fd, char *bytes, size_t size)
{
	size_t len = 0;
	char more;

	while (len < size) {
		ssize_t n = read(fd, bytes + len, size - len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return (long)len;
		len += (size_t)n;
	}
	return read(fd, &more, 1) == 0 ? (long)len : -EFBIG;
}

long
fd_read_file(const char *path, void *bytes, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	long len;

	if (fd < 0)
		return -errno;
	len = read_all(fd, bytes, size);
	fd_close(&fd);
	return len;
}

void
fd_close(int *fd)
{
	if (*fd < 0)
		return;
	/* Not repeated on EINTR: Linux has freed the number by then. */
	close(*fd);
	*fd = -1;
}
