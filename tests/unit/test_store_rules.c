/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's rules, played at random: as they are ruled no acknowledged write
 * may get lost, and without any one of them one must.
 */
#include <stdio.h>

#include "libcommon/base/num.h"

#include "tests/unit/check.h"
#include "tests/unit/storegame.h"

enum {
	RUNS_RULED = 40000,  /* of each shape */
	RUNS_LAXER = 400000, /* at most, until the first loss */
};

static const struct storegame shapes[] = {
	{ 2, STOREGAME_TIE_NODE, STOREGAME_LAX_NOT, 0x0101, NULL },
	{ 2, STOREGAME_TIE_FENCE, STOREGAME_LAX_NOT, 0x0101, NULL },
	{ 3, STOREGAME_TIE_NODE, STOREGAME_LAX_NOT, 0x010101, NULL },
	{ 3, STOREGAME_TIE_FENCE, STOREGAME_LAX_NOT, 0x010101, NULL },
	{ 3, STOREGAME_TIE_FENCE, STOREGAME_LAX_NOT, 0x010102, NULL },
	{ 4, STOREGAME_TIE_NODE, STOREGAME_LAX_NOT, 0x01010101, NULL },
	{ 4, STOREGAME_TIE_FENCE, STOREGAME_LAX_NOT, 0x01010101, NULL },
	{ 5, STOREGAME_TIE_NODE, STOREGAME_LAX_NOT, 0x0301020101, NULL },
	{ 5, STOREGAME_TIE_FENCE, STOREGAME_LAX_NOT, 0x0101010101, NULL },
	{ 6, STOREGAME_TIE_NODE, STOREGAME_LAX_NOT, 0x010101010101, NULL },
};

static void
test_store_rules_as_ruled(void)
{
	for (size_t i = 0; i < ARRAY_COUNT(shapes); i++) {
		struct storegame_tally tally = { 0 };
		char about[64];
		uint64_t seed;

		snprintf(about, sizeof about, "%u nodes, votes %llx, tie %u",
		    shapes[i].node_count, (unsigned long long)shapes[i].votes,
		    (unsigned)shapes[i].tie);
		check_case(about);
		for (seed = 1; seed <= RUNS_RULED; seed++)
			if (!CHECK(!storegame_play(&shapes[i], seed, &tally)))
				break;
		CHECK_EQ(seed, RUNS_RULED + 1);
		/* And that it was worth it. */
		CHECK(tally.opens > RUNS_RULED);
		CHECK(tally.acks > RUNS_RULED / 2);
		CHECK(tally.halves > RUNS_RULED / 20);
		CHECK(tally.elects > RUNS_RULED / 20);
		CHECK(tally.cuts > RUNS_RULED / 100);
	}
	check_case(NULL);
}

static const char *const laxity_names[STOREGAME_LAXITIES] = {
	[STOREGAME_LAX_NOT] = "as ruled",
	[STOREGAME_LAX_ANY_VIEW_OPENS] = "any view opens",
	[STOREGAME_LAX_HALF_OPENS] = "any half opens",
	[STOREGAME_LAX_HALF_OPENS_RESTARTED] =
	    "a half opens though all restarted",
	[STOREGAME_LAX_HALF_OPENS_UNFENCED] =
	    "a half opens though nobody is fenced",
	[STOREGAME_LAX_FENCED_FOR_GOOD] =
	    "fenced is not bound to an incarnation",
	[STOREGAME_LAX_FENCED_BY_LOG] = "fenced is judged by the log alone",
	[STOREGAME_LAX_BLANK_COUNTS] = "blank files count",
	[STOREGAME_LAX_SHORT_COUNTS] = "short files count",
	[STOREGAME_LAX_LONGEST_LOG] = "the longest log wins",
	[STOREGAME_LAX_NEWEST_EPOCH] = "any log of the newest epoch wins",
	[STOREGAME_LAX_COUNTED_EPOCHS] =
	    "epochs are counted, not named by views",
	[STOREGAME_LAX_OLD_BEFORE_OPEN] =
	    "old records are acknowledged before OPEN",
	[STOREGAME_LAX_ONE_FSYNC] = "one fsync is enough",
	[STOREGAME_LAX_MOST_OF_VIEW] = "most of the view is enough",
	[STOREGAME_LAX_NEW_ELECTORATE_ALONE] =
	    "a new electorate counts at once",
	[STOREGAME_LAX_OLD_ELECTORATE_ALONE] =
	    "the old electorate counts until CUT",
	[STOREGAME_LAX_CUT_UNACKNOWLEDGED] =
	    "CUT before the change is acknowledged",
	[STOREGAME_LAX_TRANSITIONAL_KEPT] =
	    "transitional messages enter the log",
};

/* The first seed that loses a write; 0: none does. */
static uint64_t
first_loss(enum storegame_laxity laxity)
{
	struct storegame_tally tally = { 0 };

	for (uint64_t seed = 1; seed <= RUNS_LAXER; seed++) {
		struct storegame game = shapes[seed % ARRAY_COUNT(shapes)];

		/* Needs the patience of two nodes only. */
		if (laxity == STOREGAME_LAX_FENCED_BY_LOG)
			game = shapes[1];
		game.laxity = laxity;
		if (storegame_play(&game, seed, &tally))
			return seed;
	}
	return 0;
}

static void
test_store_rules_laxer_lose(void)
{
	for (unsigned i = STOREGAME_LAX_NOT + 1; i < STOREGAME_LAXITIES; i++) {
		uint64_t seed = first_loss((enum storegame_laxity)i);

		check_case(laxity_names[i]);
		CHECK(seed != 0);
		printf("# %s: seed %llu\n", laxity_names[i],
		    (unsigned long long)seed);
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_store_rules_as_ruled),
		CHECK_TEST(test_store_rules_laxer_lose),
	};

	return CHECK_MAIN(argc, argv, tests);
}
