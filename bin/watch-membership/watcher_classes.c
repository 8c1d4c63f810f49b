/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/watch-membership/watcher_classes.h"

#include <string.h>

#include "libcommon/base/text.h"

const struct watcher_class watcher_classes[WATCHER_CLASSES] = {
	{ WATCHER_LOST, "quorum-lost" },
	{ WATCHER_LEAVES, "leave" },
	{ WATCHER_FENCES, "fenced" },
	{ WATCHER_JOINS, "join" },
	{ WATCHER_VIEWS, "view" },
	{ WATCHER_GAINED, "quorum-gained" },
	{ WATCHER_ANY, "any" },
};

uint32_t
watcher_class_of(const char *quorate)
{
	if (strcmp(quorate, "yes") == 0)
		return WATCHER_GAINED;
	return strcmp(quorate, "no") == 0 ? WATCHER_LOST : 0;
}

static uint64_t
inc_of(const struct watcher_nodes *nodes, uint32_t id)
{
	const struct watcher_node *node = watcher_nodes_find(nodes, id);

	return node != NULL ? node->inc : 0;
}

/* Those of a that are not, or not the same, in b. */
static void
subtract(const struct watcher_nodes *a, const struct watcher_nodes *b,
    struct hook_ids *out)
{
	out->count = 0;
	for (size_t i = 0; i < a->members.count; i++) {
		uint32_t id = a->members.id[i];

		if (!hook_ids_has(&b->members, id) ||
		    inc_of(a, id) != inc_of(b, id))
			hook_ids_add(out, id);
	}
}

void
watcher_changes(const struct watcher_nodes *before,
    const struct watcher_nodes *now, struct hook_ids *joined,
    struct hook_ids *left)
{
	subtract(now, before, joined);
	subtract(before, now, left);
}

static const char *
text_of(const char *value, const char *fallback)
{
	return *value != '\0' ? value : fallback;
}

/* A member that is one again under another incarnation was restarted. */
static const char *
fate(const struct watcher_node *before, const struct watcher_node *now)
{
	if (now == NULL)
		return "lost";
	if (!now->is_member)
		return text_of(now->state, "lost");
	return before->inc == now->inc ? "partition" : "restarted";
}

void
watcher_put_missed(const struct watcher_nodes *before,
    const struct watcher_nodes *now, uint32_t id, bool is_join,
    struct text *out)
{
	static const struct watcher_node nobody = { .id = 0 };
	const struct watcher_node *old = watcher_nodes_find(before, id);
	const struct watcher_node *new = watcher_nodes_find(now, id);
	const struct watcher_node *node;

	if (old == NULL)
		old = &nobody;
	node = is_join && new != NULL ? new : old;
	text_put(out, is_join ? "join node=" : "leave node=");
	text_put_u64(out, id);
	text_put(out, " name=");
	text_put(out, node->name);
	if (is_join) {
		text_put(out, " addr=");
		text_put(out, node->addr);
	}
	text_put(out, " inc=");
	text_put_u64(out, node->inc);
	text_put(out, is_join ? " was=" : " reason=");
	if (!is_join)
		text_put(out, fate(old, new));
	else if (old->is_member)
		text_put(out, "restarted");
	else
		text_put(out, text_of(old->state, "new"));
}
