/* SPDX-License-Identifier: BSD-3-Clause */
/* Messages into frames (5.3).
 *
 * Messages wait in two byte rings, SYSTEM before CLIENT, and are packed when
 * the token is here: waiting for it is the batching window.  A message that
 * fits a frame is never split; a larger one is cut into full frames, begun in
 * an empty one, and no other message of this node comes between.  A message
 * stays at the head of its queue until its last piece has a sequence number;
 * a configuration change starts it again from its first byte under the same
 * number, which is exactly once: whoever ordered all pieces delivers them in
 * the old ring, and then nothing of it is left here.
 */
#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_internal.h"

enum { SERVICE_UNSET = 0xFF };

static uint32_t
power_of_two(uint64_t bytes)
{
	uint32_t size = 1 << 16;

	while (size < bytes)
		size *= 2;
	return size;
}

/* SYSTEM messages are few and short: their queue is small. */
void
totem_pack_init(struct totem *t, struct arena *arena)
{
	const struct totem_config *cfg = &t->cfg;
	uint32_t longest[] = {
		[TOTEM_CLASS_CLIENT] = cfg->message_bytes_max,
		[TOTEM_CLASS_SYSTEM] = (uint32_t)num_min(
		    cfg->message_bytes_max, LIMIT_SYSTEM_BYTES),
	};
	uint32_t size[] = {
		[TOTEM_CLASS_CLIENT] = power_of_two(num_max(
		    cfg->queue_bytes, (uint64_t)cfg->message_bytes_max + 4096)),
		[TOTEM_CLASS_SYSTEM] = power_of_two(4 * LIMIT_SYSTEM_BYTES),
	};

	if (arena->base != NULL)
		t->frame_bytes = cfg->frame_bytes;
	for (int i = 0; i < 2; i++) {
		uint8_t *bytes = arena_take(arena, size[i]);
		if (arena->base != NULL)
			t->queue[i] = (struct totem_queue){ .bytes = bytes,
				.size = size[i],
				.longest = longest[i] };
	}
}

/* ---- the byte ring ----------------------------------------------------- */

static void
put_bytes(struct totem_queue *queue, const void *bytes, size_t len)
{
	uint32_t at = (uint32_t)queue->tail & (queue->size - 1);
	size_t first = num_min(len, queue->size - at);

	if (first > 0)
		memcpy(queue->bytes + at, bytes, first);
	if (len > first)
		memcpy(
		    queue->bytes, (const uint8_t *)bytes + first, len - first);
	queue->tail += len;
}

static void
copy_out(const struct totem_queue *queue, uint64_t from, void *out, size_t len)
{
	uint32_t at = (uint32_t)from & (queue->size - 1);
	size_t first = num_min(len, queue->size - at);

	memcpy(out, queue->bytes + at, first);
	if (len > first)
		memcpy((uint8_t *)out + first, queue->bytes, len - first);
}

static size_t
room_of(const struct totem_queue *queue)
{
	return num_sub(queue->size - (queue->tail - queue->head),
	    sizeof(struct totem_entry));
}

static bool
load_head(struct totem_queue *queue)
{
	if (queue->head == queue->tail)
		return false;
	if (!queue->has_entry)
		copy_out(
		    queue, queue->head, &queue->entry, sizeof queue->entry);
	queue->has_entry = true;
	return true;
}

static void
pop_head(struct totem_queue *queue)
{
	ENSURE(queue->has_entry);
	queue->head += sizeof queue->entry + queue->entry.len;
	ENSURE(queue->head <= queue->tail);
	queue->has_entry = false;
	queue->offset = 0;
}

/* ---- submitting -------------------------------------------------------- */

/* Who leaves still takes part in what the others need to go on. */
static bool
may_submit(const struct totem *t, enum totem_class class)
{
	return !t->is_leaving ||
	    (class == TOTEM_CLASS_SYSTEM && !t->is_abandoning &&
		t->state != TOTEM_STATE_LEFT);
}

size_t
totem_room_bytes(struct totem *t, enum totem_class class)
{
	struct totem_queue *queue = &t->queue[class];
	size_t room = 0;

	if (may_submit(t, class))
		room = num_min(room_of(queue), queue->longest);
	if (room < queue->longest)
		queue->was_refused = true;
	return room;
}

