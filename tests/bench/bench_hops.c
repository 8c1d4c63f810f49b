/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What 50 hops of a datagram between two processes take, which wake each
 * other: the scale of everything that a ring does on a machine as busy as this
 * one.  The argument: for how many seconds (10).
 */
#include <sys/socket.h>
#include <sys/wait.h>

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libcommon/os/clock.h"

enum { HOPS = 50, ROUNDS_MAX = 100000 };

static uint64_t rounds[ROUNDS_MAX];

/* Ends when the other end is closed. */
static void
echo(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) == 1)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1)
			break;
}

static uint64_t
hops_ns(int fd)
{
	uint64_t begin_ns = clock_now_ns();
	char byte = 0;

	for (int i = 0; i < HOPS; i += 2)
		if (send(fd, &byte, 1, MSG_NOSIGNAL) != 1 ||
		    recv(fd, &byte, 1, 0) != 1)
			exit(1);
	return clock_now_ns() - begin_ns;
}

static int
by_time(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static double
share_ms(size_t n, size_t percent)
{
	size_t last = (n * percent + 99) / 100 - 1;

	return (double)rounds[last] / 1e6;
}

int
main(int argc, char **argv)
{
	uint64_t end_ns = clock_now_ns();
	size_t n = 0;
	int fd[2];
	pid_t child;

	end_ns += CLOCK_S_NS * strtoul(argc > 1 ? argv[1] : "10", NULL, 10);
	if (socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) < 0 ||
	    (child = fork()) < 0)
		return 1;
	if (child == 0) {
		close(fd[0]);
		echo(fd[1]);
		_exit(0);
	}
	close(fd[1]);
	do
		rounds[n++] = hops_ns(fd[0]);
	while (n < ROUNDS_MAX && clock_now_ns() < end_ns);
	close(fd[0]);
	waitpid(child, NULL, 0);
	qsort(rounds, n, sizeof *rounds, by_time);
	printf("bench=hops\tn=%zu\tp50_ms=%.1f\tp99_ms=%.1f\tmax_ms=%.1f\n", n,
	    share_ms(n, 50), share_ms(n, 99), (double)rounds[n - 1] / 1e6);
	return 0;
}
