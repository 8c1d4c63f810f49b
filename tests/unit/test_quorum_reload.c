/* SPDX-License-Identifier: BSD-3-Clause */
/* Another configuration while nodes run: stories. */
#include <string.h>

#include "libcommon/base/text.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/story_reload.h"

static void
a_third_node(void)
{
	story_nodes(2);
	story_cfg.two_node = true;
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_begin();
	story_whole();
	CHECK_EQ(story_at(1).needed, 1);
	story_edit(3);
	story_next.two_node = false;
	story_next.wait_for_all = QUORUM_WAIT_NO;
	CHECK_EQ(story_would(1), QUORUM_ANSWER_OK);
	story_reread("12");
	CHECK_EQ(story_at(1).needed, 2);
	CHECK_EQ(story_at(2).expected, 3);
	CHECK_EQ(story_at(1).reason, QUORUM_REASON_RELOADED);
	CHECK_EQ(story_at(1).pos.seq, story_at(2).pos.seq);
	story_start("3");
	CHECK(!story_is_yes(3));
	story_cut("123");
	CHECK_EQ(story_at(3).votes, 3);
	story_cut("1|23");
	CHECK(!story_is_yes(1) && story_is_yes(2));
	story_finish();
}

/* T-40: what is not in the file any more is as it is by default. */
static void
back_to_two(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	story_stop("3", true);
	story_edit(2);
	story_next.two_node = true;
	story_next.wait_for_all = QUORUM_WAIT_YES;
	story_reread("12");
	CHECK_EQ(story_at(1).expected, 2);
	CHECK_EQ(story_at(1).needed, 1);
	story_stop("2", false);
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_TWO_NODE);
	/* It begins with the new file, and waits. */
	story_stop("1", false);
	story_start("1");
	CHECK(!story_is_yes(1));
	story_finish();
}

/* The votes stay as they are; what one of them is enough for does not. */
static void
two_node_alone(void)
{
	story_nodes(2);
	story_cfg.two_node = true;
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_begin();
	story_whole();
	story_stop("2", false);
	CHECK(story_is_yes(1));
	story_edit(2);
	story_next.two_node = false;
	CHECK_EQ(story_would(1), QUORUM_ANSWER_QUORUM);
	story_reread("1");
	CHECK(quorum_is_pending(story_core(1)));
	CHECK(story_is_yes(1));
	CHECK_EQ(story_ask_reload(1, false), QUORUM_ANSWER_QUORUM);
	/* It comes back with the new file. */
	story_start("2");
	story_cut("12");
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(1).needed, 2);
	CHECK_EQ(story_at(2).votes, 2);
	CHECK_EQ(story_at(2).needed, 2);
	/* And on again. */
	story_edit(2);
	CHECK_EQ(story_would(2), QUORUM_ANSWER_OK);
	story_reread("12");
	CHECK_EQ(story_at(1).needed, 1);
	CHECK_EQ(story_at(2).needed, 1);
	story_finish();
}

/* Each is enough alone, and the other is away. */
static void
two_that_do_not_wait(void)
{
	story_nodes(2);
	story_cfg.two_node = true;
	story_begin();
	story_whole();
	CHECK_EQ(story_set_votes(1, 1, 1, false), QUORUM_ANSWER_OK);
	story_cut("1|2");
	CHECK(story_is_yes(1) && story_is_yes(2));
	story_edit(3);
	story_next.two_node = false;
	story_reread("");
	story_start("3");
	story_cut("13|2");
	CHECK_EQ(story_would(1), QUORUM_ANSWER_QUORUM);
	story_reread("1");
	CHECK(quorum_is_pending(story_core(1)));
	CHECK_EQ(story_ask_reload(1, false), QUORUM_ANSWER_QUORUM);
	story_cut("123");
	story_reread("2");
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(2).needed, 2);
	story_finish();
}

static void
nobody_counts_alone(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	story_edit(4);
	story_reread("1");
	CHECK(quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(1).expected, 3);
	story_reread("2");
	CHECK_EQ(story_at(2).expected, 3);
	CHECK_EQ(story_ask_reload(1, true), QUORUM_ANSWER_AGAIN);
	story_reread("3");
	CHECK_EQ(story_at(1).expected, 4);
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_ask_reload(1, false), QUORUM_ANSWER_OK);
	story_finish();
}

/* One that comes later brings what it read, and takes what was agreed. */
static void
who_was_away(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	story_cut("12|3");
	story_edit(3);
	story_next.node[0].votes = 2;
	CHECK_EQ(story_would(3), QUORUM_ANSWER_QUORUM);
	story_reread("123");
	CHECK_EQ(story_at(1).expected, 4);
	CHECK(quorum_is_pending(story_core(3)));
	CHECK_EQ(story_at(3).expected, 3);
	story_cut("123");
	CHECK(!quorum_is_pending(story_core(3)));
	CHECK_EQ(story_at(3).votes, 4);
	story_cut("12|3");
	CHECK(story_is_yes(1) && !story_is_yes(3));
	story_finish();
}

