/* SPDX-License-Identifier: BSD-3-Clause */
/* Links over lossy, slow, deaf and flapping wires. */
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/linkworld.h"

static const struct linkworld_wire fine = { .delay_ns = LINKWORLD_MS / 10 };
static const struct link_config two = { .link_count = 2 };
static const struct link_config first = { .link_count = 2,
	.priority = { 1, 2 } };
static const struct link_config one = { .link_count = 1 };

static void
begin(const struct link_config *cfg)
{
	linkworld_begin(cfg, 1);
	linkworld_run(1000);
	linkworld_forget();
}

/* DATA once a millisecond from and to everybody. */
static void
begin_busy(const struct link_config *cfg)
{
	begin(cfg);
	linkworld_now.data_every_ns = LINKWORLD_MS;
	linkworld_run(1000);
	linkworld_forget();
}

static void
cut(uint32_t from, uint32_t to, uint32_t link, bool is_cut)
{
	linkworld_now.wires[from][to][link].is_cut = is_cut;
}

static void
test_link_pairs_are_up_within_a_few_round_trips(void)
{
	linkworld_begin(&two, 1);
	linkworld_run(50);
	for (uint32_t link = 0; link < 2; link++) {
		struct link_status status = linkworld_status(0, 1, link);

		CHECK(
		    linkworld_is_up(0, 1, link) && linkworld_is_up(1, 0, link));
		CHECK(status.rtt_ns >= 200000 && status.rtt_ns < 2000000);
		CHECK(status.is_good);
	}
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	CHECK_EQ(link_control(linkworld_now.nodes[0].links, 1), 3);
	linkworld_end();
}

/* LINKs a second from node 0 to node 1 over link 0, in ten seconds. */
static uint64_t
link_rate(void)
{
	uint64_t before = linkworld_now.nodes[0].sent_links[1][0];

	linkworld_run(10000);
	return (linkworld_now.nodes[0].sent_links[1][0] - before) / 10;
}

/* Answers that come after the timeout: no end of questions. */
static void
test_link_pair_that_is_too_slow_costs_little(void)
{
	linkworld_begin(&two, 1);
	for (uint32_t link = 0; link < 2; link++)
		linkworld_all(link,
		    (struct linkworld_wire){ .delay_ns = 250 * LINKWORLD_MS });
	linkworld_run(2000);
	CHECK(link_rate() <= 25);
	CHECK_EQ(linkworld_status(0, 1, 0).state, LINK_INIT);
	linkworld_end();
}

/* The preset says how slow the paths may be. */
static void
test_link_slow_pair_is_up_with_a_slow_heartbeat(void)
{
	struct link_config cfg = two;

	cfg.heartbeat_ns = 100 * LINKWORLD_MS;
	linkworld_begin(&cfg, 1);
	for (uint32_t link = 0; link < 2; link++)
		linkworld_all(link,
		    (struct linkworld_wire){ .delay_ns = 250 * LINKWORLD_MS });
	linkworld_run(4000);
	CHECK(linkworld_is_up(0, 1, 0) && linkworld_is_up(1, 0, 1));
	CHECK(link_rate() <= 25);
	linkworld_end();
}

static void
test_link_idle_pair_costs_little(void)
{
	uint64_t before, other;

	begin(&two);
	before = linkworld_now.nodes[0].sent_links[1][1];
	linkworld_run(10000);
	/* What else is sent 40 times a second is enough of a heartbeat. */
	CHECK(linkworld_now.nodes[0].sent_links[1][1] - before <= 110);
	linkworld_end();

	begin(&one);
	other = linkworld_now.nodes[0].sent_links[1][0];
	linkworld_run(10000);
	CHECK(linkworld_now.nodes[0].sent_links[1][0] - other <= 26);
	linkworld_end();
}

