/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/pool.h"

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

enum { POOL_ALIGN = 64 };

void
pool_init(struct pool *pool, struct arena *arena, uint32_t count, size_t bytes)
{
	ENSURE(count > 0 && count < UINT32_MAX);
	ENSURE(bytes > 0);
	*pool = (struct pool){
		.cell_bytes = num_round_up(bytes, POOL_ALIGN),
		.count = count,
	};
	ENSURE(pool->cell_bytes >= bytes);
	ENSURE(pool->cell_bytes <= SIZE_MAX / count);
	pool->cells = arena_take(arena, pool->cell_bytes * count);
	pool->next_free = arena_take(arena, sizeof(uint32_t) * count);
	pool->generation = arena_take(arena, sizeof(uint32_t) * count);
	if (pool->cells == NULL)
		return;
	for (uint32_t i = 0; i < count; i++) {
		pool->next_free[i] = i + 1;
		pool->generation[i] = 0;
	}
}

static void *
cell_at(const struct pool *pool, uint32_t idx)
{
	return pool->cells + pool->cell_bytes * idx;
}

static uint64_t
handle_of(const struct pool *pool, uint32_t idx)
{
	return (uint64_t)pool->generation[idx] << 32 | idx;
}

void *
pool_get(struct pool *pool, uint64_t *handle)
{
	uint32_t idx = pool->first_free;

	if (idx == pool->count)
		return NULL;
	ENSURE(idx < pool->count);
	ENSURE(pool->generation[idx] % 2 == 0);
	pool->first_free = pool->next_free[idx];
	pool->generation[idx]++;
	pool->used++;
	*handle = handle_of(pool, idx);
	return cell_at(pool, idx);
}

void
pool_put(struct pool *pool, uint64_t handle)
{
	uint32_t idx = (uint32_t)handle;

	ENSURE(pool_find(pool, handle) != NULL);
	pool->generation[idx]++;
	pool->next_free[idx] = pool->first_free;
	pool->first_free = idx;
	pool->used--;
}

void *
pool_find(const struct pool *pool, uint64_t handle)
{
	uint32_t idx = (uint32_t)handle;
	uint32_t generation = (uint32_t)(handle >> 32);

	if (idx >= pool->count || generation % 2 == 0 ||
	    pool->generation[idx] != generation)
		return NULL;
	return cell_at(pool, idx);
}

void *
pool_next(const struct pool *pool, uint32_t *at, uint64_t *handle)
{
	for (uint32_t idx = *at; idx < pool->count; idx++) {
		if (pool->generation[idx] % 2 == 0)
			continue;
		*at = idx + 1;
		*handle = handle_of(pool, idx);
		return cell_at(pool, idx);
	}
	*at = pool->count;
	return NULL;
}
