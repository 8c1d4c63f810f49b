/* SPDX-License-Identifier: BSD-3-Clause */
/* Giving the log to those who have it not, and the state where it is gone. */
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/cfgstored/replica_internal.h"

enum { PART_HEAD = 128 };

#define GIVE_PAUSE_NS_MAX UINT64_C(20000000)

void
replica_give_reset(struct replica *r)
{
	bool is_lending = r->give.is_lending;

	memset(&r->give, 0, sizeof r->give);
	r->give.is_lend_end_due = is_lending;
}

uint64_t
replica_give_pin(const struct replica *r)
{
	return r->give.is_on ? r->give.next : UINT64_MAX;
}

/* ---- what is asked ----------------------------------------------------- */

/*
 * Behind which index: where the asker's log ends if that is in ours, else
 * where it is sure to be ours.  false: nothing of it can be told.
 */
static bool
find_after(const struct replica *r, const struct replica_fetch *fetch,
    struct kv_tip *after)
{
	*after = (struct kv_tip){ 0 };
	if (fetch->is_whole)
		return false;
	if (replica_window_has(&r->win, &fetch->have)) {
		*after = fetch->have;
		return true;
	}
	if (fetch->acked < r->win.before.index || fetch->acked >= r->win.end)
		return false;
	*after = replica_log_tip_at(r, fetch->acked);
	return true;
}

static void
begin(struct replica *r, size_t asker)
{
	struct replica_give *give = &r->give;
	const struct replica_fetch *fetch = &give->ask[asker].fetch;

	give->is_on = true;
	give->asker = asker;
	give->number = fetch->number;
	give->granted = 0;
	give->piece_at = 0;
	/* A state that is not there, or nothing yet, cannot be given. */
	if (find_after(r, fetch, &give->after) || r->applied == 0) {
		if (give->is_lending)
			give->is_lend_end_due = true;
		give->is_lending = false;
		give->next = give->after.index + 1;
		return;
	}
	give->after = replica_log_tip_at(r, r->applied);
	give->next = r->applied + 1;
	give->meta = r->applied_meta;
	give->is_lending = give->is_lend_due = true;
	give->is_chunk_wanted = true;
	give->has_chunk = give->is_last = false;
	give->chunk = 0;
}

static bool
goes_on(const struct replica_give *give, const struct replica_fetch *fetch)
{
	return give->is_on && give->is_lending && fetch->is_more &&
	    fetch->number == give->number && fetch->next == give->chunk;
}

/* The next who waits. */
static void
find_work(struct replica *r)
{
	struct replica_give *give = &r->give;

	for (size_t i = 0; i < r->era.members.count; i++) {
		if (!give->ask[i].is_on)
			continue;
		give->ask[i].is_on = false;
		begin(r, i);
		return;
	}
}

void
replica_give_ask(
    struct replica *r, size_t member, const struct replica_fetch *fetch)
{
	struct replica_give *give = &r->give;

	if (!r->era.is_complete || member == r->era.self || r->is_lacking)
		return;
	give->ask[member].is_on = false;
	if (give->is_on && give->asker == member) {
		if (fetch->giver == r->cfg.self && goes_on(give, fetch)) {
			give->granted = 0;
			return;
		}
		give->is_on = false;
	}
	if (fetch->giver == r->cfg.self) {
		give->ask[member].is_on = true;
		give->ask[member].fetch = *fetch;
	}
	/* Who fetches a state is not interrupted. */
	if (!give->is_on)
		find_work(r);
}

/* ---- the copy of the state --------------------------------------------- */

void
replica_give_lent(struct replica *r, const struct replica_input *in)
{
	struct replica_give *give = &r->give;

	if (!give->is_on || !give->is_lending || give->has_chunk ||
	    in->lent.len > REPLICA_CHUNK_BYTES_MAX)
		return;
	give->has_chunk = true;
	give->is_last = in->lent.len == 0;
	give->chunk_len = in->lent.len;
	if (in->lent.len > 0)
		memcpy(r->chunk, in->lent.bytes, in->lent.len);
}

bool
replica_give_next_effect(struct replica *r, struct replica_effect *out)
{
	struct replica_give *give = &r->give;

	if (give->is_lend_end_due) {
		give->is_lend_end_due = false;
		out->kind = REPLICA_OUT_LEND_END;
		return true;
	}
	if (give->is_lend_due) {
		give->is_lend_due = false;
		out->kind = REPLICA_OUT_LEND;
		return true;
	}
	if (!give->is_lending || !give->is_chunk_wanted)
		return false;
	give->is_chunk_wanted = false;
	out->kind = REPLICA_OUT_LEND_NEXT;
	return true;
}

/* ---- parts ------------------------------------------------------------- */

