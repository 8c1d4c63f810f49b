/* SPDX-License-Identifier: BSD-3-Clause */
/* Random draws that a run needs, in integers only. */
#ifndef RK_SIM_DRAW_H
#define RK_SIM_DRAW_H

#include <stdbool.h>
#include <stdint.h>

struct rng;

/* True ppm times in a million. */
bool sim_draw_ppm(struct rng *rng, uint32_t ppm);

/* Uniform in low .. high. */
uint64_t sim_draw_range(struct rng *rng, uint64_t low, uint64_t high);

/* Log-uniform in low .. high; low is at least 1. */
uint64_t sim_draw_log(struct rng *rng, uint64_t low, uint64_t high);

/* About exponential with that mean. */
uint64_t sim_draw_exp(struct rng *rng, uint64_t mean);

#endif
