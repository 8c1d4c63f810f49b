/* SPDX-License-Identifier: BSD-3-Clause */
/* Nodes that start with a file that was never agreed on: stories. */
#include <string.h>

#include "libcommon/base/text.h"

#include "bin/quorumd/quorum.h"
#include "bin/quorumd/quorum_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/story_reload.h"

/* Nobody read the file; 1 and 5 start with it where nobody else is. */
static void
edited_and_cut_off(void)
{
	story_begin_with_records(5);
	story_edit(5);
	story_next.node[0].votes = 3;
	story_reread("");
	story_cut("234|15");
	CHECK(story_is_yes(2));
	story_stop("15", false);
	story_start("15");
	story_cut("234|15");
	CHECK(!story_is_yes(1) && !story_is_yes(5));
	CHECK_EQ(story_at(1).expected, 5);
	CHECK_EQ(story_at(1).votes, 2);
	CHECK(story_says(1, "never agreed on, and the record of what was"));
	CHECK(quorum_is_pending(story_core(1)));
	story_cut("12345");
	CHECK(story_says(1, "not read by b, c and d"));
	story_reread("234");
	CHECK(!quorum_is_pending(story_core(1)) &&
	    !quorum_is_pending(story_core(2)));
	CHECK_EQ(story_at(1).expected, 7);
	CHECK(!story_says(1, ""));
	/* It is what they begin with from now on. */
	story_stop("12345", false);
	story_start("12345");
	story_cut("234|15");
	CHECK_EQ(story_at(1).votes, 4);
	CHECK(story_is_yes(1) && !story_is_yes(2));
	story_finish();
}

/* All were stopped, and start with another file. */
static void
edited_while_all_were_down(void)
{
	story_begin_with_records(3);
	story_stop("123", true);
	story_edit(4);
	story_next.node[0].votes = 2;
	story_reread("");
	story_start("1");
	CHECK(!story_is_yes(1));
	CHECK_EQ(story_at(1).votes, 1);
	story_start("23");
	CHECK(!story_is_yes(2) && !story_is_yes(3));
	story_cut("1|23");
	CHECK(story_is_yes(2) && quorum_is_pending(story_core(2)));
	CHECK_EQ(story_at(2).expected, 3);
	story_cut("12|3");
	CHECK(story_is_yes(1) && !quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(1).expected, 5);
	story_cut("123");
	CHECK_EQ(story_at(3).expected, 5);
	CHECK(!quorum_is_pending(story_core(3)));
	story_finish();
}

/* Nothing is promised of what would cost quorum: it can be taken back. */
static void
edited_by_mistake(void)
{
	story_begin_with_records(3);
	story_stop("123", true);
	story_edit(7);
	story_reread("");
	story_start("123");
	story_cut("123");
	CHECK(story_is_yes(1) && quorum_is_pending(story_core(1)));
	CHECK(story_says(1, "it would cost quorum"));
	story_stop("123", true);
	story_edit(3);
	story_reread("");
	story_start("123");
	story_cut("12|3");
	CHECK(story_is_yes(1) && !story_is_yes(3));
	CHECK(!story_says(1, ""));
	story_finish();
}

/* Two that took part in an agreement begin anew, beside one that did not. */
static void
agreed_and_forgotten(void)
{
	story_begin_with_records(5);
	story_edit(5);
	story_next.node[4].votes = 2;
	story_reread("12345");
	CHECK_EQ(story_at(5).expected, 6);
	story_cut("1234|5");
	story_next.node[0].votes = 4;
	story_reread("1234");
	CHECK_EQ(story_at(1).expected, 9);
	story_cut("12|34|5");
	CHECK(story_is_yes(1));
	story_stop("34", false);
	story_start("34");
	story_cut("12|345");
	CHECK(story_is_yes(1));
	CHECK(!story_is_yes(3) && !story_is_yes(5));
	story_cut("123|45");
	CHECK(story_is_yes(3) && !story_is_yes(5));
	story_finish();
}

