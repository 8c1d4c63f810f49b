/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/escape.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"

#include "tests/unit/check.h"

static char line[1024];
static struct word word;

static int
parse(const char *text)
{
	size_t len = strlen(text);

	memset(&word, 0xEE, sizeof word);
	memcpy(line, text, len + 1);
	line[len] = '!';
	return word_parse(&word, line, len);
}

static void
test_word_verb_and_pairs(void)
{
	CHECK_EQ(parse("pub group=deploy/web data=v1.2\\0040rc empty="), 0);

	CHECK(word.tag == NULL);
	CHECK_EQ(word.verb_count, 1);
	CHECK_STR(word.verb[0], "pub");
	CHECK_EQ(word.pair_count, 3);
	CHECK_STR(word_get(&word, "group")->value, "deploy/web");
	CHECK_STR(word_get(&word, "data")->value, "v1.2 rc");
	CHECK_EQ(word_get(&word, "data")->len, 7);
	CHECK_STR(word_get(&word, "data")->value, "v1.2 rc");
	CHECK_EQ(word_get(&word, "empty")->len, 0);
	CHECK(word_get(&word, "absent") == NULL);
	CHECK(word_get_raw(&word, "absent") == NULL);
}

static void
test_word_tag_and_several_leading_words(void)
{
	CHECK_EQ(parse("#a-7.B_ ev 2147483647 msg len=0"), 0);

	CHECK_STR(word.tag, "a-7.B_");
	CHECK_EQ(word.verb_count, 3);
	CHECK_STR(word.verb[1], "2147483647");
	CHECK_STR(word.verb[2], "msg");
}

static void
test_word_blanks_more_than_needed(void)
{
	CHECK_EQ(parse("  #1   status   a=1  "), 0);

	CHECK_STR(word.tag, "1");
	CHECK_STR(word.verb[0], "status");
	CHECK_STR(word_get(&word, "a")->value, "1");
}

static void
test_word_value_may_hold_equals_hash_and_any_high_byte(void)
{
	CHECK_EQ(parse("set value=a=b#c\xFF\xC3 x=\\0000\\0377"), 0);

	CHECK_STR(word_get(&word, "value")->value, "a=b#c\xFF\xC3");
	CHECK_MEM(word_get(&word, "x")->value, word_get(&word, "x")->len,
	    "\0\xFF", 2);
}

static void
test_word_errors_say_what_about_what(void)
{
	static const struct {
		const char *line;
		int error;
		const char *about;
	} cases[] = {
		{ "", WORD_E_EMPTY, "" },
		{ "   ", WORD_E_EMPTY, "" },
		{ "#7", WORD_E_EMPTY, "" },
		{ "a=1", WORD_E_EMPTY, "a" },
		{ "#7 a=1", WORD_E_EMPTY, "a" },
		{ "# ping", WORD_E_TAG, "" },
		{ "#12345678901234567 ping", WORD_E_TAG, "12345678901234567" },
		{ "#a=b ping", WORD_E_TAG, "a=b" },
		{ "ping #7", WORD_E_VERB, "#7" },
		{ "p\ting", WORD_E_BYTE, "" },
		{ "ping a=\x7F", WORD_E_BYTE, "" },
		{ "pi/ng", WORD_E_VERB, "pi/ng" },
		{ "ping =x", WORD_E_KEY, "" },
		{ "ping A=x", WORD_E_KEY, "A" },
		{ "ping 1a=x", WORD_E_KEY, "1a" },
		{ "ping a-b=x", WORD_E_KEY, "a-b" },
		{ "ping a_9=x b=\\q", WORD_E_ESCAPE, "b" },
		{ "ping a=\\", WORD_E_ESCAPE, "a" },
		{ "ping a=1 b=2 a=1", WORD_E_DUPLICATE, "a" },
		{ "ping a=1 pong", WORD_E_PLACE, "pong" },
		{ "a b c d", WORD_E_MANY, "d" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].line);
		CHECK_EQ(parse(cases[i].line), cases[i].error);
		CHECK_STR(word.about, cases[i].about);
		CHECK(strlen(word_error_text(cases[i].error)) > 0);
	}
}

static void
test_word_tag_survives_an_error_behind_it(void)
{
	CHECK_EQ(parse("#x7 ping a=\\q"), WORD_E_ESCAPE);
	CHECK_STR(word.tag, "x7");
	CHECK_EQ(parse("#x8 pi\tng"), WORD_E_BYTE);
	CHECK_STR(word.tag, "x8");
	CHECK_EQ(parse("#x\t8 ping"), WORD_E_TAG);
	CHECK(word.tag == NULL);
}

