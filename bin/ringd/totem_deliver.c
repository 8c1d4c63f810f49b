/* SPDX-License-Identifier: BSD-3-Clause */
/* From ordered frames to messages and views (1.6, 3.8).
 *
 * Frames are delivered strictly in order: an agreed one as soon as everything
 * before it is here, a SAFE one when every member is known to hold it.  A SAFE
 * frame that is not stable blocks all behind it.  At an install the tail of the
 * old ring follows the one cut that all transitional members compute alike:
 * regular phase, transitional view, transitional phase, regular view.
 *
 * Messages are produced one a call, from a cursor, so that no burst of
 * deliveries needs room in a queue.
 */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/totem_internal.h"
#include "bin/ringd/totem_wire_set.h"

/* ---- messages that come in pieces -------------------------------------- */

static void
slot_release(struct totem *t, uint32_t node)
{
	uint8_t slot = t->slot_of[node];

	if (slot == TOTEM_NO_SLOT)
		return;
	t->slot[slot].is_used = false;
	t->slot_of[node] = TOTEM_NO_SLOT;
}

void
totem_deliver_reset(struct totem *t)
{
	for (uint32_t i = 0; i < LIMIT_NODES; i++)
		slot_release(t, i);
}

uint32_t
totem_slots_used(const struct totem *t)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < LIMIT_MESSAGES_LARGE; i++)
		used += t->slot[i].is_used;
	return used;
}

static struct totem_slot *
slot_begin(struct totem *t, uint32_t node, const struct totem_record *record)
{
	slot_release(t, node);
	for (uint32_t i = 0; i < LIMIT_MESSAGES_LARGE; i++) {
		struct totem_slot *slot = &t->slot[i];
		if (slot->is_used)
			continue;
		slot->is_used = true;
		slot->msg_no = record->msg_no;
		slot->total = record->total;
		slot->len = 0;
		t->slot_of[node] = (uint8_t)i;
		return slot;
	}
	return NULL;
}

/*
 * Adds a piece; answers the slot when the message is whole.  A piece that
 * does not continue its message drops it: in a transitional configuration
 * pieces behind a gap may be gone for good.
 */
static struct totem_slot *
slot_add(struct totem *t, uint32_t node, const struct totem_record *record)
{
	struct totem_slot *slot = NULL;

	if (record->total > t->cfg.message_bytes_max)
		return NULL;
	if (record->flags & TOTEM_RECORD_FIRST)
		slot = slot_begin(t, node, record);
	else if (t->slot_of[node] != TOTEM_NO_SLOT)
		slot = &t->slot[t->slot_of[node]];
	if (slot == NULL || slot->msg_no != record->msg_no ||
	    slot->total != record->total || slot->len != record->offset) {
		slot_release(t, node);
		return NULL;
	}
	memcpy(slot->bytes + slot->len, record->bytes, record->len);
	slot->len += record->len;
	return slot->len == slot->total ? slot : NULL;
}

/* ---- one frame --------------------------------------------------------- */

static void
cursor_open(struct totem *t, struct totem_ring *ring, uint64_t seq,
    enum totem_phase phase)
{
	uint32_t cell = totem_cell_at(ring, seq);
	const struct totem_cell *info = &t->cell[cell];
	struct totem_cursor *cursor = &t->cursor;

	ENSURE(cell != TOTEM_NO_CELL);
	ENSURE(!cursor->is_open);
	*cursor = (struct totem_cursor){ .is_open = true,
		.ring = ring,
		.seq = seq,
		.sender = info->sender,
		.flags = info->flags,
		.phase = phase,
		.slot_done = TOTEM_NO_SLOT };
	rdbuf_init(&cursor->rd,
	    totem_cell_bytes(t, cell) + TOTEM_WIRE_FRAME_HEADER,
	    info->len - (size_t)TOTEM_WIRE_FRAME_HEADER);
	if (info->flags & TOTEM_FRAME_RECOVERY)
		cursor->rd.at = cursor->rd.len; /* holds no message */
}

static void
fill_delivery(struct totem *t, const struct totem_record *record,
    struct totem_delivery *out)
{
	const struct totem_cursor *cursor = &t->cursor;

