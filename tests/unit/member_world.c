/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/member_world.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"

#include "tests/unit/check.h"

enum { LOG_BYTES = 1 << 18, NONE = -1 };

struct world_node {
	struct member *core; /* NULL: never started */
	void *block;
	uint64_t inc;
	uint32_t ring; /* a number; 0: none */
	struct parse_view view;
	/* Its ring when it was told: who restarts then has another
	 * incarnation. */
	struct member_view told;
	char log[LOG_BYTES];
	struct text text;
	int answer;
	uint32_t answered; /* the request */
};

static struct {
	struct world_node nodes[MEMBER_WORLD_NODES + 1];
	uint64_t now_ns;
	uint64_t ring_seq;
	uint64_t seq; /* of the last message, in all rings */
	uint32_t req;
} world;

static void
on_event(void *arg, const struct text *record)
{
	struct world_node *node = arg;

	text_put_bytes(&node->text, record->bytes, record->len);
	text_put_char(&node->text, '\n');
}

static void
on_answer(void *arg, uint32_t req, int answer)
{
	struct world_node *node = arg;

	node->answered = req;
	node->answer = answer;
}

void
member_world_open(void)
{
	memset(&world, 0, sizeof world);
	world.now_ns = 1000000000;
	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
		text_init(&world.nodes[i].text, world.nodes[i].log, LOG_BYTES);
}

void
member_world_close(void)
{
	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
		free(world.nodes[i].block);
}

static void
create(uint32_t id)
{
	struct world_node *node = &world.nodes[id];
	struct member_node names[MEMBER_WORLD_NODES] = { 0 };
	struct member_config cfg = { .nodes = names,
		.node_count = MEMBER_WORLD_NODES,
		.self = id,
		.version = "0.1.0",
		.message_max = 1 << 20,
		.sink = { on_event, on_answer, node } };
	struct arena arena;

	for (uint32_t i = 0; i < MEMBER_WORLD_NODES; i++) {
		names[i].id = i + 1;
		snprintf(names[i].name, MEMBER_NAME_BYTES, "n%u", i + 1);
		snprintf(names[i].addr, MEMBER_ADDR_BYTES, "10.0.0.%u", i + 1);
	}
	arena_init(&arena, NULL, 0);
	member_create(&arena, &cfg);
	free(node->block);
	node->block = malloc(arena.used_bytes);
	ENSURE(node->block != NULL);
	/* What is used before it was set shows. */
	memset(node->block, 0xA5, arena.used_bytes);
	arena_init(&arena, node->block, arena.used_bytes);
	node->core = member_create(&arena, &cfg);
	text_init(&node->text, node->log, LOG_BYTES);
}

void
member_world_step(uint32_t node, struct member_input *in)
{
	in->now_ns = world.now_ns;
	member_step(world.nodes[node].core, in);
	member_check(world.nodes[node].core);
}

static bool
is_in(const char *nodes, uint32_t id)
{
	return strchr(nodes, (char)('0' + id)) != NULL;
}

static struct member_view
view_of(uint32_t id)
{
	struct member_view view = { .view = world.nodes[id].view };

	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++) {
		if (world.nodes[i].ring != world.nodes[id].ring)
			continue;
		view.id[view.count] = i;
		view.inc[view.count++] = world.nodes[i].inc;
	}
	return view;
}

static void
connect_core(uint32_t id)
{
	struct member_view view = view_of(id);

	world.nodes[id].told = view;
	member_world_step(id,
	    &(struct member_input){
		.kind = MEMBER_IN_CONN, .conn = MEMBER_WORLD_CONN });
	member_world_step(id,
	    &(struct member_input){ .kind = MEMBER_IN_READY, .view = &view });
}

static void
begin_ring(uint32_t id)
{
	struct world_node *node = &world.nodes[id];

	node->inc++;
	node->ring = 100 + id; /* of its own: no install gives such */
	node->view = (struct parse_view){ id, ++world.ring_seq };
}

