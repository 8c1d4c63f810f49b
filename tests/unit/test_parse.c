/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"

#include "tests/unit/check.h"

#define MS     ((uint64_t)1000000)
#define S      (1000 * MS)
#define SYNTAX PARSE_E_SYNTAX
#define RANGE  PARSE_E_RANGE

struct parse_case {
	const char *text;
	int rc;
	uint64_t value;
};

static void
test_parse_u64_is_strict(void)
{
	static const struct parse_case cases[] = {
		{ "5", 0, 5 },
		{ "10", 0, 10 },
		{ "007", 0, 7 },
		{ "4", RANGE, 0 },
		{ "11", RANGE, 0 },
		{ "18446744073709551616", RANGE, 0 },
		{ "99999999999999999999999999", RANGE, 0 },
		{ "99999999999999999999999999x", SYNTAX, 0 },
		{ "", SYNTAX, 0 },
		{ " 5", SYNTAX, 0 },
		{ "5 ", SYNTAX, 0 },
		{ "+5", SYNTAX, 0 },
		{ "-5", SYNTAX, 0 },
		{ "5.0", SYNTAX, 0 },
		{ "0x5", SYNTAX, 0 },
		{ "five", SYNTAX, 0 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct parse_case *c = &cases[i];
		uint64_t value = 77;
		check_case(c->text);
		CHECK_EQ(
		    parse_u64(c->text, strlen(c->text), 5, 10, &value), c->rc);
		CHECK_EQ(value, c->rc == 0 ? c->value : 77);
	}
}

static void
test_parse_u64_reaches_its_ends(void)
{
	uint64_t value = 1;

	CHECK_EQ(parse_u64("0", 1, 0, UINT64_MAX, &value), 0);
	CHECK_EQ(value, 0);
	CHECK_EQ(
	    parse_u64("18446744073709551615", 20, 0, UINT64_MAX, &value), 0);
	CHECK_EQ(value, UINT64_MAX);
	CHECK_EQ(parse_u64("1\0", 2, 0, UINT64_MAX, &value), SYNTAX);
}

static void
test_parse_node_id(void)
{
	uint32_t id = 9;

	CHECK_EQ(parse_node_id("0", 1, &id), RANGE);
	CHECK_EQ(parse_node_id("65536", 5, &id), RANGE);
	CHECK_EQ(parse_node_id("a", 1, &id), SYNTAX);
	CHECK_EQ(id, 9);
	CHECK_EQ(parse_node_id("65535", 5, &id), 0);
	CHECK_EQ(id, 65535);
}

static void
test_parse_duration_forms(void)
{
	static const struct parse_case cases[] = {
		{ "0", 0, 0 },
		{ "500ms", 0, 500 * MS },
		{ "5", 0, 5 * S },
		{ "5s", 0, 5 * S },
		{ "2m", 0, 120 * S },
		{ "1h", 0, 3600 * S },
		{ "inf", 0, PARSE_FOREVER },
		{ "0.5", 0, 500 * MS },
		{ "1.25s", 0, 1250 * MS },
		{ "1.5h", 0, 5400 * S },
		{ "0.1m", 0, 6 * S },
		{ "0.5ms", 0, 500000 },
		{ "0.000001ms", 0, 1 },
		{ "0.0000001ms", 0, 0 },
		{ "0.9999999999999999s", 0, 999999999 },
		{ "0.999999999h", 0, 3599999996400 },
		{ "5124095h", 0, 5124095 * (3600 * S) },
		{ "5124096h", RANGE, 0 },
		{ "18446744073.709551614", 0, PARSE_FOREVER - 1 },
		{ "18446744073.709551615", RANGE, 0 },
		{ "99999999999999999999s", RANGE, 0 },
		{ "99999999999999999999x", SYNTAX, 0 },
		{ "", SYNTAX, 0 },
		{ "s", SYNTAX, 0 },
		{ ".5", SYNTAX, 0 },
		{ "1.", SYNTAX, 0 },
		{ "1.s", SYNTAX, 0 },
		{ "1.2.3", SYNTAX, 0 },
		{ "-1", SYNTAX, 0 },
		{ "1 s", SYNTAX, 0 },
		{ "1sec", SYNTAX, 0 },
		{ "1S", SYNTAX, 0 },
		{ "infinite", SYNTAX, 0 },
		{ "1e3", SYNTAX, 0 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct parse_case *c = &cases[i];
		uint64_t value = 77;
		check_case(c->text);
		CHECK_EQ(
		    parse_duration(c->text, strlen(c->text), &value), c->rc);
		CHECK_EQ(value, c->rc == 0 ? c->value : 77);
	}
}

static void
test_parse_size_forms(void)
{
	static const struct parse_case cases[] = {
		{ "4096", 0, 4096 },
		{ "64KiB", 0, 65536 },
		{ "1MiB", 0, 1 << 20 },
		{ "3GiB", 0, (uint64_t)3 << 30 },
		{ "0", 0, 0 },
		{ "17179869183GiB", 0, UINT64_MAX - ((1 << 30) - 1) },
		{ "17179869184GiB", RANGE, 0 },
		{ "99999999999999999999", RANGE, 0 },
		{ "1MB", SYNTAX, 0 },
		{ "1M", SYNTAX, 0 },
		{ "1mib", SYNTAX, 0 },
		{ "1.5MiB", SYNTAX, 0 },
		{ "MiB", SYNTAX, 0 },
		{ "1 MiB", SYNTAX, 0 },
		{ "", SYNTAX, 0 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		const struct parse_case *c = &cases[i];
		uint64_t value = 77;
		check_case(c->text);
		CHECK_EQ(parse_size(c->text, strlen(c->text), &value), c->rc);
		CHECK_EQ(value, c->rc == 0 ? c->value : 77);
	}
}

static void
test_parse_yes_no(void)
{
	int value = 7;

	CHECK_EQ(parse_yes_no("", 0, &value), SYNTAX);
	CHECK_EQ(parse_yes_no("Yes", 3, &value), SYNTAX);
	CHECK_EQ(parse_yes_no("yes!", 4, &value), SYNTAX);
	CHECK_EQ(value, 7);
	CHECK_EQ(parse_yes_no("yes", 3, &value), 0);
	CHECK_EQ(value, 1);
	CHECK_EQ(parse_yes_no("no", 2, &value), 0);
	CHECK_EQ(value, 0);
}

static void
test_parse_view_and_pos(void)
{
	struct parse_view view = { 0 };
	struct parse_pos pos = { 0 };

	CHECK_EQ(parse_view("4294967295.18446744073709551615", 31, &view), 0);
	CHECK_EQ(view.rep, UINT32_MAX);
	CHECK_EQ(view.seq, UINT64_MAX);
	CHECK_EQ(parse_pos("1.18:40.2", 9, &pos), 0);
	CHECK_EQ(pos.view.rep, 1);
	CHECK_EQ(pos.view.seq, 18);
	CHECK_EQ(pos.seq, 40);
	CHECK_EQ(pos.idx, 2);
}

static void
test_parse_view_and_pos_refuse(void)
{
	static const struct {
		const char *text;
		int view_rc, pos_rc;
	} cases[] = {
		{ "", SYNTAX, SYNTAX },
		{ ".", SYNTAX, SYNTAX },
		{ "1", SYNTAX, SYNTAX },
		{ "1.", SYNTAX, SYNTAX },
		{ "1.2.3", SYNTAX, SYNTAX },
		{ "1.2c", SYNTAX, SYNTAX },
		{ "4294967296.1", RANGE, SYNTAX },
		{ "4294967296.x", SYNTAX, SYNTAX },
		{ "1.2:", SYNTAX, SYNTAX },
		{ "1.2:3", SYNTAX, SYNTAX },
		{ "1.2:3.4:5", SYNTAX, SYNTAX },
		{ "1.2:3.4294967296", SYNTAX, RANGE },
		{ "4294967296.2:3.4", SYNTAX, RANGE },
		{ "4294967296.2:3.x", SYNTAX, SYNTAX },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct parse_view view;
		struct parse_pos pos;
		size_t len = strlen(cases[i].text);
		check_case(cases[i].text);
		CHECK_EQ(
		    parse_view(cases[i].text, len, &view), cases[i].view_rc);
		CHECK_EQ(parse_pos(cases[i].text, len, &pos), cases[i].pos_rc);
	}
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_parse_u64_is_strict),
		CHECK_TEST(test_parse_u64_reaches_its_ends),
		CHECK_TEST(test_parse_node_id),
		CHECK_TEST(test_parse_duration_forms),
		CHECK_TEST(test_parse_size_forms),
		CHECK_TEST(test_parse_yes_no),
		CHECK_TEST(test_parse_view_and_pos),
		CHECK_TEST(test_parse_view_and_pos_refuse),
	};
	return CHECK_MAIN(argc, argv, tests);
}
