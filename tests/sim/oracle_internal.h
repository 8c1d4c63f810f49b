/* SPDX-License-Identifier: BSD-3-Clause */
/* What the oracle remembers of a run, for oracle*.c only.
 *
 * Everything is an index into a table that grows and is kept from run to run.
 *
 *	life      one incarnation of a node
 *	ring      a regular configuration; a seat is a member's place in it
 *	stay      one life in one ring, from its regular view to the next
 *	passage   a transitional configuration: those who go from one ring
 *		  to the next together
 *	message   what a life submitted, and where it was ordered
 *	slot      a place (seq, idx) in a ring's order that is known to exist
 *	delivery  a message at a life, chained in the order of its stay
 */
#ifndef RK_ORACLE_INTERNAL_H
#define RK_ORACLE_INTERNAL_H

#include "libcommon/base/attr.h"

#include "tests/sim/oracle.h"

#define ORACLE_NONE UINT32_MAX

/* Ordered by seq, then idx; {0, 0} is before all. */
struct oracle_position {
	uint64_t seq;
	uint32_t idx;
};

/* A member of a group, as the oracle or a life believes. */
struct oracle_seat {
	uint64_t group;
	uint64_t conn;
	uint32_t life;
};

struct oracle_seats {
	struct oracle_seat *seat;
	uint32_t count;
	uint32_t room;
	uint64_t sum; /* of the hashes of all: equal sets, equal sums */
};

struct oracle_node {
	uint32_t id;
	uint32_t life; /* the newest */
	uint64_t ring_seq_max;
};

struct oracle_life {
	uint32_t node;
	uint64_t incarnation;
	uint32_t node_idx;
	uint32_t older; /* the life before it */
	uint32_t stay;  /* where it is */
	bool is_ended;
	bool is_crashed;
	bool is_paused;
	bool is_unrecorded; /* seen in views only */
	uint64_t end_ns;
	uint64_t detect_ns;
	uint64_t last_msg_no;
	uint32_t last_message; /* that it delivered */
	uint32_t joins;        /* since its last view */

	/* Groups; see oracle_group.c. */
	struct oracle_seats own;   /* its processes, by what it delivered */
	struct oracle_seats model; /* all that its views should show */
	struct oracle_seats seen;  /* all that its views did show */
	struct oracle_known {
		uint32_t count;
		uint32_t life[LIMIT_NODES];
	} known; /* whose processes it has learned */
};

struct oracle_slot {
	struct oracle_position at;
	uint32_t message; /* NONE: only seen on the wire */
	uint32_t node;
};

struct oracle_scene {
	uint64_t hash;
	uint64_t event_no;
};

/* A sequence of group events that all who are there must see. */
struct oracle_script {
	struct oracle_scene *scene;
	uint32_t count;
	uint32_t room;
};

struct oracle_ring {
	struct totem_ring_id id;
	uint32_t member_count; /* 0: nobody has installed it */
	uint32_t life[LIMIT_NODES];
	uint32_t stay[LIMIT_NODES];
	uint32_t passage; /* the last that leads here */
	struct oracle_slot *slot;
	uint32_t slot_count;
	uint32_t slot_room;
	bool has_sync;
	struct oracle_position sync_at;
	struct oracle_script script;
};

struct oracle_passage {
	uint32_t from;
	uint32_t to;
	uint32_t older;  /* another that leads to the same ring */
	uint32_t stay;   /* the first that completed it */
	uint64_t mask;   /* seats of from */
	bool has_scenes; /* of somebody who passed: */
	bool is_synced;  /* its groups were in step, */
	uint32_t scenes; /* and so far in the ring's script */
	bool has_after;
	struct oracle_position before; /* the last delivered before it */
	struct oracle_position after;  /* the first delivered in it */
	uint64_t event_no;
	struct oracle_script script;
};

struct oracle_stay {
	uint32_t life;
	uint32_t ring;
	uint32_t seat;
	uint32_t passage; /* by which it ends; NONE while regular */
	bool is_left;     /* the next ring is installed */
	bool is_partial;  /* the record lacks something of it */
	bool is_blind;    /* the record cannot judge what it skipped */
	bool must_resync; /* the next delivery may be any, */
	bool is_lost;     /* and so may the next view */
	bool is_synced;
	uint64_t installed_ns;
	uint64_t event_no;
	struct oracle_position last;
	struct oracle_position from; /* regular deliveries are complete */
	struct oracle_position to;   /* after from, up to here */
	uint32_t hint;               /* slot after the last delivery */
	uint32_t first;              /* deliveries */
	uint32_t first_transitional;
	uint32_t newest;
	uint32_t scene; /* next in the ring's script, or the passage's */
	uint32_t snapshot_first; /* life's own processes at its start */
	uint32_t snapshot_count;
	uint32_t snapshot_all;  /* with those it keeps silent about */
	uint32_t pending_first; /* group ops that wait for the sync */
};

struct oracle_message {
	uint32_t life;
	uint64_t msg_no;
	enum totem_service service;
	enum totem_class class;
	size_t len;
	uint64_t hash;
	uint64_t submit_ns;
	uint64_t event_no;
	bool is_dropped;
	bool has_if_view;
	struct totem_ring_id if_view;
	bool has_op;
	enum oracle_op op;
	uint64_t group;
	uint64_t conn;
	uint32_t after_ring; /* where its sender was when it submitted, */
	struct oracle_position after; /* and what it had delivered there */
	uint32_t ring;                /* NONE: delivered nowhere yet */
	struct oracle_position at;
	uint32_t seat;             /* of the sender in ring */
	uint64_t delivered;        /* seats of ring */
	uint64_t regular_event_no; /* the first regular delivery, or 0 */
	uint64_t last_ns;          /* the last delivery */
};

