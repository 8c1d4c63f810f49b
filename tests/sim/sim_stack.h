/* SPDX-License-Identifier: BSD-3-Clause */
/* memberd and quorumd on a simulated node: the production cores of both, as
 * two more clients of its group layer.
 *
 * quorumd alone may end and begin anew, and operators ask for other votes.
 * What is checked as it happens: the cores' own invariants, that no two quorate
 * views are disjoint, and that what memberd tells adds up.  At the end of a
 * run: all nodes of the ring know the same members, tags and verdict, and are
 * quorate when nobody is missing.
 */
#ifndef RK_SIM_STACK_H
#define RK_SIM_STACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/parse.h"

#include "tests/sim/sim_stack_event.h"

struct arena;
struct group_input;
struct group_message;
struct group_view;
struct member;
struct quorum;
struct sim;
struct sim_node;
struct totem_view;

enum sim_service {
	SIM_SERVICE_MEMBER,
	SIM_SERVICE_QUORUM,
	SIM_SERVICE_STORE,
	SIM_SERVICES
};

enum { SIM_STACK_QUEUE = 24 };

/* A message that waits for room in the ring. */
struct sim_stack_message {
	enum sim_service service;
	bool has_if_view;
	struct parse_view if_view;
	size_t len;
	uint8_t *bytes;
};

struct sim_stack {
	struct member *member;
	struct quorum *quorum;
	uint32_t conn[SIM_SERVICES]; /* 0: not running */
	bool is_store_next;          /* the message that was asked for */
	uint32_t head, count;        /* of the queue */
	struct sim_stack_message queue[SIM_STACK_QUEUE];
	uint32_t along[LIMIT_NODES]; /* of the last transitional view */
	uint32_t along_count;
	uint32_t leaver[LIMIT_NODES];
	uint32_t leaver_count;
	struct parse_view view;
	uint64_t members; /* of the view, bits by index */
	bool is_quorate;

	/* quorumd, which may end and begin anew. */
	size_t quorum_bytes;
	char *kept; /* for this incarnation of the node */
	size_t kept_len;
	/* Its group: what changes between two views is told behind them. */
	bool is_changing, is_group_due;
	uint32_t group[LIMIT_NODES];
	size_t group_count;
	struct parse_pos group_pos;

	struct sim_stack_events events;
	uint32_t req; /* requests made so far */
};

/* What survives a crash of the node. */
struct sim_stack_disk {
	uint32_t tracked;
};

void sim_stack_start(
    struct sim *sim, struct sim_node *node, struct arena *arena);

/* The services connect and join their groups, by sim_stack_next. */
void sim_stack_open(
    struct sim *sim, struct sim_node *node, const uint32_t *conn);

/* In the order of ringd's stream. */
void sim_stack_on_view(
    struct sim *sim, struct sim_node *node, const struct totem_view *view);
void sim_stack_on_group(struct sim *sim, struct sim_node *node,
    enum sim_service service, const struct group_view *view);
void sim_stack_on_message(struct sim *sim, struct sim_node *node,
    enum sim_service service, const struct group_message *message);

/* The node's clock has come so far. */
void sim_stack_on_time(struct sim *sim, struct sim_node *node);
uint64_t sim_stack_deadline_ns(const struct sim_node *node);

/* It stood still so long. */
void sim_stack_on_pause(struct sim *sim, struct sim_node *node, uint64_t ns);

/* The next message to be published; false: there is none. */
bool sim_stack_next(
    struct sim *sim, struct sim_node *node, struct group_input *out);
/* It was taken, or will never be. */
void sim_stack_taken(struct sim_node *node);

/* Another quorumd, by this connection; what it can know was kept. */
void sim_stack_restart(struct sim *sim, struct sim_node *node, uint32_t conn);

/* Somebody sets a tag, or asks for other votes. */
void sim_stack_churn(struct sim *sim, struct sim_node *node);

/* The ring is one and quiet. */
void sim_stack_end(struct sim *sim);

#endif
