/* SPDX-License-Identifier: BSD-3-Clause */
/* Process groups, as stories: what clients do, what rings do, what is told. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"

#include "bin/ringd/group_wire.h"
#include "tests/unit/check.h"
#include "tests/unit/group_world.h"

/* ---- one ring ---------------------------------------------------------- */

static void
test_group_join_leave_and_messages_share_one_order(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join(w, 1, 1, "a");
	group_world_settle(w);
	group_world_join(w, 2, 1, "a");
	group_world_settle(w);
	group_world_publish(w, 1, 1, "a", "hello");
	group_world_settle(w);
	group_world_leave(w, 1, 1, "a");
	group_world_settle(w);
	STORY(w, 1,
	    "a = 1.1 +1.1:join\n"
	    "done 1.1\n"
	    "a = 1.1 2.1 +2.1:join\n"
	    "a < 1.1 hello\n"
	    "done 1.1\n"
	    "a = 2.1 -1.1:leave\n"
	    "done 1.1\n");
	STORY(w, 2,
	    "a = 1.1 +1.1:join\n"
	    "a = 1.1 2.1 +2.1:join\n"
	    "done 2.1\n"
	    "a < 1.1 hello\n"
	    "a = 2.1 -1.1:leave\n");
	GROUPS(w, 2, "a:2.1");
	group_world_destroy(w);
}

static void
test_group_exit_leaves_every_group_once(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join(w, 1, 1, "b");
	group_world_join(w, 1, 1, "a");
	group_world_join_all(w, "2", "a");
	group_world_story(w, 1);
	group_world_close(w, 1, 1);
	group_world_settle(w);
	STORY(w, 2, "a = 2.1 -1.1:procdown\nb = -1.1:procdown\n");
	STORY(w, 1, "a = 2.1 -1.1:procdown\nb = -1.1:procdown\n");
	GROUPS(w, 1, "a:2.1");
	group_world_destroy(w);
}

