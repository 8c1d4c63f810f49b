/* SPDX-License-Identifier: BSD-3-Clause */
/* Tells messages apart by their bytes.  Eight bytes a step, since a run may
 * carry megabytes; not meant to resist anybody.
 */
#include <string.h>

#include "tests/sim/oracle.h"

static uint64_t
mix(uint64_t state, uint64_t word)
{
	state = (state ^ word) * 0x9fb21c651e98df25u;
	return state ^ state >> 32;
}

void
oracle_hash_init(struct oracle_hash *hash)
{
	*hash = (struct oracle_hash){ .state = 0x9e3779b97f4a7c15u };
}

void
oracle_hash_add(struct oracle_hash *hash, const void *bytes, size_t len)
{
	const unsigned char *from = bytes;
	bool has_tail = hash->len % 8 != 0;
	for (; len > 0 && hash->len % 8 != 0; len--, hash->len++)
		hash->tail = hash->tail << 8 | *from++;
	if (has_tail && hash->len % 8 == 0) {
		hash->state = mix(hash->state, hash->tail);
		hash->tail = 0;
	}
	for (; len >= 8; len -= 8, hash->len += 8, from += 8) {
		uint64_t word = 0;
		for (size_t i = 0; i < 8; i++)
			word = word << 8 | from[i];
		hash->state = mix(hash->state, word);
	}
	for (; len > 0; len--, hash->len++)
		hash->tail = hash->tail << 8 | *from++;
}

uint64_t
oracle_hash_end(const struct oracle_hash *hash)
{
	uint64_t state = mix(mix(hash->state, hash->tail), hash->len);
	return state != 0 ? state : 1;
}
