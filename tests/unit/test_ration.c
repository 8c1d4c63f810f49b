/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>

#include "libcommon/base/ration.h"
#include "libcommon/base/rng.h"

#include "tests/unit/check.h"

#define MS     UINT64_C(1000000)
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define WEEK   (7 * 24 * 60 * MINUTE)

static struct ration ration;
static struct ration_line line;
static uint64_t told[RATION_PLACES], left_out[RATION_PLACES];

static void
begin(void)
{
	ration = (struct ration){ 0 };
	for (size_t i = 0; i < RATION_PLACES; i++)
		told[i] = left_out[i] = 0;
}

static void
note(void)
{
	told[line.place]++;
	left_out[line.place] += line.omitted;
}

/* What is due by then is told when it is. */
static void
run_until(uint64_t now_ns)
{
	while (ration_due_ns(&ration) <= now_ns) {
		uint64_t at_ns = ration_due_ns(&ration);

		while (ration_next(&ration, at_ns, &line))
			note();
	}
}

static bool
say(uint64_t name, uint64_t now_ns)
{
	run_until(now_ns);
	if (!ration_take(&ration, name, now_ns, &line))
		return false;
	note();
	return true;
}

static void
test_ration_of_few_lines_is_all(void)
{
	begin();
	for (uint64_t i = 0; i < RATION_SECOND; i++) {
		CHECK(say(7, SECOND + i));
		CHECK_EQ(line.omitted, 0);
	}
	CHECK(!say(7, SECOND + 100 * MS));
	CHECK(say(8, SECOND + 100 * MS));
	CHECK_EQ(ration_due_ns(&ration), 2 * SECOND);
}

static void
test_ration_last_word_of_a_burst_is_told(void)
{
	begin();
	for (uint64_t i = 0; i < 50; i++)
		(void)say(7, SECOND + i * MS);
	CHECK_EQ(told[0], RATION_SECOND);
	CHECK(!ration_next(&ration, 2 * SECOND - 1, &line));
	CHECK(ration_next(&ration, 2 * SECOND, &line));
	CHECK_EQ(line.place, 0);
	CHECK_EQ(line.omitted, 50 - RATION_SECOND - 1);
	CHECK(!ration_next(&ration, 2 * SECOND, &line));
	CHECK_EQ(ration_due_ns(&ration), UINT64_MAX);
}

static void
test_ration_line_in_time_stands_for_those_held(void)
{
	begin();
	for (uint64_t i = 0; i < 30; i++)
		(void)say(7, SECOND + i * MS);
	/* It comes before anybody asked for what is held. */
	CHECK(ration_take(&ration, 7, 2 * SECOND, &line));
	CHECK_EQ(line.omitted, 10);
	CHECK(!ration_next(&ration, 3 * SECOND, &line));
}

static void
test_ration_rest_is_told_at_the_end(void)
{
	begin();
	for (uint64_t i = 0; i < 30; i++) {
		(void)say(7, SECOND + i * MS);
		(void)say(8, SECOND + i * MS);
	}
	CHECK(ration_rest(&ration, &line));
	CHECK_EQ(line.omitted, 9);
	CHECK(ration_rest(&ration, &line));
	CHECK(!ration_rest(&ration, &line));
	CHECK_EQ(ration_due_ns(&ration), UINT64_MAX);
}

/* One cause that has a line each second, one with some now and then, and
 * one that comes in floods. */
static void
test_ration_of_a_week_is_bounded(void)
{
	uint64_t said[3] = { 1, 1, 1 };
	struct rng rng;

	begin();
	for (uint64_t name = 1; name <= 3; name++)
		(void)say(name, 0);
	rng_init(&rng, 1);
	for (uint64_t now_ns = SECOND; now_ns < WEEK; now_ns += SECOND) {
		(void)say(1, now_ns);
		said[0]++;
		if (rng_below(&rng, 300) == 0) {
			(void)say(2, now_ns + 1);
			said[1]++;
		}
		if (rng_below(&rng, 600) != 0)
			continue;
		for (uint64_t i = 0; i < 500; i++)
			(void)say(3, now_ns + 2 + i);
		said[2] += 500;
	}
	run_until(2 * WEEK);
	for (size_t i = 0; i < 3; i++) {
		CHECK_EQ(told[i] + left_out[i], said[i]);
		CHECK(told[i] <= RATION_STORE + WEEK / MINUTE + 1);
	}
	CHECK_EQ(left_out[1], 0);
	CHECK(told[0] >= WEEK / MINUTE);
}

/* More causes than there are places: nothing is lost from the count, and what
 * all of them may have together has a bound, too. */
static void
test_ration_of_many_causes_is_bounded(void)
{
	uint64_t said = 0, lines = 0;
	struct rng rng;

	begin();
	rng_init(&rng, 2);
	for (uint64_t i = 0; i < 2000000; i++, said++)
		(void)say(rng_below(&rng, 1000), SECOND + i * MS);
	run_until(WEEK);
	for (size_t i = 0; i < RATION_PLACES; i++) {
		lines += told[i];
		said -= told[i] + left_out[i];
	}
	CHECK_EQ(said, 0);
	CHECK(lines <=
	    RATION_PLACES * (RATION_STORE + 2000000 * MS / MINUTE + 2));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_ration_of_few_lines_is_all),
		CHECK_TEST(test_ration_last_word_of_a_burst_is_told),
		CHECK_TEST(test_ration_line_in_time_stands_for_those_held),
		CHECK_TEST(test_ration_rest_is_told_at_the_end),
		CHECK_TEST(test_ration_of_a_week_is_bounded),
		CHECK_TEST(test_ration_of_many_causes_is_bounded),
	};

	return CHECK_MAIN(argc, argv, tests);
}
