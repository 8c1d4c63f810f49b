/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstored's replica on a simulated node, with a disk and clients.
 *
 * It stands on the production ring and groups as it does in its daemon.  What
 * must hold is that of tests/unit/replica_world.h, checked as it happens.
 */
#ifndef RK_SIM_STORE_H
#define RK_SIM_STORE_H

#include <stdbool.h>
#include <stdint.h>

struct group_input;
struct group_message;
struct group_view;
struct sim;
struct sim_node;
struct totem_view;

/* A run begins; all that was is forgotten. */
void sim_store_reset(struct sim *sim);

/* The node is on: a replica begins with what its disk has, if it is not lost.
 */
void sim_store_start(struct sim *sim, struct sim_node *node, bool is_lost);

/* In the order of ringd's stream. */
void sim_store_on_view(
    struct sim *sim, struct sim_node *node, const struct totem_view *view);
void sim_store_on_group(
    struct sim *sim, struct sim_node *node, const struct group_view *view);
void sim_store_on_message(struct sim *sim, struct sim_node *node,
    const struct group_message *message);

void sim_store_on_time(struct sim *sim, struct sim_node *node);
uint64_t sim_store_deadline_ns(const struct sim_node *node);

/* It is off, for certain: somebody may say so. */
void sim_store_on_down(struct sim *sim, struct sim_node *node);
/* quorumd's verdict, if it has one. */
void sim_store_on_quorum(
    struct sim *sim, struct sim_node *node, bool is_permitted);

/* Its disk has worked for a while, and clients come. */
void sim_store_on_tick(struct sim *sim, struct sim_node *node, uint64_t life);

/* The next message to be published; false: there is none.  And: it was taken,
 * or never will be. */
bool sim_store_next(
    struct sim *sim, struct sim_node *node, struct group_input *out);
void sim_store_taken(struct sim_node *node);

/* The ring is one and quiet. */
void sim_store_end(struct sim *sim);

/* A line of what there was in all runs so far. */
void sim_store_print(void);

#endif
