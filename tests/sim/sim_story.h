/* SPDX-License-Identifier: BSD-3-Clause */
/* The narration of a run, and the hash of what it put out. */
#ifndef RK_SIM_STORY_H
#define RK_SIM_STORY_H

#include "bin/ringd/totem.h"

struct sim;
struct sim_node;
struct sim_packet;

void sim_story_send(struct sim *sim, const struct sim_node *node,
    const struct totem_effect *effect);
void sim_story_receive(struct sim *sim, const struct sim_node *node,
    const struct sim_packet *packet);
void sim_story_trace(struct sim *sim, const struct sim_node *node,
    const struct totem_trace *trace);
void sim_story_view(struct sim *sim, const struct sim_node *node,
    const struct totem_view *view);
void sim_story_deliver(struct sim *sim, const struct sim_node *node,
    const struct totem_delivery *deliver);

/* Folds time, node and everything of an effect but its traces. */
void sim_story_hash(struct sim *sim, const struct sim_node *node,
    const struct totem_effect *effect);

#endif
