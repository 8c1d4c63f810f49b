/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/bytering.h"

#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"

void
bytering_init(struct bytering *ring, void *bytes, size_t size)
{
	ENSURE(bytes != NULL);
	ENSURE(size > 0);
	*ring = (struct bytering){ .bytes = bytes, .size = size };
}

size_t
bytering_room(const struct bytering *ring)
{
	return ring->size - ring->len;
}

bool
bytering_put(struct bytering *ring, const void *bytes, size_t len)
{
	if (len > bytering_room(ring))
		return false;
	if (len == 0)
		return true;

	/* Both are below size, so the sum is below twice the size. */
	size_t at = ring->start + ring->len;
	at -= at >= ring->size ? ring->size : 0;
	size_t first = num_min(len, ring->size - at);
	memcpy(ring->bytes + at, bytes, first);
	memcpy(ring->bytes, (const uint8_t *)bytes + first, len - first);
	ring->len += len;
	return true;
}

int
bytering_peek(const struct bytering *ring, struct bytering_span span[2])
{
	size_t first = num_min(ring->len, ring->size - ring->start);

	span[0] = (struct bytering_span){ ring->bytes + ring->start, first };
	span[1] = (struct bytering_span){ ring->bytes, ring->len - first };
	return (span[0].len > 0) + (span[1].len > 0);
}

void
bytering_drop(struct bytering *ring, size_t len)
{
	ENSURE(len <= ring->len);
	ring->start += len;
	ring->start -= ring->start >= ring->size ? ring->size : 0;
	ring->len -= len;
	/* An empty ring begins anew: what comes next is in one piece. */
	if (ring->len == 0)
		ring->start = 0;
}
