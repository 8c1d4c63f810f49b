/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Linked into the daemons that `make check` runs, and nowhere else: after
 * arena_seal any allocation, by us or by a library, aborts the process and
 * names the caller, so that "no malloc after start" is tested all the time.
 * The linker sends arena_seal here (--wrap); the allocator is replaced by
 * defining it, over the names under which glibc also exports its own.
 */
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct arena;

void __real_arena_seal(struct arena *arena);
void __wrap_arena_seal(struct arena *arena);
void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nmemb, size_t size);
void *__libc_realloc(void *ptr, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

static bool seal_is_on;

static void
check(const char *name)
{
	static const char what[] = ": allocation after arena_seal\n";

	if (!seal_is_on)
		return;
	(void)!write(STDERR_FILENO, name, strlen(name));
	(void)!write(STDERR_FILENO, what, sizeof what - 1);
	abort();
}

void
__wrap_arena_seal(struct arena *arena)
{
	__real_arena_seal(arena);
	seal_is_on = true;
}

void *
malloc(size_t size)
{
	check("malloc");
	return __libc_malloc(size);
}

void *
calloc(size_t nmemb, size_t size)
{
	check("calloc");
	return __libc_calloc(nmemb, size);
}

void *
realloc(void *ptr, size_t size)
{
	check("realloc");
	return __libc_realloc(ptr, size);
}

void *
aligned_alloc(size_t alignment, size_t size)
{
	check("aligned_alloc");
	return __libc_memalign(alignment, size);
}
