/* SPDX-License-Identifier: BSD-3-Clause */
/* Frames, tokens and the small packets.  JOIN and COMMIT, which carry lists
 * of nodes, are in totem_wire_control.c. */
#include "bin/ringd/totem_wire.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/totem_wire_set.h"

enum {
	TOKEN_RETRANS = 1,
	HEARTBEAT_ASKS = 1,
	HEARTBEAT_ANSWERS = 2,
	WITNESS_ASKS = 1,
	FRAME_FLAGS =
	    TOTEM_FRAME_POST | TOTEM_FRAME_SAFE | TOTEM_FRAME_RECOVERY,
	RECORD_FLAGS =
	    TOTEM_RECORD_FIRST | TOTEM_RECORD_LAST | TOTEM_RECORD_SYSTEM,
	RECORD_WHOLE = TOTEM_RECORD_FIRST | TOTEM_RECORD_LAST,
};

int
totem_wire_idx(const struct totem_nodes *table, uint32_t id)
{
	uint32_t low = 0, high = table->count;

	while (low < high) {
		uint32_t middle = (low + high) / 2;
		if (table->id[middle] == id)
			return (int)middle;
		if (table->id[middle] < id)
			low = middle + 1;
		else
			high = middle;
	}
	return -1;
}

void
totem_wire_put_ring(struct wrbuf *wr, const struct totem_ring_id *ring)
{
	wrbuf_u64(wr, ring->seq);
	wrbuf_u32(wr, ring->rep);
	wrbuf_u32(wr, ring->nonce);
}

void
totem_wire_get_ring(struct rdbuf *rd, struct totem_ring_id *out)
{
	out->seq = rdbuf_u64(rd);
	out->rep = rdbuf_u32(rd);
	out->nonce = rdbuf_u32(rd);
}

void
totem_wire_put_ids(
    struct wrbuf *wr, const struct totem_nodes *table, uint64_t set)
{
	wrbuf_u8(wr, (uint8_t)totem_wire_count(set));
	for (uint32_t i = 0; i < table->count; i++)
		if (set >> i & 1)
			wrbuf_u16(wr, (uint16_t)table->id[i]);
}

bool
totem_wire_get_ids(
    struct rdbuf *rd, const struct totem_nodes *table, uint64_t *out)
{
	uint32_t count = rdbuf_u8(rd), last = 0;

	*out = 0;
	for (uint32_t i = 0; i < count; i++) {
		uint32_t id = rdbuf_u16(rd);
		int idx = totem_wire_idx(table, id);
		if (rd->is_short || id <= last || idx < 0)
			return false;
		*out |= UINT64_C(1) << idx;
		last = id;
	}
	return !rd->is_short;
}

/* An index + 1 travels as a node id, 0 as 0. */
static void
put_node_or_none(
    struct wrbuf *wr, const struct totem_nodes *table, uint32_t idx_plus_one)
{
	ENSURE(idx_plus_one <= table->count);
	wrbuf_u16(
	    wr, idx_plus_one == 0 ? 0 : (uint16_t)table->id[idx_plus_one - 1]);
}

static bool
get_node_or_none(
    struct rdbuf *rd, const struct totem_nodes *table, uint32_t *out)
{
	uint32_t id = rdbuf_u16(rd);
	int idx = id == 0 ? -1 : totem_wire_idx(table, id);

	*out = (uint32_t)(idx + 1);
	return id == 0 || idx >= 0;
}

/* ---- frames ------------------------------------------------------------ */

void
totem_wire_put_frame(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_frame *frame)
{
	ENSURE(frame->sender < table->count);
	wrbuf_u8(wr,
	    frame->is_retransmit ? TOTEM_PACKET_DATA_RETX : TOTEM_PACKET_DATA);
	wrbuf_u8(wr, frame->flags);
	wrbuf_u16(wr, (uint16_t)table->id[frame->sender]);
	wrbuf_u32(wr, frame->visit);
	totem_wire_put_ring(wr, &frame->ring);
	wrbuf_u64(wr, frame->seq);
	wrbuf_bytes(wr, frame->body, frame->body_len);
}