/* Where others write meanwhile, half of the time is theirs. */
void
replica_give_delivered(struct replica *r)
{
	struct replica_give *give = &r->give;

	give->next_ns = r->now_ns;
	if (give->is_sent && r->era.end != give->sent_end)
		give->next_ns += num_min(
		    num_sub(r->now_ns, give->sent_ns), GIVE_PAUSE_NS_MAX);
	give->is_sent = false;
}

/* The next would be there. */
static bool
is_part_ready(const struct replica *r)
{
	const struct replica_give *give = &r->give;

	if (!give->is_on || give->is_sent)
		return false;
	return !give->is_lending ||
	    (give->has_chunk && give->granted < REPLICA_GRANT_PARTS);
}

uint64_t
replica_give_deadline_ns(const struct replica *r)
{
	if (r->give.next_ns <= r->now_ns || !is_part_ready(r))
		return REPLICA_NEVER;
	return r->give.next_ns;
}

static void
put_records(struct replica *r, struct wrbuf *wr)
{
	struct replica_give *give = &r->give;
	struct replica_record record;
	size_t begin_len = wr->len;

	while (replica_window_get(&r->win, give->next, &record)) {
		struct replica_item item = { .tip = record.tip,
			.bytes = record.bytes,
			.len = record.len };

		if (wr->len > begin_len &&
		    wr->len + record.len + REPLICA_ITEM_HEAD >
			REPLICA_BATCH_BYTES)
			return;
		replica_wire_put_item(wr, &item);
		give->after = record.tip;
		give->next++;
	}
}

static void
finish(struct replica *r)
{
	r->give.is_on = false;
	find_work(r);
}

/* How the state is given: chunk by chunk. */
static void
part_of_state(struct replica *r, struct wrbuf *wr, struct replica_part *part)
{
	struct replica_give *give = &r->give;

	part->kind = give->is_last ? REPLICA_PART_LAST : REPLICA_PART_CHUNK;
	part->at = give->chunk;
	part->is_end =
	    !give->is_last && give->granted + 1 >= REPLICA_GRANT_PARTS;
	replica_wire_put_part(wr, part);
	give->has_chunk = false;
	give->granted++;
	if (!give->is_last) {
		wrbuf_bytes(wr, r->chunk, give->chunk_len);
		give->chunk++;
		give->is_chunk_wanted = true;
		return;
	}
	replica_wire_put_meta(wr, &give->meta);
	give->is_lending = false;
	give->is_lend_end_due = true;
}

/* The next record does not fit into one message: true, and a piece of it. */
static bool
part_of_record(struct replica *r, struct wrbuf *wr, struct replica_part *part)
{
	struct replica_give *give = &r->give;
	const size_t most = r->cfg.message_bytes_max - REPLICA_HEAD_BYTES_MAX;
	struct replica_record record;
	struct replica_piece piece;

	if (!replica_window_get(&r->win, give->next, &record) ||
	    record.len <= most)
		return false;
	piece = (struct replica_piece){ .tip = record.tip,
		.total = record.len,
		.at = give->piece_at,
		.bytes = record.bytes + give->piece_at,
		.len = num_min(most, record.len - give->piece_at) };
	part->kind = REPLICA_PART_PIECE;
	give->piece_at += (uint32_t)piece.len;
	if (give->piece_at == record.len) {
		give->after = record.tip;
		give->next++;
		give->piece_at = 0;
	}
	part->is_end = give->piece_at == 0 &&
	    (give->granted >= REPLICA_GRANT_PARTS || give->next == r->win.end);
	replica_wire_put_part(wr, part);
	replica_wire_put_piece(wr, &piece);
	if (part->is_end)
		finish(r);
	return true;
}

static void
part_of_log(struct replica *r, struct wrbuf *wr, struct replica_part *part)
{
	struct replica_give *give = &r->give;

	give->granted++;
	if (part_of_record(r, wr, part))
		return;
	part->kind = REPLICA_PART_RECORDS;
	/* Whether it is the end shows only when the records are there. */
	part->is_end = give->granted >= REPLICA_GRANT_PARTS ||
	    replica_window_behind(&r->win, give->next - 1) <
		REPLICA_BATCH_BYTES / 2;
	replica_wire_put_part(wr, part);
	put_records(r, wr);
	if (part->is_end)
		finish(r);
}

bool
replica_give_part(struct replica *r, struct wrbuf *wr)
{
	struct replica_give *give = &r->give;
	struct replica_part part = { .acked = r->acked };

	if (!is_part_ready(r) || give->next_ns > r->now_ns)
		return false;
	part.asker = r->era.members.id[give->asker];
	part.number = give->number;
	part.after = give->after;
	give->is_sent = true;
	give->sent_ns = r->now_ns;
	give->sent_end = r->era.end;
	if (give->is_lending)
		part_of_state(r, wr, &part);
	else
		part_of_log(r, wr, &part);
	return true;
}
