/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <time.h>

#include "libcommon/os/clock.h"

#include "tests/unit/check.h"

static void
test_clock_stamp_is_utc_whatever_the_zone(void)
{
	char stamp[CLOCK_STAMP_BYTES];

	setenv("TZ", "Asia/Kolkata", 1);
	tzset();

	clock_stamp(UINT64_C(1795364401123456789), stamp);
	CHECK_STR(stamp, "2026-11-22T16:20:01.123456Z");
	clock_stamp(0, stamp);
	CHECK_STR(stamp, "1970-01-01T00:00:00.000000Z");
}

static void
test_clock_monotonic_never_goes_back(void)
{
	uint64_t before_ns = clock_now_ns();

	for (int i = 0; i < 1000; i++) {
		uint64_t now_ns = clock_now_ns();

		if (!CHECK(now_ns >= before_ns))
			return;
		before_ns = now_ns;
	}
	CHECK(clock_boot_ns() >= before_ns);
	CHECK(clock_cpu_ns() > 0);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_clock_stamp_is_utc_whatever_the_zone),
		CHECK_TEST(test_clock_monotonic_never_goes_back),
	};

	return CHECK_MAIN(argc, argv, tests);
}
