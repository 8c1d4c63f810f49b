/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/num.h"

#include "tests/unit/check.h"

static void
test_num_min_max_clamp(void)
{
	CHECK_EQ(num_min(1, 2), 1);
	CHECK_EQ(num_min(UINT64_MAX, 0), 0);
	CHECK_EQ(num_max(1, 2), 2);
	CHECK_EQ(num_max(UINT64_MAX, 0), UINT64_MAX);
	CHECK_EQ(num_clamp(5, 1, 9), 5);
	CHECK_EQ(num_clamp(0, 1, 9), 1);
	CHECK_EQ(num_clamp(10, 1, 9), 9);
	CHECK_EQ(num_clamp(10, 4, 4), 4);
}

static void
test_num_sub_stops_at_zero(void)
{
	CHECK_EQ(num_sub(3, 2), 1);
	CHECK_EQ(num_sub(2, 2), 0);
	CHECK_EQ(num_sub(2, 3), 0);
	CHECK_EQ(num_sub(0, UINT64_MAX), 0);
}

static void
test_num_round_up_to_a_power_of_two(void)
{
	CHECK_EQ(num_round_up(0, 64), 0);
	CHECK_EQ(num_round_up(1, 64), 64);
	CHECK_EQ(num_round_up(64, 64), 64);
	CHECK_EQ(num_round_up(65, 64), 128);
	CHECK_EQ(num_round_up(7, 1), 7);
}

static void
test_num_array_count(void)
{
	int three[3] = { 0 };

	CHECK_EQ(ARRAY_COUNT(three), 3);
	CHECK_EQ(three[0], 0);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_num_min_max_clamp),
		CHECK_TEST(test_num_sub_stops_at_zero),
		CHECK_TEST(test_num_round_up_to_a_power_of_two),
		CHECK_TEST(test_num_array_count),
	};
	return CHECK_MAIN(argc, argv, tests);
}
