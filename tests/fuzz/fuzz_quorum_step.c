/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes as messages of the group ringkit/quorum, a line each, whose first
 * octet says from whom and when: the core stays whole, and what it keeps it
 * can read.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/quorumd/quorum.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { NODES = 3, MEMORY_BYTES = 1 << 18 };

static _Alignas(64) uint8_t memory[MEMORY_BYTES];

static const uint32_t ids[NODES] = { 1, 2, 3 };
static char kept[QUORUM_MESSAGE_BYTES_MAX];
static size_t kept_len;

static struct quorum *
make(void)
{
	struct quorum_config cfg;
	struct arena arena;

	quorum_config_init(&cfg);
	cfg.self = 1;
	cfg.node_count = NODES;
	for (uint32_t i = 0; i < NODES; i++) {
		cfg.node[i].id = i + 1;
		cfg.node[i].votes = 1;
	}
	cfg.last_man_standing = true;
	cfg.auto_tie_breaker = QUORUM_TIE_LOWEST;
	cfg.wait_for_all = QUORUM_WAIT_ALWAYS;
	arena_init(&arena, memory, sizeof memory);
	return quorum_create(&arena, &cfg, kept, kept_len);
}

static void
step(struct quorum *q, struct quorum_input *in)
{
	struct quorum_effect effect;

	quorum_step(q, in);
	while (quorum_next(q, &effect))
		if (effect.kind == QUORUM_OUT_KEEP) {
			memcpy(kept, effect.keep.bytes, effect.keep.len);
			kept_len = effect.keep.len;
		}
	quorum_check(q);
}

static void
view(struct quorum *q, uint64_t seq, size_t members)
{
	struct quorum_input in = { .kind = QUORUM_IN_VIEW,
		.now_ns = seq << 30 };

	in.view.id = (struct parse_view){ 1, seq };
	in.view.member = in.view.along = ids;
	in.view.member_count = members;
	in.view.along_count = 1 + seq % members;
	step(q, &in);
	in = (struct quorum_input){ .kind = QUORUM_IN_GROUP,
		.now_ns = seq << 30 };
	in.group.node = ids;
	in.group.node_count = members;
	in.group.pos = (struct parse_pos){ { 1, seq }, 1, 0 };
	step(q, &in);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	uint64_t seq = 1, at = 1;

	kept_len = 0;
	struct quorum *q = make();

	view(q, seq, NODES);
	while (len > 0) {
		const uint8_t *end = memchr(bytes, '\n', len);
		size_t line = end != NULL ? (size_t)(end - bytes) : len;
		uint8_t how = bytes[0];
		struct quorum_input in = { .kind = QUORUM_IN_MESSAGE,
			.now_ns = (seq << 30) + (at << 20) };

		if (how & 8)
			view(q, ++seq, 1 + how % NODES);
		in.message.sender = 1 + how % NODES;
		in.message.pos = (struct parse_pos){ { 1, seq }, ++at, 0 };
		in.message.is_transitional = (how & 16) != 0;
		in.message.bytes = bytes + (line > 0);
		in.message.len = num_sub(line, 1);
		step(q, &in);
		in = (struct quorum_input){ .kind = QUORUM_IN_TIME,
			.now_ns = (seq << 30) + (at << 20) };
		step(q, &in);
		bytes += line + (end != NULL);
		len -= line + (end != NULL);
	}
	q = make(); /* from what was kept */
	quorum_check(q);
	return 0;
}
