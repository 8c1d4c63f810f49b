/* SPDX-License-Identifier: BSD-3-Clause */
/* Who is alive (7.2).
 *
 * Any packet is a sign of life; a heartbeat goes to a peer that has had nothing
 * else for a while, and carries this node's row of the connectivity matrix:
 * whom it hears.  A peer that is silent for too long is suspect: it is probed,
 * and others are asked.  The detector only chooses when to gather and whom to
 * leave out; agreement is by JOINs, so a wrong verdict costs availability,
 * never safety.
 *
 * This node's own health counts: who is woken late, or suspected somebody who
 * then spoke, waits longer before it accuses, and who is ill accuses nobody
 * for seconds: until then the token's loss tells.
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

enum {
	PROBES = 4, /* while the shortest T_confirm lasts */
	GAP_BEATS = 4,
	ROW_REFRESH_BEATS = 20,
	HEALTH_QUIET_MS = 1000,
	HEALTH_REFUTED = 2, /* so ill at most for what was refuted */
	HEALTH_MUTE = 4,    /* accuses nobody for long */
	TRIAL_ANSWERS = 3,  /* of who was dead, in a row */
	NODES_FULL_RATE = 8,
};

void
totem_detect_init(struct totem *t)
{
	t->row_version = 1;
	t->hears = TOTEM_BIT(t->self);
	totem_reach_init(t);
	totem_timer_set(t, TOTEM_TIMER_DETECT, t->now_ns);
}

uint64_t
totem_slowed(const struct totem *t, uint64_t span_ns)
{
	uint64_t n = num_max(t->table.count, NODES_FULL_RATE);

	return span_ns * n / NODES_FULL_RATE;
}

uint64_t
totem_beat_span(const struct totem *t)
{
	return totem_slowed(t, t->cfg.heartbeat_ns);
}

uint64_t
totem_suspect_after(const struct totem *t, uint32_t peer)
{
	uint64_t span = totem_beat_span(t) + 3 * t->peer[peer].rtt_ns +
	    4 * t->peer[peer].gap_late_ns;

	span = num_clamp(span * 5 / 2, totem_slowed(t, t->cfg.suspect_min_ns),
	    totem_slowed(t, t->cfg.suspect_max_ns));
	return span * (1 + t->health);
}

uint64_t
totem_confirm_span(const struct totem *t)
{
	uint64_t rtt_ns = 0, span;

	for (uint32_t i = 0; i < t->table.count; i++)
		if (t->peer[i].is_alive)
			rtt_ns = num_max(rtt_ns, t->peer[i].rtt_ns);
	span = num_clamp(4 * rtt_ns, totem_slowed(t, t->cfg.confirm_min_ns),
	    totem_slowed(t, t->cfg.confirm_max_ns));
	return span * (1 + t->health);
}

uint64_t
totem_dead_after(const struct totem *t, uint32_t peer)
{
	return totem_suspect_after(t, peer) + totem_confirm_span(t);
}

/* Who is ill and has no second accuser waits as long as for a lost token, but
 * not for ever: the token may go round without the peer being heard. */
static uint64_t
floor_of_the_ill(const struct totem *t, uint64_t span_ns)
{
	if (t->health >= HEALTH_MUTE)
		return num_max(span_ns, 2 * t->cfg.token_loss_max_ns);
	return span_ns;
}

uint64_t
totem_lone_after(const struct totem *t, uint32_t peer)
{
	return floor_of_the_ill(
	    t, totem_dead_after(t, peer) + totem_confirm_span(t));
}

uint64_t
totem_cut_after(const struct totem *t, uint32_t peer)
{
	return 2 * totem_dead_after(t, peer);
}

/* ---- heartbeats, and my row -------------------------------------------- */

void
totem_heartbeat_send(struct totem *t, uint64_t to, enum totem_beat beat)
{
	struct totem_heartbeat hb = { .wants_answer = beat == TOTEM_BEAT_ASKS,
		.is_answer = beat == TOTEM_BEAT_ANSWERS,
		.version = t->row_version,
		.hears = t->hears };
	struct wrbuf wr;

	if (to == 0)
		return;
	wrbuf_init(&wr, totem_ctl(t), t->cfg.frame_bytes);
	totem_wire_put_heartbeat(&wr, &t->table, &hb);
	totem_send_ctl(t, to, &wr);
	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_peer *peer = &t->peer[i];
		if (!(to >> i & 1) || beat != TOTEM_BEAT_ASKS)
			continue;
		peer->row_asked_ns = t->now_ns;
		/* What was not answered by then was lost. */
		if (t->now_ns - peer->ping_ns > t->cfg.suspect_max_ns)
			peer->ping_ns = t->now_ns;
	}
}

