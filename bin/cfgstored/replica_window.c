/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/replica_window.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

static struct replica_place *
place_of(const struct replica_window *w, uint64_t index)
{
	return &w->place[index % REPLICA_WINDOW_RECORDS];
}

void
replica_window_create(
    struct replica_window *w, struct arena *arena, size_t size)
{
	const struct kv_tip none = { 0 };

	w->size = num_round_up(size, 64);
	w->ring = arena_take(arena, w->size);
	w->place = arena_take(
	    arena, REPLICA_WINDOW_RECORDS * sizeof(struct replica_place));
	replica_window_clear(w, &none);
}

void
replica_window_clear(struct replica_window *w, const struct kv_tip *before)
{
	w->before = *before;
	w->before_sum = 0;
	w->head = 0;
	w->first = before->index + 1;
	w->end = w->first;
}

static bool
is_empty(const struct replica_window *w)
{
	return w->first == w->end;
}

static void
forget_first(struct replica_window *w)
{
	const struct replica_place *place = place_of(w, w->first);

	w->before = place->tip;
	w->before_sum = place->sum;
	w->first++;
	if (is_empty(w))
		w->head = 0;
}

/* Where len bytes fit; false: nowhere. */
static bool
find_room(const struct replica_window *w, size_t len, size_t *at)
{
	size_t tail;

	if (is_empty(w)) {
		*at = 0;
		return len <= w->size;
	}
	if (w->end - w->first == REPLICA_WINDOW_RECORDS)
		return false;
	tail = place_of(w, w->first)->at;
	if (w->head > tail) {
		*at = w->head;
		if (len <= w->size - w->head)
			return true;
		/* The end of the ring stays empty. */
		*at = 0;
		return len < tail;
	}
	*at = w->head;
	return len < tail - w->head;
}

bool
replica_window_push(struct replica_window *w, const struct kv_tip *tip,
    const void *bytes, size_t len, uint64_t may_go)
{
	struct replica_place *place;
	size_t at;

	ENSURE(tip->index == w->end && len > 0 && len <= UINT32_MAX);
	while (!find_room(w, len, &at)) {
		if (is_empty(w) || w->first > may_go)
			return false;
		forget_first(w);
	}
	place = place_of(w, tip->index);
	*place = (struct replica_place){ .at = at,
		.tip = *tip,
		.sum = (is_empty(w) ? w->before_sum
				    : place_of(w, w->end - 1)->sum) +
		    len,
		.len = (uint32_t)len };
	memcpy(w->ring + at, bytes, len);
	w->head = at + len;
	w->end++;
	return true;
}

void
replica_window_cut(struct replica_window *w, uint64_t index)
{
	ENSURE(index + 1 >= w->first);
	if (index + 1 >= w->end)
		return;
	w->end = index + 1;
	w->head = 0;
	if (!is_empty(w)) {
		const struct replica_place *last = place_of(w, index);

		w->head = last->at + last->len;
	}
}

bool
replica_window_get(
    const struct replica_window *w, uint64_t index, struct replica_record *out)
{
	const struct replica_place *place = place_of(w, index);

	if (index < w->first || index >= w->end)
		return false;
	*out = (struct replica_record){ .tip = place->tip,
		.sum = place->sum,
		.len = place->len,
		.bytes = w->ring + place->at };
	return true;
}

bool
replica_window_has(const struct replica_window *w, const struct kv_tip *tip)
{
	if (tip->index == w->before.index)
		return kv_tip_compare(tip, &w->before) == 0;
	if (tip->index < w->first || tip->index >= w->end)
		return false;
	return kv_tip_compare(tip, &place_of(w, tip->index)->tip) == 0;
}

struct kv_tip
replica_window_tip(const struct replica_window *w)
{
	return is_empty(w) ? w->before : place_of(w, w->end - 1)->tip;
}

uint64_t
replica_window_behind(const struct replica_window *w, uint64_t index)
{
	uint64_t last =
	    is_empty(w) ? w->before_sum : place_of(w, w->end - 1)->sum;

	if (index >= w->end - 1)
		return 0;
	return last -
	    (index < w->first ? w->before_sum : place_of(w, index)->sum);
}
