/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/rdbuf.h"

#include "libcommon/base/ensure.h"

void
rdbuf_init(struct rdbuf *rd, const void *bytes, size_t len)
{
	ENSURE(bytes != NULL || len == 0);
	*rd = (struct rdbuf){ .bytes = bytes, .len = len };
}

const uint8_t *
rdbuf_bytes(struct rdbuf *rd, size_t len)
{
	if (rd->is_short || len > rd->len - rd->at) {
		rd->is_short = true;
		return NULL;
	}
	const uint8_t *found = rd->bytes + rd->at;
	rd->at += len;
	return found;
}

static uint64_t
big_endian(struct rdbuf *rd, size_t width)
{
	const uint8_t *b = rdbuf_bytes(rd, width);
	uint64_t value = 0;

	if (b == NULL)
		return 0;
	for (size_t i = 0; i < width; i++)
		value = value << 8 | b[i];
	return value;
}

uint8_t
rdbuf_u8(struct rdbuf *rd)
{
	return (uint8_t)big_endian(rd, 1);
}

uint16_t
rdbuf_u16(struct rdbuf *rd)
{
	return (uint16_t)big_endian(rd, 2);
}

uint32_t
rdbuf_u32(struct rdbuf *rd)
{
	return (uint32_t)big_endian(rd, 4);
}

uint64_t
rdbuf_u64(struct rdbuf *rd)
{
	return big_endian(rd, 8);
}

uint64_t
rdbuf_varint(struct rdbuf *rd)
{
	uint64_t value = 0;

	for (unsigned shift = 0; shift < 70; shift += 7) {
		const uint8_t *b = rdbuf_bytes(rd, 1);
		if (b == NULL)
			return 0;
		uint64_t part = *b & 0x7F;
		bool is_last = *b < 0x80;
		if (shift == 63 && part > 1)
			break;
		value |= part << shift;
		if (is_last && part == 0 && shift > 0)
			break;
		if (is_last)
			return value;
	}
	rd->is_short = true;
	return 0;
}

size_t
rdbuf_left(const struct rdbuf *rd)
{
	return rd->len - rd->at;
}

bool
rdbuf_is_done(const struct rdbuf *rd)
{
	return !rd->is_short && rd->at == rd->len;
}
