/* SPDX-License-Identifier: BSD-3-Clause */
/* Links over lossy, slow, deaf and flapping wires. */
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/link_world.h"

static const struct world_wire fine = { .delay_ns = WORLD_MS / 10 };
static const struct link_config two = { .link_count = 2 };
static const struct link_config first = { .link_count = 2,
	.priority = { 1, 2 } };
static const struct link_config one = { .link_count = 1 };

static void
begin(const struct link_config *cfg)
{
	world_begin(cfg, 1);
	world_run(1000);
	world_forget();
}

/* DATA once a millisecond from and to everybody. */
static void
begin_busy(const struct link_config *cfg)
{
	begin(cfg);
	world.data_every_ns = WORLD_MS;
	world_run(1000);
	world_forget();
}

static void
cut(uint32_t from, uint32_t to, uint32_t link, bool is_cut)
{
	world.wires[from][to][link].is_cut = is_cut;
}

static void
test_link_pairs_are_up_within_a_few_round_trips(void)
{
	world_begin(&two, 1);
	world_run(50);
	for (uint32_t link = 0; link < 2; link++) {
		struct link_status status = world_status(0, 1, link);

		CHECK(world_is_up(0, 1, link) && world_is_up(1, 0, link));
		CHECK(status.rtt_ns >= 200000 && status.rtt_ns < 2000000);
		CHECK(status.is_good);
	}
	CHECK_EQ(world_data_of(0, 1), 1);
	CHECK_EQ(link_control(world.nodes[0].links, 1), 3);
	world_end();
}

static void
test_link_idle_pair_costs_little(void)
{
	uint64_t before, other;

	begin(&two);
	before = world.nodes[0].sent_links[1][1];
	world_run(10000);
	/* What else is sent 40 times a second is enough of a heartbeat. */
	CHECK(world.nodes[0].sent_links[1][1] - before <= 110);
	world_end();

	begin(&one);
	other = world.nodes[0].sent_links[1][0];
	world_run(10000);
	CHECK(world.nodes[0].sent_links[1][0] - other <= 26);
	world_end();
}

static void
test_link_cut_moves_data_within_100_ms(void)
{
	begin_busy(&first);
	CHECK_EQ(world.data[0][1].by_link[1], 0);
	cut(0, 1, 0, true);
	cut(1, 0, 0, true);
	world_run(500);
	CHECK_EQ(world_data_of(0, 1), 2);
	CHECK_EQ(world_data_of(1, 0), 2);
	CHECK_EQ(world_data_of(0, 2), 1);
	CHECK(world.data[0][1].longest_gap_ns < 100 * WORLD_MS);
	CHECK(world.data[1][0].longest_gap_ns < 100 * WORLD_MS);
	CHECK(world.data[0][1].sent - world.data[0][1].came < 100);
	CHECK_EQ(world.data[0][1].doubled, 0);
	CHECK(!world_is_up(0, 1, 0));
	CHECK_EQ(link_control(world.nodes[0].links, 1), 2);

	cut(0, 1, 0, false);
	cut(1, 0, 0, false);
	world_forget();
	world_run(2000);
	CHECK_EQ(world_data_of(0, 1), 1);
	CHECK_EQ(world.data[0][1].sent - world.data[0][1].came, 0);
	world_end();
}

static void
test_link_deaf_in_one_direction_is_left_by_both(void)
{
	begin_busy(&two);
	cut(0, 1, 0, true);
	world_run(500);
	CHECK_EQ(world_data_of(0, 1), 2);
	CHECK_EQ(world_data_of(1, 0), 2);
	CHECK(world.data[0][1].longest_gap_ns < 100 * WORLD_MS);
	/* Each end knows it, though one of them hears the other. */
	CHECK_EQ(world_status(0, 1, 0).state, LINK_INIT);
	CHECK_EQ(world_status(1, 0, 0).state, LINK_DOWN);
	world_end();
}

static void
test_link_that_loses_much_is_left_within_100_ms(void)
{
	struct world_wire lossy = fine;

	begin_busy(&two);
	lossy.loss = 300;
	world.wires[0][1][0] = lossy;
	world_run(100);
	CHECK_EQ(world_data_of(0, 1), 2);
	world_forget();
	world_run(10000);
	CHECK_EQ(world.data[0][1].sent - world.data[0][1].came, 0);
	CHECK(world_status(1, 0, 0).loss_in > 100);
	CHECK(world_status(0, 1, 0).loss_out > 100);
	world_end();
}

