/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * ringkit rotate-key: surveys, makes the stage that is next, and again, until
 * all nodes have one key and it is another than before.  Nothing is kept here:
 * whoever runs it again, on any node, goes on from what the nodes have.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/out.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_change.h"
#include "bin/ringkit/ringkit_rotate_plan.h"

enum { STAGES_MAX = 8 };

#define STAGE_NS (90 * CLOCK_S_NS) /* ringd gives up after half of it */

static bool is_resume;

static const struct opt opts[] = {
	RINGKIT_CHANGE_OPT_DRY(
	    "only show what the nodes have, and what would be next"),
	{ '\0', "resume", OPT_FLAG, &is_resume, NULL, NULL,
	    "only end a rotation that was begun; begin none" },
	RINGKIT_CHANGE_OPT_SHOW("a node and stage"),
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
put_human(struct out *out, const char *kind, struct word *word)
{
	(void)kind;
	ringkit_change_put_pair(out, word, "stage", "");
	ringkit_change_put_pair(out, word, "id", " ");
	ringkit_change_put_pair(out, word, "name", "  ");
	ringkit_change_put_pair(out, word, "result", "  ");
	ringkit_change_put_pair(out, word, "active", "  active ");
	ringkit_change_put_pair(out, word, "keys", "  keys ");
	ringkit_change_put_pair(out, word, "file", "  file ");
	ringkit_change_put_pair(out, word, "msg", "  ");
}

/* What is next, or (stage NULL) that the key is the only one. */
static void
conclude(struct out *out, const char *stage, uint8_t id)
{
	const struct ringkit_change_given *given = &ringkit_change_given;
	char bytes[128];

	if (stage == NULL)
		snprintf(bytes, sizeof bytes,
		    given->is_json ? "{\"v\":1,\"kind\":\"done\",\"id\":%u}"
			: given->is_record ? "done id=%u"
					   : "done  key %u is the only one",
		    id);
	else
		snprintf(bytes, sizeof bytes,
		    given->is_json
			? "{\"v\":1,\"kind\":\"next\",\"stage\":\"%s\","
			  "\"id\":%u}"
			: given->is_record ? "next stage=%s id=%u"
					   : "next  %s %u",
		    stage, id);
	out_put_string(out, bytes);
	ringkit_change_end_line(out);
}

/* ---- asking ------------------------------------------------------------ */

/* false: its file is not what is in use. */
static bool
take_survey(struct ringkit_rotate_survey *survey, struct ask_line *line)
{
	/* As it is written, so that it is still a list when it is shown. */
	const struct word_pair *keys = word_get_raw(line->word, "keys");
	const char *active = ask_value(line, "active");
	uint64_t id = 0;

	if (strcmp(ask_value(line, "result"), "ok") != 0)
		return true; /* the answer is an err anyway */
	if (survey->count == LIMIT_NODES || keys == NULL ||
	    parse_u64(active, strlen(active), 1, UINT8_MAX, &id) != 0 ||
	    !ringkit_rotate_read(
		&survey->nodes[survey->count++], keys->value, id))
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

	ringkit_change_send(ask, rc);
	for (ringkit_change_get_line(ask, &line, deadline_ns);
	     line.kind == ASK_ITEM;
	     ringkit_change_get_line(ask, &line, deadline_ns)) {
		if (survey != NULL && !take_survey(survey, &line))
			is_same = false;
		if (survey == NULL || ringkit_change_given.is_dry || !is_same ||
		    strcmp(ask_value(&line, "result"), "ok") != 0)
			ringkit_change_show(
			    out, "rotate", line.word, put_human);
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
	if (stage != RINGKIT_ROTATE_REST || is_begun || is_resume)
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
		if (ringkit_change_given.is_dry) {
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
	int rc = ringkit_change_parse(&program, argc, argv);
	enum exitcode code;
	struct ask *ask;
	struct out out;

	if (rc != 0)
		return tool_opt_exit(rc);
	ask = ringkit_change_open(&out);
	code = rotate(ask, &out);
	ask_close(ask);
	out_close(&out);
	return (int)code;
}
