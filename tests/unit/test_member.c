/* SPDX-License-Identifier: BSD-3-Clause */
/* What views do to the membership: every transition, and why. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "tests/unit/check.h"
#include "tests/unit/member_world.h"

static void
open_ring(const char *nodes)
{
	member_world_open();
	for (const char *at = nodes; *at != '\0'; at++)
		member_world_start((uint32_t)(*at - '0'));
	member_world_install(nodes, "join");
	member_world_exchange(nodes);
	for (const char *at = nodes; *at != '\0'; at++)
		(void)member_world_events((uint32_t)(*at - '0'));
}

static void
test_member_tells_who_comes(void)
{
	member_world_open();
	member_world_start(1);
	CHECK_STR(member_world_events(1), "");
	CHECK(member_is_ready(member_world_core(1)));
	member_world_start(2);
	member_world_install("12", "join");
	CHECK_STR(member_world_events(1),
	    "join node=2 name=n2 addr=10.0.0.2 inc=1 was=new\n"
	    "view view=1.3 prev=1.1 members=1,2 joined=2 left= reasons= "
	    "reason=join ms=5 coordinator=1\n");
	CHECK_STR(member_world_events(2),
	    "join node=1 name=n1 addr=10.0.0.1 inc=1 was=new\n"
	    "view view=1.3 prev=2.2 members=1,2 joined=1 left= reasons= "
	    "reason=join ms=5 coordinator=1\n");
	CHECK_STR(member_world_node(1, 2),
	    "node=2 name=n2 addr=10.0.0.2 state=member inc=1 tags=");
	CHECK_STR(member_world_node(1, 3),
	    "node=3 name=n3 addr=10.0.0.3 state=absent inc=0 tags=");
	member_world_exchange("12");
	CHECK_STR(
	    member_world_events(1), "update node=2 key=version new=0.1.0\n");
	member_world_close();
}

static void
test_member_tells_who_goes_and_why(void)
{
	static const struct {
		const char *why, *reason;
	} cases[] = {
		{ "leave", "left" },
		{ "timeout", "lost" },
		{ "consensus", "lost" },
		{ "proof", "lost" },
		{ "failed-to-receive", "lost" },
		{ "token-loss", "lost" },
		{ "protocol", "lost" },
		{ "connectivity", "partition" },
		{ "restart", "restarted" },
	};
	char want[512];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].why);
		open_ring("123");
		member_world_install("13", cases[i].why);
		snprintf(want, sizeof want,
		    "leave node=2 name=n2 inc=1 reason=%s why=%s\n"
		    "view view=1.5 prev=1.4 members=1,3 joined= left=2 "
		    "reasons=2:%s reason=%s ms=5 coordinator=1\n",
		    cases[i].reason, cases[i].why, cases[i].reason,
		    cases[i].why);
		CHECK_STR(member_world_events(1), want);
		CHECK_STR(member_world_events(3), want);
		snprintf(want, sizeof want,
		    "node=2 name=n2 addr=10.0.0.2 state=%s inc=1 tags=",
		    cases[i].reason);
		CHECK_STR(member_world_node(1, 2), want);
		member_world_close();
	}
	check_case(NULL);
}

/* How it had gone, whether its incarnation is new, and how that is told. */
static void
test_member_tells_how_one_had_gone_that_is_back(void)
{
	static const struct {
		const char *why;
		bool is_new;
		const char *was;
	} cases[] = {
		{ "leave", true, "left" },
		{ "timeout", true, "lost" },
		{ "connectivity", true, "restarted" },
		{ "restart", true, "restarted" },
		{ "leave", false, "partition" },
		{ "timeout", false, "partition" },
		{ "connectivity", false, "partition" },
	};
	char want[512];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].why);
		open_ring("123");
		member_world_install("13", cases[i].why);
		member_world_install("2", "timeout");
		if (cases[i].is_new)
			member_world_start(2);
		(void)member_world_events(1);
		member_world_install("123", "join");
		snprintf(want, sizeof want,
		    "join node=2 name=n2 addr=10.0.0.2 inc=%d was=%s\n",
		    cases[i].is_new ? 2 : 1, cases[i].was);
		CHECK(strncmp(member_world_events(1), want, strlen(want)) == 0);
		member_world_close();
	}
	check_case(NULL);
}

