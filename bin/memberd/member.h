/* SPDX-License-Identifier: BSD-3-Clause */
/* Cluster membership as a value: the ring's views in, what happened to whom
 * out.
 *
 * Inputs are ringd's records (configurations, changes of the group
 * ringkit/member, its messages), measured pauses and requests, each with the
 * time; they are those of one connection, in its order.  Outputs are event
 * lines and messages for that group.  What nodes tell each other are facts
 * that are merged: their order does not matter, nor how often they come.  See
 * DESIGN.md.
 */
#ifndef RK_MEMBER_H
#define RK_MEMBER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/parse.h"

struct arena;
struct member;
struct text;
struct word;

enum {
	MEMBER_NAME_BYTES = 64,   /* of a node, with the NUL */
	MEMBER_ADDR_BYTES = 64,   /* with the NUL */
	MEMBER_WORD_BYTES = 24,   /* a reason of ringd's, with the NUL */
	MEMBER_METHOD_BYTES = 32, /* of fencing, with the NUL */
	MEMBER_VERSION_BYTES = 32,
	MEMBER_TAGS = 32, /* of a node */
	MEMBER_TAG_NAME_MAX = 63,
	MEMBER_TAG_VALUE_MAX = 255,
	MEMBER_MESSAGE_BYTES = 16384,
	MEMBER_EVENT_BYTES = 8192, /* of any event record but `add` */
	MEMBER_NODE_BYTES = 48000, /* of any record with all of a node */
};

enum member_state {
	/* In the order in which knowledge about one incarnation wins. */
	MEMBER_ABSENT,    /* nothing is known but, perhaps, its incarnation */
	MEMBER_LOST,      /* silent: crashed, or cut off */
	MEMBER_PARTITION, /* it was, or is, alive on its own */
	MEMBER_RESTARTED, /* gone because it restarted */
	MEMBER_LEFT,      /* it said so */
	MEMBER_FENCED,    /* somebody vouches for its being stopped */
	MEMBER_PRESENT,   /* in the view: "member" */
	MEMBER_STATES
};
const char *member_state_name(enum member_state state);

/* ---- creation ---------------------------------------------------------- */

struct member_node {
	uint32_t id;
	char name[MEMBER_NAME_BYTES];
	char addr[MEMBER_ADDR_BYTES];
};

struct member_sink {
	/* "KIND key=value …", borrowed. */
	void (*event)(void *arg, const struct text *record);
	/* Request number req, asked for here, was ordered: enum
	 * member_answer. */
	void (*answer)(void *arg, uint32_t req, int answer);
	void *arg;
};

struct member_config {
	const struct member_node *nodes; /* ascending ids; copied */
	uint32_t node_count;
	uint32_t self;       /* id */
	const char *version; /* of this program */
	size_t message_max;  /* the ring's limit */
	struct member_sink sink;
};

/* cfg is copied.  NULL from a measuring arena. */
struct member *member_create(
    struct arena *arena, const struct member_config *cfg);

/* A tag that the configuration gives a node; before any input. */
void member_first_tag(struct member *m, uint32_t node, const char *name,
    const void *value, size_t len);

/* ---- inputs ------------------------------------------------------------ */

/* A configuration, as one record of ringd's tells it. */
struct member_view {
	struct parse_view view; /* that ends (transitional), or begins */
	uint32_t count;         /* members */
	uint32_t id[LIMIT_NODES];
	uint64_t inc[LIMIT_NODES];
	uint32_t joined_count;
	uint32_t joined[LIMIT_NODES];
	uint32_t left_count;
	uint32_t left[LIMIT_NODES];
	char left_why[LIMIT_NODES][MEMBER_WORD_BYTES];
	char reason[MEMBER_WORD_BYTES];
	uint64_t ms;
	bool is_transitional;
};

/*
 * Reads a record `view` or `ready` of ringd's.  false: it is not written as
 * those are.
 */
RK_MUST_CHECK bool member_read_view(struct word *word, struct member_view *out);

struct member_message {
	uint32_t node; /* who sent it: what ringd vouches for */
	uint64_t inc;
	uint32_t conn;
	struct parse_pos pos;
	const uint8_t *bytes; /* borrowed */
	size_t len;
};

