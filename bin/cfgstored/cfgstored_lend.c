/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/cfgstored_lend.h"

#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <unistd.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/fd.h"

#include "bin/cfgstored/kv.h"
#include "bin/cfgstored/replica.h"

enum { FIRST_FD = 3 };

void
cfgstored_lend_init(struct cfgstored_lend *lend)
{
	*lend = (struct cfgstored_lend){ .fd = -1, .child = -1 };
}

/* Nothing that is open here is its business: least of all our sockets. */
static RK_NORETURN void
run_child(const struct kv *kv, int fd, pid_t parent)
{
	static uint8_t chunk[REPLICA_CHUNK_BYTES_MAX];
	struct kv_writer writer;
	size_t len;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	if (dup2(fd, FIRST_FD) < 0)
		_exit(1);
	(void)close_range(FIRST_FD + 1, ~0U, 0);
	kv_writer_init(&writer, kv);
	while ((len = kv_writer_next(&writer, chunk, sizeof chunk)) > 0) {
		ssize_t n;

		do
			n = send(FIRST_FD, chunk, len, MSG_NOSIGNAL);
		while (n < 0 && errno == EINTR);
		if (n < 0)
			_exit(1);
	}
	_exit(0);
}

int
cfgstored_lend_begin(struct cfgstored_lend *lend, const struct kv *kv)
{
	const pid_t parent = getpid();
	int pair[2], rc;

	cfgstored_lend_end(lend);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return -errno;
	rc = fd_set_nonblock(pair[0], true);
	if (rc == 0) {
		lend->child = fork();
		rc = lend->child < 0 ? -errno : 0;
	}
	if (rc == 0 && lend->child == 0)
		run_child(kv, pair[1], parent);
	fd_close(&pair[1]);
	if (rc < 0)
		fd_close(&pair[0]);
	lend->fd = pair[0];
	return rc;
}

ssize_t
cfgstored_lend_read(struct cfgstored_lend *lend, void *bytes, size_t size)
{
	ssize_t n;

	do
		n = recv(lend->fd, bytes, size, 0);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

void
cfgstored_lend_end(struct cfgstored_lend *lend)
{
	fd_close(&lend->fd);
	if (lend->child > 0) {
		(void)kill(lend->child, SIGKILL);
		while (waitpid(lend->child, NULL, 0) < 0 && errno == EINTR)
			;
	}
	lend->child = -1;
}
