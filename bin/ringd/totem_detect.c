/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is alive, and who hears whom (7.2).
 *
 * Any packet is a sign of life; a heartbeat goes to a peer that has had nothing
 * else for a while, and carries this node's row of the connectivity matrix:
 * whom it hears.  Two nodes are connected when each is in the other's row.  The
 * detector only chooses when to gather and whom to leave out; agreement is by
 * JOINs, so a wrong verdict costs availability, never safety.
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

enum {
	SUSPECT_MIN_MS = 100,
	SUSPECT_MAX_MS = 400,
	CONFIRM_MIN_MS = 30,
	CONFIRM_MAX_MS = 80,
	PROBE_MS = 8,
	ROW_REFRESH_MS = 500,
	HEALTH_MAX = 8,
	HEALTH_QUIET_MS = 1000,
	NODES_FULL_RATE = 8,
};

void
totem_detect_init(struct totem *t)
{
	t->row_version = 1;
	t->hears = TOTEM_BIT(t->self);
	for (uint32_t i = 0; i < t->table.count; i++)
		t->peer[i].both_since_ns = TOTEM_NEVER;
	totem_timer_set(t, TOTEM_TIMER_DETECT, t->now_ns);
}

/* Above eight nodes each is beaten more slowly, so that the sum stays. */
uint64_t
totem_beat_span(const struct totem *t)
{
	uint64_t n = num_max(t->table.count, NODES_FULL_RATE);

	return t->cfg.heartbeat_ns * n / NODES_FULL_RATE;
}

uint64_t
totem_suspect_after(const struct totem *t, uint32_t peer)
{
	uint64_t span = totem_beat_span(t) + 3 * t->hop_rtt_ns +
	    4 * t->peer[peer].gap_dev_ns;
	uint64_t slow = totem_beat_span(t) / t->cfg.heartbeat_ns;

	span = num_clamp(span * 5 / 2, SUSPECT_MIN_MS * TOTEM_MS * slow,
	    SUSPECT_MAX_MS * TOTEM_MS * slow);
	return span * (1 + t->health);
}

uint64_t
totem_dead_after(const struct totem *t, uint32_t peer)
{
	uint64_t confirm = num_clamp(4 * t->hop_rtt_ns,
	    CONFIRM_MIN_MS * TOTEM_MS, CONFIRM_MAX_MS * TOTEM_MS);

	return totem_suspect_after(t, peer) + confirm * (1 + t->health);
}

/* ---- the matrix -------------------------------------------------------- */

static struct totem_row
row_of(const struct totem *t, uint32_t node)
{
	if (node != t->self)
		return t->peer[node].row;
	return (
	    struct totem_row){ .version = t->row_version, .hears = t->hears };
}

/* A row that is not known excludes nobody. */
bool
totem_has_edge(const struct totem *t, uint32_t a, uint32_t b)
{
	struct totem_row row_a = row_of(t, a), row_b = row_of(t, b);

	if (a == b)
		return true;
	return (row_a.version == 0 || row_a.hears >> b & 1) &&
	    (row_b.version == 0 || row_b.hears >> a & 1);
}

bool
totem_is_complete(const struct totem *t, uint64_t nodes)
{
	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_row row = row_of(t, i);
		if (!(nodes >> i & 1))
			continue;
		if (row.version == 0 ||
		    (nodes & ~row.hears & ~TOTEM_BIT(i)) != 0)
			return false;
	}
	return true;
}

bool
totem_is_split(const struct totem *t, uint64_t nodes)
{
	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_row row = row_of(t, i);
		if ((nodes >> i & 1) && row.version > 0 &&
		    (nodes & ~row.hears & ~TOTEM_BIT(i)) != 0)
			return true;
	}
	return false;
}

bool
totem_is_both_ways(const struct totem *t, uint32_t peer)
{
	return (t->hears >> peer & 1) && t->peer[peer].row.version > 0 &&
	    (t->peer[peer].row.hears >> t->self & 1);
}

static void
note_both_ways(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	if (!totem_is_both_ways(t, node))
		peer->both_since_ns = TOTEM_NEVER;
	else if (peer->both_since_ns == TOTEM_NEVER)
		peer->both_since_ns = t->now_ns;
}

