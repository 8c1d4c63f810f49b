/* SPDX-License-Identifier: BSD-3-Clause */
/* The book of what was recorded, and the order in which it is judged. */
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/check/lincheck_internal.h"

enum { HASHES = 1 << 16 };

void *
lincheck_list_add(struct lincheck_list *list, size_t item_bytes)
{
	if (list->count == list->room) {
		list->room = list->room == 0 ? 64 : 2 * list->room;
		list->at = realloc(list->at, list->room * item_bytes);
		ENSURE(list->at != NULL);
	}
	char *item = (char *)list->at + list->count++ * item_bytes;
	return memset(item, 0, item_bytes);
}

struct lincheck *
lincheck_create(void)
{
	struct lincheck *check = calloc(1, sizeof(*check));
	ENSURE(check != NULL);
	check->hash = malloc(HASHES * sizeof(*check->hash));
	ENSURE(check->hash != NULL);
	memset(check->hash, 0xff, HASHES * sizeof(*check->hash));
	return check;
}

void
lincheck_destroy(struct lincheck *check)
{
	for (uint32_t i = 0; i < check->names.count; i++) {
		struct lincheck_name *name = lincheck_name_at(check, i);
		free((char *)(uintptr_t)name->bytes);
		free(name->versions.at);
	}
	struct lincheck_watch *watch = check->watches.at;
	for (size_t i = 0; i < check->watches.count; i++)
		free(watch[i].events.at);
	struct lincheck_list *lists[] = { &check->names, &check->keys,
		&check->ops, &check->facts, &check->changes, &check->watches,
		&check->holds, &check->demands, &check->unknown, &check->made };
	for (size_t i = 0; i < ARRAY_COUNT(lists); i++)
		free(lists[i]->at);
	free(check->hash);
	free(check->place);
	free(check->by_rev);
	free(check->by_begin);
	free(check->by_end);
	free(check);
}

/* ---- words ------------------------------------------------------------- */

static uint32_t *
bucket(const struct lincheck *check, const unsigned char *bytes, size_t len)
{
	uint32_t sum = 2166136261U;
	for (size_t i = 0; i < len; i++)
		sum = (sum ^ bytes[i]) * 16777619U;
	return &check->hash[(sum ^ sum >> 16) % HASHES];
}

uint32_t
lincheck_word(struct lincheck *check, const void *bytes, size_t len)
{
	uint32_t *first = bucket(check, bytes, len);
	for (uint32_t i = *first; i != LINCHECK_NO_WORD;) {
		const struct lincheck_name *name = lincheck_name_at(check, i);
		if (name->len == len && memcmp(name->bytes, bytes, len) == 0)
			return i;
		i = name->next;
	}
	struct lincheck_name *name =
	    lincheck_list_add(&check->names, sizeof(*name));
	char *copy = malloc(len + 1);
	ENSURE(copy != NULL);
	memcpy(copy, bytes, len);
	copy[len] = '\0';
	name->bytes = copy;
	name->len = len;
	name->next = *first;
	*first = (uint32_t)(check->names.count - 1);
	return *first;
}

void
lincheck_mark_key(struct lincheck *check, uint32_t word)
{
	struct lincheck_name *name = lincheck_name_at(check, word);
	if (name->is_key)
		return;
	name->is_key = true;
	*(uint32_t *)lincheck_list_add(&check->keys, sizeof(word)) = word;
}

bool
lincheck_has_prefix(const struct lincheck *check, uint32_t key, uint32_t prefix)
{
	const struct lincheck_name *a = lincheck_name_at(check, key);
	const struct lincheck_name *b = lincheck_name_at(check, prefix);
	return a->len >= b->len && memcmp(a->bytes, b->bytes, b->len) == 0;
}

/* ---- operations -------------------------------------------------------- */

struct lincheck_op *
lincheck_begin(struct lincheck *check)
{
	struct lincheck_op *op = lincheck_list_add(&check->ops, sizeof(*op));
	op->end_ns = LINCHECK_NONE;
	op->rev = LINCHECK_NONE;
	op->lock = LINCHECK_NO_WORD;
	op->fact_first = check->facts.count;
	op->change_first = check->changes.count;
	return op;
}

size_t
lincheck_count(const struct lincheck *check)
{
	return check->ops.count;
}

/* A change may be there or not; what was only seen says nothing. */
void
lincheck_unsay(struct lincheck *check, size_t n)
{
	struct lincheck_op *op = lincheck_op_at(check, n);
	bool is_change = op->outcome == LINCHECK_DONE && op->change_count > 0;

	op->outcome = is_change ? LINCHECK_UNKNOWN : LINCHECK_REFUSED;
	op->end_ns = op->rev = LINCHECK_NONE;
	op->lock = LINCHECK_NO_WORD;
}

static struct lincheck_op *
last_op(struct lincheck *check)
{
	ENSURE(check->ops.count > 0);
	return lincheck_op_at(check, check->ops.count - 1);
}

void
lincheck_fact(struct lincheck *check, struct lincheck_fact fact)
{
	struct lincheck_fact *to =
	    lincheck_list_add(&check->facts, sizeof(*to));
	*to = fact;
	last_op(check)->fact_count++;
	if (fact.kind != LINCHECK_ONLY)
		lincheck_mark_key(check, fact.key);
}

