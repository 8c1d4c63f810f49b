/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_graph.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/oracle.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_bound.h"
#include "tests/sim/sim_draw.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_run.h"
#include "tests/sim/sim_watch.h"

#define MS UINT64_C(1000000)

enum {
	GRAPH_LEAST = 3, /* nodes */
	GRAPH_MOST = 6,
	GRAPH_POLL_MS = 5,
	GRAPH_START_MS = 2000, /* for a whole ring */
	GRAPH_STAY_MS = 1500,  /* longer than any wait for a merge */
	GRAPH_CHANGES_MAX = 4, /* ways at a time */
	GRAPH_SKEW_MS = 20,
	GRAPH_LOAD_MS = 20,
};

static uint64_t graph_changed_ns, graph_slowest_ns;
static uint64_t graph_rests[SIM_GRAPH_SECONDS];

uint64_t
sim_graph_slowest_ns(void)
{
	return graph_slowest_ns;
}

uint64_t
sim_graph_rests(uint32_t second)
{
	ENSURE(second < SIM_GRAPH_SECONDS);
	return graph_rests[second];
}

static uint64_t
way(const struct sim_graph *graph, uint32_t from, uint32_t to)
{
	return UINT64_C(1) << (from * graph->count + to);
}

struct sim_graph
sim_graph_symmetric(uint32_t count, uint64_t pairs)
{
	struct sim_graph graph = { .count = count };

	for (uint32_t i = 0; i < count; i++)
		for (uint32_t j = i + 1; j < count; j++, pairs >>= 1)
			if (pairs & 1)
				graph.ways |=
				    way(&graph, i, j) | way(&graph, j, i);
	return graph;
}

struct sim_graph
sim_graph_numbered(uint64_t number)
{
	uint32_t count = GRAPH_LEAST;

	for (;; count++) {
		uint64_t graphs = UINT64_C(1) << (count * (count - 1) / 2);
		if (number < graphs)
			return sim_graph_symmetric(count, number);
		number -= graphs;
	}
}

/* The pairs of the graph when node i is called name[i]. */
static uint64_t
renamed(const struct sim_graph *graph, const uint32_t *name)
{
	uint32_t pair_of[GRAPH_MOST][GRAPH_MOST], pair = 0;
	uint64_t pairs = 0;

	for (uint32_t i = 0; i < graph->count; i++)
		for (uint32_t j = i + 1; j < graph->count; j++)
			pair_of[i][j] = pair_of[j][i] = pair++;
	for (uint32_t i = 0; i < graph->count; i++)
		for (uint32_t j = i + 1; j < graph->count; j++)
			if (graph->ways & way(graph, i, j))
				pairs |= UINT64_C(1)
				    << pair_of[name[i]][name[j]];
	return pairs;
}

static void
swap(uint32_t *a, uint32_t *b)
{
	uint32_t kept = *a;

	*a = *b;
	*b = kept;
}

/* The next order of the names; false behind the last. */
static bool
rename_next(uint32_t *name, uint32_t count)
{
	uint32_t i = count - 1, j = count - 1;

	while (i > 0 && name[i - 1] > name[i])
		i--;
	if (i == 0)
		return false;
	while (name[j] < name[i - 1])
		j--;
	swap(&name[i - 1], &name[j]);
	for (j = count - 1; i < j; i++, j--)
		swap(&name[i], &name[j]);
	return true;
}

bool
sim_graph_is_first(uint64_t number)
{
	struct sim_graph graph = sim_graph_numbered(number);
	uint32_t name[GRAPH_MOST] = { 0, 1, 2, 3, 4, 5 };
	uint64_t pairs = renamed(&graph, name);

	while (rename_next(name, graph.count))
		if (renamed(&graph, name) < pairs)
			return false;
	return true;
}

struct sim_graph
sim_graph_draw(uint64_t seed, struct sim_graph_life *life)
{
	struct sim_graph graph = { 0 };
	struct rng rng;

	rng_init(&rng, seed);
	graph.count = (uint32_t)sim_draw_range(&rng, GRAPH_LEAST, GRAPH_MOST);
	uint32_t ppm = (uint32_t)sim_draw_range(&rng, 400000, 950000);
	for (uint32_t i = 0; i < graph.count; i++)
		for (uint32_t j = 0; j < graph.count; j++)
			if (i != j && sim_draw_ppm(&rng, ppm))
				graph.ways |= way(&graph, i, j);
	*life = (struct sim_graph_life){ .seed = rng_next(&rng),
		.is_cut = rng_below(&rng, 2),
		.changes =
		    (uint32_t)(rng_below(&rng, 2) * rng_below(&rng, 5)) };
	return graph;
}

