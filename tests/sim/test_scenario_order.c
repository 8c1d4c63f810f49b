/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong elsewhere while a ring turned: each is told again. */
#include "libcommon/base/num.h"

#include "tests/sim/scenario.h"

#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

/* Every hop delivers each token again and again: no false alarm. */
static void
scenario_08_duplicate_tokens_accuse_nobody(struct sim *sim)
{
	static const uint64_t delays_us[] = { 5, 90, 700 };

	for (size_t i = 0; i < ARRAY_COUNT(delays_us); i++) {
		scenario_cluster(sim, 3);
		scenario_rule(sim,
		    &(struct scenario_rule){ .action = SCENARIO_DUPLICATE,
			.kind = TOTEM_PACKET_TOKEN,
			.times = 3,
			.delay_ns = delays_us[i] * US });
		scenario_load(sim, 3000, 400);
		scenario_expect_calm(sim, 1500);
		scenario_expect(sim,
		    scenario_count(sim, 2, TOTEM_COUNT_TOKEN_DUPLICATES) * 2 >
			scenario_count(sim, 2, TOTEM_COUNT_TOKENS),
		    "duplicates are taken for tokens");
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* Old tokens keep coming, new ones do not: that is a lost token. */
static void
scenario_08_duplicates_do_not_hide_a_loss(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_run_ms(sim, 100);
	for (uint32_t id = 1; id <= 3; id++)
		scenario_rule(sim,
		    &(struct scenario_rule){ .action = SCENARIO_DUPLICATE,
			.kind = TOTEM_PACKET_TOKEN,
			.to = id,
			.count = 1,
			.times = 200,
			.delay_ns = 10 * MS });
	scenario_rule(
	    sim, &(struct scenario_rule){ .kind = TOTEM_PACKET_TOKEN });
	scenario_expect_state(sim, 3, TOTEM_STATE_GATHER, 1300);
	scenario_end(sim);
}

/* One frame is lost, then nobody says anything more. */
static void
scenario_12_lost_frame_then_idle(struct sim *sim)
{
	static const uint32_t kinds[] = { TOTEM_PACKET_DATA, SIM_KIND_POST };

	scenario_cluster(sim, 3);
	for (uint64_t i = 1; i <= 10; i++) {
		scenario_run_ms(sim, 150);
		for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
			scenario_rule(sim,
			    &(struct scenario_rule){ .kind = kinds[k],
				.from = 1,
				.to = 3,
				.count = 1 });
		scenario_send(sim, "1", 1, 300, TOTEM_SAFE);
		scenario_expect_delivered(sim, "123", i, 100);
		scenario_rules_end(sim);
	}
	scenario_end(sim);
}

/* A frame that can never arrive must not keep the ring at full speed. */
static void
scenario_12_undeliverable_frame_does_not_spin(struct sim *sim)
{
	static const uint32_t kinds[] = { TOTEM_PACKET_DATA, SIM_KIND_POST,
		TOTEM_PACKET_DATA_RETX };

	scenario_cluster(sim, 3);
	scenario_run_ms(sim, 200);
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
		scenario_rule(
		    sim, &(struct scenario_rule){ .kind = kinds[k], .to = 3 });
	scenario_send(sim, "1", 1, 300, TOTEM_AGREED);
	scenario_run_ms(sim, 300);
	uint64_t tokens = scenario_count(sim, 1, TOTEM_COUNT_TOKENS);
	scenario_run_ms(sim, 400);
	scenario_expect(sim,
	    scenario_count(sim, 1, TOTEM_COUNT_TOKENS) - tokens < 200,
	    "the ring spins for a frame that cannot arrive");
	scenario_end(sim);
}

/* The cancel of a hold is repeated until it works. */
static void
scenario_13_hold_cancel_is_lost(struct sim *sim)
{
	scenario_cluster(sim, 3);
	for (uint64_t i = 1; i <= 40; i++) {
		scenario_run_us(sim, 60000 + 611 * i);
		scenario_rules_end(sim);
		scenario_rule(sim,
		    &(struct scenario_rule){
			.kind = TOTEM_PACKET_HOLD_CANCEL, .count = 2 });
		scenario_send(sim, "3", 1, 50, TOTEM_AGREED);
		scenario_expect_delivered(sim, "123", i, 8);
	}
	scenario_end(sim);
}

/* An idle ring holds its token, a word from anybody releases it. */
static void
scenario_13_idle_ring_holds(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_run_ms(sim, 300);
	uint64_t tokens = scenario_count(sim, 2, TOTEM_COUNT_TOKENS);
	scenario_run_ms(sim, 1000);
	tokens = scenario_count(sim, 2, TOTEM_COUNT_TOKENS) - tokens;
	scenario_expect(sim, tokens >= 20 && tokens <= 60,
	    "an idle ring turns once in a hold");
	for (uint64_t i = 1; i <= 20; i++) {
		scenario_run_us(sim, 50000 + 777 * i);
		scenario_send(sim, "2", 1, 50, TOTEM_AGREED);
		scenario_expect_delivered(sim, "123", i, 3);
	}
	scenario_end(sim);
}

/* Who needs no beat gets none, and no timer looks whether one is due: a
 * rotation takes six steps of the core, and that timer would make them nine. */
static void
scenario_13_rest_is_not_disturbed(struct sim *sim)
{
	scenario_cluster(sim, 3);
	scenario_run_ms(sim, 300);
	uint64_t tokens = scenario_count(sim, 2, TOTEM_COUNT_TOKENS);
	uint64_t steps = scenario_node(sim, 2)->steps;
	scenario_run_ms(sim, 4000);
	tokens = scenario_count(sim, 2, TOTEM_COUNT_TOKENS) - tokens;
	steps = scenario_node(sim, 2)->steps - steps;
	scenario_expect(
	    sim, tokens >= 100 && steps < 7 * tokens, "a rest without timers");
	scenario_end(sim);
}

/* What the holder has to say goes out with the token, not a rotation later. */
static void
scenario_13_holder_speaks_at_once(struct sim *sim)
{
	scenario_cluster(sim, 3);
	for (uint64_t i = 1; i <= 5; i++) {
		scenario_run_ms(sim, 300);
		scenario_rule(sim,
		    &(struct scenario_rule){
			.kind = TOTEM_PACKET_TOKEN, .from = 2 });
		scenario_send(sim, "1", 1, 50, TOTEM_AGREED);
		scenario_expect_delivered(sim, "123", i, 3);
		scenario_rules_end(sim);
	}
	scenario_end(sim);
}

/* Where the token itself comes back soon, nobody acknowledges it. */
static void
scenario_19_quick_token_needs_no_ack(struct sim *sim)
{
	uint64_t tokens = 0;

	scenario_cluster(sim, 3);
	for (uint32_t i = 0; i < 100; i++) {
		if (i == 30) {
			tokens = scenario_count(sim, 2, TOTEM_COUNT_TOKENS);
			scenario_rule(sim,
			    &(struct scenario_rule){ .action = SCENARIO_DELAY,
				.kind = TOTEM_PACKET_TOKEN_ACK });
		}
		scenario_send(sim, "1", 1, 50, TOTEM_AGREED);
		scenario_run_us(sim, 1700);
	}
	tokens = scenario_count(sim, 2, TOTEM_COUNT_TOKENS) - tokens;
	scenario_expect(
	    sim, scenario_hits() * 20 < tokens, "the token is acknowledged");
	scenario_expect(sim,
	    scenario_count(sim, 1, TOTEM_COUNT_TOKEN_RETRANSMITS) == 0,
	    "the token is sent again");
	scenario_rules_end(sim);
	scenario_end(sim);
}

static void
first_seq(struct sim *sim, uint64_t seq)
{
	struct sim_options opt;

	scenario_options(&opt, 3);
	opt.config.first_seq = seq;
	opt.loss_ppm = 20000;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	scenario_send(sim, "123", 300, 400, TOTEM_SAFE);
	scenario_expect_delivered(sim, "123", 900, 10000);
	scenario_crash(sim, "2");
	scenario_expect_ring(sim, "13", 3000);
	scenario_end(sim);
}

static void
scenario_14_sequence_numbers_near_2_32(struct sim *sim)
{
	first_seq(sim, (UINT64_C(1) << 32) - 10);
}

static void
scenario_14_sequence_numbers_near_2_63(struct sim *sim)
{
	first_seq(sim, (UINT64_C(1) << 63) - 10);
}

/* Far behind, the slow one still catches up, and no bound is broken. */
static void
scenario_15_slow_receiver(struct sim *sim)
{
	static const uint32_t kinds[] = { TOTEM_PACKET_DATA, SIM_KIND_POST,
		TOTEM_PACKET_DATA_RETX };

	scenario_cluster(sim, 3);
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
		scenario_rule(sim,
		    &(struct scenario_rule){
			.kind = kinds[k], .to = 3, .ppm = 700000 });
	scenario_send(sim, "12", 1000, 1000, TOTEM_AGREED);
	scenario_expect_delivered(sim, "123", 2000, 20000);
	scenario_end(sim);
}

/* Frames that the network delivers behind the token are not asked for. */
static void
scenario_16_frames_later_than_the_token(struct sim *sim)
{
	scenario_cluster(sim, 3);
	sim->net.kind_delay_ns[TOTEM_PACKET_DATA] = 80 * US;
	sim->net.kind_delay_ns[SIM_KIND_POST] = 80 * US;
	for (int i = 0; i < 40; i++) {
		scenario_send(sim, "123", 10, 900, TOTEM_AGREED);
		scenario_run_ms(sim, 2);
	}
	scenario_expect_delivered(sim, "123", 1200, 1000);
	uint64_t sent = scenario_count(sim, 1, TOTEM_COUNT_FRAMES_SENT);
	uint64_t again = scenario_count(sim, 1, TOTEM_COUNT_RETRANSMITS_SENT);
	scenario_expect(
	    sim, again * 20 < sent, "frames under way are asked for in vain");
	scenario_end(sim);
}

/* Holes at the first and last place of a full request list. */
static void
scenario_40_request_list_is_full(struct sim *sim)
{
	static const uint32_t kinds[] = { TOTEM_PACKET_DATA, SIM_KIND_POST };
	struct sim_options opt;

	scenario_options(&opt, 3);
	opt.config.frame_bytes = LIMIT_FRAME_BYTES_MIN;
	opt.config.queue_bytes = 1 << 20;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	for (size_t k = 0; k < ARRAY_COUNT(kinds); k++)
		scenario_rule(sim,
		    &(struct scenario_rule){
			.kind = kinds[k], .to = 3, .ppm = 500000 });
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_DATA_RETX, .to = 3, .ppm = 300000 });
	scenario_send(sim, "12", 1500, 400, TOTEM_SAFE);
	scenario_expect_delivered(sim, "123", 3000, 20000);
	scenario_end(sim);
}

