/* SPDX-License-Identifier: BSD-3-Clause */
/* What is known of the cluster from the lines of quorumd; pure.
 *
 * Everything is unknown until an answer said otherwise, and again when the
 * daemon says so or does not say anything.  Nodes keep the incarnation they
 * were last seen with: a fence record counts only for that one.
 */
#ifndef RK_KNOWN_H
#define RK_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"

struct word;

enum known_answer { KNOWN_NO, KNOWN_YES, KNOWN_UNKNOWN };

enum known_state {
	KNOWN_ABSENT, /* never seen */
	KNOWN_MEMBER,
	KNOWN_LEFT,   /* it said goodbye */
	KNOWN_LOST,   /* it did not */
	KNOWN_FENCED, /* confirmed for the incarnation that was lost */
};

enum { KNOWN_NAME_BYTES = 64 };

struct known_node {
	uint32_t id;
	char name[KNOWN_NAME_BYTES];
	enum known_state state;
	uint64_t inc;       /* last seen; 0: never */
	uint64_t armed_inc; /* when known_arm was called, or first seen */
};

struct known {
	bool is_current; /* the daemon answers, and knows itself */
	bool has_nodes;  /* the table of nodes is whole */
	enum known_answer quorate;
	bool is_settled;
	uint32_t self, coordinator; /* 0: not known, none */
	size_t member_count;
	uint32_t member[LIMIT_NODES];
	uint64_t age_ms; /* of what the last answer told, then */
	size_t node_count;
	struct known_node node[LIMIT_NODES];
};

void known_init(struct known *known);

/* The daemon is silent, away, or says that it does not know. */
void known_lose(struct known *known);

/* From now on restarts are counted. */
void known_arm(struct known *known);

/* The pairs of an answer to "quorum"; false: not one. */
RK_MUST_CHECK bool known_take_answer(struct known *known, struct word *word);

/*
 * An event of "watch".  true when it completes a change, so that what is
 * known may be judged; in between it must not be.
 */
bool known_take_event(
    struct known *known, const char *event, struct word *word);

/* A node by id or name; NULL: there is none. */
const struct known_node *known_find(
    const struct known *known, const char *node);

bool known_is_member(const struct known *known, uint32_t id);

#endif
