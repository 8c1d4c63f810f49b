/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_group.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/group.h"
#include "bin/ringd/group_wire.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_watch.h"

enum { GROUP_VIEW_MEMBERS = LIMIT_NODES * SIM_CONNS_ALL };

/* Names of all kinds: one letter, some bytes, one that another begins. */
static const char *const group_names[SIM_GROUPS_ALL] = { "g", "group",
	"\x01\xff*", "another-group-with-a-rather-long-name", "ringkit/member",
	"ringkit/quorum", "ringkit/cfg" };

static struct group_name
name_of(uint32_t group)
{
	const char *name = group_names[group];

	return (struct group_name){ (const uint8_t *)name, strlen(name) };
}

/* A number for the oracle; SIM_GROUPS_ALL when the name is none of ours. */
static uint64_t
number_of(const struct group_name *name)
{
	for (uint32_t i = 0; i < SIM_GROUPS_ALL; i++)
		if (strlen(group_names[i]) == name->len &&
		    memcmp(group_names[i], name->bytes, name->len) == 0)
			return i;
	return SIM_GROUPS_ALL;
}

/* ---- effects ----------------------------------------------------------- */

static void
on_view(struct sim *sim, struct sim_node *node, const struct group_view *view)
{
	static struct oracle_member members[GROUP_VIEW_MEMBERS];
	struct oracle_event event = { .kind = ORACLE_GROUP_VIEW };

	ENSURE(view->member_count <= ARRAY_COUNT(members));
	for (size_t i = 0; i < view->member_count; i++)
		members[i] = (struct oracle_member){
			.node = view->members[i]->node,
			.incarnation = view->members[i]->incarnation,
			.conn = view->members[i]->conn,
		};
	event.group_view.group = number_of(&view->group);
	event.group_view.count = (uint32_t)view->member_count;
	event.group_view.members = members;
	node->app.group.views++;
	sim_tell(sim, node, "group %llu has %u members, %u joined, %u left",
	    (unsigned long long)event.group_view.group,
	    (unsigned)view->member_count, (unsigned)view->joined_count,
	    (unsigned)view->left_count);
	sim_watch_event(sim, node, &event);
	if (event.group_view.group >= SIM_GROUPS &&
	    event.group_view.group < SIM_GROUPS_ALL)
		sim_stack_on_group(sim, node,
		    (enum sim_service)(event.group_view.group - SIM_GROUPS),
		    view);
}

static void
on_message(
    struct sim *sim, struct sim_node *node, const struct group_message *message)
{
	struct oracle_event event = { .kind = ORACLE_GROUP_MESSAGE };

	node->app.group.messages++;
	event.group_message.group = number_of(&message->group);
	if (event.group_message.group < SIM_GROUPS &&
	    !sim_load_is_filled(message->bytes, message->len))
		sim_fail(sim, "P1 node %u: the bytes of a message changed",
		    (unsigned)node->id);
	event.group_message.node = message->node;
	event.group_message.incarnation = message->incarnation;
	event.group_message.msg_no = message->msg_no;
	sim_watch_event(sim, node, &event);
	if (event.group_message.group >= SIM_GROUPS &&
	    event.group_message.group < SIM_GROUPS_ALL)
		sim_stack_on_message(sim, node,
		    (enum sim_service)(event.group_message.group - SIM_GROUPS),
		    message);
}

static void
on_synced(struct sim *sim, struct sim_node *node, const struct group_pos *pos)
{
	struct oracle_event event = { .kind = ORACLE_SYNCED };

	node->app.group.synced++;
	sim_tell(sim, node, "groups are in step");
	event.synced = pos->ring;
	sim_watch_event(sim, node, &event);
}

/* A SYNC leaves out who is gone, though the exit may not be delivered yet. */
static void
tell_silence(struct sim *sim, struct sim_node *node, struct oracle_event *event)
{
	const struct sim_group *group = &node->app.group;

	event->group_op.op = ORACLE_OP_SILENT;
	for (uint32_t conn = 1; conn <= group->conn_last; conn++) {
		bool is_open = false;
		for (uint32_t i = 0; i < SIM_CONNS_ALL; i++)
			is_open |= group->conn[i] == conn;
		event->group_op.conn = conn;
		if (!is_open)
			sim_watch_event(sim, node, event);
	}
}

