/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/line.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"

#include "tests/unit/check.h"

enum { SIZE = 18, LIMIT = 8 };

static char buffer[SIZE];
static struct line line;

static void
begin(void)
{
	memset(buffer, 'x', sizeof buffer);
	line_init(&line, buffer, SIZE, LIMIT);
}

/* Puts all of the bytes in, which must fit. */
static void
fill(const char *bytes, size_t len)
{
	size_t room = 0;
	char *to = line_space(&line, &room);

	if (!CHECK(len <= room))
		return;
	memcpy(to, bytes, len);
	line_fill(&line, len);
}

static void
fill_string(const char *string)
{
	fill(string, strlen(string));
}

static void
check_line(const char *want)
{
	char *bytes = NULL;
	size_t len = 0;

	CHECK_EQ(line_next(&line, &bytes, &len), LINE_READY);
	CHECK_STR(bytes, want);
	CHECK_EQ(len, strlen(want));
}

static void
check_result(enum line_result want)
{
	char *bytes = NULL;
	size_t len = 0;

	CHECK_EQ(line_next(&line, &bytes, &len), want);
}

static void
test_line_several_in_one_fill(void)
{
	begin();
	fill_string("a\n\nbc\r\nd");

	check_line("a");
	check_line("");
	check_line("bc");
	check_result(LINE_NONE);
	fill_string("e\n");
	check_line("de");
	check_result(LINE_NONE);
}

static void
test_line_only_one_cr_before_lf_goes(void)
{
	begin();
	fill_string("a\r\r\n\rb\n\r\n");

	check_line("a\r");
	check_line("\rb");
	check_line("");
}

static void
test_line_may_hold_a_nul(void)
{
	char *bytes = NULL;
	size_t len = 0;
	begin();

	fill("a\0b\n", 4);

	CHECK_EQ(line_next(&line, &bytes, &len), LINE_READY);
	CHECK_MEM(bytes, len, "a\0b", 3);
}

static void
test_line_of_the_limit_fits_and_one_more_does_not(void)
{
	begin();
	fill_string("1234567\n12345678\n");

	check_line("1234567");
	check_result(LINE_TOO_LONG);
	check_result(LINE_NONE);
	fill_string("ok\n");
	check_line("ok");
}

static void
test_line_too_long_is_said_once_however_long(void)
{
	begin();
	fill_string("12345678");
	check_result(LINE_TOO_LONG);
	for (int i = 0; i < 10; i++) {
		fill_string("1234567890123456");
		check_result(LINE_NONE);
	}

	fill_string("end\nnext\n");

	check_line("next");
	check_result(LINE_NONE);
}

static void
test_line_two_too_long_are_said_twice(void)
{
	begin();
	fill_string("12345678");
	check_result(LINE_TOO_LONG);
	fill_string("9\n12345678");
	check_result(LINE_TOO_LONG);
	check_result(LINE_NONE);
	fill_string("\n1\n");
	check_line("1");
}

static void
test_line_raw_bytes_between_lines(void)
{
	char *bytes = NULL;
	begin();
	fill_string("len=5\na\nb");

	check_line("len=5");
	CHECK_EQ(line_take(&line, 5, &bytes), 3);
	CHECK_MEM(bytes, 3, "a\nb", 3);
	CHECK_EQ(line_take(&line, 2, &bytes), 0);
	fill_string("\n\n\nx\n");
	CHECK_EQ(line_take(&line, 2, &bytes), 2);
	CHECK_MEM(bytes, 2, "\n\n", 2);
	check_line("");
	check_line("x");
}

static void
test_line_last_without_lf(void)
{
	char *bytes = NULL;
	size_t len = 0;
	begin();

	CHECK_EQ(line_last(&line, &bytes, &len), LINE_NONE);
	fill_string("a\nend");
	check_line("a");
	check_result(LINE_NONE);
	CHECK_EQ(line_last(&line, &bytes, &len), LINE_READY);
	CHECK_STR(bytes, "end");
	CHECK_EQ(len, 3);
	CHECK_EQ(line_last(&line, &bytes, &len), LINE_NONE);
}

static void
test_line_last_of_one_too_long_is_nothing(void)
{
	char *bytes = NULL;
	size_t len = 0;
	begin();

	fill_string("1234567890");
	check_result(LINE_TOO_LONG);
	fill_string("end");

	CHECK_EQ(line_last(&line, &bytes, &len), LINE_NONE);
}

static void
take_too_much_room(void)
{
	size_t room = 0;
	begin();
	line_space(&line, &room);
	line_fill(&line, room + 1);
}

static void
test_line_filling_past_the_room_aborts(void)
{
	CHECK_ABORTS(take_too_much_room);
}

/* Takes all lines there are; one that is too long counts as "!". */
static void
take_all(struct text *got)
{
	char *bytes = NULL;
	size_t len = 0;

	for (;;) {
		enum line_result result = line_next(&line, &bytes, &len);
		if (result == LINE_NONE)
			return;
		text_put(got, result == LINE_TOO_LONG ? "!" : bytes);
		text_put_char(got, '|');
	}
}

/* Feeds a stream in pieces of random lengths; lines must not depend on it. */
static void
test_line_cuts_do_not_matter(void)
{
	static const char stream[] =
	    "one\r\ntwo\n\nthree45\n12345678\nfour\n1234567890123456789\nfive\n";
	static const char want[] = "one|two||three45|!|four|!|five|";
	struct rng rng;

	rng_init(&rng, 5);
	for (int round = 0; round < 500; round++) {
		char got_bytes[64];
		struct text got;
		text_init(&got, got_bytes, sizeof got_bytes);
		begin();
		for (size_t at = 0, step; at < sizeof stream - 1; at += step) {
			size_t room = 0;
			line_space(&line, &room);
			step = 1 + rng_below(&rng, room);
			step = num_min(step, sizeof stream - 1 - at);
			fill(stream + at, step);
			take_all(&got);
		}
		if (!CHECK_STR(got_bytes, want))
			return;
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_line_several_in_one_fill),
		CHECK_TEST(test_line_only_one_cr_before_lf_goes),
		CHECK_TEST(test_line_may_hold_a_nul),
		CHECK_TEST(test_line_of_the_limit_fits_and_one_more_does_not),
		CHECK_TEST(test_line_too_long_is_said_once_however_long),
		CHECK_TEST(test_line_two_too_long_are_said_twice),
		CHECK_TEST(test_line_raw_bytes_between_lines),
		CHECK_TEST(test_line_last_without_lf),
		CHECK_TEST(test_line_last_of_one_too_long_is_nothing),
		CHECK_TEST(test_line_filling_past_the_room_aborts),
		CHECK_TEST(test_line_cuts_do_not_matter),
	};
	return CHECK_MAIN(argc, argv, tests);
}
