/* SPDX-License-Identifier: BSD-3-Clause */
/* Commit: the COMMIT token goes round twice (3.3, 3.5).
 *
 * The first time each member writes what it holds of its old ring, and from
 * that moment its old store is frozen: only Recovery adds to it.  The second
 * time each reads what all wrote and enters Recovery.
 *
 * We differ from the papers: a member promises a ring sequence only when it is
 * durably reserved, and enters a ring whose number is above every ring that it
 * installed or promised, not merely above what it heard of.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

enum { HOP_BITS = 8 };

void
totem_commit_send(struct totem *t)
{
	struct wrbuf wr;
	uint64_t id = (t->commit.ring.seq << HOP_BITS) + t->commit.token_seq;

	wrbuf_init(&wr, t->whole, TOTEM_WIRE_CONTROL_MAX);
	totem_wire_put_commit(&wr, &t->table, &t->commit);
	totem_control_send(
	    t, TOTEM_BIT(t->form->successor), TOTEM_PACKET_COMMIT, id, &wr);
	t->count[TOTEM_COUNT_COMMITS]++;
}

/* How many octets of the bitmap of held frames fit, n members each. */
static uint32_t
held_room(const struct totem *t, uint32_t n)
{
	uint64_t whole = (uint64_t)LIMIT_CONTROL_PARTS *
	    (t->cfg.frame_bytes - TOTEM_WIRE_PART_HEADER);
	uint64_t used =
	    TOTEM_WIRE_COMMIT_HEADER + (uint64_t)n * TOTEM_WIRE_COMMIT_ENTRY;
	uint64_t room = num_sub(whole, used) / n;

	return (uint32_t)num_min(room, TOTEM_WIRE_HOLE_BYTES);
}

static void
write_entry(struct totem *t)
{
	const struct totem_ring *inst = t->inst;
	struct totem_commit_entry *entry = &t->commit.entry[t->self];
	uint32_t room = held_room(t, t->form->count);

	*entry = (struct totem_commit_entry){ .old = inst->id,
		.aru = inst->aru,
		.high = inst->high,
		.delivered = inst->delivered,
		.stable = inst->stable,
		.oblig = t->oblig };
	for (uint32_t i = 0; i < room * 8; i++) {
		if (!totem_has(inst, inst->aru + 1 + i))
			continue;
		entry->held[i / 8] |= (uint8_t)(1U << (i % 8));
		entry->held_len = (uint8_t)(i / 8 + 1);
	}
}

/* The first pass at this node: freeze, write the entry, hand on. */
static void
enter(struct totem *t)
{
	struct totem_commit *commit = &t->commit;

	totem_token_stop(t);
	totem_timer_stop(t, TOTEM_TIMER_JOIN);
	totem_timer_stop(t, TOTEM_TIMER_CONSENSUS);
	t->state = TOTEM_STATE_COMMIT;
	totem_ring_init(t, t->form);
	t->form->id = commit->ring;
	totem_ring_members(t, t->form, commit->members);
	memcpy(t->form->incarnation, commit->incarnation,
	    sizeof commit->incarnation);
	t->promised_seq = commit->ring.seq;
	t->max_seq = num_max(t->max_seq, commit->ring.seq);
	totem_need_seq(t);
	write_entry(t);
	commit->filled++;
	commit->token_seq++;
	totem_trace(t, TOTEM_TRACE_COMMIT_ENTERED, commit->ring.seq,
	    commit->filled, commit->members);
	if (t->form->count == 1) {
		totem_recovery_prepare(t);
		totem_install(t);
		return;
	}
	totem_token_loss_restart(t);
	totem_commit_send(t);
	totem_hop_start(t, true);
}

