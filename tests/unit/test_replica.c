/* SPDX-License-Identifier: BSD-3-Clause */
/* Replicas in a world of faults; see replica_world.h for what must hold. */
#include <stdio.h>
#include <stdlib.h>

#include "libcommon/base/num.h"

#include "tests/unit/check.h"
#include "tests/unit/replica_world.h"

enum { SEEDS = 24, STEPS = 12000 };

#define WORLD .steps = STEPS, .ops = 50
enum {
	ONE,
	TWO,
	TWO_BY_NODE,
	TWO_FENCED,
	THREE,
	THREE_LOSING,
	THREE_ELECTING,
	FOUR_FENCED,
	FOUR_ELECTING,
	FIVE_LOSING,
	FIVE_FENCED,
	LARGE,
	LARGE_VOTELESS,
	IN_MEMORY,
	IN_MEMORY_LOSING,
	IN_MEMORY_FENCED,
};
static const struct replica_world worlds[] = {
	[ONE] = { WORLD, .node_count = 1 },
	[TWO] = { WORLD, .node_count = 2 },
	[TWO_BY_NODE] = { WORLD, .node_count = 2, .tie = KV_TIE_NODE },
	[TWO_FENCED] = { WORLD, .node_count = 2, .tie = KV_TIE_FENCE },
	[THREE] = { WORLD, .node_count = 3 },
	[THREE_LOSING] = { WORLD, .node_count = 3, .has_losses = true },
	[THREE_ELECTING] = { WORLD, .node_count = 3, .has_elections = true },
	[FOUR_FENCED] = { WORLD, .node_count = 4, .tie = KV_TIE_FENCE,
	    .has_losses = true },
	[FOUR_ELECTING] = { WORLD, .node_count = 4, .has_elections = true },
	[FIVE_LOSING] = { WORLD, .node_count = 5, .has_losses = true },
	[FIVE_FENCED] = { WORLD, .node_count = 5, .tie = KV_TIE_FENCE,
	    .has_elections = true },
	[LARGE] = { WORLD, .node_count = 3, .has_losses = true,
	    .has_large = true },
	[LARGE_VOTELESS] = { WORLD, .node_count = 3, .has_large = true,
	    .has_voteless = true },
	[IN_MEMORY] = { WORLD, .node_count = 3, .is_in_memory = true },
	[IN_MEMORY_LOSING] = { WORLD, .node_count = 3, .is_in_memory = true,
	    .may_lose = true },
	[IN_MEMORY_FENCED] = { WORLD, .node_count = 2, .tie = KV_TIE_FENCE,
	    .is_in_memory = true, .may_lose = true, .has_losses = true },
};

static void
print_tally(size_t world, const struct replica_world_tally *tally)
{
	printf("# %zu: opens %llu oks %llu reads %llu refused %llu "
	       "unknown %llu fills %llu lends %llu reloads %llu "
	       "expired %llu cuts %llu saves %llu gaps %llu lost %llu judged "
	       "%llu undecided %llu found %llu events %llu holds "
	       "%llu\n",
	    world, (unsigned long long)tally->opens,
	    (unsigned long long)tally->oks, (unsigned long long)tally->reads,
	    (unsigned long long)tally->refused,
	    (unsigned long long)tally->unknown,
	    (unsigned long long)tally->fills, (unsigned long long)tally->lends,
	    (unsigned long long)tally->reloads,
	    (unsigned long long)tally->expired, (unsigned long long)tally->cuts,
	    (unsigned long long)tally->saves, (unsigned long long)tally->gaps,
	    (unsigned long long)tally->lost, (unsigned long long)tally->judged,
	    (unsigned long long)tally->undecided,
	    (unsigned long long)tally->found, (unsigned long long)tally->events,
	    (unsigned long long)tally->holds);
}