static void
test_link_cut_moves_data_within_100_ms(void)
{
	begin_busy(&first);
	CHECK_EQ(linkworld_now.data[0][1].by_link[1], 0);
	cut(0, 1, 0, true);
	cut(1, 0, 0, true);
	linkworld_run(500);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	CHECK_EQ(linkworld_data_of(1, 0), 2);
	CHECK_EQ(linkworld_data_of(0, 2), 1);
	CHECK(linkworld_now.data[0][1].longest_gap_ns < 100 * LINKWORLD_MS);
	CHECK(linkworld_now.data[1][0].longest_gap_ns < 100 * LINKWORLD_MS);
	CHECK(linkworld_now.data[0][1].sent - linkworld_now.data[0][1].came <
	    100);
	CHECK_EQ(linkworld_now.data[0][1].doubled, 0);
	CHECK(!linkworld_is_up(0, 1, 0));
	CHECK_EQ(link_control(linkworld_now.nodes[0].links, 1), 2);

	cut(0, 1, 0, false);
	cut(1, 0, 0, false);
	linkworld_forget();
	linkworld_run(2000);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	CHECK_EQ(
	    linkworld_now.data[0][1].sent - linkworld_now.data[0][1].came, 0);
	linkworld_end();
}

static void
test_link_deaf_in_one_direction_is_left_by_both(void)
{
	begin_busy(&two);
	cut(0, 1, 0, true);
	linkworld_run(500);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	CHECK_EQ(linkworld_data_of(1, 0), 2);
	CHECK(linkworld_now.data[0][1].longest_gap_ns < 100 * LINKWORLD_MS);
	/* Each end knows it, though one of them hears the other. */
	CHECK_EQ(linkworld_status(0, 1, 0).state, LINK_INIT);
	CHECK_EQ(linkworld_status(1, 0, 0).state, LINK_DOWN);
	linkworld_end();
}

static void
test_link_that_loses_much_is_left_within_100_ms(void)
{
	struct linkworld_wire lossy = fine;

	begin_busy(&two);
	lossy.loss = 300;
	linkworld_now.wires[0][1][0] = lossy;
	linkworld_run(100);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	linkworld_forget();
	linkworld_run(10000);
	CHECK_EQ(
	    linkworld_now.data[0][1].sent - linkworld_now.data[0][1].came, 0);
	CHECK(linkworld_status(1, 0, 0).loss_in > 100);
	CHECK(linkworld_status(0, 1, 0).loss_out > 100);
	linkworld_end();
}

static void
test_link_that_loses_little_keeps_data(void)
{
	struct linkworld_wire lossy = fine;

	begin_busy(&two);
	lossy.loss = 10;
	linkworld_all(0, lossy);
	linkworld_run(10000);
	CHECK(linkworld_now.moves <= 12); /* six pairs, now and then */
	CHECK(linkworld_now.data[0][1].by_link[0] >
	    linkworld_now.data[0][1].came * 8 / 10);
	linkworld_end();
}

static void
test_link_that_flaps_each_second_is_left_alone(void)
{
	begin_busy(&first);
	for (int i = 0; i < 30; i++) {
		linkworld_all(0, (struct linkworld_wire){ .is_cut = true });
		linkworld_run(500);
		linkworld_all(0, fine);
		linkworld_run(500);
		if (i == 5)
			linkworld_forget();
	}
	CHECK(linkworld_now.data[0][1].longest_gap_ns < 10 * LINKWORLD_MS);
	CHECK_EQ(linkworld_now.data[0][1].sent, linkworld_now.data[0][1].came);
	CHECK_EQ(linkworld_now.moves, 0);
	/* And is not left for ever. */
	linkworld_run(15000);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	linkworld_end();
}

static void
test_link_that_becomes_slow_and_shaky_is_left(void)
{
	struct linkworld_wire shaky = { .delay_ns = 2 * LINKWORLD_MS,
		.jitter_ns = 200 * LINKWORLD_MS };

	begin_busy(&two);
	linkworld_all(0, shaky);
	linkworld_run(100);
	/* What comes next comes in order. */
	linkworld_run(400);
	linkworld_forget();
	linkworld_run(5000);
	CHECK_EQ(linkworld_now.data[0][1].by_link[0], 0);
	CHECK(linkworld_now.data[0][1].longest_gap_ns < 10 * LINKWORLD_MS);
	linkworld_end();
}

