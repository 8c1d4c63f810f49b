/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Rotations that are cut short at every point and made again from what the
 * nodes have then.  At every moment each node has the key that any other seals
 * under, and in the end all have one.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "bin/ringkit/ringkit_rotate_plan.h"
#include "tests/unit/check.h"

enum { NODES = 4 };

/* "2,1" is 2 to receive with, and 1 to seal. */
static struct ringkit_rotate_node
node_of(const char *ids)
{
	struct ringkit_rotate_node node;
	char keys[128] = "";
	unsigned id = 0;

	for (const char *at = ids; *at != '\0'; at++) {
		char one[24];
		int n;

		if (sscanf(at, "%u%n", &id, &n) != 1)
			break;
		snprintf(one, sizeof one, "%s%u:%x", at == ids ? "" : ",", id,
		    id * 17);
		strcat(keys, one);
		at += n - (at[n] == '\0');
	}
	CHECK(ringkit_rotate_read(&node, keys, id));
	return node;
}

static void
test_ringkit_rotate_reads_surveys(void)
{
	static const char *const bad[] = { "", "1", "1:", "0:1", "256:1", "1:g",
		"1:00112233445566778", "x:1", ":1", "2:1", "1:1,,2:1" };
	struct ringkit_rotate_node node;

	CHECK(ringkit_rotate_read(&node, "7:00ff,1:fedcba9876543210", 1));
	CHECK_EQ(node.count, 2);
	CHECK_EQ(node.active, 1);
	CHECK_EQ(node.id[0], 7);
	CHECK_EQ(node.fingerprint[0], 0xff);
	CHECK_EQ(node.fingerprint[1], 0xfedcba9876543210);
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		check_case(bad[i]);
		CHECK(!ringkit_rotate_read(&node, bad[i], 1));
	}
	check_case(NULL);
}

static void
test_ringkit_rotate_knows_what_is_next(void)
{
	static const struct {
		const char *nodes[3];
		enum ringkit_rotate_stage stage;
		uint8_t id;
	} cases[] = {
		{ { "1", "1", "1" }, RINGKIT_ROTATE_REST, 1 },
		{ { "2,1", "1", "1" }, RINGKIT_ROTATE_INSTALL, 3 },
		{ { "2,1", "2,1", "2,1" }, RINGKIT_ROTATE_SWITCH, 2 },
		{ { "2,1", "3,1", "1" }, RINGKIT_ROTATE_INSTALL, 4 },
		{ { "2,3,1", "3,1", "3,1" }, RINGKIT_ROTATE_SWITCH, 3 },
		{ { "1,2", "2,1", "2,1" }, RINGKIT_ROTATE_SWITCH, 2 },
		{ { "1,2", "1,2", "2,1" }, RINGKIT_ROTATE_SWITCH, 2 },
		{ { "1,2", "1,2", "1,2" }, RINGKIT_ROTATE_RETIRE, 2 },
		{ { "2", "1,2", "1,2" }, RINGKIT_ROTATE_RETIRE, 2 },
		{ { "1,2", "1", "1" }, RINGKIT_ROTATE_STUCK, 2 },
		{ { "1", "2", "1" }, RINGKIT_ROTATE_STUCK, 2 },
		{ { "1,255", "1,255", "1,255" }, RINGKIT_ROTATE_SWITCH, 1 },
		{ { "255,1", "255,1", "255,1" }, RINGKIT_ROTATE_RETIRE, 1 },
		{ { "1,255", "255", "255" }, RINGKIT_ROTATE_INSTALL, 2 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct ringkit_rotate_survey survey = { .count = 3 };
		uint8_t id;

		check_case(cases[i].nodes[0]);
		for (int n = 0; n < 3; n++)
			survey.nodes[n] = node_of(cases[i].nodes[n]);
		CHECK_EQ(ringkit_rotate_plan(&survey, &id), cases[i].stage);
		CHECK_EQ(id, cases[i].id);
	}
	check_case(NULL);
}

/* The same number, but not the same key. */
static void
test_ringkit_rotate_compares_keys(void)
{
	struct ringkit_rotate_survey survey = { .count = 2 };
	uint8_t id;

	survey.nodes[0] = survey.nodes[1] = node_of("2,1");
	survey.nodes[1].fingerprint[0]++;
	CHECK_EQ(ringkit_rotate_plan(&survey, &id), RINGKIT_ROTATE_INSTALL);
	CHECK_EQ(id, 3);
	survey.nodes[1] = survey.nodes[0];
	survey.nodes[1].fingerprint[1]++;
	CHECK_EQ(ringkit_rotate_plan(&survey, &id), RINGKIT_ROTATE_STUCK);
	survey.count = 0;
	CHECK_EQ(ringkit_rotate_plan(&survey, &id), RINGKIT_ROTATE_STUCK);
}

/* ---- cut short --------------------------------------------------------- */

static void
take_out(struct ringkit_rotate_node *node, uint8_t id)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < node->count; i++) {
		if (node->id[i] == id)
			continue;
		node->id[count] = node->id[i];
		node->fingerprint[count++] = node->fingerprint[i];
	}
	node->count = count;
}