void
totem_heartbeat_send(struct totem *t, uint64_t to, bool wants_answer)
{
	struct totem_heartbeat hb = { .wants_answer = wants_answer,
		.version = t->row_version,
		.hears = t->hears };
	struct wrbuf wr;

	if (to == 0)
		return;
	wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
	totem_wire_put_heartbeat(&wr, &t->table, &hb);
	totem_send_ctl(t, to, &wr);
	for (uint32_t i = 0; i < t->table.count; i++)
		if (to >> i & 1)
			t->peer[i].row_sent_ns = t->now_ns;
}

/* My row has changed: tell everybody now. */
static void
change_row(struct totem *t, uint64_t hears)
{
	t->hears = hears;
	t->row_version++;
	totem_trace(t, TOTEM_TRACE_ROW, hears, t->row_version, 0);
	totem_heartbeat_send(t, totem_others(t), false);
	if (t->state == TOTEM_STATE_GATHER)
		totem_gather_hurry(t);
}

void
totem_detect_row(struct totem *t, uint32_t node, const struct totem_row *row)
{
	struct totem_peer *peer = &t->peer[node];

	if (node == t->self || row->version <= peer->row.version)
		return;
	peer->row = *row;
	note_both_ways(t, node);
	if (t->state != TOTEM_STATE_OPERATIONAL) {
		totem_gather_check(t);
		return;
	}
	/* A member that no longer hears another: the ring is not whole. */
	uint64_t members = t->inst->members;
	if ((members >> node & 1) &&
	    peer->incarnation == t->inst->incarnation[node] &&
	    (members & ~row->hears & ~TOTEM_BIT(node)) != 0)
		totem_gather_enter(t, TOTEM_REASON_CONNECTIVITY);
}

/* ---- signs of life ----------------------------------------------------- */

static void
sample_gap(struct totem *t, struct totem_peer *peer)
{
	uint64_t gap =
	    num_min(t->now_ns - peer->heard_ns, 4 * t->cfg.heartbeat_ns);
	uint64_t mean = peer->gap_ns;
	uint64_t off = gap > mean ? gap - mean : mean - gap;

	peer->gap_ns = mean - mean / 16 + gap / 16;
	peer->gap_dev_ns = peer->gap_dev_ns - peer->gap_dev_ns / 8 + off / 8;
}

void
totem_detect_heard(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	if (peer->is_alive)
		sample_gap(t, peer);
	peer->heard_ns = t->now_ns;
	peer->is_suspect = false;
	peer->packets++;
	if (peer->is_alive)
		return;
	peer->is_alive = true;
	peer->alive_since_ns = t->now_ns;
	totem_trace_peer(t, TOTEM_TRACE_PEER_ALIVE, node, peer->incarnation);
	change_row(t, t->hears | TOTEM_BIT(node));
	note_both_ways(t, node);
	totem_timer_set(t, TOTEM_TIMER_DETECT,
	    num_min(t->deadline[TOTEM_TIMER_DETECT],
		t->now_ns + t->cfg.heartbeat_ns));
}

void
totem_detect_sent(struct totem *t, uint64_t to)
{
	for (uint64_t left = to; left != 0; left &= left - 1)
		t->peer[__builtin_ctzll(left)].sent_ns = t->now_ns;
}

/* ---- verdicts ---------------------------------------------------------- */

static void
flap(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	if (t->now_ns - peer->flap_ns > TOTEM_FLAP_MEMORY_NS)
		peer->flaps = 0;
	if (peer->flaps < TOTEM_FLAPS_MAX)
		peer->flaps++;
	peer->flap_ns = t->now_ns;
}

/* Nodes whose verdict matters to what is going on. */
static uint64_t
concerned(const struct totem *t)
{
	switch (t->state) {
	case TOTEM_STATE_OPERATIONAL:
		return t->inst->members;
	case TOTEM_STATE_GATHER:
		return t->gather.proc & ~t->gather.fail;
	case TOTEM_STATE_COMMIT:
	case TOTEM_STATE_RECOVERY:
		return t->form->members;
	case TOTEM_STATE_LEFT:
	case TOTEM_STATES:
		break;
	}
	return 0;
}

void
totem_detect_verdict(struct totem *t, uint32_t node, enum totem_reason reason)
{
	struct totem_peer *peer = &t->peer[node];

	totem_trace_peer(t, TOTEM_TRACE_PEER_DEAD, node, reason);
	/* First, for as one who is silent it would go for another reason. */
	if (concerned(t) >> node & 1)
		totem_gather_fail(t, TOTEM_BIT(node), reason);
	peer->is_alive = false;
	peer->is_suspect = false;
	peer->both_since_ns = TOTEM_NEVER;
	if (reason == TOTEM_REASON_TIMEOUT)
		flap(t, node);
	if (t->hears >> node & 1)
		change_row(t, t->hears & ~TOTEM_BIT(node));
}