void
member_world_start(uint32_t id)
{
	begin_ring(id);
	create(id);
	connect_core(id);
}

void
member_world_start_with_tag(uint32_t id, const char *name, const char *value)
{
	begin_ring(id);
	create(id);
	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
		member_first_tag(
		    world.nodes[id].core, i, name, value, strlen(value));
	connect_core(id);
}

void
member_world_restart(uint32_t id)
{
	create(id);
	connect_core(id);
}

void
member_world_renew(uint32_t id)
{
	member_world_step(id, &(struct member_input){ .kind = MEMBER_IN_LOST });
	begin_ring(id);
	connect_core(id);
}

/* ---- rings ------------------------------------------------------------- */

/* What id was told before the change, and is told in it. */
struct transition {
	struct member_view trans, regular;
};

static void
add_left(struct member_view *trans, uint32_t id, const char *why)
{
	trans->left[trans->left_count] = id;
	snprintf(
	    trans->left_why[trans->left_count++], MEMBER_WORD_BYTES, "%s", why);
}

static void
plan(struct transition *t, uint32_t id, const struct member_view *old,
    const char *nodes, const uint32_t *rings)
{
	t->trans =
	    (struct member_view){ .view = old->view, .is_transitional = true };
	for (uint32_t i = 0; i < old->count; i++) {
		uint32_t peer = old->id[i];
		bool is_same = world.nodes[peer].inc == old->inc[i];

		if (is_in(nodes, peer) && is_same && rings[peer] == rings[id]) {
			t->trans.id[t->trans.count] = peer;
			t->trans.inc[t->trans.count++] = old->inc[i];
		} else
			add_left(&t->trans, peer, "");
	}
}

static void
finish_plan(struct transition *t, uint32_t id, const char *why)
{
	t->regular = view_of(id);
	t->regular.ms = 5;
	snprintf(t->regular.reason, MEMBER_WORD_BYTES, "%s", why);
	for (uint32_t i = 0; i < t->trans.left_count; i++)
		snprintf(t->trans.left_why[i], MEMBER_WORD_BYTES, "%s", why);
	for (uint32_t i = 0; i < t->regular.count; i++) {
		bool is_new = true;

		for (uint32_t j = 0; j < t->trans.count; j++)
			is_new &= t->trans.id[j] != t->regular.id[i];
		if (is_new)
			t->regular.joined[t->regular.joined_count++] =
			    t->regular.id[i];
	}
}

void
member_world_install(const char *nodes, const char *why)
{
	static struct transition plans[MEMBER_WORLD_NODES + 1];
	uint32_t rings[MEMBER_WORLD_NODES + 1];
	uint32_t lowest = (uint32_t)(nodes[0] - '0');

	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
		rings[i] = world.nodes[i].ring;
	world.ring_seq++;
	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
		if (is_in(nodes, i))
			plan(&plans[i], i, &world.nodes[i].told, nodes, rings);
	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++) {
		if (!is_in(nodes, i))
			continue;
		world.nodes[i].ring = 1000 + (uint32_t)world.ring_seq;
		world.nodes[i].view =
		    (struct parse_view){ lowest, world.ring_seq };
	}
	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++) {
		if (!is_in(nodes, i))
			continue;
		finish_plan(&plans[i], i, why);
		world.nodes[i].told = view_of(i);
		member_world_step(i,
		    &(struct member_input){
			.kind = MEMBER_IN_VIEW, .view = &plans[i].trans });
		member_world_step(i,
		    &(struct member_input){
			.kind = MEMBER_IN_VIEW, .view = &plans[i].regular });
	}
}

/* ---- messages ---------------------------------------------------------- */

static void
deliver(uint32_t from, const char *bytes, size_t len)
{
	struct member_message message = { .node = from,
		.inc = world.nodes[from].inc,
		.conn = MEMBER_WORLD_CONN,
		.bytes = (const uint8_t *)bytes,
		.len = len };

	message.pos = (struct parse_pos){ .view = world.nodes[from].view,
		.seq = ++world.seq };
	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
		if (world.nodes[i].core != NULL &&
		    world.nodes[i].ring == world.nodes[from].ring)
			member_world_step(i,
			    &(struct member_input){ .kind = MEMBER_IN_MESSAGE,
				.message = &message });
}