bool
totem_wire_get_frame(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_frame *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	uint8_t packet = rdbuf_u8(&rd);
	out->flags = rdbuf_u8(&rd);
	int sender = totem_wire_idx(table, rdbuf_u16(&rd));
	out->visit = rdbuf_u32(&rd);
	totem_wire_get_ring(&rd, &out->ring);
	out->seq = rdbuf_u64(&rd);
	out->body_len = rdbuf_left(&rd);
	out->body = rdbuf_bytes(&rd, out->body_len);
	if (rd.is_short || sender < 0 || out->seq == 0 || out->body_len == 0 ||
	    (out->flags & ~FRAME_FLAGS) != 0)
		return false;
	if (packet != TOTEM_PACKET_DATA && packet != TOTEM_PACKET_DATA_RETX)
		return false;
	out->sender = (uint32_t)sender;
	out->is_retransmit = packet == TOTEM_PACKET_DATA_RETX;
	return true;
}

void
totem_wire_put_record(struct wrbuf *wr, const struct totem_record *record)
{
	wrbuf_u8(wr, record->flags);
	wrbuf_varint(wr, record->msg_no);
	wrbuf_varint(wr, record->len);
	if ((record->flags & RECORD_WHOLE) != RECORD_WHOLE) {
		wrbuf_varint(wr, record->total);
		wrbuf_varint(wr, record->offset);
	}
}

bool
totem_wire_get_record(struct rdbuf *rd, struct totem_record *out)
{
	uint64_t total, offset = 0;

	out->flags = rdbuf_u8(rd);
	out->msg_no = rdbuf_varint(rd);
	uint64_t len = rdbuf_varint(rd);
	total = len;
	bool is_whole = (out->flags & RECORD_WHOLE) == RECORD_WHOLE;
	if (!is_whole) {
		total = rdbuf_varint(rd);
		offset = rdbuf_varint(rd);
	}
	if (rd->is_short || (out->flags & ~RECORD_FLAGS) != 0 ||
	    total > LIMIT_MESSAGE_BYTES_MAX || len > total ||
	    offset > total - len)
		return false;
	bool is_first = (out->flags & TOTEM_RECORD_FIRST) != 0;
	bool is_last = (out->flags & TOTEM_RECORD_LAST) != 0;
	if (is_first != (offset == 0) || is_last != (offset + len == total))
		return false;
	out->len = (uint32_t)len;
	out->total = (uint32_t)total;
	out->offset = (uint32_t)offset;
	out->bytes = rdbuf_bytes(rd, out->len);
	return !rd->is_short;
}

/* ---- the token --------------------------------------------------------- */

void
totem_wire_put_token(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_token *token)
{
	ENSURE(token->rtr_count <= LIMIT_RTR_ENTRIES);
	wrbuf_u8(wr, TOTEM_PACKET_TOKEN);
	totem_wire_put_ring(wr, &token->ring);
	wrbuf_u64(wr, token->token_seq);
	wrbuf_u64(wr, token->seq);
	wrbuf_u64(wr, token->aru);
	put_node_or_none(wr, table, token->aru_node);
	wrbuf_u32(wr, token->fcc);
	wrbuf_u32(wr, token->backlog);
	wrbuf_u8(wr, token->idle_rounds);
	wrbuf_u16(wr, token->window);
	wrbuf_u8(wr, token->is_retrans ? TOKEN_RETRANS : 0);
	wrbuf_u8(wr, token->large);
	wrbuf_u8(wr, (uint8_t)token->rtr_count);
	for (uint32_t i = 0; i < token->rtr_count; i++) {
		wrbuf_u64(wr, token->rtr[i].base);
		wrbuf_u64(wr, token->rtr[i].bits);
		put_node_or_none(wr, table, token->rtr[i].requester);
	}
}