static void
test_group_publish_needs_no_join_and_any_bytes_name_a_group(void)
{
	struct group_world *w = group_world_ring_of("12");
	char longest[LIMIT_GROUP_NAME_BYTES + 2];

	group_world_publish(w, 1, 1, "nobody/is here", "x");
	group_world_publish(w, 1, 1, "", "x");
	memset(longest, 'g', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	group_world_join(w, 1, 1, longest);
	group_world_join(w, 1, 1, "\x01 \xFF");
	group_world_settle(w);
	STORY(w, 1,
	    "failed 1.1 name\n"
	    "failed 1.1 name\n"
	    "nobody/is here < 1.1 x\n"
	    "done 1.1\n"
	    "\x01 \xFF = 1.1 +1.1:join\n"
	    "done 1.1\n");
	STORY(w, 2, "nobody/is here < 1.1 x\n\x01 \xFF = 1.1 +1.1:join\n");
	group_world_destroy(w);
}

/* Row 32: one departure has one reason, and nobody rejoins before it left. */
static void
test_group_join_leave_join_in_one_batch(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join(w, 1, 1, "a");
	group_world_join(w, 1, 1, "a");
	group_world_leave(w, 1, 1, "a");
	group_world_leave(w, 1, 1, "a");
	group_world_join(w, 1, 1, "a");
	group_world_settle(w);
	group_world_join(w, 1, 1, "a");
	group_world_settle(w);
	group_world_leave(w, 1, 1, "a");
	group_world_close(w, 1, 1);
	group_world_settle(w);
	STORY(w, 1,
	    "failed 1.1 member\n"
	    "failed 1.1 leaving\n"
	    "failed 1.1 leaving\n"
	    "a = 1.1 +1.1:join\n"
	    "done 1.1\n"
	    "a = -1.1:leave\n"
	    "done 1.1\n"
	    "a = 1.1 +1.1:join\n"
	    "done 1.1\n"
	    "a = -1.1:leave\n");
	group_world_destroy(w);
}

static void
test_group_leave_of_a_stranger_fails(void)
{
	struct group_world *w = group_world_ring_of("1");

	group_world_leave(w, 1, 1, "a");
	STORY(w, 1, "failed 1.1 notmember\n");
	group_world_destroy(w);
}

static void
test_group_two_connections_are_two_members(void)
{
	struct group_world *w = group_world_ring_of("12");
	const struct group_member *member;
	struct group_name name = { (const uint8_t *)"a", 1 };
	size_t i;

	group_world_open(w, 1, 2);
	group_world_join(w, 1, 2, "a");
	group_world_join(w, 1, 1, "a");
	group_world_settle(w);
	GROUPS(w, 2, "a:1.1,1.2");
	if (!CHECK(group_find(group_world_layer(w, 2), &name, &i)))
		return;
	member = group_member_find(group_world_layer(w, 2), i, 1, 2);
	if (!CHECK(member != NULL))
		return;
	CHECK_EQ(member->pid, 1002);
	CHECK_EQ(member->uid, 7);
	CHECK_EQ(member->incarnation, 1);
	CHECK_MEM(member->name, member->name_len, "n", 1);
	CHECK(group_member_find(group_world_layer(w, 2), i, 2, 1) == NULL);
	group_world_destroy(w);
}

/* ---- room -------------------------------------------------------------- */

static void
test_group_join_waits_for_room_and_no_publish_overtakes_it(void)
{
	struct group_world *w = group_world_ring_of("1");

	group_world_room(w, 1, 0);
	group_world_join(w, 1, 1, "a");
	group_world_leave(w, 1, 1, "a");
	group_world_publish(w, 1, 1, "a", "x");
	group_world_settle(w);
	STORY(w, 1, "failed 1.1 again\n");
	group_world_room(w, 1, 100);
	group_world_publish(w, 1, 1, "a", "x");
	group_world_settle(w);
	STORY(w, 1,
	    "a = 1.1 +1.1:join\n"
	    "done 1.1\n"
	    "a = -1.1:leave\n"
	    "done 1.1\n"
	    "a < 1.1 x\n"
	    "done 1.1\n");
	group_world_destroy(w);
}

static void
test_group_short_publish_does_not_overtake_a_long_join(void)
{
	struct group_world *w = group_world_ring_of("1");

	group_world_room(w, 1, 20);
	group_world_join(w, 1, 1, "a group of a rather long name");
	group_world_publish(w, 1, 1, "a", "x");
	group_world_settle(w);
	STORY(w, 1, "failed 1.1 again\n");
	group_world_destroy(w);
}

static void
test_group_close_cancels_what_was_not_sent(void)
{
	struct group_world *w = group_world_ring_of("1");
	struct group_status status;

	group_world_join(w, 1, 1, "b");
	group_world_settle(w);
	group_world_room(w, 1, 0);
	group_world_join(w, 1, 1, "a");
	group_world_leave(w, 1, 1, "a");
	group_world_leave(w, 1, 1, "b");
	group_world_story(w, 1);
	group_world_close(w, 1, 1);
	group_status(group_world_layer(w, 1), &status);
	CHECK_EQ(status.ops, 2);
	CHECK_EQ(status.conns, 1);
	group_world_room(w, 1, SIZE_MAX);
	group_world_settle(w);
	STORY(w, 1, "b = -1.1:leave\n");
	group_status(group_world_layer(w, 1), &status);
	CHECK_EQ(status.ops, 0);
	CHECK_EQ(status.conns, 0);
	group_world_destroy(w);
}

static void
test_group_publish_too_long_fails(void)
{
	struct group_world *w = group_world_ring_of("1");
	char *bytes = malloc(65536);

	memset(bytes, 'x', 65535);
	bytes[65535] = '\0';
	group_world_publish(w, 1, 1, "a", bytes);
	STORY(w, 1, "failed 1.1 toolong\n");
	bytes[65536 - GROUP_HEAD_BYTES_MAX] = '\0';
	group_world_publish(w, 1, 1, "a", bytes);
	STORY(w, 1, "");
	group_world_room(w, 1, 1000);
	group_world_publish(w, 1, 1, "a", bytes);
	STORY(w, 1, "failed 1.1 again\n");
	free(bytes);
	group_world_destroy(w);
}

static void
test_group_connections_and_requests_have_a_limit(void)
{
	struct group_world *w = group_world_ring_of("1");
	char name[16];

	group_world_room(w, 1, 0);
	for (uint32_t conn = 2; conn <= GROUP_CONNS_MAX; conn++)
		group_world_open(w, 1, conn);
	STORY(w, 1, "");
	group_world_open(w, 1, GROUP_CONNS_MAX + 1);
	STORY(w, 1, "failed 1.257 busy\n");
	for (int i = 0; i < GROUP_OPS_MAX; i++) {
		snprintf(name, sizeof(name), "%d", i);
		group_world_join(w, 1, 1, name);
	}
	STORY(w, 1, "");
	group_world_join(w, 1, 1, "more");
	STORY(w, 1, "failed 1.1 busy\n");
	group_world_close(w, 1, 1);
	group_world_open(w, 1, GROUP_CONNS_MAX + 1);
	group_world_join(w, 1, GROUP_CONNS_MAX + 1, "more");
	group_world_room(w, 1, SIZE_MAX);
	group_world_settle(w);
	GROUPS(w, 1, "more:1.257");
	group_world_destroy(w);
}

/* ---- if_view ----------------------------------------------------------- */

static void
test_group_if_view_is_ordered_in_that_view_or_not_at_all(void)
{
	struct group_world *w = group_world_ring_of("12");
	struct totem_ring_id ring = group_world_ring(w, 1);

	group_world_publish_if(w, 1, 1, "held", ring);
	group_world_order(w, 1);
	group_world_publish_if(w, 1, 1, "late", ring);
	group_world_publish(w, 1, 1, "a", "free");
	group_world_install(w, "1", NULL);
	group_world_settle(w);
	STORY(w, 1,
	    "a < 1.1 held\n"
	    "done 1.1\n"
	    "synced\n"
	    "failed 1.1 view\n"
	    "a < 1.1 free\n"
	    "done 1.1\n");
	group_world_destroy(w);
}

static void
test_group_if_view_has_a_limit(void)
{
	struct group_world *w = group_world_ring_of("1");
	struct totem_ring_id ring = group_world_ring(w, 1);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < GROUP_CHECKED_MAX; i++)
			group_world_publish_if(w, 1, 1, "x", ring);
		STORY(w, 1, "");
		group_world_publish_if(w, 1, 1, "x", ring);
		STORY(w, 1, "failed 1.1 busy\n");
		group_world_settle(w);
		group_world_story(w, 1);
	}
	group_world_destroy(w);
}

