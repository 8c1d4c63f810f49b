/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/unit/logworld.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "tests/unit/check.h"

/* What was in the blocks before: another log, as like it as can be. */
static void
fill_stale(struct logworld *w, size_t idx)
{
	struct kv_log_segment segment = w->segment[idx];
	const uint8_t old[200] = "stale";
	const struct kv_log_piece piece = { old, sizeof old };
	uint8_t *bytes = w->bytes[idx];

	segment.salt++;
	for (uint64_t at = 0; at < segment.bytes; at += KV_LOG_BLOCK) {
		memcpy(bytes + at + KV_LOG_BATCH_HEAD_BYTES, old, sizeof old);
		kv_log_batch_head(&segment, at, &piece, 1, bytes + at);
	}
}

static void
add_segment(struct logworld *w)
{
	struct kv_log_segment *segment = &w->segment[w->count];

	ENSURE(w->count < LOGWORLD_SEGMENTS);
	*segment = (struct kv_log_segment){ .serial = w->count + 1,
		.salt = rng_next(&w->rng),
		.bytes = LOGWORLD_SEGMENT_BYTES };
	memset(w->bytes[w->count], 0, LOGWORLD_SEGMENT_BYTES);
	if (rng_below(&w->rng, 2) == 0)
		fill_stale(w, w->count);
	kv_log_header(segment, w->bytes[w->count]);
	w->count++;
}

void
logworld_spare(struct logworld *w)
{
	add_segment(w);
}

void
logworld_init(struct logworld *w, uint64_t seed, bool is_verified)
{
	const struct kv_log_frame link = { .kind = KV_LOG_LINK,
		.is_first = true,
		.state.is_verified = is_verified };

	memset(w, 0, sizeof *w);
	rng_init(&w->rng, seed);
	w->view = 1;
	w->log.health = is_verified ? KV_LOG_GOOD : KV_LOG_BAD;
	add_segment(w);
	w->offset = KV_LOG_HEADER_BYTES;
	ENSURE(logworld_put(w, &link));
	logworld_write(w);
}

/* ---- what frames mean, said once more ---------------------------------- */

static void
follow(struct logworld *w, const struct kv_log_frame *frame)
{
	struct logworld_log *log = w->state.is_taking ? &w->staged : &w->log;
	uint64_t index = frame->tip.index;

	if (frame->kind == KV_LOG_RECORD) {
		log->tip = frame->tip;
		if (!w->state.is_taking)
			log->acked = num_max(log->acked, frame->acked);
		memcpy(&log->value[index], frame->bytes, 4);
		log->view[index] = frame->tip.epoch.view_seq;
	} else if (frame->kind == KV_LOG_BEGIN) {
		w->staged = w->log;
		w->staged.tip = frame->tip;
		if (frame->is_on_snapshot) {
			w->staged.floor = index;
			w->staged.acked = num_max(w->log.acked, index);
		}
	} else if (frame->kind == KV_LOG_END) {
		w->log = w->staged;
		w->log.health = KV_LOG_GOOD;
		w->log.acked = num_max(w->log.acked, frame->acked);
	}
}

bool
logworld_put(struct logworld *w, const struct kv_log_frame *frame)
{
	uint8_t head[KV_LOG_FRAME_HEAD_BYTES];
	size_t len = kv_log_frame_head(frame, head);
	struct kv_log_state state = w->state;

	if (w->pending_len + len + frame->len > sizeof w->pending ||
	    !kv_log_follow(&state, frame))
		return false;
	follow(w, frame);
	w->state = state;
	memcpy(w->pending + w->pending_len, head, len);
	if (frame->len > 0)
		memcpy(w->pending + w->pending_len + len, frame->bytes,
		    frame->len);
	w->pending_len += len + frame->len;
	return true;
}

/* ---- random frames ----------------------------------------------------- */

static void
play_record(struct logworld *w)
{
	static uint8_t bytes[900];
	const struct kv_tip *end =
	    w->state.is_taking ? &w->state.next : &w->state.tip;
	struct kv_log_frame frame = { .kind = KV_LOG_RECORD,
		.tip = { { w->view, 1, 1, 1 }, end->index + 1 },
		.acked = rng_below(&w->rng, end->index + 1),
		.bytes = bytes };
	uint32_t value = (uint32_t)rng_next(&w->rng);

	if (frame.tip.index >= LOGWORLD_RECORDS)
		return;
	memcpy(bytes, &value, sizeof value);
	frame.len =
	    4 + rng_below(&w->rng, rng_below(&w->rng, 8) == 0 ? 800 : 60);
	(void)logworld_put(w, &frame);
}

static void
play_begin(struct logworld *w)
{
	struct kv_log_frame frame = { .kind = KV_LOG_BEGIN };
	uint64_t acked = w->log.acked, last = w->log.tip.index;

	frame.is_on_snapshot = rng_below(&w->rng, 4) == 0;
	frame.tip.index = acked +
	    rng_below(&w->rng, frame.is_on_snapshot ? 20 : last - acked + 1);
	frame.tip.epoch.view_seq = w->view;
	if (frame.tip.index > 0 && frame.tip.index <= last)
		frame.tip.epoch.view_seq = w->log.view[frame.tip.index];
	if (frame.tip.index < LOGWORLD_RECORDS && logworld_put(w, &frame))
		w->view++;
}

