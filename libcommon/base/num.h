/* SPDX-License-Identifier: BSD-3-Clause */
/* Small arithmetic that C leaves out: minima, saturation, array counts. */
#ifndef RK_NUM_H
#define RK_NUM_H

#include <stddef.h>
#include <stdint.h>

#define ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

static inline uint64_t
num_min(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static inline uint64_t
num_max(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* a - b, or 0 where that would be negative. */
static inline uint64_t
num_sub(uint64_t a, uint64_t b)
{
	return a > b ? a - b : 0;
}

/* x, but at least low and at most high; low <= high. */
static inline uint64_t
num_clamp(uint64_t x, uint64_t low, uint64_t high)
{
	return num_min(num_max(x, low), high);
}

/* x rounded up to a multiple of step, a power of two. */
static inline size_t
num_round_up(size_t x, size_t step)
{
	return (x + step - 1) & ~(step - 1);
}

#endif
