/* SPDX-License-Identifier: BSD-3-Clause */
/* Records go from pending into the batch, which is run job by job.  What has
 * to be done again goes back to the front of pending.
 *
 * A batch with something urgent is not preempted itself: what must be done
 * when quorum is lost is not to be killed because the daemon went, too.
 */
#include "libcommon/os/hook.h"

#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/hook_file.h"
#include "libcommon/os/hook_internal.h"
#include "libcommon/os/tool.h"

#define BACKOFF_MIN_NS (1 * CLOCK_S_NS)
#define BACKOFF_MAX_NS (60 * CLOCK_S_NS)
/* How long the rest of a change is waited for. */
#define PARTIAL_NS (250 * CLOCK_MS_NS)

static uint64_t
later(uint64_t now_ns, uint64_t span_ns)
{
	return span_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + span_ns;
}

int
hook_open(struct hook **out, const struct hook_options *options)
{
	struct hook *hook = calloc(1, sizeof *hook);
	int rc;

	*out = hook;
	if (hook == NULL)
		return -ENOMEM;
	hook->options = options;
	hook->out.fd = hook->signal_fd = hook->tree.fd = -1;
	hook->retry_ns = UINT64_MAX;
	hook_queue_init(&hook->pending);
	hook_queue_init(&hook->batch);
	rc = hook_signals(hook);
	umask(022);
	return rc;
}

/* ---- what there is to do ----------------------------------------------- */

static bool
has_batch(const struct hook *hook)
{
	return hook->batch.count > 0;
}

/* When pending is to be run; UINT64_MAX: not by itself. */
static uint64_t
due_ns(const struct hook *hook)
{
	const struct hook_options *options = hook->options;

	if (!hook->is_due)
		return UINT64_MAX;
	if (hook->is_urgent)
		return 0;
	if (options->settle_ns == 0)
		return hook->is_partial ? later(hook->last_ns, PARTIAL_NS) : 0;
	return num_min(later(hook->last_ns, options->settle_ns),
	    later(hook->first_ns, options->max_delay_ns));
}

uint64_t
hook_deadline_ns(const struct hook *hook)
{
	if (hook->is_running)
		return hook_run_deadline_ns(hook);
	return num_min(hook->retry_ns, due_ns(hook));
}

bool
hook_is_idle(const struct hook *hook)
{
	return !hook->is_running && !has_batch(hook) && !hook->is_due;
}

/* ---- the jobs ---------------------------------------------------------- */

static void
clear_jobs(struct hook *hook)
{
	for (size_t i = 0; i < hook->job_count; i++)
		free(hook->jobs[i].path);
	hook->job_count = hook->job_at = 0;
	memset(hook->results, 0, sizeof hook->results);
}

static void
make_jobs(struct hook *hook, uint32_t classes)
{
	const struct hook_options *options = hook->options;

	clear_jobs(hook);
	if (options->argv == NULL) {
		hook->job_count =
		    options->plan(options->arg, classes, hook->jobs);
		ENSURE(hook->job_count <= HOOK_JOBS);
	} else {
		hook->jobs[0] = (struct hook_job){ .class = UINT32_MAX };
		hook->job_count = 1;
	}
}

static bool
concerns_anybody(struct hook *hook, uint32_t classes)
{
	static struct hook_job jobs[HOOK_JOBS];
	size_t count = 1;

	if (hook->options->argv != NULL)
		return true;
	count = hook->options->plan(hook->options->arg, classes, jobs);
	for (size_t i = 0; i < count; i++)
		free(jobs[i].path);
	return count > 0;
}

/* ---- records ----------------------------------------------------------- */

void
hook_offer(struct hook *hook, const struct hook_record *record)
{
	bool is_every = hook->options->is_every;
	bool is_first = is_every && record->is_urgent;

	ENSURE(record->classes != 0);
	if (!(is_first ? hook_queue_put_first(&hook->pending, record)
		       : hook_queue_put(&hook->pending, record, !is_every))) {
		hook->pending.lost++;
		tool_warn("out of memory: a record was lost for the hooks");
		return;
	}
	if (!hook->is_due)
		hook->first_ns = record->at_ns;
	hook->last_ns = record->at_ns;
	hook->is_due = true;
	hook->is_partial = record->is_partial && !is_every;
	if (record->is_urgent && concerns_anybody(hook, record->classes))
		hook->is_urgent = true;
}

