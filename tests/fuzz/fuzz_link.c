/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Bytes as what two peers say in LINKs.  Each piece is {deed 1, argument 2},
 * of a LINK its text besides; the first byte is the mode.  Whatever they say,
 * the state stays sound, all that is sent is a valid LINK, DATA has a way to
 * everybody, and what is told of a path is a length that pieces fit into.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"

#include "bin/ringd/link.h"
#include "bin/ringd/session.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum {
	NODES = 3,
	LINKS = 2,
	MEMORY_BYTES = 1 << 18,
	EFFECTS_MAX = 1000,
	DATAGRAM_MIN = LIMIT_FRAME_BYTES_MIN + SESSION_OVERHEAD_BYTES,
};

static _Alignas(64) uint8_t memory[MEMORY_BYTES];
static struct links *links;
static uint64_t now_ns, counter, turn;

static void
begin(uint8_t mode)
{
	const struct link_config cfg = { .self = 0,
		.node_count = NODES,
		.link_count = LINKS,
		.mode = (enum link_mode)(mode % 3),
		.priority = { 0, mode / 3 % 3 },
		.datagram_bytes = 1448 };
	struct arena arena;

	now_ns = (uint64_t)1 << 40;
	counter = turn = 0;
	arena_init(&arena, NULL, 0);
	(void)link_create(&arena, &cfg, now_ns);
	ENSURE(arena.used_bytes <= MEMORY_BYTES);
	arena_init(&arena, memory, MEMORY_BYTES);
	links = link_create(&arena, &cfg, now_ns);
	link_greet(links, 1, false, now_ns);
	link_greet(links, 2, false, now_ns);
}

static void
check_lengths(uint32_t mtu)
{
	ENSURE(mtu == 0 || mtu >= DATAGRAM_MIN);
}

static void
check_send(const struct link_effect *effect)
{
	uint8_t text[LINK_TEXT_BYTES];
	struct link_packet again;

	check_lengths(effect->bytes);
	link_packet_put(&effect->packet, text);
	ENSURE(link_packet_get(text, sizeof text, &again));
	ENSURE(again.seq == effect->packet.seq);
}

/* All that follows is done, and sound. */
static void
settle(void)
{
	struct link_effect effect;
	uint32_t count = 0;

	while (link_next(links, now_ns, &effect)) {
		ENSURE(++count < EFFECTS_MAX);
		if (effect.kind == LINK_OUT_SEND)
			check_send(&effect);
		if (effect.kind == LINK_OUT_MTU)
			check_lengths(effect.mtu);
	}
	link_assert(links);
	for (uint32_t peer = 1; peer < NODES; peer++) {
		ENSURE(link_data(links, peer, turn++) != 0);
		ENSURE(link_control(links, peer) != 0);
		check_lengths(link_mtu(links, peer, false));
		check_lengths(link_mtu(links, peer, true));
	}
}

/* Answers how many octets it took. */
static size_t
hear(const struct link_at *at, uint16_t length, const uint8_t *text, size_t len)
{
	struct link_packet packet;

	if (!link_packet_get(text, len, &packet))
		return len < LINK_TEXT_BYTES ? len : LINK_TEXT_BYTES;
	if (link_hear(links, at, &packet, length))
		link_heard(links, at, ++counter);
	return LINK_TEXT_BYTES;
}

static void
pass(const struct link_at *at, uint16_t value)
{
	if (value % 2 != 0) {
		link_sent(links, at, value / 2);
		return;
	}
	link_came(links, at);
	if (link_wants(links, at, value))
		link_heard(links, at, value);
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	begin(len > 0 ? bytes[0] : 0);
	for (size_t at = 1; at + 3 <= len;) {
		struct link_at where = { 1 + bytes[at] / 8 % 2,
			bytes[at] / 16 % LINKS, now_ns };
		uint16_t value = (uint16_t)(bytes[at + 1] << 8 | bytes[at + 2]);
		uint8_t deed = bytes[at] % 8;

		at += 3;
		if (deed < 4)
			at += hear(&where, value, bytes + at, len - at);
		else if (deed == 4)
			now_ns += value * (uint64_t)100000;
		else if (deed == 5)
			pass(&where, value);
		else if (deed == 6)
			link_hint(links, where.link, value % 2 != 0, now_ns);
		else
			link_greet(links, where.peer, value % 2 != 0, now_ns);
		if (link_deadline_ns(links) <= now_ns)
			link_tick(links, now_ns);
		settle();
	}
	return 0;
}
