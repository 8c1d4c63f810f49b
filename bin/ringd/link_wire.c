/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * The layout of the LINK datagram; no other file knows it.  Big-endian.
 *
 *	link 1 | flags 1 | heard 1 | good 1 | loss 2 | mtu 2 | probed 2
 *	group 1 | reserved 5 | seq 8 | stamp 8 | echo 8 | held 8 | sent 8 |
 *padding
 */
#include "libcommon/base/ensure.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "bin/ringd/link.h"
#include "bin/ringd/session.h"

enum {
	LINK_FLAG_ASK = 1,
	LINK_LOSS_ALL = 1000,
	/* No shorter one is ever sent to find out what gets through. */
	LINK_PROBE_MIN = LIMIT_FRAME_BYTES_MIN + SESSION_OVERHEAD_BYTES,
};

static bool
link_length_is_valid(uint16_t bytes)
{
	return bytes == 0 || bytes >= LINK_PROBE_MIN;
}

static bool
link_packet_is_valid(const struct link_packet *packet)
{
	return packet->link < LIMIT_LINKS && packet->seq != 0 &&
	    packet->stamp_ns != 0 && packet->loss <= LINK_LOSS_ALL &&
	    (packet->good & ~packet->heard) == 0 &&
	    link_length_is_valid(packet->mtu) &&
	    link_length_is_valid(packet->probed);
}

void
link_packet_put(const struct link_packet *packet, uint8_t out[LINK_TEXT_BYTES])
{
	struct wrbuf wr;

	ENSURE(link_packet_is_valid(packet));
	wrbuf_init(&wr, out, LINK_TEXT_BYTES);
	wrbuf_u8(&wr, (uint8_t)packet->link);
	wrbuf_u8(&wr, packet->is_asking ? LINK_FLAG_ASK : 0);
	wrbuf_u8(&wr, packet->heard);
	wrbuf_u8(&wr, packet->good);
	wrbuf_u16(&wr, packet->loss);
	wrbuf_u16(&wr, packet->mtu);
	wrbuf_u16(&wr, packet->probed);
	wrbuf_u8(&wr, packet->group);
	wrbuf_u8(&wr, 0);
	wrbuf_u32(&wr, 0);
	wrbuf_u64(&wr, packet->seq);
	wrbuf_u64(&wr, packet->stamp_ns);
	wrbuf_u64(&wr, packet->echo_ns);
	wrbuf_u64(&wr, packet->held_ns);
	wrbuf_u64(&wr, packet->sent);
	ENSURE(wr.len == LINK_TEXT_BYTES && !wr.is_full);
}

bool
link_packet_get(const uint8_t *bytes, size_t len, struct link_packet *out)
{
	struct rdbuf rd;

	if (len < LINK_TEXT_BYTES)
		return false;
	rdbuf_init(&rd, bytes, LINK_TEXT_BYTES);
	out->link = rdbuf_u8(&rd);
	out->is_asking = (rdbuf_u8(&rd) & LINK_FLAG_ASK) != 0;
	out->heard = rdbuf_u8(&rd);
	out->good = rdbuf_u8(&rd);
	out->loss = rdbuf_u16(&rd);
	out->mtu = rdbuf_u16(&rd);
	out->probed = rdbuf_u16(&rd);
	out->group = rdbuf_u8(&rd);
	(void)rdbuf_u8(&rd);
	(void)rdbuf_u32(&rd);
	out->seq = rdbuf_u64(&rd);
	out->stamp_ns = rdbuf_u64(&rd);
	out->echo_ns = rdbuf_u64(&rd);
	out->held_ns = rdbuf_u64(&rd);
	out->sent = rdbuf_u64(&rd);
	ENSURE(rdbuf_is_done(&rd));
	return link_packet_is_valid(out);
}