static void
cost_of_quorum(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	story_cut("12|3");
	story_edit(5);
	CHECK_EQ(story_would(1), QUORUM_ANSWER_QUORUM);
	story_reread("123");
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).expected, 3);
	CHECK_EQ(story_ask_reload(1, false), QUORUM_ANSWER_QUORUM);
	/* With the third it is affordable, and is done. */
	story_cut("123");
	CHECK_EQ(story_at(3).expected, 5);
	CHECK(story_is_yes(3));
	story_finish();
}

static void
forced(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	story_cut("12|3");
	story_edit(5);
	story_reread("12");
	CHECK_EQ(story_ask_reload(2, true), QUORUM_ANSWER_OK);
	CHECK_EQ(story_at(1).expected, 5);
	CHECK(!story_is_yes(1) && !story_is_yes(2));
	story_finish();
}

/* Node 2 is away, and believes its two votes. */
static void
behind_its_back(void)
{
	story_nodes(2);
	story_cfg.node[0].votes = 3;
	story_cfg.node[1].votes = 2;
	story_begin();
	story_start("12");
	story_cut("1|2");
	CHECK(story_is_yes(1));
	story_edit(3);
	story_next.node[1].votes = 0;
	story_next.node[2].votes = 2;
	CHECK_EQ(story_would(1), QUORUM_ANSWER_QUORUM);
	story_reread("1");
	CHECK_EQ(story_at(1).expected, 5);
	CHECK(quorum_is_pending(story_core(1)));
	story_finish();
	/* As many as are here, by one file or the other: one goes, one comes.
	 */
	story_nodes(5);
	story_begin();
	story_whole();
	story_cut("123|45");
	story_edit(6);
	story_next.node[4] = story_next.node[5];
	story_next.node_count = 5;
	CHECK_EQ(story_would(1), QUORUM_ANSWER_QUORUM);
	story_cut("1234|5");
	CHECK_EQ(story_would(1), QUORUM_ANSWER_OK);
	story_finish();
}

/* T-44: what was set while they ran stays, but for what the file changes. */
static void
what_was_set_stays(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	CHECK_EQ(story_set_votes(1, 2, 3, false), QUORUM_ANSWER_OK);
	CHECK_EQ(story_set_expected(1, 7, false), QUORUM_ANSWER_OK);
	story_edit(3);
	story_next.settle_ns = 9 * STORY_SECOND;
	story_reread("123");
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_core(1)->cfg.settle_ns, 9 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 7);
	story_edit(4);
	story_reread("123");
	CHECK_EQ(story_at(1).expected, 8);
	CHECK_EQ(story_at(1).votes, 5);
	story_cfg = story_next;
	story_edit(4);
	story_next.node[1].votes = 2;
	story_reread("123");
	CHECK_EQ(story_at(1).votes, 4);
	CHECK_EQ(story_at(3).expected, 7);
	story_finish();
}

static void
last_men_are_not_undone(void)
{
	story_nodes(5);
	story_cfg.last_man_standing = true;
	story_begin();
	story_whole();
	story_cut("1234|5");
	quorumd_simulate_wait(story_world, 11 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 4);
	story_edit(6);
	story_reread("1234");
	CHECK_EQ(story_at(1).expected, 5);
	CHECK_EQ(story_at(1).needed, 3);
	story_start("6");
	story_cut("12346");
	CHECK_EQ(story_at(6).votes, 5);
	CHECK_EQ(story_at(6).basis, QUORUM_BASIS_MAJORITY);
	story_finish();
}

static void
tracked_is_lowered(void)
{
	story_nodes(4);
	story_cfg.expected_votes_tracking = true;
	story_begin();
	story_whole();
	story_stop("4", true);
	CHECK_EQ(story_core(1)->tracked, 4);
	story_edit(3);
	story_reread("123");
	CHECK_EQ(story_core(1)->tracked, 3);
	story_finish();
}

/* Who is in the view before the file that has it was read. */
static void
strangers(void)
{
	struct quorum_node node;

	story_nodes(2);
	story_begin();
	story_whole();
	story_edit(3);
	story_reread("2");
	story_start("3");
	story_cut("123");
	CHECK_EQ(story_at(1).votes, 3);
	CHECK(quorum_node_at(story_core(1), 2, &node));
	CHECK_EQ(node.id, 3);
	CHECK(node.is_member && node.is_voter);
	CHECK(!quorum_node_at(story_core(1), 3, &node));
	story_reread("1");
	CHECK(!quorum_is_pending(story_core(1)) &&
	    !quorum_is_pending(story_core(2)));
	CHECK_EQ(story_at(1).expected, 3);
	story_finish();
}

