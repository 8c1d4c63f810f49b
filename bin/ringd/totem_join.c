/* SPDX-License-Identifier: BSD-3-Clause */
/* JOIN messages: what they carry, and what they change (3.2, 3.4).
 *
 * A control message that does not fit one datagram goes in parts; a lost part
 * costs a resending of all, which the JOIN timer and the hop timer do anyway.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"

enum { HEARD_BEATS = 2 };

/* ---- control messages in parts ----------------------------------------- */

static uint32_t
part_room(const struct totem *t)
{
	return t->cfg.frame_bytes - TOTEM_WIRE_PART_HEADER;
}

void
totem_control_send(struct totem *t, uint64_t to, enum totem_packet packet,
    uint64_t id, const struct wrbuf *whole)
{
	size_t room = part_room(t);
	size_t parts = num_max(1, (whole->len + room - 1) / room);

	ENSURE(!whole->is_full);
	ENSURE(parts <= LIMIT_CONTROL_PARTS);
	for (size_t i = 0; i < parts; i++) {
		struct totem_part part = { .packet = packet,
			.part = (uint8_t)i,
			.parts = (uint8_t)parts,
			.id = id,
			.bytes = whole->bytes + i * room,
			.len = num_min(room, whole->len - i * room) };
		struct wrbuf wr;
		wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
		totem_wire_put_part(&wr, &part);
		totem_send_ctl(t, to, &wr);
	}
}

/* Keeps one part; true when all of its message are here. */
static bool
keep_part(struct totem *t, struct totem_peer *peer,
    const struct totem_part *part, size_t *len)
{
	size_t room = part_room(t);

	if (peer->part_kind != part->packet || peer->part_id != part->id ||
	    peer->part_count != part->parts) {
		peer->part_kind = (uint8_t)part->packet;
		peer->part_id = part->id;
		peer->part_count = part->parts;
		peer->part_have = 0;
	}
	/* All but the last are full, so their places are known. */
	if (part->len > room ||
	    (part->part + 1 < part->parts && part->len != room))
		return false;
	memcpy(peer->part_bytes + part->part * room, part->bytes, part->len);
	peer->part_len[part->part] = (uint16_t)part->len;
	peer->part_have |= 1U << part->part;
	if (peer->part_have != (1U << part->parts) - 1)
		return false;
	peer->part_have = 0;
	*len = (part->parts - 1U) * room + peer->part_len[part->parts - 1];
	return true;
}

const uint8_t *
totem_control_whole(
    struct totem *t, const struct totem_rx *rx, size_t *len, uint64_t *id)
{
	struct totem_part part;
	struct totem_peer *peer = &t->peer[rx->from];

	if (!totem_wire_get_part(rx->bytes, rx->len, &part)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return NULL;
	}
	*id = part.id;
	*len = part.len;
	if (part.parts == 1)
		return part.bytes;
	return keep_part(t, peer, &part, len) ? peer->part_bytes : NULL;
}

/* ---- sending ----------------------------------------------------------- */

static void
send_join(struct totem *t, uint64_t to)
{
	struct totem_join *join = &t->join;
	struct wrbuf wr;

	memset(join, 0, sizeof *join);
	join->config_hash = t->cfg.config_hash;
	join->ring_seq = t->max_seq;
	join->inst = t->inst->id;
	join->reason = t->gather.reason;
	join->is_fresh = t->is_fresh;
	join->proc = t->gather.proc;
	join->fail = t->gather.fail;
	memcpy(join->why, t->gather.why, sizeof join->why);
	for (uint32_t i = 0; i < t->table.count; i++) {
		join->incarnation[i] = t->peer[i].incarnation;
		join->row[i] = t->peer[i].row;
		join->quarantine_ms[i] =
		    (uint32_t)(num_sub(
				   t->peer[i].quarantine_until_ns, t->now_ns) /
			TOTEM_MS);
	}
	join->row[t->self] =
	    (struct totem_row){ .version = t->row_version, .hears = t->hears };
	wrbuf_init(&wr, t->whole, TOTEM_WIRE_CONTROL_MAX);
	totem_wire_put_join(&wr, &t->table, join);
	totem_control_send(t, to, TOTEM_PACKET_JOIN, ++t->gather.join_id, &wr);
	t->count[TOTEM_COUNT_JOINS_SENT]++;
	totem_trace(
	    t, TOTEM_TRACE_JOIN_SENT, join->proc, join->fail, join->ring_seq);
}

/* Who just starts lets nobody wait for his disk: he is there when it is. */
void
totem_join_send(struct totem *t)
{
	if (t->is_fresh && totem_is_short(t) && !totem_is_stuck(t))
		return;
	send_join(t, totem_others(t));
	t->gather.join_sent_ns = t->now_ns;
}

/* ---- receiving --------------------------------------------------------- */

/* Relayed rows count when they are of the incarnation that I know. */
static void
merge_rows(struct totem *t, uint32_t from, const struct totem_join *join)
{
	for (uint32_t i = 0; i < t->table.count; i++) {
		uint64_t known = t->peer[i].incarnation;
		if (i == t->self || join->row[i].version == 0)
			continue;
		if (i == from || known == 0 || known == join->incarnation[i])
			totem_detect_row(t, i, &join->row[i]);
	}
}

