/* SPDX-License-Identifier: BSD-3-Clause */
/* Who knows whose processes, and how those who do not come to.
 *
 * Two nodes know each other when they completed an exchange together and
 * have gone from ring to ring together since.  Virtual synchrony gave them
 * the same messages and the same views at the same places all that time, so
 * they hold the same table and know the same nodes: knowing is an
 * equivalence among the members of a ring, and either all of them know all,
 * or every one of them meets somebody it does not know.  So all decide alike,
 * without a word, whether the ring needs an exchange.
 *
 * A transitional view removes what was left behind, as this node saw it
 * leave: there is no vote about who left.  A regular view in which all know
 * all opens the gate at once.  In any other, everybody submits its own
 * processes, to be ordered in that ring or not at all.  What the SYNCs say
 * is staged in the order of their delivery; limits bite in that order too,
 * so that two full halves that merge lose the same members everywhere.  With
 * the last SYNC the staged table becomes the table.
 *
 * No client's message is ordered in the ring before its sender's node has
 * delivered all SYNCs.  If this node meets its own transitional view before
 * the last SYNC, it may still have to deliver such a message afterwards, from
 * a node that was faster; but then all SYNCs come before it.  Hence the
 * exchange of a ring goes on through its transitional phase, without those
 * who are gone, and whatever is incomplete then ends with the regular view.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/group_internal.h"

enum { SYNC_ROOM_MIN = 512 }; /* a smaller part is not worth its frame */

static_assert(SYNC_ROOM_MIN - GROUP_WIRE_ENTRY_BYTES_MAX >= 32,
    "every part holds its head and an entry");

/* ---- views ------------------------------------------------------------- */

/* true when the view has that node, in that life. */
static bool
view_has(const struct totem_view *view, uint32_t node, uint64_t incarnation)
{
	for (uint32_t i = 0; i < view->members.count; i++) {
		if (view->members.id[i] == node)
			return view->incarnation[i] == incarnation;
	}
	return false;
}

/* Marks the members of all nodes that are not known; tells if there are. */
static bool
remove_unknown(struct group_layer *g)
{
	bool is_changed = false;

	for (size_t i = 0; i < g->table.count; i++) {
		for (struct group_entry *entry =
			 group_table_next(&g->table, i, NULL);
		     entry != NULL;
		     entry = group_table_next(&g->table, i, entry)) {
			const struct group_peer *peer = group_peer_find(
			    g, entry->member.node, entry->member.incarnation);
			if ((entry->flags & GROUP_ENTRY_LIVE) == 0 ||
			    (peer != NULL && peer->is_known))
				continue;
			group_table_leave(
			    &g->table, i, entry, GROUP_REASON_NODEDOWN);
			is_changed = true;
		}
	}
	return is_changed;
}

static void
on_transitional(struct group_layer *g, const struct totem_view *view)
{
	if (!g->is_installed)
		return;
	ENSURE(group_ring_equal(view->ring, g->pos.ring));
	ENSURE(view_has(view, g->cfg.self, g->cfg.incarnation));
	g->pos.phase = TOTEM_PHASE_TRANSITIONAL;
	g->pos.idx = 0;
	g->is_gate_due = false;
	g->is_sync_due = false;
	for (uint32_t i = 0; i < g->peer_count; i++) {
		struct group_peer *peer = &g->peers[i];
		if (view_has(view, peer->node, peer->incarnation))
			continue;
		peer->is_present = false;
		peer->is_known = false;
	}
	if (remove_unknown(g))
		group_emit_views(g, g->pos);
}

/* Carries over who is known; true when that is everybody. */
static bool
install_peers(struct group_layer *g, const struct totem_view *view)
{
	struct group_peer peers[LIMIT_NODES] = { 0 };
	uint32_t known = 0;

	ENSURE(view->members.count <= LIMIT_NODES);
	for (uint32_t i = 0; i < view->members.count; i++) {
		struct group_peer *peer = &peers[i];
		peer->node = view->members.id[i];
		peer->incarnation = view->incarnation[i];
		const struct group_peer *before =
		    group_peer_find(g, peer->node, peer->incarnation);
		peer->is_present = true;
		peer->is_known = before != NULL && before->is_known;
		if (peer->node == g->cfg.self)
			peer->is_known = true;
		known += peer->is_known;
	}
	memcpy(g->peers, peers, sizeof(peers));
	g->peer_count = view->members.count;
	return known == g->peer_count;
}

static void
complete_at_once(struct group_layer *g)
{
	g->is_synced = true;
	g->is_gate_due = true;
	group_emit(g, GROUP_OUT_SYNCED)->synced = g->pos;
}

