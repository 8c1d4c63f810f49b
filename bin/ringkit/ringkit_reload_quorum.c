/* SPDX-License-Identifier: BSD-3-Clause */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_reload.h"

#define TAKE_NS (30 * CLOCK_S_NS)
#define LOOK_NS (50 * CLOCK_MS_NS)

static int
open_quorum(const char *rundir, struct ask **out)
{
	return ask_open(out, opt_rundir(rundir), "quorum", ask_deadline_ns());
}

static void
get_line(struct ask *ask, struct ask_line *line)
{
	int rc = ask_next(ask, line, ask_deadline_ns());

	if (rc != 0)
		tool_fail(
		    ask_exitcode(rc), "quorum.sock: %s", ask_strerror(rc));
}

static void
request(struct ask *ask, const char *words)
{
	int rc = ask_putf(ask, "%s\n", words);

	if (rc == 0)
		rc = ask_flush(ask, ask_deadline_ns());
	if (rc != 0)
		tool_fail(
		    ask_exitcode(rc), "quorum.sock: %s", ask_strerror(rc));
}

int
ringkit_reload_would(const char *rundir, bool is_forced)
{
	struct ask *ask;
	struct ask_line line;
	const char *code, *msg;
	int rc = open_quorum(rundir, &ask);

	if (rc != 0)
		return rc;
	request(ask, "would");
	get_line(ask, &line);
	code = ask_value(&line, "code");
	msg = ask_value(&line, "msg");
	if (strcmp(code, "config") == 0)
		tool_fail(EXITCODE_CONFIG, "%s: nothing was changed", msg);
	if (strcmp(code, "denied") == 0)
		tool_fail(EXITCODE_DENIED, "quorum.sock: %s", msg);
	if (line.kind != ASK_OK && !is_forced)
		tool_fail(line.kind == ASK_NO ? EXITCODE_TRYAGAIN
					      : ask_line_exitcode(&line),
		    "%s: nothing was changed; --force does it anyway", msg);
	ask_close(ask);
	return 0;
}

void
ringkit_reload_unasked(struct ask *ring, int why, bool is_forced)
{
	struct ask_line line;
	bool is_elsewhere = false;

	request(ring, "groups group=ringkit/quorum");
	for (get_line(ring, &line); line.kind == ASK_ITEM;
	     get_line(ring, &line))
		is_elsewhere = true;
	if (is_elsewhere && !is_forced)
		tool_fail(EXITCODE_TRYAGAIN,
		    "quorum.sock: %s, and other nodes have a quorumd: ask "
		    "there; nothing was changed; --force does it anyway",
		    ask_strerror(why));
	tool_warn("quorum.sock: %s: quorum was not asked", ask_strerror(why));
}

/* ---- taken ------------------------------------------------------------- */

struct standing {
	uint64_t digest;
	bool is_current, is_in_force;
};

static void
look(struct ask *ask, struct standing *out)
{
	struct ask_line line;

	*out = (struct standing){ 0 };
	request(ask, "status");
	for (get_line(ask, &line); line.kind == ASK_ITEM;
	     get_line(ask, &line)) {
		if (strcmp(ask_value(&line, "kind"), "config") != 0)
			continue;
		out->digest = strtoull(ask_value(&line, "digest"), NULL, 16);
		out->is_current =
		    strcmp(ask_value(&line, "state"), "current") == 0;
		out->is_in_force =
		    strcmp(ask_value(&line, "in_force"), "yes") == 0;
	}
}

/* true: it is in force. */
static bool
force(struct ask *ask)
{
	struct ask_line line;

	request(ask, "reload force=yes");
	get_line(ask, &line);
	if (line.kind == ASK_OK)
		return true;
	if (ask_line_exitcode(&line) == EXITCODE_TRYAGAIN ||
	    line.kind == ASK_NO)
		return false; /* a member has not read it yet */
	tool_fail(
	    ask_line_exitcode(&line), "quorumd: %s", ask_value(&line, "msg"));
}

static uint64_t
take_deadline_ns(void)
{
	return getenv("RINGKIT_TIMEOUT") != NULL ? ask_deadline_ns()
						 : ringkit_deadline_ns(TAKE_NS);
}

void
ringkit_reload_await(const char *rundir, uint64_t digest, bool is_forced)
{
	const struct timespec pause = { .tv_nsec = (long)LOOK_NS };
	const uint64_t deadline_ns = take_deadline_ns();
	struct ask *ask;
	struct standing now;
	int rc = open_quorum(rundir, &ask);

	while (rc == 0 && clock_now_ns() < deadline_ns) {
		look(ask, &now);
		if (now.is_current && now.digest == digest &&
		    (is_forced ? force(ask) : now.is_in_force)) {
			ask_close(ask);
			return;
		}
		nanosleep(&pause, NULL);
	}
	tool_fail(EXITCODE_TRYAGAIN,
	    "in force in the ring, not for quorum: do not start new nodes, "
	    "do not restart any; `check-quorum --why` says why; then run it "
	    "again");
}
