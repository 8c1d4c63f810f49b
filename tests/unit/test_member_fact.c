/* SPDX-License-Identifier: BSD-3-Clause */
/* What nodes tell each other: tags, fencing, forgetting; and merges of it. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"

#include "tests/unit/check.h"
#include "tests/unit/member_world.h"

static void
forget_events(const char *nodes)
{
	for (const char *at = nodes; *at != '\0'; at++)
		(void)member_world_events((uint32_t)(*at - '0'));
}

static void
join(const char *nodes)
{
	member_world_install(nodes, "merge");
	member_world_exchange(nodes);
	forget_events(nodes);
}

static void
open_ring(const char *nodes)
{
	member_world_open();
	for (const char *at = nodes; *at != '\0'; at++)
		member_world_start((uint32_t)(*at - '0'));
	join(nodes);
}

/* The last word of what at says of a node. */
static const char *
tags(uint32_t at, uint32_t node)
{
	return strstr(member_world_node(at, node), "tags=") + 5;
}

static void
test_member_sets_tags_for_all(void)
{
	open_ring("123");
	CHECK_EQ(member_world_tag(1, 2, "rack", "a b"), MEMBER_DONE);
	CHECK_STR(member_world_events(3),
	    "update node=2 key=tag.rack new=a\\0040b\n");
	CHECK_EQ(member_world_tag(3, 2, "rack", ""), MEMBER_DONE);
	CHECK_STR(member_world_events(3),
	    "update node=2 key=tag.rack old=a\\0040b new=\n");
	CHECK_EQ(member_world_tag(3, 2, "rack", ""), MEMBER_DONE);
	CHECK_STR(member_world_events(3), "");
	CHECK_EQ(member_world_tag(2, 2, "a.b", "x,y:z"), MEMBER_DONE);
	CHECK_STR(tags(1, 2), "a.b:x\\0054y\\0072z,rack:");
	CHECK_EQ(member_world_tag(1, 2, "rack", NULL), MEMBER_DONE);
	CHECK_STR(member_world_events(2),
	    "update node=2 key=tag.rack new=a\\0040b\n"
	    "update node=2 key=tag.rack old=a\\0040b new=\n"
	    "update node=2 key=tag.a.b new=x,y:z\n"
	    "update node=2 key=tag.rack old=\n");
	CHECK_STR(tags(3, 2), "a.b:x\\0054y\\0072z");
	CHECK_EQ(member_world_tag(1, 2, "never", NULL), MEMBER_DONE);
	member_world_close();
}

static void
test_member_refuses_tags_that_are_none(void)
{
	static const char *const names[] = { "", "Rack", "a b", "a=b",
		("0123456789012345678901234567890123456789012345678901234567890"
		 "123") };
	char value[MEMBER_TAG_VALUE_MAX + 2], name[8];

	open_ring("12");
	for (size_t i = 0; i < ARRAY_COUNT(names); i++)
		CHECK_EQ(member_world_tag(1, 1, names[i], "x"), MEMBER_E_NAME);
	memset(value, '*', sizeof value);
	value[MEMBER_TAG_VALUE_MAX + 1] = '\0';
	CHECK_EQ(member_world_tag(1, 1, "long", value), MEMBER_E_LONG);
	value[MEMBER_TAG_VALUE_MAX] = '\0';
	CHECK_EQ(member_world_tag(1, 1, "long", value), MEMBER_DONE);
	CHECK_EQ(member_world_tag(1, 9, "x", "x"), MEMBER_E_NODE);
	for (int i = 1; i < MEMBER_TAGS; i++) {
		snprintf(name, sizeof name, "t%d", i);
		CHECK_EQ(member_world_tag(1, 1, name, "x"), MEMBER_DONE);
	}
	CHECK_EQ(member_world_tag(1, 1, "more", "x"), MEMBER_E_FULL);
	CHECK_EQ(member_world_tag(2, 1, "t1", "y"), MEMBER_DONE);
	CHECK_EQ(member_world_tag(2, 1, "t1", NULL), MEMBER_DONE);
	CHECK_EQ(member_world_tag(2, 1, "more", "x"), MEMBER_DONE);
	/* Unset ones are remembered, but not without end. */
	for (int i = 0; i < 200; i++) {
		snprintf(name, sizeof name, "u%d", i);
		CHECK_EQ(member_world_tag(2, 1, name, NULL), MEMBER_DONE);
	}
	CHECK_STR(tags(1, 1), tags(2, 1));
	CHECK_EQ(member_world_tag(2, 1, "t2", NULL), MEMBER_DONE);
	CHECK_EQ(member_world_tag(2, 1, "t3", "z"), MEMBER_DONE);
	CHECK_STR(tags(1, 1), tags(2, 1));
	member_world_close();
}