/* In its place among those that have a run each. */
static void
take_gap(struct hook *hook)
{
	const struct hook_record *first = hook_queue_first(&hook->pending);
	struct hook_record gap = *first;
	char line[48];
	struct text text;

	text_init(&text, line, sizeof line);
	text_put(&text, "gap lost=");
	text_put_u64(&text, hook->pending.lost);
	gap.line = line;
	gap.classes = UINT32_MAX;
	gap.is_urgent = false;
	hook->pending.lost = 0;
	if (!hook_queue_put_first(&hook->pending, &gap))
		tool_warn("out of memory");
}

static void
take_batch(struct hook *hook)
{
	bool is_every = hook->options->is_every;

	ENSURE(!has_batch(hook));
	if (is_every && hook->pending.lost > 0)
		take_gap(hook);
	hook_queue_move(
	    &hook->batch, &hook->pending, is_every ? 1 : HOOK_QUEUE_MAX + 1);
	hook->is_due = hook->pending.count > 0;
	hook->is_urgent = hook_queue_is_urgent(&hook->pending);
	hook->attempt = 1;
	hook->backoff_ns = BACKOFF_MIN_NS;
	make_jobs(hook, hook_queue_classes(&hook->batch));
}

/* ---- the end of a batch ------------------------------------------------ */

static void
acknowledge(struct hook *hook)
{
	const char *path = hook->options->state_path;
	const struct hook_record *newest =
	    hook_queue_newest(&hook->batch, UINT32_MAX);
	const char *table = hook_queue_table(&hook->batch);
	char *bytes;
	int n, rc;

	if (path == NULL || newest == NULL)
		return;
	n = asprintf(
	    &bytes, "%s\n%s", newest->context, table != NULL ? table : "");
	if (n < 0) {
		tool_warn("out of memory");
		return;
	}
	rc = hook_file_write(path, bytes, (size_t)n);
	free(bytes);
	if (rc < 0)
		tool_warn("%s: %s", path, strerror(-rc));
}

/* The classes that have to be told again. */
static uint32_t
left_over(const struct hook *hook, bool *was_started)
{
	uint32_t classes = 0;
	bool keeps =
	    hook->options->state_path != NULL && !hook->options->is_every;

	*was_started = true;
	for (size_t i = 0; i < hook->job_count; i++) {
		enum hook_result result = hook->results[i];

		if (result == HOOK_NOT_RUN || (keeps && result != HOOK_DONE))
			classes |= hook->jobs[i].class;
		if (result == HOOK_NOT_RUN)
			*was_started = false;
	}
	return classes;
}

static bool
all_done(const struct hook *hook)
{
	for (size_t i = 0; i < hook->job_count; i++)
		if (hook->results[i] != HOOK_DONE)
			return false;
	return true;
}

static void
finish_batch(struct hook *hook)
{
	bool was_started;
	uint32_t classes = left_over(hook, &was_started);

	if (all_done(hook))
		acknowledge(hook);
	hook_queue_put_back(&hook->pending, &hook->batch, classes);
	/* What failed waits for company; what did not run does not. */
	if (!was_started)
		hook->is_due = true;
	hook->retry_ns = UINT64_MAX;
	clear_jobs(hook);
}

/* ---- the end of a job -------------------------------------------------- */

static bool
wants_retry(const struct hook *hook)
{
	for (size_t i = 0; i < hook->job_count; i++)
		if (hook->results[i] == HOOK_REFUSED)
			return hook->attempt <= hook->options->retries;
	return false;
}

/* All jobs had their turn. */
static void
finish_round(struct hook *hook, uint64_t now_ns)
{
	if (!wants_retry(hook)) {
		finish_batch(hook);
		return;
	}
	hook->retry_ns = later(now_ns, hook->backoff_ns);
	hook->backoff_ns = num_min(2 * hook->backoff_ns, BACKOFF_MAX_NS);
	hook->job_at = 0;
}

