/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Frames: {length 4, crc 4, kind 1, body}, the length being the body's, the
 * sum that of kind and body behind the frame before.  In this order:
 *	head	version 2, rev 8, compacted 8, floor 8, turn 8, limits 4 * 8
 *	author	node 4, run 8, number 8, turn 8; nodes ascend
 *	lease	id 8, ttl_ns 8, renewals 8, node 4, run 8, uid 4; ids
 *		ascend
 *	version	flags 1, rev 8, created 8, lease 8, prev 8, node 4, value
 *		length 4, key; first those that are current and not in the
 *		history, by key, then those not in it that it replaced, then
 *		the history, the oldest first
 *	bytes	the next of the value, until it is whole
 *	end	frames before it 8
 */
#include <string.h>

#include "libcommon/base/crc32c.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/cfgstored/kv.h"
#include "bin/cfgstored/kv_table.h"

enum {
	VERSION = 2,
	FRAME_HEAD_BYTES = 9,
	PIECE_BYTES = 32 << 10,
	FLAG_DELETION = 1,
	FLAG_CURRENT = 2,
	FLAG_KEPT = 4,
	FLAG_HELD = 8, /* and nothing else */
	WHY_SHIFT = 4,
};

enum frame {
	FRAME_HEAD = 1,
	FRAME_AUTHOR,
	FRAME_LEASE,
	FRAME_VERSION,
	FRAME_BYTES,
	FRAME_END
};

enum stage {
	STAGE_HEAD,
	STAGE_AUTHORS,
	STAGE_LEASES,
	STAGE_KEYS,
	STAGE_HELD, /* version is the one that holds it */
	STAGE_HISTORY,
	STAGE_END,
	STAGE_DONE
};

/* ---- writing ----------------------------------------------------------- */

void
kv_writer_init(struct kv_writer *writer, const struct kv *kv)
{
	*writer = (struct kv_writer){ .kv = kv };
}

static void
write_head(struct wrbuf *wr, const struct kv *kv)
{
	wrbuf_u8(wr, VERSION);
	wrbuf_u64(wr, kv->rev);
	wrbuf_u64(wr, kv->compacted);
	wrbuf_u64(wr, kv->floor);
	wrbuf_u64(wr, kv->turn);
	wrbuf_u64(wr, kv->limits.keys);
	wrbuf_u64(wr, kv->limits.bytes);
	wrbuf_u64(wr, kv->limits.value_bytes);
	wrbuf_u64(wr, kv->limits.leases);
}

static void
write_author(struct wrbuf *wr, const struct kv_author_row *row)
{
	wrbuf_u32(wr, row->last.node);
	wrbuf_u64(wr, row->last.run);
	wrbuf_u64(wr, row->last.number);
	wrbuf_u64(wr, row->turn);
}

static void
write_lease(struct wrbuf *wr, const struct kv_lease *lease)
{
	wrbuf_u64(wr, lease->id);
	wrbuf_u64(wr, lease->ttl_ns);
	wrbuf_u64(wr, lease->renewals);
	wrbuf_u32(wr, lease->node);
	wrbuf_u64(wr, lease->run);
	wrbuf_u32(wr, lease->uid);
}

static void
write_version(struct wrbuf *wr, const struct kv *kv, const struct kv_version *v)
{
	uint8_t key[KV_KEY_BYTES_MAX];

	wrbuf_u8(wr,
	    (uint8_t)((v->is_deletion ? FLAG_DELETION : 0) |
		(v->is_current ? FLAG_CURRENT : 0) |
		(v->is_kept ? FLAG_KEPT : 0) |
		(v->is_current || v->is_kept ? 0 : FLAG_HELD) |
		v->why << WHY_SHIFT));
	wrbuf_u64(wr, v->rev);
	wrbuf_u64(wr, v->created);
	wrbuf_u64(wr, v->is_current ? v->lease : 0);
	wrbuf_u64(wr, v->prev_rev);
	wrbuf_u32(wr, v->node);
	wrbuf_u32(wr, v->value_len);
	kv_table_read(kv, v, 0, v->key_len, key);
	wrbuf_bytes(wr, key, v->key_len);
}

static const struct kv_version *
subject_of(const struct kv_writer *writer)
{
	return writer->stage == STAGE_HELD
	    ? kv_before(writer->kv, writer->version)
	    : writer->version;
}

