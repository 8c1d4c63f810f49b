/* SPDX-License-Identifier: BSD-3-Clause */
/* Each rule of quorum and each trap, told as a story. */
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum.h"
#include "tests/unit/check.h"
#include "tests/unit/story.h"

/* ---- majority, votes ---------------------------------------------------- */

static void
majority(void)
{
	story_nodes(5);
	story_begin();
	story_whole();
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_MAJORITY);
	story_cut("123|45");
	CHECK(story_is_yes(1) && story_is_yes(3) && !story_is_yes(4));
	CHECK_EQ(story_at(1).needed, 3);
	story_cut("12|345");
	CHECK(!story_is_yes(1) && story_is_yes(3));
	story_finish();
	story_nodes(4);
	story_begin();
	story_whole();
	story_cut("12|34");
	CHECK(!story_is_yes(1) &&
	    !story_is_yes(3)); /* half is not more than half */
	story_finish();
}

/* T-46: 3 x 300 votes wrapped in eight bits. */
static void
votes_are_wide(void)
{
	story_nodes(3);
	for (size_t i = 0; i < 3; i++)
		story_cfg.node[i].votes = 300;
	story_begin();
	story_whole();
	CHECK_EQ(story_at(1).needed, 451);
	story_cut("1|23");
	CHECK(!story_is_yes(1) && story_is_yes(2));
	story_finish();
	for (size_t i = 0; i < 3; i++)
		story_cfg.node[i].votes = UINT32_MAX / 3;
	story_begin();
	story_whole();
	story_cut("1|23");
	CHECK_EQ(story_at(2).votes, UINT32_MAX / 3 * 2);
	CHECK(!story_is_yes(1) && story_is_yes(2));
	story_finish();
}

/* T-56: raising is accepted, lowering needs force. */
static void
votes_ratchet(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	/* Half of all votes are those that are only now given. */
	CHECK_EQ(story_set_votes(1, 2, 4, false), QUORUM_ANSWER_OK);
	CHECK_EQ(story_at(3).expected, 6);
	CHECK_EQ(story_at(3).votes, 6);
	CHECK_EQ(story_set_votes(1, 2, 3, true), QUORUM_ANSWER_OK);
	CHECK_EQ(story_at(3).expected, 5);
	CHECK_EQ(story_set_votes(1, 2, 1, false), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(story_at(1).expected, 5);
	CHECK_EQ(story_set_votes(1, 2, 1, true), QUORUM_ANSWER_OK);
	CHECK_EQ(story_at(2).expected, 3);
	CHECK_EQ(story_set_votes(1, 9, 1, true), QUORUM_ANSWER_BAD);
	CHECK_EQ(story_set_votes(1, 2, UINT32_MAX, false), QUORUM_ANSWER_BAD);
	story_cut("12|3");
	/* Votes for one who is away that would cost quorum. */
	CHECK_EQ(story_set_votes(1, 3, 9, false), QUORUM_ANSWER_QUORUM);
	CHECK(story_is_yes(1));
	story_finish();
}

/* T-37. */
static void
expected_changes(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	CHECK_EQ(story_set_expected(1, 2, false), QUORUM_ANSWER_BAD);
	CHECK_EQ(story_set_expected(1, 2, true), QUORUM_ANSWER_BAD);
	CHECK_EQ(story_set_expected(1, 0, true), QUORUM_ANSWER_BAD);
	CHECK_EQ(story_set_expected(1, 6, false), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(story_set_expected(1, 5, false), QUORUM_ANSWER_OK);
	CHECK_EQ(story_at(3).needed, 3);
	story_cut("1|23");
	CHECK(!story_is_yes(2)); /* of five */
	CHECK_EQ(story_set_expected(2, 2, false), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(story_set_expected(2, 2, true), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(2));
	CHECK_EQ(story_at(2).basis, QUORUM_BASIS_MAJORITY); /* as configured */
	story_cut("123"); /* one comes back and is counted in */
	CHECK_EQ(story_at(1).expected, 3);
	CHECK_EQ(story_at(1).votes, 3);
	story_finish();
}

/* Lowered by a side, expected binds those that it met later. */
static void
lowered_is_not_undone_elsewhere(void)
{
	story_nodes(5);
	story_begin();
	story_whole();
	story_cut("123|45");
	CHECK_EQ(story_set_expected(1, 3, false), QUORUM_ANSWER_OK);
	story_cut("12|345");
	CHECK(story_is_yes(1));
	CHECK(!story_is_yes(3)); /* by the formula alone: 3 of 5 */
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_FORCED);
	story_finish();
}

/* ---- two_node, wait_for_all --------------------------------------------- */

static void
two_node(void)
{
	story_nodes(2);
	story_cfg.two_node = true;
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_begin();
	story_start("1");
	CHECK(!story_is_yes(1)); /* no fence loop at power-on */
	story_start("2");
	story_cut("12");
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).needed, 1);
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_MAJORITY);
	story_stop("2", false);
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_TWO_NODE);
	story_start("2");
	CHECK(story_is_yes(1) && !story_is_yes(2));
	story_cut("12");
	CHECK(story_is_yes(2));
	story_finish();
}

