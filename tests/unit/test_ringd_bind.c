/* SPDX-License-Identifier: BSD-3-Clause */
/* What came to the links while nobody was there to take it. */
#include <sys/socket.h>

#include <errno.h>
#include <poll.h>
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

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ringd_bind_drains_behind_an_error),
		CHECK_TEST(test_ringd_bind_drains_nothing_of_what_is_closed),
	};

	return CHECK_MAIN(argc, argv, tests);
}
