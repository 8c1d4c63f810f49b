/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The judge of a run: what it remembers, and who checks what.
 *
 *	P1  what is delivered was submitted before, by a member, unaltered
 *	P2  a message is delivered once, everywhere at one place of one ring
 *	P3  regular and transitional views alternate and are well formed
 *	P4  who names the same ring, or passage, names the same members
 *	P5  places ascend; views and messages have one order on all nodes
 *	P6  in the regular phase nothing below what was delivered is missing
 *	P7  in the transitional phase nothing of a member of it is missing
 *	P8  first submitted, first delivered, for each sender and class
 *	P9  what the sender had delivered comes before what it then sent
 *	P10 who goes from ring to ring together has delivered the same
 *	P11 who does not crash delivers what it submitted
 *	P12 safe, regular: every member delivers it or crashes in that ring
 *	P13 safe, transitional: every member of that view does
 *	P14 in the end there is one ring, in time
 *	P15 in the end everything is delivered everywhere, in time
 *	P16 no view without a reason
 *	P17 a death is noticed in time
 *	P18 what has a bound keeps it
 *	P19 a ring is a clique of those who hear each other
 *	P20 groups: the same views and messages everywhere, and the true ones
 *	P21 no client message before the groups are in step, all at one place
 *	P22 who was away has left its groups and come back, for all to see
 *
 * A ring's order is an array of slots sorted by place; almost everything is
 * appended.  Sets of members are masks of seats.  All is linear in events.
 */
#include "tests/sim/oracle.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/sim/oracle_internal.h"

void *
oracle_room(void *items, uint32_t *room, uint32_t count, size_t size)
{
	if (count < *room)
		return items;
	uint32_t more = *room == 0 ? 16 : 2 * *room;
	unsigned char *grown = realloc(items, more * size);
	if (grown == NULL) {
		fprintf(stderr, "oracle: out of memory\n");
		exit(1);
	}
	memset(grown + *room * size, 0, (more - *room) * size);
	*room = more;
	return grown;
}

bool
oracle_fail(struct oracle *o, const char *predicate, uint64_t event_no,
    const char *format, ...)
{
	if (o->has_failed)
		return false;
	o->has_failed = true;
	o->failure.predicate = predicate;
	o->failure.now_ns = o->now_ns;
	o->failure.event_no = event_no != 0 ? event_no : o->event_no;
	va_list args;
	va_start(args, format);
	vsnprintf(o->failure.text, sizeof(o->failure.text), format, args);
	va_end(args);
	return false;
}

/* ---- words --------------------------------------------------------------- */

static char *
scratch(struct oracle *o)
{
	o->scratch_next = (o->scratch_next + 1) % ARRAY_COUNT(o->scratch);
	return o->scratch[o->scratch_next];
}

const char *
oracle_life_text(struct oracle *o, uint32_t life)
{
	char *text = scratch(o);
	const struct oracle_life *is = &o->life[life];
	snprintf(text, sizeof(o->scratch[0]), "node %" PRIu32 " inc %" PRIu64,
	    is->node, is->incarnation);
	return text;
}

const char *
oracle_ring_text(struct oracle *o, uint32_t ring)
{
	char *text = scratch(o);
	struct totem_ring_id id = o->ring[ring].id;
	snprintf(text, sizeof(o->scratch[0]), "%" PRIu32 ".%" PRIu64, id.rep,
	    id.seq);
	return text;
}

const char *
oracle_slot_text(struct oracle *o, uint32_t ring, struct oracle_position at)
{
	char *text = scratch(o);
	struct totem_ring_id id = o->ring[ring].id;
	snprintf(text, sizeof(o->scratch[0]),
	    "%" PRIu32 ".%" PRIu64 ":%" PRIu64 ".%" PRIu32, id.rep, id.seq,
	    at.seq, at.idx);
	return text;
}

const char *
oracle_message_text(struct oracle *o, uint32_t message)
{
	char *text = scratch(o);
	const struct oracle_message *is = &o->message[message];
	const struct oracle_life *by = &o->life[is->life];
	snprintf(text, sizeof(o->scratch[0]),
	    "message %" PRIu64 " of node %" PRIu32 " inc %" PRIu64, is->msg_no,
	    by->node, by->incarnation);
	return text;
}

