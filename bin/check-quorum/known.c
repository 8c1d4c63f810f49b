/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/check-quorum/known.h"

#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"

static const char *
value_of(struct word *word, const char *key)
{
	const struct word_pair *pair = word_get(word, key);

	return pair != NULL ? pair->value : "";
}

static bool
is_value(struct word *word, const char *key, const char *value)
{
	return strcmp(value_of(word, key), value) == 0;
}

static uint64_t
number_of(struct word *word, const char *key)
{
	const char *value = value_of(word, key);
	uint64_t number;

	return parse_u64(value, strlen(value), 0, UINT64_MAX, &number) == 0
	    ? number
	    : 0;
}

static uint32_t
node_of(struct word *word, const char *key)
{
	const char *value = value_of(word, key);
	uint32_t id;

	return parse_node_id(value, strlen(value), &id) == 0 ? id : 0;
}

void
known_init(struct known *known)
{
	memset(known, 0, sizeof *known);
	known->quorate = KNOWN_UNKNOWN;
}

void
known_lose(struct known *known)
{
	known->is_current = false;
	known->quorate = KNOWN_UNKNOWN;
	known->is_settled = false;
}

void
known_arm(struct known *known)
{
	for (size_t i = 0; i < known->node_count; i++)
		known->node[i].armed_inc = known->node[i].inc;
}

/* ---- the table of nodes ------------------------------------------------ */

static struct known_node *
find_id(struct known *known, uint32_t id)
{
	for (size_t i = 0; i < known->node_count; i++)
		if (known->node[i].id == id)
			return &known->node[i];
	return NULL;
}

/* The node of a record, made when it is new; NULL: no id, no room. */
static struct known_node *
take_node(struct known *known, struct word *word)
{
	uint32_t id = node_of(word, "node");
	const struct word_pair *name = word_get(word, "name");
	struct known_node *node = find_id(known, id);

	if (node == NULL && id != 0 && known->node_count < LIMIT_NODES) {
		node = &known->node[known->node_count++];
		*node = (struct known_node){ .id = id };
	}
	if (node != NULL && name != NULL && name->len < sizeof node->name)
		memcpy(node->name, name->value, name->len + 1);
	return node;
}

static void
see(struct known_node *node, enum known_state state, uint64_t inc)
{
	node->state = state;
	if (inc != 0)
		node->inc = inc;
	if (node->armed_inc == 0)
		node->armed_inc = node->inc;
}

static enum known_state
state_of(const char *word)
{
	static const struct {
		const char *word;
		enum known_state state;
	} words[] = {
		{ "member", KNOWN_MEMBER },
		{ "left", KNOWN_LEFT },
		{ "fenced", KNOWN_FENCED },
		{ "absent", KNOWN_ABSENT },
	};

	for (size_t i = 0; i < ARRAY_COUNT(words); i++)
		if (strcmp(word, words[i].word) == 0)
			return words[i].state;
	/* Of all that is yet to be told apart: it did not say goodbye. */
	return KNOWN_LOST;
}

static void
on_exists(struct known *known, struct word *word)
{
	struct known_node *node = take_node(known, word);

	if (node == NULL)
		return;
	see(node, state_of(value_of(word, "state")), number_of(word, "inc"));
	if (is_value(word, "local", "yes"))
		known->self = node->id;
}

static void
on_leave(struct known *known, struct word *word)
{
	struct known_node *node = take_node(known, word);

	if (node != NULL)
		see(node, state_of(value_of(word, "reason")),
		    number_of(word, "inc"));
}

static void
on_join(struct known *known, struct word *word)
{
	struct known_node *node = take_node(known, word);

	if (node != NULL)
		see(node, KNOWN_MEMBER, number_of(word, "inc"));
}

static void
on_fenced(struct known *known, struct word *word)
{
	struct known_node *node = find_id(known, node_of(word, "node"));

	/* Of an earlier life it says nothing about this one. */
	if (node != NULL && node->state != KNOWN_MEMBER &&
	    node->inc == number_of(word, "inc"))
		node->state = KNOWN_FENCED;
}