/* ---- limits ------------------------------------------------------------ */

static void
test_group_full_table_refuses_the_same_join_everywhere(void)
{
	struct group_world *w = group_world_create(2, 3);

	group_world_start(w, "12");
	group_world_install(w, "12", NULL);
	group_world_settle(w);
	group_world_open(w, 1, 1);
	group_world_open(w, 2, 1);
	group_world_join(w, 1, 1, "a");
	group_world_join(w, 2, 1, "b");
	group_world_settle(w);
	group_world_join(w, 1, 1, "c");
	group_world_settle(w);
	group_world_join(w, 1, 1, "b");
	group_world_settle(w);
	group_world_join(w, 2, 1, "a");
	group_world_settle(w);
	STORY(w, 1,
	    "synced\n"
	    "a = 1.1 +1.1:join\n"
	    "done 1.1\n"
	    "b = 2.1 +2.1:join\n"
	    "failed 1.1 busy\n"
	    "b = 1.1 2.1 +1.1:join\n"
	    "done 1.1\n");
	STORY(w, 2,
	    "synced\n"
	    "a = 1.1 +1.1:join\n"
	    "b = 2.1 +2.1:join\n"
	    "done 2.1\n"
	    "b = 1.1 2.1 +1.1:join\n"
	    "failed 2.1 busy\n");
	CHECK_EQ(group_count(group_world_layer(w, 1), GROUP_COUNT_REFUSED), 2);
	group_world_destroy(w);
}

static void
test_group_merge_of_two_full_halves_loses_the_same_members_everywhere(void)
{
	struct group_world *w = group_world_create(4, 4);

	group_world_start(w, "12");
	for (uint32_t node = 1; node <= 2; node++) {
		group_world_install(w, node == 1 ? "1" : "2", NULL);
		for (uint32_t conn = 1; conn <= 4; conn++) {
			char name[] = { (char)('a' + 4 * (node - 1) + conn - 1),
				'\0' };
			group_world_open(w, node, conn);
			group_world_join(w, node, conn, name);
		}
		group_world_settle(w);
		group_world_story(w, node);
	}
	GROUPS(w, 1, "a:1.1 b:1.2 c:1.3 d:1.4");
	GROUPS(w, 2, "e:2.1 f:2.2 g:2.3 h:2.4");
	group_world_leave(w, 1, 4, "d");
	group_world_settle(w);
	group_world_story(w, 1);
	group_world_install(w, "12", NULL);
	group_world_order(w, 1);
	group_world_settle(w);
	STORY(w, 1, "e = 2.1 +2.1:nodeup\nsynced\n");
	STORY(w, 2,
	    "a = 1.1 +1.1:nodeup\n"
	    "b = 1.2 +1.2:nodeup\n"
	    "c = 1.3 +1.3:nodeup\n"
	    "f = -2.2:full\n"
	    "g = -2.3:full\n"
	    "h = -2.4:full\n"
	    "synced\n");
	GROUPS(w, 2, "a:1.1 b:1.2 c:1.3 e:2.1");
	group_world_leave(w, 2, 1, "e");
	group_world_leave(w, 2, 2, "f");
	group_world_settle(w);
	group_world_join(w, 2, 2, "f");
	group_world_settle(w);
	STORY(w, 2,
	    "failed 2.2 notmember\n"
	    "e = -2.1:leave\n"
	    "done 2.1\n"
	    "f = 2.2 +2.2:join\n"
	    "done 2.2\n");
	group_world_destroy(w);
}

