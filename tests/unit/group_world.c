/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/group_world.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/unit/check.h"
#include "tests/unit/group_world_internal.h"

static uint32_t
bits_of(const char *nodes)
{
	uint32_t bits = 0;

	for (; *nodes != '\0'; nodes++) {
		ENSURE(*nodes >= '1' && *nodes <= '0' + GROUP_WORLD_NODES);
		bits |= 1U << (*nodes - '0');
	}
	return bits;
}

static struct node *
live_node(struct group_world *w, uint32_t node)
{
	ENSURE(node >= 1 && node <= GROUP_WORLD_NODES);
	ENSURE(w->nodes[node].is_live);
	return &w->nodes[node];
}

/* ---- stepping ---------------------------------------------------------- */

static void
enqueue(struct group_world *w, uint32_t node, const struct totem_input *core)
{
	struct node *n = &w->nodes[node];
	struct message *m = group_world_need(calloc(1, sizeof(*m)));
	size_t head_len = core->submit.head_len;
	size_t len = head_len + core->submit.body_len;

	*m = (struct message){ .node = node, .incarnation = n->incarnation };
	m->msg_no = ++n->msg_no;
	m->input = *core;
	m->bytes = group_world_need(malloc(len + 1));
	m->len = len;
	if (head_len > 0)
		memcpy(m->bytes, core->submit.head, head_len);
	if (len > head_len)
		memcpy(m->bytes + head_len, core->submit.body, len - head_len);
	ENSURE(n->queued < GROUP_WORLD_QUEUE);
	n->queue[n->queued++] = m;
	w->messages = group_world_need(realloc(
	    w->messages, (w->message_count + 1) * sizeof(w->messages[0])));
	w->messages[w->message_count++] = m;
}

static void
handle(struct group_world *w, uint32_t node, const struct group_effect *effect)
{
	struct node *n = &w->nodes[node];

	if (effect->kind == GROUP_OUT_SUBMIT) {
		if (effect->core.submit.class == TOTEM_CLASS_SYSTEM)
			CHECK(n->phase == TOTEM_PHASE_REGULAR);
		enqueue(w, node, &effect->core);
		group_submitted(n->layer, n->msg_no);
	} else if (effect->kind == GROUP_OUT_OPEN_GATE) {
		CHECK_EQ(effect->core.gate.seq, n->ring->id.seq);
		CHECK(n->has_synced && n->phase == TOTEM_PHASE_REGULAR);
		n->is_gate_open = true;
	} else {
		if (effect->kind == GROUP_OUT_VIEW)
			group_world_check_view(n, &effect->view);
		group_world_tell(w, node, effect);
	}
	if (w->watch != NULL)
		w->watch(w->watch_arg, node, effect);
}

/* Feeds one input; true when it had an effect. */
static bool
step(struct group_world *w, uint32_t node, const struct group_input *in)
{
	struct group_layer *g = w->nodes[node].layer;
	struct group_effect effect;
	bool had_effect = false;

	group_step(g, in);
	while (group_next(g, &effect)) {
		handle(w, node, &effect);
		had_effect = true;
	}
	group_check(g);
	return had_effect;
}

static void
pump(struct group_world *w, uint32_t node)
{
	struct node *n = &w->nodes[node];
	struct group_input in = { .kind = GROUP_IN_ROOM };

	in.room.client_bytes = n->room;
	in.room.system_bytes = n->room;
	while (group_is_waiting(n->layer) && step(w, node, &in))
		;
}

static void
feed(struct group_world *w, uint32_t node, const struct totem_effect *effect)
{
	struct group_input in = { .kind = GROUP_IN_TOTEM, .totem = effect };

	if (w->input != NULL)
		w->input(w->input_arg, node, effect);
	step(w, node, &in);
}

/* ---- the ring ---------------------------------------------------------- */

static bool
may_order(const struct node *n, const struct message *m)
{
	return n->is_gate_open || m->input.submit.class == TOTEM_CLASS_SYSTEM;
}

static void
log_append(struct ring *ring, struct message *m)
{
	ring->log = group_world_need(
	    realloc(ring->log, (ring->count + 1) * sizeof(ring->log[0])));
	ring->log[ring->count++] = m;
}

