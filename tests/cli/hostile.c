/* SPDX-License-Identifier: BSD-3-Clause */
/* Stands between three nodes, hears all, and adds what it makes of it.
 *
 *	hostile [-n COUNT] [-s SEED] PREFIX
 *
 * Node I is at PREFIX.I:5410, and is configured to find node J at PREFIX.IJ
 * (PREFIX.12 is where node 1 finds node 2): those six addresses are bound
 * here, and what comes to one of them is passed on from its counterpart.  So
 * everything added here comes from the right address, without privileges.
 *
 * Prints "ready", and begins to add COUNT datagrams at SIGUSR1; how fast, the
 * receivers say by how much lies in their sockets.  Then it prints a line a
 * node, "node=I added=N drops=N", drops being those of the kernel at that
 * node's socket, and goes on relaying until SIGTERM.
 */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/rng.h"

#include "tests/cli/hostile_make.h"

enum {
	USAGE = 64,
	OS = 71,
	NODES = 3,
	WAYS = NODES * NODES, /* of which those to oneself are not used */
	PORT = 5410,
	BURST = 32,
	QUEUE_BYTES = 60000, /* add nothing while more lies there */
	BUFFER_BYTES = 4 << 20,
};

/* From node I to node J: heard at where I finds J. */
struct way {
	int fd; /* at PREFIX.IJ; -1: I is J */
	struct hostile_heard heard;
};

static struct {
	const char *prefix;
	uint64_t count, seed;
	struct rng rng;
	struct way ways[WAYS];
	struct sockaddr_in nodes[NODES];
	int stranger; /* bound to nothing that anybody knows */
	uint64_t added[NODES], total;
	unsigned long queued[NODES], drops[NODES];
	bool is_reported;
	uint8_t bytes[HOSTILE_BYTES + 512];
} hostile = { .count = 100000, .seed = 1 };

static volatile sig_atomic_t is_adding, is_stopped;

static void
on_signal(int signo)
{
	if (signo == SIGUSR1)
		is_adding = 1;
	else
		is_stopped = 1;
}

static void
die(const char *what)
{
	fprintf(stderr, "hostile: %s: %s\n", what, strerror(errno));
	exit(OS);
}

/* ---- sockets ----------------------------------------------------------- */

static struct sockaddr_in
address(const char *prefix, unsigned last)
{
	struct sockaddr_in addr = { .sin_family = AF_INET,
		.sin_port = htons(PORT) };
	char text[64];

	snprintf(text, sizeof text, "%s.%u", prefix, last);
	if (inet_pton(AF_INET, text, &addr.sin_addr) != 1) {
		fprintf(stderr, "hostile: %s: no address\n", text);
		exit(USAGE);
	}
	return addr;
}

static void
open_sockets(void)
{
	const int buffer = BUFFER_BYTES;

	for (unsigned i = 0; i < NODES; i++)
		hostile.nodes[i] = address(hostile.prefix, i + 1);
	for (unsigned k = 0; k < WAYS; k++) {
		struct way *way = &hostile.ways[k];
		struct sockaddr_in addr = address(
		    hostile.prefix, (k / NODES + 1) * 10 + k % NODES + 1);

		way->fd = -1;
		if (k / NODES == k % NODES)
			continue;
		way->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
		(void)setsockopt(
		    way->fd, SOL_SOCKET, SO_RCVBUF, &buffer, sizeof buffer);
		(void)setsockopt(way->fd, SOL_SOCKET, SO_RCVBUFFORCE, &buffer,
		    sizeof buffer);
		if (bind(way->fd, (struct sockaddr *)&addr, sizeof addr) < 0)
			die("bind");
	}
	hostile.stranger = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
}

static bool
send_from(int fd, unsigned to, const uint8_t *bytes, size_t len)
{
	return sendto(fd, bytes, len, 0, (struct sockaddr *)&hostile.nodes[to],
		   sizeof hostile.nodes[to]) >= 0;
}

/* ---- relaying ---------------------------------------------------------- */