/* Half of the tokens are lost: each costs milliseconds, not a ring. */
static void
scenario_lost_tokens_are_sent_again(struct sim *sim)
{
	scenario_cluster(sim, 5);
	scenario_rule(sim,
	    &(struct scenario_rule){
		.kind = TOTEM_PACKET_TOKEN, .ppm = 100000 });
	scenario_load(sim, 2000, 300);
	scenario_expect_calm(sim, 3000);
	scenario_end(sim);
}

/* How long 3 nodes take for 900 frames on a slow wire, in us. */
static uint64_t
time_to_send(struct sim *sim, uint32_t accelerated)
{
	struct sim_options opt;

	scenario_options(&opt, 3);
	opt.config.visit_frames = 16;
	opt.config.window = 48;
	opt.config.window_max = 48;
	opt.config.accelerated_frames = accelerated;
	opt.bandwidth = 100000000;
	opt.wire_bytes = 10000000;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "123");
	scenario_expect_ring(sim, "123", 2000);
	uint64_t start_ns = sim->now_ns;
	scenario_send(sim, "123", 150, 1250, TOTEM_AGREED);
	scenario_expect_delivered(sim, "123", 450, 5000);
	return (sim->now_ns - start_ns) / US;
}

/* The token that goes before the frames makes the ring faster. */
static void
scenario_accelerated_ring_is_faster(struct sim *sim)
{
	uint64_t plain_us = time_to_send(sim, 0);
	scenario_expect(sim, sim->net.kind_sent[SIM_KIND_POST] == 0,
	    "frames after the token, where none were asked for");
	if (sim_has_failed(sim))
		return;

	uint64_t fast_us = time_to_send(sim, 16);
	scenario_expect(sim, sim->net.kind_sent[SIM_KIND_POST] > 0,
	    "no frame after the token");
	scenario_expect(sim, fast_us * 10 < plain_us * 9,
	    "the accelerated ring is not faster");
	scenario_end(sim);
}

