/* SPDX-License-Identifier: BSD-3-Clause */
/* Sockets on loopback, with the kernel's own choice of port. */
#include <sys/socket.h>

#include <arpa/inet.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/udp.h"

#include "tests/unit/check.h"

#define SEGMENT ((size_t)1448)

enum { BUFFER = 1 << 20 };

static struct udp_rx *rx;
static uint8_t batch_bytes[UDP_BATCH_BYTES];
static uint8_t received[UDP_BATCH_BYTES];
static size_t received_len;
static uint32_t received_count; /* datagrams */

/* ---- addresses --------------------------------------------------------- */

static void
test_udp_addr_reads_literals_with_and_without_port(void)
{
	static const struct {
		const char *string, *want;
	} cases[] = {
		{ "127.0.0.1", "127.0.0.1:5410" },
		{ "127.0.0.1:1", "127.0.0.1:1" },
		{ "10.0.0.255:65535", "10.0.0.255:65535" },
		{ "::1", "[::1]:5410" },
		{ "[::1]", "[::1]:5410" },
		{ "[fd00::17]:99", "[fd00::17]:99" },
		{ "fe80::1%lo", "[fe80::1%lo]:5410" },
		{ "[fe80::1%lo]:7", "[fe80::1%lo]:7" },
	};
	union udp_addr addr;
	struct text text;
	char bytes[UDP_ADDR_TEXT_BYTES];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].string);
		CHECK_EQ(udp_addr_parse(&addr, cases[i].string, 5410), 0);
		text_init(&text, bytes, sizeof bytes);
		udp_addr_text(&addr, &text);
		CHECK_STR(bytes, cases[i].want);
	}
	check_case(NULL);
}

/* Longer than any address. */
static const char a_long_string[] =
    "0000000000000000000000000000000000000000000000000000127.0.0.1";

static void
test_udp_addr_refuses_everything_else(void)
{
	static const char *const cases[] = { "", "localhost",
		"127.0.0.1:", "127.0.0.1:0", "127.0.0.1:65536", "127.0.0.1:1x",
		"127.0.0.1:01", "127.0.0", "127.0.0.1 ", "[::1", "[::1]x",
		"[::1]:", "[::1]:0", "[127.0.0.1]:1", "::1%nosuchlink", "::g",
		":1", ":", "[]:1", a_long_string };
	union udp_addr addr;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i]);
		CHECK_EQ(udp_addr_parse(&addr, cases[i], 5410), UDP_E_ADDRESS);
	}
	check_case(NULL);
}

static void
test_udp_addr_equal_compares_address_and_port(void)
{
	static const char *const all[] = { "127.0.0.1:1", "127.0.0.1:2",
		"127.0.0.2:1", "[::1]:1", "[::2]:1", "[::1]:2" };
	union udp_addr a, b;

	for (size_t i = 0; i < ARRAY_COUNT(all); i++)
		for (size_t j = 0; j < ARRAY_COUNT(all); j++) {
			CHECK_EQ(udp_addr_parse(&a, all[i], 1), 0);
			CHECK_EQ(udp_addr_parse(&b, all[j], 1), 0);
			CHECK_EQ(udp_addr_equal(&a, &b), i == j);
		}
}

/* ---- sockets ----------------------------------------------------------- */

static union udp_addr
open_on(struct udp *udp, const char *host, int buffer_bytes)
{
	union udp_addr addr;
	socklen_t len = sizeof addr;

	CHECK_EQ(udp_addr_parse(&addr, host, 1), 0);
	if (addr.any.sa_family == AF_INET)
		addr.v4.sin_port = 0;
	else
		addr.v6.sin6_port = 0;
	CHECK_EQ(udp_open(udp, &addr, buffer_bytes), 0);
	CHECK_EQ(getsockname(udp->fd, &addr.any, &len), 0);
	return addr;
}