static void
put_in(struct ringkit_rotate_node *node, uint8_t id, uint64_t fingerprint)
{
	node->id[node->count] = id;
	node->fingerprint[node->count++] = fingerprint;
}

static void
apply(struct ringkit_rotate_node *node, enum ringkit_rotate_stage stage,
    uint8_t id, uint64_t fingerprint)
{
	if (stage == RINGKIT_ROTATE_INSTALL)
		put_in(node, id, fingerprint);
	else if (stage == RINGKIT_ROTATE_SWITCH)
		node->active = id;
	else
		for (uint32_t i = node->count; i-- > 0;)
			if (node->id[i] != id)
				take_out(node, node->id[i]);
}

static void
expect_understanding(const struct ringkit_rotate_survey *survey)
{
	for (uint32_t a = 0; a < survey->count; a++)
		for (uint32_t b = 0; b < survey->count; b++) {
			const struct ringkit_rotate_node *to =
			    &survey->nodes[b];
			bool has = false;

			for (uint32_t i = 0; i < to->count; i++)
				has |= to->id[i] == survey->nodes[a].active;
			CHECK(has);
		}
}

/* The key it ends with; cuts: how many stages reach only some of the nodes. */
static uint8_t
rotate(struct ringkit_rotate_survey *survey, struct rng *rng, int cuts)
{
	bool is_begun = false;

	for (int i = 0; i < 100; i++) {
		uint8_t id;
		enum ringkit_rotate_stage stage =
		    ringkit_rotate_plan(survey, &id);
		uint64_t fingerprint = rng_next(rng);
		uint64_t whom = UINT64_MAX;

		if (!CHECK(stage != RINGKIT_ROTATE_STUCK) ||
		    (stage == RINGKIT_ROTATE_REST && is_begun))
			return id;
		if (stage == RINGKIT_ROTATE_REST) {
			stage = RINGKIT_ROTATE_INSTALL;
			id = ringkit_rotate_next(survey);
		}
		if (cuts > 0 && rng_below(rng, 2) == 0) {
			whom = rng_next(rng);
			cuts--;
		}
		for (uint32_t n = 0; n < survey->count; n++)
			if (whom >> n & 1)
				apply(
				    &survey->nodes[n], stage, id, fingerprint);
		is_begun = whom == UINT64_MAX; /* else it is run again */
		expect_understanding(survey);
	}
	check_true(CHECK_HERE("it ends"), false);
	return 0;
}

static void
test_ringkit_rotate_ends_however_often_it_is_cut(void)
{
	struct rng rng;

	rng_init(&rng, 1);
	for (int run = 0; run < 400; run++) {
		struct ringkit_rotate_survey survey = { .count = NODES };
		uint8_t before = 1 + (uint8_t)(run % 255), after;
		char ids[8];

		snprintf(ids, sizeof ids, "%u", before);
		for (uint32_t n = 0; n < NODES; n++)
			survey.nodes[n] = node_of(ids);
		after = rotate(&survey, &rng, run % 6);
		CHECK(after != before);
		for (uint32_t n = 0; n < NODES; n++) {
			CHECK_EQ(survey.nodes[n].count, 1);
			CHECK_EQ(survey.nodes[n].active, after);
			CHECK_EQ(survey.nodes[n].fingerprint[0],
			    survey.nodes[0].fingerprint[0]);
		}
	}
}

static const struct check_test tests[] = {
	CHECK_TEST(test_ringkit_rotate_reads_surveys),
	CHECK_TEST(test_ringkit_rotate_knows_what_is_next),
	CHECK_TEST(test_ringkit_rotate_compares_keys),
	CHECK_TEST(test_ringkit_rotate_ends_however_often_it_is_cut),
};

int
main(int argc, char **argv)
{
	return CHECK_MAIN(argc, argv, tests);
}
