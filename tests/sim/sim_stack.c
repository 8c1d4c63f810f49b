/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_stack.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/memberd/member.h"
#include "bin/quorumd/quorum.h"
#include "bin/ringd/group.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_store.h"

enum {
	STACK_BYTES =
	    MEMBER_MESSAGE_BYTES + 1, /* of one message in the queue */
	STACK_TAG_COOKIE = 1,
	STACK_VALUES = 4, /* that a tag is set to, or unset */
};
static_assert((int)STACK_BYTES >= (int)QUORUM_MESSAGE_BYTES_MAX,
    "either service's messages fit the queue");

static struct parse_view
view_of(const struct totem_ring_id *ring)
{
	return (struct parse_view){ .rep = ring->rep, .seq = ring->seq };
}

static struct parse_pos
pos_of(const struct group_pos *pos)
{
	return (struct parse_pos){
		.view = view_of(&pos->ring), .seq = pos->seq, .idx = pos->idx
	};
}

/* ---- what both services send ------------------------------------------- */

/* Where the next message is put; NULL when too many wait. */
static struct sim_stack_message *
queue_end(struct sim_stack *stack)
{
	if (stack->count == SIM_STACK_QUEUE)
		return NULL;
	return &stack->queue[(stack->head + stack->count) % SIM_STACK_QUEUE];
}

static void
queue_put(struct sim_node *node, enum sim_service service,
    const struct parse_view *if_view, const void *bytes, size_t len)
{
	struct sim_stack *stack = &node->app.stack;
	struct sim_stack_message *message = queue_end(stack);

	ENSURE(message != NULL && len <= STACK_BYTES);
	message->service = service;
	message->has_if_view = if_view != NULL;
	if (if_view != NULL)
		message->if_view = *if_view;
	message->len = len;
	memcpy(message->bytes, bytes, len);
	stack->count++;
}

/* What quorumd wanted to say in an earlier view would be refused. */
static void
drop_stale(struct sim_stack *stack)
{
	uint32_t count = stack->count;

	stack->count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct sim_stack_message *from =
		    &stack->queue[(stack->head + i) % SIM_STACK_QUEUE];
		struct sim_stack_message *to = queue_end(stack), message;

		if (from->has_if_view && from->if_view.seq != stack->view.seq)
			continue;
		/* Each place keeps a buffer. */
		message = *from;
		*from = *to;
		*to = message;
		stack->count++;
	}
}

/* memberd is asked for the next message when there is room for it. */
static void
queue_member(struct sim_node *node)
{
	struct sim_stack *stack = &node->app.stack;
	static char bytes[STACK_BYTES];
	struct text text;

	while (queue_end(stack) != NULL) {
		text_init(&text, bytes, sizeof bytes);
		if (!member_publish(stack->member, &text))
			return;
		queue_put(node, SIM_SERVICE_MEMBER, NULL, text.bytes, text.len);
	}
}

bool
sim_stack_next(struct sim *sim, struct sim_node *node, struct group_input *out)
{
	static const char *const names[SIM_SERVICES] = {
		[SIM_SERVICE_MEMBER] = "ringkit/member",
		[SIM_SERVICE_QUORUM] = "ringkit/quorum",
		[SIM_SERVICE_STORE] = "ringkit/cfg",
	};
	struct sim_stack *stack = &node->app.stack;
	const struct sim_stack_message *message = &stack->queue[stack->head];

	if (stack->conn[SIM_SERVICE_MEMBER] == 0 || node->is_leaving)
		return false;
	queue_member(node);
	stack->is_store_next = stack->count == 0;
	if (stack->is_store_next) {
		if (!sim->opt.has_store ||
		    stack->conn[SIM_SERVICE_STORE] == 0 ||
		    !sim_store_next(sim, node, out))
			return false;
		out->conn = stack->conn[SIM_SERVICE_STORE];
		out->publish.group.bytes =
		    (const uint8_t *)names[SIM_SERVICE_STORE];
		out->publish.group.len = strlen(names[SIM_SERVICE_STORE]);
		return true;
	}
	*out = (struct group_input){ .kind = GROUP_IN_PUBLISH,
		.conn = stack->conn[message->service] };
	out->publish.group.bytes = (const uint8_t *)names[message->service];
	out->publish.group.len = strlen(names[message->service]);
	/* As quorumd must: what has quorum is held by all. */
	out->publish.service =
	    message->service == SIM_SERVICE_QUORUM ? TOTEM_SAFE : TOTEM_AGREED;
	out->publish.has_if_view = message->has_if_view;
	out->publish.if_view.rep = message->if_view.rep;
	out->publish.if_view.seq = message->if_view.seq;
	out->publish.bytes = message->bytes;
	out->publish.len = message->len;
	return true;
}

