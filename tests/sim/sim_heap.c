/* SPDX-License-Identifier: BSD-3-Clause */
/* A heap of four children a node: shallower than two, and one cache line
 * holds half of the children. */
#include "tests/sim/sim_heap.h"

#include <stdlib.h>

#include "libcommon/base/ensure.h"

enum { HEAP_ARITY = 4, HEAP_START = 1024 };

static bool
is_before(const struct sim_event *a, const struct sim_event *b)
{
	if (a->time_ns != b->time_ns)
		return a->time_ns < b->time_ns;
	return a->tie < b->tie;
}

void
sim_heap_clear(struct sim_heap *heap)
{
	heap->count = 0;
}

void
sim_heap_fini(struct sim_heap *heap)
{
	free(heap->slot);
	*heap = (struct sim_heap){ 0 };
}

void
sim_heap_push(struct sim_heap *heap, const struct sim_event *event)
{
	if (heap->count == heap->size) {
		heap->size = heap->size ? 2 * heap->size : HEAP_START;
		heap->slot =
		    realloc(heap->slot, heap->size * sizeof(*heap->slot));
		ENSURE(heap->slot != NULL);
	}

	size_t at = heap->count++;
	while (at > 0) {
		size_t parent = (at - 1) / HEAP_ARITY;
		if (!is_before(event, &heap->slot[parent]))
			break;
		heap->slot[at] = heap->slot[parent];
		at = parent;
	}
	heap->slot[at] = *event;
}

static size_t
earliest_child(const struct sim_heap *heap, size_t at)
{
	size_t child = HEAP_ARITY * at + 1;
	size_t end = child + HEAP_ARITY;
	size_t best = child;

	if (end > heap->count)
		end = heap->count;
	for (child++; child < end; child++)
		if (is_before(&heap->slot[child], &heap->slot[best]))
			best = child;
	return best;
}

bool
sim_heap_pop(struct sim_heap *heap, struct sim_event *out)
{
	if (heap->count == 0)
		return false;
	*out = heap->slot[0];

	struct sim_event last = heap->slot[--heap->count];
	size_t at = 0;
	while (HEAP_ARITY * at + 1 < heap->count) {
		size_t child = earliest_child(heap, at);
		if (!is_before(&heap->slot[child], &last))
			break;
		heap->slot[at] = heap->slot[child];
		at = child;
	}
	heap->slot[at] = last;
	return true;
}