/* All of the defaults: 4096 members, more than one SYNC holds. */
static void
test_group_a_full_node_needs_several_syncs(void)
{
	struct group_world *w = group_world_ring_of("1");
	char name[LIMIT_GROUP_NAME_BYTES];
	struct group_status status;

	group_world_start(w, "2");
	group_world_install(w, "2", NULL);
	for (uint32_t conn = 2; conn <= 5; conn++)
		group_world_open(w, 1, conn);
	for (int i = 0; i < LIMIT_GROUPS; i++) {
		memset(name, 'x', sizeof(name));
		snprintf(name + 100, sizeof(name) - 100, "%04d", i);
		for (uint32_t conn = 2; conn <= 5; conn++)
			group_world_join(w, 1, conn, name);
		if (i % 64 == 0)
			group_world_settle(w);
	}
	group_world_settle(w);
	group_world_join(w, 1, 1, name);
	group_world_settle(w);
	group_status(group_world_layer(w, 1), &status);
	CHECK_EQ(status.members, LIMIT_GROUP_MEMBERS);
	CHECK_EQ(status.groups, LIMIT_GROUPS);
	group_world_install(w, "12", NULL);
	group_world_settle(w);
	group_status(group_world_layer(w, 2), &status);
	CHECK_EQ(status.members, LIMIT_GROUP_MEMBERS);
	CHECK(
	    group_count(group_world_layer(w, 1), GROUP_COUNT_SYNCS_SENT) > 10);
	CHECK(strlen(group_world_groups(w, 2)) > 100000);
	group_world_destroy(w);
}

/* ---- what must not be believed ----------------------------------------- */

static void
test_group_malformed_and_stale_messages_are_counted_and_ignored(void)
{
	static const uint8_t join[] = { 2, 9, 1, 'a', 1, 1, 0 };
	static const uint8_t tail[] = { 2, 9, 1, 'a', 1, 1, 0, 0 };
	static const uint8_t unnamed[] = { 2, 9, 0, 1, 1, 0 };
	static const uint8_t leave[] = { 3, 9, 1, 'z' };
	static const uint8_t sync[] = { 5, 0, 0, 0, 0, 0, 0, 0, 9, 0, 0, 0, 1,
		0, 0, 0, 7, 1, 0 };
	struct group_world *w = group_world_ring_of("12");
	const struct group_layer *g = group_world_layer(w, 2);

	group_world_inject(w, 1, TOTEM_CLASS_CLIENT, "", 0);
	group_world_inject(w, 1, TOTEM_CLASS_CLIENT, "\x09", 1);
	group_world_inject(w, 1, TOTEM_CLASS_CLIENT, tail, sizeof(tail));
	group_world_inject(w, 1, TOTEM_CLASS_CLIENT, unnamed, sizeof(unnamed));
	group_world_inject(w, 1, TOTEM_CLASS_SYSTEM, join, sizeof(join));
	group_world_inject(w, 1, TOTEM_CLASS_CLIENT, sync, sizeof(sync));
	group_world_settle(w);
	CHECK_EQ(group_count(g, GROUP_COUNT_MALFORMED), 6);
	group_world_inject(w, 1, TOTEM_CLASS_SYSTEM, sync, sizeof(sync));
	group_world_inject(w, 1, TOTEM_CLASS_CLIENT, leave, sizeof(leave));
	group_world_settle(w);
	CHECK_EQ(group_count(g, GROUP_COUNT_SYNCS_STALE), 1);
	CHECK_EQ(group_count(g, GROUP_COUNT_REPEATED), 1);
	STORY(w, 2, "");
	group_world_inject(w, 1, TOTEM_CLASS_CLIENT, join, sizeof(join));
	group_world_inject(w, 1, TOTEM_CLASS_CLIENT, join, sizeof(join));
	group_world_settle(w);
	STORY(w, 2, "a = 1.9 +1.9:join\n");
	CHECK_EQ(group_count(g, GROUP_COUNT_REPEATED), 2);
	group_world_destroy(w);
}

