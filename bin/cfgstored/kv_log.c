/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * header:	"ringkit-cfg-log\n", version 4, bytes 8, serial 8, salt 8, crc 4
 *		over all before; zeroes
 * batch:	crc 4 over the rest of the head, crc 4 over the frames, their
 *		length 4, place 4 in blocks, salt 8, serial 8; frames; zeroes
 * frame:	length 4, kind 1, body
 *
 * Salt and place are what makes a head one: blocks that are used again, or
 * that were written to another place, hold none.
 */
#include "bin/cfgstored/kv_log.h"

#include <string.h>

#include "libcommon/base/crc32c.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/wrbuf.h"

enum {
	VERSION = 1,
	FRAME_PREFIX_BYTES = 5,
	TIP_BYTES = 32,
	HEADER_USED_BYTES = 48,
	FLAG_FIRST = 1,
	FLAG_ON_SNAPSHOT = 2,
	FLAG_VERIFIED = 4,
	FLAG_TAKING = 8,
};

static const uint8_t magic[16] = "ringkit-cfg-log\n";

/* ---- frames ------------------------------------------------------------ */

static void
put_tip(struct wrbuf *wr, const struct kv_tip *tip)
{
	wrbuf_u64(wr, tip->epoch.view_seq);
	wrbuf_u32(wr, tip->epoch.view_rep);
	wrbuf_u64(wr, tip->epoch.pos_seq);
	wrbuf_u32(wr, tip->epoch.pos_idx);
	wrbuf_u64(wr, tip->index);
}

static struct kv_tip
take_tip(struct rdbuf *rd)
{
	struct kv_tip tip;

	tip.epoch.view_seq = rdbuf_u64(rd);
	tip.epoch.view_rep = rdbuf_u32(rd);
	tip.epoch.pos_seq = rdbuf_u64(rd);
	tip.epoch.pos_idx = rdbuf_u32(rd);
	tip.index = rdbuf_u64(rd);
	return tip;
}

static void
put_link(struct wrbuf *wr, const struct kv_log_frame *frame)
{
	const struct kv_log_state *state = &frame->state;

	wrbuf_u8(wr,
	    (uint8_t)((frame->is_first ? FLAG_FIRST : 0) |
		(state->is_on_snapshot ? FLAG_ON_SNAPSHOT : 0) |
		(state->is_verified ? FLAG_VERIFIED : 0) |
		(state->is_taking ? FLAG_TAKING : 0)));
	put_tip(wr, &state->tip);
	wrbuf_u64(wr, state->acked);
	put_tip(wr, &state->base);
	put_tip(wr, &state->next);
}

static void
take_link(struct rdbuf *rd, struct kv_log_frame *frame)
{
	struct kv_log_state *state = &frame->state;
	uint8_t flags = rdbuf_u8(rd);

	frame->is_first = (flags & FLAG_FIRST) != 0;
	state->is_on_snapshot = (flags & FLAG_ON_SNAPSHOT) != 0;
	state->is_verified = (flags & FLAG_VERIFIED) != 0;
	state->is_taking = (flags & FLAG_TAKING) != 0;
	state->tip = take_tip(rd);
	state->acked = rdbuf_u64(rd);
	state->base = take_tip(rd);
	state->next = take_tip(rd);
}

size_t
kv_log_frame_head(
    const struct kv_log_frame *frame, uint8_t out[KV_LOG_FRAME_HEAD_BYTES])
{
	struct wrbuf wr, prefix;
	size_t more = 0;

	wrbuf_init(&wr, out + FRAME_PREFIX_BYTES,
	    KV_LOG_FRAME_HEAD_BYTES - FRAME_PREFIX_BYTES);
	switch (frame->kind) {
	case KV_LOG_LINK:
		put_link(&wr, frame);
		break;
	case KV_LOG_RECORD:
		put_tip(&wr, &frame->tip);
		wrbuf_u64(&wr, frame->acked);
		more = frame->len;
		break;
	case KV_LOG_BEGIN:
		put_tip(&wr, &frame->tip);
		wrbuf_u8(&wr, frame->is_on_snapshot);
		break;
	case KV_LOG_END:
		wrbuf_u64(&wr, frame->acked);
		break;
	case KV_LOG_ABORT:
	case KV_LOG_KINDS:
		break;
	}
	ENSURE(frame->kind >= KV_LOG_LINK && frame->kind < KV_LOG_KINDS);
	ENSURE(!wr.is_full && more <= KV_LOG_RECORD_BYTES_MAX);
	wrbuf_init(&prefix, out, FRAME_PREFIX_BYTES);
	wrbuf_u32(&prefix, (uint32_t)(wr.len + more));
	wrbuf_u8(&prefix, (uint8_t)frame->kind);
	return FRAME_PREFIX_BYTES + wr.len;
}