	*out = (struct totem_delivery){
		.node = t->table.id[cursor->sender],
		.incarnation = cursor->ring->incarnation[cursor->sender],
		.msg_no = record->msg_no,
		.service = cursor->flags & TOTEM_FRAME_SAFE ? TOTEM_SAFE
							    : TOTEM_AGREED,
		.class = record->flags & TOTEM_RECORD_SYSTEM
		    ? TOTEM_CLASS_SYSTEM
		    : TOTEM_CLASS_CLIENT,
		.phase = cursor->phase,
		.ring = cursor->ring->id,
		.seq = cursor->seq,
		.idx = cursor->idx,
		.bytes = record->bytes,
		.len = record->len,
	};
}

/* The next message of the open frame; false and closed at its end. */
static bool
cursor_next(struct totem *t, struct totem_effect *out)
{
	struct totem_cursor *cursor = &t->cursor;
	struct totem_record record;

	if (cursor->slot_done != TOTEM_NO_SLOT)
		slot_release(t, cursor->sender);
	cursor->slot_done = TOTEM_NO_SLOT;
	for (; rdbuf_left(&cursor->rd) > 0; cursor->idx++) {
		if (!totem_wire_get_record(&cursor->rd, &record)) {
			t->count[TOTEM_COUNT_PACKETS_MALFORMED]++;
			break;
		}
		if (record.len < record.total) {
			struct totem_slot *slot =
			    slot_add(t, cursor->sender, &record);
			if (slot == NULL)
				continue;
			cursor->slot_done = t->slot_of[cursor->sender];
			record.bytes = slot->bytes;
			record.len = slot->total;
		}
		out->kind = TOTEM_OUT_DELIVER;
		fill_delivery(t, &record, &out->deliver);
		cursor->idx++;
		t->count[TOTEM_COUNT_MESSAGES_DELIVERED]++;
		t->count[TOTEM_COUNT_BYTES_DELIVERED] += record.len;
		return true;
	}
	cursor->is_open = false;
	return false;
}

/* ---- in a regular configuration ---------------------------------------- */

bool
totem_deliver_next(struct totem *t, struct totem_effect *out)
{
	struct totem_ring *ring = t->inst;

	ENSURE(t->install.step == TOTEM_INSTALL_NONE);
	if (t->state != TOTEM_STATE_OPERATIONAL &&
	    t->state != TOTEM_STATE_GATHER)
		return false; /* frozen from Commit on */
	for (;;) {
		if (t->cursor.is_open) {
			if (cursor_next(t, out))
				return true;
			ring->delivered = t->cursor.seq;
		}
		uint64_t seq = ring->delivered + 1;
		uint32_t cell = totem_cell_at(ring, seq);
		if (cell == TOTEM_NO_CELL)
			return false;
		if ((t->cell[cell].flags & TOTEM_FRAME_SAFE) &&
		    seq > ring->stable)
			return false;
		cursor_open(t, ring, seq, TOTEM_PHASE_REGULAR);
	}
}

/* ---- at an install (3.8, I2 to I7) ------------------------------------- */

static void
fill_members(struct totem *t, const struct totem_ring *ring, uint64_t members)
{
	struct totem_view *view = &t->view;

	view->members.count = 0;
	for (uint32_t i = 0; i < t->table.count; i++) {
		if (!(members >> i & 1))
			continue;
		uint32_t at = view->members.count++;
		view->members.id[at] = t->table.id[i];
		view->incarnation[at] = ring->incarnation[i];
	}
}

/* Why a node of the old ring is not in the transitional configuration. */
static enum totem_reason
left_because(const struct totem *t, uint32_t node)
{
	const struct totem_ring *old = t->form, *new = t->inst;

	if (!(new->members >> node & 1)) {
		enum totem_reason why = (enum totem_reason)t->commit.why[node];
		return why == TOTEM_REASON_NONE ? TOTEM_REASON_CONSENSUS : why;
	}
	if (new->incarnation[node] != old->incarnation[node])
		return TOTEM_REASON_RESTART;
	return TOTEM_REASON_MERGE; /* it came by way of another ring */
}