/* The next job that is to run in this round; false: none. */
static bool
next_job(struct hook *hook)
{
	while (hook->job_at < hook->job_count &&
	    hook->results[hook->job_at] != HOOK_NOT_RUN)
		hook->job_at++;
	return hook->job_at < hook->job_count;
}

/* A command that never was there is a mistake; one that went may come back. */
static bool
is_there(const struct hook *hook, const struct hook_end *end)
{
	return hook->was_there || hook->options->argv == NULL ||
	    !end->is_absent;
}

/* -1: that was the last. */
static int
end_job(struct hook *hook, const struct hook_end *end, int *code)
{
	bool is_last;

	hook->results[hook->job_at] = end->result;
	is_last = end->result == HOOK_FAILED ||
	    (end->result == HOOK_REFUSED &&
		hook->attempt > hook->options->retries);
	if (end->result == HOOK_PREEMPTED) {
		finish_batch(hook);
		return 0;
	}
	if (is_last &&
	    (hook->options->stops_on_error || !is_there(hook, end))) {
		*code = end->code;
		return -1;
	}
	hook->was_there = true;
	if (!next_job(hook))
		finish_round(hook, clock_now_ns());
	return 0;
}

/* ---- turns ------------------------------------------------------------- */

/* Those that answered 75 once more. */
static void
retry(struct hook *hook)
{
	hook->retry_ns = UINT64_MAX;
	hook->attempt++;
	for (size_t i = 0; i < hook->job_count; i++)
		if (hook->results[i] == HOOK_REFUSED)
			hook->results[i] = HOOK_NOT_RUN;
}

/* News end the wait for a retry: there is one run for both. */
static void
take_back(struct hook *hook)
{
	uint32_t classes = 0;

	for (size_t i = 0; i < hook->job_count; i++)
		if (hook->results[i] == HOOK_REFUSED)
			classes |= hook->jobs[i].class;
	hook_queue_put_back(&hook->pending, &hook->batch, classes);
	hook->retry_ns = UINT64_MAX;
	clear_jobs(hook);
}

/* Nothing runs: is there something to start? */
static void
start(struct hook *hook, uint64_t now_ns)
{
	bool is_waiting = has_batch(hook) && hook->retry_ns != UINT64_MAX;

	if (is_waiting && now_ns >= due_ns(hook) &&
	    (!hook->options->is_every || hook->is_urgent))
		take_back(hook);
	else if (is_waiting && now_ns >= hook->retry_ns)
		retry(hook);
	else if (is_waiting)
		return;
	if (!has_batch(hook) && now_ns >= due_ns(hook))
		take_batch(hook);
	if (!has_batch(hook))
		return;
	if (next_job(hook))
		hook_run_start(hook, now_ns);
	else
		finish_batch(hook);
}

int
hook_turn(struct hook *hook, uint64_t now_ns, int *code)
{
	/* Several jobs may end at once, by not being there. */
	for (int i = 0; i < HOOK_JOBS; i++) {
		struct hook_end end;

		hook_signals_turn(hook);
		if (hook->is_running) {
			if (hook->is_urgent &&
			    !hook_queue_is_urgent(&hook->batch))
				hook_run_preempt(hook, now_ns);
			if (!hook_run_turn(hook, now_ns, &end))
				return 0;
			if (end_job(hook, &end, code) < 0)
				return -1;
		}
		start(hook, now_ns);
		if (!hook->is_running)
			return 0;
	}
	return 0;
}

void
hook_poll(const struct hook *hook, struct pollfd fds[HOOK_FDS])
{
	fds[0] = (struct pollfd){ .fd = -1, .events = POLLIN };
	if (hook->is_running)
		fds[0].fd = hook->tree.fd;
	fds[1] = (struct pollfd){ .fd = hook->out.fd, .events = POLLIN };
	fds[2] = (struct pollfd){ .fd = hook->signal_fd, .events = POLLIN };
}

void
hook_close(struct hook *hook)
{
	if (hook == NULL)
		return;
	hook_run_end(hook);
	clear_jobs(hook);
	hook_queue_clear(&hook->pending);
	hook_queue_clear(&hook->batch);
	fd_close(&hook->signal_fd);
	free(hook);
}
