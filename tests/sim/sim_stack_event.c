/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/sim/sim_stack_event.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/memberd/member.h"
#include "tests/sim/sim.h"

static struct word event_word;
static char event_line[MEMBER_EVENT_BYTES + 1];

static struct sim_stack_events *
events_of(struct sim_node *node)
{
	return &node->app.stack.events;
}

static void
fail(struct sim *sim, const struct sim_node *node, const char *what)
{
	sim_fail(sim, "M2 node %u: %s: %.160s", (unsigned)node->id, what,
	    event_word.verb[0]);
}

static uint64_t
number(const char *key)
{
	const struct word_pair *pair = word_get(&event_word, key);
	uint64_t value = 0;

	if (pair == NULL ||
	    parse_u64(pair->value, pair->len, 0, UINT64_MAX, &value) != 0)
		return 0;
	return value;
}

static bool
is_word(const char *key, const char *value)
{
	const struct word_pair *pair = word_get(&event_word, key);

	return pair != NULL && strcmp(pair->value, value) == 0;
}

static struct parse_view
view_of(const char *key)
{
	const struct word_pair *pair = word_get(&event_word, key);
	struct parse_view view = { 0, 0 };

	if (pair == NULL || parse_view(pair->value, pair->len, &view) != 0)
		view.seq = 0;
	return view;
}

/* A list of ids as bits by index. */
static uint64_t
set_of(const struct sim *sim, const char *key)
{
	const struct word_pair *pair = word_get_raw(&event_word, key);
	char *list = pair == NULL ? NULL : pair->value, *item;
	size_t left = pair == NULL ? 0 : pair->len, len;
	uint64_t set = 0;

	while (word_take_item(&list, &left, &item, &len)) {
		uint32_t id = 0;
		if (parse_node_id(item, len, &id) == 0)
			set |= UINT64_C(1) << sim_node_idx(sim, id);
	}
	return set;
}

static bool
is_same(struct parse_view a, struct parse_view b)
{
	return a.rep == b.rep && a.seq == b.seq;
}

static void
on_leave(struct sim *sim, struct sim_node *node, uint32_t idx)
{
	struct sim_stack_events *events = events_of(node);
	uint64_t bit = UINT64_C(1) << idx;

	if (!(events->present & bit) || ((events->left | events->joined) & bit))
		fail(sim, node, "one goes that is not there");
	if (events->inc[idx] != 0 && number("inc") != events->inc[idx])
		fail(sim, node, "another incarnation goes than came");
	events->inc[idx] = number("inc");
	events->present &= ~bit;
	events->left |= bit;
}

static void
on_join(struct sim *sim, struct sim_node *node, uint32_t idx)
{
	struct sim_stack_events *events = events_of(node);
	uint64_t bit = UINT64_C(1) << idx;
	bool is_back =
	    events->inc[idx] != 0 && number("inc") == events->inc[idx];

	if ((events->present | events->joined) & bit)
		fail(sim, node, "one comes that is there");
	if (number("inc") == 0 || number("inc") < events->inc[idx])
		fail(sim, node, "an old incarnation comes");
	if (is_back && !is_word("was", "partition") &&
	    !is_word("was", "paused") && !is_word("was", "fenced"))
		fail(sim, node, "one that never stopped is said to have");
	events->inc[idx] = number("inc");
	events->present |= bit;
	events->joined |= bit;
}

static void
on_view(struct sim *sim, struct sim_node *node)
{
	struct sim_stack_events *events = events_of(node);

	if (!is_same(view_of("prev"), events->view))
		fail(sim, node, "it does not follow the view before");
	if (set_of(sim, "joined") != events->joined ||
	    set_of(sim, "left") != events->left ||
	    set_of(sim, "members") != events->present)
		fail(sim, node, "a view is not the sum of what was told");
	events->view = view_of("view");
	events->joined = events->left = 0;
}

void
sim_stack_event_told(
    struct sim *sim, struct sim_node *node, const struct text *record)
{
	const char *event;
	uint32_t idx;

	ENSURE(record->len < sizeof event_line);
	memcpy(event_line, record->bytes, record->len);
	if (word_parse(&event_word, event_line, record->len) != 0 ||
	    event_word.verb_count != 1) {
		sim_fail(sim, "M2 node %u tells what cannot be read",
		    (unsigned)node->id);
		return;
	}
	event = event_word.verb[0];
	if (strcmp(event, "view") == 0) {
		on_view(sim, node);
		return;
	}
	if (strcmp(event, "leave") != 0 && strcmp(event, "join") != 0)
		return;
	idx = sim_node_idx(sim, (uint32_t)number("node"));
	if (event[0] == 'l')
		on_leave(sim, node, idx);
	else
		on_join(sim, node, idx);
}

void
sim_stack_event_view(struct sim *sim, struct sim_node *node,
    struct parse_view view, uint64_t members)
{
	struct sim_stack_events *events = events_of(node);

	if (!events->has_view) {
		events->has_view = true;
		events->view = view;
		events->present = members;
		return;
	}
	if (!is_same(events->view, view) || events->present != members ||
	    events->joined != 0 || events->left != 0)
		sim_fail(sim,
		    "M3 node %u is in view %u.%llu, and told of %u.%llu",
		    (unsigned)node->id, (unsigned)view.rep,
		    (unsigned long long)view.seq, (unsigned)events->view.rep,
		    (unsigned long long)events->view.seq);
}