/* ---- tables -------------------------------------------------------------- */

bool
oracle_is_ring(struct totem_ring_id a, struct totem_ring_id b)
{
	return a.seq == b.seq && a.rep == b.rep && a.nonce == b.nonce;
}

int
oracle_compare(struct oracle_position a, struct oracle_position b)
{
	if (a.seq != b.seq)
		return a.seq < b.seq ? -1 : 1;
	return a.idx < b.idx ? -1 : a.idx > b.idx;
}

static uint32_t
node_of(struct oracle *o, uint32_t id)
{
	if (o->node_hint < o->node_count && o->node[o->node_hint].id == id)
		return o->node_hint;
	for (uint32_t i = 0; i < o->node_count; i++)
		if (o->node[i].id == id)
			return o->node_hint = i;
	return ORACLE_NONE;
}

uint32_t
oracle_find_life(struct oracle *o, uint32_t node, uint64_t inc)
{
	uint32_t node_idx = node_of(o, node);
	if (node_idx == ORACLE_NONE)
		return ORACLE_NONE;
	uint32_t life = o->node[node_idx].life;
	while (life != ORACLE_NONE && o->life[life].incarnation != inc)
		life = o->life[life].older;
	return life;
}

static void
seats_empty(struct oracle_seats *seats)
{
	seats->count = 0;
	seats->sum = 0;
}

/* A life's tables of groups keep their memory when the life is reused. */
static void
life_clear(struct oracle_life *life)
{
	struct oracle_life keep = {
		.own = life->own, .model = life->model, .seen = life->seen
	};
	seats_empty(&keep.own);
	seats_empty(&keep.model);
	seats_empty(&keep.seen);
	*life = keep;
}

uint32_t
oracle_add_life(struct oracle *o, uint32_t node, uint64_t inc)
{
	uint32_t node_idx = node_of(o, node);
	if (node_idx == ORACLE_NONE) {
		if (o->node_count == LIMIT_NODES)
			return ORACLE_NONE;
		node_idx = o->node_count++;
		o->node[node_idx] =
		    (struct oracle_node){ .id = node, .life = ORACLE_NONE };
	}
	o->life = oracle_room(
	    o->life, &o->life_room, o->life_count, sizeof(*o->life));
	uint32_t idx = o->life_count++;
	struct oracle_life *life = &o->life[idx];
	life_clear(life);
	life->node = node;
	life->incarnation = inc;
	life->node_idx = node_idx;
	life->older = o->node[node_idx].life;
	life->stay = ORACLE_NONE;
	life->last_message = ORACLE_NONE;
	o->node[node_idx].life = idx;
	return idx;
}

static uint64_t
message_hash(uint32_t life, uint64_t msg_no)
{
	uint64_t x = msg_no * 0x9e3779b97f4a7c15u + life;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9u;
	return x ^ x >> 32;
}

/* Where (life, msg_no) is in the index, or where it would go. */
static uint32_t
index_place(const struct oracle *o, uint32_t life, uint64_t msg_no)
{
	uint32_t mask = o->index_room - 1;
	uint32_t at = (uint32_t)message_hash(life, msg_no) & mask;
	for (; o->index[at] != ORACLE_NONE; at = (at + 1) & mask) {
		const struct oracle_message *is = &o->message[o->index[at]];
		if (is->life == life && is->msg_no == msg_no)
			break;
	}
	return at;
}

uint32_t
oracle_find_message(struct oracle *o, uint32_t life, uint64_t msg_no)
{
	if (o->message_count == 0)
		return ORACLE_NONE;
	return o->index[index_place(o, life, msg_no)];
}

static void
index_grow(struct oracle *o)
{
	o->index_room = o->index_room == 0 ? 64 : 2 * o->index_room;
	free(o->index);
	o->index = malloc(o->index_room * sizeof(*o->index));
	if (o->index == NULL) {
		fprintf(stderr, "oracle: out of memory\n");
		exit(1);
	}
	memset(o->index, 0xff, o->index_room * sizeof(*o->index));
	for (uint32_t i = 0; i < o->message_count; i++) {
		const struct oracle_message *is = &o->message[i];
		o->index[index_place(o, is->life, is->msg_no)] = i;
	}
}

