/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_app.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_watch.h"

void
sim_app_start(struct sim *sim, struct sim_node *node, struct arena *arena)
{
	(void)sim;
	(void)arena;
	node->app = (struct sim_app){ 0 };
}

void
sim_app_on_deliver(struct sim *sim, struct sim_node *node,
    const struct totem_delivery *deliver)
{
	sim_watch_deliver(sim, node, deliver);
}

void
sim_app_on_view(
    struct sim *sim, struct sim_node *node, const struct totem_view *view)
{
	sim_watch_view(sim, node, view);
	if (view->phase == TOTEM_PHASE_TRANSITIONAL)
		return;
	node->app.ring_before = node->app.ring;
	node->app.ring = view->ring;
	node->app.is_gate_due = true;
}

bool
sim_app_next(struct sim *sim, struct sim_node *node, struct totem_input *out)
{
	(void)sim;
	if (!node->app.is_gate_due)
		return false;
	node->app.is_gate_due = false;
	*out = (struct totem_input){ .kind = TOTEM_IN_GATE,
		.gate = node->app.ring };
	return true;
}

void
sim_app_submitted(
    struct sim *sim, struct sim_node *node, const struct totem_input *in)
{
	(void)sim;
	(void)node;
	(void)in;
}
