/* SPDX-License-Identifier: BSD-3-Clause */
/* Process groups over the ring's order, as a value.
 *
 * Pure, like the core it stands on: no system call, no clock, no allocation
 * after group_create, nothing random.  The shell (or the simulator) feeds
 * inputs and after EVERY input pulls effects until group_next answers false.
 *
 * The shell's loop, after any input to the core or to this layer:
 *
 *	for (;;) {
 *		while (totem_next(t, &e))
 *			group_step(g, TOTEM e), pull and handle its effects
 *		if (!group_is_waiting(g))
 *			break;
 *		group_step(g, ROOM with totem_room_bytes of both classes)
 *		no effect: break, a TOTEM_OUT_WRITABLE will come
 *		SUBMIT, OPEN_GATE: totem_step(t, effect.core)
 *	}
 *
 * so that an effect for the core only ever exists when the core is drained.
 * PUBLISH answers with its SUBMIT at once and therefore is fed only then.
 * After each SUBMIT was stepped into the core: group_submitted.
 *
 * What the groups are is decided by delivered messages and views alone: all
 * nodes that go from one ring to the next together make the same changes at
 * the same places.  A message of the wire that makes no sense is counted and
 * ignored, at all of them.
 *
 * Exchange: in a ring with nodes that do not yet know each other's processes
 * every member submits SYNC, its own processes.  When the SYNCs of all have
 * been delivered, the groups are what they say, the gate opens, and SYNCED
 * tells the place.  A ring of nodes that all know each other needs none.
 */
#ifndef RK_GROUP_H
#define RK_GROUP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

#include "bin/ringd/totem.h"

struct arena;
struct group_layer;

enum {
	/* What a message carries beside the bytes of its client, at most:
	   the core's message_bytes_max should be larger by this. */
	GROUP_HEAD_BYTES_MAX = 256,
	GROUP_ID_BYTES_MAX = 63,
	/* Connections, with those whose exit is not yet delivered. */
	GROUP_CONNS_MAX = 4 * LIMIT_CLIENTS,
	/* Joins and leaves that are not yet delivered. */
	GROUP_OPS_MAX = 1024,
	/* Messages with if_view that are not yet delivered. */
	GROUP_CHECKED_MAX = 4096,
	/* The largest SYNC message; more processes make more of them. */
	GROUP_SYNC_BYTES_MAX = 32768,
};

/* Any bytes with a length; borrowed. */
struct group_name {
	const uint8_t *bytes;
	size_t len;
};

/* A connection to a ringd; several of one process may be in one group. */
struct group_member {
	uint32_t node;
	uint32_t conn; /* (node, conn) is the member; the rest attributes */
	uint64_t incarnation;
	uint32_t pid;
	uint32_t uid;
	uint8_t name_len;
	char name[LIMIT_CLIENT_NAME_BYTES]; /* any bytes, no NUL added */
};

enum group_reason {
	GROUP_REASON_JOIN,
	GROUP_REASON_NODEUP, /* its node came with a merge */
	GROUP_REASON_LEAVE,
	GROUP_REASON_NODEDOWN, /* its node is not in the transitional view */
	GROUP_REASON_PROCDOWN, /* its connection closed */
	GROUP_REASON_FULL,     /* a merge brought more than there is room for */
	GROUP_REASONS
};

/* A place in the order.  A change made by a view has idx 0 of the last seq
 * delivered before that view; seq 0: nothing was. */
struct group_pos {
	struct totem_ring_id ring;
	uint64_t seq;
	uint32_t idx;
	enum totem_phase phase;
};

struct group_config {
	uint32_t self;
	uint64_t incarnation;
	size_t message_bytes_max; /* the core's; at least 1024 */
	/* 0: LIMIT_GROUPS, LIMIT_GROUP_MEMBERS.  The same on all nodes. */
	uint32_t groups_max;
	uint32_t members_max; /* over all groups */
};

/* ---- inputs ------------------------------------------------------------ */