void
sim_stack_taken(struct sim_node *node)
{
	struct sim_stack *stack = &node->app.stack;

	if (stack->is_store_next) {
		sim_store_taken(node);
		return;
	}
	ENSURE(stack->count > 0);
	stack->head = (stack->head + 1) % SIM_STACK_QUEUE;
	stack->count--;
}

/* ---- quorum: what it decides ------------------------------------------- */

static bool
is_counted(const struct sim_node *node)
{
	return node->power == SIM_ON && node->app.stack.is_quorate;
}

/* However stale one side is, the two have a member in common. */
static void
check_sides(struct sim *sim, const struct sim_node *node)
{
	const struct sim_stack *mine = &node->app.stack;

	if (!is_counted(node))
		return;
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		const struct sim_node *other = &sim->node[i];
		if (is_counted(other) &&
		    (other->app.stack.members & mine->members) == 0)
			sim_fail(sim,
			    "Q1 nodes %u and %u are quorate in disjoint views "
			    "%u.%llu and %u.%llu",
			    (unsigned)node->id, (unsigned)other->id,
			    (unsigned)mine->view.rep,
			    (unsigned long long)mine->view.seq,
			    (unsigned)other->app.stack.view.rep,
			    (unsigned long long)other->app.stack.view.seq);
	}
}

static void
on_verdict(struct sim *sim, struct sim_node *node,
    const struct quorum_verdict *verdict)
{
	struct sim_stack *stack = &node->app.stack;

	if (verdict->view.rep != stack->view.rep ||
	    verdict->view.seq != stack->view.seq)
		sim_fail(sim, "Q2 node %u has a verdict on another view",
		    (unsigned)node->id);
	stack->is_quorate = verdict->is_quorate;
	sim_tell(sim, node, "quorate=%s votes=%u needed=%u expected=%u",
	    verdict->is_quorate ? "yes" : "no", (unsigned)verdict->votes,
	    (unsigned)verdict->needed, (unsigned)verdict->expected);
	check_sides(sim, node);
	if (sim->opt.has_store)
		sim_store_on_quorum(sim, node, verdict->is_quorate);
}

static void
step_quorum(struct sim *sim, struct sim_node *node, struct quorum_input *in)
{
	struct sim_stack *stack = &node->app.stack;
	struct quorum_effect effect;

	in->now_ns = sim_node_clock_ns(sim, node);
	quorum_step(stack->quorum, in);
	while (quorum_next(stack->quorum, &effect)) {
		switch (effect.kind) {
		case QUORUM_OUT_PUBLISH:
			queue_put(node, SIM_SERVICE_QUORUM,
			    &effect.publish.if_view, effect.publish.bytes,
			    effect.publish.len);
			break;
		case QUORUM_OUT_TRACK:
			node->disk.stack.tracked = effect.track;
			break;
		case QUORUM_OUT_VERDICT:
			on_verdict(sim, node, &effect.verdict);
			break;
		case QUORUM_OUT_KEEP:
			stack->kept_len = effect.keep.len;
			memcpy(stack->kept, effect.keep.bytes, effect.keep.len);
			break;
		case QUORUM_OUT_RECORD: /* its file stays as it is */
		case QUORUM_OUT_ANSWER:
		case QUORUM_EFFECTS:
			break;
		}
	}
	if (sim_is_check_due(sim))
		quorum_check(stack->quorum);
}

/* ---- membership -------------------------------------------------------- */

/* The sink of all nodes: whose record it is. */
static struct sim *stack_sim;
static struct sim_node *stack_node;

static void
on_member_event(void *arg, const struct text *record)
{
	(void)arg;
	sim_stack_event_told(stack_sim, stack_node, record);
}

static void
on_member_answer(void *arg, uint32_t req, int answer)
{
	(void)arg;
	(void)req;
	(void)answer;
}

static void
step_member(struct sim *sim, struct sim_node *node, struct member_input *in)
{
	in->now_ns = sim_node_clock_ns(sim, node);
	stack_sim = sim;
	stack_node = node;
	member_step(node->app.stack.member, in);
	if (sim_is_check_due(sim))
		member_check(node->app.stack.member);
}

