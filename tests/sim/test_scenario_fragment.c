/* SPDX-License-Identifier: BSD-3-Clause */
/* What went wrong elsewhere with messages larger than a frame. */
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/scenario.h"

/* Sizes around one, two and many frames, and the largest. */
static void
scenario_22_sizes_at_the_edges(struct sim *sim)
{
	uint64_t sent = 0;

	scenario_cluster(sim, 3);
	size_t frame = sim->opt.config.frame_bytes;
	size_t max = sim->opt.config.message_bytes_max;
	for (size_t frames = 1; frames <= 3; frames++) {
		for (size_t back = 0; back < 160; back++) {
			scenario_send(sim, back % 2 ? "1" : "2", 1,
			    frames * frame + 8 - back,
			    back % 3 ? TOTEM_AGREED : TOTEM_SAFE);
			sent++;
		}
	}
	for (size_t back = 0; back <= 220; back += 20) {
		scenario_send(sim, "3", 1, max - back, TOTEM_AGREED);
		sent++;
	}
	scenario_expect_delivered(sim, "123", sent, 5000);
	scenario_end(sim);
}

/* The bytes that arrive are those that were sent, whatever the sizes. */
static void
scenario_23_random_sizes_under_loss(struct sim *sim)
{
	struct sim_options opt;
	struct rng rng;
	uint64_t sent = 0;

	rng_init(&rng, 23);
	for (uint64_t seed = 1; seed <= 5; seed++) {
		scenario_options(&opt, 3);
		opt.seed = seed;
		opt.loss_ppm = 10000;
		opt.reorder_ppm = 100000;
		scenario_world_with(sim, &opt);
		scenario_start(sim, "123");
		scenario_expect_ring(sim, "123", 2000);
		for (sent = 0; sent < 300; sent++)
			scenario_send(sim, sent % 2 ? "1" : "3", 1,
			    rng_below(&rng, 9000),
			    rng_below(&rng, 2) ? TOTEM_AGREED : TOTEM_SAFE);
		scenario_expect_delivered(sim, "123", sent, 20000);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* Large messages flow while rings come and go: whole, once, everywhere. */
static void
scenario_24_partial_across_a_change(struct sim *sim)
{
	scenario_cluster(sim, 3);
	for (int i = 0; i < 40 && !sim_has_failed(sim); i++) {
		scenario_send(sim, "12", 2, 60000, TOTEM_AGREED);
		scenario_run_us(sim, (uint64_t)i * 97);
		scenario_crash_proven(sim, "3");
		scenario_run_us(sim, (uint64_t)i * 131);
		scenario_start(sim, "3");
		scenario_expect_ring(sim, "123", 5000);
	}
	scenario_expect_delivered(sim, "12", 160, 3000);
	scenario_end(sim);
}

/* The sender of half a message dies; its next life starts afresh. */
static void
scenario_25_half_a_message_of_a_dead_sender(struct sim *sim)
{
	for (uint32_t datagram = 1; datagram <= 60; datagram += 3) {
		scenario_cluster(sim, 3);
		scenario_send(sim, "2", 1, 60000, TOTEM_AGREED);
		scenario_node(sim, 2)->crash_in = datagram;
		scenario_expect_ring(sim, "13", 3000);
		scenario_start(sim, "2");
		scenario_expect_ring(sim, "123", 3000);
		scenario_send(sim, "2", 3, 50000, TOTEM_AGREED);
		scenario_expect_delivered(sim, "13", 3, 1000);
		scenario_end(sim);
		if (sim_has_failed(sim))
			return;
	}
}

/* One after the other dies in the midst of a message: what they leave behind
 * takes no room from those who go on. */
static void
scenario_25_many_dead_senders(struct sim *sim)
{
	static const char *const who[] = { "2", "3", "4", "5" };
	static const char *const left[] = { "13456", "1456", "156", "16" };
	struct sim_options opt;

	scenario_options(&opt, 6);
	opt.config.accelerated_frames = 0; /* no gap at the death */
	scenario_world_with(sim, &opt);
	scenario_start(sim, "123456");
	scenario_expect_ring(sim, "123456", 2000);
	for (size_t i = 0; i < ARRAY_COUNT(who); i++) {
		scenario_send(sim, who[i], 1, 60000, TOTEM_AGREED);
		scenario_node(sim, (uint32_t)(*who[i] - '0'))->crash_in = 40;
		scenario_expect_ring(sim, left[i], 3000);
	}
	scenario_send(sim, "16", 2, 50000, TOTEM_AGREED);
	scenario_expect_delivered(sim, "16", 4, 1000);
	scenario_end(sim);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_22_sizes_at_the_edges),
		SCENARIO(scenario_23_random_sizes_under_loss),
		SCENARIO(scenario_24_partial_across_a_change),
		SCENARIO(scenario_25_half_a_message_of_a_dead_sender),
		SCENARIO(scenario_25_many_dead_senders),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
