/* SPDX-License-Identifier: BSD-3-Clause */
/* Worlds in which who hears whom is given: connectivity graphs (P19).
 *
 * A graph is a set of ways: bit i * count + j says that what node i sends
 * reaches node j.  Rings are to be cliques of nodes that hear each other both
 * ways, to come to rest in time, and to stay.
 */
#ifndef RK_SIM_GRAPH_H
#define RK_SIM_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

struct sim;

enum { SIM_GRAPH_NODES = 8 };

struct sim_graph {
	uint32_t count; /* of nodes, at most SIM_GRAPH_NODES */
	uint64_t ways;
};

/* Both ways for each pair whose bit is set; pairs are numbered (0,1), (0,2),
 * … (1,2), … */
struct sim_graph sim_graph_symmetric(uint32_t count, uint64_t pairs);

/* All of 3 to 6 nodes. */
enum { SIM_GRAPHS = (1 << 3) + (1 << 6) + (1 << 10) + (1 << 15) };
struct sim_graph sim_graph_numbered(uint64_t number);

/* No other names of its nodes give a lower number: 205 graphs are so. */
bool sim_graph_is_first(uint64_t number);

/* What befalls a world of that graph. */
struct sim_graph_life {
	uint64_t seed;
	bool is_cut;      /* a whole ring is cut to the graph; else the nodes
			     start in it */
	uint32_t changes; /* of a few ways each, once all has come to rest */
};

/* An asymmetric graph of 3 to 6 nodes and its life, all from the seed. */
struct sim_graph sim_graph_draw(uint64_t seed, struct sim_graph_life *life);

/*
 * Lives it, to rest each time, and at last in a whole world; false, and the
 * run has failed, when a ring is no clique, comes too late, does not stay, or
 * could be one with another.
 */
bool sim_graph_run(struct sim *sim, const struct sim_graph *graph,
    const struct sim_graph_life *life);

/* The longest that any world of this process took to come to rest. */
uint64_t sim_graph_slowest_ns(void);

/* How often it took that many whole seconds; of the last, or more. */
enum { SIM_GRAPH_SECONDS = 8 };
uint64_t sim_graph_rests(uint32_t second);

#endif
