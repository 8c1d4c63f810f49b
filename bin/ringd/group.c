/* SPDX-License-Identifier: BSD-3-Clause */
/* Inputs to changes, changes to effects.
 *
 * A step decides everything and queues at most a few effects; the views of
 * many groups are one queued effect that group_next unfolds, one group at a
 * time, out of the marks in the table.  Nothing may be fed before that is
 * done.
 */
#include "bin/ringd/group.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"

#include "bin/ringd/group_internal.h"

struct group_layer *
group_create(struct arena *arena, const struct group_config *cfg)
{
	uint32_t groups = cfg->groups_max;
	uint32_t members = cfg->members_max;

	if (groups == 0)
		groups = LIMIT_GROUPS;
	if (members == 0)
		members = LIMIT_GROUP_MEMBERS;
	ENSURE(cfg->message_bytes_max >= 1024);

	struct group_layer made = {
		.cfg = *cfg,
		.ops = arena_take(arena, GROUP_OPS * sizeof(*made.ops)),
		.checked = arena_take(
		    arena, GROUP_CHECKED_MAX * sizeof(*made.checked)),
		.sync_bytes = arena_take(arena, GROUP_SYNC_BYTES_MAX),
		.view_members =
		    arena_take(arena, members * sizeof(*made.view_members)),
		.view_joined =
		    arena_take(arena, members * sizeof(*made.view_joined)),
		.view_left =
		    arena_take(arena, members * sizeof(*made.view_left)),
		.op_first = GROUP_OP_NONE,
		.op_last = GROUP_OP_NONE,
	};
	bool is_taken = group_table_init(&made.table, arena, groups, members);
	struct group_layer *g = arena_take(arena, sizeof(*g));
	if (!is_taken || g == NULL)
		return NULL;
	*g = made;
	return g;
}

/* ---- effects ----------------------------------------------------------- */

struct group_effect *
group_emit(struct group_layer *g, enum group_effect_kind kind)
{
	ENSURE(g->queue_count < GROUP_QUEUE_MAX);

	struct group_effect *effect = &g->queue[g->queue_count++];
	effect->kind = kind;
	return effect;
}

void
group_emit_views(struct group_layer *g, struct group_pos pos)
{
	g->view_pos = pos;
	g->view_at = 0;
	group_emit(g, GROUP_OUT_VIEW);
}

void
group_emit_done(struct group_layer *g, uint32_t conn, uint64_t cookie)
{
	struct group_effect *effect = group_emit(g, GROUP_OUT_DONE);

	effect->done.conn = conn;
	effect->done.cookie = cookie;
	effect->done.pos = g->pos;
}

void
group_emit_failed(struct group_layer *g, uint32_t conn, uint64_t cookie,
    enum group_failure reason)
{
	struct group_effect *effect = group_emit(g, GROUP_OUT_FAILED);

	effect->failed.conn = conn;
	effect->failed.cookie = cookie;
	effect->failed.reason = reason;
}

static void
tell_entry(struct group_layer *g, struct group_view *view,
    const struct group_entry *entry)
{
	struct group_change change = { &entry->member, entry->reason };

	if (group_table_is_member(entry))
		g->view_members[view->member_count++] = &entry->member;
	if ((entry->flags & GROUP_ENTRY_JOINING) != 0)
		g->view_joined[view->joined_count++] = change;
	if ((entry->flags & GROUP_ENTRY_LEAVING) != 0)
		g->view_left[view->left_count++] = change;
	ENSURE(view->member_count <= g->table.members_max);
}

static void
tell_group(struct group_layer *g, size_t i, struct group_effect *out)
{
	struct group_view *view = &out->view;

	*out = (struct group_effect){ .kind = GROUP_OUT_VIEW };
	view->group = group_table_name(group_table_slot(&g->table, i));
	view->pos = g->view_pos;
	view->members = g->view_members;
	view->joined = g->view_joined;
	view->left = g->view_left;
	for (const struct group_entry *entry =
		 group_table_next(&g->table, i, NULL);
	     entry != NULL; entry = group_table_next(&g->table, i, entry))
		tell_entry(g, view, entry);
	g->counts[GROUP_COUNT_VIEWS]++;
}

