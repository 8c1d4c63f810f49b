/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_change.h"

#include <unistd.h>

#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"
#include "libcommon/os/tool.h"

struct ringkit_change_given ringkit_change_given;

int
ringkit_change_parse(const struct opt_program *program, int argc, char **argv)
{
	int first, rc = opt_parse(program, argc, argv, &first);

	if (rc == 0 && first < argc)
		rc = opt_usage(program, "%s: not expected", argv[first]);
	if (rc == 0 && ringkit_change_given.is_json &&
	    ringkit_change_given.is_record)
		rc = opt_usage(program, "-j and -l exclude each other");
	return rc;
}

struct ask *
ringkit_change_open(struct out *out)
{
	const char *rundir = opt_rundir(ringkit_change_given.rundir);
	struct ask *ask;
	int rc;

	if (out_open(out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	rc = ask_open(&ask, rundir, "ring", ask_deadline_ns());
	if (rc != 0)
		tool_fail(
		    ask_exitcode(rc), "%s", ask_explain_rc(rundir, "ring", rc));
	return ask;
}

void
ringkit_change_send(struct ask *ask, int rc)
{
	if (rc == 0)
		rc = ask_flush(ask, ask_deadline_ns());
	if (rc != 0)
		tool_fail(ask_exitcode(rc), "ring.sock: %s", ask_strerror(rc));
}

void
ringkit_change_get_line(
    struct ask *ask, struct ask_line *line, uint64_t deadline_ns)
{
	int rc = ask_next(ask, line, deadline_ns);

	if (rc != 0)
		tool_fail(ask_exitcode(rc), "ring.sock: %s: run it again",
		    ask_strerror(rc));
}

void
ringkit_change_put_pair(
    struct out *out, struct word *word, const char *key, const char *label)
{
	const struct word_pair *pair = word_get(word, key);

	if (pair == NULL || pair->len == 0)
		return;
	out_put_string(out, label);
	out_put_plain(out, pair->value, pair->len);
}

void
ringkit_change_show(struct out *out, const char *kind, struct word *word,
    ringkit_change_human_fn *human)
{
	if (ringkit_change_given.is_json) {
		record_put_json(out, "kind", kind, word);
		out_put(out, "}", 1);
	} else if (ringkit_change_given.is_record)
		record_put(out, kind, word);
	else
		human(out, kind, word);
	ringkit_change_end_line(out);
}

void
ringkit_change_end_line(struct out *out)
{
	int rc;

	out_put(out, "\n", 1);
	out_end(out);
	rc = out_flush(out);
	if (rc != 0)
		tool_fail_output(rc);
}
