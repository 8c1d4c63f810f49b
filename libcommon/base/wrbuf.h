/* SPDX-License-Identifier: BSD-3-Clause */
/* A bounded binary writer. */
#ifndef RK_WRBUF_H
#define RK_WRBUF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A write that does not fit writes nothing and sets is_full for good, so an
 * encoder may write a whole structure and ask once at the end.
 */
struct wrbuf {
	uint8_t *bytes; /* borrowed */
	size_t size;
	size_t len;
	bool is_full;
};

void wrbuf_init(struct wrbuf *wr, void *bytes, size_t size);

/* Big-endian unsigned integers. */
void wrbuf_u8(struct wrbuf *wr, uint8_t value);
void wrbuf_u16(struct wrbuf *wr, uint16_t value);
void wrbuf_u32(struct wrbuf *wr, uint32_t value);
void wrbuf_u64(struct wrbuf *wr, uint64_t value);

/* Little-endian base 128, the shortest form. */
void wrbuf_varint(struct wrbuf *wr, uint64_t value);

/* How many bytes wrbuf_varint would write: 1 to 10. */
size_t wrbuf_varint_len(uint64_t value);

void wrbuf_bytes(struct wrbuf *wr, const void *bytes, size_t len);

/* Room left in bytes. */
size_t wrbuf_left(const struct wrbuf *wr);

#endif
