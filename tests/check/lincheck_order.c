/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Real time: what began after something was answered took place behind it.
 * One pass over the beginnings and ends in their order, with the highest
 * revision that anybody was told so far.
 */
#include <stdlib.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/check/lincheck_internal.h"

struct entry {
	uint64_t at_ns;
	size_t op;
};

static int
by_time(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	if (x->at_ns != y->at_ns)
		return x->at_ns < y->at_ns ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

static size_t *
sorted(struct entry *entry, size_t count)
{
	size_t *ops = malloc((count + 1) * sizeof(*ops));
	ENSURE(ops != NULL);
	qsort(entry, count, sizeof(*entry), by_time);
	for (size_t i = 0; i < count; i++)
		ops[i] = entry[i].op;
	return ops;
}

static bool
is_timed(const struct lincheck_op *op)
{
	return op->outcome != LINCHECK_REFUSED &&
	    op->outcome != LINCHECK_ORDAINED &&
	    (op->outcome != LINCHECK_UNKNOWN || op->change_count > 0);
}

void
lincheck_order_prepare(struct lincheck *check)
{
	struct entry *entry = malloc((check->ops.count + 1) * sizeof(*entry));
	ENSURE(entry != NULL);
	check->timed = 0;
	for (size_t i = 0; i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		if (is_timed(op))
			entry[check->timed++] =
			    (struct entry){ op->begin_ns, i };
	}
	check->by_begin = sorted(entry, check->timed);
	for (size_t i = 0; i < check->timed; i++) {
		const struct lincheck_op *op =
		    lincheck_op_at(check, check->by_begin[i]);
		/* "unknown" is an answer, but no end. */
		entry[i] = (struct entry){ op->outcome == LINCHECK_UNKNOWN
			    ? LINCHECK_NONE
			    : op->end_ns,
			check->by_begin[i] };
	}
	check->by_end = sorted(entry, check->timed);
	free(entry);
}

static uint64_t
end_of(const struct lincheck *check, size_t op)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	return it->outcome == LINCHECK_UNKNOWN ? LINCHECK_NONE : it->end_ns;
}

/* ---- from the end: what those that came later leave room for ----------- */

static void
find_highs(struct lincheck *check)
{
	uint64_t ceiling = LINCHECK_NONE;
	size_t begins = check->timed;
	for (size_t i = check->timed; i-- > 0;) {
		size_t op = check->by_end[i];
		while (begins > 0) {
			size_t later = check->by_begin[begins - 1];
			const struct lincheck_op *it =
			    lincheck_op_at(check, later);
			uint64_t rev = check->place[later].rev;
			if (it->begin_ns <= end_of(check, op))
				break;
			begins--;
			if (rev != LINCHECK_NONE && !it->is_local)
				ceiling = num_min(
				    ceiling, rev - lincheck_is_write(it));
		}
		check->place[op].high = ceiling;
	}
}

/* ---- from the beginning ------------------------------------------------ */

static bool
is_out_of_order(struct lincheck *check, size_t op, struct text *text)
{
	const struct lincheck_place *place = &check->place[op];
	lincheck_say_who(check, text, op);
	text_put(text,
	    place->is_placed ? ", not answered, took place at "
			     : " took place at ");
	text_put(text, "revision ");
	text_put_u64(text, place->rev);
	text_put(text, " but began after ");
	lincheck_say_op(check, text, place->low_op);
	text_put(text, " had been told revision ");
	text_put_u64(text, place->low);
	return true;
}

/* The unanswered might explain what it saw, wherever they touch it. */
static void
offer_all(struct lincheck *check, struct lincheck_trouble *trouble, size_t op)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	const size_t *unknown = check->unknown.at;
	for (size_t u = 0; u < check->unknown.count; u++)
		for (size_t i = 0; i < it->fact_count; i++) {
			uint32_t key = lincheck_fact_at(check, it, i)->key;
			const struct lincheck_op *other =
			    lincheck_op_at(check, unknown[u]);
			if (!lincheck_deletes(check, other, key) &&
			    !lincheck_puts(check, other, key, LINCHECK_NO_WORD))
				continue;
			lincheck_offer(check, trouble, unknown[u], 0,
			    num_min(check->top, check->place[op].high));
			break;
		}
}

