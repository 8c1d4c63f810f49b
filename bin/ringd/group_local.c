/* SPDX-License-Identifier: BSD-3-Clause */
/* This node's connections, and their requests on the way through the order.
 *
 * Joins, leaves and exits must not be lost for want of room in the core: they
 * wait here in one queue, in the order they were asked for, and a publish
 * never overtakes them.  Of one connection and group at most a join and the
 * leave after it are under way; a closed connection keeps its place until its
 * exit is delivered.  Each has an exit operation of its own, so that closing
 * never fails.
 */
#include <string.h>

#include "libcommon/base/ensure.h"

#include "bin/ringd/group_internal.h"

/* ---- connections ------------------------------------------------------- */

static struct group_conn *
conn_find(struct group_layer *g, uint32_t conn)
{
	for (size_t i = 0; i < GROUP_CONNS_MAX; i++) {
		struct group_conn *at = &g->conns[i];
		if (at->is_used && at->conn == conn)
			return at;
	}
	return NULL;
}

bool
group_local_is_closed(const struct group_layer *g, uint32_t conn)
{
	for (size_t i = 0; i < GROUP_CONNS_MAX; i++) {
		const struct group_conn *at = &g->conns[i];
		if (at->is_used && at->conn == conn)
			return at->is_closed;
	}
	return true;
}

void
group_local_open(struct group_layer *g, const struct group_input *in)
{
	ENSURE(conn_find(g, in->conn) == NULL);
	for (size_t i = 0; i < GROUP_CONNS_MAX; i++) {
		if (g->conns[i].is_used)
			continue;
		g->conns[i] = (struct group_conn){
			.is_used = true,
			.conn = in->conn,
			.pid = in->open.pid,
			.uid = in->open.uid,
		};
		g->ops[GROUP_OPS_MAX + i].state = GROUP_OP_FREE;
		return;
	}
	group_emit_failed(g, in->conn, 0, GROUP_FAIL_FULL);
}

/* ---- operations -------------------------------------------------------- */

static struct group_op *
op_find(struct group_layer *g, uint32_t conn, enum group_wire_kind kind,
    const struct group_name *group)
{
	for (size_t i = 0; i < g->op_count; i++) {
		struct group_op *op = &g->ops[i];
		if (op->state != GROUP_OP_FREE && op->conn == conn &&
		    op->kind == kind && op->group_len == group->len &&
		    memcmp(op->group, group->bytes, group->len) == 0)
			return op;
	}
	return NULL;
}

static struct group_op *
op_free(struct group_layer *g)
{
	for (size_t i = 0; i < g->op_count; i++) {
		if (g->ops[i].state == GROUP_OP_FREE)
			return &g->ops[i];
	}
	if (g->op_count < GROUP_OPS_MAX)
		return &g->ops[g->op_count++];
	return NULL;
}

static void
op_queue(struct group_layer *g, struct group_op *op)
{
	uint16_t at = (uint16_t)(op - g->ops);

	op->state = GROUP_OP_QUEUED;
	op->next = GROUP_OP_NONE;
	if (g->op_first == GROUP_OP_NONE)
		g->op_first = at;
	else
		g->ops[g->op_last].next = at;
	g->op_last = at;
}

/* Frees the queued operations of conn that is_vain finds to be so. */
static void
op_cancel(struct group_layer *g, uint32_t conn,
    bool (*is_vain)(struct group_layer *, const struct group_op *))
{
	uint16_t *link = &g->op_first;
	uint16_t last = GROUP_OP_NONE;

	while (*link != GROUP_OP_NONE) {
		struct group_op *op = &g->ops[*link];
		if (op->conn == conn && is_vain(g, op)) {
			op->state = GROUP_OP_FREE;
			*link = op->next;
			continue;
		}
		last = *link;
		link = &op->next;
	}
	g->op_last = last;
}

static struct group_name
op_group(const struct group_op *op)
{
	return (struct group_name){ op->group, op->group_len };
}

static bool
is_member(
    const struct group_layer *g, uint32_t conn, const struct group_name *group)
{
	size_t i;

	return group_table_find(&g->table, group, &i) &&
	    group_table_entry_find(&g->table, i, g->cfg.self, conn) != NULL;
}

