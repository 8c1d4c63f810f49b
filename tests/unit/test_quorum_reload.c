/* SPDX-License-Identifier: BSD-3-Clause */
/* Another configuration while nodes run: stories. */
#include <string.h>

#include "libcommon/base/text.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/story.h"

static struct quorum_config next;

/* The file as it was, with so many nodes; new ones have one vote. */
static void
edit(uint32_t count)
{
	next = story_cfg;
	for (uint32_t i = (uint32_t)next.node_count; i < count; i++)
		next.node[i] = (struct quorum_config_node){
			.id = i + 1, .votes = 1, .name = { (char)('a' + i) }
		};
	next.node_count = count;
}

static void
reread(const char *set)
{
	uint64_t nodes = 0;

	for (; *set != '\0'; set++)
		nodes |= QUORUM_BIT(*set - '1');
	CHECK(quorumd_simulate_reload(story_world, &next, nodes));
}

static const struct quorum *
core(uint32_t node)
{
	return quorumd_simulate_core(story_world, node - 1);
}

static enum quorum_answer
would(uint32_t node)
{
	char bytes[QUORUM_TEXT_BYTES];
	struct text out;
	enum quorum_answer answer;

	text_init(&out, bytes, sizeof bytes);
	answer = quorum_would(core(node), &next, &out);
	CHECK((answer == QUORUM_ANSWER_OK) == (out.len == 0));
	return answer;
}

/* What `why` has to say of the files. */
static bool
says(uint32_t node, const char *words)
{
	struct quorum_rule rule;

	for (size_t i = 0; quorum_rule_at(core(node), i, &rule); i++)
		if (strcmp(rule.name, "reload") == 0)
			return strstr(rule.text, words) != NULL;
	return false;
}

static enum quorum_answer
ask_reload(uint32_t node, bool is_forced)
{
	struct quorum_input in = { .kind = QUORUM_IN_RELOAD };
	const char *text;

	in.reload.is_forced = is_forced;
	return quorumd_simulate_ask(story_world, node - 1, &in, &text);
}

static void
a_third_node(void)
{
	story_nodes(2);
	story_cfg.two_node = true;
	story_cfg.wait_for_all = QUORUM_WAIT_YES;
	story_begin();
	story_whole();
	CHECK_EQ(story_at(1).needed, 1);
	edit(3);
	next.two_node = false;
	next.wait_for_all = QUORUM_WAIT_NO;
	CHECK_EQ(would(1), QUORUM_ANSWER_OK);
	reread("12");
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
	edit(2);
	next.two_node = true;
	next.wait_for_all = QUORUM_WAIT_YES;
	reread("12");
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
	edit(2);
	next.two_node = false;
	CHECK_EQ(would(1), QUORUM_ANSWER_QUORUM);
	reread("1");
	CHECK(quorum_is_pending(core(1)));
	CHECK(story_is_yes(1));
	CHECK_EQ(ask_reload(1, false), QUORUM_ANSWER_QUORUM);
	/* It comes back with the new file. */
	story_start("2");
	story_cut("12");
	CHECK(!quorum_is_pending(core(1)));
	CHECK_EQ(story_at(1).needed, 2);
	CHECK_EQ(story_at(2).votes, 2);
	CHECK_EQ(story_at(2).needed, 2);
	/* And on again. */
	edit(2);
	CHECK_EQ(would(2), QUORUM_ANSWER_OK);
	reread("12");
	CHECK_EQ(story_at(1).needed, 1);
	CHECK_EQ(story_at(2).needed, 1);
	story_finish();
}

static void
nobody_counts_alone(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	edit(4);
	reread("1");
	CHECK(quorum_is_pending(core(1)));
	CHECK_EQ(story_at(1).expected, 3);
	reread("2");
	CHECK_EQ(story_at(2).expected, 3);
	CHECK_EQ(ask_reload(1, true), QUORUM_ANSWER_AGAIN);
	reread("3");
	CHECK_EQ(story_at(1).expected, 4);
	CHECK(!quorum_is_pending(core(1)));
	CHECK_EQ(ask_reload(1, false), QUORUM_ANSWER_OK);
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
	edit(3);
	next.node[0].votes = 2;
	CHECK_EQ(would(3), QUORUM_ANSWER_QUORUM);
	reread("123");
	CHECK_EQ(story_at(1).expected, 4);
	CHECK(quorum_is_pending(core(3)));
	CHECK_EQ(story_at(3).expected, 3);
	story_cut("123");
	CHECK(!quorum_is_pending(core(3)));
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
	edit(5);
	CHECK_EQ(would(1), QUORUM_ANSWER_QUORUM);
	reread("123");
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).expected, 3);
	CHECK_EQ(ask_reload(1, false), QUORUM_ANSWER_QUORUM);
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
	edit(5);
	reread("12");
	CHECK_EQ(ask_reload(2, true), QUORUM_ANSWER_OK);
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
	edit(3);
	next.node[1].votes = 0;
	next.node[2].votes = 2;
	CHECK_EQ(would(1), QUORUM_ANSWER_QUORUM);
	reread("1");
	CHECK_EQ(story_at(1).expected, 5);
	CHECK(quorum_is_pending(core(1)));
	story_finish();
	/* As many as are here, by one file or the other: one goes, one comes.
	 */
	story_nodes(5);
	story_begin();
	story_whole();
	story_cut("123|45");
	edit(6);
	next.node[4] = next.node[5];
	next.node_count = 5;
	CHECK_EQ(would(1), QUORUM_ANSWER_QUORUM);
	story_cut("1234|5");
	CHECK_EQ(would(1), QUORUM_ANSWER_OK);
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
	edit(3);
	next.settle_ns = 9 * STORY_SECOND;
	reread("123");
	CHECK(!quorum_is_pending(core(1)));
	CHECK_EQ(core(1)->cfg.settle_ns, 9 * STORY_SECOND);
	CHECK_EQ(story_at(1).expected, 7);
	edit(4);
	reread("123");
	CHECK_EQ(story_at(1).expected, 8);
	CHECK_EQ(story_at(1).votes, 5);
	story_cfg = next;
	edit(4);
	next.node[1].votes = 2;
	reread("123");
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
	edit(6);
	reread("1234");
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
	CHECK_EQ(core(1)->tracked, 4);
	edit(3);
	reread("123");
	CHECK_EQ(core(1)->tracked, 3);
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
	edit(3);
	reread("2");
	story_start("3");
	story_cut("123");
	CHECK_EQ(story_at(1).votes, 3);
	CHECK(quorum_node_at(core(1), 2, &node));
	CHECK_EQ(node.id, 3);
	CHECK(node.is_member && node.is_voter);
	CHECK(!quorum_node_at(core(1), 3, &node));
	reread("1");
	CHECK(!quorum_is_pending(core(1)) && !quorum_is_pending(core(2)));
	CHECK_EQ(story_at(1).expected, 3);
	story_finish();
}

