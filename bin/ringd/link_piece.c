/* SPDX-License-Identifier: BSD-3-Clause */
/* Layout, big-endian: id 4 | offset 2 | total 2 | octets. */
#include "bin/ringd/link_piece.h"

#include <string.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

struct link_whole {
	uint64_t session; /* 0: free */
	uint32_t id, total, got;
	uint64_t age; /* when the last piece came, counted in pieces */
};

struct link_wholes {
	uint32_t total_max;
	uint64_t count;
	struct link_whole whole[LINK_WHOLES];
	uint8_t *bytes; /* LINK_WHOLES times total_max */
};

size_t
link_piece_put(const struct link_piece *piece, uint8_t *out)
{
	struct wrbuf wr;

	ENSURE(piece->len > 0 && piece->offset + piece->len <= piece->total);
	wrbuf_init(&wr, out, LINK_PIECE_HEAD_BYTES + piece->len);
	wrbuf_u32(&wr, piece->id);
	wrbuf_u16(&wr, piece->offset);
	wrbuf_u16(&wr, piece->total);
	wrbuf_bytes(&wr, piece->bytes, piece->len);
	ENSURE(!wr.is_full);
	return wr.len;
}

bool
link_piece_get(const uint8_t *bytes, size_t len, uint32_t total_max,
    struct link_piece *out)
{
	struct rdbuf rd;

	if (len <= LINK_PIECE_HEAD_BYTES)
		return false;
	rdbuf_init(&rd, bytes, LINK_PIECE_HEAD_BYTES);
	out->id = rdbuf_u32(&rd);
	out->offset = rdbuf_u16(&rd);
	out->total = rdbuf_u16(&rd);
	out->bytes = bytes + LINK_PIECE_HEAD_BYTES;
	out->len = len - LINK_PIECE_HEAD_BYTES;
	return out->total <= total_max && out->offset + out->len <= out->total;
}

struct link_wholes *
link_wholes_create(struct arena *arena, uint32_t total_max)
{
	struct link_wholes *wholes = arena_take(arena, sizeof *wholes);
	uint8_t *bytes = arena_take(arena, (size_t)LINK_WHOLES * total_max);

	if (wholes == NULL)
		return NULL;
	memset(wholes, 0, sizeof *wholes);
	wholes->total_max = total_max;
	wholes->bytes = bytes;
	return wholes;
}

/* That datagram, or the place of the one that has waited longest. */
static uint32_t
link_whole_at(const struct link_wholes *wholes, uint64_t session,
    const struct link_piece *piece)
{
	uint32_t oldest = 0;

	for (uint32_t i = 0; i < LINK_WHOLES; i++) {
		const struct link_whole *whole = &wholes->whole[i];

		if (whole->session == session && whole->id == piece->id &&
		    whole->total == piece->total)
			return i;
		if (whole->age < wholes->whole[oldest].age)
			oldest = i;
	}
	return oldest;
}

const uint8_t *
link_wholes_add(struct link_wholes *wholes, uint64_t session,
    const struct link_piece *piece)
{
	uint32_t at = link_whole_at(wholes, session, piece);
	struct link_whole *whole = &wholes->whole[at];
	uint8_t *bytes = wholes->bytes + (size_t)at * wholes->total_max;

	ENSURE(session != 0 && piece->total <= wholes->total_max);
	if (whole->session != session || whole->id != piece->id ||
	    whole->total != piece->total)
		*whole = (struct link_whole){ .session = session,
			.id = piece->id,
			.total = piece->total };
	whole->age = ++wholes->count;
	memcpy(bytes + piece->offset, piece->bytes, piece->len);
	whole->got += (uint32_t)piece->len;
	if (whole->got < whole->total)
		return NULL;
	*whole = (struct link_whole){ 0 };
	return bytes;
}
