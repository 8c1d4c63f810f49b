/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Derived from what the protocol promises, not from what it was seen to need:
 *
 *	P14	T_dead + 2 T_cons + T_merge + 30 rotations; in place of T_dead
 *		what is left of the token loss timer, when that is more: whom
 *		the others left behind learns it by that; in T_merge there is
 *		the wait after two merges that faults made vain
 *	P15	50 rotations + 6 RTO, 3 rotations more when safe, behind the
 *		rotations that empty full queues
 *	P17	20 ms, or T_dead + 25 ms without proof, where a rotation is
 *		short; a slow one needs the 9 of a reformation, and a few to
 *		repeat what was lost meanwhile
 *	P18	20 JOINs a node from one ring to the next, times the nodes
 *
 * A rotation is one hop of the token a node.  What the spans depend on, such
 * as how often a peer has flapped, is read from the cores when all is healed.
 */
#include "tests/sim/sim_bound.h"

#include "libcommon/base/num.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_inside.h"

#define MS UINT64_C(1000000)

enum {
	BOUND_RTO_MS = 20, /* the longest of a hop */
	BOUND_PROVEN_MS = 20,
	BOUND_SILENT_MS = 25,
	BOUND_FORM_ROTATIONS = 12, /* from proof to the next ring */
	BOUND_VIEWS_ROTATIONS = 30,
	BOUND_AGREED_ROTATIONS = 50,
	BOUND_SAFE_ROTATIONS = 3,
	BOUND_JOINS = 20,
	BOUND_FRAME_HEAD_BYTES = 100,
	BOUND_ENTRY_BYTES = 32, /* of a message in its queue */
};

/* Frames that share a way keep their order, so the latest of a visit counts:
 * of a few draws, twice the mean. */
static uint64_t
rotation_ns(const struct sim *sim)
{
	const struct sim_options *opt = &sim->opt;
	uint64_t hop_ns = opt->delay_ns + 2 * opt->jitter_ns +
	    opt->config.visit_frames * opt->cpu_ns;

	return opt->node_count * hop_ns;
}

/* On clocks that are slow. */
static uint64_t
stretch(const struct sim *sim, uint64_t span_ns)
{
	return span_ns + span_ns / 1000000 * sim->opt.clock_ppm;
}

static struct sim_inside_waits
longest_waits(const struct sim *sim)
{
	struct sim_inside_waits most = { 0 };

	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		struct sim_inside_waits one;
		if (sim->node[i].power == SIM_OFF)
			continue;
		sim_inside_waits(sim->node[i].core, &one);
		most.notice_ns = num_max(most.notice_ns, one.notice_ns);
		most.consensus_ns =
		    num_max(most.consensus_ns, one.consensus_ns);
		most.merge_ns = num_max(most.merge_ns, one.merge_ns);
	}
	return most;
}

/*
 * A full queue in frames: each is at least half full, but where agreed and
 * safe take turns, for they share none.  Half of the messages do at most; they
 * are drawn log-uniformly, so the mean is above an eighth of the most.
 */
static uint64_t
queue_frames(const struct sim *sim)
{
	const struct sim_options *opt = &sim->opt;
	uint64_t bytes = opt->config.queue_bytes;
	uint64_t room = opt->config.frame_bytes - BOUND_FRAME_HEAD_BYTES;
	uint64_t frames = 2 * bytes / room;

	if (opt->safe_ppm > 0 && opt->safe_ppm < 1000000)
		frames +=
		    bytes / 2 / (BOUND_ENTRY_BYTES + opt->message_bytes / 8);
	return frames;
}

/* Rotations until what all nodes have queued has its place. */
static uint64_t
queue_rotations(const struct sim *sim)
{
	uint64_t frames = queue_frames(sim);

	return num_max(frames / sim->opt.config.visit_frames,
	    frames * sim->opt.node_count / LIMIT_WINDOW_MIN);
}

void
sim_bound_heal(const struct sim *sim, struct oracle_bounds *out)
{
	struct sim_inside_waits waits = longest_waits(sim);
	uint64_t rot_ns = rotation_ns(sim);

	*out = (struct oracle_bounds){ .joins =
					   BOUND_JOINS * sim->opt.node_count };
	out->views_ns = stretch(sim,
	    waits.notice_ns + waits.consensus_ns + waits.merge_ns +
		BOUND_VIEWS_ROTATIONS * rot_ns);
	out->agreed_ns = stretch(sim,
	    (BOUND_AGREED_ROTATIONS + queue_rotations(sim)) * rot_ns +
		UINT64_C(6) * BOUND_RTO_MS * MS);
	out->safe_ns = out->agreed_ns + BOUND_SAFE_ROTATIONS * rot_ns;
}

uint64_t
sim_bound_notice_ns(const struct sim *sim)
{
	return stretch(
	    sim, longest_waits(sim).notice_ns + 2 * rotation_ns(sim));
}

void
sim_bound_graph(const struct sim *sim, struct oracle_bounds *out)
{
	sim_bound_heal(sim, out);
	/* What is left over of one clique may form the next. */
	out->views_ns *= 2;
}

uint64_t
sim_bound_detect_ns(
    const struct sim *sim, const struct sim_node *victim, bool is_proven)
{
	uint64_t span_ns = BOUND_FORM_ROTATIONS * rotation_ns(sim);
	uint64_t dead_ns = 0;

	if (is_proven)
		return stretch(sim, span_ns + BOUND_PROVEN_MS * MS);
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		const struct sim_node *node = &sim->node[i];
		if (node == victim || node->power == SIM_OFF)
			continue;
		dead_ns = num_max(
		    dead_ns, sim_inside_dead_after_ns(node->core, victim->idx));
	}
	return stretch(sim, span_ns + dead_ns + BOUND_SILENT_MS * MS);
}
