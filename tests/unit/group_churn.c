/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/group_churn.h"

#include <stdio.h>
#include <string.h>

#include "libcommon/base/text.h"

const char *
group_churn_name(int group)
{
	static const char *const names[GROUP_CHURN_GROUPS] = { "a", "a b", "aa",
		"b", "\xFF/\x01" };

	return names[group];
}

static uint32_t
below(struct group_churn *churn, uint32_t bound)
{
	return (uint32_t)rng_below(&churn->rng, bound);
}

/* A live node by chance; 0 when that one is not. */
static uint32_t
some_node(struct group_churn *churn)
{
	uint32_t node = 1 + below(churn, GROUP_CHURN_NODES);

	return group_world_is_live(churn->world, node) ? node : 0;
}

static void
start(struct group_churn *churn, uint32_t node)
{
	char nodes[] = { (char)('0' + node), '\0' };

	group_world_start(churn->world, nodes);
}

void
group_churn_begin(struct group_churn *churn, uint64_t seed, uint32_t groups_max,
    uint32_t members_max)
{
	*churn = (struct group_churn){ 0 };
	churn->world = group_world_create(groups_max, members_max);
	rng_init(&churn->rng, seed);
	for (uint32_t node = 1; node <= GROUP_CHURN_NODES; node++)
		start(churn, node);
}

/* ---- clients ----------------------------------------------------------- */

static void
open_or_close(struct group_churn *churn, uint32_t node, uint32_t slot)
{
	uint32_t *conn = &churn->conns[node][slot];

	if (*conn == 0) {
		*conn = ++churn->next_conn[node];
		group_world_open(churn->world, node, *conn);
		return;
	}
	churn->ask =
	    (struct group_churn_ask){ GROUP_WIRE_EXIT, node, *conn, 0 };
	group_world_close(churn->world, node, *conn);
	*conn = 0;
	memset(churn->wants[node][slot], 0, sizeof(churn->wants[node][slot]));
}

static void
join_or_leave(struct group_churn *churn, uint32_t node, uint32_t slot)
{
	int group = (int)below(churn, GROUP_CHURN_GROUPS);
	uint32_t conn = churn->conns[node][slot];
	uint64_t failures = churn->failures;
	bool is_join = below(churn, 5) < 3;

	churn->ask = (struct group_churn_ask){
		is_join ? GROUP_WIRE_JOIN : GROUP_WIRE_LEAVE, node, conn, group
	};
	if (is_join)
		group_world_join(
		    churn->world, node, conn, group_churn_name(group));
	else
		group_world_leave(
		    churn->world, node, conn, group_churn_name(group));
	if (churn->failures == failures)
		churn->wants[node][slot][group] = is_join;
}

static void
publish(struct group_churn *churn, uint32_t node, uint32_t slot)
{
	int group = (int)below(churn, GROUP_CHURN_GROUPS);
	uint32_t conn = churn->conns[node][slot];
	char bytes[32];

	snprintf(bytes, sizeof(bytes), "%u", below(churn, 1000000));
	churn->ask =
	    (struct group_churn_ask){ GROUP_WIRE_PUB, node, conn, group };
	if (below(churn, 4) == 0)
		group_world_publish_if(churn->world, node, conn, bytes,
		    group_world_ring(churn->world, node));
	else
		group_world_publish(
		    churn->world, node, conn, group_churn_name(group), bytes);
}

static void
be_a_client(struct group_churn *churn, uint32_t node)
{
	uint32_t slot = below(churn, GROUP_CHURN_CONNS);
	uint32_t chance = below(churn, 10);

	if (churn->conns[node][slot] == 0 || chance == 0)
		open_or_close(churn, node, slot);
	else if (chance < 6)
		join_or_leave(churn, node, slot);
	else
		publish(churn, node, slot);
}

/* ---- rings ------------------------------------------------------------- */

