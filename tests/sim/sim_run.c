/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_run.h"

#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/oracle.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_bound.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_stack.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_watch.h"

#define MS UINT64_C(1000000)

enum {
	RUN_POLL_MS = 10,
	RUN_TOKEN_MS = 300, /* longer than any rotation */
	RUN_HEAR_OUT_MS = 60000,
	RUN_SETTLE_MS = 700,
	RUN_LOADED_MS = 300,
	RUN_QUIET_MS = 300,
	RUN_IDLE_MS = 200,
	RUN_IDLE_WINDOWS = 5,
	RUN_LEASES_MS = 3000,
	KILL_ONE_IN = 3, /* runs */
};

bool
sim_run_is_one_ring(struct sim *sim)
{
	struct totem_status status, first = { 0 };
	uint32_t count = 0;

	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		struct sim_node *node = &sim->node[i];
		if (node->power == SIM_OFF)
			continue;
		if (!sim_node_is_operational(sim, node, &status))
			return false;
		if (status.members.count > 1 &&
		    status.token_age_ns > RUN_TOKEN_MS * MS)
			return false; /* it waits for a token that is lost */
		if (count++ == 0)
			first = status;
		else if (!totem_ring_equal(first.ring, status.ring))
			return false;
	}
	return count == 0 || first.members.count == count;
}

static void
start_all(struct sim *sim)
{
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		sim_push(sim,
		    (struct sim_event){
			.time_ns = rng_below(
			    &sim->rng, (uint64_t)sim->opt.start_skew_ns + 1),
			.kind = SIM_EVENT_START,
			.node = (uint16_t)i,
			.a = sim->node[i].life });
}

void
sim_run_healed(struct sim *sim)
{
	struct oracle_bounds bounds;

	sim_bound_heal(sim, &bounds);
	sim_watch_heal(sim, &bounds);
}

/* What the faults have delayed is a fault itself until it is here. */
static void
let_arrive(struct sim *sim)
{
	uint64_t last_ns = sim->now_ns;

	for (size_t i = 0; i < sim->heap.count; i++)
		if (sim->heap.slot[i].kind == SIM_EVENT_ARRIVE)
			last_ns = num_max(last_ns, sim->heap.slot[i].time_ns);
	sim_run_until(sim, last_ns);
}

/* Who is down comes back now, or stays down. */
static void
heal(struct sim *sim)
{
	sim_fault_heal(sim);
	let_arrive(sim);
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		struct sim_node *node = &sim->node[i];
		if (node->power != SIM_OFF)
			continue;
		node->life++;
		if (rng_below(&sim->rng, 4) != 0)
			sim_node_start(sim, node);
	}
	sim->opt.restart_ns = 0;
	sim_run_healed(sim);
}

/* One ring, and what the faults left behind has shown itself. */
static void
settle(struct sim *sim)
{
	while (!sim_has_failed(sim)) {
		while (!sim_run_is_one_ring(sim)) {
			if (sim_watch_is_late(sim))
				sim_fail(sim, "P14 no single ring in time");
			if (sim_has_failed(sim))
				return;
			sim_run_until(sim, sim->now_ns + RUN_POLL_MS * MS);
		}
		uint64_t views = sim->views;
		sim_run_until(sim, sim->now_ns + RUN_SETTLE_MS * MS);
		if (sim->views == views && sim_run_is_one_ring(sim))
			return;
	}
}

/* One of the ring dies in the middle of it all: P17. */
static void
kill_one(struct sim *sim)
{
	struct sim_node *victim =
	    &sim->node[rng_below(&sim->rng, sim->opt.node_count)];
	bool is_proven = rng_below(&sim->rng, 2);

	settle(sim);
	sim_watch_calm(sim);
	sim_run_until(sim, sim->now_ns + RUN_LOADED_MS * MS);
	if (sim_has_failed(sim) || victim->power != SIM_ON ||
	    victim->is_leaving)
		return;
	sim_watch_miss_within(sim, sim_bound_detect_ns(sim, victim, is_proven));
	sim_node_crash(sim, victim, is_proven);
}

