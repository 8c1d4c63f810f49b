/* SPDX-License-Identifier: BSD-3-Clause */
/* Is this side enough?  DESIGN.md, "The verdict". */
#include "libcommon/base/num.h"

#include "bin/quorumd/quorum_internal.h"

uint64_t
quorum_judge_side(const struct quorum *q)
{
	return q->spoken & ~q->leaving;
}

/* It comes from records: it was agreed on, or may have been, before nodes began
 * that now have the votes of their files. */
static bool
is_recorded(const struct quorum *q, const struct quorum_epoch *e)
{
	return quorum_epoch_is_promised(e) ||
	    (e->stamp.view.seq != 0 &&
		quorum_epoch_order(&e->stamp, &q->memory.since) == 0);
}

/* What is recorded says the votes that it gives, whoever has read it. */
static uint32_t
said_votes(const struct quorum *q, const struct quorum_epoch *e, size_t place)
{
	return is_recorded(q, e) ? e->votes[place] : q->said[place].votes;
}

uint64_t
quorum_judge_votes(
    const struct quorum *q, const struct quorum_epoch *e, uint64_t set)
{
	uint64_t sum = 0;

	/* By whatever configuration, nobody is elsewhere. */
	if (quorum_epoch_is_mixed(e) && (e->voters & ~set) == 0)
		return num_sub(e->expected, q->device_votes);
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (set & e->voters & QUORUM_BIT(i))
			sum += num_min(e->votes[i], said_votes(q, e, i));
	return sum;
}

bool
quorum_judge_has_device(const struct quorum *q)
{
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (q->device[i].is_yes)
			return true;
	return false;
}

/* One that may be in force may know of no device, or of a lesser one. */
static uint64_t
device_votes(const struct quorum *q, const struct quorum_epoch *e)
{
	return num_min(
	    q->device_votes, num_sub(e->expected, quorum_epoch_votes(e)));
}

static uint64_t
total(const struct quorum *q, const struct quorum_epoch *e, uint64_t side)
{
	return quorum_judge_votes(q, e, side) +
	    (quorum_judge_has_device(q) ? device_votes(q, e) : 0);
}

/* The most that rest may have, whether or not they could cast it. */
static uint64_t
could_have(const struct quorum_epoch *e, uint64_t rest)
{
	uint64_t sum = 0, other = 0;

	for (size_t i = 0; i < LIMIT_NODES; i++)
		if (e->voters & QUORUM_BIT(i) & rest)
			sum += e->votes[i];
		else
			other += e->votes[i];
	return quorum_epoch_is_mixed(e) ? num_sub(e->expected, other) : sum;
}

static bool
is_two_node(const struct quorum *q, const struct quorum_epoch *e)
{
	return q->cfg.two_node && e->expected == 2 &&
	    __builtin_popcountll(q->members) <= 2;
}

static uint64_t
needed(const struct quorum *q, const struct quorum_epoch *e)
{
	return is_two_node(q, e) ? 1 : (uint64_t)e->expected / 2 + 1;
}

/* ---- one agreement ----------------------------------------------------- */

size_t
quorum_judge_decider(const struct quorum *q, const struct quorum_epoch *e)
{
	const struct quorum_config *cfg = &q->cfg;

	if (e->quorate == 0)
		return LIMIT_NODES;
	if (cfg->auto_tie_breaker == QUORUM_TIE_LOWEST)
		return (size_t)__builtin_ctzll(e->quorate);
	if (cfg->auto_tie_breaker == QUORUM_TIE_HIGHEST)
		return (size_t)(63 - __builtin_clzll(e->quorate));
	for (size_t i = 0; i < cfg->tie_count; i++) {
		size_t place = quorum_config_place(cfg, cfg->tie_list[i]);

		if (e->quorate & QUORUM_BIT(place))
			return place;
	}
	return LIMIT_NODES;
}

/* Of this side, whose votes count, who took part in no agreement yet. */
static uint64_t
fresh(const struct quorum *q, const struct quorum_epoch *e, uint64_t side)
{
	uint64_t set = 0;

	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (q->said[i].is_fresh && e->votes[i] > 0)
			set |= side & QUORUM_BIT(i);
	return set;
}

/*
 * Could those who are not on this side have quorum?  With wait_for_all =
 * always whoever was not in the last quorate membership waits for all.
 */
