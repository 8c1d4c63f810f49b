/* SPDX-License-Identifier: BSD-3-Clause */
/* Two rings that hear each other become one, and a node that goes says so
 * (3.10).
 *
 * Failing is fast, joining is slow: rings merge only when all of both hear
 * each other, and have done so for a while that doubles with every recent
 * failure of the same node.  A merge that came to nothing is tried again after
 * a while of its own, which doubles until one succeeds.  The representative
 * with the smaller id begins.
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"

enum {
	LEAVE_REPEATS = 3,
	LEAVE_SEND_MS = 2000,    /* to order what waits */
	LEAVE_DELIVER_MS = 3000, /* then to see it delivered */
};

static uint64_t
hold_down(const struct totem *t, const struct totem_peer *peer)
{
	uint64_t flaps = num_min(peer->flaps, TOTEM_FLAPS_MAX);

	if (t->now_ns - peer->flap_ns > TOTEM_FLAP_MEMORY_NS)
		flaps = 0;

	return num_min(
	    t->cfg.merge_hold_down_ns << flaps, t->cfg.merge_hold_down_max_ns);
}

/*
 * It was to merge with us a moment ago, and went another way.  That is no
 * failure: two others may have been faster.
 */
static bool
is_vain(const struct totem *t, const struct totem_peer *peer)
{
	uint64_t wait_ns = num_min(t->cfg.merge_hold_down_ns << peer->vain,
	    t->cfg.merge_hold_down_max_ns);

	return peer->vain > 0 && t->now_ns - peer->vain_ns < wait_ns;
}

/* No JOIN of it is heard here, so a merge with it cannot succeed. */
static bool
is_refused(const struct totem *t, const struct totem_peer *peer)
{
	return peer->is_mismatched || t->now_ns < peer->quarantine_until_ns;
}

/*
 * Everybody in the other ring has been well connected for long enough, and
 * nobody there refuses, and is refused, for another configuration.
 */
static bool
is_ripe(const struct totem *t, uint64_t strangers)
{
	uint64_t since_ns = totem_reach_since(t, t->inst->members | strangers);

	if (since_ns == TOTEM_NEVER)
		return false;
	for (uint32_t i = 0; i < t->table.count; i++) {
		const struct totem_peer *peer = &t->peer[i];
		if (!(strangers >> i & 1))
			continue;
		if (is_refused(t, peer) || is_vain(t, peer) ||
		    t->now_ns - num_max(since_ns, peer->flap_ns) <
			hold_down(t, peer))
			return false;
	}
	return true;
}

uint64_t
totem_refused(const struct totem *t)
{
	uint64_t set = 0;

	for (uint32_t i = 0; i < t->table.count; i++)
		if (is_refused(t, &t->peer[i]))
			set |= TOTEM_BIT(i);
	return set;
}

/* A ring with somebody in it who would be refused is not invited: it would
 * break up for nothing, and wait longer and longer between its attempts. */
static uint64_t
invited(const struct totem *t)
{
	uint64_t refused = totem_refused(t);
	uint64_t set = totem_others(t) & ~t->inst->members;

	for (uint32_t i = 0; i < t->table.count; i++)
		if ((t->peer[i].company | TOTEM_BIT(i)) & refused)
			set &= ~TOTEM_BIT(i);
	return set;
}

void
totem_merge_timer(struct totem *t)
{
	struct totem_merge merge = { .ring = t->inst->id,
		.ring_seq = t->max_seq,
		.members = t->inst->members };
	uint64_t to = invited(t);
	struct wrbuf wr;

	ENSURE(t->state == TOTEM_STATE_OPERATIONAL);
	totem_timer_set(t, TOTEM_TIMER_MERGE, t->now_ns + t->cfg.merge_ns);
	if (to == 0 || t->inst->order[0] != t->self)
		return;
	wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
	totem_wire_put_merge(&wr, &t->table, &merge);
	totem_send_ctl(t, to, &wr);
}

