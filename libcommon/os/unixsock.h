/* SPDX-License-Identifier: BSD-3-Clause */
/* UNIX stream sockets: listening without stealing, connecting, who is there. */
#ifndef RK_UNIXSOCK_H
#define RK_UNIXSOCK_H

#include <sys/types.h>

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"

enum {
	UNIXSOCK_GROUPS = 64,       /* of a peer; more are not looked at */
	UNIXSOCK_PATH_BYTES = 4096, /* with the NUL */
};

/* A listening socket, the lock that guards its name, and that name. */
struct unixsock {
	int fd;
	int lock_fd;       /* -1: the socket was inherited */
	bool is_inherited; /* by LISTEN_FDS: its name is not ours to remove */
	char path[UNIXSOCK_PATH_BYTES];
};

/*
 * Listens at path, non-blocking, with that mode, and with that group when
 * group_name is not NULL and such a group exists and may be given.
 *
 * A socket that somebody listens on is never taken away: -EADDRINUSE, after
 * waiting 2 s for one who is dying.  One that a dead process left is replaced.
 * The name appears in one step, with its mode; PATH.lock stays behind, so that
 * two starting daemons exclude each other.  sock is valid for unixsock_close
 * whatever is answered.
 */
RK_MUST_CHECK int unixsock_listen(struct unixsock *sock, const char *path,
    mode_t mode, const char *group_name);

/*
 * Takes the descriptor that a service manager passed under this name
 * (LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES; a single one needs no name):
 * 0, or -ENOENT when there is none.
 */
RK_MUST_CHECK int unixsock_inherit(struct unixsock *sock, const char *name);

/* Removes the name unless it was inherited, then closes. */
void unixsock_close(struct unixsock *sock);

/* A connected socket, non-blocking and close-on-exec, or -E…. */
RK_MUST_CHECK int unixsock_accept(int listen_fd);

/*
 * Connects, waiting until deadline_ns when the backlog is full.  The socket
 * is close-on-exec and non-blocking.  -E…; -ETIMEDOUT after the deadline.
 */
RK_MUST_CHECK int unixsock_connect(const char *path, uint64_t deadline_ns);

struct unixsock_peer {
	pid_t pid;
	uid_t uid;
	gid_t gid;
	uint32_t group_count;
	gid_t groups[UNIXSOCK_GROUPS]; /* supplementary */
};

RK_MUST_CHECK int unixsock_peer(int fd, struct unixsock_peer *out);

/* The peer's primary or a supplementary group is gid. */
bool unixsock_peer_has_group(const struct unixsock_peer *peer, gid_t gid);

#endif
