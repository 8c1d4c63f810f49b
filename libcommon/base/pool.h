/* SPDX-License-Identifier: BSD-3-Clause */
/* A fixed number of equal objects, named by handles that go stale safely. */
#ifndef RK_POOL_H
#define RK_POOL_H

#include <stddef.h>
#include <stdint.h>

struct arena;

/*
 * A handle says which object, and which use of its place; 0 is never one.
 */
struct pool {
	unsigned char *cells;
	uint32_t *next_free;
	uint32_t *generation; /* odd while the object is in use */
	size_t cell_bytes;
	uint32_t count;
	uint32_t used;
	uint32_t first_free; /* count: none */
};

/*
 * Takes the memory from the arena, which may be a measuring one: then the
 * pool may not be used.  Objects are aligned to a cache line.
 */
void pool_init(
    struct pool *pool, struct arena *arena, uint32_t count, size_t bytes);

/*
 * A free object, its bytes as its last user left them, and its handle; NULL
 * when all are in use.
 */
void *pool_get(struct pool *pool, uint64_t *handle);

/* Gives the object back; the handle must be good (ENSURE). */
void pool_put(struct pool *pool, uint64_t handle);

/* The object; NULL when it was given back since, or never was. */
void *pool_find(const struct pool *pool, uint64_t handle);

/*
 * The next object in use from place *at on, which moves behind it; begin with
 * *at = 0.  NULL when there is none.
 */
void *pool_next(const struct pool *pool, uint32_t *at, uint64_t *handle);

#endif