enum group_input_kind {
	GROUP_IN_TOTEM,   /* an effect of the core: DELIVER, VIEW, DROPPED;
			     others change nothing */
	GROUP_IN_ROOM,    /* the core is drained and has this room */
	GROUP_IN_OPEN,    /* a connection was accepted */
	GROUP_IN_CLOSE,   /* it is gone: leaves all its groups, procdown */
	GROUP_IN_JOIN,    /* answered by DONE or FAILED */
	GROUP_IN_LEAVE,   /* answered by DONE or FAILED */
	GROUP_IN_PUBLISH, /* answered by SUBMIT or FAILED at once; after
			     SUBMIT by DONE or FAILED */
	GROUP_INPUTS
};

struct group_input {
	enum group_input_kind kind;
	uint32_t conn; /* all but TOTEM and ROOM.  Never used twice in one
			  incarnation (ENSURE in OPEN, as far as known) */
	union {
		const struct totem_effect *totem; /* borrowed while pulled */
		struct {
			size_t client_bytes; /* totem_room_bytes of the class */
			size_t system_bytes;
		} room;
		struct {
			uint32_t pid;
			uint32_t uid;
		} open;
		struct {
			struct group_name group;
			struct group_name name; /* at most
						   LIMIT_CLIENT_NAME_BYTES */
			uint64_t cookie;
		} join;
		struct {
			struct group_name group;
			uint64_t cookie;
		} leave;
		/*
		 * The sender need not be a member.  bytes are borrowed until
		 * the SUBMIT was stepped into the core.
		 */
		struct {
			struct group_name group;
			struct group_name id; /* GROUP_ID_BYTES_MAX; travels
						 with the message */
			uint64_t cookie;      /* 0: no DONE is wanted */
			enum totem_service service;
			bool has_if_view;
			struct totem_ring_id if_view; /* nonce 0: any */
			const uint8_t *bytes;
			size_t len;
			size_t room_bytes; /* totem_room_bytes, CLIENT */
		} publish;
	};
};

/* ---- effects ----------------------------------------------------------- */

enum group_effect_kind {
	GROUP_OUT_SUBMIT,    /* the last effect of its step */
	GROUP_OUT_OPEN_GATE, /* the last effect of its step */
	GROUP_OUT_MESSAGE,
	GROUP_OUT_VIEW, /* one per changed group and change, names ascending */
	GROUP_OUT_DONE, /* stands after the MESSAGE or VIEW it made */
	GROUP_OUT_FAILED,
	GROUP_OUT_SYNCED, /* stands after the VIEWs of the exchange */
	GROUP_EFFECTS
};

enum group_failure {
	GROUP_FAIL_VIEW,       /* if_view no longer holds; never ordered */
	GROUP_FAIL_AGAIN,      /* no room: after TOTEM_OUT_WRITABLE */
	GROUP_FAIL_TOO_LONG,   /* never fits */
	GROUP_FAIL_NAME,       /* group name not 1 .. LIMIT_GROUP_NAME_BYTES,
				  client name or id too long */
	GROUP_FAIL_MEMBER,     /* JOIN: is a member, or joining */
	GROUP_FAIL_NOT_MEMBER, /* LEAVE */
	GROUP_FAIL_LEAVING,    /* JOIN, LEAVE: its leave is not delivered */
	GROUP_FAIL_FULL,       /* no room for a group, member, connection or
				  request */
	GROUP_FAILURES
};

struct group_message {
	struct group_name group;
	struct group_name id;
	uint32_t node; /* of the sender; it need not be a member */
	uint64_t incarnation;
	uint32_t conn;
	uint64_t msg_no; /* (node, incarnation, msg_no) names it for ever */
	enum totem_service service;
	struct group_pos pos;
	const uint8_t *bytes;
	size_t len;
};

struct group_change {
	const struct group_member *member;
	enum group_reason reason;
};

/* What a group became, whole.  Lists ascend by (node, conn). */
struct group_view {
	struct group_name group;
	struct group_pos pos;
	const struct group_member *const *members; /* after the change */
	size_t member_count;
	const struct group_change *joined; /* they are among members */
	size_t joined_count;
	const struct group_change *left;
	size_t left_count;
};

