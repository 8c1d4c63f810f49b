/* SPDX-License-Identifier: BSD-3-Clause */
/* The store's rules: who may open a view, whose log, what is acknowledged.
 *
 * Functions of sets of nodes and nothing else: DESIGN.md says why they hold.
 * Sets and electorates have rising ids.
 */
#ifndef RK_KV_RULES_H
#define RK_KV_RULES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

struct kv_nodes {
	size_t count;
	uint32_t id[LIMIT_NODES];
};

/* Who votes; of none, count 0, it is no electorate. */
struct kv_electorate {
	size_t count;
	struct kv_voter {
		uint32_t id;
		uint32_t votes; /* at least 1 */
	} voter[LIMIT_NODES];
};

/* What the log says at some record of it. */
struct kv_electorates {
	struct kv_electorate now;
	struct kv_electorate next; /* count 0: no change is under way */
};

enum kv_tie { KV_TIE_NONE, KV_TIE_NODE, KV_TIE_FENCE };

/* A view's name, and the place of the group change in it. */
struct kv_epoch {
	uint64_t view_seq;
	uint32_t view_rep;
	uint64_t pos_seq;
	uint32_t pos_idx;
};

/* The end of a log: names all of it. */
struct kv_tip {
	struct kv_epoch epoch; /* of the last record */
	uint64_t index;        /* of it; 0: there is none */
};

/* Less than, equal to or greater than 0. */
int kv_epoch_compare(const struct kv_epoch *a, const struct kv_epoch *b);
/* Of two logs the higher has every acknowledged record that the lower has. */
int kv_tip_compare(const struct kv_tip *a, const struct kv_tip *b);

/* How a view stands, for rule 2. */
struct kv_standing {
	enum kv_tie tie;
	/* Whose logs are verified and were looked at: not all of the view. */
	struct kv_nodes verified;
	/* Of these: were in the epoch of the highest log, and live since. */
	struct kv_nodes lasting;
	/* Absent, and fenced in the latest incarnation known here. */
	struct kv_nodes fenced;
};
bool kv_rules_may_open(
    const struct kv_standing *standing, const struct kv_electorates *e);

/*
 * ELECT may be proposed: no other is under way, and the view could open if
 * all its members were verified.
 */
bool kv_rules_may_elect(const struct kv_standing *standing,
    const struct kv_nodes *members, const struct kv_electorates *e,
    const struct kv_electorate *next);

/*
 * A record that these have fsynced is acknowledged, and all before it.  e is
 * what the log says at that record, itself included.
 */
bool kv_rules_is_durable(const struct kv_electorates *e,
    const struct kv_nodes *members, const struct kv_nodes *synced);

#endif