/* The next piece of the value. */
static void
write_piece(struct wrbuf *wr, struct kv_writer *writer)
{
	const struct kv_version *v = subject_of(writer);
	uint8_t piece[PIECE_BYTES];
	size_t from = writer->at - 1;
	size_t len = (size_t)num_min(sizeof piece, v->value_len - from);

	kv_value(writer->kv, v, from, len, piece);
	wrbuf_bytes(wr, piece, len);
	writer->at += len;
}

static const struct kv_version *
at_or_null(const struct kv *kv, uint32_t idx)
{
	return idx == KV_NIL ? NULL : &kv->versions[idx];
}

/* Current, and in no history. */
static const struct kv_version *
skip_kept(const struct kv *kv, const struct kv_version *v)
{
	while (v != NULL && v->is_kept)
		v = at_or_null(kv, v->next[0]);
	return v;
}

/* The next that holds one that is not in the history itself. */
static const struct kv_version *
skip_idle(const struct kv *kv, const struct kv_version *v)
{
	while (v != NULL &&
	    (v->before == KV_NIL || kv->versions[v->before].is_kept))
		v = at_or_null(kv, v->newer);
	return v;
}

static void
enter_stage(struct kv_writer *writer, enum stage stage)
{
	const struct kv *kv = writer->kv;

	writer->stage = (uint8_t)stage;
	writer->at = 0;
	writer->version = NULL;
	if (stage == STAGE_KEYS)
		writer->version = skip_kept(kv, at_or_null(kv, kv->first[0]));
	if (stage == STAGE_HELD)
		writer->version = skip_idle(kv, at_or_null(kv, kv->oldest));
	if (stage == STAGE_HISTORY)
		writer->version = at_or_null(kv, kv->oldest);
}

static void
next_version(struct kv_writer *writer)
{
	const struct kv *kv = writer->kv;
	const struct kv_version *v = writer->version;

	writer->at = 0;
	if (writer->stage == STAGE_HISTORY)
		writer->version = at_or_null(kv, v->newer);
	else if (writer->stage == STAGE_HELD)
		writer->version = skip_idle(kv, at_or_null(kv, v->newer));
	else
		writer->version = skip_kept(kv, at_or_null(kv, v->next[0]));
}

/* Of a version: at 0 its head, then at - 1 bytes of its value are out. */
static enum frame
write_of_version(struct wrbuf *wr, struct kv_writer *writer)
{
	enum frame frame = FRAME_BYTES;

	if (writer->at == 0) {
		frame = FRAME_VERSION;
		write_version(wr, writer->kv, subject_of(writer));
		writer->at = 1;
	} else
		write_piece(wr, writer);
	if (writer->at - 1 == subject_of(writer)->value_len)
		next_version(writer);
	return frame;
}

static bool
is_stage_over(const struct kv_writer *writer)
{
	switch ((enum stage)writer->stage) {
	case STAGE_AUTHORS:
		return writer->at == writer->kv->author_count;
	case STAGE_LEASES:
		return writer->at == writer->kv->lease_count;
	case STAGE_KEYS:
	case STAGE_HELD:
	case STAGE_HISTORY:
		return writer->version == NULL;
	case STAGE_HEAD:
	case STAGE_END:
	case STAGE_DONE:
		break;
	}
	return false;
}

static enum frame
write_body(struct wrbuf *wr, struct kv_writer *writer)
{
	while (is_stage_over(writer))
		enter_stage(writer, (enum stage)(writer->stage + 1));
	switch ((enum stage)writer->stage) {
	case STAGE_HEAD:
		write_head(wr, writer->kv);
		enter_stage(writer, STAGE_AUTHORS);
		return FRAME_HEAD;
	case STAGE_AUTHORS:
		write_author(wr, &writer->kv->authors[writer->at++]);
		return FRAME_AUTHOR;
	case STAGE_LEASES:
		write_lease(wr, &writer->kv->leases[writer->at++]);
		return FRAME_LEASE;
	case STAGE_KEYS:
	case STAGE_HELD:
	case STAGE_HISTORY:
		return write_of_version(wr, writer);
	case STAGE_END:
	case STAGE_DONE:
		break;
	}
	wrbuf_u64(wr, writer->frames);
	writer->stage = STAGE_DONE;
	return FRAME_END;
}

