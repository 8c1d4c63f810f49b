/* SPDX-License-Identifier: BSD-3-Clause */
/* Taking over the log of an open epoch from somebody who has it. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

enum { PATIENCE_MAX = 6 };

/* What is fetched follows what the window has. */
static bool
has_begun(const struct replica *r)
{
	return r->fill.has_begun || r->fill.is_begin_due || r->era.is_ours;
}

static void
ask(struct replica *r)
{
	r->fill.is_fetch_due = true;
	r->fill.asked_ns = r->now_ns;
}

/* From the beginning. */
static void
ask_anew(struct replica *r, bool is_whole)
{
	r->fill.number++;
	r->fill.is_whole = is_whole;
	r->fill.phase = REPLICA_FILL_RECORDS;
	ask(r);
}

/* Somebody else who has all of it, if there is one. */
static uint32_t
find_giver(const struct replica *r, uint32_t but)
{
	const struct replica_era *era = &r->era;
	uint32_t first = era->giver;

	for (size_t i = 0; i < era->members.count; i++) {
		uint32_t node = era->members.id[i];

		if (node == r->cfg.self ||
		    era->peer[i].synced.synced < era->open_index)
			continue;
		if (node > but)
			return node;
		if (first == era->giver)
			first = node;
	}
	return first;
}

void
replica_fill_begin(struct replica *r)
{
	struct replica_fill *fill = &r->fill;
	uint32_t number = fill->number;

	if (r->is_failed)
		return;
	/* One that had not come to its end goes on. */
	if (!has_begun(r)) {
		*fill = (struct replica_fill){ .number = number };
		fill->old_tip = replica_window_tip(&r->win);
		fill->old_meta = r->meta;
	}
	fill->giver =
	    r->era.giver != r->cfg.self ? r->era.giver : find_giver(r, 0);
	ask_anew(r, false);
	replica_log_numbers(r, "takes over the log from node ", fill->giver,
	    ", behind index ", replica_window_tip(&r->win).index);
}

/*
 * Nothing has made room since there was none: it would be asked for ever.  A
 * state makes room itself.
 */
static bool
is_stuck(const struct replica *r)
{
	return r->fill.is_stuck && !r->fill.is_whole &&
	    r->fill.stuck_at == replica_log_may_go(r);
}

bool
replica_fill_fetch(struct replica *r, struct replica_fetch *out)
{
	struct replica_fill *fill = &r->fill;

	/* What comes could not be written. */
	if (!fill->is_fetch_due || r->era.is_contiguous || is_stuck(r) ||
	    (fill->has_begun && r->room < REPLICA_BATCH_BYTES &&
		r->given + 1 < r->win.end))
		return false;
	fill->is_fetch_due = false;
	fill->asked_ns = r->now_ns;
	*out = (struct replica_fetch){ .giver = fill->giver,
		.number = fill->number,
		.is_whole = fill->is_whole,
		.is_more = fill->phase == REPLICA_FILL_CHUNKS,
		.next = fill->next,
		.have = replica_window_tip(&r->win),
		.acked = r->acked };
	out->acked = num_min(out->acked, out->have.index);
	fill->piece_len = 0;
	return true;
}

/* ---- records ----------------------------------------------------------- */

/* Our log up to there is theirs, too, and the state has nothing behind it. */
static bool
is_common(const struct replica *r, const struct kv_tip *after)
{
	return after->index >= r->applied &&
	    (after->index == 0 ? r->win.before.index == 0
			       : replica_window_has(&r->win, after));
}

static void
begin_on_disk(struct replica *r, const struct kv_tip *after, bool is_snapshot)
{
	struct replica_fill *fill = &r->fill;

	fill->is_begin_due = true;
	fill->is_on_snapshot = is_snapshot;
	fill->after = *after;
}