static bool
read_merge(
    struct totem *t, const struct totem_rx *rx, struct totem_merge *merge)
{
	if (!totem_wire_get_merge(&t->table, rx->bytes, rx->len, merge)) {
		t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
		return false;
	}
	t->max_seq = num_max(t->max_seq, merge->ring_seq);
	totem_need_seq(t);
	t->peer[rx->from].company = merge->members;
	return true;
}

/* Who has formed another ring since will not answer my JOINs. */
void
totem_gather_on_merge(struct totem *t, const struct totem_rx *rx)
{
	struct totem_merge merge;
	uint64_t gone = 0;

	if (!read_merge(t, rx, &merge) ||
	    !(merge.members & TOTEM_BIT(rx->from)) ||
	    (merge.members & TOTEM_BIT(t->self)))
		return;
	for (uint32_t i = 0; i < t->table.count; i++)
		if ((merge.members & t->gather.proc & ~t->gather.fail) >> i &
			1 &&
		    t->peer[i].join_seq != 0 &&
		    t->peer[i].join_seq < merge.ring.seq)
			gone |= TOTEM_BIT(i);
	if (gone == 0)
		return;
	totem_gather_fail(t, gone, TOTEM_REASON_CONSENSUS);
	totem_gather_check(t);
}

void
totem_operational_on_merge(struct totem *t, const struct totem_rx *rx)
{
	struct totem_merge merge;
	uint64_t from = TOTEM_BIT(rx->from);

	if (!read_merge(t, rx, &merge))
		return;
	uint64_t strangers = merge.members & ~t->inst->members;
	if (t->inst->order[0] != t->self || rx->from < t->self ||
	    !(merge.members & from) || (t->inst->members & from) ||
	    !is_ripe(t, strangers))
		return;
	totem_trace_peer(
	    t, TOTEM_TRACE_MERGE_DETECTED, rx->from, merge.ring.seq);
	totem_gather_enter(t, TOTEM_REASON_MERGE);
	totem_gather_add(t, strangers);
}

/* ---- leaving ----------------------------------------------------------- */

void
totem_leave_send(struct totem *t, uint64_t to)
{
	struct wrbuf wr;

	wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
	totem_wire_put_leave(&wr, &t->inst->id);
	totem_send_ctl(t, to, &wr);
}

void
totem_leave_begin(struct totem *t)
{
	if (t->is_leaving)
		return;
	t->is_leaving = true;
	totem_trace(t, TOTEM_TRACE_LEAVING, 0, 0, 0);
	totem_timer_set(
	    t, TOTEM_TIMER_LEAVE, t->now_ns + LEAVE_SEND_MS * TOTEM_MS);
}

/* All that this node sent has reached everybody and its own clients. */
static bool
is_drained(const struct totem *t)
{
	return t->state == TOTEM_STATE_OPERATIONAL &&
	    (totem_pack_is_empty(t) || t->is_abandoning) &&
	    t->inst->stable >= t->own_seq && t->inst->delivered >= t->own_seq;
}

void
totem_leave_check(struct totem *t)
{
	bool is_overdue = t->now_ns >= t->deadline[TOTEM_TIMER_LEAVE];

	if (!t->is_leaving || t->state == TOTEM_STATE_LEFT ||
	    t->install.step != TOTEM_INSTALL_NONE)
		return;
	if (!is_drained(t) && !is_overdue)
		return;
	if (!is_drained(t) && !t->is_abandoning) {
		/* What has its place in the order must still be delivered
		 * here; what has none gets none any more. */
		t->is_abandoning = true;
		totem_timer_set(t, TOTEM_TIMER_LEAVE,
		    t->now_ns + LEAVE_DELIVER_MS * TOTEM_MS);
		return;
	}
	totem_token_stop(t);
	if (t->state == TOTEM_STATE_COMMIT || t->state == TOTEM_STATE_RECOVERY)
		totem_drop_ring(t, t->form);
	t->state = TOTEM_STATE_LEFT;
	for (int timer = 0; timer < TOTEM_TIMERS; timer++)
		totem_timer_stop(t, (enum totem_timer)timer);
	for (int i = 0; i < LEAVE_REPEATS; i++)
		totem_leave_send(t, totem_others(t));
	totem_trace(t, TOTEM_TRACE_LEFT, 0, 0, 0);
	t->owes_left = true;
}
