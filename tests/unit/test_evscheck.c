/* SPDX-License-Identifier: BSD-3-Clause */
/* The reader of recordings: what it takes, what it refuses. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"

#include "tests/check/evscheck_read.h"
#include "tests/unit/check.h"

enum { LINE = 256 };

static const char *
parse(char *line, const char *text, struct evscheck_record *record)
{
	snprintf(line, LINE, "%s", text);
	return evscheck_json(line, record);
}

static void
test_evscheck_json_decodes_values(void)
{
	static const struct {
		const char *text, *value;
		size_t len;
	} cases[] = {
		{ "{\"k\":\"v\"}", "v", 1 },
		{ " { \"k\" : \"\" } ", "", 0 },
		{ "{\"k\":12}", "12", 2 },
		{ "{\"k\":-1.5e+3,\"l\":1}", "-1.5e+3", 7 },
		{ "{\"k\":true}", "true", 4 },
		{ "{\"k\":null }", "null", 4 },
		{ "{\"k\":[]}", "", 0 },
		{ "{\"k\":[ 1 , 2 ]}", "1,2", 3 },
		{ "{\"k\":[\"a\",\"b\\n\"],\"l\":1}", "a,b\n", 4 },
		{ "{\"k\":\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"}", "\"\\/\b\f\n\r\t",
		    8 },
		{ "{\"k\":\"\\u0041\\u00e9\\u20ac\\ud83d\\ude00\"}",
		    "A\303\251\342\202\254\360\237\230\200", 10 },
		{ "{\"k\":\"a\\u0000b\"}", "a\0b", 3 },
		{ "{\"j\":{\"k\":[1,{\"x\":\"}\"}]},\"k\":[[1],2]}", ",2", 2 },
	};
	char line[LINE];
	struct evscheck_record record;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].text);
		CHECK(parse(line, cases[i].text, &record) == NULL);
		const struct evscheck_field *field =
		    evscheck_read_field(&record, "k");
		if (CHECK(field != NULL) && field != NULL)
			CHECK_MEM(field->value, field->len, cases[i].value,
			    cases[i].len);
	}
	check_case(NULL);
}

static void
test_evscheck_json_refuses_what_is_not_json(void)
{
	static const char *const cases[] = {
		"",
		"{",
		"}",
		"[]",
		"{\"k\"}",
		"{\"k\":}",
		"{\"k\":1",
		"{\"k\":1,}",
		"{\"k\":1}x",
		"{\"k\":1 2}",
		"{k:1}",
		"{\"k\":\"}",
		"{\"k\":'v'}",
		"{\"k\":tru}",
		"{\"k\":truer}",
		"{\"k\":\"\\x\"}",
		"{\"k\":\"\\u12\"}",
		"{\"k\":\"\\ud800\"}",
		"{\"k\":\"\\ud800\\u0041\"}",
		"{\"k\":\"\\udc00\"}",
		"{\"k\":\"\\",
		"{\"k\":\"\t\"}",
		"{\"k\":[1}",
		"{\"k\":[1 2]}",
		"{\"k\":[1,]}",
		"{\"k\":{]}",
		"{\"k\":1,\"k\":2}",
		"{\"k\":[[[[[[[[[[1]]]]]]]]]]}",
		"{\"k\":{\"a\":\"\\x\"}}",
	};
	char line[LINE];
	struct evscheck_record record;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i]);
		CHECK(parse(line, cases[i], &record) != NULL);
	}
	check_case(NULL);
}

static void
test_evscheck_json_refuses_too_many_fields(void)
{
	char line[EVSCHECK_FIELDS * 16];
	struct evscheck_record record;

	for (int fields = EVSCHECK_FIELDS; fields <= EVSCHECK_FIELDS + 1;
	     fields++) {
		size_t at = 0;
		for (int i = 0; i < fields; i++)
			at += (size_t)sprintf(line + at, "%s\"k%d\":%d",
			    i == 0 ? "{" : ",", i, i);
		strcpy(line + at, "}");
		CHECK_EQ(evscheck_json(line, &record) == NULL,
		    fields == EVSCHECK_FIELDS);
	}
}

static void
test_evscheck_base64_decodes_and_refuses(void)
{
	static const struct {
		const char *text, *bytes; /* NULL: refused */
		size_t len;
	} cases[] = {
		{ "", "", 0 },
		{ "Zg==", "f", 1 },
		{ "Zm8=", "fo", 2 },
		{ "Zm9v", "foo", 3 },
		{ "Zm9vYg==", "foob", 4 },
		{ "AAD/+w==", "\0\0\377\373", 4 },
		{ "Zg=", NULL, 0 },
		{ "Zg", NULL, 0 },
		{ "Z===", NULL, 0 },
		{ "Zm 9", NULL, 0 },
	};
	char text[LINE];

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].text);
		size_t len =
		    (size_t)snprintf(text, sizeof(text), "%s", cases[i].text);
		bool is_good = evscheck_read_base64(text, &len);
		CHECK_EQ(is_good, cases[i].bytes != NULL);
		if (is_good && cases[i].bytes != NULL)
			CHECK_MEM(text, len, cases[i].bytes, cases[i].len);
	}
	check_case(NULL);
}

