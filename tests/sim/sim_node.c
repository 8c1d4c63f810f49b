/* SPDX-License-Identifier: BSD-3-Clause */
/* The shell is ringd's in small: datagrams first, then IDLE, then DEADLINE,
 * and all effects after each input. */
#include "tests/sim/sim_node.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_draw.h"
#include "tests/sim/sim_fault.h"
#include "tests/sim/sim_inside.h"
#include "tests/sim/sim_load.h"
#include "tests/sim/sim_store.h"
#include "tests/sim/sim_story.h"
#include "tests/sim/sim_watch.h"

enum { NODE_RATE_BITS = 20, NODE_EFFECTS_MAX = 200000 };

/* How long a core tries to leave with nothing left undelivered. */
#define NODE_LEAVE_NS UINT64_C(2000000000)

/* Where a wall clock stood when the simulated world began. */
#define NODE_WALL_NS UINT64_C(1700000000000000000)

uint64_t
sim_node_clock_ns(const struct sim *sim, const struct sim_node *node)
{
	uint64_t span_ns = sim->now_ns - node->true_base_ns;
	uint64_t whole = span_ns >> NODE_RATE_BITS;

	/* In two parts: after five hours the product has no room. */
	span_ns -= whole << NODE_RATE_BITS;
	return node->local_base_ns + whole * node->rate +
	    (span_ns * node->rate >> NODE_RATE_BITS);
}

/* The first moment at which the node's clock shows local_ns. */
static uint64_t
true_time(const struct sim_node *node, uint64_t local_ns)
{
	uint64_t span_ns = num_sub(local_ns, node->local_base_ns);
	uint64_t whole = span_ns / node->rate;

	span_ns -= whole * node->rate;
	return node->true_base_ns + (whole << NODE_RATE_BITS) +
	    ((span_ns << NODE_RATE_BITS) + node->rate - 1) / node->rate;
}

static uint64_t
deadline_ns(const struct sim *sim, const struct sim_node *node)
{
	uint64_t core_ns = totem_deadline_ns(node->core);

	if (sim->opt.has_stack)
		core_ns = num_min(core_ns, sim_stack_deadline_ns(node));
	if (sim->opt.has_store)
		core_ns = num_min(core_ns, sim_store_deadline_ns(node));
	return core_ns;
}

static void
arm_timer(struct sim *sim, struct sim_node *node)
{
	uint64_t local_ns = deadline_ns(sim, node);
	const uint64_t far_ns = sim_node_clock_ns(sim, node) + (1ULL << 40);

	if (local_ns > far_ns)
		local_ns = far_ns;
	uint64_t at_ns = num_max(true_time(node, local_ns), sim->now_ns);
	if (at_ns >= node->timer_at_ns)
		return;
	node->timer_at_ns = at_ns;
	if (sim->opt.late_ns)
		at_ns += sim_draw_exp(&sim->rng, sim->opt.late_ns);
	sim_push(sim,
	    (struct sim_event){ .time_ns = at_ns,
		.kind = SIM_EVENT_TIMER,
		.node = (uint16_t)node->idx,
		.a = ++node->timer_gen });
}

static void
drop_socket(struct sim *sim, struct sim_node *node)
{
	for (; node->socket_count > 0; node->socket_count--) {
		sim_net_put(sim, node->socket[node->socket_head]);
		node->socket_head = (node->socket_head + 1) % SIM_SOCKET_MAX;
	}
}

/* ---- effects ----------------------------------------------------------- */

static uint32_t
packet_kind(struct sim_node *node, const struct totem_effect *effect)
{
	enum totem_packet kind = effect->send.packet;

	if (kind == TOTEM_PACKET_TOKEN)
		node->has_sent_token = true;
	else if (kind == TOTEM_PACKET_DATA && node->has_sent_token)
		return SIM_KIND_POST;
	return kind;
}

/* Does it go to a group, which all hear, members or not? */
static bool
is_shared(const struct sim *sim, const uint8_t *bytes)
{
	return sim->opt.config.is_data_shared && bytes[0] == TOTEM_PACKET_DATA;
}

