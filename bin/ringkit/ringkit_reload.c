/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringkit reload: has all ringds of the ring read their files again, and the
 * other daemons behind them.
 */
#include "bin/ringkit/ringkit_reload.h"

#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/out.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_change.h"

#define RELOAD_NS (90 * CLOCK_S_NS) /* ringd gives up after half of it */

static bool is_forced;

static const struct opt opts[] = {
	RINGKIT_CHANGE_OPT_DRY("only have all nodes check their files"),
	{ 'f', "force", OPT_FLAG, &is_forced, NULL, NULL,
	    "even if that costs the quorum" },
	RINGKIT_CHANGE_OPT_SHOW("a node"),
};

static const struct opt_program program = {
	.name = "ringkit reload",
	.operands = "",
	.summary = "Have all nodes of the ring take their changed "
		   "configuration while\nthey run: all of them, or none.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

/* ---- showing ----------------------------------------------------------- */

static void
put_human(struct out *out, const char *kind, struct word *word)
{
	if (strcmp(kind, "done") == 0) {
		out_put_string(
		    out, ringkit_change_given.is_dry ? "would do" : "done");
		ringkit_change_put_pair(
		    out, word, "config", "  configuration ");
		ringkit_change_put_pair(out, word, "absent", "  not asked: ");
		return;
	}
	ringkit_change_put_pair(out, word, "name", "");
	ringkit_change_put_pair(out, word, "result", "  ");
	ringkit_change_put_pair(out, word, "differences", "  differences ");
	ringkit_change_put_pair(out, word, "what", "  ");
	ringkit_change_put_pair(out, word, "msg", "  ");
}

/* ---- asking ------------------------------------------------------------ */

/* The digest of what is in force then. */
static uint64_t
reload(struct ask *ask, struct out *out)
{
	const uint64_t deadline_ns = ringkit_deadline_ns(RELOAD_NS);
	struct ask_line line;
	uint64_t digest;
	int rc = ask_putf(
	    ask, "reload try=%s\n", ringkit_change_given.is_dry ? "yes" : "no");

	ringkit_change_send(ask, rc);
	for (ringkit_change_get_line(ask, &line, deadline_ns);
	     line.kind == ASK_ITEM;
	     ringkit_change_get_line(ask, &line, deadline_ns))
		ringkit_change_show(out, "reload", line.word, put_human);
	if (line.kind != ASK_OK)
		tool_fail(ask_line_exitcode(&line), "%s%s",
		    ask_value(&line, "msg"),
		    ask_line_exitcode(&line) == EXITCODE_TRYAGAIN
			? ": run it again"
			: ": nothing was changed");
	digest = strtoull(ask_value(&line, "config"), NULL, 16);
	ringkit_change_show(out, "done", line.word, put_human);
	return digest;
}

int
ringkit_reload(int argc, char **argv)
{
	int rc = ringkit_change_parse(&program, argc, argv);
	const struct ringkit_change_given *given = &ringkit_change_given;
	struct ask *ask;
	struct out out;
	uint64_t digest;
	int unasked; /* why quorumd was not asked; 0: it was */

	if (rc != 0)
		return tool_opt_exit(rc);
	unasked = ringkit_reload_would(given->rundir, is_forced);
	ask = ringkit_change_open(&out);
	if (unasked != 0)
		ringkit_reload_unasked(ask, unasked, is_forced);
	digest = reload(ask, &out);
	ask_close(ask);
	if (!given->is_dry && unasked == 0)
		ringkit_reload_await(given->rundir, digest, is_forced);
	out_close(&out);
	return EXITCODE_OK;
}