static bool
take_body(struct rdbuf *rd, struct kv_log_frame *out)
{
	switch (out->kind) {
	case KV_LOG_LINK:
		take_link(rd, out);
		break;
	case KV_LOG_RECORD:
		out->tip = take_tip(rd);
		out->acked = rdbuf_u64(rd);
		out->len = rdbuf_left(rd);
		out->bytes = rdbuf_bytes(rd, out->len);
		break;
	case KV_LOG_BEGIN:
		out->tip = take_tip(rd);
		out->is_on_snapshot = rdbuf_u8(rd) != 0;
		break;
	case KV_LOG_END:
		out->acked = rdbuf_u64(rd);
		break;
	case KV_LOG_ABORT:
		break;
	case KV_LOG_KINDS:
		return false;
	}
	return rdbuf_is_done(rd) && out->len <= KV_LOG_RECORD_BYTES_MAX;
}

bool
kv_log_frame_take(struct rdbuf *rd, struct kv_log_frame *out)
{
	uint32_t len;
	uint8_t kind;
	const uint8_t *body;
	struct rdbuf within;

	if (rdbuf_left(rd) == 0)
		return false;
	len = rdbuf_u32(rd);
	kind = rdbuf_u8(rd);
	body = rdbuf_bytes(rd, len);
	if (body == NULL)
		return false;
	*out = (struct kv_log_frame){ .kind = KV_LOG_KINDS };
	if (kind >= KV_LOG_LINK && kind < KV_LOG_KINDS)
		out->kind = (enum kv_log_kind)kind;
	rdbuf_init(&within, body, len);
	if (!take_body(&within, out))
		rd->is_short = true;
	return !rd->is_short;
}

/* ---- what they come to ------------------------------------------------- */

static bool
is_equal(const struct kv_tip *a, const struct kv_tip *b)
{
	return kv_tip_compare(a, b) == 0;
}

static bool
follow_link(struct kv_log_state *state, const struct kv_log_frame *frame)
{
	const struct kv_log_state *link = &frame->state;

	if (!frame->is_first &&
	    (link->is_verified != state->is_verified ||
		link->is_taking != state->is_taking ||
		link->is_on_snapshot != state->is_on_snapshot ||
		link->acked != state->acked ||
		!is_equal(&link->tip, &state->tip) ||
		!is_equal(&link->base, &state->base) ||
		!is_equal(&link->next, &state->next)))
		return false;
	if (frame->is_first &&
	    (link->is_taking || link->tip.index != 0 || link->acked != 0))
		return false;
	*state = *link;
	return true;
}

static bool
follow_record(struct kv_log_state *state, const struct kv_log_frame *frame)
{
	struct kv_tip *end = state->is_taking ? &state->next : &state->tip;

	if (!state->is_taking && !state->is_verified)
		return false;
	if (frame->tip.index != end->index + 1 ||
	    kv_epoch_compare(&frame->tip.epoch, &end->epoch) < 0 ||
	    frame->acked > frame->tip.index)
		return false;
	*end = frame->tip;
	if (!state->is_taking)
		state->acked = num_max(state->acked, frame->acked);
	return true;
}

/* What is known to be acknowledged stays, or is in the snapshot. */
static bool
follow_begin(struct kv_log_state *state, const struct kv_log_frame *frame)
{
	if (frame->tip.index < state->acked ||
	    (!frame->is_on_snapshot && frame->tip.index > state->tip.index))
		return false;
	state->is_taking = true;
	state->is_on_snapshot = frame->is_on_snapshot;
	state->base = state->next = frame->tip;
	return true;
}

static void
stop_taking(struct kv_log_state *state)
{
	state->is_taking = state->is_on_snapshot = false;
	state->base = state->next = (struct kv_tip){ 0 };
}

