/* SPDX-License-Identifier: BSD-3-Clause */
/* What befalls a cluster in the first phase of a random run. */
#ifndef RK_SIM_FAULT_H
#define RK_SIM_FAULT_H

#include <stdint.h>

#include "tests/sim/sim_options.h"

struct sim;
struct sim_node;

/* Arms every kind of fault that the options switch on. */
void sim_fault_arm(struct sim *sim);

/* Undoes all of them; those under way end without effect. */
void sim_fault_heal(struct sim *sim);

/* A node crashed or left: it comes back some time, in a random run. */
void sim_fault_on_down(struct sim *sim, struct sim_node *node);

void sim_fault_begin(struct sim *sim, enum sim_fault fault, uint64_t epoch);
void sim_fault_end(struct sim *sim, uint64_t what, uint64_t epoch);

#endif
