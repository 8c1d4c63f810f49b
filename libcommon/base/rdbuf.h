/* SPDX-License-Identifier: BSD-3-Clause */
/* A bounds-checked reader over received bytes. */
#ifndef RK_RDBUF_H
#define RK_RDBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A read past the end reads zeroes, leaves the cursor and sets is_short for
 * good, so a decoder may read a whole structure and ask once at the end.
 */
struct rdbuf {
	const uint8_t *bytes; /* borrowed */
	size_t len;
	size_t at;
	bool is_short;
};

void rdbuf_init(struct rdbuf *rd, const void *bytes, size_t len);

/* Big-endian unsigned integers. */
uint8_t rdbuf_u8(struct rdbuf *rd);
uint16_t rdbuf_u16(struct rdbuf *rd);
uint32_t rdbuf_u32(struct rdbuf *rd);
uint64_t rdbuf_u64(struct rdbuf *rd);

/*
 * Little-endian base 128, at most ten bytes; the shortest form only.  A
 * longer form or a value over 64 bits counts as short.
 */
uint64_t rdbuf_varint(struct rdbuf *rd);

/* Borrows the next len bytes; NULL and is_short when there are fewer. */
const uint8_t *rdbuf_bytes(struct rdbuf *rd, size_t len);

/* Bytes not read yet. */
size_t rdbuf_left(const struct rdbuf *rd);

/* Everything was read and nothing was missing. */
bool rdbuf_is_done(const struct rdbuf *rd);

#endif
