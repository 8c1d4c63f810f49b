/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringkit reload: has all ringds of the ring read their files again, and the
 * other daemons behind them.
 */
#include "bin/ringkit/ringkit_reload.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"

#define RELOAD_NS (90 * CLOCK_S_NS) /* ringd gives up after half of it */

static struct {
	const char *rundir;
	bool is_json, is_record, is_dry, is_forced;
} given;

static const struct opt opts[] = {
	{ 'n', "dry-run", OPT_FLAG, &given.is_dry, NULL, NULL,
	    "only have all nodes check their files" },
	{ 'f', "force", OPT_FLAG, &given.is_forced, NULL, NULL,
	    "even if that costs the quorum" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object a node" },
	{ 'l', "records", OPT_FLAG, &given.is_record, NULL, NULL,
	    "print a record of key=value words a node" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where the sockets are" },
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
put_pair(struct out *out, struct word *word, const char *key, const char *label)
{
	const struct word_pair *pair = word_get(word, key);

	if (pair == NULL || pair->len == 0)
		return;
	out_put_string(out, label);
	/* For a person: as it is, but for what a terminal would obey. */
	for (size_t i = 0; i < pair->len; i++) {
		unsigned char c = (unsigned char)pair->value[i];

		out_put(out, c < ' ' || c == 0x7F ? "?" : (char *)&c, 1);
	}
}

static void
put_human(struct out *out, const char *kind, struct word *word)
{
	if (strcmp(kind, "done") == 0) {
		out_put_string(out, given.is_dry ? "would do" : "done");
		put_pair(out, word, "config", "  configuration ");
		put_pair(out, word, "absent", "  not asked: ");
		return;
	}
	put_pair(out, word, "name", "");
	put_pair(out, word, "result", "  ");
	put_pair(out, word, "differences", "  differences ");
	put_pair(out, word, "what", "  ");
	put_pair(out, word, "msg", "  ");
}

static void
show(struct out *out, const char *kind, struct word *word)
{
	int rc;

	if (given.is_json) {
		record_put_json(out, "kind", kind, word);
		out_put(out, "}", 1);
	} else if (given.is_record)
		record_put(out, kind, word);
	else
		put_human(out, kind, word);
	out_put(out, "\n", 1);
	out_end(out);
	rc = out_flush(out);
	if (rc != 0)
		tool_fail_output(rc);
}

/* ---- asking ------------------------------------------------------------ */

static void
get_line(struct ask *ask, struct ask_line *line, uint64_t deadline_ns)
{
	int rc = ask_next(ask, line, deadline_ns);

	if (rc != 0)
		tool_fail(ask_exitcode(rc), "ring.sock: %s: run it again",
		    ask_strerror(rc));
}

/* The digest of what is in force then. */
static uint64_t
reload(struct ask *ask, struct out *out)
{
	const uint64_t deadline_ns = ringkit_deadline_ns(RELOAD_NS);
	struct ask_line line;
	uint64_t digest;
	int rc = ask_putf(ask, "reload try=%s\n", given.is_dry ? "yes" : "no");

	if (rc == 0)
		rc = ask_flush(ask, ask_deadline_ns());
	if (rc != 0)
		tool_fail(ask_exitcode(rc), "ring.sock: %s", ask_strerror(rc));
	for (get_line(ask, &line, deadline_ns); line.kind == ASK_ITEM;
	     get_line(ask, &line, deadline_ns))
		show(out, "reload", line.word);
	if (line.kind != ASK_OK)
		tool_fail(ask_line_exitcode(&line), "%s%s",
		    ask_value(&line, "msg"),
		    ask_line_exitcode(&line) == EXITCODE_TRYAGAIN
			? ": run it again"
			: ": nothing was changed");
	digest = strtoull(ask_value(&line, "config"), NULL, 16);
	show(out, "done", line.word);
	return digest;
}

int
ringkit_reload(int argc, char **argv)
{
	int first, rc = opt_parse(&program, argc, argv, &first);
	struct ask *ask;
	struct out out;
	uint64_t digest;
	int unasked; /* why quorumd was not asked; 0: it was */

	if (rc == 0 && first < argc)
		rc = opt_usage(&program, "%s: not expected", argv[first]);
	if (rc == 0 && given.is_json && given.is_record)
		rc = opt_usage(&program, "-j and -l exclude each other");
	if (rc != 0)
		return tool_opt_exit(rc);
	if (out_open(&out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	unasked = ringkit_reload_would(given.rundir, given.is_forced);
	rc =
	    ask_open(&ask, opt_rundir(given.rundir), "ring", ask_deadline_ns());
	if (rc != 0)
		tool_fail(ask_exitcode(rc), "ring.sock: %s", ask_strerror(rc));
	if (unasked != 0)
		ringkit_reload_unasked(ask, unasked, given.is_forced);
	digest = reload(ask, &out);
	ask_close(ask);
	if (!given.is_dry && unasked == 0)
		ringkit_reload_await(given.rundir, digest, given.is_forced);
	out_close(&out);
	return EXITCODE_OK;
}
