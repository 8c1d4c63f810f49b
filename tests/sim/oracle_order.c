/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Deliveries, one at a time: P1, P2, P5, P6 and the half of P9 that is about
 * places.
 *
 * A ring's slots are all places that anybody delivered or that were seen on
 * the wire.  P6 is checked from both sides: who delivers in the regular
 * phase must have delivered the slot before; and a slot that becomes known
 * late must not lie below what somebody has delivered in the regular phase.
 */
#include <inttypes.h>

#include "tests/sim/oracle_internal.h"

/* ---- submissions --------------------------------------------------------- */

bool
oracle_on_submit(
    struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	struct oracle_life *sender = &o->life[life];
	if (event->submit.msg_no <= sender->last_msg_no)
		return oracle_fail(o, "P1", 0,
		    "%s submits message %" PRIu64 " after %" PRIu64,
		    oracle_life_text(o, life), event->submit.msg_no,
		    sender->last_msg_no);
	sender->last_msg_no = event->submit.msg_no;
	uint32_t idx = oracle_add_message(o, life, event->submit.msg_no);
	struct oracle_message *message = &o->message[idx];
	message->service = event->submit.service;
	message->class = event->submit.class;
	message->len = event->submit.len;
	message->hash = event->submit.hash;
	message->has_if_view = event->submit.has_if_view;
	message->if_view = event->submit.if_view;
	if (sender->stay != ORACLE_NONE) {
		const struct oracle_stay *stay = &o->stay[sender->stay];
		message->after_ring = stay->ring;
		message->after = stay->last;
	}
	return true;
}

/* ---- P1 ------------------------------------------------------------------ */

static bool
is_unaltered(struct oracle *o, uint32_t idx, const struct oracle_event *event)
{
	const struct oracle_message *is = &o->message[idx];
	const struct totem_delivery *got = event->deliver.is;
	bool is_same = is->len == got->len && is->service == got->service &&
	    is->class == got->class;
	if (is->hash != 0 && event->deliver.hash != 0)
		is_same = is_same && is->hash == event->deliver.hash;
	if (is_same)
		return true;
	return oracle_fail(o, "P1", 0,
	    "%s is delivered with other contents, %zu bytes for %zu",
	    oracle_message_text(o, idx), got->len, is->len);
}

/* The message as first delivered, when nobody tells what was submitted. */
static uint32_t
learn_message(
    struct oracle *o, uint32_t sender, const struct oracle_event *event)
{
	const struct totem_delivery *got = event->deliver.is;
	uint32_t idx = oracle_add_message(o, sender, got->msg_no);
	struct oracle_message *message = &o->message[idx];
	message->service = got->service;
	message->class = got->class;
	message->len = got->len;
	message->hash = event->deliver.hash;
	return idx;
}

static bool
find_submitted(struct oracle *o, uint32_t sender,
    const struct oracle_event *event, uint32_t *idx)
{
	*idx = oracle_find_message(o, sender, event->deliver.is->msg_no);
	if (*idx == ORACLE_NONE && !(o->options & ORACLE_SUBMITS))
		*idx = learn_message(o, sender, event);
	if (*idx == ORACLE_NONE)
		return oracle_fail(o, "P1", 0,
		    "message %" PRIu64 " of %s was never submitted",
		    event->deliver.is->msg_no, oracle_life_text(o, sender));
	if (o->message[*idx].is_dropped)
		return oracle_fail(o, "P1", 0, "%s had been dropped",
		    oracle_message_text(o, *idx));
	return is_unaltered(o, *idx, event);
}

/* The sender's seat; it must be a member. */
static bool
find_sender(struct oracle *o, const struct oracle_stay *stay,
    const struct totem_delivery *got, uint32_t *seat)
{
	const struct oracle_ring *ring = &o->ring[stay->ring];
	*seat = oracle_seat_of_node(o, ring, got->node);
	if (*seat != ORACLE_NONE &&
	    o->life[ring->life[*seat]].incarnation == got->incarnation)
		return true;
	return oracle_fail(o, "P1", 0,
	    "node %" PRIu32 " inc %" PRIu64 " is no member of ring %s",
	    got->node, got->incarnation, oracle_ring_text(o, stay->ring));
}

/* ---- P2 and P9: one place, after what its sender knew ----------------------
 */

static bool
is_in_place(struct oracle *o, const struct oracle_stay *stay, uint32_t idx,
    struct oracle_position at)
{
	const struct oracle_message *is = &o->message[idx];
	if (is->ring == ORACLE_NONE)
		return true;
	if (is->ring != stay->ring || oracle_compare(is->at, at) != 0)
		return oracle_fail(o, "P2", 0,
		    "%s is at %s here, elsewhere at %s",
		    oracle_message_text(o, idx),
		    oracle_slot_text(o, stay->ring, at),
		    oracle_slot_text(o, is->ring, is->at));
	if (is->delivered >> stay->seat & 1)
		return oracle_fail(o, "P2", 0, "%s delivers %s twice",
		    oracle_life_text(o, stay->life),
		    oracle_message_text(o, idx));
	return true;
}

