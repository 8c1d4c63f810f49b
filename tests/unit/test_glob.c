/* SPDX-License-Identifier: BSD-3-Clause */
#include <string.h>

#include "libcommon/base/glob.h"
#include "libcommon/base/num.h"
#include "libcommon/base/rng.h"

#include "tests/unit/check.h"

static bool
match(const char *pattern, const char *name)
{
	return glob_match(pattern, strlen(pattern), name, strlen(name));
}

static void
test_glob_table(void)
{
	static const struct {
		const char *pattern, *name;
		bool want;
	} cases[] = {
		{ "", "", true },
		{ "", "a", false },
		{ "a", "", false },
		{ "deploy", "deploy", true },
		{ "deploy", "deploys", false },
		{ "deploy/*", "deploy/web", true },
		{ "deploy/*", "deploy/", true },
		{ "deploy/*", "deploy", false },
		{ "deploy/*", "deploy/web/1", false },
		{ "deploy/**", "deploy/web/1", true },
		{ "**", "", true },
		{ "**", "a/b/c", true },
		{ "*", "a/b", false },
		{ "*", "a.b", true },
		{ "*/*", "a/b", true },
		{ "*/*", "a/b/c", false },
		{ "**/r0/*", "drbd/x/r0/primary", true },
		{ "**/r0/*", "r0/primary", false },
		{ "***", "a/b", true },
		{ "a?c", "abc", true },
		{ "a?c", "a/c", false },
		{ "?", "", false },
		{ "*a*b", "xaaxb", true },
		{ "*a*b", "xa/b", false },
		{ "**a*b", "a/a/xab", true },
		{ "*ab", "aab", true },
		{ "\\0052", "*", true },
		{ "\\0052", "x", false },
		{ "a\\0040b", "a b", true },
		{ "\\0077\\\\", "?\\", true },
		{ "[a]", "[a]", true },
		{ "[a]", "a", false },
		{ "a\\q", "a\\q", false },
		{ "a\\", "a\\", false },
		{ "*\\q", "aq", false },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		check_case(cases[i].pattern);
		CHECK_EQ(match(cases[i].pattern, cases[i].name), cases[i].want);
	}
}

static void
test_glob_names_are_any_bytes(void)
{
	CHECK(glob_match("a*", 2, "a\0\xFF", 3));
	CHECK(glob_match("a\\0000", 6, "a\0", 2));
	CHECK(!glob_match("a", 1, "a\0", 2));
}

static void
test_glob_is_valid_looks_at_every_escape(void)
{
	CHECK(glob_is_valid("", 0));
	CHECK(glob_is_valid("a/**?\\0052\\\\\\n", 14));
	CHECK(!glob_is_valid("a\\", 2));
	CHECK(!glob_is_valid("\\042x", 5));
	CHECK(!glob_is_valid("**\\0777", 7));
}

/* The definition, word for word and slowly; without escapes. */
static bool
defined(const char *pattern, const char *name)
{
	if (*pattern == '\0')
		return *name == '\0';
	if (*pattern != '*')
		return *name != '\0' &&
		    (*pattern == '?' ? *name != '/' : *pattern == *name) &&
		    defined(pattern + 1, name + 1);
	bool is_deep = pattern[1] == '*';
	for (size_t run = 0;; run++) {
		if (defined(pattern + 1 + is_deep, name + run))
			return true;
		if (name[run] == '\0' || (!is_deep && name[run] == '/'))
			return false;
	}
}

static void
draw(struct rng *rng, const char *letters, char *to, size_t len_max)
{
	size_t len = rng_below(rng, len_max + 1);

	for (size_t i = 0; i < len; i++)
		to[i] = letters[rng_below(rng, strlen(letters))];
	to[len] = '\0';
}

static void
test_glob_equals_its_definition(void)
{
	int matched = 0;
	struct rng rng;

	rng_init(&rng, 17);
	for (int round = 0; round < 200000; round++) {
		char pattern[9], name[11];
		draw(&rng, "ab/**?", pattern, sizeof pattern - 1);
		draw(&rng, "aab/", name, sizeof name - 1);
		bool want = defined(pattern, name);
		matched += want;
		check_case(pattern);
		if (!CHECK_EQ(match(pattern, name), want))
			return;
	}
	CHECK(matched > 10000);
}

/* Would take longer than the universe if each star doubled the work. */
static void
test_glob_many_stars_do_not_explode(void)
{
	char name[120];

	memset(name, 'a', sizeof name - 1);
	name[sizeof name - 1] = '\0';
	CHECK(!match("**a**a**a**a**a**a**a**a**a**a**a**a**b", name));
	CHECK(!match("*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b", name));
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_glob_table),
		CHECK_TEST(test_glob_names_are_any_bytes),
		CHECK_TEST(test_glob_is_valid_looks_at_every_escape),
		CHECK_TEST(test_glob_equals_its_definition),
		CHECK_TEST(test_glob_many_stars_do_not_explode),
	};
	return CHECK_MAIN(argc, argv, tests);
}
