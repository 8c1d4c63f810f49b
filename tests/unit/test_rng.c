/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/unit/check.h"

/* The reference generator's first outputs from the state 1, 2, 3, 4. */
static void
test_rng_is_xoshiro256_starstar(void)
{
	static const uint64_t want[] = { 11520, 0, 1509978240,
		1215971899390074240 };
	struct rng rng = { { 1, 2, 3, 4 } };

	for (size_t i = 0; i < ARRAY_COUNT(want); i++)
		CHECK_EQ(rng_next(&rng), want[i]);
}

static void
test_rng_equal_seeds_equal_sequences(void)
{
	struct rng a, b, c;
	int differing = 0;

	rng_init(&a, 42);
	rng_init(&b, 42);
	rng_init(&c, 43);
	for (int i = 0; i < 1000; i++) {
		uint64_t drawn = rng_next(&a);
		CHECK_EQ(rng_next(&b), drawn);
		differing += rng_next(&c) != drawn;
	}
	CHECK(differing > 990);
}

static void
test_rng_seed_zero_is_good(void)
{
	struct rng rng;

	rng_init(&rng, 0);
	CHECK(rng.word[0] != 0);
	CHECK(rng_next(&rng) != rng_next(&rng));
}

static void
test_rng_below_reaches_all_and_only_what_is_below(void)
{
	unsigned seen[7] = { 0 };
	struct rng rng;

	rng_init(&rng, 7);
	for (int i = 0; i < 7000; i++) {
		uint64_t drawn = rng_below(&rng, 7);
		if (!CHECK(drawn < 7))
			return;
		seen[drawn]++;
	}
	for (int i = 0; i < 7; i++)
		CHECK(seen[i] > 850 && seen[i] < 1150);
	CHECK_EQ(rng_below(&rng, 1), 0);
	CHECK_EQ(rng_below(&rng, 0), 0);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_rng_is_xoshiro256_starstar),
		CHECK_TEST(test_rng_equal_seeds_equal_sequences),
		CHECK_TEST(test_rng_seed_zero_is_good),
		CHECK_TEST(test_rng_below_reaches_all_and_only_what_is_below),
	};
	return CHECK_MAIN(argc, argv, tests);
}
