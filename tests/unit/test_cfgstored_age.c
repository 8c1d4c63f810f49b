/* SPDX-License-Identifier: BSD-3-Clause */
/* History is kept as long as it has to be, and not much longer. */
#include "bin/cfgstored/cfgstored_age.h"
#include "tests/unit/check.h"

static void
test_cfgstored_age_keeps_for_ever(void)
{
	struct cfgstored_age age;

	cfgstored_age_init(&age, 0);
	CHECK_EQ(cfgstored_age_deadline_ns(&age), UINT64_MAX);
	CHECK_EQ(cfgstored_age_look(&age, 5, 1000), 0);
	CHECK_EQ(cfgstored_age_look(&age, 6, UINT64_MAX), 0);
}

/* One revision each tenth of the time, looked at whenever it is due. */
static void
test_cfgstored_age_forgets_what_is_too_old(void)
{
	enum { KEEP = 1000000 };
	struct cfgstored_age age;
	uint64_t forgotten = 0, worst = 0;

	cfgstored_age_init(&age, KEEP);
	for (uint64_t now = 0; now < 10 * KEEP;
	     now = cfgstored_age_deadline_ns(&age)) {
		const uint64_t rev = now / (KEEP / 10);
		const uint64_t old = cfgstored_age_look(&age, rev, now);

		/* Revision N was made at N tenths. */
		if (old > 0) {
			CHECK(old * (KEEP / 10) + KEEP <= now);
			forgotten = old;
		}
		if (now - forgotten * (KEEP / 10) > worst)
			worst = now - forgotten * (KEEP / 10);
	}
	CHECK(forgotten >= 88);
	CHECK(worst < KEEP + KEEP / 10 + KEEP / 50);
}

/* Who was stopped for long has little to say of what happened meanwhile. */
static void
test_cfgstored_age_pauses(void)
{
	struct cfgstored_age age;

	cfgstored_age_init(&age, 1000);
	CHECK_EQ(cfgstored_age_look(&age, 7, 10), 0);
	CHECK_EQ(cfgstored_age_look(&age, 8, 11), 0);
	CHECK_EQ(cfgstored_age_look(&age, 9, 5000), 7);
	CHECK_EQ(cfgstored_age_look(&age, 9, 5999), 0);
	CHECK_EQ(cfgstored_age_look(&age, 9, 6010), 9);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_cfgstored_age_keeps_for_ever),
		CHECK_TEST(test_cfgstored_age_forgets_what_is_too_old),
		CHECK_TEST(test_cfgstored_age_pauses),
	};

	return CHECK_MAIN(argc, argv, tests);
}
