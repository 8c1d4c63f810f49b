/* SPDX-License-Identifier: BSD-3-Clause */
/* A record becomes what a hook is told: its line, what is true since then
 * (the context), the table of nodes, and the classes of hooks it is for.
 */
#include "bin/watch-membership/watcher_hooks.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/hook_dir.h"
#include "libcommon/os/hook_file.h"
#include "libcommon/os/tool.h"

#include "bin/watch-membership/watcher_classes.h"

enum {
	LINE_BYTES = 65536,
	CONTEXT_BYTES = 8192,
	TABLE_BYTES = HOOK_FILE_BYTES,
};

/* Without a verdict for so long, quorum counts as lost. */
#define NO_VERDICT_NS (2 * CLOCK_S_NS)

/* ---- the state file ---------------------------------------------------- */

static void
read_context(struct watcher_hooks *hooks, struct word *word)
{
	const struct word_pair *cursor = word_get(word, "cursor");

	watcher_nodes_take(&hooks->told, WATCHER_VIEW, word);
	if (cursor != NULL && cursor->len > 0)
		hooks->cursor = strdup(cursor->value);
}

static bool
read_line(struct watcher_hooks *hooks, char *line)
{
	struct word word;

	if (word_parse(&word, line, strlen(line)) != 0)
		return false;
	if (strcmp(word.verb[0], "exists") == 0)
		watcher_nodes_take(&hooks->told, WATCHER_EXISTS, &word);
	else if (strcmp(word.verb[0], "now") == 0)
		read_context(hooks, &word);
	return true;
}

static enum exitcode
read_state(struct watcher_hooks *hooks)
{
	const char *path = hooks->runner.state_path;
	char *bytes, *at, *line;
	int rc;

	if (path == NULL)
		return EXITCODE_OK;
	rc = hook_file_read(path, &bytes);
	if (rc < 0) {
		tool_warn("%s: %s", path, strerror(-rc));
		return EXITCODE_NOINPUT;
	}
	at = bytes;
	while (at != NULL && (line = strsep(&at, "\n")) != NULL)
		if (*line != '\0' && !read_line(hooks, line))
			break;
	free(bytes);
	hooks->told.is_filling = false;
	if (at != NULL || (bytes != NULL && hooks->cursor == NULL)) {
		tool_warn("%s: not a state of ours", path);
		return EXITCODE_DATA;
	}
	hooks->is_told = bytes != NULL;
	return EXITCODE_OK;
}

/* ---- folders of hooks -------------------------------------------------- */

static void
refuse(const char *path, const char *why)
{
	tool_warn("%s: %s", path, why);
}

/* The files of one class behind the jobs that are there. */
static size_t
plan_class(const struct watcher_hooks *hooks, const struct watcher_class *class,
    struct hook_job *jobs, size_t count)
{
	char *paths[HOOK_DIR_FILES];
	size_t files = hook_dir_list(
	    hooks->dir, hooks->other_dir, class->event, paths, refuse);

	for (size_t i = 0; i < files; i++)
		if (count < HOOK_JOBS)
			jobs[count++] = (struct hook_job){ paths[i], class->bit,
				class->event };
		else
			free(paths[i]);
	return count;
}

static size_t
plan(void *arg, uint32_t classes, struct hook_job jobs[HOOK_JOBS])
{
	struct watcher_hooks *hooks = arg;
	size_t count = 0;

	/* What was gained is lost again. */
	if (strcmp(hooks->now.quorate, "yes") != 0)
		classes &= ~(uint32_t)WATCHER_GAINED;
	for (size_t i = 0; i < WATCHER_CLASSES; i++)
		if ((classes & watcher_classes[i].bit) != 0)
			count =
			    plan_class(hooks, &watcher_classes[i], jobs, count);
	return count;
}

enum exitcode
watcher_hooks_open(struct watcher_hooks *hooks)
{
	enum exitcode code;
	int rc;

	watcher_nodes_init(&hooks->now);
	watcher_nodes_init(&hooks->told);
	hooks->lost_ns = UINT64_MAX;
	code = read_state(hooks);
	if (code != EXITCODE_OK)
		return code;
	if (hooks->is_told) {
		watcher_nodes_copy(&hooks->now, &hooks->told);
		hooks->fired = watcher_class_of(hooks->told.quorate);
	}
	hooks->runner.plan = plan;
	hooks->runner.arg = hooks;
	rc = hook_open(&hooks->hook, &hooks->runner);
	if (rc == 0)
		return EXITCODE_OK;
	tool_warn("hooks: %s", strerror(-rc));
	return EXITCODE_OS;
}

