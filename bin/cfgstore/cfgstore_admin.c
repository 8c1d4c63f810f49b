/* SPDX-License-Identifier: BSD-3-Clause */
/* What is asked of the store itself: cfgstore status, nodes, init, electorate,
 * limits, compact.
 */
#include <stdio.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_print.h"

static struct {
	bool is_json, is_open, is_sure, is_shrink;
	const char *fields, *remove, *node;
	uint64_t votes;
} given;

#define OPT_SHOW                                                        \
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,            \
		"print the answer as a JSON object" },                  \
	{                                                               \
		'o', "fields", OPT_STRING, &given.fields, NULL, "LIST", \
		    "print these of the answer, apart by blanks"        \
	}

/* ---- asking ------------------------------------------------------------ */

/* For people: a line for each word. */
static void
put_words(struct out *out, struct word *word)
{
	for (size_t i = 0; i < word->pair_count; i++) {
		const struct word_pair *pair = word_at(word, i);
		char name[32];
		int n = snprintf(name, sizeof name, "%-15s ", pair->key);

		out_put(out, name, (size_t)n < sizeof name ? (size_t)n : 31);
		out_put_plain(out, pair->value, pair->len);
		out_put(out, "\n", 1);
		out_end(out);
	}
}

static void
show(struct cfgstore_printer *printer, struct ask_line *line, const char *event)
{
	struct cfgstore_record record;

	if (printer->format == CFGSTORE_PAIR) {
		put_words(&printer->out, line->word);
		return;
	}
	cfgstore_record_of(line, event, &record);
	cfgstore_print(printer, &record);
}

/*
 * Sends the line and prints its items, if there are any, or else the answer.
 * *end is the answer.
 */
static void
ask(const struct text *line, const char *event, bool is_write,
    struct ask_line *end)
{
	struct cfgstore_printer printer = {
		.format = event != NULL ? CFGSTORE_RECORD : CFGSTORE_PAIR
	};
	struct cfgstore_link link;

	cfgstore_printer_open(&printer, given.is_json, given.fields);
	cfgstore_link_open(&link);
	cfgstore_link_begin(&link, is_write);
	cfgstore_link_put_line(&link, line);
	while (cfgstore_link_next(&link, end) == ASK_ITEM)
		show(&printer, end, event);
	/* The link stays open: the line is borrowed. */
	if (event == NULL && end->kind == ASK_OK)
		show(&printer, end, "status");
	cfgstore_printer_close(&printer);
}

/* A request of a verb and of operands NAME=VALUE as they are. */
static int
ask_words(const char *verb, bool is_write)
{
	char bytes[LIMIT_REQUEST_BYTES];
	struct ask_line end;
	struct text line;

	text_init(&line, bytes, sizeof bytes);
	text_put(&line, verb);
	for (size_t i = 0; i < cfgstore_operands.count; i++) {
		const char *word = cfgstore_operands.at[i];
		size_t name = strcspn(word, "=") + 1;

		text_put_char(&line, ' ');
		text_put_bytes(&line, word, name);
		text_put_value(&line, word + name, strlen(word + name));
	}
	ask(&line, NULL, is_write, &end);
	return end.kind == ASK_OK ? EXITCODE_OK : EXITCODE_FALSE;
}

/* Parses, with so many operands: 0, or what tool_opt_exit wants. */
static int
parse(const struct opt_program *program, int argc, char **argv, size_t max)
{
	int rc = cfgstore_operands_parse(program, argc, argv);

	if (rc == 0)
		rc = cfgstore_operands_count(program, 0, max);
	if (rc == 0)
		rc = cfgstore_printer_check(
		    program, given.is_json, given.fields, NULL);
	return rc;
}

static bool
is_limit(const char *word)
{
	static const char *const names[] = {
		"keys=", "bytes=", "value=", "leases="
	};
	uint64_t size;

	for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
		size_t len = strlen(names[i]);

		if (strncmp(word, names[i], len) == 0)
			return parse_size(word + len, strlen(word + len),
				   &size) == 0 &&
			    size > 0;
	}
	return false;
}

static int
check_limits(const struct opt_program *program)
{
	for (size_t i = 0; i < cfgstore_operands.count; i++)
		if (!is_limit(cfgstore_operands.at[i]))
			return opt_usage(program,
			    "%s: expected keys=N, bytes=SIZE, value=SIZE or "
			    "leases=N, at least 1",
			    cfgstore_operands.at[i]);
	return 0;
}

/* ---- status ------------------------------------------------------------ */

static const struct opt status_opts[] = {
	{ '\0', "open", OPT_FLAG, &given.is_open, NULL, NULL,
	    "end with 1 when writes are not taken now" },
	OPT_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program status_program = {
	.name = "cfgstore status",
	.operands = "",
	.summary = "Show the state of this node's replica.",
	.opts = status_opts,
	.opt_count = ARRAY_COUNT(status_opts),
};

int
cfgstore_status(int argc, char **argv)
{
	char bytes[] = "status";
	struct text line;
	struct ask_line end;
	const char *state;
	int rc = parse(&status_program, argc, argv, 0);

	if (rc != 0)
		return tool_opt_exit(rc);
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "status");
	ask(&line, NULL, false, &end);
	state = ask_value(&end, "state");
	return given.is_open && strcmp(state, "open") != 0 ? EXITCODE_FALSE
							   : EXITCODE_OK;
}

/* ---- nodes ------------------------------------------------------------- */

