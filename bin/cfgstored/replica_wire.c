/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstored/replica_wire.h"

#include "libcommon/base/ensure.h"

enum { VERSION = 2, FLAG_A = 1, FLAG_B = 2, FLAG_C = 4 };

/* ---- what both are made of --------------------------------------------- */

static void
put_epoch(struct wrbuf *wr, const struct kv_epoch *epoch)
{
	wrbuf_u64(wr, epoch->view_seq);
	wrbuf_u32(wr, epoch->view_rep);
	wrbuf_u64(wr, epoch->pos_seq);
	wrbuf_u32(wr, epoch->pos_idx);
}

static struct kv_epoch
get_epoch(struct rdbuf *rd)
{
	struct kv_epoch epoch;

	epoch.view_seq = rdbuf_u64(rd);
	epoch.view_rep = rdbuf_u32(rd);
	epoch.pos_seq = rdbuf_u64(rd);
	epoch.pos_idx = rdbuf_u32(rd);
	return epoch;
}

void
replica_wire_put_tip(struct wrbuf *wr, const struct kv_tip *tip)
{
	put_epoch(wr, &tip->epoch);
	wrbuf_u64(wr, tip->index);
}

struct kv_tip
replica_wire_get_tip(struct rdbuf *rd)
{
	struct kv_tip tip = { .epoch = get_epoch(rd) };

	tip.index = rdbuf_u64(rd);
	return tip;
}

static void
put_nodes(struct wrbuf *wr, const struct kv_nodes *nodes)
{
	wrbuf_u8(wr, (uint8_t)nodes->count);
	for (size_t i = 0; i < nodes->count; i++)
		wrbuf_u32(wr, nodes->id[i]);
}

/* How many there are; 0 and short: too many. */
static size_t
get_count(struct rdbuf *rd)
{
	size_t count = rdbuf_u8(rd);

	if (count <= LIMIT_NODES)
		return count;
	rd->is_short = true;
	return 0;
}

static void
get_nodes(struct rdbuf *rd, struct kv_nodes *out)
{
	out->count = get_count(rd);
	for (size_t i = 0; i < out->count; i++) {
		out->id[i] = rdbuf_u32(rd);
		if (i > 0 && out->id[i - 1] >= out->id[i])
			rd->is_short = true;
	}
}

static void
put_electorate(struct wrbuf *wr, const struct kv_electorate *e)
{
	wrbuf_u8(wr, (uint8_t)e->count);
	for (size_t i = 0; i < e->count; i++) {
		wrbuf_u32(wr, e->voter[i].id);
		wrbuf_u32(wr, e->voter[i].votes);
	}
}

static void
get_electorate(struct rdbuf *rd, struct kv_electorate *out)
{
	out->count = get_count(rd);
	for (size_t i = 0; i < out->count; i++) {
		out->voter[i].id = rdbuf_u32(rd);
		out->voter[i].votes = rdbuf_u32(rd);
		if (out->voter[i].votes == 0 ||
		    (i > 0 && out->voter[i - 1].id >= out->voter[i].id))
			rd->is_short = true;
	}
}

static void
put_runs(struct wrbuf *wr, const struct replica_runs *runs)
{
	wrbuf_u8(wr, (uint8_t)runs->count);
	for (size_t i = 0; i < runs->count; i++) {
		wrbuf_u32(wr, runs->of[i].node);
		wrbuf_u64(wr, runs->of[i].inc);
		wrbuf_u64(wr, runs->of[i].run);
	}
}

static void
get_runs(struct rdbuf *rd, struct replica_runs *out)
{
	out->count = get_count(rd);
	for (size_t i = 0; i < out->count; i++) {
		out->of[i].node = rdbuf_u32(rd);
		out->of[i].inc = rdbuf_u64(rd);
		out->of[i].run = rdbuf_u64(rd);
		if (i > 0 && out->of[i - 1].node >= out->of[i].node)
			rd->is_short = true;
	}
}

void
replica_wire_put_meta(struct wrbuf *wr, const struct replica_meta *meta)
{
	wrbuf_u64(wr, meta->store);
	put_electorate(wr, &meta->e.now);
	put_electorate(wr, &meta->e.next);
	wrbuf_u64(wr, meta->elect_index);
	put_runs(wr, &meta->runs);
}

bool
replica_wire_get_meta(struct rdbuf *rd, struct replica_meta *out)
{
	out->store = rdbuf_u64(rd);
	get_electorate(rd, &out->e.now);
	get_electorate(rd, &out->e.next);
	out->elect_index = rdbuf_u64(rd);
	get_runs(rd, &out->runs);
	return !rd->is_short;
}

/* ---- records ----------------------------------------------------------- */

void
replica_wire_put_open(struct wrbuf *wr, const struct replica_open *open)
{
	wrbuf_u8(wr, REPLICA_RECORD_OPEN);
	wrbuf_u8(wr,
	    (uint8_t)((open->is_first ? FLAG_A : 0) |
		(open->is_init ? FLAG_B : 0)));
	replica_wire_put_tip(wr, &open->base);
	wrbuf_u32(wr, open->giver);
	put_nodes(wr, &open->counted);
	replica_wire_put_meta(wr, &open->meta);
}