static bool
get_rtr(
    struct rdbuf *rd, const struct totem_nodes *table, struct totem_token *out)
{
	out->rtr_count = rdbuf_u8(rd);
	if (out->rtr_count > LIMIT_RTR_ENTRIES)
		return false;
	for (uint32_t i = 0; i < out->rtr_count; i++) {
		struct totem_rtr *rtr = &out->rtr[i];
		rtr->base = rdbuf_u64(rd);
		rtr->bits = rdbuf_u64(rd);
		if (!get_node_or_none(rd, table, &rtr->requester) ||
		    rd->is_short || rtr->base % 64 != 0 || rtr->bits == 0 ||
		    rtr->base > out->seq)
			return false;
		uint64_t room = out->seq - rtr->base;
		if (room < 63 && rtr->bits >> (room + 1) != 0)
			return false;
	}
	return true;
}

bool
totem_wire_get_token(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_token *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != TOTEM_PACKET_TOKEN)
		return false;
	totem_wire_get_ring(&rd, &out->ring);
	out->token_seq = rdbuf_u64(&rd);
	out->seq = rdbuf_u64(&rd);
	out->aru = rdbuf_u64(&rd);
	bool is_known = get_node_or_none(&rd, table, &out->aru_node);
	out->fcc = rdbuf_u32(&rd);
	out->backlog = rdbuf_u32(&rd);
	out->idle_rounds = rdbuf_u8(&rd);
	out->window = rdbuf_u16(&rd);
	uint8_t flags = rdbuf_u8(&rd);
	out->is_retrans = flags == TOKEN_RETRANS;
	out->large = rdbuf_u8(&rd);
	if (rd.is_short || !is_known || flags > TOKEN_RETRANS ||
	    out->aru > out->seq || out->window < LIMIT_WINDOW_MIN ||
	    out->window > LIMIT_WINDOW_MAX)
		return false;
	return get_rtr(&rd, table, out) && rdbuf_is_done(&rd);
}

/* ---- the small ones ---------------------------------------------------- */

void
totem_wire_put_ref(struct wrbuf *wr, enum totem_packet packet,
    const struct totem_token_ref *ref)
{
	wrbuf_u8(wr, (uint8_t)packet);
	totem_wire_put_ring(wr, &ref->ring);
	wrbuf_u64(wr, ref->token_seq);
}

bool
totem_wire_get_ref(
    const uint8_t *bytes, size_t len, struct totem_token_ref *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	(void)rdbuf_u8(&rd); /* the caller dispatched on it */
	totem_wire_get_ring(&rd, &out->ring);
	out->token_seq = rdbuf_u64(&rd);
	return rdbuf_is_done(&rd);
}

void
totem_wire_put_heartbeat(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_heartbeat *hb)
{
	wrbuf_u8(wr, TOTEM_PACKET_HEARTBEAT);
	wrbuf_u8(wr,
	    (uint8_t)((hb->wants_answer ? HEARTBEAT_ASKS : 0) |
		(hb->is_answer ? HEARTBEAT_ANSWERS : 0)));
	wrbuf_u32(wr, hb->version);
	totem_wire_put_ids(wr, table, hb->hears);
}

bool
totem_wire_get_heartbeat(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_heartbeat *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != TOTEM_PACKET_HEARTBEAT)
		return false;
	uint8_t flags = rdbuf_u8(&rd);
	out->wants_answer = flags & HEARTBEAT_ASKS;
	out->is_answer = flags & HEARTBEAT_ANSWERS;
	out->version = rdbuf_u32(&rd);
	return totem_wire_get_ids(&rd, table, &out->hears) &&
	    flags <= (HEARTBEAT_ASKS | HEARTBEAT_ANSWERS) && out->version > 0 &&
	    rdbuf_is_done(&rd);
}

