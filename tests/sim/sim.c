/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/sim/sim_draw.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_watch.h"

enum { SIM_EVENTS_MAX = 20000000 };

struct sim *
sim_create(void)
{
	struct sim *sim = calloc(1, sizeof(*sim));

	ENSURE(sim != NULL);
	return sim;
}

void
sim_destroy(struct sim *sim)
{
	for (uint32_t i = 0; i < LIMIT_NODES; i++)
		free(sim->node[i].memory);
	sim_net_fini(&sim->net);
	sim_heap_fini(&sim->heap);
	sim_watch_fini(sim);
	free(sim);
}

static void
reset_clock(struct sim *sim, struct sim_node *node)
{
	const uint64_t one = 1 << 20;
	uint64_t error = sim->opt.clock_ppm * one / 1000000;

	node->rate = one - error + rng_below(&sim->rng, 2 * error + 1);
	node->true_base_ns = 0;
	node->local_base_ns = sim_draw_log(&sim->rng, 1, UINT64_C(1) << 40);
}

static void
reset_node(struct sim *sim, uint32_t idx)
{
	struct sim_node *node = &sim->node[idx];
	void *memory = node->memory;
	size_t memory_bytes = node->memory_bytes;

	*node = (struct sim_node){ .idx = idx,
		.id = sim->opt.config.nodes[idx],
		.memory = memory,
		.memory_bytes = memory_bytes };
	node->disk.ring_seq = rng_below(&sim->rng, 50);
	reset_clock(sim, node);
}

void
sim_reset(struct sim *sim, const struct sim_options *opt)
{
	ENSURE(opt->node_count >= 1 && opt->node_count <= LIMIT_NODES);
	ENSURE(opt->socket_max <= SIM_SOCKET_MAX);
	sim->opt = *opt;
	rng_init(&sim->rng, opt->seed);
	sim->now_ns = 0;
	sim->events = 0;
	sim->events_max = SIM_EVENTS_MAX;
	sim->is_load_on = false;
	sim->check_every = opt->check_every;
	sim->hash = opt->seed;
	sim->epoch = 0;
	sim->has_requests = false;
	sim->call = NULL;
	sim->failure[0] = '\0';
	sim->steps = sim->submitted = sim->delivered = sim->views = 0;
	sim_heap_clear(&sim->heap);
	sim_net_reset(sim);
	sim_watch_reset(sim);
	for (uint32_t i = 0; i < opt->node_count; i++)
		reset_node(sim, i);
	sim_store_reset(sim);
}

void
sim_push(struct sim *sim, struct sim_event event)
{
	ENSURE(event.time_ns >= sim->now_ns);
	event.tie = (uint32_t)rng_next(&sim->rng);
	sim_heap_push(&sim->heap, &event);
}

static void
on_start(struct sim *sim, struct sim_node *node, uint64_t life)
{
	if (node->life == life && node->power == SIM_OFF)
		sim_node_start(sim, node);
}

static void
on_persisted(
    struct sim *sim, struct sim_node *node, uint64_t ring_seq, uint64_t life)
{
	if (node->life != life)
		return;
	node->disk.ring_seq = num_max(node->disk.ring_seq, ring_seq);
	if (node->power == SIM_PAUSED) { /* told when it runs again */
		sim_push(sim,
		    (struct sim_event){ .time_ns = sim->now_ns + 10000000,
			.kind = SIM_EVENT_PERSISTED,
			.node = (uint16_t)node->idx,
			.a = ring_seq,
			.b = life });
		return;
	}
	struct totem_input in = { .kind = TOTEM_IN_PERSISTED };
	in.persisted_ring_seq = ring_seq;
	sim_node_input(sim, node, &in);
}

static void
dispatch(struct sim *sim, const struct sim_event *event)
{
	struct sim_node *node = &sim->node[event->node];

	switch ((enum sim_event_kind)event->kind) {
	case SIM_EVENT_ARRIVE:
		sim_node_on_arrive(sim, node, (uint32_t)event->a);
		break;
	case SIM_EVENT_WAKE:
		sim_node_on_wake(sim, node, event->a);
		break;
	case SIM_EVENT_TIMER:
		sim_node_on_timer(sim, node, event->a);
		break;
	case SIM_EVENT_PERSISTED:
		on_persisted(sim, node, event->a, event->b);
		break;
	case SIM_EVENT_LOAD:
		sim_load_on_event(sim, node, event->a);
		break;
	case SIM_EVENT_START:
		on_start(sim, node, event->a);
		break;
	case SIM_EVENT_RESUME:
		if (node->life == event->a)
			sim_node_resume(sim, node);
		break;
	case SIM_EVENT_VERDICT:
		sim_node_on_verdict(sim, node, (uint32_t)(event->a >> 8),
		    (enum totem_verdict)(event->a & 255), event->b);
		break;
	case SIM_EVENT_FAULT:
		sim_fault_begin(sim, (enum sim_fault)event->a, event->b);
		break;
	case SIM_EVENT_FAULT_END:
		sim_fault_end(sim, event->a, event->b);
		break;
	case SIM_EVENT_STORE:
		sim_store_on_tick(sim, node, event->a);
		break;
	case SIM_EVENT_CALL:
		if (sim->call)
			sim->call(sim, event->a);
		break;
	}
}

bool
sim_step(struct sim *sim)
{
	struct sim_event event;

	if (sim_has_failed(sim) || !sim_heap_pop(&sim->heap, &event))
		return false;
	ENSURE(event.time_ns >= sim->now_ns);
	sim->now_ns = event.time_ns;
	if (++sim->events > sim->events_max) {
		sim_fail(sim, "P18 more than %llu events",
		    (unsigned long long)sim->events_max);
		return false;
	}
	dispatch(sim, &event);
	return !sim_has_failed(sim);
}

void
sim_run_until(struct sim *sim, uint64_t time_ns)
{
	while (!sim_has_failed(sim) && sim->heap.count > 0 &&
	    sim->heap.slot[0].time_ns <= time_ns)
		(void)sim_step(sim);
	if (!sim_has_failed(sim))
		sim->now_ns = num_max(sim->now_ns, time_ns);
}

void
sim_fail(struct sim *sim, const char *format, ...)
{
	va_list args;

	if (sim_has_failed(sim))
		return;
	va_start(args, format);
	vsnprintf(sim->failure, sizeof(sim->failure), format, args);
	va_end(args);
	sim_tell(sim, NULL, "FAILED: %s", sim->failure);
}

bool
sim_has_failed(const struct sim *sim)
{
	return sim->failure[0] != '\0';
}

bool
sim_is_check_due(struct sim *sim)
{
	return ++sim->steps % sim->check_every == 0;
}

uint32_t
sim_node_idx(const struct sim *sim, uint32_t id)
{
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		if (sim->opt.config.nodes[i] == id)
			return i;
	ENSURE(false);
	return 0;
}