/* false: it has to be a snapshot. */
static bool
begin_records(struct replica *r, const struct kv_tip *after)
{
	struct replica_fill *fill = &r->fill;
	struct kv_tip tip = replica_window_tip(&r->win);

	if (has_begun(r))
		return true;
	if (fill->is_spoilt || !is_common(r, after))
		return false;
	if (after->index < tip.index)
		fill->is_spoilt = true;
	replica_window_cut(&r->win, after->index);
	begin_on_disk(r, after, false);
	return true;
}

static bool
take_record(struct replica *r, const struct kv_tip *tip, const uint8_t *bytes,
    size_t len)
{
	struct replica_fill *fill = &r->fill;
	uint64_t may_go = replica_log_may_go(r);

	if (tip->index != r->win.end)
		return false;
	fill->is_stuck = !replica_window_push(&r->win, tip, bytes, len, may_go);
	fill->stuck_at = may_go;
	if (fill->is_stuck)
		return false;
	replica_log_follow(&r->meta, tip->index, bytes, len);
	fill->bytes += len;
	return true;
}

/* A record that comes in pieces, in order. */
static bool
take_piece(struct replica *r, const struct replica_part *part)
{
	struct replica_fill *fill = &r->fill;
	uint8_t *large = replica_log_large(r, REPLICA_LARGE_FETCHED);
	struct rdbuf items = part->items;
	struct replica_piece piece;

	if (!replica_wire_get_piece(&items, &piece) ||
	    piece.tip.index != r->win.end || piece.at != fill->piece_len ||
	    piece.total > KV_LOG_RECORD_BYTES_MAX)
		return true;
	memcpy(large + piece.at, piece.bytes, piece.len);
	fill->piece_len += (uint32_t)piece.len;
	if (fill->piece_len < piece.total)
		return true;
	fill->piece_len = 0;
	return take_record(r, &piece.tip, large, piece.total) ||
	    piece.tip.index > r->era.open_index;
}

/* false: there will never be room for what comes before OPEN. */
static bool
take_records(struct replica *r, const struct replica_part *part)
{
	struct rdbuf items = part->items;
	struct replica_item item;

	while (rdbuf_left(&items) > 0 && replica_wire_get_item(&items, &item)) {
		if (item.tip.index < r->win.end)
			continue;
		if (!take_record(r, &item.tip, item.bytes, item.len))
			return item.tip.index > r->era.open_index;
	}
	return true;
}

/* ---- the state --------------------------------------------------------- */

/*
 * What is in memory is nothing until the log begins on this state.  The one
 * on disk counts until then, also one that has OPEN: what takes its place must
 * not have less of this epoch, which was confirmed.
 */
static void
begin_state(struct replica *r)
{
	struct replica_fill *fill = &r->fill;

	if (r->era.is_ours)
		fill->floor = r->given;
	r->era.is_ours = false;
	replica_forget_log(r);
	r->is_kv_void = fill->is_spoilt = true;
	fill->phase = REPLICA_FILL_CHUNKS;
	fill->next = 0;
	fill->is_stuck = fill->is_begin_due = false;
	/* Of one that came before, what is being saved is no more wanted. */
	fill->is_save_due = fill->is_unsaved = false;
}

static void
take_chunk(struct replica *r, const struct replica_part *part)
{
	struct replica_fill *fill = &r->fill;
	struct rdbuf items = part->items;
	size_t len = rdbuf_left(&items);
	const uint8_t *bytes = rdbuf_bytes(&items, len);

	if (part->at == 0)
		begin_state(r);
	if (fill->phase != REPLICA_FILL_CHUNKS || part->at != fill->next)
		return;
	fill->next++;
	fill->bytes += len;
	if (kv_reader_take(&r->reader, bytes, len) == 0)
		return;
	replica_log(r, "the state that is given does not fit here");
	r->fill.phase = REPLICA_FILL_RECORDS;
}

