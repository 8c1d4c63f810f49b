/* SPDX-License-Identifier: BSD-3-Clause */
/* New agreements: when one is wanted, who proposes it, when it holds. */
#include <string.h>

#include "libcommon/base/num.h"

#include "bin/quorumd/quorum_internal.h"

#define RANK_NS UINT64_C(100000000) /* between one proposer and the next */
#define AGAIN_NS                                                              \
	UINT64_C(1000000000)           /* after a proposal that had no effect \
					*/
#define SILENT_NS UINT64_C(1000000000) /* for members that do not speak */

/* ---- what is wanted ---------------------------------------------------- */

/*
 * What it has it has by the file in force; or it comes anew, or nothing was
 * agreed on.  One that votes already, and was away since its own file was in
 * force, is not to have more by that than those say who are away now.
 */
static bool
may_grow(const struct quorum *q, const struct quorum_epoch *e, size_t place)
{
	return !(e->voters & QUORUM_BIT(place)) || e->config == 0 ||
	    q->said[place].config == e->config;
}

/*
 * Whoever is here votes, with what it has, if that is more than before.  But
 * not where the device may help those who are away, who know nothing of it.
 */
static void
grow(const struct quorum *q, uint64_t side, struct quorum_epoch *e)
{
	uint64_t sum;

	if (!quorum_judge_is_beyond_device(q))
		return;
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if ((side & QUORUM_BIT(i)) && may_grow(q, e, i) &&
		    q->said[i].votes > e->votes[i])
			e->votes[i] = q->said[i].votes;
	e->voters |= side;
	sum = quorum_epoch_votes(e) + q->device_votes;
	if (sum > UINT32_MAX) {
		*e = q->memory.now;
		return;
	}
	e->expected = (uint32_t)num_max(e->expected, sum);
}

static void
take_out(struct quorum_epoch *e, size_t place)
{
	e->expected -= e->votes[place];
	e->voters &= ~QUORUM_BIT(place);
	e->votes[place] = 0;
}

static void
shrink_to(const struct quorum *q, uint64_t side, struct quorum_epoch *e)
{
	for (size_t i = 0; i < LIMIT_NODES; i++)
		if (side & e->voters & QUORUM_BIT(i))
			e->votes[i] =
			    (uint32_t)num_min(e->votes[i], q->said[i].votes);
		else
			e->votes[i] = 0;
	e->voters &= side;
}

static bool
is_same(const struct quorum_epoch *a, const struct quorum_epoch *b)
{
	return a->expected == b->expected && a->voters == b->voters &&
	    a->quorate == b->quorate && a->config == b->config &&
	    memcmp(a->votes, b->votes, sizeof a->votes) == 0;
}

static void
settle_cause(
    const struct quorum *q, enum quorum_cause cause, struct quorum_epoch *e)
{
	e->cause = e->expected >= q->base_expected ? QUORUM_CAUSE_START : cause;
}

/*
 * All of the view but who is about to end: one who has not spoken yet may
 * have taken part in an agreement before this, and is no outsider.
 */
static void
set_quorate(const struct quorum *q, uint64_t leaver, struct quorum_epoch *e)
{
	bool is_used = q->cfg.auto_tie_breaker != QUORUM_TIE_NO;

	e->quorate = is_used ? q->members & ~q->leaving & ~leaver : 0;
}

/* Somebody here is to be told that it need not wait any more. */
static bool
is_anybody_new(const struct quorum *q, uint64_t side)
{
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if ((side & QUORUM_BIT(i)) &&
		    ((q->cfg.wait_for_all != QUORUM_WAIT_NO &&
			 q->said[i].is_waiting) ||
			(q->cfg.auto_tie_breaker != QUORUM_TIE_NO &&
			    q->said[i].is_fresh)))
			return true;
	return false;
}

/* The agreement this side should have; false: it has it. */
static bool
is_wanted(struct quorum *q, struct quorum_wire *out)
{
	const struct quorum_memory *memory = &q->memory;
	uint64_t side = quorum_judge_side(q);
	struct quorum_epoch *e = &out->epoch;
	enum quorum_cause cause = memory->now.cause;

	*out = (struct quorum_wire){ .kind = QUORUM_WIRE_EPOCH };
	out->reason = QUORUM_REASON_SPOKEN;
	*e = memory->now;
	grow(q, side, e);
	if (q->cfg.allow_downscale && (q->gone & e->voters)) {
		for (size_t i = 0; i < q->cfg.node_count; i++)
			if (q->gone & e->voters & QUORUM_BIT(i))
				take_out(e, i);
		cause = QUORUM_CAUSE_DOWNSCALE;
		out->reason = QUORUM_REASON_DOWNSCALE;
	}
	if (q->is_lms_due && quorum_judge_votes(q, e, side) < e->expected) {
		shrink_to(q, side, e);
		e->expected = (uint32_t)quorum_epoch_votes(e);
		cause = QUORUM_CAUSE_LMS;
		out->reason = QUORUM_REASON_LMS_WINDOW;
	}
	settle_cause(q, cause, e);
	if (quorum_reload_want(q, false, e))
		out->reason = QUORUM_REASON_RELOADED;
	set_quorate(q, 0, e);
	out->side = side;
	return e->expected > 0 &&
	    (!is_same(e, &memory->now) || memory->maybe_count > 0 ||
		memory->is_crowded || q->is_doubted ||
		quorum_record_is_stale(q) || is_anybody_new(q, side));
}

