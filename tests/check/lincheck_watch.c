/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Watches.  An event is a read of its revision; besides, a watcher is told of
 * every change behind the first revision, in order, and of each once.
 */
#include <stdlib.h>

#include "libcommon/base/ensure.h"

#include "tests/check/lincheck_internal.h"

size_t
lincheck_watcher(struct lincheck *check, uint32_t name, uint32_t prefix)
{
	struct lincheck_watch *watch =
	    lincheck_list_add(&check->watches, sizeof(*watch));
	watch->name = name;
	watch->prefix = prefix;
	return check->watches.count - 1;
}

void
lincheck_event(struct lincheck *check, const struct lincheck_event *event)
{
	ENSURE(event->watcher < check->watches.count);
	struct lincheck_watch *watch =
	    (struct lincheck_watch *)check->watches.at + event->watcher;
	if (event->kind == LINCHECK_EVENT_SINCE)
		watch->is_since = true;
	else if (event->kind == LINCHECK_EVENT_GAP)
		watch->is_since = false;
	/* Who goes on from a revision has no snapshot. */
	if (event->kind == LINCHECK_EVENT_READY && watch->is_since)
		return;
	struct lincheck_event *to =
	    lincheck_list_add(&watch->events, sizeof(*to));
	*to = *event;
	check->events++;
}

/* ---- events as operations ---------------------------------------------- */

static void
begin_read(struct lincheck *check, const struct lincheck_watch *watch,
    const struct lincheck_event *event)
{
	struct lincheck_op *op = lincheck_begin(check);
	op->client = watch->name;
	op->path = event->path;
	op->line = event->line;
	op->begin_ns = event->at_ns;
	op->end_ns = event->at_ns;
	op->rev = event->rev;
	op->is_local = true;
	op->is_watch = true;
}

/* The lease's end, which no client asked for; others were told of it, too. */
static void
ordain(struct lincheck *check, const struct lincheck_watch *watch,
    const struct lincheck_event *event)
{
	for (size_t i = 0; i < check->ops.count; i++) {
		const struct lincheck_op *op = lincheck_op_at(check, i);
		if (op->outcome == LINCHECK_ORDAINED && op->rev == event->rev &&
		    lincheck_change_at(check, op, 0)->key == event->key)
			return;
	}
	begin_read(check, watch, event);
	lincheck_op_at(check, check->ops.count - 1)->outcome =
	    LINCHECK_ORDAINED;
	lincheck_op_at(check, check->ops.count - 1)->is_watch = false;
	lincheck_change(check,
	    (struct lincheck_change){
		.kind = LINCHECK_DEL, .key = event->key });
}

static void
add_change(struct lincheck *check, const struct lincheck_watch *watch,
    const struct lincheck_event *event)
{
	bool is_put = event->kind == LINCHECK_EVENT_PUT;
	if (event->is_ordained)
		ordain(check, watch, event);
	begin_read(check, watch, event);
	lincheck_fact(check,
	    (struct lincheck_fact){
		.kind = is_put ? LINCHECK_REV : LINCHECK_ABSENT,
		.key = event->key,
		.rev = event->rev });
	if (is_put)
		lincheck_fact(check,
		    (struct lincheck_fact){ .kind = LINCHECK_VALUE,
			.key = event->key,
			.value = event->value });
	if (event->prev != LINCHECK_NONE)
		lincheck_fact(check,
		    (struct lincheck_fact){ .kind = event->prev == 0
			    ? LINCHECK_ABSENT
			    : LINCHECK_REV,
			.when = LINCHECK_BEFORE,
			/* Not the value that is beside it. */
			.is_condition = true,
			.key = event->key,
			.rev = event->prev });
}

