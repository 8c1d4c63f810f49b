/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringkit rotate-key: surveys, makes the stage that is next, and again, until
 * all nodes have one key and it is another than before.  Nothing is kept here:
 * whoever runs it again, on any node, goes on from what the nodes have.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_rotate_plan.h"

enum { STAGES_MAX = 8 };

#define STAGE_NS (90 * CLOCK_S_NS) /* ringd gives up after half of it */

static struct {
	const char *rundir;
	bool is_json, is_record, is_dry, is_resume;
} given;

static const struct opt opts[] = {
	{ 'n', "dry-run", OPT_FLAG, &given.is_dry, NULL, NULL,
	    "only show what the nodes have, and what would be next" },
	{ '\0', "resume", OPT_FLAG, &given.is_resume, NULL, NULL,
	    "only end a rotation that was begun; begin none" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object a node and stage" },
	{ 'l', "records", OPT_FLAG, &given.is_record, NULL, NULL,
	    "print a record of key=value words a node and stage" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where the sockets are" },
};

static const struct opt_program program = {
	.name = "ringkit rotate-key",
	.operands = "",
	.summary = "Give the ring a new key, and end the old one, while it "
		   "runs: on all\nnodes or on none. What was cut short goes "
		   "on when it is run again.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

static const char *const stage_names[] = { "install", "switch", "retire" };

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
put_human(struct out *out, struct word *word)
{
	put_pair(out, word, "stage", "");
	put_pair(out, word, "id", " ");
	put_pair(out, word, "name", "  ");
	put_pair(out, word, "result", "  ");
	put_pair(out, word, "active", "  active ");
	put_pair(out, word, "keys", "  keys ");
	put_pair(out, word, "file", "  file ");
	put_pair(out, word, "msg", "  ");
}

/* At once: the next stage may take long, or fail. */
static void
end_line(struct out *out)
{
	int rc;

	out_put(out, "\n", 1);
	out_end(out);
	rc = out_flush(out);
	if (rc != 0)
		tool_fail_output(rc);
}

static void
show(struct out *out, struct word *word)
{
	if (given.is_json) {
		record_put_json(out, "kind", "rotate", word);
		out_put(out, "}", 1);
	} else if (given.is_record)
		record_put(out, "rotate", word);
	else
		put_human(out, word);
	end_line(out);
}

/* What is next, or (stage NULL) that the key is the only one. */
static void
conclude(struct out *out, const char *stage, uint8_t id)
{
	char bytes[128];

	if (stage == NULL)
		snprintf(bytes, sizeof bytes,
		    given.is_json ? "{\"v\":1,\"kind\":\"done\",\"id\":%u}"
			: given.is_record ? "done id=%u"
					  : "done  key %u is the only one",
		    id);
	else
		snprintf(bytes, sizeof bytes,
		    given.is_json
			? "{\"v\":1,\"kind\":\"next\",\"stage\":\"%s\","
			  "\"id\":%u}"
			: given.is_record ? "next stage=%s id=%u"
					  : "next  %s %u",
		    stage, id);
	out_put_string(out, bytes);
	end_line(out);
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

/* false: its file is not what is in use. */
static bool
take_survey(struct ringkit_rotate_survey *survey, struct ask_line *line)
{
	const char *active = ask_value(line, "active");
	uint64_t id = 0;

	if (strcmp(ask_value(line, "result"), "ok") != 0)
		return true; /* the answer is an err anyway */
	if (survey->count == LIMIT_NODES ||
	    parse_u64(active, strlen(active), 1, UINT8_MAX, &id) != 0 ||
	    !ringkit_rotate_read(
		&survey->nodes[survey->count++], ask_value(line, "keys"), id))
		tool_fail(EXITCODE_PROTOCOL, "ring.sock: not a survey");
	return strcmp(ask_value(line, "file"), "same") == 0;
}

/* One stage at all nodes; survey is NULL unless it is one. */
static void
run_stage(struct ask *ask, struct out *out, const char *stage, uint8_t id,
    struct ringkit_rotate_survey *survey)
{
	const uint64_t deadline_ns = ringkit_deadline_ns(STAGE_NS);
	bool is_same = true;
	struct ask_line line;
	int rc = survey != NULL
	    ? ask_putf(ask, "rotate-key stage=%s\n", stage)
	    : ask_putf(ask, "rotate-key stage=%s id=%u\n", stage, id);

	if (rc == 0)
		rc = ask_flush(ask, ask_deadline_ns());
	if (rc != 0)
		tool_fail(ask_exitcode(rc), "ring.sock: %s", ask_strerror(rc));
	for (get_line(ask, &line, deadline_ns); line.kind == ASK_ITEM;
	     get_line(ask, &line, deadline_ns)) {
		if (survey != NULL && !take_survey(survey, &line))
			is_same = false;
		if (survey == NULL || given.is_dry || !is_same ||
		    strcmp(ask_value(&line, "result"), "ok") != 0)
			show(out, line.word);
	}
	if (line.kind != ASK_OK)
		tool_fail(ask_line_exitcode(&line), "%s%s: %s", stage,
		    ask_line_exitcode(&line) == EXITCODE_TRYAGAIN
			? ", run it again"
			: "",
		    ask_value(&line, "msg"));
	if (!is_same)
		tool_fail(EXITCODE_CONFIG,
		    "a key file is not what its ringd uses: put it right, or "
		    "start that ringd again");
}

/* ---- the rotation ------------------------------------------------------ */

/* What is next; REST: nothing. */
static enum ringkit_rotate_stage
look(struct ask *ask, struct out *out, bool is_begun, uint8_t *id)
{
	static struct ringkit_rotate_survey survey;
	enum ringkit_rotate_stage stage;

	survey.count = 0;
	run_stage(ask, out, "survey", 0, &survey);
	stage = ringkit_rotate_plan(&survey, id);
	if (stage == RINGKIT_ROTATE_STUCK)
		tool_fail(EXITCODE_CONFIG,
		    "the nodes have no key in common that they could use");
	if (stage != RINGKIT_ROTATE_REST || is_begun || given.is_resume)
		return stage;
	*id = ringkit_rotate_next(&survey);
	return RINGKIT_ROTATE_INSTALL;
}

static enum exitcode
rotate(struct ask *ask, struct out *out)
{
	for (int i = 0; i < STAGES_MAX; i++) {
		uint8_t id;
		enum ringkit_rotate_stage stage = look(ask, out, i > 0, &id);

		if (stage == RINGKIT_ROTATE_REST) {
			conclude(out, NULL, id);
			return EXITCODE_OK;
		}
		if (given.is_dry) {
			conclude(out, stage_names[stage], id);
			return EXITCODE_OK;
		}
		run_stage(ask, out, stage_names[stage], id, NULL);
	}
	tool_fail(EXITCODE_TRYAGAIN, "somebody else rotates it as well");
}

int
ringkit_rotate_key(int argc, char **argv)
{
	int first, rc = opt_parse(&program, argc, argv, &first);
	enum exitcode code;
	struct ask *ask;
	struct out out;

	if (rc == 0 && first < argc)
		rc = opt_usage(&program, "%s: not expected", argv[first]);
	if (rc == 0 && given.is_json && given.is_record)
		rc = opt_usage(&program, "-j and -l exclude each other");
	if (rc != 0)
		return tool_opt_exit(rc);
	if (out_open(&out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	rc =
	    ask_open(&ask, opt_rundir(given.rundir), "ring", ask_deadline_ns());
	if (rc != 0)
		tool_fail(ask_exitcode(rc), "ring.sock: %s", ask_strerror(rc));
	code = rotate(ask, &out);
	ask_close(ask);
	out_close(&out);
	return (int)code;
}