/* The later value wins, whichever side tells it first; what was unset last
 * stays so. */
static void
test_member_merges_tags_by_their_place_in_the_order(void)
{
	open_ring("1234");
	CHECK_EQ(member_world_tag(1, 1, "old", "both"), MEMBER_DONE);
	CHECK_EQ(member_world_tag(1, 1, "gone", "both"), MEMBER_DONE);
	member_world_install("12", "timeout");
	member_world_install("34", "timeout");
	CHECK_EQ(member_world_tag(1, 1, "x", "first"), MEMBER_DONE);
	CHECK_EQ(member_world_tag(3, 1, "x", "later"), MEMBER_DONE);
	CHECK_EQ(member_world_tag(3, 1, "gone", NULL), MEMBER_DONE);
	CHECK_EQ(member_world_tag(1, 3, "only", "here"), MEMBER_DONE);
	forget_events("1234");
	member_world_install("1234", "merge");
	forget_events("1234");
	member_world_exchange("1234");
	CHECK_STR(member_world_events(1),
	    "update node=1 key=tag.gone old=both\n"
	    "update node=1 key=tag.x old=first new=later\n");
	CHECK_STR(
	    member_world_events(4), "update node=3 key=tag.only new=here\n");
	for (uint32_t i = 1; i <= 4; i++) {
		CHECK_STR(tags(i, 1), tags(1, 1));
		CHECK_STR(tags(i, 3), "only:here");
	}
	CHECK(strstr(tags(1, 1), "x:later") != NULL);
	CHECK(strstr(tags(1, 1), "gone") == NULL);
	/* Nothing is news the second time. */
	forget_events("1234");
	member_world_exchange("1234");
	for (uint32_t i = 1; i <= 4; i++)
		CHECK_STR(member_world_events(i), "");
	/* And what is said now is later than all that was. */
	CHECK_EQ(member_world_tag(2, 1, "x", "now"), MEMBER_DONE);
	CHECK(strstr(tags(4, 1), "x:now") != NULL);
	member_world_close();
}

static void
test_member_takes_the_configured_tags_of_others_from_them(void)
{
	member_world_open();
	for (uint32_t i = 1; i <= 2; i++) {
		member_world_start_with_tag(i, "rack", i == 1 ? "a" : "b");
		CHECK(strstr(member_world_node(i, 1), i == 1 ? "a" : "b") !=
		    NULL);
	}
	member_world_install("12", "join");
	forget_events("12");
	/* Each has a file of its own; that of the node itself counts. */
	member_world_exchange("12");
	CHECK_STR(tags(1, 1), "rack:a");
	CHECK_STR(tags(2, 1), "rack:a");
	CHECK_STR(tags(1, 2), "rack:b");
	CHECK_EQ(member_world_tag(2, 1, "rack", "c"), MEMBER_DONE);
	member_world_exchange("12");
	CHECK_STR(tags(1, 1), "rack:c");
	CHECK_STR(tags(2, 1), "rack:c");
	member_world_close();
}

static void
test_member_fences_only_who_is_gone(void)
{
	open_ring("123");
	CHECK_EQ(member_world_fence(1, 2, 1), MEMBER_E_STALE);
	member_world_install("13", "timeout");
	forget_events("13");
	CHECK_EQ(member_world_fence(1, 2, 2), MEMBER_E_STALE);
	CHECK_EQ(member_world_fence(1, 4, 1), MEMBER_E_STALE);
	CHECK_EQ(member_world_fence(1, 9, 1), MEMBER_E_NODE);
	CHECK_EQ(member_world_fence(3, 2, 1), MEMBER_DONE);
	CHECK_STR(
	    member_world_events(1), "fenced node=2 inc=1 by=3 method=manual\n");
	CHECK(strstr(member_world_node(1, 2), " state=fenced inc=1 ") != NULL);
	/* It is back all the same, as who it was: so it was not stopped. */
	member_world_install("2", "timeout");
	member_world_install("123", "merge");
	CHECK(strstr(member_world_events(1), "inc=1 was=fenced\n") != NULL);
	CHECK_EQ(member_world_fence(1, 2, 1), MEMBER_E_STALE);
	/* The old record is no excuse for a new loss. */
	member_world_install("13", "timeout");
	CHECK(strstr(member_world_node(1, 2), " state=lost inc=1 ") != NULL);
	member_world_close();
}

