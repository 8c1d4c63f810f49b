/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Which of the unanswered took place, and where.
 *
 * Nothing is placed without need: whatever is wrong names all the places of
 * unanswered operations that might cure it, one of which every explanation
 * has; they are tried in turn.  With values that differ there is hardly ever
 * more than one.
 */
#include <stdlib.h>

#include "tests/check/lincheck_internal.h"

enum { TRIED_MAX = 200000 };

/* It asks for a version that was gone by then, whatever else happened. */
static bool
comes_too_late(
    const struct lincheck *check, const struct lincheck_op *op, uint64_t rev)
{
	for (size_t i = 0; i < op->fact_count; i++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(check, op, i);
		const struct lincheck_version *version =
		    lincheck_version(check, fact->key, rev - 1);
		if (fact->kind == LINCHECK_REV && fact->is_condition &&
		    (fact->rev >= rev ||
			(version != NULL && version->rev > fact->rev)))
			return true;
	}
	return false;
}

/* They do the same under no condition. */
static bool
is_alike(const struct lincheck *check, size_t a, size_t b)
{
	const struct lincheck_op *x = lincheck_op_at(check, a);
	const struct lincheck_op *y = lincheck_op_at(check, b);
	if (x->fact_count + y->fact_count > 0 ||
	    x->change_count != y->change_count)
		return false;
	for (size_t i = 0; i < x->change_count; i++) {
		const struct lincheck_change *c =
		    lincheck_change_at(check, x, i);
		const struct lincheck_change *d =
		    lincheck_change_at(check, y, i);
		if (c->kind != d->kind || c->key != d->key ||
		    (c->kind == LINCHECK_PUT && c->value != d->value))
			return false;
	}
	return true;
}

/*
 * One of those that are alike stands for all: the one that began last, for
 * the others can be at more places.
 */
static bool
stands_for(const struct lincheck *check, struct lincheck_trouble *trouble,
    size_t op, uint64_t rev)
{
	struct lincheck_option *option = trouble->options.at;
	/* Where an answer names no revision, that is not all there is to it. */
	if (check->has_floating)
		return false;
	for (size_t i = 0; i < trouble->options.count; i++) {
		if (option[i].rev != rev || !is_alike(check, option[i].op, op))
			continue;
		if (check->place[op].low > check->place[option[i].op].low)
			option[i].op = op;
		return true;
	}
	return false;
}

void
lincheck_offer(struct lincheck *check, struct lincheck_trouble *trouble,
    size_t op, uint64_t from, uint64_t to)
{
	const struct lincheck_place *place = &check->place[op];
	if (place->rev != LINCHECK_NONE)
		return;
	if (place->low_op != LINCHECK_NO_OP && place->low > from)
		from = place->low;
	/* The latest first: what was seen before it stays as it was. */
	for (uint64_t rev = to; rev > from; rev--) {
		if (lincheck_maker(check, rev) != LINCHECK_NO_OP ||
		    comes_too_late(check, lincheck_op_at(check, op), rev) ||
		    !lincheck_watch_allows(check, op, rev) ||
		    stands_for(check, trouble, op, rev))
			continue;
		struct lincheck_option *option =
		    lincheck_list_add(&trouble->options, sizeof(*option));
		*option = (struct lincheck_option){ op, rev };
	}
}

static void
give_up(struct lincheck *check, struct lincheck_breach *breach)
{
	struct lincheck_trouble trouble = { .breach = *breach };
	struct text text;
	trouble.breach.rule = "undecided";
	text_init(&text, trouble.breach.text, sizeof(trouble.breach.text));
	text_put_u64(&text, check->tried);
	text_put(&text, " explanations of what was not answered are wrong; ");
	text_put(&text, "in the first, ");
	text_put(&text, breach->text);
	*breach = trouble.breach;
}

static void
place(struct lincheck *check, struct lincheck_option option)
{
	lincheck_make(check, option.op, option.rev);
	check->place[option.op].is_placed = true;
}

/* One pass over what only one of the unanswered can have done. */
static bool
place_forced(struct lincheck *check, bool *is_possible)
{
	struct lincheck_trouble trouble = { 0 };
	bool has_placed = false;
	size_t at = 0;
	while ((at = lincheck_demand_next(check, at)) < check->demands.count) {
		trouble.options.count = 0;
		lincheck_demand_offer(check, at, &trouble);
		*is_possible = trouble.options.count > 0;
		if (!*is_possible)
			break;
		if (trouble.options.count == 1) {
			place(check,
			    *(struct lincheck_option *)trouble.options.at);
			has_placed = true;
		}
		at++;
	}
	free(trouble.options.at);
	return has_placed;
}

/* Everything below from is explained, and all demands before demand. */
struct node {
	uint64_t from;
	size_t demand;
};

/* What is wrong at the lowest revision; its options are where it is cured. */
static bool
is_explained(
    struct lincheck *check, struct node *node, struct lincheck_trouble *trouble)
{
	const struct lincheck_demand *demands = check->demands.at;
	node->demand = lincheck_demand_next(check, node->demand);
	bool is_last = node->demand == check->demands.count;
	uint64_t to = is_last ? LINCHECK_NONE : demands[node->demand].rev;
	if (!lincheck_facts_hold(check, node->from, to, trouble))
		return false;
	if (!is_last) {
		lincheck_demand_offer(check, node->demand, trouble);
		return false;
	}
	return lincheck_order_is_kept(check, true, trouble) &&
	    lincheck_watch_is_whole(check, trouble);
}

static bool solve(
    struct lincheck *check, struct node node, struct lincheck_breach *breach);

static bool
try(struct lincheck *check, struct node node, struct lincheck_option option,
    struct lincheck_breach *breach)
{
	place(check, option);
	node.from = option.rev;
	if (solve(check, node, breach))
		return true;
	lincheck_unmake(check, option.op);
	check->place[option.op].is_placed = false;
	return false;
}

/* The first dead end is what is told. */
static bool
solve(struct lincheck *check, struct node node, struct lincheck_breach *breach)
{
	struct lincheck_trouble trouble = { 0 };
	check->tried++;
	bool is_found = is_explained(check, &node, &trouble);
	const struct lincheck_option *option = trouble.options.at;
	for (size_t i = 0;
	     !is_found && i < trouble.options.count && check->tried < TRIED_MAX;
	     i++)
		is_found = try(check, node, option[i], breach);
	if (!is_found && breach->rule == NULL) {
		*breach = trouble.breach;
		if (breach->rule == NULL)
			lincheck_demand_say(check, node.demand, breach);
	}
	free(trouble.options.at);
	return is_found;
}

bool
lincheck_search(struct lincheck *check, struct lincheck_breach *breach)
{
	struct lincheck_trouble trouble = { 0 };
	struct node root = { 0 };
	lincheck_facts_demand(check);
	if (!lincheck_order_is_kept(check, false, &trouble) ||
	    !lincheck_demands_agree(check, &trouble.breach)) {
		*breach = trouble.breach;
		return false;
	}
	bool is_possible = true;
	while (is_possible && place_forced(check, &is_possible))
		continue;
	if (solve(check, root, &trouble.breach))
		return true;
	if (check->tried >= TRIED_MAX)
		give_up(check, &trouble.breach);
	*breach = trouble.breach;
	return false;
}
