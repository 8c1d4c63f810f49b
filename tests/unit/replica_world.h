/* SPDX-License-Identifier: BSD-3-Clause */
/* Several replicas over a model of ringd's groups, with clients and faults.
 *
 * What is modelled is virtual synchrony and no more: whoever goes from one
 * view to the next together has seen the same messages, each leaves the
 * regular phase at a place of its own, sides differ in what they saw at the
 * end.  What must hold is checked as it happens (ENSURE, with the seed told):
 *  - a record that was applied is the only one of its index, for ever;
 *  - states after the same record are equal;
 *  - revisions agree with what came before what, and so do reads with sync;
 *  - what was refused is never applied;
 *  - what clients, watchers and holders of a lock saw is what lincheck
 *    believes (tests/check/lincheck.h);
 *  - no lease is over before its time;
 *  - an epoch goes on from no log that has less than somebody whom it counts
 *    holds, in memory or on disk.  So what was acknowledged in memory is lost
 *    only with all who held it, and what was on disk never.
 */
#ifndef RK_REPLICA_WORLD_H
#define RK_REPLICA_WORLD_H

#include <stdbool.h>
#include <stdint.h>

#include "bin/cfgstored/kv_rules.h"

enum { REPLICA_WORLD_NODES = 9 };

struct replica_world {
	unsigned node_count;
	enum kv_tie tie;
	unsigned steps;
	unsigned ops;       /* of clients, in a hundred steps */
	bool has_losses;    /* of disks */
	bool has_large;     /* values that go in pieces */
	bool has_elections; /* votes change */
	bool has_voteless;  /* the last node has none */
	/* ringd may lose its numbers where the store keeps its log. */
	bool has_falling_views;
	bool is_in_memory; /* then nobody loses what was not durable, */
	bool may_lose;     /* or just that: no leases then, and no watches */
	bool is_telling;
};

struct replica_world_tally {
	uint64_t opens, oks, refused, unknown, reads, fills, reloads, lends;
	uint64_t expired, cuts, saves;
	uint64_t gaps; /* of watchers */
	uint64_t lost; /* ops that were done, in memory */
	/* By lincheck. */
	uint64_t judged, undecided, found, events, holds;
};

/*
 * Plays one game, the same for the same seed.  NULL, or a sentence: what did
 * not hold.
 */
const char *replica_world_play(const struct replica_world *world, uint64_t seed,
    struct replica_world_tally *tally);

#endif
