/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Three segments: bytes are put over what a writer wrote, with sums that are
 * right where the first octet says so.  Whatever is found, a log that is good
 * is told from its first record to its last, without holes.
 */
#include <stdint.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/cfgstored/kv_log_replay.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

enum { SEGMENTS = 3, BYTES = KV_LOG_HEADER_BYTES + 16 * KV_LOG_BLOCK };

static uint8_t segments[SEGMENTS][BYTES];

static const uint8_t *
piece(struct rdbuf *rd, size_t max, size_t *len)
{
	*len = rdbuf_u8(rd);
	*len = (size_t)num_min(*len, num_min(max, rdbuf_left(rd)));
	return rdbuf_bytes(rd, *len);
}

/* Frames as the input has them: kind, then a body. */
static size_t
frames(struct rdbuf *rd, uint8_t *out, size_t size)
{
	struct wrbuf wr;
	size_t count = rdbuf_u8(rd) % 8;

	wrbuf_init(&wr, out, size);
	while (count-- > 0 && rdbuf_left(rd) > 2) {
		uint8_t kind = rdbuf_u8(rd);
		size_t len;
		const uint8_t *body = piece(rd, 250, &len);

		if (wrbuf_left(&wr) < len + 5)
			break;
		wrbuf_u32(&wr, (uint32_t)len);
		wrbuf_u8(&wr, kind);
		wrbuf_bytes(&wr, body, len);
	}
	return wr.len;
}

static void
write_segment(struct rdbuf *rd, size_t idx)
{
	const struct kv_log_segment segment = { idx + 1, idx + 7, BYTES };
	size_t batches = rdbuf_u8(rd) % 8;
	uint64_t offset = KV_LOG_HEADER_BYTES;
	uint8_t body[2 * KV_LOG_BLOCK];

	memset(segments[idx], 0, BYTES);
	kv_log_header(&segment, segments[idx]);
	while (batches-- > 0) {
		struct kv_log_piece part = { body,
			frames(rd, body, sizeof body) };
		uint8_t *at = segments[idx] + offset;

		if (offset + kv_log_batch_bytes(part.len) > BYTES)
			break;
		kv_log_batch_head(&segment, offset, &part, 1, at);
		memcpy(at + KV_LOG_BATCH_HEAD_BYTES, body, part.len);
		offset += kv_log_batch_bytes(part.len);
	}
}

static void
spoil(struct rdbuf *rd)
{
	while (rdbuf_left(rd) > 4) {
		size_t idx = rdbuf_u8(rd) % SEGMENTS;
		size_t at = rdbuf_u16(rd) % BYTES, len;
		const uint8_t *bytes = piece(rd, BYTES - at, &len);

		if (len > 0)
			memcpy(segments[idx] + at, bytes, len);
	}
}

static void
tell(struct kv_log_replay *replay, uint64_t snapshot)
{
	struct kv_log_frame frame;
	uint64_t last = snapshot;

	kv_log_replay_begin(replay, snapshot);
	while (kv_log_replay_next(replay, &frame)) {
		if (frame.kind == KV_LOG_BEGIN) {
			ENSURE(frame.tip.index >= snapshot);
			ENSURE(frame.tip.index < last);
		} else
			ENSURE(frame.tip.index == last + 1);
		last = frame.tip.index;
	}
	ENSURE(last == replay->state.tip.index);
}

static void
read_all(size_t count, size_t cut)
{
	struct kv_log_file files[SEGMENTS];
	struct kv_log_replay replay;

	for (size_t i = 0; i < count; i++) {
		files[i].serial = i + 1;
		files[i].bytes = segments[i];
		kv_log_look(
		    &files[i].found, segments[i], i + 1 == count ? cut : BYTES);
	}
	kv_log_replay_init(&replay, files, count);
	if (replay.health != KV_LOG_GOOD)
		return;
	for (uint64_t i = 0; i < 4; i++) {
		uint64_t floor = replay.floor, tip = replay.state.tip.index;
		const uint64_t snapshots[] = { floor, floor + 1, tip / 2, tip };

		if (kv_log_replay_fits(&replay, snapshots[i]))
			tell(&replay, snapshots[i]);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	struct rdbuf rd;
	uint8_t mode;

	rdbuf_init(&rd, bytes, len);
	mode = rdbuf_u8(&rd);
	for (size_t i = 0; i < SEGMENTS; i++)
		write_segment(&rd, i);
	if (mode & 1)
		spoil(&rd);
	read_all(SEGMENTS, mode & 2 ? rdbuf_u16(&rd) % BYTES : BYTES);
	read_all(1, BYTES);
	return 0;
}