static void
keep(char *room, size_t size, const char *value)
{
	struct text text;

	text_init(&text, room, size);
	text_put(&text, value != NULL ? value : "");
}

void
watcher_hooks_connected(struct watcher_hooks *hooks, const char *self_id,
    const char *self_name, const char *epoch)
{
	keep(hooks->self_id, sizeof hooks->self_id, self_id);
	keep(hooks->self_name, sizeof hooks->self_name, self_name);
	keep(hooks->epoch, sizeof hooks->epoch, epoch);
}

/* ---- what is true ------------------------------------------------------ */

static void
put_pair(struct text *out, const char *key, const char *value)
{
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put(out, value != NULL ? value : "");
}

static void
put_members(const struct watcher_nodes *now, struct text *out)
{
	put_pair(out, "members", "");
	hook_ids_put(&now->members, ',', out);
	put_pair(out, "names", "");
	for (size_t i = 0; i < now->members.count; i++) {
		const struct watcher_node *node =
		    watcher_nodes_find(now, now->members.id[i]);

		if (i > 0)
			text_put_char(out, ',');
		text_put(out, node != NULL ? node->name : "?");
	}
}

static void
put_state(const struct watcher_hooks *hooks, struct text *out)
{
	const struct watcher_nodes *now = &hooks->now;
	const char *self = hooks->self_id;
	uint64_t id = 0;
	bool is_it;

	if (parse_u64(self, strlen(self), 0, UINT32_MAX, &id) != 0)
		id = 0;
	is_it = id != 0 && id == now->coordinator &&
	    strcmp(now->quorate, "yes") == 0;
	put_pair(out, "self", self);
	put_pair(out, "self_name", hooks->self_name);
	put_pair(out, "view", now->view);
	put_pair(out, "prev_view", hooks->prev_view);
	put_pair(out, "quorate", now->quorate);
	put_pair(out, "prev_quorate", hooks->prev_quorate);
	put_pair(out, "coordinator", "");
	if (now->coordinator != 0)
		text_put_u64(out, now->coordinator);
	put_pair(out, "is_coordinator", is_it ? "yes" : "no");
	put_members(now, out);
}

/* What the hooks were not told of: nodes that came and went meanwhile. */
static void
put_changes(const struct watcher_hooks *hooks, struct text *out)
{
	struct hook_ids joined, left;

	watcher_changes(&hooks->told, &hooks->now, &joined, &left);
	put_pair(out, "joined", "");
	hook_ids_put(&joined, ',', out);
	put_pair(out, "left", "");
	hook_ids_put(&left, ',', out);
}

static void
put_context(const struct watcher_hooks *hooks, enum watcher_event event,
    struct word *word, struct text *out)
{
	const struct word_pair *node = word_get(word, "node");
	const struct watcher_node *known = NULL;
	uint32_t id;

	text_put(out, "now cursor=");
	text_put(out, hooks->epoch);
	text_put_char(out, ':');
	text_put_u64(out, hooks->seq);
	put_pair(out, "snapshot", event == WATCHER_READY ? "yes" : "no");
	if (node != NULL && parse_node_id(node->value, node->len, &id) == 0)
		known = watcher_nodes_find(&hooks->now, id);
	if (known != NULL)
		put_pair(out, "node_name", known->name);
	put_state(hooks, out);
	if (event == WATCHER_READY && hooks->is_told)
		put_changes(hooks, out);
}

/* ---- telling ----------------------------------------------------------- */

static void
put_line(struct text *out, const char *event, struct word *word)
{
	text_put(out, event);
	for (size_t i = 0; i < word->pair_count; i++) {
		const struct word_pair *pair = &word->pair[i];

		text_put_char(out, ' ');
		text_put(out, pair->key);
		text_put_char(out, '=');
		if (pair->is_raw)
			text_put_bytes(out, pair->value, pair->len);
		else
			text_put_value(out, pair->value, pair->len);
	}
}

