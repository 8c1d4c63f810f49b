/* SPDX-License-Identifier: BSD-3-Clause */
/* What is stacked on a core: the owner of the gate. */
#ifndef RK_SIM_APP_H
#define RK_SIM_APP_H

#include <stdbool.h>

#include "bin/ringd/totem.h"

struct arena;
struct sim;
struct sim_node;

struct sim_app {
	bool is_gate_due;
	struct totem_ring_id ring; /* installed last */
	struct totem_ring_id ring_before;
};

/* Takes its memory from the arena, which may only measure. */
void sim_app_start(struct sim *sim, struct sim_node *node, struct arena *arena);

void sim_app_on_deliver(struct sim *sim, struct sim_node *node,
    const struct totem_delivery *deliver);
void sim_app_on_view(
    struct sim *sim, struct sim_node *node, const struct totem_view *view);

/* The next input for the core that followed from the last one. */
bool sim_app_next(
    struct sim *sim, struct sim_node *node, struct totem_input *out);

/* A SUBMIT given by sim_app_next was taken. */
void sim_app_submitted(
    struct sim *sim, struct sim_node *node, const struct totem_input *in);

#endif
