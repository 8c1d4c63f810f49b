/* SPDX-License-Identifier: BSD-3-Clause */
/* What comes next in a rotation of the keys, from what all nodes have. */
#ifndef RK_RINGKIT_ROTATE_PLAN_H
#define RK_RINGKIT_ROTATE_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"

enum { RINGKIT_ROTATE_KEYS_MAX = 16 };

/* One node's keys, as its survey says. */
struct ringkit_rotate_node {
	uint8_t active;
	uint32_t count;
	uint8_t id[RINGKIT_ROTATE_KEYS_MAX];
	uint64_t fingerprint[RINGKIT_ROTATE_KEYS_MAX];
};

struct ringkit_rotate_survey {
	uint32_t count;
	struct ringkit_rotate_node nodes[LIMIT_NODES];
};

enum ringkit_rotate_stage {
	RINGKIT_ROTATE_INSTALL, /* a new key, of that id */
	RINGKIT_ROTATE_SWITCH,
	RINGKIT_ROTATE_RETIRE,
	RINGKIT_ROTATE_REST,  /* all nodes have one and the same key */
	RINGKIT_ROTATE_STUCK, /* no stage can bring them together */
};

/*
 * "1:0123456789abcdef,2:…" of a survey; false: it is not such a list, or the
 * active is not in it.
 */
RK_MUST_CHECK bool ringkit_rotate_read(
    struct ringkit_rotate_node *node, const char *keys, uint64_t active);

/*
 * The stage that is next, and the key it is about.  Of two keys the younger is
 * the one with the id up to 127 above the other's, 1 following 255.  A survey
 * of no nodes is stuck.
 */
enum ringkit_rotate_stage ringkit_rotate_plan(
    const struct ringkit_rotate_survey *survey, uint8_t *id);

/* The id of a key to follow all that there are. */
uint8_t ringkit_rotate_next(const struct ringkit_rotate_survey *survey);

#endif
