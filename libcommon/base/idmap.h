/* SPDX-License-Identifier: BSD-3-Clause */
/* How places move when one ascending list of ids becomes another.
 *
 * What is kept by place (arrays, sets of bits) follows its id: places in front
 * of which an id came or went shift, but never pass each other.
 */
#ifndef RK_IDMAP_H
#define RK_IDMAP_H

#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

enum { IDMAP_NONE = 0xFF };

struct idmap {
	uint32_t before, after;    /* how many there are */
	uint8_t to[LIMIT_NODES];   /* of a place before; NONE: its id is gone */
	uint8_t from[LIMIT_NODES]; /* of a place after; NONE: its id is new */
};

/* Both ascend and have at most LIMIT_NODES ids. */
void idmap_make(struct idmap *map, const uint32_t *before,
    uint32_t before_count, const uint32_t *after, uint32_t after_count);

/* Bits of ids that are gone are gone. */
uint64_t idmap_set(const struct idmap *map, uint64_t set);

/*
 * Moves the elements, size bytes each, of an array of LIMIT_NODES; those of new
 * ids, and all behind the last, are zeros then.
 */
void idmap_array(const struct idmap *map, void *array, size_t size);

#endif