/* ---- lines of ring.sock
 * ------------------------------------------------------ */

static enum evscheck_read
read_one(struct evscheck_reader *reader, struct evscheck_record *record,
    const char *text)
{
	FILE *file = tmpfile();
	if (!CHECK(file != NULL))
		exit(1);
	fputs(text, file);
	rewind(file);
	evscheck_read_init(reader, file);
	enum evscheck_read got = evscheck_read_next(reader, record);
	fclose(file);
	return got;
}

static void
test_evscheck_lines_are_unescaped(void)
{
	struct evscheck_reader reader;
	struct evscheck_record record;

	CHECK_EQ(read_one(&reader, &record,
		     "ev 3 msg group=a\\0040b\\n\\\\ x y= len=3\r\n1\n3\n"),
	    EVSCHECK_READ_RECORD);

	CHECK_STR(record.event, "msg");
	CHECK_STR(evscheck_read_text(&record, "group"), "a b\n\\");
	CHECK_STR(evscheck_read_text(&record, "y"), "");
	const struct evscheck_field *data =
	    evscheck_read_field(&record, "data");
	if (CHECK(data != NULL) && data != NULL)
		CHECK_MEM(data->value, data->len, "1\n3", 3);
	CHECK_EQ(reader.line, 3);
	evscheck_read_fini(&reader);
}

static void
test_evscheck_lines_end_or_are_refused(void)
{
	static const struct {
		const char *text;
		enum evscheck_read got;
		bool is_cut;
	} cases[] = {
		{ "", EVSCHECK_READ_END, false },
		{ "\n", EVSCHECK_READ_RECORD, false },
		{ "ev 1 tick", EVSCHECK_READ_END, true },
		{ "{\"event\":\"msg\"", EVSCHECK_READ_END, true },
		{ "ev 1 msg len=3\nab", EVSCHECK_READ_END, true },
		{ "ev 1 msg len=3\nabc", EVSCHECK_READ_END, true },
		{ "ev 1 msg len=3\nabcd\n", EVSCHECK_READ_BAD, false },
		{ "ev 1 msg len=x\n", EVSCHECK_READ_BAD, false },
		{ "ev 1 msg len=99999999999\n", EVSCHECK_READ_BAD, false },
		{ "ev 1\n", EVSCHECK_READ_BAD, false },
		{ "ev 1 msg a=1 a=2\n", EVSCHECK_READ_BAD, false },
		{ "ev 1 msg a=\\q\n", EVSCHECK_READ_BAD, false },
		{ "ev 1 msg a=\\049\n", EVSCHECK_READ_BAD, false },
	};
	struct evscheck_reader reader;
	struct evscheck_record record;

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].text);
		CHECK_EQ(
		    read_one(&reader, &record, cases[i].text), cases[i].got);
		CHECK_EQ(reader.is_cut, cases[i].is_cut);
		evscheck_read_fini(&reader);
	}
	check_case(NULL);
}

static void
test_evscheck_a_nul_is_refused(void)
{
	struct evscheck_reader reader;
	struct evscheck_record record;
	FILE *file = tmpfile();
	if (!CHECK(file != NULL))
		exit(1);

	fwrite("ev 1 a\0b\n", 1, 9, file);
	rewind(file);
	evscheck_read_init(&reader, file);

	CHECK_EQ(evscheck_read_next(&reader, &record), EVSCHECK_READ_BAD);
	evscheck_read_fini(&reader);
	fclose(file);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_evscheck_json_decodes_values),
		CHECK_TEST(test_evscheck_json_refuses_what_is_not_json),
		CHECK_TEST(test_evscheck_json_refuses_too_many_fields),
		CHECK_TEST(test_evscheck_base64_decodes_and_refuses),
		CHECK_TEST(test_evscheck_lines_are_unescaped),
		CHECK_TEST(test_evscheck_lines_end_or_are_refused),
		CHECK_TEST(test_evscheck_a_nul_is_refused),
	};
	return CHECK_MAIN(argc, argv, tests);
}