uint32_t
oracle_add_message(struct oracle *o, uint32_t life, uint64_t msg_no)
{
	if (2 * (o->message_count + 1) > o->index_room)
		index_grow(o);
	o->message = oracle_room(o->message, &o->message_room, o->message_count,
	    sizeof(*o->message));
	uint32_t idx = o->message_count;
	o->message[idx] = (struct oracle_message){ .life = life,
		.msg_no = msg_no,
		.submit_ns = o->now_ns,
		.event_no = o->event_no,
		.after_ring = ORACLE_NONE,
		.ring = ORACLE_NONE,
		.seat = ORACLE_NONE };
	o->index[index_place(o, life, msg_no)] = idx;
	o->message_count++;
	return idx;
}

static void
ring_clear(struct oracle_ring *ring, struct totem_ring_id id)
{
	struct oracle_ring keep = { .id = id,
		.passage = ORACLE_NONE,
		.slot = ring->slot,
		.slot_room = ring->slot_room,
		.script = ring->script };
	keep.script.count = 0;
	*ring = keep;
	for (size_t i = 0; i < LIMIT_NODES; i++)
		ring->stay[i] = ORACLE_NONE;
}

uint32_t
oracle_ring_of(struct oracle *o, struct totem_ring_id id)
{
	for (uint32_t i = o->ring_count; i > 0; i--)
		if (oracle_is_ring(o->ring[i - 1].id, id))
			return i - 1;
	o->ring = oracle_room(
	    o->ring, &o->ring_room, o->ring_count, sizeof(*o->ring));
	ring_clear(&o->ring[o->ring_count], id);
	return o->ring_count++;
}

uint32_t
oracle_seat_of(
    const struct oracle *o, const struct oracle_ring *ring, uint32_t life)
{
	uint32_t seat = oracle_seat_of_node(o, ring, o->life[life].node);
	if (seat != ORACLE_NONE && ring->life[seat] != life)
		return ORACLE_NONE;
	return seat;
}

uint32_t
oracle_seat_of_node(
    const struct oracle *o, const struct oracle_ring *ring, uint32_t node)
{
	for (uint32_t i = 0; i < ring->member_count; i++)
		if (o->life[ring->life[i]].node == node)
			return i;
	return ORACLE_NONE;
}

/* ---- lives and the world ------------------------------------------------- */

static void
world_changed(struct oracle *o)
{
	o->is_calm = false;
	o->since_ns = o->now_ns;
}

/* Every recorded life of this node has ended, and was an older one. */
static bool
may_start(struct oracle *o, const struct oracle_event *event)
{
	uint32_t node_idx = node_of(o, event->node);
	if (node_idx == ORACLE_NONE)
		return true;
	uint32_t older = o->node[node_idx].life;
	for (; older != ORACLE_NONE; older = o->life[older].older) {
		const struct oracle_life *is = &o->life[older];
		if (is->is_unrecorded)
			continue;
		if (!is->is_ended)
			return oracle_fail(o, "input", 0, "%s has not ended",
			    oracle_life_text(o, older));
		if (is->incarnation >= event->incarnation)
			return oracle_fail(o, "P3", 0,
			    "incarnation %" PRIu64 " starts after %s",
			    event->incarnation, oracle_life_text(o, older));
	}
	return true;
}

static bool
on_start(struct oracle *o, const struct oracle_event *event)
{
	if (!may_start(o, event))
		return false;
	uint32_t life = oracle_find_life(o, event->node, event->incarnation);
	if (life == ORACLE_NONE)
		life = oracle_add_life(o, event->node, event->incarnation);
	if (life == ORACLE_NONE)
		return oracle_fail(o, "input", 0, "too many nodes");
	o->life[life].is_unrecorded = false;
	if (event->start.is_amnesic)
		o->node[o->life[life].node_idx].ring_seq_max = 0;
	oracle_group_start(o, life);
	world_changed(o);
	return true;
}