static void
on_regular(struct group_layer *g, const struct totem_view *view)
{
	ENSURE(view_has(view, g->cfg.self, g->cfg.incarnation));
	if (g->is_installed && !g->is_synced)
		g->counts[GROUP_COUNT_EXCHANGES_ABORTED]++;
	group_table_unstage(&g->table);
	/* Without a transitional view nobody came along. */
	bool has_ended = g->pos.phase == TOTEM_PHASE_TRANSITIONAL;
	for (uint32_t i = 0; i < g->peer_count && !has_ended; i++)
		g->peers[i].is_known = false;
	g->is_installed = true;
	g->pos = (struct group_pos){ .ring = view->ring,
		.phase = TOTEM_PHASE_REGULAR };
	g->is_gate_due = false;
	g->is_sync_due = false;
	g->is_synced = false;
	bool is_all_known = install_peers(g, view);
	if (remove_unknown(g))
		group_emit_views(g, g->pos);
	if (is_all_known) {
		complete_at_once(g);
		return;
	}
	g->is_sync_due = true;
	g->sync_part = 0;
	g->has_sync_cursor = false;
	g->counts[GROUP_COUNT_EXCHANGES]++;
}

void
group_exchange_view(struct group_layer *g, const struct totem_view *view)
{
	if (view->phase == TOTEM_PHASE_TRANSITIONAL)
		on_transitional(g, view);
	else
		on_regular(g, view);
}

/* ---- SYNC, sending ----------------------------------------------------- */

/* The table's own entries cannot change during an exchange, but connections
 * close: those are left out, and so leave when it completes. */
static bool
is_sent(const struct group_layer *g, const struct group_entry *entry)
{
	return (entry->flags & GROUP_ENTRY_LIVE) != 0 &&
	    entry->member.node == g->cfg.self &&
	    !group_local_is_closed(g, entry->member.conn);
}

/* Appends the entries of group i above conn_min; false when one does not
 * fit.  The cursor stands on the last one written. */
static bool
write_group(
    struct group_layer *g, size_t i, uint64_t conn_min, struct wrbuf *out)
{
	const struct group_slot *slot = group_table_slot(&g->table, i);

	for (const struct group_entry *entry =
		 group_table_next(&g->table, i, NULL);
	     entry != NULL; entry = group_table_next(&g->table, i, entry)) {
		const struct group_member *member = &entry->member;
		if (!is_sent(g, entry) || member->conn < conn_min)
			continue;
		struct group_wire_entry sent = {
			.group = group_table_name(slot),
			.name = { (const uint8_t *)member->name,
			    member->name_len },
			.conn = member->conn,
			.pid = member->pid,
			.uid = member->uid,
		};
		if (group_wire_entry_len(&sent) > wrbuf_left(out))
			return false;
		group_wire_entry_encode(&sent, out);
		g->has_sync_cursor = true;
		g->sync_after = *slot;
		g->sync_after_conn = member->conn;
	}
	return true;
}

/* Appends what follows the cursor; true when that was all. */
static bool
write_entries(struct group_layer *g, struct wrbuf *out)
{
	size_t i = 0;

	if (g->has_sync_cursor) {
		struct group_name after = group_table_name(&g->sync_after);
		uint64_t conn_min = (uint64_t)g->sync_after_conn + 1;
		if (group_table_find(&g->table, &after, &i)) {
			if (!write_group(g, i, conn_min, out))
				return false;
			i++;
		}
	}
	for (; i < g->table.count; i++) {
		if (!write_group(g, i, 0, out))
			return false;
	}
	return true;
}

bool
group_exchange_submit(struct group_layer *g, size_t room_bytes)
{
	struct group_wire wire = { .kind = GROUP_WIRE_SYNC };
	size_t most = (size_t)num_min(room_bytes,
	    num_min(g->cfg.message_bytes_max, GROUP_SYNC_BYTES_MAX));
	struct wrbuf head, body;

	ENSURE(g->is_sync_due && !g->is_synced);
	if (most < SYNC_ROOM_MIN)
		return false;
	wrbuf_init(&body, g->sync_bytes, most - 32);
	wire.is_last = write_entries(g, &body);
	wire.ring = g->pos.ring;
	wire.part = g->sync_part++;
	wrbuf_init(&head, g->head, sizeof(g->head));
	group_wire_encode(&wire, &head);
	ENSURE(head.len <= 32);
	g->is_sync_due = !wire.is_last;
	g->is_submitting = true;
	g->counts[GROUP_COUNT_SYNCS_SENT]++;

	struct group_effect *effect = group_emit(g, GROUP_OUT_SUBMIT);
	effect->core = (struct totem_input){ .kind = TOTEM_IN_SUBMIT };
	effect->core.submit.service = TOTEM_AGREED;
	effect->core.submit.class = TOTEM_CLASS_SYSTEM;
	effect->core.submit.head = g->head;
	effect->core.submit.head_len = head.len;
	effect->core.submit.body = g->sync_bytes;
	effect->core.submit.body_len = body.len;
	effect->core.submit.has_if_view = true;
	effect->core.submit.if_view = g->pos.ring;
	return true;
}

