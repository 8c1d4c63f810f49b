/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringd/ringd_age.h"
#include "tests/unit/check.h"

static struct ringd_age age;

static void
test_ringd_age_is_the_loops_while_the_machine_is_awake(void)
{
	ringd_age_begin(&age, 1000, 500);
	CHECK_EQ(ringd_age_whole_ns(&age, 1080, 5, 500), 5);
	CHECK_EQ(ringd_age_whole_ns(&age, 1160, 85, 500), 85);
	CHECK_EQ(ringd_age_whole_ns(&age, 1240, 165, 500), 165);
	CHECK_EQ(ringd_age_whole_ns(&age, 1320, 3, 500), 3);
}

/* The loop's clock stood still for 9,000; no token has come since. */
static void
test_ringd_age_counts_sleep_until_a_token_comes(void)
{
	ringd_age_begin(&age, 1000, 500);
	CHECK_EQ(ringd_age_whole_ns(&age, 1080, 5, 500), 5);
	CHECK_EQ(ringd_age_whole_ns(&age, 1160, 85, 9500), 9085);
	CHECK_EQ(ringd_age_whole_ns(&age, 1240, 165, 9500), 9165);
	/* A token. */
	CHECK_EQ(ringd_age_whole_ns(&age, 1320, 7, 9500), 7);
	CHECK_EQ(ringd_age_whole_ns(&age, 1400, 8, 9500), 8);
}

/* Token and sleep between two questions: the sleep may have been the later. */
static void
test_ringd_age_believes_the_worse_of_two_orders(void)
{
	ringd_age_begin(&age, 1000, 500);
	CHECK_EQ(ringd_age_whole_ns(&age, 1080, 5, 500), 5);
	CHECK_EQ(ringd_age_whole_ns(&age, 1160, 10, 9500), 9010);
	CHECK_EQ(ringd_age_whole_ns(&age, 1240, 10, 9500), 10);
}

/* What slept before it began is no matter. */
static void
test_ringd_age_begins_awake(void)
{
	ringd_age_begin(&age, 1000, 777777);
	CHECK_EQ(ringd_age_whole_ns(&age, 1001, 0, 777777), 0);
	ringd_age_begin(&age, 1000, 777777);
	CHECK_EQ(ringd_age_whole_ns(&age, 1000, 50, 777777), 50);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(
		    test_ringd_age_is_the_loops_while_the_machine_is_awake),
		CHECK_TEST(test_ringd_age_counts_sleep_until_a_token_comes),
		CHECK_TEST(test_ringd_age_believes_the_worse_of_two_orders),
		CHECK_TEST(test_ringd_age_begins_awake),
	};

	return CHECK_MAIN(argc, argv, tests);
}
