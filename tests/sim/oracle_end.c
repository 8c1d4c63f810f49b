/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What only the whole run can show: P5 (passages), P7, P8, P9, P11, P12, P13
 * and P15.
 *
 * A life is excused from delivering a message when it ended in that ring, or
 * before it installed it, or when the record lacks that part; and, in a run
 * that was never healed, when it is still there.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "tests/sim/oracle_internal.h"

/* ---- the transitional phase of one stay: P7, P8, P9 ------------------------
 */

/* What was passed over so far. */
struct passed {
	bool has_member; /* something of a member of the transitional view */
	struct oracle_position member_at;
	uint64_t senders[2]; /* by class: seats */
	uint64_t knowers;    /* seats that delivered some of it, */
	struct oracle_position known_at[LIMIT_NODES]; /* here first */
};

static void
pass_over(struct oracle *o, const struct oracle_stay *stay,
    const struct oracle_slot *slot, struct passed *passed)
{
	const struct oracle_ring *ring = &o->ring[stay->ring];
	uint32_t seat = oracle_seat_of_node(o, ring, slot->node);
	uint64_t mask = o->passage[stay->passage].mask;
	if (seat == ORACLE_NONE)
		return;
	if (mask >> seat & 1 && !passed->has_member) {
		passed->has_member = true;
		passed->member_at = slot->at;
	}
	if (slot->message == ORACLE_NONE)
		return;
	const struct oracle_message *message = &o->message[slot->message];
	passed->senders[message->class] |= UINT64_C(1) << seat;
	for (uint32_t i = 0; i < ring->member_count; i++)
		if (message->delivered & ~passed->knowers & UINT64_C(1) << i)
			passed->known_at[i] = slot->at;
	passed->knowers |= message->delivered;
}

static bool
may_follow(struct oracle *o, const struct oracle_stay *stay,
    const struct oracle_delivery *delivery, const struct passed *passed)
{
	const struct oracle_message *is = &o->message[delivery->message];
	const char *self = oracle_life_text(o, stay->life);
	const char *text = oracle_message_text(o, delivery->message);
	if (passed->senders[is->class] >> is->seat & 1)
		return oracle_fail(o, "P8", delivery->event_no,
		    "%s delivers %s, but not what came before it from there",
		    self, text);
	if (passed->has_member)
		return oracle_fail(o, "P7", delivery->event_no,
		    "%s delivers %s and passed over %s of a member", self, text,
		    oracle_slot_text(o, stay->ring, passed->member_at));
	if (is->after_ring == stay->ring && passed->knowers >> is->seat & 1 &&
	    oracle_compare(passed->known_at[is->seat], is->after) <= 0)
		return oracle_fail(o, "P9", delivery->event_no,
		    "%s delivers %s, but not %s that it follows from", self,
		    text,
		    oracle_slot_text(
			o, stay->ring, passed->known_at[is->seat]));
	return true;
}

static bool
walk_transitional(struct oracle *o, const struct oracle_stay *stay)
{
	struct passed passed = { 0 };
	const struct oracle_ring *ring = &o->ring[stay->ring];
	uint32_t at = stay->first_transitional;
	if (at == ORACLE_NONE || stay->is_blind)
		return true;
	uint32_t k = 0;
	while (oracle_compare(ring->slot[k].at, stay->to) <= 0)
		k++;
	for (; at != ORACLE_NONE; at = o->delivery[at].next, k++) {
		const struct oracle_delivery *delivery = &o->delivery[at];
		while (ring->slot[k].message != delivery->message)
			pass_over(o, stay, &ring->slot[k++], &passed);
		if (!may_follow(o, stay, delivery, &passed))
			return false;
	}
	return true;
}

/* ---- P5: a transitional view is between the same two messages for all ------
 */

static bool
is_one_cut(struct oracle *o, const struct oracle_passage *passage)
{
	if (!passage->has_after ||
	    oracle_compare(passage->before, passage->after) < 0)
		return true;
	return oracle_fail(o, "P5", passage->event_no,
	    "%s is delivered after the transitional view to %s, but %s before it",
	    oracle_slot_text(o, passage->from, passage->after),
	    oracle_ring_text(o, passage->to),
	    oracle_slot_text(o, passage->from, passage->before));
}

/* ---- P8: the order of all that one life submitted --------------------------
 */

static const struct oracle *sorting;

