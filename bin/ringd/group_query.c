/* SPDX-License-Identifier: BSD-3-Clause */
/* What can be asked of the group layer between steps, words, invariants. */
#include "libcommon/base/ensure.h"

#include "bin/ringd/group_internal.h"

static_assert(LIMIT_GROUP_MEMBERS >= LIMIT_GROUPS, "no group is empty");

/* A group of the table that is only staged does not count.  Without an
 * exchange under way there is none. */
static bool
is_shown(const struct group_layer *g, size_t at)
{
	return group_table_slot(&g->table, at)->live > 0;
}

size_t
group_total(const struct group_layer *g)
{
	ENSURE(!g->is_view_told);
	return g->table.live_groups;
}

/* The place in the table of the i-th group that counts. */
static size_t
place(const struct group_layer *g, size_t i)
{
	ENSURE(i < group_total(g));
	if (g->table.count == g->table.live_groups)
		return i;
	for (size_t at = 0; at < g->table.count; at++) {
		if (is_shown(g, at) && i-- == 0)
			return at;
	}
	ENSURE(false);
}

void
group_at(const struct group_layer *g, size_t i, struct group_name *out)
{
	*out = group_table_name(group_table_slot(&g->table, place(g, i)));
}

const struct group_member *
group_member_next(
    const struct group_layer *g, size_t i, const struct group_member *after)
{
	size_t at = place(g, i);
	const struct group_entry *entry = NULL;

	if (after != NULL)
		entry = group_table_entry_find(
		    &g->table, at, after->node, after->conn);
	do
		entry = group_table_next(&g->table, at, entry);
	while (entry != NULL && (entry->flags & GROUP_ENTRY_LIVE) == 0);
	return entry == NULL ? NULL : &entry->member;
}

bool
group_find(
    const struct group_layer *g, const struct group_name *name, size_t *i)
{
	size_t at;

	ENSURE(!g->is_view_told);
	if (!group_table_find(&g->table, name, &at) || !is_shown(g, at))
		return false;
	*i = 0;
	for (size_t before = 0; before < at; before++)
		*i += is_shown(g, before);
	return true;
}

const struct group_member *
group_member_find(
    const struct group_layer *g, size_t i, uint32_t node, uint32_t conn)
{
	const struct group_entry *entry =
	    group_table_entry_find(&g->table, place(g, i), node, conn);

	if (entry == NULL || (entry->flags & GROUP_ENTRY_LIVE) == 0)
		return NULL;
	return &entry->member;
}

uint64_t
group_count(const struct group_layer *g, enum group_counter counter)
{
	ENSURE(counter < GROUP_COUNTERS);
	return g->counts[counter];
}

void
group_status(const struct group_layer *g, struct group_status *out)
{
	*out = (struct group_status){
		.is_synced = g->is_synced,
		.ring = g->pos.ring,
		.groups = g->table.live_groups,
		.members = g->table.live_members,
	};
	for (uint32_t i = 0; i < g->peer_count && !g->is_synced; i++) {
		if (!g->peers[i].has_synced)
			out->awaited.id[out->awaited.count++] =
			    g->peers[i].node;
	}
	for (size_t i = 0; i < GROUP_CONNS_MAX; i++) {
		out->conns += g->conns[i].is_used;
		out->ops += g->conns[i].is_closed;
	}
	for (size_t i = 0; i < g->op_count; i++)
		out->ops += g->ops[i].state != GROUP_OP_FREE;
}

/* ---- words ------------------------------------------------------------- */

const char *
group_counter_name(enum group_counter counter)
{
	static const char *const names[GROUP_COUNTERS] = {
		[GROUP_COUNT_MESSAGES] = "group_messages",
		[GROUP_COUNT_VIEWS] = "group_views",
		[GROUP_COUNT_MALFORMED] = "group_malformed",
		[GROUP_COUNT_EARLY] = "group_early",
		[GROUP_COUNT_GONE] = "group_gone",
		[GROUP_COUNT_REPEATED] = "group_repeated",
		[GROUP_COUNT_REFUSED] = "group_refused",
		[GROUP_COUNT_SYNCS_SENT] = "group_syncs_sent",
		[GROUP_COUNT_SYNCS_RECEIVED] = "group_syncs_received",
		[GROUP_COUNT_SYNCS_STALE] = "group_syncs_stale",
		[GROUP_COUNT_EXCHANGES] = "group_exchanges",
		[GROUP_COUNT_EXCHANGES_ABORTED] = "group_exchanges_aborted",
	};

	ENSURE(counter < GROUP_COUNTERS);
	return names[counter];
}

