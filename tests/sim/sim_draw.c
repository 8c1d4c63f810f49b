/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_draw.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

bool
sim_draw_ppm(struct rng *rng, uint32_t ppm)
{
	if (ppm == 0)
		return false;
	return (rng_next(rng) >> 32) * 1000000 >> 32 < ppm;
}

uint64_t
sim_draw_range(struct rng *rng, uint64_t low, uint64_t high)
{
	ENSURE(low <= high);
	return low + rng_below(rng, high - low + 1);
}

uint64_t
sim_draw_log(struct rng *rng, uint64_t low, uint64_t high)
{
	uint64_t doublings = 0;

	ENSURE(low > 0 && low <= high);
	while (low << doublings <= high >> 1)
		doublings++;

	uint64_t start = low << rng_below(rng, doublings + 1);
	return sim_draw_range(rng, start, num_min(high, 2 * start));
}

/*
 * -log2 of a uniform number is its leading zeros plus a fraction; the
 * fraction is taken as linear.  710/1024 is ln 2.
 */
uint64_t
sim_draw_exp(struct rng *rng, uint64_t mean)
{
	uint64_t random = rng_next(rng);
	uint64_t zeros = 0;

	while (zeros < 20 && (random >> (63 - zeros) & 1) == 0)
		zeros++;
	uint64_t log = (zeros << 10) + (random & 1023);
	return (mean >> 10) * log * 710 / 1024 + mean % 1024 * log / 1475;
}