void
totem_commit_create(struct totem *t, uint64_t members)
{
	struct totem_commit *commit = &t->commit;
	uint64_t seq = num_max(t->max_seq, t->promised_seq) + 1;

	ENSURE(t->state == TOTEM_STATE_GATHER);
	if (seq > t->reserved_seq) {
		totem_need_seq(t);
		return; /* PERSISTED comes back to this */
	}
	commit->ring = (struct totem_ring_id){ .seq = seq,
		.rep = t->table.id[t->self],
		.nonce = (uint32_t)rng_next(&t->rng) };
	if (commit->ring.nonce == 0)
		commit->ring.nonce = 1; /* 0 stands for any */
	commit->token_seq = 0;
	commit->members = members;
	commit->filled = 0;
	for (uint32_t i = 0; i < t->table.count; i++) {
		bool is_out = t->gather.fail >> i & 1;
		commit->incarnation[i] = t->peer[i].incarnation;
		commit->why[i] =
		    is_out ? t->gather.why[i] : (uint8_t)TOTEM_REASON_NONE;
	}
	totem_trace(t, TOTEM_TRACE_COMMIT_CREATED, seq, members, 0);
	enter(t);
}

/* ---- receiving --------------------------------------------------------- */

const struct totem_commit *
totem_commit_read(
    struct totem *t, const struct totem_rx *rx, uint32_t *position)
{
	struct totem_commit *commit = &t->rx_commit;
	size_t len;
	uint64_t id, me = TOTEM_BIT(t->self);
	const uint8_t *whole = totem_control_whole(t, rx, &len, &id);

	if (whole == NULL)
		return NULL;
	if (!totem_wire_get_commit(&t->table, whole, len, commit)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return NULL;
	}
	if (!(commit->members & me) ||
	    commit->incarnation[t->self] != t->incarnation)
		return NULL;
	*position = totem_wire_count(commit->members & (me - 1));
	uint64_t before = commit->members & (me - 1);
	if (before == 0)
		before = commit->members; /* I am first: the last one */
	uint32_t predecessor = 63U - (uint32_t)__builtin_clzll(before);
	return rx->from == predecessor ? commit : NULL;
}

static bool
refuse(struct totem *t, const struct totem_rx *rx, uint64_t seq)
{
	totem_trace_peer(t, TOTEM_TRACE_COMMIT_REFUSED, rx->from, seq);
	return false;
}

/*
 * It was made before its maker heard of all that I know.  We differ from the
 * papers: once I have heard of its number my JOINs carry it, and so call its
 * members back to Gather; else they would wait for a token that is not to come.
 */
static bool
call_back(struct totem *t, const struct totem_rx *rx, uint64_t seq)
{
	t->max_seq = num_max(t->max_seq, seq);
	totem_need_seq(t);
	totem_gather_hurry(t);
	return refuse(t, rx, seq);
}

/*
 * What I could not vouch for after a crash I promise only when it is on disk;
 * until then the token comes again.  My JOINs do not tell of its number before:
 * they would call its maker back from a ring that I am about to enter.
 */
static bool
await_reserve(struct totem *t, const struct totem_rx *rx, uint64_t seq)
{
	t->gather.awaited_seq = num_max(t->gather.awaited_seq, seq);
	totem_need_seq(t);
	return refuse(t, rx, seq);
}

/* The first pass: is this the ring that I gathered for? */
static bool
is_expected(struct totem *t, const struct totem_rx *rx,
    const struct totem_commit *commit, uint32_t position)
{
	uint64_t mine = t->gather.proc & ~t->gather.fail;
	uint64_t seq = commit->ring.seq;
	uint32_t lowest = (uint32_t)__builtin_ctzll(commit->members);

	if (commit->filled != position || position == 0 ||
	    commit->ring.rep != t->table.id[lowest])
		return refuse(t, rx, seq);
	if (seq <= t->inst->id.seq || seq <= t->promised_seq)
		return refuse(t, rx, seq);
	if (commit->members != mine)
		return call_back(t, rx, seq);
	if (!totem_is_complete(t, commit->members))
		return refuse(t, rx, seq);
	if (seq > t->reserved_seq)
		return await_reserve(t, rx, seq);
	return true;
}