static bool
on_end_of_life(
    struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	struct oracle_life *is = &o->life[life];
	is->is_ended = true;
	is->end_ns = o->now_ns;
	if (event->kind == ORACLE_CRASH) {
		is->is_crashed = true;
		is->detect_ns = event->crash.detect_ns;
	}
	world_changed(o);
	return true;
}

static bool
on_dropped(struct oracle *o, uint32_t life, uint64_t msg_no)
{
	uint32_t message = oracle_find_message(o, life, msg_no);
	if (message == ORACLE_NONE)
		return oracle_fail(o, "P1", 0,
		    "%s drops message %" PRIu64 ", which it never submitted",
		    oracle_life_text(o, life), msg_no);
	if (o->message[message].ring != ORACLE_NONE)
		return oracle_fail(o, "P1", 0,
		    "%s is dropped after it was delivered",
		    oracle_message_text(o, message));
	o->message[message].is_dropped = true;
	return true;
}

static bool
on_gap(struct oracle *o, uint32_t life)
{
	uint32_t at = o->life[life].stay;
	if (at == ORACLE_NONE)
		return true;
	struct oracle_stay *stay = &o->stay[at];
	stay->is_partial = true;
	stay->must_resync = stay->is_lost = true;
	if (stay->passage != ORACLE_NONE)
		stay->is_blind = true;
	return true;
}

static bool
on_join(struct oracle *o, uint32_t life)
{
	uint32_t joins = ++o->life[life].joins;
	if (!o->is_healed || o->bounds.joins == 0 || joins <= o->bounds.joins)
		return true;
	return oracle_fail(o, "P18", 0,
	    "%s sent %" PRIu32 " JOINs since its last view, bound %" PRIu32,
	    oracle_life_text(o, life), joins, o->bounds.joins);
}

static bool
on_size(struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	if (event->size.value <= event->size.limit)
		return true;
	return oracle_fail(o, "P18", 0, "%s: %s is %" PRIu64 ", limit %" PRIu64,
	    oracle_life_text(o, life), event->size.what, event->size.value,
	    event->size.limit);
}

static void
on_heal(struct oracle *o, const struct oracle_bounds *bounds)
{
	o->is_healed = true;
	o->bounds = *bounds;
	for (uint32_t i = 0; i < o->life_count; i++)
		o->life[i].joins = 0;
	world_changed(o);
}

static void
on_graph(struct oracle *o, const struct oracle_graph *graph)
{
	o->has_graph = graph != NULL;
	if (graph != NULL)
		o->graph = *graph;
	world_changed(o);
}

/* ---- the two calls ------------------------------------------------------- */

static bool
on_world(struct oracle *o, const struct oracle_event *event)
{
	if (event->kind == ORACLE_FAULT) {
		o->is_healed = false;
		world_changed(o);
	} else if (event->kind == ORACLE_HEAL) {
		on_heal(o, &event->heal);
	} else if (event->kind == ORACLE_CALM) {
		o->is_calm = true;
	} else {
		on_graph(o, event->graph);
	}
	return true;
}

static bool
on_life(struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	switch (event->kind) {
	case ORACLE_CRASH:
	case ORACLE_LEAVE:
		return on_end_of_life(o, life, event);
	case ORACLE_PAUSE:
	case ORACLE_RESUME:
		o->life[life].is_paused = event->kind == ORACLE_PAUSE;
		world_changed(o);
		return true;
	case ORACLE_SUBMIT:
		return oracle_on_submit(o, life, event);
	case ORACLE_DROPPED:
		return on_dropped(o, life, event->dropped_msg_no);
	case ORACLE_DELIVER:
		return oracle_on_deliver(o, life, event);
	case ORACLE_VIEW:
		return oracle_on_view(o, life, event->view);
	case ORACLE_GAP:
		return on_gap(o, life);
	case ORACLE_GROUP_OP:
	case ORACLE_GROUP_VIEW:
	case ORACLE_GROUP_MESSAGE:
	case ORACLE_SYNCED:
		return oracle_on_group(o, life, event);
	case ORACLE_JOIN:
		return on_join(o, life);
	case ORACLE_SIZE:
		return on_size(o, life, event);
	case ORACLE_START:
	case ORACLE_ASSIGNED:
	case ORACLE_FAULT:
	case ORACLE_HEAL:
	case ORACLE_CALM:
	case ORACLE_GRAPH:
	case ORACLE_KINDS:
		break;
	}
	return true; /* handled before */
}