void
logworld_play(struct logworld *w)
{
	size_t count = 1 + rng_below(&w->rng, 6);

	for (size_t i = 0; i < count; i++) {
		uint64_t dice = rng_below(&w->rng, 20);

		if (dice == 0)
			play_begin(w);
		else if (dice < 3 && w->state.is_taking)
			(void)logworld_put(w,
			    &(struct kv_log_frame){
				.kind = dice == 1 ? KV_LOG_END : KV_LOG_ABORT,
				.acked = rng_below(
				    &w->rng, w->state.next.index + 1) });
		else
			play_record(w);
	}
}

/* ---- writing and reading ----------------------------------------------- */

/* LINK tells the state before what was put. */
static size_t
next_segment(struct logworld *w, const struct kv_log_state *before,
    uint8_t link_bytes[KV_LOG_FRAME_HEAD_BYTES])
{
	const struct kv_log_frame link = { .kind = KV_LOG_LINK,
		.state = *before };

	add_segment(w);
	w->offset = KV_LOG_HEADER_BYTES;
	return kv_log_frame_head(&link, link_bytes);
}

static struct kv_log_state
state_before(const struct logworld *w)
{
	struct kv_log_state state = { 0 };
	struct kv_log_cursor cursor;
	struct kv_log_frame frame;

	for (size_t i = 0; i < w->count; i++) {
		struct kv_log_found found;

		kv_log_look(&found, w->bytes[i], LOGWORLD_SEGMENT_BYTES);
		kv_log_cursor_init(&cursor, &found, w->bytes[i]);
		while (kv_log_next(&cursor, &frame))
			ENSURE(kv_log_follow(&state, &frame));
	}
	return state;
}

void
logworld_write(struct logworld *w)
{
	uint8_t link[KV_LOG_FRAME_HEAD_BYTES];
	struct kv_log_piece pieces[2];
	size_t count = 0, len = w->pending_len;
	uint8_t *at;

	w->is_new_segment = false;
	if (w->offset + kv_log_batch_bytes(len) > LOGWORLD_SEGMENT_BYTES) {
		struct kv_log_state before = state_before(w);

		pieces[count].bytes = link;
		pieces[count].len = next_segment(w, &before, link);
		len += pieces[count++].len;
		w->is_new_segment = true;
	}
	pieces[count].bytes = w->pending;
	pieces[count++].len = w->pending_len;
	w->last_segment = w->count - 1;
	w->last_offset = w->offset;
	w->last_len = kv_log_batch_bytes(len);
	memcpy(w->before, w->bytes[w->last_segment], LOGWORLD_SEGMENT_BYTES);
	at = w->bytes[w->last_segment] + w->offset;
	memset(at, 0, w->last_len);
	kv_log_batch_head(
	    &w->segment[w->last_segment], w->offset, pieces, count, at);
	at += KV_LOG_BATCH_HEAD_BYTES;
	for (size_t i = 0; i < count; i++) {
		memcpy(at, pieces[i].bytes, pieces[i].len);
		at += pieces[i].len;
	}
	w->offset += w->last_len;
	w->pending_len = 0;
}

static void
tell(struct kv_log_replay *replay, struct logworld_log *out)
{
	struct kv_log_frame frame;

	kv_log_replay_begin(replay, replay->floor);
	out->floor = replay->floor;
	while (kv_log_replay_next(replay, &frame)) {
		if (frame.kind == KV_LOG_BEGIN)
			continue;
		memcpy(&out->value[frame.tip.index], frame.bytes, 4);
		out->view[frame.tip.index] = frame.tip.epoch.view_seq;
	}
	out->tip = replay->state.tip;
	out->acked = replay->state.acked;
}

void
logworld_read(const struct logworld *w, struct logworld_log *out)
{
	struct kv_log_file files[LOGWORLD_SEGMENTS];
	struct kv_log_replay replay;

	for (size_t i = 0; i < w->count; i++) {
		files[i].serial = i + 1;
		files[i].bytes = w->bytes[i];
		kv_log_look(
		    &files[i].found, w->bytes[i], LOGWORLD_SEGMENT_BYTES);
	}
	memset(out, 0, sizeof *out);
	kv_log_replay_init(&replay, files, w->count);
	out->health = replay.health;
	if (replay.health == KV_LOG_GOOD)
		tell(&replay, out);
}

bool
logworld_is_equal(const struct logworld_log *a, const struct logworld_log *b)
{
	if (a->health != b->health)
		return false;
	if (a->health != KV_LOG_GOOD)
		return true;
	if (kv_tip_compare(&a->tip, &b->tip) != 0 || a->acked != b->acked ||
	    a->floor != b->floor)
		return false;
	for (uint64_t i = a->floor + 1; i <= a->tip.index; i++)
		if (a->value[i] != b->value[i] || a->view[i] != b->view[i])
			return false;
	return true;
}
