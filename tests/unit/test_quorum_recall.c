/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes that begin anew, whose records differ or are behind: stories. */
#include <string.h>

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/story_reload.h"

/* All are here, with one file, and one of them was away once. */
static void
all_are_here(void)
{
	story_nodes(4);
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_begin();
	quorumd_simulate_keep_records(story_world);
	story_whole();
	CHECK(story_is_yes(1));
	story_cut("123|4");
	story_edit(4);
	story_next.node[3].votes = 2;
	story_reread("123");
	CHECK_EQ(story_at(1).expected, 5);
	story_stop("1234", true);
	story_next.node[0].votes = 2;
	story_reread("");
	story_start("1234");
	story_cut("1234");
	quorumd_simulate_wait(story_world, 60 * STORY_SECOND);
	CHECK(story_is_yes(1) && story_is_yes(4));
	CHECK_EQ(story_at(1).votes, 6);
	story_finish();
}

/*
 * 1 has on its disk that it promised what 2 and 3 agreed on, and starts with
 * the file of before, beside the restarted of these nodes, and 4 and 5.
 */
static void
back_with_a_promise(const char *restarted)
{
	char saved[QUORUM_MESSAGE_BYTES_MAX + 1] = "";
	struct quorum_config before;

	story_begin_with_records(5);
	story_cut("2345|1");
	story_edit(5);
	story_next.node[1].votes = story_next.node[3].votes = 2;
	story_reread("2345");
	CHECK_EQ(story_at(2).expected, 7);
	before = story_next;
	story_cut("12345");
	CHECK(!quorum_is_pending(story_core(1)));
	story_cut("123|45");
	story_next.node[1].votes = 5;
	quorumd_simulate_slow_disks(story_world, QUORUM_BIT(0));
	story_reread("123");
	CHECK(quorum_is_pending(story_core(1)));
	memcpy(saved, story_core(1)->record, story_core(1)->record_len);
	quorumd_simulate_slow_disks(story_world, 0);
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(2).expected, 10);
	story_cut("23|1|45");
	CHECK(story_is_yes(2));
	/* Its record never said more. */
	story_stop(restarted, false);
	quorumd_simulate_set_record(story_world, 0, saved);
	story_next = before;
	story_reread("");
	story_start(restarted);
	story_cut("23|145");
	CHECK(story_is_yes(2));
	CHECK(!story_is_yes(1) && !story_is_yes(4));
}

/* The older file is in force for who promised a newer: both are on record. */
static void
promise_outlives_what_is_older(const char *restarted)
{
	back_with_a_promise(restarted);
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_core(1)->promised_count, 1);
	story_stop("145", false);
	story_start("145");
	story_cut("23|145");
	CHECK(story_is_yes(2));
	CHECK(!story_is_yes(1) && !story_is_yes(4));
	/* An agreement ends it, on disk, too. */
	story_cut("12345");
	CHECK(story_is_yes(1));
	CHECK_EQ(story_core(1)->promised_count, 0);
	story_finish();
}

static void
promised_and_older_on_record(void)
{
	promise_outlives_what_is_older("145");
}

static void
promised_and_older_with_others(void)
{
	promise_outlives_what_is_older("1");
}

/* What an operator forced after a start is over at the next one. */
static void
forced_and_not_recalled(void)
{
	story_begin_with_records(5);
	story_edit(5);
	story_next.node[4].votes = 2;
	story_reread("12345");
	story_next.node[4].votes = 1;
	story_reread("12345");
	CHECK_EQ(story_at(1).expected, 5);
	story_stop("12345", false);
	story_start("12");
	story_cut("12");
	CHECK(!story_is_yes(1));
	CHECK_EQ(story_set_expected(1, 2, true), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1));
	story_start("345");
	story_cut("12345");
	quorumd_simulate_wait(story_world, 5 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 5);
	CHECK_EQ(story_core(1)->held.expected, 5);
	story_cut("1345|2");
	CHECK(story_is_yes(1));
	story_stop("12345", false);
	story_start("1345");
	story_cut("1345");
	quorumd_simulate_wait(story_world, 5 * STORY_SECOND);
	CHECK(story_is_yes(1) && story_is_yes(5));
	story_finish();
}

