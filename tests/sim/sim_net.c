/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_net.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/sim/sim.h"
#include "tests/sim/sim_draw.h"

enum { NET_PACKETS_MORE = 256 };
#define NET_NONE UINT32_MAX

/* Cells of the largest frame, so that they serve every run. */
enum { NET_CELL_BYTES = LIMIT_FRAME_BYTES_MAX };

static void
packets_grow(struct sim_net *net)
{
	uint32_t start = net->packet_count;
	uint8_t *cells = malloc((size_t)NET_PACKETS_MORE * NET_CELL_BYTES);

	net->packet_count += NET_PACKETS_MORE;
	net->packet =
	    realloc(net->packet, net->packet_count * sizeof(*net->packet));
	ENSURE(cells != NULL && net->packet != NULL);
	for (uint32_t i = start; i < net->packet_count; i++) {
		net->packet[i] = (struct sim_packet){
			.bytes = cells + (size_t)(i - start) * NET_CELL_BYTES,
			.next_free =
			    i + 1 == net->packet_count ? NET_NONE : i + 1,
		};
	}
	net->free_head = start;
}

void
sim_net_fini(struct sim_net *net)
{
	for (uint32_t i = 0; i < net->packet_count; i += NET_PACKETS_MORE)
		free(net->packet[i].bytes);
	free(net->packet);
}

static void
packets_reset(struct sim_net *net)
{
	net->free_head = net->packet_count ? 0 : NET_NONE;
	for (uint32_t i = 0; i < net->packet_count; i++) {
		net->packet[i].refs = 0;
		net->packet[i].next_free =
		    i + 1 == net->packet_count ? NET_NONE : i + 1;
	}
}

static void
link_reset(struct sim_link *link, const struct sim_options *opt)
{
	*link = (struct sim_link){
		.loss_ppm = opt->loss_ppm + opt->corrupt_ppm,
		.dup_ppm = opt->dup_ppm,
		.reorder_ppm = opt->reorder_ppm,
		.mtu = UINT32_MAX,
		.delay_ns = opt->delay_ns,
		.jitter_ns = opt->jitter_ns,
	};
}

void
sim_net_reset(struct sim *sim)
{
	struct sim_net *net = &sim->net;

	packets_reset(net);
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		for (uint32_t j = 0; j < sim->opt.node_count; j++)
			link_reset(&net->link[i][j], &sim->opt);
	memset(net->kind_loss_ppm, 0, sizeof(net->kind_loss_ppm));
	memset(net->kind_delay_ns, 0, sizeof(net->kind_delay_ns));
	memset(net->wire_free_ns, 0, sizeof(net->wire_free_ns));
	memset(net->kind_sent, 0, sizeof(net->kind_sent));
	net->filter = NULL;
	net->sent = net->lost = 0;
}

void
sim_net_heal(struct sim *sim)
{
	struct sim_net *net = &sim->net;

	memset(net->kind_loss_ppm, 0, sizeof(net->kind_loss_ppm));
	memset(net->kind_delay_ns, 0, sizeof(net->kind_delay_ns));
	net->filter = NULL;
	for (uint32_t i = 0; i < sim->opt.node_count; i++) {
		for (uint32_t j = 0; j < sim->opt.node_count; j++) {
			struct sim_link *link = &net->link[i][j];
			link->cuts = 0;
			link->loss_ppm = link->dup_ppm = 0;
			link->reorder_ppm = 0;
			link->mtu = UINT32_MAX;
		}
	}
}

uint32_t
sim_net_seal(struct sim *sim, const struct sim_node *from, uint32_t kind,
    const uint8_t *bytes, size_t len)
{
	struct sim_net *net = &sim->net;

	ENSURE(len <= NET_CELL_BYTES);
	if (net->free_head == NET_NONE)
		packets_grow(net);

	uint32_t idx = net->free_head;
	struct sim_packet *packet = &net->packet[idx];
	net->free_head = packet->next_free;
	packet->refs = 1;
	packet->len = (uint32_t)len;
	packet->from = from->idx;
	packet->kind = kind;
	packet->incarnation = from->incarnation;
	memcpy(packet->bytes, bytes, len);
	return idx;
}

void
sim_net_put(struct sim *sim, uint32_t packet)
{
	struct sim_packet *p = &sim->net.packet[packet];

	ENSURE(p->refs > 0);
	if (--p->refs > 0)
		return;
	p->next_free = sim->net.free_head;
	sim->net.free_head = packet;
}

static void
lose(struct sim *sim, const struct sim_packet *packet, uint32_t to,
    const char *why)
{
	sim->net.lost++;
	if (sim->story >= SIM_STORY_PACKETS)
		sim_tell(sim, &sim->node[packet->from], "loses %s to %u: %s",
		    packet->kind == SIM_KIND_POST
			? "post-token data"
			: totem_packet_name((enum totem_packet)packet->kind),
		    (unsigned)sim->node[to].id, why);
}

