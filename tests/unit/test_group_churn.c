/* SPDX-License-Identifier: BSD-3-Clause */
/* Random histories: the promises of the world hold all the way (P20, P21,
 * P22), and in the end everybody sees exactly who wants to be where. */
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"
#include "tests/unit/group_churn.h"

enum { STEPS = 2000 };

static void
count_failures(void *arg, uint32_t node, const struct group_effect *effect)
{
	struct group_churn *churn = arg;

	(void)node; /* whose it is does not matter */
	churn->failures += effect->kind == GROUP_OUT_FAILED;
}

static void
begin(struct group_churn *churn, uint64_t seed, uint32_t groups_max,
    uint32_t members_max)
{
	static char about[64];

	snprintf(about, sizeof(about), "seed %llu", (unsigned long long)seed);
	check_case(about);
	group_churn_begin(churn, seed, groups_max, members_max);
	group_world_watch(churn->world, count_failures, churn);
}

static void
check_wanted(struct group_churn *churn)
{
	char bytes[4096];
	struct text wanted;

	text_init(&wanted, bytes, sizeof(bytes));
	group_churn_wanted(churn, &wanted);
	for (uint32_t node = 1; node <= GROUP_CHURN_NODES; node++) {
		if (group_world_is_live(churn->world, node))
			GROUPS(churn->world, node, bytes);
	}
}

static void
check_at_rest(struct group_churn *churn)
{
	for (uint32_t node = 1; node <= GROUP_CHURN_NODES; node++) {
		struct group_status status;
		if (!group_world_is_live(churn->world, node))
			continue;
		const struct group_layer *g =
		    group_world_layer(churn->world, node);
		group_status(g, &status);
		CHECK(status.is_synced);
		CHECK_EQ(status.ops, 0);
		CHECK_EQ(group_count(g, GROUP_COUNT_MALFORMED), 0);
		CHECK_EQ(group_count(g, GROUP_COUNT_EARLY), 0);
		CHECK_EQ(group_count(g, GROUP_COUNT_SYNCS_STALE), 0);
	}
}

static void
test_group_churn_ends_with_what_everybody_wants(void)
{
	for (uint64_t seed = 1; seed <= 60; seed++) {
		struct group_churn churn;
		begin(&churn, seed, 0, 0);
		churn.has_scarce_room = seed % 2 == 0;
		for (int i = 0; i < STEPS; i++)
			group_churn_step(&churn);
		group_churn_heal(&churn);
		check_at_rest(&churn);
		check_wanted(&churn);
		group_world_destroy(churn.world);
	}
}

/* What is refused then depends on the order, so only the world's promises
 * are checked, and that all see the same. */
static void
test_group_churn_over_the_limits_keeps_all_alike(void)
{
	uint64_t refused = 0;

	for (uint64_t seed = 1001; seed <= 1040; seed++) {
		struct group_churn churn;
		begin(&churn, seed, (uint32_t)(2 + seed % 3),
		    (uint32_t)(3 + seed % 5));
		for (int i = 0; i < STEPS; i++)
			group_churn_step(&churn);
		group_churn_heal(&churn);
		check_at_rest(&churn);
		for (uint32_t node = 1; node <= GROUP_CHURN_NODES; node++) {
			if (group_world_is_live(churn.world, node))
				refused += group_count(
				    group_world_layer(churn.world, node),
				    GROUP_COUNT_REFUSED);
		}
		group_world_destroy(churn.world);
	}
	CHECK(refused > 500);
}

static void
remember(void *arg, uint32_t node, const struct group_effect *effect)
{
	uint64_t *hash = arg;
	const struct group_view *view = &effect->view;

	*hash = (*hash ^ (node * 16 + effect->kind)) * 0x100000001B3;
	if (effect->kind != GROUP_OUT_VIEW)
		return;
	for (size_t i = 0; i < view->member_count; i++)
		*hash = (*hash ^ view->members[i]->conn) * 0x100000001B3;
	for (size_t i = 0; i < view->left_count; i++)
		*hash = (*hash ^ view->left[i].reason) * 0x100000001B3;
}

static uint64_t
hash_of(uint64_t seed)
{
	struct group_churn churn;
	uint64_t hash = 1;

	group_churn_begin(&churn, seed, 0, 0);
	group_world_watch(churn.world, remember, &hash);
	for (int i = 0; i < STEPS; i++)
		group_churn_step(&churn);
	group_world_destroy(churn.world);
	return hash;
}

static void
test_group_churn_is_a_function_of_its_seed(void)
{
	for (uint64_t seed = 1; seed <= 3; seed++) {
		CHECK_EQ(hash_of(seed), hash_of(seed));
		CHECK(hash_of(seed) != hash_of(seed + 1));
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_group_churn_ends_with_what_everybody_wants),
		CHECK_TEST(test_group_churn_over_the_limits_keeps_all_alike),
		CHECK_TEST(test_group_churn_is_a_function_of_its_seed),
	};
	return CHECK_MAIN(argc, argv, tests);
}
