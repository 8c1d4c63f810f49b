/* SPDX-License-Identifier: BSD-3-Clause */
/* msgsend: lines of standard input become ordered messages of a group. */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/escape.h"
#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/msgsend/msgsend_input.h"
#include "bin/msgsend/msgsend_send.h"

enum { SEPARATOR_BYTES = 200, CLIENT_BYTES = 8 };

static struct {
	bool is_lines, is_whole, is_null, is_framed, is_json;
	bool skips_empty, allows_empty, is_teeing;
	char separator[SEPARATOR_BYTES + 1];
	size_t separator_len;
	const char *rundir;
	struct msgsend_source *sources; /* room for one an argument */
	size_t source_count;
	const char *group, *message, *surplus; /* operands; NULL: none */
} given;

static struct msgsend_options options = {
	.confirm = "agreed",
	.timeout_ns = PARSE_FOREVER,
	.tee_fd = -1,
};

static void
add_source(const char *name, const char *argument)
{
	given.sources[given.source_count++] = (struct msgsend_source){
		.name = name, .argument = argument, .fd = -1
	};
}

static bool
add_file(const char *arg)
{
	add_source(arg, NULL);
	return true;
}

static bool
add_message(const char *arg)
{
	add_source("message", arg);
	return true;
}

static bool
take_operand(const char *arg)
{
	if (given.group == NULL)
		given.group = arg;
	else if (given.message == NULL)
		given.message = arg;
	else
		given.surplus = arg;
	return true;
}

static bool
set_confirm(const char *arg)
{
	options.confirm = arg;
	return strcmp(arg, "agreed") == 0 || strcmp(arg, "safe") == 0 ||
	    strcmp(arg, "none") == 0;
}

static bool
set_retry(const char *arg)
{
	options.is_retrying = true;
	return parse_duration(arg, strlen(arg), &options.retry_ns) == 0;
}

static bool
set_rate(const char *arg)
{
	return parse_u64(arg, strlen(arg), 1, 1000000000, &options.rate) == 0;
}

/* Bytes, with \n and its kin. */
static bool
set_separator(const char *arg)
{
	size_t len = strlen(arg);

	if (len == 0 || len > SEPARATOR_BYTES || !escape_is_valid(arg, len))
		return false;
	memcpy(given.separator, arg, len);
	given.separator_len = escape_undo(given.separator, len);
	return true;
}

