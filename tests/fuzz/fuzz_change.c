/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes as what members say of changes.  Each piece is {who 1, length 1,
 * message}; two nodes of a view hear all of them in one order, answer every
 * PREPARE alike, and must do the same.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"

#include "bin/ringd/change.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { NODES = 3, MEMORY_BYTES = 1 << 18 };

static _Alignas(64) uint8_t memories[2][MEMORY_BYTES];

static struct change *
make(uint32_t self)
{
	struct totem_view view = { .ring = { .seq = 1, .rep = 1 },
		.members = { .count = NODES, .id = { 1, 2, 3 } },
		.incarnation = { 1, 1, 1 } };
	struct arena arena;
	struct change *c;

	arena_init(&arena, NULL, 0);
	(void)change_create(&arena, self, 1);
	ENSURE(arena.used_bytes <= MEMORY_BYTES);
	arena_init(&arena, memories[self - 1], MEMORY_BYTES);
	c = change_create(&arena, self, 1);
	change_view(c, &view);
	return c;
}

/* A number that tells what was done. */
static uint64_t
pull(struct change *c)
{
	struct change_effect effect;
	struct change_member member;
	uint64_t deeds = 0;

	while (change_next(c, &effect)) {
		ENSURE(effect.len <= CHANGE_BODY_BYTES_MAX);
		ENSURE(effect.kind != CHANGE_OUT_RESULT);
		deeds = 31 * deeds + effect.kind + 7 * effect.outcome +
		    effect.id.number + effect.change + effect.len;
	}
	for (uint32_t i = 0; change_member(c, i, &member); i++) {
		ENSURE(strlen(member.text) <= CHANGE_TEXT_BYTES_MAX);
		deeds = 31 * deeds + member.ballot;
	}
	return deeds + change_malformed(c);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct change *a = make(1), *b = make(2);

	while (len >= 2) {
		struct group_message message = { .node = 1 + bytes[0] % 4,
			.incarnation = 1,
			.bytes = bytes + 2,
			.len = bytes[1] };

		if (message.len > len - 2)
			message.len = len - 2;
		change_hear(a, &message);
		change_hear(b, &message);
		ENSURE(pull(a) == pull(b));
		ENSURE(change_is_current(a) == change_is_current(b));
		bytes += 2 + message.len;
		len -= 2 + message.len;
	}
	return 0;
}