/* T-36: armed at the start only; always is the opt-in. */
static void
wait_for_all(void)
{
	story_nodes(3);
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_begin();
	story_start("12");
	story_cut("12");
	CHECK(!story_is_yes(1));
	story_start("3");
	story_cut("123");
	CHECK(story_is_yes(1));
	story_cut("12|3");
	CHECK(story_is_yes(1) && !story_is_yes(3));
	story_cut("1|2|3"); /* the link between two flaps */
	story_cut("12|3");
	CHECK(story_is_yes(1));
	story_finish();
	story_cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	story_begin();
	story_whole();
	story_cut("12|3");
	CHECK(story_is_yes(1));
	story_cut("1|2|3");
	story_cut("12|3");
	CHECK(!story_is_yes(1));
	story_cut("123");
	CHECK(story_is_yes(1));
	story_finish();
}

static void
cancel_wait(void)
{
	struct quorum_input in = { .kind = QUORUM_IN_CANCEL_WAIT };
	struct quorum_rule rule;
	const char *text;

	story_nodes(3);
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_begin();
	story_start("12");
	story_cut("12");
	CHECK(quorum_rule_at(quorumd_simulate_core(story_world, 0), 0, &rule));
	CHECK_STR(rule.name, "wait_for_all");
	CHECK_STR(rule.text, "waiting for c");
	CHECK_EQ(
	    quorumd_simulate_ask(story_world, 0, &in, &text), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1) && story_is_yes(2));
	CHECK_EQ(story_at(2).reason, QUORUM_REASON_WAIT_CANCELLED);
	story_finish();
}

/* One who woke is taken in by those who have quorum without it. */
static void
waiting_ends_with_a_quorate_partner(void)
{
	story_nodes(3);
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_begin();
	story_whole();
	story_stop("3", false);
	story_start("3");
	story_cut("13|2");
	CHECK(story_is_yes(1) && story_is_yes(3)); /* 1 has seen all */
	story_finish();
	/* Where a minority may have quorum, that is not enough. */
	story_cfg.last_man_standing = true;
	story_begin();
	story_whole();
	story_stop("3", false);
	quorumd_simulate_wait(story_world, 11 * STORY_SECOND);
	story_start("3");
	story_cut("1|2|3");
	story_cut("13|2");
	CHECK(!story_is_yes(1) && !story_is_yes(3));
	story_finish();
}

/* ---- last_man_standing -------------------------------------------------- */

static void
last_man_standing(void)
{
	story_nodes(5);
	story_cfg.last_man_standing = true;
	story_begin();
	story_whole();
	story_stop("5", false);
	quorumd_simulate_wait(story_world, 6 * STORY_SECOND);
	story_stop("4", false); /* the window begins anew */
	quorumd_simulate_wait(story_world, 9 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 5);
	quorumd_simulate_wait(story_world, 2 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 3);
	CHECK_EQ(story_at(1).reason, QUORUM_REASON_LMS_WINDOW);
	story_stop("3", false);
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_LMS);
	quorumd_simulate_wait(story_world, 11 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 2);
	story_stop("2", false);
	CHECK(!story_is_yes(1)); /* without a tie breaker two is the end */
	story_finish();
}

