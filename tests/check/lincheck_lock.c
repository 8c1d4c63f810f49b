/* SPDX-License-Identifier: BSD-3-Clause */
/* Locks: one holder at a time, tokens that grow, and no late writes. */
#include <stdlib.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/check/lincheck_internal.h"

static int
by_begin(const void *a, const void *b)
{
	const struct lincheck_hold *x = a, *y = b;
	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	if (x->begin_ns != y->begin_ns)
		return x->begin_ns < y->begin_ns ? -1 : 1;
	return x->line < y->line ? -1 : x->line > y->line;
}

static void
say_hold(const struct lincheck *check, struct text *text,
    const struct lincheck_hold *hold)
{
	text_put(text, "client ");
	lincheck_say_word(check, text, hold->client);
	text_put(text, " (token ");
	text_put_u64(text, hold->token);
	text_put_char(text, ')');
}

static bool
complain(const struct lincheck *check, struct lincheck_breach *breach,
    const char *why, const struct lincheck_hold *pair[2])
{
	struct text text;
	breach->rule = *why == 'h' ? "lock" : "token";
	breach->path = pair[1]->path;
	breach->line = pair[1]->line;
	text_init(&text, breach->text, sizeof(breach->text));
	say_hold(check, &text, pair[1]);
	text_put_char(&text, ' ');
	text_put(&text, why);
	text_put_char(&text, ' ');
	lincheck_say_word(check, &text, pair[1]->lock);
	text_put(&text, *why == 'h' ? " while " : " as or after ");
	say_hold(check, &text, pair[0]);
	text_put(&text, " at ");
	text_put(&text, pair[0]->path == NULL ? "?" : pair[0]->path);
	text_put_char(&text, ':');
	text_put_u64(&text, pair[0]->line);
	text_put(&text, " held it");
	return false;
}

/* Holds of one lock, by their begin; compared with who held it longest. */
static bool
are_apart(const struct lincheck *check, struct lincheck_breach *breach)
{
	const struct lincheck_hold *hold = check->holds.at;
	const struct lincheck_hold *longest = hold;
	for (size_t i = 1; i < check->holds.count; i++) {
		const struct lincheck_hold *pair[2] = { longest, &hold[i] };
		if (hold[i].lock != longest->lock) {
			longest = &hold[i];
			continue;
		}
		if (hold[i].begin_ns < longest->end_ns)
			return complain(check, breach, "held", pair);
		pair[0] = &hold[i - 1];
		if (hold[i].token <= hold[i - 1].token)
			return complain(
			    check, breach, "got no newer token of", pair);
		if (hold[i].end_ns > longest->end_ns)
			longest = &hold[i];
	}
	return true;
}

/* ---- writes with a token ----------------------------------------------- */

struct grant {
	uint32_t lock;
	uint64_t token;
};

static int
by_token(const void *a, const void *b)
{
	const struct grant *x = a, *y = b;
	if (x->lock != y->lock)
		return x->lock < y->lock ? -1 : 1;
	return x->token < y->token ? -1 : x->token > y->token;
}

static bool
is_locked_write(const struct lincheck_op *op)
{
	return op->lock != LINCHECK_NO_WORD && op->outcome == LINCHECK_DONE;
}

static size_t
list_grants(const struct lincheck *check, struct grant *grant)
{
	const struct lincheck_hold *hold = check->holds.at;
	size_t count = 0;
	for (size_t i = 0; i < check->holds.count; i++)
		grant[count++] = (struct grant){ hold[i].lock, hold[i].token };
	for (size_t i = 0; i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		if (is_locked_write(op))
			grant[count++] = (struct grant){ op->lock, op->token };
	}
	qsort(grant, count, sizeof(*grant), by_token);
	return count;
}

/* The next token of the same lock; NULL: none is known. */
static const struct grant *
newer(const struct grant *grant, size_t count, const struct lincheck_op *op)
{
	struct grant own = { op->lock, op->token };
	size_t low = 0, high = count;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		if (by_token(&grant[middle], &own) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < count && grant[low].lock == op->lock ? &grant[low] : NULL;
}

/* A token is the revision that it was granted at. */
static bool
is_late(const struct lincheck *check, struct lincheck_breach *breach, size_t op,
    const struct grant *next)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	if (next == NULL || it->rev < next->token)
		return false;
	struct text text = lincheck_say(check, breach, "token", op);
	lincheck_say_who(check, &text, op);
	text_put(&text, " took place at revision ");
	text_put_u64(&text, it->rev);
	text_put(&text, " with token ");
	text_put_u64(&text, it->token);
	text_put(&text, " of ");
	lincheck_say_word(check, &text, it->lock);
	text_put(&text, ", which had been granted anew as ");
	text_put_u64(&text, next->token);
	return true;
}

bool
lincheck_locks_hold(struct lincheck *check, struct lincheck_breach *breach)
{
	if (check->holds.count > 0)
		qsort(check->holds.at, check->holds.count,
		    sizeof(struct lincheck_hold), by_begin);
	if (!are_apart(check, breach))
		return false;
	struct grant *grant = malloc(
	    (check->holds.count + check->ops.count + 1) * sizeof(*grant));
	ENSURE(grant != NULL);
	size_t count = list_grants(check, grant);
	bool is_kept = true;
	for (size_t i = 0; is_kept && i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		is_kept = !is_locked_write(op) ||
		    !is_late(check, breach, i, newer(grant, count, op));
	}
	free(grant);
	return is_kept;
}
