/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a script word by word and tells the oracle; trusts its author. */
#include "tests/sim/oracle_script.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

enum { NODES = 10, WORDS = 12, MESSAGES = 64, MEMBERS = 16 };

/* Who a node is, and where. */
struct whereabouts {
	uint64_t inc;
	struct totem_ring_id ring;
	struct totem_nodes members;
	uint64_t member_inc[LIMIT_NODES];
	struct totem_nodes along; /* of the last transitional view */
	uint64_t along_inc[LIMIT_NODES];
};

struct sent {
	uint32_t node;
	struct oracle_event event;
};

struct script {
	struct oracle *oracle;
	struct oracle_outcome outcome;
	uint64_t now_ns;
	uint64_t event_no;
	struct whereabouts at[NODES];
	struct sent sent[MESSAGES];
	uint32_t sent_count;
	char *word[WORDS];
	uint32_t word_count;
};

/* ---- words -----------------------------------------------------------------
 */

static const char *
word(const struct script *s, uint32_t i)
{
	ENSURE(i < s->word_count);
	return s->word[i];
}

static bool
has_word(const struct script *s, const char *want)
{
	for (uint32_t i = 1; i < s->word_count; i++)
		if (strcmp(s->word[i], want) == 0)
			return true;
	return false;
}

/* What follows key, which ends in '='; NULL when it is not there. */
static const char *
option(const struct script *s, const char *key)
{
	for (uint32_t i = 1; i < s->word_count; i++)
		if (strncmp(s->word[i], key, strlen(key)) == 0)
			return s->word[i] + strlen(key);
	return NULL;
}

static uint64_t
number(const char *text, char **end)
{
	char *stop;
	uint64_t value = strtoull(text, &stop, 10);
	ENSURE(stop != text);
	if (end != NULL)
		*end = stop;
	else
		ENSURE(*stop == '\0');
	return value;
}

static uint64_t
option_number(const struct script *s, const char *key)
{
	const char *text = option(s, key);
	return text != NULL ? number(text, NULL) : 0;
}

/* NODE or NODE/INC; *end is what follows. */
static uint32_t
node_at(const struct script *s, const char *text, char **end, uint64_t *inc)
{
	char *stop;
	uint32_t node = (uint32_t)number(text, &stop);
	ENSURE(node > 0 && node < NODES);
	*inc = s->at[node].inc;
	if (*stop == '/')
		*inc = number(stop + 1, &stop);
	*end = stop;
	return node;
}

static void
list(const struct script *s, const char *text, struct totem_nodes *nodes,
    uint64_t *incs)
{
	char *end;
	nodes->count = 0;
	if (strcmp(text, "-") == 0)
		return;
	do {
		uint64_t inc;
		nodes->id[nodes->count] = node_at(s, text, &end, &inc);
		if (incs != NULL)
			incs[nodes->count] = inc;
		nodes->count++;
		text = end + 1;
	} while (*end == ',');
	ENSURE(*end == '\0');
}

static struct totem_ring_id
ring_at(const char *text, char **end)
{
	char *stop;
	struct totem_ring_id ring = { .nonce = 7 };
	ring.rep = (uint32_t)number(text, &stop);
	ENSURE(*stop == '.');
	ring.seq = number(stop + 1, end);
	return ring;
}

/* ---- events ----------------------------------------------------------------
 */

static void
tell(struct script *s, struct oracle_event *event)
{
	event->now_ns = s->now_ns;
	s->event_no++;
	if (s->outcome.failure == NULL)
		s->outcome.failure = oracle_event(s->oracle, event);
}

static struct oracle_event
by_node(const struct script *s, enum oracle_kind kind)
{
	char *end;
	struct oracle_event event = { .kind = kind };
	event.node = node_at(s, word(s, 1), &end, &event.incarnation);
	ENSURE(*end == '\0');
	return event;
}

static void
do_life(struct script *s, enum oracle_kind kind)
{
	struct oracle_event event = by_node(s, kind);
	if (kind == ORACLE_CRASH)
		event.crash.detect_ns = option_number(s, "detect=") * 1000000;
	tell(s, &event);
}

static void
do_start(struct script *s)
{
	struct oracle_event event = by_node(s, ORACLE_START);
	struct whereabouts *at = &s->at[event.node];
	if (strchr(word(s, 1), '/') == NULL)
		event.incarnation = at->inc + 1;
	*at = (struct whereabouts){ .inc = event.incarnation };
	event.start.is_amnesic = has_word(s, "amnesic");
	tell(s, &event);
}

/* ---- views -----------------------------------------------------------------
 */

