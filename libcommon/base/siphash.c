/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/siphash.h"

enum { WORD = 8, ROUNDS = 2, LAST_ROUNDS = 4 };

struct state {
	uint64_t a, b, c, d;
};

static uint64_t
turn(uint64_t word, unsigned bits)
{
	return word << bits | word >> (64 - bits);
}

static void
mix(struct state *s, unsigned rounds)
{
	while (rounds-- > 0) {
		s->a += s->b;
		s->c += s->d;
		s->b = turn(s->b, 13) ^ s->a;
		s->d = turn(s->d, 16) ^ s->c;
		s->a = turn(s->a, 32) + s->d;
		s->c += s->b;
		s->d = turn(s->d, 21) ^ s->a;
		s->b = turn(s->b, 17) ^ s->c;
		s->c = turn(s->c, 32);
	}
}

/* The first is the lowest.  Written so, it is one load. */
static uint64_t
word_at(const uint8_t *b)
{
	return (uint64_t)b[0] | (uint64_t)b[1] << 8 | (uint64_t)b[2] << 16 |
	    (uint64_t)b[3] << 24 | (uint64_t)b[4] << 32 | (uint64_t)b[5] << 40 |
	    (uint64_t)b[6] << 48 | (uint64_t)b[7] << 56;
}

/* The last ones. */
static uint64_t
rest_of(const uint8_t *bytes, size_t len)
{
	uint64_t word = 0;

	for (size_t i = 0; i < len; i++)
		word |= (uint64_t)bytes[i] << (8 * i);
	return word;
}

static void
take(struct state *s, uint64_t word)
{
	s->d ^= word;
	mix(s, ROUNDS);
	s->a ^= word;
}

uint64_t
siphash_of(const struct siphash_key *key, const void *bytes, size_t len)
{
	const uint8_t *at = bytes;
	size_t left = len;
	struct state s = {
		.a = key->word[0] ^ UINT64_C(0x736f6d6570736575),
		.b = key->word[1] ^ UINT64_C(0x646f72616e646f6d),
		.c = key->word[0] ^ UINT64_C(0x6c7967656e657261),
		.d = key->word[1] ^ UINT64_C(0x7465646279746573),
	};

	for (; left >= WORD; left -= WORD, at += WORD)
		take(&s, word_at(at));
	take(&s, rest_of(at, left) | (uint64_t)len << 56);
	s.c ^= 0xff;
	mix(&s, LAST_ROUNDS);
	return s.a ^ s.b ^ s.c ^ s.d;
}
