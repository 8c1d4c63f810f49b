/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * What answers say of the state: who must have made which revision, and what
 * the keys were at the revision of each answer.
 */
#include <stdlib.h>

#include "libcommon/base/num.h"

#include "tests/check/lincheck_internal.h"

/* ---- revisions that were seen ------------------------------------------ */

static void
demand(struct lincheck *check, const struct lincheck_demand *demand)
{
	struct lincheck_demand *to =
	    lincheck_list_add(&check->demands, sizeof(*to));
	*to = *demand;
	check->top = num_max(check->top, demand->rev);
}

/* The value that an answer names beside the revision of the same key. */
static uint32_t
value_of(const struct lincheck *check, const struct lincheck_op *op,
    const struct lincheck_fact *of)
{
	for (size_t i = 0; i < op->fact_count; i++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(check, op, i);
		if (fact->kind == LINCHECK_VALUE && fact->key == of->key &&
		    fact->is_condition == of->is_condition)
			return fact->value;
	}
	return LINCHECK_NO_WORD;
}

/* What an unanswered operation or a refused one expected proves nothing. */
static bool
is_proof(const struct lincheck_op *op, const struct lincheck_fact *fact)
{
	return op->outcome == LINCHECK_DONE ||
	    (op->outcome == LINCHECK_CONFLICT && !fact->is_condition);
}

static void
demand_of(struct lincheck *check, size_t op, const struct lincheck_fact *fact)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	struct lincheck_demand next = { .key = fact->key, .op = op };
	if (!is_proof(it, fact))
		return;
	if (fact->kind == LINCHECK_REV) {
		next.rev = fact->rev;
		next.value = value_of(check, it, fact);
		next.kind = next.value == LINCHECK_NO_WORD
		    ? LINCHECK_DEMAND_PUT
		    : LINCHECK_DEMAND_VALUE;
		demand(check, &next);
	} else if (it->is_watch && fact->kind == LINCHECK_ABSENT &&
	    fact->when == LINCHECK_AT) {
		next.rev = it->rev;
		next.kind = LINCHECK_DEMAND_DEL;
		demand(check, &next);
	}
}

