/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_fault.h"

#include "libcommon/base/num.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_draw.h"

/* What a FAULT_END undoes: the fault, then what it was drawn to hit. */
enum { FAULT_ARG_BITS = 56 };

static uint64_t
encode(enum sim_fault fault, uint64_t arg)
{
	return (uint64_t)fault << FAULT_ARG_BITS | arg;
}

static void
arm(struct sim *sim, enum sim_fault fault)
{
	if (sim->opt.every_ns[fault] == 0)
		return;
	sim_push(sim,
	    (struct sim_event){ .time_ns = sim->now_ns +
		    sim_draw_exp(&sim->rng, sim->opt.every_ns[fault]),
		.kind = SIM_EVENT_FAULT,
		.a = fault,
		.b = sim->epoch });
}

void
sim_fault_arm(struct sim *sim)
{
	for (int i = 0; i < SIM_FAULTS; i++)
		arm(sim, (enum sim_fault)i);
}

static void
end_later(struct sim *sim, enum sim_fault fault, uint64_t arg)
{
	sim_push(sim,
	    (struct sim_event){ .time_ns = sim->now_ns +
		    sim_draw_exp(&sim->rng, sim->opt.lasts_ns[fault]),
		.kind = SIM_EVENT_FAULT_END,
		.a = encode(fault, arg),
		.b = sim->epoch });
}

static void
begin_partition(struct sim *sim)
{
	uint64_t side =
	    rng_next(&sim->rng) & ((UINT64_C(1) << sim->opt.node_count) - 1);

	sim_tell(
	    sim, NULL, "partition, one side 0x%llx", (unsigned long long)side);
	sim_net_partition(sim, side, true);
	end_later(sim, SIM_FAULT_PARTITION, side);
}

/* Two different nodes and the way from one to the other. */
static struct sim_link *
any_link(struct sim *sim, enum sim_fault fault, uint64_t *out_arg)
{
	uint32_t count = sim->opt.node_count;
	uint32_t from = (uint32_t)rng_below(&sim->rng, count);
	uint32_t to = (uint32_t)rng_below(&sim->rng, count);

	if (from == to)
		return NULL;
	*out_arg = (uint64_t)from << 8 | to;
	sim_tell(sim, NULL, "link fault %d from %u to %u", (int)fault,
	    (unsigned)sim->node[from].id, (unsigned)sim->node[to].id);
	end_later(sim, fault, *out_arg);
	return &sim->net.link[from][to];
}

static void
begin_cut_pair(struct sim *sim)
{
	uint64_t arg;

	if (any_link(sim, SIM_FAULT_CUT_PAIR, &arg) == NULL)
		return;
	sim_net_cut(sim, (uint32_t)(arg >> 8), (uint32_t)(arg & 255), true);
	sim_net_cut(sim, (uint32_t)(arg & 255), (uint32_t)(arg >> 8), true);
}

static void
begin_cut_oneway(struct sim *sim)
{
	uint64_t arg;
	struct sim_link *link = any_link(sim, SIM_FAULT_CUT_ONEWAY, &arg);

	if (link != NULL)
		link->cuts++;
}

static void
begin_loss(struct sim *sim)
{
	uint64_t arg;
	struct sim_link *link = any_link(sim, SIM_FAULT_LOSS, &arg);

	if (link != NULL)
		link->loss_ppm =
		    (uint32_t)sim_draw_range(&sim->rng, 100000, 900000);
}

static void
begin_mtu(struct sim *sim)
{
	uint64_t arg;
	struct sim_link *link = any_link(sim, SIM_FAULT_MTU, &arg);

	if (link != NULL)
		link->mtu = (uint32_t)sim_draw_range(
		    &sim->rng, 100, sim->opt.config.frame_bytes);
}

static void
begin_kind_loss(struct sim *sim)
{
	uint32_t kind = (uint32_t)sim_draw_range(&sim->rng, 1, SIM_KINDS - 1);

	sim->net.kind_loss_ppm[kind] =
	    (uint32_t)sim_draw_range(&sim->rng, 100000, 1000000);
	sim_tell(sim, NULL, "loss of packet kind %u", (unsigned)kind);
	end_later(sim, SIM_FAULT_KIND_LOSS, kind);
}

static void
begin_kind_delay(struct sim *sim)
{
	uint32_t kind = (uint32_t)sim_draw_range(&sim->rng, 1, SIM_KINDS - 1);

	sim->net.kind_delay_ns[kind] = sim_draw_log(&sim->rng, 10000, 20000000);
	sim_tell(sim, NULL, "delay of packet kind %u", (unsigned)kind);
	end_later(sim, SIM_FAULT_KIND_DELAY, kind);
}

static void
restart_later(struct sim *sim, struct sim_node *node)
{
	uint64_t down_ns = sim_draw_exp(&sim->rng, sim->opt.restart_ns);

	if (sim_draw_ppm(&sim->rng, 200000)) /* faster than detection */
		down_ns = sim_draw_exp(&sim->rng, 2000000);
	if (sim_draw_ppm(&sim->rng, sim->opt.disk_lost_ppm)) {
		sim_tell(sim, node, "loses its disk");
		node->disk.is_lost = true;
	}
	sim_push(sim,
	    (struct sim_event){ .time_ns = sim->now_ns + down_ns,
		.kind = SIM_EVENT_START,
		.node = (uint16_t)node->idx,
		.a = node->life });
}

