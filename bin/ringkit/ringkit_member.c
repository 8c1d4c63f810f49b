/* SPDX-License-Identifier: BSD-3-Clause */
/* ringkit members, tag, forget and fence-confirm: memberd's side of things. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/escape.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/base/word.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"

enum {
	FIELD_BYTES = 16,
	REQUEST_BYTES = 4096,
};

static struct {
	const char *rundir;
	const char *fields; /* members */
	bool is_json, is_record;
	const char *node; /* tag */
	bool is_unset;
	const char *method; /* fence-confirm */
} given;

#define OPT_RUNDIR                                                      \
	{                                                               \
		'\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR", \
		    "where the sockets are"                             \
	}

/* ---- asking ------------------------------------------------------------ */

static struct ask *
open_member(void)
{
	struct ask *ask;
	int rc = ask_open(
	    &ask, opt_rundir(given.rundir), "member", ask_deadline_ns());

	if (rc != 0)
		tool_fail(ask_exitcode(rc), "%s",
		    ask_explain_rc(opt_rundir(given.rundir), "member", rc));
	return ask;
}

static void
send_request(struct ask *ask, const char *bytes, size_t len)
{
	int rc = ask_put(ask, bytes, len);

	if (rc == 0)
		rc = ask_flush(ask, ask_deadline_ns());
	if (rc != 0)
		tool_fail(
		    ask_exitcode(rc), "member.sock: %s", ask_strerror(rc));
}

/* The next line; ends the program when there is none, or it is an error. */
static void
get_line(struct ask *ask, struct ask_line *line)
{
	int rc = ask_next(ask, line, ask_deadline_ns());

	if (rc != 0)
		tool_fail(
		    ask_exitcode(rc), "member.sock: %s", ask_strerror(rc));
	if (line->kind == ASK_ERR)
		tool_fail(
		    ask_line_exitcode(line), "%s", ask_value(line, "msg"));
}

/* An item a node, then false. */
static bool
next_node(struct ask *ask, struct ask_line *line)
{
	get_line(ask, line);
	return line->kind == ASK_ITEM;
}

static bool
is_node(const struct ask_line *line, const char *name_or_id)
{
	return strcmp(ask_value(line, "name"), name_or_id) == 0 ||
	    strcmp(ask_value(line, "node"), name_or_id) == 0;
}

/* The item of the node, whose answer is then read to its end: false, none. */
static bool
find_node(struct ask *ask, struct ask_line *line, const char *name_or_id)
{
	send_request(ask, "nodes\n", strlen("nodes\n"));
	while (next_node(ask, line))
		if (is_node(line, name_or_id))
			return true;
	return false;
}

static void
skip_items(struct ask *ask)
{
	struct ask_line line;

	while (next_node(ask, &line))
		;
}

/* Ends the program where there is none. */
static void
need_node(struct ask *ask, const char *name_or_id)
{
	struct ask_line line;

	if (!find_node(ask, &line, name_or_id))
		tool_fail(EXITCODE_DATA, "%s: no such node", name_or_id);
	skip_items(ask);
}

static void
put_request(struct text *out, const char *key, const char *value)
{
	text_put_char(out, ' ');
	text_put(out, key);
	text_put_char(out, '=');
	text_put_value(out, value, strlen(value));
}

/* Asks for a change: the exit code, with what `no` means. */
static int
ask_change(struct ask *ask, struct text *request, const char *no)
{
	struct ask_line line;

	text_put_char(request, '\n');
	if (request->is_full)
		tool_fail(EXITCODE_DATA, "a value is too long");
	send_request(ask, request->bytes, request->len);
	get_line(ask, &line);
	if (line.kind == ASK_NO)
		tool_warn("%s", no);
	return (int)ask_line_exitcode(&line);
}

/* ---- members ----------------------------------------------------------- */

static const char field_names[] =
    "node,name,addr,state,inc,local,version,since_ms,tags";

static const struct opt members_opts[] = {
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object a node" },
	{ 'l', "records", OPT_FLAG, &given.is_record, NULL, NULL,
	    "print a record of key=value words a node" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "FIELD,…",
	    "print only these, with blanks between" },
	OPT_RUNDIR,
};

static const struct opt_program members_program = {
	.name = "ringkit members",
	.operands = "",
	.summary = "Show all nodes: which are members, and how the others "
		   "went.",
	.opts = members_opts,
	.opt_count = ARRAY_COUNT(members_opts),
};

/* As written, so that lists stay lists; "-" for nothing. */
static void
put_field(struct out *out, const struct ask_line *line, const char *key)
{
	const struct word_pair *pair = word_get_raw(line->word, key);

	if (pair == NULL || pair->len == 0)
		out_put_string(out, "-");
	else
		out_put(out, pair->value, pair->len);
}

static void
put_fields(struct out *out, const struct ask_line *line)
{
	const char *at = given.fields;
	char name[FIELD_BYTES];

	for (;;) {
		size_t len = strcspn(at, ",");

		memcpy(name, at, len);
		name[len] = '\0';
		put_field(out, line, name);
		if (at[len] == '\0')
			return;
		out_put(out, " ", 1);
		at += len + 1;
	}
}

static void
put_padded(struct out *out, const char *value, size_t width)
{
	size_t len = strlen(value);

	out_put_value(out, value, len);
	for (out_put(out, "  ", 2); len < width; len++)
		out_put(out, " ", 1);
}

static void
put_human(struct out *out, const struct ask_line *line)
{
	put_padded(out, ask_value(line, "node"), 5);
	put_padded(out, ask_value(line, "name"), 12);
	put_padded(out, ask_value(line, "state"), 9);
	put_padded(out, ask_value(line, "addr"), 15);
	put_field(out, line, "tags");
}

static void
put_node(struct out *out, const struct ask_line *line)
{
	if (given.is_json) {
		record_put_json(out, "kind", "node", line->word);
		out_put(out, "}", 1);
	} else if (given.is_record)
		record_put(out, "node", line->word);
	else if (given.fields != NULL)
		put_fields(out, line);
	else
		put_human(out, line);
	out_put(out, "\n", 1);
	out_end(out);
}

int
ringkit_members(int argc, char **argv)
{
	struct ask_line line;
	struct out out;
	int first, rc = opt_parse(&members_program, argc, argv, &first);

	if (rc == 0 && first < argc)
		rc = opt_usage(
		    &members_program, "%s: not expected", argv[first]);
	if (rc == 0 &&
	    given.is_json + given.is_record + (given.fields != NULL) > 1)
		rc = opt_usage(
		    &members_program, "-j, -l and -o exclude each other");
	if (rc == 0 && given.fields != NULL)
		rc = opt_check_fields(
		    &members_program, given.fields, field_names);
	if (rc != 0)
		return tool_opt_exit(rc);
	if (out_open(&out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	struct ask *ask = open_member();
	send_request(ask, "nodes\n", strlen("nodes\n"));
	while (next_node(ask, &line))
		put_node(&out, &line);
	rc = out_flush(&out);
	if (rc != 0)
		tool_fail_output(rc);
	ask_close(ask);
	return EXITCODE_OK;
}

/* ---- tag --------------------------------------------------------------- */

static const struct opt tag_opts[] = {
	{ 'N', "node", OPT_STRING, &given.node, NULL, "NODE",
	    "of this node, by name or id (this one)" },
	{ 'u', "unset", OPT_FLAG, &given.is_unset, NULL, NULL,
	    "take the tag away" },
	OPT_RUNDIR,
};

static const struct opt_program tag_program = {
	.name = "ringkit tag",
	.operands = "NAME [VALUE]",
	.summary = "Set a tag of a node, for all nodes to know, or print it.",
	.opts = tag_opts,
	.opt_count = ARRAY_COUNT(tag_opts),
};

/* 1: there is no such tag. */
static int
print_tag(struct ask_line *line, const char *name)
{
	const struct word_pair *pair = word_get_raw(line->word, "tags");
	size_t left = pair == NULL ? 0 : pair->len, len;
	char *list = pair == NULL ? NULL : pair->value, *item;
	size_t name_len = strlen(name);
	struct out out;

	while (word_take_item(&list, &left, &item, &len)) {
		if (len <= name_len || item[name_len] != ':' ||
		    memcmp(item, name, name_len) != 0)
			continue;
		item += name_len + 1;
		len = escape_undo(item, len - name_len - 1);
		if (out_open(&out, STDOUT_FILENO) != 0)
			tool_fail(EXITCODE_OS, "out of memory");
		out_put(&out, item, len);
		out_put(&out, "\n", 1);
		out_end(&out);
		int rc = out_flush(&out);
		if (rc != 0)
			tool_fail_output(rc);
		return EXITCODE_OK;
	}
	return EXITCODE_FALSE;
}

static int
change_tag(
    struct ask *ask, const char *node, const char *name, const char *value)
{
	char bytes[REQUEST_BYTES];
	struct text request;

	need_node(ask, node);
	text_init(&request, bytes, sizeof bytes);
	text_put(&request, "tag");
	put_request(&request, "node", node);
	put_request(&request, "name", name);
	if (value == NULL)
		put_request(&request, "unset", "yes");
	else
		put_request(&request, "value", value);
	return ask_change(ask, &request, "not now");
}

static int
check_tag_operands(int count, char *const *operands)
{
	static const char allowed[] = "abcdefghijklmnopqrstuvwxyz0123456789._-";

	if (count < 1)
		return opt_usage(&tag_program, "NAME is missing");
	if (count > (given.is_unset ? 1 : 2))
		return opt_usage(&tag_program, "too many operands");
	if (operands[0][strspn(operands[0], allowed)] != '\0')
		return opt_usage(&tag_program,
		    "%s: expected a NAME of a-z 0-9 . _ -, then perhaps VALUE",
		    operands[0]);
	return 0;
}

int
ringkit_tag(int argc, char **argv)
{
	int first, count, rc = opt_parse(&tag_program, argc, argv, &first);
	struct ask_line line;

	count = argc - first;
	if (rc == 0)
		rc = check_tag_operands(count, argv + first);
	if (rc != 0)
		return tool_opt_exit(rc);
	struct ask *ask = open_member();
	const char *node =
	    given.node != NULL ? given.node : ask_greeting(ask, "node");
	if (given.is_unset || count == 2)
		return change_tag(ask, node, argv[first],
		    given.is_unset ? NULL : argv[first + 1]);
	if (!find_node(ask, &line, node))
		tool_fail(EXITCODE_DATA, "%s: no such node", node);
	return print_tag(&line, argv[first]);
}

/* ---- forget, fence-confirm --------------------------------------------- */

static const struct opt forget_opts[] = { OPT_RUNDIR };

static const struct opt_program forget_program = {
	.name = "ringkit forget",
	.operands = "NODE",
	.summary = "Know nothing more of a node that is not a member: neither "
		   "how it\nwent, nor its tags.",
	.opts = forget_opts,
	.opt_count = ARRAY_COUNT(forget_opts),
};

/* The one operand, a node; NULL: *code is what to exit with. */
static const char *
get_operand(const struct opt_program *program, int argc, char **argv, int *code)
{
	int first, rc = opt_parse(program, argc, argv, &first);

	if (rc == 0 && argc - first != 1)
		rc = opt_usage(program, "expected one NODE");
	*code = rc == 0 ? EXITCODE_OK : tool_opt_exit(rc);
	return rc == 0 ? argv[first] : NULL;
}

int
ringkit_forget(int argc, char **argv)
{
	char bytes[REQUEST_BYTES], no_bytes[REQUEST_BYTES];
	struct text request, no;
	int code;
	const char *node = get_operand(&forget_program, argc, argv, &code);

	if (node == NULL)
		return code;
	struct ask *ask = open_member();
	need_node(ask, node);
	text_init(&request, bytes, sizeof bytes);
	text_put(&request, "forget");
	put_request(&request, "node", node);
	text_init(&no, no_bytes, sizeof no_bytes);
	text_put(&no, node);
	text_put(&no, ": it is a member");
	return ask_change(ask, &request, no_bytes);
}

static const struct opt fence_opts[] = {
	{ 'm', "method", OPT_STRING, &given.method, NULL, "WORD",
	    "how it was done (manual)" },
	OPT_RUNDIR,
};

static const struct opt_program fence_program = {
	.name = "ringkit fence-confirm",
	.operands = "NODE",
	.summary = "Vouch for a node that is gone being stopped: its power is "
		   "off, and stays\noff until somebody looks. Programs will "
		   "act on it.",
	.opts = fence_opts,
	.opt_count = ARRAY_COUNT(fence_opts),
};

int
ringkit_fence_confirm(int argc, char **argv)
{
	static const char stale[] = "it came back meanwhile, or is a member";
	char bytes[REQUEST_BYTES];
	struct text request;
	struct ask_line line;
	int code;
	const char *node = get_operand(&fence_program, argc, argv, &code);

	if (node == NULL)
		return code;
	struct ask *ask = open_member();
	if (!find_node(ask, &line, node))
		tool_fail(EXITCODE_DATA, "%s: no such node", node);
	text_init(&request, bytes, sizeof bytes);
	text_put(&request, "fenced");
	put_request(&request, "node", node);
	put_request(&request, "inc", ask_value(&line, "inc"));
	put_request(&request, "by", ask_greeting(ask, "node"));
	put_request(
	    &request, "method", given.method != NULL ? given.method : "manual");
	if (strcmp(ask_value(&line, "state"), "member") == 0) {
		tool_warn("%s: it is a member", node);
		return EXITCODE_FALSE;
	}
	if (strcmp(ask_value(&line, "inc"), "0") == 0) {
		tool_warn("%s: it was never here", node);
		return EXITCODE_FALSE;
	}
	skip_items(ask);
	return ask_change(ask, &request, stale);
}