static void
test_member_tells_a_restart_within_one_change(void)
{
	open_ring("123");
	member_world_renew(2);
	member_world_install("123", "restart");
	CHECK_STR(member_world_events(1),
	    "leave node=2 name=n2 inc=1 reason=restarted why=restart\n"
	    "join node=2 name=n2 addr=10.0.0.2 inc=2 was=restarted\n"
	    "view view=1.6 prev=1.4 members=1,2,3 joined=2 left=2 "
	    "reasons=2:restarted reason=restart ms=5 coordinator=1\n");
	member_world_close();
}

/* Whatever ringd took it for: the new incarnation says that it restarted,
 * the same one that it lived. */
static void
test_member_knows_better_when_one_is_back_at_once(void)
{
	open_ring("123");
	member_world_renew(2);
	member_world_install("123", "timeout");
	CHECK(strstr(member_world_events(1),
		  "leave node=2 name=n2 inc=1 reason=restarted why=timeout\n"
		  "join node=2 name=n2 addr=10.0.0.2 inc=2 was=restarted\n") !=
	    NULL);
	member_world_close();

	open_ring("123");
	member_world_install("2", "timeout");
	member_world_install("123", "timeout");
	CHECK_STR(member_world_events(1),
	    "leave node=2 name=n2 inc=1 reason=partition why=timeout\n"
	    "join node=2 name=n2 addr=10.0.0.2 inc=1 was=partition\n"
	    "view view=1.6 prev=1.4 members=1,2,3 joined=2 left=2 "
	    "reasons=2:partition reason=timeout ms=5 coordinator=1\n");
	member_world_close();
}

static void
test_member_tells_a_view_in_which_nobody_changed(void)
{
	open_ring("12");
	member_world_install("12", "token-loss");
	CHECK_STR(member_world_events(2),
	    "view view=1.4 prev=1.3 members=1,2 joined= left= reasons= "
	    "reason=token-loss ms=5 coordinator=1\n");
	member_world_close();
}

static void
test_member_blames_nobody_for_its_own_sleep(void)
{
	struct member_input slept = {
		.kind = MEMBER_IN_PAUSE, .ms = 12034, .is_ring = true
	};

	open_ring("123");
	member_world_step(3, &slept);
	CHECK_STR(member_world_events(3), "pause ms=12034\n");
	member_world_install("3", "timeout");
	CHECK(
	    strstr(member_world_events(3),
		"leave node=1 name=n1 inc=1 reason=partition why=timeout\n") !=
	    NULL);
	/* Once excused, or long after it, a loss is a loss. */
	member_world_install("123", "merge");
	(void)member_world_events(3);
	member_world_install("3", "timeout");
	CHECK(strstr(member_world_events(3), " reason=lost why=timeout\n") !=
	    NULL);
	member_world_install("123", "merge");
	member_world_step(3, &slept);
	member_world_sleep(2001);
	(void)member_world_events(3);
	member_world_install("3", "timeout");
	CHECK(strstr(member_world_events(3), " reason=lost why=timeout\n") !=
	    NULL);
	/* memberd alone slept: the ring went on, and knows. */
	member_world_install("123", "merge");
	slept.is_ring = false;
	member_world_step(3, &slept);
	(void)member_world_events(3);
	member_world_install("3", "timeout");
	CHECK(strstr(member_world_events(3), " reason=lost why=timeout\n") !=
	    NULL);
	member_world_close();
}

static void
test_member_tells_a_sleep_once_and_to_all(void)
{
	struct member_input own = { .kind = MEMBER_IN_PAUSE, .ms = 3000 };
	struct member_input ring = {
		.kind = MEMBER_IN_PAUSE, .ms = 3010, .is_ring = true
	};

	open_ring("12");
	member_world_step(2, &own);
	member_world_step(2, &ring);
	CHECK_STR(member_world_events(2), "pause ms=3000\n");
	member_world_exchange("2");
	CHECK_STR(
	    member_world_events(1), "update node=2 key=paused new=3000\n");
	member_world_exchange("2");
	CHECK_STR(member_world_events(1), "");
	member_world_sleep(60000);
	member_world_step(2, &ring);
	member_world_exchange("2");
	CHECK_STR(member_world_events(1),
	    "update node=2 key=paused old=3000 new=3010\n");
	member_world_close();
}