static bool
is_rest_short(
    const struct quorum *q, const struct quorum_epoch *e, uint64_t side)
{
	uint64_t rest = e->voters & ~side;

	if (q->cfg.wait_for_all == QUORUM_WAIT_ALWAYS)
		rest &= e->quorate;
	return could_have(e, rest) < needed(q, e);
}

static bool
is_tie_won(const struct quorum *q, const struct quorum_epoch *e, uint64_t side)
{
	uint64_t votes = total(q, e, side);

	if (q->cfg.auto_tie_breaker == QUORUM_TIE_NO || votes == 0 ||
	    votes != e->expected / 2 || fresh(q, e, side) != 0)
		return false;
	size_t decider = quorum_judge_decider(q, e);

	return decider < LIMIT_NODES && (side & QUORUM_BIT(decider)) &&
	    is_rest_short(q, e, side);
}

/* The device says who lives on, where nobody else could. */
static bool
is_master(const struct quorum *q, const struct quorum_epoch *e, uint64_t side)
{
	return q->cfg.device_master_wins && side != 0 &&
	    quorum_judge_has_device(q) &&
	    could_have(e, e->voters & ~side) < needed(q, e);
}

bool
quorum_judge_under(
    const struct quorum *q, const struct quorum_epoch *e, uint64_t side)
{
	return side != 0 &&
	    (total(q, e, side) >= needed(q, e) || is_master(q, e, side) ||
		is_tie_won(q, e, side));
}

/* ---- all that may be in force ------------------------------------------ */

/* Who has fewer votes now than it gives him is here all the same. */
static bool
is_all_here(const struct quorum *q, const struct quorum_epoch *e, uint64_t side)
{
	const uint64_t device =
	    quorum_judge_has_device(q) ? device_votes(q, e) : 0;

	return total(q, e, side) == e->expected ||
	    ((e->voters & ~side) == 0 &&
		quorum_epoch_votes(e) + device == e->expected);
}

typedef bool (*test_fn)(
    const struct quorum *q, const struct quorum_epoch *e, uint64_t side);

static bool
under_all(const struct quorum *q, uint64_t side, test_fn holds)
{
	if (!holds(q, &q->memory.now, side))
		return false;
	for (size_t i = 0; i < q->memory.maybe_count; i++)
		if (!holds(q, &q->memory.maybe[i], side))
			return false;
	return true;
}

/*
 * Those elsewhere, and the device, would not be enough.  With
 * device_master_wins it helps any where the others are no majority.
 */
static bool
is_beyond_device(
    const struct quorum *q, const struct quorum_epoch *e, uint64_t side)
{
	const uint64_t rest = (e->voters | q->configured) & ~side;

	if (rest == 0)
		return true; /* nobody is elsewhere */
	if (could_have(e, rest) + q->device_votes >= needed(q, e))
		return false;
	return !q->cfg.device_master_wins ||
	    could_have(e, side) >= needed(q, e);
}

bool
quorum_judge_is_beyond_device(const struct quorum *q)
{
	return q->device_votes == 0 ||
	    (!q->memory.is_crowded &&
		under_all(q, quorum_judge_side(q), is_beyond_device));
}

/* More is unknown than we can hold: only all together are sure. */
static bool
has_quorum(const struct quorum *q, uint64_t side)
{
	if (q->memory.is_crowded && !under_all(q, side, is_all_here))
		return false;
	return under_all(q, side, quorum_judge_under);
}

/* Quorum may pass to those that hold less than half of the configured. */
static bool
is_dynamic(const struct quorum_config *cfg)
{
	return cfg->last_man_standing || cfg->allow_downscale ||
	    cfg->auto_tie_breaker != QUORUM_TIE_NO;
}

uint64_t
quorum_judge_unsure(const struct quorum *q)
{
	uint64_t set = 0;

	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (q->said[i].is_unsure)
			set |= QUORUM_BIT(i);
	return set;
}

/*
 * Who is unsure may have taken part in an agreement without having read it:
 * the others must be enough.
 */
static bool
is_in_doubt(const struct quorum *q, uint64_t side)
{
	uint64_t sure = side & ~quorum_judge_unsure(q);

	return sure != side && !(sure != 0 && has_quorum(q, sure)) &&
	    !under_all(q, side, is_all_here);
}

/* One who waits remembers that more votes were expected than we know of. */
static bool
has_heard_of_more(const struct quorum *q, uint64_t side)
{
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if ((side & QUORUM_BIT(i)) && q->said[i].is_waiting &&
		    q->said[i].tracked > q->memory.now.expected)
			return true;
	return false;
}

