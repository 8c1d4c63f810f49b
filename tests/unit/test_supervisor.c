/* SPDX-License-Identifier: BSD-3-Clause */
/* When a child counts as hanging, and when the next one is born. */
#include "libcommon/os/exitcode.h"

#include "bin/ringd/supervisor.h"
#include "tests/unit/check.h"

enum { STILL_MAX = (int)(SUPERVISOR_HANG_NS / SUPERVISOR_CHECK_NS) };

static struct supervisor_watch watch;
static uint64_t now_ns;

static void
begin(void)
{
	now_ns = CLOCK_S_NS;
	watch = (struct supervisor_watch){ .check_ns =
					       now_ns + SUPERVISOR_CHECK_NS };
}

/* The check that is due, or that comes late_ns too late. */
static bool
check_late(uint64_t turns, uint64_t late_ns)
{
	struct supervisor_look look = { .turns = turns };

	now_ns = watch.check_ns + late_ns;
	return supervisor_is_hung(&watch, &look, now_ns);
}

/* The same of one that waits for a processor and had it for so long. */
static bool
check_runnable(uint64_t had_ns)
{
	struct supervisor_look look = { 7, true, watch.cpu_ns + had_ns };

	now_ns = watch.check_ns + CLOCK_MS_NS;
	return supervisor_is_hung(&watch, &look, now_ns);
}

static bool
check(uint64_t turns)
{
	return check_late(turns, CLOCK_MS_NS);
}

static void
test_supervisor_sees_a_hang_after_two_seconds(void)
{
	begin();
	CHECK(!check(7));
	for (int i = 1; i < STILL_MAX; i++)
		CHECK(!check(7));
	CHECK(check(7));
	CHECK(now_ns - CLOCK_S_NS >= 2 * CLOCK_S_NS);
	CHECK(now_ns - CLOCK_S_NS < 3 * CLOCK_S_NS);
}

static void
test_supervisor_one_turn_is_enough(void)
{
	begin();
	for (uint64_t i = 0; i < 100; i++)
		CHECK(!check(1 + i / (STILL_MAX - 1)));
}

/* A slow disk is no hang: nobody believes anything of it yet. */
static void
test_supervisor_waits_for_the_first_turn(void)
{
	begin();
	for (int i = 0; i < 100; i++)
		CHECK(!check(0));
}

/* A machine that was stopped, or a supervisor that was not run. */
static void
test_supervisor_that_slept_accuses_nobody(void)
{
	begin();
	(void)check(7);
	for (int i = 1; i < STILL_MAX; i++)
		CHECK(!check(7));
	CHECK(!check_late(7, 60 * CLOCK_S_NS));
	for (int i = 1; i < STILL_MAX; i++)
		CHECK(!check(7));
	CHECK(!check_late(7, SUPERVISOR_CHECK_NS));
}

/* Others have the processors: it will turn when it is let. */
static void
test_supervisor_spares_who_gets_no_processor(void)
{
	begin();
	for (int i = 0; i < 100; i++)
		CHECK(!check_runnable(CLOCK_MS_NS));
}

static void
test_supervisor_sees_who_turns_in_vain(void)
{
	begin();
	CHECK(!check(7));
	for (int i = 1; i < STILL_MAX; i++)
		CHECK(!check_runnable(SUPERVISOR_CHECK_NS));
	CHECK(check_runnable(SUPERVISOR_CHECK_NS));
}

static void
test_supervisor_delays_grow_and_are_forgotten(void)
{
	uint64_t last_ns = 0, sum_ns = 0;
	uint32_t deaths = 0;

	CHECK_EQ(
	    supervisor_delay_ns(&deaths, CLOCK_S_NS), SUPERVISOR_DELAY_MIN_NS);
	for (int i = 0; i < 100; i++) {
		uint64_t delay_ns = supervisor_delay_ns(&deaths, 0);

		CHECK(delay_ns >= last_ns);
		CHECK(delay_ns <= SUPERVISOR_DELAY_MAX_NS);
		last_ns = delay_ns;
		sum_ns += delay_ns;
	}
	CHECK_EQ(last_ns, SUPERVISOR_DELAY_MAX_NS);
	CHECK(sum_ns > 900 * CLOCK_S_NS);
	CHECK_EQ(supervisor_delay_ns(&deaths, SUPERVISOR_LIFE_NS),
	    SUPERVISOR_DELAY_MIN_NS);
}

static void
test_supervisor_goes_on_after_what_may_pass(void)
{
	static const struct {
		int code;
		bool is_passing, is_passing_in_service;
	} rows[] = {
		{ EXITCODE_OK, false, false },
		{ EXITCODE_TRYAGAIN, true, true },
		{ EXITCODE_CANTCREATE, true, false },
		{ EXITCODE_OS, true, false },
		{ EXITCODE_CONFIG, false, false },
		{ EXITCODE_INTERNAL, false, false },
	};

	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		CHECK_EQ(supervisor_is_passing(rows[i].code, false),
		    rows[i].is_passing);
		CHECK_EQ(supervisor_is_passing(rows[i].code, true),
		    rows[i].is_passing_in_service);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_supervisor_sees_a_hang_after_two_seconds),
		CHECK_TEST(test_supervisor_one_turn_is_enough),
		CHECK_TEST(test_supervisor_waits_for_the_first_turn),
		CHECK_TEST(test_supervisor_that_slept_accuses_nobody),
		CHECK_TEST(test_supervisor_spares_who_gets_no_processor),
		CHECK_TEST(test_supervisor_sees_who_turns_in_vain),
		CHECK_TEST(test_supervisor_delays_grow_and_are_forgotten),
		CHECK_TEST(test_supervisor_goes_on_after_what_may_pass),
	};

	return CHECK_MAIN(argc, argv, tests);
}
