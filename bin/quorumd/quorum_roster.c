/* SPDX-License-Identifier: BSD-3-Clause */
/* A node is the words of its `exists` line; a change replaces one of them.
 *
 * The words are short and changes rare, so each change writes the line anew.
 */
#include "bin/quorumd/quorum_roster.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"

enum { VIEW_BYTES = 4096 };

struct node {
	uint32_t id;
	uint32_t generation; /* of the snapshot that told of it */
	uint64_t since_ns;   /* of its state */
	char *words;         /* ended by a NUL */
};

struct quorum_roster {
	struct node nodes[LIMIT_NODES]; /* ascending ids */
	size_t count;
	uint32_t generation;
	char view[VIEW_BYTES];
	char scratch[QUORUM_ROSTER_WORDS_BYTES];
	char list[QUORUM_ROSTER_WORDS_BYTES]; /* of tags */
};

/* Bytes of a record. */
struct span {
	const char *bytes; /* NULL: there is none */
	size_t len;
};

struct quorum_roster *
quorum_roster_create(struct arena *arena)
{
	struct quorum_roster *roster = arena_take(arena, sizeof *roster);
	char *words =
	    arena_take(arena, (size_t)LIMIT_NODES * QUORUM_ROSTER_WORDS_BYTES);

	if (roster == NULL)
		return NULL;
	roster->count = 0;
	roster->generation = 0;
	roster->view[0] = '\0';
	for (size_t i = 0; i < LIMIT_NODES; i++)
		roster->nodes[i] = (struct node){ .words = words +
			    i * QUORUM_ROSTER_WORDS_BYTES };
	return roster;
}

void
quorum_roster_clear(struct quorum_roster *roster)
{
	roster->count = 0;
	roster->view[0] = '\0';
}

/* ---- words ------------------------------------------------------------- */

/* The next word behind *at; false at the end. */
static bool
take_word(const char **at, struct span *out)
{
	const char *blank;

	while (**at == ' ')
		++*at;
	blank = strchr(*at, ' ');
	out->bytes = *at;
	out->len = blank != NULL ? (size_t)(blank - *at) : strlen(*at);
	*at += out->len;
	return out->len > 0;
}

static bool
has_key(struct span word, const char *key)
{
	const size_t len = strlen(key);

	return word.len > len && memcmp(word.bytes, key, len) == 0 &&
	    word.bytes[len] == '=';
}

static struct span
value_of(struct span word)
{
	const char *equals = memchr(word.bytes, '=', word.len);

	ENSURE(equals != NULL);
	equals++;
	return (
	    struct span){ equals, word.len - (size_t)(equals - word.bytes) };
}

static struct span
find(const char *words, const char *key)
{
	struct span word;

	while (take_word(&words, &word))
		if (has_key(word, key))
			return value_of(word);
	return (struct span){ NULL, 0 };
}

static bool
is_equal(struct span value, const char *string)
{
	return value.bytes != NULL && value.len == strlen(string) &&
	    memcmp(value.bytes, string, value.len) == 0;
}

static void
put_pair(struct text *out, const char *key, struct span value)
{
	if (out->len > 0)
		text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put_bytes(out, value.bytes, value.len);
}

/* What scratch was filled with becomes the node's words. */
static bool
keep(struct quorum_roster *roster, struct node *node, const struct text *text)
{
	if (text->is_full)
		return false;
	memcpy(node->words, roster->scratch, text->len + 1);
	return true;
}

/* Replaces the value of a key, or puts it behind all. */
static bool
set(struct quorum_roster *roster, struct node *node, const char *key,
    struct span value)
{
	const char *at = node->words;
	bool is_done = false;
	struct span word;
	struct text text;

	text_init(&text, roster->scratch, sizeof roster->scratch);
	while (take_word(&at, &word)) {
		if (has_key(word, key)) {
			put_pair(&text, key, value);
			is_done = true;
			continue;
		}
		if (text.len > 0)
			text_put_char(&text, ' ');
		text_put_bytes(&text, word.bytes, word.len);
	}
	if (!is_done)
		put_pair(&text, key, value);
	return keep(roster, node, &text);
}

static struct span
as_span(const char *string)
{
	return (struct span){ string, strlen(string) };
}

/* ---- nodes ------------------------------------------------------------- */

static uint32_t
read_id(const char *record)
{
	struct span value = find(record, "node");
	uint32_t id = 0;

	if (value.bytes == NULL ||
	    parse_node_id(value.bytes, value.len, &id) != 0)
		return 0;
	return id;
}

static struct node *
find_node(struct quorum_roster *roster, uint32_t id)
{
	for (size_t i = 0; i < roster->count; i++)
		if (roster->nodes[i].id == id)
			return &roster->nodes[i];
	return NULL;
}

/* Puts a node without words in its place; NULL: there is no room. */
static struct node *
add_node(struct quorum_roster *roster, uint32_t id)
{
	size_t at = 0;
	struct node fresh;

	if (roster->count == LIMIT_NODES)
		return NULL;
	while (at < roster->count && roster->nodes[at].id < id)
		at++;
	fresh = roster->nodes[roster->count];
	memmove(&roster->nodes[at + 1], &roster->nodes[at],
	    (roster->count - at) * sizeof fresh);
	fresh.id = id;
	fresh.words[0] = '\0';
	roster->nodes[at] = fresh;
	roster->count++;
	return &roster->nodes[at];
}

