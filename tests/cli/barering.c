/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What a ring at rest costs on this machine without any ringd: three processes
 * pass a datagram round, each acknowledges it, and the first holds it for 25
 * ms.  They make ringd's calls to the kernel and do nothing else.
 * The argument: for how many seconds (5).  Prints the milliseconds of processor
 * time that the busiest of the three has taken.
 */
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include <inttypes.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"

enum { NODES = 3, TOKEN_BYTES = 105, ACK_BYTES = 73, BATCH = 16 };

static const uint64_t hold_ns = 25 * CLOCK_MS_NS;

static struct sockaddr_in addrs[NODES];
static int fds[NODES];

static bool
open_all(void)
{
	for (int i = 0; i < NODES; i++) {
		socklen_t len = sizeof addrs[i];

		addrs[i] = (struct sockaddr_in){ .sin_family = AF_INET,
			.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
		fds[i] = socket(AF_INET, SOCK_DGRAM, 0);
		if (fds[i] < 0 ||
		    bind(fds[i], (struct sockaddr *)&addrs[i], len) < 0 ||
		    getsockname(fds[i], (struct sockaddr *)&addrs[i], &len) < 0)
			return false;
	}
	return true;
}

static void
tell(int self, int to, size_t bytes)
{
	char text[TOKEN_BYTES] = "";
	struct iovec iov = { text, bytes };
	struct mmsghdr m = { .msg_hdr = { .msg_name = &addrs[to],
				 .msg_namelen = sizeof addrs[to],
				 .msg_iov = &iov,
				 .msg_iovlen = 1 } };

	if (sendmmsg(fds[self], &m, 1, 0) != 1)
		_exit(1);
}

/* How many of those that wait here are tokens. */
static int
hear(int self)
{
	static char text[BATCH][TOKEN_BYTES];
	struct sockaddr_in from[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr m[BATCH];
	int count, tokens = 0;

	memset(m, 0, sizeof m);
	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ text[i], sizeof text[i] };
		m[i].msg_hdr.msg_name = &from[i];
		m[i].msg_hdr.msg_namelen = sizeof from[i];
		m[i].msg_hdr.msg_iov = &iov[i];
		m[i].msg_hdr.msg_iovlen = 1;
	}
	count = recvmmsg(fds[self], m, BATCH, MSG_DONTWAIT, NULL);
	for (int i = 0; i < count; i++)
		tokens += m[i].msg_len == TOKEN_BYTES;
	return tokens;
}

static void
turn(int self)
{
	int ep = epoll_create1(0);
	struct epoll_event event = { .events = EPOLLIN };
	uint64_t due_ns = self == 0 ? clock_now_ns() : UINT64_MAX;

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fds[self], &event) < 0)
		_exit(1);
	for (;;) {
		uint64_t left_ns = num_sub(due_ns, clock_now_ns());
		struct timespec left = { (time_t)(left_ns / CLOCK_S_NS),
			(long)(left_ns % CLOCK_S_NS) };

		if (left_ns == 0) {
			tell(self, 1, TOKEN_BYTES);
			due_ns = UINT64_MAX;
			continue;
		}
		if (epoll_pwait2(ep, &event, 1,
			due_ns == UINT64_MAX ? NULL : &left, NULL) != 1 ||
		    hear(self) == 0)
			continue;
		tell(self, (self + NODES - 1) % NODES, ACK_BYTES);
		if (self == 0)
			due_ns = clock_now_ns() + hold_ns;
		else
			tell(self, (self + 1) % NODES, TOKEN_BYTES);
	}
}

static uint64_t
us_of(const struct timeval *t)
{
	return (uint64_t)t->tv_sec * 1000000 + (uint64_t)t->tv_usec;
}

int
main(int argc, char **argv)
{
	unsigned seconds = 5;
	uint64_t most_us = 0;
	pid_t child[NODES];

	if (argc > 1)
		seconds = (unsigned)strtoul(argv[1], NULL, 10);
	if (!open_all())
		return 1;
	for (int i = 0; i < NODES; i++) {
		child[i] = fork();
		if (child[i] < 0)
			return 1;
		if (child[i] == 0) {
			(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
			turn(i);
		}
	}
	sleep(seconds); /* no event: this is the span to measure */
	for (int i = 0; i < NODES; i++) {
		struct rusage used;

		(void)kill(child[i], SIGKILL);
		if (wait4(child[i], NULL, 0, &used) != child[i])
			return 1;
		most_us = num_max(
		    most_us, us_of(&used.ru_utime) + us_of(&used.ru_stime));
	}
	printf("%" PRIu64 "\n", most_us / 1000);
	return 0;
}
