/* SPDX-License-Identifier: BSD-3-Clause */
/* The production group layer on a simulated node, and clients that use it. */
#ifndef RK_SIM_GROUP_H
#define RK_SIM_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/totem.h"
#include "tests/sim/sim_stack.h"

struct arena;
struct group_layer;
struct sim;
struct sim_node;

enum {
	SIM_GROUPS = 4,
	SIM_CONNS = 3,
	SIM_GROUPS_ALL = SIM_GROUPS + SIM_SERVICES, /* with the stack's */
	SIM_CONNS_ALL = SIM_CONNS + SIM_SERVICES,
};

struct sim_group {
	struct group_layer *layer;
	uint32_t conn[SIM_CONNS_ALL]; /* open ones; 0: none */
	uint32_t conn_last;
	bool is_full; /* the last request found no room */
	uint64_t synced, views, messages, failed, done;
};

void sim_group_start(
    struct sim *sim, struct sim_node *node, struct arena *arena);

void sim_group_open(struct sim *sim, struct sim_node *node);
void sim_group_submitted(struct sim_node *node);

/* A DELIVER, VIEW or DROPPED of the core. */
void sim_group_on_effect(
    struct sim *sim, struct sim_node *node, const struct totem_effect *effect);

bool sim_group_next(
    struct sim *sim, struct sim_node *node, struct totem_input *out);

/* False when there was no room.  in holds service, if_view and body. */
bool sim_group_publish(
    struct sim *sim, struct sim_node *node, struct totem_input *in);

/* Of client i (0 .. SIM_CONNS - 1) about group g (0 .. SIM_GROUPS - 1). */
void sim_group_join(
    struct sim *sim, struct sim_node *node, uint32_t client, uint32_t group);
void sim_group_leave(
    struct sim *sim, struct sim_node *node, uint32_t client, uint32_t group);
/* The client exits, and another takes its place. */
void sim_group_exit(struct sim *sim, struct sim_node *node, uint32_t client);

/* quorumd ends, and another one is there at once. */
void sim_group_restart_quorumd(struct sim *sim, struct sim_node *node);

/* The same of cfgstored. */
void sim_group_restart_store(struct sim *sim, struct sim_node *node);

/* One of these, drawn. */
void sim_group_churn(struct sim *sim, struct sim_node *node);

#endif