static void
begins_anew_meanwhile(void)
{
	story_nodes(3);
	story_begin();
	story_whole();
	edit(4);
	reread("12");
	/* It reads the new file when it starts. */
	quorumd_simulate_respawn(story_world, 2);
	CHECK(!quorum_is_pending(core(1)));
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
	edit(7);
	reread("1234");
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
	CHECK(says(6, "files of nodes differ"));
	CHECK(says(4, "count; a new configuration was read"));
	CHECK(!says(1, "differ") && says(1, "a new configuration"));
	story_cut("1234567");
	CHECK(quorum_is_pending(core(1)));
	CHECK_EQ(story_at(1).votes, 7);
	reread("5");
	CHECK(!quorum_is_pending(core(1)));
	CHECK_EQ(story_at(5).expected, 7);
	CHECK(!says(5, "") && !says(6, ""));
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
	edit(5);
	next.node[0].votes = 3;
	reread("1234");
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
	reread("5");
	/* The lowest has nothing to propose: it began with that file. */
	quorumd_simulate_wait(story_world, STORY_SECOND);
	CHECK(!quorum_is_pending(core(2)));
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
	edit(7);
	reread("12");
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
	edit(7);
	reread("12345");
	quorumd_simulate_respawn(story_world, 0);
	CHECK_EQ(story_at(1).votes, 6);
	CHECK_EQ(story_at(1).expected, 7);
	reread("6");
	quorumd_simulate_wait(story_world, STORY_SECOND);
	CHECK(!quorum_is_pending(core(2)));
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
	edit(4);
	reread("1");
	CHECK(quorum_is_pending(core(1)));
	edit(3);
	reread("123");
	CHECK(!quorum_is_pending(core(1)));
	CHECK_EQ(story_at(1).expected, 3);
	story_finish();
}

static bool
clashes(void)
{
	char bytes[QUORUM_TEXT_BYTES];
	struct text out;
	bool is_clash;

	text_init(&out, bytes, sizeof bytes);
	is_clash = quorum_config_clash(&story_cfg, &next, 0, &out);
	CHECK(
	    !is_clash || strncmp(bytes, "needs a restart: [quorum] ", 26) == 0);
	text_init(&out, bytes, sizeof bytes);
	CHECK(!is_clash || !quorum_config_clash(&story_cfg, &next, 1, &out));
	return is_clash;
}

static void
what_needs_a_restart(void)
{
	story_nodes(4);
	edit(4);
	CHECK(!clashes());
	next.last_man_standing = true;
	CHECK(clashes());
	edit(4);
	next.auto_tie_breaker = QUORUM_TIE_LOWEST;
	CHECK(clashes());
	edit(4);
	next.allow_downscale = true;
	CHECK(clashes());
	edit(4);
	next.expected_votes_tracking = true;
	CHECK(clashes());
	edit(4);
	next.has_device = true;
	CHECK(clashes());
	edit(4);
	next.wait_for_all = QUORUM_WAIT_YES;
	CHECK(!clashes());
	next.wait_for_all = QUORUM_WAIT_ALWAYS;
	CHECK(clashes());
	story_cfg.auto_tie_breaker = QUORUM_TIE_LIST;
	story_cfg.tie_list[0] = 1;
	story_cfg.tie_count = 1;
	edit(4);
	CHECK(!clashes());
	next.tie_list[0] = 2;
	CHECK(clashes());
	edit(4);
	next.wait_for_all = QUORUM_WAIT_YES;
	CHECK(clashes());
}

static void
versions(void)
{
	story_nodes(3);
	edit(3);
	next.settle_ns++;
	strcpy(next.node[1].name, "other");
	CHECK_EQ(
	    quorum_config_version(&next), quorum_config_version(&story_cfg));
	next.expected_votes = 3; /* what it is anyway */
	CHECK_EQ(
	    quorum_config_version(&next), quorum_config_version(&story_cfg));
	next.node[1].votes = 2;
	next.node[2].votes = 0;
	CHECK(
	    quorum_config_version(&next) != quorum_config_version(&story_cfg));
	edit(3);
	next.two_node = true;
	CHECK(
	    quorum_config_version(&next) != quorum_config_version(&story_cfg));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(a_third_node),
		CHECK_TEST(back_to_two),
		CHECK_TEST(two_node_alone),
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
		CHECK_TEST(what_needs_a_restart),
		CHECK_TEST(versions),
	};
	return CHECK_MAIN(argc, argv, tests);
}
