/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three cores that have formed a ring, and peers that have the key but lie: the
 * input is a program of small commands that let time pass, submit, and lose,
 * repeat, delay, bend or invent packets.  totem_check runs after every step.
 */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"

#include "tests/unit/ringlet.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { NODES = 3, TURNS_MAX = 600, SUBMIT_MAX = 6000 };

static struct ringlet r;
static struct rdbuf rd;

typedef void command_fn(void);

static uint32_t
a_node(void)
{
	return rdbuf_u8(&rd) % NODES;
}

/* One of the packets under way; NULL when there are none. */
static struct ringlet_packet *
a_packet(void)
{
	uint32_t nth = rdbuf_u8(&rd) % 16;
	struct ringlet_packet *packet = r.first;

	while (packet != NULL && packet->next != NULL && nth-- > 0)
		packet = packet->next;
	return packet;
}

static void
step(uint32_t idx, struct totem_input in)
{
	if (r.node[idx].core != NULL)
		ringlet_step(&r, idx, &in);
}

/* ---- commands ---------------------------------------------------------- */

static void
turn(void)
{
	uint32_t count = rdbuf_u8(&rd) % 32;

	for (uint32_t i = 0; i < count; i++)
		(void)ringlet_turn(&r);
}

static void
submit(void)
{
	static const uint8_t message[SUBMIT_MAX];
	uint32_t idx = a_node();
	uint8_t how = rdbuf_u8(&rd);
	struct totem *core = r.node[idx].core;
	struct totem_input in = { .kind = TOTEM_IN_SUBMIT };

	in.submit.service = how & 1 ? TOTEM_SAFE : TOTEM_AGREED;
	in.submit.class = how & 2 ? TOTEM_CLASS_SYSTEM : TOTEM_CLASS_CLIENT;
	in.submit.has_if_view = (how & 12) == 12;
	in.submit.if_view.seq = how >> 4;
	in.submit.body = message;
	in.submit.body_len = num_min(rdbuf_u16(&rd), SUBMIT_MAX);
	if (core == NULL)
		return;
	size_t room = totem_room_bytes(core, in.submit.class);
	if (room > 0 && room >= in.submit.body_len)
		step(idx, in);
}

/* The core trusts what its shell authenticated: who sent it, and no more. */
static void
bend(void)
{
	struct ringlet_packet *packet = a_packet();
	uint16_t at = rdbuf_u16(&rd);
	uint8_t by = rdbuf_u8(&rd);

	if (packet != NULL)
		packet->bytes[at % packet->len] ^= by;
}

/* Adds a little to a number of up to eight octets. */
static void
bend_number(void)
{
	struct ringlet_packet *packet = a_packet();
	size_t at = rdbuf_u8(&rd);
	uint64_t by = (uint64_t)(int64_t)(int8_t)rdbuf_u8(&rd);

	if (packet == NULL || at + 8 > packet->len)
		return;
	for (size_t i = 8; i-- > 0; by >>= 8) {
		by += packet->bytes[at + i];
		packet->bytes[at + i] = (uint8_t)by;
	}
}

static void
cut(void)
{
	struct ringlet_packet *packet = a_packet();
	size_t len = rdbuf_u16(&rd);

	if (packet != NULL)
		packet->len = num_max(1, len % (packet->len + 1));
}

/* To a node that is not there: lost. */
static void
lose(void)
{
	struct ringlet_packet *packet = a_packet();

	if (packet != NULL)
		packet->incarnation = 0;
}

static void
redirect(void)
{
	struct ringlet_packet *packet = a_packet();
	uint32_t from = a_node(), to = a_node();

	if (packet == NULL)
		return;
	packet->from = from;
	packet->to = to;
}

/* A packet comes now, and once more when its time is there. */
static void
repeat(void)
{
	struct ringlet_packet *packet = a_packet();
	struct totem_input in = { .kind = TOTEM_IN_PACKET };

	if (packet == NULL)
		return;
	in.packet.node = packet->from + 1;
	in.packet.incarnation = packet->incarnation;
	in.packet.bytes = packet->bytes;
	in.packet.len = packet->len;
	step(packet->to, in);
}

static void
invent(void)
{
	struct totem_input in = { .kind = TOTEM_IN_PACKET };
	uint32_t to = a_node();

	in.packet.node = a_node() + 1;
	in.packet.incarnation = r.node[in.packet.node - 1].incarnation;
	in.packet.len = num_min(rdbuf_u8(&rd), rdbuf_left(&rd));
	in.packet.bytes = rdbuf_bytes(&rd, in.packet.len);
	if (in.packet.bytes != NULL)
		step(to, in);
}

static void
restart(void)
{
	uint32_t idx = a_node();

	if (rdbuf_u8(&rd) % 2 == 0)
		ringlet_kill(&r, idx);
	else
		ringlet_start(&r, idx);
}

static void
stand_still(void)
{
	r.now_ns += rdbuf_u8(&rd) * 2 * RINGLET_MS;
}

static void
accuse(void)
{
	struct totem_input in = { .kind = TOTEM_IN_PEER };
	uint32_t idx = a_node();

	in.peer.node = a_node() + 1;
	in.peer.verdict =
	    (enum totem_verdict)(rdbuf_u8(&rd) % (TOTEM_PEER_LINK_UP + 1));
	step(idx, in);
}

static void
leave(void)
{
	step(a_node(), (struct totem_input){ .kind = TOTEM_IN_LEAVE });
}

static void
open_gate(void)
{
	struct totem_input in = { .kind = TOTEM_IN_GATE };

	in.gate.seq = rdbuf_u8(&rd);
	step(a_node(), in);
}

static void
persist(void)
{
	struct totem_input in = { .kind = TOTEM_IN_PERSISTED };

	in.persisted_ring_seq = rdbuf_u64(&rd);
	step(a_node(), in);
}

static command_fn *const commands[] = { turn, submit, bend, bend_number, cut,
	lose, redirect, repeat, invent, restart, stand_still, accuse, leave,
	open_gate, persist, turn };

/* ---- one run ----------------------------------------------------------- */

static void
open_ring(void)
{
	struct totem_config config;

	ringlet_config(&config);
	config.frame_bytes = LIMIT_FRAME_BYTES_MIN;
	config.message_bytes_max = SUBMIT_MAX;
	config.queue_bytes = SUBMIT_MAX;
	config.is_tracing = true;
	ringlet_open(&r, NODES, &config);
	r.is_unchecked = true; /* this much is known to be right */
	if (!ringlet_form(&r))
		abort();
	r.is_unchecked = false;
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	open_ring();
	rdbuf_init(&rd, bytes, len);
	for (int i = 0; !rd.is_short && rdbuf_left(&rd) > 0 && i < TURNS_MAX;
	     i++)
		commands[rdbuf_u8(&rd) % ARRAY_COUNT(commands)]();
	for (int i = 0; i < 20; i++)
		(void)ringlet_turn(&r);
	ringlet_close(&r);
	return 0;
}
