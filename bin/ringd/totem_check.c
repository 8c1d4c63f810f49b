/* SPDX-License-Identifier: BSD-3-Clause */
/* Every invariant of the core's state, and the snapshots for `status`. */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

static uint32_t
check_ring(const struct totem *t, const struct totem_ring *ring)
{
	uint32_t held = 0;

	ENSURE(ring->gc <= ring->aru);
	ENSURE(ring->aru <= ring->high);
	ENSURE(ring->delivered <= ring->aru);
	ENSURE(ring->stable <= ring->aru);
	ENSURE(!totem_has(ring, ring->aru + 1));
	/* Above high there is nothing: check_cells would miss a cell. */
	uint64_t last = num_min(ring->high, ring->gc + LIMIT_STORE_FRAMES);
	for (uint64_t seq = ring->gc + 1; seq <= last; seq++) {
		uint32_t cell = totem_cell_at(ring, seq);
		if (cell == TOTEM_NO_CELL) {
			ENSURE(seq > ring->aru);
			continue;
		}
		held++;
		ENSURE(cell < t->cells_touched);
		ENSURE(t->cell[cell].len > TOTEM_WIRE_FRAME_HEADER);
		ENSURE(t->cell[cell].len <= t->cfg.frame_bytes);
		ENSURE(t->cell[cell].sender < t->table.count);
	}
	return held;
}

static void
check_cells(const struct totem *t)
{
	uint32_t held = check_ring(t, t->inst) + check_ring(t, t->form);

	held += t->rx_cell != TOTEM_NO_CELL;
	ENSURE(held + t->cells_free == t->cells_touched);
	ENSURE(t->cells_touched <= TOTEM_CELLS);
}

static void
check_slots(const struct totem *t)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < LIMIT_NODES; i++) {
		if (t->slot_of[i] == TOTEM_NO_SLOT)
			continue;
		const struct totem_slot *slot = &t->slot[t->slot_of[i]];
		ENSURE(slot->is_used);
		ENSURE(slot->len <= slot->total);
		used++;
	}
	ENSURE(used == totem_slots_used(t));
}

static void
check_timers(const struct totem *t)
{
	bool is_gathering = t->state == TOTEM_STATE_GATHER;
	bool is_forming =
	    t->state == TOTEM_STATE_COMMIT || t->state == TOTEM_STATE_RECOVERY;

	ENSURE(totem_timer_is_set(t, TOTEM_TIMER_JOIN) == is_gathering);
	ENSURE(totem_timer_is_set(t, TOTEM_TIMER_CONSENSUS) == is_gathering);
	if (is_forming)
		ENSURE(totem_timer_is_set(t, TOTEM_TIMER_TOKEN_LOSS));
	if (t->state == TOTEM_STATE_OPERATIONAL && t->inst->count > 1)
		ENSURE(totem_timer_is_set(t, TOTEM_TIMER_TOKEN_LOSS));
	if (t->is_held)
		ENSURE(totem_timer_is_set(t, TOTEM_TIMER_HOLD));
	if (t->has_pending)
		ENSURE(totem_timer_is_set(t, TOTEM_TIMER_PENDING));
}

static void
check_queues(const struct totem *t)
{
	for (int i = 0; i < 2; i++) {
		const struct totem_queue *queue = &t->queue[i];
		ENSURE(queue->head <= queue->tail);
		ENSURE(queue->tail - queue->head <= queue->size);
		if (queue->has_entry)
			ENSURE(queue->offset < queue->entry.len ||
			    queue->offset == 0);
	}
}

void
totem_check(const struct totem *t)
{
	uint64_t me = TOTEM_BIT(t->self);

	ENSURE(t->state < TOTEM_STATES);
	ENSURE(t->install.step == TOTEM_INSTALL_NONE);
	ENSURE(!t->cursor.is_open);
	ENSURE(t->inst != t->form);
	ENSURE(t->inst->members & me);
	ENSURE(t->oblig & me);
	ENSURE(t->hears & me);
	ENSURE(t->inst->id.seq <= t->max_seq);
	ENSURE(t->inst->id.seq <= t->promised_seq);
	ENSURE(t->gather.proc & me);
	ENSURE(!(t->gather.fail & me));
	ENSURE((t->gather.fail & ~t->gather.proc) == 0);
	check_cells(t);
	check_slots(t);
	if (t->state != TOTEM_STATE_LEFT)
		check_timers(t);
	check_queues(t);
}

/* ---- snapshots --------------------------------------------------------- */

uint64_t
totem_count(const struct totem *t, enum totem_counter counter)
{
	ENSURE(counter < TOTEM_COUNTERS);
	return t->count[counter];
}

const struct totem_config *
totem_config(const struct totem *t)
{
	return &t->cfg;
}

static void
list_nodes(const struct totem *t, uint64_t set, struct totem_nodes *out)
{
	out->count = 0;
	for (uint32_t i = 0; i < t->table.count; i++)
		if (set >> i & 1)
			out->id[out->count++] = t->table.id[i];
}

void
totem_status(const struct totem *t, uint64_t now_ns, struct totem_status *out)
{
	const struct totem_ring *ring = t->inst;

	*out = (struct totem_status){ .state = t->state,
		.ring = ring->id,
		.aru = ring->aru,
		.high = ring->high,
		.delivered = ring->delivered,
		.stable = ring->stable,
		.rotation_ns = t->rotation_ns,
		.rotation_dev_ns = t->rotation_dev_ns,
		.window = t->token.window,
		.is_gate_open = t->is_gate_open,
		.health = t->health,
		.token_loss_ns = totem_token_loss_span(t),
		.gather_reason = t->gather.reason };
	list_nodes(t, ring->members, &out->members);
	for (int i = 0; i < 2; i++)
		out->queue_bytes_used += t->queue[i].tail - t->queue[i].head;
	bool is_current = t->state == TOTEM_STATE_OPERATIONAL;
	if (!is_current || ring->count > 1)
		out->token_age_ns = num_sub(now_ns, t->visit_ns);
	for (int i = 0; i < TOTEM_REASONS; i++)
		out->gathers[i] = t->gathers[i];
}

bool
totem_peer_status(const struct totem *t, uint32_t node, uint64_t now_ns,
    struct totem_peer_status *out)
{
	int idx = totem_wire_idx(&t->table, node);

	if (idx < 0)
		return false;
	const struct totem_peer *peer = &t->peer[idx];
	*out = (struct totem_peer_status){ .incarnation = peer->incarnation,
		.is_alive = peer->is_alive || (uint32_t)idx == t->self,
		.is_bidirectional = (uint32_t)idx == t->self ||
		    totem_is_both_ways(t, (uint32_t)idx),
		.silent_ns =
		    peer->heard_ns == 0 ? 0 : num_sub(now_ns, peer->heard_ns),
		.is_mismatched = peer->is_mismatched,
		.suspect_after_ns = totem_suspect_after(t, (uint32_t)idx),
		.dead_after_ns = totem_dead_after(t, (uint32_t)idx),
		.rtt_ns = peer->rtt_ns,
		.late_ns = peer->gap_late_ns,
		.packets_received = peer->packets };
	return true;
}