static void
test_group_sync_of_another_ring_or_out_of_turn_counts_for_nothing(void)
{
	uint8_t sync[] = { 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 14,
		1, 0 };
	struct group_world *w = group_world_ring_of("12");
	const struct group_layer *g = group_world_layer(w, 1);
	struct group_status status;

	group_world_start(w, "3");
	group_world_install(w, "123", NULL);
	struct totem_ring_id ring = group_world_ring(w, 1);
	CHECK_EQ(ring.seq, 2);
	CHECK_EQ(ring.nonce, 14);
	sync[8] = 1; /* the ring before */
	group_world_inject(w, 3, TOTEM_CLASS_SYSTEM, sync, sizeof(sync));
	sync[8] = 2;
	sync[16] = 15; /* an alias of it */
	group_world_inject(w, 3, TOTEM_CLASS_SYSTEM, sync, sizeof(sync));
	sync[16] = 14;
	sync[18] = 1; /* its second part */
	group_world_inject(w, 3, TOTEM_CLASS_SYSTEM, sync, sizeof(sync));
	while (group_world_deliver(w, 1))
		;
	CHECK_EQ(group_count(g, GROUP_COUNT_SYNCS_STALE), 3);
	group_status(g, &status);
	CHECK(!status.is_synced);
	CHECK_EQ(status.awaited.count, 3);
	group_world_settle(w);
	group_status(g, &status);
	CHECK(status.is_synced);
	CHECK_EQ(status.awaited.count, 0);
	group_world_destroy(w);
}

/* Row 46: a client's message that a faulty node orders before the exchange
 * is complete does the same nowhere. */
static void
test_group_client_message_before_the_exchange_is_refused_everywhere(void)
{
	static const uint8_t join[] = { 2, 9, 1, 'a', 1, 1, 0 };
	struct group_world *w = group_world_ring_of("12");

	group_world_start(w, "3");
	group_world_install(w, "123", NULL);
	group_world_order(w, 1);
	group_world_inject(w, 2, TOTEM_CLASS_CLIENT, join, sizeof(join));
	group_world_settle(w);
	for (uint32_t node = 1; node <= 3; node++) {
		STORY(w, node, "synced\n");
		CHECK_EQ(
		    group_count(group_world_layer(w, node), GROUP_COUNT_EARLY),
		    1);
	}
	group_world_destroy(w);
}

/* ---- one layer, by hand ------------------------------------------------- */

static void
tell_view(struct group_layer *g, enum totem_phase phase, uint64_t seq,
    uint64_t incarnation_of_2)
{
	struct totem_view view = { .phase = phase,
		.ring = { .seq = seq, .rep = 1 },
		.members = { 2, { 1, 2 } },
		.incarnation = { 1, incarnation_of_2 } };
	struct totem_effect effect = { .kind = TOTEM_OUT_VIEW, .view = &view };

	group_step(g,
	    &(struct group_input){ .kind = GROUP_IN_TOTEM, .totem = &effect });
}

static void
tell_message(struct group_layer *g, uint32_t node, uint64_t incarnation,
    const struct group_name *bytes)
{
	struct totem_effect effect = { .kind = TOTEM_OUT_DELIVER };

	effect.deliver.node = node;
	effect.deliver.incarnation = incarnation;
	effect.deliver.class = bytes->bytes[0] == GROUP_WIRE_SYNC
	    ? TOTEM_CLASS_SYSTEM
	    : TOTEM_CLASS_CLIENT;
	effect.deliver.ring = (struct totem_ring_id){ .seq = 1, .rep = 1 };
	effect.deliver.bytes = bytes->bytes;
	effect.deliver.len = bytes->len;
	group_step(g,
	    &(struct group_input){ .kind = GROUP_IN_TOTEM, .totem = &effect });
}

