/* SPDX-License-Identifier: BSD-3-Clause */
/* A seedable generator (xoshiro256**): the only randomness in pure code. */
#ifndef RK_RNG_H
#define RK_RNG_H

#include <stdint.h>

struct rng {
	uint64_t word[4];
};

/* Any seed is good; equal seeds give equal sequences.  Not for secrets. */
void rng_init(struct rng *rng, uint64_t seed);

uint64_t rng_next(struct rng *rng);

/* Uniform in 0 .. bound - 1; 0 when bound is 0. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

#endif
