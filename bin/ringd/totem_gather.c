/* SPDX-License-Identifier: BSD-3-Clause */
/* Gather: agree on who takes part in the next ring (3.3, 3.4).
 *
 * proc is who might, fail who of them shall not; both only grow.  When the
 * JOINs of all of proc \ fail show the same two sets, its lowest member makes
 * the COMMIT token.
 *
 * We differ from the papers: a node that is known to be dead fails at once,
 * so the consensus timer is only the last resort; and every two members must
 * hear each other.  While they do not, the node with the fewest edges goes, of
 * equals the one with the largest id: all who know the same rows choose alike.
 * Nodes notice a death one after the other.  As long as one that may be dying
 * is silent, the rows of those who have noticed would make them look like the
 * ones who hear too little; so the rule waits until it has been heard, or has
 * failed.
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

enum {
	HURRY_MS = 1,    /* between JOINs when the sets change */
	BACKOFF_MAX = 4, /* doublings of the timers */
	OVERDUE_BEATS = 2,
};

/* Until a newcomer's rows must have come. */
static uint64_t
grace(const struct totem *t)
{
	return t->cfg.heartbeat_ns * 6 / 5;
}

static uint64_t
candidates(const struct totem *t)
{
	return t->gather.proc & ~t->gather.fail;
}

static uint64_t
backoff(const struct totem *t, uint64_t span_ns)
{
	return span_ns << num_min(t->gather.rounds, BACKOFF_MAX);
}

/* The next JOIN as soon as the last one is a little in the past. */
void
totem_gather_hurry(struct totem *t)
{
	uint64_t due = num_max(t->now_ns,
	    t->gather.join_sent_ns + totem_slowed(t, HURRY_MS * TOTEM_MS));

	if (t->deadline[TOTEM_TIMER_JOIN] > due)
		totem_timer_set(t, TOTEM_TIMER_JOIN, due);
}

/* The sets have changed: nobody is known to agree but me. */
static void
begin_round(struct totem *t)
{
	t->gather.cons = TOTEM_BIT(t->self);
	t->gather.entered_ns = t->now_ns;
	totem_gather_hurry(t);
	totem_timer_set(t, TOTEM_TIMER_CONSENSUS,
	    t->now_ns + backoff(t, t->cfg.consensus_ns));
	totem_trace(t, TOTEM_TRACE_SETS, t->gather.proc, t->gather.fail, 0);
}

void
totem_gather_add(struct totem *t, uint64_t nodes)
{
	uint64_t added = nodes & ~t->gather.proc;

	if (added == 0)
		return;
	t->gather.proc |= added;
	for (uint32_t i = 0; i < t->table.count; i++)
		if (added >> i & 1)
			t->peer[i].proc_since_ns = t->now_ns;
	begin_round(t);
}

static void
add_failed(struct totem *t, uint64_t nodes, enum totem_reason reason)
{
	uint64_t added = nodes & ~t->gather.fail & ~TOTEM_BIT(t->self);

	if (added == 0)
		return;
	/* A row that came first said only that somebody is missed. */
	if (t->gather.reason == TOTEM_REASON_CONNECTIVITY)
		t->gather.reason = reason;
	t->gather.fail |= added;
	for (uint32_t i = 0; i < t->table.count; i++) {
		if (!(added >> i & 1))
			continue;
		t->gather.why[i] = (uint8_t)reason;
		totem_trace_peer(t, TOTEM_TRACE_FAIL, i, reason);
	}
	t->gather.proc |= added;
	begin_round(t);
}

void
totem_gather_fail(struct totem *t, uint64_t nodes, enum totem_reason reason)
{
	if (t->state != TOTEM_STATE_GATHER)
		totem_gather_enter(t, reason);
	add_failed(t, nodes, reason);
}

static uint64_t
silent_nodes(const struct totem *t, uint64_t among, uint64_t before_ns)
{
	uint64_t silent = 0;

	for (uint32_t i = 0; i < t->table.count; i++)
		if ((among >> i & 1) && i != t->self && !t->peer[i].is_alive &&
		    !t->peer[i].is_cut && t->peer[i].proc_since_ns <= before_ns)
			silent |= TOTEM_BIT(i);
	return silent;
}

/* A new episode: what is installed is what we start from. */
static void
begin_episode(struct totem *t, enum totem_reason reason)
{
	t->gather.reason = reason;
	t->gather.began_ns = t->now_ns;
	t->gather.proc = 0;
	t->gather.fail = 0;
	for (uint32_t i = 0; i < t->table.count; i++) {
		t->gather.why[i] = TOTEM_REASON_NONE;
		t->peer[i].join_seq =
		    t->inst->members >> i & 1 ? t->inst->id.seq : 0;
	}
	totem_gather_add(t, t->inst->members);
}

void
totem_gather_enter(struct totem *t, enum totem_reason reason)
{
	bool is_new = t->state == TOTEM_STATE_OPERATIONAL;
	bool was_forming =
	    t->state == TOTEM_STATE_COMMIT || t->state == TOTEM_STATE_RECOVERY;

	ENSURE(t->state != TOTEM_STATE_LEFT);
	ENSURE(t->install.step == TOTEM_INSTALL_NONE);
	t->count[TOTEM_COUNT_GATHERS]++;
	t->gathers[reason]++;
	totem_trace(t, TOTEM_TRACE_GATHER, reason, 0, 0);
	totem_token_stop(t);
	if (was_forming)
		totem_drop_ring(t, t->form);
	t->state = TOTEM_STATE_GATHER;
	totem_timer_stop(t, TOTEM_TIMER_MERGE);
	if (is_new)
		begin_episode(t, reason);
	if (was_forming &&
	    (reason == TOTEM_REASON_TOKEN_LOSS ||
		reason == TOTEM_REASON_PROTOCOL))
		t->gather.rounds++;
	begin_round(t);
	add_failed(t,
	    silent_nodes(t, candidates(t) & t->inst->members, t->now_ns),
	    TOTEM_REASON_TIMEOUT);
}