static bool
list_has(const struct totem_nodes *nodes, const uint64_t *incs, uint32_t node,
    uint64_t inc)
{
	for (uint32_t i = 0; i < nodes->count; i++)
		if (nodes->id[i] == node && incs[i] == inc)
			return true;
	return false;
}

/* Those of a that b lacks. */
static void
minus(struct totem_nodes *out, const struct totem_nodes *a,
    const uint64_t *a_inc, const struct totem_nodes *b, const uint64_t *b_inc)
{
	out->count = 0;
	for (uint32_t i = 0; i < a->count; i++)
		if (!list_has(b, b_inc, a->id[i], a_inc[i]))
			out->id[out->count++] = a->id[i];
}

static void
tell_view(struct script *s, uint32_t node, const struct totem_view *view)
{
	struct oracle_event event = { .kind = ORACLE_VIEW,
		.node = node,
		.incarnation = s->at[node].inc,
		.view = view };
	struct whereabouts *at = &s->at[node];
	if (view->phase == TOTEM_PHASE_REGULAR) {
		at->ring = view->ring;
		at->members = view->members;
		memcpy(
		    at->member_inc, view->incarnation, sizeof(at->member_inc));
	} else {
		at->along = view->members;
		memcpy(at->along_inc, view->incarnation, sizeof(at->along_inc));
	}
	tell(s, &event);
}

static void
do_regular(struct script *s)
{
	struct totem_view view = { .phase = TOTEM_PHASE_REGULAR };
	struct oracle_event who = by_node(s, ORACLE_VIEW);
	const struct whereabouts *at = &s->at[who.node];
	const char *joined = option(s, "joined=");
	view.ring = ring_at(word(s, 2), NULL);
	list(s, word(s, 3), &view.members, view.incarnation);
	minus(&view.joined, &view.members, view.incarnation, &at->along,
	    at->along_inc);
	if (joined != NULL)
		list(s, joined, &view.joined, NULL);
	tell_view(s, who.node, &view);
}

static void
do_transitional(struct script *s)
{
	struct totem_view view = { .phase = TOTEM_PHASE_TRANSITIONAL };
	struct oracle_event who = by_node(s, ORACLE_VIEW);
	const struct whereabouts *at = &s->at[who.node];
	const char *left = option(s, "left=");
	const char *from = option(s, "from=");
	view.ring = from != NULL ? ring_at(from, NULL) : at->ring;
	view.next = ring_at(word(s, 2), NULL);
	list(s, word(s, 3), &view.members, view.incarnation);
	minus(&view.left, &at->members, at->member_inc, &view.members,
	    view.incarnation);
	if (left != NULL)
		list(s, left, &view.left, NULL);
	tell_view(s, who.node, &view);
}

static void
go_one(struct script *s, uint32_t node, const struct totem_view *all)
{
	struct totem_view view = *all;
	const struct whereabouts at = s->at[node];
	view.phase = TOTEM_PHASE_TRANSITIONAL;
	view.next = all->ring;
	view.ring = at.ring;
	view.members.count = 0;
	for (uint32_t i = 0; i < all->members.count; i++) {
		uint32_t id = all->members.id[i];
		if (s->at[id].ring.seq != at.ring.seq ||
		    s->at[id].ring.rep != at.ring.rep ||
		    !list_has(
			&at.members, at.member_inc, id, all->incarnation[i]))
			continue;
		view.incarnation[view.members.count] = all->incarnation[i];
		view.members.id[view.members.count++] = id;
	}
	minus(&view.left, &at.members, at.member_inc, &view.members,
	    view.incarnation);
	tell_view(s, node, &view);
}

static void
do_go(struct script *s)
{
	struct totem_view all = { .phase = TOTEM_PHASE_REGULAR };
	list(s, word(s, 1), &all.members, all.incarnation);
	all.ring = ring_at(word(s, 2), NULL);
	for (uint32_t i = 0; i < all.members.count; i++)
		go_one(s, all.members.id[i], &all);
	for (uint32_t i = 0; i < all.members.count; i++) {
		const struct whereabouts *at = &s->at[all.members.id[i]];
		struct totem_view view = all;
		minus(&view.joined, &view.members, view.incarnation, &at->along,
		    at->along_inc);
		tell_view(s, all.members.id[i], &view);
	}
}

/* ---- messages --------------------------------------------------------------
 */

