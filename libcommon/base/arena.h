/* SPDX-License-Identifier: BSD-3-Clause */
/* A start-up allocator over one block of memory, which can be sealed. */
#ifndef RK_ARENA_H
#define RK_ARENA_H

#include <stdbool.h>
#include <stddef.h>

/*
 * The block belongs to the caller, who frees it after the last use of what
 * was taken from it.  With base == NULL the arena only measures: arena_take
 * answers NULL and used_bytes tells what would be needed.
 */
struct arena {
	unsigned char *base;
	size_t size_bytes;
	size_t used_bytes;
	bool is_sealed;
};

/* Borrows base until the arena is no longer used. */
void arena_init(struct arena *arena, void *base, size_t size_bytes);

/*
 * Gives bytes aligned to a cache line, as the block holds them: whoever takes
 * memory initialises it, so that what is never used is never touched.  The
 * block must be large enough and not sealed (ENSURE).  Answers NULL only when
 * measuring.
 */
void *arena_take(struct arena *arena, size_t bytes);

/* After this arena_take is a programmer error. */
void arena_seal(struct arena *arena);

#endif
