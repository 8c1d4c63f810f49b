/* SPDX-License-Identifier: BSD-3-Clause */
/* Worlds in which something flaps for days: whatever it did to the cores, an
 * hour of rest must bring them back to where they were on the first day. */
#ifndef RK_SIM_FLAP_H
#define RK_SIM_FLAP_H

#include <stdbool.h>
#include <stdint.h>

struct sim;

enum sim_flap_kind {
	SIM_FLAP_WAY,  /* two of three hear each other, or do not */
	SIM_FLAP_NODE, /* one of three dies and returns, or is cut off */
};

struct sim_flap_life {
	enum sim_flap_kind kind;
	uint64_t seed;
	uint64_t hours; /* of 45 minutes of flapping and 15 of rest */
};

/*
 * Three nodes with clocks of different rates, and a little load.  False, and
 * the run has failed, when a predicate broke, when no single ring comes of a
 * healed world in time, or when a core at rest has more of anything than it
 * had before, or works at another rate.
 */
bool sim_flap_run(struct sim *sim, const struct sim_flap_life *life);

/* How often something flapped, in all worlds of this process. */
uint64_t sim_flap_count(void);

#endif