/* Everything pointed to is borrowed until the next call of this layer. */
struct group_effect {
	enum group_effect_kind kind;
	union {
		/* SUBMIT, OPEN_GATE: for totem_step; now_ns is not set. */
		struct totem_input core;
		struct group_message message;
		struct group_view view;
		/* conn may be closed by now. */
		struct {
			uint32_t conn;
			uint64_t cookie;
			struct group_pos pos;
		} done;
		struct {
			uint32_t conn;
			uint64_t cookie; /* of OPEN: 0 */
			enum group_failure reason;
		} failed;
		struct group_pos synced; /* its ring's exchange is complete */
	};
};

/* ---- the calls --------------------------------------------------------- */

/*
 * Takes all memory from the arena: with a measuring arena, answers NULL and
 * the arena knows the size.  cfg is copied.
 */
struct group_layer *group_create(
    struct arena *arena, const struct group_config *cfg);

void group_step(struct group_layer *g, const struct group_input *in);

/* The next effect of the last step; false when there is none left. */
bool group_next(struct group_layer *g, struct group_effect *out);

/* There is something for the core: a ROOM input may bring an effect. */
bool group_is_waiting(const struct group_layer *g);

/* The SUBMIT just stepped into the core was its message msg_no
 * (totem_last_msg_no).  Must follow every SUBMIT, before the core's effects
 * of that step are pulled (ENSURE). */
void group_submitted(struct group_layer *g, uint64_t msg_no);

/* ---- beside them ------------------------------------------------------- */

/*
 * Groups are numbered 0 .. group_total() - 1 in ascending order of their
 * names; the numbers hold until the next step.  Only when all effects are
 * pulled.
 */
size_t group_total(const struct group_layer *g);
void group_at(const struct group_layer *g, size_t i, struct group_name *out);

/*
 * Walks the members of group i in ascending order: from NULL to the first,
 * from each to the next, NULL after the last.
 */
const struct group_member *group_member_next(
    const struct group_layer *g, size_t i, const struct group_member *after);

/* true and i when somebody is in the group of that name. */
bool group_find(
    const struct group_layer *g, const struct group_name *name, size_t *i);
/* NULL when (node, conn) is not in it. */
const struct group_member *group_member_find(
    const struct group_layer *g, size_t i, uint32_t node, uint32_t conn);

/* Monotonic counters since the start. */
enum group_counter {
	GROUP_COUNT_MESSAGES,
	GROUP_COUNT_VIEWS,     /* effects, one per group and change */
	GROUP_COUNT_MALFORMED, /* delivered messages that make no sense */
	GROUP_COUNT_EARLY,    /* of clients, before the exchange was complete */
	GROUP_COUNT_GONE,     /* joins and leaves of a node that is gone */
	GROUP_COUNT_REPEATED, /* joins of members, leaves of others */
	GROUP_COUNT_REFUSED,  /* members that found no room */
	GROUP_COUNT_SYNCS_SENT,
	GROUP_COUNT_SYNCS_RECEIVED,
	GROUP_COUNT_SYNCS_STALE, /* of another ring, or not expected */
	GROUP_COUNT_EXCHANGES,   /* rings that needed one */
	GROUP_COUNT_EXCHANGES_ABORTED,
	GROUP_COUNTERS
};
uint64_t group_count(const struct group_layer *g, enum group_counter counter);
const char *group_counter_name(enum group_counter counter);

/* A snapshot for `status`. */
struct group_status {
	bool is_synced;
	struct totem_ring_id ring;
	struct totem_nodes awaited; /* whose SYNC is not complete */
	uint32_t groups;
	uint32_t members;
	uint32_t conns;
	uint32_t ops; /* joins, leaves and exits not yet delivered */
};
void group_status(const struct group_layer *g, struct group_status *out);

const char *group_reason_name(enum group_reason reason);
const char *group_failure_name(enum group_failure failure);

/* Every invariant of the whole state (ENSURE); for tests, after each step. */
void group_check(const struct group_layer *g);

#endif
