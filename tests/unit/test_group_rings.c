/* SPDX-License-Identifier: BSD-3-Clause */
/* Process groups when rings change, as stories; rows are those of the list of
 * what went wrong in other systems. */
#include "tests/unit/check.h"
#include "tests/unit/group_world.h"

static const struct group_world_cut at_once = { 0, 0 };

/* ---- rings that change ------------------------------------------------- */

/* Row 30: one view a group, not one a node. */
static void
test_group_rings_loss_of_three_nodes_is_one_view_and_no_message(void)
{
	struct group_world *w = group_world_ring_of("1234");

	group_world_join_all(w, "1234", "a");
	group_world_join(w, 3, 1, "b");
	group_world_settle(w);
	group_world_story(w, 1);
	uint64_t before = group_world_msg_no(w, 1);
	group_world_install(w, "1", NULL);
	STORY(w, 1,
	    "a = 1.1 -2.1:nodedown -3.1:nodedown -4.1:nodedown ~\n"
	    "b = -3.1:nodedown ~\n"
	    "synced\n");
	CHECK_EQ(group_world_msg_no(w, 1), before);
	group_world_publish(w, 1, 1, "a", "alone");
	group_world_settle(w);
	STORY(w, 1, "a < 1.1 alone\ndone 1.1\n");
	group_world_destroy(w);
}

static void
test_group_rings_merge_tells_the_others_in_one_view_each(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join_all(w, "12", "a");
	group_world_start(w, "34");
	group_world_install(w, "34", NULL);
	group_world_settle(w);
	group_world_open(w, 3, 1);
	group_world_open(w, 4, 9);
	group_world_join(w, 3, 1, "a");
	group_world_join(w, 4, 9, "b");
	group_world_settle(w);
	group_world_story(w, 3);
	group_world_install(w, "1234", NULL);
	group_world_settle(w);
	STORY(w, 1,
	    "a = 1.1 2.1 3.1 +3.1:nodeup\n"
	    "b = 4.9 +4.9:nodeup\n"
	    "synced\n");
	STORY(w, 3,
	    "a = 1.1 2.1 3.1 +1.1:nodeup +2.1:nodeup\n"
	    "synced\n");
	GROUPS(w, 4, "a:1.1,2.1,3.1 b:4.9");
	group_world_destroy(w);
}

/* Row 29, P22: a node that slept through a ring and is back. */
static void
test_group_rings_paused_node_leaves_and_then_joins(void)
{
	struct group_world *w = group_world_ring_of("123");

	group_world_join_all(w, "123", "a");
	group_world_open(w, 3, 2);
	group_world_join(w, 3, 2, "a");
	group_world_settle(w);
	group_world_story(w, 3);
	group_world_story(w, 1);
	group_world_install(w, "12", NULL);
	/* it wakes: a process of it has died meanwhile */
	group_world_close(w, 3, 2);
	group_world_install(w, "123", NULL);
	group_world_settle(w);
	STORY(w, 1,
	    "a = 1.1 2.1 -3.1:nodedown -3.2:nodedown ~\n"
	    "synced\n"
	    "a = 1.1 2.1 3.1 +3.1:nodeup\n"
	    "synced\n");
	STORY(w, 3,
	    "a = 3.1 3.2 -1.1:nodedown -2.1:nodedown ~\n"
	    "a = 1.1 2.1 3.1 +1.1:nodeup +2.1:nodeup -3.2:procdown\n"
	    "synced\n");
	group_world_destroy(w);
}

/* A restart so fast that the ring never was without the node. */
static void
test_group_rings_restarted_node_leaves_and_brings_no_ghost(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join_all(w, "12", "a");
	group_world_crash(w, "2");
	group_world_start(w, "2");
	group_world_install(w, "12", NULL);
	group_world_settle(w);
	STORY(w, 1, "a = 1.1 -2.1:nodedown ~\nsynced\n");
	STORY(w, 2, "a = 1.1 +1.1:nodeup\nsynced\n");
	group_world_destroy(w);
}

/* Row 26: asked for while no ring was there; ordered after the exchange. */
static void
test_group_rings_messages_queued_before_the_exchange_come_after_it(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_start(w, "3");
	group_world_open(w, 3, 1);
	group_world_join(w, 3, 1, "a");
	group_world_publish(w, 3, 1, "a", "early");
	group_world_install(w, "123", NULL);
	group_world_publish(w, 1, 1, "a", "gated");
	CHECK(group_world_order(w, 3)); /* its SYNC */
	CHECK(!group_world_order(w, 3));
	group_world_settle(w);
	STORY(w, 2,
	    "synced\n"
	    "a < 1.1 gated\n"
	    "a = 3.1 +3.1:join\n"
	    "a < 3.1 early\n");
	group_world_destroy(w);
}

