/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/arena.h"

#include "tests/unit/check.h"

static _Alignas(64) unsigned char block[1024];

static void
test_arena_takes_are_aligned_and_apart(void)
{
	struct arena arena;
	arena_init(&arena, block, sizeof block);

	unsigned char *a = arena_take(&arena, 3);
	unsigned char *b = arena_take(&arena, 100);

	CHECK_EQ((uintptr_t)a % 64, 0);
	CHECK_EQ((uintptr_t)b % 64, 0);
	CHECK_EQ(b - a, 64);
	CHECK_EQ(arena.used_bytes, 64 + 128);
}

static void
test_arena_take_does_not_touch_the_memory(void)
{
	struct arena arena;
	memset(block, 0xAA, sizeof block);
	arena_init(&arena, block, sizeof block);

	const unsigned char *a = arena_take(&arena, sizeof block);

	for (size_t i = 0; i < sizeof block; i++)
		CHECK_EQ(a[i], 0xAA);
}

static void
test_arena_can_be_used_to_its_last_byte(void)
{
	struct arena arena;
	arena_init(&arena, block, sizeof block);

	CHECK(arena_take(&arena, sizeof block) == block);
	CHECK_EQ(arena.used_bytes, sizeof block);
}

static void
test_arena_measuring_counts_and_gives_nothing(void)
{
	struct arena arena;
	arena_init(&arena, NULL, 0);

	CHECK(arena_take(&arena, 1) == NULL);
	CHECK(arena_take(&arena, 65) == NULL);
	CHECK_EQ(arena.used_bytes, 64 + 128);
}

static void
take_after_seal(void)
{
	struct arena arena;
	arena_init(&arena, block, sizeof block);
	arena_seal(&arena);
	arena_take(&arena, 1);
}

static void
take_too_much(void)
{
	struct arena arena;
	arena_init(&arena, block, sizeof block);
	arena_take(&arena, sizeof block);
	arena_take(&arena, 1);
}

static void
take_so_much_that_it_wraps(void)
{
	struct arena arena;
	arena_init(&arena, block, sizeof block);
	arena_take(&arena, SIZE_MAX);
}

static void
test_arena_misuse_aborts(void)
{
	CHECK_ABORTS(take_after_seal);
	CHECK_ABORTS(take_too_much);
	CHECK_ABORTS(take_so_much_that_it_wraps);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_arena_takes_are_aligned_and_apart),
		CHECK_TEST(test_arena_take_does_not_touch_the_memory),
		CHECK_TEST(test_arena_can_be_used_to_its_last_byte),
		CHECK_TEST(test_arena_measuring_counts_and_gives_nothing),
		CHECK_TEST(test_arena_misuse_aborts),
	};
	return CHECK_MAIN(argc, argv, tests);
}