static bool
matches_view(struct totem_ring_id id, struct totem_ring_id if_view)
{
	return id.seq == if_view.seq && id.rep == if_view.rep &&
	    (if_view.nonce == 0 || id.nonce == if_view.nonce);
}

/* The first delivery anywhere fixes the place. */
static bool
place(struct oracle *o, const struct oracle_stay *stay, uint32_t idx,
    struct oracle_position at)
{
	struct oracle_message *is = &o->message[idx];
	if (is->ring != ORACLE_NONE)
		return true;
	const struct oracle_ring *ring = &o->ring[stay->ring];
	if (is->has_if_view && !matches_view(ring->id, is->if_view))
		return oracle_fail(o, "if_view", 0,
		    "%s was for another view than %s",
		    oracle_message_text(o, idx),
		    oracle_ring_text(o, stay->ring));
	if (is->after_ring == stay->ring && oracle_compare(at, is->after) <= 0)
		return oracle_fail(o, "P9", 0,
		    "%s is ordered at %s, but follows from %s",
		    oracle_message_text(o, idx),
		    oracle_slot_text(o, stay->ring, at),
		    oracle_slot_text(o, stay->ring, is->after));
	is->ring = stay->ring;
	is->at = at;
	is->seat = oracle_seat_of(o, ring, is->life);
	return true;
}

/* ---- slots, P6 -------------------------------------------------------------
 */

