/* SPDX-License-Identifier: BSD-3-Clause */
/* A cable between network interfaces on which everything takes its time.
 *
 *	wire [-j MS] [-s SEED] IFACE...
 *
 * What comes in at one of them goes out where its receiver was heard last, or
 * at all others, each datagram after a span of its own of up to MS (200): so
 * they overtake each other.  Says "ready"; at TERM "N carried, N dropped".
 */
#include <sys/signalfd.h>
#include <sys/socket.h>

#include <arpa/inet.h>
#include <err.h>
#include <linux/if_packet.h>
#include <linux/virtio_net.h>
#include <net/ethernet.h>
#include <net/if.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/rng.h"
#include "libcommon/os/clock.h"

enum {
	WIRE_ENDS = 16,
	WIRE_WAITING = 4096,
	WIRE_BYTES = 2048, /* of a frame, with what the kernel says of it */
	WIRE_NUMBER_MAX = 60000,
	WIRE_USAGE = 64,
};

static struct wire_end {
	int fd;
	uint8_t station[ETH_ALEN]; /* heard here last */
} wire_ends[WIRE_ENDS];
static nfds_t wire_end_count;

/* On their way, in no order. */
static struct wire_frame {
	uint64_t due_ns;
	nfds_t to;
	size_t len;
	uint8_t bytes[WIRE_BYTES];
} wire_frames[WIRE_WAITING];
static size_t wire_frame_count;

static uint64_t wire_jitter_ms = 200, wire_carried, wire_dropped;
static struct rng wire_rng;

/* Sums that the sender's interface was to make are made at the receiver's: the
 * kernel says so in a header of each frame, which goes with it. */
static int
open_end(const char *name)
{
	int fd = socket(AF_PACKET, SOCK_RAW | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	struct sockaddr_ll at = { .sll_family = AF_PACKET,
		.sll_protocol = htons(ETH_P_ALL),
		.sll_ifindex = (int)if_nametoindex(name) };
	int on = 1;

	if (fd < 0 || at.sll_ifindex == 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &on, sizeof on) < 0 ||
	    setsockopt(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, &on, sizeof on) <
		0 ||
	    bind(fd, (struct sockaddr *)&at, sizeof at) < 0)
		err(1, "%s", name);
	return fd;
}

static void
post(nfds_t to, const uint8_t *bytes, size_t len)
{
	struct wire_frame *frame;

	if (wire_frame_count == WIRE_WAITING) {
		wire_dropped++;
		return;
	}
	frame = &wire_frames[wire_frame_count++];
	frame->due_ns = clock_now_ns() +
	    rng_below(&wire_rng, wire_jitter_ms * CLOCK_MS_NS + 1);
	frame->to = to;
	frame->len = len;
	memcpy(frame->bytes, bytes, len);
}

static void
receive(nfds_t from)
{
	uint8_t bytes[WIRE_BYTES];
	const uint8_t *head = bytes + sizeof(struct virtio_net_hdr);
	nfds_t to = 0;
	/* A frame that is too long counts, and is not cut. */
	ssize_t len = recv(wire_ends[from].fd, bytes, sizeof bytes, MSG_TRUNC);

	if (len < (ssize_t)(sizeof(struct virtio_net_hdr) + ETH_HLEN))
		return;
	if ((size_t)len > sizeof bytes) {
		wire_dropped++;
		return;
	}
	memcpy(wire_ends[from].station, head + ETH_ALEN, ETH_ALEN);
	while (to < wire_end_count &&
	    memcmp(wire_ends[to].station, head, ETH_ALEN) != 0)
		to++;
	if (to < wire_end_count) {
		post(to, bytes, (size_t)len);
		return;
	}
	for (to = 0; to < wire_end_count; to++)
		if (to != from)
			post(to, bytes, (size_t)len);
}

/* What is due arrives; when the next one will be. */
static uint64_t
deliver(void)
{
	uint64_t now_ns = clock_now_ns(), next_ns = UINT64_MAX;

	for (size_t i = 0; i < wire_frame_count;) {
		struct wire_frame *frame = &wire_frames[i];
		int fd = wire_ends[frame->to].fd;

		if (frame->due_ns > now_ns) {
			next_ns = num_min(next_ns, frame->due_ns);
			i++;
			continue;
		}
		if (send(fd, frame->bytes, frame->len, 0) < 0)
			wire_dropped++;
		else
			wire_carried++;
		*frame = wire_frames[--wire_frame_count];
	}
	return next_ns;
}

static int
wait_ms(uint64_t next_ns)
{
	if (next_ns == UINT64_MAX)
		return -1;
	return (int)(num_sub(next_ns, clock_now_ns()) / CLOCK_MS_NS) + 1;
}

static int
open_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC);
}

static void
carry(void)
{
	struct pollfd fds[WIRE_ENDS + 1];

	for (nfds_t i = 0; i < wire_end_count; i++)
		fds[i] = (struct pollfd){ wire_ends[i].fd, POLLIN, 0 };
	fds[wire_end_count] = (struct pollfd){ open_signals(), POLLIN, 0 };
	puts("ready");
	fflush(stdout);
	while (fds[wire_end_count].revents == 0) {
		uint64_t next_ns = deliver();

		if (poll(fds, wire_end_count + 1, wait_ms(next_ns)) < 0)
			err(1, "poll");
		for (nfds_t i = 0; i < wire_end_count; i++)
			if (fds[i].revents != 0)
				receive(i);
	}
}

static void
take_number(const char *text, uint64_t *out)
{
	if (parse_u64(text, strlen(text), 0, WIRE_NUMBER_MAX, out) != 0)
		errx(WIRE_USAGE, "%s: no number", text);
}

int
main(int argc, char **argv)
{
	uint64_t seed = 1;
	int option;

	while ((option = getopt(argc, argv, "j:s:")) != -1) {
		if (option == 'j')
			take_number(optarg, &wire_jitter_ms);
		else if (option == 's')
			take_number(optarg, &seed);
		else
			return WIRE_USAGE;
	}
	rng_init(&wire_rng, seed);
	for (; optind < argc && wire_end_count < WIRE_ENDS; optind++)
		wire_ends[wire_end_count++].fd = open_end(argv[optind]);
	carry();
	printf("%llu carried, %llu dropped\n", (unsigned long long)wire_carried,
	    (unsigned long long)wire_dropped);
	return 0;
}
