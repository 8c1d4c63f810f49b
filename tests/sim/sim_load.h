/* SPDX-License-Identifier: BSD-3-Clause */
/* Clients: messages of all sizes, in bursts, and at the worst moments. */
#ifndef RK_SIM_LOAD_H
#define RK_SIM_LOAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/totem.h"

struct sim;
struct sim_node;

struct sim_load {
	uint64_t counter; /* messages since the start of the world */
	uint64_t gen;     /* of the armed LOAD event */
	uint32_t burst;   /* messages left in this burst */
	bool is_waiting;  /* for WRITABLE */
};

/* One message now if there is room; false when there is not. */
bool sim_load_submit(struct sim *sim, struct sim_node *node, size_t len,
    enum totem_service service);

/* The bytes are those of a message that this module made. */
bool sim_load_is_filled(const uint8_t *bytes, size_t len);

/* One drawn message now, if there is room. */
bool sim_load_submit_now(struct sim *sim, struct sim_node *node);

void sim_load_on_up(struct sim *sim, struct sim_node *node);
void sim_load_on_down(struct sim *sim, struct sim_node *node);
void sim_load_on_writable(struct sim *sim, struct sim_node *node);
void sim_load_on_event(struct sim *sim, struct sim_node *node, uint64_t gen);

/* The worst moments: just before a token, a COMMIT, a JOIN is read. */
void sim_load_before_packet(
    struct sim *sim, struct sim_node *node, uint32_t kind);

#endif
