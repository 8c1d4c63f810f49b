/* SPDX-License-Identifier: BSD-3-Clause */
/* What nobody waits for goes to the disk with others, but it goes. */
#include "bin/cfgstored/cfgstored_lazy.h"
#include "tests/unit/check.h"

#define MS_NS UINT64_C(1000000)

static void
test_cfgstored_lazy_nothing_is_never_due(void)
{
	const struct cfgstored_lazy lazy = { 0 };

	CHECK(!cfgstored_lazy_is_due(&lazy, 7 * MS_NS));
	CHECK_EQ(cfgstored_lazy_deadline_ns(&lazy), UINT64_MAX);
}

static void
test_cfgstored_lazy_who_waits_does_not_wait_longer(void)
{
	struct cfgstored_lazy lazy = { 0 };

	cfgstored_lazy_add(&lazy, 100, false, MS_NS);
	CHECK(!cfgstored_lazy_is_due(&lazy, MS_NS));
	cfgstored_lazy_add(&lazy, 100, true, MS_NS);
	CHECK(cfgstored_lazy_is_due(&lazy, MS_NS));
	/* And what comes behind does not change that. */
	cfgstored_lazy_add(&lazy, 100, false, MS_NS);
	CHECK(cfgstored_lazy_is_due(&lazy, MS_NS));
}

/* However often more comes. */
static void
test_cfgstored_lazy_goes_soon(void)
{
	struct cfgstored_lazy lazy = { 0 };
	uint64_t now_ns = 3 * MS_NS, due_ns;

	cfgstored_lazy_add(&lazy, 100, false, now_ns);
	due_ns = cfgstored_lazy_deadline_ns(&lazy);
	CHECK(due_ns > now_ns && due_ns <= now_ns + 10 * MS_NS);
	for (; now_ns < due_ns; now_ns += MS_NS / 10) {
		CHECK(!cfgstored_lazy_is_due(&lazy, now_ns));
		cfgstored_lazy_add(&lazy, 100, false, now_ns);
	}
	CHECK_EQ(cfgstored_lazy_deadline_ns(&lazy), due_ns);
	CHECK(cfgstored_lazy_is_due(&lazy, due_ns));
}

static void
test_cfgstored_lazy_keeps_back_little(void)
{
	struct cfgstored_lazy lazy = { 0 };
	size_t sum = 0;

	while (!cfgstored_lazy_is_due(&lazy, MS_NS) && sum < 100 << 20) {
		cfgstored_lazy_add(&lazy, 1000, false, MS_NS);
		sum += 1000;
	}
	CHECK(sum > 100000 && sum < 1 << 20);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_cfgstored_lazy_nothing_is_never_due),
		CHECK_TEST(test_cfgstored_lazy_who_waits_does_not_wait_longer),
		CHECK_TEST(test_cfgstored_lazy_goes_soon),
		CHECK_TEST(test_cfgstored_lazy_keeps_back_little),
	};

	return CHECK_MAIN(argc, argv, tests);
}
