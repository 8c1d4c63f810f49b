/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Views: P3, P4, P10, P14, P16, P17 and P19.
 *
 * Ring sequences rise along the life of a node, so no node can meet two
 * rings in different orders; together with ascending places inside a ring
 * (P2, P5) this makes the union of all orders acyclic.  What remains of P5 is
 * that everyone passes a transitional view between the same two messages;
 * oracle_end.c checks that.
 */
#include <inttypes.h>

#include "tests/sim/oracle_internal.h"

static struct oracle_stay *
stay_of(struct oracle *o, uint32_t life)
{
	uint32_t stay = o->life[life].stay;
	return stay == ORACLE_NONE ? NULL : &o->stay[stay];
}

/* ---- a view by itself ---------------------------------------------------- */

static bool
in_season(struct oracle *o, uint32_t life)
{
	if (o->is_calm)
		return oracle_fail(o, "P16", 0,
		    "%s has a view though nothing happened",
		    oracle_life_text(o, life));
	if (!o->is_healed || o->bounds.views_ns == 0 ||
	    o->now_ns <= o->since_ns + o->bounds.views_ns)
		return true;
	return oracle_fail(o, o->has_graph ? "P19" : "P14", 0,
	    "%s has a view %" PRIu64 " ms after the last change of the world",
	    oracle_life_text(o, life), (o->now_ns - o->since_ns) / 1000000);
}

static bool
well_formed(struct oracle *o, uint32_t life, const struct totem_view *view)
{
	bool has_self = false;
	if (view->members.count > LIMIT_NODES)
		return oracle_fail(o, "input", 0,
		    "a view of %" PRIu32 " members", view->members.count);
	for (uint32_t i = 0; i < view->members.count; i++) {
		uint32_t id = view->members.id[i];
		if (i > 0 && view->members.id[i - 1] >= id)
			return oracle_fail(
			    o, "P3", 0, "the members do not ascend");
		if (id == o->life[life].node &&
		    view->incarnation[i] == o->life[life].incarnation)
			has_self = true;
	}
	if (has_self)
		return true;
	return oracle_fail(o, "P3", 0, "%s has a view without itself",
	    oracle_life_text(o, life));
}

/* The lives of a view's members; unknown ones exist only in a late record. */
static bool
find_members(struct oracle *o, const struct totem_view *view, uint32_t *lives)
{
	for (uint32_t i = 0; i < view->members.count; i++) {
		uint32_t id = view->members.id[i];
		uint64_t inc = view->incarnation[i];
		lives[i] = oracle_find_life(o, id, inc);
		if (lives[i] == ORACLE_NONE && o->options & ORACLE_LATE) {
			lives[i] = oracle_add_life(o, id, inc);
			if (lives[i] != ORACLE_NONE)
				o->life[lives[i]].is_unrecorded = true;
		}
		if (lives[i] == ORACLE_NONE)
			return oracle_fail(o, "P3", 0,
			    "a view with node %" PRIu32 " inc %" PRIu64
			    ", which never started",
			    id, inc);
	}
	return true;
}

static bool
has_life(const uint32_t *lives, uint32_t count, uint32_t life)
{
	for (uint32_t i = 0; i < count; i++)
		if (lives[i] == life)
			return true;
	return false;
}

/* ---- regular views ------------------------------------------------------- */

static bool
ring_rises(struct oracle *o, uint32_t life, struct totem_ring_id id)
{
	struct oracle_node *node = &o->node[o->life[life].node_idx];
	if (id.seq <= node->ring_seq_max)
		return oracle_fail(o, "P3", 0,
		    "%s installs ring %" PRIu32 ".%" PRIu64
		    " after one of seq %" PRIu64,
		    oracle_life_text(o, life), id.rep, id.seq,
		    node->ring_seq_max);
	node->ring_seq_max = id.seq;
	return true;
}

static bool
agree_on_members(
    struct oracle *o, uint32_t at, const uint32_t *lives, uint32_t count)
{
	struct oracle_ring *ring = &o->ring[at];
	bool is_same = ring->member_count == count;
	if (ring->member_count == 0) {
		for (uint32_t i = 0; i < count; i++)
			ring->life[i] = lives[i];
		ring->member_count = count;
		return true;
	}
	for (uint32_t i = 0; is_same && i < count; i++)
		is_same = ring->life[i] == lives[i];
	if (is_same)
		return true;
	return oracle_fail(o, "P4", 0, "ring %s has other members elsewhere",
	    oracle_ring_text(o, at));
}