static void
fill_view(struct totem *t, enum totem_phase phase)
{
	const struct totem_ring *old = t->form, *new = t->inst;
	uint64_t trans = t->install.trans;
	struct totem_view *view = &t->view;

	view->phase = phase;
	view->reason = t->gather.reason;
	view->began_ns = t->gather.began_ns;
	view->joined.count = 0;
	view->left.count = 0;
	view->next = new->id;
	if (phase == TOTEM_PHASE_REGULAR) {
		view->ring = new->id;
		fill_members(t, new, new->members);
		for (uint32_t i = 0; i < t->table.count; i++)
			if ((new->members & ~trans) >> i & 1)
				view->joined.id[view->joined.count++] =
				    t->table.id[i];
		return;
	}
	view->ring = old->id;
	fill_members(t, old, trans);
	for (uint32_t i = 0; i < t->table.count; i++) {
		if (!((old->members & ~trans) >> i & 1))
			continue;
		uint32_t at = view->left.count++;
		view->left.id[at] = t->table.id[i];
		view->left_reason[at] = left_because(t, i);
	}
}

static bool
emit_view(struct totem *t, enum totem_phase phase, struct totem_effect *out)
{
	fill_view(t, phase);
	out->kind = TOTEM_OUT_VIEW;
	out->view = &t->view;
	return true;
}

/* The next frame of the old ring that this phase delivers; false: none. */
static bool
open_regular(struct totem *t)
{
	struct totem_ring *old = t->form;

	if (old->delivered + 1 >= t->install.cut)
		return false;
	cursor_open(t, old, old->delivered + 1, TOTEM_PHASE_REGULAR);
	return true;
}

/* Behind a gap nothing of these senders is delivered any more: what they
 * began stays unfinished, and its slot is wanted by those who go on. */
static void
forget_unowed(struct totem *t)
{
	for (uint32_t i = 0; i < t->table.count; i++)
		if (!(t->install.oblig >> i & 1))
			slot_release(t, i);
}

static bool
open_transitional(struct totem *t)
{
	struct totem_install *install = &t->install;
	struct totem_ring *old = t->form;

	while (install->next_seq <= install->top) {
		uint64_t seq = install->next_seq++;
		uint32_t cell = totem_cell_at(old, seq);
		if (seq == install->gap)
			forget_unowed(t);
		if (cell == TOTEM_NO_CELL)
			continue;
		bool is_owed = install->oblig >> t->cell[cell].sender & 1;
		if (seq > install->gap && !is_owed)
			continue;
		cursor_open(t, old, seq, TOTEM_PHASE_TRANSITIONAL);
		return true;
	}
	return false;
}

/* Everything of the old ring has been told: the new one begins. */
static bool
finish_install(struct totem *t, struct totem_effect *out)
{
	emit_view(t, TOTEM_PHASE_REGULAR, out);
	totem_drop_ring(t, t->form);
	totem_deliver_reset(t);
	totem_pack_restart(t);
	t->install.step = TOTEM_INSTALL_NONE;
	return true;
}

static bool
deliver_phase(struct totem *t, struct totem_effect *out)
{
	bool is_regular = t->install.step == TOTEM_INSTALL_REGULAR;

	for (;;) {
		if (t->cursor.is_open) {
			if (cursor_next(t, out))
				return true;
			if (is_regular)
				t->form->delivered = t->cursor.seq;
		}
		bool is_open =
		    is_regular ? open_regular(t) : open_transitional(t);
		if (!is_open)
			return false;
	}
}

bool
totem_install_next(struct totem *t, struct totem_effect *out)
{
	switch (t->install.step) {
	case TOTEM_INSTALL_REGULAR:
		if (deliver_phase(t, out))
			return true;
		t->install.step = TOTEM_INSTALL_TRANS_VIEW;
		t->install.next_seq = t->install.cut;
		return totem_install_next(t, out);
	case TOTEM_INSTALL_TRANS_VIEW:
		t->install.step = TOTEM_INSTALL_TRANSITIONAL;
		return emit_view(t, TOTEM_PHASE_TRANSITIONAL, out);
	case TOTEM_INSTALL_TRANSITIONAL:
		if (deliver_phase(t, out))
			return true;
		t->install.step = TOTEM_INSTALL_REGULAR_VIEW;
		return totem_install_next(t, out);
	case TOTEM_INSTALL_REGULAR_VIEW:
		return finish_install(t, out);
	case TOTEM_INSTALL_NONE:
		break;
	}
	return false;
}
