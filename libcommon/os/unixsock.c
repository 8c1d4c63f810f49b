/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/os/unixsock.h"

#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

enum { BACKLOG = 64 };

/* As long as it may take until one who was killed is gone. */
#define LINGER_NS (2 * CLOCK_S_NS)

/* The first descriptor that a service manager passes. */
enum { LISTEN_FDS_START = 3 };

/*
 * A sun_path has 108 bytes.  A longer path is reached through its folder:
 * *dir_fd is then open and must outlive the use of addr.
 */
static int
make_addr(const char *path, struct sockaddr_un *addr, int *dir_fd)
{
	char dir[UNIXSOCK_PATH_BYTES];
	const char *slash = strrchr(path, '/');
	int n;

	*dir_fd = -1;
	*addr = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (strlen(path) < sizeof addr->sun_path) {
		memcpy(addr->sun_path, path, strlen(path) + 1);
		return 0;
	}
	if (slash == NULL || (size_t)(slash - path) >= sizeof dir)
		return -ENAMETOOLONG;
	memcpy(dir, path, (size_t)(slash - path));
	dir[slash - path] = '\0';
	*dir_fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (*dir_fd < 0)
		return -errno;
	n = snprintf(addr->sun_path, sizeof addr->sun_path,
	    "/proc/self/fd/%d%s", *dir_fd, slash);
	return n < (int)sizeof addr->sun_path ? 0 : -ENAMETOOLONG;
}

typedef int addr_fn(int, const struct sockaddr *, socklen_t);

/* bind or connect, with a path of any length. */
static int
with_addr(addr_fn *fn, int fd, const char *path)
{
	struct sockaddr_un addr;
	int dir_fd;
	int rc = make_addr(path, &addr, &dir_fd);

	if (rc == 0 && fn(fd, (const struct sockaddr *)&addr, sizeof addr) < 0)
		rc = -errno;
	fd_close(&dir_fd);
	return rc;
}

/* One attempt: a connected descriptor or -E…. */
static int
try_connect(const char *path)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int rc;

	if (fd < 0)
		return -errno;
	rc = with_addr(connect, fd, path);
	if (rc == 0)
		return fd;
	fd_close(&fd);
	return rc;
}

int
unixsock_connect(const char *path, uint64_t deadline_ns)
{
	for (;;) {
		struct timespec pause = { .tv_nsec = 2 * (long)CLOCK_MS_NS };
		int fd = try_connect(path);

		if (fd != -EAGAIN && fd != -EINTR)
			return fd;
		if (clock_now_ns() >= deadline_ns)
			return -ETIMEDOUT;
		/* Linux has no event for "the backlog has room again". */
		nanosleep(&pause, NULL);
	}
}

/* Somebody answers there, or may be about to: -EADDRINUSE. */
static int
refuse_if_live(const char *path)
{
	int fd = try_connect(path);

	if (fd >= 0) {
		fd_close(&fd);
		return -EADDRINUSE;
	}
	if (fd == -ECONNREFUSED || fd == -ENOENT)
		return 0;
	return fd == -EAGAIN ? -EADDRINUSE : fd;
}

static int
open_lock(struct unixsock *sock)
{
	char path[UNIXSOCK_PATH_BYTES + 8];

	snprintf(path, sizeof path, "%s.lock", sock->path);
	sock->lock_fd =
	    open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	return sock->lock_fd < 0 ? -errno : 0;
}

static int
take_name(struct unixsock *sock)
{
	if (flock(sock->lock_fd, LOCK_EX | LOCK_NB) == 0)
		return refuse_if_live(sock->path);
	return errno == EWOULDBLOCK ? -EADDRINUSE : -errno;
}

/*
 * Who was killed keeps what it had until its memory is taken down, and so does
 * a child that it had just made: that is waited for.
 */
static int
take_lock(struct unixsock *sock)
{
	const struct timespec pause = { .tv_nsec = 10 * (long)CLOCK_MS_NS };
	const uint64_t deadline_ns = clock_now_ns() + LINGER_NS;
	int rc = open_lock(sock);

	if (rc < 0)
		return rc;
	/* Linux has no event for "the lock is free" that ends in time. */
	while ((rc = take_name(sock)) == -EADDRINUSE &&
	    clock_now_ns() < deadline_ns)
		nanosleep(&pause, NULL);
	return rc;
}

/* Best effort: without the group, the owner alone can open the socket. */
static void
give_to_group(const char *path, const char *group_name)
{
	struct group *group = group_name != NULL ? getgrnam(group_name) : NULL;

	if (group != NULL && chown(path, (uid_t)-1, group->gr_gid) < 0)
		return;
}