static void
test_link_faster_by_a_fifth_is_taken_and_no_other(void)
{
	struct linkworld_wire slow = { .delay_ns = 5 * LINKWORLD_MS };
	struct linkworld_wire less = { .delay_ns = 4 * LINKWORLD_MS + 500000 };

	begin_busy(&two);
	linkworld_all(0, slow);
	linkworld_all(1, less);
	linkworld_run(2000);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	less.delay_ns = 3 * LINKWORLD_MS;
	linkworld_all(1, less);
	linkworld_run(2000);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	/* Back only for something better. */
	linkworld_forget();
	slow.delay_ns = 2 * LINKWORLD_MS + 800000;
	linkworld_all(0, slow);
	linkworld_run(2000);
	CHECK_EQ(linkworld_now.moves, 0);
	linkworld_end();
}

static void
test_link_priority_comes_before_round_trip(void)
{
	struct link_config cfg = { .link_count = 3, .priority = { 2, 1, 1 } };
	struct linkworld_wire slow = { .delay_ns = 20 * LINKWORLD_MS };

	begin_busy(&cfg);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	linkworld_all(1, slow);
	linkworld_run(1000);
	CHECK_EQ(linkworld_data_of(0, 1), 4);
	linkworld_all(2, (struct linkworld_wire){ .is_cut = true });
	linkworld_run(1000);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	linkworld_all(1, (struct linkworld_wire){ .is_cut = true });
	linkworld_run(1000);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	linkworld_end();
}

static void
test_link_active_uses_all_good_ones(void)
{
	struct link_config cfg = { .link_count = 3, .mode = LINK_ACTIVE };

	begin_busy(&cfg);
	linkworld_run(1000);
	CHECK_EQ(linkworld_data_of(0, 1), 7);
	CHECK(linkworld_now.data[0][1].doubled > linkworld_now.data[0][1].came);
	linkworld_forget();
	linkworld_all(0, (struct linkworld_wire){ .is_cut = true });
	linkworld_run(1000);
	CHECK_EQ(linkworld_data_of(0, 1), 6);
	CHECK_EQ(linkworld_now.data[0][1].came, linkworld_now.data[0][1].sent);
	linkworld_end();
}

static void
test_link_rr_takes_equal_ones_in_turn(void)
{
	struct link_config cfg = { .link_count = 3, .mode = LINK_RR };
	struct linkworld_wire slow = { .delay_ns = 20 * LINKWORLD_MS };

	begin_busy(&cfg);
	linkworld_run(1000);
	for (uint32_t link = 0; link < 3; link++)
		CHECK(linkworld_now.data[0][1].by_link[link] >
		    linkworld_now.data[0][1].came / 4);
	CHECK_EQ(linkworld_now.data[0][1].doubled, 0);
	linkworld_all(1, slow);
	linkworld_run(1000);
	linkworld_forget();
	linkworld_run(1000);
	CHECK_EQ(linkworld_now.data[0][1].by_link[1], 0);
	CHECK(linkworld_now.data[0][1].by_link[2] >
	    linkworld_now.data[0][1].came / 3);
	linkworld_end();
}

static void
test_link_nothing_makes_a_peer_unreachable(void)
{
	struct linkworld_wire lossy = fine;

	begin_busy(&two);
	lossy.loss = 400;
	linkworld_all(0, lossy);
	linkworld_all(1, lossy);
	linkworld_run(5000);
	linkworld_forget();
	linkworld_run(1000);
	CHECK(
	    linkworld_now.data[0][1].came > linkworld_now.data[0][1].sent / 2);

	/* All silent: DATA and control over everything. */
	linkworld_all(0, (struct linkworld_wire){ .is_cut = true });
	linkworld_all(1, (struct linkworld_wire){ .is_cut = true });
	linkworld_run(1000);
	CHECK_EQ(linkworld_data_of(0, 1), 3);
	CHECK_EQ(link_control(linkworld_now.nodes[0].links, 1), 3);
	linkworld_run(20000);
	linkworld_forget();
	linkworld_all(1, fine);
	linkworld_run(10);
	CHECK(linkworld_now.data[0][1].came > 5);
	linkworld_run(2000);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	linkworld_end();
}