static int
by_rev(const void *a, const void *b)
{
	const struct lincheck_demand *x = a, *y = b;
	if (x->rev != y->rev)
		return x->rev < y->rev ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

void
lincheck_facts_demand(struct lincheck *check)
{
	for (size_t i = 0; i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		for (size_t k = 0; k < op->fact_count; k++)
			demand_of(check, i, lincheck_fact_at(check, op, k));
	}
	if (check->demands.count > 0)
		qsort(check->demands.at, check->demands.count,
		    sizeof(struct lincheck_demand), by_rev);
}

static bool
is_met_by(const struct lincheck *check, const struct lincheck_demand *demand,
    const struct lincheck_op *op)
{
	if (demand->kind == LINCHECK_DEMAND_DEL)
		return lincheck_deletes(check, op, demand->key);
	return lincheck_puts(check, op, demand->key, demand->value);
}

static void
say_seen(const struct lincheck *check, struct text *text,
    const struct lincheck_demand *demand)
{
	lincheck_say_who(check, text, demand->op);
	text_put(text, " says that revision ");
	text_put_u64(text, demand->rev);
	text_put(
	    text, demand->kind == LINCHECK_DEMAND_DEL ? " deleted " : " put ");
	lincheck_say_word(check, text, demand->key);
	if (demand->kind != LINCHECK_DEMAND_VALUE)
		return;
	text_put_char(text, '=');
	lincheck_say_word(check, text, demand->value);
}

/* It is known who made the revision, and that was another change. */
static bool
is_other(const struct lincheck *check, const struct lincheck_demand *demand,
    struct lincheck_breach *breach)
{
	size_t maker = lincheck_maker(check, demand->rev);
	const struct lincheck_made *made = check->made.at;
	if (is_met_by(check, demand, lincheck_op_at(check, maker)))
		return false;
	/* The store itself may have made several changes at once. */
	for (size_t i = 0; i < check->made.count; i++)
		if (made[i].rev == demand->rev &&
		    is_met_by(check, demand, lincheck_op_at(check, made[i].op)))
			return false;
	struct text text = lincheck_say(check, breach, "value", demand->op);
	say_seen(check, &text, demand);
	text_put(&text, ", but what ");
	lincheck_say_op(check, &text, maker);
	text_put(&text,
	    check->place[maker].is_placed ? " did, was there"
					  : " did, was told that revision");
	return true;
}

/* Why nobody can have made it: whoever comes nearest. */
static const char *
blame(const struct lincheck *check, const struct lincheck_demand *demand,
    size_t *whom)
{
	const char *rule = NULL;
	for (size_t i = 0; i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		const struct lincheck_place *place = &check->place[i];
		if (op->outcome == LINCHECK_ORDAINED ||
		    !is_met_by(check, demand, op))
			continue;
		if (op->outcome == LINCHECK_REFUSED ||
		    op->outcome == LINCHECK_CONFLICT)
			rule = "refused";
		else if (place->rev != LINCHECK_NONE &&
		    demand->kind == LINCHECK_DEMAND_VALUE)
			rule = "twice";
		else if (place->rev != LINCHECK_NONE)
			continue;
		else if (place->low_op != LINCHECK_NO_OP &&
		    place->low >= demand->rev)
			rule = "order";
		else
			rule = "value";
		*whom = i;
		if (*rule == 'o' || *rule == 'v')
			break;
	}
	return rule;
}

static void
say_blame(const struct lincheck *check, const struct lincheck_demand *demand,
    struct lincheck_breach *breach)
{
	size_t whom = LINCHECK_NO_OP;
	const char *rule = blame(check, demand, &whom);
	struct text text = lincheck_say(
	    check, breach, rule == NULL ? "phantom" : rule, demand->op);
	say_seen(check, &text, demand);
	if (rule == NULL) {
		text_put(&text, ", which nobody asked for");
		return;
	}
	text_put(&text, ", but ");
	lincheck_say_op(check, &text, whom);
	const struct lincheck_place *place = &check->place[whom];
	if (*rule == 'r') {
		text_put(&text, " had been refused");
	} else if (*rule == 't') {
		text_put(&text, " took place at revision ");
		text_put_u64(&text, place->rev);
	} else if (*rule == 'v') {
		text_put(&text, " cannot have done it at that revision");
	} else {
		text_put(&text, " began after ");
		lincheck_say_op(check, &text, place->low_op);
		text_put(&text, " had been told revision ");
		text_put_u64(&text, place->low);
	}
}

/* The demands from first on that are about the same revision. */
static size_t
same_rev(const struct lincheck *check, size_t first)
{
	const struct lincheck_demand *demands = check->demands.at;
	size_t end = first;
	while (end < check->demands.count &&
	    demands[end].rev == demands[first].rev)
		end++;
	return end;
}

static bool
meets_all(const struct lincheck *check, size_t op, size_t first, size_t end)
{
	const struct lincheck_demand *demands = check->demands.at;
	for (size_t i = first; i < end; i++)
		if (!is_met_by(check, &demands[i], lincheck_op_at(check, op)))
			return false;
	return true;
}

size_t
lincheck_demand_next(const struct lincheck *check, size_t from)
{
	const struct lincheck_demand *demands = check->demands.at;
	while (from < check->demands.count &&
	    lincheck_maker(check, demands[from].rev) != LINCHECK_NO_OP)
		from++;
	return from;
}

void
lincheck_demand_offer(
    struct lincheck *check, size_t first, struct lincheck_trouble *trouble)
{
	const struct lincheck_demand *demands = check->demands.at;
	const size_t *unknown = check->unknown.at;
	size_t end = same_rev(check, first);
	uint64_t rev = demands[first].rev;
	for (size_t u = 0; u < check->unknown.count; u++)
		if (meets_all(check, unknown[u], first, end))
			lincheck_offer(
			    check, trouble, unknown[u], rev - 1, rev);
}

void
lincheck_demand_say(
    const struct lincheck *check, size_t first, struct lincheck_breach *breach)
{
	say_blame(check,
	    (const struct lincheck_demand *)check->demands.at + first, breach);
}

bool
lincheck_demands_agree(
    const struct lincheck *check, struct lincheck_breach *breach)
{
	const struct lincheck_demand *demands = check->demands.at;
	for (size_t i = 0; i < check->demands.count; i++)
		if (lincheck_maker(check, demands[i].rev) != LINCHECK_NO_OP &&
		    is_other(check, &demands[i], breach))
			return false;
	return true;
}

/* ---- what the keys were ------------------------------------------------ */

static void
say_fact(const struct lincheck *check, struct text *text,
    const struct lincheck_fact *fact, uint32_t key)
{
	lincheck_say_word(check, text, key);
	switch (fact->kind) {
	case LINCHECK_REV:
		text_put(text, " is of revision ");
		text_put_u64(text, fact->rev);
		break;
	case LINCHECK_VALUE:
		text_put(text, " is ");
		lincheck_say_word(check, text, fact->value);
		break;
	case LINCHECK_EXISTS:
		text_put(text, " is there");
		break;
	case LINCHECK_ABSENT:
	case LINCHECK_ONLY:
		text_put(text, " is absent");
		break;
	}
}

static void
say_version(const struct lincheck *check, struct text *text,
    const struct lincheck_version *version)
{
	if (version == NULL) {
		text_put(text, ", but nobody had put it until then");
		return;
	}
	text_put(text, ", but ");
	lincheck_say_op(check, text, version->op);
	text_put(text,
	    version->value == LINCHECK_NO_WORD ? " had deleted it at revision "
					       : " had put it at revision ");
	text_put_u64(text, version->rev);
}

/* Puts or deletions that would make the fact true, behind what made it false */
static void
offer_cures(struct lincheck *check, struct lincheck_trouble *trouble,
    const struct lincheck_fact *fact, uint32_t key, uint64_t rev)
{
	const struct lincheck_version *version =
	    lincheck_version(check, key, rev);
	const size_t *unknown = check->unknown.at;
	uint64_t from = version == NULL ? 0 : version->rev;
	/* One that was found may itself be proof of another. */
	if (fact->kind == LINCHECK_REV) {
		if (from >= fact->rev || fact->rev > rev)
			return;
		from = fact->rev - 1;
		rev = fact->rev;
	}
	for (size_t u = 0; u < check->unknown.count; u++) {
		const struct lincheck_op *op =
		    lincheck_op_at(check, unknown[u]);
		bool is_cure = false;
		if (fact->kind == LINCHECK_VALUE)
			is_cure = lincheck_puts(check, op, key, fact->value);
		else if (fact->kind == LINCHECK_EXISTS ||
		    fact->kind == LINCHECK_REV)
			is_cure =
			    lincheck_puts(check, op, key, LINCHECK_NO_WORD);
		else
			is_cure = lincheck_deletes(check, op, key);
		if (is_cure)
			lincheck_offer(check, trouble, unknown[u], from, rev);
	}
}

static bool
fact_holds(struct lincheck *check, size_t op, const struct lincheck_fact *fact,
    struct lincheck_trouble *trouble)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	uint64_t rev = num_sub(
	    check->place[op].rev, fact->when == LINCHECK_BEFORE ? 1 : 0);
	uint32_t key;
	if (lincheck_holds(check, it, fact, rev, &key))
		return true;
	struct text text = lincheck_say(check, &trouble->breach,
	    it->is_watch             ? "watch"
		: fact->is_condition ? "condition"
				     : "value",
	    op);
	lincheck_say_who(check, &text, op);
	bool is_asked = fact->is_condition && !it->is_watch;
	text_put(&text,
	    is_asked ? " took place, which asks that at " : " says that at ");
	text_put(&text, "revision ");
	text_put_u64(&text, rev);
	text_put_char(&text, ' ');
	say_fact(check, &text, fact, key);
	say_version(check, &text, lincheck_version(check, key, rev));
	offer_cures(check, trouble, fact, key, rev);
	return false;
}

