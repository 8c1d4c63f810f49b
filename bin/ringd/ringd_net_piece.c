/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A datagram that is longer than what gets through to some peers goes to these
 * in pieces, sealed once for all of them.  So a path that has become narrower
 * costs time, and never the ring: not even what Recovery has to send again.
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

#include "bin/ringd/link_piece.h"
#include "bin/ringd/ringd_net.h"
#include "bin/ringd/ringd_net_internal.h"
#include "bin/ringd/totem.h"

struct ringd_net_narrow
ringd_net_narrow(
    const struct ringd_net *net, uint64_t to, size_t len, bool is_control)
{
	struct ringd_net_narrow narrow = { 0, UINT32_MAX, is_control };

	for (uint32_t i = 0; i < net->cfg.node_count; i++) {
		uint32_t path;

		if (!(to >> i & 1))
			continue;
		path = link_mtu(net->paths, i, is_control);
		if (path == 0 || path >= len)
			continue;
		narrow.to |= (uint64_t)1 << i;
		narrow.mtu = (uint32_t)num_min(narrow.mtu, path);
	}
	return narrow;
}

/* One more of them, behind the others. */
static void
ringd_net_add_piece(struct ringd_net *net, struct ringd_net_batch *batch,
    const struct link_piece *piece, uint32_t dst)
{
	uint8_t plain[LIMIT_FRAME_BYTES_MAX + LINK_PIECE_HEAD_BYTES];
	size_t len = link_piece_put(piece, plain);
	struct session_header header;

	ENSURE(batch->len + len + SESSION_OVERHEAD_BYTES <= UDP_BATCH_BYTES);
	session_stamp(net->session, SESSION_PIECE, dst, &header);
	ringd_net_seal(net, &header, plain, len, batch->bytes + batch->len);
	len += SESSION_OVERHEAD_BYTES;
	if (batch->count++ == 0)
		batch->segment_bytes = len;
	batch->len += len;
}

void
ringd_net_send_pieces(struct ringd_net *net, const struct totem_effect *effect,
    const struct ringd_net_narrow *narrow)
{
	struct ringd_net_batch batch = { .bytes = net->scratch,
		.to = narrow->to,
		.way =
		    narrow->is_control ? RINGD_NET_CONTROL : RINGD_NET_EACH };
	size_t most =
	    narrow->mtu - SESSION_OVERHEAD_BYTES - LINK_PIECE_HEAD_BYTES;
	uint32_t id = ++net->piece_id;

	ENSURE(narrow->mtu >= LIMIT_FRAME_BYTES_MIN);
	for (size_t at = 0; at < effect->send.len; at += most) {
		struct link_piece piece = {
			.id = id,
			.offset = (uint16_t)at,
			.total = (uint16_t)effect->send.len,
			.bytes = effect->send.bytes + at,
			.len = num_min(most, effect->send.len - at),
		};

		ringd_net_add_piece(net, &batch, &piece,
		    effect->send.to->count == 1 ? effect->send.to->id[0] : 0);
	}
	ringd_net_transmit(net, &batch);
}
