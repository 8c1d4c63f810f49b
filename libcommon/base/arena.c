/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/arena.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

enum { ARENA_ALIGN = 64 };

void
arena_init(struct arena *arena, void *base, size_t size_bytes)
{
	*arena = (struct arena){ .base = base, .size_bytes = size_bytes };
}

void *
arena_take(struct arena *arena, size_t bytes)
{
	size_t step = num_round_up(bytes, ARENA_ALIGN);

	ENSURE(!arena->is_sealed);
	ENSURE(step >= bytes);
	if (arena->base == NULL) {
		arena->used_bytes += step;
		return NULL;
	}
	ENSURE(step <= arena->size_bytes - arena->used_bytes);

	void *taken = arena->base + arena->used_bytes;
	arena->used_bytes += step;
	return taken;
}

void
arena_seal(struct arena *arena)
{
	arena->is_sealed = true;
}