bool
group_world_order(struct group_world *w, uint32_t node)
{
	struct node *n = live_node(w, node);
	size_t best = n->queued;

	if (n->ring == NULL || n->ring->is_broken)
		return false;
	for (size_t i = 0; i < n->queued; i++) {
		bool is_system =
		    n->queue[i]->input.submit.class == TOTEM_CLASS_SYSTEM;
		if (may_order(n, n->queue[i]) &&
		    (best == n->queued || is_system)) {
			best = i;
			if (is_system)
				break;
		}
	}
	if (best == n->queued)
		return false;
	log_append(n->ring, n->queue[best]);
	n->queued--;
	memmove(&n->queue[best], &n->queue[best + 1],
	    (n->queued - best) * sizeof(n->queue[0]));
	return true;
}

static void
deliver_at(struct group_world *w, uint32_t node, size_t at)
{
	struct node *n = &w->nodes[node];
	const struct message *m = n->ring->log[at];
	struct totem_effect effect = { .kind = TOTEM_OUT_DELIVER };

	effect.deliver = (struct totem_delivery){
		.node = m->node,
		.incarnation = m->incarnation,
		.msg_no = m->msg_no,
		.service = m->input.submit.service,
		.class = m->input.submit.class,
		.phase = n->phase,
		.ring = n->ring->id,
		.seq = at + 1,
		.bytes = m->bytes,
		.len = m->len,
	};
	n->at = at + 1;
	feed(w, node, &effect);
}

bool
group_world_deliver(struct group_world *w, uint32_t node)
{
	struct node *n = live_node(w, node);

	if (n->ring == NULL || n->at == n->ring->count)
		return false;
	deliver_at(w, node, n->at);
	pump(w, node);
	return true;
}

void
group_world_settle(struct group_world *w)
{
	bool is_moving = true;

	while (is_moving) {
		is_moving = false;
		for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
			if (!w->nodes[i].is_live)
				continue;
			pump(w, i);
			is_moving |= group_world_order(w, i);
			is_moving |= group_world_deliver(w, i);
		}
	}
}

void
group_world_inject(struct group_world *w, uint32_t node, enum totem_class class,
    const void *bytes, size_t len)
{
	struct node *n = live_node(w, node);
	struct totem_input core = { .kind = TOTEM_IN_SUBMIT };

	core.submit.class = class;
	core.submit.head = bytes;
	core.submit.head_len = len;
	enqueue(w, node, &core);
	log_append(n->ring, n->queue[--n->queued]);
}

/* ---- from ring to ring ------------------------------------------------- */

static void
fill_view(
    const struct group_world *w, uint32_t members, struct totem_view *view)
{
	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((members & 1U << i) == 0)
			continue;
		view->incarnation[view->members.count] =
		    w->nodes[i].incarnation;
		view->members.id[view->members.count++] = i;
	}
}

static void
fill_others(uint32_t bits, struct totem_nodes *out)
{
	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((bits & 1U << i) != 0)
			out->id[out->count++] = i;
	}
}

/* P22: nobody who is left behind is still in a group. */
static void
check_left_behind(const struct node *n, uint32_t together)
{
	for (size_t i = 0; i < n->shadow_count; i++)
		CHECK((together & 1U << n->shadows[i].node) != 0);
}

/* One node of those that go together ends its ring. */
static void
end_ring(struct group_world *w, uint32_t node, uint32_t together,
    const struct totem_effect *trans, const size_t cut[2])
{
	struct node *n = &w->nodes[node];

	while (n->at < cut[0])
		deliver_at(w, node, n->at);
	n->phase = TOTEM_PHASE_TRANSITIONAL;
	n->is_gate_open = false;
	feed(w, node, trans);
	check_left_behind(n, together);
	for (size_t at = n->at; at < n->ring->count; at++) {
		const struct message *m = n->ring->log[at];
		bool is_along = (together & 1U << m->node) != 0 &&
		    w->nodes[m->node].incarnation == m->incarnation;
		if (at < cut[1] || is_along)
			deliver_at(w, node, at);
	}
	/* whatever room there is now, no SYNC of the old ring may come */
	size_t room = n->room;
	n->room = SIZE_MAX;
	pump(w, node);
	n->room = room;
}

/* All of a new ring's members that are in the ring of node. */
static uint32_t
those_together(
    const struct group_world *w, uint32_t members, const struct ring *ring)
{
	uint32_t together = 0;

	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((members & 1U << i) != 0 && w->nodes[i].ring == ring)
			together |= 1U << i;
	}
	return together;
}

