/* SPDX-License-Identifier: BSD-3-Clause */
/* How long a healed world may take: the bounds of P14, P15, P17 and P18. */
#ifndef RK_SIM_BOUND_H
#define RK_SIM_BOUND_H

#include <stdint.h>

#include "tests/sim/oracle.h"

struct sim;
struct sim_node;

/* Of the world as it is now, with all faults healed a moment ago. */
void sim_bound_heal(const struct sim *sim, struct oracle_bounds *out);

/* Until who is cut off from whom is known to them. */
uint64_t sim_bound_notice_ns(const struct sim *sim);

/* The same of a world whose graph has just changed: P19. */
void sim_bound_graph(const struct sim *sim, struct oracle_bounds *out);

/*
 * P17: from the death of a member of a ring at rest until every survivor
 * has installed the next ring.
 */
uint64_t sim_bound_detect_ns(
    const struct sim *sim, const struct sim_node *victim, bool is_proven);

#endif