static void
test_link_that_loses_little_keeps_data(void)
{
	struct world_wire lossy = fine;

	begin_busy(&two);
	lossy.loss = 10;
	world_all(0, lossy);
	world_run(10000);
	CHECK(world.moves <= 12); /* six pairs, now and then */
	CHECK(world.data[0][1].by_link[0] > world.data[0][1].came * 8 / 10);
	world_end();
}

static void
test_link_that_flaps_each_second_is_left_alone(void)
{
	begin_busy(&first);
	for (int i = 0; i < 30; i++) {
		world_all(0, (struct world_wire){ .is_cut = true });
		world_run(500);
		world_all(0, fine);
		world_run(500);
		if (i == 5)
			world_forget();
	}
	CHECK(world.data[0][1].longest_gap_ns < 10 * WORLD_MS);
	CHECK_EQ(world.data[0][1].sent, world.data[0][1].came);
	CHECK_EQ(world.moves, 0);
	/* And is not left for ever. */
	world_run(15000);
	CHECK_EQ(world_data_of(0, 1), 1);
	world_end();
}

static void
test_link_that_becomes_slow_and_shaky_is_left(void)
{
	struct world_wire shaky = { .delay_ns = 2 * WORLD_MS,
		.jitter_ns = 200 * WORLD_MS };

	begin_busy(&two);
	world_all(0, shaky);
	world_run(100);
	/* What comes next comes in order. */
	world_run(400);
	world_forget();
	world_run(5000);
	CHECK_EQ(world.data[0][1].by_link[0], 0);
	CHECK(world.data[0][1].longest_gap_ns < 10 * WORLD_MS);
	world_end();
}

static void
test_link_faster_by_a_fifth_is_taken_and_no_other(void)
{
	struct world_wire slow = { .delay_ns = 5 * WORLD_MS };
	struct world_wire less = { .delay_ns = 4 * WORLD_MS + 500000 };

	begin_busy(&two);
	world_all(0, slow);
	world_all(1, less);
	world_run(2000);
	CHECK_EQ(world_data_of(0, 1), 1);
	less.delay_ns = 3 * WORLD_MS;
	world_all(1, less);
	world_run(2000);
	CHECK_EQ(world_data_of(0, 1), 2);
	/* Back only for something better. */
	world_forget();
	slow.delay_ns = 2 * WORLD_MS + 800000;
	world_all(0, slow);
	world_run(2000);
	CHECK_EQ(world.moves, 0);
	world_end();
}

static void
test_link_priority_comes_before_round_trip(void)
{
	struct link_config cfg = { .link_count = 3, .priority = { 2, 1, 1 } };
	struct world_wire slow = { .delay_ns = 20 * WORLD_MS };

	begin_busy(&cfg);
	CHECK_EQ(world_data_of(0, 1), 2);
	world_all(1, slow);
	world_run(1000);
	CHECK_EQ(world_data_of(0, 1), 4);
	world_all(2, (struct world_wire){ .is_cut = true });
	world_run(1000);
	CHECK_EQ(world_data_of(0, 1), 2);
	world_all(1, (struct world_wire){ .is_cut = true });
	world_run(1000);
	CHECK_EQ(world_data_of(0, 1), 1);
	world_end();
}

static void
test_link_active_uses_all_good_ones(void)
{
	struct link_config cfg = { .link_count = 3, .mode = LINK_ACTIVE };

	begin_busy(&cfg);
	world_run(1000);
	CHECK_EQ(world_data_of(0, 1), 7);
	CHECK(world.data[0][1].doubled > world.data[0][1].came);
	world_forget();
	world_all(0, (struct world_wire){ .is_cut = true });
	world_run(1000);
	CHECK_EQ(world_data_of(0, 1), 6);
	CHECK_EQ(world.data[0][1].came, world.data[0][1].sent);
	world_end();
}

