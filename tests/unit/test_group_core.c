/* SPDX-License-Identifier: BSD-3-Clause */
/* Groups on the real core: three nodes, a network that loses nothing but what
 * a cut takes, and the loop that group.h asks of a shell. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/group.h"
#include "bin/ringd/totem.h"
#include "tests/unit/check.h"

enum { NODES = 3, PACKETS_MAX = 4096, HOP_NS = 50000 };

struct packet {
	uint32_t from;
	uint32_t to;
	size_t len;
	uint8_t *bytes;
};

struct node {
	struct totem *totem;
	struct group_layer *group;
	void *memory;
	char story[4096]; /* what its clients are told */
	size_t story_len;
	uint32_t synced; /* members of the ring when it last was */
};

struct cluster {
	uint64_t now_ns;
	uint32_t side[NODES + 1]; /* nodes of one side hear each other */
	struct node nodes[NODES + 1];
	struct packet packets[PACKETS_MAX]; /* a ring */
	size_t first;
	size_t count;
};

/* ---- the core's side --------------------------------------------------- */

static void
send_out(struct cluster *c, uint32_t node, const struct totem_effect *effect)
{
	for (uint32_t i = 0; i < effect->send.to->count; i++) {
		uint32_t to = effect->send.to->id[i];
		if (c->side[node] != c->side[to] || to == node)
			continue;
		ENSURE(c->count < PACKETS_MAX);
		struct packet *packet =
		    &c->packets[(c->first + c->count++) % PACKETS_MAX];
		*packet = (struct packet){ node, to, effect->send.len,
			malloc(effect->send.len) };
		ENSURE(packet->bytes != NULL);
		memcpy(packet->bytes, effect->send.bytes, packet->len);
	}
}

static void
tell(struct node *n, const char *text)
{
	size_t len = strlen(text);

	ENSURE(n->story_len + len < sizeof(n->story));
	memcpy(n->story + n->story_len, text, len + 1);
	n->story_len += len;
}

static void
tell_view(struct node *n, const struct group_view *view)
{
	char text[64];

	snprintf(text, sizeof(text), "%.*s =", (int)view->group.len,
	    (const char *)view->group.bytes);
	tell(n, text);
	for (size_t i = 0; i < view->member_count; i++) {
		snprintf(text, sizeof(text), " %u", view->members[i]->node);
		tell(n, text);
	}
	tell(n, "\n");
}

static void
handle(struct cluster *c, uint32_t node, const struct group_effect *effect)
{
	struct node *n = &c->nodes[node];
	struct totem_status status;
	char text[64];

	switch (effect->kind) {
	case GROUP_OUT_MESSAGE:
		snprintf(text, sizeof(text), "< %u %.*s\n",
		    effect->message.node, (int)num_min(effect->message.len, 8),
		    (const char *)effect->message.bytes);
		tell(n, text);
		return;
	case GROUP_OUT_VIEW:
		tell_view(n, &effect->view);
		return;
	case GROUP_OUT_DONE:
		tell(n, "done\n");
		return;
	case GROUP_OUT_FAILED:
		tell(n, group_failure_name(effect->failed.reason));
		return;
	case GROUP_OUT_SYNCED:
		totem_status(n->totem, c->now_ns, &status);
		n->synced = status.members.count;
		return;
	case GROUP_OUT_SUBMIT:
	case GROUP_OUT_OPEN_GATE:
	case GROUP_EFFECTS:
		ENSURE(false);
	}
}

/* One effect of the core, and all that it makes of the groups. */
static void
take_effect(struct cluster *c, uint32_t node, const struct totem_effect *effect)
{
	struct node *n = &c->nodes[node];
	const struct group_input in = { .kind = GROUP_IN_TOTEM,
		.totem = effect };
	struct group_effect out;

	if (effect->kind == TOTEM_OUT_SEND)
		send_out(c, node, effect);
	group_step(n->group, &in);
	while (group_next(n->group, &out))
		handle(c, node, &out);
	group_check(n->group);
}

static void
step_core(struct cluster *c, uint32_t node, struct totem_input *in)
{
	struct node *n = &c->nodes[node];
	struct totem_effect effect;
	uint64_t persist = 0;

	in->now_ns = c->now_ns;
	totem_step(n->totem, in);
	if (in->kind == TOTEM_IN_SUBMIT)
		group_submitted(n->group, totem_last_msg_no(n->totem));
	while (totem_next(n->totem, &effect)) {
		if (effect.kind == TOTEM_OUT_PERSIST)
			persist = effect.persist_ring_seq;
		take_effect(c, node, &effect);
	}
	if (persist != 0) {
		struct totem_input done = { .kind = TOTEM_IN_PERSISTED,
			.persisted_ring_seq = persist };
		step_core(c, node, &done);
	}
}

/* ---- the layer's side -------------------------------------------------- */

