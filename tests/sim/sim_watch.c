/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_watch.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/rdbuf.h"

#include "bin/ringd/totem_wire.h"
#include "tests/sim/oracle.h"
#include "tests/sim/sim.h"
#include "tests/sim/sim_story.h"

struct sim_watch {
	struct oracle *oracle;
	struct oracle_bounds bounds;
	uint64_t detect_ns;            /* of the next crash */
	uint64_t changed_ns;           /* the world, last */
	uint64_t pending[LIMIT_NODES]; /* own messages not delivered here */
	struct totem_nodes table;
};

void
sim_watch_reset(struct sim *sim)
{
	if (sim->watch == NULL) {
		sim->watch = calloc(1, sizeof(*sim->watch));
		ENSURE(sim->watch != NULL);
		sim->watch->oracle = oracle_create(ORACLE_SUBMITS);
	}
	oracle_reset(sim->watch->oracle,
	    ORACLE_SUBMITS | (sim->opt.has_groups ? ORACLE_GROUPS : 0));
	sim->watch->detect_ns = 0;
	memset(sim->watch->pending, 0, sizeof(sim->watch->pending));
	sim->watch->table.count = sim->opt.node_count;
	memcpy(sim->watch->table.id, sim->opt.config.nodes,
	    sizeof(sim->watch->table.id));
}

void
sim_watch_fini(struct sim *sim)
{
	if (sim->watch == NULL)
		return;
	oracle_destroy(sim->watch->oracle);
	free(sim->watch);
}

static void
report(struct sim *sim, const struct oracle_failure *failure)
{
	if (failure != NULL)
		sim_fail(sim, "%s %s", failure->predicate, failure->text);
}

static bool
is_change(enum oracle_kind kind)
{
	return kind <= ORACLE_RESUME || kind == ORACLE_HEAL;
}

static void
tell(struct sim *sim, const struct sim_node *node, struct oracle_event *event)
{
	event->now_ns = sim->now_ns;
	if (is_change(event->kind))
		sim->watch->changed_ns = sim->now_ns;
	if (node != NULL) {
		event->node = node->id;
		event->incarnation = node->incarnation;
	}
	report(sim, oracle_event(sim->watch->oracle, event));
}

void
sim_watch_start(struct sim *sim, struct sim_node *node, bool is_amnesic)
{
	struct oracle_event event = { .kind = ORACLE_START };

	event.start.is_amnesic = is_amnesic;
	sim->watch->pending[node->idx] = 0;
	tell(sim, node, &event);
}

void
sim_watch_stop(struct sim *sim, struct sim_node *node, bool is_leave)
{
	struct oracle_event event = { .kind = is_leave ? ORACLE_LEAVE
						       : ORACLE_CRASH };

	sim->watch->pending[node->idx] = 0;
	if (!is_leave) {
		event.crash.detect_ns = sim->watch->detect_ns;
		sim->watch->detect_ns = 0;
	}
	tell(sim, node, &event);
}

void
sim_watch_miss_within(struct sim *sim, uint64_t detect_ns)
{
	sim->watch->detect_ns = detect_ns;
}

void
sim_watch_pause(struct sim *sim, struct sim_node *node, bool is_paused)
{
	struct oracle_event event = { .kind = is_paused ? ORACLE_PAUSE
							: ORACLE_RESUME };

	tell(sim, node, &event);
}

static uint64_t
hash_of(const void *bytes, size_t len)
{
	struct oracle_hash hash;

	oracle_hash_init(&hash);
	oracle_hash_add(&hash, bytes, len);
	return oracle_hash_end(&hash);
}

void
sim_watch_submit(
    struct sim *sim, struct sim_node *node, const struct totem_input *in)
{
	struct oracle_event event = { .kind = ORACLE_SUBMIT };
	struct oracle_hash hash;

	oracle_hash_init(&hash);
	oracle_hash_add(&hash, in->submit.head, in->submit.head_len);
	oracle_hash_add(&hash, in->submit.body, in->submit.body_len);
	event.submit.msg_no = totem_last_msg_no(node->core) + 1;
	event.submit.service = in->submit.service;
	event.submit.class = in->submit.class;
	event.submit.len = in->submit.head_len + in->submit.body_len;
	event.submit.hash = oracle_hash_end(&hash);
	sim->submitted++;
	sim->watch->pending[node->idx]++;
	sim_tell(sim, node, "submits %u/%llu %s%s%s",
	    (unsigned)event.submit.len, (unsigned long long)event.submit.msg_no,
	    in->submit.service == TOTEM_SAFE ? "safe" : "agreed",
	    in->submit.class == TOTEM_CLASS_SYSTEM ? " system" : "",
	    in->submit.has_if_view ? " if_view" : "");
	tell(sim, node, &event);
}

