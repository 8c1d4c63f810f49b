/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/cfgstore/cfgstore_link.h"

#include <errno.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/tool.h"

enum { PIECE_BYTES = 32768 };

/* Less than what we wait: the daemon's own words arrive in time. */
#define ANSWER_NS (200 * CLOCK_MS_NS)

struct cfgstore_given cfgstore_given = { .timeout_ns = PARSE_FOREVER };

static bool
has_timeout(void)
{
	return cfgstore_given.timeout_ns != PARSE_FOREVER;
}

static uint64_t
deadline_ns(void)
{
	uint64_t now_ns = clock_now_ns();

	if (!has_timeout())
		return ask_deadline_ns();
	return now_ns + num_min(cfgstore_given.timeout_ns, UINT64_MAX - now_ns);
}

RK_NORETURN static void
fail(const struct cfgstore_link *link, int rc)
{
	enum exitcode code = ask_exitcode(rc);

	if (rc == -ETIMEDOUT && has_timeout())
		code = EXITCODE_TIMEOUT;
	tool_fail(code, "%s%s",
	    ask_explain_rc(opt_rundir(cfgstore_given.rundir), "cfg", rc),
	    link->is_write ? "; what was asked for may have been done" : "");
}

void
cfgstore_link_fail_protocol(void)
{
	tool_fail(EXITCODE_PROTOCOL, "%s",
	    ask_explain_rc(
		opt_rundir(cfgstore_given.rundir), "cfg", ASK_E_PROTOCOL));
}

void
cfgstore_link_open(struct cfgstore_link *link)
{
	int rc;

	*link = (struct cfgstore_link){ .deadline_ns = deadline_ns() };
	rc = ask_open(&link->ask, opt_rundir(cfgstore_given.rundir), "cfg",
	    link->deadline_ns);
	if (rc != 0)
		fail(link, rc);
}

void
cfgstore_link_close(struct cfgstore_link *link)
{
	ask_close(link->ask);
	link->ask = NULL;
}

void
cfgstore_link_begin(struct cfgstore_link *link, bool is_write)
{
	link->deadline_ns = deadline_ns();
	link->is_write = is_write;
}

void
cfgstore_link_put(struct cfgstore_link *link, const void *bytes, size_t len)
{
	const char *at = bytes;

	/* ask_put itself would wait without an end for a full socket. */
	while (len > 0) {
		size_t n = len < PIECE_BYTES ? len : PIECE_BYTES;
		int rc = ask_put(link->ask, at, n);

		if (rc == 0)
			rc = ask_flush(link->ask, link->deadline_ns);
		if (rc == ASK_E_CLOSED)
			return; /* it may have said why */
		if (rc != 0)
			fail(link, rc);
		at += n;
		len -= n;
	}
}

void
cfgstore_link_put_line(struct cfgstore_link *link, const struct text *line)
{
	if (line->is_full || line->len >= LIMIT_REQUEST_BYTES)
		tool_fail(EXITCODE_DATA, "too long for one request");
	cfgstore_link_put(link, line->bytes, line->len);
	cfgstore_link_put(link, "\n", 1);
}

bool
cfgstore_link_is_no(const struct ask_line *line, const char *code)
{
	return line->kind == ASK_NO &&
	    strcmp(ask_value(line, "code"), code) == 0;
}

bool
cfgstore_link_is_err(const struct ask_line *line, const char *code)
{
	return line->kind == ASK_ERR &&
	    strcmp(ask_value(line, "code"), code) == 0;
}

/* What is said of a refusal. */
static const char *
reason_of(const struct ask_line *line)
{
	const char *msg = ask_value(line, "msg");

	if (*msg != '\0')
		return msg;
	if (cfgstore_link_is_no(line, "unknown"))
		return "the view ended: what was asked for may have been done";
	if (cfgstore_link_is_no(line, "room"))
		return "nothing changed: more than that is stored now";
	if (cfgstore_link_is_no(line, "refused"))
		return "nothing changed: those who are left could not go on, "
		       "or have not all of it";
	return ask_value(line, "code");
}

static bool
is_judged_by_caller(
    const struct cfgstore_link *link, const struct ask_line *line)
{
	if (link->takes_long && cfgstore_link_is_err(line, "toolong"))
		return true;
	return cfgstore_link_is_no(line, "absent") ||
	    cfgstore_link_is_no(line, "compacted") ||
	    cfgstore_link_is_no(line, "conflict") ||
	    cfgstore_link_is_no(line, "nolease");
}

RK_NORETURN static void
fail_refused(const struct ask_line *line)
{
	const char *n = ask_value(line, "n");
	uint64_t code = EXITCODE_FALSE;

	if (parse_u64(n, strlen(n), 1, 255, &code) != 0 &&
	    line->kind == ASK_ERR)
		cfgstore_link_fail_protocol();
	tool_fail((enum exitcode)code, "%s", reason_of(line));
}

enum ask_kind
cfgstore_link_next(struct cfgstore_link *link, struct ask_line *out)
{
	int rc;

	do
		rc = ask_next(link->ask, out, link->deadline_ns);
	while (rc == 0 && out->kind == ASK_EV);
	if (rc != 0)
		fail(link, rc);
	if ((out->kind == ASK_ERR || out->kind == ASK_NO) &&
	    !is_judged_by_caller(link, out))
		fail_refused(out);
	return out->kind;
}

uint64_t
cfgstore_link_u64(const struct ask_line *line, const char *key)
{
	const char *value = ask_value(line, key);
	uint64_t number;

	if (parse_u64(value, strlen(value), 0, UINT64_MAX, &number) != 0)
		cfgstore_link_fail_protocol();
	return number;
}

uint64_t
cfgstore_link_max_data(const struct cfgstore_link *link)
{
	const char *value = ask_greeting(link->ask, "max_data");
	uint64_t max;

	if (value == NULL ||
	    parse_u64(value, strlen(value), 0, UINT64_MAX, &max) != 0)
		return LIMIT_MESSAGE_BYTES_DEFAULT;
	return max;
}

void
cfgstore_link_put_timeout(const struct cfgstore_link *link, struct text *line)
{
	uint64_t left_ns = num_sub(link->deadline_ns, clock_now_ns());

	if (link->deadline_ns == UINT64_MAX)
		return;
	left_ns = num_max(num_sub(left_ns, ANSWER_NS), left_ns / 2);
	text_put(line, " timeout=");
	text_put_u64(line, num_max(left_ns / CLOCK_MS_NS, 1));
	text_put(line, "ms");
}