/* ---- SYNC, receiving --------------------------------------------------- */

static void
stage(struct group_layer *g, const struct group_peer *peer,
    const struct group_wire_entry *sent)
{
	struct group_member member = {
		.node = peer->node,
		.conn = sent->conn,
		.incarnation = peer->incarnation,
		.pid = sent->pid,
		.uid = sent->uid,
		.name_len = (uint8_t)sent->name.len,
	};
	struct group_entry *entry = NULL;
	size_t i;

	if (sent->name.len > 0)
		memcpy(member.name, sent->name.bytes, sent->name.len);
	if (group_table_find(&g->table, &sent->group, &i))
		entry = group_table_entry_find(
		    &g->table, i, member.node, member.conn);
	if (entry != NULL && (entry->flags & GROUP_ENTRY_STAGED) != 0) {
		g->counts[GROUP_COUNT_REPEATED]++;
		return;
	}
	if (group_table_is_staged_full(&g->table, &sent->group)) {
		g->counts[GROUP_COUNT_REFUSED]++;
		if (entry != NULL)
			entry->flags |= GROUP_ENTRY_REFUSED;
		return;
	}
	i = group_table_put(&g->table, &sent->group);
	entry = group_table_entry_put(&g->table, i, &member);
	group_table_stage(&g->table, i, entry);
}

/* What the exchange makes of one entry. */
static void
decide(struct group_layer *g, size_t i, struct group_entry *entry)
{
	const struct group_peer *peer =
	    group_peer_find(g, entry->member.node, entry->member.incarnation);
	bool is_live = (entry->flags & GROUP_ENTRY_LIVE) != 0;
	bool is_staged = (entry->flags & GROUP_ENTRY_STAGED) != 0;
	bool is_refused = (entry->flags & GROUP_ENTRY_REFUSED) != 0;

	ENSURE(peer != NULL);
	if (is_live)
		ENSURE(peer->is_known && peer->is_present);
	if (is_live && !is_staged)
		group_table_leave(&g->table, i, entry,
		    is_refused ? GROUP_REASON_FULL : GROUP_REASON_PROCDOWN);
	if (!is_live && is_staged && peer->is_present)
		group_table_join(&g->table, i, entry,
		    peer->is_known ? GROUP_REASON_JOIN : GROUP_REASON_NODEUP);
}

static void
complete(struct group_layer *g)
{
	for (size_t i = 0; i < g->table.count; i++) {
		for (struct group_entry *entry =
			 group_table_next(&g->table, i, NULL);
		     entry != NULL;
		     entry = group_table_next(&g->table, i, entry))
			decide(g, i, entry);
	}
	group_table_unstage(&g->table);
	for (uint32_t i = 0; i < g->peer_count; i++)
		g->peers[i].is_known = g->peers[i].is_present;
	g->is_synced = true;
	g->is_sync_due = false;
	g->is_gate_due = g->pos.phase == TOTEM_PHASE_REGULAR;
	group_emit_views(g, g->pos);
	group_emit(g, GROUP_OUT_SYNCED)->synced = g->pos;
}

static bool
has_all_synced(const struct group_layer *g)
{
	for (uint32_t i = 0; i < g->peer_count; i++) {
		if (!g->peers[i].has_synced)
			return false;
	}
	return true;
}

void
group_exchange_sync(struct group_layer *g,
    const struct totem_delivery *delivery, const struct group_wire *wire)
{
	struct group_peer *peer =
	    group_peer_find(g, delivery->node, delivery->incarnation);
	struct group_wire_entry entry;
	struct rdbuf rd;

	if (peer == NULL || g->is_synced || peer->has_synced ||
	    !group_ring_equal(wire->ring, g->pos.ring) ||
	    wire->part != peer->next_part) {
		g->counts[GROUP_COUNT_SYNCS_STALE]++;
		return;
	}
	g->counts[GROUP_COUNT_SYNCS_RECEIVED]++;
	rdbuf_init(&rd, wire->bytes, wire->len);
	while (rdbuf_left(&rd) > 0 && group_wire_entry_decode(&rd, &entry))
		stage(g, peer, &entry);
	ENSURE(rdbuf_is_done(&rd));
	peer->next_part++;
	peer->has_synced = wire->is_last;
	if (has_all_synced(g))
		complete(g);
}
