/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/word.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"

#include "tests/unit/check.h"

/* What the words of a line become; the caller frees it. */
static char *
show(const char *line, bool is_json)
{
	char copy[1000];
	struct word word;
	struct out out;

	strcpy(copy, line);
	if (!CHECK_EQ(word_parse(&word, copy, strlen(copy)), 0) ||
	    !CHECK_EQ(out_open(&out, STDOUT_FILENO), 0))
		abort();
	if (is_json)
		record_put_json(&out, "event", "x", &word);
	else
		record_put(&out, "x", &word);
	out_put(&out, "", 1);
	return out.bytes;
}

static void
test_record_shows_words_both_ways(void)
{
	static const struct {
		const char *line, *record, *json;
	} cases[] = {
		{ "ok", "x", "{\"v\":1,\"event\":\"x\"" },
		{ "ok name= node=7", "x name= node=7",
		    "{\"v\":1,\"event\":\"x\",\"name\":\"\",\"node\":7" },
		{ "ok name=12 pos=1.2:3.4", "x name=12 pos=1.2:3.4",
		    "{\"v\":1,\"event\":\"x\",\"name\":\"12\","
		    "\"pos\":\"1.2:3.4\"" },
		{ "ok group=a\\0040\"b", "x group=a\\0040\"b",
		    "{\"v\":1,\"event\":\"x\",\"group\":\"a \\\"b\"" },
		{ "ok group=\\0377", "x group=\\0377",
		    "{\"v\":1,\"event\":\"x\",\"group_b64\":\"/w==\"" },
		{ "ok members=1,22 inc=3,4 joined= left=2:timeout",
		    "x members=1,22 inc=3,4 joined= left=2:timeout",
		    "{\"v\":1,\"event\":\"x\",\"members\":[1,22],"
		    "\"inc\":[3,4],\"joined\":[],\"left\":[\"2:timeout\"]" },
		{ "ok members=1.5:47:0:a\\0040b\\0054c",
		    "x members=1.5:47:0:a\\0040b\\0054c",
		    "{\"v\":1,\"event\":\"x\","
		    "\"members\":[\"1.5:47:0:a b,c\"]" },
		{ "ok members=1.5:47:0:\\0377 inc=3",
		    "x members=1.5:47:0:\\0377 inc=3",
		    "{\"v\":1,\"event\":\"x\","
		    "\"members\":[\"1.5:47:0:\\\\0377\"],\"inc\":[3]" },
		{ "ok stage=switch id=2 active=1 keys=1:9f,2:0a",
		    "x stage=switch id=2 active=1 keys=1:9f,2:0a",
		    "{\"v\":1,\"event\":\"x\",\"stage\":\"switch\",\"id\":2,"
		    "\"active\":1,\"keys\":[\"1:9f\",\"2:0a\"]" },
		{ "ok id=2 keys=12 active=yes", "x id=2 keys=12 active=yes",
		    "{\"v\":1,\"event\":\"x\",\"id\":\"2\",\"keys\":12,"
		    "\"active\":\"yes\"" },
		{ "ok id=2 active=yes", "x id=2 active=yes",
		    "{\"v\":1,\"event\":\"x\",\"id\":2,"
		    "\"active\":\"yes\"" },
		{ "ok groups=3 members=9 members_max=12 reloads=0 nodes=3",
		    "x groups=3 members=9 members_max=12 reloads=0 nodes=3",
		    "{\"v\":1,\"event\":\"x\",\"groups\":3,\"members\":9,"
		    "\"members_max\":12,\"reloads\":0,\"nodes\":3" },
		{ "ok mtu=1448 loss_in=0 leases=0 nodes=1,2",
		    "x mtu=1448 loss_in=0 leases=0 nodes=1,2",
		    "{\"v\":1,\"event\":\"x\",\"mtu\":1448,\"loss_in\":0,"
		    "\"leases\":0,\"nodes\":\"1,2\"" },
		{ "ok inc=3 queue_bytes=0 mid=99999999999999999999",
		    "x inc=3 queue_bytes=0 mid=99999999999999999999",
		    "{\"v\":1,\"event\":\"x\",\"inc\":3,\"queue_bytes\":0,"
		    "\"mid\":\"99999999999999999999\"" },
	};

	for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
		char *record = show(cases[i].line, false);
		char *json = show(cases[i].line, true);

		CHECK_STR(record, cases[i].record);
		CHECK_STR(json, cases[i].json);
		free(record);
		free(json);
	}
}

static void
test_record_passes_on_what_was_undone(void)
{
	char line[] = "ok group=a\\0040b";
	struct word word;
	struct out out;

	if (!CHECK_EQ(word_parse(&word, line, strlen(line)), 0) ||
	    !CHECK_EQ(out_open(&out, STDOUT_FILENO), 0))
		return;
	CHECK_STR(word_get(&word, "group")->value, "a b");
	record_put(&out, "x", &word);
	CHECK_MEM(out.bytes, out.len, "x group=a\\0040b", 15);
	out_close(&out);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_record_shows_words_both_ways),
		CHECK_TEST(test_record_passes_on_what_was_undone),
	};

	return CHECK_MAIN(argc, argv, tests);
}
