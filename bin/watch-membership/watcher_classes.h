/* SPDX-License-Identifier: BSD-3-Clause */
/* Kinds of hooks, and what was missed between two states.  Pure. */
#ifndef RK_WATCHER_CLASSES_H
#define RK_WATCHER_CLASSES_H

#include <stdbool.h>
#include <stdint.h>

#include "bin/watch-membership/watcher_nodes.h"

enum {
	WATCHER_LOST = 1,
	WATCHER_LEAVES = 2,
	WATCHER_FENCES = 4,
	WATCHER_JOINS = 8,
	WATCHER_VIEWS = 16,
	WATCHER_GAINED = 32,
	WATCHER_ANY = 64,
	WATCHER_CLASSES = 7,
};

struct watcher_class {
	uint32_t bit;
	const char *event; /* EVENT.d */
};

/* In the order in which they are run: what must stop comes first. */
extern const struct watcher_class watcher_classes[WATCHER_CLASSES];

/* That of a verdict; 0 for unknown. */
uint32_t watcher_class_of(const char *quorate);

/*
 * Who is a member now and was not before, and the reverse.  One with another
 * incarnation is in both.
 */
void watcher_changes(const struct watcher_nodes *before,
    const struct watcher_nodes *now, struct hook_ids *joined,
    struct hook_ids *left);

/* The record of that: "leave node=2 …", without seq and ts. */
void watcher_put_missed(const struct watcher_nodes *before,
    const struct watcher_nodes *now, uint32_t id, bool is_join,
    struct text *out);

#endif