static void
test_member_catches_up_when_ringd_is_back(void)
{
	open_ring("123");
	/* Its own ringd restarted: nobody else did anything. */
	member_world_renew(1);
	CHECK_STR(member_world_events(1),
	    "leave node=1 name=n1 inc=1 reason=restarted why=unseen\n"
	    "leave node=2 name=n2 inc=1 reason=partition why=unseen\n"
	    "leave node=3 name=n3 inc=1 reason=partition why=unseen\n"
	    "join node=1 name=n1 addr=10.0.0.1 inc=2 was=restarted\n"
	    "view view=1.5 prev=1.4 members=1 joined=1 left=1,2,3 "
	    "reasons=1:restarted,2:partition,3:partition reason=unseen ms=0 "
	    "coordinator=1\n");
	member_world_install("123", "merge");
	CHECK(strstr(member_world_events(1), "inc=1 was=partition\n") != NULL);
	member_world_close();
}

/* Whoever lost sight of ringd finds the state, and tells what is different. */
static void
test_member_catches_up_with_the_same_ringd(void)
{
	struct member_view view = { .view = { 1, 4 },
		.count = 3,
		.id = { 1, 2, 3 },
		.inc = { 1, 1, 1 } };
	struct member_input in = { .kind = MEMBER_IN_READY, .view = &view };

	open_ring("123");
	member_world_step(1, &(struct member_input){ .kind = MEMBER_IN_LOST });
	CHECK(!member_is_ready(member_world_core(1)));
	member_world_step(1, &in);
	CHECK(member_is_ready(member_world_core(1)));
	CHECK_STR(member_world_events(1), "");
	view = (struct member_view){
		.view = { 1, 9 }, .count = 2, .id = { 1, 2 }, .inc = { 1, 5 }
	};
	member_world_step(1, &in);
	CHECK_STR(member_world_events(1),
	    "leave node=2 name=n2 inc=1 reason=restarted why=unseen\n"
	    "leave node=3 name=n3 inc=1 reason=lost why=unseen\n"
	    "join node=2 name=n2 addr=10.0.0.2 inc=5 was=restarted\n"
	    "view view=1.9 prev=1.4 members=1,2 joined=2 left=2,3 "
	    "reasons=2:restarted,3:lost reason=unseen ms=0 coordinator=1\n");
	member_world_close();
}

static void
test_member_learns_from_others_how_one_had_gone(void)
{
	open_ring("123");
	member_world_install("12", "leave");
	member_world_restart(1);
	CHECK_STR(member_world_node(1, 3),
	    "node=3 name=n3 addr=10.0.0.3 state=absent inc=0 tags=");
	member_world_exchange("12");
	CHECK_STR(member_world_events(1),
	    "update node=2 key=version new=0.1.0\n"
	    "update node=3 key=inc new=1\n"
	    "update node=3 key=state old=absent new=left\n");
	CHECK_STR(member_world_node(1, 3), member_world_node(2, 3));
	member_world_close();
}

static void
test_member_believes_the_best_report_of_a_departure(void)
{
	open_ring("1234");
	/* 3 says farewell, but only 2 hears it. */
	member_world_install("14", "timeout");
	member_world_install("2", "leave");
	(void)member_world_events(1);
	(void)member_world_events(2);
	member_world_install("124", "merge");
	(void)member_world_events(1);
	(void)member_world_events(2);
	member_world_exchange("124");
	CHECK_STR(member_world_events(1),
	    "update node=3 key=state old=lost new=left\n");
	CHECK_STR(member_world_events(2), "");
	member_world_close();
}

static void
test_member_takes_what_ringd_heard(void)
{
	struct member_input in = {
		.kind = MEMBER_IN_HEARD, .node = 3, .inc = 6
	};

	open_ring("12");
	member_world_step(1, &in);
	CHECK(strstr(member_world_node(1, 3), "state=absent inc=6") != NULL);
	in.node = 2; /* a member, of whom it knows better */
	member_world_step(1, &in);
	CHECK(strstr(member_world_node(1, 2), "state=member inc=1") != NULL);
	in.node = 77;
	member_world_step(1, &in);
	member_world_start(3);
	member_world_install("123", "join");
	CHECK(strstr(member_world_events(1), "inc=1 was=restarted\n") != NULL);
	member_world_close();
}

static void
test_member_ignores_a_view_without_itself(void)
{
	struct member_view view = {
		.view = { 2, 9 }, .count = 1, .id = { 2 }, .inc = { 1 }
	};
	struct member_input in = { .kind = MEMBER_IN_VIEW, .view = &view };

	open_ring("12");
	member_world_step(1, &in);
	view.count = 0;
	member_world_step(1, &in);
	CHECK_STR(member_world_events(1), "");
	/* Nodes that are not configured do not show. */
	view = (struct member_view){ .view = { 1, 9 },
		.count = 3,
		.id = { 1, 2, 99 },
		.inc = { 1, 1, 1 } };
	member_world_step(1, &in);
	CHECK(strstr(member_world_events(1), " members=1,2 ") != NULL);
	CHECK_EQ(member_count(member_world_core(1), MEMBER_COUNT_UNKNOWN), 1);
	member_world_close();
}

