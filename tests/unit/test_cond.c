/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/word.h"

#include "bin/check-quorum/cond.h"
#include "tests/unit/check.h"

/* Takes in the text of an event, or of an answer that begins with "ok". */
static bool
tell(struct known *known, const char *text)
{
	static char line[512];
	struct word word;

	(void)snprintf(line, sizeof line, "%s", text);
	if (!CHECK_EQ(word_parse(&word, line, strlen(line)), 0))
		return false;
	if (strcmp(word.verb[0], "ok") == 0)
		return known_take_answer(known, &word);
	return known_take_event(known, word.verb[0], &word);
}

static enum known_answer
judge(const struct known *known, const char *text)
{
	struct cond cond;

	if (!CHECK_EQ(cond_parse(&cond, text), 0))
		return KNOWN_UNKNOWN;
	return cond_judge(&cond, 1, known);
}

/* Each condition is as it should be, and its negation the contrary. */
static void
expect(const struct known *known, const char *text, enum known_answer want)
{
	char negated[64];

	check_case(text);
	CHECK_EQ(judge(known, text), want);
	(void)snprintf(negated, sizeof negated, "!%s", text);
	check_case(negated);
	CHECK_EQ(judge(known, negated),
	    want == KNOWN_UNKNOWN   ? KNOWN_UNKNOWN
		: want == KNOWN_YES ? KNOWN_NO
				    : KNOWN_YES);
	check_case(NULL);
}

/* Three nodes in a quorate ring; this is alpha. */
static void
begin(struct known *known)
{
	known_init(known);
	CHECK(!tell(
	    known, "exists node=1 name=alpha state=member inc=17 local=yes"));
	CHECK(!tell(
	    known, "exists node=2 name=beta state=member inc=4 local=no"));
	CHECK(!tell(
	    known, "exists node=3 name=gamma state=member inc=9 local=no"));
	CHECK(tell(
	    known, "ready view=1.7 members=1,2,3 coordinator=1 quorate=yes"));
	CHECK(tell(known,
	    "ok quorate=yes view=1.7 members=1,2,3 self=1 coordinator=1 "
	    "settled=yes age_ms=41"));
}

static void
test_cond_reads_what_is_well_formed(void)
{
	static const struct {
		const char *text;
		int rc;
		enum cond_kind kind;
	} cases[] = {
		{ "quorate", 0, COND_QUORATE },
		{ "members>=3", 0, COND_MEMBERS },
		{ "member:beta", 0, COND_MEMBER },
		{ "fenced:2", 0, COND_FENCED },
		{ "!lost:a.b_c-1", 0, COND_LOST },
		{ "restarted:beta", 0, COND_RESTARTED },
		{ "settled", 0, COND_SETTLED },
		{ "", COND_E_WORD, 0 },
		{ "!", COND_E_WORD, 0 },
		{ "!!quorate", COND_E_WORD, 0 },
		{ "quoratee", COND_E_WORD, 0 },
		{ "quorate:beta", COND_E_WORD, 0 },
		{ "alone ", COND_E_WORD, 0 },
		{ "Quorate", COND_E_WORD, 0 },
		{ "memberbeta", COND_E_WORD, 0 },
		{ "member", COND_E_NODE, 0 },
		{ "member:", COND_E_NODE, 0 },
		{ "member:a b", COND_E_NODE, 0 },
		{ "member:a*", COND_E_NODE, 0 },
		{ "lost:\xff", COND_E_NODE, 0 },
		{ "members>=", COND_E_COUNT, 0 },
		{ "members>=x", COND_E_COUNT, 0 },
		{ "members>=-1", COND_E_COUNT, 0 },
		{ "members>3", COND_E_WORD, 0 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cond cond;

		check_case(cases[i].text);
		CHECK_EQ(cond_parse(&cond, cases[i].text), cases[i].rc);
		if (cases[i].rc == 0)
			CHECK_EQ(cond.kind, cases[i].kind);
	}
	check_case(NULL);
}

static void
test_cond_in_a_whole_ring(void)
{
	static struct known known;

	begin(&known);
	expect(&known, "quorate", KNOWN_YES);
	expect(&known, "coordinator", KNOWN_YES);
	expect(&known, "alone", KNOWN_NO);
	expect(&known, "all", KNOWN_YES);
	expect(&known, "members>=3", KNOWN_YES);
	expect(&known, "members>=4", KNOWN_NO);
	expect(&known, "member:beta", KNOWN_YES);
	expect(&known, "member:2", KNOWN_YES);
	expect(&known, "lost:beta", KNOWN_NO);
	expect(&known, "fenced:beta", KNOWN_NO);
	expect(&known, "daemon", KNOWN_YES);
	expect(&known, "settled", KNOWN_YES);
	expect(&known, "member:delta", KNOWN_UNKNOWN);
}

static void
test_cond_knows_nothing_without_a_current_answer(void)
{
	static const char *const texts[] = { "quorate", "coordinator", "alone",
		"all", "members>=1", "member:beta", "lost:beta", "fenced:beta",
		"restarted:beta", "settled" };
	static struct known known;

	for (int how = 0; how < 4; how++) {
		begin(&known);
		if (how == 0)
			known_init(&known);
		else if (how == 1)
			known_lose(&known);
		else if (how == 2)
			CHECK(tell(&known, "ok quorate=unknown members=1,2,3"));
		else
			CHECK(tell(&known, "pause ms=12034"));
		for (size_t i = 0; i < ARRAY_COUNT(texts); i++)
			expect(&known, texts[i], KNOWN_UNKNOWN);
		expect(&known, "daemon", KNOWN_NO);
		/* An event alone does not make it current. */
		CHECK(how == 0 ||
		    tell(&known, "quorum quorate=yes prev=unknown view=1.7"));
		expect(&known, "quorate", KNOWN_UNKNOWN);
	}
}

static void
test_cond_is_not_the_coordinator_without_quorum(void)
{
	static struct known known;

	begin(&known);
	CHECK(tell(&known, "quorum quorate=no prev=yes view=1.7"));
	expect(&known, "quorate", KNOWN_NO);
	expect(&known, "coordinator", KNOWN_NO);
	expect(&known, "settled", KNOWN_NO);
	CHECK(
	    tell(&known, "ok quorate=yes members=1,2,3 self=1 coordinator=2"));
	expect(&known, "coordinator", KNOWN_NO);
}

static void
test_cond_tells_a_goodbye_from_a_loss(void)
{
	static const struct {
		const char *reason;
		enum known_answer is_lost;
	} cases[] = {
		{ "left", KNOWN_NO },
		{ "lost", KNOWN_YES },
		{ "partition", KNOWN_YES },
		{ "evicted", KNOWN_YES },
		{ "some-day", KNOWN_YES },
	};
	static struct known known;
	char event[64];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		begin(&known);
		(void)snprintf(event, sizeof event,
		    "leave node=2 name=beta inc=4 reason=%s", cases[i].reason);
		/* In the midst of a change nothing may be judged. */
		CHECK(!tell(&known, event));
		CHECK(tell(&known,
		    "view view=1.8 members=1,3 coordinator=1 quorate=yes"));
		expect(&known, "lost:beta", cases[i].is_lost);
		expect(&known, "member:beta", KNOWN_NO);
		expect(&known, "fenced:beta", KNOWN_NO);
		expect(&known, "all", KNOWN_NO);
	}
}

