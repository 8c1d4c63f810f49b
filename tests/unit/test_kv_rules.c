/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The store's rules as it applies them, beside the same rules in the games
 * that show what they are worth: each verdict has to be the same.
 */
#include "libcommon/base/num.h"

#include "bin/cfgstored/kv_rules.h"
#include "tests/unit/check.h"
#include "tests/unit/storegame.h"

enum { RUNS = 3000, ID_FIRST = 7, ID_STEP = 10 };

static uint64_t asked[STOREGAME_DURABLE + 1][2];

static void
nodes_of(struct kv_nodes *out, uint32_t set)
{
	out->count = 0;
	for (uint32_t i = 0; set >> i != 0; i++)
		if (set >> i & 1)
			out->id[out->count++] = ID_FIRST + ID_STEP * i;
}

static void
electorate_of(struct kv_electorate *out, uint64_t votes)
{
	out->count = 0;
	for (uint32_t i = 0; i < 8; i++)
		if (votes >> 8 * i & 0xff)
			out->voter[out->count++] =
			    (struct kv_voter){ ID_FIRST + ID_STEP * i,
				    (uint32_t)(votes >> 8 * i & 0xff) };
}

static bool
judge(const struct storegame_verdict *v)
{
	static struct kv_standing standing;
	static struct kv_electorates e;
	static struct kv_electorate next;
	static struct kv_nodes members, synced;

	standing.tie =
	    v->tie == STOREGAME_TIE_NODE ? KV_TIE_NODE : KV_TIE_FENCE;
	nodes_of(&standing.verified, v->verified);
	nodes_of(&standing.lasting, v->lasting);
	nodes_of(&standing.fenced, v->fenced);
	nodes_of(&members, v->members);
	nodes_of(&synced, v->synced);
	electorate_of(&e.now, v->now);
	electorate_of(&e.next, v->kind == STOREGAME_ELECT ? 0 : v->next);
	electorate_of(&next, v->next);
	switch (v->kind) {
	case STOREGAME_OPEN:
		return kv_rules_may_open(&standing, &e);
	case STOREGAME_ELECT:
		return kv_rules_may_elect(&standing, &members, &e, &next);
	case STOREGAME_DURABLE:
		break;
	}
	return kv_rules_is_durable(&e, &members, &synced);
}

static void
on_verdict(const struct storegame_verdict *verdict)
{
	CHECK_EQ(judge(verdict), verdict->is_yes);
	asked[verdict->kind][verdict->is_yes]++;
}

static void
test_kv_rules_games(void)
{
	static const struct storegame games[] = {
		{ 2, STOREGAME_TIE_NODE, STOREGAME_LAX_NOT, 0x0101,
		    on_verdict },
		{ 2, STOREGAME_TIE_FENCE, STOREGAME_LAX_NOT, 0x0101,
		    on_verdict },
		{ 4, STOREGAME_TIE_FENCE, STOREGAME_LAX_NOT, 0x02010101,
		    on_verdict },
		{ 5, STOREGAME_TIE_NODE, STOREGAME_LAX_NOT, 0x0101010101,
		    on_verdict },
	};
	struct storegame_tally tally = { 0 };

	for (size_t i = 0; i < ARRAY_COUNT(games); i++)
		for (uint64_t seed = 1; seed <= RUNS; seed++)
			CHECK(!storegame_play(&games[i], seed, &tally));
	for (size_t i = 0; i < ARRAY_COUNT(asked); i++) {
		CHECK(asked[i][false] > RUNS / 10);
		CHECK(asked[i][true] > RUNS / 10);
	}
}

/* One change at a time; and of nobody no electorate is made. */
static void
test_kv_rules_elect(void)
{
	static struct kv_standing standing;
	static struct kv_electorates e;
	static struct kv_electorate next;
	static struct kv_nodes members;

	nodes_of(&members, 7);
	electorate_of(&e.now, 0x010101);
	electorate_of(&next, 0x0101);
	CHECK(kv_rules_may_elect(&standing, &members, &e, &next));
	electorate_of(&e.next, 0x01);
	CHECK(!kv_rules_may_elect(&standing, &members, &e, &next));
	electorate_of(&e.next, 0);
	electorate_of(&next, 0);
	CHECK(!kv_rules_may_elect(&standing, &members, &e, &next));
	CHECK(!kv_rules_may_open(&standing, &e));
}

static void
test_kv_rules_tips(void)
{
	/* Each is higher than the one before. */
	static const struct kv_tip tips[] = {
		{ { 0, 0, 0, 0 }, 0 },
		{ { 4, 1, 9, 9 }, 100 },
		{ { 4, 2, 0, 0 }, 1 },
		{ { 4, 2, 0, 1 }, 1 },
		{ { 4, 2, 1, 0 }, 1 },
		{ { 5, 1, 0, 0 }, 3 },
		{ { 5, 1, 0, 0 }, 4 },
		{ { (uint64_t)1 << 40, 1, 0, 0 }, 0 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(tips); i++)
		for (size_t j = 0; j < ARRAY_COUNT(tips); j++) {
			int order = kv_tip_compare(&tips[i], &tips[j]);

			CHECK_EQ(order < 0, i < j);
			CHECK_EQ(order > 0, i > j);
		}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_kv_rules_games),
		CHECK_TEST(test_kv_rules_elect),
		CHECK_TEST(test_kv_rules_tips),
	};

	return CHECK_MAIN(argc, argv, tests);
}