static void
on_forget(struct known *known, struct word *word)
{
	struct known_node *node = find_id(known, node_of(word, "node"));

	if (node != NULL)
		*node = known->node[--known->node_count];
}

/* ---- the verdict ------------------------------------------------------- */

static void
take_members(struct known *known, struct word *word)
{
	const struct word_pair *pair = word_get_raw(word, "members");
	char *list, *item;
	size_t left, len;

	if (pair == NULL)
		return;
	list = pair->value;
	left = pair->len;
	known->member_count = 0;
	while (known->member_count < LIMIT_NODES &&
	    word_take_item(&list, &left, &item, &len)) {
		uint32_t *member = &known->member[known->member_count];

		if (parse_node_id(item, len, member) == 0)
			known->member_count++;
	}
}

static void
take_verdict(struct known *known, struct word *word)
{
	take_members(known, word);
	known->coordinator = node_of(word, "coordinator");
	if (is_value(word, "quorate", "yes"))
		known->quorate = KNOWN_YES;
	else if (is_value(word, "quorate", "no"))
		known->quorate = KNOWN_NO;
	else
		known_lose(known);
	if (known->quorate != KNOWN_YES)
		known->is_settled = false;
}

bool
known_take_answer(struct known *known, struct word *word)
{
	if (word_get(word, "quorate") == NULL)
		return false;
	known->is_current = true;
	take_verdict(known, word);
	known->is_settled = known->is_current && known->quorate == KNOWN_YES &&
	    is_value(word, "settled", "yes");
	known->age_ms = number_of(word, "age_ms");
	if (node_of(word, "self") != 0)
		known->self = node_of(word, "self");
	return true;
}

/* ready and view have members; a verdict alone has not. */
static void
on_verdict(struct known *known, struct word *word)
{
	uint32_t coordinator = known->coordinator;

	take_verdict(known, word);
	if (word_get(word, "coordinator") == NULL)
		known->coordinator = coordinator;
}

static void
on_ready(struct known *known, struct word *word)
{
	known->has_nodes = true;
	on_verdict(known, word);
}

static void
on_pause(struct known *known, struct word *word)
{
	(void)word; /* how long does not matter */
	known_lose(known);
}

static void
on_gap(struct known *known, struct word *word)
{
	(void)word; /* a snapshot follows */
	known->has_nodes = false;
}

bool
known_take_event(struct known *known, const char *event, struct word *word)
{
	static const struct {
		const char *event;
		void (*take)(struct known *, struct word *);
		bool is_whole;
	} events[] = {
		{ "exists", on_exists, false },
		{ "ready", on_ready, true },
		{ "leave", on_leave, false },
		{ "join", on_join, false },
		{ "view", on_verdict, true },
		{ "quorum", on_verdict, true },
		{ "fenced", on_fenced, true },
		{ "forget", on_forget, true },
		{ "add", on_exists, true },
		{ "remove", on_forget, true },
		{ "pause", on_pause, true },
		{ "gap", on_gap, false },
	};

	for (size_t i = 0; i < ARRAY_COUNT(events); i++) {
		if (strcmp(event, events[i].event) != 0)
			continue;
		events[i].take(known, word);
		return events[i].is_whole && known->has_nodes;
	}
	return false;
}

/* ---- questions --------------------------------------------------------- */

const struct known_node *
known_find(const struct known *known, const char *node)
{
	uint32_t id = 0;

	if (parse_node_id(node, strlen(node), &id) != 0)
		id = 0;
	for (size_t i = 0; i < known->node_count; i++)
		if (known->node[i].id == id ||
		    strcmp(known->node[i].name, node) == 0)
			return &known->node[i];
	return NULL;
}

bool
known_is_member(const struct known *known, uint32_t id)
{
	for (size_t i = 0; i < known->member_count; i++)
		if (known->member[i] == id)
			return true;
	return false;
}