/* ---- proposing --------------------------------------------------------- */

/* All of the view see what we build on, and we have quorum by it. */
static bool
may_propose(const struct quorum *q)
{
	return q->is_synced && (quorum_judge_side(q) & QUORUM_BIT(q->self)) &&
	    quorum_epoch_order(&q->common, &q->memory.now.stamp) == 0;
}

/* The lowest first; the others in case that it does not. */
static uint64_t
turn_ns(const struct quorum *q)
{
	uint64_t before = quorum_judge_side(q) & (QUORUM_BIT(q->self) - 1);
	uint64_t turn =
	    q->want_ns + RANK_NS * (uint64_t)__builtin_popcountll(before);

	if (q->members & ~q->spoken & ~q->leaving)
		turn = num_max(turn, q->view_ns + SILENT_NS);
	return turn;
}

uint64_t
quorum_change_deadline_ns(const struct quorum *q)
{
	return q->want_ns == QUORUM_NEVER ? QUORUM_NEVER : turn_ns(q);
}

void
quorum_change_propose(struct quorum *q)
{
	struct quorum_wire wire;

	if (!may_propose(q) || !is_wanted(q, &wire) ||
	    (!q->finding.is_quorate &&
		(wire.reason != QUORUM_REASON_RELOADED ||
		    !quorum_reload_is_whole(q)))) {
		q->want_ns = QUORUM_NEVER;
		return;
	}
	if (q->want_ns == QUORUM_NEVER)
		q->want_ns = q->now_ns;
	if (q->now_ns < turn_ns(q))
		return;
	wire.base = q->memory.now.stamp;
	wire.round = q->round;
	quorum_effect_publish(q, &wire);
	q->want_ns = q->now_ns + AGAIN_NS;
}

/* ---- holding ----------------------------------------------------------- */

/* Votes that it changes are, from here on, what these nodes have. */
static void
take_votes(struct quorum *q, const struct quorum_epoch *before)
{
	const struct quorum_epoch *now = &q->memory.now;

	for (size_t i = 0; i < q->cfg.node_count; i++)
		if ((before->voters & now->voters & QUORUM_BIT(i)) &&
		    before->votes[i] != now->votes[i])
			q->said[i].votes = now->votes[i];
}

bool
quorum_change_apply(struct quorum *q, size_t sender,
    const struct quorum_wire *wire, bool is_transitional)
{
	struct quorum_epoch before = q->memory.now;
	struct quorum_epoch after = wire->epoch;
	struct parse_pos *common =
	    is_transitional ? &q->common_end : &q->common;

	(void)sender; /* whoever it was: all of the view decide alike */
	if (!q->is_synced || quorum_epoch_order(&wire->round, &q->round) != 0 ||
	    quorum_epoch_order(&wire->base, common) != 0)
		return false;
	after.stamp = q->pos;
	q->common_end = q->pos;
	q->is_keep_due = true;
	q->is_owed |= q->is_in_flight;
	if (is_transitional) {
		quorum_epoch_suspect(&q->memory, &after);
		return false;
	}
	q->common = q->pos;
	q->is_held_over |= q->memory.since.view.seq != 0;
	quorum_epoch_adopt(&q->memory, &after);
	/* Whoever has quorum knows what else was agreed. */
	q->memory.maybe_count = 0;
	q->memory.is_crowded = q->is_doubted = false;
	take_votes(q, &before);
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (wire->side & QUORUM_BIT(i))
			q->said[i].is_fresh = q->said[i].is_waiting = false;
	q->agreed = wire->side & q->group;
	q->is_taken_in = (wire->side & QUORUM_BIT(q->self)) != 0;
	q->gone &= after.voters;
	q->want_ns = QUORUM_NEVER;
	q->leaving |= quorum_config_set(&q->cfg, &wire->leaver, 1) & q->group;
	q->reason = wire->reason;
	return true;
}

/* ---- on request -------------------------------------------------------- */

bool
quorum_change_is_kept(struct quorum *q, const struct quorum_epoch *e)
{
	const struct quorum_epoch *now = &q->memory.now;
	struct quorum_said said[LIMIT_NODES];

	memcpy(said, q->said, sizeof said);
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if ((now->voters & e->voters & QUORUM_BIT(i)) &&
		    now->votes[i] != e->votes[i])
			q->said[i].votes = e->votes[i];
	bool is_kept =
	    quorum_judge_under(q, e, quorum_judge_side(q) & ~q->leaving);
	memcpy(q->said, said, sizeof said);
	return is_kept;
}

static const char lost_text[] = "the view has changed: ask again";

void
quorum_change_grown(const struct quorum *q, struct quorum_epoch *e)
{
	*e = q->memory.now;
	grow(q, quorum_judge_side(q), e);
}