static void
begins_anew_meanwhile(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	story_edit(4);
	story_reread("12");
	/* It reads the new file when it starts. */
	quorumd_simulate_respawn(story_world, 2);
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(1).expected, 4);
	CHECK_EQ(story_at(3).expected, 4);
	quorumd_simulate_respawn(story_world, 0);
	CHECK_EQ(story_at(1).expected, 4);
	CHECK(story_is_yes(1));
	story_finish();
}

/* All ringds know 6 and 7; one quorumd is late, so nothing is agreed yet. */
static void
started_before_it_is_agreed(void)
{
	story_nodes(5);
	story_begin();
	story_whole();
	story_edit(7);
	story_reread("1234");
	story_cut("123|45");
	CHECK(story_is_yes(1));
	story_start("67");
	story_cut("123|456");
	CHECK(!story_is_yes(4) && !story_is_yes(6));
	/* Who knows of both files is not taught by one that knows the new. */
	story_cut("123|4567");
	CHECK(story_is_yes(1));
	CHECK(!story_is_yes(4) && !story_is_yes(5));
	CHECK(!story_is_yes(6) && !story_is_yes(7));
	CHECK_EQ(story_at(6).expected, 7);
	CHECK(story_says(6, "files of nodes differ"));
	CHECK(story_says(4, "count; a new configuration was read"));
	CHECK(!story_says(1, "differ") && story_says(1, "a new configuration"));
	story_cut("1234567");
	CHECK(quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(1).votes, 7);
	story_reread("5");
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(5).expected, 7);
	CHECK(!story_says(5, "") && !story_says(6, ""));
	story_cut("123|4567");
	CHECK(!story_is_yes(1) && story_is_yes(4) && story_is_yes(7));
	story_finish();
}

static void
restarted_before_it_is_agreed(void)
{
	story_nodes(5);
	story_begin();
	story_whole();
	story_edit(5);
	story_next.node[0].votes = 3;
	story_reread("1234");
	story_cut("234|15");
	CHECK(story_is_yes(2));
	story_stop("1", false);
	story_start("1");
	story_cut("234|15");
	CHECK(story_is_yes(2));
	CHECK(!story_is_yes(1) && !story_is_yes(5));
	CHECK_EQ(story_at(1).votes, 2);
	CHECK_EQ(story_at(1).expected, 7);
	story_cut("12345");
	story_reread("5");
	/* The lowest has nothing to propose: it began with that file. */
	quorumd_simulate_wait(story_world, STORY_SECOND);
	CHECK(!quorum_is_pending(story_core(2)));
	CHECK_EQ(story_at(5).votes, 7);
	CHECK_EQ(story_at(5).expected, 7);
	story_finish();
}

/* More are new than were there: all of both files are enough, whoever read
 * what; and when it is agreed the file is all that counts. */
static void
all_of_two_files(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	story_edit(7);
	story_reread("12");
	story_start("4567");
	story_cut("124567|3");
	CHECK(!story_is_yes(1) && !story_is_yes(4));
	story_cut("1234567");
	CHECK(story_is_yes(1) && story_is_yes(7));
	CHECK_EQ(story_at(1).votes, 7);
	CHECK_EQ(story_at(1).expected, 7);
	story_finish();
	/* The seventh is not there yet. */
	story_nodes(6);
	story_begin();
	quorumd_simulate_start(story_world, UINT64_MAX);
	story_cut("123456");
	story_edit(7);
	story_reread("12345");
	quorumd_simulate_respawn(story_world, 0);
	CHECK_EQ(story_at(1).votes, 6);
	CHECK_EQ(story_at(1).expected, 7);
	story_reread("6");
	quorumd_simulate_wait(story_world, STORY_SECOND);
	CHECK(!quorum_is_pending(story_core(2)));
	CHECK_EQ(story_at(2).expected, 7);
	story_finish();
}

/* The file went back before it was in force. */
static void
taken_back(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	story_edit(4);
	story_reread("1");
	CHECK(quorum_is_pending(story_core(1)));
	story_edit(3);
	story_reread("123");
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(1).expected, 3);
	story_finish();
}

/* One was agreed on that the lowest never took: it had read the next. */
static void
one_that_was_skipped(void)
{
	struct quorum_node node;

	story_nodes(3);
	story_begin();
	story_whole();
	story_cut("1|23");
	story_edit(4);
	story_next.node[1].votes = 3;
	story_reread("23");
	CHECK_EQ(story_at(2).expected, 6);
	story_edit(3);
	story_reread("1");
	story_next.settle_ns = 9 * STORY_SECOND;
	story_next.wait_for_all = QUORUM_WAIT_YES;
	story_reread("1");
	story_cut("123");
	CHECK_EQ(story_at(1).expected, 6);
	story_reread("23");
	CHECK(!quorum_is_pending(story_core(1)) &&
	    !quorum_is_pending(story_core(3)));
	CHECK_EQ(story_at(1).expected, 3);
	CHECK_EQ(story_at(1).votes, 3);
	CHECK(!quorum_node_at(story_core(2), 3, &node));
	story_finish();
}

