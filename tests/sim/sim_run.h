/* SPDX-License-Identifier: BSD-3-Clause */
/* One random run: chaos, then a healed world in which all must come right. */
#ifndef RK_SIM_RUN_H
#define RK_SIM_RUN_H

#include <stdbool.h>
#include <stdint.h>

struct sim;

/* False when a predicate failed; sim->failure says which. */
bool sim_run_seed(struct sim *sim, uint64_t seed);

/* All nodes that run are operational in one ring of just them. */
bool sim_run_is_one_ring(struct sim *sim);

/* From now on the world is healed, and has so long to come right. */
void sim_run_healed(struct sim *sim);

/* The world is healed: one ring, all delivered, no change any more. */
void sim_run_to_rest(struct sim *sim);

#endif
