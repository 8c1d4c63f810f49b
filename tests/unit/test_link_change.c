/* SPDX-License-Identifier: BSD-3-Clause */
/* Links that come, go and move, and those that stay. */
#include "tests/unit/check.h"
#include "tests/unit/linkworld.h"

static const struct link_config one = { .link_count = 1 };
static const struct link_config two = { .link_count = 2 };
static const struct link_config first = { .link_count = 2,
	.priority = { 1, 2, 2 } };
static const struct linkworld_wire dead = { .is_cut = true };

/* DATA once a millisecond from and to everybody. */
static void
begin(const struct link_config *cfg)
{
	linkworld_begin(cfg, 1);
	linkworld_now.data_every_ns = LINKWORLD_MS;
	linkworld_run(3000);
	linkworld_forget();
}

/* Nothing of the pairs on this link has changed. */
static void
check_untouched(uint32_t link, const struct link_status *before)
{
	struct link_status now = linkworld_status(0, 1, link);

	CHECK_EQ(now.state, LINK_UP);
	CHECK(now.is_good);
	CHECK_EQ(now.downs, before->downs);
	CHECK_EQ(now.rtt_ns, before->rtt_ns);
	CHECK_EQ(now.mtu, before->mtu);
	CHECK(now.sent >= before->sent && now.came >= before->came);
}

static void
check_nothing_lost(void)
{
	for (uint32_t i = 0; i < LINKWORLD_NODES; i++)
		for (uint32_t j = 0; j < LINKWORLD_NODES; j++) {
			const struct linkworld_data *data =
			    &linkworld_now.data[i][j];

			/* The last may be on its way. */
			CHECK(data->sent - data->came <= 1);
			CHECK_EQ(data->doubled, 0);
			CHECK(data->longest_gap_ns < 5 * LINKWORLD_MS);
		}
}

static void
test_link_added_comes_up_beside_the_others(void)
{
	struct link_change change = { .link_count = 2 };
	struct link_status before;

	begin(&one);
	before = linkworld_status(0, 1, 0);
	linkworld_change(&change);
	check_untouched(0, &before);
	CHECK_EQ(linkworld_status(0, 1, 1).state, LINK_DOWN);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	linkworld_run(50);
	CHECK(linkworld_is_up(0, 1, 1) && linkworld_is_up(2, 0, 1));
	linkworld_run(2000);
	CHECK_EQ(linkworld_status(0, 1, 1).mtu, LINKWORLD_FRAME);
	CHECK_EQ(linkworld_now.downs, 0);
	CHECK_EQ(linkworld_now.moves, 0);
	check_nothing_lost();
	/* And is of use. */
	linkworld_all(0, dead);
	linkworld_run(500);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	CHECK(linkworld_now.data[0][1].longest_gap_ns < 100 * LINKWORLD_MS);
	linkworld_end();
}

static void
test_link_added_that_does_not_work_disturbs_nothing(void)
{
	struct link_change change = { .link_count = 2 };

	begin(&one);
	linkworld_all(1, dead);
	linkworld_change(&change);
	linkworld_run(5000);
	CHECK_EQ(linkworld_status(0, 1, 1).state, LINK_DOWN);
	CHECK_EQ(linkworld_now.downs, 0);
	CHECK_EQ(linkworld_now.moves, 0);
	check_nothing_lost();
	linkworld_end();
}

/* An only link may be silent for longer than one of two. */
static void
test_link_added_counts_silences_from_there(void)
{
	struct link_change change = { .link_count = 2 };

	begin(&one);
	linkworld_all(0, dead);
	linkworld_run(800);
	CHECK(linkworld_is_up(0, 1, 0));
	linkworld_change(&change);
	CHECK(linkworld_is_up(0, 1, 0));
	linkworld_all(
	    0, (struct linkworld_wire){ .delay_ns = LINKWORLD_MS / 10 });
	linkworld_run(1000);
	CHECK_EQ(linkworld_status(0, 1, 0).downs, 0);
	CHECK(linkworld_is_up(0, 1, 1));
	linkworld_end();
}