static bool
follow_end(struct kv_log_state *state, const struct kv_log_frame *frame)
{
	if (!state->is_taking || frame->acked > state->next.index ||
	    kv_tip_compare(&state->next, &state->tip) < 0)
		return false;
	state->is_verified = true;
	state->tip = state->next;
	state->acked = num_max(state->acked, frame->acked);
	if (state->is_on_snapshot)
		state->acked = num_max(state->acked, state->base.index);
	stop_taking(state);
	return true;
}

bool
kv_log_follow(struct kv_log_state *state, const struct kv_log_frame *frame)
{
	switch (frame->kind) {
	case KV_LOG_LINK:
		return follow_link(state, frame);
	case KV_LOG_RECORD:
		return follow_record(state, frame);
	case KV_LOG_BEGIN:
		return follow_begin(state, frame);
	case KV_LOG_END:
		return follow_end(state, frame);
	case KV_LOG_ABORT:
		if (!state->is_taking)
			return false;
		stop_taking(state);
		return true;
	case KV_LOG_KINDS:
		break;
	}
	return false;
}

/* ---- segments ---------------------------------------------------------- */

void
kv_log_header(
    const struct kv_log_segment *segment, uint8_t out[KV_LOG_HEADER_BYTES])
{
	struct wrbuf wr;

	ENSURE(segment->serial > 0 && segment->bytes % KV_LOG_BLOCK == 0);
	memset(out, 0, KV_LOG_HEADER_BYTES);
	wrbuf_init(&wr, out, KV_LOG_HEADER_BYTES);
	wrbuf_bytes(&wr, magic, sizeof magic);
	wrbuf_u32(&wr, VERSION);
	wrbuf_u64(&wr, segment->bytes);
	wrbuf_u64(&wr, segment->serial);
	wrbuf_u64(&wr, segment->salt);
	wrbuf_u32(&wr, crc32c_more(0, out, wr.len));
	ENSURE(wr.len == HEADER_USED_BYTES);
}

static bool
read_header(struct kv_log_segment *out, const uint8_t *bytes, size_t len)
{
	uint8_t again[KV_LOG_HEADER_BYTES];
	struct kv_log_segment segment;
	struct rdbuf rd;

	if (len < KV_LOG_HEADER_BYTES)
		return false;
	rdbuf_init(&rd, bytes, len);
	(void)rdbuf_bytes(&rd, sizeof magic + 4); /* compared below */
	segment.bytes = rdbuf_u64(&rd);
	segment.serial = rdbuf_u64(&rd);
	segment.salt = rdbuf_u64(&rd);
	if (segment.serial == 0 || segment.bytes % KV_LOG_BLOCK != 0 ||
	    segment.bytes <= KV_LOG_HEADER_BYTES)
		return false;
	kv_log_header(&segment, again);
	if (memcmp(again, bytes, sizeof again) != 0)
		return false;
	*out = segment;
	return true;
}

/* All of it may be another, but for the length of its beginning and the sum. */
static bool
is_header_foreign(const uint8_t *bytes, size_t len)
{
	const size_t summed = HEADER_USED_BYTES - 4;
	struct rdbuf rd;

	if (len < KV_LOG_HEADER_BYTES ||
	    memcmp(bytes, magic, sizeof magic) != 0)
		return false;
	rdbuf_init(&rd, bytes + sizeof magic, 4);
	if (rdbuf_u32(&rd) == VERSION)
		return false;
	rdbuf_init(&rd, bytes + summed, 4);
	return rdbuf_u32(&rd) == crc32c_more(0, bytes, summed);
}

uint64_t
kv_log_batch_bytes(size_t len)
{
	return num_round_up(KV_LOG_BATCH_HEAD_BYTES + len, KV_LOG_BLOCK);
}

static void
put_batch_head(const struct kv_log_segment *segment, uint64_t offset,
    uint32_t len, uint32_t crc, uint8_t *out)
{
	struct wrbuf wr, sum;

	wrbuf_init(&wr, out + 4, KV_LOG_BATCH_HEAD_BYTES - 4);
	wrbuf_u32(&wr, crc);
	wrbuf_u32(&wr, len);
	wrbuf_u32(&wr, (uint32_t)(offset / KV_LOG_BLOCK));
	wrbuf_u64(&wr, segment->salt);
	wrbuf_u64(&wr, segment->serial);
	ENSURE(wr.len == KV_LOG_BATCH_HEAD_BYTES - 4);
	wrbuf_init(&sum, out, 4);
	wrbuf_u32(&sum, crc32c_more(0, wr.bytes, wr.len));
}