static void
test_link_hint_takes_and_gives_back_all_pairs_at_once(void)
{
	begin_busy(&first);
	link_hint(linkworld_now.nodes[0].links, 0, false, linkworld_now.now_ns);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	CHECK_EQ(linkworld_data_of(0, 2), 2);
	CHECK(linkworld_status(0, 1, 0).is_unusable);
	linkworld_run(100);
	/* The others were told. */
	CHECK_EQ(linkworld_data_of(1, 0), 2);
	CHECK_EQ(linkworld_status(1, 0, 0).state, LINK_INIT);
	CHECK(!linkworld_is_up(0, 1, 0));

	link_hint(linkworld_now.nodes[0].links, 1, false, linkworld_now.now_ns);
	CHECK_EQ(linkworld_data_of(0, 1), 3);
	link_hint(linkworld_now.nodes[0].links, 1, true, linkworld_now.now_ns);
	link_hint(linkworld_now.nodes[0].links, 0, true, linkworld_now.now_ns);
	linkworld_run(50);
	CHECK(linkworld_is_up(0, 1, 0) && linkworld_is_up(0, 2, 1));
	linkworld_run(2000);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	linkworld_end();
}

static void
test_link_pause_of_a_process_blames_no_link(void)
{
	begin_busy(&two);
	linkworld_now.nodes[0].is_stopped = true;
	linkworld_run(2000);
	linkworld_now.nodes[0].is_stopped = false;
	link_tick(linkworld_now.nodes[0].links, linkworld_now.now_ns);
	CHECK(linkworld_is_up(0, 1, 0) && linkworld_is_up(0, 2, 1));
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	linkworld_run(1000);
	CHECK(linkworld_is_up(1, 0, 0) && linkworld_is_up(1, 0, 1));
	linkworld_end();
}

static void
test_link_recorded_datagram_is_no_sign_of_life(void)
{
	begin(&two);
	cut(0, 1, 1, true);
	for (int i = 0; i < 100; i++) {
		linkworld_replay(0, 1, 1);
		linkworld_run(10);
	}
	CHECK_EQ(linkworld_status(1, 0, 1).state, LINK_DOWN);
	linkworld_end();
}

static void
test_link_datagram_of_another_link_is_refused(void)
{
	struct link_packet packet = {
		.link = 1, .seq = 1000000, .stamp_ns = 1
	};
	struct link_at at = { 1, 0, 0 };

	begin(&two);
	at.now_ns = linkworld_now.now_ns;
	CHECK(!link_hear(linkworld_now.nodes[0].links, &at, &packet, 100));
	packet.link = 0;
	CHECK(link_hear(linkworld_now.nodes[0].links, &at, &packet, 100));
	CHECK(!link_hear(linkworld_now.nodes[0].links, &at, &packet, 100));
	linkworld_end();
}

static void
test_link_restarted_peer_is_up_again_at_once(void)
{
	begin_busy(&two);
	linkworld_restart(1);
	linkworld_run(100);
	for (uint32_t link = 0; link < 2; link++) {
		CHECK(linkworld_is_up(0, 1, link));
		CHECK(linkworld_is_up(1, 0, link));
	}
	CHECK_EQ(__builtin_popcount(linkworld_data_of(0, 1)), 1);
	linkworld_end();
}

static void
test_link_mtu_is_found_in_both_directions(void)
{
	struct linkworld_wire narrow = { .delay_ns = LINKWORLD_MS / 10,
		.mtu = 1300 };

	begin(&one);
	CHECK_EQ(linkworld_status(0, 1, 0).mtu, LINKWORLD_FRAME);
	CHECK_EQ(
	    link_mtu(linkworld_now.nodes[0].links, 1, false), LINKWORLD_FRAME);
	linkworld_now.wires[0][1][0] = narrow;
	linkworld_run(6000);
	CHECK_EQ(linkworld_status(0, 1, 0).mtu, 1232);
	CHECK_EQ(linkworld_status(1, 0, 0).mtu, 1232);
	CHECK_EQ(linkworld_status(0, 2, 0).mtu, LINKWORLD_FRAME);
	linkworld_now.wires[0][1][0] = fine;
	linkworld_run(6000);
	CHECK_EQ(linkworld_status(0, 1, 0).mtu, LINKWORLD_FRAME);
	CHECK_EQ(linkworld_status(1, 0, 0).mtu, LINKWORLD_FRAME);
	linkworld_end();
}

