/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_inside.h"

#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"

/* As in totem_gather.c and totem_rtr.c. */
enum { INSIDE_BACKOFF_MAX = 4, INSIDE_QUARANTINE_STEPS_MAX = 6 };
#define INSIDE_QUARANTINE_NS (10000 * TOTEM_MS)

bool
sim_inside_is_early(const struct totem *t, const uint8_t *bytes, size_t len)
{
	struct totem_frame frame;

	return t->state == TOTEM_STATE_RECOVERY &&
	    totem_wire_get_frame(&t->table, bytes, len, &frame) &&
	    totem_ring_equal(frame.ring, t->form->id) &&
	    (frame.flags & TOTEM_FRAME_RECOVERY) == 0;
}

bool
sim_inside_is_installing(const struct totem *t)
{
	return t->state == TOTEM_STATE_RECOVERY &&
	    t->recovery.ready_visits == 1;
}

uint32_t
sim_inside_quiet_visits(const struct totem *t)
{
	return t->state == TOTEM_STATE_RECOVERY ? t->recovery.quiet_visits : 0;
}

/* Of a peer that flaps once more, for it was cut off until a moment ago. */
static uint64_t
hold_down(const struct totem *t, const struct totem_peer *peer)
{
	uint64_t flaps = num_min(peer->flaps + 1, TOTEM_FLAPS_MAX);

	return num_min(
	    t->cfg.merge_hold_down_ns << flaps, t->cfg.merge_hold_down_max_ns);
}

/*
 * One merge may come to nothing because of what was lost until a moment ago,
 * and one more because of those who gave that one up.
 */
static uint64_t
vain(const struct totem *t, const struct totem_peer *peer)
{
	uint64_t times = num_min(peer->vain + 2, TOTEM_FLAPS_MAX);

	return num_min(
	    t->cfg.merge_hold_down_ns << times, t->cfg.merge_hold_down_max_ns);
}

/* A peer may be kept out next, for what it did not receive until now. */
static uint64_t
quarantine(const struct totem *t, uint32_t node)
{
	const struct totem_peer *peer = &t->peer[node];
	uint64_t left_ns = num_sub(peer->quarantine_until_ns, t->now_ns);

	if (t->ftr.node != node + 1 || t->ftr.answered == 0)
		return left_ns;
	return num_max(left_ns,
	    INSIDE_QUARANTINE_NS
		<< num_min(peer->quarantines, INSIDE_QUARANTINE_STEPS_MAX));
}

static uint64_t
consensus(const struct totem *t, uint32_t rounds)
{
	return t->cfg.consensus_ns << num_min(rounds, INSIDE_BACKOFF_MAX);
}

void
sim_inside_waits(const struct totem *t, struct sim_inside_waits *out)
{
	*out = (struct sim_inside_waits){ 0 };
	if (totem_timer_is_set(t, TOTEM_TIMER_TOKEN_LOSS))
		out->notice_ns =
		    num_sub(t->deadline[TOTEM_TIMER_TOKEN_LOSS], t->now_ns);
	out->consensus_ns =
	    consensus(t, t->gather.rounds) + consensus(t, t->gather.rounds + 1);
	for (uint32_t i = 0; i < t->table.count; i++) {
		uint64_t merge_ns =
		    num_max(hold_down(t, &t->peer[i]), quarantine(t, i)) +
		    vain(t, &t->peer[i]);
		if (i == t->self)
			continue;
		out->notice_ns = num_max(out->notice_ns, totem_cut_after(t, i));
		out->notice_ns =
		    num_max(out->notice_ns, totem_lone_after(t, i));
		out->merge_ns = num_max(out->merge_ns, merge_ns);
	}
	out->merge_ns += 2 * t->cfg.merge_ns;
}

uint64_t
sim_inside_dead_after_ns(const struct totem *t, uint32_t peer)
{
	return totem_lone_after(t, peer);
}

uint32_t
sim_inside_health(const struct totem *t)
{
	return t->health;
}

void
sim_inside_level(const struct totem *t, struct sim_inside_level *out)
{
	*out = (struct sim_inside_level){
		.cells = t->cells_touched - t->cells_free,
		.slots = totem_slots_used(t),
		.queue_bytes = t->queue[0].tail - t->queue[0].head +
		    t->queue[1].tail - t->queue[1].head,
		.rounds = t->gather.rounds,
		.health = t->health,
		.reserve = t->reserved_seq - t->max_seq,
		.hop_ns = t->hop_rto_ns,
		.rotation_ns = t->rotation_ns,
		.deadline_ns = num_sub(totem_deadline_ns(t), t->now_ns),
	};
	for (uint32_t i = 0; i < t->table.count; i++)
		if (i != t->self)
			out->patience_ns =
			    num_max(out->patience_ns, totem_lone_after(t, i));
}