static void
open_stay(struct oracle *o, uint32_t life, uint32_t at)
{
	const struct oracle_stay *before = stay_of(o, life);
	bool is_late =
	    o->options & ORACLE_LATE && (before == NULL || before->is_lost);
	o->stay = oracle_room(
	    o->stay, &o->stay_room, o->stay_count, sizeof(*o->stay));
	uint32_t idx = o->stay_count++;
	struct oracle_ring *ring = &o->ring[at];
	uint32_t seat = oracle_seat_of(o, ring, life);
	o->stay[idx] = (struct oracle_stay){ .life = life,
		.ring = at,
		.seat = seat,
		.passage = ORACLE_NONE,
		.is_partial = is_late,
		.must_resync = is_late,
		.installed_ns = o->now_ns,
		.event_no = o->event_no,
		.first = ORACLE_NONE,
		.first_transitional = ORACLE_NONE,
		.newest = ORACLE_NONE };
	ring->stay[seat] = idx;
	o->life[life].stay = idx;
	o->life[life].joins = 0;
}

bool
oracle_alone(struct oracle *o, uint32_t life, struct totem_ring_id id)
{
	if (o->options & ORACLE_LATE)
		return oracle_fail(o, "input", 0, "%s shows no first view",
		    oracle_life_text(o, life));
	if (!ring_rises(o, life, id))
		return false;
	uint32_t at = oracle_ring_of(o, id);
	if (!agree_on_members(o, at, &life, 1))
		return false;
	open_stay(o, life, at);
	o->stay[o->life[life].stay].is_synced = true;
	return true;
}

static uint32_t
graph_place(const struct oracle_graph *graph, uint32_t node)
{
	for (uint32_t i = 0; i < graph->count; i++)
		if (graph->node[i] == node)
			return i;
	return ORACLE_NONE;
}

static bool
is_clique(struct oracle *o, const struct totem_view *view)
{
	uint64_t all = 0;
	if (!o->has_graph)
		return true;
	for (uint32_t i = 0; i < view->members.count; i++) {
		uint32_t at = graph_place(&o->graph, view->members.id[i]);
		if (at != ORACLE_NONE)
			all |= UINT64_C(1) << at;
	}
	for (uint32_t i = 0; i < o->graph.count; i++) {
		uint64_t self = UINT64_C(1) << i;
		if (all & self && all & ~(o->graph.linked[i] | self))
			return oracle_fail(o, "P19", 0,
			    "ring %" PRIu32 ".%" PRIu64 ": node %" PRIu32
			    " does not hear all of it",
			    view->ring.rep, view->ring.seq, o->graph.node[i]);
	}
	return true;
}

/* P17 at a survivor that leaves the ring only now, or never did. */
static bool
noticed_deaths(struct oracle *o, const struct oracle_stay *stay)
{
	const struct oracle_ring *ring = &o->ring[stay->ring];
	for (uint32_t i = 0; i < ring->member_count; i++) {
		const struct oracle_life *is = &o->life[ring->life[i]];
		if (!is->is_crashed || is->detect_ns == 0)
			continue;
		if (o->now_ns > is->end_ns + is->detect_ns)
			return oracle_fail(o, "P17", 0,
			    "%s was in a ring with %s %" PRIu64
			    " us after its death, bound %" PRIu64 " us",
			    oracle_life_text(o, stay->life),
			    oracle_life_text(o, ring->life[i]),
			    (o->now_ns - is->end_ns) / 1000,
			    is->detect_ns / 1000);
	}
	return true;
}

/* P10: the same messages in the same phases. */
static bool
same_deliveries(
    struct oracle *o, const struct oracle_stay *a, const struct oracle_stay *b)
{
	uint32_t x = a->first;
	uint32_t y = b->first;
	for (; x != ORACLE_NONE && y != ORACLE_NONE;
	     x = o->delivery[x].next, y = o->delivery[y].next) {
		const struct oracle_delivery *at = &o->delivery[y];
		if (o->delivery[x].message != at->message)
			break;
		if ((x == a->first_transitional) !=
		    (y == b->first_transitional))
			return oracle_fail(o, "P10", at->event_no,
			    "%s and %s deliver %s in different phases",
			    oracle_life_text(o, a->life),
			    oracle_life_text(o, b->life),
			    oracle_message_text(o, at->message));
	}
	if (x == y)
		return true; /* both NONE */
	uint32_t odd = y != ORACLE_NONE ? y : x;
	return oracle_fail(o, "P10", o->delivery[odd].event_no,
	    "%s and %s leave ring %s together, but %s is not the same place of both",
	    oracle_life_text(o, a->life), oracle_life_text(o, b->life),
	    oracle_ring_text(o, a->ring),
	    oracle_message_text(o, o->delivery[odd].message));
}