/* The keys told of before READY, and no others. */
static void
add_snapshot(struct lincheck *check, const struct lincheck_watch *watch,
    const struct lincheck_event *first, const struct lincheck_event *ready)
{
	begin_read(check, watch, ready);
	for (const struct lincheck_event *at = first; at < ready; at++) {
		lincheck_fact(check,
		    (struct lincheck_fact){
			.kind = LINCHECK_REV, .key = at->key, .rev = at->rev });
		lincheck_fact(check,
		    (struct lincheck_fact){ .kind = LINCHECK_VALUE,
			.key = at->key,
			.value = at->value });
	}
	lincheck_fact(check,
	    (struct lincheck_fact){
		.kind = LINCHECK_ONLY, .key = watch->prefix });
}

/* Begins to complain about a watch. */
static struct text
say(const struct lincheck *check, struct lincheck_breach *breach,
    const struct lincheck_event *event)
{
	const struct lincheck_watch *watch =
	    (const struct lincheck_watch *)check->watches.at + event->watcher;
	struct text text;
	breach->rule = "watch";
	breach->path = event->path;
	breach->line = event->line;
	text_init(&text, breach->text, sizeof(breach->text));
	text_put(&text, "client ");
	lincheck_say_word(check, &text, watch->name);
	text_put(&text, " was told of ");
	return text;
}

static bool
is_change(const struct lincheck_event *event)
{
	return event->kind == LINCHECK_EVENT_PUT ||
	    event->kind == LINCHECK_EVENT_DEL;
}

/* Revisions rise; those that a transaction changed together share one. */
static bool
is_in_order(const struct lincheck_watch *watch, size_t i)
{
	const struct lincheck_event *event = watch->events.at;
	uint64_t rev = event[i].rev;
	for (size_t k = i; k-- > 0;) {
		if (!is_change(&event[k]))
			return event[k].kind == LINCHECK_EVENT_EXISTS ||
			    event[k].kind == LINCHECK_EVENT_GAP ||
			    event[k].rev < rev;
		if (event[k].rev != rev)
			return event[k].rev < rev;
		if (event[k].key == event[i].key)
			return false;
	}
	return true;
}

static bool
is_disorder(const struct lincheck *check, struct lincheck_breach *breach,
    const struct lincheck_event *event)
{
	struct text text = say(check, breach, event);
	text_put(&text, "revision ");
	text_put_u64(&text, event->rev);
	text_put(&text, " twice, or after a newer one");
	return false;
}

static bool
prepare(struct lincheck *check, const struct lincheck_watch *watch,
    struct lincheck_breach *breach)
{
	const struct lincheck_event *event = watch->events.at;
	size_t first = 0;
	for (size_t i = 0; i < watch->events.count; i++) {
		if (is_change(&event[i]) && !is_in_order(watch, i))
			return is_disorder(check, breach, &event[i]);
		if (is_change(&event[i]))
			add_change(check, watch, &event[i]);
		else if (event[i].kind == LINCHECK_EVENT_READY)
			add_snapshot(check, watch, event + first, event + i);
		if (event[i].kind != LINCHECK_EVENT_EXISTS)
			first = i + 1;
	}
	return true;
}

bool
lincheck_watch_prepare(struct lincheck *check, struct lincheck_breach *breach)
{
	const struct lincheck_watch *watch = check->watches.at;
	for (size_t i = 0; i < check->watches.count; i++)
		if (!prepare(check, &watch[i], breach))
			return false;
	return true;
}

/* ---- nothing is missing ------------------------------------------------ */

/* Events without a gap, behind what begins them. */
struct stretch {
	const struct lincheck_event *from, *last;
};

static bool
was_told(const struct lincheck_event *from, const struct lincheck_event *last,
    uint32_t key, uint64_t rev)
{
	const struct lincheck_event *to = last;
	while (from < to) {
		const struct lincheck_event *middle = from + (to - from) / 2;
		if (middle->rev < rev)
			from = middle + 1;
		else
			to = middle;
	}
	for (; from <= last && from->rev == rev; from++)
		if (from->key == key)
			return true;
	return false;
}

static void
say_missing(const struct lincheck *check, struct lincheck_breach *breach,
    const struct lincheck_event *last, const struct lincheck_version *version,
    uint32_t key)
{
	struct text text = say(check, breach, last);
	text_put(&text, "revision ");
	text_put_u64(&text, last->rev);
	text_put(&text, " but never of ");
	text_put_u64(&text, version->rev);
	text_put(&text, ", where ");
	lincheck_say_op(check, &text, version->op);
	text_put(&text, " changed ");
	lincheck_say_word(check, &text, key);
}