static void
reform(struct group_churn *churn, bool is_all)
{
	struct group_world_cut cut = { below(churn, 4), below(churn, 4) };
	uint32_t some = 1 + below(churn, (1U << GROUP_CHURN_NODES) - 1);
	char nodes[GROUP_CHURN_NODES + 1];
	size_t count = 0;

	for (uint32_t i = 1; i <= GROUP_CHURN_NODES; i++) {
		if (group_world_is_live(churn->world, i) &&
		    (is_all || (some & 1U << (i - 1)) != 0))
			nodes[count++] = (char)('0' + i);
	}
	nodes[count] = '\0';
	if (count > 0)
		group_world_install(
		    churn->world, nodes, below(churn, 2) == 0 ? &cut : NULL);
}

static void
crash_or_start(struct group_churn *churn, uint32_t node)
{
	char nodes[] = { (char)('0' + node), '\0' };

	if (!group_world_is_live(churn->world, node)) {
		start(churn, node);
		return;
	}
	group_world_crash(churn->world, nodes);
	memset(churn->conns[node], 0, sizeof(churn->conns[node]));
	memset(churn->wants[node], 0, sizeof(churn->wants[node]));
}

static void
be_full(struct group_churn *churn, uint32_t node)
{
	static const size_t rooms[] = { 0, 20, 600, SIZE_MAX };

	if (churn->has_scarce_room)
		group_world_room(churn->world, node, rooms[below(churn, 4)]);
}

void
group_churn_step(struct group_churn *churn)
{
	uint32_t chance = below(churn, 1000);
	uint32_t node = some_node(churn);

	if (chance < 8)
		reform(churn, false);
	else if (chance < 14)
		reform(churn, true);
	else if (chance < 18)
		crash_or_start(churn, 1 + below(churn, GROUP_CHURN_NODES));
	else if (chance < 24)
		group_world_settle(churn->world);
	else if (node == 0)
		return;
	else if (chance < 50)
		be_full(churn, node);
	else if (chance < 250)
		be_a_client(churn, node);
	else if (chance < 500)
		group_world_order(churn->world, node);
	else
		group_world_deliver(churn->world, node);
}

void
group_churn_heal(struct group_churn *churn)
{
	if (!group_world_is_live(churn->world, 1))
		start(churn, 1);
	for (uint32_t i = 1; i <= GROUP_CHURN_NODES; i++) {
		if (group_world_is_live(churn->world, i))
			group_world_room(churn->world, i, SIZE_MAX);
	}
	reform(churn, true);
	group_world_settle(churn->world);
}

/* The connections of a node ascend neither with their slots nor by chance:
 * the next one above a given one; 0 when there is none. */
static uint32_t
next_wanting(
    const struct group_churn *churn, uint32_t node, int group, uint32_t above)
{
	uint32_t next = 0;

	for (uint32_t slot = 0; slot < GROUP_CHURN_CONNS; slot++) {
		uint32_t conn = churn->conns[node][slot];
		if (conn > above && (next == 0 || conn < next) &&
		    churn->wants[node][slot][group])
			next = conn;
	}
	return next;
}

static void
put_group(const struct group_churn *churn, int group, struct text *out)
{
	bool is_first = true;

	for (uint32_t node = 1; node <= GROUP_CHURN_NODES; node++) {
		uint32_t conn = 0;
		while ((conn = next_wanting(churn, node, group, conn)) != 0) {
			if (is_first && out->len > 0)
				text_put_char(out, ' ');
			if (is_first)
				text_put(out, group_churn_name(group));
			text_put_char(out, is_first ? ':' : ',');
			is_first = false;
			text_put_u64(out, node);
			text_put_char(out, '.');
			text_put_u64(out, conn);
		}
	}
}

void
group_churn_wanted(const struct group_churn *churn, struct text *out)
{
	for (int group = 0; group < GROUP_CHURN_GROUPS; group++)
		put_group(churn, group, out);
}