/* Some were away when it was agreed on, and all begin anew. */
static void
old_records(void)
{
	story_begin_with_records(5);
	story_cut("1234|5");
	story_edit(6);
	story_reread("1234");
	CHECK_EQ(story_at(1).expected, 6);
	story_start("6");
	story_cut("12346|5");
	story_stop("123456", false);
	story_start("123456");
	/* One of these two never counted by anything else, and nobody knows
	   what came first. */
	story_cut("56|1|2|3|4");
	CHECK_EQ(story_at(5).votes, 1);
	CHECK_EQ(story_at(5).expected, 6);
	CHECK(quorum_is_pending(story_core(5)));
	story_cut("156|2|3|4");
	CHECK_EQ(story_at(1).votes, 3);
	CHECK(!story_is_yes(1) && !quorum_is_pending(story_core(5)));
	/* It has on record now what was agreed on without it. */
	story_stop("5", false);
	story_start("5");
	CHECK(!quorum_is_pending(story_core(5)));
	CHECK_EQ(
	    story_core(5)->memory.since.seq, story_core(1)->memory.since.seq);
	story_cut("1256|3|4");
	CHECK(story_is_yes(1) && story_is_yes(5));
	story_finish();
}

/* What was agreed on before that is over. */
static void
older_agreements(void)
{
	story_begin_with_records(3);
	story_edit(3);
	story_next.node[1].votes = 3;
	story_reread("123");
	CHECK_EQ(story_at(3).expected, 5);
	story_cut("12|3");
	story_next.node[0].votes = 3;
	story_reread("12");
	CHECK_EQ(story_at(1).expected, 7);
	story_stop("123", false);
	story_start("123");
	story_cut("13|2");
	CHECK_EQ(story_at(3).votes, 4);
	CHECK(story_is_yes(1) && story_is_yes(3));
	story_finish();
}

/* Votes that were set are in the agreement on a file, and in no file. */
static void
set_and_recalled(void)
{
	story_begin_with_records(3);
	CHECK_EQ(story_set_votes(1, 1, 5, false), QUORUM_ANSWER_OK);
	story_edit(4);
	story_reread("123");
	CHECK_EQ(story_at(1).expected, 8);
	story_start("4");
	story_cut("1234");
	story_stop("1234", false);
	story_start("1234");
	/* By the file, and by what was set, or not at all. */
	story_cut("234|1");
	CHECK(!story_is_yes(2));
	story_cut("12|34");
	CHECK(!story_is_yes(1));
	story_cut("123|4");
	CHECK(story_is_yes(1));
	/* That was an agreement: what was set is over, for good. */
	story_stop("1234", false);
	story_start("1234");
	story_cut("23|1|4");
	CHECK(!story_is_yes(2));
	story_cut("234|1");
	CHECK(story_is_yes(2) && story_is_yes(4));
	story_finish();
}

/* All records were removed but that of 1, which nobody thought of. */
static void
left_behind(void)
{
	char bytes[QUORUM_MESSAGE_BYTES_MAX];
	struct text out;

	story_begin_with_records(5);
	CHECK(story_is_yes(2));
	story_stop("1", false);
	story_edit(5);
	story_next.node[0].votes = 4;
	text_init(&out, bytes, sizeof bytes);
	quorum_record_begin(&story_next, &out);
	text_put(&out, " held=1.1:3.0/8/start/1:4,2:1,3:1,4:1,5:1//");
	text_put_u64(&out, quorum_config_version(&story_next));
	quorumd_simulate_set_record(story_world, 0, bytes);
	story_start("1");
	CHECK_EQ(story_at(1).votes, 4);
	story_cut("12|345");
	CHECK(story_is_yes(3));
	CHECK_EQ(story_at(1).votes, 2);
	CHECK_EQ(story_at(1).expected, 8);
	CHECK(!story_is_yes(1) && !story_is_yes(2));
	story_finish();
}

