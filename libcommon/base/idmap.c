/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/idmap.h"

#include <string.h>

#include "libcommon/base/ensure.h"

void
idmap_make(struct idmap *map, const uint32_t *before, uint32_t before_count,
    const uint32_t *after, uint32_t after_count)
{
	uint32_t i = 0, k = 0;

	ENSURE(before_count <= LIMIT_NODES && after_count <= LIMIT_NODES);
	memset(map, IDMAP_NONE, sizeof *map);
	map->before = before_count;
	map->after = after_count;
	while (i < before_count && k < after_count) {
		if (before[i] < after[k]) {
			i++;
		} else if (after[k] < before[i]) {
			k++;
		} else {
			map->to[i] = (uint8_t)k;
			map->from[k++] = (uint8_t)i++;
		}
	}
}

uint64_t
idmap_set(const struct idmap *map, uint64_t set)
{
	uint64_t out = 0;

	for (uint32_t i = 0; i < map->before; i++)
		if ((set >> i & 1) && map->to[i] != IDMAP_NONE)
			out |= UINT64_C(1) << map->to[i];
	return out;
}

/* Who stays, without gaps, in front; then each to its place, the last first. */
void
idmap_array(const struct idmap *map, void *array, size_t size)
{
	unsigned char *at = array;
	uint32_t kept = 0;

	for (uint32_t i = 0; i < map->before; i++)
		if (map->to[i] != IDMAP_NONE)
			memmove(at + kept++ * size, at + i * size, size);
	for (uint32_t i = LIMIT_NODES; i-- > 0;) {
		if (i >= map->after || map->from[i] == IDMAP_NONE)
			memset(at + i * size, 0, size);
		else
			memmove(at + i * size, at + --kept * size, size);
	}
}