void
totem_wire_put_witness(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_witness *witness)
{
	wrbuf_u8(wr, TOTEM_PACKET_WITNESS);
	wrbuf_u8(wr, witness->wants_answer ? WITNESS_ASKS : 0);
	wrbuf_u8(wr, (uint8_t)witness->count);
	for (uint32_t i = 0; i < witness->count; i++) {
		wrbuf_u16(wr, (uint16_t)table->id[witness->about[i].node]);
		wrbuf_u64(wr, witness->about[i].incarnation);
		wrbuf_u32(wr, witness->about[i].silent_ms);
	}
}

bool
totem_wire_get_witness(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_witness *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != TOTEM_PACKET_WITNESS)
		return false;
	uint8_t flags = rdbuf_u8(&rd);
	out->wants_answer = flags == WITNESS_ASKS;
	out->count = rdbuf_u8(&rd);
	if (flags > WITNESS_ASKS || out->count == 0 ||
	    out->count > TOTEM_WIRE_WITNESS_MAX)
		return false;
	for (uint32_t i = 0; i < out->count; i++) {
		int node = totem_wire_idx(table, rdbuf_u16(&rd));
		if (node < 0)
			return false;
		out->about[i].node = (uint32_t)node;
		out->about[i].incarnation = rdbuf_u64(&rd);
		out->about[i].silent_ms = rdbuf_u32(&rd);
	}
	return rdbuf_is_done(&rd);
}

void
totem_wire_put_leave(struct wrbuf *wr, const struct totem_ring_id *ring)
{
	wrbuf_u8(wr, TOTEM_PACKET_LEAVE);
	totem_wire_put_ring(wr, ring);
}

bool
totem_wire_get_leave(
    const uint8_t *bytes, size_t len, struct totem_ring_id *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	bool is_leave = rdbuf_u8(&rd) == TOTEM_PACKET_LEAVE;
	totem_wire_get_ring(&rd, out);
	return is_leave && rdbuf_is_done(&rd);
}

void
totem_wire_put_merge(struct wrbuf *wr, const struct totem_nodes *table,
    const struct totem_merge *merge)
{
	wrbuf_u8(wr, TOTEM_PACKET_MERGE_DETECT);
	totem_wire_put_ring(wr, &merge->ring);
	wrbuf_u64(wr, merge->ring_seq);
	totem_wire_put_ids(wr, table, merge->members);
}

bool
totem_wire_get_merge(const struct totem_nodes *table, const uint8_t *bytes,
    size_t len, struct totem_merge *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != TOTEM_PACKET_MERGE_DETECT)
		return false;
	totem_wire_get_ring(&rd, &out->ring);
	out->ring_seq = rdbuf_u64(&rd);
	return totem_wire_get_ids(&rd, table, &out->members) &&
	    out->members != 0 && out->ring_seq <= TOTEM_WIRE_RING_SEQ_MAX &&
	    rdbuf_is_done(&rd);
}

void
totem_wire_put_part(struct wrbuf *wr, const struct totem_part *part)
{
	ENSURE(part->part < part->parts);
	ENSURE(part->parts <= LIMIT_CONTROL_PARTS);
	wrbuf_u8(wr, (uint8_t)part->packet);
	wrbuf_u8(wr, part->part);
	wrbuf_u8(wr, part->parts);
	wrbuf_u64(wr, part->id);
	wrbuf_bytes(wr, part->bytes, part->len);
}

bool
totem_wire_get_part(const uint8_t *bytes, size_t len, struct totem_part *out)
{
	struct rdbuf rd;

	rdbuf_init(&rd, bytes, len);
	out->packet = (enum totem_packet)rdbuf_u8(&rd);
	out->part = rdbuf_u8(&rd);
	out->parts = rdbuf_u8(&rd);
	out->id = rdbuf_u64(&rd);
	out->len = rdbuf_left(&rd);
	out->bytes = rdbuf_bytes(&rd, out->len);
	return !rd.is_short && out->part < out->parts &&
	    out->parts <= LIMIT_CONTROL_PARTS;
}