/* Everything that is, or within a second comes, until total bytes. */
static void
receive(struct udp *udp, size_t total)
{
	struct pollfd ready = { .fd = udp->fd, .events = POLLIN };

	received_len = 0;
	received_count = 0;
	while (received_len < total && poll(&ready, 1, 1000) == 1) {
		uint32_t count = udp_receive(udp, rx);

		for (uint32_t i = 0; i < count; i++) {
			struct udp_message message = udp_rx_message(rx, i);

			CHECK(received_len + message.len <= sizeof received);
			memcpy(received + received_len, message.bytes,
			    message.len);
			received_len += message.len;
			received_count +=
			    (uint32_t)((message.len + message.segment_bytes -
					   1) /
				message.segment_bytes);
		}
	}
}

static const struct {
	size_t len, segment_bytes;
	uint32_t count;
} shapes[] = {
	{ 1, 1, 1 },
	{ 100, 100, 1 },
	{ 64, 1, 64 },
	{ 2 * SEGMENT, SEGMENT, 2 },
	{ 2 * SEGMENT + 1, SEGMENT, 3 },
	{ 44 * SEGMENT + 7, SEGMENT, 45 },
	{ 65000, 65000, 1 },
	{ 65000, 9008, 8 },
};

/* Each shape arrives as it was sent, at each of two receivers. */
static void
check_all_shapes(const char *host, bool is_segment_refused)
{
	struct udp sender, receivers[2];
	union udp_addr addrs[2];
	const union udp_addr *to[2] = { &addrs[0], &addrs[1] };
	int one = 1;

	(void)open_on(&sender, host, BUFFER);
	addrs[0] = open_on(&receivers[0], host, BUFFER);
	addrs[1] = open_on(&receivers[1], host, BUFFER);
	/* Without checksums the kernel refuses to cut. */
	if (is_segment_refused)
		CHECK_EQ(setsockopt(sender.fd, SOL_SOCKET, SO_NO_CHECK, &one,
			     sizeof one),
		    0);
	for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
		struct udp_batch batch = { batch_bytes, shapes[i].len,
			shapes[i].segment_bytes };

		udp_send(&sender, &batch, to, 2);
		for (size_t j = 0; j < 2; j++) {
			receive(&receivers[j], shapes[i].len);
			CHECK_EQ(received_count, shapes[i].count);
			CHECK_MEM(
			    received, received_len, batch_bytes, shapes[i].len);
		}
	}
	CHECK_EQ(sender.has_segment, !is_segment_refused);
	CHECK_EQ(sender.counters.sent_datagrams, 2 * 125);
	CHECK_EQ(receivers[0].counters.received_datagrams, 125);
	CHECK_EQ(sender.counters.sent_bytes,
	    2 * receivers[1].counters.received_bytes);
	CHECK_EQ(sender.counters.dropped_full, 0);
	CHECK_EQ(sender.counters.dropped_error, 0);
	udp_close(&sender);
	udp_close(&receivers[0]);
	udp_close(&receivers[1]);
}

static void
test_udp_batch_arrives_at_every_destination(void)
{
	check_all_shapes("127.0.0.1", false);
}

static void
test_udp_batch_arrives_where_the_kernel_does_not_cut(void)
{
	check_all_shapes("127.0.0.1", true);
}

static void
test_udp_batch_arrives_over_ipv6(void)
{
	struct udp probe;
	union udp_addr addr;

	CHECK_EQ(udp_addr_parse(&addr, "::1", 1), 0);
	addr.v6.sin6_port = 0;
	if (udp_open(&probe, &addr, BUFFER) != 0) {
		printf("skipped: this machine has no ::1\n");
		return;
	}
	udp_close(&probe);
	check_all_shapes("::1", false);
}

