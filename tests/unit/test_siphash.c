/* SPDX-License-Identifier: BSD-3-Clause */
#include <sodium.h>

#include "libcommon/base/siphash.h"

#include "tests/unit/check.h"

enum { BYTES = 100 };

/* The authors' own example. */
static void
test_siphash_known(void)
{
	const struct siphash_key key = { { UINT64_C(0x0706050403020100),
	    UINT64_C(0x0f0e0d0c0b0a0908) } };
	uint8_t bytes[15];

	for (unsigned i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)i;
	CHECK(siphash_of(&key, bytes, sizeof bytes) ==
	    UINT64_C(0xa129ca6149be45e5));
}

static uint64_t
word_of(const uint8_t *bytes)
{
	uint64_t word = 0;

	for (unsigned i = 8; i-- > 0;)
		word = word << 8 | bytes[i];
	return word;
}

/* Every length, as libsodium has it. */
static void
test_siphash_is_that_of_libsodium(void)
{
	uint8_t secret[crypto_shorthash_KEYBYTES];
	uint8_t sum[crypto_shorthash_BYTES];
	uint8_t bytes[BYTES];
	struct siphash_key key;

	for (unsigned i = 0; i < BYTES; i++)
		bytes[i] = (uint8_t)(i * 151 + 7);
	for (unsigned i = 0; i < sizeof secret; i++)
		secret[i] = (uint8_t)(i * 37 + 200);
	key.word[0] = word_of(secret);
	key.word[1] = word_of(secret + 8);
	for (size_t len = 0; len <= BYTES; len++) {
		crypto_shorthash(sum, bytes, len, secret);
		CHECK(siphash_of(&key, bytes, len) == word_of(sum));
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_siphash_known),
		CHECK_TEST(test_siphash_is_that_of_libsodium),
	};

	return CHECK_MAIN(argc, argv, tests);
}