void
member_world_say(uint32_t node, const char *text)
{
	deliver(node, text, strlen(text));
}

static bool
publish(uint32_t id)
{
	char bytes[MEMBER_MESSAGE_BYTES + 1];
	struct text out;

	text_init(&out, bytes, sizeof bytes);
	if (!member_publish(world.nodes[id].core, &out))
		return false;
	deliver(id, out.bytes, out.len);
	return true;
}

void
member_world_exchange(const char *nodes)
{
	bool is_busy = true;

	for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
		if (is_in(nodes, i))
			member_world_step(i,
			    &(struct member_input){ .kind = MEMBER_IN_GROUP });
	while (is_busy) {
		is_busy = false;
		for (uint32_t i = 1; i <= MEMBER_WORLD_NODES; i++)
			if (is_in(nodes, i))
				is_busy |= publish(i);
	}
}

void
member_world_sleep(uint64_t ms)
{
	world.now_ns += ms * 1000000;
}

/* ---- requests ---------------------------------------------------------- */

static int
ask(uint32_t at, struct member_request *request)
{
	struct world_node *node = &world.nodes[at];
	char bytes[MEMBER_MESSAGE_BYTES + 1];
	struct text out;
	int rc;

	request->req = ++world.req;
	text_init(&out, bytes, sizeof bytes);
	rc = member_request(node->core, request, &out);
	if (rc != MEMBER_DONE)
		return rc;
	node->answer = NONE;
	deliver(at, out.bytes, out.len);
	CHECK_EQ(node->answered, request->req);
	CHECK(node->answer != NONE);
	return node->answer;
}

int
member_world_tag(
    uint32_t at, uint32_t node, const char *name, const char *value)
{
	return ask(at,
	    &(struct member_request){ .kind = MEMBER_TAG,
		.node = node,
		.name = name,
		.value = value,
		.value_len = value == NULL ? 0 : strlen(value) });
}

int
member_world_fence(uint32_t at, uint32_t node, uint64_t inc)
{
	return ask(at,
	    &(struct member_request){ .kind = MEMBER_FENCE,
		.node = node,
		.inc = inc,
		.by = at,
		.method = "manual" });
}

int
member_world_forget(uint32_t at, uint32_t node)
{
	return ask(at,
	    &(struct member_request){ .kind = MEMBER_FORGET, .node = node });
}

/* ---- what they say ----------------------------------------------------- */

const char *
member_world_events(uint32_t node)
{
	static char copy[LOG_BYTES];
	struct text *text = &world.nodes[node].text;

	ENSURE(!text->is_full);
	memcpy(copy, text->bytes, text->len + 1);
	text_init(text, world.nodes[node].log, LOG_BYTES);
	return copy;
}

static void
cut(char *text, const char *from, const char *to)
{
	char *start = strstr(text, from);
	char *end = start == NULL ? NULL : strstr(start, to);

	if (CHECK(end != NULL))
		memmove(start, end, strlen(end) + 1);
}

const char *
member_world_node(uint32_t at, uint32_t node)
{
	static char copies[4][MEMBER_NODE_BYTES];
	static unsigned turn;
	char *copy = copies[turn++ % 4];
	struct text out;

	text_init(&out, copy, MEMBER_NODE_BYTES);
	member_put_node(world.nodes[at].core, node - 1, world.now_ns, &out);
	ENSURE(!out.is_full);
	cut(copy, " local=", " tags=");
	return copy + 1;
}

uint32_t
member_world_answered(uint32_t node)
{
	return world.nodes[node].answered;
}

struct member *
member_world_core(uint32_t node)
{
	return world.nodes[node].core;
}

uint64_t
member_world_inc(uint32_t node)
{
	return world.nodes[node].inc;
}