static void
test_link_removed_leaves_data_to_the_others(void)
{
	struct link_config cfg = { .link_count = 2, .priority = { 2, 1 } };
	struct link_change change = { .link_count = 1 };
	struct link_status before;

	begin(&cfg);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	before = linkworld_status(0, 1, 0);
	linkworld_change(&change);
	check_untouched(0, &before);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	CHECK_EQ(link_control(linkworld_now.nodes[0].links, 1), 1);
	linkworld_run(5000);
	CHECK_EQ(linkworld_now.downs, 0);
	check_nothing_lost();
	/* Once more, as something new; recordings are as worthless as ever. */
	change.link_count = 2;
	linkworld_all(1, dead);
	linkworld_change(&change);
	linkworld_replay(0, 1, 1);
	linkworld_run(1000);
	CHECK_EQ(linkworld_status(1, 0, 1).state, LINK_DOWN);
	linkworld_all(
	    1, (struct linkworld_wire){ .delay_ns = LINKWORLD_MS / 10 });
	linkworld_run(3000);
	CHECK(linkworld_is_up(0, 1, 1) && linkworld_is_up(1, 0, 1));
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	linkworld_end();
}

static void
test_link_moved_begins_anew_where_it_moved(void)
{
	struct link_change change = { .link_count = 2, .moved = { 1 } };
	struct link_status before, others;

	begin(&first);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	before = linkworld_status(0, 1, 1);
	others = linkworld_status(1, 2, 0);
	linkworld_change(&change);
	/* What node 0 has elsewhere is new; for it, and for the others. */
	check_untouched(1, &before);
	CHECK_EQ(linkworld_status(0, 1, 0).state, LINK_DOWN);
	CHECK_EQ(linkworld_status(1, 0, 0).state, LINK_DOWN);
	CHECK_EQ(linkworld_data_of(0, 1), 2);
	CHECK_EQ(linkworld_status(1, 2, 0).state, LINK_UP);
	CHECK_EQ(linkworld_status(1, 2, 0).rtt_ns, others.rtt_ns);
	CHECK_EQ(linkworld_data_of(1, 2), 1);
	linkworld_replay(0, 1, 0);
	linkworld_run(50);
	CHECK(linkworld_is_up(0, 1, 0) && linkworld_is_up(1, 0, 0));
	linkworld_run(2000);
	CHECK_EQ(linkworld_data_of(0, 1), 1);
	CHECK_EQ(linkworld_now.downs, 0);
	check_nothing_lost();
	linkworld_end();
}

/* What was unusable was the address of before. */
static void
test_link_moved_is_usable_until_told_otherwise(void)
{
	struct link_change change = { .link_count = 2, .moved = { 1 } };

	begin(&two);
	link_hint(linkworld_now.nodes[0].links, 0, false, linkworld_now.now_ns);
	linkworld_run(1000);
	CHECK(linkworld_status(0, 1, 0).is_unusable);
	linkworld_change(&change);
	CHECK(!linkworld_status(0, 1, 0).is_unusable);
	linkworld_run(50);
	CHECK(linkworld_is_up(0, 1, 0) && linkworld_is_up(1, 0, 0));
	linkworld_end();
}

/* Who starts again after a link was removed counts that one anew, too. */
static void
test_link_removed_is_forgotten_with_who_had_it(void)
{
	struct link_change change = { .link_count = 1 };

	begin(&two);
	linkworld_change(&change);
	linkworld_run(1000);
	linkworld_restart(0);
	linkworld_run(1000);
	change.link_count = 2;
	linkworld_change(&change);
	linkworld_run(100);
	CHECK(linkworld_is_up(0, 1, 1) && linkworld_is_up(1, 0, 1));
	linkworld_end();
}

/* It heard much of who forgets it, and expects that to go on. */
static void
test_link_node_that_is_added_again_is_heard_at_once(void)
{
	begin(&two);
	linkworld_readmit(0);
	CHECK_EQ(linkworld_status(0, 2, 0).state, LINK_DOWN);
	linkworld_run(100);
	for (uint32_t link = 0; link < 2; link++) {
		CHECK(linkworld_is_up(0, 2, link));
		CHECK(linkworld_is_up(2, 0, link));
	}
	linkworld_end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_link_added_comes_up_beside_the_others),
		CHECK_TEST(test_link_added_that_does_not_work_disturbs_nothing),
		CHECK_TEST(test_link_added_counts_silences_from_there),
		CHECK_TEST(test_link_removed_leaves_data_to_the_others),
		CHECK_TEST(test_link_moved_begins_anew_where_it_moved),
		CHECK_TEST(test_link_moved_is_usable_until_told_otherwise),
		CHECK_TEST(test_link_removed_is_forgotten_with_who_had_it),
		CHECK_TEST(test_link_node_that_is_added_again_is_heard_at_once),
	};

	return CHECK_MAIN(argc, argv, tests);
}
