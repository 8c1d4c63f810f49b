/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_flap.h"

#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_catch.h"
#include "tests/sim/sim_draw.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_inside.h"
#include "tests/sim/sim_run.h"
#include "tests/sim/sim_watch.h"

#define MS     UINT64_C(1000000)
#define MINUTE (60000 * MS)

enum {
	FLAP_NODES = 3,
	FLAP_ONE = 1, /* who flaps, and the other end of the way */
	FLAP_OTHER = 2,
	FLAP_START_MS = 5000,
	FLAP_POLL_MS = 10,
	FLAP_MINUTES = 45,
	FLAP_REST_MINUTES = 13, /* what was is forgotten after ten */
	FLAP_DRAIN_MS = 2000,
	FLAP_LOAD_MS = 20000,
	FLAP_CLOCK_PPM = 200,
};

/* What a node is like at rest, and does in a minute of it. */
struct flap_rest {
	struct sim_inside_level level;
	uint64_t tokens, holds;
};

static uint64_t flap_count;

uint64_t
sim_flap_count(void)
{
	return flap_count;
}

/* ---- what flaps --------------------------------------------------------- */

/* In one direction, or both. */
static void
cut_way(struct sim *sim)
{
	sim_net_cut(sim, FLAP_ONE, FLAP_OTHER, true);
	if (rng_below(&sim->rng, 2))
		sim_net_cut(sim, FLAP_OTHER, FLAP_ONE, true);
}

static void
lose(struct sim *sim, enum sim_flap_kind kind)
{
	struct sim_node *node = &sim->node[FLAP_ONE];

	flap_count++;
	if (kind == SIM_FLAP_WAY)
		cut_way(sim);
	else if (rng_below(&sim->rng, 2))
		sim_net_partition(sim, UINT64_C(1) << FLAP_ONE, true);
	else
		sim_node_crash(sim, node, rng_below(&sim->rng, 2));
}

static void
regain(struct sim *sim)
{
	struct sim_node *node = &sim->node[FLAP_ONE];

	sim_fault_heal(sim);
	if (node->power == SIM_OFF)
		sim_node_start(sim, node);
}

/* Each hour has a pace of its own: some times a second, a minute, an hour. */
static void
flap(struct sim *sim, enum sim_flap_kind kind, uint64_t hour)
{
	static const uint64_t up_ms[] = { 500, 10000, 200000 };
	static const uint64_t down_ms[] = { 500, 1000, 5000 };
	uint64_t end_ns = sim->now_ns + FLAP_MINUTES * MINUTE;
	size_t pace = hour % ARRAY_COUNT(up_ms);

	while (sim->now_ns < end_ns && !sim_has_failed(sim)) {
		lose(sim, kind);
		sim_run_until(sim,
		    sim->now_ns + sim_draw_exp(&sim->rng, down_ms[pace] * MS));
		if (sim_has_failed(sim))
			return;
		regain(sim);
		sim_run_until(sim,
		    sim->now_ns + sim_draw_exp(&sim->rng, up_ms[pace] * MS));
	}
}

/* ---- rest --------------------------------------------------------------- */

/* Until what was sent has arrived everywhere, and nothing more is sent. */
static void
drain(struct sim *sim)
{
	sim->is_load_on = false;
	sim_run_until(sim, sim->now_ns + FLAP_DRAIN_MS * MS);
	if (!sim_watch_is_drained(sim))
		sim_fail(sim, "P15 not all is delivered in time");
}

static void
load(struct sim *sim)
{
	sim->is_load_on = true;
	for (uint32_t i = 0; i < FLAP_NODES; i++)
		sim_load_on_up(sim, &sim->node[i]);
}

/* One ring, in time. */
static void
unite(struct sim *sim)
{
	sim_run_healed(sim);
	while (!sim_run_is_one_ring(sim) && !sim_has_failed(sim)) {
		if (sim_watch_is_late(sim))
			sim_fail(sim, "P14 no single ring in time");
		sim_run_until(sim, sim->now_ns + FLAP_POLL_MS * MS);
	}
}

static uint64_t
counted(const struct sim *sim, uint32_t i, enum totem_counter counter)
{
	return totem_count(sim->node[i].core, counter);
}