/* As member_read_view reads it from ringd's record. */
static void
member_view_of(const struct totem_view *view, struct member_view *out)
{
	*out = (struct member_view){ .view = view_of(&view->ring),
		.count = view->members.count,
		.is_transitional = view->phase == TOTEM_PHASE_TRANSITIONAL };
	for (uint32_t i = 0; i < view->members.count; i++) {
		out->id[i] = view->members.id[i];
		out->inc[i] = view->incarnation[i];
	}
	out->joined_count = view->joined.count;
	memcpy(out->joined, view->joined.id,
	    view->joined.count * sizeof(out->joined[0]));
	out->left_count = view->left.count;
	for (uint32_t i = 0; i < view->left.count; i++) {
		out->left[i] = view->left.id[i];
		snprintf(out->left_why[i], sizeof(out->left_why[i]), "%s",
		    totem_reason_name(view->left_reason[i]));
	}
	snprintf(out->reason, sizeof(out->reason), "%s",
	    totem_reason_name(view->reason));
}

/* Not forced: so it never costs, or makes, quorum. */
static void
ask_votes(struct sim *sim, struct sim_node *node)
{
	uint64_t about = rng_below(&sim->rng, sim->opt.node_count);
	struct quorum_input in = { .kind = QUORUM_IN_SET_VOTES };

	if (node->app.stack.count > SIM_STACK_QUEUE / 2)
		return;
	in.set_votes.node = sim->node[about].id;
	in.set_votes.votes = 1 + (uint32_t)rng_below(&sim->rng, 4);
	if (rng_below(&sim->rng, 2)) {
		in.kind = QUORUM_IN_SET_EXPECTED;
		in.set_expected.is_forced = false;
		in.set_expected.expected =
		    1 + (uint32_t)rng_below(&sim->rng, 12);
	}
	sim->has_requests = true;
	sim_tell(sim, node, "an operator asks for other votes");
	step_quorum(sim, node, &in);
}

static void
set_tag(struct sim *sim, struct sim_node *node)
{
	static char bytes[STACK_BYTES];
	struct sim_stack *stack = &node->app.stack;
	char value[2] = "0";
	struct text text;
	uint64_t pick = rng_below(&sim->rng, STACK_VALUES + 1);
	struct member_request request = { .kind = MEMBER_TAG,
		.req = ++stack->req,
		.name = rng_below(&sim->rng, 2) ? "rack" : "role",
		.value = pick < STACK_VALUES ? value : NULL,
		.value_len = 1 };
	uint64_t about = rng_below(&sim->rng, sim->opt.node_count);

	if (stack->conn[SIM_SERVICE_MEMBER] == 0 || queue_end(stack) == NULL ||
	    !member_is_ready(stack->member))
		return;
	value[0] = (char)('0' + pick);
	request.node = sim->node[about].id;
	text_init(&text, bytes, sizeof bytes);
	if (member_request(stack->member, &request, &text) == MEMBER_DONE)
		queue_put(node, SIM_SERVICE_MEMBER, NULL, text.bytes, text.len);
}

void
sim_stack_churn(struct sim *sim, struct sim_node *node)
{
	if (sim->opt.rules.has_requests &&
	    node->app.stack.conn[SIM_SERVICE_QUORUM] != 0 &&
	    rng_below(&sim->rng, 4) == 0)
		ask_votes(sim, node);
	else
		set_tag(sim, node);
}

/* ---- ringd's stream ---------------------------------------------------- */

static void
note_transitional(struct sim_stack *stack, const struct totem_view *view)
{
	stack->along_count = view->members.count;
	memcpy(stack->along, view->members.id,
	    view->members.count * sizeof(stack->along[0]));
	stack->leaver_count = 0;
	stack->is_changing = true;
	for (uint32_t i = 0; i < view->left.count; i++)
		if (view->left_reason[i] == TOTEM_REASON_LEAVE)
			stack->leaver[stack->leaver_count++] = view->left.id[i];
}

static void
tell_group(struct sim *sim, struct sim_node *node)
{
	struct sim_stack *stack = &node->app.stack;
	struct quorum_input in = { .kind = QUORUM_IN_GROUP };

	stack->is_group_due = stack->is_changing;
	if (stack->is_changing)
		return;
	in.group.node = stack->group;
	in.group.node_count = stack->group_count;
	in.group.pos = stack->group_pos;
	step_quorum(sim, node, &in);
}

