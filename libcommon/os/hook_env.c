/* SPDX-License-Identifier: BSD-3-Clause */
/* Values are raw bytes, never quoted.  One that holds a NUL, or is too long,
 * is not there: better none than half of it.
 */
#include "libcommon/os/hook_env.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/hook_queue.h"

/* From the newest record that the run is about. */
static const struct {
	const char *name, *key;
} of_record[] = {
	{ "SEQ", "seq" },
	{ "TS", "ts" },
	{ "NODE_ID", "node" },
	{ "NODE_NAME", "name" },
	{ "NODE_ADDR", "addr" },
	{ "NODE_INC", "inc" },
	{ "REASON", "reason" },
	{ "KEY", "key" },
	{ "REV", "rev" },
	{ "OP", "op" },
	{ "VALUE", "value" },
	{ "VALUE", "new" },
	{ "OLD_VALUE", "old" },
};

/* From what is true since the newest, or, with is_first, before the first. */
static const struct {
	const char *name, *key;
	bool is_first, is_list;
} of_context[] = {
	{ "CURSOR", "cursor", false, false },
	{ "OP", "op", false, false },
	{ "SNAPSHOT", "snapshot", false, false },
	{ "SELF_ID", "self", false, false },
	{ "SELF_NAME", "self_name", false, false },
	{ "NODE_NAME", "node_name", false, false },
	{ "VIEW", "view", false, false },
	{ "PREV_VIEW", "prev_view", true, false },
	{ "MEMBERS", "members", false, true },
	{ "MEMBER_NAMES", "names", false, true },
	{ "QUORATE", "quorate", false, false },
	{ "PREV_QUORATE", "prev_quorate", true, false },
	{ "COORDINATOR", "coordinator", false, false },
	{ "IS_COORDINATOR", "is_coordinator", false, false },
};

/* A record taken apart, in a copy of its own. */
struct parsed {
	char *bytes;
	struct word word;
};

static int
take_apart(struct parsed *parsed, const char *record)
{
	parsed->bytes = strdup(record);
	if (parsed->bytes == NULL)
		return -ENOMEM;
	/* What cannot be read has no words. */
	if (word_parse(&parsed->word, parsed->bytes, strlen(record)) != 0)
		parsed->word.pair_count = 0;
	return 0;
}

/* ---- putting ----------------------------------------------------------- */

/* PREFIXNAME=value; the first of a name counts. */
static int
put(struct hook_env *env, const char *prefix, const char *name,
    const char *value)
{
	char key[64];

	if (strlen(value) > HOOK_ENV_VALUE_BYTES)
		return 0;
	(void)snprintf(key, sizeof key, "%s%s", prefix, name);
	if (hook_env_get(env, key) != NULL)
		return 0;
	ENSURE(env->count < HOOK_ENV_MAX);
	if (asprintf(&env->names[env->count], "%s=%s", key, value) < 0) {
		env->names[env->count] = NULL;
		return -ENOMEM;
	}
	env->names[++env->count] = NULL;
	return 0;
}

static int
put_own(struct hook_env *env, const char *name, const char *value)
{
	return put(env, "RINGKIT_", name, value);
}

static int
put_u64(struct hook_env *env, const char *name, uint64_t value)
{
	char digits[24];
	struct text text;

	text_init(&text, digits, sizeof digits);
	text_put_u64(&text, value);
	return put_own(env, name, digits);
}

/* The word's value, if it is there and can be one of the environment. */
static int
put_word(
    struct hook_env *env, const char *name, struct word *word, const char *key)
{
	const struct word_pair *pair = word_get(word, key);

	if (pair == NULL || memchr(pair->value, '\0', pair->len) != NULL)
		return 0;
	return put_own(env, name, pair->value);
}

/* Lists are joined with blanks here: their items are ids and names. */
static int
put_list(
    struct hook_env *env, const char *name, struct word *word, const char *key)
{
	const struct word_pair *pair = word_get(word, key);

	if (pair == NULL)
		return 0;
	for (size_t i = 0; i < pair->len; i++)
		if (pair->value[i] == ',')
			pair->value[i] = ' ';
	return put_own(env, name, pair->value);
}

static int
put_ids(struct hook_env *env, const char *name, const struct hook_ids *ids)
{
	char bytes[LIMIT_NODES * 6 + 1];
	struct text text;

	text_init(&text, bytes, sizeof bytes);
	hook_ids_put(ids, ' ', &text);
	return put_own(env, name, bytes);
}

/* ---- the parts --------------------------------------------------------- */

/* The usual places, and last the one where we are. */
static int
put_base(struct hook_env *env, const struct hook_env_run *run)
{
	char path[4096 + 80] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:"
			       "/usr/bin:/sbin:/bin:";
	size_t len = strlen(path);
	ssize_t n =
	    readlink("/proc/self/exe", path + len, sizeof path - len - 1);
	char *slash;
	int rc;

	path[len + (size_t)(n > 0 ? n : 0)] = '\0';
	slash = n > 0 ? strrchr(path, '/') : NULL;
	*(slash != NULL ? slash : path + len - 1) = '\0';
	rc = put(env, "", "PATH", path);
	if (rc == 0)
		rc = put(env, "", "HOME", "/");
	if (rc == 0)
		rc = put(env, "", "LC_ALL", "C");
	if (rc == 0 && run->rundir != NULL)
		rc = put_own(env, "RUNDIR", run->rundir);
	return rc == 0 ? put_own(env, "FMT", "1") : rc;
}