static void
relay_way(unsigned from, unsigned to)
{
	struct way *way = &hostile.ways[from * NODES + to];
	int back = hostile.ways[to * NODES + from].fd;

	for (int i = 0; i < 4 * BURST; i++) {
		ssize_t n =
		    recv(way->fd, hostile.bytes, sizeof hostile.bytes, 0);

		if (n < 0)
			return;
		(void)send_from(back, to, hostile.bytes, (size_t)n);
		if ((size_t)n <= HOSTILE_BYTES - 512)
			hostile_hear(&way->heard, &hostile.rng, hostile.bytes,
			    (size_t)n);
	}
}

static void
relay(int timeout_ms)
{
	struct pollfd fds[WAYS];

	for (unsigned k = 0; k < WAYS; k++)
		fds[k] = (struct pollfd){ hostile.ways[k].fd, POLLIN, 0 };
	if (poll(fds, WAYS, timeout_ms) <= 0)
		return;
	for (unsigned k = 0; k < WAYS; k++)
		if (fds[k].revents & POLLIN)
			relay_way(k / NODES, k % NODES);
}

/* ---- adding ------------------------------------------------------------ */

/* How much lies in the nodes' sockets, and what was dropped there. */
static void
look(void)
{
	char line[512];
	FILE *file = fopen("/proc/net/udp", "re");

	if (file == NULL)
		die("/proc/net/udp");
	while (fgets(line, sizeof line, file) != NULL) {
		unsigned addr, port;
		unsigned long queued, drops;

		if (sscanf(line,
			" %*d: %x:%x %*x:%*x %*x %*x:%lx %*x:%*x %*x %*d %*d "
			"%*d %*d %*s %lu",
			&addr, &port, &queued, &drops) != 4 ||
		    port != PORT)
			continue;
		for (unsigned i = 0; i < NODES; i++) {
			if (hostile.nodes[i].sin_addr.s_addr != addr)
				continue;
			hostile.queued[i] = queued;
			hostile.drops[i] = drops;
		}
	}
	fclose(file);
}

/* One datagram for a node, as if from another, or from elsewhere. */
static void
add(unsigned to)
{
	unsigned from = (to + 1 + (unsigned)rng_below(&hostile.rng, 2)) % NODES;
	const struct way *way = &hostile.ways[from * NODES + to];
	int fd = hostile.ways[to * NODES + from].fd;
	size_t len;

	/* Sometimes what was heard elsewhere, or from where nobody is. */
	if (rng_below(&hostile.rng, 16) == 0)
		way = &hostile.ways[to * NODES + from];
	if (rng_below(&hostile.rng, 64) == 0)
		fd = hostile.stranger;
	len = hostile_make(&way->heard, &hostile.rng, hostile.bytes);
	if (!send_from(fd, to, hostile.bytes, len))
		return;
	hostile.added[to]++;
	hostile.total++;
}

static void
add_some(void)
{
	bool is_any = false;

	look();
	for (unsigned to = 0; to < NODES; to++) {
		if (hostile.queued[to] > QUEUE_BYTES)
			continue;
		is_any = true;
		for (int i = 0; i < BURST && hostile.total < hostile.count; i++)
			add(to);
	}
	relay(is_any ? 0 : 1);
}

static void
report(void)
{
	look();
	for (unsigned i = 0; i < NODES; i++)
		printf("node=%u added=%llu drops=%lu\n", i + 1,
		    (unsigned long long)hostile.added[i], hostile.drops[i]);
	puts("done");
	fflush(stdout);
	hostile.is_reported = true;
}

static bool
is_drained(void)
{
	look();
	return hostile.queued[0] + hostile.queued[1] + hostile.queued[2] == 0;
}

int
main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	int option;

	while ((option = getopt(argc, argv, "n:s:")) != -1) {
		if (option == 'n')
			hostile.count = strtoull(optarg, NULL, 10);
		else if (option == 's')
			hostile.seed = strtoull(optarg, NULL, 10);
		else
			return USAGE;
	}
	if (argc - optind != 1)
		return USAGE;
	hostile.prefix = argv[optind];
	rng_init(&hostile.rng, hostile.seed);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	open_sockets();
	puts("ready");
	fflush(stdout);
	while (!is_stopped) {
		if (is_adding && hostile.total < hostile.count)
			add_some();
		else
			relay(20);
		if (hostile.total >= hostile.count && !hostile.is_reported &&
		    is_drained())
			report();
	}
	return 0;
}
