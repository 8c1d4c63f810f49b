/* SPDX-License-Identifier: BSD-3-Clause */
/* The rules in words, and the names of things. */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/text.h"

#include "bin/quorumd/quorum_internal.h"

const char *
quorum_basis_name(enum quorum_basis basis)
{
	static const char *const name[QUORUM_BASES] = {
		[QUORUM_BASIS_NONE] = "none",
		[QUORUM_BASIS_MAJORITY] = "majority",
		[QUORUM_BASIS_TWO_NODE] = "two-node",
		[QUORUM_BASIS_TIE] = "tie",
		[QUORUM_BASIS_LMS] = "lms",
		[QUORUM_BASIS_DOWNSCALE] = "downscale",
		[QUORUM_BASIS_DEVICE] = "device",
		[QUORUM_BASIS_FORCED] = "forced",
	};
	return name[basis];
}

const char *
quorum_reason_name(enum quorum_reason reason)
{
	static const char *const name[QUORUM_REASONS] = {
		[QUORUM_REASON_VIEW] = "view",
		[QUORUM_REASON_SPOKEN] = "spoken",
		[QUORUM_REASON_VOTES_CHANGED] = "votes-changed",
		[QUORUM_REASON_EXPECTED_CHANGED] = "expected-changed",
		[QUORUM_REASON_RELOADED] = "reloaded",
		[QUORUM_REASON_WAIT_CANCELLED] = "wait-cancelled",
		[QUORUM_REASON_LMS_WINDOW] = "lms-window",
		[QUORUM_REASON_DOWNSCALE] = "downscale",
		[QUORUM_REASON_DEVICE] = "device",
		[QUORUM_REASON_VOTE_EXPIRED] = "vote-expired",
	};
	return name[reason];
}

const char *
quorum_answer_name(enum quorum_answer answer)
{
	static const char *const name[QUORUM_ANSWERS] = {
		[QUORUM_ANSWER_OK] = "ok",
		[QUORUM_ANSWER_QUORUM] = "quorum",
		[QUORUM_ANSWER_VIEW] = "view",
		[QUORUM_ANSWER_AGAIN] = "again",
		[QUORUM_ANSWER_BAD] = "bad",
	};
	return name[answer];
}

/* ---- pieces of sentences ----------------------------------------------- */

void
quorum_words_names(const struct quorum *q, uint64_t set, struct text *out)
{
	size_t left = (size_t)__builtin_popcountll(set);

	if (left == 0)
		text_put(out, "nobody");
	for (size_t i = 0; i < q->cfg.node_count; i++) {
		if (!(set & QUORUM_BIT(i)))
			continue;
		text_put(out, q->cfg.node[i].name);
		left--;
		text_put(out, left == 0 ? "" : left == 1 ? " and " : ", ");
	}
}

static void
put_count(uint64_t count, const char *what, struct text *out)
{
	text_put_u64(out, count);
	text_put_char(out, ' ');
	text_put(out, what);
	if (count != 1)
		text_put_char(out, 's');
}

/* Members that could vote and have said nothing. */
static uint64_t
silent(const struct quorum *q)
{
	return q->members & ~quorum_judge_side(q);
}

/* ---- a sentence a rule ------------------------------------------------- */

static const char *
say_majority(const struct quorum *q, struct text *out)
{
	const struct quorum_finding *f = &q->finding;
	uint64_t side = quorum_judge_side(q);
	bool has_it = f->votes >= f->needed;

	put_count(f->votes, "vote", out);
	text_put(out, " here of ");
	text_put_u64(out, f->expected);
	text_put(out, " expected, ");
	text_put_u64(out, f->needed);
	text_put(out, " needed");
	if (!has_it) {
		text_put(out, "; missing: ");
		quorum_words_names(q, q->memory.now.voters & ~side, out);
	}
	if (silent(q) != 0) {
		text_put(out, "; in the view without a word: ");
		quorum_words_names(q, silent(q), out);
	}
	if (side & ~q->memory.now.voters) {
		text_put(out, "; not among the voters: ");
		quorum_words_names(q, side & ~q->memory.now.voters, out);
	}
	return has_it ? "yes" : "no";
}

static const char *
say_two_node(const struct quorum *q, struct text *out)
{
	if (!q->cfg.two_node)
		return NULL;
	if (q->memory.now.expected != 2) {
		text_put(out,
		    "does not apply: 2 votes are not what is "
		    "expected");
		return "off";
	}
	text_put(out, "one of the two nodes is enough");
	return "yes";
}