static void
offer(struct watcher_hooks *hooks, enum watcher_event event, struct word *word,
    uint32_t classes)
{
	static char line[LINE_BYTES], context[CONTEXT_BYTES];
	static char table[TABLE_BYTES];
	struct text line_text, context_text, table_text;
	struct hook_record record = {
		.line = line,
		.context = context,
		.table = table,
		.shows_table = event == WATCHER_VIEW || event == WATCHER_READY,
		.is_urgent =
		    event == WATCHER_DOWN || (classes & WATCHER_LOST) != 0,
		.is_partial =
		    (event == WATCHER_LEAVE || event == WATCHER_JOIN) &&
		    watcher_filter_wants(hooks->filter, WATCHER_VIEW, 0),
		.classes = classes,
		.at_ns = clock_now_ns(),
	};

	text_init(&line_text, line, sizeof line);
	text_init(&context_text, context, sizeof context);
	text_init(&table_text, table, sizeof table);
	put_line(&line_text, word->verb[word->verb_count - 1], word);
	put_context(hooks, event, word, &context_text);
	watcher_nodes_put(&hooks->now, &table_text);
	hook_offer(hooks->hook, &record);
}

/* A record of our own making, about a node or about the verdict. */
static void
offer_own(struct watcher_hooks *hooks, struct text *record, uint32_t classes)
{
	char stamp[CLOCK_STAMP_BYTES];
	struct word word;

	clock_stamp(clock_real_ns(), stamp);
	put_pair(record, "seq", "");
	text_put_u64(record, hooks->seq);
	put_pair(record, "ts", stamp);
	if (word_parse(&word, record->bytes, record->len) == 0)
		offer(hooks, watcher_event_of(word.verb[0]), &word, classes);
}

/*
 * The changes between what the hooks know and the state, as records: what the
 * daemon can no longer tell, because it, or we, were away.
 */
static void
offer_missed(struct watcher_hooks *hooks)
{
	struct hook_ids joined, left;

	watcher_changes(&hooks->told, &hooks->now, &joined, &left);
	for (size_t i = 0; i < left.count + joined.count; i++) {
		bool is_join = i >= left.count;
		uint32_t id = is_join ? joined.id[i - left.count] : left.id[i];
		enum watcher_event event =
		    is_join ? WATCHER_JOIN : WATCHER_LEAVE;
		char bytes[512];
		struct text text;

		text_init(&text, bytes, sizeof bytes);
		watcher_put_missed(
		    &hooks->told, &hooks->now, id, is_join, &text);
		if (watcher_filter_wants(hooks->filter, event, id))
			offer_own(hooks, &text,
			    WATCHER_ANY |
				(is_join ? WATCHER_JOINS : WATCHER_LEAVES));
	}
}

/* ---- the verdict ------------------------------------------------------- */

/* From now on there is no verdict, if there ever was one. */
static void
miss_verdict(struct watcher_hooks *hooks, struct word *word)
{
	const struct word_pair *reason = word_get(word, "reason");
	struct text why;

	if (hooks->lost_ns != UINT64_MAX || hooks->fired == WATCHER_LOST)
		return;
	text_init(&why, hooks->why, sizeof hooks->why);
	text_put(&why, reason != NULL ? reason->value : "unknown");
	hooks->lost_ns = clock_now_ns() + NO_VERDICT_NS;
}

/*
 * The class of a verdict that is not the one that was told last, or 0.
 * memberd's records have none.
 */
static uint32_t
verdict(struct watcher_hooks *hooks, struct word *word, bool is_down)
{
	uint32_t class = watcher_class_of(hooks->now.quorate);

	if (is_down ? hooks->fired == 0 : word_get(word, "quorate") == NULL)
		return 0;
	if (class == 0) {
		miss_verdict(hooks, word);
		return 0;
	}
	hooks->lost_ns = UINT64_MAX;
	if (class == hooks->fired)
		return 0;
	hooks->fired = class;
	return class;
}

