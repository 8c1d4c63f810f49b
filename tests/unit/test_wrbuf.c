/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"
#include "libcommon/base/wrbuf.h"

#include "tests/unit/check.h"

static uint8_t out[32];

static void
test_wrbuf_writes_big_endian(void)
{
	static const uint8_t want[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12,
		13, 14, 15, 'x' };
	struct wrbuf wr;
	wrbuf_init(&wr, out, sizeof out);

	wrbuf_u8(&wr, 0x01);
	wrbuf_u16(&wr, 0x0203);
	wrbuf_u32(&wr, 0x04050607);
	wrbuf_u64(&wr, 0x08090A0B0C0D0E0F);
	wrbuf_bytes(&wr, "x", 1);

	CHECK_MEM(out, wr.len, want, sizeof want);
	CHECK_EQ(wrbuf_left(&wr), sizeof out - sizeof want);
	CHECK(!wr.is_full);
}

static void
test_wrbuf_what_does_not_fit_is_not_written_at_all(void)
{
	struct wrbuf wr;
	memset(out, 0xEE, sizeof out);
	wrbuf_init(&wr, out, 3);

	wrbuf_u32(&wr, 0);
	CHECK(wr.is_full);
	CHECK_EQ(wr.len, 0);
	wrbuf_u8(&wr, 1);

	CHECK_EQ(wr.len, 0);
	CHECK_EQ(out[0], 0xEE);
}

static void
test_wrbuf_can_be_filled_exactly(void)
{
	struct wrbuf wr;
	wrbuf_init(&wr, out, 2);

	wrbuf_u16(&wr, 7);
	wrbuf_bytes(&wr, NULL, 0);

	CHECK(!wr.is_full);
	CHECK_EQ(wrbuf_left(&wr), 0);
}

static void
test_wrbuf_varint_comes_back(void)
{
	static const struct {
		uint64_t value;
		size_t len;
	} cases[] = {
		{ 0, 1 },
		{ 127, 1 },
		{ 128, 2 },
		{ 16383, 2 },
		{ 16384, 3 },
		{ (uint64_t)1 << 63, 10 },
		{ UINT64_MAX, 10 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct wrbuf wr;
		struct rdbuf rd;
		wrbuf_init(&wr, out, sizeof out);
		wrbuf_varint(&wr, cases[i].value);
		rdbuf_init(&rd, out, wr.len);
		CHECK_EQ(wr.len, cases[i].len);
		CHECK_EQ(wrbuf_varint_len(cases[i].value), cases[i].len);
		CHECK_EQ(rdbuf_varint(&rd), cases[i].value);
		CHECK(rdbuf_is_done(&rd));
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_wrbuf_writes_big_endian),
		CHECK_TEST(test_wrbuf_what_does_not_fit_is_not_written_at_all),
		CHECK_TEST(test_wrbuf_can_be_filled_exactly),
		CHECK_TEST(test_wrbuf_varint_comes_back),
	};
	return CHECK_MAIN(argc, argv, tests);
}