bool
totem_join_read(struct totem *t, const struct totem_rx *rx)
{
	struct totem_peer *peer = &t->peer[rx->from];
	size_t len;
	uint64_t id;
	const uint8_t *whole = totem_control_whole(t, rx, &len, &id);

	if (whole == NULL)
		return false;
	if (!totem_wire_get_join(&t->table, whole, len, &t->join)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return false;
	}
	t->count[TOTEM_COUNT_JOINS_RECEIVED]++;
	bool was_mismatched = peer->is_mismatched;
	peer->is_mismatched = t->join.config_hash != t->cfg.config_hash;
	if (peer->is_mismatched) {
		t->count[TOTEM_COUNT_CONFIG_MISMATCH]++;
		/* I ask it for no merge any more: how else should it know? */
		if (!was_mismatched)
			send_join(t, TOTEM_BIT(rx->from));
		return false;
	}
	enum totem_state state = t->state;
	merge_rows(t, rx->from, &t->join);
	bool is_new = id > peer->join_seen;
	peer->join_seen = num_max(peer->join_seen, id);
	t->max_seq = num_max(t->max_seq, t->join.ring_seq);
	totem_need_seq(t);
	if (!is_new || !totem_is_both_ways(t, rx->from) ||
	    t->now_ns < peer->quarantine_until_ns || t->state != state) {
		t->count[TOTEM_COUNT_JOINS_IGNORED]++;
		return false;
	}
	totem_trace_peer(
	    t, TOTEM_TRACE_JOIN_RECEIVED, rx->from, t->join.ring_seq);
	return true;
}

/* The life before this one may well have failed: that is forgotten as soon
 * as the accuser hears this one. */
bool
totem_join_accuses_me(const struct totem *t, const struct totem_join *join)
{
	uint64_t accused = join->incarnation[t->self];

	return (join->fail >> t->self & 1) &&
	    (accused == 0 || accused >= t->incarnation);
}

/* Accusations that are not about an incarnation gone by. */
static uint64_t
current_fail(const struct totem *t, const struct totem_join *join)
{
	uint64_t fail = join->fail & ~TOTEM_BIT(t->self);

	for (uint32_t i = 0; i < t->table.count; i++)
		if ((fail >> i & 1) &&
		    join->incarnation[i] < t->peer[i].incarnation)
			fail &= ~TOTEM_BIT(i);
	return fail;
}

static bool
is_co_member(const struct totem *t, uint32_t node)
{
	return (t->inst->members >> node & 1) &&
	    t->inst->incarnation[node] == t->peer[node].incarnation;
}

/*
 * Whom I hear is not dead because another does not hear him: they may both
 * live, and then their rows decide.
 */
static bool
is_hearsay(const struct totem *t, const struct totem_join *join, uint32_t node)
{
	return join->why[node] == TOTEM_REASON_TIMEOUT &&
	    totem_is_both_ways(t, node) &&
	    t->now_ns - t->peer[node].heard_ns <
	    HEARD_BEATS * totem_beat_span(t);
}

/*
 * A stranger keeps out another who would come: the other goes.  For whoever is
 * kept out has failed to receive, and is alone with it; who keeps him out may
 * be a majority.
 */
static void
choose(struct totem *t, uint32_t from, const struct totem_join *join)
{
	uint64_t both =
	    t->gather.proc & ~t->gather.fail & current_fail(t, join);

	for (uint32_t i = 0; i < t->table.count; i++) {
		if (!(both >> i & 1) || join->why[i] != TOTEM_REASON_RECEIVE)
			continue;
		if (is_co_member(t, i)) {
			totem_gather_fail(
			    t, TOTEM_BIT(from), TOTEM_REASON_CONNECTIVITY);
			return;
		}
		totem_quarantine_hear(t, i, join->quarantine_ms[i] * TOTEM_MS);
		totem_gather_fail(t, TOTEM_BIT(i), TOTEM_REASON_RECEIVE);
	}
}

/* Only members of my installed ring may make me fail any others. */
static void
merge_fail(struct totem *t, uint32_t from, const struct totem_join *join)
{
	if (totem_join_accuses_me(t, join)) {
		totem_gather_fail(t, TOTEM_BIT(from), TOTEM_REASON_CONSENSUS);
		return;
	}
	if (!is_co_member(t, from)) {
		choose(t, from, join);
		return;
	}
	uint64_t fail = current_fail(t, join);
	for (uint32_t i = 0; i < t->table.count; i++) {
		if (!(fail >> i & 1) || is_hearsay(t, join, i))
			continue;
		if (join->why[i] == TOTEM_REASON_RECEIVE)
			totem_quarantine_hear(
			    t, i, join->quarantine_ms[i] * TOTEM_MS);
		totem_gather_fail(
		    t, TOTEM_BIT(i), (enum totem_reason)join->why[i]);
	}
}

/*
 * Whom a stranger has given up I need not even try: taking such nodes over
 * would carry the dead of long ago from gather to gather.  What has to be
 * equal is therefore who is left, not how each came to it.
 */
void
totem_join_process(
    struct totem *t, uint32_t from, const struct totem_join *join)
{
	struct totem_gather *gather = &t->gather;
	uint64_t theirs = join->proc & ~join->fail;

	ENSURE(t->state == TOTEM_STATE_GATHER);
	t->peer[from].join_seq =
	    num_max(t->peer[from].join_seq, join->ring_seq);
	bool is_behind = (join->proc & ~gather->proc) == 0 &&
	    (join->fail & ~gather->fail) == 0;
	if (!is_behind && !(gather->fail >> from & 1)) {
		totem_gather_add(
		    t, is_co_member(t, from) ? join->proc : theirs);
		merge_fail(t, from, join);
	}
	if (theirs == (gather->proc & ~gather->fail))
		gather->cons |= TOTEM_BIT(from);
	totem_gather_check(t);
}

void
totem_gather_on_join(struct totem *t, const struct totem_rx *rx)
{
	if (totem_join_read(t, rx))
		totem_join_process(t, rx->from, &t->join);
}