static void
ask(struct group_layer *g, const struct group_op *asked)
{
	struct group_op *op = op_free(g);

	if (op == NULL) {
		group_emit_failed(
		    g, asked->conn, asked->cookie, GROUP_FAIL_FULL);
		return;
	}
	*op = *asked;
	op_queue(g, op);
}

static bool
is_group_name(const struct group_name *name)
{
	return name->len >= 1 && name->len <= LIMIT_GROUP_NAME_BYTES;
}

static void
require_open(struct group_layer *g, uint32_t conn)
{
	const struct group_conn *at = conn_find(g, conn);

	ENSURE(at != NULL);
	ENSURE(!at->is_closed);
}

void
group_local_join(struct group_layer *g, const struct group_input *in)
{
	const struct group_name *group = &in->join.group;
	const struct group_name *name = &in->join.name;
	uint64_t cookie = in->join.cookie;
	struct group_op op = { .kind = GROUP_WIRE_JOIN, .conn = in->conn };

	require_open(g, in->conn);
	if (!is_group_name(group) || name->len > LIMIT_CLIENT_NAME_BYTES) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_NAME);
		return;
	}
	if (op_find(g, in->conn, GROUP_WIRE_LEAVE, group) != NULL) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_LEAVING);
		return;
	}
	if (is_member(g, in->conn, group) ||
	    op_find(g, in->conn, GROUP_WIRE_JOIN, group) != NULL) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_MEMBER);
		return;
	}
	op.cookie = cookie;
	op.group_len = (uint8_t)group->len;
	memcpy(op.group, group->bytes, group->len);
	op.name_len = (uint8_t)name->len;
	if (name->len > 0)
		memcpy(op.name, name->bytes, name->len);
	ask(g, &op);
}

void
group_local_leave(struct group_layer *g, const struct group_input *in)
{
	const struct group_name *group = &in->leave.group;
	uint64_t cookie = in->leave.cookie;
	struct group_op op = { .kind = GROUP_WIRE_LEAVE, .conn = in->conn };

	require_open(g, in->conn);
	if (!is_group_name(group)) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_NAME);
		return;
	}
	if (op_find(g, in->conn, GROUP_WIRE_LEAVE, group) != NULL) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_LEAVING);
		return;
	}
	if (!is_member(g, in->conn, group) &&
	    op_find(g, in->conn, GROUP_WIRE_JOIN, group) == NULL) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_NOT_MEMBER);
		return;
	}
	op.cookie = cookie;
	op.group_len = (uint8_t)group->len;
	memcpy(op.group, group->bytes, group->len);
	ask(g, &op);
}

/* ---- closing ----------------------------------------------------------- */

static bool
is_join(struct group_layer *g, const struct group_op *op)
{
	(void)g; /* op_cancel asks all its judges alike */
	return op->kind == GROUP_WIRE_JOIN;
}

/* A leave whose join was cancelled. */
static bool
is_vain_leave(struct group_layer *g, const struct group_op *op)
{
	struct group_name group = op_group(op);

	return op->kind == GROUP_WIRE_LEAVE &&
	    !is_member(g, op->conn, &group) &&
	    op_find(g, op->conn, GROUP_WIRE_JOIN, &group) == NULL;
}

/* Has it been, or may it yet become, a member of anything? */
static bool
needs_exit(struct group_layer *g, uint32_t conn)
{
	for (size_t i = 0; i < g->op_count; i++) {
		const struct group_op *op = &g->ops[i];
		if (op->state != GROUP_OP_FREE && op->conn == conn)
			return true;
	}
	for (size_t i = 0; i < g->table.count; i++) {
		if (group_table_entry_find(&g->table, i, g->cfg.self, conn))
			return true;
	}
	return false;
}

void
group_local_close(struct group_layer *g, const struct group_input *in)
{
	struct group_conn *at = conn_find(g, in->conn);

	require_open(g, in->conn);
	op_cancel(g, in->conn, is_join);
	op_cancel(g, in->conn, is_vain_leave);
	if (!needs_exit(g, in->conn)) {
		*at = (struct group_conn){ .is_used = false };
		return;
	}
	struct group_op *op = &g->ops[GROUP_OPS_MAX + (at - g->conns)];
	ENSURE(op->state == GROUP_OP_FREE);
	*op = (struct group_op){ .kind = GROUP_WIRE_EXIT, .conn = in->conn };
	op_queue(g, op);
	at->is_closed = true;
}

