/* SPDX-License-Identifier: BSD-3-Clause */
/* Leases over epochs: only the time counts in which the store was open. */
#include "libcommon/base/num.h"

#include "tests/unit/check.h"
#include "tests/unit/storestep.h"

enum {
	ALL = 7,
	TTL_MS = 3000,
	DUE_MS = TTL_MS + TTL_MS / 16, /* of open time */
	/* New ones, and those that are over, are looked for so often. */
	SWEEP_MS = 100,
	/* A step of the test's clock, for each of two. */
	TICKS_MS = 20,
};

static enum replica_state
state_of(uint32_t node)
{
	struct replica_status status;

	replica_status(storestep_replica(node), &status);
	return status.state;
}

/* Open for so long, then closed, from one view to the next. */
struct beat {
	unsigned open_ms, closed_ms;
};

static void
close_all(unsigned ms)
{
	/* Each of them for itself has no majority. */
	storestep_view(1);
	CHECK_EQ(state_of(1), REPLICA_CLOSED_VIEW);
	storestep_pass_ms(ms);
	storestep_view(ALL);
	CHECK_EQ(state_of(1), REPLICA_OPEN);
}

/* How much open time a lease that nobody renews has, after its grant. */
static unsigned
live_out(uint64_t lease, const struct beat *beat)
{
	unsigned open_ms = 0;

	while (storestep_has_lease(1, lease) && open_ms < 100 * TTL_MS) {
		for (unsigned ms = 0; ms < beat->open_ms; ms += 10) {
			if (!storestep_has_lease(1, lease))
				return open_ms;
			storestep_pass_ms(10);
			open_ms += 10;
		}
		if (beat->closed_ms > 0)
			close_all(beat->closed_ms);
		else
			storestep_view(ALL);
	}
	return open_ms;
}

static void
test_lease_of_the_dead_ends_in_open_time(void)
{
	static const struct beat beats[] = {
		{ 100000, 0 }, /* one view */
		{ 1000, 0 },   /* another one every second */
		{ 800, 200 },  /* closed in between */
		{ 1000, 60000 } /* and for long */, { 200, 50 },
		{ 50, 0 }, /* shorter than what it is looked for */
	};

	for (size_t i = 0; i < ARRAY_COUNT(beats); i++) {
		struct storestep_answer grant;
		unsigned open_ms;

		storestep_begin(3);
		grant = storestep_grant(2, TTL_MS);
		CHECK_EQ(grant.code, REPLICA_OK);
		open_ms = live_out(grant.rev, &beats[i]);
		CHECK(open_ms >= DUE_MS);
		CHECK(open_ms <= DUE_MS + 2 * SWEEP_MS + TICKS_MS);
		storestep_end();
	}
}

/* Its holder renews it just in time, by open time. */
static void
live_on(uint64_t lease, const struct beat *beat)
{
	unsigned renewed_ms = 0, open_ms = 0, next_ms = beat->open_ms;

	while (open_ms < 10 * TTL_MS) {
		storestep_pass_ms(10);
		open_ms += 10;
		if (open_ms >= renewed_ms + TTL_MS - 100) {
			CHECK_EQ(storestep_renew(2, lease).code, REPLICA_OK);
			renewed_ms = open_ms;
		}
		if (open_ms >= next_ms) {
			close_all(beat->closed_ms);
			next_ms += beat->open_ms;
		}
	}
}

static void
test_lease_that_is_renewed_lives(void)
{
	static const struct beat beats[] = { { 1000, 0 }, { 800, 200 },
		{ 1000, 60000 }, { 100, 1000 } };

	for (size_t i = 0; i < ARRAY_COUNT(beats); i++) {
		uint64_t lease;

		storestep_begin(3);
		lease = storestep_grant(2, TTL_MS).rev;
		live_on(lease, &beats[i]);
		CHECK(storestep_has_lease(1, lease));
		storestep_end();
	}
}

/* What a process counted ends with it, and another one counts on. */
static void
test_lease_begins_anew_where_a_replica_does(void)
{
	uint64_t lease;

	storestep_begin(1);
	lease = storestep_grant(1, TTL_MS).rev;
	storestep_pass_ms(TTL_MS);
	storestep_restart(1);
	storestep_view(1);
	storestep_pass_ms(TTL_MS);
	CHECK(storestep_has_lease(1, lease));
	storestep_pass_ms(DUE_MS - TTL_MS + 2 * SWEEP_MS);
	CHECK(!storestep_has_lease(1, lease));
	storestep_end();

	storestep_begin(3);
	lease = storestep_grant(1, TTL_MS).rev;
	storestep_pass_ms(TTL_MS);
	storestep_restart(1);
	storestep_view(ALL);
	/* The second one waits a second for the first to say it. */
	storestep_pass_ms(DUE_MS - TTL_MS + 2 * SWEEP_MS);
	CHECK(storestep_has_lease(1, lease));
	storestep_pass_ms(1000);
	CHECK(!storestep_has_lease(1, lease));
	storestep_end();
}

/* What it says is left goes on while it is open only. */
static void
test_lease_left_stands_still_while_closed(void)
{
	const struct replica *r;
	uint64_t lease, before_ns, after_ns, now_ns;

	storestep_begin(3);
	lease = storestep_grant(1, TTL_MS).rev;
	storestep_pass_ms(1000);
	r = storestep_replica(1);
	now_ns = storestep_now_ms() * 1000000;
	before_ns = replica_lease_left_ns(r, lease, now_ns);
	CHECK(before_ns <= (uint64_t)(DUE_MS - 1000 + 2 * SWEEP_MS) * 1000000);
	storestep_view(1);
	storestep_pass_ms(60000);
	now_ns = storestep_now_ms() * 1000000;
	after_ns = replica_lease_left_ns(r, lease, now_ns);
	CHECK_EQ(after_ns, before_ns);
	storestep_view(ALL);
	after_ns = replica_lease_left_ns(r, lease, now_ns + 500000000);
	CHECK_EQ(after_ns, before_ns - 500000000);
	storestep_end();
}

/* One that got lost with its view is proposed again, and once. */
static void
test_lease_end_is_proposed_until_it_is_there(void)
{
	uint64_t lease;

	storestep_begin(3);
	lease = storestep_grant(1, TTL_MS).rev;
	storestep_pass_ms(TTL_MS);
	storestep_hold_disks(true);
	storestep_pass_ms(1000);
	CHECK(storestep_has_lease(1, lease));
	for (int i = 0; i < 5; i++) {
		storestep_view(1);
		storestep_pass_ms(2000);
		storestep_view(ALL);
		storestep_pass_ms(2000);
	}
	CHECK(storestep_has_lease(1, lease));
	storestep_hold_disks(false);
	storestep_pass_ms(2 * SWEEP_MS + TICKS_MS);
	CHECK(!storestep_has_lease(1, lease));
	CHECK(!storestep_has_lease(3, lease));
	storestep_end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_lease_of_the_dead_ends_in_open_time),
		CHECK_TEST(test_lease_that_is_renewed_lives),
		CHECK_TEST(test_lease_begins_anew_where_a_replica_does),
		CHECK_TEST(test_lease_left_stands_still_while_closed),
		CHECK_TEST(test_lease_end_is_proposed_until_it_is_there),
	};

	return CHECK_MAIN(argc, argv, tests);
}