static void
take_last(struct replica *r, const struct replica_part *part)
{
	struct replica_fill *fill = &r->fill;
	struct rdbuf items = part->items;

	if (fill->phase != REPLICA_FILL_CHUNKS || part->at != fill->next ||
	    !r->reader.is_done ||
	    !replica_wire_get_meta(&items, &r->applied_meta))
		return;
	r->meta = r->applied_meta;
	r->applied = part->after.index;
	r->is_kv_void = false;
	replica_window_clear(&r->win, &part->after);
	begin_on_disk(r, &part->after, true);
	fill->is_save_due = fill->is_unsaved = true;
	fill->phase = REPLICA_FILL_RECORDS;
	fill->is_whole = false;
}

/* ---- both -------------------------------------------------------------- */

void
replica_fill_part(struct replica *r, const struct replica_part *part)
{
	struct replica_fill *fill = &r->fill;

	if (r->era.is_contiguous || fill->phase == REPLICA_FILL_NOT ||
	    part->number != fill->number)
		return;
	fill->asked_ns = r->now_ns;
	fill->giver_acked = num_max(fill->giver_acked, part->acked);
	if (part->kind == REPLICA_PART_CHUNK) {
		take_chunk(r, part);
	} else if (part->kind == REPLICA_PART_LAST) {
		take_last(r, part);
	} else if (fill->phase == REPLICA_FILL_RECORDS) {
		if (!begin_records(r, &part->after)) {
			ask_anew(r, true);
			return;
		}
		if (part->kind == REPLICA_PART_PIECE ? !take_piece(r, part)
						     : !take_records(r, part)) {
			ask_anew(r, true);
			return;
		}
		replica_fill_join(r);
	}
	if (part->is_end && !r->era.is_contiguous)
		ask(r);
}

void
replica_fill_join(struct replica *r)
{
	struct replica_record record;
	struct kv_tip tip;

	if (r->era.is_contiguous || !has_begun(r))
		return;
	while (r->win.end <= r->era.end &&
	    replica_window_get(&r->live, r->win.end, &record))
		if (!take_record(r, &record.tip, record.bytes, record.len))
			break;
	if (r->win.end > r->era.end) {
		r->era.is_contiguous = true;
		r->fill.phase = REPLICA_FILL_NOT;
		r->fill.is_fetch_due = false;
		tip = replica_window_tip(&r->win);
		replica_window_clear(&r->live, &tip);
	}
	replica_log_go_on(r);
}

void
replica_fill_abort(struct replica *r)
{
	struct replica_fill *fill = &r->fill;
	bool is_open = fill->has_begun || fill->is_begin_due;

	if (fill->has_begun)
		r->is_abort_due = true;
	if (fill->is_spoilt && r->is_verified) {
		replica_log(r, "the takeover was cut off: reads its files");
		r->is_reload_due = true;
	} else if (fill->is_spoilt || (is_open && !r->is_verified)) {
		replica_forget_log(r);
	} else if (is_open) {
		replica_window_cut(&r->win, fill->old_tip.index);
		r->meta = fill->old_meta;
		r->given = num_min(r->given, fill->old_tip.index);
	}
	*fill = (struct replica_fill){ .number = fill->number };
}

static bool
is_waiting(const struct replica *r)
{
	return r->era.is_on && r->era.is_open && !r->era.is_contiguous &&
	    r->fill.phase != REPLICA_FILL_NOT && !r->is_failed;
}

uint64_t
replica_fill_deadline_ns(const struct replica *r)
{
	if (!is_waiting(r))
		return REPLICA_NEVER;
	return r->fill.asked_ns + (2 * r->cfg.silence_ns << r->fill.patience);
}

void
replica_fill_on_time(struct replica *r)
{
	if (replica_fill_deadline_ns(r) > r->now_ns)
		return;
	/* What was asked for may only be slow; asking anew makes it void. */
	if (r->fill.patience < PATIENCE_MAX)
		r->fill.patience++;
	r->fill.giver = find_giver(r, r->fill.giver);
	ask_anew(r, r->fill.is_whole || r->is_kv_void);
}