static void
lose(struct watcher_hooks *hooks)
{
	const char *prev = hooks->fired == WATCHER_GAINED ? "yes" : "unknown";
	char bytes[256];
	struct text text;

	hooks->lost_ns = UINT64_MAX;
	hooks->fired = WATCHER_LOST;
	if (hooks->runner.argv != NULL)
		return; /* it was told at once that there is no verdict */
	text_init(&text, hooks->prev_quorate, sizeof hooks->prev_quorate);
	text_put(&text, prev);
	text_init(&text, bytes, sizeof bytes);
	text_put(&text, "quorum quorate=unknown");
	put_pair(&text, "prev", prev);
	put_pair(&text, "view", hooks->now.view);
	put_pair(&text, "reason", hooks->why);
	offer_own(hooks, &text, WATCHER_LOST | WATCHER_ANY);
}

/* ---- records ----------------------------------------------------------- */

static uint32_t
classes_of(enum watcher_event event)
{
	switch (event) {
	case WATCHER_JOIN:
		return WATCHER_JOINS | WATCHER_ANY;
	case WATCHER_LEAVE:
		return WATCHER_LEAVES | WATCHER_ANY;
	case WATCHER_READY:
	case WATCHER_VIEW:
		return WATCHER_VIEWS | WATCHER_ANY;
	case WATCHER_FENCED:
		return WATCHER_FENCES | WATCHER_ANY;
	case WATCHER_EXISTS:
	case WATCHER_TICK:
		return 0;
	case WATCHER_QUORUM:
	case WATCHER_UPDATE:
	case WATCHER_FORGET:
	case WATCHER_ADD:
	case WATCHER_REMOVE:
	case WATCHER_PAUSE:
	case WATCHER_GAP:
	case WATCHER_DOWN:
	case WATCHER_UP:
	case WATCHER_OTHER:
		break;
	}
	return WATCHER_ANY;
}

/* The state: a run, unless the hooks know all of it. */
static bool
has_news(struct watcher_hooks *hooks)
{
	if (hooks->is_first_skipped) {
		hooks->is_first_skipped = false;
		return false;
	}
	return hooks->runner.state_path == NULL || !hooks->is_told ||
	    watcher_nodes_differ(
		&hooks->told, &hooks->now, hooks->filter->events == 0);
}

static void
tell(struct watcher_hooks *hooks, enum watcher_event event, struct word *word,
    uint32_t classes)
{
	if (event == WATCHER_READY && hooks->is_told)
		offer_missed(hooks);
	/* What preempts in the one command, too. */
	if (hooks->runner.argv != NULL &&
	    strcmp(hooks->prev_quorate, "yes") == 0 &&
	    strcmp(hooks->now.quorate, "yes") != 0)
		classes |= WATCHER_LOST;
	offer(hooks, event, word, classes);
	watcher_nodes_copy(&hooks->told, &hooks->now);
	hooks->is_told = true;
}

void
watcher_hooks_take(struct watcher_hooks *hooks, enum watcher_event event,
    struct word *word, bool passes)
{
	uint32_t classes = classes_of(event), quorum = 0;

	memcpy(hooks->prev_view, hooks->now.view, sizeof hooks->prev_view);
	memcpy(hooks->prev_quorate, hooks->now.quorate,
	    sizeof hooks->prev_quorate);
	watcher_nodes_take(&hooks->now, event, word);
	if (event == WATCHER_READY || event == WATCHER_VIEW ||
	    event == WATCHER_QUORUM || event == WATCHER_DOWN)
		quorum = verdict(hooks, word, event == WATCHER_DOWN);
	if (classes == 0)
		return;
	if (event == WATCHER_READY) {
		passes = has_news(hooks);
		if (!passes) {
			watcher_nodes_copy(&hooks->told, &hooks->now);
			hooks->is_told = true;
		}
	}
	/* The state that follows a gap tells what differs, if anything. */
	if (event == WATCHER_GAP && hooks->runner.state_path != NULL)
		return;
	if (passes)
		tell(hooks, event, word, classes | quorum);
	else if (quorum != 0 && hooks->runner.argv == NULL)
		offer(hooks, event, word, quorum);
}

/* ---- time -------------------------------------------------------------- */

uint64_t
watcher_hooks_deadline_ns(const struct watcher_hooks *hooks)
{
	return num_min(hooks->lost_ns, hook_deadline_ns(hooks->hook));
}

int
watcher_hooks_turn(struct watcher_hooks *hooks, int *code)
{
	uint64_t now_ns = clock_now_ns();

	if (now_ns >= hooks->lost_ns)
		lose(hooks);
	return hook_turn(hooks->hook, now_ns, code);
}