/* Binds under a private name, sets its rights, then gives it the real one. */
static int
bind_and_name(struct unixsock *sock, mode_t mode, const char *group_name)
{
	char new_path[UNIXSOCK_PATH_BYTES + 8];
	mode_t old_mask;
	int rc;

	snprintf(new_path, sizeof new_path, "%s.new", sock->path);
	if (unlink(new_path) < 0 && errno != ENOENT)
		return -errno;
	old_mask = umask(0177);
	rc = with_addr(bind, sock->fd, new_path);
	umask(old_mask);
	if (rc < 0)
		return rc;
	give_to_group(new_path, group_name);
	if (chmod(new_path, mode) < 0 || listen(sock->fd, BACKLOG) < 0 ||
	    rename(new_path, sock->path) < 0) {
		rc = -errno;
		unlink(new_path);
	}
	return rc;
}

static int
listen_locked(struct unixsock *sock, mode_t mode, const char *group_name)
{
	int rc = take_lock(sock);

	if (rc < 0)
		return rc;
	sock->fd =
	    socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (sock->fd < 0)
		return -errno;
	return bind_and_name(sock, mode, group_name);
}

int
unixsock_listen(struct unixsock *sock, const char *path, mode_t mode,
    const char *group_name)
{
	int rc;

	*sock = (struct unixsock){ .fd = -1, .lock_fd = -1 };
	if (strlen(path) >= sizeof sock->path)
		return -ENAMETOOLONG;
	memcpy(sock->path, path, strlen(path) + 1);
	rc = listen_locked(sock, mode, group_name);
	if (rc < 0) {
		/* The name is not ours: leave it alone. */
		fd_close(&sock->fd);
		fd_close(&sock->lock_fd);
	}
	return rc;
}

/* The place of name in a list joined by colons, or -1. */
static int
find_name(const char *list, const char *name)
{
	size_t len = strlen(name);

	for (int i = 0;; i++) {
		size_t n = strcspn(list, ":");

		if (n == len && memcmp(list, name, n) == 0)
			return i;
		if (list[n] == '\0')
			return -1;
		list += n + 1;
	}
}

/* The number that an environment variable holds, or -1. */
static long
env_number(const char *key)
{
	const char *value = getenv(key);
	char *end;
	long number;

	if (value == NULL || *value == '\0')
		return -1;
	number = strtol(value, &end, 10);
	return *end == '\0' ? number : -1;
}

int
unixsock_inherit(struct unixsock *sock, const char *name)
{
	long count = env_number("LISTEN_FDS");
	const char *names = getenv("LISTEN_FDNAMES");
	int place = names != NULL ? find_name(names, name) : -1;

	*sock = (struct unixsock){ .fd = -1, .lock_fd = -1 };
	if (env_number("LISTEN_PID") != (long)getpid() || count < 1)
		return -ENOENT;
	if (place < 0 && count == 1)
		place = 0;
	if (place < 0 || place >= count)
		return -ENOENT;
	sock->fd = LISTEN_FDS_START + place;
	sock->is_inherited = true;
	if (fd_set_cloexec(sock->fd, true) < 0 ||
	    fd_set_nonblock(sock->fd, true) < 0) {
		sock->fd = -1;
		return -ENOENT;
	}
	return 0;
}

void
unixsock_close(struct unixsock *sock)
{
	if (sock->fd >= 0 && !sock->is_inherited)
		unlink(sock->path);
	fd_close(&sock->fd);
	fd_close(&sock->lock_fd);
}

int
unixsock_accept(int listen_fd)
{
	int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	return fd < 0 ? -errno : fd;
}

int
unixsock_peer(int fd, struct unixsock_peer *out)
{
	struct ucred cred;
	socklen_t len = sizeof cred;

	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
		return -errno;
	*out = (struct unixsock_peer){
		.pid = cred.pid, .uid = cred.uid, .gid = cred.gid
	};
	len = sizeof out->groups;
	/* ERANGE: more groups than we look at.  Then none of them counts. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, out->groups, &len) == 0)
		out->group_count = (uint32_t)(len / sizeof out->groups[0]);
	return 0;
}

bool
unixsock_peer_has_group(const struct unixsock_peer *peer, gid_t gid)
{
	if (peer->gid == gid)
		return true;
	for (uint32_t i = 0; i < peer->group_count; i++)
		if (peer->groups[i] == gid)
			return true;
	return false;
}