/* One that comes back while its fencing is under way is not fenced. */
static void
test_member_orders_fencing_and_views(void)
{
	open_ring("123");
	member_world_say(1, "fenced node=2 inc=1 by=1 method=x\n");
	CHECK_STR(member_world_events(3), "");
	CHECK(strstr(member_world_node(3, 2), " state=member ") != NULL);
	member_world_install("13", "timeout");
	forget_events("13");
	/* An older one than the last known is stale, a newer one is news. */
	member_world_say(1, "fenced node=2 inc=7 by=1 method=x\n");
	CHECK_STR(member_world_events(3),
	    "update node=2 key=inc old=1 new=7\n"
	    "fenced node=2 inc=7 by=1 method=x\n");
	member_world_say(1, "fenced node=2 inc=6 by=1 method=y\n");
	CHECK_STR(member_world_events(3), "");
	member_world_close();
}

static void
test_member_tells_fencing_to_who_was_away(void)
{
	open_ring("1234");
	member_world_install("34", "timeout");
	member_world_install("12", "timeout");
	CHECK_EQ(member_world_fence(1, 5, 1), MEMBER_E_STALE);
	CHECK_EQ(member_world_fence(1, 3, 1), MEMBER_DONE);
	member_world_install("4", "timeout");
	forget_events("1234");
	member_world_install("124", "merge");
	forget_events("1234");
	member_world_exchange("124");
	CHECK_STR(
	    member_world_events(4), "fenced node=3 inc=1 by=1 method=manual\n");
	CHECK_STR(member_world_node(4, 3), member_world_node(1, 3));
	member_world_close();
}

static void
test_member_forgets_who_is_gone(void)
{
	open_ring("123");
	CHECK_EQ(member_world_tag(1, 2, "rack", "a"), MEMBER_DONE);
	CHECK_EQ(member_world_forget(1, 2), MEMBER_E_MEMBER);
	member_world_install("1", "timeout");
	member_world_install("3", "timeout");
	forget_events("13");
	CHECK_EQ(member_world_forget(1, 2), MEMBER_DONE);
	CHECK_STR(member_world_events(1), "forget node=2 name=n2\n");
	CHECK_STR(member_world_node(1, 2),
	    "node=2 name=n2 addr=10.0.0.2 state=absent inc=0 tags=");
	/* Who did not know it does not bring it back. */
	member_world_install("13", "merge");
	forget_events("13");
	member_world_exchange("13");
	CHECK_STR(member_world_events(1), "");
	CHECK_STR(member_world_events(3), "forget node=2 name=n2\n");
	CHECK_STR(member_world_node(1, 2), member_world_node(3, 2));
	/* But itself does. */
	member_world_start(2);
	member_world_install("123", "join");
	CHECK(strstr(member_world_events(1), " inc=2 was=new\n") != NULL);
	CHECK_EQ(member_world_tag(3, 2, "rack", "b"), MEMBER_DONE);
	CHECK_STR(tags(1, 2), "rack:b");
	member_world_close();
}

/* Only the connection that asked is answered. */
static void
test_member_answers_its_own_requests_only(void)
{
	open_ring("12");
	member_world_say(2, "tag req=77 node=1 name=x value=1\n");
	CHECK_EQ(member_world_answered(1), 0);
	CHECK_EQ(member_world_answered(2), 77);
	member_world_say(2, "tag req=78 node=1 name=x value=1 stamp=1.1:1.1\n");
	CHECK_EQ(member_world_answered(2), 77);
	member_world_step(
	    2, &(struct member_input){ .kind = MEMBER_IN_CONN, .conn = 9 });
	member_world_say(2, "tag req=79 node=1 name=x value=1\n");
	CHECK_EQ(member_world_answered(2), 77);
	member_world_close();
}