static void
sample_rtt(struct totem *t, struct totem_peer *peer)
{
	uint64_t rtt_ns = t->now_ns - peer->ping_ns;

	if (peer->ping_ns == 0)
		return;
	peer->ping_ns = 0;
	if (peer->rtt_ns == 0)
		peer->rtt_ns = rtt_ns;
	peer->rtt_ns += rtt_ns / 8;
	peer->rtt_ns -= peer->rtt_ns / 8;
}

/* My row has changed: tell everybody now. */
static void
change_row(struct totem *t, uint64_t hears)
{
	t->hears = hears;
	t->row_version++;
	totem_trace(t, TOTEM_TRACE_ROW, hears, t->row_version, 0);
	totem_reach_note(t, t->self);
	totem_heartbeat_send(t, totem_others(t), TOTEM_BEAT);
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
	totem_reach_note(t, node);
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

/*
 * How late beats are: of each few, the longest silence beyond a beat's span.
 * What comes in between, as data does, says nothing about it.
 */
static void
sample_gap(struct totem *t, struct totem_peer *peer)
{
	uint64_t span = totem_beat_span(t);
	uint64_t gap = num_min(t->now_ns - peer->heard_ns, GAP_BEATS * span);

	peer->gap_max_ns = num_max(peer->gap_max_ns, gap);
	if (t->now_ns - peer->gap_from_ns < GAP_BEATS * span)
		return;
	peer->gap_late_ns -= peer->gap_late_ns / 8;
	peer->gap_late_ns += num_sub(peer->gap_max_ns, span * 5 / 4) / 8;
	peer->gap_from_ns = t->now_ns;
	peer->gap_max_ns = 0;
}

static void
come_alive(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	peer->is_alive = true;
	peer->is_cut = false;
	peer->is_on_trial = false;
	peer->alive_since_ns = t->now_ns;
	peer->gap_from_ns = t->now_ns;
	peer->gap_max_ns = 0;
	totem_trace_peer(t, TOTEM_TRACE_PEER_ALIVE, node, peer->incarnation);
	change_row(t, t->hears | TOTEM_BIT(node));
	totem_timer_set(t, TOTEM_TIMER_DETECT,
	    num_min(t->deadline[TOTEM_TIMER_DETECT],
		t->now_ns + t->cfg.heartbeat_ns));
}

/*
 * Whom I hear need not hear me, and would then go on beating as for a dead
 * one: too rarely to be alive for long.  So it has to answer first.
 */
static void
try(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	if (t->now_ns - peer->asked_ns < totem_confirm_span(t))
		return;
	peer->answers = 0;
	peer->asked_ns = t->now_ns;
	totem_heartbeat_send(t, TOTEM_BIT(node), TOTEM_BEAT_ASKS);
}

void
totem_detect_answered(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	sample_rtt(t, peer);
	if (!peer->is_on_trial || peer->is_alive ||
	    t->state == TOTEM_STATE_LEFT)
		return;
	peer->asked_ns = t->now_ns;
	if (++peer->answers >= TRIAL_ANSWERS)
		come_alive(t, node);
	else
		totem_heartbeat_send(t, TOTEM_BIT(node), TOTEM_BEAT_ASKS);
}

static void
forget_suspicion(struct totem_peer *peer)
{
	peer->is_suspect = false;
	peer->accusers = 0;
	peer->seen_ns = 0;
}

void
totem_detect_heard(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	if (peer->is_alive)
		sample_gap(t, peer);
	peer->heard_ns = t->now_ns;
	peer->packets++;
	if (peer->is_suspect) {
		t->count[TOTEM_COUNT_SUSPICIONS_REFUTED]++;
		totem_detect_stressed(t, HEALTH_REFUTED);
	}
	forget_suspicion(peer);
	if (peer->is_alive)
		return;
	if (peer->is_on_trial)
		try(t, node);
	else
		come_alive(t, node);
}

void
totem_detect_sent(struct totem *t, uint64_t to)
{
	for (uint64_t left = to; left != 0; left &= left - 1)
		t->peer[__builtin_ctzll(left)].sent_ns = t->now_ns;
}

/* ---- verdicts ---------------------------------------------------------- */

/* One loss may be noticed twice: by the others, and then here. */
void
totem_detect_flap(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];
	uint64_t since_ns = t->now_ns - peer->flap_ns;

	if (peer->flap_ns == 0 || since_ns > TOTEM_FLAP_MEMORY_NS)
		peer->flaps = 0;
	else if (since_ns < t->cfg.suspect_max_ns)
		return;
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

/* It is not in my row any more, and has to answer before it is again. */
static void
lose(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	peer->is_alive = false;
	peer->is_on_trial = true;
	peer->answers = 0;
	forget_suspicion(peer);
	if (t->hears >> node & 1)
		change_row(t, t->hears & ~TOTEM_BIT(node));
}

void
totem_detect_verdict(struct totem *t, uint32_t node, enum totem_reason reason)
{
	totem_trace_peer(t, TOTEM_TRACE_PEER_DEAD, node, reason);
	/* First, for as one who is silent it would go for another reason. */
	if (concerned(t) >> node & 1)
		totem_gather_fail(t, TOTEM_BIT(node), reason);
	t->peer[node].is_cut = false;
	if (reason == TOTEM_REASON_TIMEOUT)
		totem_detect_flap(t, node);
	lose(t, node);
}

/* It lives, but I do not hear it: the rows decide who of us goes. */
static void
cut(struct totem *t, uint32_t node)
{
	bool is_concerned = concerned(t) >> node & 1;

	t->count[TOTEM_COUNT_CUTS]++;
	totem_trace_peer(
	    t, TOTEM_TRACE_PEER_DEAD, node, TOTEM_REASON_CONNECTIVITY);
	t->peer[node].is_cut = true;
	totem_detect_flap(t, node);
	if (is_concerned && t->state != TOTEM_STATE_GATHER)
		totem_gather_enter(t, TOTEM_REASON_CONNECTIVITY);
	lose(t, node);
	totem_gather_check(t);
}

static void
suspect(struct totem *t, uint32_t node)
{
	struct totem_peer *peer = &t->peer[node];

	if (!peer->is_suspect) {
		t->count[TOTEM_COUNT_SUSPICIONS]++;
		totem_trace_peer(t, TOTEM_TRACE_PEER_SUSPECT, node,
		    t->now_ns - peer->heard_ns);
	}
	peer->is_suspect = true;
	peer->probe_ns =
	    t->now_ns + totem_slowed(t, t->cfg.confirm_min_ns) / PROBES;
}

/* ---- the timer --------------------------------------------------------- */

/* Even who gets other packets is told my row now and then, and asked. */
static uint64_t
row_due(const struct totem *t, const struct totem_peer *peer)
{
	return peer->row_asked_ns + ROW_REFRESH_BEATS * totem_beat_span(t);
}

static uint64_t
beat_due(const struct totem *t, const struct totem_peer *peer)
{
	uint64_t span = totem_beat_span(t);

	if (!peer->is_alive)
		return peer->sent_ns + num_max(t->cfg.merge_ns, span);
	return num_min(peer->sent_ns + span * 5 / 4, row_due(t, peer));
}

/*
 * When a silent peer is given up: soon if somebody else misses it as well, or
 * nobody is left to ask; later if nobody answers; and if others hear it, not
 * before that has lasted.
 */
static uint64_t
verdict_due(const struct totem *t, uint32_t node)
{
	const struct totem_peer *peer = &t->peer[node];
	uint64_t dead_ns = totem_dead_after(t, node);

	if (totem_witness_is_seen(t, node))
		return peer->heard_ns + totem_cut_after(t, node);
	if (peer->accusers != 0)
		return peer->heard_ns + dead_ns;
	if (totem_witness_is_alone(t, node))
		return peer->heard_ns + floor_of_the_ill(t, dead_ns);
	return peer->heard_ns + totem_lone_after(t, node);
}

static void
give_up(struct totem *t, uint32_t node)
{
	if (totem_witness_is_seen(t, node)) {
		cut(t, node);
		return;
	}
	t->count[TOTEM_COUNT_DEATHS]++;
	totem_detect_verdict(t, node, TOTEM_REASON_TIMEOUT);
}

/* Acts on one living peer's silence; answers when to look again. */
static uint64_t
judge(struct totem *t, uint32_t node, uint64_t *probes)
{
	struct totem_peer *peer = &t->peer[node];
	uint64_t suspect_ns = peer->heard_ns + totem_suspect_after(t, node);

	if (t->now_ns < suspect_ns)
		return suspect_ns;
	if (!peer->is_suspect || t->now_ns >= peer->probe_ns) {
		suspect(t, node);
		*probes |= TOTEM_BIT(node);
	}
	uint64_t due_ns = verdict_due(t, node);
	if (t->now_ns < due_ns)
		return num_min(due_ns, peer->probe_ns);
	give_up(t, node);
	*probes &= ~TOTEM_BIT(node);
	return TOTEM_NEVER;
}

/* When a quiet second is over. */
static uint64_t
calm_ns(const struct totem *t)
{
	return t->health_ns + HEALTH_QUIET_MS * TOTEM_MS;
}

static void
calm_down(struct totem *t)
{
	if (t->health == 0 || t->now_ns < calm_ns(t))
		return;
	t->health--;
	t->health_ns = t->now_ns;
}

void
totem_detect_timer(struct totem *t)
{
	uint64_t next = TOTEM_NEVER, beats = 0, rows = 0, probes = 0;

	if (t->state == TOTEM_STATE_LEFT)
		return;
	calm_down(t);
	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_peer *peer = &t->peer[i];
		if (i == t->self)
			continue;
		if (peer->is_alive)
			next = num_min(next, judge(t, i, &probes));
		if (t->now_ns >= beat_due(t, peer))
			beats |= TOTEM_BIT(i);
		if (peer->is_alive && t->now_ns >= row_due(t, peer))
			rows |= TOTEM_BIT(i);
	}
	if (probes != 0)
		totem_witness_ask(t, probes);
	totem_heartbeat_send(t, rows & ~probes, TOTEM_BEAT_ASKS);
	totem_heartbeat_send(t, beats & ~rows & ~probes, TOTEM_BEAT);
	for (uint32_t i = 0; i < t->table.count; i++)
		if (i != t->self)
			next = num_min(next, beat_due(t, &t->peer[i]));
	totem_timer_set(t, TOTEM_TIMER_DETECT, next);
}

