/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Takes one operation after the other, in each order that time allows, and
 * does to a state what it says; the unanswered at each revision, or never.
 * Shares nothing with the checker but how operations are told.
 */
#include "tests/check/linbrute.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/check/lincheck_internal.h"

struct cell {
	bool is_there;
	uint32_t value;
	uint64_t rev;
};

struct state {
	uint64_t rev;
	struct cell cell[LINBRUTE_KEYS];
};

struct brute {
	const struct lincheck *check;
	uint64_t top;
};

static size_t
slot(const struct brute *b, uint32_t key)
{
	const uint32_t *keys = b->check->keys.at;
	size_t i = 0;
	while (i < b->check->keys.count && keys[i] != key)
		i++;
	ENSURE(i < LINBRUTE_KEYS);
	return i;
}

/* ---- what an operation says and does ----------------------------------- */

static bool
is_named(const struct brute *b, const struct lincheck_op *op, uint32_t key)
{
	for (size_t i = 0; i < op->fact_count; i++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(b->check, op, i);
		if (fact->kind != LINCHECK_ONLY && fact->key == key)
			return true;
	}
	return false;
}

static bool
is_true(const struct brute *b, const struct state *state,
    const struct lincheck_op *op, const struct lincheck_fact *fact)
{
	const uint32_t *keys = b->check->keys.at;
	if (fact->kind == LINCHECK_ONLY) {
		for (size_t i = 0; i < b->check->keys.count; i++)
			if (state->cell[i].is_there &&
			    lincheck_has_prefix(b->check, keys[i], fact->key) &&
			    !is_named(b, op, keys[i]))
				return false;
		return true;
	}
	const struct cell *cell = &state->cell[slot(b, fact->key)];
	if (fact->kind == LINCHECK_ABSENT || !cell->is_there)
		return (fact->kind == LINCHECK_ABSENT) == !cell->is_there;
	return fact->kind == LINCHECK_EXISTS ||
	    (fact->kind == LINCHECK_REV && cell->rev == fact->rev) ||
	    (fact->kind == LINCHECK_VALUE && cell->value == fact->value);
}

static bool
are_true(const struct brute *b, const struct state *state,
    const struct lincheck_op *op)
{
	bool are_kept = true;
	for (size_t i = 0; i < op->fact_count; i++) {
		const struct lincheck_fact *fact =
		    lincheck_fact_at(b->check, op, i);
		bool holds = is_true(b, state, op, fact);
		if (op->outcome == LINCHECK_CONFLICT && fact->is_condition)
			are_kept = are_kept && holds;
		else if (!holds)
			return false;
	}
	return op->outcome != LINCHECK_CONFLICT || !are_kept;
}

static void
change(const struct brute *b, struct state *state, const struct lincheck_op *op,
    uint64_t rev)
{
	const uint32_t *keys = b->check->keys.at;
	state->rev = rev;
	for (size_t i = 0; i < op->change_count; i++) {
		const struct lincheck_change *change =
		    lincheck_change_at(b->check, op, i);
		for (size_t k = 0; k < b->check->keys.count; k++) {
			struct cell *cell = &state->cell[k];
			bool is_same = keys[k] == change->key;
			if (change->kind == LINCHECK_PUT && is_same)
				*cell =
				    (struct cell){ true, change->value, rev };
			else if ((change->kind == LINCHECK_DEL && is_same) ||
			    (change->kind == LINCHECK_DEL_PREFIX &&
				lincheck_has_prefix(
				    b->check, keys[k], change->key)))
				cell->is_there = false;
		}
	}
}

/* ---- every order ------------------------------------------------------- */

static bool
is_needed(const struct lincheck_op *op)
{
	return op->outcome == LINCHECK_DONE || op->outcome == LINCHECK_CONFLICT;
}

/* Nobody who is still to come ended before it began. */
static bool
may_be_next(const struct brute *b, uint32_t left, size_t op)
{
	uint64_t begin_ns = lincheck_op_at(b->check, op)->begin_ns;
	for (size_t i = 0; i < b->check->ops.count; i++) {
		const struct lincheck_op *other = lincheck_op_at(b->check, i);
		if ((left >> i & 1) != 0 && is_needed(other) &&
		    other->end_ns < begin_ns)
			return false;
	}
	return true;
}

static bool go_on(
    const struct brute *b, const struct state *state, uint32_t left);

static bool
take(const struct brute *b, const struct state *state, uint32_t left, size_t op)
{
	const struct lincheck_op *it = lincheck_op_at(b->check, op);
	bool is_write = lincheck_is_write(it);
	uint64_t from = state->rev + is_write, to = b->top;
	if (it->outcome != LINCHECK_UNKNOWN && it->rev != LINCHECK_NONE) {
		if (it->rev < from)
			return false;
		from = to = it->rev;
	} else if (!is_write) {
		to = from; /* nothing changes while it waits */
	}
	for (uint64_t rev = from; rev <= to; rev++) {
		struct state next = *state;
		next.rev = rev;
		if (!are_true(b, &next, it))
			return false;
		if (is_write)
			change(b, &next, it, rev);
		if (go_on(b, &next, left & ~(1U << op)))
			return true;
	}
	return false;
}

static bool
go_on(const struct brute *b, const struct state *state, uint32_t left)
{
	bool is_over = true;
	for (size_t i = 0; i < b->check->ops.count; i++)
		is_over = is_over &&
		    ((left >> i & 1) == 0 ||
			!is_needed(lincheck_op_at(b->check, i)));
	if (is_over)
		return true;
	for (size_t i = 0; i < b->check->ops.count; i++)
		if ((left >> i & 1) != 0 && may_be_next(b, left, i) &&
		    take(b, state, left, i))
			return true;
	return false;
}

bool
linbrute_is_linearizable(const struct lincheck *check)
{
	struct brute b = { .check = check };
	struct state state = { 0 };
	uint32_t left = 0;
	ENSURE(check->ops.count <= LINBRUTE_OPS);
	for (size_t i = 0; i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		if (is_needed(op) || lincheck_may_be(op))
			left |= 1U << i;
		if (op->rev != LINCHECK_NONE)
			b.top = num_max(b.top, op->rev);
		for (size_t k = 0; k < op->fact_count; k++) {
			const struct lincheck_fact *fact =
			    lincheck_fact_at(check, op, k);
			if (fact->kind == LINCHECK_REV)
				b.top = num_max(b.top, fact->rev);
		}
	}
	b.top += check->ops.count;
	return go_on(&b, &state, left);
}