/* The views of its ring count from the start again: its agreement is later than
 * any that follows, and must not be asked for without end. */
static void
of_a_later_ring(void)
{
	char bytes[QUORUM_MESSAGE_BYTES_MAX];
	struct text out;

	story_begin_with_records(5);
	story_stop("1", false);
	story_edit(5);
	story_next.node[0].votes = 2;
	text_init(&out, bytes, sizeof bytes);
	quorum_record_begin(&story_next, &out);
	text_put(&out, " held=1.50:3.0/6/start/1:2,2:1,3:1,4:1,5:1//");
	text_put_u64(&out, quorum_config_version(&story_next));
	quorumd_simulate_set_record(story_world, 0, bytes);
	story_start("1");
	story_cut("12|345");
	CHECK(!story_is_yes(1) && story_is_yes(3));
	story_cut("12345");
	CHECK(story_is_yes(1) && story_is_yes(3));
	CHECK(story_core(1)->memory.maybe_count == 0);
	story_finish();
}

/* A node whose record is that, alone with who counts by the present file. */
static void
begin_by(const char *record)
{
	struct quorumd_simulate_world *w = story_world;

	quorumd_simulate_set_record(w, 0, record);
	story_start("1");
}

/* It may have been agreed on, and nobody is here who knows. */
static void
promised_and_forgotten(void)
{
	static const char record[] =
	    "record self=1 config=0.0:0.0/3/start/1:1,2:1,3:1//7 two_node=0"
	    " wait_for_all=0 last_man_standing=0 auto_tie_breaker=0"
	    " allow_downscale=0 expected_votes_tracking=0 device_votes=0"
	    " device_master_wins=0"
	    " promised=4294967295.18446744073709551615:9.0/5/start/1:1,2:1,3:3//9";

	static const char of_more[] =
	    "record self=1 config=0.0:0.0/3/start/1:1,2:1,3:1//7 two_node=0"
	    " wait_for_all=0 last_man_standing=0 auto_tie_breaker=0"
	    " allow_downscale=0 expected_votes_tracking=0 device_votes=0"
	    " device_master_wins=0"
	    " promised=4294967295.18446744073709551615:9.0/7/start/"
	    "1:1,2:1,3:1,4:4//9";

	story_begin_with_records(3);
	story_stop("1", false);
	begin_by(record);
	story_cut("12|3");
	CHECK_EQ(story_at(1).votes, 2);
	CHECK(!story_is_yes(1));
	/* Who is here may take it back, and answers for the others. */
	CHECK_EQ(story_ask_reload(2, false), QUORUM_ANSWER_OK);
	CHECK(!story_is_yes(1));
	CHECK_EQ(story_ask_reload(2, true), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1) && story_is_yes(2));
	CHECK(story_core(1)->promised_count == 0);
	story_finish();
	story_begin_with_records(3);
	story_stop("1", false);
	begin_by(record);
	story_cut("13|2");
	CHECK(story_is_yes(1) && story_is_yes(3));
	quorumd_simulate_wait(story_world, STORY_SECOND);
	/* That made an agreement, and nothing is promised any more. */
	story_cut("12|3");
	CHECK(story_is_yes(1) && story_is_yes(2));
	CHECK(story_core(1)->promised_count == 0);
	CHECK(story_core(2)->memory.maybe_count == 0);
	story_finish();
	/* Who has quorum without it does not lose it to its doubts. */
	story_begin_with_records(3);
	story_stop("1", false);
	CHECK(story_is_yes(2));
	begin_by(of_more);
	story_cut("123");
	CHECK(story_is_yes(2));
	quorumd_simulate_wait(story_world, STORY_SECOND);
	CHECK(story_is_yes(1));
	story_cut("12|3");
	CHECK(story_is_yes(1));
	story_finish();
}

