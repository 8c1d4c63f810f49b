/* SPDX-License-Identifier: BSD-3-Clause */
/* msgcat: prints a group's messages in the one order. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/glob.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/msgcat/msgcat_print.h"
#include "bin/msgcat/msgcat_run.h"

static struct {
	bool is_record, is_bare, is_null, is_framed, is_json;
	const char *rundir;
} given;

static struct msgcat_options options = {
	.count_max = UINT64_MAX,
	.timeout_ns = PARSE_FOREVER,
	.idle_ns = PARSE_FOREVER,
	.ready_fd = -1,
	.hook_timeout_ns = UINT64_C(30000000000),
};

static struct msgcat_printer printer = { .end = "\n", .end_len = 1 };

/* There is room for all that argv may hold. */
static bool
add_glob(const char *arg)
{
	options.globs[options.glob_count++] = arg;
	return true;
}

static bool
set_pattern(const char *arg)
{
	printer.pattern = arg;
	return msgcat_pattern_is_valid(arg);
}

static bool
set_on_error(const char *arg)
{
	options.stops_on_error = strcmp(arg, "exit") == 0;
	return options.stops_on_error || strcmp(arg, "continue") == 0;
}

static const struct opt opts[] = {
	{ 'n', "count", OPT_COUNT, &options.count_max, NULL, "N",
	    "end after N messages" },
	{ 't', "timeout", OPT_DURATION, &options.timeout_ns, NULL, "DUR",
	    "end with 124 after so long" },
	{ 'i', "idle", OPT_DURATION, &options.idle_ns, NULL, "DUR",
	    "end when no message came for so long" },
	{ 'l', "records", OPT_FLAG, &given.is_record, NULL, NULL,
	    "print a record of key=value words a message" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object a message" },
	{ 'N', "no-newline", OPT_FLAG, &given.is_bare, NULL, NULL,
	    "print nothing behind a message" },
	{ '0', "null", OPT_FLAG, &given.is_null, NULL, NULL,
	    "end messages with a NUL" },
	{ '\0', "framed", OPT_FLAG, &given.is_framed, NULL, NULL,
	    "print len=N and the bytes, for msgsend --framed" },
	{ 'F', "pattern", OPT_CALL, NULL, set_pattern, "FMT",
	    "print %p %t %f %P %l %T %c %i %m %s %v %I %n %0 %%" },
	{ '\0', "from", OPT_STRING, &options.from, NULL, "NODE",
	    "only messages of this node" },
	{ '\0', "members", OPT_FLAG, &options.shows_members, NULL, NULL,
	    "print who joins and leaves the groups, too" },
	{ '\0', "views", OPT_FLAG, &options.shows_views, NULL, NULL,
	    "print the ring's configurations, too" },
	{ '\0', "lossless", OPT_FLAG, &options.is_lossless, NULL, NULL,
	    "end with 75 in place of losing a message" },
	{ '\0', "no-reconnect", OPT_FLAG, &options.stays_away, NULL, NULL,
	    "end with 69 when ringd goes away" },
	{ '\0', "ready-fd", OPT_FD, &options.ready_fd, NULL, "FD",
	    "write a line feed there once listening" },
	{ '\0', "hook-timeout", OPT_DURATION, &options.hook_timeout_ns, NULL,
	    "DUR", "end CMD after so long (default: 30s)" },
	{ '\0', "on-error", OPT_CALL, NULL, set_on_error, "WHAT",
	    "when CMD fails: continue or exit (default: continue)" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where ring.sock is" },
};

static const struct opt_program program = {
	.name = "msgcat",
	.operands = "[GROUP…] [-- CMD [ARG…]]",
	.summary = "Print the messages of groups, in the one order.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = add_glob,
};

/* 0 or OPT_E_USAGE. */
static int
find_format(void)
{
	const struct {
		bool is_given;
		enum msgcat_format format;
	} formats[] = {
		{ given.is_record, MSGCAT_RECORD },
		{ given.is_json, MSGCAT_JSON },
		{ given.is_framed, MSGCAT_FRAMED },
		{ printer.pattern != NULL, MSGCAT_CUSTOM },
	};
	bool shows_changes = options.shows_members || options.shows_views;
	size_t count = 0;

	for (size_t i = 0; i < ARRAY_COUNT(formats); i++)
		if (formats[i].is_given) {
			printer.format = formats[i].format;
			count++;
		}
	if (count == 0 && shows_changes)
		printer.format = MSGCAT_RECORD;
	if (count > 1 || (given.is_null && given.is_bare))
		return opt_usage(&program, "only one format can be printed");
	if (shows_changes && printer.format != MSGCAT_RECORD &&
	    printer.format != MSGCAT_JSON)
		return opt_usage(
		    &program, "--members and --views need -l or -j");
	if ((given.is_null || given.is_bare) &&
	    printer.format != MSGCAT_PAYLOAD && printer.format != MSGCAT_CUSTOM)
		return opt_usage(&program, "-0 and -N are for payloads");
	if (given.is_null)
		printer.end = "";
	if (given.is_bare)
		printer.end_len = 0;
	return 0;
}

/* A command is what stands behind "--"; 0 or OPT_E_USAGE. */
static int
check_operands(char **argv, int first)
{
	if (first > 1 && strcmp(argv[first - 1], "--") == 0)
		options.command = argv + first;
	if (options.command != NULL && options.command[0] == NULL)
		return opt_usage(&program, "a command must follow --");
	if (options.command != NULL && printer.format != MSGCAT_PAYLOAD)
		return opt_usage(&program,
		    "a command takes the message, "
		    "no format");
	for (int i = 0; i < options.glob_count; i++) {
		const char *glob = options.globs[i];
		if (*glob == '\0' || !glob_is_valid(glob, strlen(glob)))
			return opt_usage(&program, "%s: bad pattern", glob);
	}
	return 0;
}

int
main(int argc, char **argv)
{
	int first, rc;

	tool_start(program.name);
	options.globs = calloc((size_t)argc, sizeof *options.globs);
	if (options.globs == NULL)
		tool_fail(EXITCODE_OS, "out of memory");
	rc = opt_parse(&program, argc, argv, &first);
	if (rc == 0)
		rc = find_format();
	if (rc == 0)
		rc = check_operands(argv, first);
	if (rc != 0)
		return tool_opt_exit(rc);
	options.rundir = opt_rundir(given.rundir);
	if (out_open(&printer.out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	printer.is_terminal = isatty(STDOUT_FILENO);
	return (int)msgcat_run(&options, &printer);
}