/* What a JOIN, LEAVE or EXIT will mean, for the oracle. */
static void
tell_op(struct sim *sim, struct sim_node *node, const struct totem_input *in)
{
	struct oracle_event event = { .kind = ORACLE_GROUP_OP };
	struct group_wire wire;
	uint8_t bytes[GROUP_HEAD_BYTES_MAX];
	size_t head_len = in->submit.head_len, body_len = in->submit.body_len;

	event.group_op.msg_no = totem_last_msg_no(node->core) + 1;
	if (head_len > 0 && in->submit.head[0] == GROUP_WIRE_SYNC)
		tell_silence(sim, node, &event);
	if (head_len + body_len > sizeof(bytes))
		return;
	memcpy(bytes, in->submit.head, head_len);
	if (body_len > 0)
		memcpy(bytes + head_len, in->submit.body, body_len);
	if (!group_wire_decode(bytes, head_len + body_len, &wire) ||
	    wire.kind == GROUP_WIRE_PUB || wire.kind == GROUP_WIRE_SYNC)
		return;
	event.group_op.conn = wire.conn;
	event.group_op.op = wire.kind == GROUP_WIRE_JOIN ? ORACLE_OP_JOIN
	    : wire.kind == GROUP_WIRE_LEAVE              ? ORACLE_OP_LEAVE
							 : ORACLE_OP_EXIT;
	if (wire.kind != GROUP_WIRE_EXIT)
		event.group_op.group = number_of(&wire.group);
	sim_watch_event(sim, node, &event);
}

static void
on_submit(struct sim *sim, struct sim_node *node, const struct totem_input *in)
{
	sim_watch_submit(sim, node, in);
	tell_op(sim, node, in);
}

/* Pulls all effects; true when one of them is for the core. */
static bool
pull(struct sim *sim, struct sim_node *node, struct totem_input *out)
{
	struct sim_group *group = &node->app.group;
	struct group_effect effect;
	bool is_for_core = false;

	while (group_next(group->layer, &effect)) {
		ENSURE(!is_for_core);
		switch (effect.kind) {
		case GROUP_OUT_SUBMIT:
			on_submit(sim, node, &effect.core);
			*out = effect.core;
			is_for_core = true;
			break;
		case GROUP_OUT_OPEN_GATE:
			*out = effect.core;
			is_for_core = true;
			break;
		case GROUP_OUT_MESSAGE:
			on_message(sim, node, &effect.message);
			break;
		case GROUP_OUT_VIEW:
			on_view(sim, node, &effect.view);
			break;
		case GROUP_OUT_DONE:
			group->done++;
			break;
		case GROUP_OUT_FAILED:
			group->failed++;
			group->is_full =
			    effect.failed.reason == GROUP_FAIL_AGAIN;
			break;
		case GROUP_OUT_SYNCED:
			on_synced(sim, node, &effect.synced);
			break;
		case GROUP_EFFECTS:
			break;
		}
	}
	return is_for_core;
}

static bool
step(struct sim *sim, struct sim_node *node, const struct group_input *in,
    struct totem_input *out)
{
	struct group_layer *layer = node->app.group.layer;

	group_step(layer, in);
	bool is_for_core = pull(sim, node, out);
	if (sim_is_check_due(sim))
		group_check(layer);
	return is_for_core;
}

/* An input that can have no effect for the core. */
static void
step_alone(struct sim *sim, struct sim_node *node, const struct group_input *in)
{
	struct totem_input out;

	bool is_for_core = step(sim, node, in, &out);
	ENSURE(!is_for_core);
}

/* ---- the node's side --------------------------------------------------- */

static void
open_client(struct sim *sim, struct sim_node *node, uint32_t client)
{
	struct sim_group *group = &node->app.group;
	struct group_input in = { .kind = GROUP_IN_OPEN };

	group->conn[client] = ++group->conn_last;
	in.conn = group->conn[client];
	in.open.pid = 100 + in.conn;
	step_alone(sim, node, &in);
}

