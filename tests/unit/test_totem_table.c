/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of nodes and the spans change while the ring turns. */
#include <string.h>

#include "libcommon/base/rng.h"

#include "bin/ringd/totem_internal.h"
#include "tests/unit/check.h"
#include "tests/unit/ringlet.h"

static struct ringlet r;

static struct totem *
core(uint32_t idx)
{
	return r.node[idx].core;
}

/* The nodes of these bits; the id of bit i is i + 1. */
static struct totem_nodes
nodes_of(uint64_t set)
{
	struct totem_nodes nodes = { 0 };

	for (uint32_t i = 0; i < LIMIT_NODES; i++)
		if (set >> i & 1)
			nodes.id[nodes.count++] = i + 1;
	return nodes;
}

static bool
set_nodes(uint32_t idx, uint64_t set)
{
	struct totem_nodes nodes = nodes_of(set);
	bool is_done = totem_set_nodes(core(idx), &nodes);

	totem_check(core(idx));
	return is_done;
}

static void
say(uint32_t idx, enum totem_service service)
{
	char bytes[3000];

	memset(bytes, 'a' + (int)idx, sizeof bytes);
	ringlet_submit(&r, idx, service, bytes, sizeof bytes);
	ringlet_submit(&r, idx, service, "short", 5);
}

static uint64_t
gathers(uint32_t idx)
{
	return totem_count(core(idx), TOTEM_COUNT_GATHERS);
}

/* ---- nodes that come and go --------------------------------------------- */

/* 1, 2, 4 and 5 run, 3 does not: it stands between the others. */
static void
begin_without_third(void)
{
	ringlet_open(&r, 5, NULL);
	for (uint32_t i = 0; i < 5; i++)
		if (i != 2)
			ringlet_start(&r, i);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 2000 * RINGLET_MS));
	ringlet_run(&r, 300 * RINGLET_MS);
	ringlet_forget(&r);
}

static void
test_totem_table_loses_and_gains_a_node(void)
{
	static const uint32_t running[] = { 0, 1, 3, 4 };
	uint64_t before[5];

	begin_without_third();
	for (uint32_t k = 0; k < 4; k++)
		before[running[k]] = gathers(running[k]);
	for (uint32_t k = 0; k < 4; k++) {
		say(running[k], TOTEM_SAFE);
		ringlet_run(&r, RINGLET_MS);
		CHECK(set_nodes(running[k], 0x1B));
		say(running[3 - k], TOTEM_AGREED);
	}
	ringlet_run(&r, 300 * RINGLET_MS);
	for (uint32_t k = 0; k < 4; k++) {
		uint32_t i = running[k];

		CHECK_EQ(core(i)->table.count, 4);
		CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_DELIVER), 16);
		CHECK_EQ(ringlet_tally(&r, i, TOTEM_OUT_VIEW), 0);
		CHECK(ringlet_agree(&r, 0, i));
		CHECK_EQ(gathers(i), before[i]);
	}
	/* Who is not in the table is not heard, and does not disturb. */
	ringlet_start(&r, 2);
	ringlet_run(&r, 2000 * RINGLET_MS);
	for (uint32_t k = 0; k < 4; k++)
		CHECK_EQ(gathers(running[k]), before[running[k]]);
	/* It is added, at one after the other, and comes. */
	for (uint32_t k = 0; k < 4; k++) {
		CHECK(set_nodes(running[3 - k], 0x1F));
		ringlet_run(&r, 5 * RINGLET_MS);
	}
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 20000 * RINGLET_MS));
	say(2, TOTEM_SAFE);
	say(4, TOTEM_SAFE);
	ringlet_run(&r, 300 * RINGLET_MS);
	CHECK_EQ(ringlet_tally(&r, 0, TOTEM_OUT_DELIVER), 20);
	CHECK(ringlet_agree(&r, 0, 4));
	ringlet_close(&r);
}

static void
test_totem_table_keeps_members(void)
{
	begin_without_third();
	CHECK(!set_nodes(0, 0x17)); /* without the fourth */
	CHECK_EQ(core(0)->table.count, 5);
	/* Once it is gone, it may. */
	ringlet_kill(&r, 3);
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 5000 * RINGLET_MS));
	CHECK(set_nodes(0, 0x17));
	CHECK(set_nodes(1, 0x17));
	CHECK(set_nodes(4, 0x17));
	ringlet_run(&r, 300 * RINGLET_MS);
	CHECK(ringlet_is_whole(&r));
	ringlet_close(&r);
}

static void
test_totem_table_waits_for_the_ring(void)
{
	begin_without_third();
	ringlet_kill(&r, 4);
	while (core(0)->state == TOTEM_STATE_OPERATIONAL)
		CHECK(ringlet_turn(&r));
	CHECK(!set_nodes(0, 0xB));
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 5000 * RINGLET_MS));
	CHECK(set_nodes(0, 0xB));
	ringlet_close(&r);
}