bool
replica_wire_get_open(const void *bytes, size_t len, struct replica_open *out)
{
	struct rdbuf rd;
	uint8_t flags;

	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != REPLICA_RECORD_OPEN)
		return false;
	flags = rdbuf_u8(&rd);
	out->is_first = (flags & FLAG_A) != 0;
	out->is_init = (flags & FLAG_B) != 0;
	out->base = replica_wire_get_tip(&rd);
	out->giver = rdbuf_u32(&rd);
	get_nodes(&rd, &out->counted);
	return replica_wire_get_meta(&rd, &out->meta) && rdbuf_is_done(&rd) &&
	    out->meta.e.now.count > 0 && out->meta.store != 0;
}

void
replica_wire_put_elect(struct wrbuf *wr, const struct replica_elect *elect)
{
	wrbuf_u8(wr, REPLICA_RECORD_ELECT);
	wrbuf_u32(wr, elect->leaver);
	put_electorate(wr, &elect->next);
}

bool
replica_wire_get_elect(const void *bytes, size_t len, struct replica_elect *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != REPLICA_RECORD_ELECT)
		return false;
	out->leaver = rdbuf_u32(&rd);
	get_electorate(&rd, &out->next);
	return rdbuf_is_done(&rd) && out->next.count > 0;
}

void
replica_wire_put_cut(struct wrbuf *wr, uint64_t elect_index)
{
	wrbuf_u8(wr, REPLICA_RECORD_CUT);
	wrbuf_u64(wr, elect_index);
}

bool
replica_wire_get_cut(const void *bytes, size_t len, uint64_t *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != REPLICA_RECORD_CUT)
		return false;
	*out = rdbuf_u64(&rd);
	return rdbuf_is_done(&rd);
}

void
replica_wire_put_note(struct wrbuf *wr)
{
	wrbuf_u8(wr, REPLICA_RECORD_NOTE);
}

void
replica_wire_put_commands(
    struct wrbuf *wr, const struct replica_commands *commands)
{
	wrbuf_u8(wr, REPLICA_RECORD_COMMAND);
	wrbuf_u8(wr, commands->is_in_memory ? FLAG_A : 0);
	wrbuf_u32(wr, commands->node);
	wrbuf_u64(wr, commands->run);
	wrbuf_u16(wr, commands->count);
}

void
replica_wire_put_command(
    struct wrbuf *wr, const struct replica_command *command)
{
	wrbuf_u64(wr, command->number);
	wrbuf_u32(wr, (uint32_t)command->len);
	wrbuf_bytes(wr, command->bytes, command->len);
}

void
replica_wire_next_command(struct rdbuf *items, struct replica_command *out)
{
	out->number = rdbuf_u64(items);
	out->len = rdbuf_u32(items);
	out->bytes = rdbuf_bytes(items, out->len);
}

bool
replica_wire_get_commands(
    const void *bytes, size_t len, struct replica_commands *out)
{
	struct replica_command command;
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != REPLICA_RECORD_COMMAND)
		return false;
	out->is_in_memory = (rdbuf_u8(&rd) & FLAG_A) != 0;
	out->node = rdbuf_u32(&rd);
	out->run = rdbuf_u64(&rd);
	out->count = rdbuf_u16(&rd);
	out->items = rd;
	for (size_t i = 0; i < out->count; i++)
		replica_wire_next_command(&rd, &command);
	return rdbuf_is_done(&rd) && out->count > 0;
}

enum replica_record_kind
replica_wire_record_kind(const void *bytes, size_t len)
{
	const uint8_t *at = bytes;

	if (len == 0 || *at < REPLICA_RECORD_OPEN || *at > REPLICA_RECORD_NOTE)
		return (enum replica_record_kind)0;
	return (enum replica_record_kind) * at;
}

/* ---- messages ---------------------------------------------------------- */

void
replica_wire_put_head(struct wrbuf *wr, const struct replica_head *head)
{
	wrbuf_u8(wr, VERSION);
	wrbuf_u8(wr, (uint8_t)head->kind);
	put_epoch(wr, &head->epoch);
}

bool
replica_wire_get_head(struct rdbuf *rd, struct replica_head *out)
{
	uint8_t version = rdbuf_u8(rd);
	uint8_t kind = rdbuf_u8(rd);

	out->epoch = get_epoch(rd);
	out->kind = (enum replica_wire_kind)kind;
	return !rd->is_short && version == VERSION &&
	    kind >= REPLICA_WIRE_STATE && kind < REPLICA_WIRES;
}

void
replica_wire_put_said(struct wrbuf *wr, const struct replica_said *said)
{
	wrbuf_u8(wr,
	    (uint8_t)((said->is_verified ? FLAG_A : 0) |
		(said->is_blank ? FLAG_B : 0) |
		(said->is_silent ? FLAG_C : 0)));
	replica_wire_put_tip(wr, &said->tip);
	wrbuf_u64(wr, said->acked);
	wrbuf_u64(wr, said->inc);
	wrbuf_u64(wr, said->run);
	put_epoch(wr, &said->lived);
	wrbuf_u64(wr, said->configured);
	replica_wire_put_meta(wr, &said->meta);
	put_runs(wr, &said->fenced);
}

