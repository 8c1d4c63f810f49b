/* SPDX-License-Identifier: BSD-3-Clause */
/* The state of the group layer and what its files ask of each other. */
#ifndef RK_GROUP_INTERNAL_H
#define RK_GROUP_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bin/ringd/group.h"
#include "bin/ringd/group_table.h"
#include "bin/ringd/group_wire.h"

enum {
	GROUP_QUEUE_MAX = 2, /* effects of one step, VIEWs counted once */
	GROUP_OP_NONE = UINT16_MAX,
	GROUP_OPS = GROUP_OPS_MAX + GROUP_CONNS_MAX,
};

/*
 * A member of the installed ring.  Known: its processes here are those it
 * has itself, as all who know it agree; lost when it does not come along.
 */
struct group_peer {
	uint32_t node;
	uint64_t incarnation;
	bool is_known;
	bool is_present; /* not left behind by a transitional view */
	bool has_synced; /* its last SYNC part was delivered */
	uint32_t next_part;
};

struct group_conn {
	bool is_used;
	bool is_closed; /* kept until its exit is delivered */
	uint32_t conn;
	uint32_t pid;
	uint32_t uid;
};

enum group_op_state { GROUP_OP_FREE, GROUP_OP_QUEUED, GROUP_OP_SENT };

/* A join, leave or exit of this node on its way through the order. */
struct group_op {
	uint8_t state;
	uint8_t kind; /* enum group_wire_kind */
	uint8_t group_len;
	uint8_t name_len;
	uint16_t next; /* QUEUED: the next one to be sent */
	uint32_t conn;
	uint64_t cookie;
	uint8_t group[LIMIT_GROUP_NAME_BYTES];
	uint8_t name[LIMIT_CLIENT_NAME_BYTES];
};

/* A message with if_view on its way. */
struct group_checked {
	uint64_t msg_no;
	uint64_t cookie;
	uint32_t conn;
	bool is_open; /* neither delivered nor dropped */
};

struct group_layer {
	struct group_config cfg;

	/* Replicated: a function of what was delivered. */
	struct group_table table;
	struct group_peer peers[LIMIT_NODES]; /* ascending */
	uint32_t peer_count;
	struct group_pos pos; /* of the last delivered message */
	bool is_installed;    /* had a regular view */
	bool is_synced;

	/* Owed to the core. */
	bool is_gate_due;
	bool is_sync_due;
	bool is_submitting; /* group_submitted must come next */
	uint32_t sync_part;
	bool has_sync_cursor;
	struct group_slot sync_after; /* only its name */
	uint32_t sync_after_conn;

	/* This node's clients. */
	struct group_conn conns[GROUP_CONNS_MAX];
	struct group_op *ops; /* GROUP_OPS; the last belong to conns: exits */
	uint32_t op_count;    /* of the others, ever used */
	uint16_t op_first;    /* QUEUED */
	uint16_t op_last;
	struct group_checked *checked; /* GROUP_CHECKED_MAX, a ring */
	uint32_t checked_first;
	uint32_t checked_count;
	bool is_checked_next; /* the SUBMIT under way is one */
	struct group_checked checked_next;

	/* Effects of this step. */
	struct group_effect queue[GROUP_QUEUE_MAX];
	uint32_t queue_at;
	uint32_t queue_count;
	struct group_pos view_pos;
	size_t view_at;
	bool is_view_told; /* the group at view_at is to be settled */
	const struct group_member **view_members;
	struct group_change *view_joined;
	struct group_change *view_left;

	uint64_t counts[GROUP_COUNTERS];
	uint8_t head[GROUP_HEAD_BYTES_MAX];
	uint8_t *sync_bytes; /* GROUP_SYNC_BYTES_MAX */
};

/* ---- group.c: effects -------------------------------------------------- */

/* Appends an effect of this kind to the queue and lends it for filling in. */
struct group_effect *group_emit(
    struct group_layer *g, enum group_effect_kind kind);

/* Queues the VIEWs of all groups that have changes, told at pos. */
void group_emit_views(struct group_layer *g, struct group_pos pos);

void group_emit_done(struct group_layer *g, uint32_t conn, uint64_t cookie);
void group_emit_failed(struct group_layer *g, uint32_t conn, uint64_t cookie,
    enum group_failure reason);

/* NULL when it is not in the installed ring, or was in another life. */
struct group_peer *group_peer_find(
    struct group_layer *g, uint32_t node, uint64_t incarnation);

static inline bool
group_ring_equal(struct totem_ring_id a, struct totem_ring_id b)
{
	return a.seq == b.seq && a.rep == b.rep && a.nonce == b.nonce;
}

/* ---- group_exchange.c: views and SYNC ---------------------------------- */

void group_exchange_view(struct group_layer *g, const struct totem_view *view);
void group_exchange_sync(struct group_layer *g,
    const struct totem_delivery *delivery, const struct group_wire *wire);

/* The next part of this node's processes; false when room is too small. */
bool group_exchange_submit(struct group_layer *g, size_t room_bytes);

/* ---- group_local.c: this node's clients -------------------------------- */

void group_local_open(struct group_layer *g, const struct group_input *in);
void group_local_close(struct group_layer *g, const struct group_input *in);
void group_local_join(struct group_layer *g, const struct group_input *in);
void group_local_leave(struct group_layer *g, const struct group_input *in);
void group_local_publish(struct group_layer *g, const struct group_input *in);
void group_local_dropped(struct group_layer *g, uint64_t msg_no);

/* The first of the queued operations; false when room is too small. */
bool group_local_submit(struct group_layer *g, size_t room_bytes);

/* A message of this node was delivered.  PUB: wire->cookie is answered. */
void group_local_published(struct group_layer *g, uint64_t msg_no);
/* JOIN, LEAVE: gives the cookie of the request; false when there is none. */
bool group_local_delivered(
    struct group_layer *g, const struct group_wire *wire, uint64_t *cookie);

bool group_local_is_closed(const struct group_layer *g, uint32_t conn);
void group_local_check(const struct group_layer *g);

#endif