static bool
clashes(void)
{
	char bytes[QUORUM_TEXT_BYTES];
	struct text out;
	bool is_clash;

	text_init(&out, bytes, sizeof bytes);
	is_clash = quorum_config_clash(&story_cfg, &story_next, 0, &out);
	CHECK(
	    !is_clash || strncmp(bytes, "needs a restart: [quorum] ", 26) == 0);
	text_init(&out, bytes, sizeof bytes);
	CHECK(!is_clash ||
	    !quorum_config_clash(&story_cfg, &story_next, 1, &out));
	return is_clash;
}

static void
what_needs_a_restart(void)
{
	story_nodes(4);
	story_edit(4);
	CHECK(!clashes());
	story_next.last_man_standing = true;
	CHECK(clashes());
	story_edit(4);
	story_next.auto_tie_breaker = QUORUM_TIE_LOWEST;
	CHECK(clashes());
	story_edit(4);
	story_next.allow_downscale = true;
	CHECK(clashes());
	story_edit(4);
	story_next.expected_votes_tracking = true;
	CHECK(clashes());
	story_edit(4);
	story_next.has_device = true;
	CHECK(clashes());
	story_edit(4);
	story_next.wait_for_all = QUORUM_WAIT_YES;
	CHECK(!clashes());
	story_next.wait_for_all = QUORUM_WAIT_ALWAYS;
	CHECK(clashes());
	story_cfg.auto_tie_breaker = QUORUM_TIE_LIST;
	story_cfg.tie_list[0] = 1;
	story_cfg.tie_count = 1;
	story_edit(4);
	CHECK(!clashes());
	story_next.tie_list[0] = 2;
	CHECK(clashes());
	story_edit(4);
	story_next.wait_for_all = QUORUM_WAIT_YES;
	CHECK(clashes());
}

static void
versions(void)
{
	story_nodes(3);
	story_edit(3);
	story_next.settle_ns++;
	strcpy(story_next.node[1].name, "other");
	CHECK_EQ(quorum_config_version(&story_next),
	    quorum_config_version(&story_cfg));
	story_next.expected_votes = 3; /* what it is anyway */
	CHECK_EQ(quorum_config_version(&story_next),
	    quorum_config_version(&story_cfg));
	story_next.node[1].votes = 2;
	story_next.node[2].votes = 0;
	CHECK(quorum_config_version(&story_next) !=
	    quorum_config_version(&story_cfg));
	story_edit(3);
	story_next.two_node = true;
	CHECK(quorum_config_version(&story_next) !=
	    quorum_config_version(&story_cfg));
}

/* Who is told so has to know whom to stop first. */
static void
without_a_member(void)
{
	char bytes[QUORUM_TEXT_BYTES];
	struct text out;

	story_nodes(3);
	story_begin();
	story_whole();
	story_edit(1);
	text_init(&out, bytes, sizeof bytes);
	CHECK_EQ(
	    quorum_would(story_core(1), &story_next, &out), QUORUM_ANSWER_BAD);
	CHECK_STR(bytes, "not in the new configuration, but members: b and c");
	story_stop("3", true);
	story_edit(2);
	CHECK_EQ(story_would(1), QUORUM_ANSWER_OK);
	story_finish();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(a_third_node),
		CHECK_TEST(back_to_two),
		CHECK_TEST(two_node_alone),
		CHECK_TEST(two_that_do_not_wait),
		CHECK_TEST(nobody_counts_alone),
		CHECK_TEST(who_was_away),
		CHECK_TEST(cost_of_quorum),
		CHECK_TEST(forced),
		CHECK_TEST(behind_its_back),
		CHECK_TEST(what_was_set_stays),
		CHECK_TEST(last_men_are_not_undone),
		CHECK_TEST(tracked_is_lowered),
		CHECK_TEST(strangers),
		CHECK_TEST(begins_anew_meanwhile),
		CHECK_TEST(started_before_it_is_agreed),
		CHECK_TEST(restarted_before_it_is_agreed),
		CHECK_TEST(all_of_two_files),
		CHECK_TEST(taken_back),
		CHECK_TEST(one_that_was_skipped),
		CHECK_TEST(what_needs_a_restart),
		CHECK_TEST(without_a_member),
		CHECK_TEST(versions),
	};
	return CHECK_MAIN(argc, argv, tests);
}
