/* SPDX-License-Identifier: BSD-3-Clause */
/* A ringd that holds the key, and lies.
 *
 * Linked with all of ringd but for two calls, which it comes between: what
 * the core sends, and what is given to the core to be ordered, are changed
 * now and then.  TRAITOR=SEED says how.  It lies more in some seconds than in
 * others, so that it gets into rings before it breaks them.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "bin/ringd/ringd_net.h"
#include "bin/ringd/totem.h"

enum { BYTES = 1 << 17, LIES_MAX = 6, OLD = 64, OLD_BYTES = 9000 };

/* As the linker calls them. */
void __real_ringd_net_send(
    struct ringd_net *net, const struct totem_effect *effect, uint64_t now_ns);
void __wrap_ringd_net_send(
    struct ringd_net *net, const struct totem_effect *effect, uint64_t now_ns);
void __real_totem_step(struct totem *t, const struct totem_input *in);
void __wrap_totem_step(struct totem *t, const struct totem_input *in);

static struct {
	struct rng rng;
	bool is_seeded;
	uint64_t second;
	uint64_t one_of; /* so many is a lie, in this second */
	uint8_t bytes[BYTES];
	uint8_t old[OLD][OLD_BYTES]; /* what was sent before */
	size_t old_len[OLD];
} traitor;

static bool
lies_now(uint64_t now_ns)
{
	static const uint64_t rates[] = { 3, 30, 300, 1000000 };
	const char *seed = getenv("TRAITOR");

	if (!traitor.is_seeded)
		rng_init(
		    &traitor.rng, seed != NULL ? strtoull(seed, NULL, 10) : 1);
	traitor.is_seeded = true;
	if (now_ns / 500000000 != traitor.second)
		traitor.one_of =
		    rates[rng_below(&traitor.rng, ARRAY_COUNT(rates))];
	traitor.second = now_ns / 500000000;
	return rng_below(&traitor.rng, traitor.one_of) == 0;
}

/* A number that hurts, or any, in place of 1, 2, 4 or 8 bytes. */
static void
put_number(uint8_t *at, size_t room)
{
	static const uint64_t hurting[] = { 0, 1, 2, 3, 63, 64, 65, 255, 256,
		0x7fff, 0x8000, 0xffff, 0x7fffffff, 0x80000000, 0xffffffff,
		INT64_MAX, UINT64_C(1) << 63, UINT64_MAX - 1, UINT64_MAX };
	size_t len = (size_t)1 << rng_below(&traitor.rng, 4);
	uint64_t number = rng_below(&traitor.rng, 4) == 0
	    ? rng_next(&traitor.rng)
	    : hurting[rng_below(&traitor.rng, ARRAY_COUNT(hurting))];

	/* A little more or less than the truth. */
	if (rng_below(&traitor.rng, 4) == 0)
		number =
		    at[num_min(len, room) - 1] + rng_below(&traitor.rng, 9) - 4;
	for (size_t i = 0; i < len && i < room; i++)
		at[i] = (uint8_t)(number >> 8 * (len - 1 - i));
}

static size_t
lie(uint8_t *bytes, size_t len, size_t room)
{
	uint64_t kind = rng_below(&traitor.rng, 16);
	uint64_t count = 1;

	if (kind == 0) /* cut */
		return 1 + (size_t)rng_below(&traitor.rng, len);
	if (kind == 1) { /* something else */
		uint64_t i = rng_below(&traitor.rng, OLD);
		size_t old_len = num_min(traitor.old_len[i], room);

		if (old_len == 0)
			return len;
		memcpy(bytes, traitor.old[i], old_len);
		len = old_len;
	}
	if (kind == 2) { /* longer */
		size_t more = 1 + (size_t)rng_below(&traitor.rng, 64);

		more = num_min(more, room - len);
		for (size_t i = 0; i < more; i++)
			bytes[len + i] = (uint8_t)rng_next(&traitor.rng);
		return len + more;
	}
	if (rng_below(&traitor.rng, 3) == 0)
		count = 1 + rng_below(&traitor.rng, LIES_MAX);
	for (; count > 0; count--) {
		/* The front says more. */
		size_t span =
		    rng_below(&traitor.rng, 2) == 0 ? num_min(len, 64) : len;
		size_t at = (size_t)rng_below(&traitor.rng, span);

		put_number(bytes + at, len - at);
	}
	return len;
}

static void
remember(const uint8_t *bytes, size_t len)
{
	uint64_t i = rng_below(&traitor.rng, OLD);

	traitor.old_len[i] = num_min(len, OLD_BYTES);
	memcpy(traitor.old[i], bytes, traitor.old_len[i]);
}

void
__wrap_ringd_net_send(
    struct ringd_net *net, const struct totem_effect *effect, uint64_t now_ns)
{
	struct totem_effect changed = *effect;
	/* Of the least that frame_bytes may be, so that it always fits. */
	size_t room = num_max(effect->send.len, LIMIT_FRAME_BYTES_MIN);
	bool is_lie = lies_now(now_ns);

	remember(effect->send.bytes, effect->send.len);
	if (is_lie) {
		memcpy(traitor.bytes, effect->send.bytes, effect->send.len);
		changed.send.bytes = traitor.bytes;
		changed.send.len = lie(traitor.bytes, effect->send.len, room);
	}
	__real_ringd_net_send(net, &changed, now_ns);
}

void
__wrap_totem_step(struct totem *t, const struct totem_input *in)
{
	struct totem_input changed = *in;
	size_t len = in->submit.head_len;

	if (in->kind != TOTEM_IN_SUBMIT || len == 0 || len > BYTES / 2 ||
	    !lies_now(in->now_ns)) {
		__real_totem_step(t, in);
		return;
	}
	memcpy(traitor.bytes, in->submit.head, len);
	changed.submit.head = traitor.bytes;
	changed.submit.head_len = lie(traitor.bytes, len, len);
	__real_totem_step(t, &changed);
}