static const struct opt nodes_opts[] = {
	OPT_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program nodes_program = {
	.name = "cfgstore nodes",
	.operands = "",
	.summary = "Show the replicas of all nodes.",
	.opts = nodes_opts,
	.opt_count = ARRAY_COUNT(nodes_opts),
};

int
cfgstore_nodes(int argc, char **argv)
{
	char bytes[] = "nodes";
	struct text line;
	struct ask_line end;
	int rc = parse(&nodes_program, argc, argv, 0);

	if (rc != 0)
		return tool_opt_exit(rc);
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "nodes");
	ask(&line, "node", false, &end);
	return EXITCODE_OK;
}

/* ---- init -------------------------------------------------------------- */

static const struct opt init_opts[] = {
	{ '\0', "yes", OPT_FLAG, &given.is_sure, NULL, NULL,
	    "whatever was stored on nodes that are away is given up" },
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program init_program = {
	.name = "cfgstore init",
	.operands = "",
	.summary = "Begin a new, empty store on nodes that have none.",
	.opts = init_opts,
	.opt_count = ARRAY_COUNT(init_opts),
};

int
cfgstore_init(int argc, char **argv)
{
	struct ask_line end;
	int rc = parse(&init_program, argc, argv, 0);
	char bytes[32];
	struct text line;

	if (rc == 0 && !given.is_sure)
		rc = opt_usage(&init_program, "this wants --yes");
	if (rc != 0)
		return tool_opt_exit(rc);
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "init yes=yes");
	ask(&line, "init", true, &end);
	return EXITCODE_OK;
}

/* ---- electorate, limits, compact ----------------------------- */

static const struct opt electorate_opts[] = {
	{ '\0', "remove", OPT_STRING, &given.remove, NULL, "NODE",
	    "this node votes no more" },
	{ '\0', "shrink", OPT_FLAG, &given.is_shrink, NULL, NULL,
	    "only the nodes that are there vote from now on" },
	{ '\0', "node", OPT_STRING, &given.node, NULL, "NODE",
	    "this node has the votes of --votes" },
	{ '\0', "votes", OPT_COUNT, &given.votes, NULL, "N", "how many" },
	OPT_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program electorate_program = {
	.name = "cfgstore electorate",
	.operands = "",
	.summary = "Show or change who votes on what is stored.",
	.opts = electorate_opts,
	.opt_count = ARRAY_COUNT(electorate_opts),
};

static int
check_electorate(void)
{
	const struct opt_program *program = &electorate_program;

	if ((given.remove != NULL) + given.is_shrink + (given.node != NULL) > 1)
		return opt_usage(
		    program, "--remove, --shrink or --node: one of them");
	if ((given.node != NULL) != (given.votes > 0))
		return opt_usage(program, "--node and --votes go together");
	return 0;
}

static void
put_electorate(struct text *line)
{
	if (given.remove != NULL) {
		text_put(line, " remove=");
		text_put_value(line, given.remove, strlen(given.remove));
	}
	if (given.is_shrink)
		text_put(line, " shrink=yes");
	if (given.node == NULL)
		return;
	text_put(line, " node=");
	text_put_value(line, given.node, strlen(given.node));
	text_put(line, " votes=");
	text_put_u64(line, given.votes);
}

int
cfgstore_electorate(int argc, char **argv)
{
	char bytes[LIMIT_REQUEST_BYTES];
	struct text line;
	struct ask_line end;
	int rc = parse(&electorate_program, argc, argv, 0);

	if (rc == 0)
		rc = check_electorate();
	if (rc != 0)
		return tool_opt_exit(rc);
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "electorate");
	put_electorate(&line);
	ask(&line, NULL, line.len > strlen("electorate"), &end);
	return EXITCODE_OK;
}

static const struct opt limits_opts[] = {
	OPT_SHOW,
	CFGSTORE_OPT_TIMEOUT,
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program limits_program = {
	.name = "cfgstore limits",
	.operands = "[NAME=VALUE…]",
	.summary = "Show or change what the store may hold.",
	.opts = limits_opts,
	.opt_count = ARRAY_COUNT(limits_opts),
	.operand = cfgstore_operands_take,
};

int
cfgstore_limits(int argc, char **argv)
{
	int rc = parse(&limits_program, argc, argv, SIZE_MAX);

	if (rc == 0)
		rc = check_limits(&limits_program);
	return rc != 0 ? tool_opt_exit(rc)
		       : ask_words("limits", cfgstore_operands.count > 0);
}

static const struct opt_program compact_program = {
	.name = "cfgstore compact",
	.operands = "REV",
	.summary = "Forget what was before a revision.",
	.opts = limits_opts,
	.opt_count = ARRAY_COUNT(limits_opts),
	.operand = cfgstore_operands_take,
};

int
cfgstore_compact(int argc, char **argv)
{
	char bytes[LIMIT_REQUEST_BYTES];
	const char *rev;
	uint64_t number;
	struct text line;
	struct ask_line end;
	int rc = parse(&compact_program, argc, argv, 1);

	if (rc == 0)
		rc = cfgstore_operands_count(&compact_program, 1, 1);
	if (rc != 0)
		return tool_opt_exit(rc);
	rev = cfgstore_operands.at[0];
	if (parse_u64(rev, strlen(rev), 0, UINT64_MAX, &number) != 0)
		return tool_opt_exit(opt_usage(
		    &compact_program, "%s: expected a revision", rev));
	text_init(&line, bytes, sizeof bytes);
	text_put(&line, "compact rev=");
	text_put_u64(&line, number);
	ask(&line, NULL, true, &end);
	return EXITCODE_OK;
}