struct oracle_delivery {
	uint32_t message;
	uint32_t next;
	uint64_t event_no;
};

struct oracle_pending {
	uint32_t life; /* that waits */
	uint32_t message;
};

struct oracle {
	unsigned options;
	uint64_t now_ns;
	uint64_t event_no;
	uint64_t delivered_total;
	uint64_t view_total;
	bool has_failed;
	struct oracle_failure failure;
	char scratch[6][64]; /* names in a failure's text */
	unsigned scratch_next;

	uint32_t node_count;
	struct oracle_node node[LIMIT_NODES];
	uint32_t node_hint;

	struct oracle_life *life;
	uint32_t life_count, life_room;
	struct oracle_ring *ring;
	uint32_t ring_count, ring_room;
	struct oracle_stay *stay;
	uint32_t stay_count, stay_room;
	struct oracle_passage *passage;
	uint32_t passage_count, passage_room;
	struct oracle_message *message;
	uint32_t message_count, message_room;
	struct oracle_delivery *delivery;
	uint32_t delivery_count, delivery_room;
	struct oracle_seat *snapshot;
	uint32_t snapshot_count, snapshot_room;
	struct oracle_pending *pending;
	uint32_t pending_count, pending_room;
	uint32_t *index; /* of messages, by (life, msg_no): open addressing */
	uint32_t index_room;
	uint32_t *sorted; /* scratch of oracle_end */
	uint32_t sorted_room;

	/* The world. */
	bool is_healed;
	bool is_calm;
	bool has_graph;
	uint64_t since_ns; /* of its last change */
	struct oracle_bounds bounds;
	struct oracle_graph graph;
};

/* ---- oracle.c: tables and words ------------------------------------------ */

/*
 * Answers items with room for at least one more than count; what is new is
 * zeroed.
 */
void *oracle_room(void *items, uint32_t *room, uint32_t count, size_t size);

/* Notes the first breach; event_no 0 is the current one.  Answers false. */
bool oracle_fail(struct oracle *o, const char *predicate, uint64_t event_no,
    const char *format, ...) RK_PRINTF(4, 5);

/* Borrowed for the text of one failure. */
const char *oracle_life_text(struct oracle *o, uint32_t life);
const char *oracle_ring_text(struct oracle *o, uint32_t ring);
const char *oracle_slot_text(
    struct oracle *o, uint32_t ring, struct oracle_position at);
const char *oracle_message_text(struct oracle *o, uint32_t message);

/* Indices, or NONE. */
uint32_t oracle_find_life(struct oracle *o, uint32_t node, uint64_t inc);
uint32_t oracle_add_life(struct oracle *o, uint32_t node, uint64_t inc);
uint32_t oracle_find_message(struct oracle *o, uint32_t life, uint64_t msg_no);
uint32_t oracle_add_message(struct oracle *o, uint32_t life, uint64_t msg_no);
/* Finds or adds. */
uint32_t oracle_ring_of(struct oracle *o, struct totem_ring_id id);
/* The seat of a life, or of a node, in a ring, or NONE. */
uint32_t oracle_seat_of(
    const struct oracle *o, const struct oracle_ring *ring, uint32_t life);
uint32_t oracle_seat_of_node(
    const struct oracle *o, const struct oracle_ring *ring, uint32_t node);

/* All three of the identity are equal. */
bool oracle_is_ring(struct totem_ring_id a, struct totem_ring_id b);

/* Less than, equal or greater than 0. */
int oracle_compare(struct oracle_position a, struct oracle_position b);

/* ---- the others: each answers false after oracle_fail ---------------------
 */

/* oracle_view.c: P3, P4, P10, P14, P16, P17, P19 */
bool oracle_on_view(
    struct oracle *o, uint32_t life, const struct totem_view *view);
/* A node that never showed its first ring is alone in it. */
bool oracle_alone(struct oracle *o, uint32_t life, struct totem_ring_id id);
bool oracle_end_views(struct oracle *o);

/* oracle_order.c: P1, P2, P5, P6, P9 */
bool oracle_on_submit(
    struct oracle *o, uint32_t life, const struct oracle_event *event);
bool oracle_on_deliver(
    struct oracle *o, uint32_t life, const struct oracle_event *event);
bool oracle_on_assigned(struct oracle *o, const struct oracle_event *event);

/* oracle_end.c: P5, P7, P8, P9, P11, P12, P13, P15 */
bool oracle_end_order(struct oracle *o);

/* oracle_group.c: P20, P21, P22 */
bool oracle_on_group(
    struct oracle *o, uint32_t life, const struct oracle_event *event);
/* Before a delivery or view, or the end: were all changes shown? */
bool oracle_group_settled(struct oracle *o, uint32_t life);
bool oracle_group_deliver(struct oracle *o, uint32_t life, uint32_t message);
bool oracle_group_transitional(struct oracle *o, uint32_t life);
/* before: the stay that ends, or NONE. */
bool oracle_group_regular(struct oracle *o, uint32_t life, uint32_t before);
void oracle_group_start(struct oracle *o, uint32_t life);
bool oracle_end_groups(struct oracle *o);

#endif