static void
overhear(struct sim *sim, const struct sim_node *node, uint32_t packet,
    const struct totem_nodes *to)
{
	for (uint32_t i = 0, at = 0; i < sim->opt.node_count; i++) {
		if (at < to->count && sim_node_idx(sim, to->id[at]) == i)
			at++;
		else if (i != node->idx)
			sim_net_send(sim, packet, i);
	}
}

static void
do_send(struct sim *sim, struct sim_node *node, const struct totem_effect *e)
{
	uint32_t packet = sim_net_seal(
	    sim, node, packet_kind(node, e), e->send.bytes, e->send.len);

	if (e->send.packet == TOTEM_PACKET_JOIN)
		sim_watch_join(sim, node);
	if (e->send.packet == TOTEM_PACKET_DATA)
		sim_watch_frame(sim, node, e->send.bytes, e->send.len);
	ENSURE(e->send.len > 0 && e->send.len <= sim->opt.config.frame_bytes);
	ENSURE(e->send.bytes[0] == e->send.packet);
	if (sim->story >= SIM_STORY_PACKETS)
		sim_story_send(sim, node, e);
	for (uint32_t i = 0; i < e->send.to->count; i++) {
		uint32_t to = sim_node_idx(sim, e->send.to->id[i]);
		if (node->crash_in > 0 && --node->crash_in == 0) {
			sim_tell(sim, node, "dies between two datagrams");
			sim_node_crash(sim, node,
			    sim_draw_ppm(&sim->rng, sim->opt.proof_ppm));
			break;
		}
		ENSURE(to != node->idx);
		sim_net_send(sim, packet, to);
	}
	if (is_shared(sim, e->send.bytes))
		overhear(sim, node, packet, e->send.to);
	sim_net_put(sim, packet);
}

static void
do_persist(struct sim *sim, struct sim_node *node, uint64_t ring_seq)
{
	uint64_t at_ns = num_max(sim->now_ns, node->persist_busy_ns) +
	    sim_draw_exp(&sim->rng, sim->opt.persist_ns);

	sim_tell(
	    sim, node, "persists ring_seq %llu", (unsigned long long)ring_seq);
	node->persist_busy_ns = at_ns;
	sim_push(sim,
	    (struct sim_event){ .time_ns = at_ns,
		.kind = SIM_EVENT_PERSISTED,
		.node = (uint16_t)node->idx,
		.a = ring_seq,
		.b = node->life });
}

static void
do_left(struct sim *sim, struct sim_node *node)
{
	uint64_t took_ns = sim_node_clock_ns(sim, node) - node->leave_ns;

	/* Who could not leave in time goes like one that died. */
	bool is_clean = took_ns < NODE_LEAVE_NS;
	sim_tell(sim, node, is_clean ? "has left" : "gives up leaving");
	node->has_left = true;
	sim_watch_stop(sim, node, is_clean);
	node->power = SIM_OFF;
	node->life++;
	drop_socket(sim, node);
	sim_load_on_down(sim, node);
	sim_fault_on_down(sim, node);
}

static void
do_effect(struct sim *sim, struct sim_node *node, const struct totem_effect *e)
{
	if (sim->is_hashing)
		sim_story_hash(sim, node, e);
	switch (e->kind) {
	case TOTEM_OUT_SEND:
		do_send(sim, node, e);
		break;
	case TOTEM_OUT_DELIVER:
	case TOTEM_OUT_VIEW:
	case TOTEM_OUT_DROPPED:
		sim_app_on_effect(sim, node, e);
		break;
	case TOTEM_OUT_PERSIST:
		do_persist(sim, node, e->persist_ring_seq);
		break;
	case TOTEM_OUT_WRITABLE:
		sim_load_on_writable(sim, node);
		break;
	case TOTEM_OUT_PAUSED:
		sim_tell(sim, node, "noticed a pause of %llu ms",
		    (unsigned long long)(e->pause_ns / 1000000));
		if (sim->opt.has_stack)
			sim_stack_on_pause(sim, node, e->pause_ns);
		break;
	case TOTEM_OUT_LEFT:
		do_left(sim, node);
		break;
	case TOTEM_OUT_TRACE:
		if (sim->story)
			sim_story_trace(sim, node, &e->trace);
		break;
	}
}

