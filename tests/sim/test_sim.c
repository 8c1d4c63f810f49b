/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulator itself: its agenda, its dice, and that a seed is a run. */
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_draw.h"
#include "tests/sim/sim_run.h"
#include "tests/unit/check.h"

static void
test_sim_heap_gives_events_in_order(void)
{
	struct sim_heap heap = { 0 };
	struct sim_event event = { 0 };
	struct rng rng;
	uint64_t last_ns = 0;
	uint32_t last_tie = 0;

	rng_init(&rng, 1);
	for (uint64_t i = 0; i < 5000; i++) {
		event.time_ns = rng_below(&rng, 500);
		event.tie = (uint32_t)rng_next(&rng);
		event.a = i;
		sim_heap_push(&heap, &event);
	}
	uint64_t seen = 0;
	while (sim_heap_pop(&heap, &event)) {
		CHECK(event.time_ns >= last_ns);
		CHECK(event.time_ns > last_ns || event.tie >= last_tie);
		last_ns = event.time_ns;
		last_tie = event.tie;
		seen += event.a;
	}

	CHECK_EQ(seen, 5000 * 4999 / 2);
	CHECK(!sim_heap_pop(&heap, &event));
	sim_heap_fini(&heap);
}

static void
test_sim_draws_stay_in_their_ranges(void)
{
	struct rng rng;
	uint64_t sum = 0, hits = 0;

	rng_init(&rng, 2);
	for (int i = 0; i < 100000; i++) {
		uint64_t x = sim_draw_log(&rng, 3, 1000);
		CHECK(x >= 3 && x <= 1000);
		x = sim_draw_range(&rng, 7, 9);
		CHECK(x >= 7 && x <= 9);
		sum += sim_draw_exp(&rng, 1000000);
		hits += sim_draw_ppm(&rng, 250000);
	}

	CHECK(sum / 100000 > 900000 && sum / 100000 < 1100000);
	CHECK(hits > 24000 && hits < 26000);
	CHECK(!sim_draw_ppm(&rng, 0));
	CHECK(sim_draw_ppm(&rng, 1000000));
}

static uint64_t
hash_of(struct sim *sim, uint64_t seed)
{
	sim->is_hashing = true;
	CHECK(sim_run_seed(sim, seed));
	CHECK_STR(sim->failure, "");
	return sim->hash;
}

/* Also between runs of other seeds, whose memory is used again. */
static void
test_sim_same_seed_gives_same_run(void)
{
	struct sim *sim = sim_create();
	uint64_t first[4];

	for (uint64_t seed = 0; seed < ARRAY_COUNT(first); seed++)
		first[seed] = hash_of(sim, 100 + seed);
	for (uint64_t seed = ARRAY_COUNT(first); seed-- > 0;)
		CHECK_EQ(hash_of(sim, 100 + seed), first[seed]);

	CHECK(first[0] != first[1]);
	sim_destroy(sim);
}

static void
test_sim_traces_do_not_change_a_run(void)
{
	struct sim *sim = sim_create();

	uint64_t hash = hash_of(sim, 7);
	uint64_t events = sim->events;
	sim->is_tracing = true;
	CHECK_EQ(hash_of(sim, 7), hash);
	CHECK_EQ(sim->events, events);

	sim_destroy(sim);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_sim_heap_gives_events_in_order),
		CHECK_TEST(test_sim_draws_stay_in_their_ranges),
		CHECK_TEST(test_sim_same_seed_gives_same_run),
		CHECK_TEST(test_sim_traces_do_not_change_a_run),
	};

	return CHECK_MAIN(argc, argv, tests);
}
