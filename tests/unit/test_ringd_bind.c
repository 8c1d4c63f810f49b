/* SPDX-License-Identifier: BSD-3-Clause */
/* What came to the links while nobody was there to take it. */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <unistd.h>

#include "libcommon/os/cluster.h"
#include "libcommon/os/udp.h"

#include "bin/ringd/ringd_bind.h"
#include "tests/unit/check.h"

enum { BUFFER = 1 << 20, DATAGRAMS = 5 };

static struct cluster_conf conf; /* too large for the stack */
static struct udp bound, other;
static union udp_addr at_link, at_other;
static uint8_t byte = 7;

static void
open_on(struct udp *udp, union udp_addr *addr)
{
	socklen_t len = sizeof *addr;

	CHECK_EQ(udp_addr_parse(addr, "127.0.0.1", 1), 0);
	addr->v4.sin_port = 0;
	CHECK_EQ(udp_open(udp, addr, BUFFER), 0);
	CHECK_EQ(getsockname(udp->fd, &addr->any, &len), 0);
}

static void
send_byte(struct udp *from, const union udp_addr *to)
{
	struct udp_batch batch = { &byte, 1, 1 };

	udp_send(from, &batch, &to, 1);
}

/* The refusal of a datagram is told to whoever calls next. */
static void
await_refusal(void)
{
	struct pollfd ready = { .fd = bound.fd };

	send_byte(&bound, &at_other);
	CHECK_EQ(poll(&ready, 1, 10000), 1);
	CHECK(ready.revents & POLLERR);
}

static void
test_ringd_bind_drains_behind_an_error(void)
{
	struct pollfd ready = { .events = POLLIN };

	conf.link_count = 1;
	open_on(&bound, &at_link);
	open_on(&other, &at_other);
	for (int i = 0; i < DATAGRAMS; i++)
		send_byte(&other, &at_link);
	ready.fd = bound.fd;
	CHECK_EQ(poll(&ready, 1, 10000), 1);
	udp_close(&other);
	await_refusal();

	ringd_bind_drain(&conf, &bound);
	CHECK_EQ(recv(bound.fd, &byte, 1, MSG_DONTWAIT), -1);
	CHECK_EQ(errno, EAGAIN);
	udp_close(&bound);
}

/* As without groups. */
static void
test_ringd_bind_drains_nothing_of_what_is_closed(void)
{
	bound.fd = -1;
	ringd_bind_drain(&conf, &bound);
	CHECK_EQ(errno, EBADF);
}

/* ---- spares -------------------------------------------------------------- */

static struct ringd_sockets sockets;

/* An address of this process's own, the more-th. */
static union udp_addr
own_address(uint32_t more)
{
	uint32_t pid = (uint32_t)getpid();
	union udp_addr addr;
	char string[32];

	snprintf(string, sizeof string, "127.%u.%u.%u", pid / 254 % 254 + 1,
	    pid % 254 + 1, more);
	CHECK_EQ(udp_addr_parse(&addr, string, 5410), 0);
	return addr;
}

static void
begin_sockets(void)
{
	union udp_addr addr = own_address(1);

	conf.link_count = conf.node_count = 1;
	conf.nodes[0].link_count = 1;
	conf.nodes[0].link[0] = addr;
	CHECK_EQ(udp_open(&bound, &addr, BUFFER), 0);
	ringd_bind_spares(&conf, &bound, &sockets);
}

static void
end_sockets(void)
{
	udp_close(&bound);
	for (uint32_t i = 0; i < 2 * RINGD_SPARES; i++)
		udp_close(&sockets.spare[i]);
}

/* What this node's links are by conf, with link 0 here. */
static int
picked(const union udp_addr *addr)
{
	static struct udp links[LIMIT_LINKS];

	conf.nodes[0].link[0] = *addr;
	ringd_bind_pick(&sockets, &conf, links);
	CHECK_EQ(links[1].fd, -1);
	return links[0].fd;
}

/* What a dry run says of one address. */
static int
tried(const union udp_addr *addr)
{
	struct ringd_sockets copy = sockets;

	return ringd_bind_try(&copy, addr);
}