static void
test_udp_message_names_its_sender(void)
{
	struct udp sender, receiver;
	union udp_addr from = open_on(&sender, "127.0.0.1", BUFFER);
	union udp_addr at = open_on(&receiver, "127.0.0.1", BUFFER);
	const union udp_addr *to = &at;
	struct udp_batch batch = { batch_bytes, 5, 5 };
	struct pollfd ready = { .fd = receiver.fd, .events = POLLIN };

	udp_send(&sender, &batch, &to, 1);

	CHECK_EQ(poll(&ready, 1, 1000), 1);
	if (CHECK_EQ(udp_receive(&receiver, rx), 1))
		CHECK(udp_addr_equal(udp_rx_message(rx, 0).from, &from));
	CHECK_EQ(udp_receive(&receiver, rx), 0);
	udp_close(&sender);
	udp_close(&receiver);
}

static void
test_udp_destination_that_fails_does_not_stop_the_others(void)
{
	struct udp sender, receiver;
	union udp_addr good, bad;
	const union udp_addr *to[3] = { &bad, &good, &bad };
	struct udp_batch batch = { batch_bytes, 3 * SEGMENT, SEGMENT };

	(void)open_on(&sender, "127.0.0.1", BUFFER);
	good = open_on(&receiver, "127.0.0.1", BUFFER);
	CHECK_EQ(udp_addr_parse(&bad, "255.255.255.255", 9), 0); /* EACCES */

	udp_send(&sender, &batch, to, 3);

	receive(&receiver, batch.len);
	CHECK_EQ(received_len, batch.len);
	CHECK_EQ(sender.counters.dropped_error, 6);
	CHECK(sender.last_error != 0);
	CHECK(sender.has_segment);
	udp_close(&sender);
	udp_close(&receiver);
}

static void
test_udp_full_receiver_is_counted_by_the_kernel(void)
{
	struct udp sender, receiver;
	union udp_addr at;
	const union udp_addr *to = &at;
	struct udp_batch batch = { batch_bytes, 40 * SEGMENT, SEGMENT };

	(void)open_on(&sender, "127.0.0.1", BUFFER);
	at = open_on(&receiver, "127.0.0.1", 4096);
	CHECK_EQ(udp_kernel_drops(&receiver), 0);

	for (int i = 0; i < 20; i++)
		udp_send(&sender, &batch, &to, 1);

	CHECK(udp_kernel_drops(&receiver) > 0);
	udp_close(&sender);
	udp_close(&receiver);
}

/* ---- errors ------------------------------------------------------------ */

/* A port that nobody has any more. */
static union udp_addr
nobodys(const char *host)
{
	struct udp gone;
	union udp_addr addr = open_on(&gone, host, BUFFER);

	udp_close(&gone);
	return addr;
}

static void
check_refusal(const char *host)
{
	struct udp sender;
	union udp_addr bad = nobodys(host);
	const union udp_addr *to = &bad;
	struct udp_batch batch = { batch_bytes, 100, 100 };
	struct udp_error error;
	struct pollfd ready;

	(void)open_on(&sender, host, BUFFER);
	ready = (struct pollfd){ .fd = sender.fd };
	CHECK(!udp_next_error(&sender, &error));
	udp_send(&sender, &batch, &to, 1);

	CHECK_EQ(poll(&ready, 1, 10000), 1);
	CHECK(ready.revents & POLLERR);
	if (CHECK(udp_next_error(&sender, &error))) {
		CHECK_EQ(error.kind, UDP_ERROR_NO_PORT);
		CHECK(udp_addr_equal(&error.to, &bad));
		CHECK_MEM(
		    error.quote, error.quote_len, batch_bytes, UDP_QUOTE_BYTES);
	}
	CHECK(!udp_next_error(&sender, &error));
	CHECK_EQ(poll(&ready, 1, 0), 0);
	CHECK_EQ(sender.counters.errors, 1);
	udp_close(&sender);
}

static void
test_udp_refused_datagram_is_quoted(void)
{
	check_refusal("127.0.0.1");
}