static void
end_together(struct group_world *w, uint32_t together, struct ring *ring,
    struct totem_ring_id next, const struct group_world_cut *cut)
{
	struct totem_view view = { .phase = TOTEM_PHASE_TRANSITIONAL,
		.ring = ring->id,
		.next = next };
	struct totem_effect trans = { .kind = TOTEM_OUT_VIEW, .view = &view };
	size_t cuts[2] = { ring->count, ring->count };
	const struct node *first = NULL;

	fill_view(w, together, &view);
	fill_others(ring->members & ~together, &view.left);
	if (cut != NULL) {
		size_t high = 0;
		for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
			if ((together & 1U << i) != 0)
				high = num_max(high, w->nodes[i].at);
		}
		cuts[0] = num_min(ring->count, high + cut->regular);
		cuts[1] = num_min(ring->count, cuts[0] + cut->whole);
	}
	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((together & 1U << i) == 0)
			continue;
		struct node *n = &w->nodes[i];
		end_ring(w, i, together, &trans, cuts);
		if (first == NULL)
			first = n;
		/* P20: the same, while they were together */
		if (n->has_synced && first->has_synced)
			CHECK_STR(n->told.bytes, first->told.bytes);
		CHECK(n->has_synced == first->has_synced);
	}
	ring->is_broken = true;
}

/* What must not be ordered any more, as the core says it. */
static void
drop_checked(struct group_world *w, uint32_t node)
{
	struct node *n = &w->nodes[node];
	size_t kept = 0;

	for (size_t i = 0; i < n->queued; i++) {
		struct message *m = n->queue[i];
		struct totem_effect dropped = { .kind = TOTEM_OUT_DROPPED,
			.dropped_msg_no = m->msg_no };
		if (!m->input.submit.has_if_view ||
		    m->input.submit.if_view.seq == n->ring->id.seq)
			n->queue[kept++] = m;
		else
			feed(w, node, &dropped);
	}
	n->queued = kept;
}

static void
begin_ring(struct group_world *w, uint32_t node, struct ring *ring,
    const struct totem_view *view)
{
	struct node *n = &w->nodes[node];
	struct totem_view own = *view;
	struct totem_effect regular = { .kind = TOTEM_OUT_VIEW, .view = &own };
	uint32_t together = those_together(w, ring->members, n->ring);

	if (n->ring == NULL)
		together = 1U << node;
	fill_others(ring->members & ~together, &own.joined);
	n->phase = TOTEM_PHASE_REGULAR;
	n->at = 0;
	n->has_synced = false;
	n->lines_at = 0;
	group_world_cut(&n->told);
	/* told of the ring it is in: the world's own checks look there */
	struct ring *before = n->ring;
	n->ring = ring;
	feed(w, node, &regular);
	drop_checked(w, node);
	n->ring = before;
}

static struct ring *
make_ring(struct group_world *w, uint32_t members)
{
	struct ring *ring = group_world_need(calloc(1, sizeof(*ring)));
	uint32_t rep = 1;

	while ((members & 1U << rep) == 0)
		rep++;
	ring->id = (struct totem_ring_id){ ++w->ring_seq, rep,
		(uint32_t)w->ring_seq * 7 };
	ring->members = members;
	ENSURE(w->ring_count < GROUP_WORLD_RINGS);
	w->rings[w->ring_count++] = ring;
	return ring;
}

void
group_world_install(
    struct group_world *w, const char *nodes, const struct group_world_cut *cut)
{
	uint32_t members = bits_of(nodes);
	struct ring *ring = make_ring(w, members);
	struct totem_view view = { .phase = TOTEM_PHASE_REGULAR,
		.ring = ring->id };
	uint32_t ended = 0;

	fill_view(w, members, &view);
	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((members & 1U << i) == 0 || (ended & 1U << i) != 0)
			continue;
		struct node *n = live_node(w, i);
		if (n->ring == NULL)
			continue;
		uint32_t together = those_together(w, members, n->ring);
		end_together(w, together, n->ring, ring->id, cut);
		ended |= together;
	}
	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((members & 1U << i) != 0)
			begin_ring(w, i, ring, &view);
	}
	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((members & 1U << i) == 0)
			continue;
		w->nodes[i].ring = ring;
		pump(w, i);
	}
}