/* Row 31: after a merge nothing comes from somebody not yet told of. */
static void
test_group_rings_traffic_after_a_merge_comes_from_known_members(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join_all(w, "12", "a");
	group_world_install(w, "1", NULL);
	group_world_install(w, "2", NULL);
	group_world_story(w, 1);
	for (int i = 0; i < 3; i++) {
		group_world_publish(w, 1, 1, "a", "one");
		group_world_publish(w, 2, 1, "a", "two");
	}
	group_world_install(w, "12", NULL);
	group_world_settle(w);
	STORY(w, 1,
	    "a = 1.1 2.1 +2.1:nodeup\n"
	    "synced\n"
	    "a < 1.1 one\n"
	    "done 1.1\n"
	    "a < 2.1 two\n"
	    "a < 1.1 one\n"
	    "done 1.1\n"
	    "a < 2.1 two\n"
	    "a < 1.1 one\n"
	    "done 1.1\n"
	    "a < 2.1 two\n");
	group_world_destroy(w);
}

/* Row 28: the new node is gone before it said anything. */
static void
test_group_rings_new_node_that_exits_in_its_first_exchange_holds_up_nobody(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join_all(w, "12", "a");
	group_world_start(w, "3");
	group_world_install(w, "123", NULL);
	group_world_order(w, 1);
	group_world_deliver(w, 2);
	group_world_crash(w, "3");
	group_world_publish(w, 1, 1, "a", "x");
	uint64_t before = group_world_msg_no(w, 2);
	group_world_install(w, "12", NULL);
	CHECK_EQ(group_world_msg_no(w, 2), before); /* they know each other */
	group_world_settle(w);
	STORY(w, 2, "synced\na < 1.1 x\n");
	CHECK_EQ(
	    group_count(group_world_layer(w, 2), GROUP_COUNT_EXCHANGES_ABORTED),
	    1);
	group_world_destroy(w);
}

/* An EXIT, LEAVE or JOIN of a node that the transitional view left behind. */
static void
test_group_rings_join_of_a_node_that_is_gone_makes_no_ghost(void)
{
	struct group_world *w = group_world_ring_of("123");

	group_world_join_all(w, "12", "a");
	group_world_story(w, 3);
	group_world_join(w, 3, 1, "a");
	group_world_publish(w, 3, 1, "a", "last words");
	group_world_order(w, 3);
	group_world_order(w, 3);
	group_world_crash(w, "3");
	group_world_install(w, "12", &(struct group_world_cut){ .whole = 2 });
	STORY(w, 1, "a < 3.1 last words ~\nsynced\n");
	GROUPS(w, 2, "a:1.1,2.1");
	CHECK_EQ(group_count(group_world_layer(w, 2), GROUP_COUNT_GONE), 1);
	group_world_destroy(w);
}

/* Somebody finished the exchange, spoke, and was gone before I finished. */
static void
test_group_rings_exchange_ends_in_the_transitional_phase_when_it_must(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join_all(w, "12", "a");
	group_world_start(w, "3");
	group_world_open(w, 3, 1);
	group_world_install(w, "123", NULL);
	for (uint32_t node = 1; node <= 3; node++)
		group_world_order(w, node);
	while (group_world_deliver(w, 3))
		;
	group_world_deliver(w, 1);
	group_world_deliver(w, 2);
	group_world_deliver(w, 2);
	STORY(w, 3, "a = 1.1 2.1 +1.1:nodeup +2.1:nodeup\nsynced\n");
	group_world_publish(w, 3, 1, "a", "safe");
	group_world_join(w, 3, 1, "a");
	group_world_order(w, 3);
	group_world_order(w, 3);
	group_world_crash(w, "3");
	group_world_install(w, "12", &(struct group_world_cut){ .whole = 5 });
	STORY(w, 1, "synced ~\na < 3.1 safe ~\nsynced\n");
	STORY(w, 2, "synced ~\na < 3.1 safe ~\nsynced\n");
	GROUPS(w, 1, "a:1.1,2.1");
	group_world_destroy(w);
}

/* A node is the authority on its own processes, even where it surprises. */
static void
test_group_rings_sync_of_a_known_node_may_name_more_and_less(void)
{
	static const uint8_t sync[] = { 5, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0, 1,
		0, 0, 0, 14, 1, 0, 1, 'z', 9, 1, 1, 0 };
	struct group_world *w = group_world_ring_of("12");

	group_world_join_all(w, "12", "a");
	group_world_start(w, "3");
	group_world_install(w, "123", NULL);
	CHECK_EQ(group_world_ring(w, 1).nonce, 14);
	group_world_inject(w, 2, TOTEM_CLASS_SYSTEM, sync, sizeof(sync));
	group_world_settle(w);
	STORY(w, 1, "a = 1.1 -2.1:procdown\nz = 2.9 +2.9:join\nsynced\n");
	STORY(w, 3, "a = 1.1 +1.1:nodeup\nz = 2.9 +2.9:nodeup\nsynced\n");
	group_world_destroy(w);
}