static void
on_regular(
    struct sim *sim, struct sim_node *node, const struct totem_view *view)
{
	struct sim_stack *stack = &node->app.stack;
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };

	stack->view = view_of(&view->ring);
	drop_stale(stack);
	stack->members = 0;
	for (uint32_t i = 0; i < view->members.count; i++)
		stack->members |= (uint64_t)1
		    << sim_node_idx(sim, view->members.id[i]);
	if (stack->along_count == 0)
		stack->along[stack->along_count++] = node->id;
	in.view.id = stack->view;
	in.view.member = view->members.id;
	in.view.member_count = view->members.count;
	in.view.along = stack->along;
	in.view.along_count = stack->along_count;
	in.view.leaver = stack->leaver;
	in.view.leaver_count = stack->leaver_count;
	step_quorum(sim, node, &in);
	stack->along_count = stack->leaver_count = 0;
	stack->is_changing = false;
	if (stack->is_group_due)
		tell_group(sim, node);
}

void
sim_stack_on_view(
    struct sim *sim, struct sim_node *node, const struct totem_view *view)
{
	static struct member_view told;
	struct member_input in = { .kind = MEMBER_IN_VIEW, .view = &told };

	member_view_of(view, &told);
	step_member(sim, node, &in);
	if (sim->opt.has_store)
		sim_store_on_view(sim, node, view);
	if (view->phase == TOTEM_PHASE_TRANSITIONAL) {
		note_transitional(&node->app.stack, view);
		return;
	}
	on_regular(sim, node, view);
	sim_stack_event_view(
	    sim, node, node->app.stack.view, node->app.stack.members);
}

void
sim_stack_on_group(struct sim *sim, struct sim_node *node,
    enum sim_service service, const struct group_view *view)
{
	struct sim_stack *stack = &node->app.stack;
	struct member_input came = { .kind = MEMBER_IN_GROUP };

	if (service == SIM_SERVICE_STORE) {
		sim_store_on_group(sim, node, view);
		return;
	}
	if (service == SIM_SERVICE_MEMBER) {
		if (view->joined_count > 0)
			step_member(sim, node, &came);
		return;
	}
	stack->group_count = 0;
	for (size_t i = 0; i < view->member_count; i++)
		if (stack->group_count == 0 ||
		    stack->group[stack->group_count - 1] !=
			view->members[i]->node)
			stack->group[stack->group_count++] =
			    view->members[i]->node;
	stack->group_pos = pos_of(&view->pos);
	tell_group(sim, node);
}

void
sim_stack_on_message(struct sim *sim, struct sim_node *node,
    enum sim_service service, const struct group_message *message)
{
	struct quorum_input in = { .kind = QUORUM_IN_MESSAGE };
	struct member_message text = { .node = message->node,
		.inc = message->incarnation,
		.conn = message->conn,
		.pos = pos_of(&message->pos),
		.bytes = message->bytes,
		.len = message->len };
	struct member_input told = { .kind = MEMBER_IN_MESSAGE,
		.message = &text };

	if (service == SIM_SERVICE_STORE) {
		sim_store_on_message(sim, node, message);
		return;
	}
	if (service == SIM_SERVICE_MEMBER) {
		step_member(sim, node, &told);
		return;
	}
	in.message.sender = message->node;
	in.message.pos = text.pos;
	in.message.is_transitional =
	    message->pos.phase == TOTEM_PHASE_TRANSITIONAL;
	in.message.bytes = message->bytes;
	in.message.len = message->len;
	step_quorum(sim, node, &in);
}

uint64_t
sim_stack_deadline_ns(const struct sim_node *node)
{
	return quorum_deadline_ns(node->app.stack.quorum);
}

void
sim_stack_on_time(struct sim *sim, struct sim_node *node)
{
	struct quorum_input in = { .kind = QUORUM_IN_TIME };

	if (sim_stack_deadline_ns(node) <= sim_node_clock_ns(sim, node))
		step_quorum(sim, node, &in);
}

void
sim_stack_on_pause(struct sim *sim, struct sim_node *node, uint64_t ns)
{
	struct member_input in = { .kind = MEMBER_IN_PAUSE,
		.ms = ns / 1000000 };

	step_member(sim, node, &in);
}

/* ---- the beginning ----------------------------------------------------- */

static void
quorum_config_of(const struct sim *sim, const struct sim_node *node,
    struct quorum_config *cfg)
{
	const struct sim_rules *rules = &sim->opt.rules;
	char bytes[QUORUM_TEXT_BYTES];
	struct text ignored;

