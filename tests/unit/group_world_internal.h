/* SPDX-License-Identifier: BSD-3-Clause */
/* The inside of the world of group layers, for group_world*.c. */
#ifndef RK_GROUP_WORLD_INTERNAL_H
#define RK_GROUP_WORLD_INTERNAL_H

#include "tests/unit/group_world.h"

enum { GROUP_WORLD_RINGS = 8192, GROUP_WORLD_QUEUE = 8192 };

struct string {
	char *bytes; /* NUL at len */
	size_t len;
	size_t size;
};

struct message {
	uint32_t node;
	uint64_t incarnation;
	uint64_t msg_no;
	struct totem_input input; /* head and body are one, owned */
	uint8_t *bytes;
	size_t len;
};

struct ring {
	struct totem_ring_id id;
	uint32_t members; /* bits */
	uint64_t incarnation[GROUP_WORLD_NODES + 1];
	struct message **log;
	size_t count;
	bool is_broken; /* somebody has left it: nothing new is ordered */
	bool has_synced;
	struct string state; /* where and with what the first SYNCED came */
	struct string lines; /* what was told after it */
};

struct shadow {
	struct group_name group; /* owned */
	uint32_t node;
	uint32_t conn;
};

struct node {
	bool is_live;
	bool is_gate_open;
	uint64_t incarnation;
	uint64_t msg_no;
	struct group_layer *layer;
	void *memory;
	struct ring *ring;
	size_t at; /* delivered out of ring's log */
	enum totem_phase phase;
	bool has_synced;
	size_t lines_at; /* how far it agrees with ring's lines */
	size_t room;
	struct message *queue[GROUP_WORLD_QUEUE];
	size_t queued;
	struct string story;
	struct string told; /* in this ring, after SYNCED */
	struct shadow *shadows;
	size_t shadow_count;
};

struct group_world {
	uint32_t groups_max;
	uint32_t members_max;
	uint64_t ring_seq;
	struct node nodes[GROUP_WORLD_NODES + 1];
	struct ring *rings[GROUP_WORLD_RINGS];
	size_t ring_count;
	struct message **messages; /* all, to be freed */
	size_t message_count;
	struct string scratch;
	struct string listing;
	group_world_watch_fn watch;
	void *watch_arg;
	group_world_input_fn input;
	void *input_arg;
};

/* ---- group_world.c ----------------------------------------------------- */

/* Feeds an input of a client, and the core what comes of it. */
void group_world_ask(
    struct group_world *w, uint32_t node, const struct group_input *in);

/* ---- group_world_tell.c ------------------------------------------------ */

/* The memory that an allocation gave, or the end of the program. */
void *group_world_need(void *memory);
void group_world_append(struct string *s, const void *bytes, size_t len);
void group_world_cut(struct string *s);

/* The view follows from the one before. */
void group_world_check_view(struct node *n, const struct group_view *view);
void group_world_shadow_free(struct shadow *shadow);

/* Writes the effect down and checks it against what others told. */
void group_world_tell(
    struct group_world *w, uint32_t node, const struct group_effect *effect);

#endif