/*
 * Row 27: in {1,2,3}, where 3 is new, everything happens at every boundary:
 * 3 dies after `ordered` SYNCs were ordered and 1 and 2 had delivered
 * `first` and `second` of them; the ring goes on by any cut, or node 3
 * comes back in a new life at once.
 */
static void
abort_exchange(size_t ordered, size_t first, size_t second, size_t cut)
{
	const struct group_world_cut cuts = { cut / 4, cut % 4 };
	struct group_world *w = group_world_ring_of("12");

	group_world_join_all(w, "12", "a");
	group_world_start(w, "3");
	group_world_open(w, 3, 1);
	group_world_join(w, 3, 1, "a");
	group_world_install(w, "3", NULL);
	group_world_settle(w);
	group_world_install(w, "123", NULL);
	for (size_t i = 0; i < ordered; i++)
		group_world_order(w, (uint32_t)(1 + (i + cut) % 3));
	for (size_t i = 0; i < first; i++)
		group_world_deliver(w, 1);
	for (size_t i = 0; i < second; i++)
		group_world_deliver(w, 2);
	group_world_crash(w, "3");
	group_world_install(w, "12", &cuts);
	group_world_settle(w);
	GROUPS(w, 1, "a:1.1,2.1");
	GROUPS(w, 2, "a:1.1,2.1");
	group_world_start(w, "3");
	group_world_install(w, "123", &cuts);
	group_world_settle(w);
	GROUPS(w, 3, "a:1.1,2.1");
	group_world_publish(w, 1, 1, "a", "open");
	group_world_settle(w);
	group_world_story(w, 3);
	group_world_destroy(w);
}

static void
test_group_rings_exchange_aborted_at_every_boundary_leaves_no_ghost(void)
{
	for (size_t ordered = 0; ordered <= 3; ordered++)
		for (size_t first = 0; first <= ordered; first++)
			for (size_t second = 0; second <= ordered; second++)
				for (size_t cut = 0; cut < 16; cut++)
					abort_exchange(
					    ordered, first, second, cut);
}

/* The same with the partition of a live node instead of its death. */
static void
test_group_rings_exchange_cut_by_a_partition_is_made_good_by_the_next(void)
{
	struct group_world *w = group_world_ring_of("12");

	group_world_join_all(w, "12", "a");
	group_world_start(w, "34");
	group_world_install(w, "34", NULL);
	group_world_settle(w);
	group_world_open(w, 3, 1);
	group_world_open(w, 4, 1);
	group_world_join_all(w, "34", "a");
	group_world_install(w, "1234", NULL);
	group_world_order(w, 1);
	group_world_order(w, 3);
	group_world_deliver(w, 1);
	group_world_install(w, "13", &at_once); /* a new mixture */
	group_world_install(w, "24", &at_once);
	group_world_settle(w);
	GROUPS(w, 1, "a:1.1,3.1");
	GROUPS(w, 4, "a:2.1,4.1");
	group_world_story(w, 1);
	group_world_install(w, "1234", &at_once);
	group_world_settle(w);
	STORY(w, 1, "a = 1.1 2.1 3.1 4.1 +2.1:nodeup +4.1:nodeup\nsynced\n");
	group_world_destroy(w);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_group_rings_loss_of_three_nodes_is_one_view_and_no_message),
		CHECK_TEST(
		    test_group_rings_merge_tells_the_others_in_one_view_each),
		CHECK_TEST(test_group_rings_paused_node_leaves_and_then_joins),
		CHECK_TEST(
		    test_group_rings_restarted_node_leaves_and_brings_no_ghost),
		CHECK_TEST(
		    test_group_rings_messages_queued_before_the_exchange_come_after_it),
		CHECK_TEST(
		    test_group_rings_traffic_after_a_merge_comes_from_known_members),
		CHECK_TEST(
		    test_group_rings_new_node_that_exits_in_its_first_exchange_holds_up_nobody),
		CHECK_TEST(
		    test_group_rings_join_of_a_node_that_is_gone_makes_no_ghost),
		CHECK_TEST(
		    test_group_rings_exchange_ends_in_the_transitional_phase_when_it_must),
		CHECK_TEST(
		    test_group_rings_sync_of_a_known_node_may_name_more_and_less),
		CHECK_TEST(
		    test_group_rings_exchange_aborted_at_every_boundary_leaves_no_ghost),
		CHECK_TEST(
		    test_group_rings_exchange_cut_by_a_partition_is_made_good_by_the_next),
	};
	return CHECK_MAIN(argc, argv, tests);
}