void
lincheck_change(struct lincheck *check, struct lincheck_change change)
{
	struct lincheck_change *to =
	    lincheck_list_add(&check->changes, sizeof(*to));
	*to = change;
	last_op(check)->change_count++;
	if (change.kind != LINCHECK_DEL_PREFIX)
		lincheck_mark_key(check, change.key);
}

bool
lincheck_is_write(const struct lincheck_op *op)
{
	return op->change_count > 0 &&
	    (op->outcome == LINCHECK_DONE || op->outcome == LINCHECK_UNKNOWN ||
		op->outcome == LINCHECK_ORDAINED);
}

bool
lincheck_may_be(const struct lincheck_op *op)
{
	return op->change_count > 0 && op->outcome == LINCHECK_UNKNOWN;
}

void
lincheck_hold(struct lincheck *check, const struct lincheck_hold *hold)
{
	struct lincheck_hold *to =
	    lincheck_list_add(&check->holds, sizeof(*to));
	*to = *hold;
}

/* ---- the verdict ------------------------------------------------------- */

/* Two answers name one revision. */
static bool
has_double(struct lincheck *check, struct lincheck_breach *breach)
{
	const struct lincheck_made *made = check->made.at;
	for (size_t i = 1; i < check->made.count; i++) {
		size_t a = made[i - 1].op, b = made[i].op;
		if (made[i].rev != made[i - 1].rev ||
		    (lincheck_op_at(check, a)->outcome == LINCHECK_ORDAINED &&
			lincheck_op_at(check, b)->outcome == LINCHECK_ORDAINED))
			continue;
		struct text text = lincheck_say(check, breach, "revision", b);
		lincheck_say_who(check, &text, b);
		text_put(&text, " made revision ");
		text_put_u64(&text, made[i].rev);
		text_put(&text, ", and so did ");
		lincheck_say_op(check, &text, a);
		return true;
	}
	return false;
}

struct told {
	uint64_t rev;
	size_t op;
};

static int
by_rev(const void *a, const void *b)
{
	const struct told *x = a, *y = b;
	if (x->rev != y->rev)
		return x->rev < y->rev ? -1 : 1;
	return x->op < y->op ? -1 : x->op > y->op;
}

static void
sort_told(struct lincheck *check)
{
	struct told *told = malloc((check->ops.count + 1) * sizeof(*told));
	check->by_rev = malloc((check->ops.count + 1) * sizeof(*check->by_rev));
	ENSURE(told != NULL && check->by_rev != NULL);
	for (size_t i = 0; i < check->ops.count; i++)
		if (check->place[i].rev != LINCHECK_NONE)
			told[check->told++] =
			    (struct told){ check->place[i].rev, i };
	qsort(told, check->told, sizeof(*told), by_rev);
	for (size_t i = 0; i < check->told; i++)
		check->by_rev[i] = told[i].op;
	free(told);
}

/* Whatever happened has a place, and what it changed is known. */
static void
settle_known(struct lincheck *check)
{
	check->place = calloc(check->ops.count + 1, sizeof(*check->place));
	ENSURE(check->place != NULL);
	for (size_t i = 0; i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		check->place[i].rev = LINCHECK_NONE;
		check->place[i].high = LINCHECK_NONE;
		if (lincheck_may_be(op)) {
			*(size_t *)lincheck_list_add(
			    &check->unknown, sizeof(i)) = i;
			continue;
		}
		if (op->outcome == LINCHECK_REFUSED ||
		    op->outcome == LINCHECK_UNKNOWN)
			continue;
		if (op->rev == LINCHECK_NONE) {
			check->has_floating = true;
			continue;
		}
		check->top = num_max(check->top, op->rev);
		if (lincheck_is_write(op))
			lincheck_make(check, i, op->rev);
		check->place[i].rev = op->rev;
	}
	/* One that nobody saw may be behind everything. */
	if (check->has_floating)
		check->top += check->unknown.count;
	sort_told(check);
}

static void
count(const struct lincheck *check, struct lincheck_tally *tally)
{
	*tally = (struct lincheck_tally){
		.events = check->events,
		.holds = check->holds.count,
		.tried = check->tried,
	};
	for (size_t i = 0; i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		if (op->is_watch || op->outcome == LINCHECK_ORDAINED)
			continue;
		tally->operations++;
		tally->unanswered += op->outcome == LINCHECK_UNKNOWN;
		tally->found +=
		    check->place != NULL && check->place[i].is_placed;
	}
}

static void
judge(struct lincheck *check, struct lincheck_breach *breach)
{
	if (!lincheck_watch_prepare(check, breach))
		return;
	settle_known(check);
	if (has_double(check, breach) || !lincheck_locks_hold(check, breach))
		return;
	lincheck_order_prepare(check);
	(void)lincheck_search(check, breach); /* breach says it, too */
}

void
lincheck_judge(struct lincheck *check, struct lincheck_breach *breach,
    struct lincheck_tally *tally)
{
	*breach = (struct lincheck_breach){ 0 };
	judge(check, breach);
	count(check, tally);
}
