/* SPDX-License-Identifier: BSD-3-Clause */
/* All questions are asked at once, on one connection: an answer can then not
 * be older than what the same connection told before.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/out.h"
#include "libcommon/os/tool.h"

#include "bin/check-quorum/checkq_show.h"

struct once {
	const struct checkq_options *options;
	struct out out;
	struct known known;
	bool wants_nodes, wants_why;
	bool has_answer, has_why;
	int nagios;
	int code; /* of a refusal, 0: none */
	int rc;   /* of ask, 0: no failure */
	char why[200];
};

uint64_t
checkq_deadline_ns(const struct checkq_options *options)
{
	uint64_t now_ns = clock_now_ns(), deadline_ns = ask_deadline_ns();

	/* 0 does not wait for the cluster, but for the daemon. */
	if (options->timeout_ns == 0 || options->timeout_ns == UINT64_MAX)
		return deadline_ns;
	return num_min(deadline_ns,
	    now_ns + num_min(options->timeout_ns, UINT64_MAX - now_ns));
}

const struct cond *
checkq_stranger(const struct checkq_options *options, const struct known *known)
{
	for (size_t i = 0; i < options->cond_count; i++) {
		const struct cond *cond = &options->conds[i];

		if (cond->node != NULL && known_find(known, cond->node) == NULL)
			return cond;
	}
	return NULL;
}

/* ---- one connection ---------------------------------------------------- */

static int
put_questions(struct once *once, struct ask *ask)
{
	return ask_putf(ask, "%s#q quorum\n%s",
	    once->wants_nodes ? "#w watch id=1 snapshot=yes\n" : "",
	    once->wants_why ? "#y why\n" : "");
}

static bool
is_tag(const struct ask_line *line, const char *tag)
{
	return line->tag != NULL && strcmp(line->tag, tag) == 0;
}

/* What is too old is no answer. */
static void
look_at_age(struct once *once, struct ask_line *line)
{
	struct known *known = &once->known;

	if (known->is_current &&
	    known->age_ms > once->options->fresh_ns / CLOCK_MS_NS) {
		known_lose(known);
		checkq_show_stale(line);
	}
	(void)snprintf(
	    once->why, sizeof once->why, "%s", ask_value(line, "why"));
}

static void
take_answer(struct once *once, struct ask_line *line)
{
	const struct checkq_options *o = once->options;

	if (!known_take_answer(&once->known, line->word)) {
		once->rc = ASK_E_PROTOCOL;
		return;
	}
	look_at_age(once, line);
	once->has_answer = true;
	if (o->show == CHECKQ_NAGIOS)
		once->nagios =
		    checkq_show_nagios(&once->out, line, &once->known);
	else
		checkq_show_answer(&once->out, o, line, &once->known);
}

/* A refusal is the end; false: nothing more is to come. */
static bool
take_line(struct once *once, struct ask_line *line)
{
	switch (line->kind) {
	case ASK_EV:
		/* Judged when all is here. */
		known_take_event(&once->known, line->event, line->word);
		return true;
	case ASK_ITEM:
		if (is_tag(line, "y"))
			checkq_show_rule(&once->out, once->options->show, line);
		return true;
	case ASK_OK:
		if (is_tag(line, "q"))
			take_answer(once, line);
		once->has_why = once->has_why || is_tag(line, "y");
		return once->rc == 0;
	case ASK_NO:
	case ASK_ERR:
		break;
	}
	once->code = (int)ask_line_exitcode(line);
	if (once->code == EXITCODE_FALSE)
		once->code = EXITCODE_UNAVAILABLE; /* it is no verdict */
	tool_warn("quorumd: %s", ask_value(line, "msg"));
	return false;
}

static bool
is_whole(const struct once *once)
{
	return once->has_answer &&
	    (!once->wants_nodes || once->known.has_nodes) &&
	    (!once->wants_why || once->has_why);
}

static void
ask_all(struct once *once)
{
	uint64_t deadline_ns = checkq_deadline_ns(once->options);
	struct ask_line line;
	struct ask *ask;

	once->rc = ask_open(&ask, once->options->rundir, "quorum", deadline_ns);
	if (once->rc == 0)
		once->rc = put_questions(once, ask);
	while (once->rc == 0 && !is_whole(once)) {
		once->rc = ask_next(ask, &line, deadline_ns);
		if (once->rc == 0 && !take_line(once, &line))
			break;
	}
	ask_close(ask);
}

/* ---- the verdict ------------------------------------------------------- */

/* There is no whole answer. */
static int
end_without(struct once *once)
{
	const struct checkq_options *o = once->options;
	int code = once->code != 0 ? once->code : (int)ask_exitcode(once->rc);

	if (o->show == CHECKQ_NAGIOS)
		return checkq_show_nagios_unknown(&once->out,
		    once->rc != 0
			? ask_explain_rc(o->rundir, "quorum", once->rc)
			: "the daemon refused");
	known_lose(&once->known);
	/* Only a condition about the daemon can be judged. */
	switch (cond_judge(o->conds, o->cond_count, &once->known)) {
	case KNOWN_YES:
		return EXITCODE_OK;
	case KNOWN_NO:
		return EXITCODE_FALSE;
	case KNOWN_UNKNOWN:
		break;
	}
	if (once->rc != 0)
		tool_warn("%s", ask_explain_rc(o->rundir, "quorum", once->rc));
	return code;
}

static int
judge(struct once *once)
{
	const struct checkq_options *o = once->options;
	const struct cond *missing;

	if (once->wants_nodes) {
		missing = checkq_stranger(o, &once->known);
		if (missing != NULL) {
			tool_warn("%s: no such node", missing->node);
			return EXITCODE_DATA;
		}
	}
	if (o->show == CHECKQ_NAGIOS)
		return once->nagios;
	missing = cond_missing(o->conds, o->cond_count, &once->known);
	switch (cond_judge(o->conds, o->cond_count, &once->known)) {
	case KNOWN_YES:
		return EXITCODE_OK;
	case KNOWN_NO:
		tool_say("%s: no", missing->text);
		return EXITCODE_FALSE;
	case KNOWN_UNKNOWN:
		break;
	}
	tool_warn("%s: unknown: %s", missing->text,
	    once->why[0] != '\0' ? once->why
				 : "the daemon has no current view");
	return EXITCODE_UNAVAILABLE;
}

static bool
wants_nodes(const struct checkq_options *options)
{
	for (size_t i = 0; i < options->cond_count; i++)
		if (cond_needs_nodes(&options->conds[i]))
			return true;
	return false;
}

int
checkq_once(const struct checkq_options *options)
{
	static struct once once;
	int code, rc;

	once.options = options;
	once.wants_nodes = wants_nodes(options);
	once.wants_why =
	    options->show == CHECKQ_WHY || options->show == CHECKQ_WHY_JSON;
	known_init(&once.known);
	if (out_open(&once.out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	ask_all(&once);
	code = is_whole(&once) ? judge(&once) : end_without(&once);
	rc = code == EXITCODE_DATA ? 0 : out_flush(&once.out);
	if (rc != 0)
		tool_fail_output(rc);
	out_close(&once.out);
	return code;
}