static void
test_cond_fenced_is_of_the_incarnation_that_was_lost(void)
{
	static struct known known;

	begin(&known);
	tell(&known, "leave node=2 name=beta inc=4 reason=lost");
	tell(&known, "view view=1.8 members=1,3 coordinator=1 quorate=yes");
	CHECK(tell(&known, "fenced node=2 inc=3 by=1"));
	expect(&known, "fenced:beta", KNOWN_NO);
	CHECK(tell(&known, "fenced node=2 inc=4 by=1"));
	expect(&known, "fenced:beta", KNOWN_YES);
	expect(&known, "lost:beta", KNOWN_YES);
	/* It is back, and lost again: the confirmation is of another life. */
	tell(&known, "join node=2 name=beta inc=5 was=restarted");
	tell(&known, "view view=1.9 members=1,2,3 coordinator=1 quorate=yes");
	expect(&known, "fenced:beta", KNOWN_NO);
	tell(&known, "leave node=2 name=beta inc=5 reason=lost");
	tell(&known, "view view=1.a members=1,3 coordinator=1 quorate=yes");
	expect(&known, "lost:beta", KNOWN_YES);
	expect(&known, "fenced:beta", KNOWN_NO);
	CHECK(tell(&known, "fenced node=2 inc=4 by=1"));
	expect(&known, "fenced:beta", KNOWN_NO);
}

static void
test_cond_fenced_is_never_a_member(void)
{
	static struct known known;

	begin(&known);
	CHECK(tell(&known, "fenced node=2 inc=4 by=1"));
	expect(&known, "fenced:beta", KNOWN_NO);
	/* An answer that is ahead of the events has the last word. */
	tell(&known, "leave node=2 name=beta inc=4 reason=lost");
	tell(&known, "view view=1.8 members=1,3 coordinator=1 quorate=yes");
	tell(&known, "fenced node=2 inc=4 by=1");
	CHECK(
	    tell(&known, "ok quorate=yes members=1,2,3 self=1 coordinator=1"));
	expect(&known, "fenced:beta", KNOWN_NO);
}

