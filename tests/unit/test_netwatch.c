/* SPDX-License-Identifier: BSD-3-Clause */
/* In a network namespace of its own, where interfaces come and go. */
#include <sys/socket.h>

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "libcommon/base/text.h"
#include "libcommon/os/netwatch.h"

#include "tests/unit/check.h"

enum { SOON_MS = 20000, ADDRS = 4 };

/* The places of the addresses that all tests watch. */
enum { LOCAL, OTHER_LOCAL, FOUR, SIX };
static const char *const addresses[ADDRS] = { "127.0.0.1", "127.8.8.8",
	"10.7.0.1", "fd07::1" };

static struct netwatch watch;
static uint32_t changes[ADDRS];

static void
count_change(void *arg, uint32_t i)
{
	CHECK(arg == &watch);
	changes[i]++;
}

static void
ip(const char *arguments)
{
	char bytes[256];
	struct text command;

	text_init(&command, bytes, sizeof bytes);
	text_put(&command, "ip ");
	text_put(&command, arguments);
	if (system(command.bytes) != 0)
		check_true(CHECK_HERE("ip"), false);
}

static void
open_watch(void)
{
	union udp_addr addrs[ADDRS];

	for (uint32_t i = 0; i < ADDRS; i++) {
		CHECK_EQ(udp_addr_parse(&addrs[i], addresses[i], 5410), 0);
		changes[i] = 0;
	}
	CHECK_EQ(netwatch_open(&watch, addrs, ADDRS, count_change, &watch), 0);
	for (uint32_t i = 0; i < ADDRS; i++)
		CHECK_EQ(watch.item[i].state, NETWATCH_UNKNOWN);
}

/* Reads until address i is in that state. */
static bool
becomes(uint32_t i, enum netwatch_state state)
{
	struct pollfd in = { .fd = watch.fd, .events = POLLIN };

	while (watch.item[i].state != state) {
		if (poll(&in, 1, SOON_MS) != 1)
			return CHECK_STR(
			    netwatch_state_name(watch.item[i].state),
			    netwatch_state_name(state));
		netwatch_readable(&watch);
	}
	return true;
}

static void
cable(const char *peer_state)
{
	ip("link add v0 type veth peer name v1");
	ip("link set v0 up");
	if (peer_state[0] == 'u')
		ip("link set v1 up");
	ip("addr add 10.7.0.1/24 dev v0");
	ip("-6 addr add fd07::1/64 dev v0 nodad");
}

/* ---- tests ------------------------------------------------------------- */

static void
test_first_list(void)
{
	cable("up");
	open_watch();
	becomes(SIX, NETWATCH_UP);
	becomes(FOUR, NETWATCH_UP);
	CHECK_STR(watch.item[FOUR].ifname, "v0");
	becomes(LOCAL, NETWATCH_UP);
	becomes(OTHER_LOCAL, NETWATCH_UP);
	CHECK_STR(watch.item[OTHER_LOCAL].ifname, "lo");
	for (uint32_t i = 0; i < ADDRS; i++)
		CHECK_EQ(changes[i], 1);
	CHECK_EQ(watch.lists, 1);
	netwatch_close(&watch);
	ip("link del v0");
}

static void
test_carrier(void)
{
	cable("down");
	open_watch();
	becomes(FOUR, NETWATCH_NO_CARRIER);
	becomes(SIX, NETWATCH_NO_CARRIER);
	ip("link set v1 up");
	becomes(FOUR, NETWATCH_UP);
	becomes(SIX, NETWATCH_UP);
	ip("link set v1 down");
	becomes(FOUR, NETWATCH_NO_CARRIER);
	ip("link set v1 up");
	becomes(FOUR, NETWATCH_UP);
	ip("link set v0 down");
	becomes(FOUR, NETWATCH_NO_CARRIER);
	netwatch_close(&watch);
	ip("link del v0");
}