static void
do_submit(struct script *s)
{
	struct oracle_event event = by_node(s, ORACLE_SUBMIT);
	const char *if_view = option(s, "if=");
	event.submit.msg_no = number(word(s, 2), NULL);
	event.submit.service = has_word(s, "safe") ? TOTEM_SAFE : TOTEM_AGREED;
	event.submit.class =
	    has_word(s, "sys") ? TOTEM_CLASS_SYSTEM : TOTEM_CLASS_CLIENT;
	event.submit.len = option_number(s, "len=");
	event.submit.hash = option_number(s, "hash=");
	event.submit.has_if_view = if_view != NULL;
	if (if_view != NULL)
		event.submit.if_view = ring_at(if_view, NULL);
	ENSURE(s->sent_count < MESSAGES);
	s->sent[s->sent_count++] = (struct sent){ event.node, event };
	tell(s, &event);
}

static struct totem_delivery
as_sent(const struct script *s, uint32_t node, uint64_t inc, uint64_t msg_no)
{
	struct totem_delivery got = {
		.node = node, .incarnation = inc, .msg_no = msg_no
	};
	for (uint32_t i = 0; i < s->sent_count; i++) {
		const struct oracle_event *is = &s->sent[i].event;
		if (is->node != node || is->incarnation != inc ||
		    is->submit.msg_no != msg_no)
			continue;
		got.service = is->submit.service;
		got.class = is->submit.class;
		got.len = is->submit.len;
	}
	return got;
}

static void
do_deliver(struct script *s)
{
	char *end;
	uint64_t inc;
	struct oracle_event event = by_node(s, ORACLE_DELIVER);
	uint32_t sender = node_at(s, word(s, 2), &end, &inc);
	struct totem_delivery got =
	    as_sent(s, sender, inc, number(word(s, 3), NULL));
	got.ring = ring_at(word(s, 4), &end);
	got.seq = number(end + 1, &end);
	got.idx = (uint32_t)number(end + 1, NULL);
	if (has_word(s, "tr"))
		got.phase = TOTEM_PHASE_TRANSITIONAL;
	if (has_word(s, "safe"))
		got.service = TOTEM_SAFE;
	if (has_word(s, "agreed"))
		got.service = TOTEM_AGREED;
	if (option(s, "len=") != NULL)
		got.len = option_number(s, "len=");
	event.deliver.is = &got;
	event.deliver.hash = option_number(s, "hash=");
	tell(s, &event);
}

static void
do_dropped(struct script *s)
{
	struct oracle_event event = by_node(s, ORACLE_DROPPED);
	event.dropped_msg_no = number(word(s, 2), NULL);
	tell(s, &event);
}

static void
do_assigned(struct script *s)
{
	char *end;
	struct oracle_event event = by_node(s, ORACLE_ASSIGNED);
	event.assigned.ring = ring_at(word(s, 2), &end);
	event.assigned.seq = number(end + 1, &end);
	event.assigned.idx = (uint32_t)number(end + 1, NULL);
	tell(s, &event);
}

/* ---- groups ----------------------------------------------------------------
 */

static void
do_group_op(struct script *s)
{
	struct oracle_event event = by_node(s, ORACLE_GROUP_OP);
	const char *op = word(s, 3);
	event.group_op.msg_no = number(word(s, 2), NULL);
	event.group_op.op = strcmp(op, "join") == 0 ? ORACLE_OP_JOIN
	    : strcmp(op, "leave") == 0              ? ORACLE_OP_LEAVE
						    : ORACLE_OP_EXIT;
	event.group_op.group = number(word(s, 4), NULL);
	event.group_op.conn = number(word(s, 5), NULL);
	tell(s, &event);
}

static void
do_group_view(struct script *s)
{
	struct oracle_member members[MEMBERS];
	struct oracle_event event = by_node(s, ORACLE_GROUP_VIEW);
	const char *text = word(s, 3);
	char *end;
	uint32_t count = 0;
	event.group_view.group = number(word(s, 2), NULL);
	while (*text != '\0' && *text != '-') {
		struct oracle_member *member = &members[count++];
		member->node = node_at(s, text, &end, &member->incarnation);
		ENSURE(*end == ':');
		member->conn = number(end + 1, &end);
		text = *end == ',' ? end + 1 : end;
	}
	event.group_view.count = count;
	event.group_view.members = members;
	tell(s, &event);
}

static void
do_group_message(struct script *s)
{
	char *end;
	struct oracle_event event = by_node(s, ORACLE_GROUP_MESSAGE);
	event.group_message.group = number(word(s, 2), NULL);
	event.group_message.node =
	    node_at(s, word(s, 3), &end, &event.group_message.incarnation);
	event.group_message.msg_no = number(word(s, 4), NULL);
	tell(s, &event);
}

static void
do_synced(struct script *s)
{
	struct oracle_event event = by_node(s, ORACLE_SYNCED);
	event.synced = ring_at(word(s, 2), NULL);
	tell(s, &event);
}