/* All effects of the last step, or of the start. */
static void
pull(struct sim *sim, struct sim_node *node)
{
	uint64_t life = node->life;
	uint32_t effects = 0;
	struct totem_effect effect;

	node->has_sent_token = false;
	while (node->life == life && totem_next(node->core, &effect)) {
		do_effect(sim, node, &effect);
		if (++effects > NODE_EFFECTS_MAX) {
			sim_fail(sim, "P18 node %u: endless effects",
			    (unsigned)node->id);
			break;
		}
	}
	if (node->life == life && sim_is_check_due(sim))
		totem_check(node->core);
}

static void
step_core(struct sim *sim, struct sim_node *node, struct totem_input *in)
{
	in->now_ns = sim_node_clock_ns(sim, node);
	node->steps++;
	totem_step(node->core, in);
	if (in->kind == TOTEM_IN_SUBMIT)
		sim_app_submitted(sim, node);
	pull(sim, node);
}

void
sim_node_settle(struct sim *sim, struct sim_node *node)
{
	struct totem_input next;
	uint64_t life = node->life;

	while (node->life == life && sim_app_next(sim, node, &next))
		step_core(sim, node, &next);
	if (node->life == life)
		arm_timer(sim, node);
}

void
sim_node_input(struct sim *sim, struct sim_node *node, struct totem_input *in)
{
	uint64_t life = node->life;

	ENSURE(node->power == SIM_ON);
	step_core(sim, node, in);
	if (node->life == life)
		sim_node_settle(sim, node);
}

/* ---- the loop's turn --------------------------------------------------- */

static bool
is_data(uint32_t kind)
{
	return kind == TOTEM_PACKET_DATA || kind == TOTEM_PACKET_DATA_RETX ||
	    kind == SIM_KIND_POST;
}

static void
read_packet(struct sim *sim, struct sim_node *node, uint32_t idx)
{
	const struct sim_packet *packet = &sim->net.packet[idx];
	const struct sim_node *from = &sim->node[packet->from];

	if (packet->incarnation < node->heard[packet->from]) {
		sim_net_put(sim, idx);
		return;
	}
	node->heard[packet->from] = packet->incarnation;
	sim_load_before_packet(sim, node, packet->kind);
	if (node->power != SIM_ON) {
		sim_net_put(sim, idx);
		return;
	}
	if (sim->story >= SIM_STORY_PACKETS)
		sim_story_receive(sim, node, packet);

	if (is_data(packet->kind) &&
	    sim_inside_is_early(node->core, packet->bytes, packet->len))
		sim_fail(sim, "P10 node %u gets messages of a ring in Recovery",
		    (unsigned)node->id);

	struct totem_input in = { .kind = TOTEM_IN_PACKET };
	in.packet.node = from->id;
	in.packet.incarnation = packet->incarnation;
	uint8_t *cell = totem_rx_cell(node->core);
	if (cell != NULL && packet->len <= sim->opt.config.frame_bytes) {
		memcpy(cell, packet->bytes, packet->len);
		in.packet.bytes = cell;
	} else {
		in.packet.bytes = packet->bytes;
	}
	in.packet.len = packet->len;
	in.packet.is_shared = is_shared(sim, packet->bytes);
	sim_node_input(sim, node, &in);
	sim_net_put(sim, idx);
}

static void
wake_at(struct sim *sim, struct sim_node *node, uint64_t at_ns)
{
	if (node->is_waking)
		return;
	node->is_waking = true;
	sim_push(sim,
	    (struct sim_event){ .time_ns = at_ns,
		.kind = SIM_EVENT_WAKE,
		.node = (uint16_t)node->idx,
		.a = ++node->wake_gen });
}

void
sim_node_idle(struct sim *sim, struct sim_node *node)
{
	if (node->power == SIM_ON && node->socket_count == 0)
		sim_node_input(
		    sim, node, &(struct totem_input){ .kind = TOTEM_IN_IDLE });
}

