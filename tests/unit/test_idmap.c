/* SPDX-License-Identifier: BSD-3-Clause */
/* Places follow their ids: against a statement of it that is slow and plain. */
#include <string.h>

#include "libcommon/base/idmap.h"
#include "libcommon/base/rng.h"

#include "tests/unit/check.h"

enum { ROUNDS = 3000 };

static uint32_t
draw_ids(struct rng *rng, uint32_t out[LIMIT_NODES])
{
	const uint64_t dense = 1 + rng_below(rng, 4);
	uint32_t count = 0;

	for (uint32_t id = 1; id <= 90 && count < LIMIT_NODES; id++)
		if (rng_below(rng, 4) < dense)
			out[count++] = id;
	return count;
}

static bool
has(const uint32_t *ids, uint32_t count, uint32_t id)
{
	for (uint32_t i = 0; i < count; i++)
		if (ids[i] == id)
			return true;
	return false;
}

/* Each element says whose it is. */
struct element {
	uint32_t id;
	char rest[13];
};

static void
check_one(const uint32_t *before, uint32_t before_count, const uint32_t *after,
    uint32_t after_count)
{
	struct element array[LIMIT_NODES] = { 0 };
	uint64_t all = 0, expected = 0;
	struct idmap map;

	for (uint32_t i = 0; i < before_count; i++) {
		array[i] = (struct element){ before[i], "an element" };
		all |= UINT64_C(1) << i;
	}
	idmap_make(&map, before, before_count, after, after_count);
	idmap_array(&map, array, sizeof array[0]);
	for (uint32_t i = 0; i < LIMIT_NODES; i++) {
		bool is_kept =
		    i < after_count && has(before, before_count, after[i]);

		CHECK_EQ(array[i].id, is_kept ? after[i] : 0);
		CHECK_STR(array[i].rest, is_kept ? "an element" : "");
		CHECK_EQ(map.from[i] != IDMAP_NONE, is_kept);
		if (is_kept) {
			expected |= UINT64_C(1) << i;
			CHECK_EQ(before[map.from[i]], after[i]);
			CHECK_EQ(map.to[map.from[i]], i);
		}
	}
	CHECK_EQ(idmap_set(&map, all), expected);
	for (uint32_t i = 0; i < before_count; i++)
		if (!has(after, after_count, before[i]))
			CHECK_EQ(map.to[i], IDMAP_NONE);
}

static void
test_idmap_follows_ids(void)
{
	struct rng rng;

	rng_init(&rng, 1);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t before[LIMIT_NODES], after[LIMIT_NODES];
		uint32_t before_count = draw_ids(&rng, before);
		uint32_t after_count = draw_ids(&rng, after);

		check_one(before, before_count, after, after_count);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_idmap_follows_ids),
	};

	return CHECK_MAIN(argc, argv, tests);
}
