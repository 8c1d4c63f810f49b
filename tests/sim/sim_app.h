/* SPDX-License-Identifier: BSD-3-Clause */
/* What is stacked on a core and owns its gate: the group layer, or, when the
 * options say so, nothing but the harness. */
#ifndef RK_SIM_APP_H
#define RK_SIM_APP_H

#include <stdbool.h>

#include "bin/ringd/totem.h"
#include "tests/sim/sim_group.h"
#include "tests/sim/sim_stack.h"

struct arena;
struct sim;
struct sim_node;

struct sim_app {
	bool is_gate_due;          /* without groups */
	struct totem_ring_id ring; /* installed last */
	struct totem_ring_id ring_before;
	struct sim_group group;
	struct sim_stack stack;
};

/* Takes its memory from the arena, which may only measure. */
void sim_app_start(struct sim *sim, struct sim_node *node, struct arena *arena);

/* The core is there too, and the node runs. */
void sim_app_started(struct sim *sim, struct sim_node *node, bool is_amnesic);

/* A DELIVER, VIEW or DROPPED of the core. */
void sim_app_on_effect(
    struct sim *sim, struct sim_node *node, const struct totem_effect *effect);

/* The next input for the core that followed from the last one. */
bool sim_app_next(
    struct sim *sim, struct sim_node *node, struct totem_input *out);

/* A SUBMIT was stepped into the core; its effects come after this. */
void sim_app_submitted(struct sim *sim, struct sim_node *node);

/* A client's message, body only; false when there is no room. */
bool sim_app_publish(
    struct sim *sim, struct sim_node *node, struct totem_input *in);

#endif
