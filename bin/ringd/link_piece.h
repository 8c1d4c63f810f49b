/* SPDX-License-Identifier: BSD-3-Clause */
/* Datagrams in pieces, for the peers to whom no longer ones get through; pure.
 *
 * Every piece is sealed by itself, so none comes twice, and says where it
 * belongs.  What is never completed gives way to what comes later.
 */
#ifndef RK_LINK_PIECE_H
#define RK_LINK_PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct arena;
struct link_wholes;

enum {
	LINK_PIECE_HEAD_BYTES = 8,
	LINK_WHOLES = 32, /* in progress at a time, of all peers together */
};

struct link_piece {
	uint32_t id; /* of the datagram, in its session */
	uint16_t offset;
	uint16_t total;       /* octets of the datagram */
	const uint8_t *bytes; /* borrowed */
	size_t len;
};

/* Head and bytes; answers how many octets that is. */
size_t link_piece_put(const struct link_piece *piece, uint8_t *out);

/* False when it is malformed, or of a datagram longer than total_max. */
bool link_piece_get(const uint8_t *bytes, size_t len, uint32_t total_max,
    struct link_piece *out);

/* For datagrams of at most total_max octets.  From a measuring arena: NULL. */
struct link_wholes *link_wholes_create(struct arena *arena, uint32_t total_max);

/*
 * Adds a piece of a datagram of that session, never the same one twice.
 * Answers the datagram (piece->total octets, until the next call) when that
 * was the last that was missing, else NULL.
 */
const uint8_t *link_wholes_add(struct link_wholes *wholes, uint64_t session,
    const struct link_piece *piece);

#endif
