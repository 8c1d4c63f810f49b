/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>

#include "libcommon/os/hook_env.h"
#include "libcommon/os/hook_queue.h"

#include "tests/unit/check.h"

static struct hook_queue batch;

static void
put(const char *line, const char *context, uint32_t classes)
{
	struct hook_record record = { .line = line,
		.context = context,
		.classes = classes,
		.at_ns = 2000000000 };

	CHECK(hook_queue_put(&batch, &record, true));
}

static struct hook_env_run
run(uint32_t classes)
{
	return (struct hook_env_run){ .batch = &batch,
		.classes = classes,
		.attempt = 3,
		.now_ns = 5250000000,
		.rundir = "/run/x" };
}

static const char *
get(const struct hook_env *env, const char *name)
{
	const char *value = hook_env_get(env, name);

	return value != NULL ? value : "(none)";
}

static void
test_merged(void)
{
	struct hook_env_run it = run(UINT32_MAX);
	struct hook_env env;

	hook_queue_init(&batch);
	put("leave node=2 name=beta inc=4 reason=lost seq=8 "
	    "ts=2026-11-22T16:20:01.123Z",
	    "now view=1.2 prev_view=1.2 quorate=yes prev_quorate=yes", 1);
	put("view view=1.3 members=1,3 joined=3 left=2 seq=9 "
	    "ts=2026-11-22T16:20:02.5Z",
	    "now cursor=ab:9 view=1.3 prev_view=1.2 quorate=no "
	    "prev_quorate=yes members=1,3 names=al,ga coordinator=1 self=1 "
	    "self_name=al is_coordinator=no snapshot=no",
	    3);
	CHECK_EQ(hook_env_build(&env, &it), 0);
	CHECK_STR(get(&env, "HOME"), "/");
	CHECK_STR(get(&env, "LC_ALL"), "C");
	CHECK_STR(get(&env, "RINGKIT_FMT"), "1");
	CHECK_STR(get(&env, "RINGKIT_EVENT"), "view");
	CHECK_STR(get(&env, "RINGKIT_SEQ"), "9");
	CHECK_STR(get(&env, "RINGKIT_CURSOR"), "ab:9");
	CHECK_STR(get(&env, "RINGKIT_TS_EPOCH"), "1795364402");
	CHECK_STR(get(&env, "RINGKIT_ATTEMPT"), "3");
	CHECK_STR(get(&env, "RINGKIT_COALESCED"), "2");
	CHECK_STR(get(&env, "RINGKIT_LAG_MS"), "3250");
	CHECK_STR(get(&env, "RINGKIT_VIEW"), "1.3");
	CHECK_STR(get(&env, "RINGKIT_PREV_VIEW"), "1.2");
	CHECK_STR(get(&env, "RINGKIT_QUORATE"), "no");
	CHECK_STR(get(&env, "RINGKIT_PREV_QUORATE"), "yes");
	CHECK_STR(get(&env, "RINGKIT_MEMBERS"), "1 3");
	CHECK_STR(get(&env, "RINGKIT_MEMBER_NAMES"), "al ga");
	CHECK_STR(get(&env, "RINGKIT_JOINED"), "3");
	CHECK_STR(get(&env, "RINGKIT_LEFT"), "2");
	CHECK_STR(get(&env, "RINGKIT_RUNDIR"), "/run/x");
	CHECK_STR(get(&env, "RINGKIT_NODE_ID"), "(none)");
	CHECK_STR(get(&env, "RINGKIT_EVEN"), "(none)");
	CHECK(env.names[env.count] == NULL);
	hook_env_clear(&env);
	/* A job for some of them only. */
	it = run(3);
	it.event = "leave";
	put("exists node=7", "now view=1.3", 4);
	CHECK_EQ(hook_env_build(&env, &it), 0);
	CHECK_STR(get(&env, "RINGKIT_EVENT"), "leave");
	CHECK_STR(get(&env, "RINGKIT_COALESCED"), "2");
	hook_env_clear(&env);
	hook_queue_clear(&batch);
}

/* Raw, whatever the bytes; what cannot be in an environment is not. */
static void
test_values(void)
{
	struct hook_env_run it = run(1);
	size_t len = HOOK_ENV_VALUE_BYTES + 64;
	char *line = malloc(len);
	struct hook_env env;

	hook_queue_init(&batch);
	put("update node=3 name= key=tag.x old=a\\0000b "
	    "new=$(x)\\0040\\0052\\n'\\\\\\0377",
	    "now node_name=gamma", 1);
	CHECK_EQ(hook_env_build(&env, &it), 0);
	CHECK_STR(get(&env, "RINGKIT_VALUE"), "$(x) *\n'\\\377");
	CHECK_STR(get(&env, "RINGKIT_OLD_VALUE"), "(none)");
	CHECK_STR(get(&env, "RINGKIT_KEY"), "tag.x");
	/* Empty is not absent: what the record says counts. */
	CHECK_STR(get(&env, "RINGKIT_NODE_NAME"), "");
	hook_env_clear(&env);
	hook_queue_clear(&batch);
	memset(line, 'x', len);
	memcpy(line, "update value=", 13);
	line[len - 1] = '\0';
	put(line, "not\001parsed", 1);
	CHECK_EQ(hook_env_build(&env, &it), 0);
	CHECK_STR(get(&env, "RINGKIT_VALUE"), "(none)");
	CHECK_STR(get(&env, "RINGKIT_EVENT"), "update");
	hook_env_clear(&env);
	hook_queue_clear(&batch);
	free(line);
}

static void
test_epoch(void)
{
	static const struct {
		const char *stamp;
		uint64_t want;
	} cases[] = {
		{ "1970-01-01T00:00:00.000000Z", 0 },
		{ "2000-02-29T23:59:59.9Z", 951868799 },
		{ "2000-03-01T00:00:00.0Z", 951868800 },
		{ "2038-01-19T03:14:08.1Z", 2147483648 },
		{ "2026-11-22T16:20:01.123456Z", 1795364401 },
		{ "2100-03-01T00:00:00.0Z", 4107542400 },
		{ "", 0 },
		{ "2026-11-22", 0 },
		{ "2026-13-22T16:20:01.1Z", 0 },
		{ "2026-11-22 16:20:01.1Z", 0 },
		{ "2026-11-22T1x:20:01.1Z", 0 },
	};

	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		check_case(cases[i].stamp);
		CHECK_EQ(hook_env_epoch(cases[i].stamp), cases[i].want);
	}
	check_case(NULL);
}

int
main(int argc, char **argv)
{
	static const struct check_test tests[] = {
		CHECK_TEST(test_merged),
		CHECK_TEST(test_values),
		CHECK_TEST(test_epoch),
	};

	return CHECK_MAIN(argc, argv, tests);
}