/* Why the network loses this one; NULL when it does not. */
static const char *
loss_reason(struct sim *sim, const struct sim_packet *packet, uint32_t to)
{
	struct sim_net *net = &sim->net;
	const struct sim_link *link = &net->link[packet->from][to];
	uint32_t kind = packet->kind;

	if (net->filter && !net->filter(sim, packet->from, to, packet))
		return "filter";
	if (link->cuts > 0)
		return "cut";
	if (packet->len > link->mtu)
		return "mtu";
	if (sim_draw_ppm(&sim->rng, net->kind_loss_ppm[kind]))
		return "kind";
	if (sim_draw_ppm(&sim->rng, link->loss_ppm))
		return "loss";
	return NULL;
}

/* When the wire takes the packet; false when its queue is full. */
static bool
wire_take(struct sim *sim, const struct sim_packet *packet, uint64_t *out_ns)
{
	uint64_t *free_ns = &sim->net.wire_free_ns[packet->from];
	uint64_t bandwidth = sim->opt.bandwidth;

	*out_ns = sim->now_ns;
	if (bandwidth == 0)
		return true;

	uint64_t waiting_ns = num_sub(*free_ns, sim->now_ns);
	if (waiting_ns / 1000 * bandwidth / 1000000 > sim->opt.wire_bytes)
		return false;
	*free_ns = num_max(*free_ns, sim->now_ns) +
	    (packet->len + 60) * UINT64_C(1000000000) / bandwidth;
	*out_ns = *free_ns;
	return true;
}

static void
send_copy(struct sim *sim, uint32_t idx, uint32_t to, uint64_t start_ns)
{
	struct sim_packet *packet = &sim->net.packet[idx];
	struct sim_link *link = &sim->net.link[packet->from][to];
	uint64_t at_ns =
	    start_ns + link->delay_ns + sim->net.kind_delay_ns[packet->kind];

	if (link->jitter_ns)
		at_ns += sim_draw_exp(&sim->rng, link->jitter_ns);
	if (sim_draw_ppm(&sim->rng, sim->opt.tail_ppm))
		at_ns += sim_draw_exp(&sim->rng, sim->opt.tail_ns);
	if (sim_draw_ppm(&sim->rng, link->reorder_ppm)) {
		at_ns += sim_draw_exp(&sim->rng, link->delay_ns);
	} else if (sim->net.kind_delay_ns[packet->kind] == 0) {
		at_ns = num_max(at_ns, link->last_arrival_ns + 1);
		link->last_arrival_ns = at_ns;
	}
	packet->refs++;
	sim_push(sim,
	    (struct sim_event){ .time_ns = at_ns,
		.kind = SIM_EVENT_ARRIVE,
		.node = (uint16_t)to,
		.a = idx });
}

void
sim_net_late(struct sim *sim, uint32_t packet, uint32_t to, uint64_t delay_ns)
{
	struct sim_packet *p = &sim->net.packet[packet];

	p->refs++;
	sim_push(sim,
	    (struct sim_event){ .time_ns = sim->now_ns + delay_ns +
		    sim->net.link[p->from][to].delay_ns,
		.kind = SIM_EVENT_ARRIVE,
		.node = (uint16_t)to,
		.a = packet });
}

void
sim_net_send(struct sim *sim, uint32_t packet, uint32_t to)
{
	struct sim_packet *p = &sim->net.packet[packet];
	struct sim_link *link = &sim->net.link[p->from][to];
	uint64_t start_ns;

	sim->net.sent++;
	sim->net.kind_sent[p->kind]++;
	const char *reason = loss_reason(sim, p, to);
	if (reason == NULL && !wire_take(sim, p, &start_ns))
		reason = "wire full";
	if (reason != NULL) {
		lose(sim, p, to, reason);
		return;
	}
	send_copy(sim, packet, to, start_ns);
	if (sim_draw_ppm(&sim->rng, link->dup_ppm))
		send_copy(sim, packet, to,
		    start_ns + sim_draw_exp(&sim->rng, 10 * link->delay_ns));
}

void
sim_net_cut(struct sim *sim, uint32_t from, uint32_t to, bool is_cut)
{
	struct sim_link *link = &sim->net.link[from][to];

	if (is_cut)
		link->cuts++;
	else if (link->cuts > 0)
		link->cuts--;
}

void
sim_net_partition(struct sim *sim, uint64_t side, bool is_cut)
{
	for (uint32_t i = 0; i < sim->opt.node_count; i++)
		for (uint32_t j = 0; j < sim->opt.node_count; j++)
			if ((side >> i & 1) != (side >> j & 1))
				sim_net_cut(sim, i, j, is_cut);
}