static int
by_sender(const void *a, const void *b)
{
	const struct oracle_message *x =
	    &sorting->message[*(const uint32_t *)a];
	const struct oracle_message *y =
	    &sorting->message[*(const uint32_t *)b];
	if (x->life != y->life)
		return x->life < y->life ? -1 : 1;
	if (x->class != y->class)
		return x->class < y->class ? -1 : 1;
	return x->msg_no < y->msg_no ? -1 : x->msg_no > y->msg_no;
}

static uint32_t
sort_ordered(struct oracle *o)
{
	uint32_t count = 0;
	for (uint32_t i = 0; i < o->message_count; i++) {
		if (o->message[i].ring == ORACLE_NONE)
			continue;
		o->sorted = oracle_room(
		    o->sorted, &o->sorted_room, count, sizeof(*o->sorted));
		o->sorted[count++] = i;
	}
	sorting = o;
	if (count > 0)
		qsort(o->sorted, count, sizeof(*o->sorted), by_sender);
	return count;
}

static bool
is_ordered_after(struct oracle *o, uint32_t first, uint32_t second)
{
	const struct oracle_message *a = &o->message[first];
	const struct oracle_message *b = &o->message[second];
	if (a->life != b->life || a->class != b->class)
		return true;
	bool is_after = a->ring == b->ring
	    ? oracle_compare(a->at, b->at) < 0
	    : o->ring[a->ring].id.seq < o->ring[b->ring].id.seq;
	if (is_after)
		return true;
	return oracle_fail(o, "P8", a->regular_event_no,
	    "%s is at %s, after %s at %s", oracle_message_text(o, first),
	    oracle_slot_text(o, a->ring, a->at), oracle_message_text(o, second),
	    oracle_slot_text(o, b->ring, b->at));
}

static bool
is_first_in_first_out(struct oracle *o)
{
	uint32_t count = sort_ordered(o);
	for (uint32_t i = 1; i < count; i++)
		if (!is_ordered_after(o, o->sorted[i - 1], o->sorted[i]))
			return false;
	return true;
}

/* ---- P12, P13 --------------------------------------------------------------
 */

/* Has this life never gone past that ring? */
static bool
ended_before(
    const struct oracle *o, const struct oracle_life *is, uint64_t ring_seq)
{
	return is->stay == ORACLE_NONE ||
	    o->ring[o->stay[is->stay].ring].id.seq < ring_seq;
}

/* Is this place in a part of the stay that the record lacks? */
static bool
is_unseen(const struct oracle_stay *stay, struct oracle_position at)
{
	return stay->is_blind || stay->must_resync ||
	    oracle_compare(at, stay->from) < 0;
}

static bool
is_excused(
    struct oracle *o, const struct oracle_message *message, uint32_t seat)
{
	const struct oracle_ring *ring = &o->ring[message->ring];
	const struct oracle_life *is = &o->life[ring->life[seat]];
	bool may_end = is->is_ended || !o->is_healed;
	if (is->is_unrecorded)
		return true;
	if (ring->stay[seat] == ORACLE_NONE)
		return o->options & ORACLE_LATE ||
		    (may_end && ended_before(o, is, ring->id.seq));
	const struct oracle_stay *stay = &o->stay[ring->stay[seat]];
	return is_unseen(stay, message->at) || (may_end && !stay->is_left);
}

static bool
all_have(struct oracle *o, uint32_t idx, uint64_t mask, uint64_t event_no,
    const char *predicate)
{
	const struct oracle_message *message = &o->message[idx];
	const struct oracle_ring *ring = &o->ring[message->ring];
	uint64_t missing = mask & ~message->delivered;
	for (uint32_t i = 0; missing != 0 && i < ring->member_count; i++) {
		if (!(missing >> i & 1) || is_excused(o, message, i))
			continue;
		return oracle_fail(o, predicate, event_no,
		    "%s at %s is not delivered by %s",
		    oracle_message_text(o, idx),
		    oracle_slot_text(o, message->ring, message->at),
		    oracle_life_text(o, ring->life[i]));
	}
	return true;
}

static bool
is_safe_regular(struct oracle *o, uint32_t idx)
{
	const struct oracle_message *message = &o->message[idx];
	if (message->service != TOTEM_SAFE || message->regular_event_no == 0)
		return true;
	return all_have(o, idx, UINT64_MAX, message->regular_event_no, "P12");
}

static bool
is_safe_transitional(struct oracle *o, const struct oracle_stay *stay)
{
	uint32_t at = stay->first_transitional;
	for (; at != ORACLE_NONE; at = o->delivery[at].next) {
		uint32_t idx = o->delivery[at].message;
		uint64_t mask = o->passage[stay->passage].mask;
		if (o->message[idx].service != TOTEM_SAFE)
			continue;
		if (!all_have(o, idx, mask, o->delivery[at].event_no, "P13"))
			return false;
	}
	return true;
}