void
kv_log_batch_head(const struct kv_log_segment *segment, uint64_t offset,
    const struct kv_log_piece *pieces, size_t count,
    uint8_t out[KV_LOG_BATCH_HEAD_BYTES])
{
	uint32_t crc = 0;
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		crc = crc32c_more(crc, pieces[i].bytes, pieces[i].len);
		len += pieces[i].len;
	}
	ENSURE(len <= KV_LOG_BATCH_BYTES_MAX && offset % KV_LOG_BLOCK == 0);
	ENSURE(offset + kv_log_batch_bytes(len) <= segment->bytes);
	put_batch_head(segment, offset, (uint32_t)len, crc, out);
}

/* ---- reading ----------------------------------------------------------- */

struct head {
	uint32_t crc;
	uint32_t len;
};

/* A head that was written for this place, whatever follows it. */
static bool
read_head(const struct kv_log_segment *segment, const uint8_t *bytes,
    uint64_t offset, struct head *out)
{
	uint8_t again[KV_LOG_BATCH_HEAD_BYTES];
	struct rdbuf rd;

	rdbuf_init(&rd, bytes + offset, KV_LOG_BATCH_HEAD_BYTES);
	(void)rdbuf_u32(&rd); /* compared below */
	out->crc = rdbuf_u32(&rd);
	out->len = rdbuf_u32(&rd);
	(void)rdbuf_u32(&rd);
	if (rdbuf_u64(&rd) != segment->salt)
		return false;
	put_batch_head(segment, offset, out->len, out->crc, again);
	return memcmp(again, bytes + offset, sizeof again) == 0 &&
	    out->len <= KV_LOG_BATCH_BYTES_MAX &&
	    kv_log_batch_bytes(out->len) <= segment->bytes - offset;
}

static bool
is_any_head_behind(
    const struct kv_log_segment *segment, const uint8_t *bytes, uint64_t offset)
{
	struct head head;

	for (; offset < segment->bytes; offset += KV_LOG_BLOCK)
		if (read_head(segment, bytes, offset, &head))
			return true;
	return false;
}

static void
look_at_batches(struct kv_log_found *out, const uint8_t *bytes)
{
	const struct kv_log_segment *segment = &out->segment;
	struct head head;

	out->end = KV_LOG_HEADER_BYTES;
	out->finding = KV_LOG_WHOLE;
	while (out->end < segment->bytes) {
		const uint8_t *at = bytes + out->end;

		if (!read_head(segment, bytes, out->end, &head))
			break;
		if (crc32c_more(0, at + KV_LOG_BATCH_HEAD_BYTES, head.len) !=
		    head.crc) {
			out->finding = KV_LOG_TORN;
			break;
		}
		out->end += kv_log_batch_bytes(head.len);
		out->batches++;
	}
	if (is_any_head_behind(segment, bytes, out->end + KV_LOG_BLOCK))
		out->finding = KV_LOG_DAMAGED;
}

void
kv_log_look(struct kv_log_found *out, const void *bytes, size_t len)
{
	*out = (struct kv_log_found){ .finding = KV_LOG_HEADER };
	if (is_header_foreign(bytes, len))
		out->finding = KV_LOG_VERSION;
	if (!read_header(&out->segment, bytes, len))
		return;
	if (out->segment.bytes != len)
		out->finding = KV_LOG_LENGTH;
	else
		look_at_batches(out, bytes);
}

void
kv_log_cursor_init(struct kv_log_cursor *cursor,
    const struct kv_log_found *found, const void *bytes)
{
	*cursor = (struct kv_log_cursor){
		.bytes = bytes, .next = KV_LOG_HEADER_BYTES, .end = found->end
	};
}

bool
kv_log_next(struct kv_log_cursor *cursor, struct kv_log_frame *out)
{
	while (rdbuf_left(&cursor->batch) == 0 && cursor->next < cursor->end) {
		const uint8_t *at = cursor->bytes + cursor->next;
		struct rdbuf rd;
		uint32_t len;

		rdbuf_init(&rd, at + 8, 4);
		len = rdbuf_u32(&rd);
		rdbuf_init(&cursor->batch, at + KV_LOG_BATCH_HEAD_BYTES, len);
		cursor->next += kv_log_batch_bytes(len);
	}
	return kv_log_frame_take(&cursor->batch, out);
}