/* ---- connectivity ------------------------------------------------------ */

/* The node of the set with the fewest edges in it; the largest id of equals. */
static uint32_t
least_connected(const struct totem *t, uint64_t set)
{
	uint32_t least = 0, least_degree = UINT32_MAX;

	for (uint32_t a = 0; a < t->table.count; a++) {
		uint32_t degree = 0;
		if (!(set >> a & 1))
			continue;
		for (uint32_t b = 0; b < t->table.count; b++)
			if ((set >> b & 1) && totem_has_edge(t, a, b))
				degree++;
		if (degree <= least_degree) {
			least = a;
			least_degree = degree;
		}
	}
	return least;
}

/* Nodes that have been in proc long enough to be judged; me too. */
static uint64_t
mature_nodes(const struct totem *t)
{
	uint64_t mature = TOTEM_BIT(t->self);

	for (uint32_t i = 0; i < t->table.count; i++)
		if (t->now_ns - t->peer[i].proc_since_ns >= grace(t))
			mature |= TOTEM_BIT(i);
	return mature & candidates(t);
}

static uint64_t
quarantined_nodes(const struct totem *t)
{
	uint64_t out = 0;

	for (uint32_t i = 0; i < t->table.count; i++)
		if (t->now_ns < t->peer[i].quarantine_until_ns)
			out |= TOTEM_BIT(i);
	return out & candidates(t);
}

/* Nodes that should have been heard again by now, dead or not. */
static uint64_t
overdue_nodes(const struct totem *t)
{
	uint64_t span = OVERDUE_BEATS * totem_beat_span(t), overdue = 0;

	for (uint32_t i = 0; i < t->table.count; i++)
		if (i != t->self && !t->peer[i].is_cut &&
		    t->now_ns - t->peer[i].heard_ns >= span)
			overdue |= TOTEM_BIT(i);
	return overdue & candidates(t);
}

/*
 * My disk keeps all waiting: they go on when they hear that I do without them,
 * in JOINs that call them back from the ring that I could not promise.
 */
static void
stand_aside(struct totem *t)
{
	t->max_seq = num_max(t->max_seq, t->gather.awaited_seq);
	add_failed(t, candidates(t), TOTEM_REASON_CONSENSUS);
}

static void
keep_connected(struct totem *t)
{
	uint64_t old = num_sub(t->now_ns, grace(t));
	uint64_t mature;

	if (totem_is_stuck(t))
		stand_aside(t);
	add_failed(t, quarantined_nodes(t), TOTEM_REASON_RECEIVE);

	add_failed(
	    t, silent_nodes(t, candidates(t), old), TOTEM_REASON_TIMEOUT);
	mature = mature_nodes(t);
	if ((overdue_nodes(t) & mature) != 0)
		return;
	while (totem_is_split(t, mature)) {
		uint32_t node = least_connected(t, mature);
		mature &= ~TOTEM_BIT(node);
		if (node != t->self) {
			add_failed(
			    t, TOTEM_BIT(node), TOTEM_REASON_CONNECTIVITY);
			continue;
		}
		/* It is me who goes: those I cannot hear go from here. */
		uint64_t deaf = 0;
		for (uint32_t i = 0; i < t->table.count; i++)
			if ((mature >> i & 1) && !totem_has_edge(t, i, t->self))
				deaf |= TOTEM_BIT(i);
		add_failed(t, deaf, TOTEM_REASON_CONNECTIVITY);
		return;
	}
}

/* ---- consensus --------------------------------------------------------- */

void
totem_gather_check(struct totem *t)
{
	uint64_t me = TOTEM_BIT(t->self);

	if (t->state != TOTEM_STATE_GATHER)
		return;
	keep_connected(t);
	uint64_t all = candidates(t);
	ENSURE(all & me);
	if ((all & (me - 1)) != 0)
		return; /* a lower one makes the COMMIT token */
	if (all == me && !t->gather.may_be_alone)
		return;
	if ((all & ~t->gather.cons) == 0 && totem_is_complete(t, all))
		totem_commit_create(t, all);
}

void
totem_gather_join_timer(struct totem *t)
{
	uint64_t span = totem_slowed(t, backoff(t, t->cfg.join_ns));
	uint64_t jitter = rng_below(&t->rng, span + 1);

	ENSURE(t->state == TOTEM_STATE_GATHER);
	totem_join_send(t);
	totem_timer_set(t, TOTEM_TIMER_JOIN, t->now_ns + span / 2 + jitter);
	totem_gather_check(t);
}

void
totem_gather_consensus_timer(struct totem *t)
{
	uint64_t missing = candidates(t) & ~t->gather.cons;
	uint64_t silent = missing & overdue_nodes(t);

	ENSURE(t->state == TOTEM_STATE_GATHER);
	t->gather.may_be_alone = true;
	t->gather.rounds++;
	begin_round(t);
	/* All agreed and yet no COMMIT token came: ask them again.  Others
	 * may agree once the silent ones are out. */
	add_failed(t, silent != 0 ? silent : missing, TOTEM_REASON_CONSENSUS);
	/* Before a COMMIT: who is left out must not wait for one in vain. */
	if (missing != 0)
		totem_gather_join_timer(t);
	else
		totem_gather_check(t);
}
