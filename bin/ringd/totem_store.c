/* SPDX-License-Identifier: BSD-3-Clause */
/* Where frames live: one slab of cells, and per ring an index by sequence
 * number (1.1, 1.7).
 *
 * A ring holds frames of (gc, gc + LIMIT_STORE_FRAMES].  The installed and the
 * forming ring share the slab, which is large enough for both to be full.
 * Cells are touched in order of first use, so that an idle node stays small.
 */
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

void
totem_store_init(struct totem *t, struct arena *arena)
{
	size_t index_bytes = LIMIT_STORE_FRAMES * sizeof(uint16_t);
	size_t cell_bytes = num_round_up(t->cfg.frame_bytes, 64);

	uint8_t *cells = arena_take(arena, cell_bytes * TOTEM_CELLS);
	struct totem_cell *cell = arena_take(arena, sizeof *cell * TOTEM_CELLS);
	uint16_t *cell_free =
	    arena_take(arena, sizeof *cell_free * TOTEM_CELLS);
	uint16_t *index[2];
	for (int i = 0; i < 2; i++)
		index[i] = arena_take(arena, index_bytes);
	if (arena->base == NULL)
		return;
	t->cells = cells;
	t->cell_bytes = cell_bytes;
	t->cell = cell;
	t->cell_free = cell_free;
	for (int i = 0; i < 2; i++) {
		t->rings[i].cell_of = index[i];
		memset(index[i], 0xFF, index_bytes);
		totem_ring_init(t, &t->rings[i]);
	}
	t->inst = &t->rings[0];
	t->form = &t->rings[1];
	t->rx_cell = TOTEM_NO_CELL;
}

/* A ring at its start; its index must be empty. */
void
totem_ring_init(struct totem *t, struct totem_ring *ring)
{
	uint16_t *cell_of = ring->cell_of;
	uint64_t first = t->cfg.first_seq;

	*ring = (struct totem_ring){ .cell_of = cell_of,
		.aru = first,
		.high = first,
		.delivered = first,
		.stable = first,
		.gc = first,
		.sent_seq = first,
		.sent_aru = first };
}

void
totem_ring_members(struct totem *t, struct totem_ring *ring, uint64_t members)
{
	uint32_t mine = 0;

	ENSURE(members & TOTEM_BIT(t->self));
	ring->members = members;
	ring->count = 0;
	for (uint32_t i = 0; i < t->table.count; i++) {
		if (!(members >> i & 1))
			continue;
		if (i == t->self)
			mine = ring->count;
		ring->order[ring->count++] = (uint8_t)i;
	}
	ENSURE(ring->count == totem_wire_count(members));
	ENSURE(ring->count > 0);
	ring->successor = ring->order[(mine + 1) % ring->count];
	ring->predecessor = ring->order[(mine + ring->count - 1) % ring->count];
}

uint32_t
totem_cell_get(struct totem *t)
{
	if (t->cells_free > 0)
		return t->cell_free[--t->cells_free];
	if (t->cells_touched < TOTEM_CELLS)
		return t->cells_touched++;
	return TOTEM_NO_CELL;
}

void
totem_cell_put(struct totem *t, uint32_t cell)
{
	ENSURE(cell < t->cells_touched);
	ENSURE(t->cells_free < TOTEM_CELLS);
	t->cell_free[t->cells_free++] = (uint16_t)cell;
}

uint8_t *
totem_cell_bytes(struct totem *t, uint32_t cell)
{
	ENSURE(cell < TOTEM_CELLS);
	return t->cells + cell * t->cell_bytes;
}

uint8_t *
totem_rx_cell(struct totem *t)
{
	if (t->rx_cell == TOTEM_NO_CELL)
		t->rx_cell = totem_cell_get(t);
	/* Two full stores leave 64 cells over: one is always free. */
	ENSURE(t->rx_cell != TOTEM_NO_CELL);
	return totem_cell_bytes(t, t->rx_cell);
}

