/* SPDX-License-Identifier: BSD-3-Clause */
/* Small worlds in full: three nodes form a ring with messages under way, and
 * everything that can be lost is lost once; who can die dies everywhere. */
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/scenario.h"
#include "tests/sim/sim_watch.h"

#define MS UINT64_C(1000000)

enum {
	SMALL_PAIRS = 2500,    /* of all pairs of losses, drawn */
	SMALL_GRAPHS_5 = 60,   /* of 1024 */
	SMALL_FORM_MS = 40,    /* formation and traffic */
	SMALL_GRAPH_MS = 1500, /* to come to rest in a static graph */
};

/* Datagrams are numbered as they are sent, from 0. */
static uint64_t small_sent;
static uint64_t small_lost[2];

static bool
lose_numbered(struct sim *sim, uint32_t from, uint32_t to,
    const struct sim_packet *packet)
{
	uint64_t number = small_sent++;

	(void)sim;
	(void)from;
	(void)to;
	(void)packet;
	return number != small_lost[0] && number != small_lost[1];
}

/* The same story each time, up to the moment when something is lost. */
static void
form_with_traffic(struct sim *sim)
{
	scenario_world(sim, 3);
	small_sent = 0;
	sim->net.filter = lose_numbered;
	scenario_start(sim, "123");
	scenario_send(sim, "13", 1, 100, TOTEM_SAFE);
	scenario_run_ms(sim, SMALL_FORM_MS / 2);
	scenario_send(sim, "123", 1, 3000, TOTEM_AGREED);
	scenario_send(sim, "21", 1, 10, TOTEM_SAFE);
	scenario_run_ms(sim, SMALL_FORM_MS / 2);
}

/* How many datagrams the story has when nothing is lost. */
static uint64_t
story_length(struct sim *sim)
{
	small_lost[0] = small_lost[1] = UINT64_MAX;
	form_with_traffic(sim);
	uint64_t length = small_sent;
	scenario_end(sim);
	return length;
}

static void
small_every_single_loss(struct sim *sim)
{
	uint64_t length = story_length(sim);

	for (uint64_t i = 0; i < length && !sim_has_failed(sim); i++) {
		small_lost[0] = i;
		form_with_traffic(sim);
		scenario_end(sim);
		if (sim_has_failed(sim))
			sim_tell(
			    sim, NULL, "lost: %llu", (unsigned long long)i);
	}
}

static void
small_pairs_of_losses(struct sim *sim)
{
	uint64_t length = story_length(sim);
	struct rng rng;

	rng_init(&rng, 2);
	for (int i = 0; i < SMALL_PAIRS && !sim_has_failed(sim); i++) {
		small_lost[0] = rng_below(&rng, length);
		small_lost[1] = rng_below(&rng, length);
		form_with_traffic(sim);
		scenario_end(sim);
		if (sim_has_failed(sim))
			sim_tell(sim, NULL, "lost: %llu %llu",
			    (unsigned long long)small_lost[0],
			    (unsigned long long)small_lost[1]);
	}
}

/* One node dies at each datagram it would send, and comes back or not. */
static void
die_everywhere(struct sim *sim, uint32_t id, bool is_restarted)
{
	const char name[] = { (char)('0' + id), '\0' };

	small_lost[0] = small_lost[1] = UINT64_MAX;
	for (uint32_t datagram = 1; !sim_has_failed(sim); datagram++) {
		scenario_world(sim, 3);
		scenario_start(sim, "123");
		scenario_node(sim, id)->crash_in = datagram;
		scenario_send(sim, "13", 1, 100, TOTEM_SAFE);
		scenario_run_ms(sim, SMALL_FORM_MS / 2);
		scenario_send(sim, id == 2 ? "13" : "2", 1, 3000, TOTEM_AGREED);
		scenario_run_ms(sim, SMALL_FORM_MS / 2);
		bool is_over = scenario_node(sim, id)->power == SIM_ON;
		if (is_restarted && !is_over)
			scenario_start(sim, name);
		scenario_end(sim);
		if (is_over)
			return;
	}
}