size_t
kv_writer_next(struct kv_writer *writer, void *bytes, size_t size)
{
	struct wrbuf out;

	ENSURE(size >= KV_FRAME_BYTES_MAX);
	wrbuf_init(&out, bytes, size);
	while (wrbuf_left(&out) >= KV_FRAME_BYTES_MAX &&
	    writer->stage != STAGE_DONE) {
		uint8_t *at = out.bytes + out.len;
		struct wrbuf frame, head;

		wrbuf_init(&frame, at + FRAME_HEAD_BYTES - 1,
		    KV_FRAME_BYTES_MAX - FRAME_HEAD_BYTES + 1);
		wrbuf_u8(&frame, 0);
		*frame.bytes = (uint8_t)write_body(&frame, writer);
		ENSURE(!frame.is_full);
		writer->crc = crc32c_more(writer->crc, frame.bytes, frame.len);
		wrbuf_init(&head, at, FRAME_HEAD_BYTES - 1);
		wrbuf_u32(&head, (uint32_t)frame.len - 1);
		wrbuf_u32(&head, writer->crc);
		out.len += FRAME_HEAD_BYTES - 1 + frame.len;
		writer->frames++;
	}
	return out.len;
}

/* ---- reading ----------------------------------------------------------- */

void
kv_reader_init(struct kv_reader *reader, struct kv *kv)
{
	ENSURE(kv->key_count == 0 && kv->oldest == KV_NIL);
	*reader = (struct kv_reader){ .kv = kv, .version = KV_NIL };
}

static int
take_head(struct kv_reader *reader, struct rdbuf *rd)
{
	struct kv *kv = reader->kv;
	const struct kv_limits *room = &kv->cfg.room;
	struct kv_limits limits;

	if (rdbuf_u8(rd) != VERSION)
		return KV_READER_E_VERSION;
	kv->rev = rdbuf_u64(rd);
	kv->compacted = rdbuf_u64(rd);
	kv->floor = rdbuf_u64(rd);
	kv->turn = rdbuf_u64(rd);
	limits.keys = rdbuf_u64(rd);
	limits.bytes = rdbuf_u64(rd);
	limits.value_bytes = rdbuf_u64(rd);
	limits.leases = rdbuf_u64(rd);
	if (kv->compacted > kv->rev || kv->floor > kv->rev ||
	    kv->rev >= KV_LEASE_GRANTED - 1 ||
	    limits.value_bytes > KV_VALUE_BYTES_MAX)
		return KV_READER_E_STATE;
	if (limits.keys > room->keys || limits.bytes > room->bytes ||
	    limits.leases > room->leases)
		return KV_READER_E_ROOM;
	kv->limits = limits;
	return 0;
}

static int
take_author(struct kv_reader *reader, struct rdbuf *rd)
{
	struct kv *kv = reader->kv;
	struct kv_author_row row;

	row.last.node = rdbuf_u32(rd);
	row.last.run = rdbuf_u64(rd);
	row.last.number = rdbuf_u64(rd);
	row.turn = rdbuf_u64(rd);
	if (kv->author_count == KV_AUTHORS_MAX || row.turn > kv->turn)
		return KV_READER_E_STATE;
	if (kv->author_count > 0 &&
	    kv->authors[kv->author_count - 1].last.node >= row.last.node)
		return KV_READER_E_STATE;
	kv->authors[kv->author_count++] = row;
	return 0;
}

static int
take_lease(struct kv_reader *reader, struct rdbuf *rd)
{
	struct kv *kv = reader->kv;
	struct kv_lease lease = { .first = KV_NIL };

	lease.id = rdbuf_u64(rd);
	lease.ttl_ns = rdbuf_u64(rd);
	lease.renewals = rdbuf_u64(rd);
	lease.node = rdbuf_u32(rd);
	lease.run = rdbuf_u64(rd);
	lease.uid = rdbuf_u32(rd);
	if (kv->lease_count >= kv->cfg.room.leases || lease.id > kv->rev ||
	    lease.id == 0 || lease.ttl_ns == 0)
		return KV_READER_E_STATE;
	if (kv->lease_count > 0 &&
	    kv->leases[kv->lease_count - 1].id >= lease.id)
		return KV_READER_E_STATE;
	kv->leases[kv->lease_count++] = lease;
	return 0;
}

/* What the head of a version says. */
struct found {
	uint8_t flags, why;
	uint64_t rev, created, lease, prev;
	uint32_t node, value_len;
	const uint8_t *key;
	size_t key_len;
};

