/* SPDX-License-Identifier: BSD-3-Clause */
/* Rings of as many nodes as there may be. */
#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"

#include "tests/sim/scenario.h"
#include "tests/sim/sim_run.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

enum {
	LARGE_SKEW_MS = 50, /* between the first and the last start */
	LARGE_FORM_MS = 2000,
	LARGE_LOSE_MS = 10000, /* the detector is slower among many */
	LARGE_RETURN_MS = 40000,
	LARGE_PROVEN_MS = 200,
	LARGE_POLL_MS = 5,
	LARGE_JOINS = 40, /* of one node, to its first ring of all */
	LARGE_CPU_US = 5, /* a packet */
};

/* All that run are one ring of just them, in time. */
static void
expect_one_ring(struct sim *sim, uint64_t within_ms)
{
	uint64_t end_ns = sim->now_ns + within_ms * MS;

	while (!sim_run_is_one_ring(sim) && sim->now_ns < end_ns &&
	    !sim_has_failed(sim))
		scenario_run_ms(sim, LARGE_POLL_MS);
	scenario_expect(sim, sim_run_is_one_ring(sim), "no ring of all");
}

static void
start_all(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		if (sim->node[i].power == SIM_OFF)
			sim_push(sim,
			    (struct sim_event){ .time_ns = sim->now_ns +
				    rng_below(&sim->rng, LARGE_SKEW_MS * MS),
				.kind = SIM_EVENT_START,
				.node = (uint16_t)i,
				.a = sim->node[i].life });
	scenario_run_ms(sim, LARGE_SKEW_MS);
}

static void
begin(struct sim *sim, uint32_t count, uint64_t seed)
{
	struct sim_options opt;

	scenario_options(&opt, count);
	opt.seed = seed;
	opt.cpu_ns = LARGE_CPU_US * US;
	opt.check_every = 1024;
	scenario_world_with(sim, &opt);
	start_all(sim);
	expect_one_ring(sim, LARGE_FORM_MS - LARGE_SKEW_MS);
}

static void
crash(struct sim *sim, uint32_t first, uint32_t step, bool is_proven)
{
	for (uint32_t i = first, n = sim->opt.node_count / 3; n > 0;
	     i += step, n--)
		sim_node_crash(
		    sim, &sim->node[i % sim->opt.node_count], is_proven);
}

/* Any third of them dies in one step: the lowest, the highest, every third;
 * and each time they come back. */
static void
thirds(struct sim *sim, bool is_proven)
{
	const uint32_t count = sim->opt.node_count;
	const uint32_t first[] = { 0, count - count / 3, 0 };
	const uint32_t step[] = { 1, 1, 3 };

	for (size_t i = 0; i < ARRAY_COUNT(first); i++) {
		if (sim_has_failed(sim))
			return;
		scenario_run_ms(sim, 1000);
		crash(sim, first[i], step[i], is_proven);
		expect_one_ring(
		    sim, is_proven ? LARGE_PROVEN_MS : LARGE_LOSE_MS);
		scenario_run_ms(sim, 1000);
		start_all(sim);
		expect_one_ring(sim, LARGE_RETURN_MS);
	}
}

static void
scenario_64_nodes_lose_a_third(struct sim *sim)
{
	begin(sim, LIMIT_NODES, 1);
	thirds(sim, false);
	scenario_end(sim);
}

static void
scenario_64_nodes_are_told_of_a_third(struct sim *sim)
{
	begin(sim, LIMIT_NODES, 2);
	thirds(sim, true);
	scenario_end(sim);
}

static void
scenario_32_nodes_under_load(struct sim *sim)
{
	begin(sim, 32, 3);
	scenario_load(sim, 20000, 500);
	thirds(sim, false);
	scenario_end(sim);
}

/* Each JOIN goes to all: many nodes must say fewer of them, or they have time
 * for nothing else. */
static void
scenario_many_nodes_say_few_joins(struct sim *sim)
{
	begin(sim, LIMIT_NODES, 4);
	for (uint32_t id = 1; id <= LIMIT_NODES; id++)
		scenario_expect(sim,
		    scenario_count(sim, id, TOTEM_COUNT_JOINS_SENT) <=
			LARGE_JOINS,
		    "too many JOINs");
	scenario_end(sim);
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(scenario_64_nodes_lose_a_third),
		SCENARIO(scenario_64_nodes_are_told_of_a_third),
		SCENARIO(scenario_32_nodes_under_load),
		SCENARIO(scenario_many_nodes_say_few_joins),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