static void
small_crash_of_1_everywhere(struct sim *sim)
{
	die_everywhere(sim, 1, false);
	if (!sim_has_failed(sim))
		die_everywhere(sim, 1, true);
}

static void
small_crash_of_2_everywhere(struct sim *sim)
{
	die_everywhere(sim, 2, false);
	if (!sim_has_failed(sim))
		die_everywhere(sim, 2, true);
}

static void
small_crash_of_3_everywhere(struct sim *sim)
{
	die_everywhere(sim, 3, false);
	if (!sim_has_failed(sim))
		die_everywhere(sim, 3, true);
}

/* ---- static graphs (P19) ----------------------------------------------- */

/* Cuts every pair whose bit is clear; pairs are numbered (0,1), (0,2), … */
static void
cut_to_graph(struct sim *sim, uint32_t edges)
{
	uint32_t bit = 0;

	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		for (uint32_t j = i + 1; j < sim->opt.node_count; j++) {
			if ((edges >> bit++ & 1) != 0)
				continue;
			sim_net_cut(sim, i, j, true);
			sim_net_cut(sim, j, i, true);
		}
	}
}

static bool
is_clique(struct sim *sim, const struct totem_nodes *members)
{
	for (uint32_t i = 0; i < members->count; i++) {
		uint32_t a = sim_node_idx(sim, members->id[i]);
		for (uint32_t j = 0; j < i; j++) {
			uint32_t b = sim_node_idx(sim, members->id[j]);
			if (sim->net.link[a][b].cuts > 0)
				return false;
		}
	}
	return true;
}

static void
live_in_graph(struct sim *sim, uint32_t count, uint32_t edges)
{
	static const char *const all[] = { "", "1", "12", "123", "1234",
		"12345" };
	struct totem_status status;

	scenario_world(sim, count);
	cut_to_graph(sim, edges);
	scenario_start(sim, all[count]);
	scenario_load(sim, 20000, 100);
	scenario_run_ms(sim, SMALL_GRAPH_MS);
	scenario_expect_calm(sim, 1000);
	for (uint32_t i = 0; i < count && !sim_has_failed(sim); i++) {
		if (!sim_node_is_operational(sim, &sim->node[i], &status))
			sim_fail(sim, "P19 graph %u/%x: node %u has no ring",
			    (unsigned)count, (unsigned)edges, (unsigned)i + 1);
		else if (!is_clique(sim, &status.members))
			sim_fail(sim, "P19 graph %u/%x: ring is no clique",
			    (unsigned)count, (unsigned)edges);
	}
	scenario_end(sim);
}

static void
scenario_33_all_graphs_of_3_and_4(struct sim *sim)
{
	for (uint32_t edges = 0; edges < 8; edges++) {
		live_in_graph(sim, 3, edges);
		if (sim_has_failed(sim))
			return;
	}
	for (uint32_t edges = 0; edges < 64; edges++) {
		live_in_graph(sim, 4, edges);
		if (sim_has_failed(sim))
			return;
	}
}

static void
scenario_33_graphs_of_5(struct sim *sim)
{
	struct rng rng;

	rng_init(&rng, 33);
	for (int i = 0; i < SMALL_GRAPHS_5; i++) {
		live_in_graph(sim, 5, (uint32_t)rng_below(&rng, 1024));
		if (sim_has_failed(sim))
			return;
	}
}

int
main(int argc, char **argv)
{
	static const struct scenario list[] = {
		SCENARIO(small_every_single_loss),
		SCENARIO(small_pairs_of_losses),
		SCENARIO(small_crash_of_1_everywhere),
		SCENARIO(small_crash_of_2_everywhere),
		SCENARIO(small_crash_of_3_everywhere),
		SCENARIO(scenario_33_all_graphs_of_3_and_4),
		SCENARIO(scenario_33_graphs_of_5),
	};

	(void)argc;
	return scenario_main(argv, list, ARRAY_COUNT(list));
}
