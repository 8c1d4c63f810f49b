/* SPDX-License-Identifier: BSD-3-Clause */
/* Batches over a path that becomes narrower, in a network of its own. */
#include <sys/socket.h>

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/os/udp.h"

#include "tests/unit/check.h"

#define WIDE   "127.9.9.1"
#define NARROW "127.9.9.2"

enum { SEGMENT = 1400, BATCH = 4 * SEGMENT, ROUNDS = 20, BUFFER = 1 << 20 };

static struct udp_rx *rx;
static uint8_t batch_bytes[BATCH];

static void
open_on(struct udp *udp, union udp_addr *addr, const char *host)
{
	CHECK_EQ(udp_addr_parse(addr, host, 5405), 0);
	CHECK_EQ(udp_open(udp, addr, BUFFER), 0);
}

/* What comes within a second, until that much has: how many octets. */
static size_t
receive(struct udp *udp, size_t total)
{
	struct pollfd ready = { .fd = udp->fd, .events = POLLIN };
	size_t len = 0;

	while (len < total && poll(&ready, 1, 1000) == 1) {
		uint32_t count = udp_receive(udp, rx);

		for (uint32_t i = 0; i < count; i++)
			len += udp_rx_message(rx, i).len;
	}
	return len;
}

/* The narrow one is not lost, and the others are still cut by the kernel. */
static void
test_udp_batch_is_sent_apart_where_the_path_is_narrow(void)
{
	struct udp sender, wide, narrow;
	union udp_addr own, at_wide, at_narrow;
	const union udp_addr *to[3] = { &at_wide, &at_narrow, &at_wide };
	struct udp_batch batch = { batch_bytes, BATCH, SEGMENT };
	uint64_t calls;

	open_on(&sender, &own, "127.9.9.3");
	open_on(&wide, &at_wide, WIDE);
	open_on(&narrow, &at_narrow, NARROW);
	CHECK_EQ(
	    system("ip route add local " NARROW " dev lo table local mtu 1000"),
	    0);
	for (int i = 0; i < ROUNDS; i++) {
		udp_send(&sender, &batch, to, 3);
		CHECK_EQ(receive(&wide, 2 * BATCH), 2 * BATCH);
		CHECK_EQ(receive(&narrow, BATCH), BATCH);
	}
	CHECK_EQ(sender.counters.dropped_error, 0);
	CHECK_EQ(sender.counters.sent_datagrams, 3 * ROUNDS * 4);
	CHECK(sender.has_segment);
	calls = sender.counters.send_calls;
	udp_send(&sender, &batch, to, 1);
	CHECK_EQ(sender.counters.send_calls, calls + 1);
	udp_close(&sender);
	udp_close(&wide);
	udp_close(&narrow);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_udp_batch_is_sent_apart_where_the_path_is_narrow),
	};
	static _Alignas(64)
	    uint8_t block[UDP_RX_MESSAGES * UDP_RX_BYTES + 8192];
	struct arena arena;

	if (unshare(geteuid() == 0 ? CLONE_NEWNET
				   : CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
	    system("ip link set lo up") != 0) {
		puts("skipped: no network namespace (needs root, iproute2)\n"
		     "0 passed, 0 failed");
		return 0;
	}
	arena_init(&arena, block, sizeof block);
	rx = udp_rx_create(&arena);
	return rx == NULL ? 1 : CHECK_MAIN(argc, argv, tests);
}
