/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/escape.h"
#include "libcommon/base/num.h"

#include "tests/unit/check.h"

static void
test_escape_undo_in_place(void)
{
	static const struct {
		const char *bytes, *want;
		size_t want_len;
	} cases[] = {
		{ "", "", 0 },
		{ "plain", "plain", 5 },
		{ "\\\\", "\\", 1 },
		{ "\\n\\t\\r", "\n\t\r", 3 },
		{ "a\\0040b\\0040c", "a b c", 5 },
		{ "\\0000", "\0", 1 },
		{ "\\0377x", "\xFFx", 2 },
		{ "\\\\0040", "\\0040", 5 },
		{ "\\00401", " 1", 2 },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char bytes[32];
		size_t len = strlen(cases[i].bytes);
		check_case(cases[i].bytes);
		memcpy(bytes, cases[i].bytes, len);
		CHECK(escape_is_valid(bytes, len));
		len = escape_undo(bytes, len);
		CHECK_MEM(bytes, len, cases[i].want, cases[i].want_len);
	}
}

static void
test_escape_bad_ones_are_not_valid(void)
{
	static const char *const bad[] = { "\\", "a\\", "\\a", "\\x20", "\\040",
		"\\0", "\\00", "\\004", "\\0400", "\\0777", "\\008", "\\0009",
		"\\N", "ok\\n\\", "\\ " };

	for (size_t i = 0; i < ARRAY_COUNT(bad); i++) {
		check_case(bad[i]);
		CHECK(!escape_is_valid(bad[i], strlen(bad[i])));
	}
}

static void
undo_bad(void)
{
	char bytes[] = "a\\q";
	escape_undo(bytes, 3);
}

static void
test_escape_undo_of_a_bad_one_is_a_programmer_error(void)
{
	CHECK_ABORTS(undo_bad);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_escape_undo_in_place),
		CHECK_TEST(test_escape_bad_ones_are_not_valid),
		CHECK_TEST(test_escape_undo_of_a_bad_one_is_a_programmer_error),
	};
	return CHECK_MAIN(argc, argv, tests);
}
