/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/watch-membership/watcher_filter.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"

enum {
	ALWAYS = 1 << WATCHER_READY | 1 << WATCHER_GAP | 1 << WATCHER_DOWN |
	    1 << WATCHER_UP | 1 << WATCHER_TICK,
	NEVER_COUNTED = 1 << WATCHER_EXISTS | 1 << WATCHER_READY |
	    1 << WATCHER_UP | 1 << WATCHER_TICK
};

static const char *const event_names[WATCHER_OTHER] = {
	[WATCHER_EXISTS] = "exists",
	[WATCHER_READY] = "ready",
	[WATCHER_LEAVE] = "leave",
	[WATCHER_JOIN] = "join",
	[WATCHER_VIEW] = "view",
	[WATCHER_QUORUM] = "quorum",
	[WATCHER_FENCED] = "fenced",
	[WATCHER_UPDATE] = "update",
	[WATCHER_FORGET] = "forget",
	[WATCHER_ADD] = "add",
	[WATCHER_REMOVE] = "remove",
	[WATCHER_PAUSE] = "pause",
	[WATCHER_GAP] = "gap",
	[WATCHER_DOWN] = "down",
	[WATCHER_UP] = "up",
	[WATCHER_TICK] = "tick",
};

static enum watcher_event
find(const char *name, size_t len)
{
	int i = 0;

	while (i < WATCHER_OTHER &&
	    (strlen(event_names[i]) != len ||
		memcmp(event_names[i], name, len) != 0))
		i++;
	return (enum watcher_event)i;
}

enum watcher_event
watcher_event_of(const char *name)
{
	return find(name, strlen(name));
}

const char *
watcher_event_name(enum watcher_event event)
{
	return event_names[event];
}

bool
watcher_filter_events(struct watcher_filter *filter, const char *list)
{
	do {
		size_t len = strcspn(list, ",");
		enum watcher_event event = find(list, len);

		if (event == WATCHER_OTHER)
			return false;
		filter->events |= 1U << event;
		list += len;
	} while (*list++ != '\0');
	return true;
}

/* One of the nodes is in the list of that name. */
static bool
is_listed(const struct hook_ids *nodes, struct word *word, const char *key)
{
	const struct word_pair *pair = word_get_raw(word, key);
	struct hook_ids listed = { .count = 0 };

	if (pair == NULL)
		return false;
	hook_ids_add_list(&listed, pair->value, pair->len);
	for (size_t i = 0; i < nodes->count; i++)
		if (hook_ids_has(&listed, nodes->id[i]))
			return true;
	return false;
}

bool
watcher_filter_passes(const struct watcher_filter *filter,
    enum watcher_event event, struct word *word)
{
	const struct hook_ids *nodes = &filter->nodes;
	const struct word_pair *node;
	uint32_t id;

	if (filter->events != 0 && (filter->events & 1U << event) == 0)
		return false;
	if (nodes->count == 0 || (ALWAYS & 1U << event) != 0)
		return true;
	if (event == WATCHER_VIEW)
		return is_listed(nodes, word, "joined") ||
		    is_listed(nodes, word, "left");
	node = word_get(word, "node");
	return node != NULL &&
	    parse_node_id(node->value, node->len, &id) == 0 &&
	    hook_ids_has(nodes, id);
}

bool
watcher_filter_wants(const struct watcher_filter *filter,
    enum watcher_event event, uint32_t node)
{
	return (filter->events == 0 || (filter->events & 1U << event) != 0) &&
	    (filter->nodes.count == 0 || hook_ids_has(&filter->nodes, node));
}

bool
watcher_filter_counts(enum watcher_event event)
{
	return (NEVER_COUNTED & 1U << event) == 0;
}
