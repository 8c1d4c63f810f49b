/* SPDX-License-Identifier: BSD-3-Clause */
/* SipHash-2-4: a sum that nobody can foresee who has not the key. */
#ifndef RK_SIPHASH_H
#define RK_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t word[2];
};

uint64_t siphash_of(
    const struct siphash_key *key, const void *bytes, size_t len);

#endif