/* The first slot that is not before at; hint is a good guess. */
static uint32_t
slot_place(
    const struct oracle_ring *ring, struct oracle_position at, uint32_t hint)
{
	uint32_t low = 0;
	uint32_t high = ring->slot_count;
	if (hint < high && oracle_compare(ring->slot[hint].at, at) == 0)
		return hint;
	if (high > 0 && oracle_compare(ring->slot[high - 1].at, at) < 0)
		return high;
	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		if (oracle_compare(ring->slot[middle].at, at) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* Nobody may have passed over a slot that becomes known only now. */
static bool
was_not_passed(struct oracle *o, uint32_t at, struct oracle_position place)
{
	const struct oracle_ring *ring = &o->ring[at];
	for (uint32_t i = 0; i < ring->member_count; i++) {
		if (ring->stay[i] == ORACLE_NONE)
			continue;
		const struct oracle_stay *stay = &o->stay[ring->stay[i]];
		if (oracle_compare(stay->from, place) < 0 &&
		    oracle_compare(place, stay->to) < 0)
			return oracle_fail(o, "P6", 0,
			    "%s passed over %s in the regular phase",
			    oracle_life_text(o, stay->life),
			    oracle_slot_text(o, at, place));
	}
	return true;
}

/* Makes the slot where it is missing; *found is where it is. */
static bool
find_slot(struct oracle *o, uint32_t at, struct oracle_slot slot, uint32_t hint,
    uint32_t *found)
{
	struct oracle_ring *ring = &o->ring[at];
	uint32_t k = slot_place(ring, slot.at, hint);
	*found = k;
	if (k < ring->slot_count &&
	    oracle_compare(ring->slot[k].at, slot.at) == 0)
		return true;
	if (k < ring->slot_count && !was_not_passed(o, at, slot.at))
		return false;
	ring->slot = oracle_room(ring->slot, &ring->slot_room, ring->slot_count,
	    sizeof(*ring->slot));
	for (uint32_t i = ring->slot_count; i > k; i--)
		ring->slot[i] = ring->slot[i - 1];
	ring->slot[k] = slot;
	ring->slot_count++;
	return true;
}

static bool
takes_slot(struct oracle *o, const struct oracle_stay *stay,
    struct oracle_slot want, uint32_t *found)
{
	if (!find_slot(o, stay->ring, want, stay->hint, found))
		return false;
	struct oracle_slot *slot = &o->ring[stay->ring].slot[*found];
	if (slot->message == ORACLE_NONE)
		slot->message = want.message;
	if (slot->message == want.message && slot->node == want.node)
		return true;
	return oracle_fail(o, "P2", 0,
	    "%s holds a message of node %" PRIu32
	    " here, elsewhere another of node %" PRIu32,
	    oracle_slot_text(o, stay->ring, want.at), want.node, slot->node);
}

/* P6 at the one who delivers. */
static bool
passes_nothing(struct oracle *o, const struct oracle_stay *stay, uint32_t k)
{
	if (stay->passage != ORACLE_NONE || stay->must_resync || k == 0)
		return true;
	const struct oracle_slot *before = &o->ring[stay->ring].slot[k - 1];
	if (oracle_compare(before->at, stay->last) <= 0)
		return true;
	return oracle_fail(o, "P6", 0, "%s passes over %s in the regular phase",
	    oracle_life_text(o, stay->life),
	    oracle_slot_text(o, stay->ring, before->at));
}

bool
oracle_on_assigned(struct oracle *o, const struct oracle_event *event)
{
	uint32_t found;
	uint32_t ring = oracle_ring_of(o, event->assigned.ring);
	struct oracle_slot slot = { .at = { event->assigned.seq,
					event->assigned.idx },
		.message = ORACLE_NONE,
		.node = event->node };
	if (!find_slot(o, ring, slot, ORACLE_NONE, &found))
		return false;
	if (o->ring[ring].slot[found].node == event->node)
		return true;
	return oracle_fail(o, "P2", 0,
	    "%s is a message of node %" PRIu32 " and of node %" PRIu32,
	    oracle_slot_text(o, ring, slot.at), event->node,
	    o->ring[ring].slot[found].node);
}

/* ---- a delivery ------------------------------------------------------------
 */

/* In the ring and phase that the views of this life say. */
static bool
is_at_home(struct oracle *o, uint32_t life, const struct totem_delivery *got)
{
	if (o->life[life].stay == ORACLE_NONE &&
	    !oracle_alone(o, life, got->ring))
		return false;
	const struct oracle_stay *stay = &o->stay[o->life[life].stay];
	if (!oracle_is_ring(o->ring[stay->ring].id, got->ring))
		return oracle_fail(o, "P2", 0,
		    "%s delivers from ring %" PRIu32 ".%" PRIu64
		    ", it is in %s",
		    oracle_life_text(o, life), got->ring.rep, got->ring.seq,
		    oracle_ring_text(o, stay->ring));
	bool is_regular = got->phase == TOTEM_PHASE_REGULAR;
	if (is_regular == (stay->passage == ORACLE_NONE))
		return true;
	return oracle_fail(
	    o, "P3", 0, "%s names the wrong phase", oracle_life_text(o, life));
}

static void
chain(struct oracle *o, struct oracle_stay *stay, uint32_t message)
{
	o->delivery = oracle_room(o->delivery, &o->delivery_room,
	    o->delivery_count, sizeof(*o->delivery));
	uint32_t idx = o->delivery_count++;
	o->delivery[idx] = (struct oracle_delivery){
		.message = message, .next = ORACLE_NONE, .event_no = o->event_no
	};
	if (stay->newest == ORACLE_NONE)
		stay->first = idx;
	else
		o->delivery[stay->newest].next = idx;
	stay->newest = idx;
	bool is_transitional = stay->passage != ORACLE_NONE;
	if (is_transitional && stay->first_transitional == ORACLE_NONE)
		stay->first_transitional = idx;
}

/* The first place after a transitional view; oracle_end.c compares. */
static void
note_passage(
    struct oracle *o, struct oracle_passage *passage, struct oracle_position at)
{
	if (passage->has_after && oracle_compare(passage->after, at) <= 0)
		return;
	passage->has_after = true;
	passage->after = at;
	passage->event_no = o->event_no;
}

static void
record(struct oracle *o, struct oracle_stay *stay, uint32_t idx,
    struct oracle_position at)
{
	struct oracle_message *message = &o->message[idx];
	message->delivered |= UINT64_C(1) << stay->seat;
	message->last_ns = o->now_ns;
	if (stay->passage == ORACLE_NONE) {
		if (message->regular_event_no == 0)
			message->regular_event_no = o->event_no;
		if (stay->must_resync)
			stay->from = at;
		stay->to = at;
	} else {
		note_passage(o, &o->passage[stay->passage], at);
	}
	stay->must_resync = false;
	stay->last = at;
	chain(o, stay, idx);
	o->life[stay->life].last_message = idx;
	o->delivered_total++;
}

static bool
ascends(
    struct oracle *o, const struct oracle_stay *stay, struct oracle_position at)
{
	if (oracle_compare(stay->last, at) < 0)
		return true;
	return oracle_fail(o, "P5", 0, "%s delivers %s after %s",
	    oracle_life_text(o, stay->life),
	    oracle_slot_text(o, stay->ring, at),
	    oracle_slot_text(o, stay->ring, stay->last));
}

bool
oracle_on_deliver(
    struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	const struct totem_delivery *got = event->deliver.is;
	struct oracle_position at = { got->seq, got->idx };
	uint32_t seat, idx, slot;
	if (!oracle_group_settled(o, life) || !is_at_home(o, life, got))
		return false;
	struct oracle_stay *stay = &o->stay[o->life[life].stay];
	if (!find_sender(o, stay, got, &seat) ||
	    !find_submitted(o, o->ring[stay->ring].life[seat], event, &idx))
		return false;
	if (!is_in_place(o, stay, idx, at) || !place(o, stay, idx, at) ||
	    !ascends(o, stay, at))
		return false;
	struct oracle_slot want = { at, idx, got->node };
	if (!takes_slot(o, stay, want, &slot) || !passes_nothing(o, stay, slot))
		return false;
	stay->hint = slot + 1;
	record(o, stay, idx, at);
	return oracle_group_deliver(o, life, idx);
}