/* More than its record has room for: it takes nobody's quorum either. */
static void
promised_too_much(void)
{
	static const char record[] =
	    "record self=1 config=0.0:0.0/5/start/1:1,2:1,3:1,4:1,5:1//7"
	    " two_node=0 wait_for_all=0 last_man_standing=0"
	    " auto_tie_breaker=0 allow_downscale=0 expected_votes_tracking=0"
	    " device_votes=0 device_master_wins=0 crowded=yes";

	story_begin_with_records(5);
	story_stop("15", false);
	begin_by(record);
	CHECK(story_core(1)->memory.is_crowded);
	CHECK(story_is_yes(2));
	story_cut("1234");
	CHECK(story_is_yes(2));
	quorumd_simulate_wait(story_world, STORY_SECOND);
	CHECK(story_is_yes(1) && !story_core(1)->memory.is_crowded);
	CHECK(!story_core(1)->is_promise_crowded);
	story_finish();
}

/* Whoever takes part in an agreement has it on its disk before. */
static void
slow_disk(void)
{
	story_begin_with_records(3);
	story_edit(3);
	story_next.node[0].votes = 2;
	quorumd_simulate_slow_disks(story_world, QUORUM_BIT(2));
	story_reread("123");
	quorumd_simulate_wait(story_world, 5 * STORY_SECOND);
	CHECK(quorum_is_pending(story_core(1)) &&
	    quorum_is_pending(story_core(3)));
	CHECK_EQ(story_at(1).expected, 3);
	CHECK_EQ(story_ask_reload(1, false), QUORUM_ANSWER_AGAIN);
	CHECK(story_says(1, "not on the disk of c"));
	quorumd_simulate_slow_disks(story_world, 0);
	CHECK(!quorum_is_pending(story_core(1)) &&
	    !quorum_is_pending(story_core(3)));
	CHECK_EQ(story_at(3).expected, 4);
	story_finish();
}

