/* SPDX-License-Identifier: BSD-3-Clause */
/* Which keys a list or a watch is about, and for whom. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/word.h"
#include "libcommon/os/cluster.h"

#include "bin/cfgstored/cfgstored_filter.h"
#include "tests/unit/check.h"
#include "tests/unit/statekeys.h"

static const struct kv_config small = { { 64, 65536, 4096, 8 }, 8, 8192 };

static struct cluster_conf conf;
static struct kv *kv;

/* What is wrong with the words; NULL: nothing. */
static const char *
take(struct cfgstored_filter *filter, const char *words, uid_t uid)
{
	static char line[8192];
	struct unixsock_peer peer = { .uid = uid };
	struct word word;

	snprintf(line, sizeof line, "list %s", words);
	filter->conf = &conf;
	if (!CHECK_EQ(word_parse(&word, line, strlen(line)), 0))
		return "no words";
	return cfgstored_filter_take(filter, &word, &peer);
}

/* The keys that it has, with blanks between them. */
static const char *
keys_of(const struct cfgstored_filter *filter)
{
	static char out[1024];
	const struct kv_version *v = kv_seek(kv, "", 0);
	size_t len = 0;

	for (; v != NULL; v = kv_after(kv, v)) {
		char key[KV_KEY_BYTES_MAX];
		struct kv_about about;

		kv_about(v, &about);
		kv_key(kv, v, key);
		if (cfgstored_filter_has(filter, kv, v))
			len += (size_t)snprintf(out + len, sizeof out - len,
			    "%s%.*s", len > 0 ? " " : "", (int)about.key_len,
			    key);
	}
	out[len] = '\0';
	return out;
}

static void
begin(void)
{
	static const char *const keys[] = { "a", "app/a", "app/b", "app/b/c",
		"app,x", "apple", "b", "ringkit/own" };

	memset(&conf, 0, sizeof conf);
	kv = statekeys_begin(&small);
	for (size_t i = 0; i < ARRAY_COUNT(keys); i++)
		statekeys_put(kv, keys[i], "v", 1);
}

static void
test_filter_has_what_is_asked_for(void)
{
	static const struct {
		const char *words, *keys;
	} cases[] = {
		{ "", "a app,x app/a app/b app/b/c apple b ringkit/own" },
		{ "prefix=app", "app,x app/a app/b app/b/c apple" },
		{ "prefix=app/", "app/a app/b app/b/c" },
		{ "prefix=app/b/c/d", "" },
		{ "prefix=",
		    "a app,x app/a app/b app/b/c apple b "
		    "ringkit/own" },
		{ "glob=app/*", "app/a app/b" },
		{ "glob=app/**", "app/a app/b app/b/c" },
		{ "glob=a,b", "a b" },
		{ "glob=b,app/?", "app/a app/b b" },
		{ "glob=app\\0054x", "app,x" },
		{ "glob=none", "" },
		{ "glob=*a* prefix=app", "app,x apple" },
		{ "glob=*/* prefix=app/b", "app/b" },
	};

	begin();
	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		struct cfgstored_filter filter;

		check_case(cases[i].words);
		if (CHECK(take(&filter, cases[i].words, 0) == NULL))
			CHECK_STR(keys_of(&filter), cases[i].keys);
	}
	check_case(NULL);
	statekeys_end();
}

static void
test_filter_says_what_is_wrong(void)
{
	static char words[4096];
	struct cfgstored_filter filter;

	begin();
	CHECK_STR(take(&filter, "glob=", 0), "glob: expected a pattern");
	CHECK_STR(take(&filter, "glob=a,,b", 0),
	    "glob: expected patterns, apart by commas");
	memcpy(words, "glob=", 5);
	memset(words + 5, 'a', 2049);
	CHECK_STR(take(&filter, words, 0), "glob: expected at most 2048 bytes");
	words[5 + 2048] = '\0';
	CHECK(take(&filter, words, 0) == NULL);
	CHECK_STR(keys_of(&filter), "");
	memcpy(words, "prefix=", 7);
	memset(words + 7, 'a', 513);
	words[7 + 513] = '\0';
	CHECK_STR(
	    take(&filter, words, 0), "prefix: expected at most 512 bytes");
	words[7 + 512] = '\0';
	CHECK(take(&filter, words, 0) == NULL);
	CHECK_STR(keys_of(&filter), "");
	statekeys_end();
}

/* What somebody may not read is not there for him. */
static void
test_filter_has_what_may_be_read(void)
{
	const uid_t other = geteuid() + 4001;
	struct cfgstored_filter filter;

	begin();
	CHECK(take(&filter, "", other) == NULL);
	CHECK_STR(keys_of(&filter), "a app,x app/a app/b app/b/c apple b");
	conf.rules[conf.rule_count++] =
	    (struct cluster_rule){ .right = CLUSTER_RIGHT_CFG_READ,
		    .glob = "app/**",
		    .who = CLUSTER_USER,
		    .id = other };
	CHECK_STR(keys_of(&filter), "app/a app/b app/b/c");
	CHECK(take(&filter, "glob=*/b,a", other) == NULL);
	CHECK_STR(keys_of(&filter), "app/b");
	CHECK(take(&filter, "", other + 1) == NULL);
	CHECK_STR(keys_of(&filter), "");
	CHECK(take(&filter, "prefix=a", geteuid()) == NULL);
	CHECK_STR(keys_of(&filter), "a app,x app/a app/b app/b/c apple");
	statekeys_end();
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_filter_has_what_is_asked_for),
		CHECK_TEST(test_filter_says_what_is_wrong),
		CHECK_TEST(test_filter_has_what_may_be_read),
	};

	return CHECK_MAIN(argc, argv, tests);
}