/* seq lies inside the window that the index can tell apart. */
bool
totem_fits(const struct totem_ring *ring, uint64_t seq)
{
	return seq > ring->gc && seq - ring->gc <= LIMIT_STORE_FRAMES;
}

uint32_t
totem_cell_at(const struct totem_ring *ring, uint64_t seq)
{
	if (!totem_fits(ring, seq))
		return TOTEM_NO_CELL;
	return ring->cell_of[seq & TOTEM_STORE_MASK];
}

bool
totem_has(const struct totem_ring *ring, uint64_t seq)
{
	return totem_cell_at(ring, seq) != TOTEM_NO_CELL;
}

void
totem_keep(struct totem *t, struct totem_ring *ring, uint32_t cell,
    const struct totem_frame *frame, size_t len)
{
	uint64_t seq = frame->seq;

	ENSURE(totem_fits(ring, seq));
	ENSURE(!totem_has(ring, seq));
	ENSURE(len <= t->cell_bytes);
	t->cell[cell] = (struct totem_cell){ .len = (uint16_t)len,
		.flags = frame->flags,
		.sender = (uint8_t)frame->sender };
	ring->cell_of[seq & TOTEM_STORE_MASK] = (uint16_t)cell;
	ring->high = num_max(ring->high, seq);
	while (totem_has(ring, ring->aru + 1))
		ring->aru++;
}

/* Another member numbered it, and it fits a frame of Recovery, if need be. */
static bool
is_acceptable(const struct totem *t, const struct totem_ring *ring,
    const struct totem_frame *frame, size_t len)
{
	bool is_recovery = (frame->flags & TOTEM_FRAME_RECOVERY) != 0;
	size_t wrapping = is_recovery ? 0 : TOTEM_WIRE_FRAME_HEADER;

	return frame->sender != t->self &&
	    (ring->members >> frame->sender & 1) &&
	    totem_fits(ring, frame->seq) &&
	    len + wrapping <= t->cfg.frame_bytes;
}

bool
totem_store(struct totem *t, struct totem_ring *ring,
    const struct totem_frame *frame, const uint8_t *bytes, size_t len)
{
	if (frame->seq <= ring->gc || totem_has(ring, frame->seq)) {
		t->count[TOTEM_COUNT_FRAMES_DUPLICATE]++;
		return false;
	}
	if (!is_acceptable(t, ring, frame, len)) {
		t->count[TOTEM_COUNT_FRAMES_REFUSED]++;
		return false;
	}
	uint32_t cell = t->rx_cell;
	if (cell != TOTEM_NO_CELL && bytes == totem_cell_bytes(t, cell)) {
		t->rx_cell = TOTEM_NO_CELL; /* received in place */
	} else {
		cell = totem_cell_get(t);
		if (cell == TOTEM_NO_CELL) {
			t->count[TOTEM_COUNT_NO_CELL]++;
			return false;
		}
		memcpy(totem_cell_bytes(t, cell), bytes, len);
	}
	totem_keep(t, ring, cell, frame, len);
	return true;
}

/* Frees all frames up to seq, whether or not every one is held. */
void
totem_free_to(struct totem *t, struct totem_ring *ring, uint64_t seq)
{
	uint64_t last = num_min(seq, ring->gc + LIMIT_STORE_FRAMES);

	for (uint64_t s = ring->gc + 1; s <= last; s++) {
		uint16_t *at = &ring->cell_of[s & TOTEM_STORE_MASK];
		if (*at == TOTEM_NO_CELL)
			continue;
		totem_cell_put(t, *at);
		*at = TOTEM_NO_CELL;
	}
	ring->gc = num_max(ring->gc, seq);
}

/* Back to an unused ring with an empty index. */
void
totem_drop_ring(struct totem *t, struct totem_ring *ring)
{
	totem_free_to(t, ring, num_max(ring->high, ring->gc));
	totem_ring_init(t, ring);
}