static void
test_udp_refused_datagram_is_quoted_over_ipv6(void)
{
	int fd = socket(AF_INET6, SOCK_DGRAM, 0);
	struct sockaddr_in6 loopback = { .sin6_family = AF_INET6,
		.sin6_addr = IN6ADDR_LOOPBACK_INIT };
	bool is_there = fd >= 0 &&
	    bind(fd, (struct sockaddr *)&loopback, sizeof loopback) == 0;

	if (fd >= 0)
		close(fd);
	if (is_there)
		check_refusal("::1");
	else
		printf("skipped: this machine has no IPv6\n");
}

/* The kernel tells a refusal to the next call as well, whatever that sends. */
static void
test_udp_refusal_costs_no_other_datagram(void)
{
	struct udp sender, receiver;
	union udp_addr good, bad = nobodys("127.0.0.1"), from;
	const union udp_addr *to_bad = &bad, *to_good = &good;
	const union udp_addr *to_sender = &from;
	const union udp_addr *mixed[4] = { &bad, &good, &bad, &good };
	struct udp_batch batch = { batch_bytes, 5, 5 };
	struct pollfd ready;

	from = open_on(&sender, "127.0.0.1", BUFFER);
	good = open_on(&receiver, "127.0.0.1", BUFFER);
	udp_send(&sender, &batch, &to_bad, 1);
	udp_send(&sender, &batch, &to_good, 1);
	receive(&receiver, 5);
	CHECK_EQ(received_len, 5);
	udp_send(&sender, &batch, mixed, 4);
	receive(&receiver, 10);
	CHECK_EQ(received_len, 10);
	CHECK_EQ(sender.counters.dropped_error, 0);

	/* Nor one that came in. */
	udp_send(&receiver, &batch, &to_sender, 1);
	ready = (struct pollfd){ .fd = sender.fd, .events = POLLIN };
	CHECK_EQ(poll(&ready, 1, 10000), 1);
	udp_send(&sender, &batch, &to_bad, 1);
	receive(&sender, 5);
	CHECK_EQ(received_len, 5);
	udp_close(&sender);
	udp_close(&receiver);
}

static void
test_udp_open_of_a_taken_port_fails_and_is_closed(void)
{
	struct udp first, second;
	union udp_addr addr = open_on(&first, "127.0.0.1", BUFFER);

	CHECK(udp_open(&second, &addr, BUFFER) < 0);
	CHECK_EQ(second.fd, -1);
	udp_close(&second);
	udp_close(&first);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_udp_addr_reads_literals_with_and_without_port),
		CHECK_TEST(test_udp_addr_refuses_everything_else),
		CHECK_TEST(test_udp_addr_equal_compares_address_and_port),
		CHECK_TEST(test_udp_batch_arrives_at_every_destination),
		CHECK_TEST(
		    test_udp_batch_arrives_where_the_kernel_does_not_cut),
		CHECK_TEST(test_udp_batch_arrives_over_ipv6),
		CHECK_TEST(test_udp_message_names_its_sender),
		CHECK_TEST(
		    test_udp_destination_that_fails_does_not_stop_the_others),
		CHECK_TEST(test_udp_full_receiver_is_counted_by_the_kernel),
		CHECK_TEST(test_udp_refused_datagram_is_quoted),
		CHECK_TEST(test_udp_refused_datagram_is_quoted_over_ipv6),
		CHECK_TEST(test_udp_refusal_costs_no_other_datagram),
		CHECK_TEST(test_udp_open_of_a_taken_port_fails_and_is_closed),
	};
	static _Alignas(64)
	    uint8_t block[UDP_RX_MESSAGES * UDP_RX_BYTES + 8192];
	struct arena arena;

	arena_init(&arena, NULL, 0);
	if (udp_rx_create(&arena) != NULL || arena.used_bytes > sizeof block)
		return 1;
	arena_init(&arena, block, sizeof block);
	rx = udp_rx_create(&arena);
	for (size_t i = 0; i < sizeof batch_bytes; i++)
		batch_bytes[i] = (uint8_t)(i * 7 + i / 256);
	return CHECK_MAIN(argc, argv, tests);
}
