/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups on the loopback interface: two who hear, one who speaks. */
#include <sys/socket.h>

#include <errno.h>
#include <net/if.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/os/udp_group.h"

#include "tests/unit/check.h"

enum { BUFFER = 1 << 20, SEGMENT = 1000 };

static struct udp_rx *rx;
static uint8_t bytes[8 * SEGMENT];
static uint32_t lo;

static const char *const own[2] = { "127.0.0.1", "::1" };

/* A group of this process's own. */
static struct udp_group
a_group(int family)
{
	struct udp_group group = { .ttl = 1, .is_looped = true };
	uint32_t pid = (uint32_t)getpid();
	char string[64];

	if (family == 0)
		snprintf(string, sizeof string, "239.193.%u.%u",
		    pid / 256 % 256, pid % 256);
	else
		snprintf(string, sizeof string, "ff15::%x:%x", pid >> 16,
		    pid & 0xffff);
	CHECK_EQ(udp_addr_parse(&group.addr, string, 5410), 0);
	CHECK_EQ(udp_addr_parse(&group.own, own[family], 1), 0);
	return group;
}

static bool
open_speaker(struct udp *udp, struct udp_group *group)
{
	socklen_t len = sizeof group->own;

	if (group->own.any.sa_family == AF_INET)
		group->own.v4.sin_port = 0;
	else
		group->own.v6.sin6_port = 0;
	if (udp_open(udp, &group->own, BUFFER) != 0)
		return false;
	return getsockname(udp->fd, &group->own.any, &len) == 0;
}

/* What comes until total octets are there, or nothing for wait_ms. */
static size_t
hear(struct udp *udp, size_t total, int wait_ms, const union udp_addr *from)
{
	struct pollfd ready = { .fd = udp->fd, .events = POLLIN };
	size_t len = 0;

	while (len < total && poll(&ready, 1, wait_ms) == 1) {
		uint32_t count = udp_receive(udp, rx);

		for (uint32_t i = 0; i < count; i++) {
			struct udp_message message = udp_rx_message(rx, i);

			len += message.len;
			CHECK(udp_addr_equal(message.from, from));
		}
	}
	return len;
}

static void
speak(struct udp *udp, const struct udp_group *group, size_t len)
{
	struct udp_batch batch = { bytes, len, num_min(len, SEGMENT) };
	const union udp_addr *to = &group->addr;

	udp_send(udp, &batch, &to, 1);
}

/* Once sent, it comes to all who have joined, from the speaker's address. */
static void
check_family(int family)
{
	struct udp_group group = a_group(family);
	struct udp speaker, ears[2];

	if (!open_speaker(&speaker, &group)) {
		printf("skipped: this machine has no %s\n", own[family]);
		return;
	}
	CHECK_EQ(udp_group_aim(&speaker, &group, lo), 0);
	speak(&speaker, &group, SEGMENT);
	if (speaker.last_error == ENETUNREACH) {
		printf("skipped: no route from %s to groups\n", own[family]);
		udp_close(&speaker);
		return;
	}
	for (int i = 0; i < 2; i++) {
		CHECK_EQ(udp_group_open(&ears[i], &group, BUFFER), 0);
		CHECK_EQ(udp_group_join(&ears[i], &group, lo), 0);
	}

	speak(&speaker, &group, sizeof bytes);
	for (int i = 0; i < 2; i++)
		CHECK_EQ(hear(&ears[i], sizeof bytes, 1000, &group.own),
		    sizeof bytes);
	CHECK_EQ(speaker.counters.sent_datagrams, 1 + sizeof bytes / SEGMENT);
	CHECK_EQ(speaker.counters.dropped_error, 0);

	/* Joined twice is joined; who has left hears no more. */
	CHECK_EQ(udp_group_join(&ears[0], &group, lo), 0);
	udp_group_leave(&ears[1], &group, lo);
	udp_group_leave(&ears[1], &group, lo);
	udp_group_leave(&ears[1], &group, 999999);
	speak(&speaker, &group, 7);
	CHECK_EQ(hear(&ears[0], 7, 1000, &group.own), 7);
	CHECK_EQ(hear(&ears[1], 7, 0, &group.own), 0);
	CHECK(udp_group_join(&ears[1], &group, 999999) < 0);
	udp_close(&speaker);
	udp_close(&ears[0]);
	udp_close(&ears[1]);
}