static void
play(size_t world)
{
	struct replica_world_tally tally = { 0 };
	bool is_good = true;
	char about[64];

	for (uint64_t seed = 1; is_good && seed <= SEEDS; seed++) {
		const char *failure =
		    replica_world_play(&worlds[world], seed, &tally);

		snprintf(about, sizeof about, "world %zu, seed %llu", world,
		    (unsigned long long)seed);
		check_case(about);
		if (failure != NULL)
			printf("# %s: %s\n", about, failure);
		is_good = CHECK(failure == NULL);
	}
	print_tally(world, &tally);
	check_case(NULL);
}

static void
test_replica_of_one(void)
{
	play(ONE);
}

static void
test_replica_of_two(void)
{
	play(TWO);
}

static void
test_replica_of_two_by_node(void)
{
	play(TWO_BY_NODE);
}

static void
test_replica_of_two_fenced(void)
{
	play(TWO_FENCED);
}

static void
test_replica_of_three(void)
{
	play(THREE);
}

static void
test_replica_of_three_losing(void)
{
	play(THREE_LOSING);
}

static void
test_replica_of_three_electing(void)
{
	play(THREE_ELECTING);
}

static void
test_replica_of_four_fenced(void)
{
	play(FOUR_FENCED);
}

static void
test_replica_of_four_electing(void)
{
	play(FOUR_ELECTING);
}

static void
test_replica_of_five_losing(void)
{
	play(FIVE_LOSING);
}

static void
test_replica_of_five_fenced(void)
{
	play(FIVE_FENCED);
}

static void
test_replica_large(void)
{
	play(LARGE);
}

static void
test_replica_large_of_who_has_no_vote(void)
{
	play(LARGE_VOTELESS);
}

static void
test_replica_in_memory(void)
{
	play(IN_MEMORY);
}

static void
test_replica_in_memory_that_is_lost(void)
{
	play(IN_MEMORY_LOSING);
	play(IN_MEMORY_FENCED);
}

static int
search(uint64_t first, uint64_t last)
{
	int failures = 0;

	for (uint64_t seed = first; seed <= last; seed++) {
		for (size_t i = 0; i < ARRAY_COUNT(worlds); i++) {
			struct replica_world_tally tally = { 0 };
			const char *failure =
			    replica_world_play(&worlds[i], seed, &tally);

			if (failure == NULL)
				continue;
			failures++;
			printf("world %zu, seed %llu: %s\n", i,
			    (unsigned long long)seed, failure);
			fflush(stdout);
		}
	}
	return failures != 0;
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_replica_of_one),
		CHECK_TEST(test_replica_of_two),
		CHECK_TEST(test_replica_of_two_by_node),
		CHECK_TEST(test_replica_of_two_fenced),
		CHECK_TEST(test_replica_of_three),
		CHECK_TEST(test_replica_of_three_losing),
		CHECK_TEST(test_replica_of_three_electing),
		CHECK_TEST(test_replica_of_four_fenced),
		CHECK_TEST(test_replica_of_four_electing),
		CHECK_TEST(test_replica_of_five_losing),
		CHECK_TEST(test_replica_of_five_fenced),
		CHECK_TEST(test_replica_large),
		CHECK_TEST(test_replica_large_of_who_has_no_vote),
		CHECK_TEST(test_replica_in_memory),
		CHECK_TEST(test_replica_in_memory_that_is_lost),
	};

	/* For search by hand: FIRST LAST of seeds, in all worlds. */
	if (argc == 4 && argv[1][0] == '-')
		return search(
		    strtoull(argv[2], NULL, 10), strtoull(argv[3], NULL, 10));
	if (argc == 4 && argv[1][0] == '+') {
		struct replica_world world = worlds[strtoul(argv[2], NULL, 10)];
		struct replica_world_tally tally = { 0 };
		const char *failure;

		world.is_telling = true;
		failure = replica_world_play(
		    &world, strtoull(argv[3], NULL, 10), &tally);
		printf("%s\n", failure == NULL ? "ok" : failure);
		return failure != NULL;
	}
	return CHECK_MAIN(argc, argv, tests);
}
