/* SPDX-License-Identifier: BSD-3-Clause */
/* The simulated network: delay, loss, duplication, cuts, and finite queues
 * of every directed pair, and the session layer that seals datagrams. */
#ifndef RK_SIM_NET_H
#define RK_SIM_NET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

#include "bin/ringd/totem.h"

struct sim;
struct sim_node;

/* totem's kinds, and one that only the sender can tell. */
enum {
	SIM_KIND_POST = TOTEM_PACKETS, /* DATA sent after the token */
	SIM_KINDS
};

/* A sealed datagram: the envelope names the sender and its incarnation. */
struct sim_packet {
	uint8_t *bytes;
	uint32_t len;
	uint32_t refs;
	uint32_t from; /* index */
	uint32_t kind;
	uint64_t incarnation;
	uint32_t next_free;
};

struct sim_link {
	uint32_t cuts; /* reasons why nothing passes */
	uint32_t loss_ppm, dup_ppm, reorder_ppm;
	uint32_t mtu;
	uint64_t delay_ns, jitter_ns;
	uint64_t last_arrival_ns;
};

struct sim_net {
	struct sim_link link[LIMIT_NODES][LIMIT_NODES]; /* [from][to] */
	uint32_t kind_loss_ppm[SIM_KINDS];
	uint64_t kind_delay_ns[SIM_KINDS];
	uint64_t wire_free_ns[LIMIT_NODES]; /* of a sender */

	/* A scenario's say: false loses the datagram. */
	bool (*filter)(struct sim *sim, uint32_t from, uint32_t to,
	    const struct sim_packet *packet);

	struct sim_packet *packet;
	uint32_t packet_count, free_head;

	uint64_t sent, lost; /* datagrams, each receiver counted */
	uint64_t kind_sent[SIM_KINDS];
};

/* All links as the options say; no packet under way. */
void sim_net_reset(struct sim *sim);
void sim_net_fini(struct sim_net *net);

/* Every link clean and quick; what is under way still arrives. */
void sim_net_heal(struct sim *sim);

/* Copies bytes; the caller holds one reference and puts it. */
uint32_t sim_net_seal(struct sim *sim, const struct sim_node *from,
    uint32_t kind, const uint8_t *bytes, size_t len);
void sim_net_put(struct sim *sim, uint32_t packet);

/* One sealed packet on its way to one node. */
void sim_net_send(struct sim *sim, uint32_t packet, uint32_t to);

/* A copy past all faults of the network, so late. */
void sim_net_late(
    struct sim *sim, uint32_t packet, uint32_t to, uint64_t delay_ns);

void sim_net_cut(struct sim *sim, uint32_t from, uint32_t to, bool is_cut);

/* Both ways between every node of side and every other. */
void sim_net_partition(struct sim *sim, uint64_t side, bool is_cut);

#endif