/* The oracle judges how late each message was. */
static void
drain(struct sim *sim)
{
	struct oracle_bounds bounds;

	sim_bound_heal(sim, &bounds);
	uint64_t from_ns = sim->now_ns;
	while (!sim_has_failed(sim) && !sim_watch_is_drained(sim)) {
		from_ns = num_max(from_ns, sim_watch_changed_ns(sim));
		if (sim->now_ns > from_ns + bounds.views_ns + bounds.safe_ns)
			sim_fail(sim, "P15 not all is delivered in time");
		sim_run_until(sim, sim->now_ns + RUN_POLL_MS * MS);
	}
}

/* A ring with nothing to do turns once in a hold.  Only what was delivered
 * meanwhile excuses it, for a service's timer may just have come. */
static void
check_idle(struct sim *sim)
{
	uint64_t tokens[LIMIT_NODES], delivered;
	uint32_t windows = 0;
	const uint64_t most =
	    3 * RUN_IDLE_MS * MS / sim->opt.config.idle_hold_ns + 6;

	do {
		delivered = sim->delivered;
		for (uint32_t i = 0; i < sim->opt.node_count; i++)
			if (sim->node[i].power == SIM_ON)
				tokens[i] = totem_count(
				    sim->node[i].core, TOTEM_COUNT_TOKENS);
		sim_run_until(sim, sim->now_ns + RUN_IDLE_MS * MS);
	} while (sim->delivered != delivered && ++windows < RUN_IDLE_WINDOWS);
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		if (sim->node[i].power == SIM_ON &&
		    totem_count(sim->node[i].core, TOTEM_COUNT_TOKENS) >
			tokens[i] + most)
			sim_fail(sim, "P16 the ring of node %u does not rest",
			    (unsigned)sim->node[i].id);
}

/* A service's window may just have ended: until nobody says more. */
static void
hear_out(struct sim *sim)
{
	uint64_t end_ns = sim->now_ns + RUN_HEAR_OUT_MS * MS, delivered;

	do {
		delivered = sim->delivered;
		sim_run_until(sim, sim->now_ns + RUN_QUIET_MS * MS);
	} while (!sim_has_failed(sim) && sim->now_ns < end_ns &&
	    (sim->delivered != delivered || !sim_watch_is_drained(sim)));
}

void
sim_run_to_rest(struct sim *sim)
{
	settle(sim);
	sim_watch_calm(sim);
	sim_run_until(sim, sim->now_ns + RUN_LOADED_MS * MS);
	sim->is_load_on = false;
	drain(sim);
	sim_run_until(sim, sim->now_ns + RUN_QUIET_MS * MS);
	/* The store's leases run out, and it says so. */
	if (sim->opt.has_store) {
		sim_run_until(sim, sim->now_ns + RUN_LEASES_MS * MS);
		hear_out(sim);
	}
	check_idle(sim);
	if (!sim_run_is_one_ring(sim))
		sim_fail(sim, "P16 the ring did not stay");
	if (sim->opt.has_stack)
		hear_out(sim);
	sim_watch_end(sim);
	if (sim->opt.has_stack)
		sim_stack_end(sim);
	if (sim->opt.has_store)
		sim_store_end(sim);
}

bool
sim_run_seed(struct sim *sim, uint64_t seed)
{
	struct sim_options opt;

	sim_options_draw(&opt, seed);
	if (sim->story)
		sim_options_print(&opt);
	sim_reset(sim, &opt);
	sim_watch_fault(sim);
	sim->is_load_on = true;
	start_all(sim);
	sim_fault_arm(sim);
	sim_run_until(sim, opt.chaos_ns);
	heal(sim);
	if (rng_below(&sim->rng, KILL_ONE_IN) == 0)
		kill_one(sim);
	sim_run_to_rest(sim);
	return !sim_has_failed(sim);
}