/* Whom this side waits for: voters that are not on it. */
static uint64_t
awaited(const struct quorum *q)
{
	if (q->finding.is_quorate || q->finding.rule != QUORUM_RULE_WAIT)
		return 0;
	return q->memory.now.voters & ~quorum_judge_side(q);
}

static const char *
say_wait(const struct quorum *q, struct text *out)
{
	if (q->cfg.wait_for_all == QUORUM_WAIT_NO)
		return NULL;
	if (q->finding.rule != QUORUM_RULE_WAIT || q->finding.is_quorate) {
		text_put(out,
		    q->said[q->self].is_waiting
			? "holds until all nodes have been seen"
			: "all nodes have been seen");
		return "off";
	}
	text_put(out, "waiting for ");
	quorum_words_names(q, awaited(q), out);
	return "no";
}

static const char *
say_tie(const struct quorum *q, struct text *out)
{
	const struct quorum_finding *f = &q->finding;
	const struct quorum_epoch *now = &q->memory.now;
	size_t decider = quorum_judge_decider(q, now);

	if (q->cfg.auto_tie_breaker == QUORUM_TIE_NO)
		return NULL;
	if (decider == LIMIT_NODES) {
		text_put(out,
		    "nobody decides a tie: no quorate membership is "
		    "known");
		return "off";
	}
	text_put(out, q->cfg.node[decider].name);
	text_put(out, " decides a tie of ");
	quorum_words_names(q, now->quorate, out);
	if (f->votes != f->expected / 2)
		return "off";
	if (f->is_quorate)
		return "yes";
	if (quorum_judge_side(q) & QUORUM_BIT(decider))
		text_put(out,
		    "; but somebody here knows nothing of it, or the "
		    "others may be more");
	return "no";
}

static const char *
say_lms(const struct quorum *q, struct text *out)
{
	if (!q->cfg.last_man_standing)
		return NULL;
	if (q->memory.now.cause == QUORUM_CAUSE_LMS) {
		text_put(out, "expected votes were lowered to those of ");
		quorum_words_names(q, q->memory.now.voters, out);
		return q->finding.is_quorate ? "yes" : "off";
	}
	text_put(out,
	    q->lms_ns == QUORUM_NEVER
		? "nothing was lost"
		: "expected votes will be lowered when the window ends");
	return "off";
}

static const char *
say_downscale(const struct quorum *q, struct text *out)
{
	if (!q->cfg.allow_downscale)
		return NULL;
	if (q->memory.now.cause != QUORUM_CAUSE_DOWNSCALE) {
		text_put(out, "nobody has left cleanly");
		return "off";
	}
	text_put(out, "have left cleanly: ");
	quorum_words_names(q, q->configured & ~q->memory.now.voters, out);
	return q->finding.is_quorate ? "yes" : "off";
}

static const char *
say_tracking(const struct quorum *q, struct text *out)
{
	if (!q->cfg.expected_votes_tracking && !q->cfg.allow_downscale)
		return NULL;
	text_put(out, "at most ");
	text_put_u64(out, q->tracked);
	text_put(out, " were expected so far");
	return "off";
}

static const char *
say_device(const struct quorum *q, struct text *out)
{
	bool is_needed = q->finding.rule == QUORUM_RULE_DEVICE;

	if (q->device_votes == 0)
		return NULL;
	put_count(q->device_votes, "vote", out);
	if (quorum_judge_has_device(q)) {
		text_put(out, " of ");
		text_put(out,
		    q->device_name[0] != '\0' ? q->device_name : "the device");
		return is_needed ? "yes" : "off";
	}
	text_put(out,
	    q->now_ns - q->view_ns < q->cfg.device_sync_timeout_ns
		? ": waiting for the device"
		: ": the device is silent in this view");
	return is_needed ? "no" : "off";
}

static const char *
say_expected(const struct quorum *q, struct text *out)
{
	if (q->memory.now.cause != QUORUM_CAUSE_FORCED)
		return NULL;
	text_put(out, "an operator set ");
	text_put_u64(out, q->memory.now.expected);
	return q->finding.is_quorate ? "yes" : "off";
}