/* The lists of a view lie in the table, so it is settled one call later. */
static bool
next_view(struct group_layer *g, struct group_effect *out)
{
	if (g->is_view_told && !group_table_settle(&g->table, g->view_at))
		g->view_at++;
	g->is_view_told = false;
	while (g->view_at < g->table.count) {
		if (group_table_slot(&g->table, g->view_at)->changes > 0) {
			tell_group(g, g->view_at, out);
			g->is_view_told = true;
			return true;
		}
		g->view_at++;
	}
	return false;
}

bool
group_next(struct group_layer *g, struct group_effect *out)
{
	while (g->queue_at < g->queue_count) {
		const struct group_effect *effect = &g->queue[g->queue_at];
		if (effect->kind == GROUP_OUT_VIEW && next_view(g, out))
			return true;
		g->queue_at++;
		if (effect->kind != GROUP_OUT_VIEW) {
			*out = *effect;
			return true;
		}
	}
	return false;
}

/* ---- deliveries -------------------------------------------------------- */

struct group_peer *
group_peer_find(struct group_layer *g, uint32_t node, uint64_t incarnation)
{
	for (uint32_t i = 0; i < g->peer_count; i++) {
		struct group_peer *peer = &g->peers[i];
		if (peer->node == node && peer->incarnation == incarnation)
			return peer;
	}
	return NULL;
}

static bool
is_own(const struct group_layer *g, const struct totem_delivery *delivery)
{
	return delivery->node == g->cfg.self &&
	    delivery->incarnation == g->cfg.incarnation;
}

static void
deliver_pub(struct group_layer *g, const struct totem_delivery *delivery,
    const struct group_wire *wire)
{
	struct group_effect *effect = group_emit(g, GROUP_OUT_MESSAGE);

	effect->message = (struct group_message){
		.group = wire->group,
		.id = wire->name,
		.node = delivery->node,
		.incarnation = delivery->incarnation,
		.conn = wire->conn,
		.msg_no = delivery->msg_no,
		.service = delivery->service,
		.pos = g->pos,
		.bytes = wire->bytes,
		.len = wire->len,
	};
	g->counts[GROUP_COUNT_MESSAGES]++;
	if (!is_own(g, delivery))
		return;
	group_local_published(g, delivery->msg_no);
	if (wire->cookie != 0)
		group_emit_done(g, wire->conn, wire->cookie);
}

/* The same answer at every node that delivers it: only the table decides. */
static int
apply_join(struct group_layer *g, const struct totem_delivery *delivery,
    const struct group_wire *wire)
{
	struct group_member member = {
		.node = delivery->node,
		.conn = wire->conn,
		.incarnation = delivery->incarnation,
		.pid = wire->pid,
		.uid = wire->uid,
		.name_len = (uint8_t)wire->name.len,
	};
	size_t i;

	if (group_table_find(&g->table, &wire->group, &i) &&
	    group_table_entry_find(&g->table, i, member.node, member.conn)) {
		g->counts[GROUP_COUNT_REPEATED]++;
		return GROUP_FAIL_MEMBER;
	}
	if (group_table_is_full(&g->table, &wire->group)) {
		g->counts[GROUP_COUNT_REFUSED]++;
		return GROUP_FAIL_FULL;
	}
	if (wire->name.len > 0)
		memcpy(member.name, wire->name.bytes, wire->name.len);
	i = group_table_put(&g->table, &wire->group);
	group_table_join(&g->table, i,
	    group_table_entry_put(&g->table, i, &member), GROUP_REASON_JOIN);
	group_emit_views(g, g->pos);
	return -1;
}

static int
apply_leave(struct group_layer *g, const struct totem_delivery *delivery,
    const struct group_wire *wire)
{
	struct group_entry *entry = NULL;
	size_t i;

	if (group_table_find(&g->table, &wire->group, &i))
		entry = group_table_entry_find(
		    &g->table, i, delivery->node, wire->conn);
	if (entry == NULL) {
		g->counts[GROUP_COUNT_REPEATED]++;
		return GROUP_FAIL_NOT_MEMBER;
	}
	group_table_leave(&g->table, i, entry, GROUP_REASON_LEAVE);
	group_emit_views(g, g->pos);
	return -1;
}

static void
apply_exit(struct group_layer *g, const struct totem_delivery *delivery,
    const struct group_wire *wire)
{
	for (size_t i = 0; i < g->table.count; i++) {
		struct group_entry *entry = group_table_entry_find(
		    &g->table, i, delivery->node, wire->conn);
		if (entry != NULL)
			group_table_leave(
			    &g->table, i, entry, GROUP_REASON_PROCDOWN);
	}
	group_emit_views(g, g->pos);
}