static void
test_link_rr_takes_equal_ones_in_turn(void)
{
	struct link_config cfg = { .link_count = 3, .mode = LINK_RR };
	struct world_wire slow = { .delay_ns = 20 * WORLD_MS };

	begin_busy(&cfg);
	world_run(1000);
	for (uint32_t link = 0; link < 3; link++)
		CHECK(
		    world.data[0][1].by_link[link] > world.data[0][1].came / 4);
	CHECK_EQ(world.data[0][1].doubled, 0);
	world_all(1, slow);
	world_run(1000);
	world_forget();
	world_run(1000);
	CHECK_EQ(world.data[0][1].by_link[1], 0);
	CHECK(world.data[0][1].by_link[2] > world.data[0][1].came / 3);
	world_end();
}

static void
test_link_nothing_makes_a_peer_unreachable(void)
{
	struct world_wire lossy = fine;

	begin_busy(&two);
	lossy.loss = 400;
	world_all(0, lossy);
	world_all(1, lossy);
	world_run(5000);
	world_forget();
	world_run(1000);
	CHECK(world.data[0][1].came > world.data[0][1].sent / 2);

	/* All silent: DATA and control over everything. */
	world_all(0, (struct world_wire){ .is_cut = true });
	world_all(1, (struct world_wire){ .is_cut = true });
	world_run(1000);
	CHECK_EQ(world_data_of(0, 1), 3);
	CHECK_EQ(link_control(world.nodes[0].links, 1), 3);
	world_run(20000);
	world_forget();
	world_all(1, fine);
	world_run(10);
	CHECK(world.data[0][1].came > 5);
	world_run(2000);
	CHECK_EQ(world_data_of(0, 1), 2);
	world_end();
}

static void
test_link_hint_takes_and_gives_back_all_pairs_at_once(void)
{
	begin_busy(&first);
	link_hint(world.nodes[0].links, 0, false, world.now_ns);
	CHECK_EQ(world_data_of(0, 1), 2);
	CHECK_EQ(world_data_of(0, 2), 2);
	CHECK(world_status(0, 1, 0).is_unusable);
	world_run(100);
	/* The others were told. */
	CHECK_EQ(world_data_of(1, 0), 2);
	CHECK_EQ(world_status(1, 0, 0).state, LINK_INIT);
	CHECK(!world_is_up(0, 1, 0));

	link_hint(world.nodes[0].links, 1, false, world.now_ns);
	CHECK_EQ(world_data_of(0, 1), 3);
	link_hint(world.nodes[0].links, 1, true, world.now_ns);
	link_hint(world.nodes[0].links, 0, true, world.now_ns);
	world_run(50);
	CHECK(world_is_up(0, 1, 0) && world_is_up(0, 2, 1));
	world_run(2000);
	CHECK_EQ(world_data_of(0, 1), 1);
	world_end();
}

static void
test_link_pause_of_a_process_blames_no_link(void)
{
	begin_busy(&two);
	world.nodes[0].is_stopped = true;
	world_run(2000);
	world.nodes[0].is_stopped = false;
	link_tick(world.nodes[0].links, world.now_ns);
	CHECK(world_is_up(0, 1, 0) && world_is_up(0, 2, 1));
	CHECK_EQ(world_data_of(0, 1), 1);
	world_run(1000);
	CHECK(world_is_up(1, 0, 0) && world_is_up(1, 0, 1));
	world_end();
}

static void
test_link_recorded_datagram_is_no_sign_of_life(void)
{
	begin(&two);
	cut(0, 1, 1, true);
	for (int i = 0; i < 100; i++) {
		world_replay(0, 1, 1);
		world_run(10);
	}
	CHECK_EQ(world_status(1, 0, 1).state, LINK_DOWN);
	world_end();
}

static void
test_link_datagram_of_another_link_is_refused(void)
{
	struct link_packet packet = {
		.link = 1, .seq = 1000000, .stamp_ns = 1
	};
	struct link_at at = { 1, 0, 0 };

	begin(&two);
	at.now_ns = world.now_ns;
	CHECK(!link_hear(world.nodes[0].links, &at, &packet, 100));
	packet.link = 0;
	CHECK(link_hear(world.nodes[0].links, &at, &packet, 100));
	CHECK(!link_hear(world.nodes[0].links, &at, &packet, 100));
	world_end();
}