void
sim_group_start(struct sim *sim, struct sim_node *node, struct arena *arena)
{
	struct group_config cfg = {
		.self = node->id,
		.incarnation = node->incarnation,
		.message_bytes_max = sim->opt.config.message_bytes_max,
		.groups_max = SIM_GROUPS_ALL + 1,
		.members_max = LIMIT_NODES * SIM_CONNS * SIM_GROUPS_ALL,
	};

	node->app.group = (struct sim_group){ 0 };
	node->app.group.layer = group_create(arena, &cfg);
}

void
sim_group_open(struct sim *sim, struct sim_node *node)
{
	for (uint32_t i = 0; i < SIM_CONNS; i++)
		open_client(sim, node, i);
	if (!sim->opt.has_stack)
		return;
	for (uint32_t i = 0; i < SIM_SERVICES; i++) {
		struct group_input in = { .kind = GROUP_IN_JOIN };

		if (i == SIM_SERVICE_STORE && !sim->opt.has_store)
			continue;
		open_client(sim, node, SIM_CONNS + i);
		in.conn = node->app.group.conn[SIM_CONNS + i];
		in.join.group = name_of(SIM_GROUPS + i);
		step_alone(sim, node, &in);
	}
	sim_stack_open(sim, node, node->app.group.conn + SIM_CONNS);
}

void
sim_group_on_effect(
    struct sim *sim, struct sim_node *node, const struct totem_effect *effect)
{
	step_alone(sim, node,
	    &(struct group_input){ .kind = GROUP_IN_TOTEM, .totem = effect });
}

/* What memberd and quorumd have to say; stays until there is room. */
static bool
publish_next(struct sim *sim, struct sim_node *node, struct totem_input *out)
{
	struct sim_group *group = &node->app.group;
	struct group_input in;

	while (sim->opt.has_stack && sim_stack_next(sim, node, &in)) {
		in.publish.room_bytes =
		    totem_room_bytes(node->core, TOTEM_CLASS_CLIENT);
		group->is_full = false;
		bool is_for_core = step(sim, node, &in, out);
		if (group->is_full)
			return false;
		sim_stack_taken(node);
		if (is_for_core)
			return true;
	}
	return false;
}

bool
sim_group_next(struct sim *sim, struct sim_node *node, struct totem_input *out)
{
	struct group_input in = { .kind = GROUP_IN_ROOM };

	if (!group_is_waiting(node->app.group.layer))
		return publish_next(sim, node, out);
	in.room.client_bytes = totem_room_bytes(node->core, TOTEM_CLASS_CLIENT);
	in.room.system_bytes = totem_room_bytes(node->core, TOTEM_CLASS_SYSTEM);
	return step(sim, node, &in, out);
}

void
sim_group_submitted(struct sim_node *node)
{
	group_submitted(node->app.group.layer, totem_last_msg_no(node->core));
}

/* ---- the clients' side ------------------------------------------------- */

bool
sim_group_publish(
    struct sim *sim, struct sim_node *node, struct totem_input *in)
{
	struct sim_group *group = &node->app.group;
	struct group_input request = { .kind = GROUP_IN_PUBLISH };
	uint32_t pick = (uint32_t)node->load.counter;
	struct totem_input out;

	request.conn = group->conn[pick % SIM_CONNS];
	request.publish.group = name_of(pick / SIM_CONNS % SIM_GROUPS);
	request.publish.service = in->submit.service;
	request.publish.has_if_view = in->submit.has_if_view;
	request.publish.if_view = in->submit.if_view;
	request.publish.bytes = in->submit.body;
	request.publish.len = in->submit.body_len;
	request.publish.cookie = pick % 2 ? pick : 0;
	request.publish.room_bytes =
	    totem_room_bytes(node->core, TOTEM_CLASS_CLIENT);
	if (!step(sim, node, &request, &out))
		return false;
	sim_node_input(sim, node, &out);
	return true;
}

static void
request(struct sim *sim, struct sim_node *node, struct group_input *in)
{
	step_alone(sim, node, in);
	sim_node_settle(sim, node);
	sim_node_idle(sim, node);
}