static const struct opt opts[] = {
	{ 'l', "lines", OPT_FLAG, &given.is_lines, NULL, NULL,
	    "one line is one message (the default)" },
	{ 'w', "whole", OPT_FLAG, &given.is_whole, NULL, NULL,
	    "all of the input is one message" },
	{ '0', "null", OPT_FLAG, &given.is_null, NULL, NULL,
	    "messages end in a NUL" },
	{ '\0', "framed", OPT_FLAG, &given.is_framed, NULL, NULL,
	    "messages are framed, as msgcat --framed prints them" },
	{ '\0', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "a line is an object with data or data_b64" },
	{ 'f', "file", OPT_CALL, NULL, add_file, "FILE",
	    "send a file, whole without a mode; - is stdin" },
	{ 'm', "message", OPT_CALL, NULL, add_message, "MSG",
	    "send this message" },
	{ 'T', "separator", OPT_CALL, NULL, set_separator, "SEP",
	    "messages end in SEP in place of a line feed" },
	{ '\0', "confirm", OPT_CALL, NULL, set_confirm, "LEVEL",
	    "wait for agreed, safe or none (default: agreed)" },
	{ '\0', "require-quorum", OPT_FLAG, &options.requires_quorum, NULL,
	    NULL, "send only in a view that has a quorum" },
	{ '\0', "retry", OPT_CALL, NULL, set_retry, "DUR",
	    "when ringd is away, try again for so long" },
	{ '\0', "rate", OPT_CALL, NULL, set_rate, "N",
	    "send at most N messages a second" },
	{ '\0', "tee", OPT_FLAG, &given.is_teeing, NULL, NULL,
	    "copy what was confirmed to standard output" },
	{ '\0', "skip-empty", OPT_FLAG, &given.skips_empty, NULL, NULL,
	    "do not send empty messages" },
	{ '\0', "allow-empty", OPT_FLAG, &given.allows_empty, NULL, NULL,
	    "send empty input as an empty message" },
	{ 't', "timeout", OPT_DURATION, &options.timeout_ns, NULL, "DUR",
	    "give up when no answer comes for so long" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where ring.sock is" },
};

static const struct opt_program program = {
	.name = "msgsend",
	.operands = "GROUP [MESSAGE]",
	.summary = "Send lines, files or a message to a group, in order.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = take_operand,
};

/* Lines unless something else was asked for; 0 or OPT_E_USAGE. */
static int
find_mode(enum msgsend_mode *mode, bool *is_given)
{
	const struct {
		bool is_given;
		enum msgsend_mode mode;
	} modes[] = {
		{ given.is_lines, MSGSEND_LINES },
		{ given.is_whole, MSGSEND_WHOLE },
		{ given.is_null, MSGSEND_NULL },
		{ given.is_framed, MSGSEND_FRAMED },
		{ given.is_json, MSGSEND_JSON },
	};
	size_t count = 0;

	*mode = MSGSEND_LINES;
	for (size_t i = 0; i < ARRAY_COUNT(modes); i++)
		if (modes[i].is_given) {
			*mode = modes[i].mode;
			count++;
		}
	if (count > 1)
		return opt_usage(
		    &program, "only one of -l -w -0 --framed --json");
	*is_given = count > 0;
	if (given.separator_len > 0 && *mode != MSGSEND_LINES)
		return opt_usage(&program, "--separator is for lines");
	return 0;
}

static int
check_operands(void)
{
	bool has_message =
	    given.message != NULL && strcmp(given.message, "-") != 0;

	if (given.group == NULL)
		return opt_usage(&program, "a group is missing");
	if (given.surplus != NULL)
		return opt_usage(
		    &program, "%s: only one message may follow", given.surplus);
	options.group = given.group;
	if (*options.group == '\0' ||
	    strlen(options.group) > LIMIT_GROUP_NAME_BYTES)
		return opt_usage(&program, "a group's name has 1 to %d bytes",
		    LIMIT_GROUP_NAME_BYTES);
	if (has_message)
		(void)add_message(given.message); /* any is good */
	else if (given.message != NULL || given.source_count == 0)
		add_source("standard input", NULL);
	return 0;
}

/* Files are opened before anything is sent. */
static void
open_sources(enum msgsend_mode mode, bool is_given)
{
	for (size_t i = 0; i < given.source_count; i++) {
		struct msgsend_source *source = &given.sources[i];
		bool is_stdin = strcmp(source->name, "standard input") == 0 ||
		    strcmp(source->name, "-") == 0;

		source->mode = mode;
		if (source->argument != NULL)
			continue;
		if (strcmp(source->name, "standard input") != 0 && !is_given)
			source->mode = MSGSEND_WHOLE;
		source->fd = is_stdin
		    ? STDIN_FILENO
		    : open(source->name, O_RDONLY | O_CLOEXEC);
		if (source->fd < 0)
			tool_fail(EXITCODE_NOINPUT, "%s: %s", source->name,
			    strerror(errno));
	}
}

/* A name that nobody else has or had. */
static const char *
make_client(void)
{
	static char hex[2 * CLIENT_BYTES + 1];
	uint8_t bytes[CLIENT_BYTES];

	if (sodium_init() < 0)
		tool_fail(EXITCODE_INTERNAL, "libsodium does not start");
	randombytes_buf(bytes, sizeof bytes);
	return sodium_bin2hex(hex, sizeof hex, bytes, sizeof bytes);
}

int
main(int argc, char **argv)
{
	struct msgsend_input input = { 0 };
	enum msgsend_mode mode = MSGSEND_LINES;
	bool is_given = false;
	int first = argc, rc;

	tool_start(program.name);
	given.sources = calloc((size_t)argc + 1, sizeof *given.sources);
	if (given.sources == NULL)
		tool_fail(EXITCODE_OS, "out of memory");
	rc = opt_parse(&program, argc, argv, &first);
	for (; rc == 0 && first < argc; first++) /* behind "--" */
		(void)take_operand(argv[first]);
	if (rc == 0)
		rc = check_operands();
	if (rc == 0)
		rc = find_mode(&mode, &is_given);
	if (rc != 0)
		return tool_opt_exit(rc);
	open_sources(mode, is_given);
	options.rundir = opt_rundir(given.rundir);
	options.client = make_client();
	if (given.is_teeing)
		options.tee_fd = STDOUT_FILENO;
	input.source = given.sources;
	input.source_end = given.sources + given.source_count;
	input.separator = given.separator_len > 0 ? given.separator : "\n";
	input.separator_len = num_max(given.separator_len, 1);
	input.skips_empty = given.skips_empty;
	input.allows_empty = given.allows_empty;
	if (msgsend_input_open(&input) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	rc = (int)msgsend_send(&options, &input);
	msgsend_input_close(&input);
	free(given.sources);
	return rc;
}