static void
suspect(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	if (!peer->is_suspect)
		totem_trace_peer(t, TOTEM_TRACE_PEER_SUSPECT, node,
		    t->now_ns - peer->heard_ns);
	peer->is_suspect = true;
	peer->probe_ns = t->now_ns + PROBE_MS * TOTEM_MS;
	totem_heartbeat_send(t, TOTEM_BIT(node), true);
}

/* ---- the timer --------------------------------------------------------- */

static uint64_t
beat_due(const struct totem *t, const struct totem_peer *peer)
{
	uint64_t span = totem_beat_span(t);
	uint64_t row = ROW_REFRESH_MS * TOTEM_MS * span / t->cfg.heartbeat_ns;

	if (!peer->is_alive)
		return peer->sent_ns + num_max(t->cfg.merge_ns, span);
	return num_min(peer->sent_ns + span * 5 / 4, peer->row_sent_ns + row);
}

/* Acts on one living peer's silence; answers when to look again. */
static uint64_t
judge(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];
	uint64_t suspect_ns = peer->heard_ns + totem_suspect_after(t, node);
	uint64_t dead_ns = peer->heard_ns + totem_dead_after(t, node);

	if (t->now_ns >= dead_ns) {
		totem_detect_verdict(t, node, TOTEM_REASON_TIMEOUT);
		return TOTEM_NEVER;
	}
	if (t->now_ns < suspect_ns)
		return suspect_ns;
	if (!peer->is_suspect || t->now_ns >= peer->probe_ns)
		suspect(t, node);
	return num_min(dead_ns, peer->probe_ns);
}

static void
calm_down(struct totem *t)
{
	if (t->health == 0 ||
	    t->now_ns - t->health_ns < HEALTH_QUIET_MS * TOTEM_MS)
		return;
	t->health--;
	t->health_ns = t->now_ns;
}

void
totem_detect_timer(struct totem *t)
{
	uint64_t next = TOTEM_NEVER, beats = 0;

	calm_down(t);
	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_peer *peer = &t->peer[i];
		if (i == t->self)
			continue;
		if (peer->is_alive)
			next = num_min(next, judge(t, i));
		if (t->now_ns >= beat_due(t, peer))
			beats |= TOTEM_BIT(i);
	}
	if (t->state != TOTEM_STATE_LEFT)
		totem_heartbeat_send(t, beats, false);
	for (uint32_t i = 0; i < t->table.count; i++)
		if (i != t->self)
			next = num_min(next, beat_due(t, &t->peer[i]));
	if (t->state == TOTEM_STATE_LEFT)
		next = TOTEM_NEVER;
	totem_timer_set(t, TOTEM_TIMER_DETECT, next);
}

/* ---- this process did not run (3.12) ----------------------------------- */

/* What came due meanwhile is due now, so that one pause is told once. */
static void
forgive_deadlines(struct totem *t)
{
	for (int i = 0; i < TOTEM_TIMERS; i++)
		if (t->deadline[i] < t->now_ns)
			t->deadline[i] = t->now_ns;
}

void
totem_detect_late(struct totem *t, uint64_t late_ns)
{
	/* The others have excluded me, or answered what I did not hear. */
	bool is_over = t->deadline[TOTEM_TIMER_TOKEN_LOSS] <= t->now_ns ||
	    t->deadline[TOTEM_TIMER_CONSENSUS] <= t->now_ns;

	t->count[TOTEM_COUNT_PAUSES]++;
	totem_trace(t, TOTEM_TRACE_PAUSED, late_ns, 0, 0);
	totem_emit(t, TOTEM_OUT_PAUSED, late_ns);
	if (t->health < HEALTH_MAX)
		t->health++;
	t->health_ns = t->now_ns;
	/* Whoever was silent meanwhile was silent to a sleeper. */
	for (uint32_t i = 0; i < t->table.count; i++) {
		if (t->peer[i].is_alive)
			t->peer[i].heard_ns = t->now_ns;
		t->peer[i].is_suspect = false;
	}
	forgive_deadlines(t);
	if (is_over)
		totem_gather_enter(t, TOTEM_REASON_PAUSE);
}