static void
test_member_ignores_what_it_cannot_read(void)
{
	static const char *const cases[] = { "tag", "tag node=1",
		"tag node=1 name=x", "tag node=1 name=x value=1 unset=yes",
		"tag node=1 name=X value=1", "tag node=99 name=x value=1",
		"tag node=1 name=x value=1 stamp=1.1",
		"tag node=1 name=x value=\\x", "tag name=x value=1",
		"gone node=3", "gone node=3 inc=0 state=lost",
		"gone node=3 inc=1 state=member",
		"gone node=3 inc=1 state=fenced",
		"gone node=3 inc=x state=lost", "fenced node=3 inc=1 by=1",
		("fenced node=3 inc=1 by=1 method=01234567890123456789012345678"
		 "901234567890"),
		"fenced node=3 inc=1 method=x", "forgot node=3",
		"self version=1 pauses=1", "self pauses=1 paused_ms=1",
		"self version=1 pauses=-1 paused_ms=1", "\x01\x02\xff", "=",
		"tag node=1 node=2 name=x value=1" };
	char before[512];

	open_ring("12");
	snprintf(before, sizeof before, "%s", member_world_node(1, 1));
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t refused =
		    member_count(member_world_core(1), MEMBER_COUNT_REFUSED);

		check_case(cases[i]);
		member_world_say(2, cases[i]);
		CHECK_STR(member_world_events(1), "");
		CHECK_EQ(
		    member_count(member_world_core(1), MEMBER_COUNT_REFUSED),
		    refused + 1);
	}
	check_case(NULL);
	CHECK_STR(member_world_node(1, 1), before);
	/* What a later version may say is no mistake, nor is emptiness. */
	member_world_say(2, "\n\nmore node=1 x=y\n");
	CHECK_EQ(member_count(member_world_core(1), MEMBER_COUNT_REFUSED),
	    ARRAY_COUNT(cases));
	/* One bad line does no harm to the next. */
	member_world_say(2, "tag\ntag node=1 name=x value=1");
	CHECK_STR(member_world_events(1), "update node=1 key=tag.x new=1\n");
	member_world_close();
}

static void
test_member_believes_nobody_about_a_member(void)
{
	open_ring("12");
	member_world_say(2, "gone node=1 inc=1 state=left\n");
	member_world_say(2, "gone node=1 inc=9 state=left\n");
	member_world_say(2, "forgot node=1 inc=9\n");
	member_world_say(2, "fenced node=1 inc=9 by=2 method=x\n");
	CHECK_STR(member_world_events(1), "");
	CHECK_STR(member_world_events(2), "");
	CHECK(strstr(member_world_node(2, 1), " state=member inc=1 ") != NULL);
	member_world_close();
}

/* More than fits one message: all of it arrives. */
static void
test_member_publishes_in_several_messages(void)
{
	char value[MEMBER_TAG_VALUE_MAX + 1], name[8];

	open_ring("12");
	memset(value, '*', MEMBER_TAG_VALUE_MAX);
	value[MEMBER_TAG_VALUE_MAX] = '\0';
	for (uint32_t node = 1; node <= 5; node++)
		for (int i = 0; i < MEMBER_TAGS; i++) {
			snprintf(name, sizeof name, "t%d", i);
			CHECK_EQ(member_world_tag(1, node, name, value),
			    MEMBER_DONE);
		}
	member_world_start(3);
	member_world_install("123", "join");
	member_world_exchange("123");
	for (uint32_t node = 1; node <= 5; node++)
		CHECK_STR(tags(3, node), tags(1, node));
	CHECK(strlen(tags(3, 5)) >
	    (size_t)MEMBER_TAGS * 5 * MEMBER_TAG_VALUE_MAX);
	member_world_close();
}

/* ---- random histories -------------------------------------------------- */

enum { CHURN_STEPS = 300, CHURN_SEEDS = 40 };

static const char *
pick_nodes(struct rng *rng, char nodes[8])
{
	size_t len = 0;

	while (len == 0)
		for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
			if (rng_below(rng, 2) == 0)
				nodes[len++] = (char)('0' + i);
	nodes[len] = '\0';
	return nodes;
}