static void
remove_node(struct quorum_roster *roster, struct node *node)
{
	const size_t at = (size_t)(node - roster->nodes);
	struct node gone = *node;

	ENSURE(at < roster->count);
	roster->count--;
	memmove(node, node + 1, (roster->count - at) * sizeof *node);
	/* Its memory waits behind the last. */
	roster->nodes[roster->count] = gone;
}

/* ---- records ----------------------------------------------------------- */

static bool
apply_exists(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	struct span since = find(words, "since_ms");
	const uint32_t id = read_id(words);
	struct node *node = find_node(roster, id);
	uint64_t ms = 0;

	if (id == 0)
		return true;
	if (node == NULL)
		node = add_node(roster, id);
	if (node == NULL || strlen(words) >= QUORUM_ROSTER_WORDS_BYTES)
		return false;
	if (since.bytes == NULL ||
	    parse_u64(since.bytes, since.len, 0, UINT64_MAX / 1000000, &ms) !=
		0)
		ms = 0;
	memcpy(node->words, words, strlen(words) + 1);
	node->since_ns = num_sub(now_ns, ms * 1000000);
	node->generation = roster->generation;
	return true;
}

static bool
set_state(struct quorum_roster *roster, struct node *node, struct span state,
    uint64_t now_ns)
{
	node->since_ns = now_ns;
	return set(roster, node, "state", state);
}

static bool
apply_leave(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	struct node *node = find_node(roster, read_id(words));
	struct span reason = find(words, "reason");

	if (node == NULL || reason.bytes == NULL)
		return true;
	/* Who was put out has gone in order. */
	if (is_equal(reason, "evicted"))
		reason = as_span("left");
	return set_state(roster, node, reason, now_ns);
}

static bool
apply_join(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	static const char *const keys[] = { "name", "addr", "inc" };
	struct node *node = find_node(roster, read_id(words));

	if (node == NULL && read_id(words) != 0) {
		if (!apply_exists(roster, words, now_ns))
			return false;
		node = find_node(roster, read_id(words));
	}
	if (node == NULL)
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		struct span value = find(words, keys[i]);

		if (value.bytes != NULL && !set(roster, node, keys[i], value))
			return false;
	}
	return set_state(roster, node, as_span("member"), now_ns);
}

static bool
apply_fenced(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	struct node *node = find_node(roster, read_id(words));

	if (node == NULL)
		return true;
	return set_state(roster, node, as_span("fenced"), now_ns);
}

static bool
apply_forget(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	struct node *node = find_node(roster, read_id(words));

	(void)now_ns;
	if (node != NULL)
		remove_node(roster, node);
	return true;
}

/* An item NAME:VALUE has this name. */
static bool
is_tag(struct span item, struct span name)
{
	return item.len > name.len && item.bytes[name.len] == ':' &&
	    memcmp(item.bytes, name.bytes, name.len) == 0;
}

static void
put_item(struct text *out, bool *is_first, struct span item)
{
	if (!*is_first)
		text_put_char(out, ',');
	*is_first = false;
	text_put_bytes(out, item.bytes, item.len);
}

/* In an item of a list, what separates items and parts is escaped. */
static void
put_tag(struct text *out, bool *is_first, struct span name, struct span value)
{
	put_item(out, is_first, name);
	text_put_char(out, ':');
	for (size_t i = 0; i < value.len; i++)
		if (value.bytes[i] == ',')
			text_put(out, "\\0054");
		else if (value.bytes[i] == ':')
			text_put(out, "\\0072");
		else
			text_put_char(out, value.bytes[i]);
}

static bool
is_name_before(struct span name, struct span item)
{
	const char *colon = memchr(item.bytes, ':', item.len);
	const size_t len =
	    colon != NULL ? (size_t)(colon - item.bytes) : item.len;
	int order = memcmp(name.bytes, item.bytes, num_min(name.len, len));

	return order < 0 || (order == 0 && name.len < len);
}

/*
 * The tag goes where its name belongs; with value.bytes == NULL it is gone.
 */
static bool
set_tag(struct quorum_roster *roster, struct node *node, struct span name,
    struct span value)
{
	struct span old = find(node->words, "tags");
	bool is_first = true;
	struct text out;

	text_init(&out, roster->list, sizeof roster->list);
	while (old.len > 0) {
		const char *comma = memchr(old.bytes, ',', old.len);
		const struct span item = { old.bytes,
			comma != NULL ? (size_t)(comma - old.bytes) : old.len };
		const size_t taken = item.len + (comma != NULL);

		if (value.bytes != NULL && is_name_before(name, item)) {
			put_tag(&out, &is_first, name, value);
			value.bytes = NULL;
		}
		if (!is_tag(item, name))
			put_item(&out, &is_first, item);
		old.bytes += taken;
		old.len -= taken;
	}
	if (value.bytes != NULL)
		put_tag(&out, &is_first, name, value);
	return !out.is_full &&
	    set(roster, node, "tags", (struct span){ roster->list, out.len });
}