static void
test_cond_restarted_counts_from_when_it_was_armed(void)
{
	static struct known known;

	begin(&known);
	known_arm(&known);
	expect(&known, "restarted:beta", KNOWN_NO);
	tell(&known, "leave node=2 name=beta inc=4 reason=lost");
	tell(&known, "view view=1.8 members=1,3 coordinator=1 quorate=yes");
	expect(&known, "restarted:beta", KNOWN_NO);
	/* The same process, cut off for a while: that is no restart. */
	tell(&known, "join node=2 name=beta inc=4 was=partition");
	tell(&known, "view view=1.9 members=1,2,3 coordinator=1 quorate=yes");
	expect(&known, "restarted:beta", KNOWN_NO);
	tell(&known, "leave node=2 name=beta inc=4 reason=restarted");
	tell(&known, "join node=2 name=beta inc=5 was=restarted");
	tell(&known, "view view=1.a members=1,2,3 coordinator=1 quorate=yes");
	expect(&known, "restarted:beta", KNOWN_YES);
	known_arm(&known);
	expect(&known, "restarted:beta", KNOWN_NO);
}

static void
test_cond_restarted_needs_an_earlier_life(void)
{
	static struct known known;

	begin(&known);
	tell(&known, "exists node=4 name=delta state=absent inc=0 local=no");
	known_arm(&known);
	tell(&known, "join node=4 name=delta inc=12 was=new");
	tell(&known, "view view=1.8 members=1,2,3,4 coordinator=1 quorate=yes");
	expect(&known, "member:delta", KNOWN_YES);
	expect(&known, "restarted:delta", KNOWN_NO);
}

static void
test_cond_waits_for_the_snapshot_after_a_gap(void)
{
	static struct known known;

	begin(&known);
	known_arm(&known);
	CHECK(!tell(&known, "gap lost=37"));
	expect(&known, "member:beta", KNOWN_UNKNOWN);
	CHECK(!tell(&known, "view view=1.8 members=1 quorate=no"));
	tell(&known, "exists node=1 name=alpha state=member inc=17 local=yes");
	tell(&known, "exists node=2 name=beta state=member inc=6 local=no");
	CHECK(tell(
	    &known, "ready view=1.b members=1,2,3 coordinator=1 quorate=yes"));
	/* What was missed shows in the incarnation. */
	expect(&known, "restarted:beta", KNOWN_YES);
}

static void
test_cond_several_are_all_of_them(void)
{
	static const struct {
		const char *a, *b;
		enum known_answer want;
	} cases[] = {
		{ "quorate", "all", KNOWN_YES },
		{ "quorate", "alone", KNOWN_NO },
		{ "member:delta", "quorate", KNOWN_UNKNOWN },
		{ "member:delta", "alone", KNOWN_NO },
		{ "alone", "member:delta", KNOWN_NO },
	};
	static struct known known;
	struct cond both[2];

	begin(&known);
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].a);
		CHECK_EQ(cond_parse(&both[0], cases[i].a), 0);
		CHECK_EQ(cond_parse(&both[1], cases[i].b), 0);
		CHECK_EQ(cond_judge(both, 2, &known), cases[i].want);
	}
	check_case(NULL);
	CHECK_EQ(cond_judge(both, 0, &known), KNOWN_YES);
}

static void
test_known_forgets_a_node(void)
{
	static struct known known;

	begin(&known);
	CHECK(tell(&known, "forget node=1 name=alpha"));
	CHECK(known_find(&known, "alpha") == NULL);
	CHECK(known_find(&known, "gamma") != NULL);
	CHECK(known_find(&known, "2") != NULL);
	CHECK(known_find(&known, "0") == NULL);
	CHECK(known_find(&known, "") == NULL);
}

static void
test_known_is_not_filled_beyond_its_size(void)
{
	static struct known known;
	char event[64];

	known_init(&known);
	for (int i = 1; i <= 3 * LIMIT_NODES; i++) {
		(void)snprintf(event, sizeof event,
		    "exists node=%d name=n%d state=member inc=1", i, i);
		tell(&known, event);
	}
	CHECK_EQ(known.node_count, LIMIT_NODES);
	CHECK(!tell(&known, "ok view=1.7"));
	tell(&known, "ok quorate=yes members=1,x,0,70000,2");
	CHECK_EQ(known.member_count, 2);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_cond_reads_what_is_well_formed),
		CHECK_TEST(test_cond_in_a_whole_ring),
		CHECK_TEST(test_cond_knows_nothing_without_a_current_answer),
		CHECK_TEST(test_cond_is_not_the_coordinator_without_quorum),
		CHECK_TEST(test_cond_tells_a_goodbye_from_a_loss),
		CHECK_TEST(
		    test_cond_fenced_is_of_the_incarnation_that_was_lost),
		CHECK_TEST(test_cond_fenced_is_never_a_member),
		CHECK_TEST(test_cond_restarted_counts_from_when_it_was_armed),
		CHECK_TEST(test_cond_restarted_needs_an_earlier_life),
		CHECK_TEST(test_cond_waits_for_the_snapshot_after_a_gap),
		CHECK_TEST(test_cond_several_are_all_of_them),
		CHECK_TEST(test_known_forgets_a_node),
		CHECK_TEST(test_known_is_not_filled_beyond_its_size),
	};

	return CHECK_MAIN(argc, argv, tests);
}
