/* SPDX-License-Identifier: BSD-3-Clause */
/* Lines that are here are taken one after the other; what they became is
 * written when none is left, so that a change goes out at once and whole.
 */
#include "bin/cfgstore/cfgstore_follow.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/hook.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_link.h"

enum { LINES_PER_LOOK = 64 };

#define BACKOFF_MIN_NS (100 * CLOCK_MS_NS)
#define BACKOFF_MAX_NS (5 * CLOCK_S_NS)

/* ---- telling ----------------------------------------------------------- */

static enum cfgstore_event
event_of(const char *name)
{
	static const char *const names[] = {
		[CFGSTORE_EXISTS] = "exists",
		[CFGSTORE_READY] = "ready",
		[CFGSTORE_PUT] = "put",
		[CFGSTORE_DEL] = "del",
		[CFGSTORE_GAP] = "gap",
		[CFGSTORE_AWAY] = "away",
		[CFGSTORE_HERE] = "here",
		[CFGSTORE_DOWN] = "down",
		[CFGSTORE_UP] = "up",
	};
	size_t event = 0;

	while (event < CFGSTORE_OTHER && strcmp(names[event], name) != 0)
		event++;
	return (enum cfgstore_event)event;
}

/* With its number and the time; the state has the number of the last. */
static enum cfgstore_step
tell(struct cfgstore_follow *follow, struct cfgstore_news *news)
{
	char stamp[CLOCK_STAMP_BYTES];

	clock_stamp(clock_real_ns(), stamp);
	news->record.seq = ++follow->seq;
	news->record.stamp = stamp;
	news->rev = follow->rev;
	return follow->take(follow, news);
}

/* A record of our own, put in the order here. */
static enum cfgstore_step
tell_own(struct cfgstore_follow *follow, enum cfgstore_event event, char *line)
{
	struct cfgstore_news news = { .event = event };
	struct word word;

	if (word_parse(&word, line, strlen(line)) != 0)
		return cfgstore_follow_end(follow, EXITCODE_INTERNAL);
	news.record.event = word.verb[0];
	news.record.word = &word;
	return tell(follow, &news);
}

/* ---- events ------------------------------------------------------------ */

static enum cfgstore_step
on_ready(struct cfgstore_follow *follow, struct cfgstore_news *news)
{
	uint64_t now_ns = clock_now_ns();
	enum cfgstore_step step;

	follow->is_subscribed = true;
	follow->is_filling = false;
	follow->answer_ns = UINT64_MAX;
	if (follow->is_ready)
		return tell(follow, news);
	follow->is_ready = true;
	follow->deadline_ns = cfgstore_follow_later(now_ns, follow->timeout_ns);
	step = tell(follow, news);
	tool_say("ready");
	if (follow->ready_fd >= 0) {
		/* What was told before is to be seen before. */
		int rc = out_flush(follow->out);

		if (rc != 0)
			tool_fail_output(rc);
		/* Nobody may be left who wanted to know. */
		(void)!write(follow->ready_fd, "\n", 1);
		fd_close(&follow->ready_fd);
	}
	return step;
}

/*
 * Each connection begins with the first change of a revision, and they are in
 * the same order.
 */
static bool
is_told(struct cfgstore_follow *follow, uint64_t rev)
{
	if (rev != follow->part_rev) {
		follow->part_rev = rev;
		follow->part_count = 0;
	}
	follow->part_count++;
	if (rev == follow->told_rev && follow->part_count <= follow->told_count)
		return true;
	follow->told_rev = rev;
	follow->told_count = follow->part_count;
	return false;
}

static enum cfgstore_step
on_change(
    struct cfgstore_follow *follow, struct cfgstore_news *news, uint64_t rev)
{
	bool is_known = is_told(follow, rev);

	if (!news->is_partial)
		follow->rev = rev;
	return is_known ? CFGSTORE_ON : tell(follow, news);
}

static void
read_rev(const struct ask_line *line, uint64_t *rev)
{
	const char *value = ask_value(line, "rev");

	if (parse_u64(value, strlen(value), 0, UINT64_MAX, rev) != 0)
		cfgstore_link_fail_protocol();
}

static enum cfgstore_step
on_event(struct cfgstore_follow *follow, struct ask_line *line)
{
	struct cfgstore_news news = { .event = event_of(line->event) };
	uint64_t rev;

	news.is_partial = strcmp(ask_value(line, "more"), "yes") == 0;
	cfgstore_record_of(line, line->event, &news.record);
	switch (news.event) {
	case CFGSTORE_EXISTS:
		follow->is_filling = news.is_snapshot = true;
		return tell(follow, &news);
	case CFGSTORE_READY:
		news.is_snapshot = follow->is_filling ||
		    (!follow->is_ready && !follow->has_since);
		read_rev(line, &follow->rev);
		follow->has_rev = true;
		return on_ready(follow, &news);
	case CFGSTORE_PUT:
	case CFGSTORE_DEL:
		read_rev(line, &rev);
		return on_change(follow, &news, rev);
	case CFGSTORE_GAP:
		follow->is_filling = true;
		follow->told_rev = follow->told_count = 0;
		return tell(follow, &news);
	case CFGSTORE_AWAY:
	case CFGSTORE_HERE:
	case CFGSTORE_DOWN:
	case CFGSTORE_UP:
	case CFGSTORE_OTHER:
		break;
	}
	return tell(follow, &news);
}

/* The daemon answered; to come again begins anew. */
static enum cfgstore_step
on_ok(struct cfgstore_follow *follow, const struct ask_line *line)
{
	char up[] = "up";

	if (line->tag != NULL && follow->is_pinging) {
		follow->is_pinging = false;
		follow->answer_ns = UINT64_MAX;
		return CFGSTORE_ON;
	}
	follow->backoff_ns = BACKOFF_MIN_NS;
	if (!follow->is_down)
		return CFGSTORE_ON;
	follow->is_down = false;
	return tell_own(follow, CFGSTORE_UP, up);
}

