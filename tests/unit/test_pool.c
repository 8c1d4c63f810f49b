/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/arena.h"
#include "libcommon/base/pool.h"

#include "tests/unit/check.h"

static _Alignas(64) unsigned char block[4096];
static struct arena arena;
static struct pool pool;

static void
begin(uint32_t count, size_t bytes)
{
	arena_init(&arena, block, sizeof block);
	pool_init(&pool, &arena, count, bytes);
}

static void
test_pool_gives_each_object_once(void)
{
	uint64_t handle[3], extra = 0;
	unsigned char *object[3];
	begin(3, 100);

	for (int i = 0; i < 3; i++) {
		object[i] = pool_get(&pool, &handle[i]);
		CHECK(object[i] != NULL);
		CHECK_EQ((uintptr_t)object[i] % 64, 0);
		CHECK(handle[i] != 0);
	}
	CHECK(pool_get(&pool, &extra) == NULL);

	CHECK_EQ(pool.used, 3);
	CHECK_EQ(object[1] - object[0], 128);
	CHECK_EQ(object[2] - object[1], 128);
	for (int i = 0; i < 3; i++)
		CHECK(pool_find(&pool, handle[i]) == object[i]);
}

static void
test_pool_stale_handle_finds_nothing(void)
{
	uint64_t old = 0, new = 0;
	begin(1, 8);
	void *object = pool_get(&pool, &old);

	pool_put(&pool, old);
	CHECK(pool_find(&pool, old) == NULL);
	CHECK(pool_get(&pool, &new) == object);

	CHECK(new != old);
	CHECK(pool_find(&pool, old) == NULL);
	CHECK(pool_find(&pool, new) == object);
}

static void
test_pool_made_up_handles_find_nothing(void)
{
	uint64_t handle = 0;
	begin(2, 8);
	CHECK(pool_get(&pool, &handle) != NULL);

	CHECK(pool_find(&pool, 0) == NULL);
	CHECK(pool_find(&pool, 1) == NULL);
	CHECK(pool_find(&pool, handle + 2) == NULL);
	CHECK(pool_find(&pool, UINT64_MAX) == NULL);
	CHECK(pool_find(&pool, (uint64_t)1 << 32 | 1) == NULL);
}

static void
test_pool_next_goes_over_what_is_in_use(void)
{
	uint64_t handle[4], found = 0;
	uint32_t at = 0;
	begin(4, 8);
	for (int i = 0; i < 4; i++)
		pool_get(&pool, &handle[i]);
	pool_put(&pool, handle[0]);
	pool_put(&pool, handle[2]);

	CHECK(pool_next(&pool, &at, &found) == pool_find(&pool, handle[1]));
	CHECK_EQ(found, handle[1]);
	CHECK(pool_next(&pool, &at, &found) == pool_find(&pool, handle[3]));
	CHECK(pool_next(&pool, &at, &found) == NULL);
	CHECK(pool_next(&pool, &at, &found) == NULL);
}

static void
test_pool_measures_with_a_measuring_arena(void)
{
	arena_init(&arena, NULL, 0);
	pool_init(&pool, &arena, 3, 100);
	size_t measured = arena.used_bytes;
	begin(3, 100);

	CHECK_EQ(measured, arena.used_bytes);
	CHECK_EQ(measured, 3 * 128 + 64 + 64);
}

static void
put_twice(void)
{
	uint64_t handle = 0;
	begin(2, 8);
	pool_get(&pool, &handle);
	pool_put(&pool, handle);
	pool_put(&pool, handle);
}

static void
test_pool_put_twice_aborts(void)
{
	CHECK_ABORTS(put_twice);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_pool_gives_each_object_once),
		CHECK_TEST(test_pool_stale_handle_finds_nothing),
		CHECK_TEST(test_pool_made_up_handles_find_nothing),
		CHECK_TEST(test_pool_next_goes_over_what_is_in_use),
		CHECK_TEST(test_pool_measures_with_a_measuring_arena),
		CHECK_TEST(test_pool_put_twice_aborts),
	};
	return CHECK_MAIN(argc, argv, tests);
}