static void
test_link_black_hole_under_load_is_found_in_300_ms(void)
{
	struct linkworld_wire narrow = { .delay_ns = LINKWORLD_MS / 10,
		.mtu = 1300 };

	begin_busy(&one);
	linkworld_run(1500); /* between two rounds */
	linkworld_all(0, narrow);
	linkworld_run(300);
	CHECK_EQ(link_mtu(linkworld_now.nodes[0].links, 1, false), 1232);
	CHECK_EQ(link_mtu(linkworld_now.nodes[1].links, 2, false), 1232);
	CHECK(linkworld_is_up(0, 1, 0));
	linkworld_end();
}

static void
test_link_mtu_survives_loss(void)
{
	struct linkworld_wire lossy = fine;
	uint32_t whole = 0;

	begin(&one);
	lossy.loss = 100;
	linkworld_all(0, lossy);
	for (int i = 0; i < 100; i++) {
		linkworld_run(1000);
		whole += link_mtu(linkworld_now.nodes[0].links, 1, false) ==
		    LINKWORLD_FRAME;
	}
	CHECK(whole >= 90);
	linkworld_end();
}

static void
test_link_survives_what_a_peer_makes_up(void)
{
	struct rng_free {
		uint64_t x;
	} r = { 88172645463325252U };
	uint8_t bytes[LINK_TEXT_BYTES];
	uint32_t taken = 0;

	begin(&two);
	for (int i = 0; i < 20000; i++) {
		struct link_at at = { 1 + (uint32_t)i % 2, (uint32_t)i / 2 % 2,
			linkworld_now.now_ns };
		struct link_packet packet;
		struct link_effect effect;

		for (size_t k = 0; k < sizeof bytes; k++) {
			r.x ^= r.x << 13, r.x ^= r.x >> 7, r.x ^= r.x << 17;
			bytes[k] = (uint8_t)r.x;
		}
		bytes[0] = (uint8_t)at.link;
		bytes[2] |= bytes[3];
		bytes[4] &= 1; /* loss */
		if (!link_packet_get(bytes, sizeof bytes, &packet))
			continue;
		packet.seq >>= r.x % 64;
		taken += link_hear(linkworld_now.nodes[0].links, &at, &packet,
		    (uint32_t)(r.x >> 20) % 3000);
		while (link_next(linkworld_now.nodes[0].links,
		    linkworld_now.now_ns, &effect))
			if (effect.kind == LINK_OUT_SEND)
				link_packet_put(&effect.packet, bytes);
		link_tick(linkworld_now.nodes[0].links, linkworld_now.now_ns);
		link_assert(linkworld_now.nodes[0].links);
		CHECK(linkworld_data_of(0, at.peer) != 0);
	}
	CHECK(taken > 10);
	linkworld_end();
}

/* What it hears of groups is said at once, counts on links that are up, and
 * is forgotten with the peer's life. */
static void
test_link_says_whose_multicasts_are_heard(void)
{
	struct links *a, *b;

	begin(&two);
	a = linkworld_now.nodes[0].links;
	b = linkworld_now.nodes[1].links;
	CHECK_EQ(link_group(a, 1), 0);
	link_set_group(b, 0, 3);
	linkworld_run(30);
	CHECK_EQ(link_group(a, 1), 3);
	CHECK_EQ(link_group(a, 2), 0);
	linkworld_run(2000);
	CHECK_EQ(link_group(a, 1), 3);

	cut(1, 0, 0, true);
	linkworld_run(1000);
	CHECK_EQ(link_group(a, 1), 2);
	cut(1, 0, 0, false);
	linkworld_run(1000);
	CHECK_EQ(link_group(a, 1), 3);

	link_set_group(b, 0, 1);
	linkworld_run(30);
	CHECK_EQ(link_group(a, 1), 1);
	linkworld_restart(1);
	linkworld_run(500);
	CHECK_EQ(link_group(a, 1), 0);
	linkworld_end();
}

