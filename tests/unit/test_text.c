/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/escape.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"

#include "tests/unit/check.h"

static char out[4096];

static void
test_text_puts_words_and_numbers(void)
{
	struct text text;
	text_init(&text, out, sizeof out);

	text_put(&text, "a=");
	text_put_u64(&text, 0);
	text_put_char(&text, ' ');
	text_put_u64(&text, UINT64_MAX);
	text_put_char(&text, ' ');
	text_put_hex(&text, 0xBEEF);

	CHECK_STR(out, "a=0 18446744073709551615 beef");
	CHECK_EQ(text.len, strlen(out));
	CHECK(!text.is_full);
}

static void
test_text_cuts_off_what_does_not_fit(void)
{
	struct text text;
	text_init(&text, out, 4);

	text_put(&text, "abc");
	CHECK(!text.is_full);
	text_put(&text, "");
	CHECK(!text.is_full);
	text_put(&text, "d");

	CHECK(text.is_full);
	CHECK_STR(out, "abc");
}

static void
test_text_of_size_one_holds_nothing(void)
{
	struct text text;
	text_init(&text, out, 1);

	text_put_u64(&text, 7);

	CHECK_STR(out, "");
	CHECK(text.is_full);
}

static void
test_text_value_escapes_what_a_shell_would_touch(void)
{
	static const struct {
		const char *bytes, *want;
	} cases[] = {
		{ "", "" },
		{ "plain-1.2,x=y:z/", "plain-1.2,x=y:z/" },
		{ "a b", "a\\0040b" },
		{ "\\", "\\\\" },
		{ "\n\t\r", "\\n\\t\\r" },
		{ "*?[]", "\\0052\\0077\\0133\\0135" },
		{ "\x01\x7F", "\\0001\\0177" },
		{ "gr\xC3\xBC\xC3\x9F", "gr\xC3\xBC\xC3\x9F" },
		{ "\xE2\x82\xAC\xF0\x9F\x90\x9A",
		    "\xE2\x82\xAC\xF0\x9F\x90\x9A" },
		{ "cut \xE2\x82", "cut\\0040\\0342\\0202" },
		{ "overlong \xC0\xAF", "overlong\\0040\\0300\\0257" },
		{ "surrogate \xED\xA0\x80",
		    "surrogate\\0040\\0355\\0240\\0200" },
		{ "beyond \xF4\x90\x80\x80",
		    "beyond\\0040\\0364\\0220\\0200\\0200" },
		{ "\xFF", "\\0377" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct text text;
		text_init(&text, out, sizeof out);
		text_put_value(&text, cases[i].bytes, strlen(cases[i].bytes));
		CHECK_STR(out, cases[i].want);
	}
}

static void
test_text_value_comes_back_whatever_the_bytes(void)
{
	uint8_t bytes[300];
	struct rng rng;

	rng_init(&rng, 3);
	for (int round = 0; round < 300; round++) {
		struct text text;
		size_t len = rng_below(&rng, sizeof bytes);
		for (size_t i = 0; i < len; i++)
			bytes[i] = (uint8_t)rng_next(&rng);
		text_init(&text, out, sizeof out);
		text_put_value(&text, bytes, len);
		CHECK(!text.is_full);
		CHECK(escape_is_valid(out, text.len));
		size_t back = escape_undo(out, text.len);
		CHECK_MEM(out, back, bytes, len);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_text_puts_words_and_numbers),
		CHECK_TEST(test_text_cuts_off_what_does_not_fit),
		CHECK_TEST(test_text_of_size_one_holds_nothing),
		CHECK_TEST(test_text_value_escapes_what_a_shell_would_touch),
		CHECK_TEST(test_text_value_comes_back_whatever_the_bytes),
	};
	return CHECK_MAIN(argc, argv, tests);
}
