/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/list.h"

#include "tests/unit/check.h"

struct item {
	int number;
	struct list link;
};

static struct item items[4];
static struct list head;

static void
begin(void)
{
	list_init(&head);
	for (int i = 0; i < 4; i++) {
		items[i].number = i;
		list_init(&items[i].link);
	}
}

/* The numbers in the list, read as digits, both ways. */
static void
check_order(uint64_t want, uint64_t want_back)
{
	uint64_t got = 0, got_back = 0;
	struct list *at;

	LIST_FOREACH(at, &head)
		got = got * 10 +
		    (uint64_t)LIST_ENTRY(at, struct item, link)->number;
	for (at = head.prev; at != &head; at = at->prev)
		got_back = got_back * 10 +
		    (uint64_t)LIST_ENTRY(at, struct item, link)->number;
	CHECK_EQ(got, want);
	CHECK_EQ(got_back, want_back);
}

static void
test_list_put_first_last_and_before(void)
{
	begin();
	CHECK(list_is_empty(&head));
	CHECK(list_first(&head) == NULL);

	list_put_last(&head, &items[1].link);
	list_put_last(&head, &items[3].link);
	list_put_before(&items[3].link, &items[2].link);
	check_order(123, 321);
	list_remove(&items[1].link);
	list_put_last(&head, &items[1].link);
	check_order(231, 132);
	list_remove(&items[1].link);
	list_put_first(&head, &items[1].link);

	check_order(123, 321);
	CHECK(list_first(&head) == &items[1].link);
}

static void
test_list_remove_is_harmless_twice(void)
{
	begin();
	list_put_last(&head, &items[1].link);
	list_put_last(&head, &items[2].link);

	list_remove(&items[1].link);
	list_remove(&items[1].link);

	check_order(2, 2);
	CHECK(list_is_empty(&items[1].link));
}

static void
test_list_foreach_safe_survives_removal(void)
{
	struct list *at, *after;
	begin();
	for (int i = 1; i < 4; i++)
		list_put_last(&head, &items[i].link);

	LIST_FOREACH_SAFE(at, after, &head)
		if (LIST_ENTRY(at, struct item, link)->number != 2)
			list_remove(at);
	check_order(2, 2);
	LIST_FOREACH_SAFE(at, after, &head)
		list_remove(at);

	CHECK(list_is_empty(&head));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_list_put_first_last_and_before),
		CHECK_TEST(test_list_remove_is_harmless_twice),
		CHECK_TEST(test_list_foreach_safe_survives_removal),
	};
	return CHECK_MAIN(argc, argv, tests);
}