static bool
is_linked(const struct sim_graph *graph, uint32_t a, uint32_t b)
{
	return (graph->ways & way(graph, a, b)) &&
	    (graph->ways & way(graph, b, a));
}

static void
cut_ways(struct sim *sim, const struct sim_graph *graph)
{
	for (uint32_t i = 0; i < graph->count; i++)
		for (uint32_t j = 0; j < graph->count; j++)
			sim->net.link[i][j].cuts =
			    i != j && (graph->ways & way(graph, i, j)) == 0;
	graph_changed_ns = sim->now_ns;
	sim_tell(sim, NULL, "graph %u/%llx", (unsigned)graph->count,
	    (unsigned long long)graph->ways);
}

static void
tell_no_graph(struct sim *sim)
{
	struct oracle_event event = { .kind = ORACLE_GRAPH };

	sim_watch_event(sim, NULL, &event);
}

static void
tell_graph(struct sim *sim, const struct sim_graph *graph)
{
	struct oracle_graph known = { .count = graph->count };
	struct oracle_event event = { .kind = ORACLE_GRAPH, .graph = &known };

	for (uint32_t i = 0; i < graph->count; i++) {
		known.node[i] = sim->node[i].id;
		for (uint32_t j = 0; j < graph->count; j++)
			if (i != j && is_linked(graph, i, j))
				known.linked[i] |= UINT64_C(1) << j;
	}
	sim_watch_event(sim, NULL, &event);
}

/* From here on who hears whom is this; the nodes know it a little later. */
static void
set_graph(struct sim *sim, const struct sim_graph *graph)
{
	struct oracle_bounds bounds;

	sim_watch_fault(sim);
	tell_no_graph(sim);
	cut_ways(sim, graph);
	sim_run_until(sim, sim->now_ns + sim_bound_notice_ns(sim));
	tell_graph(sim, graph);
	sim_bound_graph(sim, &bounds);
	sim_watch_heal(sim, &bounds);
}

/* ---- at rest ------------------------------------------------------------ */

/* The ring of that node as a set; 0 while it has none. */
static uint64_t
ring_of(struct sim *sim, uint32_t node, struct totem_ring_id *id)
{
	struct totem_status status;
	uint64_t set = 0;

	if (!sim_node_is_operational(sim, &sim->node[node], &status))
		return 0;
	for (uint32_t i = 0; i < status.members.count; i++)
		set |= UINT64_C(1) << sim_node_idx(sim, status.members.id[i]);
	*id = status.ring;
	return set;
}

/* Every node is in a ring that all of its members are in. */
static bool
is_at_rest(struct sim *sim, const struct sim_graph *graph)
{
	struct totem_ring_id id[SIM_GRAPH_NODES];
	uint64_t ring[SIM_GRAPH_NODES];

	for (uint32_t i = 0; i < graph->count; i++)
		if ((ring[i] = ring_of(sim, i, &id[i])) == 0)
			return false;
	for (uint32_t i = 0; i < graph->count; i++)
		for (uint32_t j = 0; j < graph->count; j++)
			if ((ring[i] >> j & 1) &&
			    !totem_ring_equal(id[i], id[j]))
				return false;
	return true;
}

static bool
is_clique(const struct sim_graph *graph, uint64_t set)
{
	for (uint32_t i = 0; i < graph->count; i++)
		for (uint32_t j = 0; j < i; j++)
			if ((set >> i & 1) && (set >> j & 1) &&
			    !is_linked(graph, i, j))
				return false;
	return true;
}

/* A clique, and together with no other ring one. */
static bool
is_right(struct sim *sim, const struct sim_graph *graph, uint32_t node)
{
	struct totem_ring_id id;
	uint64_t mine = ring_of(sim, node, &id);

	if (!is_clique(graph, mine))
		return false;
	for (uint32_t i = 0; i < graph->count; i++)
		if (!(mine >> i & 1) &&
		    is_clique(graph, mine | ring_of(sim, i, &id)))
			return false;
	return true;
}