static bool
complete_passage(struct oracle *o, uint32_t stay)
{
	o->stay[stay].is_left = true;
	if (o->stay[stay].is_partial)
		return true;
	struct oracle_passage *passage = &o->passage[o->stay[stay].passage];
	if (passage->stay == ORACLE_NONE) {
		passage->stay = stay;
		return true;
	}
	return same_deliveries(o, &o->stay[passage->stay], &o->stay[stay]);
}

static bool
follows_passage(struct oracle *o, const struct oracle_stay *stay,
    const struct totem_view *view, const uint32_t *lives)
{
	const char *self = oracle_life_text(o, stay->life);
	if (stay->passage == ORACLE_NONE)
		return oracle_fail(
		    o, "P3", 0, "%s has two regular views in a row", self);
	const struct oracle_passage *passage = &o->passage[stay->passage];
	if (!oracle_is_ring(o->ring[passage->to].id, view->ring))
		return oracle_fail(o, "P3", 0,
		    "%s was to go to ring %s, not here", self,
		    oracle_ring_text(o, passage->to));
	const struct oracle_ring *from = &o->ring[passage->from];
	uint32_t come = 0;
	for (uint32_t i = 0; i < from->member_count; i++) {
		if (!(passage->mask >> i & 1))
			continue;
		come++;
		if (!has_life(lives, view->members.count, from->life[i]))
			return oracle_fail(o, "P3", 0,
			    "%s of the transitional view is not in the next",
			    oracle_life_text(o, from->life[i]));
	}
	if (view->joined.count == view->members.count - come)
		return true;
	return oracle_fail(
	    o, "P3", 0, "%s is told a wrong list of who joined", self);
}

/* joined: exactly those that the transitional view lacks. */
static bool
joined_is_right(struct oracle *o, const struct oracle_stay *stay,
    const struct totem_view *view, const uint32_t *lives)
{
	const struct oracle_passage *passage = &o->passage[stay->passage];
	const struct oracle_ring *from = &o->ring[passage->from];
	uint32_t next = 0;
	for (uint32_t i = 0; i < view->members.count; i++) {
		uint32_t seat = oracle_seat_of(o, from, lives[i]);
		if (seat != ORACLE_NONE && passage->mask >> seat & 1)
			continue;
		if (view->joined.id[next++] != view->members.id[i])
			return oracle_fail(o, "P3", 0,
			    "%s is told a wrong list of who joined",
			    oracle_life_text(o, stay->life));
	}
	return true;
}

static bool
leave_ring(struct oracle *o, uint32_t life, const struct totem_view *view,
    const uint32_t *lives)
{
	uint32_t stay = o->life[life].stay;
	if (stay == ORACLE_NONE) {
		if (view->members.count == 1 || o->options & ORACLE_LATE)
			return true;
		return oracle_fail(o, "P3", 0,
		    "%s begins in a ring of %" PRIu32 " members",
		    oracle_life_text(o, life), view->members.count);
	}
	if (o->options & ORACLE_LATE && o->stay[stay].is_lost)
		return true; /* the record lacks how it came here */
	return follows_passage(o, &o->stay[stay], view, lives) &&
	    joined_is_right(o, &o->stay[stay], view, lives);
}

static bool
on_regular(struct oracle *o, uint32_t life, const struct totem_view *view,
    const uint32_t *lives)
{
	uint32_t before = o->life[life].stay;
	if (!leave_ring(o, life, view, lives) ||
	    !ring_rises(o, life, view->ring))
		return false;
	uint32_t at = oracle_ring_of(o, view->ring);
	if (!agree_on_members(o, at, lives, view->members.count) ||
	    !is_clique(o, view))
		return false;
	if (before != ORACLE_NONE &&
	    (!noticed_deaths(o, &o->stay[before]) ||
		!complete_passage(o, before)))
		return false;
	open_stay(o, life, at);
	return oracle_group_regular(o, life, before);
}