static bool
is_possible(const struct kv_reader *reader, const struct found *f)
{
	const struct kv *kv = reader->kv;
	bool is_current = (f->flags & FLAG_CURRENT) != 0;
	bool is_kept = (f->flags & FLAG_KEPT) != 0;
	bool is_held = (f->flags & FLAG_HELD) != 0;
	bool is_deletion = (f->flags & FLAG_DELETION) != 0;

	if (is_held == (is_current || is_kept) || f->why > KV_WHY_RELEASED ||
	    (is_deletion &&
		(is_current || is_held || f->value_len || f->created)) ||
	    (!is_deletion && f->why != 0))
		return false;
	if (f->key == NULL || f->key_len == 0 ||
	    f->key_len > KV_KEY_BYTES_MAX || f->value_len > KV_VALUE_BYTES_MAX)
		return false;
	if (f->rev == 0 || f->rev > kv->rev || f->created > f->rev ||
	    f->prev >= f->rev || (!is_deletion && f->created == 0))
		return false;
	if (!is_kept && kv->oldest != KV_NIL)
		return false;
	/* History is by revision; all behind compacted is in it. */
	if (is_kept && f->rev < reader->rev)
		return false;
	if (!is_kept && f->rev > kv->compacted)
		return false;
	if (f->lease != 0 &&
	    (!is_current || kv_lease_find(kv, f->lease) == NULL))
		return false;
	return is_kept || kv_table_find(kv, f->key, f->key_len) == KV_NIL;
}

/* Makes room, by forgetting of the history what is older. */
static bool
has_room(struct kv *kv, const struct found *f, uint32_t old)
{
	const struct kv_limits *room = &kv->cfg.room;
	uint64_t keys = kv->key_count, bytes = kv->bytes;

	if (old != KV_NIL) {
		keys--;
		bytes -= (uint64_t)f->key_len + kv->versions[old].value_len;
	}
	if (!(f->flags & FLAG_DELETION) &&
	    (keys >= room->keys ||
		bytes + f->key_len + f->value_len > room->bytes))
		return false;
	while (!kv_table_has_room(kv, f->key_len, f->value_len))
		if (!kv_table_forget(kv, f->rev))
			return false;
	return true;
}

/* There is no room for what was once: history begins behind it. */
static int
skip_version(struct kv_reader *reader, const struct found *f, uint32_t old)
{
	struct kv *kv = reader->kv;

	if (f->flags & FLAG_CURRENT)
		return KV_READER_E_ROOM;
	while (kv_table_forget(kv, f->rev + 1))
		;
	kv->compacted = num_max(kv->compacted, f->rev);
	if (old != KV_NIL && !kv->versions[old].is_kept)
		kv_table_drop(kv, old);
	reader->version = KV_NIL;
	reader->missing = f->value_len;
	return 0;
}

static void
attach(struct kv *kv, uint32_t idx)
{
	struct kv_version *v = &kv->versions[idx];
	const struct kv_lease *found = kv_lease_find(kv, v->lease);
	struct kv_lease *lease;

	ENSURE(found != NULL);
	lease = &kv->leases[found - kv->leases];
	v->lease_next = lease->first;
	if (lease->first != KV_NIL)
		kv->versions[lease->first].lease_prev = idx;
	lease->first = idx;
}

/* Puts it where it belongs; old is what it replaces, or KV_NIL. */
static void
place_version(
    struct kv_reader *reader, const struct found *f, uint32_t old, uint32_t idx)
{
	struct kv *kv = reader->kv;
	struct kv_version *v = &kv->versions[idx];

	v->prev_rev = f->prev;
	if (old != KV_NIL && kv->versions[old].rev == f->prev)
		kv_table_replace(kv, old, idx);
	else if (f->flags & FLAG_KEPT)
		kv->floor =
		    f->prev != 0 ? num_max(kv->floor, f->rev) : kv->floor;
	if (!v->is_deletion)
		kv_table_link(kv, idx);
	if (f->flags & FLAG_KEPT) {
		kv_table_keep(kv, idx);
		reader->rev = f->rev;
	}
	if (v->lease != 0)
		attach(kv, idx);
}