static void
test_word_pairs_have_a_limit(void)
{
	char bytes[1024];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "verb");
	for (uint64_t i = 0; i < WORD_PAIRS; i++) {
		text_put(&text, " k");
		text_put_u64(&text, i);
		text_put(&text, "=v");
	}
	CHECK_EQ(parse(bytes), 0);
	CHECK_EQ(word.pair_count, WORD_PAIRS);
	text_put(&text, " one=more");
	CHECK_EQ(parse(bytes), WORD_E_MANY);
	CHECK_STR(word.about, "one");
}

static void
test_word_at_goes_over_all_in_order(void)
{
	CHECK_EQ(parse("x b=\\n a=2"), 0);

	CHECK_STR(word_at(&word, 0)->key, "b");
	CHECK_STR(word_at(&word, 0)->value, "\n");
	CHECK_STR(word_at(&word, 1)->key, "a");
	CHECK(word_at(&word, 2) == NULL);
}

static void
test_word_list_items_keep_their_escaped_commas(void)
{
	static const char *const want[] = { "1.5:a,b", "", "2.3:" };
	char *item = NULL;
	size_t len = 0, count = 0;

	CHECK_EQ(parse("ev members=1.5:a\\0054b,,2.3: none="), 0);
	const struct word_pair *pair = word_get_raw(&word, "members");
	char *list = pair->value;
	size_t list_len = pair->len;
	while (count < ARRAY_COUNT(want) &&
	    word_take_item(&list, &list_len, &item, &len)) {
		len = escape_undo(item, len);
		CHECK_MEM(item, len, want[count], strlen(want[count]));
		count++;
	}
	CHECK_EQ(count, ARRAY_COUNT(want));
	CHECK_EQ(list_len, 0);

	pair = word_get_raw(&word, "none");
	list = pair->value;
	list_len = pair->len;
	CHECK(!word_take_item(&list, &list_len, &item, &len));
}

static void
raw_after_undone(void)
{
	if (parse("x a=\\0052") != 0)
		return;
	word_get(&word, "a");
	word_get_raw(&word, "a");
}

static void
test_word_raw_after_undone_is_a_programmer_error(void)
{
	CHECK_ABORTS(raw_after_undone);
}

static void
test_word_data_follows_a_last_len(void)
{
	static const struct {
		const char *line;
		enum word_data result;
		uint64_t len;
	} cases[] = {
		{ "pub group=a len=5", WORD_DATA_FOLLOWS, 5 },
		{ "pub group=a len=0", WORD_DATA_FOLLOWS, 0 },
		{ "pub group=a len=5  ", WORD_DATA_FOLLOWS, 5 },
		{ "#7 p/ub a=\\q len=18446744073709551615", WORD_DATA_FOLLOWS,
		    UINT64_MAX },
		{ "len=3", WORD_DATA_FOLLOWS, 3 },
		{ "pub len=5 group=a", WORD_DATA_NONE, 0 },
		{ "pub xlen=5", WORD_DATA_NONE, 0 },
		{ "pub len", WORD_DATA_NONE, 0 },
		{ "", WORD_DATA_NONE, 0 },
		{ "pub len=", WORD_DATA_BAD, 0 },
		{ "pub len=-1", WORD_DATA_BAD, 0 },
		{ "pub len=5x", WORD_DATA_BAD, 0 },
		{ "pub len=18446744073709551616", WORD_DATA_BAD, 0 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		uint64_t len = 0;
		const char *text = cases[i].line;
		check_case(text);
		CHECK_EQ(
		    word_data_len(text, strlen(text), &len), cases[i].result);
		CHECK_EQ(len, cases[i].len);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_word_verb_and_pairs),
		CHECK_TEST(test_word_tag_and_several_leading_words),
		CHECK_TEST(test_word_blanks_more_than_needed),
		CHECK_TEST(
		    test_word_value_may_hold_equals_hash_and_any_high_byte),
		CHECK_TEST(test_word_errors_say_what_about_what),
		CHECK_TEST(test_word_tag_survives_an_error_behind_it),
		CHECK_TEST(test_word_pairs_have_a_limit),
		CHECK_TEST(test_word_at_goes_over_all_in_order),
		CHECK_TEST(test_word_list_items_keep_their_escaped_commas),
		CHECK_TEST(test_word_raw_after_undone_is_a_programmer_error),
		CHECK_TEST(test_word_data_follows_a_last_len),
	};
	return CHECK_MAIN(argc, argv, tests);
}