enum member_input_kind {
	MEMBER_IN_CONN,  /* conn: what ringd calls this connection */
	MEMBER_IN_HEARD, /* node, inc: ringd knows this incarnation */
	MEMBER_IN_READY, /* view: the state now; what led to it is unseen */
	MEMBER_IN_VIEW,  /* view: both phases of a change */
	MEMBER_IN_GROUP, /* somebody came into the group */
	MEMBER_IN_MESSAGE,
	MEMBER_IN_PAUSE, /* ms: memberd or (is_ring) ringd stood so long */
	MEMBER_IN_LOST,  /* ringd is gone */
	MEMBER_IN_TABLE, /* table: the nodes are these from now on */
};

/* Nodes, and the tags that their configuration gives them; this node is one
 * of them (ENSURE), ids ascend. */
struct member_table {
	const struct member_node *nodes;
	uint32_t node_count;
	const struct member_table_tag {
		uint32_t node;
		const char *name, *value;
	} * tags;
	uint32_t tag_count;
};

struct member_input {
	enum member_input_kind kind;
	uint64_t now_ns; /* never decreases */
	uint32_t conn;
	uint32_t node;
	uint64_t inc;
	uint64_t ms;
	bool is_ring;
	const struct member_view *view;
	const struct member_message *message;
	const struct member_table *table;
};

/* Anything is taken; what makes no sense is counted and ignored. */
void member_step(struct member *m, const struct member_input *in);

/* ---- requests ---------------------------------------------------------- */

enum member_answer {
	MEMBER_DONE,
	MEMBER_E_NODE = 1, /* no such node */
	MEMBER_E_STALE,    /* not its last incarnation, or it is a member */
	MEMBER_E_MEMBER,   /* it is a member */
	MEMBER_E_FULL,     /* it has MEMBER_TAGS tags */
	MEMBER_E_LONG,     /* does not fit a message of the ring */
	MEMBER_E_NAME,     /* not 1 to 63 of a-z 0-9 . _ - */
};

enum member_request_kind { MEMBER_TAG, MEMBER_FENCE, MEMBER_FORGET };

struct member_request {
	enum member_request_kind kind;
	uint32_t req; /* comes back with the answer; not 0 */
	uint32_t node;
	/* MEMBER_TAG */
	const char *name;
	const void *value; /* NULL: unset */
	size_t value_len;
	/* MEMBER_FENCE */
	uint64_t inc;
	uint32_t by;
	const char *method;
};

/*
 * MEMBER_DONE: out, of MEMBER_MESSAGE_BYTES, holds the message to be ordered;
 * the sink's answer comes when it was delivered here.  Else why not.
 */
RK_MUST_CHECK int member_request(
    struct member *m, const struct member_request *request, struct text *out);

/*
 * The next message with what this node knows, into out, of
 * MEMBER_MESSAGE_BYTES; false: there is none.  Facts that could not be sent
 * are due again after the next MEMBER_IN_GROUP.
 */
bool member_publish(struct member *m, struct text *out);

/* ---- the state --------------------------------------------------------- */

/* There is a view: not before the first, nor while ringd is gone. */
bool member_is_ready(const struct member *m);

/* How many nodes there are; each is put as node=… tags=…. */
uint32_t member_node_count(const struct member *m);
void member_put_node(
    const struct member *m, uint32_t idx, uint64_t now_ns, struct text *out);

/* view=V members=1,2 coordinator=1 */
void member_put_view(const struct member *m, struct text *out);

/* The index of the node of this name or id; -1: none. */
int member_find(const struct member *m, const char *name_or_id);
uint32_t member_node_id(const struct member *m, uint32_t idx);
enum member_state member_node_state(const struct member *m, uint32_t idx);
uint64_t member_node_inc(const struct member *m, uint32_t idx);

enum member_counter {
	MEMBER_COUNT_VIEWS,
	MEMBER_COUNT_JOINS,
	MEMBER_COUNT_LEAVES,
	MEMBER_COUNT_PAUSES,
	MEMBER_COUNT_MESSAGES,
	MEMBER_COUNT_FACTS,   /* lines of messages that changed something */
	MEMBER_COUNT_REFUSED, /* lines that could not be read */
	MEMBER_COUNT_UNKNOWN, /* nodes that are not configured */
	MEMBER_COUNTERS
};
const char *member_counter_name(enum member_counter counter);
uint64_t member_count(const struct member *m, enum member_counter counter);

/* Every invariant (ENSURE), for tests. */
void member_check(const struct member *m);

#endif
