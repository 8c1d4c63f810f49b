/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/quorumd/quorum_lease.h"
#include "tests/unit/check.h"

#define MS UINT64_C(1000000)

static struct quorum_lease lease;

/* One second; running and told of at 100 s. */
static void
begin(void)
{
	quorum_lease_init(&lease, 1000 * MS);
	CHECK(!quorum_lease_is_fresh(&lease, 99990 * MS));
	CHECK_EQ(quorum_lease_run(&lease, 100000 * MS), 0);
	quorum_lease_tick(&lease, 100000 * MS, 20 * MS, 100000 * MS);
	CHECK(quorum_lease_is_fresh(&lease, 100000 * MS));
}

static void
test_lease_ends_when_no_tick_comes(void)
{
	begin();
	CHECK_EQ(quorum_lease_age_ns(&lease, 100100 * MS), 120 * MS);
	CHECK(quorum_lease_is_fresh(&lease, 100980 * MS));
	CHECK(!quorum_lease_is_fresh(&lease, 100981 * MS));
	CHECK_STR(quorum_lease_reason(&lease), "stale");
	quorum_lease_tick(&lease, 100990 * MS, 0, 100991 * MS);
	CHECK(quorum_lease_is_fresh(&lease, 101500 * MS));
}

static void
test_lease_old_token_is_as_bad_as_no_tick(void)
{
	begin();
	quorum_lease_tick(&lease, 100500 * MS, 1001 * MS, 100500 * MS);
	CHECK(!quorum_lease_is_fresh(&lease, 100500 * MS));
	quorum_lease_tick(&lease, 100580 * MS, 400 * MS, 100600 * MS);
	CHECK(quorum_lease_is_fresh(&lease, 100600 * MS));
}

static void
test_lease_tick_from_elsewhere_does_not_count(void)
{
	begin();
	quorum_lease_tick(&lease, 200000 * MS, 0, 101000 * MS);
	CHECK(!quorum_lease_is_fresh(&lease, 101000 * MS));
	/* Nor one that is older than the one before. */
	quorum_lease_tick(&lease, 99999 * MS, 0, 101000 * MS);
	CHECK(!quorum_lease_is_fresh(&lease, 101000 * MS));
}

static void
test_lease_who_was_stopped_wants_a_newer_tick(void)
{
	begin();
	for (uint64_t ms = 100100; ms <= 101000; ms += 100)
		CHECK_EQ(quorum_lease_run(&lease, ms * MS), 0);
	CHECK_EQ(quorum_lease_run(&lease, 113000 * MS), 12000 * MS);
	CHECK_STR(quorum_lease_reason(&lease), "paused");
	/* What waited in the socket, down to the newest. */
	quorum_lease_tick(&lease, 101080 * MS, 0, 113000 * MS);
	quorum_lease_tick(&lease, 112990 * MS, 0, 113000 * MS);
	quorum_lease_tick(&lease, 113000 * MS, 0, 113001 * MS);
	CHECK(!quorum_lease_is_fresh(&lease, 113001 * MS));

	CHECK_EQ(quorum_lease_run(&lease, 113070 * MS), 0);
	quorum_lease_tick(&lease, 113070 * MS, 5 * MS, 113070 * MS);
	CHECK(quorum_lease_is_fresh(&lease, 113070 * MS));
	CHECK_STR(quorum_lease_reason(&lease), "stale");
}

static void
test_lease_stop_within_it_is_no_pause(void)
{
	begin();
	CHECK_EQ(quorum_lease_run(&lease, 101000 * MS), 0);
	CHECK_EQ(quorum_lease_run(&lease, 102001 * MS), 1001 * MS);
}

static void
test_lease_lost_connection_ends_it(void)
{
	begin();
	quorum_lease_lose(&lease);
	CHECK(!quorum_lease_is_fresh(&lease, 100001 * MS));
	CHECK_EQ(quorum_lease_age_ns(&lease, 100001 * MS), UINT64_MAX);
	quorum_lease_tick(&lease, 100080 * MS, 0, 100081 * MS);
	CHECK(quorum_lease_is_fresh(&lease, 100081 * MS));
}

static void
test_lease_deadline_is_never_missed(void)
{
	begin();
	CHECK_EQ(quorum_lease_deadline_ns(&lease), 100250 * MS);
	CHECK_EQ(quorum_lease_run(&lease, 100900 * MS), 0);
	CHECK_EQ(quorum_lease_deadline_ns(&lease), 100980 * MS + 1);
	CHECK(!quorum_lease_is_fresh(&lease, 100980 * MS + 1));
	CHECK_EQ(quorum_lease_run(&lease, 101000 * MS), 0);
	CHECK_EQ(quorum_lease_deadline_ns(&lease), 101250 * MS);
	quorum_lease_lose(&lease);
	CHECK_EQ(quorum_lease_deadline_ns(&lease), 101250 * MS);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_lease_ends_when_no_tick_comes),
		CHECK_TEST(test_lease_old_token_is_as_bad_as_no_tick),
		CHECK_TEST(test_lease_tick_from_elsewhere_does_not_count),
		CHECK_TEST(test_lease_who_was_stopped_wants_a_newer_tick),
		CHECK_TEST(test_lease_stop_within_it_is_no_pause),
		CHECK_TEST(test_lease_lost_connection_ends_it),
		CHECK_TEST(test_lease_deadline_is_never_missed),
	};
	return CHECK_MAIN(argc, argv, tests);
}
