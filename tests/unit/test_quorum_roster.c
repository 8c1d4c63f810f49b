/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum_roster.h"
#include "tests/unit/check.h"

#define MS UINT64_C(1000000)

static void *block;
static struct quorum_roster *roster;

static void
begin(void)
{
	struct arena arena;

	arena_init(&arena, NULL, 0);
	CHECK(quorum_roster_create(&arena) == NULL);
	size_t bytes = num_round_up(arena.used_bytes, 64);
	if (block == NULL)
		block = aligned_alloc(64, bytes);
	arena_init(&arena, block, bytes);
	roster = quorum_roster_create(&arena);
}

static void
apply(const char *record)
{
	CHECK(quorum_roster_apply(roster, record, 100000 * MS));
}

static void
check_node(size_t idx, const char *want)
{
	char bytes[1024];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	quorum_roster_put(roster, idx, 100007 * MS, &out);
	CHECK_STR(out.bytes, want);
}

static void
check_view(const char *want)
{
	char bytes[1024];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	quorum_roster_put_view(roster, &out);
	CHECK_STR(out.bytes, want);
}

static void
begin_two(void)
{
	begin();
	apply("exists node=2 name=b addr=10.0.0.2 state=member inc=4 local=no "
	      "version=1 since_ms=500 tags=rack:r1,x:\\0054 new_word=7");
	apply("exists node=1 name=a addr=10.0.0.1 state=member inc=3 local=yes "
	      "version=1 since_ms=600 tags=");
	apply("ready view=1.4 members=1,2 coordinator=1 quorate=yes votes=2");
	check_view("view=1.4 members=1,2 coordinator=1");
}

static void
test_roster_says_what_it_was_told(void)
{
	begin_two();
	CHECK_EQ(quorum_roster_count(roster), 2);
	check_node(0,
	    "exists node=1 name=a addr=10.0.0.1 state=member inc=3 local=yes "
	    "version=1 since_ms=607 tags=");
	check_node(1,
	    "exists node=2 name=b addr=10.0.0.2 state=member inc=4 local=no "
	    "version=1 since_ms=507 tags=rack:r1,x:\\0054 new_word=7");
	CHECK(quorum_roster_is_settled(roster));
}

static void
test_roster_leave_and_join(void)
{
	begin_two();
	apply("leave node=2 name=b inc=4 reason=lost why=timeout");
	apply("view view=1.8 prev=1.4 members=1 joined= left=2 coordinator=1");
	check_node(1,
	    "exists node=2 name=b addr=10.0.0.2 state=lost inc=4 local=no "
	    "version=1 since_ms=7 tags=rack:r1,x:\\0054 new_word=7");
	check_view("view=1.8 members=1 coordinator=1");
	CHECK(!quorum_roster_is_settled(roster));
	apply("fenced node=2 inc=4 by=1 method=manual");
	CHECK(quorum_roster_is_settled(roster));

	apply("join node=2 name=b addr=10.0.0.9 inc=5 was=lost");
	check_node(1,
	    "exists node=2 name=b addr=10.0.0.9 state=member inc=5 local=no "
	    "version=1 since_ms=7 tags=rack:r1,x:\\0054 new_word=7");
	apply("leave node=2 name=b inc=5 reason=evicted why=leave");
	CHECK(quorum_roster_is_settled(roster));
	apply("forget node=2 name=b");
	CHECK_EQ(quorum_roster_count(roster), 1);
}