/*
 * At rest it is the token and its ACKs that most peers hear, so that the beats
 * due by the timer are no longer due when it comes.  Whoever has just sent them
 * puts it off; else it would wake the process once a rotation for nothing.
 */
void
totem_detect_put_off(struct totem *t)
{
	uint64_t next = TOTEM_NEVER;

	if (t->now_ns >= t->deadline[TOTEM_TIMER_DETECT])
		return;
	for (uint32_t i = 0; i < t->table.count; i++) {
		const struct totem_peer *peer = &t->peer[i];

		if (i == t->self)
			continue;
		if (peer->is_suspect)
			return;
		if (peer->is_alive)
			next = num_min(
			    next, peer->heard_ns + totem_suspect_after(t, i));
		next = num_min(next, beat_due(t, peer));
	}
	if (t->health != 0)
		next = num_min(next, calm_ns(t));
	if (next != TOTEM_NEVER && next > t->deadline[TOTEM_TIMER_DETECT])
		totem_timer_set(t, TOTEM_TIMER_DETECT, next);
}

/* A silence that was right by the old spans says nothing by the new ones. */
void
totem_detect_rebase(struct totem *t)
{
	for (uint32_t i = 0; i < t->table.count; i++) {
		struct totem_peer *peer = &t->peer[i];

		if (!peer->is_alive)
			continue;
		forget_suspicion(peer);
		peer->heard_ns = t->now_ns;
		peer->gap_from_ns = t->now_ns;
		peer->gap_max_ns = 0;
	}
	/* Beats may be due sooner now. */
	if (totem_timer_is_set(t, TOTEM_TIMER_DETECT))
		totem_timer_set(t, TOTEM_TIMER_DETECT, t->now_ns);
}

/* ---- this process did not run (3.12) ----------------------------------- */

void
totem_detect_stressed(struct totem *t, uint32_t most)
{
	if (t->health < most)
		t->health++;
	t->health_ns = t->now_ns;
}

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
	totem_detect_stressed(t, TOTEM_HEALTH_MAX);
	/* Whoever was silent meanwhile was silent to a sleeper; but who sleeps
	 * again and again must still find out who is silent in between. */
	for (uint32_t i = 0; i < t->table.count; i++) {
		if (t->peer[i].is_alive)
			t->peer[i].heard_ns =
			    num_min(t->now_ns, t->peer[i].heard_ns + late_ns);
		forget_suspicion(&t->peer[i]);
	}
	forgive_deadlines(t);
	if (is_over)
		totem_gather_enter(t, TOTEM_REASON_PAUSE);
}
