/* SPDX-License-Identifier: BSD-3-Clause */
/* Long runs of worlds that make check only samples.
 *
 *	worlds graphs [--first N] [--count N] [--apart] [--stop] [--trace]
 *	worlds ways   [--first N] [--count N] [--stop] [--trace]
 *	worlds calm   [--first S] [--count N] [--minutes M] [--stop] [--trace]
 *	worlds flaps  [--first S] [--count N] [--minutes M] [--stop] [--trace]
 *
 * graphs: all symmetric connectivity graphs on 3 to 6 nodes, in order; with
 * --apart one of those that differ by the names of their nodes.
 * ways: random asymmetric ones, by seed, that change.  calm: seeds of worlds
 * in which nothing happens that may cost a view, M virtual minutes each.
 * flaps: seeds of worlds in which something flaps, even: the way between two
 * nodes, odd: a node; M virtual minutes each.
 * Ends with "N passed, N failed"; exits 1 when one failed, 64 when called
 * wrongly.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_calm.h"
#include "tests/sim/sim_catch.h"
#include "tests/sim/sim_flap.h"
#include "tests/sim/sim_graph.h"

enum { WORLDS_USAGE = 64 };

struct worlds {
	const char *kind;
	uint64_t first, count, minutes;
	enum sim_story story;
	bool is_stopping, is_apart;
};

static struct worlds worlds = { .count = UINT64_MAX, .minutes = 60 };
static uint64_t worlds_number;

static void
live_graph(struct sim *sim)
{
	struct sim_graph graph = sim_graph_numbered(worlds_number / 2);
	struct sim_graph_life life = { .seed = worlds_number,
		.is_cut = worlds_number % 2 };

	(void)sim_graph_run(sim, &graph, &life);
}

static void
live_ways(struct sim *sim)
{
	struct sim_graph_life life;
	struct sim_graph graph = sim_graph_draw(worlds_number, &life);

	(void)sim_graph_run(sim, &graph, &life);
}

static void
live_calm(struct sim *sim)
{
	(void)sim_calm_run(sim, worlds_number, worlds.minutes);
}

static void
live_flaps(struct sim *sim)
{
	(void)sim_flap_run(sim,
	    &(struct sim_flap_life){
		.kind = worlds_number % 2 ? SIM_FLAP_NODE : SIM_FLAP_WAY,
		.seed = worlds_number,
		.hours = worlds.minutes / 60 });
}

static int
usage(void)
{
	fputs("usage: worlds graphs|ways|calm|flaps [--first N] [--count N] "
	      "[--minutes M] [--stop] [--trace | --packets]\n",
	    stderr);
	return WORLDS_USAGE;
}

static bool
take_number(char **argv, uint64_t *out)
{
	return argv[1] != NULL &&
	    parse_u64(argv[1], strlen(argv[1]), 0, UINT64_MAX, out) == 0;
}

static bool
take_options(char **argv)
{
	for (; *argv; argv++) {
		uint64_t *number = NULL;
		if (strcmp(*argv, "--trace") == 0)
			worlds.story = SIM_STORY_EVENTS;
		else if (strcmp(*argv, "--packets") == 0)
			worlds.story = SIM_STORY_PACKETS;
		else if (strcmp(*argv, "--stop") == 0)
			worlds.is_stopping = true;
		else if (strcmp(*argv, "--apart") == 0)
			worlds.is_apart = true;
		else if (strcmp(*argv, "--first") == 0)
			number = &worlds.first;
		else if (strcmp(*argv, "--count") == 0)
			number = &worlds.count;
		else if (strcmp(*argv, "--minutes") == 0)
			number = &worlds.minutes;
		else
			return false;
		if (number == NULL)
			continue;
		if (!take_number(argv, number))
			return false;
		argv++;
	}
	return true;
}

static bool
run_one(struct sim *sim, void (*live)(struct sim *))
{
	sim->story = worlds.story;
	sim_catch_run(sim, live);
	if (!sim_has_failed(sim))
		return true;
	printf("%s %llu failed at %llu ms: %s\n", worlds.kind,
	    (unsigned long long)worlds_number,
	    (unsigned long long)(sim->now_ns / 1000000), sim->failure);
	fflush(stdout);
	return false;
}

static void
print_rests(void)
{
	printf("to rest within");
	for (uint32_t i = 0; i < SIM_GRAPH_SECONDS; i++)
		if (sim_graph_rests(i) > 0)
			printf(" %u s: %llu;", (unsigned)i + 1,
			    (unsigned long long)sim_graph_rests(i));
	putchar('\n');
}

static int
run_all(void (*live)(struct sim *))
{
	uint64_t ran = 0, passed = 0, events = 0;
	struct sim *sim = sim_create();

	for (worlds_number = worlds.first; ran < worlds.count;
	     worlds_number++) {
		if (ran > passed && worlds.is_stopping)
			break;
		if (live == live_graph &&
		    worlds_number >= 2 * (uint64_t)SIM_GRAPHS)
			break;
		if (worlds.is_apart && !sim_graph_is_first(worlds_number / 2))
			continue;
		ran++;
		passed += run_one(sim, live);
		events += sim->events;
	}
	printf("%llu events; %llu flaps; slowest to rest %llu ms\n",
	    (unsigned long long)events, (unsigned long long)sim_flap_count(),
	    (unsigned long long)(sim_graph_slowest_ns() / 1000000));
	print_rests();
	printf("%llu passed, %llu failed\n", (unsigned long long)passed,
	    (unsigned long long)(ran - passed));
	sim_destroy(sim);
	return passed == ran ? 0 : 1;
}

int
main(int argc, char **argv)
{
	static const struct {
		const char *kind;
		void (*live)(struct sim *);
	} kinds[] = { { "graphs", live_graph }, { "ways", live_ways },
		{ "calm", live_calm }, { "flaps", live_flaps } };

	if (argc < 2 || !take_options(argv + 2))
		return usage();
	worlds.kind = argv[1];
	for (size_t i = 0; i < ARRAY_COUNT(kinds); i++)
		if (strcmp(kinds[i].kind, argv[1]) == 0)
			return run_all(kinds[i].live);
	return usage();
}