/* Rules that need a start of all; who is away is to be forced. */
static void
other_rules(void)
{
	story_begin_with_records(5);
	story_stop("12345", true);
	story_edit(5);
	story_next.last_man_standing = true;
	story_next.wait_for_all = QUORUM_WAIT_YES;
	story_reread("");
	story_start("1234");
	story_cut("1234");
	CHECK(story_is_yes(1));
	CHECK(!story_core(1)->cfg.last_man_standing);
	CHECK(story_says(1, "it has other rules, and not all its nodes"));
	CHECK_EQ(story_ask_reload(1, false), QUORUM_ANSWER_QUORUM);
	story_start("5");
	story_cut("12345");
	CHECK(story_core(1)->cfg.last_man_standing &&
	    story_core(5)->cfg.last_man_standing);
	CHECK(story_is_yes(5) && !story_says(5, ""));
	story_finish();
	story_begin_with_records(5);
	story_stop("12345", true);
	story_reread("");
	story_start("12");
	story_cut("12");
	CHECK(!story_is_yes(1));
	CHECK_EQ(story_would(1), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(story_ask_reload(2, true), QUORUM_ANSWER_OK);
	CHECK(story_core(1)->cfg.last_man_standing &&
	    story_core(2)->cfg.last_man_standing);
	CHECK_EQ(story_at(1).expected, 5);
	story_finish();
}

static void
begin_with_device(uint32_t count, uint32_t votes)
{
	story_nodes(count);
	story_cfg.has_device = true;
	story_cfg.device_votes = votes;
	story_begin();
	story_whole();
}

/* What it helped to agree on it does not know when it helps the others. */
static void
agreed_by_the_device(void)
{
	begin_with_device(2, 3);
	CHECK_EQ(story_cast(1, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK_EQ(story_set_votes(1, 1, 2, false), QUORUM_ANSWER_OK);
	story_finish();
	begin_with_device(3, 2);
	story_cut("12|3");
	CHECK_EQ(story_cast(1, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1));
	story_edit(3);
	story_next.node[0].votes = story_next.node[1].votes = 3;
	CHECK_EQ(story_would(1), QUORUM_ANSWER_QUORUM);
	story_reread("12");
	CHECK(quorum_is_pending(story_core(1)));
	CHECK_EQ(story_ask_reload(1, false), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(story_set_votes(1, 1, 3, false), QUORUM_ANSWER_QUORUM);
	quorumd_simulate_wait(story_world, 20 * STORY_SECOND);
	CHECK(!story_is_yes(1));
	CHECK_EQ(story_cast(3, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(3) && !story_is_yes(1));
	/* With all here it is of no matter whom the device helps. */
	story_cut("123");
	story_reread("3");
	CHECK(!quorum_is_pending(story_core(1)));
	CHECK_EQ(story_at(3).expected, 9);
	CHECK_EQ(story_set_votes(1, 3, 2, false), QUORUM_ANSWER_OK);
	/* Nor is it where those who are away are too few even so. */
	story_cut("12|3");
	CHECK_EQ(story_set_votes(1, 1, 4, false), QUORUM_ANSWER_OK);
	story_finish();
}

/* Helped by the device, one whose file nobody here has read is no voter. */
static void
a_stranger_and_the_device(void)
{
	begin_with_device(3, 2);
	quorumd_simulate_keep_records(story_world);
	CHECK_EQ(story_set_votes(1, 1, 1, false), QUORUM_ANSWER_OK);
	story_cut("12|3");
	CHECK_EQ(story_cast(1, true, 60 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1));
	story_edit(4);
	story_next.node[3].votes = 3;
	story_reread("");
	story_start("4");
	story_cut("124|3");
	CHECK_EQ(story_cast(1, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1));
	CHECK_EQ(story_at(1).expected, 5);
	quorumd_simulate_wait(story_world, 20 * STORY_SECOND);
	CHECK_EQ(story_cast(3, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(3) && !story_is_yes(1));
	/* Where nobody is elsewhere it is. */
	story_cut("1234");
	CHECK_EQ(story_at(4).expected, 8);
	CHECK_EQ(story_at(4).votes, 6);
	story_finish();
}

/* Without the device three go on, and the fourth still has it. */
static void
without_the_device(void)
{
	begin_with_device(4, 3);
	story_cut("123|4");
	CHECK_EQ(story_cast(1, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	story_edit(3);
	story_next.has_device = false;
	story_next.device_votes = 0;
	story_reread("123");
	CHECK(story_is_yes(1));
	CHECK(quorum_is_pending(story_core(1)));
	CHECK_EQ(story_ask_reload(1, false), QUORUM_ANSWER_QUORUM);
	CHECK_EQ(story_ask_reload(1, true), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1) && !quorum_is_pending(story_core(1)));
	story_finish();
}

/* Where the device decides alone, half of the votes are no majority. */
static void
the_device_is_master(void)
{
	story_nodes(3);
	story_cfg.node[0].votes = 3;
	story_cfg.node[1].votes = 2;
	story_cfg.has_device = story_cfg.device_master_wins = true;
	story_cfg.device_votes = 2;
	story_begin();
	story_whole();
	story_cut("12|3");
	CHECK_EQ(story_set_votes(1, 1, 5, false), QUORUM_ANSWER_OK);
	story_finish();
	story_nodes(3);
	story_cfg.node[0].votes = 3;
	story_cfg.has_device = story_cfg.device_master_wins = true;
	story_cfg.device_votes = 2;
	story_cfg.expected_votes = 8;
	story_begin();
	story_whole();
	story_cut("12|3");
	CHECK_EQ(story_cast(1, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK(story_is_yes(1));
	CHECK_EQ(story_set_votes(1, 1, 8, false), QUORUM_ANSWER_QUORUM);
	story_finish();
}

/* What may have been agreed on has no device: it helps nobody to that. */
static void
promised_without_the_device(void)
{
	static const char record[] =
	    "record self=1 config=0.0:0.0/5/start/1:1,2:1,3:1//7 two_node=0"
	    " wait_for_all=0 last_man_standing=0 auto_tie_breaker=0"
	    " allow_downscale=0 expected_votes_tracking=0 device_votes=2"
	    " device_master_wins=0"
	    " promised=4294967295.18446744073709551615:9.0/3/start/"
	    "1:1,2:1,3:1//9";

	begin_with_device(3, 2);
	quorumd_simulate_keep_records(story_world);
	story_stop("1", false);
	begin_by(record);
	story_cut("1|23");
	CHECK_EQ(story_cast(1, true, 5 * STORY_SECOND), QUORUM_ANSWER_OK);
	CHECK_EQ(story_at(1).votes, 3);
	CHECK(!story_is_yes(1));
	story_finish();
}

/* All are here, but not the device, which they are to do without. */
static void
a_device_that_is_gone(void)
{
	story_nodes(2);
	story_cfg.has_device = true;
	story_cfg.device_votes = 3;
	story_begin();
	quorumd_simulate_keep_records(story_world);
	story_whole();
	CHECK(!story_is_yes(1));
	story_stop("12", true);
	story_edit(2);
	story_next.has_device = false;
	story_next.device_votes = 0;
	story_reread("");
	story_start("1");
	CHECK(!story_is_yes(1) && quorum_is_pending(story_core(1)));
	story_start("2");
	story_cut("12");
	CHECK(story_is_yes(1) && story_is_yes(2));
	CHECK_EQ(story_at(1).expected, 2);
	story_finish();
}

static void
bad_records(void)
{
	struct quorum_config cfg;
	struct text out;
	char bytes[QUORUM_MESSAGE_BYTES_MAX];
	size_t good = 0;

	story_nodes(3);
	story_cfg.auto_tie_breaker = QUORUM_TIE_LIST;
	story_cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	story_cfg.tie_list[0] = 2;
	story_cfg.tie_list[1] = 3;
	story_cfg.tie_count = 2;
	strcpy(story_cfg.cluster, "one of 2");
	text_init(&out, bytes, sizeof bytes);
	quorum_record_begin(&story_cfg, &out);
	quorum_config_init(&cfg);
	CHECK(quorum_record_read(&cfg, bytes, out.len));
	CHECK_EQ(
	    quorum_config_version(&cfg), quorum_config_version(&story_cfg));
	CHECK_EQ(cfg.self, 1);
	CHECK(strcmp(cfg.cluster, "one of 2") == 0);
	for (size_t len = 0; len < out.len; len++)
		good += quorum_record_read(&cfg, bytes, len);
	/* Without its end it may be one of fewer deciding nodes. */
	CHECK(good <= 2);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(edited_and_cut_off),
		CHECK_TEST(edited_while_all_were_down),
		CHECK_TEST(edited_by_mistake),
		CHECK_TEST(agreed_and_forgotten),
		CHECK_TEST(old_records),
		CHECK_TEST(older_agreements),
		CHECK_TEST(set_and_recalled),
		CHECK_TEST(left_behind),
		CHECK_TEST(of_a_later_ring),
		CHECK_TEST(promised_and_forgotten),
		CHECK_TEST(promised_too_much),
		CHECK_TEST(slow_disk),
		CHECK_TEST(other_rules),
		CHECK_TEST(agreed_by_the_device),
		CHECK_TEST(a_stranger_and_the_device),
		CHECK_TEST(without_the_device),
		CHECK_TEST(the_device_is_master),
		CHECK_TEST(promised_without_the_device),
		CHECK_TEST(a_device_that_is_gone),
		CHECK_TEST(bad_records),
	};
	return CHECK_MAIN(argc, argv, tests);
}