static void
one_less(struct sim *sim, const struct sim_node *node)
{
	uint64_t *pending = &sim->watch->pending[node->idx];

	if (*pending == 0)
		sim_fail(sim, "P2 node %u: one message too many",
		    (unsigned)node->id);
	else
		--*pending;
}

void
sim_watch_dropped(struct sim *sim, struct sim_node *node, uint64_t msg_no)
{
	struct oracle_event event = { .kind = ORACLE_DROPPED };

	sim_tell(
	    sim, node, "drops %llu: another view", (unsigned long long)msg_no);
	event.dropped_msg_no = msg_no;
	one_less(sim, node);
	tell(sim, node, &event);
}

void
sim_watch_deliver(struct sim *sim, struct sim_node *node,
    const struct totem_delivery *deliver)
{
	struct oracle_event event = { .kind = ORACLE_DELIVER };

	if (sim->story)
		sim_story_deliver(sim, node, deliver);
	event.deliver.is = deliver;
	event.deliver.hash = hash_of(deliver->bytes, deliver->len);
	sim->delivered++;
	node->delivered++;
	tell(sim, node, &event);
	if (deliver->node == node->id &&
	    deliver->incarnation == node->incarnation)
		one_less(sim, node);
}

void
sim_watch_view(
    struct sim *sim, struct sim_node *node, const struct totem_view *view)
{
	struct oracle_event event = { .kind = ORACLE_VIEW };

	if (sim->story)
		sim_story_view(sim, node, view);
	event.view = view;
	sim->views++;
	node->views += view->phase == TOTEM_PHASE_REGULAR;
	tell(sim, node, &event);
}

void
sim_watch_event(
    struct sim *sim, const struct sim_node *node, struct oracle_event *event)
{
	tell(sim, node, event);
}

void
sim_watch_frame(struct sim *sim, const struct sim_node *node,
    const uint8_t *bytes, size_t len)
{
	struct oracle_event event = { .kind = ORACLE_ASSIGNED };
	struct totem_record record;
	struct totem_frame frame;
	struct rdbuf rd;

	if (!totem_wire_get_frame(&sim->watch->table, bytes, len, &frame)) {
		sim_fail(sim, "P18 node %u sends what nobody can read",
		    (unsigned)node->id);
		return;
	}
	if (frame.flags & TOTEM_FRAME_RECOVERY)
		return;
	event.assigned.ring = frame.ring;
	event.assigned.seq = frame.seq;
	rdbuf_init(&rd, frame.body, frame.body_len);
	for (uint32_t idx = 0; rdbuf_left(&rd) > 0; idx++) {
		if (!totem_wire_get_record(&rd, &record))
			break;
		event.assigned.idx = idx;
		if (record.flags & TOTEM_RECORD_LAST)
			tell(sim, node, &event);
	}
}

void
sim_watch_join(struct sim *sim, struct sim_node *node)
{
	tell(sim, node, &(struct oracle_event){ .kind = ORACLE_JOIN });
}

void
sim_watch_fault(struct sim *sim)
{
	tell(sim, NULL, &(struct oracle_event){ .kind = ORACLE_FAULT });
}

void
sim_watch_heal(struct sim *sim, const struct oracle_bounds *bounds)
{
	struct oracle_event event = { .kind = ORACLE_HEAL };

	event.heal = *bounds;
	sim->watch->bounds = *bounds;
	tell(sim, NULL, &event);
}

void
sim_watch_calm(struct sim *sim)
{
	tell(sim, NULL, &(struct oracle_event){ .kind = ORACLE_CALM });
}

uint64_t
sim_watch_changed_ns(const struct sim *sim)
{
	return sim->watch->changed_ns;
}

bool
sim_watch_is_late(const struct sim *sim)
{
	const struct sim_watch *watch = sim->watch;

	return sim->now_ns > watch->changed_ns + watch->bounds.views_ns;
}

bool
sim_watch_is_drained(const struct sim *sim)
{
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		if (sim->node[i].power == SIM_ON && sim->watch->pending[i] > 0)
			return false;
	return true;
}

void
sim_watch_end(struct sim *sim)
{
	if (!sim_has_failed(sim))
		report(sim, oracle_end(sim->watch->oracle, sim->now_ns));
}
