/* SPDX-License-Identifier: BSD-3-Clause */
/* Two nodes of which one may go on when the other is off for certain. */
#include "tests/unit/check.h"
#include "tests/unit/storestep.h"

enum { BOTH = 3, NODE_1 = 1, NODE_2 = 2 };

static enum replica_state
state_of(uint32_t node)
{
	struct replica_status status;

	replica_status(storestep_replica(node), &status);
	return status.state;
}

static void
begin_and_lose_node_2(void)
{
	storestep_begin_with_tie(2, KV_TIE_FENCE);
	CHECK_EQ(state_of(1), REPLICA_OPEN);
	storestep_view(NODE_1);
	CHECK_EQ(state_of(1), REPLICA_CLOSED_VIEW);
}

static void
test_fence_opens_for_who_is_left(void)
{
	begin_and_lose_node_2();
	storestep_fence(1, 2, 1);
	CHECK_EQ(state_of(1), REPLICA_OPEN);
	CHECK_EQ(storestep_put(1, "x", "v", REPLICA_ON_DISK).code, REPLICA_OK);
	storestep_end();
}

/* It may well be running: what was off is its earlier life. */
static void
test_fence_of_an_earlier_life(void)
{
	begin_and_lose_node_2();
	storestep_fence(1, 2, 1);
	storestep_crash(2);
	storestep_view(BOTH);
	CHECK_EQ(state_of(2), REPLICA_OPEN);
	storestep_view(NODE_1);
	CHECK_EQ(state_of(1), REPLICA_CLOSED_VIEW);
	storestep_fence(1, 2, 1);
	CHECK_EQ(state_of(1), REPLICA_CLOSED_VIEW);
	storestep_fence(1, 2, 2);
	CHECK_EQ(state_of(1), REPLICA_OPEN);
	storestep_end();
}

/* Who was not in the last epoch does not know what was done in it. */
static void
test_fence_by_who_restarted(void)
{
	begin_and_lose_node_2();
	storestep_restart(1);
	storestep_view(NODE_1);
	storestep_fence(1, 2, 1);
	CHECK_EQ(state_of(1), REPLICA_CLOSED_VIEW);
	storestep_end();
}

/* What one was told is nothing to who was not told. */
static void
test_fence_of_who_is_here(void)
{
	storestep_begin_with_tie(2, KV_TIE_FENCE);
	storestep_fence(1, 2, 1);
	CHECK_EQ(state_of(1), REPLICA_OPEN);
	CHECK_EQ(storestep_put(2, "x", "v", REPLICA_ON_DISK).code, REPLICA_OK);
	storestep_view(NODE_2);
	CHECK_EQ(state_of(2), REPLICA_CLOSED_VIEW);
	storestep_end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_fence_opens_for_who_is_left),
		CHECK_TEST(test_fence_of_an_earlier_life),
		CHECK_TEST(test_fence_by_who_restarted),
		CHECK_TEST(test_fence_of_who_is_here),
	};

	return CHECK_MAIN(argc, argv, tests);
}