/* ---- ringd's records --------------------------------------------------- */

static bool
read_view(const char *line, struct member_view *out)
{
	static char copy[4096];
	static struct word word;

	snprintf(copy, sizeof copy, "%s", line);
	if (!CHECK_EQ(word_parse(&word, copy, strlen(copy)), 0))
		return false;
	return member_read_view(&word, out);
}

static void
test_member_reads_the_records_of_ringd(void)
{
	struct member_view view;

	CHECK(read_view("ev 2 view view=1.18 phase=transitional next=1.19 "
			"members=1,3 inc=17,9 joined= left=2:timeout,4:leave "
			"reason=timeout ms=212 at_ms=5",
	    &view));
	CHECK(view.is_transitional);
	CHECK_EQ(view.view.rep, 1);
	CHECK_EQ(view.view.seq, 18);
	CHECK_EQ(view.count, 2);
	CHECK_EQ(view.id[1], 3);
	CHECK_EQ(view.inc[1], 9);
	CHECK_EQ(view.left_count, 2);
	CHECK_EQ(view.left[1], 4);
	CHECK_STR(view.left_why[0], "timeout");
	CHECK_STR(view.left_why[1], "leave");
	CHECK_STR(view.reason, "timeout");
	CHECK_EQ(view.ms, 212);
	CHECK(read_view("ev 2 ready view=1.18 members=1 inc=17", &view));
	CHECK(!view.is_transitional);
	CHECK_STR(view.reason, "protocol");
	CHECK(read_view("ev 2 view view=1.18 phase=regular members=1,2 "
			"inc=17,4 joined=2 left= reason=WILD\\0040THING ms=1",
	    &view));
	CHECK_EQ(view.joined_count, 1);
	CHECK_STR(view.reason, "protocol");
}

static void
test_member_refuses_records_that_are_not_ringds(void)
{
	static const char *const cases[] = { "ev 1 ready members=1 inc=1",
		"ev 1 ready view=1 members=1 inc=1",
		"ev 1 ready view=1.2 members=1", "ev 1 ready view=1.2 inc=1",
		"ev 1 ready view=1.2 members=1,2 inc=1",
		"ev 1 ready view=1.2 members=1 inc=1,2",
		"ev 1 ready view=1.2 members=2,1 inc=1,2",
		"ev 1 ready view=1.2 members=1,1 inc=1,2",
		"ev 1 ready view=1.2 members=0 inc=1",
		"ev 1 ready view=1.2 members=70000 inc=1",
		"ev 1 ready view=1.2 members=1 inc=0",
		"ev 1 view view=1.2 members=1 inc=1 left=2",
		"ev 1 view view=1.2 members=1 inc=1 left=:lost",
		"ev 1 view view=1.2 members=1 inc=1 joined=x",
		"ev 1 view view=1.2 members=1 inc=1 ms=-1" };
	struct member_view view;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i]);
		CHECK(!read_view(cases[i], &view));
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_member_tells_who_comes),
		CHECK_TEST(test_member_tells_who_goes_and_why),
		CHECK_TEST(test_member_tells_how_one_had_gone_that_is_back),
		CHECK_TEST(test_member_tells_a_restart_within_one_change),
		CHECK_TEST(test_member_knows_better_when_one_is_back_at_once),
		CHECK_TEST(test_member_tells_a_view_in_which_nobody_changed),
		CHECK_TEST(test_member_blames_nobody_for_its_own_sleep),
		CHECK_TEST(test_member_tells_a_sleep_once_and_to_all),
		CHECK_TEST(test_member_catches_up_when_ringd_is_back),
		CHECK_TEST(test_member_catches_up_with_the_same_ringd),
		CHECK_TEST(test_member_learns_from_others_how_one_had_gone),
		CHECK_TEST(test_member_believes_the_best_report_of_a_departure),
		CHECK_TEST(test_member_takes_what_ringd_heard),
		CHECK_TEST(test_member_ignores_a_view_without_itself),
		CHECK_TEST(test_member_reads_the_records_of_ringd),
		CHECK_TEST(test_member_refuses_records_that_are_not_ringds),
	};

	return CHECK_MAIN(argc, argv, tests);
}