void
totem_submit(struct totem *t, const struct totem_input *in)
{
	struct totem_queue *queue = &t->queue[in->submit.class];
	size_t len = in->submit.head_len + in->submit.body_len;
	struct totem_entry entry = { .msg_no = ++t->msg_no,
		.len = (uint32_t)len,
		.service = (uint8_t)in->submit.service,
		.has_if_view = in->submit.has_if_view,
		.if_view = in->submit.if_view };

	ENSURE(may_submit(t, in->submit.class));
	ENSURE(len <= queue->longest);
	ENSURE(sizeof entry + len <= queue->size - (queue->tail - queue->head));
	put_bytes(queue, &entry, sizeof entry);
	put_bytes(queue, in->submit.head, in->submit.head_len);
	put_bytes(queue, in->submit.body, in->submit.body_len);
	t->count[TOTEM_COUNT_MESSAGES_SENT]++;
}

uint64_t
totem_last_msg_no(const struct totem *t)
{
	return t->msg_no;
}

/* Room for the body of a frame that can still be recovered inside another. */
static uint32_t
body_room(const struct totem *t)
{
	return t->frame_bytes - 2 * TOTEM_WIRE_FRAME_HEADER;
}

/* A message that was begun in pieces goes on in pieces of any length. */
void
totem_set_frame(struct totem *t, uint32_t bytes)
{
	t->frame_bytes = (uint32_t)num_clamp(
	    bytes, LIMIT_FRAME_BYTES_MIN, t->cfg.frame_bytes);
}

static uint64_t
waiting_bytes(const struct totem_queue *queue)
{
	return queue->tail - queue->head - queue->offset;
}

uint32_t
totem_backlog(struct totem *t)
{
	uint64_t bytes = waiting_bytes(&t->queue[TOTEM_CLASS_SYSTEM]);

	if (t->is_abandoning)
		return 0;
	if (t->is_gate_open)
		bytes += waiting_bytes(&t->queue[TOTEM_CLASS_CLIENT]);
	return (uint32_t)((bytes + body_room(t) - 1) / body_room(t));
}

bool
totem_pack_is_empty(const struct totem *t)
{
	return t->queue[0].head == t->queue[0].tail &&
	    t->queue[1].head == t->queue[1].tail;
}

void
totem_pack_restart(struct totem *t)
{
	for (int i = 0; i < 2; i++)
		t->queue[i].offset = 0;
}

void
totem_pack_writable(struct totem *t)
{
	bool is_writable = false;

	for (int i = 0; i < 2; i++) {
		struct totem_queue *queue = &t->queue[i];
		if (!queue->was_refused ||
		    !may_submit(t, (enum totem_class)i) ||
		    room_of(queue) < queue->longest)
			continue;
		queue->was_refused = false;
		is_writable = true;
	}
	if (is_writable)
		totem_emit(t, TOTEM_OUT_WRITABLE, 0);
}

bool
totem_pack_abandon(struct totem *t, uint64_t *msg_no)
{
	for (int i = 0; i < 2; i++) {
		struct totem_queue *queue = &t->queue[i];
		if (!load_head(queue))
			continue;
		*msg_no = queue->entry.msg_no;
		pop_head(queue);
		return true;
	}
	return false;
}

/* ---- packing ----------------------------------------------------------- */

/* One frame while it is filled. */
struct packing {
	struct totem_token *token;
	struct wrbuf wr;
	uint8_t service;
	bool is_full;
};

static bool
is_view_gone(const struct totem *t, const struct totem_entry *entry)
{
	const struct totem_ring_id *want = &entry->if_view;
	const struct totem_ring_id *have = &t->inst->id;

	if (!entry->has_if_view)
		return false;
	return want->seq != have->seq || want->rep != have->rep ||
	    (want->nonce != 0 && want->nonce != have->nonce);
}