static void
test_link_packet_comes_back_as_it_went(void)
{
	static const struct link_packet packet = { 7, true, 1, 2, 3, 4, 5, 0x81,
		1, 0x40, 1000, 1448, 1232 };
	uint8_t bytes[LINK_TEXT_BYTES], again[LINK_TEXT_BYTES];
	struct link_packet got;

	link_packet_put(&packet, bytes);
	CHECK(!link_packet_get(bytes, sizeof bytes - 1, &got));
	CHECK(link_packet_get(bytes, sizeof bytes, &got));
	link_packet_put(&got, again);
	CHECK_MEM(again, sizeof again, bytes, sizeof bytes);
	CHECK_EQ(got.mtu, 1448);
	CHECK_EQ(got.sent, 5);
	CHECK_EQ(got.group, 0x40);

	bytes[0] = LIMIT_LINKS;
	CHECK(!link_packet_get(bytes, sizeof bytes, &got));
	bytes[0] = 7;
	bytes[3] = 2; /* content with what it does not hear */
	CHECK(!link_packet_get(bytes, sizeof bytes, &got));
	bytes[3] = 1;
	memset(bytes + 16, 0, 8); /* number 0 */
	CHECK(!link_packet_get(bytes, sizeof bytes, &got));
}

/* Nobody sends so short a probe: pieces would have no room. */
static void
test_link_packet_with_an_impossible_length_is_refused(void)
{
	static const uint32_t lengths[] = { 1, 49, 547, 595, 596, 65535 };
	static const struct link_packet packet = { .seq = 1, .stamp_ns = 1 };
	enum { MTU_AT = 6, PROBED_AT = 8 };

	for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++)
		for (int at = MTU_AT; at <= PROBED_AT; at += 2) {
			uint8_t bytes[LINK_TEXT_BYTES];
			struct link_packet got;

			link_packet_put(&packet, bytes);
			bytes[at] = (uint8_t)(lengths[i] >> 8);
			bytes[at + 1] = (uint8_t)lengths[i];
			CHECK_EQ(link_packet_get(bytes, sizeof bytes, &got),
			    lengths[i] >= 596);
		}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_link_pairs_are_up_within_a_few_round_trips),
		CHECK_TEST(test_link_pair_that_is_too_slow_costs_little),
		CHECK_TEST(test_link_slow_pair_is_up_with_a_slow_heartbeat),
		CHECK_TEST(test_link_idle_pair_costs_little),
		CHECK_TEST(test_link_cut_moves_data_within_100_ms),
		CHECK_TEST(test_link_deaf_in_one_direction_is_left_by_both),
		CHECK_TEST(test_link_that_loses_much_is_left_within_100_ms),
		CHECK_TEST(test_link_that_loses_little_keeps_data),
		CHECK_TEST(test_link_that_flaps_each_second_is_left_alone),
		CHECK_TEST(test_link_that_becomes_slow_and_shaky_is_left),
		CHECK_TEST(test_link_faster_by_a_fifth_is_taken_and_no_other),
		CHECK_TEST(test_link_priority_comes_before_round_trip),
		CHECK_TEST(test_link_active_uses_all_good_ones),
		CHECK_TEST(test_link_rr_takes_equal_ones_in_turn),
		CHECK_TEST(test_link_nothing_makes_a_peer_unreachable),
		CHECK_TEST(
		    test_link_hint_takes_and_gives_back_all_pairs_at_once),
		CHECK_TEST(test_link_pause_of_a_process_blames_no_link),
		CHECK_TEST(test_link_recorded_datagram_is_no_sign_of_life),
		CHECK_TEST(test_link_datagram_of_another_link_is_refused),
		CHECK_TEST(test_link_restarted_peer_is_up_again_at_once),
		CHECK_TEST(test_link_mtu_is_found_in_both_directions),
		CHECK_TEST(test_link_black_hole_under_load_is_found_in_300_ms),
		CHECK_TEST(test_link_mtu_survives_loss),
		CHECK_TEST(test_link_survives_what_a_peer_makes_up),
		CHECK_TEST(test_link_says_whose_multicasts_are_heard),
		CHECK_TEST(test_link_packet_comes_back_as_it_went),
		CHECK_TEST(
		    test_link_packet_with_an_impossible_length_is_refused),
	};

	return CHECK_MAIN(argc, argv, tests);
}
