/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/text.h"
#include "libcommon/os/hook_queue.h"

#include "tests/unit/check.h"

static struct hook_record
record(const char *line, uint32_t classes)
{
	return (struct hook_record){ .line = line,
		.context = "now view=1.2",
		.table = line,
		.classes = classes };
}

static void
put(struct hook_queue *queue, const char *line, uint32_t classes)
{
	struct hook_record it = record(line, classes);

	CHECK(hook_queue_put(queue, &it, true));
}

/* The set as a list. */
static const char *
listed(const struct hook_ids *ids)
{
	static char bytes[2][512];
	static int turn;
	struct text text;

	turn = !turn;
	text_init(&text, bytes[turn], sizeof bytes[turn]);
	hook_ids_put(ids, ',', &text);
	return text.bytes;
}

static void
test_ids(void)
{
	struct hook_ids ids = { .count = 0 };

	hook_ids_add_list(&ids, "7,2,2,0,x,65536,65535,", 22);
	CHECK_STR(listed(&ids), "2,7,65535");
	CHECK(hook_ids_has(&ids, 7) && !hook_ids_has(&ids, 3));
	hook_ids_add_list(&ids, "", 0);
	CHECK_EQ(ids.count, 3);
	for (uint32_t id = 100; id < 200; id++)
		hook_ids_add(&ids, id);
	CHECK_EQ(ids.count, LIMIT_NODES);
}

static void
test_changes(void)
{
	struct hook_queue queue;
	struct hook_ids joined, left;

	hook_queue_init(&queue);
	put(&queue, "leave node=2 name=b reason=lost", 1);
	put(&queue, "view view=1.3 members=1 joined= left=2,4", 2);
	put(&queue, "join node=2 name=b", 1);
	put(&queue, "update node=9 key=tag.x", 1);
	hook_queue_changes(&queue, 3, &joined, &left);
	CHECK_STR(listed(&joined), "2");
	CHECK_STR(listed(&left), "2,4");
	hook_queue_changes(&queue, 2, &joined, &left);
	CHECK_STR(listed(&joined), "");
	CHECK_STR(listed(&left), "2,4");
	hook_queue_changes(&queue, 4, &joined, &left);
	CHECK_EQ(joined.count + left.count, 0);
	CHECK_EQ(hook_queue_classes(&queue), 3);
	CHECK_EQ(hook_queue_count(&queue, 1), 3);
	CHECK_STR(hook_queue_newest(&queue, 2)->line,
	    "view view=1.3 members=1 joined= left=2,4");
	CHECK(hook_queue_newest(&queue, 4) == NULL);
	/* Only the newest table was kept. */
	CHECK_STR(hook_queue_table(&queue), "update node=9 key=tag.x");
	CHECK(hook_queue_first(&queue)->table == NULL);
	hook_queue_clear(&queue);
	CHECK(hook_queue_first(&queue) == NULL);
}

/* The oldest go, what they told of nodes stays. */
static void
test_bound(void)
{
	struct hook_queue queue, batch;
	struct hook_ids joined, left;
	char line[64];

	hook_queue_init(&queue);
	hook_queue_init(&batch);
	put(&queue, "join node=7", 1);
	put(&queue, "leave node=8", 1);
	for (int i = 0; i < HOOK_QUEUE_MAX; i++) {
		(void)snprintf(line, sizeof line, "update node=1 key=k%d", i);
		put(&queue, line, 1);
	}
	CHECK_EQ(queue.count, HOOK_QUEUE_MAX);
	CHECK_EQ(queue.lost, 2);
	CHECK_STR(hook_queue_first(&queue)->line, "update node=1 key=k0");
	hook_queue_move(&batch, &queue, 1);
	CHECK_EQ(batch.count, 1);
	CHECK_EQ(batch.lost, 2);
	CHECK_EQ(queue.lost, 0);
	hook_queue_changes(&batch, 1, &joined, &left);
	CHECK_STR(listed(&joined), "7");
	CHECK_STR(listed(&left), "8");
	hook_queue_move(&batch, &queue, HOOK_QUEUE_MAX);
	CHECK_EQ(queue.count, 0);
	CHECK_STR(hook_queue_newest(&batch, 1)->line, "update node=1 key=k999");
	hook_queue_clear(&batch);
}

static void
test_put_back(void)
{
	struct hook_queue pending, batch;

	hook_queue_init(&pending);
	hook_queue_init(&batch);
	put(&batch, "a", 1);
	put(&batch, "b", 3);
	put(&batch, "c", 2);
	put(&pending, "d", 1);
	hook_queue_put_back(&pending, &batch, 2);
	CHECK_EQ(batch.count, 0);
	CHECK_EQ(pending.count, 3);
	CHECK_STR(hook_queue_first(&pending)->line, "b");
	CHECK_EQ(hook_queue_first(&pending)->classes, 2);
	CHECK_STR(hook_queue_newest(&pending, 2)->line, "c");
	CHECK_STR(hook_queue_newest(&pending, 1)->line, "d");
	hook_queue_put_back(&batch, &pending, 0);
	CHECK_EQ(batch.count + pending.count, 0);
}

static void
test_urgent(void)
{
	struct hook_record it = record("down", 1);
	struct hook_queue queue;

	hook_queue_init(&queue);
	put(&queue, "a", 1);
	CHECK(!hook_queue_is_urgent(&queue));
	it.is_urgent = it.shows_table = true;
	CHECK(hook_queue_put_first(&queue, &it));
	CHECK(hook_queue_is_urgent(&queue));
	CHECK(hook_queue_shows_table(&queue, 1));
	CHECK(!hook_queue_shows_table(&queue, 2));
	CHECK_STR(hook_queue_first(&queue)->line, "down");
	hook_queue_clear(&queue);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ids),
		CHECK_TEST(test_changes),
		CHECK_TEST(test_bound),
		CHECK_TEST(test_put_back),
		CHECK_TEST(test_urgent),
	};

	return CHECK_MAIN(argc, argv, tests);
}