/* Puts len bytes of the head message from its offset; pops it at its end. */
static void
put_piece(struct packing *p, struct totem_queue *queue, uint8_t class_flag,
    uint32_t len)
{
	const struct totem_entry *entry = &queue->entry;
	struct totem_record record = { .flags = class_flag,
		.msg_no = entry->msg_no,
		.total = entry->len,
		.offset = queue->offset };

	if (queue->offset == 0)
		record.flags |= TOTEM_RECORD_FIRST;
	if (queue->offset + len == entry->len)
		record.flags |= TOTEM_RECORD_LAST;
	/* The header first, then the bytes straight from the queue. */
	record.len = len;
	totem_wire_put_record(&p->wr, &record);
	ENSURE(!p->wr.is_full && len <= wrbuf_left(&p->wr));
	copy_out(queue, queue->head + sizeof *entry + queue->offset,
	    p->wr.bytes + p->wr.len, len);
	p->wr.len += len;
	queue->offset += len;
	p->service = entry->service;
	if (queue->offset == entry->len)
		pop_head(queue);
}

/* Header bytes of the record that carries this message whole. */
static size_t
whole_header(const struct totem_entry *entry)
{
	return 1 + wrbuf_varint_len(entry->msg_no) +
	    wrbuf_varint_len(entry->len);
}

/* The next piece of a message too large for one frame; false: not now. */
static bool
put_large(struct totem *t, struct packing *p, struct totem_queue *queue,
    uint8_t class_flag)
{
	const struct totem_entry *entry = &queue->entry;
	size_t header = whole_header(entry) + 2 * wrbuf_varint_len(entry->len);

	if (queue->offset == 0) {
		bool must_wait = t->inst->count > LIMIT_MESSAGES_LARGE &&
		    (t->has_finished_large ||
			p->token->large >= LIMIT_MESSAGES_LARGE);
		if (p->wr.len > 0 || must_wait)
			return false;
		if (p->token->large < UINT8_MAX)
			p->token->large++;
	}
	uint32_t left = entry->len - queue->offset;
	uint32_t len = (uint32_t)num_min(left, wrbuf_left(&p->wr) - header);
	put_piece(p, queue, class_flag, len);
	if (len < left) {
		p->is_full = true;
		return true;
	}
	/* The count came from the wire and may be anything. */
	p->token->large = (uint8_t)num_sub(p->token->large, 1);
	t->has_finished_large = true;
	return true;
}

/* Puts what fits of the head message; false: nothing more of this queue. */
static bool
put_head(struct totem *t, struct packing *p, struct totem_queue *queue,
    uint8_t class_flag)
{
	const struct totem_entry *entry = &queue->entry;

	if (queue->offset == 0 && is_view_gone(t, entry)) {
		if (t->out_count >= TOTEM_OUTS / 2)
			return false; /* the others at the next visit */
		totem_emit(t, TOTEM_OUT_DROPPED, entry->msg_no);
		pop_head(queue);
		return true;
	}
	if (p->service != SERVICE_UNSET && p->service != entry->service)
		return false;
	if (queue->offset > 0)
		return put_large(t, p, queue, class_flag);
	size_t need = whole_header(entry) + entry->len;
	if (need > p->wr.size)
		return put_large(t, p, queue, class_flag);
	if (need > wrbuf_left(&p->wr))
		return false;
	put_piece(p, queue, class_flag, entry->len);
	return true;
}

static void
put_queue(struct totem *t, struct packing *p, enum totem_class class)
{
	struct totem_queue *queue = &t->queue[class];
	uint8_t class_flag =
	    class == TOTEM_CLASS_SYSTEM ? TOTEM_RECORD_SYSTEM : 0;

	while (!p->is_full && load_head(queue))
		if (!put_head(t, p, queue, class_flag))
			return;
}

size_t
totem_pack(struct totem *t, struct totem_token *token, uint8_t *body,
    size_t room, uint8_t *flags)
{
	struct packing p = { .token = token, .service = SERVICE_UNSET };

	ENSURE(room >= body_room(t));
	if (t->is_abandoning)
		return 0;
	wrbuf_init(&p.wr, body, body_room(t));
	/* A message that is already partly ordered is finished first. */
	if (t->queue[TOTEM_CLASS_CLIENT].offset == 0)
		put_queue(t, &p, TOTEM_CLASS_SYSTEM);
	if (t->is_gate_open)
		put_queue(t, &p, TOTEM_CLASS_CLIENT);
	*flags = p.service == TOTEM_SAFE ? TOTEM_FRAME_SAFE : 0;
	return p.wr.len;
}