/* ---- transitional views -------------------------------------------------- */

/* left: exactly those of the old ring that do not come along. */
static bool
left_is_right(struct oracle *o, const struct oracle_ring *ring, uint64_t mask,
    const struct totem_view *view)
{
	uint32_t next = 0;
	for (uint32_t i = 0; i < ring->member_count; i++) {
		if (mask >> i & 1)
			continue;
		if (next >= view->left.count ||
		    view->left.id[next++] != o->life[ring->life[i]].node)
			return oracle_fail(
			    o, "P3", 0, "a wrong list of who left");
	}
	if (next == view->left.count)
		return true;
	return oracle_fail(o, "P3", 0, "a wrong list of who left");
}

/* P4: nobody comes to one ring from two. */
static bool
are_disjoint(struct oracle *o, uint32_t other, uint32_t from, uint64_t mask)
{
	const struct oracle_passage *passage = &o->passage[other];
	const struct oracle_ring *theirs = &o->ring[passage->from];
	for (uint32_t i = 0; i < theirs->member_count; i++) {
		if (!(passage->mask >> i & 1))
			continue;
		uint32_t seat =
		    oracle_seat_of(o, &o->ring[from], theirs->life[i]);
		if (seat != ORACLE_NONE && mask >> seat & 1)
			return oracle_fail(o, "P4", 0,
			    "%s comes to ring %s from two rings, %s and %s",
			    oracle_life_text(o, theirs->life[i]),
			    oracle_ring_text(o, passage->to),
			    oracle_ring_text(o, passage->from),
			    oracle_ring_text(o, from));
	}
	return true;
}

/* The passage with these ends, made when it is the first; P4. */
static bool
join_passage(
    struct oracle *o, struct oracle_stay *stay, uint32_t to, uint64_t mask)
{
	uint32_t at = o->ring[to].passage;
	for (; at != ORACLE_NONE; at = o->passage[at].older) {
		const struct oracle_passage *passage = &o->passage[at];
		if (passage->from != stay->ring) {
			if (!are_disjoint(o, at, stay->ring, mask))
				return false;
			continue;
		}
		stay->passage = at;
		if (passage->mask != mask)
			return oracle_fail(o, "P4", 0,
			    "%s goes from %s to %s with other members than others",
			    oracle_life_text(o, stay->life),
			    oracle_ring_text(o, stay->ring),
			    oracle_ring_text(o, to));
	}
	if (stay->passage != ORACLE_NONE)
		return true;
	o->passage = oracle_room(o->passage, &o->passage_room, o->passage_count,
	    sizeof(*o->passage));
	struct oracle_passage *passage = &o->passage[o->passage_count];
	struct oracle_script script = passage->script;
	script.count = 0;
	*passage = (struct oracle_passage){ .from = stay->ring,
		.to = to,
		.older = o->ring[to].passage,
		.stay = ORACLE_NONE,
		.mask = mask,
		.script = script };
	o->ring[to].passage = stay->passage = o->passage_count++;
	return true;
}

static bool
mask_of(struct oracle *o, uint32_t ring, const struct totem_view *view,
    const uint32_t *lives, uint64_t *mask)
{
	*mask = 0;
	for (uint32_t i = 0; i < view->members.count; i++) {
		uint32_t seat = oracle_seat_of(o, &o->ring[ring], lives[i]);
		if (seat == ORACLE_NONE)
			return oracle_fail(o, "P3", 0,
			    "%s of the transitional view was not in ring %s",
			    oracle_life_text(o, lives[i]),
			    oracle_ring_text(o, ring));
		*mask |= UINT64_C(1) << seat;
	}
	return true;
}

static bool
is_way_out(struct oracle *o, const struct oracle_stay *stay,
    const struct totem_view *view)
{
	const char *self = oracle_life_text(o, stay->life);
	if (stay->passage != ORACLE_NONE)
		return oracle_fail(
		    o, "P3", 0, "%s has two transitional views in a row", self);
	if (!oracle_is_ring(o->ring[stay->ring].id, view->ring))
		return oracle_fail(o, "P3", 0,
		    "%s leaves a ring that it is not in, it is in %s", self,
		    oracle_ring_text(o, stay->ring));
	if (view->next.seq > view->ring.seq)
		return true;
	return oracle_fail(o, "P3", 0,
	    "%s goes to ring %" PRIu32 ".%" PRIu64 ", which is not newer", self,
	    view->next.rep, view->next.seq);
}