/* A node that a view names in another life did not come along. */
static void
test_group_knows_lives_not_nodes(void)
{
	static const uint8_t sync[] = { 5, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1,
		0, 0, 0, 0, 1, 0, 1, 'a', 9, 1, 1, 0 };
	static const uint8_t join[] = { 2, 8, 1, 'a', 1, 1, 0 };
	const struct group_name none = { sync, 19 };
	const struct group_name one = { sync, sizeof(sync) };
	const struct group_name more = { join, sizeof(join) };
	static _Alignas(64) uint8_t memory[4 << 20];
	struct group_config cfg = { 1, 1, 65536, 4, 4 };
	struct group_effect effect;
	struct arena arena;

	arena_init(&arena, memory, sizeof(memory));
	struct group_layer *g = group_create(&arena, &cfg);
	tell_view(g, TOTEM_PHASE_REGULAR, 1, 1);
	CHECK(!group_next(g, &effect));
	tell_message(g, 1, 1, &none);
	CHECK(!group_next(g, &effect));
	tell_message(g, 2, 3, &one);
	CHECK(!group_next(g, &effect));
	tell_message(g, 2, 1, &one);
	CHECK(group_next(g, &effect) && effect.kind == GROUP_OUT_VIEW);
	CHECK(group_next(g, &effect) && effect.kind == GROUP_OUT_SYNCED);
	CHECK(!group_next(g, &effect));
	tell_message(g, 2, 3, &more);
	CHECK(!group_next(g, &effect));
	CHECK_EQ(group_total(g), 1);
	tell_view(g, TOTEM_PHASE_TRANSITIONAL, 1, 2);
	CHECK(group_next(g, &effect) && effect.kind == GROUP_OUT_VIEW);
	CHECK_EQ(effect.view.left_count, 1);
	CHECK_EQ(effect.view.left[0].reason, GROUP_REASON_NODEDOWN);
	CHECK(!group_next(g, &effect));
	tell_view(g, TOTEM_PHASE_REGULAR, 2, 2);
	CHECK(!group_next(g, &effect)); /* it needs an exchange */
	CHECK_EQ(group_count(g, GROUP_COUNT_EXCHANGES), 2);
	group_check(g);
}

static void
test_group_words_are_all_there(void)
{
	for (int i = 0; i < GROUP_COUNTERS; i++)
		CHECK(strlen(group_counter_name((enum group_counter)i)) > 6);
	for (int i = 0; i < GROUP_REASONS; i++)
		CHECK(strlen(group_reason_name((enum group_reason)i)) > 3);
	for (int i = 0; i < GROUP_FAILURES; i++)
		CHECK(strlen(group_failure_name((enum group_failure)i)) > 3);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_group_join_leave_and_messages_share_one_order),
		CHECK_TEST(test_group_exit_leaves_every_group_once),
		CHECK_TEST(
		    test_group_publish_needs_no_join_and_any_bytes_name_a_group),
		CHECK_TEST(test_group_join_leave_join_in_one_batch),
		CHECK_TEST(test_group_leave_of_a_stranger_fails),
		CHECK_TEST(test_group_two_connections_are_two_members),
		CHECK_TEST(
		    test_group_join_waits_for_room_and_no_publish_overtakes_it),
		CHECK_TEST(
		    test_group_short_publish_does_not_overtake_a_long_join),
		CHECK_TEST(test_group_close_cancels_what_was_not_sent),
		CHECK_TEST(test_group_publish_too_long_fails),
		CHECK_TEST(test_group_connections_and_requests_have_a_limit),
		CHECK_TEST(
		    test_group_if_view_is_ordered_in_that_view_or_not_at_all),
		CHECK_TEST(test_group_if_view_has_a_limit),
		CHECK_TEST(
		    test_group_full_table_refuses_the_same_join_everywhere),
		CHECK_TEST(
		    test_group_merge_of_two_full_halves_loses_the_same_members_everywhere),
		CHECK_TEST(test_group_a_full_node_needs_several_syncs),
		CHECK_TEST(
		    test_group_malformed_and_stale_messages_are_counted_and_ignored),
		CHECK_TEST(
		    test_group_sync_of_another_ring_or_out_of_turn_counts_for_nothing),
		CHECK_TEST(
		    test_group_client_message_before_the_exchange_is_refused_everywhere),
		CHECK_TEST(test_group_knows_lives_not_nodes),
		CHECK_TEST(test_group_words_are_all_there),
	};
	return CHECK_MAIN(argc, argv, tests);
}