static int
put_record(
    struct hook_env *env, const struct hook_env_run *run, struct word *word)
{
	const struct word_pair *ts = word_get(word, "ts");
	const char *event = run->event;
	int rc;

	if (event == NULL)
		event = word->verb_count > 0 ? word->verb[0] : "";
	rc = put_own(env, "EVENT", event);
	for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(of_record); i++)
		rc = put_word(env, of_record[i].name, word, of_record[i].key);
	if (rc == 0 && ts != NULL)
		rc = put_u64(env, "TS_EPOCH", hook_env_epoch(ts->value));
	return rc;
}

static int
put_context(struct hook_env *env, struct word *first, struct word *newest)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < ARRAY_COUNT(of_context); i++) {
		struct word *word = of_context[i].is_first ? first : newest;

		rc = (of_context[i].is_list ? put_list : put_word)(
		    env, of_context[i].name, word, of_context[i].key);
	}
	return rc;
}

static int
put_run(struct hook_env *env, const struct hook_env_run *run)
{
	const struct hook_queue *batch = run->batch;
	uint64_t lag_ns = num_sub(run->now_ns, hook_queue_first(batch)->at_ns);
	struct hook_ids joined, left;
	int rc;

	hook_queue_changes(batch, run->classes, &joined, &left);
	rc = put_ids(env, "JOINED", &joined);
	if (rc == 0)
		rc = put_ids(env, "LEFT", &left);
	if (rc == 0)
		rc = put_u64(env, "ATTEMPT", run->attempt);
	if (rc == 0)
		rc = put_u64(env, "COALESCED",
		    batch->lost + hook_queue_count(batch, run->classes));
	return rc == 0 ? put_u64(env, "LAG_MS", lag_ns / CLOCK_MS_NS) : rc;
}

int
hook_env_build(struct hook_env *env, const struct hook_env_run *run)
{
	const struct hook_queue *batch = run->batch;
	const struct hook_record *about =
	    hook_queue_newest(batch, run->classes);
	const struct hook_record *newest = hook_queue_newest(batch, UINT32_MAX);
	struct parsed record = { 0 }, first = { 0 }, last = { 0 };
	int rc;

	env->count = 0;
	env->names[0] = NULL;
	ENSURE(about != NULL && newest != NULL);
	rc = take_apart(&record, about->line);
	if (rc == 0)
		rc = take_apart(&first, hook_queue_first(batch)->context);
	if (rc == 0)
		rc = take_apart(&last, newest->context);
	if (rc == 0)
		rc = put_base(env, run);
	if (rc == 0)
		rc = put_record(env, run, &record.word);
	if (rc == 0)
		rc = put_context(env, &first.word, &last.word);
	if (rc == 0)
		rc = put_run(env, run);
	free(record.bytes);
	free(first.bytes);
	free(last.bytes);
	return rc;
}

void
hook_env_clear(struct hook_env *env)
{
	while (env->count > 0)
		free(env->names[--env->count]);
}

const char *
hook_env_get(const struct hook_env *env, const char *name)
{
	size_t len = strlen(name);

	for (unsigned i = 0; i < env->count; i++)
		if (strncmp(env->names[i], name, len) == 0 &&
		    env->names[i][len] == '=')
			return env->names[i] + len + 1;
	return NULL;
}

/* ---- time -------------------------------------------------------------- */

/* Days from 1970 to the first of March of that year's count. */
static uint64_t
days_before(uint64_t year, uint64_t month, uint64_t day)
{
	/* Years begin in March, so that the odd day is the last. */
	uint64_t y = month <= 2 ? year - 1 : year;
	uint64_t m = (month + 9) % 12;

	return y * 365 + y / 4 - y / 100 + y / 400 + (m * 153 + 2) / 5 + day -
	    1 - 719468;
}

uint64_t
hook_env_epoch(const char *stamp)
{
	static const struct {
		unsigned at, len;
		uint64_t min, max;
		char end;
	} parts[] = { { 0, 4, 1970, 9999, '-' }, { 5, 2, 1, 12, '-' },
		{ 8, 2, 1, 31, 'T' }, { 11, 2, 0, 23, ':' },
		{ 14, 2, 0, 59, ':' }, { 17, 2, 0, 60, '.' } };
	uint64_t value[ARRAY_COUNT(parts)];
	size_t len = strlen(stamp);

	for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
		size_t end = parts[i].at + parts[i].len;

		if (len <= end || stamp[end] != parts[i].end ||
		    parse_u64(stamp + parts[i].at, parts[i].len, parts[i].min,
			parts[i].max, &value[i]) != 0)
			return 0;
	}
	return days_before(value[0], value[1], value[2]) * 86400 +
	    value[3] * 3600 + value[4] * 60 + value[5];
}