/* ---- the world -------------------------------------------------------------
 */

static void
do_size(struct script *s)
{
	struct oracle_event event = by_node(s, ORACLE_SIZE);
	event.size.what = "token";
	event.size.value = number(word(s, 2), NULL);
	event.size.limit = number(word(s, 3), NULL);
	tell(s, &event);
}

static void
do_heal(struct script *s)
{
	struct oracle_event event = { .kind = ORACLE_HEAL };
	event.heal.views_ns = option_number(s, "views=") * 1000000;
	event.heal.agreed_ns = option_number(s, "agreed=") * 1000000;
	event.heal.safe_ns = option_number(s, "safe=") * 1000000;
	event.heal.joins = (uint32_t)option_number(s, "joins=");
	tell(s, &event);
}

static void
do_graph(struct script *s)
{
	struct oracle_graph graph = { .count = NODES - 1 };
	struct oracle_event event = { .kind = ORACLE_GRAPH, .graph = &graph };
	const char *text = word(s, 1);
	char *end;
	for (uint32_t i = 0; i < NODES - 1; i++)
		graph.node[i] = i + 1;
	do {
		uint64_t a = number(text, &end) - 1;
		uint64_t b = number(end + 1, &end) - 1;
		ENSURE(a < NODES - 1 && b < NODES - 1);
		graph.linked[a] |= UINT64_C(1) << b;
		graph.linked[b] |= UINT64_C(1) << a;
		text = end + 1;
	} while (*end == ',');
	tell(s, &event);
}

static void
do_world(struct script *s, enum oracle_kind kind)
{
	struct oracle_event event = { .kind = kind };
	tell(s, &event);
}

/* ---- lines -----------------------------------------------------------------
 */

static const struct verb {
	const char *word;
	void (*run)(struct script *);
} verbs[] = {
	{ "start", do_start },
	{ "reg", do_regular },
	{ "trans", do_transitional },
	{ "go", do_go },
	{ "sub", do_submit },
	{ "drop", do_dropped },
	{ "dlv", do_deliver },
	{ "asg", do_assigned },
	{ "op", do_group_op },
	{ "gview", do_group_view },
	{ "gmsg", do_group_message },
	{ "sync", do_synced },
	{ "size", do_size },
	{ "heal", do_heal },
	{ "graph", do_graph },
};

static const struct plain {
	const char *word;
	enum oracle_kind kind;
	void (*run)(struct script *, enum oracle_kind);
} plains[] = {
	{ "crash", ORACLE_CRASH, do_life },
	{ "leave", ORACLE_LEAVE, do_life },
	{ "pause", ORACLE_PAUSE, do_life },
	{ "resume", ORACLE_RESUME, do_life },
	{ "gap", ORACLE_GAP, do_life },
	{ "join", ORACLE_JOIN, do_life },
	{ "fault", ORACLE_FAULT, do_world },
	{ "calm", ORACLE_CALM, do_world },
};

static bool
run_verb(struct script *s, const char *verb)
{
	for (size_t i = 0; i < ARRAY_COUNT(verbs); i++)
		if (strcmp(verbs[i].word, verb) == 0) {
			verbs[i].run(s);
			return true;
		}
	for (size_t i = 0; i < ARRAY_COUNT(plains); i++)
		if (strcmp(plains[i].word, verb) == 0) {
			plains[i].run(s, plains[i].kind);
			return true;
		}
	return false;
}

static void
run_line(struct script *s, char *line)
{
	char *rest = NULL;
	s->word_count = 0;
	for (char *w = strtok_r(line, " \t", &rest); w != NULL;
	     w = strtok_r(NULL, " \t", &rest)) {
		ENSURE(s->word_count < WORDS);
		s->word[s->word_count++] = w;
	}
	if (s->word_count == 0)
		return;
	const char *verb = s->word[0];
	if (*verb == '!') {
		verb++;
		s->outcome.marked_no = s->event_no + 1;
	}
	if (strcmp(verb, "at") == 0)
		s->now_ns = number(word(s, 1), NULL) * 1000000;
	else
		ENSURE(run_verb(s, verb));
}

struct oracle_outcome
oracle_script_run(struct oracle *oracle, const char *script)
{
	struct script s = { .oracle = oracle };
	char *copy = strdup(script);
	char *rest = NULL;
	ENSURE(copy != NULL);
	for (char *line = strtok_r(copy, ";\n", &rest); line != NULL;
	     line = strtok_r(NULL, ";\n", &rest))
		run_line(&s, line);
	free(copy);
	if (s.outcome.failure == NULL)
		s.outcome.failure = oracle_end(oracle, s.now_ns);
	return s.outcome;
}