static void
churn_step(struct rng *rng)
{
	static const char *const whys[] = { "leave", "timeout", "restart",
		"connectivity" };
	uint32_t at = 1 + (uint32_t)rng_below(rng, MEMBER_WORLD_NODES);
	uint32_t node = 1 + (uint32_t)rng_below(rng, MEMBER_WORLD_NODES);
	char name[8], value[8], nodes[8];

	snprintf(name, sizeof name, "t%u", (unsigned)rng_below(rng, 6));
	snprintf(value, sizeof value, "%u", (unsigned)rng_below(rng, 1000));
	switch (rng_below(rng, 10)) {
	case 0:
	case 1:
		member_world_install(
		    pick_nodes(rng, nodes), whys[rng_below(rng, 4)]);
		if (rng_below(rng, 3) > 0)
			member_world_exchange(nodes);
		break;
	case 2:
		(void)member_world_fence(at, node, member_world_inc(node));
		break;
	case 3:
		(void)member_world_forget(at, node);
		break;
	case 4:
		member_world_renew(at);
		break;
	case 5:
		member_world_restart(at);
		break;
	case 6:
		(void)member_world_tag(at, node, name, NULL);
		break;
	default:
		(void)member_world_tag(at, node, name, value);
		break;
	}
}

/* Whatever happened: those who met and told each other know the same. */
static void
test_member_agrees_after_any_history(void)
{
	for (uint64_t seed = 1; seed <= CHURN_SEEDS; seed++) {
		struct rng rng;
		char about[32];

		snprintf(about, sizeof about, "seed %u", (unsigned)seed);
		check_case(about);
		rng_init(&rng, seed);
		member_world_open();
		for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
			member_world_start(i);
		for (int i = 0; i < CHURN_STEPS; i++) {
			churn_step(&rng);
			forget_events("12345");
		}
		member_world_install("12345", "merge");
		member_world_exchange("12345");
		for (uint32_t at = 2; at <= MEMBER_WORLD_NODES; at++)
			for (uint32_t node = 1; node <= MEMBER_WORLD_NODES;
			     node++)
				CHECK_STR(tags(at, node), tags(1, node));
		/* And of one who is gone, too. */
		member_world_install("1234", "timeout");
		for (uint32_t at = 2; at <= 4; at++)
			CHECK(strstr(member_world_node(at, 5),
				  " state=lost ") != NULL);
		member_world_close();
	}
	check_case(NULL);
}

/* Of those who are gone, all come to know the same, in any history that only
 * part of them saw. */
static void
test_member_agrees_on_the_absent(void)
{
	for (uint64_t seed = 1; seed <= CHURN_SEEDS; seed++) {
		struct rng rng;
		char about[32];

		snprintf(about, sizeof about, "seed %u", (unsigned)seed);
		check_case(about);
		rng_init(&rng, seed);
		member_world_open();
		for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
			member_world_start(i);
		for (int i = 0; i < CHURN_STEPS; i++)
			churn_step(&rng);
		member_world_install("5", "timeout");
		member_world_install("4", "timeout");
		member_world_install("123", "leave");
		member_world_exchange("123");
		for (uint32_t at = 2; at <= 3; at++)
			for (uint32_t node = 4; node <= 5; node++)
				CHECK_STR(member_world_node(at, node),
				    member_world_node(1, node));
		member_world_close();
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_member_sets_tags_for_all),
		CHECK_TEST(test_member_refuses_tags_that_are_none),
		CHECK_TEST(test_member_merges_tags_by_their_place_in_the_order),
		CHECK_TEST(
		    test_member_takes_the_configured_tags_of_others_from_them),
		CHECK_TEST(test_member_fences_only_who_is_gone),
		CHECK_TEST(test_member_orders_fencing_and_views),
		CHECK_TEST(test_member_tells_fencing_to_who_was_away),
		CHECK_TEST(test_member_forgets_who_is_gone),
		CHECK_TEST(test_member_answers_its_own_requests_only),
		CHECK_TEST(test_member_ignores_what_it_cannot_read),
		CHECK_TEST(test_member_believes_nobody_about_a_member),
		CHECK_TEST(test_member_publishes_in_several_messages),
		CHECK_TEST(test_member_agrees_after_any_history),
		CHECK_TEST(test_member_agrees_on_the_absent),
	};

	return CHECK_MAIN(argc, argv, tests);
}
