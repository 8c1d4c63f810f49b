/* SPDX-License-Identifier: BSD-3-Clause */
#include "libcommon/base/num.h"
#include "libcommon/base/rdbuf.h"

#include "tests/unit/check.h"

static const uint8_t fifteen[] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13,
	14, 15 };

static void
test_rdbuf_reads_big_endian(void)
{
	struct rdbuf rd;
	rdbuf_init(&rd, fifteen, sizeof fifteen);

	CHECK_EQ(rdbuf_u8(&rd), 0x01);
	CHECK_EQ(rdbuf_u16(&rd), 0x0203);
	CHECK_EQ(rdbuf_u32(&rd), 0x04050607);
	CHECK_EQ(rdbuf_left(&rd), 8);
	CHECK_EQ(rdbuf_u64(&rd), 0x08090A0B0C0D0E0F);
	CHECK(rdbuf_is_done(&rd));
}

static void
test_rdbuf_short_read_leaves_cursor_and_stays_short(void)
{
	struct rdbuf rd;
	rdbuf_init(&rd, fifteen, 3);

	CHECK_EQ(rdbuf_u32(&rd), 0);

	CHECK(rd.is_short);
	CHECK_EQ(rd.at, 0);
	CHECK_EQ(rdbuf_left(&rd), 3);
	CHECK_EQ(rdbuf_u8(&rd), 0);
	CHECK(!rdbuf_is_done(&rd));
}

static void
test_rdbuf_bytes_of_a_hostile_length(void)
{
	struct rdbuf rd;

	rdbuf_init(&rd, fifteen, 8);
	rdbuf_u32(&rd);
	CHECK(rdbuf_bytes(&rd, SIZE_MAX) == NULL);
	CHECK(rd.is_short);

	rdbuf_init(&rd, fifteen, 8);
	CHECK(rdbuf_bytes(&rd, 8) == fifteen);
	CHECK(rdbuf_is_done(&rd));
}

static void
test_rdbuf_unread_bytes_are_not_done(void)
{
	struct rdbuf rd;
	rdbuf_init(&rd, fifteen, 2);

	rdbuf_u8(&rd);

	CHECK(!rd.is_short);
	CHECK(!rdbuf_is_done(&rd));
}

static void
test_rdbuf_nothing_at_all(void)
{
	struct rdbuf rd;
	rdbuf_init(&rd, NULL, 0);

	CHECK(rdbuf_is_done(&rd));
	CHECK_EQ(rdbuf_varint(&rd), 0);
	CHECK(rd.is_short);
}

static void
test_rdbuf_varint_takes_only_the_shortest_form(void)
{
	static const struct {
		const char *about;
		uint8_t bytes[11];
		size_t len;
		uint64_t value;
		bool is_short;
	} cases[] = {
		{ "zero", { 0 }, 1, 0, false },
		{ "one byte", { 0x7F }, 1, 127, false },
		{ "two bytes", { 0x80, 0x01 }, 2, 128, false },
		{ "all bits",
		    { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
			0x01 },
		    10, UINT64_MAX, false },
		{ "65 bits",
		    { 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF,
			0x02 },
		    10, 0, true },
		{ "eleven bytes",
		    { 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
			0x80, 0x01 },
		    11, 0, true },
		{ "zero in two", { 0x80, 0x00 }, 2, 0, true },
		{ "127 in two", { 0xFF, 0x00 }, 2, 0, true },
		{ "cut off", { 0x80 }, 1, 0, true },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct rdbuf rd;
		check_case(cases[i].about);
		rdbuf_init(&rd, cases[i].bytes, cases[i].len);
		CHECK_EQ(rdbuf_varint(&rd), cases[i].value);
		CHECK_EQ(rd.is_short, cases[i].is_short);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_rdbuf_reads_big_endian),
		CHECK_TEST(test_rdbuf_short_read_leaves_cursor_and_stays_short),
		CHECK_TEST(test_rdbuf_bytes_of_a_hostile_length),
		CHECK_TEST(test_rdbuf_unread_bytes_are_not_done),
		CHECK_TEST(test_rdbuf_nothing_at_all),
		CHECK_TEST(test_rdbuf_varint_takes_only_the_shortest_form),
	};
	return CHECK_MAIN(argc, argv, tests);
}