/* ---- to the core ------------------------------------------------------- */

static struct totem_input *
submit_head(struct group_layer *g, const struct group_wire *wire,
    size_t room_bytes, size_t body_len)
{
	struct wrbuf head;

	wrbuf_init(&head, g->head, sizeof(g->head));
	group_wire_encode(wire, &head);
	if (head.len + body_len > room_bytes)
		return NULL;
	struct totem_input *core = &group_emit(g, GROUP_OUT_SUBMIT)->core;
	*core = (struct totem_input){ .kind = TOTEM_IN_SUBMIT };
	core->submit.service = TOTEM_AGREED;
	core->submit.class = TOTEM_CLASS_CLIENT;
	core->submit.head = g->head;
	core->submit.head_len = head.len;
	g->is_submitting = true;
	return core;
}

bool
group_local_submit(struct group_layer *g, size_t room_bytes)
{
	struct group_op *op = &g->ops[g->op_first];
	const struct group_conn *at = conn_find(g, op->conn);

	ENSURE(op->state == GROUP_OP_QUEUED);
	ENSURE(at != NULL);
	struct group_wire wire = {
		.kind = (enum group_wire_kind)op->kind,
		.conn = op->conn,
		.group = op_group(op),
		.name = { op->name, op->name_len },
		.pid = at->pid,
		.uid = at->uid,
	};
	if (submit_head(g, &wire, room_bytes, 0) == NULL)
		return false;
	g->op_first = op->next;
	if (g->op_first == GROUP_OP_NONE)
		g->op_last = GROUP_OP_NONE;
	op->state = GROUP_OP_SENT;
	return true;
}

static bool
is_too_long(const struct group_layer *g, size_t len)
{
	return len > g->cfg.message_bytes_max - GROUP_HEAD_BYTES_MAX;
}

void
group_local_publish(struct group_layer *g, const struct group_input *in)
{
	uint64_t cookie = in->publish.cookie;
	struct group_wire wire = {
		.kind = GROUP_WIRE_PUB,
		.conn = in->conn,
		.cookie = cookie,
		.group = in->publish.group,
		.name = in->publish.id,
	};
	bool is_checked = in->publish.has_if_view && cookie != 0;

	if (!is_group_name(&wire.group) || wire.name.len > GROUP_ID_BYTES_MAX) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_NAME);
		return;
	}
	if (is_too_long(g, in->publish.len)) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_TOO_LONG);
		return;
	}
	if (is_checked && g->checked_count == GROUP_CHECKED_MAX) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_FULL);
		return;
	}
	struct totem_input *core = NULL;
	if (g->op_first == GROUP_OP_NONE)
		core = submit_head(
		    g, &wire, in->publish.room_bytes, in->publish.len);
	if (core == NULL) {
		group_emit_failed(g, in->conn, cookie, GROUP_FAIL_AGAIN);
		return;
	}
	core->submit.service = in->publish.service;
	core->submit.body = in->publish.bytes;
	core->submit.body_len = in->publish.len;
	core->submit.has_if_view = in->publish.has_if_view;
	core->submit.if_view = in->publish.if_view;
	g->is_checked_next = is_checked;
	g->checked_next = (struct group_checked){
		.cookie = cookie, .conn = in->conn, .is_open = true
	};
}

void
group_submitted(struct group_layer *g, uint64_t msg_no)
{
	ENSURE(g->is_submitting);
	ENSURE(g->queue_at == g->queue_count);
	g->is_submitting = false;
	if (!g->is_checked_next)
		return;
	g->is_checked_next = false;
	uint32_t at = (g->checked_first + g->checked_count) % GROUP_CHECKED_MAX;
	g->checked[at] = g->checked_next;
	g->checked[at].msg_no = msg_no;
	g->checked_count++;
}

/* ---- from the core ----------------------------------------------------- */