struct totem_ring_id
group_world_ring(const struct group_world *w, uint32_t node)
{
	const struct ring *ring = w->nodes[node].ring;

	return ring == NULL ? (struct totem_ring_id){ 0 } : ring->id;
}

/* ---- lives ------------------------------------------------------------- */

struct group_world *
group_world_create(uint32_t groups_max, uint32_t members_max)
{
	struct group_world *w = group_world_need(calloc(1, sizeof(*w)));

	w->groups_max = groups_max;
	w->members_max = members_max;
	return w;
}

static void
forget_life(struct node *n)
{
	for (size_t i = 0; i < n->shadow_count; i++)
		group_world_shadow_free(&n->shadows[i]);
	n->shadow_count = 0;
	n->queued = 0;
	free(n->memory);
	n->memory = NULL;
	n->layer = NULL;
	n->is_live = false;
	n->ring = NULL;
}

static void
start_node(struct group_world *w, uint32_t node)
{
	struct node *n = &w->nodes[node];
	struct group_config cfg = {
		.self = node,
		.incarnation = n->incarnation + 1,
		.message_bytes_max = 65536,
		.groups_max = w->groups_max,
		.members_max = w->members_max,
	};
	struct arena arena;

	ENSURE(!n->is_live);
	arena_init(&arena, NULL, 0);
	CHECK(group_create(&arena, &cfg) == NULL);
	size_t bytes = arena.used_bytes;
	n->memory =
	    group_world_need(aligned_alloc(64, num_round_up(bytes, 64)));
	arena_init(&arena, n->memory, bytes);
	n->layer = group_create(&arena, &cfg);
	n->is_live = true;
	n->is_gate_open = false;
	n->incarnation++;
	n->msg_no = 0;
	n->at = 0;
	n->room = SIZE_MAX;
	n->has_synced = false;
	group_world_cut(&n->told);
	group_world_cut(&n->story);
}

void
group_world_start(struct group_world *w, const char *nodes)
{
	uint32_t bits = bits_of(nodes);

	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((bits & 1U << i) != 0)
			start_node(w, i);
	}
}

void
group_world_crash(struct group_world *w, const char *nodes)
{
	uint32_t bits = bits_of(nodes);

	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		if ((bits & 1U << i) == 0)
			continue;
		struct node *n = live_node(w, i);
		if (n->ring != NULL)
			n->ring->is_broken = true;
		forget_life(n);
	}
}

void
group_world_destroy(struct group_world *w)
{
	for (uint32_t i = 1; i <= GROUP_WORLD_NODES; i++) {
		struct node *n = &w->nodes[i];
		forget_life(n);
		free(n->shadows);
		free(n->story.bytes);
		free(n->told.bytes);
	}
	for (size_t i = 0; i < w->ring_count; i++) {
		free(w->rings[i]->log);
		free(w->rings[i]->state.bytes);
		free(w->rings[i]->lines.bytes);
		free(w->rings[i]);
	}
	for (size_t i = 0; i < w->message_count; i++) {
		free(w->messages[i]->bytes);
		free(w->messages[i]);
	}
	free(w->messages);
	free(w->scratch.bytes);
	free(w->listing.bytes);
	free(w);
}

bool
group_world_is_live(const struct group_world *w, uint32_t node)
{
	return w->nodes[node].is_live;
}

struct group_layer *
group_world_layer(struct group_world *w, uint32_t node)
{
	return live_node(w, node)->layer;
}

uint64_t
group_world_incarnation(const struct group_world *w, uint32_t node)
{
	return w->nodes[node].incarnation;
}

uint64_t
group_world_msg_no(const struct group_world *w, uint32_t node)
{
	return w->nodes[node].msg_no;
}

void
group_world_room(struct group_world *w, uint32_t node, size_t bytes)
{
	live_node(w, node)->room = bytes;
	pump(w, node);
}

void
group_world_watch(struct group_world *w, group_world_watch_fn watch, void *arg)
{
	w->watch = watch;
	w->watch_arg = arg;
}

void
group_world_inputs(struct group_world *w, group_world_input_fn input, void *arg)
{
	w->input = input;
	w->input_arg = arg;
}

void
group_world_ask(
    struct group_world *w, uint32_t node, const struct group_input *in)
{
	live_node(w, node);
	step(w, node, in);
	pump(w, node);
}