static int
take_version(struct kv_reader *reader, struct rdbuf *rd)
{
	struct kv *kv = reader->kv;
	struct found f;
	struct kv_version *v;
	uint32_t idx, old;

	f.flags = rdbuf_u8(rd);
	f.why = f.flags >> WHY_SHIFT;
	f.flags &= (1 << WHY_SHIFT) - 1;
	f.rev = rdbuf_u64(rd);
	f.created = rdbuf_u64(rd);
	f.lease = rdbuf_u64(rd);
	f.prev = rdbuf_u64(rd);
	f.node = rdbuf_u32(rd);
	f.value_len = rdbuf_u32(rd);
	f.key_len = rdbuf_left(rd);
	f.key = rdbuf_bytes(rd, f.key_len);
	if (rd->is_short || !is_possible(reader, &f))
		return KV_READER_E_STATE;
	old = kv_table_find(kv, f.key, f.key_len);
	if (old != KV_NIL &&
	    (kv->versions[old].is_last || kv->versions[old].rev > f.prev))
		return KV_READER_E_STATE;
	if (!has_room(kv, &f, old))
		return skip_version(reader, &f, old);
	idx = kv_table_add(kv, f.key, f.key_len, f.value_len);
	v = &kv->versions[idx];
	v->rev = f.rev;
	v->created = f.created;
	v->lease = f.lease;
	v->node = f.node;
	v->why = f.why;
	v->is_deletion = (f.flags & FLAG_DELETION) != 0;
	v->is_last = (f.flags & FLAG_CURRENT) != 0;
	reader->last_count += v->is_last;
	place_version(reader, &f, old, idx);
	reader->version = idx;
	reader->missing = f.value_len;
	return 0;
}

static int
take_bytes(struct kv_reader *reader, struct rdbuf *rd)
{
	size_t len = rdbuf_left(rd);
	const struct kv_version *v;

	if (len == 0 || len > reader->missing)
		return KV_READER_E_STATE;
	if (reader->version == KV_NIL) {
		(void)rdbuf_bytes(rd, len);
		reader->missing -= len;
		return 0;
	}
	v = &reader->kv->versions[reader->version];
	kv_table_write(reader->kv, reader->version,
	    v->key_len + v->value_len - reader->missing, rdbuf_bytes(rd, len),
	    len);
	reader->missing -= len;
	return 0;
}

static int
take_end(struct kv_reader *reader, struct rdbuf *rd)
{
	if (rdbuf_u64(rd) != reader->frames ||
	    reader->last_count != reader->kv->key_count)
		return KV_READER_E_STATE;
	kv_table_trim(reader->kv);
	reader->is_done = true;
	return 0;
}

static int
take_body(struct kv_reader *reader, uint8_t kind, struct rdbuf *rd)
{
	static int (*const takers[])(struct kv_reader *, struct rdbuf *) = {
		[FRAME_HEAD] = take_head,
		[FRAME_AUTHOR] = take_author,
		[FRAME_LEASE] = take_lease,
		[FRAME_VERSION] = take_version,
		[FRAME_BYTES] = take_bytes,
		[FRAME_END] = take_end,
	};
	int error;

	if (kind < FRAME_HEAD || kind > FRAME_END || reader->is_done)
		return KV_READER_E_STATE;
	if (reader->has_head != (kind != FRAME_HEAD) ||
	    (reader->missing > 0) != (kind == FRAME_BYTES))
		return KV_READER_E_STATE;
	reader->has_head = true;
	error = takers[kind](reader, rd);
	if (error == 0 && !rdbuf_is_done(rd))
		error = KV_READER_E_STATE;
	return error;
}

int
kv_reader_take(struct kv_reader *reader, const void *bytes, size_t len)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	while (rdbuf_left(&rd) > 0) {
		uint32_t body_len = rdbuf_u32(&rd);
		uint32_t crc = rdbuf_u32(&rd);
		const uint8_t *frame = NULL;
		struct rdbuf body;
		int error;

		if (body_len < KV_FRAME_BYTES_MAX)
			frame = rdbuf_bytes(&rd, (size_t)body_len + 1);
		if (frame == NULL)
			return KV_READER_E_FRAME;
		reader->crc =
		    crc32c_more(reader->crc, frame, (size_t)body_len + 1);
		if (reader->crc != crc)
			return KV_READER_E_FRAME;
		rdbuf_init(&body, frame + 1, body_len);
		error = take_body(reader, frame[0], &body);
		if (error != 0)
			return error;
		reader->frames++;
	}
	return 0;
}
