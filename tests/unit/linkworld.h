/* SPDX-License-Identifier: BSD-3-Clause */
/* Three nodes and up to three links between each two of them, each direction
 * with a delay, jitter, loss and a longest datagram of its own.  Every node
 * sends control packets to every other every 25 ms, and DATA when told to.
 */
#ifndef RK_LINKWORLD_H
#define RK_LINKWORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/link.h"

#define LINKWORLD_MS ((uint64_t)1000000)

enum { LINKWORLD_NODES = 3, LINKWORLD_LINKS = 3, LINKWORLD_FRAME = 1448 };

/* One direction of one link. */
struct linkworld_wire {
	bool is_cut;
	uint32_t loss; /* thousandths */
	uint64_t delay_ns, jitter_ns;
	uint32_t mtu; /* 0: none */
};

struct linkworld_node {
	struct links *links;
	void *block;
	bool is_stopped; /* what comes waits, and no timer runs */
	uint64_t incarnation;
	uint64_t counter;  /* of its datagrams */
	uint64_t clock_ns; /* what its clock is ahead of the world's */
	uint64_t sent_links[LINKWORLD_NODES][LINKWORLD_LINKS]; /* LINKs */
};

/* What became of the DATA from one node to another. */
struct linkworld_data {
	uint64_t sent, came, doubled;
	uint64_t by_link[LINKWORLD_LINKS]; /* first copies */
	uint64_t last_came_ns;
	uint64_t longest_gap_ns; /* without any since linkworld_forget */
};

struct linkworld {
	uint64_t now_ns;
	struct link_config cfg;
	struct linkworld_node nodes[LINKWORLD_NODES];
	struct linkworld_wire wires[LINKWORLD_NODES][LINKWORLD_NODES]
				   [LINKWORLD_LINKS];
	struct linkworld_data data[LINKWORLD_NODES][LINKWORLD_NODES];
	uint64_t data_every_ns; /* 0: none */
	uint32_t data_bytes;
	uint64_t moves; /* effects seen, of all nodes */
	uint64_t ups, downs;
};

extern struct linkworld linkworld_now;

/* A new world of nodes that have just greeted each other. */
void linkworld_begin(const struct link_config *cfg, uint64_t seed);
void linkworld_end(void);
void linkworld_run(uint64_t ms);
/* Another process takes the place of node i, and greets all. */
void linkworld_restart(uint32_t i);
/* Node i removes the last node, which runs on, and adds it again. */
void linkworld_readmit(uint32_t i);
/* Links are other ones at all nodes; moved: at which node they are elsewhere.
 */
void linkworld_change(const struct link_change *change);
/* What a session says of a datagram recorded earlier: node to hears it on a
 * link as if sent on that. */
void linkworld_replay(uint32_t from, uint32_t to, uint32_t link);

/* Both directions of a link between all nodes. */
void linkworld_all(uint32_t link, struct linkworld_wire wire);
/* What came of DATA is counted from here. */
void linkworld_forget(void);
struct link_status linkworld_status(uint32_t at, uint32_t peer, uint32_t link);
bool linkworld_is_up(uint32_t at, uint32_t peer, uint32_t link);
uint8_t linkworld_data_of(uint32_t at, uint32_t peer);

#endif