/* Anything that touches what is in the conditions. */
static void
offer_conflicts(struct lincheck *check, struct lincheck_trouble *trouble,
    const struct lincheck_op *op, uint64_t rev)
{
	const size_t *unknown = check->unknown.at;
	for (size_t i = 0; i < op->fact_count; i++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(check, op, i);
		if (!fact->is_condition)
			continue;
		const struct lincheck_version *version =
		    lincheck_version(check, fact->key, rev);
		for (size_t u = 0; u < check->unknown.count; u++) {
			const struct lincheck_op *other =
			    lincheck_op_at(check, unknown[u]);
			if (!lincheck_deletes(check, other, fact->key) &&
			    !lincheck_puts(
				check, other, fact->key, LINCHECK_NO_WORD))
				continue;
			lincheck_offer(check, trouble, unknown[u],
			    version == NULL ? 0 : version->rev, rev);
		}
	}
}

static bool
conflict_holds(
    struct lincheck *check, size_t op, struct lincheck_trouble *trouble)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	uint64_t rev = check->place[op].rev;
	if (!lincheck_conditions_hold(check, it, rev))
		return true;
	struct text text =
	    lincheck_say(check, &trouble->breach, "conflict", op);
	lincheck_say_who(check, &text, op);
	text_put(&text, " was refused for its conditions, which held at ");
	text_put(&text, "revision ");
	text_put_u64(&text, rev);
	if (it->fact_count > 0) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(check, it, 0);
		const struct lincheck_version *version =
		    lincheck_version(check, fact->key, rev);
		text_put(&text, ": ");
		say_fact(check, &text, fact, fact->key);
		if (version != NULL) {
			text_put(&text, " since ");
			lincheck_say_op(check, &text, version->op);
		}
	}
	offer_conflicts(check, trouble, it, rev);
	return false;
}