static void
turn(struct sim *sim, struct sim_node *node)
{
	uint32_t packets = 0;
	uint64_t life = node->life;

	if (sim->now_ns < node->busy_until_ns) {
		wake_at(sim, node, node->busy_until_ns);
		return;
	}
	while (node->life == life && node->socket_count > 0) {
		uint32_t idx = node->socket[node->socket_head];
		node->socket_head = (node->socket_head + 1) % SIM_SOCKET_MAX;
		node->socket_count--;
		packets++;
		read_packet(sim, node, idx);
	}
	if (node->life == life)
		sim_node_idle(sim, node);
	if (node->life == life &&
	    totem_deadline_ns(node->core) <= sim_node_clock_ns(sim, node))
		sim_node_input(sim, node,
		    &(struct totem_input){ .kind = TOTEM_IN_DEADLINE });
	if (node->life == life && sim->opt.has_stack) {
		sim_stack_on_time(sim, node);
		if (sim->opt.has_store)
			sim_store_on_time(sim, node);
		sim_node_settle(sim, node);
	}
	if (node->life != life)
		return;
	if (sim->opt.cpu_ns)
		node->busy_until_ns = sim->now_ns + packets * sim->opt.cpu_ns;
	arm_timer(sim, node);
}

void
sim_node_on_arrive(struct sim *sim, struct sim_node *node, uint32_t packet)
{
	if (node->power == SIM_OFF ||
	    node->socket_count >= sim->opt.socket_max) {
		sim_net_put(sim, packet);
		return;
	}
	uint32_t at =
	    (node->socket_head + node->socket_count++) % SIM_SOCKET_MAX;
	node->socket[at] = packet;
	if (node->power == SIM_ON)
		turn(sim, node);
}

void
sim_node_on_wake(struct sim *sim, struct sim_node *node, uint64_t gen)
{
	if (gen != node->wake_gen)
		return;
	node->is_waking = false;
	if (node->power == SIM_ON)
		turn(sim, node);
}

void
sim_node_on_timer(struct sim *sim, struct sim_node *node, uint64_t gen)
{
	if (gen != node->timer_gen)
		return;
	node->timer_at_ns = UINT64_MAX;
	if (node->power == SIM_ON)
		turn(sim, node);
}

void
sim_node_on_verdict(struct sim *sim, struct sim_node *node, uint32_t about,
    enum totem_verdict verdict, uint64_t incarnation)
{
	struct totem_input in = { .kind = TOTEM_IN_PEER };

	if (node->power != SIM_ON || about == node->idx)
		return;
	in.peer.node = sim->node[about].id;
	in.peer.verdict = verdict;
	in.peer.incarnation = incarnation;
	sim_node_input(sim, node, &in);
}

/* ---- power ------------------------------------------------------------- */

/* Answers whether the disk was lost. */
static bool
boot_from_disk(struct sim *sim, struct sim_node *node, struct totem_boot *boot)
{
	uint64_t wall_ns = NODE_WALL_NS + sim->now_ns;
	bool is_lost = node->disk.is_lost;

	if (is_lost) {
		node->disk.ring_seq = wall_ns / 1000000000 << 20;
		node->disk.incarnation = wall_ns;
		node->disk.is_lost = false;
	}
	node->incarnation = ++node->disk.incarnation;
	ENSURE(node->incarnation > node->incarnation_max);
	node->incarnation_max = node->incarnation;

	boot->now_ns = sim_node_clock_ns(sim, node);
	boot->incarnation = node->incarnation;
	boot->ring_seq = node->disk.ring_seq;
	boot->ring_seq_reserved = node->disk.ring_seq + sim->opt.reserve;
	boot->seed = rng_next(&sim->rng);
	node->disk.ring_seq = boot->ring_seq_reserved;
	return is_lost;
}

static void
make_core(struct sim *sim, struct sim_node *node, struct totem_boot *boot)
{
	struct totem_config cfg = sim->opt.config;
	struct arena measure;

	cfg.self = node->id;
	cfg.is_tracing = sim->is_tracing || sim->story != SIM_STORY_NONE;
	arena_init(&measure, NULL, 0);
	(void)totem_create(&measure, &cfg, boot); /* only measures */
	sim_app_start(sim, node, &measure);
	if (measure.used_bytes > node->memory_bytes) {
		free(node->memory);
		node->memory_bytes = measure.used_bytes;
		node->memory =
		    aligned_alloc(64, num_round_up(node->memory_bytes, 64));
		ENSURE(node->memory != NULL);
	}
	arena_init(&node->arena, node->memory, node->memory_bytes);
	node->core = totem_create(&node->arena, &cfg, boot);
	sim_app_start(sim, node, &node->arena);
	arena_seal(&node->arena);
}

