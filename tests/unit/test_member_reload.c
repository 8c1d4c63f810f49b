/* SPDX-License-Identifier: BSD-3-Clause */
/* Another table of nodes while they run. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"

#include "tests/unit/check.h"
#include "tests/unit/member_world.h"

static struct member_node nodes[LIMIT_NODES];
static struct member_table_tag tags[4];
static struct member_table table;

/* As the world has them, one digit a node. */
static void
begin_table(const char *ids)
{
	memset(nodes, 0, sizeof nodes);
	table = (struct member_table){ .nodes = nodes, .tags = tags };
	for (; *ids != '\0'; ids++) {
		struct member_node *node = &nodes[table.node_count++];

		node->id = (uint32_t)(*ids - '0');
		snprintf(node->name, sizeof node->name, "n%u", node->id);
		snprintf(node->addr, sizeof node->addr, "10.0.0.%u", node->id);
	}
}

static void
put_tag(uint32_t node, const char *name, const char *value)
{
	tags[table.tag_count++] =
	    (struct member_table_tag){ node, name, value };
}

static void
take(uint32_t at)
{
	struct member_input in = { .kind = MEMBER_IN_TABLE, .table = &table };

	member_world_step(at, &in);
}

static void
open_ring(void)
{
	member_world_open();
	for (uint32_t i = 1; i <= 3; i++)
		member_world_start(i);
	member_world_install("123", "join");
	member_world_exchange("123");
	for (uint32_t i = 1; i <= 3; i++)
		(void)member_world_events(i);
}

static void
test_member_reload_of_the_same_is_nothing(void)
{
	open_ring();
	begin_table("12345");
	take(1);
	CHECK_STR(member_world_events(1), "");
	member_world_close();
}

static void
test_member_reload_comes_and_goes(void)
{
	char add[256];

	open_ring();
	begin_table("12347");
	put_tag(7, "rack", "b");
	take(1);
	/* since_ms is 0, as now. */
	snprintf(add, sizeof add,
	    "remove node=5 name=n5\n"
	    "add node=7 name=n7 addr=10.0.0.7 state=absent inc=0 local=no "
	    "version= since_ms=0 tags=rack:b\n");
	CHECK_STR(member_world_events(1), add);
	CHECK_EQ(member_node_count(member_world_core(1)), 5);
	CHECK_EQ(member_find(member_world_core(1), "n5"), -1);
	CHECK_EQ(member_find(member_world_core(1), "n7"), 4);
	/* Below our own place, too. */
	begin_table("2347");
	take(2);
	(void)member_world_events(2);
	begin_table("1247");
	take(2);
	CHECK(strstr(member_world_events(2), "remove node=1") == NULL);
	CHECK_EQ(member_find(member_world_core(2), "n2"), 1);
	member_world_install("12", "timeout");
	CHECK(strstr(member_world_events(2), "leave node=3") != NULL);
	member_world_close();
}

/* ringd takes nobody out who is here; should it seem so, it stays. */
static void
test_member_reload_keeps_members(void)
{
	open_ring();
	begin_table("12");
	take(1);
	CHECK_STR(member_world_events(1),
	    "remove node=5 name=n5\nremove node=4 name=n4\n");
	CHECK_EQ(member_node_count(member_world_core(1)), 3);
	member_world_close();
}

static void
test_member_reload_renames(void)
{
	open_ring();
	begin_table("12345");
	strcpy(nodes[1].name, "beta");
	strcpy(nodes[2].addr, "10.9.9.3");
	take(1);
	CHECK_STR(member_world_events(1),
	    "update node=2 key=name old=n2 new=beta\n"
	    "update node=3 key=addr old=10.0.0.3 new=10.9.9.3\n");
	CHECK_STR(member_world_node(1, 2),
	    "node=2 name=beta addr=10.0.0.2 state=member inc=1 tags=");
	member_world_close();
}

/* T-40, T-44: the file's tags follow it, those set since stay. */
static void
test_member_reload_of_tags(void)
{
	open_ring();
	begin_table("12345");
	put_tag(1, "rack", "a");
	put_tag(1, "zone", "x");
	put_tag(2, "rack", "b");
	take(1);
	CHECK_STR(member_world_events(1),
	    "update node=1 key=tag.rack new=a\n"
	    "update node=1 key=tag.zone new=x\n"
	    "update node=2 key=tag.rack new=b\n");
	CHECK_EQ(member_world_tag(1, 1, "rack", "mine"), MEMBER_DONE);
	(void)member_world_events(1);
	begin_table("12345");
	put_tag(1, "rack", "c");
	put_tag(2, "rack", "d");
	take(1);
	CHECK_STR(member_world_events(1),
	    "update node=1 key=tag.zone old=x\n"
	    "update node=2 key=tag.rack old=b new=d\n");
	begin_table("12345");
	take(1);
	CHECK_STR(member_world_events(1), "update node=2 key=tag.rack old=d\n");
	CHECK_STR(member_world_node(1, 1),
	    "node=1 name=n1 addr=10.0.0.1 state=member inc=1 "
	    "tags=rack:mine");
	member_world_close();
}

/* It was in the ring before the file was read that has it. */
static void
test_member_reload_finds_who_came_before_it(void)
{
	open_ring();
	begin_table("1234");
	take(1);
	(void)member_world_events(1);
	member_world_start(5);
	member_world_install("1235", "join");
	CHECK(strstr(member_world_events(1), "join node=5") == NULL);
	begin_table("12345");
	take(1);
	CHECK_STR(member_world_events(1),
	    "add node=5 name=n5 addr=10.0.0.5 state=absent inc=0 local=no "
	    "version= since_ms=0 tags=\n"
	    "join node=5 name=n5 addr=10.0.0.5 inc=1 was=new\n"
	    "view view=1.6 prev=1.6 members=1,2,3,5 joined=5 left= reasons= "
	    "reason=reload ms=0 coordinator=1\n");
	/* Once. */
	take(1);
	CHECK_STR(member_world_events(1), "");
	member_world_close();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_member_reload_of_the_same_is_nothing),
		CHECK_TEST(test_member_reload_comes_and_goes),
		CHECK_TEST(test_member_reload_keeps_members),
		CHECK_TEST(test_member_reload_renames),
		CHECK_TEST(test_member_reload_of_tags),
		CHECK_TEST(test_member_reload_finds_who_came_before_it),
	};

	return CHECK_MAIN(argc, argv, tests);
}
