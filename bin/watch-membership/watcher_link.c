/* SPDX-License-Identifier: BSD-3-Clause */
/* What is asked of the daemon, beside waiting for what it tells. */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/tool.h"

#include "bin/watch-membership/watcher_hooks.h"
#include "bin/watch-membership/watcher_internal.h"

#define CONNECT_NS (250 * CLOCK_MS_NS)

uint64_t
watcher_later(uint64_t now_ns, uint64_t span_ns)
{
	return span_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + span_ns;
}

enum watcher_step
watcher_end(struct watcher *w, enum exitcode code)
{
	w->code = code;
	return WATCHER_END;
}

enum watcher_step
watcher_lose(struct watcher *w, int rc)
{
	w->rc = rc;
	return WATCHER_LOST;
}

enum watcher_step
watcher_refused(struct watcher *w, const struct ask_line *line)
{
	enum exitcode code = ask_line_exitcode(line);

	if (line->kind == ASK_ERR && code == EXITCODE_UNAVAILABLE) {
		(void)snprintf(w->refusal, sizeof w->refusal, "%s",
		    ask_value(line, "msg"));
		return watcher_lose(w, ASK_E_CLOSED);
	}
	tool_warn("%s", ask_value(line, "msg"));
	return watcher_end(w, code);
}

/* ---- the nodes of the filter ------------------------------------------- */

/* The bit of each item of -N that this node is meant by. */
static uint64_t
match(const char *list, const struct ask_line *line)
{
	const char *id = ask_value(line, "node"), *name;
	uint64_t bits = 0;

	name = ask_value(line, "name");
	for (int i = 0;; i++) {
		size_t len = strcspn(list, ",");

		if ((strlen(id) == len && memcmp(id, list, len) == 0) ||
		    (strlen(name) == len && memcmp(name, list, len) == 0))
			bits |= UINT64_C(1) << i;
		if (list[len] == '\0')
			return bits;
		list += len + 1;
	}
}

/* Takes all items of `nodes`; the bits of what was found. */
static enum watcher_step
read_nodes(struct watcher *w, uint64_t *found)
{
	uint64_t deadline_ns = ask_deadline_ns();
	int rc = ask_put(w->ask, "nodes\n", strlen("nodes\n"));
	struct ask_line line;

	while (rc == 0) {
		const char *id;
		uint64_t bits;
		uint32_t node;

		rc = ask_next(w->ask, &line, deadline_ns);
		if (rc != 0)
			break;
		if (line.kind == ASK_OK)
			return WATCHER_ON;
		if (line.kind != ASK_ITEM)
			return watcher_refused(w, &line);
		bits = match(w->options->nodes, &line);
		id = ask_value(&line, "node");
		if (bits != 0 && parse_node_id(id, strlen(id), &node) == 0)
			hook_ids_add(&w->options->filter.nodes, node);
		*found |= bits;
	}
	return watcher_lose(w, rc);
}

static enum watcher_step
find_nodes(struct watcher *w)
{
	const char *list = w->options->nodes;
	uint64_t found = 0;
	enum watcher_step step = read_nodes(w, &found);

	for (int i = 0; step == WATCHER_ON; i++) {
		size_t len = strcspn(list, ",");

		if ((found & UINT64_C(1) << i) == 0) {
			tool_warn("%.*s: no such node", (int)len, list);
			return watcher_end(w, EXITCODE_DATA);
		}
		if (list[len] == '\0')
			break;
		list += len + 1;
	}
	return step;
}

/* ---- the subscription -------------------------------------------------- */

static enum watcher_step
subscribe(struct watcher *w)
{
	char request[LIMIT_REQUEST_BYTES];
	struct text text;
	int rc;

	text_init(&text, request, sizeof request);
	text_put(&text, "watch id=1");
	/* Only at the first time: a reader is promised the state afterwards. */
	if (w->options->since != NULL && !w->is_ready) {
		text_put(&text, " since=");
		text_put_value(
		    &text, w->options->since, strlen(w->options->since));
	}
	text_put_char(&text, '\n');
	if (text.is_full) {
		tool_warn("the cursor is too long");
		return watcher_end(w, EXITCODE_DATA);
	}
	w->is_subscribed = w->is_pinging = false;
	w->tick_ns = UINT64_MAX;
	w->subscribe_ns = ask_deadline_ns();
	rc = ask_put(w->ask, text.bytes, text.len);
	return rc == 0 ? WATCHER_ON : watcher_lose(w, rc);
}

/* Nobody looks after the hooks meanwhile. */
static uint64_t
connect_deadline_ns(const struct watcher *w)
{
	uint64_t deadline_ns = ask_deadline_ns();

	if (w->options->hooks == NULL || !w->is_ready)
		return deadline_ns;
	return num_min(deadline_ns, clock_now_ns() + CONNECT_NS);
}

enum watcher_step
watcher_connect(struct watcher *w)
{
	int rc = ask_open(&w->ask, w->options->rundir, w->options->daemon,
	    connect_deadline_ns(w));
	enum watcher_step step = WATCHER_ON;

	if (rc != 0)
		return watcher_lose(w, rc);
	if (w->options->hooks != NULL)
		watcher_hooks_connected(w->options->hooks,
		    ask_greeting(w->ask, "node"), ask_greeting(w->ask, "name"),
		    ask_greeting(w->ask, "epoch"));
	if (w->options->nodes != NULL && w->options->filter.nodes.count == 0)
		step = find_nodes(w);
	return step == WATCHER_ON ? subscribe(w) : step;
}