void
sim_node_start(struct sim *sim, struct sim_node *node)
{
	struct totem_boot boot;

	ENSURE(node->power == SIM_OFF);
	drop_socket(sim, node);
	node->life++;
	node->power = SIM_ON;
	node->is_leaving = node->has_left = false;
	node->started_ns = sim->now_ns;
	node->persist_busy_ns = 0;
	node->timer_at_ns = UINT64_MAX;
	node->timer_gen++;
	node->wake_gen++;
	node->is_waking = false;
	node->busy_until_ns = 0;
	node->crash_in = 0;
	memset(node->heard, 0, sizeof(node->heard));

	bool is_amnesic = boot_from_disk(sim, node, &boot);
	make_core(sim, node, &boot);
	sim_tell(sim, node, "starts, incarnation %llu, ring_seq %llu",
	    (unsigned long long)node->incarnation,
	    (unsigned long long)boot.ring_seq);
	sim_watch_start(sim, node, is_amnesic);
	uint64_t life = node->life;
	pull(sim, node);
	if (node->life != life)
		return;
	sim_app_started(sim, node, is_amnesic);
	sim_load_on_up(sim, node);
	sim_node_input(
	    sim, node, &(struct totem_input){ .kind = TOTEM_IN_IDLE });
}

static void
send_proof(struct sim *sim, const struct sim_node *dead)
{
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		if (i == dead->idx || sim->net.link[dead->idx][i].cuts > 0)
			continue;
		uint64_t delay_ns = sim->net.link[dead->idx][i].delay_ns;
		sim_push(sim,
		    (struct sim_event){ .time_ns = sim->now_ns + delay_ns +
			    sim_draw_exp(&sim->rng, 500000),
			.kind = SIM_EVENT_VERDICT,
			.node = (uint16_t)i,
			.a = (uint64_t)dead->idx << 8 | TOTEM_PEER_PROOF,
			.b = dead->incarnation });
	}
}

void
sim_node_crash(struct sim *sim, struct sim_node *node, bool is_proven)
{
	ENSURE(node->power != SIM_OFF);
	sim_tell(sim, node, is_proven ? "crashes, proven" : "crashes");
	sim_watch_stop(sim, node, false);
	node->power = SIM_OFF;
	node->life++;
	drop_socket(sim, node);
	sim_load_on_down(sim, node);
	if (sim->opt.has_store)
		sim_store_on_down(sim, node);
	if (is_proven)
		send_proof(sim, node);
	sim_fault_on_down(sim, node);
}

void
sim_node_pause(struct sim *sim, struct sim_node *node)
{
	if (node->power != SIM_ON)
		return;
	sim_tell(sim, node, "is stopped");
	node->power = SIM_PAUSED;
	sim_watch_pause(sim, node, true);
}

void
sim_node_resume(struct sim *sim, struct sim_node *node)
{
	if (node->power != SIM_PAUSED)
		return;
	sim_tell(sim, node, "is continued");
	node->power = SIM_ON;
	sim_watch_pause(sim, node, false);
	node->busy_until_ns = 0;
	if (sim_draw_ppm(&sim->rng, 100000))
		sim_load_submit_now(sim, node);
	node->timer_at_ns = UINT64_MAX;
	if (node->power == SIM_ON)
		turn(sim, node);
	if (node->power == SIM_ON)
		sim_load_on_up(sim, node);
}

void
sim_node_leave(struct sim *sim, struct sim_node *node)
{
	if (node->power != SIM_ON || node->is_leaving)
		return;
	sim_tell(sim, node, "is told to leave");
	node->is_leaving = true;
	node->leave_ns = sim_node_clock_ns(sim, node);
	sim_node_input(
	    sim, node, &(struct totem_input){ .kind = TOTEM_IN_LEAVE });
}

bool
sim_node_is_operational(const struct sim *sim, const struct sim_node *node,
    struct totem_status *out)
{
	if (node->power != SIM_ON)
		return false;
	totem_status(node->core, sim_node_clock_ns(sim, node), out);
	return out->state == TOTEM_STATE_OPERATIONAL;
}