/* Closes the entry of msg_no, found by halving: they ascend. */
static const struct group_checked *
checked_close(struct group_layer *g, uint64_t msg_no)
{
	uint32_t low = 0;
	uint32_t high = g->checked_count;

	while (low < high) {
		uint32_t middle = low + (high - low) / 2;
		struct group_checked *at =
		    &g->checked[(g->checked_first + middle) %
			GROUP_CHECKED_MAX];
		if (at->msg_no == msg_no) {
			at->is_open = false;
			return at;
		}
		if (at->msg_no < msg_no)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void
checked_trim(struct group_layer *g)
{
	while (g->checked_count > 0 && !g->checked[g->checked_first].is_open) {
		g->checked_first = (g->checked_first + 1) % GROUP_CHECKED_MAX;
		g->checked_count--;
	}
}

void
group_local_published(struct group_layer *g, uint64_t msg_no)
{
	if (g->checked_count == 0)
		return;
	(void)checked_close(g, msg_no); /* most have no if_view */
	checked_trim(g);
}

void
group_local_dropped(struct group_layer *g, uint64_t msg_no)
{
	const struct group_checked *at = checked_close(g, msg_no);

	if (at != NULL)
		group_emit_failed(g, at->conn, at->cookie, GROUP_FAIL_VIEW);
	checked_trim(g);
}

static void
exit_delivered(struct group_layer *g, uint32_t conn)
{
	struct group_conn *at = conn_find(g, conn);

	if (at == NULL || !at->is_closed)
		return;
	struct group_op *op = &g->ops[GROUP_OPS_MAX + (at - g->conns)];
	if (op->state != GROUP_OP_SENT)
		return;
	op->state = GROUP_OP_FREE;
	*at = (struct group_conn){ .is_used = false };
}

bool
group_local_delivered(
    struct group_layer *g, const struct group_wire *wire, uint64_t *cookie)
{
	if (wire->kind == GROUP_WIRE_EXIT) {
		exit_delivered(g, wire->conn);
		return false;
	}
	struct group_op *op = op_find(g, wire->conn, wire->kind, &wire->group);
	if (op == NULL || op->state != GROUP_OP_SENT)
		return false;
	op->state = GROUP_OP_FREE;
	*cookie = op->cookie;
	return !group_local_is_closed(g, wire->conn);
}

/* ---- invariants -------------------------------------------------------- */

static void
check_op(const struct group_layer *g, const struct group_op *op, bool is_exit)
{
	size_t conns = 0;

	ENSURE(is_exit == (op->kind == GROUP_WIRE_EXIT));
	for (size_t i = 0; i < GROUP_CONNS_MAX; i++)
		conns += g->conns[i].is_used && g->conns[i].conn == op->conn;
	ENSURE(conns == 1);
	if (is_exit)
		ENSURE(g->conns[op - g->ops - GROUP_OPS_MAX].is_closed);
}

/* How many are queued. */
static size_t
check_ops(const struct group_layer *g)
{
	size_t queued = 0;

	for (size_t i = 0; i < GROUP_OPS; i++) {
		const struct group_op *op = &g->ops[i];
		bool is_exit = i >= GROUP_OPS_MAX;
		bool is_ever_used = is_exit
		    ? g->conns[i - GROUP_OPS_MAX].is_used
		    : i < g->op_count;
		if (!is_ever_used || op->state == GROUP_OP_FREE)
			continue;
		check_op(g, op, is_exit);
		queued += op->state == GROUP_OP_QUEUED;
	}
	return queued;
}

void
group_local_check(const struct group_layer *g)
{
	size_t queued = check_ops(g);
	size_t walked = 0;

	for (uint16_t at = g->op_first; at != GROUP_OP_NONE;
	     at = g->ops[at].next) {
		ENSURE(g->ops[at].state == GROUP_OP_QUEUED);
		ENSURE(++walked <= queued);
		if (g->ops[at].next == GROUP_OP_NONE)
			ENSURE(g->op_last == at);
	}
	ENSURE(walked == queued);
	ENSURE(g->checked_count <= GROUP_CHECKED_MAX);
	for (uint32_t i = 1; i < g->checked_count; i++) {
		uint32_t at = (g->checked_first + i) % GROUP_CHECKED_MAX;
		uint32_t before =
		    (at + GROUP_CHECKED_MAX - 1) % GROUP_CHECKED_MAX;
		ENSURE(g->checked[before].msg_no < g->checked[at].msg_no);
	}
}
