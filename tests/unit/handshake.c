/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/handshake.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"

enum { HANDSHAKE_HOP_NS = 100000 };

void
handshake_init(struct handshake *h, uint64_t seed)
{
	memset(h, 0, sizeof *h);
	rng_init(&h->rng, seed);
	text_init(&h->story, h->story_bytes, sizeof h->story_bytes);
	h->now_ns = 1000000000;
	for (uint32_t i = 0; i < HANDSHAKE_NODES; i++)
		h->ciphers[i] = 3;
}

void
handshake_boot(struct handshake *h, uint32_t i)
{
	struct handshake_node *node = &h->nodes[i];
	struct session_config cfg = {
		.self = i + 1,
		.node_count = HANDSHAKE_NODES,
		.cluster_tag = 7,
		.key_id = 1,
		.ciphers = h->ciphers[i],
		.rekey_after = h->rekey_after,
	};
	struct session_boot boot = {
		.now_ns = h->now_ns,
		.session = rng_next(&h->rng) | 1,
		.incarnation = ++node->incarnation,
	};
	struct arena arena;

	for (uint32_t j = 0; j < HANDSHAKE_NODES; j++)
		cfg.nodes[j] = j + 1;
	arena_init(&arena, node->block, sizeof node->block);
	node->s = session_create(&arena, &cfg, &boot);
	node->boot_no = h->sent_no;
	node->is_rolled_back = false;
	node->outlived_by = 0;
}

static struct handshake_packet *
handshake_launch(struct handshake *h, uint32_t i, uint32_t j)
{
	struct handshake_packet *packet;

	if (h->flight_count == HANDSHAKE_FLIGHT_MAX)
		(void)handshake_take(h, 0);
	packet = &h->flight[h->flight_count++];
	*packet = (struct handshake_packet){ .from = i, .to = j };
	packet->sent_no = ++h->sent_no;
	return packet;
}

static void
handshake_tell(struct handshake *h, const struct handshake_packet *packet)
{
	text_put_u64(&h->story, packet->from + 1);
	text_put(&h->story, ">");
	text_put_u64(&h->story, packet->to + 1);
	text_put(&h->story, packet->hello.challenge ? " challenge" : "");
	text_put(&h->story, packet->hello.echo ? " echo" : "");
	text_put(&h->story, "\n");
}

static void
handshake_pull(struct handshake *h, uint32_t i)
{
	struct handshake_node *node = &h->nodes[i];
	struct session_effect effect;
	struct handshake_packet *packet;

	while (session_next(node->s, &effect)) {
		switch (effect.kind) {
		case SESSION_OUT_HELLO:
			packet = handshake_launch(h, i, effect.peer);
			packet->hello = effect.hello;
			session_stamp(node->s, SESSION_HELLO, effect.peer + 1,
			    &packet->header);
			handshake_tell(h, packet);
			break;
		case SESSION_OUT_BELIEVED:
			text_put_u64(&h->story, i + 1);
			text_put(&h->story, " believes ");
			text_put_u64(&h->story, effect.peer + 1);
			text_put(
			    &h->story, effect.is_restart ? " anew\n" : "\n");
			node->restarts_seen += effect.is_restart;
			break;
		case SESSION_OUT_ROLLED_BACK:
			node->is_rolled_back = true;
			break;
		case SESSION_OUT_OUTLIVED:
			node->outlived_by = effect.outlived;
			break;
		case SESSION_OUT_REKEY:
			session_rekey(
			    node->s, rng_next(&h->rng) | 1, h->now_ns);
			break;
		}
	}
	session_assert(node->s);
}

void
handshake_tick(struct handshake *h, uint32_t i)
{
	struct session_now now = { h->now_ns, rng_next(&h->rng) };

	if (h->nodes[i].s == NULL)
		return;
	if (h->now_ns >= session_deadline_ns(h->nodes[i].s))
		session_tick(h->nodes[i].s, &now);
	handshake_pull(h, i);
}

struct handshake_packet
handshake_data(struct handshake *h, uint32_t i, uint32_t j)
{
	struct handshake_packet *packet = handshake_launch(h, i, j);

	session_stamp(h->nodes[i].s, SESSION_DATA, 0, &packet->header);
	return *packet;
}

struct handshake_packet
handshake_take(struct handshake *h, uint32_t at)
{
	struct handshake_packet packet = h->flight[at];

	ENSURE(at < h->flight_count);
	h->flight_count--;
	memmove(&h->flight[at], &h->flight[at + 1],
	    (h->flight_count - at) * sizeof h->flight[0]);
	return packet;
}

enum session_refusal
handshake_arrive(struct handshake *h, const struct handshake_packet *packet)
{
	struct session *s = h->nodes[packet->to].s;
	struct session_now now = { h->now_ns, rng_next(&h->rng) };
	enum session_refusal refusal;
	bool is_believed;
	uint32_t peer;

	if (s == NULL)
		return SESSION_REFUSED_SESSION;
	refusal = session_find(s, &packet->header, &peer);
	if (refusal == SESSION_OK)
		refusal = session_check(
		    s, peer, &packet->header, h->now_ns, &is_believed);
	if (refusal == SESSION_OK && packet->header.kind == SESSION_HELLO)
		refusal = session_hear(
		    s, peer, &packet->header, &packet->hello, &now);
	else if (refusal == SESSION_OK)
		(void)session_pass(s, peer, &packet->header);
	if (refusal != SESSION_OK)
		(void)session_refuse(s, peer, refusal, h->now_ns);
	handshake_pull(h, packet->to);
	return refusal;
}

void
handshake_run(struct handshake *h, uint64_t span_ns)
{
	uint64_t end_ns = h->now_ns + span_ns;

	for (; h->now_ns < end_ns; h->now_ns += HANDSHAKE_HOP_NS) {
		uint32_t arriving = h->flight_count;

		for (uint32_t i = 0; i < arriving; i++) {
			struct handshake_packet packet = handshake_take(h, 0);

			(void)handshake_arrive(h, &packet);
		}
		for (uint32_t i = 0; i < HANDSHAKE_NODES; i++)
			handshake_tick(h, i);
	}
}

bool
handshake_believes(const struct handshake *h, uint32_t i, uint32_t j)
{
	struct session_peer_status status;

	session_peer_status(h->nodes[i].s, j, &status);
	return status.is_believed &&
	    status.session == session_self(h->nodes[j].s) &&
	    status.incarnation == h->nodes[j].incarnation;
}