const char *
group_reason_name(enum group_reason reason)
{
	static const char *const names[GROUP_REASONS] = {
		[GROUP_REASON_JOIN] = "join",
		[GROUP_REASON_NODEUP] = "nodeup",
		[GROUP_REASON_LEAVE] = "leave",
		[GROUP_REASON_NODEDOWN] = "nodedown",
		[GROUP_REASON_PROCDOWN] = "procdown",
		[GROUP_REASON_FULL] = "full",
	};

	ENSURE(reason < GROUP_REASONS);
	return names[reason];
}

const char *
group_failure_name(enum group_failure failure)
{
	static const char *const names[GROUP_FAILURES] = {
		[GROUP_FAIL_VIEW] = "view",
		[GROUP_FAIL_AGAIN] = "again",
		[GROUP_FAIL_TOO_LONG] = "toolong",
		[GROUP_FAIL_NAME] = "name",
		[GROUP_FAIL_MEMBER] = "member",
		[GROUP_FAIL_NOT_MEMBER] = "notmember",
		[GROUP_FAIL_LEAVING] = "leaving",
		[GROUP_FAIL_FULL] = "busy",
	};

	ENSURE(failure < GROUP_FAILURES);
	return names[failure];
}

/* ---- invariants -------------------------------------------------------- */

static void
check_peers(const struct group_layer *g)
{
	size_t own = 0;
	size_t known = 0;
	size_t present = 0;

	for (uint32_t i = 0; i < g->peer_count; i++) {
		const struct group_peer *peer = &g->peers[i];
		if (i > 0)
			ENSURE(g->peers[i - 1].node < peer->node);
		if (peer->is_known)
			ENSURE(peer->is_present);
		if (peer->has_synced)
			ENSURE(peer->next_part > 0);
		if (peer->node == g->cfg.self)
			own += peer->is_known;
		known += peer->is_known;
		present += peer->is_present;
	}
	ENSURE(own == g->is_installed);
	ENSURE(g->is_installed == (g->peer_count > 0));
	if (g->is_synced)
		ENSURE(known == present);
}

static void
check_entry(const struct group_layer *g, const struct group_entry *entry)
{
	const struct group_peer *owner = NULL;

	for (uint32_t i = 0; i < g->peer_count; i++) {
		if (g->peers[i].node == entry->member.node &&
		    g->peers[i].incarnation == entry->member.incarnation)
			owner = &g->peers[i];
	}
	ENSURE(owner != NULL);
	if (entry->flags == GROUP_ENTRY_LIVE)
		ENSURE(owner->is_known);
	if ((entry->flags & GROUP_ENTRY_STAGED) != 0)
		ENSURE(!g->is_synced);
}

void
group_check(const struct group_layer *g)
{
	group_table_check(&g->table);
	group_local_check(g);
	check_peers(g);
	if (g->queue_at < g->queue_count)
		return; /* views are being told */
	ENSURE(g->table.live_members <= g->table.members_max);
	ENSURE(g->table.live_groups <= g->table.groups_max);
	for (size_t i = 0; i < g->table.count; i++) {
		ENSURE(group_table_slot(&g->table, i)->changes == 0);
		for (const struct group_entry *entry =
			 group_table_next(&g->table, i, NULL);
		     entry != NULL;
		     entry = group_table_next(&g->table, i, entry))
			check_entry(g, entry);
	}
	if (g->is_gate_due)
		ENSURE(g->is_synced);
	if (g->is_sync_due)
		ENSURE(!g->is_synced);
}