static bool
on_event(struct oracle *o, const struct oracle_event *event)
{
	if (event->kind == ORACLE_START)
		return on_start(o, event);
	if (event->kind == ORACLE_ASSIGNED)
		return oracle_on_assigned(o, event);
	if (event->kind >= ORACLE_FAULT && event->kind < ORACLE_KINDS)
		return on_world(o, event);
	uint32_t life = oracle_find_life(o, event->node, event->incarnation);
	if (life == ORACLE_NONE || o->life[life].is_ended)
		return oracle_fail(o, "input", 0,
		    "node %" PRIu32 " inc %" PRIu64 " is not alive",
		    event->node, event->incarnation);
	return on_life(o, life, event);
}

const struct oracle_failure *
oracle_event(struct oracle *oracle, const struct oracle_event *event)
{
	ENSURE(event->kind < ORACLE_KINDS);
	if (!oracle->has_failed) {
		oracle->event_no++;
		oracle->now_ns = event->now_ns;
		on_event(oracle, event);
	}
	return oracle->has_failed ? &oracle->failure : NULL;
}

const struct oracle_failure *
oracle_end(struct oracle *oracle, uint64_t now_ns)
{
	if (!oracle->has_failed) {
		oracle->now_ns = now_ns;
		if (oracle_end_groups(oracle) && oracle_end_order(oracle))
			oracle_end_views(oracle);
	}
	return oracle->has_failed ? &oracle->failure : NULL;
}

/* ---- beginning and end --------------------------------------------------- */

struct oracle *
oracle_create(unsigned options)
{
	struct oracle *oracle = calloc(1, sizeof(*oracle));
	if (oracle == NULL) {
		fprintf(stderr, "oracle: out of memory\n");
		exit(1);
	}
	oracle->options = options;
	return oracle;
}

void
oracle_reset(struct oracle *oracle, unsigned options)
{
	oracle->options = options;
	oracle->now_ns = oracle->event_no = 0;
	oracle->delivered_total = oracle->view_total = 0;
	oracle->has_failed = false;
	oracle->node_count = oracle->life_count = oracle->ring_count = 0;
	oracle->stay_count = oracle->passage_count = 0;
	oracle->message_count = oracle->delivery_count = 0;
	oracle->snapshot_count = oracle->pending_count = 0;
	if (oracle->index_room != 0)
		memset(oracle->index, 0xff,
		    oracle->index_room * sizeof(*oracle->index));
	oracle->is_healed = oracle->is_calm = oracle->has_graph = false;
	oracle->since_ns = 0;
	oracle->bounds = (struct oracle_bounds){ 0 };
}

void
oracle_destroy(struct oracle *oracle)
{
	for (uint32_t i = 0; i < oracle->life_room; i++) {
		free(oracle->life[i].own.seat);
		free(oracle->life[i].model.seat);
		free(oracle->life[i].seen.seat);
	}
	for (uint32_t i = 0; i < oracle->ring_room; i++) {
		free(oracle->ring[i].slot);
		free(oracle->ring[i].script.scene);
	}
	for (uint32_t i = 0; i < oracle->passage_room; i++)
		free(oracle->passage[i].script.scene);
	free(oracle->life);
	free(oracle->ring);
	free(oracle->stay);
	free(oracle->passage);
	free(oracle->message);
	free(oracle->delivery);
	free(oracle->snapshot);
	free(oracle->pending);
	free(oracle->index);
	free(oracle->sorted);
	free(oracle);
}

uint64_t
oracle_deliveries(const struct oracle *oracle)
{
	return oracle->delivered_total;
}

uint64_t
oracle_views(const struct oracle *oracle)
{
	return oracle->view_total;
}