static void
test_udp_group_reaches_all_who_joined(void)
{
	check_family(0);
}

static void
test_udp_group_reaches_all_who_joined_over_ipv6(void)
{
	check_family(1);
}

/* Where nobody told the interface, the own address does. */
static void
test_udp_group_finds_the_interface_by_the_own_address(void)
{
	struct udp_group group = a_group(0);
	struct udp speaker, ear;

	CHECK(open_speaker(&speaker, &group));
	CHECK_EQ(udp_group_open(&ear, &group, BUFFER), 0);
	CHECK_EQ(udp_group_join(&ear, &group, 0), 0);
	CHECK_EQ(udp_group_aim(&speaker, &group, 0), 0);
	speak(&speaker, &group, 7);
	CHECK_EQ(hear(&ear, 7, 1000, &group.own), 7);
	udp_close(&speaker);
	udp_close(&ear);
}

static void
test_udp_group_of_another_port_or_address_is_not_heard(void)
{
	struct udp_group group = a_group(0), other = group, port = group;
	struct udp speaker, ear;

	other.addr.v4.sin_addr.s_addr ^= htonl(1 << 8);
	port.addr.v4.sin_port = htons(5411);
	CHECK(open_speaker(&speaker, &group));
	CHECK_EQ(udp_group_open(&ear, &group, BUFFER), 0);
	CHECK_EQ(udp_group_join(&ear, &group, lo), 0);
	CHECK_EQ(udp_group_aim(&speaker, &group, lo), 0);
	speak(&speaker, &other, 9);
	speak(&speaker, &port, 9);
	speak(&speaker, &group, 7);
	CHECK_EQ(hear(&ear, 7, 1000, &group.own), 7);
	CHECK_EQ(hear(&ear, 1, 0, &group.own), 0);
	udp_close(&speaker);
	udp_close(&ear);
}

static void
test_udp_group_is_good_for_what_can_be_joined(void)
{
	static const struct {
		const char *string;
		bool is_good;
	} cases[] = {
		{ "224.0.0.255", false },
		{ "224.0.1.0", true },
		{ "239.255.255.255", true },
		{ "240.0.0.0", false },
		{ "127.0.0.1", false },
		{ "ff02::1", false },
		{ "ff11::1", false },
		{ "ff05::1", true },
		{ "ff15::1", true },
		{ "fe80::1", false },
	};
	union udp_addr addr;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].string);
		CHECK_EQ(udp_addr_parse(&addr, cases[i].string, 1), 0);
		CHECK_EQ(udp_group_is_good(&addr), cases[i].is_good);
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_udp_group_reaches_all_who_joined),
		CHECK_TEST(test_udp_group_reaches_all_who_joined_over_ipv6),
		CHECK_TEST(
		    test_udp_group_finds_the_interface_by_the_own_address),
		CHECK_TEST(
		    test_udp_group_of_another_port_or_address_is_not_heard),
		CHECK_TEST(test_udp_group_is_good_for_what_can_be_joined),
	};
	struct arena measure, arena;
	unsigned char *block;

	lo = if_nametoindex("lo");
	arena_init(&measure, NULL, 0);
	(void)udp_rx_create(&measure);
	block = aligned_alloc(64, num_round_up(measure.used_bytes, 64));
	if (block == NULL || lo == 0)
		return 1;
	arena_init(&arena, block, measure.used_bytes);
	rx = udp_rx_create(&arena);
	return CHECK_MAIN(argc, argv, tests);
}