/* The window shrinks while frames get lost, and grows when they do not. */
static void
scenario_window_adapts(struct sim *sim)
{
	struct totem_status status;

	scenario_cluster(sim, 3);
	uint32_t start = sim->opt.config.window;
	scenario_send(sim, "123", 400, 1200, TOTEM_AGREED);
	scenario_expect_delivered(sim, "123", 1200, 5000);
	(void)sim_node_is_operational(sim, scenario_node(sim, 1), &status);
	uint32_t grown = status.window;
	scenario_expect(sim, grown > start, "the window does not grow");
	for (uint32_t kind = 1; kind < SIM_KINDS; kind++)
		if (kind == SIM_KIND_POST || kind == TOTEM_PACKET_DATA)
			scenario_rule(sim,
			    &(struct scenario_rule){
				.kind = kind, .to = 3, .ppm = 200000 });
	uint32_t least = grown;
	for (int i = 0; i < 100 && !sim_has_failed(sim); i++) {
		scenario_send(sim, "123", 30, 1200, TOTEM_AGREED);
		scenario_run_us(sim, 300);
		(void)sim_node_is_operational(
		    sim, scenario_node(sim, 1), &status);
		least = (uint32_t)num_min(least, status.window);
	}
	scenario_expect(sim, least < start / 2, "the window does not shrink");
	scenario_end(sim);
}