static void
test_ringd_bind_spare_is_bound_once_and_found(void)
{
	union udp_addr first = own_address(1), second = own_address(2);
	union udp_addr third = own_address(3);
	int fd;

	begin_sockets();
	CHECK_EQ(picked(&first), bound.fd);
	CHECK_EQ(picked(&second), -1);
	CHECK_EQ(ringd_bind_spare(&sockets, &second), 0);
	fd = picked(&second);
	CHECK(fd >= 0 && fd != bound.fd);
	CHECK_EQ(ringd_bind_spare(&sockets, &second), 0);
	CHECK_EQ(picked(&second), fd);
	/* Back again costs nothing. */
	CHECK_EQ(ringd_bind_spare(&sockets, &first), 0);
	CHECK_EQ(picked(&first), bound.fd);
	for (uint32_t i = 3; i < 2 + RINGD_SPARES; i++) {
		union udp_addr more = own_address(i);

		CHECK_EQ(tried(&more), 0);
		CHECK_EQ(ringd_bind_spare(&sockets, &more), 0);
	}
	second = own_address(2 + RINGD_SPARES);
	CHECK_EQ(tried(&second), -ENOSPC);
	CHECK_EQ(ringd_bind_spare(&sockets, &second), -ENOSPC);
	CHECK_EQ(tried(&third), 0);
	CHECK_EQ(ringd_bind_spare(&sockets, &third), 0);
	end_sockets();
}

/* A dry run of several addresses, with two sockets left. */
static void
test_ringd_bind_try_uses_up_what_it_would(void)
{
	union udp_addr addr[3];
	struct ringd_sockets copy;

	begin_sockets();
	for (uint32_t i = 0; i < RINGD_SPARES - 2; i++) {
		addr[0] = own_address(10 + i);
		CHECK_EQ(ringd_bind_spare(&sockets, &addr[0]), 0);
	}
	for (uint32_t i = 0; i < 3; i++)
		addr[i] = own_address(30 + i);
	copy = sockets;
	CHECK_EQ(ringd_bind_try(&copy, &addr[0]), 0);
	CHECK_EQ(ringd_bind_try(&copy, &addr[1]), 0);
	CHECK_EQ(ringd_bind_try(&copy, &addr[2]), -ENOSPC);
	/* And it was none but that. */
	CHECK_EQ(picked(&addr[0]), -1);
	CHECK_EQ(ringd_bind_spare(&sockets, &addr[2]), 0);
	CHECK_EQ(ringd_bind_spare(&sockets, &addr[1]), 0);
	end_sockets();
}

static void
test_ringd_bind_spare_refuses_what_is_not_here(void)
{
	union udp_addr away, used = own_address(4), free = own_address(5);

	begin_sockets();
	CHECK_EQ(udp_addr_parse(&away, "192.0.2.77", 5410), 0);
	CHECK_EQ(udp_open(&other, &used, BUFFER), 0);
	for (uint32_t i = 0; i < 2 * RINGD_SPARES; i++) {
		CHECK_EQ(tried(&away), -EADDRNOTAVAIL);
		CHECK_EQ(ringd_bind_spare(&sockets, &away), -EADDRNOTAVAIL);
		CHECK_EQ(tried(&used), -EADDRINUSE);
		CHECK_EQ(ringd_bind_spare(&sockets, &used), -EADDRINUSE);
	}
	/* None was used up, by failing or by trying. */
	CHECK_EQ(tried(&free), 0);
	CHECK_EQ(picked(&free), -1);
	CHECK_EQ(ringd_bind_spare(&sockets, &free), 0);
	udp_close(&other);
	end_sockets();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_bind_drains_behind_an_error),
		CHECK_TEST(test_ringd_bind_drains_nothing_of_what_is_closed),
		CHECK_TEST(test_ringd_bind_spare_is_bound_once_and_found),
		CHECK_TEST(test_ringd_bind_try_uses_up_what_it_would),
		CHECK_TEST(test_ringd_bind_spare_refuses_what_is_not_here),
	};

	return CHECK_MAIN(argc, argv, tests);
}