static bool
on_transitional(struct oracle *o, uint32_t life, const struct totem_view *view,
    const uint32_t *lives)
{
	uint64_t mask = 0;
	if (o->life[life].stay == ORACLE_NONE &&
	    !oracle_alone(o, life, view->ring))
		return false;
	struct oracle_stay *stay = stay_of(o, life);
	if (!is_way_out(o, stay, view) ||
	    !mask_of(o, stay->ring, view, lives, &mask) ||
	    !left_is_right(o, &o->ring[stay->ring], mask, view))
		return false;
	if (!join_passage(o, stay, oracle_ring_of(o, view->next), mask))
		return false;
	struct oracle_passage *passage = &o->passage[stay->passage];
	if (oracle_compare(passage->before, stay->last) < 0)
		passage->before = stay->last;
	stay->is_blind = stay->is_blind || stay->must_resync;
	stay->is_lost = false;
	return oracle_group_transitional(o, life);
}

bool
oracle_on_view(struct oracle *o, uint32_t life, const struct totem_view *view)
{
	uint32_t lives[LIMIT_NODES] = { 0 };
	o->view_total++;
	if (!in_season(o, life) || !well_formed(o, life, view) ||
	    !find_members(o, view, lives) || !oracle_group_settled(o, life))
		return false;
	if (view->phase == TOTEM_PHASE_REGULAR)
		return on_regular(o, life, view, lives);
	return on_transitional(o, life, view, lives);
}

/* ---- in the end ---------------------------------------------------------- */

static bool
is_present(const struct oracle_life *is)
{
	return !is->is_ended && !is->is_paused && !is->is_unrecorded;
}

/* Every member is there, in this ring, unless nobody recorded it. */
static bool
is_whole(
    struct oracle *o, const struct oracle_stay *stay, const char *predicate)
{
	const struct oracle_ring *ring = &o->ring[stay->ring];
	for (uint32_t i = 0; i < ring->member_count; i++) {
		const struct oracle_life *is = &o->life[ring->life[i]];
		if (is->is_unrecorded ||
		    (is_present(is) && is->stay == ring->stay[i]))
			continue;
		return oracle_fail(o, predicate, stay->event_no,
		    "%s ends in ring %s, but %s does not",
		    oracle_life_text(o, stay->life),
		    oracle_ring_text(o, stay->ring),
		    oracle_life_text(o, ring->life[i]));
	}
	return true;
}

/* P14: and nobody is elsewhere. */
static bool
is_for_all(struct oracle *o, const struct oracle_stay *stay, uint32_t present)
{
	const struct oracle_ring *ring = &o->ring[stay->ring];
	uint32_t count = 0;
	for (uint32_t i = 0; i < ring->member_count; i++)
		count += !o->life[ring->life[i]].is_unrecorded;
	if (o->has_graph || count == present)
		return true;
	return oracle_fail(o, "P14", stay->event_no,
	    "%s ends in ring %s of %" PRIu32 " members, %" PRIu32 " are there",
	    oracle_life_text(o, stay->life), oracle_ring_text(o, stay->ring),
	    count, present);
}

static bool
has_come_to_rest(struct oracle *o, uint32_t life, uint32_t present)
{
	const struct oracle_stay *stay = stay_of(o, life);
	const char *predicate = o->has_graph ? "P19" : "P14";
	if (stay == NULL)
		return oracle_fail(o, predicate, 0, "%s never had a view",
		    oracle_life_text(o, life));
	if (stay->passage != ORACLE_NONE)
		return oracle_fail(o, predicate, stay->event_no,
		    "%s ends between two rings", oracle_life_text(o, life));
	return is_for_all(o, stay, present) && is_whole(o, stay, predicate);
}

bool
oracle_end_views(struct oracle *o)
{
	uint32_t present = 0;
	for (uint32_t i = 0; i < o->life_count; i++)
		present += is_present(&o->life[i]);
	for (uint32_t i = 0; i < o->life_count; i++) {
		if (!is_present(&o->life[i]))
			continue;
		const struct oracle_stay *stay = stay_of(o, i);
		if (stay != NULL && !noticed_deaths(o, stay))
			return false;
		if (o->is_healed && !has_come_to_rest(o, i, present))
			return false;
	}
	return true;
}