/*
 * Any table at any moment, but for the members; now and then a node dies in the
 * middle of it, and nodes that do not know each other form rings.
 */
static void
play(uint64_t seed)
{
	struct rng rng;
	uint64_t all = 0xFF;

	rng_init(&rng, seed);
	ringlet_open(&r, 8, NULL);
	for (uint32_t i = 0; i < 8; i++)
		if (i % 3 != 2)
			ringlet_start(&r, i);
	for (int step = 0; step < 300; step++) {
		uint32_t i = (uint32_t)rng_below(&rng, 8);

		ringlet_run(&r, rng_below(&rng, 20) * RINGLET_MS);
		if (core(i) == NULL) {
			if (rng_below(&rng, 8) == 0)
				ringlet_start(&r, i);
			continue;
		}
		if (rng_below(&rng, 40) == 0) {
			ringlet_kill(&r, i);
			continue;
		}
		say(i, rng_below(&rng, 2) ? TOTEM_SAFE : TOTEM_AGREED);
		(void)set_nodes(i, (rng_below(&rng, 256) & all) | TOTEM_BIT(i));
	}
	for (uint32_t i = 0; i < 8; i++) {
		if (core(i) == NULL)
			ringlet_start(&r, i);
		while (!set_nodes(i, all))
			CHECK(ringlet_turn(&r));
	}
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 120000 * RINGLET_MS));
	ringlet_close(&r);
}

static void
test_totem_table_changes_at_random(void)
{
	for (uint64_t seed = 1; seed <= 25; seed++)
		play(seed);
}

/* ---- spans -------------------------------------------------------------- */

static void
test_totem_table_spans(void)
{
	struct totem_config slow;
	uint64_t before, died_ns;

	ringlet_config(&slow);
	totem_config_preset(&slow, TOTEM_PRESET_LOADED_VM);
	begin_without_third();
	before = gathers(0) + gathers(3);
	for (uint32_t i = 0; i < 5; i++) {
		if (core(i) != NULL)
			totem_set_spans(core(i), &slow);
		ringlet_run(&r, 15 * RINGLET_MS);
	}
	ringlet_run(&r, 3000 * RINGLET_MS);
	CHECK_EQ(gathers(0) + gathers(3), before);
	CHECK_EQ(totem_config(core(0))->heartbeat_ns, slow.heartbeat_ns);
	CHECK(totem_suspect_after(core(0), 3) >= 1000 * RINGLET_MS);
	/* A death takes as long to notice as the new spans say. */
	ringlet_kill(&r, 4);
	died_ns = r.now_ns;
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 10000 * RINGLET_MS));
	CHECK(r.now_ns - died_ns >= 1000 * RINGLET_MS);
	/* And back. */
	totem_config_preset(&slow, TOTEM_PRESET_LAN);
	for (uint32_t i = 0; i < 4; i++)
		if (core(i) != NULL)
			totem_set_spans(core(i), &slow);
	ringlet_run(&r, 2000 * RINGLET_MS);
	ringlet_kill(&r, 3);
	died_ns = r.now_ns;
	CHECK(ringlet_run_until(&r, ringlet_is_whole, 10000 * RINGLET_MS));
	CHECK(r.now_ns - died_ns < 1000 * RINGLET_MS);
	ringlet_close(&r);
}

/* Who is heard by beats alone was rightly silent for longer than the new spans
 * allow. */
static void
test_totem_table_shorter_spans_accuse_nobody(void)
{
	struct totem_config slow, fast;
	uint64_t before = 0, after = 0;

	ringlet_config(&slow);
	fast = slow;
	totem_config_heartbeat(&slow, 250 * RINGLET_MS);
	for (uint64_t ms = 0; ms < 300; ms += 25) {
		ringlet_open(&r, 5, &slow);
		if (!CHECK(ringlet_form(&r)))
			return;
		ringlet_run(&r, (2000 + ms) * RINGLET_MS);
		for (uint32_t i = 0; i < 5; i++)
			before += gathers(i);
		for (uint32_t i = 0; i < 5; i++)
			totem_set_spans(core(i), &fast);
		ringlet_run(&r, 1000 * RINGLET_MS);
		for (uint32_t i = 0; i < 5; i++)
			after += gathers(i);
		ringlet_close(&r);
	}
	CHECK_EQ(after, before);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_totem_table_loses_and_gains_a_node),
		CHECK_TEST(test_totem_table_keeps_members),
		CHECK_TEST(test_totem_table_waits_for_the_ring),
		CHECK_TEST(test_totem_table_changes_at_random),
		CHECK_TEST(test_totem_table_spans),
		CHECK_TEST(test_totem_table_shorter_spans_accuse_nobody),
	};

	return CHECK_MAIN(argc, argv, tests);
}