static void
take_first(struct totem *t, const struct totem_rx *rx,
    const struct totem_commit *commit, uint32_t position)
{
	if (!is_expected(t, rx, commit, position))
		return;
	t->commit = *commit;
	enter(t);
	if (t->state == TOTEM_STATE_COMMIT)
		totem_ack_token(t, t->form, commit->token_seq);
}

void
totem_gather_on_commit(struct totem *t, const struct totem_rx *rx)
{
	uint32_t position;
	const struct totem_commit *commit = totem_commit_read(t, rx, &position);

	if (commit != NULL)
		take_first(t, rx, commit, position);
}

/*
 * We differ from the papers: they would wait for the token of the first.  The
 * maker who had all JOINs that it needed tells by another COMMIT alone that it
 * has left.
 */
bool
totem_commit_follow(struct totem *t, const struct totem_rx *rx,
    const struct totem_commit *commit, uint32_t position)
{
	const struct totem_ring *ring =
	    t->state == TOTEM_STATE_OPERATIONAL ? t->inst : t->form;

	if (commit->ring.rep != ring->id.rep ||
	    commit->ring.seq <= ring->id.seq)
		return false;
	totem_gather_enter(t, TOTEM_REASON_JOIN);
	take_first(t, rx, commit, position);
	return true;
}

void
totem_operational_on_commit(struct totem *t, const struct totem_rx *rx)
{
	uint32_t position;
	const struct totem_commit *commit = totem_commit_read(t, rx, &position);

	if (commit != NULL)
		(void)totem_commit_follow(t, rx, commit, position);
}

static bool
is_same_entry(
    const struct totem_commit_entry *a, const struct totem_commit_entry *b)
{
	return totem_ring_equal(a->old, b->old) && a->aru == b->aru &&
	    a->high == b->high && a->delivered == b->delivered &&
	    a->stable == b->stable && a->oblig == b->oblig &&
	    a->held_len == b->held_len &&
	    memcmp(a->held, b->held, a->held_len) == 0;
}

/* The second pass: of the same members as the first, with what I wrote. */
static bool
is_completed(const struct totem *t, const struct totem_commit *commit)
{
	if (commit->filled != t->form->count ||
	    commit->members != t->form->members ||
	    commit->token_seq <= t->commit.token_seq)
		return false;
	for (uint32_t i = 0; i < t->form->count; i++) {
		uint32_t node = t->form->order[i];
		if (commit->incarnation[node] != t->form->incarnation[node])
			return false;
	}
	return is_same_entry(
	    &commit->entry[t->self], &t->commit.entry[t->self]);
}

/* The second pass enters Recovery; a repeated first one is acknowledged. */
void
totem_commit_on_commit(struct totem *t, const struct totem_rx *rx)
{
	uint32_t position;
	const struct totem_commit *commit = totem_commit_read(t, rx, &position);

	if (commit == NULL || totem_commit_follow(t, rx, commit, position) ||
	    !totem_ring_equal(commit->ring, t->form->id))
		return;
	totem_ack_token(t, t->form, commit->token_seq);
	if (!is_completed(t, commit))
		return;
	totem_hop_acked(t, commit->token_seq);
	t->commit = *commit;
	t->form->token_seq = commit->token_seq;
	totem_recovery_enter(t);
}

/* JOIN in Commit and Recovery: a member of the forming ring has given up. */
void
totem_commit_on_join(struct totem *t, const struct totem_rx *rx)
{
	uint64_t form_seq = t->form->id.seq;

	if (!totem_join_read(t, rx))
		return;
	if (!(t->form->members >> rx->from & 1) ||
	    t->join.ring_seq < form_seq) {
		t->count[TOTEM_COUNT_JOINS_IGNORED]++;
		return;
	}
	totem_gather_enter(t, TOTEM_REASON_JOIN);
	totem_join_process(t, rx->from, &t->join);
}