static bool
is_all_right(struct sim *sim, const struct sim_graph *graph)
{
	for (uint32_t i = 0; i < graph->count; i++)
		if (!is_right(sim, graph, i))
			return false;
	return true;
}

static bool
has_settled(struct sim *sim, const struct sim_graph *graph)
{
	return is_at_rest(sim, graph) && is_all_right(sim, graph);
}

/* To rest within the bound, of which the oracle knows, and no view more. */
static bool
settle(struct sim *sim, const struct sim_graph *graph)
{
	uint64_t from_ns = graph_changed_ns, span_ns;

	while (!has_settled(sim, graph) && !sim_has_failed(sim)) {
		if (sim_watch_is_late(sim))
			sim_fail(sim, "P19 %s in time",
			    is_at_rest(sim, graph)
				? "rings that fit do not merge"
				: "no rest");
		sim_run_until(sim, sim->now_ns + GRAPH_POLL_MS * MS);
	}
	span_ns = sim->now_ns - from_ns;
	graph_slowest_ns = num_max(graph_slowest_ns, span_ns);
	graph_rests[num_min(span_ns / (1000 * MS), SIM_GRAPH_SECONDS - 1)]++;
	sim_tell(sim, NULL, "at rest after %llu ms",
	    (unsigned long long)(span_ns / MS));
	sim_watch_calm(sim);
	sim_run_until(sim, sim->now_ns + GRAPH_STAY_MS * MS);
	return !sim_has_failed(sim);
}

/* ---- lives -------------------------------------------------------------- */

static void
start_all(struct sim *sim, const struct sim_graph *graph)
{
	for (uint32_t i = 0; i < graph->count; i++)
		sim_push(sim,
		    (struct sim_event){ .time_ns = sim->now_ns +
			    rng_below(&sim->rng, GRAPH_SKEW_MS * MS),
			.kind = SIM_EVENT_START,
			.node = (uint16_t)i,
			.a = sim->node[i].life });
	sim_run_until(sim, sim->now_ns + GRAPH_SKEW_MS * MS);
}

static void
begin(struct sim *sim, const struct sim_graph *graph, bool is_cut)
{
	struct sim_graph whole = sim_graph_symmetric(graph->count, UINT64_MAX);
	uint64_t end_ns = sim->now_ns + GRAPH_START_MS * MS;

	cut_ways(sim, is_cut ? &whole : graph);
	start_all(sim, graph);
	while (is_cut && !sim_run_is_one_ring(sim) && sim->now_ns < end_ns)
		sim_run_until(sim, sim->now_ns + GRAPH_POLL_MS * MS);
	set_graph(sim, graph);
}

static void
change(struct sim *sim, struct sim_graph *graph)
{
	uint64_t ways = 1 + rng_below(&sim->rng, GRAPH_CHANGES_MAX);

	for (uint64_t i = 0; i < ways; i++) {
		uint32_t from = (uint32_t)rng_below(&sim->rng, graph->count);
		uint32_t to = (uint32_t)rng_below(&sim->rng, graph->count);
		if (from != to)
			graph->ways ^= way(graph, from, to);
	}
	set_graph(sim, graph);
}

static void
end(struct sim *sim)
{
	sim_fault_heal(sim);
	tell_no_graph(sim);
	sim_run_healed(sim);
	sim_run_to_rest(sim);
}

bool
sim_graph_run(struct sim *sim, const struct sim_graph *graph,
    const struct sim_graph_life *life)
{
	struct sim_graph now = *graph;
	struct sim_options opt;

	ENSURE(graph->count <= SIM_GRAPH_NODES);
	sim_options_default(&opt, graph->count);
	opt.seed = life->seed;
	opt.burst_every_ns = GRAPH_LOAD_MS * MS;
	opt.message_bytes = 200;
	sim_reset(sim, &opt);
	sim->is_load_on = true;
	begin(sim, &now, life->is_cut);
	for (uint32_t i = 0; settle(sim, &now) && i < life->changes; i++)
		change(sim, &now);
	if (!sim_has_failed(sim))
		end(sim);
	return !sim_has_failed(sim);
}