void
sim_group_join(
    struct sim *sim, struct sim_node *node, uint32_t client, uint32_t group)
{
	struct group_input in = { .kind = GROUP_IN_JOIN };

	if (node->power != SIM_ON || node->is_leaving)
		return;
	in.conn = node->app.group.conn[client];
	in.join.group = name_of(group);
	sim_tell(sim, node, "client %u joins group %u", (unsigned)client,
	    (unsigned)group);
	request(sim, node, &in);
}

void
sim_group_leave(
    struct sim *sim, struct sim_node *node, uint32_t client, uint32_t group)
{
	struct group_input in = { .kind = GROUP_IN_LEAVE };

	if (node->power != SIM_ON || node->is_leaving)
		return;
	in.conn = node->app.group.conn[client];
	in.leave.group = name_of(group);
	sim_tell(sim, node, "client %u leaves group %u", (unsigned)client,
	    (unsigned)group);
	request(sim, node, &in);
}

void
sim_group_exit(struct sim *sim, struct sim_node *node, uint32_t client)
{
	struct group_input in = { .kind = GROUP_IN_CLOSE };
	uint64_t life = node->life;

	if (node->power != SIM_ON || node->is_leaving)
		return;
	sim_tell(sim, node, "client %u exits", (unsigned)client);
	in.conn = node->app.group.conn[client];
	node->app.group.conn[client] = 0;
	request(sim, node, &in);
	if (node->life == life)
		open_client(sim, node, client);
}

void
sim_group_restart_quorumd(struct sim *sim, struct sim_node *node)
{
	uint32_t client = SIM_CONNS + SIM_SERVICE_QUORUM;
	struct group_input in = { .kind = GROUP_IN_CLOSE };
	struct group_input join = { .kind = GROUP_IN_JOIN };
	uint64_t life = node->life;

	if (node->power != SIM_ON || node->is_leaving ||
	    node->app.group.conn[client] == 0)
		return;
	sim_tell(sim, node, "its quorumd begins anew");
	in.conn = node->app.group.conn[client];
	node->app.group.conn[client] = 0;
	request(sim, node, &in);
	if (node->life != life)
		return;
	open_client(sim, node, client);
	join.conn = node->app.group.conn[client];
	join.join.group = name_of(SIM_GROUPS + SIM_SERVICE_QUORUM);
	step_alone(sim, node, &join);
	sim_stack_restart(sim, node, join.conn);
	sim_node_settle(sim, node);
	sim_node_idle(sim, node);
}

void
sim_group_restart_store(struct sim *sim, struct sim_node *node)
{
	uint32_t client = SIM_CONNS + SIM_SERVICE_STORE;
	struct group_input in = { .kind = GROUP_IN_CLOSE };
	struct group_input join = { .kind = GROUP_IN_JOIN };
	uint64_t life = node->life;

	if (node->is_leaving || node->app.group.conn[client] == 0)
		return;
	in.conn = node->app.group.conn[client];
	node->app.group.conn[client] = 0;
	node->app.stack.conn[SIM_SERVICE_STORE] = 0;
	request(sim, node, &in);
	if (node->life != life)
		return;
	open_client(sim, node, client);
	join.conn = node->app.group.conn[client];
	join.join.group = name_of(SIM_GROUPS + SIM_SERVICE_STORE);
	node->app.stack.conn[SIM_SERVICE_STORE] = join.conn;
	request(sim, node, &join);
}

void
sim_group_churn(struct sim *sim, struct sim_node *node)
{
	uint32_t client = (uint32_t)rng_below(&sim->rng, SIM_CONNS);
	uint32_t group = (uint32_t)rng_below(&sim->rng, SIM_GROUPS);

	if (sim->opt.has_stack && rng_below(&sim->rng, 3) == 0)
		sim_stack_churn(sim, node);
	if (sim->opt.has_stack && rng_below(&sim->rng, 8) == 0)
		sim_group_restart_quorumd(sim, node);
	switch (rng_below(&sim->rng, 5)) {
	case 0:
		sim_group_exit(sim, node, client);
		break;
	case 1:
	case 2:
		sim_group_leave(sim, node, client, group);
		break;
	default:
		sim_group_join(sim, node, client, group);
		break;
	}
}
