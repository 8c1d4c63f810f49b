/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines that are here are taken one after the other; what they became is
 * written when none is left, so that a change goes out at once and whole.
 */
#include "bin/watch-membership/watcher_run.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/tool.h"

#include "bin/watch-membership/watcher_hooks.h"
#include "bin/watch-membership/watcher_internal.h"
#include "bin/watch-membership/watcher_print.h"

enum { OWN_BYTES = 160, LINES_PER_LOOK = 64 };

#define BACKOFF_MIN_NS (100 * CLOCK_MS_NS)
#define BACKOFF_MAX_NS (5 * CLOCK_S_NS)

/* ---- records ----------------------------------------------------------- */

/* It passed on: counts it, and ends when it was enough. */
static enum watcher_step
count(struct watcher *w, enum watcher_event event)
{
	if (!watcher_filter_counts(event) || ++w->count < w->options->count_max)
		return WATCHER_ON;
	return watcher_end(w, EXITCODE_OK);
}

static enum watcher_step
tell(struct watcher *w, enum watcher_event event, const char *name,
    struct word *word)
{
	bool is_first =
	    !w->is_ready && (event == WATCHER_EXISTS || event == WATCHER_READY);
	bool passes = !(is_first && w->options->is_live_only) &&
	    watcher_filter_passes(&w->options->filter, event, word);

	if (w->options->hooks != NULL) {
		w->options->hooks->seq = w->seq;
		watcher_hooks_take(w->options->hooks, event, word, passes);
	} else if (passes) {
		watcher_print(w->printer, name, word);
	}
	return passes ? count(w, event) : WATCHER_ON;
}

/* A record of our own: "down reason=daemon-exit", put in the order here. */
static enum watcher_step
tell_own(struct watcher *w, const char *name, const char *words)
{
	char bytes[OWN_BYTES], stamp[CLOCK_STAMP_BYTES];
	struct word word;
	struct text text;

	clock_stamp(clock_real_ns(), stamp);
	text_init(&text, bytes, sizeof bytes);
	text_put(&text, name);
	text_put(&text, words);
	text_put(&text, " ts=");
	text_put(&text, stamp);
	if (word_parse(&word, bytes, text.len) != 0)
		return watcher_end(w, EXITCODE_INTERNAL);
	return tell(w, watcher_event_of(name), name, &word);
}

static enum watcher_step
tell_tick(struct watcher *w)
{
	char bytes[32];
	struct text text;

	w->is_pinging = false;
	w->tick_ns = watcher_later(clock_now_ns(), w->options->heartbeat_ns);
	text_init(&text, bytes, sizeof bytes);
	text_put(&text, " seq=");
	text_put_u64(&text, w->seq);
	return tell_own(w, "tick", bytes);
}

static enum watcher_step
on_ready(struct watcher *w, uint64_t now_ns)
{
	w->is_subscribed = true;
	w->refusal[0] = '\0';
	w->tick_ns = watcher_later(now_ns, w->options->heartbeat_ns);
	if (w->is_ready)
		return WATCHER_ON;
	w->is_ready = true;
	w->deadline_ns = watcher_later(now_ns, w->options->timeout_ns);
	tool_say("ready");
	if (w->options->ready_fd >= 0) {
		/* Nobody may be left who wanted to know. */
		(void)!write(w->options->ready_fd, "\n", 1);
		close(w->options->ready_fd);
		w->options->ready_fd = -1;
	}
	if (w->options->is_snapshot_only || w->options->count_max == 0)
		return watcher_end(w, EXITCODE_OK);
	return WATCHER_ON;
}

static enum watcher_step
on_event(struct watcher *w, struct ask_line *line)
{
	enum watcher_event event = watcher_event_of(line->event);
	const char *seq = ask_value(line, "seq");
	enum watcher_step step;

	if (line->id != WATCHER_SUB_ID)
		return WATCHER_ON;
	if (parse_u64(seq, strlen(seq), 0, UINT64_MAX, &w->seq) != 0)
		return watcher_lose(w, ASK_E_PROTOCOL);
	step = tell(w, event, line->event, line->word);
	if (step == WATCHER_ON && event == WATCHER_READY)
		return on_ready(w, clock_now_ns());
	return step;
}

/* The daemon answered; to come again begins anew. */
static enum watcher_step
on_ok(struct watcher *w, const struct ask_line *line)
{
	w->backoff_ns = BACKOFF_MIN_NS;
	if (w->is_down) {
		w->is_down = false;
		return tell_own(w, "up", "");
	}
	return line->tag != NULL && w->is_pinging ? tell_tick(w) : WATCHER_ON;
}

