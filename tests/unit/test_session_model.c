/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Random histories of three nodes: loss, duplication, reordering, restarts,
 * re-keying, and an attacker who plays back anything that was ever sent.
 * Whatever happens: no datagram is taken twice by one life of a receiver, none
 * is taken that was sent before that life began, and once the wire is quiet
 * all believe each other.
 */
#include <stdio.h>
#include <string.h>

#include "bin/ringd/session.h"
#include "tests/unit/check.h"
#include "tests/unit/handshake.h"

enum {
	MODEL_STEPS = 2500,
	MODEL_SEEDS = 300,
	MODEL_RECORDED = 1 << 14, /* of the datagrams of one history */
};

struct model {
	struct handshake h;
	struct handshake_packet recorded[MODEL_RECORDED];
	/* In which life of its receiver a datagram was taken, + 1. */
	uint64_t taken[MODEL_RECORDED];
	uint64_t boots;
	uint64_t life[HANDSHAKE_NODES];
	uint64_t accepted;
	bool has_restarts;
};

static struct model m;

static void
boot(uint32_t i)
{
	handshake_boot(&m.h, i);
	m.life[i] = ++m.boots;
}

static void
record(uint32_t from)
{
	for (; from < m.h.flight_count; from++) {
		const struct handshake_packet *packet = &m.h.flight[from];

		m.recorded[packet->sent_no % MODEL_RECORDED] = *packet;
		m.taken[packet->sent_no % MODEL_RECORDED] = 0;
	}
}

static void
arrive(const struct handshake_packet *packet)
{
	uint64_t *taken = &m.taken[packet->sent_no % MODEL_RECORDED];
	uint32_t before = m.h.flight_count;
	bool is_data = packet->header.kind == SESSION_DATA;

	if (handshake_arrive(&m.h, packet) == SESSION_OK && is_data) {
		CHECK(*taken != m.life[packet->to]);
		CHECK(packet->sent_no > m.h.nodes[packet->to].boot_no);
		*taken = m.life[packet->to];
		m.accepted++;
	}
	record(before);
}

static void
send_something(struct rng *rng)
{
	uint32_t from = (uint32_t)rng_below(rng, HANDSHAKE_NODES);
	uint32_t to = (from + 1 + (uint32_t)rng_below(rng, 2)) % 3;
	uint32_t before = m.h.flight_count;

	(void)handshake_data(&m.h, from, to);
	record(before);
}

static void
replay_something(struct rng *rng)
{
	uint64_t back = rng_below(rng, MODEL_RECORDED - 1);

	if (back >= m.h.sent_no)
		return;
	back = (m.h.sent_no - back) % MODEL_RECORDED;
	if (m.recorded[back].sent_no != 0)
		arrive(&m.recorded[back]);
}

static void
land_something(struct rng *rng)
{
	struct handshake_packet packet;
	uint32_t reach = 1 + (uint32_t)rng_below(rng, 10);

	if (m.h.flight_count == 0)
		return;
	packet = handshake_take(
	    &m.h, (uint32_t)rng_below(rng, m.h.flight_count) / reach);
	if (rng_below(rng, 5) == 0)
		return; /* lost */
	arrive(&packet);
	if (rng_below(rng, 10) == 0)
		arrive(&packet);
}

static void
step(struct rng *rng)
{
	uint32_t before;
	uint64_t dice = rng_below(rng, 100);

	m.h.now_ns += rng_below(rng, 400000);
	if (dice < 30)
		send_something(rng);
	else if (dice < 80)
		land_something(rng);
	else if (dice < 98)
		replay_something(rng);
	else if (m.has_restarts && rng_below(rng, 10) == 0)
		boot((uint32_t)rng_below(rng, HANDSHAKE_NODES));
	before = m.h.flight_count;
	for (uint32_t i = 0; i < HANDSHAKE_NODES; i++)
		handshake_tick(&m.h, i);
	record(before);
}

static bool
all_believe(void)
{
	bool is_so = true;

	for (uint32_t i = 0; i < HANDSHAKE_NODES; i++)
		for (uint32_t j = 0; j < HANDSHAKE_NODES; j++)
			if (i != j)
				is_so = is_so && handshake_believes(&m.h, i, j);
	return is_so;
}

static void
history(uint64_t seed)
{
	struct rng rng;
	char about[32];

	snprintf(about, sizeof about, "seed %llu", (unsigned long long)seed);
	check_case(about);
	memset(&m, 0, sizeof m);
	rng_init(&rng, seed);
	handshake_init(&m.h, seed);
	m.has_restarts = true;
	m.h.rekey_after = seed % 2 ? 100 : 0;
	for (uint32_t i = 0; i < HANDSHAKE_NODES; i++)
		boot(i);
	for (int i = 0; i < MODEL_STEPS; i++)
		step(&rng);
	CHECK(m.accepted > 50);

	handshake_run(&m.h, 1100000000); /* quiet, for the longest gap */
	CHECK(all_believe());
	for (uint32_t i = 0; i < HANDSHAKE_NODES; i++)
		CHECK(!m.h.nodes[i].is_rolled_back &&
		    m.h.nodes[i].outlived_by == 0);
	check_case(NULL);
}

static void
test_session_histories_take_nothing_twice_and_converge(void)
{
	for (uint64_t seed = 1; seed <= MODEL_SEEDS; seed++)
		history(seed);
}

/*
 * A node is set back to a snapshot of itself at random moments: it always
 * learns so, and nothing is taken twice or from before its receiver's life.
 * (Set back by a handful of datagrams, it could pass its old counter before
 * the first report arrives; a real snapshot is older than that.  And a peer
 * that was started anew has forgotten how far it was.)
 */
static void
test_session_rolled_back_node_always_learns_it(void)
{
	static struct handshake_node snapshot;
	struct rng rng;

	for (uint64_t seed = 1; seed <= MODEL_SEEDS / 3; seed++) {
		memset(&m, 0, sizeof m);
		rng_init(&rng, seed);
		handshake_init(&m.h, seed);
		for (uint32_t i = 0; i < HANDSHAKE_NODES; i++)
			boot(i);
		handshake_run(&m.h, 3000000);
		snapshot = m.h.nodes[0];
		for (uint64_t i = rng_below(&rng, 300) + 64; i > 0; i--) {
			(void)handshake_data(&m.h, 0, 1);
			handshake_run(&m.h, 200000);
		}
		memcpy(
		    m.h.nodes[0].block, snapshot.block, sizeof snapshot.block);
		m.life[0] = ++m.boots;

		for (int i = 0; i < 2000; i++)
			step(&rng);
		handshake_run(&m.h, 2200000000);

		CHECK(m.h.nodes[0].is_rolled_back);
		CHECK(!m.h.nodes[1].is_rolled_back);
		CHECK(!m.h.nodes[2].is_rolled_back);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_session_histories_take_nothing_twice_and_converge),
		CHECK_TEST(test_session_rolled_back_node_always_learns_it),
	};

	return CHECK_MAIN(argc, argv, tests);
}