bool
replica_wire_get_said(struct rdbuf *rd, struct replica_said *out)
{
	uint8_t flags = rdbuf_u8(rd);

	out->is_verified = (flags & FLAG_A) != 0;
	out->is_blank = (flags & FLAG_B) != 0;
	out->is_silent = (flags & FLAG_C) != 0;
	out->tip = replica_wire_get_tip(rd);
	out->acked = rdbuf_u64(rd);
	out->inc = rdbuf_u64(rd);
	out->run = rdbuf_u64(rd);
	out->lived = get_epoch(rd);
	out->configured = rdbuf_u64(rd);
	if (!replica_wire_get_meta(rd, &out->meta))
		return false;
	get_runs(rd, &out->fenced);
	return rdbuf_is_done(rd);
}

void
replica_wire_put_synced(struct wrbuf *wr, const struct replica_synced *synced)
{
	wrbuf_u64(wr, synced->synced);
	wrbuf_u64(wr, synced->held);
	wrbuf_u64(wr, synced->marks);
}

bool
replica_wire_get_synced(struct rdbuf *rd, struct replica_synced *out)
{
	out->synced = rdbuf_u64(rd);
	out->held = rdbuf_u64(rd);
	out->marks = rdbuf_u64(rd);
	return rdbuf_is_done(rd);
}

void
replica_wire_put_fetch(struct wrbuf *wr, const struct replica_fetch *fetch)
{
	wrbuf_u32(wr, fetch->giver);
	wrbuf_u32(wr, fetch->number);
	wrbuf_u8(wr,
	    (uint8_t)((fetch->is_whole ? FLAG_A : 0) |
		(fetch->is_more ? FLAG_B : 0)));
	wrbuf_u64(wr, fetch->next);
	replica_wire_put_tip(wr, &fetch->have);
	wrbuf_u64(wr, fetch->acked);
}

bool
replica_wire_get_fetch(struct rdbuf *rd, struct replica_fetch *out)
{
	uint8_t flags;

	out->giver = rdbuf_u32(rd);
	out->number = rdbuf_u32(rd);
	flags = rdbuf_u8(rd);
	out->is_whole = (flags & FLAG_A) != 0;
	out->is_more = (flags & FLAG_B) != 0;
	out->next = rdbuf_u64(rd);
	out->have = replica_wire_get_tip(rd);
	out->acked = rdbuf_u64(rd);
	return rdbuf_is_done(rd);
}

void
replica_wire_put_part(struct wrbuf *wr, const struct replica_part *part)
{
	wrbuf_u32(wr, part->asker);
	wrbuf_u32(wr, part->number);
	wrbuf_u8(wr, (uint8_t)part->kind);
	wrbuf_u8(wr, part->is_end);
	wrbuf_u64(wr, part->at);
	replica_wire_put_tip(wr, &part->after);
	wrbuf_u64(wr, part->acked);
}

bool
replica_wire_get_part(struct rdbuf *rd, struct replica_part *out)
{
	uint8_t kind;

	out->asker = rdbuf_u32(rd);
	out->number = rdbuf_u32(rd);
	kind = rdbuf_u8(rd);
	out->kind = (enum replica_part_kind)kind;
	out->is_end = rdbuf_u8(rd) != 0;
	out->at = rdbuf_u64(rd);
	out->after = replica_wire_get_tip(rd);
	out->acked = rdbuf_u64(rd);
	out->items = *rd;
	return !rd->is_short && kind >= REPLICA_PART_RECORDS &&
	    kind <= REPLICA_PART_PIECE;
}

void
replica_wire_put_item(struct wrbuf *wr, const struct replica_item *item)
{
	replica_wire_put_tip(wr, &item->tip);
	wrbuf_u32(wr, (uint32_t)item->len);
	wrbuf_bytes(wr, item->bytes, item->len);
}

bool
replica_wire_get_item(struct rdbuf *items, struct replica_item *out)
{
	out->tip = replica_wire_get_tip(items);
	out->len = rdbuf_u32(items);
	out->bytes = rdbuf_bytes(items, out->len);
	return !items->is_short && out->len > 0;
}

void
replica_wire_put_piece(struct wrbuf *wr, const struct replica_piece *piece)
{
	replica_wire_put_tip(wr, &piece->tip);
	wrbuf_u32(wr, piece->total);
	wrbuf_u32(wr, piece->at);
	wrbuf_bytes(wr, piece->bytes, piece->len);
}

bool
replica_wire_get_piece(struct rdbuf *items, struct replica_piece *out)
{
	out->tip = replica_wire_get_tip(items);
	out->total = rdbuf_u32(items);
	out->at = rdbuf_u32(items);
	out->len = rdbuf_left(items);
	out->bytes = rdbuf_bytes(items, out->len);
	return !items->is_short && out->len > 0 && out->at < out->total &&
	    out->len <= out->total - out->at;
}
