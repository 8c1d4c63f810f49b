/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_app.h"

#include "libcommon/base/num.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_watch.h"

void
sim_app_start(struct sim *sim, struct sim_node *node, struct arena *arena)
{
	node->app = (struct sim_app){ 0 };
	if (sim->opt.has_groups)
		sim_group_start(sim, node, arena);
	if (sim->opt.has_stack)
		sim_stack_start(sim, node, arena);
}

void
sim_app_started(struct sim *sim, struct sim_node *node, bool is_amnesic)
{
	if (sim->opt.has_store)
		sim_store_start(sim, node, is_amnesic);
	if (sim->opt.has_groups)
		sim_group_open(sim, node);
}

static void
note_view(struct sim_node *node, const struct totem_view *view)
{
	if (view->phase == TOTEM_PHASE_TRANSITIONAL)
		return;
	node->app.ring_before = node->app.ring;
	node->app.ring = view->ring;
	node->app.is_gate_due = true;
}

void
sim_app_on_effect(
    struct sim *sim, struct sim_node *node, const struct totem_effect *effect)
{
	if (effect->kind == TOTEM_OUT_DELIVER) {
		sim_watch_deliver(sim, node, &effect->deliver);
	} else if (effect->kind == TOTEM_OUT_VIEW) {
		sim_watch_view(sim, node, effect->view);
		note_view(node, effect->view);
	} else {
		sim_watch_dropped(sim, node, effect->dropped_msg_no);
	}
	/* As ringd does: the view, then what it does to groups. */
	if (sim->opt.has_stack && effect->kind == TOTEM_OUT_VIEW)
		sim_stack_on_view(sim, node, effect->view);
	if (sim->opt.has_groups)
		sim_group_on_effect(sim, node, effect);
}

bool
sim_app_next(struct sim *sim, struct sim_node *node, struct totem_input *out)
{
	if (sim->opt.has_groups)
		return sim_group_next(sim, node, out);
	if (!node->app.is_gate_due)
		return false;
	node->app.is_gate_due = false;
	*out = (struct totem_input){ .kind = TOTEM_IN_GATE,
		.gate = node->app.ring };
	return true;
}

void
sim_app_submitted(struct sim *sim, struct sim_node *node)
{
	if (sim->opt.has_groups)
		sim_group_submitted(node);
}

bool
sim_app_publish(struct sim *sim, struct sim_node *node, struct totem_input *in)
{
	size_t len = in->submit.body_len;

	if (sim->opt.has_groups)
		return sim_group_publish(sim, node, in);
	size_t room = totem_room_bytes(node->core, TOTEM_CLASS_CLIENT);
	if (room == 0 || room < len)
		return false;

	/* Head and body are one message, wherever it is parted. */
	in->kind = TOTEM_IN_SUBMIT;
	in->submit.class = TOTEM_CLASS_CLIENT;
	in->submit.head = in->submit.body;
	in->submit.head_len = num_min(len, node->load.counter % 40);
	in->submit.body += in->submit.head_len;
	in->submit.body_len = len - in->submit.head_len;
	sim_watch_submit(sim, node, in);
	sim_node_input(sim, node, in);
	return true;
}