void
quorum_change_ask(struct quorum *q, const struct quorum_input *in,
    bool is_forced, struct quorum_wire *wire)
{
	struct quorum_epoch *e = &wire->epoch;

	if (!is_forced && !q->finding.is_quorate) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_QUORUM,
		    "there is no quorum here: force it only when all others "
		    "are down");
		return;
	}
	if (!is_forced && !quorum_change_is_kept(q, e)) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_QUORUM,
		    "that would cost quorum");
		return;
	}
	struct quorum_request *request =
	    quorum_request_open(q, QUORUM_REQUEST_EPOCH, in);

	if (request == NULL)
		return;
	if (!may_propose(q)) {
		quorum_request_answer(
		    q, request, QUORUM_ANSWER_AGAIN, lost_text);
		return;
	}
	wire->kind = QUORUM_WIRE_EPOCH;
	wire->base = q->memory.now.stamp;
	wire->round = q->round;
	wire->no = request->no;
	if (q->finding.is_quorate) {
		wire->side = quorum_judge_side(q);
		set_quorate(q, 0, e);
	}
	quorum_effect_publish(q, wire);
}

void
quorum_change_set_expected(struct quorum *q, const struct quorum_input *in)
{
	struct quorum_wire wire = { .reason = QUORUM_REASON_EXPECTED_CHANGED };
	struct quorum_epoch *e = &wire.epoch;
	uint64_t side = quorum_judge_side(q);
	uint32_t expected = in->set_expected.expected;

	*e = q->memory.now;
	grow(q, side, e);
	uint64_t here = quorum_judge_votes(q, e, side) + q->device_votes;

	if (expected == 0 || expected < here) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_BAD,
		    "fewer than the votes that are here");
		return;
	}
	if (expected < e->expected && q->device_votes > 0 &&
	    !in->set_expected.is_forced) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_QUORUM,
		    "the device would not know of it: force it only when all "
		    "others are down");
		return;
	}
	if (expected < quorum_epoch_votes(e) + q->device_votes)
		shrink_to(q, side, e);
	e->expected = expected;
	settle_cause(q, QUORUM_CAUSE_FORCED, e);
	quorum_change_ask(q, in, in->set_expected.is_forced, &wire);
}

void
quorum_change_set_votes(struct quorum *q, const struct quorum_input *in)
{
	struct quorum_wire wire = { .reason = QUORUM_REASON_VOTES_CHANGED };
	struct quorum_epoch *e = &wire.epoch;
	size_t place = quorum_config_place(&q->cfg, in->set_votes.node);
	uint32_t votes = in->set_votes.votes;

	quorum_change_grown(q, e);
	if (place == LIMIT_NODES || !(e->voters & QUORUM_BIT(place))) {
		quorum_effect_answer(
		    q, in->cookie, QUORUM_ANSWER_BAD, "no node that votes now");
		return;
	}
	uint64_t before = e->votes[place];
	uint64_t sum = quorum_epoch_votes(e) - before + votes;

	if (sum == 0 || sum + q->device_votes > UINT32_MAX) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_BAD,
		    "all votes together would be 0, or more than 4294967295");
		return;
	}
	if (votes < before && !in->set_votes.is_forced) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_QUORUM,
		    "fewer votes than it has: that must be forced");
		return;
	}
	if (votes > before && !in->set_votes.is_forced &&
	    !quorum_judge_is_beyond_device(q)) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_QUORUM,
		    "those who are away could have quorum with the device: "
		    "force it only when they are down");
		return;
	}
	e->votes[place] = votes;
	if (votes < before)
		e->expected -= (uint32_t)(before - votes);
	else
		e->expected =
		    (uint32_t)num_max(e->expected, sum + q->device_votes);
	settle_cause(q, QUORUM_CAUSE_FORCED, e);
	quorum_change_ask(q, in, in->set_votes.is_forced, &wire);
}

void
quorum_change_leave(struct quorum *q, const struct quorum_input *in)
{
	struct quorum_wire wire = { .kind = QUORUM_WIRE_EPOCH,
		.reason = QUORUM_REASON_DOWNSCALE };
	struct quorum_epoch *e = &wire.epoch;
	uint64_t rest = quorum_judge_side(q) & ~QUORUM_BIT(q->self);

	*e = q->memory.now;
	if (q->cfg.allow_downscale && q->finding.is_quorate && may_propose(q) &&
	    (e->voters & QUORUM_BIT(q->self)))
		take_out(e, q->self);
	if (is_same(e, &q->memory.now) || !quorum_judge_under(q, e, rest)) {
		quorum_effect_answer(q, in->cookie, QUORUM_ANSWER_OK, "");
		return;
	}
	struct quorum_request *request =
	    quorum_request_open(q, QUORUM_REQUEST_LEAVE, in);

	if (request == NULL)
		return;
	settle_cause(q, QUORUM_CAUSE_DOWNSCALE, e);
	set_quorate(q, QUORUM_BIT(q->self), e);
	wire.base = q->memory.now.stamp;
	wire.round = q->round;
	wire.no = request->no;
	wire.side = rest;
	wire.leaver = q->cfg.node[q->self].id;
	quorum_effect_publish(q, &wire);
}