/* Feeds the layer; true when the core was given something. */
static bool
step_group(struct cluster *c, uint32_t node, const struct group_input *in)
{
	struct node *n = &c->nodes[node];
	struct group_effect out;

	group_step(n->group, in);
	while (group_next(n->group, &out)) {
		if (out.kind == GROUP_OUT_SUBMIT ||
		    out.kind == GROUP_OUT_OPEN_GATE) {
			step_core(c, node, &out.core);
			return true;
		}
		handle(c, node, &out);
	}
	return false;
}

static void
pump(struct cluster *c, uint32_t node)
{
	struct node *n = &c->nodes[node];
	bool is_moving = true;

	while (is_moving && group_is_waiting(n->group)) {
		struct group_input room = { .kind = GROUP_IN_ROOM };
		room.room.client_bytes =
		    totem_room_bytes(n->totem, TOTEM_CLASS_CLIENT);
		room.room.system_bytes =
		    totem_room_bytes(n->totem, TOTEM_CLASS_SYSTEM);
		is_moving = step_group(c, node, &room);
	}
}

/* ---- time -------------------------------------------------------------- */

static void
step_and_pump(struct cluster *c, uint32_t node, enum totem_input_kind kind)
{
	struct totem_input in = { .kind = kind };

	step_core(c, node, &in);
	pump(c, node);
}

static void
arrive(struct cluster *c)
{
	struct packet packet = c->packets[c->first];
	struct totem_input in = { .kind = TOTEM_IN_PACKET };

	c->first = (c->first + 1) % PACKETS_MAX;
	c->count--;
	in.packet.node = packet.from;
	in.packet.incarnation = 1;
	in.packet.bytes = packet.bytes;
	in.packet.len = packet.len;
	if (c->side[packet.from] == c->side[packet.to]) {
		step_core(c, packet.to, &in);
		pump(c, packet.to);
	}
	free(packet.bytes);
}

/* What is under way arrives, one hop later; then due timers run. */
static void
turn(struct cluster *c)
{
	uint64_t next = UINT64_MAX;

	for (uint32_t node = 1; node <= NODES; node++)
		next = num_min(next, totem_deadline_ns(c->nodes[node].totem));
	c->now_ns = num_max(
	    c->now_ns, c->count > 0 ? num_min(next, c->now_ns + HOP_NS) : next);
	for (size_t left = c->count; left > 0; left--)
		arrive(c);
	for (uint32_t node = 1; node <= NODES; node++) {
		step_and_pump(c, node, TOTEM_IN_IDLE);
		if (totem_deadline_ns(c->nodes[node].totem) <= c->now_ns)
			step_and_pump(c, node, TOTEM_IN_DEADLINE);
	}
}

static void
run_ms(struct cluster *c, uint64_t ms)
{
	uint64_t end_ns = c->now_ns + ms * 1000000;

	while (c->now_ns < end_ns)
		turn(c);
}

/* Until all nodes have exchanged in rings of count members. */
static bool
run_until_synced(struct cluster *c, uint32_t a, uint32_t b, uint32_t count)
{
	uint64_t end_ns = c->now_ns + UINT64_C(20000000000);

	while (c->now_ns < end_ns &&
	    (c->nodes[a].synced != count || c->nodes[b].synced != count))
		turn(c);
	return CHECK(c->now_ns < end_ns);
}

/* ---- lives ------------------------------------------------------------- */

static void
start(struct cluster *c, uint32_t node, struct arena *arena)
{
	struct totem_config cfg;
	const struct totem_boot boot = { .now_ns = c->now_ns,
		.incarnation = 1,
		.ring_seq = 1,
		.ring_seq_reserved = 1000,
		.seed = node };
	struct group_config group = { .self = node, .incarnation = 1 };

	totem_config_default(&cfg);
	cfg.self = node;
	cfg.node_count = NODES;
	for (uint32_t i = 0; i < NODES; i++)
		cfg.nodes[i] = i + 1;
	group.message_bytes_max = cfg.message_bytes_max;
	c->nodes[node].totem = totem_create(arena, &cfg, &boot);
	c->nodes[node].group = group_create(arena, &group);
}

static struct cluster *
begin(void)
{
	struct cluster *c = calloc(1, sizeof(*c));

	ENSURE(c != NULL);
	c->now_ns = 1000000000;
	for (uint32_t node = 1; node <= NODES; node++) {
		struct arena arena;
		arena_init(&arena, NULL, 0);
		start(c, node, &arena);
		size_t bytes = arena.used_bytes;
		c->nodes[node].memory =
		    aligned_alloc(64, num_round_up(bytes, 64));
		ENSURE(c->nodes[node].memory != NULL);
		arena_init(&arena, c->nodes[node].memory, bytes);
		start(c, node, &arena);
	}
	return c;
}

static void
end(struct cluster *c)
{
	while (c->count > 0) {
		free(c->packets[c->first].bytes);
		c->first = (c->first + 1) % PACKETS_MAX;
		c->count--;
	}
	for (uint32_t node = 1; node <= NODES; node++)
		free(c->nodes[node].memory);
	free(c);
}