/*
 * Who waits does not know what was agreed before its start.  Where nothing
 * can have been, one who does not wait speaks for all; else those who do not
 * wait must be enough.
 */
static bool
is_waiting(const struct quorum *q, uint64_t side)
{
	bool is_unknown = is_dynamic(&q->cfg) || has_heard_of_more(q, side);
	uint64_t awake = 0;

	if (q->cfg.wait_for_all == QUORUM_WAIT_NO)
		return false;
	for (size_t i = 0; i < q->cfg.node_count; i++)
		if (!q->said[i].is_waiting)
			awake |= side & QUORUM_BIT(i);
	if (is_unknown)
		awake &= ~quorum_judge_unsure(q);
	if (awake != 0 && (!is_unknown || has_quorum(q, awake)))
		return false;
	return !under_all(q, side, is_all_here);
}

/* ---- the finding ------------------------------------------------------- */

static const struct {
	enum quorum_basis basis;
	enum quorum_rule_no rule;
} causes[QUORUM_CAUSES] = {
	[QUORUM_CAUSE_START] = { QUORUM_BASIS_MAJORITY, QUORUM_RULE_MAJORITY },
	[QUORUM_CAUSE_LMS] = { QUORUM_BASIS_LMS, QUORUM_RULE_LMS },
	[QUORUM_CAUSE_DOWNSCALE] = { QUORUM_BASIS_DOWNSCALE,
	    QUORUM_RULE_DOWNSCALE },
	[QUORUM_CAUSE_FORCED] = { QUORUM_BASIS_FORCED, QUORUM_RULE_EXPECTED },
};

/* Which rule gave quorum to this side. */
static void
find_basis(const struct quorum *q, uint64_t side, struct quorum_finding *out)
{
	const struct quorum_epoch *e = &q->memory.now;
	uint64_t nodes = quorum_judge_votes(q, e, side);

	bool is_short = out->votes < out->needed;

	if (is_short ? is_master(q, e, side)
		     : nodes < out->needed && q->device_votes > 0) {
		out->basis = QUORUM_BASIS_DEVICE;
		out->rule = QUORUM_RULE_DEVICE;
	} else if (is_short) {
		out->basis = QUORUM_BASIS_TIE;
		out->rule = QUORUM_RULE_TIE;
	} else if (out->votes < out->expected / 2 + 1) {
		out->basis = QUORUM_BASIS_TWO_NODE;
		out->rule = QUORUM_RULE_TWO_NODE;
	} else if (out->votes >= q->base_expected / 2 + 1) {
		out->basis = QUORUM_BASIS_MAJORITY;
		out->rule = QUORUM_RULE_MAJORITY;
	} else {
		out->basis = causes[e->cause].basis;
		out->rule = causes[e->cause].rule;
	}
}

/* Which rule denies it. */
static enum quorum_rule_no
find_lack(const struct quorum *q, uint64_t side)
{
	const struct quorum_epoch *e = &q->memory.now;
	uint64_t votes = total(q, e, side);

	if (is_waiting(q, side))
		return QUORUM_RULE_WAIT;
	if (quorum_judge_under(q, e, side))
		return QUORUM_RULE_UNFINISHED;
	if (q->cfg.auto_tie_breaker != QUORUM_TIE_NO && votes > 0 &&
	    votes == e->expected / 2)
		return QUORUM_RULE_TIE;
	if (q->device_votes > 0 && !quorum_judge_has_device(q) &&
	    votes + q->device_votes >= needed(q, e))
		return QUORUM_RULE_DEVICE;
	return QUORUM_RULE_MAJORITY;
}

void
quorum_judge(const struct quorum *q, uint64_t side, struct quorum_finding *out)
{
	const struct quorum_epoch *e = &q->memory.now;

	*out = (struct quorum_finding){
		.votes = total(q, e, side),
		.needed = needed(q, e),
		.expected = e->expected,
		.basis = QUORUM_BASIS_NONE,
	};
	out->is_quorate = (side & QUORUM_BIT(q->self)) && has_quorum(q, side) &&
	    !is_waiting(q, side) && !is_in_doubt(q, side);
	if (out->is_quorate)
		find_basis(q, side, out);
	else
		out->rule = find_lack(q, side);
}

bool
quorum_judge_is_quorate(const struct quorum *q)
{
	return q->finding.is_quorate;
}
