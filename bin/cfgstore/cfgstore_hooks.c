/* SPDX-License-Identifier: BSD-3-Clause */
/* Values that would not fit an environment are left out of the records, too:
 * a thousand of them may wait.  A command gets such a value from the store.
 */
#include "bin/cfgstore/cfgstore_hooks.h"

#include <errno.h>
#include <string.h>

#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/hook_env.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_follow.h"

enum { CONTEXT_BYTES = 512, CHANGES = 1 };

/* ---- the state file ---------------------------------------------------- */

/* "now cursor=REV …" on its first line; what follows does not matter. */
static bool
read_cursor(char *line, struct cfgstore_follow *follow)
{
	const struct word_pair *cursor;
	struct word word;

	line[strcspn(line, "\n")] = '\0';
	if (word_parse(&word, line, strlen(line)) != 0 ||
	    strcmp(word.verb[0], "now") != 0)
		return false;
	cursor = word_get(&word, "cursor");
	follow->has_since = true;
	return cursor != NULL &&
	    parse_u64(
		cursor->value, cursor->len, 0, UINT64_MAX, &follow->since) == 0;
}

static enum exitcode
read_state(const char *path, struct cfgstore_follow *follow)
{
	struct cfgstore_bytes bytes = { .at = NULL };
	enum exitcode code = EXITCODE_OK;

	if (path == NULL || !cfgstore_bytes_exists(path))
		return EXITCODE_OK;
	cfgstore_bytes_read(&bytes, path, SIZE_MAX / 2);
	if (bytes.len == 0 || !read_cursor(bytes.at, follow)) {
		tool_warn("%s: not a state of ours", path);
		code = EXITCODE_DATA;
	}
	cfgstore_bytes_free(&bytes);
	return code;
}

enum exitcode
cfgstore_hooks_open(
    struct cfgstore_hooks *hooks, struct cfgstore_follow *follow)
{
	enum exitcode code = read_state(hooks->runner.state_path, follow);
	int rc;

	if (code != EXITCODE_OK)
		return code;
	rc = out_open(&hooks->line, -1);
	if (rc == 0)
		rc = hook_open(&hooks->hook, &hooks->runner);
	if (rc == 0)
		return EXITCODE_OK;
	tool_warn("hooks: %s", strerror(-rc));
	return EXITCODE_OS;
}

void
cfgstore_hooks_close(struct cfgstore_hooks *hooks)
{
	hook_close(hooks->hook);
	out_close(&hooks->line);
	cfgstore_bytes_free(&hooks->table);
}

/* ---- records ----------------------------------------------------------- */

/* The record as a string; borrowed until the next. */
static const char *
make_line(struct cfgstore_hooks *hooks, const struct cfgstore_record *record)
{
	struct cfgstore_record small = *record;
	struct out *line = &hooks->line;

	line->len = 0;
	if (record->len > HOOK_ENV_VALUE_BYTES)
		small.value = NULL;
	if (record->old_len > HOOK_ENV_VALUE_BYTES)
		small.old = NULL;
	cfgstore_print_record(line, &small);
	out_put(line, "", 1);
	if (line->rc != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	return line->bytes;
}

static void
put_context(const struct cfgstore_follow *follow,
    const struct cfgstore_news *news, struct text *out)
{
	const char *self = ask_greeting(follow->ask, "node");
	const char *name = ask_greeting(follow->ask, "name");

	text_put(out, "now cursor=");
	text_put_u64(out, news->rev);
	text_put(out, " snapshot=");
	text_put(out, news->event == CFGSTORE_READY ? "yes" : "no");
	text_put(out, " self=");
	text_put(out, self != NULL ? self : "");
	text_put(out, " self_name=");
	text_put(out, name != NULL ? name : "");
	text_put(out, " op=");
	text_put(out, news->record.event);
}

static void
offer(struct cfgstore_hooks *hooks, const struct cfgstore_follow *follow,
    const struct cfgstore_news *news)
{
	bool is_state = news->event == CFGSTORE_READY;
	char context[CONTEXT_BYTES];
	struct text text;
	const struct hook_record record = {
		.line = make_line(hooks, &news->record),
		.context = context,
		.table = is_state && hooks->table.at != NULL ? hooks->table.at
							     : NULL,
		.shows_table = is_state,
		.is_partial = news->is_partial,
		.classes = CHANGES,
		.at_ns = clock_now_ns(),
	};

	text_init(&text, context, sizeof context);
	put_context(follow, news, &text);
	hook_offer(hooks->hook, &record);
}

static void
take_state(struct cfgstore_hooks *hooks, const struct cfgstore_news *news)
{
	cfgstore_bytes_put_string(
	    &hooks->table, make_line(hooks, &news->record));
	cfgstore_bytes_put_string(&hooks->table, "\n");
}

void
cfgstore_hooks_take(struct cfgstore_hooks *hooks,
    const struct cfgstore_follow *follow, struct cfgstore_news *news)
{
	switch (news->event) {
	case CFGSTORE_EXISTS:
		take_state(hooks, news);
		return;
	case CFGSTORE_READY:
		if (news->is_snapshot && !hooks->is_first_skipped)
			offer(hooks, follow, news);
		hooks->is_first_skipped = false;
		cfgstore_bytes_free(&hooks->table);
		return;
	case CFGSTORE_PUT:
	case CFGSTORE_DEL:
		offer(hooks, follow, news);
		return;
	case CFGSTORE_GAP:
		cfgstore_bytes_free(&hooks->table);
		return;
	case CFGSTORE_AWAY:
	case CFGSTORE_HERE:
	case CFGSTORE_DOWN:
	case CFGSTORE_UP:
	case CFGSTORE_OTHER:
		break;
	}
}