static enum watcher_step
take_line(struct watcher *w, struct ask_line *line)
{
	switch (line->kind) {
	case ASK_EV:
		return on_event(w, line);
	case ASK_OK:
		return on_ok(w, line);
	case ASK_NO:
	case ASK_ERR:
		return watcher_refused(w, line);
	case ASK_ITEM:
		break;
	}
	return watcher_lose(w, ASK_E_PROTOCOL);
}

/* ---- all of it --------------------------------------------------------- */

static enum watcher_step
wait_until(struct watcher *w, uint64_t until_ns)
{
	enum watcher_step step = WATCHER_ON;

	while (step == WATCHER_ON && clock_now_ns() < until_ns)
		step = watcher_wait(w, -1, until_ns);
	return step;
}

static enum watcher_step
turn(struct watcher *w)
{
	struct ask_line line;
	uint64_t until_ns = w->is_subscribed ? UINT64_MAX : w->subscribe_ns;
	int rc = ask_next(w->ask, &line, 0);
	enum watcher_step step;

	if (rc == -ETIMEDOUT) {
		if (clock_now_ns() >= until_ns)
			return watcher_lose(w, -ETIMEDOUT);
		return watcher_wait(w, ask_fd(w->ask), until_ns);
	}
	if (rc != 0)
		return watcher_lose(w, rc);
	step = take_line(w, &line);
	if (step == WATCHER_ON && ++w->line_count >= LINES_PER_LOOK)
		return watcher_look(w);
	return step;
}

static bool
is_final(int rc)
{
	return rc == ASK_E_PROTOCOL || rc == -EACCES || rc == -EPERM;
}

static enum watcher_step
give_up(struct watcher *w)
{
	bool has_said = w->rc == ASK_E_CLOSED && w->refusal[0] != '\0';

	tool_warn("%s",
	    ask_explain(w->options->rundir, w->options->daemon,
		has_said ? w->refusal : ask_strerror(w->rc)));
	return watcher_end(w, ask_exitcode(w->rc));
}

/* Tries until it works, or until then. */
static enum watcher_step
come_again(struct watcher *w, uint64_t end_ns)
{
	enum watcher_step step = WATCHER_LOST;

	while (step == WATCHER_LOST) {
		uint64_t now_ns = clock_now_ns();

		ask_close(w->ask);
		w->ask = NULL;
		if (is_final(w->rc) || now_ns >= end_ns)
			return give_up(w);
		step = wait_until(
		    w, num_min(end_ns, watcher_later(now_ns, w->backoff_ns)));
		if (step == WATCHER_ON)
			step = watcher_connect(w);
		w->backoff_ns = num_min(2 * w->backoff_ns, BACKOFF_MAX_NS);
	}
	return step;
}

/* The connection is lost: down, once; up when another one is subscribed. */
static enum watcher_step
reconnect(struct watcher *w, uint64_t wait_end_ns)
{
	enum watcher_step step = WATCHER_ON;

	if (!w->is_ready)
		return come_again(w, wait_end_ns);
	if (w->options->stays_away || is_final(w->rc))
		return give_up(w);
	if (!w->is_down) {
		w->is_down = true;
		step = tell_own(w, "down",
		    w->rc == -ETIMEDOUT ? " reason=silent"
					: " reason=daemon-exit");
	}
	return step == WATCHER_ON ? come_again(w, UINT64_MAX) : step;
}

/* Enough was told: what the hooks still have to do. */
static void
finish_hooks(struct watcher *w)
{
	struct watcher_hooks *hooks = w->options->hooks;
	enum watcher_step step = WATCHER_ON;

	if (hooks == NULL || w->code != EXITCODE_OK)
		return;
	w->is_closing = true;
	if (!hook_is_idle(hooks->hook))
		tool_say("waiting for the hooks");
	while (
	    step == WATCHER_ON && w->is_closing && !hook_is_idle(hooks->hook))
		step = watcher_wait(w, -1, UINT64_MAX);
}

enum exitcode
watcher_run(struct watcher_options *options, struct watcher_printer *printer)
{
	struct watcher w = {
		.options = options,
		.printer = printer,
		.deadline_ns = UINT64_MAX,
		.tick_ns = UINT64_MAX,
		.backoff_ns = BACKOFF_MIN_NS,
	};
	uint64_t wait_end_ns =
	    watcher_later(clock_now_ns(), options->wait_daemon_ns);
	enum watcher_step step = watcher_connect(&w);
	int rc;

	while (step != WATCHER_END)
		step = step == WATCHER_LOST ? reconnect(&w, wait_end_ns)
					    : turn(&w);
	finish_hooks(&w);
	rc = out_flush(&printer->out);
	ask_close(w.ask);
	if (rc != 0)
		tool_fail_output(rc);
	out_close(&printer->out);
	return w.code;
}