static const char *
say_unfinished(const struct quorum *q, struct text *out)
{
	uint64_t unsure = quorum_judge_unsure(q) & quorum_judge_side(q);

	if (unsure != 0) {
		text_put(out,
		    "quorumd began anew, and may have missed a "
		    "change of votes, on ");
		quorum_words_names(q, unsure, out);
		text_put(out, "; who may know of it: ");
		quorum_words_names(q, q->all & ~quorum_judge_side(q), out);
		return q->finding.is_quorate ? "off" : "no";
	}
	if (q->memory.maybe_count == 0 && !q->memory.is_crowded)
		return NULL;
	text_put(out,
	    "a change of votes was cut off: quorum must be had with "
	    "and without it");
	return q->finding.is_quorate ? "yes" : "no";
}

static const char *
say_reload(const struct quorum *q, struct text *out)
{
	uint64_t behind = quorum_reload_behind(q);

	const bool is_mixed = quorum_epoch_is_mixed(&q->memory.now);

	if (is_mixed)
		text_put(out,
		    "files of nodes differ, and none was agreed on: the fewest "
		    "votes of each count");
	if (!q->is_pending)
		return is_mixed ? "off" : NULL;
	text_put(out, is_mixed ? "; " : "");
	text_put(out,
	    q->is_from_record
		? "the file was never agreed on, and the record of what was "
		  "counts: "
		: "a new configuration was read, and is not in force: ");
	if (behind != 0) {
		text_put(out, "not read by ");
		quorum_words_names(q, behind, out);
	} else if (q->said[q->self].is_promised) {
		text_put(out, "not on the disk of ");
		quorum_words_names(q, quorum_reload_unpromised(q), out);
	} else if (quorum_reload_is_clash(q)) {
		text_put(out,
		    "it has other rules, and not all its nodes are "
		    "here");
	} else {
		text_put(out,
		    q->finding.is_quorate
			? "it would cost quorum"
			: "there is no quorum to agree on it");
	}
	return "off";
}

/* ---- the list ---------------------------------------------------------- */

static const struct {
	const char *name;
	const char *(*say)(const struct quorum *q, struct text *out);
} rules[QUORUM_RULES] = {
	[QUORUM_RULE_MAJORITY] = { "majority", say_majority },
	[QUORUM_RULE_TWO_NODE] = { "two_node", say_two_node },
	[QUORUM_RULE_WAIT] = { "wait_for_all", say_wait },
	[QUORUM_RULE_TIE] = { "auto_tie_breaker", say_tie },
	[QUORUM_RULE_LMS] = { "last_man_standing", say_lms },
	[QUORUM_RULE_DOWNSCALE] = { "allow_downscale", say_downscale },
	[QUORUM_RULE_TRACKING] = { "expected_votes_tracking", say_tracking },
	[QUORUM_RULE_DEVICE] = { "device", say_device },
	[QUORUM_RULE_EXPECTED] = { "expected_votes", say_expected },
	[QUORUM_RULE_UNFINISHED] = { "unfinished", say_unfinished },
	[QUORUM_RULE_RELOAD] = { "reload", say_reload },
};

static bool
say(const struct quorum *q, size_t rule, struct quorum_rule *out)
{
	struct text text;

	text_init(&text, out->text, sizeof out->text);
	out->name = rules[rule].name;
	out->verdict = rules[rule].say(q, &text);
	return out->verdict != NULL;
}

bool
quorum_rule_at(const struct quorum *q, size_t idx, struct quorum_rule *out)
{
	if (idx == 0)
		return say(q, q->finding.rule, out);
	for (size_t i = 0; i < QUORUM_RULES; i++)
		if (i != q->finding.rule && say(q, i, out) && --idx == 0)
			return true;
	return false;
}

bool
quorum_node_at(const struct quorum *q, size_t idx, struct quorum_node *out)
{
	const struct quorum_epoch *now = &q->memory.now;
	uint64_t shown = q->configured | q->members | now->voters;

	while (idx-- > 0)
		shown &= shown - 1; /* without its lowest */
	if (shown == 0)
		return false;
	idx = (size_t)__builtin_ctzll(shown);
	uint64_t bit = QUORUM_BIT(idx);

	*out = (struct quorum_node){
		.id = q->cfg.node[idx].id,
		.name = q->cfg.node[idx].name,
		.is_member = (q->members & bit) != 0,
		.has_spoken = (quorum_judge_side(q) & bit) != 0,
		.is_voter = (now->voters & bit) != 0,
		.is_awaited = (awaited(q) & bit) != 0,
		.votes = now->votes[idx],
	};
	if (out->has_spoken || idx == q->self)
		out->is_waiting = q->said[idx].is_waiting;
	if (out->has_spoken && out->is_voter)
		out->votes = (uint32_t)num_min(out->votes, q->said[idx].votes);
	return true;
}
