/* SPDX-License-Identifier: BSD-3-Clause */
/* The table of nodes, as the records that were told leave it.  Pure. */
#ifndef RK_WATCHER_NODES_H
#define RK_WATCHER_NODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/base/limits.h"
#include "libcommon/os/hook_ids.h"

#include "bin/watch-membership/watcher_filter.h"

struct text;

enum {
	WATCHER_NAME_BYTES = 64,
	WATCHER_WORD_BYTES = 48,
	WATCHER_TAGS_BYTES = 12288, /* a longer list of tags is left out */
	WATCHER_VIEW_BYTES = 32,
};

/* Values are kept as they were written in the record. */
struct watcher_node {
	uint32_t id;
	bool is_member, is_local;
	uint64_t inc;
	char name[WATCHER_NAME_BYTES];
	char addr[WATCHER_WORD_BYTES], state[WATCHER_WORD_BYTES];
	char version[WATCHER_WORD_BYTES];
	char tags[WATCHER_TAGS_BYTES];
};

struct watcher_nodes {
	struct hook_ids members;
	uint32_t coordinator; /* 0: not known */
	bool is_filling;      /* a snapshot is being told */
	char view[WATCHER_VIEW_BYTES];
	char quorate[WATCHER_WORD_BYTES]; /* yes, no, unknown */
	size_t count;
	struct watcher_node node[LIMIT_NODES]; /* sorted by id; last */
};

void watcher_nodes_init(struct watcher_nodes *nodes);

/* Takes in a record, leaving its lists as they were written. */
void watcher_nodes_take(
    struct watcher_nodes *nodes, enum watcher_event event, struct word *word);

/* to is as from; what is not used of it is not copied. */
void watcher_nodes_copy(
    struct watcher_nodes *to, const struct watcher_nodes *from);

const struct watcher_node *watcher_nodes_find(
    const struct watcher_nodes *nodes, uint32_t id);

/* "exists …" and a line feed for each. */
void watcher_nodes_put(const struct watcher_nodes *nodes, struct text *out);

/*
 * The members, their incarnations or the verdict are not the same, or with
 * is_all anything that was told of a node but its version.
 */
bool watcher_nodes_differ(
    const struct watcher_nodes *a, const struct watcher_nodes *b, bool is_all);

#endif