/* What ended that which was set ends it for who hears of it later, too. */
static void
set_and_told_of_later(void)
{
	story_begin_with_records(5);
	CHECK_EQ(story_set_votes(1, 1, 3, false), QUORUM_ANSWER_OK);
	story_edit(5);
	story_next.node[4].votes = 2;
	story_reread("12345");
	CHECK_EQ(story_core(5)->held.votes[0], 3);
	story_stop("12345", false);
	story_start("1234");
	story_cut("1234");
	quorumd_simulate_wait(story_world, 5 * STORY_SECOND);
	CHECK_EQ(story_core(1)->held.votes[0], 1);
	story_start("5");
	story_cut("12345");
	quorumd_simulate_wait(story_world, 5 * STORY_SECOND);
	CHECK_EQ(story_core(5)->held.votes[0], 1);
	CHECK_EQ(quorum_epoch_order(
		     &story_core(5)->held.stamp, &story_core(1)->held.stamp),
	    0);
	story_finish();
}

/* One that comes back with an older file has the votes of the newer. */
static void
votes_of_an_older_file(void)
{
	story_begin_with_records(5);
	story_edit(5);
	story_next.node[0].votes = 3;
	story_reread("12345");
	CHECK_EQ(story_at(1).expected, 7);
	story_stop("1", false);
	story_next.node[0].votes = 1;
	story_reread("2345");
	CHECK_EQ(story_ask_reload(2, true), QUORUM_ANSWER_OK);
	CHECK_EQ(story_at(2).expected, 5);
	story_next.node[0].votes = 3;
	story_reread("");
	story_start("1");
	story_cut("123|45");
	quorumd_simulate_wait(story_world, 5 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 5);
	CHECK_EQ(story_at(1).votes, 3);
	story_cut("12|345");
	/* Who heard of it with these forgets it. */
	story_stop("3", false);
	story_start("3");
	story_cut("12|345");
	CHECK(story_is_yes(3) && story_is_yes(4));
	CHECK(!story_is_yes(1) && !story_is_yes(2));
	story_finish();
}

/* Who waits remembers what was tracked, whatever file it is told of. */
static void
tracked_and_told_of_less(void)
{
	story_nodes(5);
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_cfg.expected_votes_tracking = true;
	story_begin();
	quorumd_simulate_keep_records(story_world);
	story_whole();
	CHECK(story_is_yes(1));
	story_cut("245|1|3");
	story_edit(5);
	story_next.node[4].votes = 2;
	story_reread("245");
	CHECK_EQ(story_at(2).expected, 6);
	story_cut("1234|5");
	CHECK_EQ(story_at(1).expected, 6);
	CHECK_EQ(story_set_votes(2, 2, 6, false), QUORUM_ANSWER_OK);
	CHECK_EQ(story_at(1).expected, 11);
	story_cut("24|1|3|5");
	CHECK(story_is_yes(2));
	story_stop("13", false);
	story_start("13");
	story_cut("24|135");
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_core(1)->tracked, 11);
	CHECK(story_is_yes(2));
	CHECK(!story_is_yes(1) && !story_is_yes(5));
	story_finish();
}

/* Two files that give each the fewer votes: enough before they agree, and on.
 */
static void
two_files_agreed_on(void)
{
	story_nodes(2);
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_cfg.node[1].votes = 5;
	story_begin();
	story_start("1");
	story_edit(2);
	story_next.node[0].votes = 5;
	story_next.node[1].votes = 1;
	story_reread("");
	story_start("2");
	story_cut("12");
	quorumd_simulate_wait(story_world, 5 * STORY_SECOND);
	CHECK(story_core(1)->memory.now.stamp.view.seq != 0);
	CHECK_EQ(story_core(1)->memory.now.config, 0);
	CHECK_EQ(story_at(1).expected, 6);
	CHECK(story_is_yes(1) && story_is_yes(2));
	story_cut("1|2");
	CHECK(!story_is_yes(1) && !story_is_yes(2));
	story_finish();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(all_are_here),
		CHECK_TEST(promised_and_older_on_record),
		CHECK_TEST(promised_and_older_with_others),
		CHECK_TEST(forced_and_not_recalled),
		CHECK_TEST(set_and_told_of_later),
		CHECK_TEST(votes_of_an_older_file),
		CHECK_TEST(tracked_and_told_of_less),
		CHECK_TEST(two_files_agreed_on),
	};
	return CHECK_MAIN(argc, argv, tests);
}