static enum cfgstore_step
on_refusal(struct cfgstore_follow *follow, const struct ask_line *line)
{
	enum exitcode code = ask_line_exitcode(line);

	if (line->kind == ASK_ERR && code == EXITCODE_UNAVAILABLE)
		return cfgstore_follow_lose(follow, ASK_E_CLOSED);
	tool_warn("%s",
	    *ask_value(line, "msg") != '\0' ? ask_value(line, "msg")
					    : ask_value(line, "code"));
	return cfgstore_follow_end(
	    follow, code == EXITCODE_FALSE ? EXITCODE_UNAVAILABLE : code);
}

static enum cfgstore_step
take_line(struct cfgstore_follow *follow, struct ask_line *line)
{
	switch (line->kind) {
	case ASK_EV:
		return on_event(follow, line);
	case ASK_OK:
		return on_ok(follow, line);
	case ASK_NO:
	case ASK_ERR:
		return on_refusal(follow, line);
	case ASK_ITEM:
		break;
	}
	return cfgstore_follow_lose(follow, ASK_E_PROTOCOL);
}

/* ---- all of it --------------------------------------------------------- */

static enum cfgstore_step
turn(struct cfgstore_follow *follow)
{
	struct ask_line line;
	int rc = ask_next(follow->ask, &line, 0);
	enum cfgstore_step step;

	if (rc == -ETIMEDOUT)
		return cfgstore_follow_wait(
		    follow, ask_fd(follow->ask), UINT64_MAX);
	if (rc != 0)
		return cfgstore_follow_lose(follow, rc);
	step = take_line(follow, &line);
	if (step == CFGSTORE_ON && ++follow->line_count >= LINES_PER_LOOK)
		return cfgstore_follow_look(follow);
	return step;
}

static bool
is_final(int rc)
{
	return rc == ASK_E_PROTOCOL || rc == -EACCES || rc == -EPERM;
}

static enum cfgstore_step
give_up(struct cfgstore_follow *follow)
{
	tool_warn("%s",
	    ask_explain_rc(
		opt_rundir(cfgstore_given.rundir), "cfg", follow->rc));
	return cfgstore_follow_end(follow, ask_exitcode(follow->rc));
}

static enum cfgstore_step
wait_until(struct cfgstore_follow *follow, uint64_t until_ns)
{
	enum cfgstore_step step = CFGSTORE_ON;

	while (step == CFGSTORE_ON && clock_now_ns() < until_ns)
		step = cfgstore_follow_wait(follow, -1, until_ns);
	return step;
}

/* Tries until it works, or until then. */
static enum cfgstore_step
come_again(struct cfgstore_follow *follow, uint64_t end_ns)
{
	enum cfgstore_step step = CFGSTORE_LOST;

	while (step == CFGSTORE_LOST) {
		uint64_t now_ns = clock_now_ns();

		ask_close(follow->ask);
		follow->ask = NULL;
		if (is_final(follow->rc) || now_ns >= end_ns)
			return give_up(follow);
		step = wait_until(follow,
		    num_min(end_ns,
			cfgstore_follow_later(now_ns, follow->backoff_ns)));
		if (step == CFGSTORE_ON)
			step = cfgstore_follow_connect(follow);
		follow->backoff_ns =
		    num_min(2 * follow->backoff_ns, BACKOFF_MAX_NS);
	}
	return step;
}

/* The connection is lost: down, once; up when another one is subscribed. */
static enum cfgstore_step
reconnect(struct cfgstore_follow *follow, uint64_t wait_end_ns)
{
	char silent[] = "down reason=silent",
	     gone[] = "down reason=daemon-exit";
	enum cfgstore_step step = CFGSTORE_ON;

	if (!follow->is_ready)
		return come_again(follow, wait_end_ns);
	if (follow->stays_away || is_final(follow->rc))
		return give_up(follow);
	if (!follow->is_down) {
		follow->is_down = true;
		step = tell_own(follow, CFGSTORE_DOWN,
		    follow->rc == -ETIMEDOUT ? silent : gone);
	}
	return step == CFGSTORE_ON ? come_again(follow, UINT64_MAX) : step;
}

/* Enough was told: what the hooks still have to do. */
static void
finish_hooks(struct cfgstore_follow *follow)
{
	enum cfgstore_step step = CFGSTORE_ON;

	if (follow->hook == NULL || follow->code != EXITCODE_OK)
		return;
	follow->deadline_ns = UINT64_MAX;
	follow->is_finishing = true;
	if (cfgstore_follow_look(follow) != CFGSTORE_ON)
		return;
	while (step == CFGSTORE_ON && !hook_is_idle(follow->hook))
		step = cfgstore_follow_wait(follow, -1, UINT64_MAX);
}

enum exitcode
cfgstore_follow_run(struct cfgstore_follow *follow)
{
	uint64_t wait_end_ns =
	    cfgstore_follow_later(clock_now_ns(), follow->wait_daemon_ns);
	enum cfgstore_step step;
	int rc;

	follow->deadline_ns = UINT64_MAX;
	follow->backoff_ns = BACKOFF_MIN_NS;
	step = cfgstore_follow_connect(follow);
	while (step != CFGSTORE_END)
		step = step == CFGSTORE_LOST ? reconnect(follow, wait_end_ns)
					     : turn(follow);
	ask_close(follow->ask);
	follow->ask = NULL;
	finish_hooks(follow);
	rc = out_flush(follow->out);
	if (rc != 0)
		tool_fail_output(rc);
	return follow->code;
}
