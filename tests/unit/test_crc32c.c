/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/crc32c.h"

#include "tests/unit/check.h"

/* RFC 3720, B.4, and the check value everybody prints. */
static void
test_crc32c_known(void)
{
	uint8_t bytes[32];

	CHECK_EQ(crc32c_more(0, "123456789", 9), 0xe3069283);
	memset(bytes, 0, sizeof bytes);
	CHECK_EQ(crc32c_more(0, bytes, 32), 0x8a9136aa);
	memset(bytes, 0xff, sizeof bytes);
	CHECK_EQ(crc32c_more(0, bytes, 32), 0x62a8ab43);
	for (unsigned i = 0; i < 32; i++)
		bytes[i] = (uint8_t)i;
	CHECK_EQ(crc32c_more(0, bytes, 32), 0x46dd794e);
}

static void
test_crc32c_in_pieces(void)
{
	static const char digits[] = "123456789";

	for (size_t cut = 0; cut <= 9; cut++) {
		uint32_t crc = crc32c_more(0, digits, cut);

		CHECK_EQ(crc32c_more(crc, &digits[cut], 9 - cut), 0xe3069283);
	}
}

/* Every length and place, with and without the processor's help. */
static void
test_crc32c_fast_and_plain_agree(void)
{
	uint8_t bytes[300];

	for (size_t i = 0; i < sizeof bytes; i++)
		bytes[i] = (uint8_t)(i * i + 7);
	for (size_t at = 0; at < 16; at++)
		for (size_t len = 0; at + len <= sizeof bytes; len++)
			CHECK_EQ(crc32c_more(len != 0, &bytes[at], len),
			    crc32c_more_plain(len != 0, &bytes[at], len));
	CHECK_EQ(crc32c_more_plain(0, "123456789", 9), 0xe3069283);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_crc32c_known),
		CHECK_TEST(test_crc32c_in_pieces),
		CHECK_TEST(test_crc32c_fast_and_plain_agree),
	};

	return CHECK_MAIN(argc, argv, tests);
}
