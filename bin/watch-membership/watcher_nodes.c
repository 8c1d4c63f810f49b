/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/watch-membership/watcher_nodes.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

void
watcher_nodes_init(struct watcher_nodes *nodes)
{
	memset(nodes, 0, sizeof *nodes);
	memcpy(nodes->quorate, "unknown", sizeof "unknown");
}

void
watcher_nodes_copy(struct watcher_nodes *to, const struct watcher_nodes *from)
{
	memcpy(to, from,
	    offsetof(struct watcher_nodes, node) +
		from->count * sizeof from->node[0]);
}

/* ---- values ------------------------------------------------------------ */

/* As a record would have it; what is too long is left out: half of an escape
 * is none. */
static void
keep(char *room, size_t size, const struct word_pair *pair)
{
	struct text text;

	if (pair == NULL)
		return;
	text_init(&text, room, size);
	if (pair->is_raw)
		text_put_bytes(&text, pair->value, pair->len);
	else
		text_put_value(&text, pair->value, pair->len);
	if (text.is_full)
		room[0] = '\0';
}

static const struct word_pair *
find_pair(struct word *word, const char *key)
{
	for (size_t i = 0; i < word->pair_count; i++)
		if (strcmp(word->pair[i].key, key) == 0)
			return &word->pair[i];
	return NULL;
}

static uint64_t
number(struct word *word, const char *key)
{
	const struct word_pair *pair = find_pair(word, key);
	uint64_t value = 0;

	if (pair == NULL ||
	    parse_u64(pair->value, pair->len, 0, UINT64_MAX, &value) != 0)
		return 0;
	return value;
}

/* ---- the table --------------------------------------------------------- */

const struct watcher_node *
watcher_nodes_find(const struct watcher_nodes *nodes, uint32_t id)
{
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->node[i].id == id)
			return &nodes->node[i];
	return NULL;
}

/* The node that the record is about, made if need be; NULL: none. */
static struct watcher_node *
node_of(struct watcher_nodes *nodes, struct word *word, bool is_made)
{
	uint64_t id = number(word, "node");
	size_t at = 0;

	if (id == 0 || id > LIMIT_NODE_ID_MAX)
		return NULL;
	while (at < nodes->count && nodes->node[at].id < id)
		at++;
	if (at < nodes->count && nodes->node[at].id == id)
		return &nodes->node[at];
	if (!is_made || nodes->count == LIMIT_NODES)
		return NULL;
	memmove(&nodes->node[at + 1], &nodes->node[at],
	    (nodes->count - at) * sizeof nodes->node[0]);
	memset(&nodes->node[at], 0, sizeof nodes->node[at]);
	nodes->node[at].id = (uint32_t)id;
	nodes->count++;
	return &nodes->node[at];
}

static void
drop(struct watcher_nodes *nodes, const struct watcher_node *node)
{
	size_t at = (size_t)(node - nodes->node);

	memmove(&nodes->node[at], &nodes->node[at + 1],
	    (nodes->count - at - 1) * sizeof nodes->node[0]);
	nodes->count--;
}

static void
set_state(struct watcher_node *node, const char *state)
{
	struct text text;

	text_init(&text, node->state, sizeof node->state);
	text_put(&text, state);
	node->is_member = strcmp(state, "member") == 0;
}

static void
describe(struct watcher_node *node, struct word *word)
{
	keep(node->name, sizeof node->name, find_pair(word, "name"));
	keep(node->addr, sizeof node->addr, find_pair(word, "addr"));
	keep(node->version, sizeof node->version, find_pair(word, "version"));
	keep(node->tags, sizeof node->tags, find_pair(word, "tags"));
	if (find_pair(word, "inc") != NULL)
		node->inc = number(word, "inc");
}

static void
on_exists(struct watcher_nodes *nodes, struct word *word)
{
	struct watcher_node *node;
	const struct word_pair *local = find_pair(word, "local");

	if (!nodes->is_filling)
		nodes->count = 0;
	nodes->is_filling = true;
	node = node_of(nodes, word, true);
	if (node == NULL)
		return;
	describe(node, word);
	keep(node->state, sizeof node->state, find_pair(word, "state"));
	node->is_member = strcmp(node->state, "member") == 0;
	node->is_local = local != NULL && strcmp(local->value, "yes") == 0;
}

/* ---- tags -------------------------------------------------------------- */

static void
put_items_but(struct text *out, const char *list, const char *name)
{
	size_t name_len = strlen(name);

	while (*list != '\0') {
		size_t len = strcspn(list, ",");
		bool is_it = len > name_len && list[name_len] == ':' &&
		    memcmp(list, name, name_len) == 0;

		if (!is_it) {
			if (out->len > 0)
				text_put_char(out, ',');
			text_put_bytes(out, list, len);
		}
		list += len + (list[len] == ',');
	}
}

static void
put_item(struct text *out, const char *name, const char *value)
{
	if (out->len > 0)
		text_put_char(out, ',');
	text_put(out, name);
	text_put_char(out, ':');
	for (; *value != '\0'; value++) {
		if (*value == ',')
			text_put(out, "\\0054");
		else if (*value == ':')
			text_put(out, "\\0072");
		else
			text_put_char(out, *value);
	}
}

