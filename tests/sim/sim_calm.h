/* SPDX-License-Identifier: BSD-3-Clause */
/* Worlds in which nothing happens that may cost a view (P16): some loss,
 * jitter, processes that stand still for a moment, timers that are late. */
#ifndef RK_SIM_CALM_H
#define RK_SIM_CALM_H

#include <stdbool.h>
#include <stdint.h>

struct sim;

/* Lives that long after the first ring; false, and the run has failed, when
 * there is another view. */
bool sim_calm_run(struct sim *sim, uint64_t seed, uint64_t minutes);

#endif
