/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "bin/ringd/session_window.h"
#include "tests/unit/check.h"

enum { COUNTERS = 40000 };

static void
test_session_window_forgets_as_it_slides(void)
{
	struct session_window window;

	session_window_init(&window, 0);

	for (uint64_t counter = 1; counter <= COUNTERS; counter++) {
		CHECK(session_window_is_fresh(&window, counter));
		session_window_take(&window, counter);
		CHECK(!session_window_is_fresh(&window, counter));
	}
}

/* What was sealed before the datagram it begins with is never taken. */
static void
test_session_window_begins_behind_its_first_counter(void)
{
	static const uint64_t firsts[] = { 1, 62, 63, 64, 65, 100, 2047, 2048,
		5000, UINT64_C(1) << 40 };
	struct session_window window;

	for (size_t i = 0; i < ARRAY_COUNT(firsts); i++) {
		uint64_t first = firsts[i];
		session_window_init(&window, first);
		for (uint64_t back = 0; back <= num_min(first, 3000); back++)
			CHECK(!session_window_is_fresh(&window, first - back));
		CHECK(session_window_is_fresh(&window, first + 1));
		CHECK(session_window_is_fresh(&window, first + 200));
		session_window_take(&window, first + 1);
		CHECK(!session_window_is_fresh(&window, first));
	}
}

/* In any order, with gaps and leaps: each counter once, and never again. */
static void
test_session_window_takes_each_counter_once(void)
{
	static bool is_taken[COUNTERS];
	struct session_window window;
	uint64_t highest = 0;
	struct rng rng;

	rng_init(&rng, 1);
	session_window_init(&window, 0);
	is_taken[0] = true;

	for (int i = 0; i < 60000; i++) {
		uint64_t ahead = rng_below(&rng, i % 500 ? 30 : 5000);
		uint64_t back = rng_below(&rng, i % 3 ? 20 : 3000);
		uint64_t counter = num_sub(highest + ahead, back);
		if (counter >= COUNTERS)
			break;
		bool is_old = highest >= counter &&
		    highest - counter >= SESSION_WINDOW_BITS;
		bool is_fresh = !is_old && !is_taken[counter];
		CHECK_EQ(session_window_is_fresh(&window, counter), is_fresh);
		if (!is_fresh)
			continue;
		session_window_take(&window, counter);
		is_taken[counter] = true;
		highest = num_max(highest, counter);
	}

	CHECK(highest > COUNTERS / 2);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_session_window_forgets_as_it_slides),
		CHECK_TEST(test_session_window_begins_behind_its_first_counter),
		CHECK_TEST(test_session_window_takes_each_counter_once),
	};

	return CHECK_MAIN(argc, argv, tests);
}
