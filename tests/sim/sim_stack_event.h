/* SPDX-License-Identifier: BSD-3-Clause */
/* What one memberd tells is consistent in itself and with its ring's views. */
#ifndef RK_SIM_STACK_EVENT_H
#define RK_SIM_STACK_EVENT_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/parse.h"

struct sim;
struct sim_node;
struct text;

struct sim_stack_events {
	bool has_view;
	struct parse_view view;    /* told last */
	uint64_t present;          /* by what was told; bits by index */
	uint64_t joined, left;     /* since that view */
	uint64_t inc[LIMIT_NODES]; /* as it was here last */
};

/* A record of memberd's, of this node. */
void sim_stack_event_told(
    struct sim *sim, struct sim_node *node, const struct text *record);

/* The ring has this regular view, and memberd was told of it. */
void sim_stack_event_view(struct sim *sim, struct sim_node *node,
    struct parse_view view, uint64_t members);

#endif
