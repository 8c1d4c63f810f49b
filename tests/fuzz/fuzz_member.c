/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes as what ringd and other nodes say to a membership.  Lines are read as
 * records of ringd's; then two cores that differ only in who they are get the
 * input's pieces in one order and must say the same of all nodes.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "bin/memberd/member.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { NODES = 4, MEMORY_BYTES = 8 << 20, INPUT_BYTES_MAX = 16384 };

static _Alignas(64) uint8_t memories[2][MEMORY_BYTES];

static void
on_event(void *arg, const struct text *record)
{
	(void)arg;
	ENSURE(!record->is_full);
	ENSURE(memchr(record->bytes, '\n', record->len) == NULL);
}

static void
on_answer(void *arg, uint32_t req, int answer)
{
	(void)arg;
	ENSURE(req != 0 && answer >= MEMBER_DONE && answer <= MEMBER_E_NAME);
}

static struct member *
make(uint32_t self)
{
	static const struct member_node nodes[NODES] = { { 1, "n1", "::1" },
		{ 2, "n2", "::2" }, { 3, "n3", "::3" }, { 4, "n4", "::4" } };
	const struct member_config cfg = { .nodes = nodes,
		.node_count = NODES,
		.self = self,
		.version = "0.1.0",
		.message_max = 1 << 20,
		.sink = { on_event, on_answer, NULL } };
	struct arena arena;

	arena_init(&arena, NULL, 0);
	member_create(&arena, &cfg);
	ENSURE(arena.used_bytes <= MEMORY_BYTES);
	arena_init(&arena, memories[self - 1], MEMORY_BYTES);
	return member_create(&arena, &cfg);
}

static void
step(struct member *m, struct member_input in)
{
	static uint8_t bytes[MEMBER_MESSAGE_BYTES + 1];
	struct text out;

	in.now_ns = 1;
	member_step(m, &in);
	member_check(m);
	do {
		text_init(&out, (char *)bytes, sizeof bytes);
	} while (member_publish(m, &out));
}

/* The first two are always there: the input says who else is. */
static void
install(struct member *m, uint64_t seq, unsigned others)
{
	struct member_view view = { .view = { 1, seq }, .reason = "join" };

	for (uint32_t id = 1; id <= NODES; id++) {
		if (id > 2 && (others >> (id - 3) & 1) == 0)
			continue;
		view.id[view.count] = id;
		view.inc[view.count++] = 1 + (id > 2 ? others >> 2 & 1 : 0);
	}
	step(m, (struct member_input){ .kind = MEMBER_IN_VIEW, .view = &view });
}

static void
deliver(struct member *m, uint64_t seq, const uint8_t *bytes, size_t len)
{
	struct member_message message = { .node = 3,
		.inc = 1,
		.conn = 5,
		.pos = { { 1, 1 }, seq, 0 },
		.bytes = bytes,
		.len = len };

	step(m,
	    (struct member_input){
		.kind = MEMBER_IN_MESSAGE, .message = &message });
}

/* What all know of a node: nothing of local= and since_ms=. */
static void
put(struct member *m, uint32_t idx, struct text *out)
{
	static char whole[MEMBER_NODE_BYTES];
	struct text text;
	char *local, *tags;

	text_init(&text, whole, sizeof whole);
	member_put_node(m, idx, 1, &text);
	ENSURE(!text.is_full);
	local = strstr(whole, " local=");
	tags = strstr(whole, " tags=");
	ENSURE(local != NULL && tags != NULL);
	text_put_bytes(out, whole, (size_t)(local - whole));
	text_put(out, tags);
}

static void
check_same(struct member *a, struct member *b)
{
	static char of_a[MEMBER_NODE_BYTES], of_b[MEMBER_NODE_BYTES];

	for (uint32_t i = 0; i < NODES; i++) {
		struct text text_a, text_b;

		text_init(&text_a, of_a, sizeof of_a);
		text_init(&text_b, of_b, sizeof of_b);
		put(a, i, &text_a);
		put(b, i, &text_b);
		ENSURE(strcmp(of_a, of_b) == 0);
	}
}

/* Pieces between NULs: messages, but for one byte, which is a view. */
static void
play(struct member *a, struct member *b, const uint8_t *bytes, size_t len)
{
	uint64_t seq = 1;

	install(a, seq, 3);
	install(b, seq, 3);
	for (size_t at = 0, n; at < len; at += n + 1) {
		const uint8_t *end = memchr(bytes + at, 0, len - at);

		n = end == NULL ? len - at : (size_t)(end - bytes) - at;
		seq++;
		if (n == 1) {
			install(a, seq, bytes[at]);
			install(b, seq, bytes[at]);
		} else {
			deliver(a, seq, bytes + at, n);
			deliver(b, seq, bytes + at, n);
		}
		check_same(a, b);
	}
}

static void
check_view(const uint8_t *bytes, size_t len)
{
	static char line[INPUT_BYTES_MAX + 1];
	static struct word word;
	struct member_view view;

	memcpy(line, bytes, len);
	if (word_parse(&word, line, len) != 0 ||
	    !member_read_view(&word, &view))
		return;
	ENSURE(view.count <= LIMIT_NODES);
	ENSURE(view.left_count <= LIMIT_NODES);
	ENSURE(view.joined_count <= LIMIT_NODES);
	ENSURE(memchr(view.reason, '\0', sizeof view.reason) != NULL);
	step(make(1),
	    (struct member_input){ .kind = MEMBER_IN_READY, .view = &view });
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (len == 0 || len > INPUT_BYTES_MAX)
		return 0;
	check_view(bytes, len);
	play(make(1), make(2), bytes, len);
	return 0;
}