	text_init(&ignored, bytes, sizeof bytes);
	quorum_config_init(cfg);
	cfg->self = node->id;
	cfg->node_count = sim->opt.node_count;
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		cfg->node[i].id = sim->node[i].id;
		cfg->node[i].votes = rules->votes[i];
		snprintf(cfg->node[i].name, sizeof(cfg->node[i].name), "n%u",
		    (unsigned)sim->node[i].id);
	}
	cfg->wait_for_all = (enum quorum_wait)rules->wait_for_all;
	cfg->auto_tie_breaker = (enum quorum_tie)rules->tie;
	cfg->last_man_standing = rules->is_last_man;
	cfg->last_man_standing_window_ns = rules->last_man_ns;
	cfg->expected_votes_tracking = rules->is_tracking;
	cfg->tracked = node->disk.stack.tracked;
	/* Rules that were drawn, and contradict each other. */
	if (quorum_config_mistake(cfg, 0, &ignored))
		cfg->auto_tie_breaker = QUORUM_TIE_NO;
	if (quorum_config_mistake(cfg, 0, &ignored))
		cfg->last_man_standing = false;
}

static void
member_config_of(const struct sim *sim, const struct sim_node *node,
    struct member_node *nodes, struct member_config *cfg)
{
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		nodes[i] = (struct member_node){ .id = sim->node[i].id };
		snprintf(nodes[i].name, sizeof(nodes[i].name), "n%u",
		    (unsigned)nodes[i].id);
		snprintf(nodes[i].addr, sizeof(nodes[i].addr), "10.0.0.%u",
		    (unsigned)i + 1);
	}
	*cfg = (struct member_config){ .nodes = nodes,
		.node_count = sim->opt.node_count,
		.self = node->id,
		.version = "0",
		.message_max = sim->opt.config.message_bytes_max,
		.sink = { on_member_event, on_member_answer, NULL } };
}

void
sim_stack_start(struct sim *sim, struct sim_node *node, struct arena *arena)
{
	static struct quorum_config quorum;
	static struct member_node nodes[LIMIT_NODES];
	struct member_config member;
	struct sim_stack *stack = &node->app.stack;
	struct arena measure;

	*stack = (struct sim_stack){ 0 };
	quorum_config_of(sim, node, &quorum);
	member_config_of(sim, node, nodes, &member);
	arena_init(&measure, NULL, 0);
	(void)quorum_create(&measure, &quorum, NULL, 0);
	stack->quorum_bytes = measure.used_bytes;
	stack->quorum = quorum_create(arena, &quorum, NULL, 0);
	stack->kept = arena_take(arena, QUORUM_MESSAGE_BYTES_MAX);
	stack->member = member_create(arena, &member);
	for (uint32_t i = 0; i < SIM_STACK_QUEUE; i++)
		stack->queue[i].bytes = arena_take(arena, STACK_BYTES);
}

void
sim_stack_open(struct sim *sim, struct sim_node *node, const uint32_t *conn)
{
	struct member_input in = { .kind = MEMBER_IN_CONN,
		.conn = conn[SIM_SERVICE_MEMBER] };

	memcpy(node->app.stack.conn, conn, sizeof(node->app.stack.conn));
	step_member(sim, node, &in);
}

/* What it wanted to say is lost with it. */
static void
drop_quorum(struct sim_stack *stack)
{
	uint32_t count = stack->count;

	stack->count = 0;
	for (uint32_t i = 0; i < count; i++) {
		struct sim_stack_message *from =
		    &stack->queue[(stack->head + i) % SIM_STACK_QUEUE];
		struct sim_stack_message *to = queue_end(stack), message;

		if (from->service == SIM_SERVICE_QUORUM)
			continue;
		message = *from;
		*from = *to;
		*to = message;
		stack->count++;
	}
}

void
sim_stack_restart(struct sim *sim, struct sim_node *node, uint32_t conn)
{
	static struct quorum_config cfg;
	struct sim_stack *stack = &node->app.stack;
	struct quorum_input in = { .kind = QUORUM_IN_VIEW };
	uint32_t members[LIMIT_NODES];
	struct arena arena;

	drop_quorum(stack);
	quorum_config_of(sim, node, &cfg);
	arena_init(&arena, stack->quorum, stack->quorum_bytes);
	stack->quorum = quorum_create(&arena, &cfg,
	    stack->kept_len > 0 ? stack->kept : NULL, stack->kept_len);
	ENSURE(stack->quorum != NULL);
	stack->conn[SIM_SERVICE_QUORUM] = conn;
	stack->is_quorate = false;
	if (sim->opt.has_store)
		sim_store_on_quorum(sim, node, true);
	if (stack->view.seq == 0)
		return;
	in.view.id = stack->view;
	in.view.member = members;
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		if (stack->members & ((uint64_t)1 << i))
			members[in.view.member_count++] = sim->node[i].id;
	step_quorum(sim, node, &in);
	tell_group(sim, node);
}