/* A node that is gone took its processes along: what it still says in the
 * transitional phase must not bring them back. */
static void
deliver_op(struct group_layer *g, const struct totem_delivery *delivery,
    const struct group_wire *wire)
{
	const struct group_peer *peer =
	    group_peer_find(g, delivery->node, delivery->incarnation);
	uint64_t cookie = 0;
	int failure = -1;

	if (peer == NULL || !peer->is_known) {
		g->counts[GROUP_COUNT_GONE]++;
		return;
	}
	if (wire->kind == GROUP_WIRE_JOIN)
		failure = apply_join(g, delivery, wire);
	else if (wire->kind == GROUP_WIRE_LEAVE)
		failure = apply_leave(g, delivery, wire);
	else
		apply_exit(g, delivery, wire);
	if (!is_own(g, delivery) || !group_local_delivered(g, wire, &cookie))
		return;
	if (failure < 0)
		group_emit_done(g, wire->conn, cookie);
	else
		group_emit_failed(
		    g, wire->conn, cookie, (enum group_failure)failure);
}

static void
deliver(struct group_layer *g, const struct totem_delivery *delivery)
{
	struct group_wire wire;

	ENSURE(g->is_installed);
	ENSURE(group_ring_equal(delivery->ring, g->pos.ring));
	g->pos.seq = delivery->seq;
	g->pos.idx = delivery->idx;
	g->pos.phase = delivery->phase;
	bool is_sound =
	    group_wire_decode(delivery->bytes, delivery->len, &wire);
	bool is_sync = wire.kind == GROUP_WIRE_SYNC;
	bool is_system = delivery->class == TOTEM_CLASS_SYSTEM;
	if (!is_sound || is_sync != is_system)
		g->counts[GROUP_COUNT_MALFORMED]++;
	else if (is_sync)
		group_exchange_sync(g, delivery, &wire);
	else if (!g->is_synced)
		g->counts[GROUP_COUNT_EARLY]++;
	else if (wire.kind == GROUP_WIRE_PUB)
		deliver_pub(g, delivery, &wire);
	else
		deliver_op(g, delivery, &wire);
}

/* ---- inputs ------------------------------------------------------------ */

static void
on_totem(struct group_layer *g, const struct totem_effect *effect)
{
	if (effect->kind == TOTEM_OUT_DELIVER)
		deliver(g, &effect->deliver);
	else if (effect->kind == TOTEM_OUT_VIEW)
		group_exchange_view(g, effect->view);
	else if (effect->kind == TOTEM_OUT_DROPPED)
		group_local_dropped(g, effect->dropped_msg_no);
}

bool
group_is_waiting(const struct group_layer *g)
{
	return g->is_gate_due || g->is_sync_due || g->op_first != GROUP_OP_NONE;
}

static void
on_room(struct group_layer *g, const struct group_input *in)
{
	if (g->is_gate_due) {
		struct group_effect *effect =
		    group_emit(g, GROUP_OUT_OPEN_GATE);
		effect->core = (struct totem_input){ .kind = TOTEM_IN_GATE,
			.gate = g->pos.ring };
		g->is_gate_due = false;
		return;
	}
	if (g->is_sync_due && group_exchange_submit(g, in->room.system_bytes))
		return;
	if (g->op_first != GROUP_OP_NONE)
		(void)group_local_submit(g, in->room.client_bytes);
}

void
group_step(struct group_layer *g, const struct group_input *in)
{
	ENSURE(g->queue_at == g->queue_count);
	ENSURE(!g->is_view_told && !g->is_submitting);
	g->queue_at = 0;
	g->queue_count = 0;
	switch (in->kind) {
	case GROUP_IN_TOTEM:
		on_totem(g, in->totem);
		return;
	case GROUP_IN_ROOM:
		on_room(g, in);
		return;
	case GROUP_IN_OPEN:
		group_local_open(g, in);
		return;
	case GROUP_IN_CLOSE:
		group_local_close(g, in);
		return;
	case GROUP_IN_JOIN:
		group_local_join(g, in);
		return;
	case GROUP_IN_LEAVE:
		group_local_leave(g, in);
		return;
	case GROUP_IN_PUBLISH:
		group_local_publish(g, in);
		return;
	case GROUP_INPUTS:
		break;
	}
	ENSURE(in->kind < GROUP_INPUTS);
}
