/* SPDX-License-Identifier: BSD-3-Clause */
/* Turns what a run shows into the oracle's events. */
#ifndef RK_SIM_WATCH_H
#define RK_SIM_WATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/totem.h"

struct oracle_bounds;
struct oracle_event;
struct sim;
struct sim_node;

void sim_watch_reset(struct sim *sim);
void sim_watch_fini(struct sim *sim);

/* is_amnesic: its disk was lost. */
void sim_watch_start(struct sim *sim, struct sim_node *node, bool is_amnesic);
void sim_watch_stop(struct sim *sim, struct sim_node *node, bool is_leave);
/* P17: the next life that crashes must be missed in time; 0: no bound. */
void sim_watch_miss_within(struct sim *sim, uint64_t detect_ns);
void sim_watch_pause(struct sim *sim, struct sim_node *node, bool is_paused);

/* Before the core sees it. */
void sim_watch_submit(
    struct sim *sim, struct sim_node *node, const struct totem_input *in);
void sim_watch_dropped(struct sim *sim, struct sim_node *node, uint64_t msg_no);
void sim_watch_deliver(struct sim *sim, struct sim_node *node,
    const struct totem_delivery *deliver);
void sim_watch_view(
    struct sim *sim, struct sim_node *node, const struct totem_view *view);

/* Any other event of the node. */
void sim_watch_event(
    struct sim *sim, const struct sim_node *node, struct oracle_event *event);
/* A datagram of new data goes out: the messages it completes. */
void sim_watch_frame(struct sim *sim, const struct sim_node *node,
    const uint8_t *bytes, size_t len);

void sim_watch_join(struct sim *sim, struct sim_node *node);

/* The world: see oracle.h. */
void sim_watch_fault(struct sim *sim);
void sim_watch_heal(struct sim *sim, const struct oracle_bounds *bounds);
void sim_watch_calm(struct sim *sim);

/* When the world was healed, or changed: a life began, ended, stood still. */
uint64_t sim_watch_changed_ns(const struct sim *sim);

/* That is longer ago than one ring may take. */
bool sim_watch_is_late(const struct sim *sim);

/* Every accepted message of a node that still lives was delivered. */
bool sim_watch_is_drained(const struct sim *sim);

/* The predicates that need the whole run. */
void sim_watch_end(struct sim *sim);

#endif