static bool
apply_update(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	struct node *node = find_node(roster, read_id(words));
	struct span key = find(words, "key"), value = find(words, "new");

	(void)now_ns;
	if (node == NULL || key.bytes == NULL)
		return true;
	if (key.len > 4 && memcmp(key.bytes, "tag.", 4) == 0)
		return set_tag(roster, node,
		    (struct span){ key.bytes + 4, key.len - 4 }, value);
	if (value.bytes == NULL)
		return true;
	/* What was learned later of one who is gone. */
	if (is_equal(key, "state"))
		return set(roster, node, "state", value);
	if (is_equal(key, "inc"))
		return set(roster, node, "inc", value);
	if (is_equal(key, "version"))
		return set(roster, node, "version", value);
	/* By another configuration. */
	if (is_equal(key, "name"))
		return set(roster, node, "name", value);
	if (is_equal(key, "addr"))
		return set(roster, node, "addr", value);
	return true;
}

static bool
apply_remove(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	struct node *node = find_node(roster, read_id(words));

	(void)now_ns;
	if (node != NULL)
		remove_node(roster, node);
	return true;
}

/* Nodes that the snapshot left out are no longer there. */
static void
end_snapshot(struct quorum_roster *roster)
{
	for (size_t i = roster->count; i > 0; i--)
		if (roster->nodes[i - 1].generation != roster->generation)
			remove_node(roster, &roster->nodes[i - 1]);
}

static bool
apply_view(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	static const char *const keys[] = { "view", "members", "coordinator" };
	struct text out;

	(void)now_ns;
	text_init(&out, roster->view, sizeof roster->view);
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++) {
		struct span value = find(words, keys[i]);

		if (value.bytes != NULL)
			put_pair(&out, keys[i], value);
	}
	return !out.is_full;
}

static bool
apply_ready(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	end_snapshot(roster);
	return apply_view(roster, words, now_ns);
}

/* A snapshot follows. */
static bool
apply_gap(struct quorum_roster *roster, const char *words, uint64_t now_ns)
{
	(void)words;
	(void)now_ns;
	roster->generation++;
	return true;
}

bool
quorum_roster_apply(
    struct quorum_roster *roster, const char *record, uint64_t now_ns)
{
	static const struct {
		const char *event;
		bool (*apply)(struct quorum_roster *roster, const char *words,
		    uint64_t now_ns);
	} events[] = {
		{ "exists", apply_exists },
		{ "add", apply_exists },
		{ "remove", apply_remove },
		{ "ready", apply_ready },
		{ "gap", apply_gap },
		{ "leave", apply_leave },
		{ "join", apply_join },
		{ "view", apply_view },
		{ "update", apply_update },
		{ "fenced", apply_fenced },
		{ "forget", apply_forget },
	};
	struct span event;

	if (!take_word(&record, &event))
		return true;
	for (size_t i = 0; i < ARRAY_COUNT(events); i++)
		if (is_equal(event, events[i].event))
			return events[i].apply(
			    roster, record + (*record == ' '), now_ns);
	return true;
}

/* ---- what there is ----------------------------------------------------- */

size_t
quorum_roster_count(const struct quorum_roster *roster)
{
	return roster->count;
}

void
quorum_roster_put(const struct quorum_roster *roster, size_t idx,
    uint64_t now_ns, struct text *out)
{
	const struct node *node = &roster->nodes[idx];
	const char *at = node->words;
	struct span word;

	ENSURE(idx < roster->count);
	text_put(out, "exists");
	while (take_word(&at, &word)) {
		text_put_char(out, ' ');
		if (has_key(word, "since_ms")) {
			text_put(out, "since_ms=");
			text_put_u64(
			    out, num_sub(now_ns, node->since_ns) / 1000000);
		} else {
			text_put_bytes(out, word.bytes, word.len);
		}
	}
}

void
quorum_roster_put_view(const struct quorum_roster *roster, struct text *out)
{
	text_put(out, roster->view);
}

void
quorum_roster_put_value(const struct quorum_roster *roster, uint32_t node,
    const char *key, struct text *out)
{
	for (size_t i = 0; i < roster->count; i++) {
		struct span value;

		if (roster->nodes[i].id != node)
			continue;
		value = find(roster->nodes[i].words, key);
		if (value.bytes != NULL)
			text_put_bytes(out, value.bytes, value.len);
	}
}

bool
quorum_roster_is_settled(const struct quorum_roster *roster)
{
	static const char *const quiet[] = { "member", "left", "fenced" };

	for (size_t i = 0; i < roster->count; i++) {
		struct span state = find(roster->nodes[i].words, "state");
		bool is_quiet = false;

		for (size_t k = 0; k < ARRAY_COUNT(quiet); k++)
			is_quiet = is_quiet || is_equal(state, quiet[k]);
		if (!is_quiet)
			return false;
	}
	return true;
}
