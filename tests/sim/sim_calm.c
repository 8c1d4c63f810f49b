/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_calm.h"

#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_draw.h"
#include "tests/sim/sim_run.h"
#include "tests/sim/sim_watch.h"

#define US UINT64_C(1000)
#define MS UINT64_C(1000000)

enum {
	CALM_START_MS = 20000, /* to the first ring of all */
	CALM_REST_MS = 2000,   /* longer than any wait for a merge */
	CALM_PAUSE_MAX_US = 50000,
	CALM_LOSS_MAX_PPM = 10000,
	CALM_JITTER_MAX_US = 2000, /* mean; a tenth of what is allowed */
	CALM_TAIL_MAX_US = 3000,   /* mean: hardly ever above 20 ms */
	CALM_LATE_MAX_US = 2000,
	CALM_COPY_DELAY_US = 150,
};

static uint64_t calm_pause_every_ns;

/* Half of the runs lack it. */
static uint64_t
maybe(struct rng *rng, uint64_t low, uint64_t high)
{
	return rng_below(rng, 2) ? 0 : sim_draw_log(rng, low, high);
}

static void
draw(struct sim_options *opt, uint64_t seed)
{
	struct rng rng;

	rng_init(&rng, seed);
	sim_options_default(opt, (uint32_t)sim_draw_range(&rng, 2, 6));
	opt->seed = rng_next(&rng);
	opt->delay_ns = sim_draw_log(&rng, 30 * US, 2 * MS);
	opt->jitter_ns = sim_draw_log(&rng, US, CALM_JITTER_MAX_US * US);
	opt->loss_ppm = (uint32_t)maybe(&rng, 10, CALM_LOSS_MAX_PPM);
	opt->dup_ppm = (uint32_t)maybe(&rng, 10, CALM_LOSS_MAX_PPM);
	/* A copy may be late by a hundred delays, and what follows behind it.
	 */
	if (opt->dup_ppm > 0)
		opt->delay_ns = num_min(opt->delay_ns, CALM_COPY_DELAY_US * US);
	opt->reorder_ppm = (uint32_t)maybe(&rng, 100, 100000);
	opt->tail_ppm = (uint32_t)maybe(&rng, 100, 100000);
	opt->tail_ns = sim_draw_log(&rng, 100 * US, CALM_TAIL_MAX_US * US);
	opt->late_ns = maybe(&rng, US, CALM_LATE_MAX_US * US);
	opt->cpu_ns = sim_draw_log(&rng, 500, 50 * US);
	opt->clock_ppm = (uint32_t)maybe(&rng, 10, 1000);
	opt->burst_every_ns = sim_draw_log(&rng, 50 * MS, 10000 * MS);
	opt->burst_messages = (uint32_t)sim_draw_log(&rng, 1, 40);
	opt->message_bytes = (uint32_t)sim_draw_log(&rng, 16, 4000);
	opt->check_every = 1 << 20;
	calm_pause_every_ns = maybe(&rng, 500 * MS, 60000 * MS);
}

/* ---- processes that stand still for a moment ---------------------------- */

static void
call_later(struct sim *sim, uint64_t span_ns, uint64_t what)
{
	sim_push(sim,
	    (struct sim_event){ .time_ns = sim->now_ns + span_ns,
		.kind = SIM_EVENT_CALL,
		.a = what });
}

/* The node of that number stands still, or goes on. */
static void
stand_still(struct sim *sim, uint64_t what)
{
	struct sim_node *node = &sim->node[what >> 1];

	if (what & 1) {
		sim_node_resume(sim, node);
		call_later(sim, sim_draw_exp(&sim->rng, calm_pause_every_ns),
		    what & ~UINT64_C(1));
	} else {
		uint64_t span_us =
		    sim_draw_range(&sim->rng, 1, CALM_PAUSE_MAX_US);
		sim_node_pause(sim, node);
		call_later(sim, span_us * US, what | 1);
	}
	/* That is nothing which may cost a view. */
	sim_watch_calm(sim);
}

static void
begin_pauses(struct sim *sim)
{
	sim->call = stand_still;
	for (uint32_t i = 0; calm_pause_every_ns && i < sim->opt.node_count;
	     i++)
		call_later(sim, sim_draw_exp(&sim->rng, calm_pause_every_ns),
		    (uint64_t)i << 1);
}

/* ---- a run -------------------------------------------------------------- */

static void
form(struct sim *sim)
{
	uint64_t end_ns = sim->now_ns + CALM_START_MS * MS;

	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		sim_node_start(sim, &sim->node[i]);
	while (!sim_run_is_one_ring(sim) && !sim_has_failed(sim)) {
		if (sim->now_ns > end_ns)
			sim_fail(sim, "P14 no first ring");
		sim_run_until(sim, sim->now_ns + MS);
	}
	sim_run_until(sim, sim->now_ns + CALM_REST_MS * MS);
	if (!sim_run_is_one_ring(sim))
		sim_fail(sim, "P14 the first ring did not stay");
}

bool
sim_calm_run(struct sim *sim, uint64_t seed, uint64_t minutes)
{
	struct sim_options opt;

	draw(&opt, seed);
	if (sim->story)
		sim_options_print(&opt);
	sim_reset(sim, &opt);
	sim->events_max = UINT64_MAX;
	sim_watch_fault(sim);
	form(sim);
	sim_watch_calm(sim);
	sim->is_load_on = true;
	for (uint32_t i = 0; i < opt.node_count; i++)
		sim_load_on_up(sim, &sim->node[i]);
	begin_pauses(sim);
	sim_run_until(sim, sim->now_ns + minutes * 60000 * MS);
	return !sim_has_failed(sim);
}
