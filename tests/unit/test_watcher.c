/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/watch-membership/watcher_classes.h"
#include "bin/watch-membership/watcher_filter.h"
#include "bin/watch-membership/watcher_nodes.h"
#include "bin/watch-membership/watcher_print.h"
#include "tests/unit/check.h"

static struct watcher_nodes before, now;

static struct word *
parse(const char *record)
{
	static struct word word;
	static char line[1024];

	(void)snprintf(line, sizeof line, "%s", record);
	if (!CHECK_EQ(word_parse(&word, line, strlen(line)), 0))
		word.pair_count = 0;
	return &word;
}

static void
take(struct watcher_nodes *nodes, const char *record)
{
	struct word *word = parse(record);

	watcher_nodes_take(nodes, watcher_event_of(word->verb[0]), word);
}

static void
begin(void)
{
	watcher_nodes_init(&now);
	take(&now,
	    "exists node=2 name=b addr=::2 state=member inc=4 local=no "
	    "version=1 tags=x:1,y:2");
	take(&now, "exists node=1 name=a state=member inc=7 local=yes");
	take(&now, "exists node=3 name=c state=left inc=1 local=no");
	take(&now, "ready view=1.2 members=1,2 coordinator=1 quorate=yes");
	watcher_nodes_copy(&before, &now);
}

static const char *
shown(void)
{
	static char bytes[4096];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	watcher_nodes_put(&now, &text);
	return bytes;
}

static void
test_table(void)
{
	begin();
	CHECK_STR(shown(),
	    "exists node=1 name=a state=member inc=7 local=yes\n"
	    "exists node=2 name=b addr=::2 state=member inc=4 local=no "
	    "version=1 tags=x:1,y:2\n"
	    "exists node=3 name=c state=left inc=1 local=no\n");
	take(&now, "leave node=2 name=b inc=4 reason=lost");
	take(&now, "fenced node=2 inc=4");
	take(&now, "join node=4 name=d addr=::4 inc=2 was=new");
	take(&now, "update node=1 key=tag.r new=a,b:c\\0040");
	take(&now, "update node=1 key=version old=1 new=2");
	take(&now, "update node=2 key=tag.x old=1");
	take(&now, "update node=9 key=tag.x new=1");
	take(&now, "forget node=3 name=c");
	take(&now, "view view=1.3 members=1,4 coordinator=1 quorate=no");
	CHECK_STR(shown(),
	    "exists node=1 name=a state=member inc=7 local=yes version=2 "
	    "tags=r:a\\0054b\\0072c\\0040\n"
	    "exists node=2 name=b addr=::2 state=fenced inc=4 local=no "
	    "version=1 tags=y:2\n"
	    "exists node=4 name=d addr=::4 state=member inc=2 local=no\n");
	CHECK_STR(now.view, "1.3");
	CHECK_STR(now.quorate, "no");
	take(&now, "quorum quorate=yes view=1.3");
	CHECK_STR(now.quorate, "yes");
	CHECK_EQ(now.members.count, 2);
	take(&now, "down reason=daemon-exit");
	CHECK_STR(now.quorate, "unknown");
	/* A new state replaces the table. */
	take(&now, "exists node=5 name=e state=member inc=1");
	CHECK_EQ(now.count, 1);
}

static void
test_differ(void)
{
	begin();
	CHECK(!watcher_nodes_differ(&before, &now, true));
	take(&now, "update node=2 key=version new=9");
	take(&now, "view view=9.9 members=1,2 coordinator=1 quorate=yes");
	CHECK(!watcher_nodes_differ(&before, &now, true));
	take(&now, "update node=2 key=tag.x new=9");
	CHECK(watcher_nodes_differ(&before, &now, true));
	CHECK(!watcher_nodes_differ(&before, &now, false));
	begin();
	take(&now, "quorum quorate=no");
	CHECK(watcher_nodes_differ(&before, &now, false));
	begin();
	take(&now, "join node=2 name=b inc=5 was=restarted");
	CHECK(watcher_nodes_differ(&before, &now, false));
	begin();
	take(&now, "view view=1.3 members=1,3 coordinator=1 quorate=yes");
	CHECK(watcher_nodes_differ(&before, &now, false));
}

static const char *
missed(uint32_t id, bool is_join)
{
	static char bytes[512];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	watcher_put_missed(&before, &now, id, is_join, &text);
	return bytes;
}

static void
test_missed(void)
{
	struct hook_ids joined, left;

	begin();
	take(&now, "join node=2 name=b addr=::2 inc=5 was=restarted");
	take(&now, "leave node=1 name=a inc=7 reason=left");
	take(&now, "join node=3 name=c addr=::3 inc=2 was=left");
	take(&now, "view view=1.3 members=2,3 coordinator=2 quorate=yes");
	watcher_changes(&before, &now, &joined, &left);
	CHECK_EQ(joined.count, 2);
	CHECK_EQ(left.count, 2);
	CHECK_STR(missed(1, false), "leave node=1 name=a inc=7 reason=left");
	CHECK_STR(
	    missed(2, false), "leave node=2 name=b inc=4 reason=restarted");
	CHECK_STR(
	    missed(2, true), "join node=2 name=b addr=::2 inc=5 was=restarted");
	CHECK_STR(
	    missed(3, true), "join node=3 name=c addr=::3 inc=2 was=left");
	CHECK_EQ(watcher_class_of("yes"), WATCHER_GAINED);
	CHECK_EQ(watcher_class_of("no"), WATCHER_LOST);
	CHECK_EQ(watcher_class_of("unknown"), 0);
}

static void
test_filter(void)
{
	struct watcher_filter filter = { 0 };
	static const struct {
		const char *record;
		bool passes;
	} cases[] = {
		{ "leave node=2", true },
		{ "leave node=22", false },
		{ "join node=2", false },
		{ "view joined=3,2 left=", true },
		{ "view joined= left=2", true },
		{ "view joined=22 left=1", false },
		{ "view members=2", false },
		{ "down reason=x", true },
		{ "quorum quorate=no", false },
	};

	CHECK(!watcher_filter_events(&filter, "leave,"));
	CHECK(!watcher_filter_events(&filter, "leaves"));
	filter.events = 0;
	CHECK(watcher_filter_passes(&filter, WATCHER_OTHER, parse("new a=1")));
	CHECK(watcher_filter_events(&filter, "leave,view,down,quorum"));
	hook_ids_add(&filter.nodes, 2);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct word *word = parse(cases[i].record);

		check_case(cases[i].record);
		CHECK_EQ(watcher_filter_passes(
			     &filter, watcher_event_of(word->verb[0]), word),
		    cases[i].passes);
	}
	check_case(NULL);
	CHECK(watcher_filter_wants(&filter, WATCHER_LEAVE, 2));
	CHECK(!watcher_filter_wants(&filter, WATCHER_LEAVE, 3));
	CHECK(!watcher_filter_wants(&filter, WATCHER_JOIN, 2));
	CHECK(watcher_filter_counts(WATCHER_DOWN));
	CHECK(!watcher_filter_counts(WATCHER_READY));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_table),
		CHECK_TEST(test_differ),
		CHECK_TEST(test_missed),
		CHECK_TEST(test_filter),
	};

	return CHECK_MAIN(argc, argv, tests);
}