/*
 * 2 is given three votes of five while 1 is away; 3 restarts, and remembers
 * no more than that five were expected: 1 knows nothing, and 3's vote must
 * not make it enough.
 */
static void
who_remembers_more_is_not_spoken_for(void)
{
	story_nodes(3);
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_cfg.expected_votes_tracking = true;
	story_begin();
	story_whole();
	story_cut("1|23");
	CHECK_EQ(story_set_votes(2, 2, 3, false), QUORUM_ANSWER_OK);
	story_stop("3", false);
	story_cut("1|2");
	CHECK(story_is_yes(2));
	story_start("3");
	story_cut("13|2");
	CHECK(story_is_yes(2));
	CHECK(!story_is_yes(1) && !story_is_yes(3));
	story_cut("123");
	CHECK(story_is_yes(1) && story_is_yes(3));
	story_finish();
}

/* By the formula, {3,4,5} had 3 of 5 while {1,2} had 2 of 3. */
static void
last_men_do_not_vote_twice(void)
{
	story_nodes(5);
	story_cfg.last_man_standing = true;
	story_begin();
	story_whole();
	story_cut("123|45");
	quorumd_simulate_wait(story_world, 11 * STORY_SECOND);
	story_cut("12|345");
	CHECK(story_is_yes(1) && !story_is_yes(3) && !story_is_yes(4));
	story_cut("124|35");
	CHECK(story_is_yes(4)); /* counted in again */
	CHECK_EQ(story_at(4).expected, 4);
	story_finish();
}

/* The window ends while there is no quorum: nothing happens. */
static void
window_needs_quorum(void)
{
	story_nodes(5);
	story_cfg.last_man_standing = true;
	story_begin();
	story_whole();
	story_cut("123|4|5");
	quorumd_simulate_wait(story_world, 5 * STORY_SECOND);
	story_cut("1|2|3|4|5");
	quorumd_simulate_wait(story_world, 6 * STORY_SECOND);
	story_cut("123|45"); /* nobody was lost */
	quorumd_simulate_wait(story_world, 11 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 5);
	story_finish();
}

static void
down_to_one_by_ties(void)
{
	story_nodes(4);
	story_cfg.last_man_standing = true;
	story_cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	story_begin();
	story_whole();
	story_stop("34", false);
	CHECK(story_is_yes(1));
	quorumd_simulate_wait(story_world, 11 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 2);
	story_stop("2", false);
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_TIE);
	quorumd_simulate_wait(story_world, 11 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 1);
	CHECK(story_is_yes(1));
	story_finish();
}

/* ---- auto_tie_breaker --------------------------------------------------- */

/* The ruling's hole: 1 was the lowest once, 4 knows that it no longer is. */
static void
an_older_memory_never_decides_a_tie(void)
{
	story_nodes(4);
	story_cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	story_begin();
	story_whole();
	story_cut("1|234");
	story_cut("23|14");
	CHECK(story_is_yes(2));
	CHECK_EQ(story_at(2).basis, QUORUM_BASIS_TIE);
	CHECK(!story_is_yes(1) && !story_is_yes(4));
	story_finish();
}

static void
ties(void)
{
	story_nodes(4);
	story_cfg.auto_tie_breaker = QUORUM_TIE_HIGHEST;
	story_begin();
	story_start("1234");
	story_cut("12|34");
	CHECK(!story_is_yes(3)); /* nobody was quorate before */
	story_cut("1234");
	story_cut("12|34");
	CHECK(!story_is_yes(1) && story_is_yes(3));
	story_finish();
	story_cfg.auto_tie_breaker = QUORUM_TIE_LIST;
	story_cfg.tie_list[0] = 3;
	story_cfg.tie_list[1] = 2;
	story_cfg.tie_count = 2;
	story_begin();
	story_whole();
	story_cut("12|34");
	CHECK(!story_is_yes(1) && story_is_yes(4));
	story_cut("1234");
	story_cut("124|3");
	story_cut("12|4|3"); /* 3 was not among them: 2 decides */
	CHECK(story_is_yes(1));
	story_finish();
}

