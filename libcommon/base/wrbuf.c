/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/wrbuf.h"

#include <string.h>

#include "libcommon/base/ensure.h"

void
wrbuf_init(struct wrbuf *wr, void *bytes, size_t size)
{
	ENSURE(bytes != NULL || size == 0);
	*wr = (struct wrbuf){ .bytes = bytes, .size = size };
}

void
wrbuf_bytes(struct wrbuf *wr, const void *bytes, size_t len)
{
	if (wr->is_full || len > wr->size - wr->len) {
		wr->is_full = true;
		return;
	}
	if (len > 0)
		memcpy(wr->bytes + wr->len, bytes, len);
	wr->len += len;
}

static void
big_endian(struct wrbuf *wr, uint64_t value, size_t width)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < width; i++)
		bytes[i] = (uint8_t)(value >> (8 * (width - 1 - i)));
	wrbuf_bytes(wr, bytes, width);
}

void
wrbuf_u8(struct wrbuf *wr, uint8_t value)
{
	big_endian(wr, value, 1);
}

void
wrbuf_u16(struct wrbuf *wr, uint16_t value)
{
	big_endian(wr, value, 2);
}

void
wrbuf_u32(struct wrbuf *wr, uint32_t value)
{
	big_endian(wr, value, 4);
}

void
wrbuf_u64(struct wrbuf *wr, uint64_t value)
{
	big_endian(wr, value, 8);
}

void
wrbuf_varint(struct wrbuf *wr, uint64_t value)
{
	uint8_t bytes[10];
	size_t len = 0;

	while (value >= 0x80) {
		bytes[len++] = (uint8_t)(value | 0x80);
		value >>= 7;
	}
	bytes[len++] = (uint8_t)value;
	wrbuf_bytes(wr, bytes, len);
}

size_t
wrbuf_varint_len(uint64_t value)
{
	size_t len = 1;

	while (value >= 0x80) {
		value >>= 7;
		len++;
	}
	return len;
}

size_t
wrbuf_left(const struct wrbuf *wr)
{
	return wr->size - wr->len;
}
