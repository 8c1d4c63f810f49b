/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/json.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"
#include "libcommon/base/text.h"

#include "tests/unit/check.h"

static void
test_json_quotes_what_a_string_may_not_hold(void)
{
	char bytes[100];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	json_put_string(&text, "a\"b\\c\n\t\x01\0\xC3\xA4", 11);
	CHECK_STR(bytes, "\"a\\\"b\\\\c\\n\\t\\u0001\\u0000\xC3\xA4\"");
}

static void
test_json_base64_pads(void)
{
	static const struct {
		const char *plain, *coded;
	} cases[] = {
		{ "", "\"\"" },
		{ "f", "\"Zg==\"" },
		{ "fo", "\"Zm8=\"" },
		{ "foo", "\"Zm9v\"" },
		{ "foob", "\"Zm9vYg==\"" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char bytes[40];
		struct text text;

		text_init(&text, bytes, sizeof bytes);
		json_put_base64(&text, cases[i].plain, strlen(cases[i].plain));
		CHECK_STR(bytes, cases[i].coded);
	}
}

/* Quoted, put into an object, found and undone: the same bytes. */
static void
test_json_any_bytes_come_back(void)
{
	struct rng rng;

	rng_init(&rng, 7);
	for (size_t len = 0; len < 200; len++) {
		uint8_t plain[200];
		char object[2000];
		struct text text;
		struct json_value value;

		for (size_t i = 0; i < len; i++)
			plain[i] = (uint8_t)(rng_next(&rng) >> 56);
		bool is_utf8 = len % 2 == 0;
		for (size_t i = 0; is_utf8 && i < len; i++)
			plain[i] &= 0x7F;
		text_init(&text, object, sizeof object);
		text_put(&text, "{\"a\":[1,{\"data\":2}],\"data\":");
		(is_utf8 ? json_put_string : json_put_base64)(
		    &text, plain, len);
		text_put(&text, ",\"z\":null}");
		if (!CHECK_EQ(json_find(object, text.len, "data", &value), 0))
			return;
		char *found = object + (value.bytes - object);
		CHECK((is_utf8 ? json_undo_string : json_undo_base64)(
		    found, &value.len));
		CHECK_MEM(found, value.len, plain, len);
	}
}

static void
test_json_finds_only_in_whole_objects(void)
{
	static const struct {
		const char *object;
		int rc;
	} cases[] = {
		{ "{}", JSON_E_ABSENT },
		{ " { } ", JSON_E_ABSENT },
		{ "{\"data\":\"x\"}", 0 },
		{ "{\"b\" : 1.5e3 , \"data\" : \"x\"} ", 0 },
		{ "{\"b\":{\"data\":\"x\"}}", JSON_E_ABSENT },
		{ "", JSON_E_SYNTAX },
		{ "data", JSON_E_SYNTAX },
		{ "[\"data\"]", JSON_E_SYNTAX },
		{ "{\"data\":\"x\"", JSON_E_SYNTAX },
		{ "{\"data\":\"x\",}", JSON_E_SYNTAX },
		{ "{\"data\":\"x\"}x", JSON_E_SYNTAX },
		{ "{\"data\":\"x\\\"}", JSON_E_SYNTAX },
		{ "{\"data\":\"x\\q\"}", JSON_E_SYNTAX },
		{ "{\"data\":\"\\u12g4\"}", JSON_E_SYNTAX },
		{ "{\"data\":}", JSON_E_SYNTAX },
		{ "{\"data\":yes}", JSON_E_SYNTAX },
		{ "{\"data\" \"x\"}", JSON_E_SYNTAX },
		{ "{\"b\":[1,2}],\"data\":\"x\"}", JSON_E_SYNTAX },
		{ "{\"data\":\"x\ny\"}", JSON_E_SYNTAX },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct json_value value;

		check_case(cases[i].object);
		CHECK_EQ(json_find(cases[i].object, strlen(cases[i].object),
			     "data", &value),
		    cases[i].rc);
		if (cases[i].rc == 0)
			CHECK_MEM(value.bytes, value.len, "x", 1);
	}
	check_case(NULL);
}

static void
test_json_bounds_the_depth(void)
{
	char object[200];
	struct json_value value;

	for (size_t depth = 1; depth < 80; depth++) {
		struct text text;

		text_init(&text, object, sizeof object);
		text_put(&text, "{\"a\":");
		for (size_t i = 0; i < depth; i++)
			text_put_char(&text, '[');
		for (size_t i = 0; i < depth; i++)
			text_put_char(&text, ']');
		text_put_char(&text, '}');
		CHECK_EQ(json_find(object, text.len, "b", &value),
		    depth <= JSON_DEPTH_MAX ? JSON_E_ABSENT : JSON_E_SYNTAX);
	}
}

static void
test_json_undoes_every_escape(void)
{
	char bytes[] = "\\\"\\\\\\/\\b\\f\\n\\r\\t\\u0041\\u00e4\\ud83d\\ude00";
	static const char want[] = "\"\\/\b\f\n\r\tA\xC3\xA4\xF0\x9F\x98\x80";
	size_t len = sizeof bytes - 1;

	CHECK(json_undo_string(bytes, &len));
	CHECK_MEM(bytes, len, want, sizeof want - 1);
}

static void
test_json_refuses_half_pairs_and_bad_base64(void)
{
	static const char *const halves[] = { "\\ud83d", "\\ud83dx", "\\ude00",
		"\\ud83d\\u0041" };
	static const char *const bad[] = { "A", "AA=A",
		"A===", "====", "AA==AAAA", "AA*A" };

	for (size_t i = 0; i < ARRAY_COUNT(halves); i++) {
		char bytes[20];
		size_t len = strlen(halves[i]);

		memcpy(bytes, halves[i], len);
		CHECK(!json_undo_string(bytes, &len));
	}
	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		char bytes[20];
		size_t len = strlen(bad[i]);

		memcpy(bytes, bad[i], len);
		check_case(bad[i]);
		CHECK(!json_undo_base64(bytes, &len));
	}
	check_case(NULL);
}

static void
test_text_knows_utf8(void)
{
	CHECK(text_is_utf8("", 0));
	CHECK(text_is_utf8("a\0b\xC3\xA4\xF0\x9F\x98\x80", 9));
	CHECK(!text_is_utf8("\xC3", 1));
	CHECK(!text_is_utf8("\xC0\x80", 2));
	CHECK(!text_is_utf8("\xED\xA0\x80", 3));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_json_quotes_what_a_string_may_not_hold),
		CHECK_TEST(test_json_base64_pads),
		CHECK_TEST(test_json_any_bytes_come_back),
		CHECK_TEST(test_json_finds_only_in_whole_objects),
		CHECK_TEST(test_json_bounds_the_depth),
		CHECK_TEST(test_json_undoes_every_escape),
		CHECK_TEST(test_json_refuses_half_pairs_and_bad_base64),
		CHECK_TEST(test_text_knows_utf8),
	};

	return CHECK_MAIN(argc, argv, tests);
}
