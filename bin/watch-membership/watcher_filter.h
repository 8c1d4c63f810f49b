/* SPDX-License-Identifier: BSD-3-Clause */
/* Which records are wanted: by their event, by the node they are about. */
#ifndef RK_WATCHER_FILTER_H
#define RK_WATCHER_FILTER_H

#include <stdbool.h>
#include <stdint.h>

#include "libcommon/base/attr.h"
#include "libcommon/os/hook_ids.h"

struct word;

enum watcher_event {
	WATCHER_EXISTS,
	WATCHER_READY,
	WATCHER_LEAVE,
	WATCHER_JOIN,
	WATCHER_VIEW,
	WATCHER_QUORUM,
	WATCHER_FENCED,
	WATCHER_UPDATE,
	WATCHER_FORGET,
	WATCHER_ADD,
	WATCHER_REMOVE,
	WATCHER_PAUSE,
	WATCHER_GAP,
	WATCHER_DOWN,
	WATCHER_UP,
	WATCHER_TICK,
	WATCHER_OTHER, /* of a later version; must be last */
};

/* WATCHER_OTHER: none of ours. */
enum watcher_event watcher_event_of(const char *name);

/* A constant; of any but WATCHER_OTHER. */
const char *watcher_event_name(enum watcher_event event);

struct watcher_filter {
	uint32_t events;       /* a bit each; 0: all */
	struct hook_ids nodes; /* none: all */
};

/* Adds the events of a list; false when one is not known. */
RK_MUST_CHECK bool watcher_filter_events(
    struct watcher_filter *filter, const char *list);

/*
 * With nodes, what is told of no node does not pass, but what holds the
 * stream together: ready, gap, down, up and tick.
 */
bool watcher_filter_passes(const struct watcher_filter *filter,
    enum watcher_event event, struct word *word);

/* The same for an event of a node that has no record. */
bool watcher_filter_wants(const struct watcher_filter *filter,
    enum watcher_event event, uint32_t node);

/*
 * A thing that happened, to be counted by -n: not the state, and not that the
 * connection or the daemon is still there.
 */
bool watcher_filter_counts(enum watcher_event event);

#endif
