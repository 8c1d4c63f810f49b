/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes as messages of the ring.  The decoder is fed whole inputs; then two
 * layers that differ only in who they are, and in what they knew before,
 * deliver the input's pieces in one order and must come to the same groups.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"

#include "bin/ringd/group.h"
#include "bin/ringd/group_wire.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { MEMORY_BYTES = 1 << 19, PIECE_BYTES_MAX = 600 };

static _Alignas(64) uint8_t memories[2][MEMORY_BYTES];

/* What is accepted is what would be written. */
static void
check_round_trip(const uint8_t *bytes, size_t len)
{
	uint8_t head[GROUP_HEAD_BYTES_MAX];
	struct group_wire wire;
	struct wrbuf out;

	if (!group_wire_decode(bytes, len, &wire))
		return;
	wrbuf_init(&out, head, sizeof(head));
	group_wire_encode(&wire, &out);
	ENSURE(out.len + wire.len == len);
	ENSURE(memcmp(head, bytes, out.len) == 0);
	if (wire.kind != GROUP_WIRE_SYNC)
		return;
	struct rdbuf rd;
	rdbuf_init(&rd, wire.bytes, wire.len);
	while (rdbuf_left(&rd) > 0) {
		struct group_wire_entry entry;
		uint8_t copy[GROUP_WIRE_ENTRY_BYTES_MAX];
		size_t at = rd.at;
		ENSURE(group_wire_entry_decode(&rd, &entry));
		wrbuf_init(&out, copy, sizeof(copy));
		group_wire_entry_encode(&entry, &out);
		ENSURE(out.len == group_wire_entry_len(&entry));
		ENSURE(out.len == rd.at - at);
		ENSURE(memcmp(copy, wire.bytes + at, out.len) == 0);
	}
}

static struct group_layer *
make(uint32_t self)
{
	const struct group_config cfg = { .self = self,
		.incarnation = 1,
		.message_bytes_max = 65536,
		.groups_max = 3,
		.members_max = 5 };
	struct arena arena;

	memset(memories[self - 1], 0xA5, MEMORY_BYTES);
	arena_init(&arena, NULL, 0);
	group_create(&arena, &cfg);
	if (arena.used_bytes > MEMORY_BYTES)
		__builtin_trap();
	arena_init(&arena, memories[self - 1], MEMORY_BYTES);
	return group_create(&arena, &cfg);
}

static void
feed(struct group_layer *g, const struct totem_effect *effect)
{
	const struct group_input in = { .kind = GROUP_IN_TOTEM,
		.totem = effect };
	struct group_effect out;

	group_step(g, &in);
	while (group_next(g, &out))
		;
	group_check(g);
}

static void
feed_view(struct group_layer *g, enum totem_phase phase, uint64_t seq)
{
	struct totem_view view = { .phase = phase,
		.ring = { .seq = seq, .rep = 1 },
		.members = { 2, { 1, 2 } },
		.incarnation = { 1, 1 } };
	struct totem_effect effect = { .kind = TOTEM_OUT_VIEW, .view = &view };

	feed(g, &effect);
}

static void
check_same(struct group_layer *a, struct group_layer *b)
{
	struct group_status of_a, of_b;

	group_status(a, &of_a);
	group_status(b, &of_b);
	ENSURE(of_a.is_synced == of_b.is_synced);
	for (int i = 0; i < GROUP_COUNTERS; i++) {
		enum group_counter counter = (enum group_counter)i;
		if (counter != GROUP_COUNT_VIEWS)
			ENSURE(
			    group_count(a, counter) == group_count(b, counter));
	}
	if (!of_a.is_synced)
		return;
	ENSURE(group_total(a) == group_total(b));
	for (size_t i = 0; i < group_total(a); i++) {
		struct group_name name_a, name_b;
		const struct group_member *at = NULL;
		const struct group_member *other = NULL;
		group_at(a, i, &name_a);
		group_at(b, i, &name_b);
		ENSURE(group_wire_order(&name_a, &name_b) == 0);
		while ((at = group_member_next(a, i, at)) != NULL) {
			other = group_member_next(b, i, other);
			ENSURE(other != NULL);
			ENSURE(memcmp(at, other, sizeof(*at)) == 0);
		}
		ENSURE(group_member_next(b, i, other) == NULL);
	}
}

/* Each piece: what it is, its length in two bytes, its bytes. */
static void
play(struct group_layer *a, struct group_layer *b, struct rdbuf *rd)
{
	uint64_t ring = 1;
	uint64_t seq = 0;

	feed_view(a, TOTEM_PHASE_REGULAR, ring);
	feed_view(b, TOTEM_PHASE_REGULAR, ring);
	while (rdbuf_left(rd) >= 3) {
		struct totem_effect effect = { .kind = TOTEM_OUT_DELIVER };
		uint8_t what = rdbuf_u8(rd);
		size_t len = rdbuf_u16(rd) % PIECE_BYTES_MAX;
		if (len > rdbuf_left(rd))
			len = rdbuf_left(rd);
		effect.deliver.node = 1 + (what & 1);
		effect.deliver.incarnation = 1;
		effect.deliver.class =
		    (what & 2) == 0 ? TOTEM_CLASS_CLIENT : TOTEM_CLASS_SYSTEM;
		effect.deliver.ring =
		    (struct totem_ring_id){ .seq = ring, .rep = 1 };
		effect.deliver.seq = ++seq;
		effect.deliver.bytes = rdbuf_bytes(rd, len);
		effect.deliver.len = len;
		feed(a, &effect);
		feed(b, &effect);
		check_same(a, b);
		if ((what & 0xFC) != 0xFC)
			continue;
		ring++;
		feed_view(a, TOTEM_PHASE_TRANSITIONAL, ring - 1);
		feed_view(b, TOTEM_PHASE_TRANSITIONAL, ring - 1);
		feed_view(a, TOTEM_PHASE_REGULAR, ring);
		feed_view(b, TOTEM_PHASE_REGULAR, ring);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct rdbuf rd;

	check_round_trip(bytes, len);
	rdbuf_init(&rd, bytes, len);
	play(make(1), make(2), &rd);
	return 0;
}
