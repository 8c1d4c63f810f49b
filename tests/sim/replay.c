/* SPDX-License-Identifier: BSD-3-Clause */
/* Random runs of a simulated cluster; one of them as a story.
 *
 *	replay --seed S [--trace | --packets] [--hash]
 *	replay --seeds N [--first S] [--nodes N] [--stack] [--store] [--hash]
 *	    [--stop]
 *
 * With --nodes, seeds of clusters of another size are passed over; with
 * --stack those without memberd and quorumd, with --store those without
 * cfgstored.  Ends with "N passed, N failed"; exits 1 when one failed, 64 when
 * called wrongly.  A failure names its seed and the command that tells its
 * story.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/parse.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_catch.h"
#include "tests/sim/sim_run.h"
#include "tests/sim/sim_store.h"

enum { REPLAY_USAGE = 64 };

struct replay {
	uint64_t first, count;
	uint64_t nodes; /* 0: any number */
	enum sim_story story;
	bool is_stacked, is_stored; /* only those */
	bool is_hashing;
	bool is_stopping; /* at the first failure */
	const char *program;
};

static uint64_t replay_seed;

static void
run_seed(struct sim *sim)
{
	(void)sim_run_seed(sim, replay_seed);
}

static bool
run_one(struct sim *sim, const struct replay *replay, uint64_t seed)
{
	sim->story = replay->story;
	sim->is_hashing = replay->is_hashing;
	replay_seed = seed;
	sim_catch_run(sim, run_seed);
	if (replay->is_hashing)
		printf("seed %llu hash %016llx\n", (unsigned long long)seed,
		    (unsigned long long)sim->hash);
	if (!sim_has_failed(sim))
		return true;
	printf("seed %llu failed: %s\n  %s --seed %llu --trace\n",
	    (unsigned long long)seed, sim->failure, replay->program,
	    (unsigned long long)seed);
	fflush(stdout);
	return false;
}

static int
usage(void)
{
	fputs(
	    "usage: replay --seed S [--trace | --packets] [--hash]\n"
	    "       replay --seeds N [--first S] [--nodes N] [--stack] [--store] "
	    "[--hash] [--stop]\n",
	    stderr);
	return REPLAY_USAGE;
}

static bool
take_number(char **argv, uint64_t *out)
{
	return argv[1] != NULL &&
	    parse_u64(argv[1], strlen(argv[1]), 0, UINT64_MAX, out) == 0;
}

static bool
take_options(char **argv, struct replay *replay)
{
	for (; *argv; argv++) {
		bool has_number = true;
		if (strcmp(*argv, "--trace") == 0) {
			replay->story = SIM_STORY_EVENTS;
			continue;
		}
		if (strcmp(*argv, "--packets") == 0) {
			replay->story = SIM_STORY_PACKETS;
			continue;
		}
		if (strcmp(*argv, "--hash") == 0) {
			replay->is_hashing = true;
			continue;
		}
		if (strcmp(*argv, "--stack") == 0) {
			replay->is_stacked = true;
			continue;
		}
		if (strcmp(*argv, "--store") == 0) {
			replay->is_stored = true;
			continue;
		}
		if (strcmp(*argv, "--stop") == 0) {
			replay->is_stopping = true;
			continue;
		}
		if (strcmp(*argv, "--seed") == 0 ||
		    strcmp(*argv, "--first") == 0)
			has_number = take_number(argv, &replay->first);
		else if (strcmp(*argv, "--nodes") == 0)
			has_number = take_number(argv, &replay->nodes);
		else if (strcmp(*argv, "--seeds") == 0)
			has_number = take_number(argv, &replay->count);
		else
			return false;
		if (!has_number)
			return false;
		argv++;
	}
	return true;
}

static bool
is_wanted(const struct replay *replay, uint64_t seed)
{
	struct sim_options opt;

	if (replay->nodes == 0 && !replay->is_stacked && !replay->is_stored)
		return true;
	sim_options_draw(&opt, seed);
	return (replay->nodes == 0 || opt.node_count == replay->nodes) &&
	    (!replay->is_stacked || opt.has_stack) &&
	    (!replay->is_stored || opt.has_store);
}

int
main(int argc, char **argv)
{
	struct replay replay = { .first = 1, .count = 1 };
	uint64_t ran = 0, passed = 0, events = 0, views = 0, delivered = 0;

	if (argc < 2 || !take_options(argv + 1, &replay))
		return usage();
	replay.program = argv[0];
	struct sim *sim = sim_create();
	for (uint64_t seed = replay.first; ran < replay.count; seed++) {
		if (ran > passed && replay.is_stopping)
			break;
		if (!is_wanted(&replay, seed))
			continue;
		ran++;
		passed += run_one(sim, &replay, seed);
		events += sim->events;
		views += sim->views;
		delivered += sim->delivered;
	}
	printf("%llu events, %llu views, %llu deliveries\n",
	    (unsigned long long)events, (unsigned long long)views,
	    (unsigned long long)delivered);
	if (replay.is_stored)
		sim_store_print();
	printf("%llu passed, %llu failed\n", (unsigned long long)passed,
	    (unsigned long long)(ran - passed));
	sim_destroy(sim);
	return passed == ran ? 0 : 1;
}
