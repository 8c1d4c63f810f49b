/* SPDX-License-Identifier: BSD-3-Clause */
/* The nodes as the stream that left told of them: for snapshots.
 *
 * It takes every record that left and knows what an `exists` line of each node
 * would say now.  Values are kept as they were written, so that words this
 * version does not know come out as they came in.
 */
#ifndef RK_QUORUM_ROSTER_H
#define RK_QUORUM_ROSTER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/limits.h"

struct arena;
struct quorum_roster;
struct text;

enum {
	QUORUM_ROSTER_WORDS_BYTES = 48 * 1024, /* of one node */
};

/* NULL from a measuring arena. */
struct quorum_roster *quorum_roster_create(struct arena *arena);

/* Forgets everything. */
void quorum_roster_clear(struct quorum_roster *roster);

/*
 * A record: exists, leave, view and so on; other kinds do nothing.  false: it
 * has no room; the roster is then not what it should be.
 */
bool quorum_roster_apply(
    struct quorum_roster *roster, const char *record, uint64_t now_ns);

size_t quorum_roster_count(const struct quorum_roster *roster);

/* `exists node=…` of number idx, in the order of their ids. */
void quorum_roster_put(const struct quorum_roster *roster, size_t idx,
    uint64_t now_ns, struct text *out);

/* `view=… members=… coordinator=…` of the last view. */
void quorum_roster_put_view(
    const struct quorum_roster *roster, struct text *out);

/* A value of the node's `exists` line, as it was written; "" when absent. */
void quorum_roster_put_value(const struct quorum_roster *roster, uint32_t node,
    const char *key, struct text *out);

/*
 * Nobody has gone of whom it is not known that he stopped: whoever is away
 * left or was fenced.  One that memberd never saw is not known to have.
 */
bool quorum_roster_is_settled(const struct quorum_roster *roster);

#endif
