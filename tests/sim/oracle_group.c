/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Groups: P20, P21, P22.
 *
 * Each life has three sets of (group, process): its own, from the operations
 * it delivered itself; a model of what its views should show; and what they
 * showed.  The model follows the rules, not the messages of the group layer:
 * an operation counts where it is delivered; who is not in the transitional
 * view is gone; when the groups are in step, a newcomer's processes are those
 * that the newcomer itself had when it installed the ring, and what it did
 * since.  Once in step, model and views must be equal before the next event,
 * and all lives of the ring go through the same scenes.
 */
#include <inttypes.h>

#include "tests/sim/oracle_internal.h"

/* ---- sets ------------------------------------------------------------------
 */

static uint64_t
mix(uint64_t x)
{
	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static uint64_t
seat_hash(const struct oracle_seat *seat)
{
	return mix(mix(mix(seat->group + 1) + seat->conn) + seat->life);
}

static bool
is_same_seat(const struct oracle_seat *a, const struct oracle_seat *b)
{
	return a->group == b->group && a->conn == b->conn && a->life == b->life;
}

static bool
seats_have(const struct oracle_seats *seats, const struct oracle_seat *seat)
{
	for (uint32_t i = 0; i < seats->count; i++)
		if (is_same_seat(&seats->seat[i], seat))
			return true;
	return false;
}

static bool
seats_add(struct oracle_seats *seats, const struct oracle_seat *seat)
{
	if (seats_have(seats, seat))
		return false;
	seats->seat = oracle_room(
	    seats->seat, &seats->room, seats->count, sizeof(*seats->seat));
	seats->seat[seats->count++] = *seat;
	seats->sum += seat_hash(seat);
	return true;
}

static void
seats_remove_at(struct oracle_seats *seats, uint32_t at)
{
	seats->sum -= seat_hash(&seats->seat[at]);
	seats->seat[at] = seats->seat[--seats->count];
}

static void
seats_remove(struct oracle_seats *seats, const struct oracle_seat *seat)
{
	for (uint32_t i = seats->count; i > 0; i--)
		if (is_same_seat(&seats->seat[i - 1], seat))
			seats_remove_at(seats, i - 1);
}

static void
seats_remove_group(struct oracle_seats *seats, uint64_t group)
{
	for (uint32_t i = seats->count; i > 0; i--)
		if (seats->seat[i - 1].group == group)
			seats_remove_at(seats, i - 1);
}

static uint64_t
group_sum(const struct oracle_seats *seats, uint64_t group)
{
	uint64_t sum = 0;
	for (uint32_t i = 0; i < seats->count; i++)
		if (seats->seat[i].group == group)
			sum += seat_hash(&seats->seat[i]);
	return sum;
}

static void
apply(struct oracle_seats *seats, const struct oracle_message *message)
{
	struct oracle_seat seat = { message->group, message->conn,
		message->life };
	if (message->op == ORACLE_OP_JOIN) {
		seats_add(seats, &seat);
		return;
	}
	for (uint32_t i = seats->count; i > 0; i--) {
		struct oracle_seat *is = &seats->seat[i - 1];
		if (message->op == ORACLE_OP_EXIT)
			seat.group = is->group;
		if (is_same_seat(is, &seat))
			seats_remove_at(seats, i - 1);
	}
}

static bool
is_known(const struct oracle_known *known, uint32_t life)
{
	for (uint32_t i = 0; i < known->count; i++)
		if (known->life[i] == life)
			return true;
	return false;
}

static struct oracle_stay *
stay_of(struct oracle *o, uint32_t life)
{
	uint32_t stay = o->life[life].stay;
	return stay == ORACLE_NONE ? NULL : &o->stay[stay];
}

/* ---- what views must show ---------------------------------------------------
 */

static const struct oracle_seat *
first_not_in(const struct oracle_seats *a, const struct oracle_seats *b)
{
	for (uint32_t i = 0; i < a->count; i++)
		if (!seats_have(b, &a->seat[i]))
			return &a->seat[i];
	return NULL;
}

/*
 * A process of a node that went away and is still shown, or that came and is
 * not, is P22; before tells who was known before the ring was in step.
 */
static bool
shows_model(struct oracle *o, uint32_t life, const struct oracle_known *before)
{
	const struct oracle_life *is = &o->life[life];
	if (is->model.sum == is->seen.sum)
		return true;
	const struct oracle_seat *seat = first_not_in(&is->seen, &is->model);
	bool is_ghost = seat != NULL;
	if (!is_ghost)
		seat = first_not_in(&is->model, &is->seen);
	const struct oracle_known *known = is_ghost ? &is->known : before;
	return oracle_fail(o, is_known(known, seat->life) ? "P20" : "P22", 0,
	    "%s %s conn %" PRIu64 " of %s in group %" PRIx64,
	    oracle_life_text(o, life), is_ghost ? "still shows" : "lacks",
	    seat->conn, oracle_life_text(o, seat->life), seat->group);
}

bool
oracle_group_settled(struct oracle *o, uint32_t life)
{
	const struct oracle_stay *stay = stay_of(o, life);
	if (!(o->options & ORACLE_GROUPS) || stay == NULL || !stay->is_synced)
		return true;
	return shows_model(o, life, &o->life[life].known);
}

/* ---- messages and views of the ring
 * ------------------------------------------ */

void
oracle_group_start(struct oracle *o, uint32_t life)
{
	o->life[life].known.count = 1;
	o->life[life].known.life[0] = life;
}

bool
oracle_group_deliver(struct oracle *o, uint32_t life, uint32_t message)
{
	const struct oracle_message *got = &o->message[message];
	struct oracle_life *is = &o->life[life];
	const struct oracle_stay *stay = stay_of(o, life);
	if (!(o->options & ORACLE_GROUPS))
		return true;
	if (got->class == TOTEM_CLASS_CLIENT && !stay->is_synced)
		return oracle_fail(o, "P21", 0,
		    "%s delivers %s before its groups are in step",
		    oracle_life_text(o, life), oracle_message_text(o, message));
	if (!got->has_op)
		return true;
	if (got->life == life)
		apply(&is->own, got);
	if (is_known(&is->known, got->life)) {
		apply(&is->model, got);
		return true;
	}
	o->pending = oracle_room(o->pending, &o->pending_room, o->pending_count,
	    sizeof(*o->pending));
	o->pending[o->pending_count++] =
	    (struct oracle_pending){ life, message };
	return true;
}

/* Who takes a passage together was equally far before it. */
static bool
same_scenes(struct oracle *o, const struct oracle_stay *stay)
{
	struct oracle_passage *passage = &o->passage[stay->passage];
	if (!passage->has_scenes) {
		passage->has_scenes = true;
		passage->is_synced = stay->is_synced;
		passage->scenes = stay->scene;
		return true;
	}
	const char *self = oracle_life_text(o, stay->life);
	if (passage->is_synced != stay->is_synced)
		return oracle_fail(o, "P21", 0,
		    "%s and others leave ring %s, some in step and some not",
		    self, oracle_ring_text(o, stay->ring));
	if (passage->scenes == stay->scene)
		return true;
	return oracle_fail(o, "P20", 0,
	    "%s leaves ring %s after %" PRIu32
	    " events of groups, others after %" PRIu32,
	    self, oracle_ring_text(o, stay->ring), stay->scene,
	    passage->scenes);
}

bool
oracle_group_transitional(struct oracle *o, uint32_t life)
{
	struct oracle_life *is = &o->life[life];
	struct oracle_stay *stay = stay_of(o, life);
	if (!(o->options & ORACLE_GROUPS))
		return true;
	if (!same_scenes(o, stay))
		return false;
	stay->scene = 0;
	const struct oracle_ring *ring = &o->ring[stay->ring];
	uint64_t mask = o->passage[stay->passage].mask;
	uint32_t kept = 0;
	for (uint32_t i = 0; i < is->known.count; i++) {
		uint32_t seat = oracle_seat_of(o, ring, is->known.life[i]);
		if (seat != ORACLE_NONE && mask >> seat & 1)
			is->known.life[kept++] = is->known.life[i];
	}
	is->known.count = kept;
	for (uint32_t i = is->model.count; i > 0; i--)
		if (!is_known(&is->known, is->model.seat[i - 1].life))
			seats_remove_at(&is->model, i - 1);
	return true;
}

/* P22: nobody who did not come along is shown any more. */
static bool
shows_no_ghost(
    struct oracle *o, uint32_t life, const struct oracle_stay *before)
{
	const struct oracle_seats *seen = &o->life[life].seen;
	uint64_t mask = o->passage[before->passage].mask;
	for (uint32_t i = 0; i < seen->count; i++) {
		uint32_t seat = oracle_seat_of(
		    o, &o->ring[before->ring], seen->seat[i].life);
		if (seat == ORACLE_NONE || !(mask >> seat & 1))
			return oracle_fail(o, "P22", 0,
			    "%s still shows conn %" PRIu64
			    " of %s, which did not come along",
			    oracle_life_text(o, life), seen->seat[i].conn,
			    oracle_life_text(o, seen->seat[i].life));
	}
	return true;
}

bool
oracle_group_regular(struct oracle *o, uint32_t life, uint32_t before)
{
	const struct oracle_seats *own = &o->life[life].own;
	struct oracle_stay *stay = stay_of(o, life);
	if (!(o->options & ORACLE_GROUPS))
		return true;
	if (before != ORACLE_NONE && !shows_no_ghost(o, life, &o->stay[before]))
		return false;
	stay->snapshot_first = o->snapshot_count;
	stay->snapshot_count = stay->snapshot_all = own->count;
	stay->pending_first = o->pending_count;
	for (uint32_t i = 0; i < own->count; i++) {
		o->snapshot = oracle_room(o->snapshot, &o->snapshot_room,
		    o->snapshot_count, sizeof(*o->snapshot));
		o->snapshot[o->snapshot_count++] = own->seat[i];
	}
	return true;
}

/* ---- in step
 * ------------------------------------------------------------------ */

static bool
may_sync(struct oracle *o, const struct oracle_stay *stay,
    const struct totem_ring_id *id)
{
	const struct oracle_ring *ring = &o->ring[stay->ring];
	const char *self = oracle_life_text(o, stay->life);
	if (!oracle_is_ring(ring->id, *id) || stay->passage != ORACLE_NONE)
		return oracle_fail(o, "P21", 0,
		    "%s is in step in ring %" PRIu32 ".%" PRIu64
		    ", which it is not in",
		    self, id->rep, id->seq);
	if (stay->is_synced)
		return oracle_fail(o, "P21", 0, "%s is in step twice", self);
	if (ring->has_sync && oracle_compare(ring->sync_at, stay->last) != 0)
		return oracle_fail(o, "P21", 0,
		    "%s is in step at %s, others at %s", self,
		    oracle_slot_text(o, stay->ring, stay->last),
		    oracle_slot_text(o, stay->ring, ring->sync_at));
	return true;
}

/* A newcomer's processes, and what it did since it came. */
static bool
learn(struct oracle *o, const struct oracle_stay *stay, uint32_t seat)
{
	const struct oracle_ring *ring = &o->ring[stay->ring];
	struct oracle_life *is = &o->life[stay->life];
	uint32_t newcomer = ring->life[seat];
	if (ring->stay[seat] == ORACLE_NONE)
		return oracle_fail(o, "P21", 0,
		    "%s is in step before %s is in the ring",
		    oracle_life_text(o, stay->life),
		    oracle_life_text(o, newcomer));
	const struct oracle_stay *theirs = &o->stay[ring->stay[seat]];
	for (uint32_t i = 0; i < theirs->snapshot_count; i++)
		seats_add(&is->model, &o->snapshot[theirs->snapshot_first + i]);
	for (uint32_t i = stay->pending_first; i < o->pending_count; i++) {
		const struct oracle_pending *wait = &o->pending[i];
		if (wait->life == stay->life &&
		    o->message[wait->message].life == newcomer)
			apply(&is->model, &o->message[wait->message]);
	}
	is->known.life[is->known.count++] = newcomer;
	return true;
}

/* Of who was known before: what it kept silent about is gone now. */
static void
unlearn(struct oracle *o, uint32_t life, const struct oracle_stay *theirs)
{
	const struct oracle_seat *seat = &o->snapshot[theirs->snapshot_first];
	for (uint32_t i = theirs->snapshot_count; i < theirs->snapshot_all;
	     i++) {
		seats_remove(&o->life[life].model, &seat[i]);
		seats_remove(&o->life[life].own, &seat[i]);
	}
}

static bool
on_synced(struct oracle *o, uint32_t life, const struct totem_ring_id *id)
{
	struct oracle_stay *stay = stay_of(o, life);
	if (!may_sync(o, stay, id))
		return false;
	struct oracle_ring *ring = &o->ring[stay->ring];
	ring->has_sync = true;
	ring->sync_at = stay->last;
	struct oracle_known before = o->life[life].known;
	for (uint32_t i = 0; i < ring->member_count; i++) {
		if (is_known(&before, ring->life[i])) {
			if (ring->stay[i] != ORACLE_NONE)
				unlearn(o, life, &o->stay[ring->stay[i]]);
		} else if (!learn(o, stay, i)) {
			return false;
		}
	}
	stay->is_synced = true;
	stay->scene = 0;
	return shows_model(o, life, &before);
}

/* ---- scenes
 * ------------------------------------------------------------------- */

static bool
play(struct oracle *o, uint32_t life, uint64_t hash)
{
	struct oracle_stay *stay = stay_of(o, life);
	if (!stay->is_synced)
		return true;
	struct oracle_script *script = stay->passage == ORACLE_NONE
	    ? &o->ring[stay->ring].script
	    : &o->passage[stay->passage].script;
	hash = mix(mix(hash + stay->last.seq) + stay->last.idx);
	uint32_t at = stay->scene++;
	if (at < script->count) {
		if (script->scene[at].hash == hash)
			return true;
		return oracle_fail(o, "P20", 0,
		    "%s has another event of groups than others, number %" PRIu32
		    " of ring %s (event %" PRIu64 ")",
		    oracle_life_text(o, life), at + 1,
		    oracle_ring_text(o, stay->ring),
		    script->scene[at].event_no);
	}
	script->scene = oracle_room(script->scene, &script->room, script->count,
	    sizeof(*script->scene));
	script->scene[script->count++] =
	    (struct oracle_scene){ hash, o->event_no };
	return true;
}

static bool
show(struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	struct oracle_seats *seen = &o->life[life].seen;
	uint64_t group = event->group_view.group;
	seats_remove_group(seen, group);
	for (uint32_t i = 0; i < event->group_view.count; i++) {
		const struct oracle_member *member =
		    &event->group_view.members[i];
		uint32_t owner =
		    oracle_find_life(o, member->node, member->incarnation);
		struct oracle_seat seat = { group, member->conn, owner };
		if (owner == ORACLE_NONE || !seats_add(seen, &seat))
			return oracle_fail(o, "P20", 0,
			    "node %" PRIu32 " inc %" PRIu64 " conn %" PRIu64
			    " is unknown or twice in a group",
			    member->node, member->incarnation, member->conn);
	}
	return true;
}

static bool
on_group_view(struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	struct oracle_life *is = &o->life[life];
	uint64_t group = event->group_view.group;
	uint64_t before = group_sum(&is->seen, group);
	if (!show(o, life, event))
		return false;
	uint64_t sum = group_sum(&is->seen, group);
	if (o->stay[is->stay].is_synced && sum == before)
		return oracle_fail(o, "P20", 0,
		    "%s has a view of group %" PRIx64
		    " in which nothing changed",
		    oracle_life_text(o, life), group);
	if (o->stay[is->stay].is_synced && sum != group_sum(&is->model, group))
		return shows_model(o, life, &is->known);
	return play(o, life, mix(sum + group));
}

static bool
on_group_message(
    struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	uint32_t sender = oracle_find_life(
	    o, event->group_message.node, event->group_message.incarnation);
	uint32_t message = sender == ORACLE_NONE
	    ? ORACLE_NONE
	    : oracle_find_message(o, sender, event->group_message.msg_no);
	if (message == ORACLE_NONE || message != o->life[life].last_message)
		return oracle_fail(o, "P20", 0,
		    "%s gives a group message %" PRIu64 " of node %" PRIu32
		    ", which it did not just deliver",
		    oracle_life_text(o, life), event->group_message.msg_no,
		    event->group_message.node);
	uint64_t hash = mix(event->group_message.group) + message;
	return play(o, life, mix(hash));
}

/* What the life had when it installed the ring, without that process. */
static void
silence(struct oracle *o, uint32_t life, uint64_t conn)
{
	struct oracle_stay *stay = stay_of(o, life);
	if (stay == NULL)
		return;
	struct oracle_seat *seat = &o->snapshot[stay->snapshot_first];
	for (uint32_t i = stay->snapshot_count; i > 0; i--) {
		struct oracle_seat silent = seat[i - 1];
		if (silent.conn != conn)
			continue;
		seat[i - 1] = seat[--stay->snapshot_count];
		seat[stay->snapshot_count] = silent;
	}
}

static bool
on_group_op(struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	if (event->group_op.op == ORACLE_OP_SILENT) {
		silence(o, life, event->group_op.conn);
		return true;
	}
	uint32_t idx = oracle_find_message(o, life, event->group_op.msg_no);
	if (idx == ORACLE_NONE || o->message[idx].ring != ORACLE_NONE)
		return oracle_fail(o, "input", 0,
		    "the meaning of message %" PRIu64
		    " comes before its submission or after its delivery",
		    event->group_op.msg_no);
	struct oracle_message *message = &o->message[idx];
	message->has_op = true;
	message->op = event->group_op.op;
	message->group = event->group_op.group;
	message->conn = event->group_op.conn;
	return true;
}

bool
oracle_on_group(
    struct oracle *o, uint32_t life, const struct oracle_event *event)
{
	if (event->kind == ORACLE_GROUP_OP)
		return on_group_op(o, life, event);
	if (o->life[life].stay == ORACLE_NONE)
		return oracle_fail(o, "P3", 0,
		    "%s has events of groups before its first view",
		    oracle_life_text(o, life));
	if (event->kind == ORACLE_GROUP_VIEW)
		return on_group_view(o, life, event);
	if (event->kind == ORACLE_GROUP_MESSAGE)
		return on_group_message(o, life, event);
	return on_synced(o, life, &event->synced);
}

/* In the end everybody has seen the whole script of its ring. */
static bool
saw_all(struct oracle *o, const struct oracle_stay *stay)
{
	const struct oracle_ring *ring = &o->ring[stay->ring];
	if (stay->passage != ORACLE_NONE)
		return true;
	if (!stay->is_synced)
		return oracle_fail(o, "P21", stay->event_no,
		    "%s never comes in step in ring %s",
		    oracle_life_text(o, stay->life),
		    oracle_ring_text(o, stay->ring));
	if (stay->scene == ring->script.count)
		return true;
	return oracle_fail(o, "P20", ring->script.scene[stay->scene].event_no,
	    "%s never sees an event of groups that others saw",
	    oracle_life_text(o, stay->life));
}

bool
oracle_end_groups(struct oracle *o)
{
	if (!(o->options & ORACLE_GROUPS))
		return true;
	for (uint32_t i = 0; i < o->life_count; i++) {
		const struct oracle_life *is = &o->life[i];
		const struct oracle_stay *stay = stay_of(o, i);
		if (is->is_ended || is->is_paused || stay == NULL)
			continue;
		if (!oracle_group_settled(o, i) ||
		    (o->is_healed && !saw_all(o, stay)))
			return false;
	}
	return true;
}
