/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows at the peers from the word that a life is over. */
#include "bin/ringd/session.h"
#include "tests/unit/check.h"
#include "tests/unit/handshake.h"

#define MS ((uint64_t)1000000)

static struct handshake h;

/* Nodes 1 and 2 believe each other; node 3 was never started. */
static void
two_nodes(void)
{
	handshake_init(&h, 1);
	handshake_boot(&h, 0);
	handshake_boot(&h, 1);
	handshake_run(&h, 22 * MS);
	CHECK(handshake_believes(&h, 0, 1));
	CHECK(handshake_believes(&h, 1, 0));
}

static bool
is_buried(uint64_t incarnation)
{
	return session_bury(h.nodes[1].s, 0, incarnation, h.now_ns);
}

static void
test_session_nothing_of_a_buried_life_is_believed(void)
{
	struct handshake_packet data, hello;
	uint64_t dead;

	two_nodes();
	dead = h.nodes[0].incarnation;
	data = handshake_data(&h, 0, 1); /* it comes by a slower link */
	h.flight_count = 0;
	CHECK(is_buried(dead));
	session_assert(h.nodes[1].s);

	CHECK(!handshake_believes(&h, 1, 0));
	CHECK_EQ(handshake_arrive(&h, &data), SESSION_REFUSED_SESSION);
	/* It would still echo what it is asked. */
	handshake_run(&h, 50 * MS);
	CHECK(!handshake_believes(&h, 1, 0));

	/* A HELLO of its own, held back. */
	hello = data;
	hello.header.kind = SESSION_HELLO;
	hello.hello = (struct session_hello){
		.incarnation = dead, .challenge = 5, .ciphers = 1
	};
	CHECK_EQ(handshake_arrive(&h, &hello), SESSION_REFUSED_INCARNATION);
}

/* As of a machine that is set back to when that life was not over. */
static void
test_session_buried_life_that_is_back_is_told(void)
{
	uint64_t dead;

	two_nodes();
	dead = h.nodes[0].incarnation;
	CHECK(is_buried(dead));
	h.nodes[0].incarnation--;
	handshake_boot(&h, 0);
	handshake_run(&h, 50 * MS);
	CHECK(!handshake_believes(&h, 1, 0));
	CHECK_EQ(h.nodes[0].outlived_by, dead + 1);

	h.nodes[0].incarnation = dead + 1;
	handshake_boot(&h, 0);
	handshake_run(&h, 50 * MS);
	CHECK(handshake_believes(&h, 1, 0));

	/* Of a later life it is told that one. */
	h.nodes[0].incarnation = dead - 1;
	handshake_boot(&h, 0);
	handshake_run(&h, 50 * MS);
	CHECK_EQ(h.nodes[0].outlived_by, dead + 2);
}

static void
test_session_next_life_is_believed_after_an_obituary(void)
{
	uint64_t dead;

	two_nodes();
	dead = h.nodes[0].incarnation;
	CHECK(is_buried(dead));
	handshake_boot(&h, 0);
	handshake_run(&h, 20 * MS);
	CHECK(handshake_believes(&h, 1, 0));

	/* Somebody plays the obituary again. */
	CHECK(!is_buried(dead));
	CHECK(handshake_believes(&h, 1, 0));
	CHECK(is_buried(h.nodes[0].incarnation));
}

static void
test_session_obituary_of_another_life_is_nothing(void)
{
	two_nodes();
	CHECK(!is_buried(h.nodes[0].incarnation - 1));
	CHECK(!is_buried(h.nodes[0].incarnation + 1));
	CHECK(handshake_believes(&h, 1, 0));
	/* Nor of one that was never heard. */
	CHECK(!session_bury(h.nodes[1].s, 2, 1, h.now_ns));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_session_nothing_of_a_buried_life_is_believed),
		CHECK_TEST(test_session_buried_life_that_is_back_is_told),
		CHECK_TEST(
		    test_session_next_life_is_believed_after_an_obituary),
		CHECK_TEST(test_session_obituary_of_another_life_is_nothing),
	};

	return CHECK_MAIN(argc, argv, tests);
}
