/* SPDX-License-Identifier: BSD-3-Clause */
/* Does the seal that daemons under test are linked with really close? */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"

#include "tests/unit/check.h"

static void *volatile kept; /* or the compiler drops what nobody uses */

static void
seal(void)
{
	struct arena arena;
	arena_init(&arena, NULL, 0);
	arena_seal(&arena);
}

static void
use_malloc(void)
{
	seal();
	kept = malloc(1);
}

static void
use_calloc(void)
{
	seal();
	kept = calloc(1, 1);
}

static void
use_realloc(void)
{
	seal();
	kept = realloc(NULL, 1);
}

static void
use_a_library_that_allocates(void)
{
	seal();
	kept = strdup("x");
}

static void
test_seal_aborts_on_allocation(void)
{
	CHECK_ABORTS(use_malloc);
	CHECK_ABORTS(use_calloc);
	CHECK_ABORTS(use_realloc);
	CHECK_ABORTS(use_a_library_that_allocates);
}

static void
test_seal_before_it_allocation_works_and_after_it_free_does(void)
{
	kept = malloc(10);
	CHECK(kept != NULL);
	kept = realloc(kept, 100000);
	CHECK(kept != NULL);
	seal();
	free(kept);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_seal_aborts_on_allocation),
		CHECK_TEST(
		    test_seal_before_it_allocation_works_and_after_it_free_does),
	};
	return CHECK_MAIN(argc, argv, tests);
}