/* However much there is to send, no rotation carries more than the window. */
static void
scenario_14_no_rotation_exceeds_the_window(struct sim *sim)
{
	struct sim_options opt;

	scenario_options(&opt, 5);
	opt.config.window = opt.config.window_max = 16;
	scenario_world_with(sim, &opt);
	scenario_start(sim, "12345");
	scenario_expect_ring(sim, "12345", 2000);
	uint64_t rotations = scenario_count(sim, 1, TOTEM_COUNT_TOKENS);
	scenario_send(sim, "12345", 100, 1200, TOTEM_AGREED);
	scenario_expect_delivered(sim, "12345", 500, 5000);
	rotations = scenario_count(sim, 1, TOTEM_COUNT_TOKENS) - rotations;
	scenario_expect(
	    sim, rotations * 16 >= 500, "a rotation exceeds the window");
	scenario_end(sim);
}

/* A ring of one orders by itself. */
static void
scenario_ring_of_one(struct sim *sim)
{
	scenario_cluster(sim, 1);
	scenario_send(sim, "1", 100, 3000, TOTEM_SAFE);
	scenario_expect_delivered(sim, "1", 100, 100);
	scenario_end(sim);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_08_duplicate_tokens_accuse_nobody),
		SCENARIO(scenario_08_duplicates_do_not_hide_a_loss),
		SCENARIO(scenario_12_lost_frame_then_idle),
		SCENARIO(scenario_12_undeliverable_frame_does_not_spin),
		SCENARIO(scenario_13_hold_cancel_is_lost),
		SCENARIO(scenario_13_idle_ring_holds),
		SCENARIO(scenario_13_rest_is_not_disturbed),
		SCENARIO(scenario_13_holder_speaks_at_once),
		SCENARIO(scenario_19_quick_token_needs_no_ack),
		SCENARIO(scenario_14_sequence_numbers_near_2_32),
		SCENARIO(scenario_14_sequence_numbers_near_2_63),
		SCENARIO(scenario_14_no_rotation_exceeds_the_window),
		SCENARIO(scenario_15_slow_receiver),
		SCENARIO(scenario_16_frames_later_than_the_token),
		SCENARIO(scenario_40_request_list_is_full),
		SCENARIO(scenario_lost_tokens_are_sent_again),
		SCENARIO(scenario_accelerated_ring_is_faster),
		SCENARIO(scenario_window_adapts),
		SCENARIO(scenario_ring_of_one),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