/* Any node that runs, or NULL. */
static struct sim_node *
any_node(struct sim *sim)
{
	struct sim_node *node =
	    &sim->node[rng_below(&sim->rng, sim->opt.node_count)];

	return node->power == SIM_ON ? node : NULL;
}

static void
begin_crash(struct sim *sim)
{
	struct sim_node *node = any_node(sim);

	if (node != NULL)
		sim_node_crash(
		    sim, node, sim_draw_ppm(&sim->rng, sim->opt.proof_ppm));
}

static void
begin_crash_mid(struct sim *sim)
{
	struct sim_node *node = any_node(sim);

	if (node != NULL)
		node->crash_in = (uint32_t)sim_draw_log(&sim->rng, 1, 400);
}

static void
begin_pause(struct sim *sim)
{
	struct sim_node *node = any_node(sim);

	if (node == NULL)
		return;
	sim_node_pause(sim, node);
	sim_push(sim,
	    (struct sim_event){ .time_ns = sim->now_ns +
		    sim_draw_exp(&sim->rng, sim->opt.lasts_ns[SIM_FAULT_PAUSE]),
		.kind = SIM_EVENT_RESUME,
		.node = (uint16_t)node->idx,
		.a = node->life });
}

static void
begin_leave(struct sim *sim)
{
	struct sim_node *node = any_node(sim);

	if (node != NULL)
		sim_node_leave(sim, node);
}

static void
begin_verdict(struct sim *sim)
{
	static const enum totem_verdict verdicts[] = { TOTEM_PEER_SUSPECT,
		TOTEM_PEER_DEAD, TOTEM_PEER_LINK_DOWN, TOTEM_PEER_LINK_UP };
	enum totem_verdict verdict =
	    verdicts[rng_below(&sim->rng, ARRAY_COUNT(verdicts))];
	uint32_t about = (uint32_t)rng_below(&sim->rng, sim->opt.node_count);
	struct sim_node *node = any_node(sim);

	if (node == NULL)
		return;
	sim_tell(sim, node, "is told verdict %d on %u", (int)verdict,
	    (unsigned)sim->node[about].id);
	sim_node_on_verdict(sim, node, about, verdict, 0);
}

void
sim_fault_on_down(struct sim *sim, struct sim_node *node)
{
	if (sim->opt.restart_ns)
		restart_later(sim, node);
}

void
sim_fault_begin(struct sim *sim, enum sim_fault fault, uint64_t epoch)
{
	static void (*const begin[SIM_FAULTS])(struct sim *) = {
		[SIM_FAULT_PARTITION] = begin_partition,
		[SIM_FAULT_CUT_PAIR] = begin_cut_pair,
		[SIM_FAULT_CUT_ONEWAY] = begin_cut_oneway,
		[SIM_FAULT_LOSS] = begin_loss,
		[SIM_FAULT_KIND_LOSS] = begin_kind_loss,
		[SIM_FAULT_KIND_DELAY] = begin_kind_delay,
		[SIM_FAULT_MTU] = begin_mtu,
		[SIM_FAULT_CRASH] = begin_crash,
		[SIM_FAULT_CRASH_MID] = begin_crash_mid,
		[SIM_FAULT_PAUSE] = begin_pause,
		[SIM_FAULT_LEAVE] = begin_leave,
		[SIM_FAULT_VERDICT] = begin_verdict,
	};

	if (epoch != sim->epoch)
		return;
	begin[fault](sim);
	arm(sim, fault);
}

static void
end_link(struct sim *sim, enum sim_fault fault, uint64_t arg)
{
	uint32_t from = (uint32_t)(arg >> 8);
	uint32_t to = (uint32_t)(arg & 255);

	if (fault == SIM_FAULT_CUT_PAIR)
		sim_net_cut(sim, to, from, false);
	if (fault == SIM_FAULT_CUT_PAIR || fault == SIM_FAULT_CUT_ONEWAY)
		sim_net_cut(sim, from, to, false);
	if (fault == SIM_FAULT_LOSS)
		sim->net.link[from][to].loss_ppm = sim->opt.loss_ppm;
	if (fault == SIM_FAULT_MTU)
		sim->net.link[from][to].mtu = UINT32_MAX;
}

void
sim_fault_end(struct sim *sim, uint64_t what, uint64_t epoch)
{
	enum sim_fault fault = (enum sim_fault)(what >> FAULT_ARG_BITS);
	uint64_t arg = what & ((UINT64_C(1) << FAULT_ARG_BITS) - 1);

	if (epoch != sim->epoch)
		return;
	sim_tell(sim, NULL, "fault %d is over", (int)fault);
	if (fault == SIM_FAULT_PARTITION)
		sim_net_partition(sim, arg, false);
	else if (fault == SIM_FAULT_KIND_LOSS)
		sim->net.kind_loss_ppm[arg] = 0;
	else if (fault == SIM_FAULT_KIND_DELAY)
		sim->net.kind_delay_ns[arg] = 0;
	else
		end_link(sim, fault, arg);
}

void
sim_fault_heal(struct sim *sim)
{
	sim_tell(sim, NULL, "all faults are healed");
	sim->epoch++;
	sim_net_heal(sim);
	sim->opt.tail_ppm = 0;
	sim->opt.bandwidth = 0;
	sim->opt.late_ns = num_min(sim->opt.late_ns, 1000000);
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		struct sim_node *node = &sim->node[i];
		node->crash_in = 0;
		if (node->power == SIM_PAUSED)
			sim_node_resume(sim, node);
	}
}
