/* SPDX-License-Identifier: BSD-3-Clause */
/* version 1, kind 1, node 4, incarnation 8, number 8; then, of a PROPOSE: ring
 * 16, change 1, body; of a VOTE: is_for 1, text.  Whoever does not know the
 * version does not vote, and so nothing is changed. */
#include "bin/ringd/change_wire.h"

#include "libcommon/base/ensure.h"
#include "libcommon/base/rdbuf.h"

enum { CHANGE_WIRE_VERSION = 1 };

void
change_wire_encode(const struct change_wire *wire, struct wrbuf *out)
{
	wrbuf_u8(out, CHANGE_WIRE_VERSION);
	wrbuf_u8(out, (uint8_t)wire->kind);
	wrbuf_u32(out, wire->id.node);
	wrbuf_u64(out, wire->id.incarnation);
	wrbuf_u64(out, wire->id.number);
	if (wire->kind == CHANGE_WIRE_PROPOSE) {
		wrbuf_u64(out, wire->ring.seq);
		wrbuf_u32(out, wire->ring.rep);
		wrbuf_u32(out, wire->ring.nonce);
		wrbuf_u8(out, wire->change);
	}
	if (wire->kind == CHANGE_WIRE_VOTE)
		wrbuf_u8(out, wire->is_for);
	if (wire->len > 0)
		wrbuf_bytes(out, wire->bytes, wire->len);
	ENSURE(!out->is_full);
}

static bool
change_wire_rest(struct rdbuf *rd, struct change_wire *out)
{
	uint8_t is_for;

	switch (out->kind) {
	case CHANGE_WIRE_PROPOSE:
		out->ring.seq = rdbuf_u64(rd);
		out->ring.rep = rdbuf_u32(rd);
		out->ring.nonce = rdbuf_u32(rd);
		out->change = rdbuf_u8(rd);
		out->len = rdbuf_left(rd);
		return out->change > 0 && out->len <= CHANGE_BODY_BYTES_MAX;
	case CHANGE_WIRE_VOTE:
		is_for = rdbuf_u8(rd);
		out->is_for = is_for == 1;
		out->len = rdbuf_left(rd);
		return is_for <= 1 && out->len <= CHANGE_TEXT_BYTES_MAX;
	case CHANGE_WIRE_CANCEL:
		return true;
	case CHANGE_WIRE_KINDS:
		break;
	}
	return false;
}

bool
change_wire_decode(const uint8_t *bytes, size_t len, struct change_wire *out)
{
	struct rdbuf rd;

	*out = (struct change_wire){ 0 };
	rdbuf_init(&rd, bytes, len);
	if (rdbuf_u8(&rd) != CHANGE_WIRE_VERSION)
		return false;
	out->kind = (enum change_wire_kind)rdbuf_u8(&rd);
	out->id.node = rdbuf_u32(&rd);
	out->id.incarnation = rdbuf_u64(&rd);
	out->id.number = rdbuf_u64(&rd);
	if (!change_wire_rest(&rd, out))
		return false;
	out->bytes = rdbuf_bytes(&rd, out->len);
	return rdbuf_is_done(&rd);
}
