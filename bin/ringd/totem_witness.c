/* SPDX-License-Identifier: BSD-3-Clause */
/* What others know of a peer that is silent here (7.2).
 *
 * A suspect is probed, and two other peers are asked when they heard it last;
 * they answer at once.  Whom another hears is not dead, but cut off from here.
 * Who is silent to another as well is dead.  The question itself is a
 * testimony: it says how long its sender has heard nothing.
 */
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"

enum {
	WITNESSES = 2,  /* asked at a time */
	FRESH_BEATS = 3 /* heard within that: it lives */
};

static uint64_t
fresh_span(const struct totem *t)
{
	return FRESH_BEATS * totem_beat_span(t);
}

/* ---- asking ------------------------------------------------------------- */

/* Peers that could say something about the node. */
static uint64_t
witnesses(const struct totem *t, uint64_t suspects)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < t->table.count; i++)
		if (i != t->self && t->peer[i].is_alive &&
		    !t->peer[i].is_suspect)
			set |= TOTEM_BIT(i);
	return set & ~suspects;
}

bool
totem_witness_is_alone(const struct totem *t, uint32_t node)
{
	return witnesses(t, TOTEM_BIT(node)) == 0;
}

/* Those of the set that were heard last: they are the least likely to die
 * with the suspect. */
static uint64_t
choose(const struct totem *t, uint64_t set)
{
	uint64_t chosen = 0;

	for (int left = WITNESSES; left > 0 && (set & ~chosen) != 0; left--) {
		uint32_t best = t->self;
		for (uint32_t i = 0; i < t->table.count; i++)
			if ((set & ~chosen) >> i & 1 &&
			    (best == t->self ||
				t->peer[i].heard_ns > t->peer[best].heard_ns))
				best = i;
		chosen |= TOTEM_BIT(best);
	}
	return chosen;
}

static uint32_t
silent_ms(const struct totem *t, uint32_t node)
{
	uint64_t span_ns = t->now_ns - t->peer[node].heard_ns;

	return (uint32_t)num_min(span_ns / TOTEM_MS, UINT32_MAX);
}

static void
send(struct totem *t, uint64_t to, const struct totem_witness *witness)
{
	struct wrbuf wr;

	wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
	totem_wire_put_witness(&wr, &t->table, witness);
	totem_send_ctl(t, to, &wr);
}

void
totem_witness_ask(struct totem *t, uint64_t suspects)
{
	struct totem_witness question = { .wants_answer = true };
	uint64_t to = choose(t, witnesses(t, suspects));

	totem_heartbeat_send(t, suspects, TOTEM_BEAT_ASKS);
	for (uint32_t i = 0; i < t->table.count; i++) {
		if (!(suspects >> i & 1) ||
		    question.count == TOTEM_WIRE_WITNESS_MAX)
			continue;
		question.about[question.count].node = i;
		question.about[question.count].incarnation =
		    t->peer[i].incarnation;
		question.about[question.count++].silent_ms = silent_ms(t, i);
	}
	if (to != 0 && question.count > 0)
		send(t, to, &question);
}

/* ---- hearing ------------------------------------------------------------ */

static void
answer(struct totem *t, uint32_t to, struct totem_witness *witness)
{
	witness->wants_answer = false;
	for (uint32_t i = 0; i < witness->count; i++) {
		uint32_t node = witness->about[i].node;
		uint64_t known = t->peer[node].incarnation;
		/* Of its next life or the one before, nothing was heard. */
		bool is_same = known == witness->about[i].incarnation;
		witness->about[i].silent_ms = node == t->self ? 0
		    : is_same ? silent_ms(t, node)
			      : UINT32_MAX;
	}
	send(t, TOTEM_BIT(to), witness);
}

static void
testify(struct totem *t, uint32_t from, uint32_t node, uint64_t silent_ns)
{
	struct totem_peer *peer = &t->peer[node];

	totem_trace_peer(
	    t, TOTEM_TRACE_PEER_TESTIMONY, from, t->table.id[node]);
	if (silent_ns < fresh_span(t)) {
		peer->accusers &= ~TOTEM_BIT(from);
		peer->seen_ns =
		    num_max(peer->seen_ns, num_sub(t->now_ns, silent_ns));
	} else {
		peer->accusers |= TOTEM_BIT(from);
	}
}

void
totem_witness_receive(struct totem *t, const struct totem_rx *rx)
{
	struct totem_witness witness;

	if (!totem_wire_get_witness(&t->table, rx->bytes, rx->len, &witness)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return;
	}
	for (uint32_t i = 0; i < witness.count; i++) {
		uint32_t node = witness.about[i].node;
		if (node != t->self && node != rx->from &&
		    t->peer[node].is_suspect &&
		    t->peer[node].incarnation == witness.about[i].incarnation)
			testify(t, rx->from, node,
			    witness.about[i].silent_ms * TOTEM_MS);
	}
	if (witness.wants_answer)
		answer(t, rx->from, &witness);
}

bool
totem_witness_is_seen(const struct totem *t, uint32_t node)
{
	const struct totem_peer *peer = &t->peer[node];

	return peer->seen_ns != 0 && t->now_ns - peer->seen_ns < fresh_span(t);
}