static bool
fits(const struct lincheck *check, const struct lincheck_op *op, uint64_t rev)
{
	return lincheck_answers_hold(check, op, rev) &&
	    (op->outcome == LINCHECK_CONFLICT) !=
	    lincheck_conditions_hold(check, op, rev);
}

/* The lowest revision from low on at which the answer is true. */
static uint64_t
find_floating(const struct lincheck *check, size_t op)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	uint64_t low = check->place[op].low;
	uint64_t best = fits(check, it, low) ? low : LINCHECK_NONE;
	for (size_t i = 0; best != low && i < it->fact_count; i++) {
		uint32_t key = lincheck_fact_at(check, it, i)->key;
		const struct lincheck_list *list =
		    &lincheck_name_at(check, key)->versions;
		const struct lincheck_version *version = list->at;
		for (size_t v = 0; v < list->count; v++)
			if (version[v].rev > low && version[v].rev < best &&
			    fits(check, it, version[v].rev))
				best = version[v].rev;
	}
	return best;
}

static bool
place_floating(struct lincheck *check, size_t op, uint64_t *rev,
    struct lincheck_trouble *trouble)
{
	const struct lincheck_place *place = &check->place[op];
	*rev = find_floating(check, op);
	if (*rev != LINCHECK_NONE && *rev <= place->high)
		return true;
	struct text text = lincheck_say(check, &trouble->breach, "order", op);
	lincheck_say_who(check, &text, op);
	text_put(&text, " was told what is true at no revision from ");
	text_put_u64(&text, place->low);
	if (place->low_op != LINCHECK_NO_OP) {
		text_put(&text, ", of which ");
		lincheck_say_op(check, &text, place->low_op);
		text_put(&text, " had been told when it began,");
	}
	text_put(&text, " to the end, or to what began later");
	offer_all(check, trouble, op);
	return false;
}

static bool
begin(struct lincheck *check, size_t op, bool with_floating,
    struct lincheck_trouble *trouble)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	struct lincheck_place *place = &check->place[op];
	if (place->rev != LINCHECK_NONE) {
		if (it->is_local || place->low_op == LINCHECK_NO_OP ||
		    place->rev >= place->low + lincheck_is_write(it))
			return true;
		struct text text =
		    lincheck_say(check, &trouble->breach, "order", op);
		return !is_out_of_order(check, op, &text);
	}
	if (!with_floating || it->outcome == LINCHECK_UNKNOWN)
		return true;
	return place_floating(check, op, &place->rev, trouble);
}

static void
forget_floating(struct lincheck *check)
{
	for (size_t i = 0; i < check->timed; i++) {
		size_t op = check->by_begin[i];
		const struct lincheck_op *it = lincheck_op_at(check, op);
		if (it->outcome != LINCHECK_UNKNOWN && it->rev == LINCHECK_NONE)
			check->place[op].rev = LINCHECK_NONE;
	}
}

static bool
sweep(struct lincheck *check, bool with_floating,
    struct lincheck_trouble *trouble)
{
	uint64_t low = 0;
	size_t low_op = LINCHECK_NO_OP;
	size_t ends = 0;
	for (size_t i = 0; i < check->timed; i++) {
		size_t op = check->by_begin[i];
		uint64_t begin_ns = lincheck_op_at(check, op)->begin_ns;
		while (end_of(check, check->by_end[ends]) < begin_ns) {
			size_t ended = check->by_end[ends++];
			uint64_t rev = check->place[ended].rev;
			if (rev == LINCHECK_NONE ||
			    (rev <= low && low_op != LINCHECK_NO_OP))
				continue;
			low = rev;
			low_op = ended;
		}
		check->place[op].low = low;
		check->place[op].low_op = low_op;
		if (!begin(check, op, with_floating, trouble))
			return false;
	}
	return true;
}

bool
lincheck_order_is_kept(struct lincheck *check, bool with_floating,
    struct lincheck_trouble *trouble)
{
	if (check->timed == 0 || (with_floating && !check->has_floating))
		return true;
	if (with_floating)
		find_highs(check);
	bool is_kept = sweep(check, with_floating, trouble);
	forget_floating(check);
	return is_kept;
}
