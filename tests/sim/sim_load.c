/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_load.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_draw.h"
#include "tests/sim/sim_watch.h"

/* What the layer above the core may add to a message. */
enum { LOAD_HEAD_BYTES = 256 };

static uint8_t load_body[LIMIT_MESSAGE_BYTES_MAX];

/* Bytes that only this message of this incarnation has. */
static void
fill(const struct sim_node *node, uint64_t counter, size_t len)
{
	uint64_t word =
	    (uint64_t)node->id << 48 ^ node->incarnation << 24 ^ counter;
	size_t at = 0;

	for (; at + 8 <= len; at += 8) {
		memcpy(load_body + at, &word, 8);
		word = word * UINT64_C(6364136223846793005) + 1442695040888963;
	}
	memcpy(load_body + at, &word, len - at);
}

bool
sim_load_is_filled(const uint8_t *bytes, size_t len)
{
	uint64_t word, next;

	if (len < 8)
		return true;
	memcpy(&word, bytes, 8);
	for (size_t at = 8; at + 8 <= len; at += 8) {
		memcpy(&next, bytes + at, 8);
		word = word * UINT64_C(6364136223846793005) + 1442695040888963;
		if (word != next)
			return false;
	}
	return true;
}

static bool
publish(
    struct sim *sim, struct sim_node *node, struct totem_input *in, size_t len)
{
	if (node->power != SIM_ON || node->is_leaving)
		return false;
	fill(node, node->load.counter + 1, len);
	in->submit.body = load_body;
	in->submit.body_len = len;
	if (!sim_app_publish(sim, node, in))
		return false;
	node->load.counter++;
	return true;
}

bool
sim_load_submit(struct sim *sim, struct sim_node *node, size_t len,
    enum totem_service service)
{
	struct totem_input in = { 0 };

	in.submit.service = service;
	return publish(sim, node, &in, len);
}

static size_t
draw_len(struct sim *sim)
{
	const struct sim_options *opt = &sim->opt;

	if (sim_draw_ppm(&sim->rng, opt->large_ppm))
		return sim_draw_log(&sim->rng, 1000,
		    opt->config.message_bytes_max - LOAD_HEAD_BYTES);
	if (sim_draw_ppm(&sim->rng, 30000)) /* around a frame's edge */
		return opt->config.frame_bytes - 100 +
		    rng_below(&sim->rng, 120);
	return sim_draw_log(&sim->rng, 1, opt->message_bytes) - 1;
}

bool
sim_load_submit_now(struct sim *sim, struct sim_node *node)
{
	struct totem_input in = { 0 };

	in.submit.service = sim_draw_ppm(&sim->rng, sim->opt.safe_ppm)
	    ? TOTEM_SAFE
	    : TOTEM_AGREED;
	if (sim_draw_ppm(&sim->rng, sim->opt.if_view_ppm)) {
		in.submit.has_if_view = true;
		in.submit.if_view = sim_draw_ppm(&sim->rng, 800000)
		    ? node->app.ring
		    : node->app.ring_before;
	}
	return publish(sim, node, &in, draw_len(sim));
}

static void
arm(struct sim *sim, struct sim_node *node, uint64_t delay_ns)
{
	sim_push(sim,
	    (struct sim_event){ .time_ns = sim->now_ns + delay_ns,
		.kind = SIM_EVENT_LOAD,
		.node = (uint16_t)node->idx,
		.a = ++node->load.gen });
}

void
sim_load_on_up(struct sim *sim, struct sim_node *node)
{
	node->load.is_waiting = false;
	node->load.burst = 0;
	if (sim->opt.burst_every_ns && sim->is_load_on)
		arm(sim, node,
		    sim_draw_exp(&sim->rng, sim->opt.burst_every_ns));
}

void
sim_load_on_down(struct sim *sim, struct sim_node *node)
{
	(void)sim;
	node->load.gen++;
}

void
sim_load_on_writable(struct sim *sim, struct sim_node *node)
{
	if (!node->load.is_waiting)
		return;
	node->load.is_waiting = false;
	if (sim->is_load_on)
		arm(sim, node, 0);
}

void
sim_load_on_event(struct sim *sim, struct sim_node *node, uint64_t gen)
{
	if (gen != node->load.gen || node->power != SIM_ON || !sim->is_load_on)
		return;
	if (node->load.burst == 0)
		node->load.burst = (uint32_t)sim_draw_log(
		    &sim->rng, 1, sim->opt.burst_messages);
	uint64_t life = node->life;
	if (sim->opt.has_groups && rng_below(&sim->rng, 3) == 0)
		sim_group_churn(sim, node);
	while (node->load.burst > 0 && node->life == life) {
		node->load.burst--;
		if (sim_load_submit_now(sim, node))
			continue;
		node->load.is_waiting = true;
		break;
	}
	sim_node_idle(sim, node);
	if (node->life == life && !node->load.is_waiting)
		arm(sim, node,
		    sim_draw_exp(&sim->rng, sim->opt.burst_every_ns));
}

void
sim_load_before_packet(struct sim *sim, struct sim_node *node, uint32_t kind)
{
	if (sim->opt.worst_ppm == 0 || !sim->is_load_on)
		return;
	if (kind != TOTEM_PACKET_TOKEN && kind != TOTEM_PACKET_COMMIT &&
	    kind != TOTEM_PACKET_JOIN && kind != TOTEM_PACKET_HOLD_CANCEL)
		return;
	if (sim_draw_ppm(&sim->rng, sim->opt.worst_ppm))
		(void)sim_load_submit_now(sim, node);
}