/* ---- P11, P15 --------------------------------------------------------------
 */

static bool
has_gap(const struct oracle *o, uint32_t life)
{
	for (uint32_t i = 0; i < o->stay_count; i++)
		if (o->stay[i].life == life && o->stay[i].is_partial)
			return true;
	return false;
}

static bool
is_delivered_at_home(struct oracle *o, uint32_t idx)
{
	const struct oracle_message *is = &o->message[idx];
	const struct oracle_life *sender = &o->life[is->life];
	if (is->is_dropped || sender->is_crashed || sender->is_unrecorded ||
	    (!sender->is_ended && !o->is_healed))
		return true;
	if (is->ring != ORACLE_NONE && is->delivered >> is->seat & 1)
		return true;
	if (has_gap(o, is->life))
		return true;
	return oracle_fail(o, "P11", is->event_no,
	    "%s was accepted, but its sender never delivered it",
	    oracle_message_text(o, idx));
}

/* When the last member of the ring had installed it. */
static uint64_t
settled_ns(const struct oracle *o, const struct oracle_ring *ring)
{
	uint64_t last_ns = 0;
	for (uint32_t i = 0; i < ring->member_count; i++) {
		if (ring->stay[i] == ORACLE_NONE)
			continue;
		uint64_t ns = o->stay[ring->stay[i]].installed_ns;
		if (ns > last_ns)
			last_ns = ns;
	}
	return last_ns;
}

/* Is somebody still in this ring, so that it is one of the last? */
static bool
is_last_ring(const struct oracle *o, const struct oracle_ring *ring)
{
	for (uint32_t i = 0; i < ring->member_count; i++) {
		const struct oracle_life *is = &o->life[ring->life[i]];
		if (is->is_unrecorded)
			continue;
		if (is->is_ended || is->is_paused ||
		    is->stay != ring->stay[i] || is->stay == ORACLE_NONE)
			return false;
	}
	return ring->member_count > 0;
}

static bool
is_delivered_in_time(struct oracle *o, uint32_t idx, uint64_t ring_ns)
{
	const struct oracle_message *is = &o->message[idx];
	uint64_t span_ns =
	    is->service == TOTEM_SAFE ? o->bounds.safe_ns : o->bounds.agreed_ns;
	uint64_t from_ns = is->submit_ns > ring_ns ? is->submit_ns : ring_ns;
	if (from_ns < o->since_ns)
		from_ns = o->since_ns;
	if (span_ns == 0 || is->last_ns <= from_ns + span_ns)
		return true;
	return oracle_fail(o, "P15", is->event_no,
	    "%s reached the last member after %" PRIu64 " us, bound %" PRIu64
	    " us",
	    oracle_message_text(o, idx), (is->last_ns - from_ns) / 1000,
	    span_ns / 1000);
}

static bool
is_delivered_everywhere(struct oracle *o, uint32_t at)
{
	const struct oracle_ring *ring = &o->ring[at];
	uint64_t ring_ns = settled_ns(o, ring);
	if (!is_last_ring(o, ring))
		return true;
	for (uint32_t k = 0; k < ring->slot_count; k++) {
		uint32_t idx = ring->slot[k].message;
		if (idx == ORACLE_NONE)
			continue;
		if (!all_have(
			o, idx, UINT64_MAX, o->message[idx].event_no, "P15") ||
		    !is_delivered_in_time(o, idx, ring_ns))
			return false;
	}
	return true;
}

/* ---- all of it
 * --------------------------------------------------------------- */

bool
oracle_end_order(struct oracle *o)
{
	for (uint32_t i = 0; i < o->stay_count; i++)
		if (!walk_transitional(o, &o->stay[i]))
			return false;
	for (uint32_t i = 0; i < o->passage_count; i++)
		if (!is_one_cut(o, &o->passage[i]))
			return false;
	if (!is_first_in_first_out(o))
		return false;
	for (uint32_t i = 0; i < o->message_count; i++)
		if (!is_safe_regular(o, i))
			return false;
	for (uint32_t i = 0; i < o->stay_count; i++)
		if (!is_safe_transitional(o, &o->stay[i]))
			return false;
	for (uint32_t i = 0; o->is_healed && i < o->ring_count; i++)
		if (!is_delivered_everywhere(o, i))
			return false;
	for (uint32_t i = 0; i < o->message_count; i++)
		if (!is_delivered_at_home(o, i))
			return false;
	return true;
}