/* Between two events of a watch all changes of key are events, too. */
static bool
key_is_whole(struct lincheck *check, uint32_t key,
    const struct stretch *stretch, struct lincheck_trouble *trouble)
{
	const struct lincheck_event *from = stretch->from;
	const struct lincheck_event *last = stretch->last;
	const struct lincheck_list *list =
	    &lincheck_name_at(check, key)->versions;
	const struct lincheck_version *version = list->at;
	bool was_there = false;
	for (size_t i = 0; i < list->count && version[i].rev <= last->rev;
	     i++) {
		bool is_there = version[i].value != LINCHECK_NO_WORD;
		bool is_event = was_there || is_there;
		was_there = is_there;
		if (!is_event || version[i].rev <= from->rev ||
		    was_told(from + 1, last, key, version[i].rev))
			continue;
		say_missing(check, &trouble->breach, last, &version[i], key);
		return false;
	}
	return true;
}

static bool
begins(const struct lincheck_event *event)
{
	return event->kind == LINCHECK_EVENT_READY ||
	    event->kind == LINCHECK_EVENT_SINCE;
}

/* The next one from *at on; false: there is none. */
static bool
next_stretch(
    const struct lincheck_watch *watch, size_t *at, struct stretch *stretch)
{
	const struct lincheck_event *event = watch->events.at;
	size_t count = watch->events.count;
	while (*at < count && !begins(&event[*at]))
		(*at)++;
	if (*at == count)
		return false;
	stretch->from = &event[(*at)++];
	while (*at < count && is_change(&event[*at]))
		(*at)++;
	stretch->last = &event[*at - 1];
	return true;
}

static bool
stretch_allows(const struct lincheck *check, const struct lincheck_watch *watch,
    const struct stretch *stretch, size_t op, uint64_t rev)
{
	const struct lincheck_op *it = lincheck_op_at(check, op);
	if (rev <= stretch->from->rev || rev > stretch->last->rev)
		return true;
	for (size_t i = 0; i < it->change_count; i++) {
		const struct lincheck_change *change =
		    lincheck_change_at(check, it, i);
		if (change->kind == LINCHECK_PUT &&
		    lincheck_has_prefix(check, change->key, watch->prefix) &&
		    !was_told(
			stretch->from + 1, stretch->last, change->key, rev))
			return false;
	}
	return true;
}

bool
lincheck_watch_allows(const struct lincheck *check, size_t op, uint64_t rev)
{
	const struct lincheck_watch *watch = check->watches.at;
	for (size_t i = 0; i < check->watches.count; i++) {
		struct stretch stretch;
		for (size_t at = 0; next_stretch(&watch[i], &at, &stretch);)
			if (!stretch_allows(
				check, &watch[i], &stretch, op, rev))
				return false;
	}
	return true;
}

static bool
stretch_is_whole(struct lincheck *check, const struct lincheck_watch *watch,
    const struct stretch *stretch, struct lincheck_trouble *trouble)
{
	const uint32_t *keys = check->keys.at;
	if (stretch->from == stretch->last)
		return true;
	for (size_t k = 0; k < check->keys.count; k++)
		if (lincheck_has_prefix(check, keys[k], watch->prefix) &&
		    !key_is_whole(check, keys[k], stretch, trouble))
			return false;
	return true;
}

bool
lincheck_watch_is_whole(
    struct lincheck *check, struct lincheck_trouble *trouble)
{
	const struct lincheck_watch *watch = check->watches.at;
	for (size_t i = 0; i < check->watches.count; i++) {
		struct stretch stretch;
		for (size_t at = 0; next_stretch(&watch[i], &at, &stretch);)
			if (!stretch_is_whole(
				check, &watch[i], &stretch, trouble))
				return false;
	}
	return true;
}