static void
ask(struct cluster *c, uint32_t node, const struct group_input *in)
{
	step_group(c, node, in);
	pump(c, node);
}

static void
join(struct cluster *c, uint32_t node)
{
	struct group_input in = { .kind = GROUP_IN_OPEN, .conn = 1 };

	ask(c, node, &in);
	in = (struct group_input){ .kind = GROUP_IN_JOIN, .conn = 1 };
	in.join.group = (struct group_name){ (const uint8_t *)"g", 1 };
	ask(c, node, &in);
}

static void
publish(struct cluster *c, uint32_t node, const char *bytes, size_t len)
{
	struct group_input in = { .kind = GROUP_IN_PUBLISH, .conn = 1 };

	in.publish.group = (struct group_name){ (const uint8_t *)"g", 1 };
	in.publish.bytes = (const uint8_t *)bytes;
	in.publish.len = len;
	in.publish.room_bytes =
	    totem_room_bytes(c->nodes[node].totem, TOTEM_CLASS_CLIENT);
	ask(c, node, &in);
}

static void
check_stories(struct cluster *c, uint32_t a, uint32_t b)
{
	CHECK_STR(c->nodes[a].story, c->nodes[b].story);
}

static void
forget_stories(struct cluster *c)
{
	for (uint32_t node = 1; node <= NODES; node++) {
		c->nodes[node].story_len = 0;
		c->nodes[node].story[0] = '\0';
	}
}

/* ---- tests ------------------------------------------------------------- */

static void
test_group_core_partition_and_merge(void)
{
	struct cluster *c = begin();

	run_until_synced(c, 1, 2, NODES);
	run_until_synced(c, 1, 3, NODES);
	for (uint32_t node = 1; node <= NODES; node++)
		join(c, node);
	run_ms(c, 200);
	for (uint32_t node = 1; node <= NODES; node++)
		CHECK_EQ(group_total(c->nodes[node].group), 1);
	forget_stories(c);

	publish(c, 1, "one", 3);
	publish(c, 2, "two", 3);
	run_ms(c, 200);
	CHECK(strstr(c->nodes[3].story, "< 1 one\n") != NULL);
	CHECK(strstr(c->nodes[3].story, "< 2 two\n") != NULL);
	check_stories(c, 1, 2);
	check_stories(c, 1, 3);
	forget_stories(c);

	c->side[3] = 1;
	run_until_synced(c, 1, 2, 2);
	run_until_synced(c, 3, 3, 1);
	CHECK_STR(c->nodes[1].story, "g = 1 2\n");
	CHECK_STR(c->nodes[2].story, "g = 1 2\n");
	CHECK_STR(c->nodes[3].story, "g = 3\n");
	publish(c, 3, "alone", 5);
	run_ms(c, 100);
	CHECK_STR(c->nodes[3].story, "g = 3\n< 3 alone\n");
	forget_stories(c);

	c->side[3] = 0;
	publish(c, 3, "merged", 6);
	run_until_synced(c, 1, 2, NODES);
	run_until_synced(c, 1, 3, NODES);
	run_ms(c, 100);
	CHECK(strstr(c->nodes[1].story, "g = 1 2 3\n") != NULL);
	CHECK(strstr(c->nodes[3].story, "g = 1 2 3\n") != NULL);
	check_stories(c, 1, 2);
	for (uint32_t node = 1; node <= NODES; node++) {
		CHECK_EQ(
		    group_count(c->nodes[node].group, GROUP_COUNT_EARLY), 0);
		CHECK_EQ(
		    group_count(c->nodes[node].group, GROUP_COUNT_MALFORMED),
		    0);
	}
	end(c);
}

static void
test_group_core_large_messages_wait_for_room(void)
{
	static char large[700000];
	struct cluster *c = begin();
	size_t taken = 0;

	memset(large, 'x', sizeof(large));
	run_until_synced(c, 1, 2, NODES);
	run_until_synced(c, 1, 3, NODES);
	for (int i = 0; i < 20; i++) {
		forget_stories(c);
		publish(c, 1, large, sizeof(large));
		taken += strcmp(c->nodes[1].story, "again") != 0;
	}
	CHECK(taken >= 1);
	CHECK(taken < 20); /* the core's queue is finite */
	forget_stories(c);
	join(c, 1);
	run_ms(c, 3000);
	const char *at = c->nodes[2].story;
	for (size_t i = 0; i < taken; i++) {
		CHECK(strncmp(at, "< 1 xxxxxxxx\n", 13) == 0);
		at += 13;
	}
	CHECK_STR(at, "g = 1\n");
	check_stories(c, 2, 3);
	end(c);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_group_core_partition_and_merge),
		CHECK_TEST(test_group_core_large_messages_wait_for_room),
	};
	return CHECK_MAIN(argc, argv, tests);
}