static void
test_link_restarted_peer_is_up_again_at_once(void)
{
	begin_busy(&two);
	world_restart(1);
	world_run(100);
	for (uint32_t link = 0; link < 2; link++) {
		CHECK(world_is_up(0, 1, link));
		CHECK(world_is_up(1, 0, link));
	}
	CHECK_EQ(__builtin_popcount(world_data_of(0, 1)), 1);
	world_end();
}

static void
test_link_mtu_is_found_in_both_directions(void)
{
	struct world_wire narrow = { .delay_ns = WORLD_MS / 10, .mtu = 1300 };

	begin(&one);
	CHECK_EQ(world_status(0, 1, 0).mtu, WORLD_FRAME);
	CHECK_EQ(link_mtu(world.nodes[0].links, 1, false), WORLD_FRAME);
	world.wires[0][1][0] = narrow;
	world_run(6000);
	CHECK_EQ(world_status(0, 1, 0).mtu, 1232);
	CHECK_EQ(world_status(1, 0, 0).mtu, 1232);
	CHECK_EQ(world_status(0, 2, 0).mtu, WORLD_FRAME);
	world.wires[0][1][0] = fine;
	world_run(6000);
	CHECK_EQ(world_status(0, 1, 0).mtu, WORLD_FRAME);
	CHECK_EQ(world_status(1, 0, 0).mtu, WORLD_FRAME);
	world_end();
}

static void
test_link_black_hole_under_load_is_found_in_300_ms(void)
{
	struct world_wire narrow = { .delay_ns = WORLD_MS / 10, .mtu = 1300 };

	begin_busy(&one);
	world_run(1500); /* between two rounds */
	world_all(0, narrow);
	world_run(300);
	CHECK_EQ(link_mtu(world.nodes[0].links, 1, false), 1232);
	CHECK_EQ(link_mtu(world.nodes[1].links, 2, false), 1232);
	CHECK(world_is_up(0, 1, 0));
	world_end();
}

static void
test_link_mtu_survives_loss(void)
{
	struct world_wire lossy = fine;
	uint32_t whole = 0;

	begin(&one);
	lossy.loss = 100;
	world_all(0, lossy);
	for (int i = 0; i < 100; i++) {
		world_run(1000);
		whole +=
		    link_mtu(world.nodes[0].links, 1, false) == WORLD_FRAME;
	}
	CHECK(whole >= 90);
	world_end();
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
			world.now_ns };
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
		taken += link_hear(world.nodes[0].links, &at, &packet,
		    (uint32_t)(r.x >> 20) % 3000);
		while (link_next(world.nodes[0].links, world.now_ns, &effect))
			if (effect.kind == LINK_OUT_SEND)
				link_packet_put(&effect.packet, bytes);
		link_tick(world.nodes[0].links, world.now_ns);
		link_assert(world.nodes[0].links);
		CHECK(world_data_of(0, at.peer) != 0);
	}
	CHECK(taken > 10);
	world_end();
}

static void
test_link_packet_comes_back_as_it_went(void)
{
	static const struct link_packet packet = { 7, true, 1, 2, 3, 4, 5, 0x81,
		1, 1000, 1448, 1232 };
	uint8_t bytes[LINK_TEXT_BYTES], again[LINK_TEXT_BYTES];
	struct link_packet got;

	link_packet_put(&packet, bytes);
	CHECK(!link_packet_get(bytes, sizeof bytes - 1, &got));
	CHECK(link_packet_get(bytes, sizeof bytes, &got));
	link_packet_put(&got, again);
	CHECK_MEM(again, sizeof again, bytes, sizeof bytes);
	CHECK_EQ(got.mtu, 1448);
	CHECK_EQ(got.sent, 5);

	bytes[0] = LIMIT_LINKS;
	CHECK(!link_packet_get(bytes, sizeof bytes, &got));
	bytes[0] = 7;
	bytes[3] = 2; /* content with what it does not hear */
	CHECK(!link_packet_get(bytes, sizeof bytes, &got));
	bytes[3] = 1;
	memset(bytes + 16, 0, 8); /* number 0 */
	CHECK(!link_packet_get(bytes, sizeof bytes, &got));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_link_pairs_are_up_within_a_few_round_trips),
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
		CHECK_TEST(test_link_packet_comes_back_as_it_went),
	};

	return CHECK_MAIN(argc, argv, tests);
}