static void
on_update(struct watcher_node *node, struct word *word)
{
	const struct word_pair *key = find_pair(word, "key");
	const struct word_pair *new = find_pair(word, "new");
	char tags[WATCHER_TAGS_BYTES], value[WATCHER_TAGS_BYTES] = "";
	struct text text;

	if (key == NULL)
		return;
	keep(value, sizeof value, new);
	if (strcmp(key->value, "version") == 0)
		keep(node->version, sizeof node->version, new);
	if (strncmp(key->value, "tag.", strlen("tag.")) != 0)
		return;
	text_init(&text, tags, sizeof tags);
	put_items_but(&text, node->tags, key->value + strlen("tag."));
	if (new != NULL)
		put_item(&text, key->value + strlen("tag."), value);
	if (!text.is_full)
		memcpy(node->tags, tags, text.len + 1);
}

/* ---- records ----------------------------------------------------------- */

static void
on_view(struct watcher_nodes *nodes, struct word *word)
{
	const struct word_pair *members = find_pair(word, "members");

	keep(nodes->view, sizeof nodes->view, find_pair(word, "view"));
	keep(nodes->quorate, sizeof nodes->quorate, find_pair(word, "quorate"));
	if (members == NULL)
		return;
	nodes->coordinator = (uint32_t)number(word, "coordinator");
	nodes->members.count = 0;
	hook_ids_add_list(&nodes->members, members->value, members->len);
}

static void
on_leave(struct watcher_node *node, struct word *word)
{
	const struct word_pair *reason = find_pair(word, "reason");

	set_state(node, reason != NULL ? reason->value : "lost");
}

static void
on_node(
    struct watcher_nodes *nodes, enum watcher_event event, struct word *word)
{
	struct watcher_node *node =
	    node_of(nodes, word, event == WATCHER_JOIN || event == WATCHER_ADD);

	if (node == NULL)
		return;
	if (event == WATCHER_JOIN) {
		describe(node, word);
		set_state(node, "member");
	} else if (event == WATCHER_LEAVE) {
		on_leave(node, word);
	} else if (event == WATCHER_FENCED) {
		set_state(node, "fenced");
	} else if (event == WATCHER_ADD) {
		describe(node, word);
		set_state(node, "absent");
	} else if (event == WATCHER_FORGET || event == WATCHER_REMOVE) {
		drop(nodes, node);
	} else if (event == WATCHER_UPDATE) {
		on_update(node, word);
	}
}

void
watcher_nodes_take(
    struct watcher_nodes *nodes, enum watcher_event event, struct word *word)
{
	static const char unknown[] = "unknown";

	if (event == WATCHER_EXISTS) {
		on_exists(nodes, word);
		return;
	}
	nodes->is_filling = false;
	if (event == WATCHER_READY || event == WATCHER_VIEW ||
	    event == WATCHER_QUORUM)
		on_view(nodes, word);
	else if (event == WATCHER_DOWN)
		memcpy(nodes->quorate, unknown, sizeof unknown);
	else
		on_node(nodes, event, word);
}

/* ---- out --------------------------------------------------------------- */

static void
put_word(struct text *out, const char *key, const char *value)
{
	if (*value == '\0')
		return;
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put(out, value);
}

void
watcher_nodes_put(const struct watcher_nodes *nodes, struct text *out)
{
	for (size_t i = 0; i < nodes->count; i++) {
		const struct watcher_node *node = &nodes->node[i];

		text_put(out, "exists node=");
		text_put_u64(out, node->id);
		put_word(out, "name", node->name);
		put_word(out, "addr", node->addr);
		put_word(out, "state", node->state);
		text_put(out, " inc=");
		text_put_u64(out, node->inc);
		put_word(out, "local", node->is_local ? "yes" : "no");
		put_word(out, "version", node->version);
		put_word(out, "tags", node->tags);
		text_put_char(out, '\n');
	}
}

static bool
nodes_differ(const struct watcher_node *a, const struct watcher_node *b)
{
	return strcmp(a->name, b->name) != 0 || strcmp(a->addr, b->addr) != 0 ||
	    strcmp(a->state, b->state) != 0 || strcmp(a->tags, b->tags) != 0;
}

static bool
members_differ(const struct watcher_nodes *a, const struct watcher_nodes *b)
{
	for (size_t i = 0; i < a->members.count; i++) {
		uint32_t id = a->members.id[i];
		const struct watcher_node *in_a = watcher_nodes_find(a, id);
		const struct watcher_node *in_b = watcher_nodes_find(b, id);

		if (id != b->members.id[i] ||
		    (in_a != NULL ? in_a->inc : 0) !=
			(in_b != NULL ? in_b->inc : 0))
			return true;
	}
	return false;
}

bool
watcher_nodes_differ(
    const struct watcher_nodes *a, const struct watcher_nodes *b, bool is_all)
{
	if (a->members.count != b->members.count ||
	    strcmp(a->quorate, b->quorate) != 0 || members_differ(a, b))
		return true;
	if (!is_all)
		return false;
	if (a->count != b->count)
		return true;
	for (size_t i = 0; i < a->count; i++)
		if (a->node[i].id != b->node[i].id ||
		    nodes_differ(&a->node[i], &b->node[i]))
			return true;
	return false;
}
