/* SPDX-License-Identifier: BSD-3-Clause */
/* Three nodes and up to three links between each two of them, each direction
 * with a delay, jitter, loss and a longest datagram of its own.  Every node
 * sends control packets to every other every 25 ms, and DATA when told to.
 */
#ifndef RK_LINK_WORLD_H
#define RK_LINK_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/link.h"

#define WORLD_MS ((uint64_t)1000000)

enum { WORLD_NODES = 3, WORLD_LINKS = 3, WORLD_FRAME = 1448 };

/* One direction of one link. */
struct world_wire {
	bool is_cut;
	uint32_t loss; /* thousandths */
	uint64_t delay_ns, jitter_ns;
	uint32_t mtu; /* 0: none */
};

struct world_node {
	struct links *links;
	void *block;
	bool is_stopped; /* what comes waits, and no timer runs */
	uint64_t incarnation;
	uint64_t counter;  /* of its datagrams */
	uint64_t clock_ns; /* what its clock is ahead of the world's */
	uint64_t sent_links[WORLD_NODES][WORLD_LINKS]; /* LINKs */
};

/* What became of the DATA from one node to another. */
struct world_data {
	uint64_t sent, came, doubled;
	uint64_t by_link[WORLD_LINKS]; /* first copies */
	uint64_t last_came_ns;
	uint64_t longest_gap_ns; /* without any since world_forget */
};

struct world {
	uint64_t now_ns;
	struct link_config cfg;
	struct world_node nodes[WORLD_NODES];
	struct world_wire wires[WORLD_NODES][WORLD_NODES][WORLD_LINKS];
	struct world_data data[WORLD_NODES][WORLD_NODES];
	uint64_t data_every_ns; /* 0: none */
	uint32_t data_bytes;
	uint64_t moves; /* effects seen, of all nodes */
	uint64_t ups, downs;
};

extern struct world world;

/* A new world of nodes that have just greeted each other. */
void world_begin(const struct link_config *cfg, uint64_t seed);
void world_end(void);
void world_run(uint64_t ms);
/* Another process takes the place of node i, and greets all. */
void world_restart(uint32_t i);
/* What a session says of a datagram recorded earlier: node to hears it on a
 * link as if sent on that. */
void world_replay(uint32_t from, uint32_t to, uint32_t link);

/* Both directions of a link between all nodes. */
void world_all(uint32_t link, struct world_wire wire);
/* What came of DATA is counted from here. */
void world_forget(void);
struct link_status world_status(uint32_t at, uint32_t peer, uint32_t link);
bool world_is_up(uint32_t at, uint32_t peer, uint32_t link);
uint8_t world_data_of(uint32_t at, uint32_t peer);

#endif