static bool
op_holds(struct lincheck *check, size_t op, struct lincheck_trouble *trouble)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	bool is_conflict = it->outcome == LINCHECK_CONFLICT;
	for (size_t k = 0; k < it->fact_count; k++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(check, it, k);
		if (is_conflict && fact->is_condition)
			continue;
		if (!fact_holds(check, op, fact, trouble))
			return false;
	}
	return !is_conflict || conflict_holds(check, op, trouble);
}

/* The first in by_rev that is not before rev. */
static size_t
first_told(const struct lincheck *check, uint64_t rev)
{
	size_t low = 0, high = check->told;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (lincheck_op_at(check, check->by_rev[middle])->rev < rev)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The next that was told its revision, or was found; by revision. */
struct cursor {
	size_t told, made;
};

static bool
next_op(
    const struct lincheck *check, struct cursor *at, size_t *op, uint64_t *rev)
{
	const struct lincheck_made *made = check->made.at;
	while (at->made < check->made.count &&
	    !check->place[made[at->made].op].is_placed)
		at->made++;
	uint64_t told_rev = LINCHECK_NONE;
	uint64_t made_rev =
	    at->made < check->made.count ? made[at->made].rev : LINCHECK_NONE;
	if (at->told < check->told)
		told_rev = lincheck_op_at(check, check->by_rev[at->told])->rev;
	*rev = num_min(told_rev, made_rev);
	if (*rev == LINCHECK_NONE)
		return false;
	*op = made_rev <= told_rev ? made[at->made++].op
				   : check->by_rev[at->told++];
	return true;
}

bool
lincheck_facts_hold(struct lincheck *check, uint64_t from, uint64_t to,
    struct lincheck_trouble *trouble)
{
	struct cursor at = { first_told(check, from),
		lincheck_made_before(check, from) };
	size_t op;
	uint64_t rev;
	while (next_op(check, &at, &op, &rev) && rev < to)
		if (!op_holds(check, op, trouble))
			return false;
	return true;
}