static void
test_roster_tags(void)
{
	begin_two();
	apply("update node=2 key=tag.rack old=r1 new=a,b:c");
	apply("update node=2 key=tag.x old=\\0054");
	apply("update node=2 key=tag.rac new=1");
	apply("update node=2 key=tag.rack1 new=2");
	apply("update node=2 key=tag.rac old=1 new=3");
	apply("update node=2 key=state old=member new=left");
	apply("update node=2 key=inc old=4 new=9");
	apply("update node=1 key=tag.y new=1");
	apply("update node=1 key=tag.z new=");
	apply("update node=1 key=version old=1 new=2");
	apply("update node=1 key=paused new=12034");
	check_node(0,
	    "exists node=1 name=a addr=10.0.0.1 state=member inc=3 local=yes "
	    "version=2 since_ms=607 tags=y:1,z:");
	check_node(1,
	    "exists node=2 name=b addr=10.0.0.2 state=left inc=9 local=no "
	    "version=1 since_ms=507 "
	    "tags=rac:3,rack:a\\0054b\\0072c,rack1:2 new_word=7");
}

static void
test_roster_snapshot_after_gap_replaces_all(void)
{
	begin_two();
	apply("gap lost=unknown");
	apply("exists node=3 name=c state=member since_ms=0");
	apply("exists node=1 name=a state=lost since_ms=0");
	apply("ready view=1.12 members=3 coordinator=3");
	CHECK_EQ(quorum_roster_count(roster), 2);
	check_node(0, "exists node=1 name=a state=lost since_ms=7");
	check_node(1, "exists node=3 name=c state=member since_ms=7");
	check_view("view=1.12 members=3 coordinator=3");
}

static void
test_roster_takes_all_nodes_and_no_more(void)
{
	char record[64];

	begin();
	for (int i = LIMIT_NODES; i > 0; i--) {
		snprintf(
		    record, sizeof record, "exists node=%d state=absent", i);
		apply(record);
	}
	CHECK_EQ(quorum_roster_count(roster), LIMIT_NODES);
	CHECK(!quorum_roster_apply(roster, "exists node=1000", 0));
	check_node(0, "exists node=1 state=absent");
	apply("forget node=1");
	apply("exists node=1000 state=absent");
	check_node(LIMIT_NODES - 1, "exists node=1000 state=absent");
	quorum_roster_clear(roster);
	CHECK_EQ(quorum_roster_count(roster), 0);
}

/* By another configuration. */
static void
test_roster_add_and_remove(void)
{
	begin_two();
	apply("add node=3 name=gamma addr=10.0.0.3 state=absent");
	CHECK_EQ(quorum_roster_count(roster), 3);
	check_node(2, "exists node=3 name=gamma addr=10.0.0.3 state=absent");
	apply("update node=3 key=name old=gamma new=delta");
	apply("update node=3 key=addr old=10.0.0.3 new=10.0.0.4");
	check_node(2, "exists node=3 name=delta addr=10.0.0.4 state=absent");
	apply("remove node=3 name=delta");
	apply("remove node=77 name=nobody");
	CHECK_EQ(quorum_roster_count(roster), 2);
}

static void
test_roster_survives_nonsense(void)
{
	static char big[2 * QUORUM_ROSTER_WORDS_BYTES];

	begin_two();
	apply("");
	apply("exists");
	apply("exists node=x");
	apply("leave node=77 reason=lost");
	apply("leave node=2");
	apply("join name=x");
	apply("update node=2");
	apply("what ever=1");
	CHECK_EQ(quorum_roster_count(roster), 2);
	memset(big, 'x', sizeof big - 1);
	memcpy(big, "exists node=2 a=", 16);
	CHECK(!quorum_roster_apply(roster, big, 0));
	memcpy(big, "update node=2 key=tag.a new=", 28);
	CHECK(!quorum_roster_apply(roster, big, 0));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_roster_says_what_it_was_told),
		CHECK_TEST(test_roster_leave_and_join),
		CHECK_TEST(test_roster_tags),
		CHECK_TEST(test_roster_snapshot_after_gap_replaces_all),
		CHECK_TEST(test_roster_takes_all_nodes_and_no_more),
		CHECK_TEST(test_roster_add_and_remove),
		CHECK_TEST(test_roster_survives_nonsense),
	};
	return CHECK_MAIN(argc, argv, tests);
}