/* A minute of rest; what each node is like at its end. */
static void
look(struct sim *sim, struct flap_rest out[FLAP_NODES])
{
	for (uint32_t i = 0; i < FLAP_NODES; i++)
		out[i] = (struct flap_rest){
			.tokens = counted(sim, i, TOTEM_COUNT_TOKENS),
			.holds = counted(sim, i, TOTEM_COUNT_HOLDS),
		};
	sim_run_until(sim, sim->now_ns + MINUTE);
	for (uint32_t i = 0; i < FLAP_NODES; i++) {
		out[i].tokens =
		    counted(sim, i, TOTEM_COUNT_TOKENS) - out[i].tokens;
		out[i].holds =
		    counted(sim, i, TOTEM_COUNT_HOLDS) - out[i].holds;
		sim_inside_level(sim->node[i].core, &out[i].level);
	}
}

/* Within a share of what it was, in thousandths. */
static void
same(struct sim *sim, const char *what, uint64_t is, uint64_t was,
    uint64_t share)
{
	uint64_t off = is > was ? is - was : was - is;

	if (off > was * share / 1000)
		sim_fail(sim, "drift: %s is %llu, was %llu", what,
		    (unsigned long long)is, (unsigned long long)was);
}

static void
compare(
    struct sim *sim, const struct flap_rest *is, const struct flap_rest *was)
{
	const struct sim_inside_level *now = &is->level, *then = &was->level;

	same(sim, "cells", now->cells, then->cells, 0);
	same(sim, "slots", now->slots, 0, 0);
	same(sim, "queue_bytes", now->queue_bytes, 0, 0);
	same(sim, "rounds", now->rounds, 0, 0);
	same(sim, "health", now->health, 0, 0);
	same(sim, "tokens", is->tokens, was->tokens, 20);
	same(sim, "holds", is->holds, was->holds, 20);
	same(sim, "patience", now->patience_ns, then->patience_ns, 100);
	same(sim, "hop", now->hop_ns, then->hop_ns, 500);
	same(sim, "rotation", now->rotation_ns, then->rotation_ns, 500);
	if (now->deadline_ns > 1000 * MS)
		sim_fail(sim, "drift: nothing is due");
	if (now->reserve > 2 * (uint64_t)sim->opt.reserve)
		sim_fail(sim, "drift: too many ring numbers are reserved");
}

/* All is healed: one ring, which stays, and is as it was in the beginning. */
static void
rest(struct sim *sim, struct flap_rest first[FLAP_NODES], bool is_first)
{
	struct flap_rest is[FLAP_NODES];

	unite(sim);
	sim_watch_calm(sim);
	sim_run_until(sim, sim->now_ns + FLAP_REST_MINUTES * MINUTE);
	drain(sim);
	if (sim_has_failed(sim))
		return;
	look(sim, is);
	for (uint32_t i = 0; i < FLAP_NODES; i++)
		if (is_first)
			first[i] = is[i];
		else
			compare(sim, &is[i], &first[i]);
	load(sim);
}

/* ---- a run -------------------------------------------------------------- */

static void
begin(struct sim *sim, uint64_t seed)
{
	struct sim_options opt;

	sim_options_default(&opt, FLAP_NODES);
	opt.seed = seed;
	opt.clock_ppm = FLAP_CLOCK_PPM;
	opt.burst_every_ns = FLAP_LOAD_MS * MS;
	opt.burst_messages = 3;
	opt.check_every = 1 << 14;
	sim_reset(sim, &opt);
	sim->events_max = UINT64_MAX;
	sim_watch_fault(sim);
	for (uint32_t i = 0; i < FLAP_NODES; i++)
		sim_node_start(sim, &sim->node[i]);
	sim_run_until(sim, sim->now_ns + FLAP_START_MS * MS);
	if (!sim_run_is_one_ring(sim))
		sim_fail(sim, "P14 no first ring");
	load(sim);
}

bool
sim_flap_run(struct sim *sim, const struct sim_flap_life *life)
{
	struct flap_rest first[FLAP_NODES];

	begin(sim, life->seed);
	rest(sim, first, true);
	for (uint64_t hour = 0; hour < life->hours; hour++) {
		if (sim_has_failed(sim))
			break;
		sim_catch_renew();
		sim_watch_fault(sim);
		flap(sim, life->kind, hour);
		rest(sim, first, false);
		sim_tell(
		    sim, NULL, "hour %llu is over", (unsigned long long)hour);
	}
	if (!sim_has_failed(sim))
		sim_run_to_rest(sim);
	return !sim_has_failed(sim);
}
