/* SPDX-License-Identifier: BSD-3-Clause */
#include "tests/cli/hostile_make.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

enum {
	HEADER_BYTES = 32,
	USUAL_BYTES = 1500,
	CHANGES_MAX = 16,
};

void
hostile_hear(struct hostile_heard *heard, struct rng *rng, const uint8_t *bytes,
    size_t len)
{
	uint64_t at = heard->total++;
	struct hostile_datagram *kept;

	if (at >= HOSTILE_KEPT) {
		at = rng_below(rng, heard->total);
		if (at >= HOSTILE_KEPT)
			return;
	} else {
		heard->count++;
	}
	kept = &heard->kept[at];
	free(kept->bytes);
	kept->bytes = malloc(len + 1);
	ENSURE(kept->bytes != NULL);
	memcpy(kept->bytes, bytes, len);
	kept->len = (uint32_t)len;
}

/* ---- making ------------------------------------------------------------ */

static void
put_noise(struct rng *rng, uint8_t *out, size_t len)
{
	for (size_t i = 0; i < len; i++)
		out[i] = (uint8_t)rng_next(rng);
}

/* Few are long, and few of those very long. */
static size_t
draw_len(struct rng *rng)
{
	if (rng_below(rng, 64) != 0)
		return (size_t)rng_below(rng, USUAL_BYTES + 1);
	return (size_t)rng_below(
	    rng, rng_below(rng, 4) != 0 ? 9100 : HOSTILE_BYTES + 1);
}

static size_t
make_noise(struct rng *rng, uint8_t *out)
{
	size_t len = draw_len(rng);

	put_noise(rng, out, len);
	return len;
}

static size_t
take(const struct hostile_heard *heard, struct rng *rng, uint8_t *out)
{
	const struct hostile_datagram *kept =
	    &heard->kept[rng_below(rng, heard->count)];

	memcpy(out, kept->bytes, kept->len);
	return kept->len;
}

/* A header that was heard, and noise behind it. */
static size_t
make_headed_noise(
    const struct hostile_heard *heard, struct rng *rng, uint8_t *out)
{
	size_t len = HEADER_BYTES + draw_len(rng);
	uint8_t other[HOSTILE_BYTES];
	size_t head_len = num_min(take(heard, rng, other), HEADER_BYTES);

	len = num_min(len, HOSTILE_BYTES);
	put_noise(rng, out, len);
	memcpy(out, other, head_len);
	return len;
}

/* Changes bytes of [from, to), one mostly. */
static void
damage(struct rng *rng, uint8_t *out, size_t from, size_t to)
{
	uint64_t count = 1;

	if (rng_below(rng, 4) == 0)
		count = 1 + rng_below(rng, CHANGES_MAX);
	for (; count > 0 && to > from; count--) {
		size_t at = from + (size_t)rng_below(rng, to - from);

		if (rng_below(rng, 2) == 0)
			out[at] ^= (uint8_t)(1U << rng_below(rng, 8));
		else
			out[at] = (uint8_t)rng_next(rng);
	}
}

static size_t
make_spliced(const struct hostile_heard *heard, struct rng *rng, uint8_t *out)
{
	uint8_t other[HOSTILE_BYTES];
	size_t len = take(heard, rng, out);
	size_t other_len = take(heard, rng, other);
	size_t head_len = rng_below(rng, 2) == 0
	    ? HEADER_BYTES
	    : (size_t)rng_below(rng, num_min(len, other_len) + 1);

	memcpy(out, other, num_min(head_len, num_min(len, other_len)));
	return len;
}

size_t
hostile_make(const struct hostile_heard *heard, struct rng *rng, uint8_t *out)
{
	size_t len;

	if (heard->count == 0)
		return make_noise(rng, out);
	switch (rng_below(rng, 8)) {
	case 0:
		return make_noise(rng, out);
	case 1:
		return make_headed_noise(heard, rng, out);
	case 2:
		return make_spliced(heard, rng, out);
	case 3:
		return take(heard, rng, out);
	case 4:
		len = take(heard, rng, out);
		return (size_t)rng_below(rng, len + 1);
	case 5:
		len = take(heard, rng, out);
		put_noise(rng, out + len, 64);
		return len + 1 + (size_t)rng_below(rng, 64);
	case 6:
		len = take(heard, rng, out);
		damage(rng, out, 0, num_min(len, HEADER_BYTES));
		return len;
	default:
		len = take(heard, rng, out);
		damage(rng, out, num_min(len, HEADER_BYTES), len);
		return len;
	}
}