/* One that restarted may have been where the tie was decided otherwise. */
static void
who_remembers_nothing_breaks_no_tie(void)
{
	story_nodes(4);
	story_cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	story_begin();
	story_whole();
	story_cut("1|234");
	story_stop("4", false);
	CHECK(story_is_yes(2));
	story_start("4");
	story_cut("14|23");
	CHECK(story_is_yes(2) && !story_is_yes(1));
	story_finish();
}

/* T-35: with five, {1,2} of {1,2,3,4} wins only if 5 waits for all. */
static void
ties_of_odd_clusters(void)
{
	struct text text;
	char why[QUORUM_TEXT_BYTES];

	story_nodes(5);
	story_cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	text_init(&text, why, sizeof why);
	CHECK(quorum_config_mistake(&story_cfg, 0, &text));
	story_cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	CHECK(!quorum_config_mistake(&story_cfg, 0, &text));
	story_begin();
	story_whole();
	story_cut("12|345"); /* the other three could be whole */
	CHECK(!story_is_yes(1) && story_is_yes(3));
	story_cut("12345");
	story_cut("1234|5");
	story_cut("12|345");
	CHECK(story_is_yes(1) && !story_is_yes(3) && !story_is_yes(5));
	story_finish();
}

/* ---- leaving, tracking --------------------------------------------------- */

static void
downscale(void)
{
	story_nodes(3);
	story_cfg.allow_downscale = true;
	story_begin();
	story_whole();
	story_stop("3", true);
	CHECK_EQ(story_at(1).expected, 2);
	story_stop("2", true);
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).basis, QUORUM_BASIS_DOWNSCALE);
	story_start("2");
	story_cut("12");
	CHECK_EQ(story_at(2).expected, 2);
	story_stop("2", false); /* a crash is no leaving */
	CHECK_EQ(story_at(1).expected, 2);
	CHECK(!story_is_yes(1));
	story_finish();
	story_cfg.allow_downscale = false;
	story_begin();
	story_whole();
	story_stop("3", true);
	CHECK_EQ(story_at(1).expected, 3);
	story_finish();
}

/* T-38: what was counted once is needed after a restart. */
static void
tracking(void)
{
	story_nodes(3);
	story_cfg.expected_votes_tracking = true;
	story_begin();
	story_whole();
	CHECK_EQ(story_set_expected(1, 5, false), QUORUM_ANSWER_OK);
	story_stop("123", false);
	story_start("12");
	story_cut("12");
	CHECK_EQ(story_at(1).expected, 5);
	CHECK(!story_is_yes(1));
	story_start("3");
	story_cut("123");
	CHECK(story_is_yes(1));
	story_finish();
	story_cfg.expected_votes_tracking = false;
	story_begin();
	story_whole();
	CHECK_EQ(story_set_expected(1, 5, false), QUORUM_ANSWER_OK);
	story_stop("123", false);
	story_start("12");
	story_cut("12");
	CHECK(story_is_yes(1));
	story_finish();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(majority),
		CHECK_TEST(votes_are_wide),
		CHECK_TEST(votes_ratchet),
		CHECK_TEST(expected_changes),
		CHECK_TEST(lowered_is_not_undone_elsewhere),
		CHECK_TEST(two_node),
		CHECK_TEST(wait_for_all),
		CHECK_TEST(cancel_wait),
		CHECK_TEST(waiting_ends_with_a_quorate_partner),
		CHECK_TEST(last_man_standing),
		CHECK_TEST(who_remembers_more_is_not_spoken_for),
		CHECK_TEST(last_men_do_not_vote_twice),
		CHECK_TEST(window_needs_quorum),
		CHECK_TEST(down_to_one_by_ties),
		CHECK_TEST(an_older_memory_never_decides_a_tie),
		CHECK_TEST(ties),
		CHECK_TEST(who_remembers_nothing_breaks_no_tie),
		CHECK_TEST(ties_of_odd_clusters),
		CHECK_TEST(downscale),
		CHECK_TEST(tracking),
	};
	return CHECK_MAIN(argc, argv, tests);
}
