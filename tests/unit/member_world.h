/* SPDX-License-Identifier: BSD-3-Clause */
/* Several membership cores over a ring whose changes a test decides.
 *
 * Nodes are 1 .. MEMBER_WORLD_NODES and called n1, n2, …; sets of them are
 * written as digits: "134".  After every input all invariants are checked.
 */
#ifndef RK_MEMBER_WORLD_H
#define RK_MEMBER_WORLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/memberd/member.h"

enum { MEMBER_WORLD_NODES = 5, MEMBER_WORLD_CONN = 7 };

void member_world_open(void);
void member_world_close(void);

/* A ringd and a memberd begin, in a ring of their own. */
void member_world_start(uint32_t id);

/* The same, with one tag for all nodes in its configuration. */
void member_world_start_with_tag(
    uint32_t id, const char *name, const char *value);

/* memberd alone begins anew, and finds the ring as it is. */
void member_world_restart(uint32_t id);

/* ringd begins anew, in a ring of its own, and its memberd comes back to it. */
void member_world_renew(uint32_t id);

/*
 * These nodes form a ring; whoever went from one of their old rings, went for
 * this reason of ringd's.
 */
void member_world_install(const char *nodes, const char *why);

/* All members of a ring have come into the group: they say what they know. */
void member_world_exchange(const char *nodes);

/* Time passes for all. */
void member_world_sleep(uint64_t ms);

/* An input of another kind, its time put in. */
void member_world_step(uint32_t node, struct member_input *in);

/* Delivers a message of node's to all in its ring. */
void member_world_say(uint32_t node, const char *text);

/*
 * Asks, and has it ordered at once: the answer, MEMBER_E_… included.  name,
 * value as in struct member_request; value NULL unsets.
 */
int member_world_tag(
    uint32_t at, uint32_t node, const char *name, const char *value);
int member_world_fence(uint32_t at, uint32_t node, uint64_t inc);
int member_world_forget(uint32_t at, uint32_t node);

/* The events of a node since the last call, one a line. */
const char *member_world_events(uint32_t node);

/* What at says of a node; without local=, version= and since_ms=. */
const char *member_world_node(uint32_t at, uint32_t node);

/* The last request that was answered at the node; 0: none. */
uint32_t member_world_answered(uint32_t node);

struct member *member_world_core(uint32_t node);
uint64_t member_world_inc(uint32_t node);

#endif