static void
test_address(void)
{
	cable("up");
	open_watch();
	becomes(FOUR, NETWATCH_UP);
	ip("addr del 10.7.0.1/24 dev v0");
	becomes(FOUR, NETWATCH_NO_ADDRESS);
	CHECK_STR(watch.item[FOUR].ifname, "v0");
	CHECK_EQ(watch.item[SIX].state, NETWATCH_UP);
	ip("addr add 10.7.0.1/32 dev lo");
	becomes(FOUR, NETWATCH_UP);
	CHECK_STR(watch.item[FOUR].ifname, "lo");
	ip("addr del 10.7.0.1/32 dev lo");
	becomes(FOUR, NETWATCH_NO_ADDRESS);
	netwatch_close(&watch);
	ip("link del v0");
}

/* Another interface has it, too: it is not gone with the first. */
static void
test_address_twice(void)
{
	cable("up");
	open_watch();
	becomes(FOUR, NETWATCH_UP);
	ip("addr add 10.7.0.1/32 dev lo");
	ip("addr del 10.7.0.1/24 dev v0");
	becomes(FOUR, NETWATCH_NO_ADDRESS);
	becomes(FOUR, NETWATCH_UP);
	CHECK_STR(watch.item[FOUR].ifname, "lo");
	ip("addr del 10.7.0.1/32 dev lo");
	netwatch_close(&watch);
	ip("link del v0");
}

static void
test_interface(void)
{
	open_watch();
	becomes(LOCAL, NETWATCH_UP);
	becomes(FOUR, NETWATCH_NO_ADDRESS);
	cable("up");
	becomes(FOUR, NETWATCH_UP);
	becomes(SIX, NETWATCH_UP);
	ip("link del v0");
	becomes(SIX, NETWATCH_NO_ADDRESS);
	becomes(FOUR, NETWATCH_NO_ADDRESS);
	netwatch_close(&watch);
}

/* So many events that the kernel drops some: the last one, too. */
static void
test_overrun(void)
{
	int bytes = 4096;

	cable("up");
	open_watch();
	CHECK_EQ(
	    setsockopt(watch.fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes),
	    0);
	becomes(FOUR, NETWATCH_UP);
	for (int i = 0; i < 20; i++) {
		ip("link set v1 down");
		ip("link set v1 up");
	}
	ip("addr del 10.7.0.1/24 dev v0");
	becomes(FOUR, NETWATCH_NO_ADDRESS);
	CHECK(watch.overruns > 0);
	netwatch_close(&watch);
	ip("link del v0");
}

/* Other addresses than before: what stays is known, what is new is asked for.
 */
static void
test_set(void)
{
	union udp_addr addrs[2];

	cable("up");
	open_watch();
	becomes(FOUR, NETWATCH_UP);
	becomes(LOCAL, NETWATCH_UP);
	addrs[0] = watch.item[LOCAL].addr;
	CHECK_EQ(udp_addr_parse(&addrs[1], "10.7.0.9", 5410), 0);
	netwatch_set(&watch, addrs, 2);
	CHECK_EQ(watch.count, 2);
	CHECK_EQ(watch.item[0].state, NETWATCH_UP);
	CHECK_EQ(watch.item[1].state, NETWATCH_UNKNOWN);
	becomes(1, NETWATCH_NO_ADDRESS);
	ip("addr add 10.7.0.9/24 dev v0");
	becomes(1, NETWATCH_UP);
	CHECK_EQ(changes[0], 1);
	netwatch_close(&watch);
	netwatch_set(&watch, addrs, 2);
	ip("link del v0");
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_first_list),
		CHECK_TEST(test_carrier),
		CHECK_TEST(test_address),
		CHECK_TEST(test_address_twice),
		CHECK_TEST(test_interface),
		CHECK_TEST(test_overrun),
		CHECK_TEST(test_set),
	};

	if (unshare(geteuid() == 0 ? CLONE_NEWNET
				   : CLONE_NEWUSER | CLONE_NEWNET) < 0 ||
	    system("ip link set lo up") != 0) {
		puts("skipped: no network namespace (needs root, iproute2)\n"
		     "0 passed, 0 failed");
		return 0;
	}
	return CHECK_MAIN(argc, argv, tests);
}
