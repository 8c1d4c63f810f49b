/* SPDX-License-Identifier: BSD-3-Clause */
/* watch-membership: who is there, what changes and why; runs hooks for it. */
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/watch-membership/watcher_print.h"
#include "bin/watch-membership/watcher_run.h"

static struct {
	bool is_raw, is_single;
	const char *rundir;
} given;

static struct watcher_options options = {
	.count_max = UINT64_MAX,
	.timeout_ns = PARSE_FOREVER,
	.heartbeat_ns = PARSE_FOREVER,
	.ready_fd = -1,
};

static struct watcher_printer printer;

static bool
add_events(const char *arg)
{
	return watcher_filter_events(&options.filter, arg);
}

static bool
set_nodes(const char *arg)
{
	size_t commas = 0;

	for (const char *at = arg; *at != '\0'; at++)
		commas += *at == ',';
	options.nodes = arg;
	return *arg != '\0' && commas < LIMIT_NODES;
}

static bool
set_fields(const char *arg)
{
	printer.fields = arg;
	return watcher_fields_are_valid(arg);
}

static bool
set_wait(const char *arg)
{
	if (*arg != '\0')
		return parse_duration(
			   arg, strlen(arg), &options.wait_daemon_ns) == 0;
	options.wait_daemon_ns = PARSE_FOREVER;
	return true;
}

static bool
set_heartbeat(const char *arg)
{
	return parse_duration(arg, strlen(arg), &options.heartbeat_ns) == 0 &&
	    options.heartbeat_ns >= CLOCK_MS_NS;
}

static const struct opt opts[] = {
	{ 'e', "events", OPT_CALL, NULL, add_events, "LIST",
	    "only these: view, join, leave, quorum, …" },
	{ 'N', "nodes", OPT_CALL, NULL, set_nodes, "LIST",
	    "only what is about these, ids or names" },
	{ '\0', "now", OPT_FLAG, &options.is_snapshot_only, NULL, NULL,
	    "print the state and end" },
	{ '\0', "no-snapshot", OPT_FLAG, &options.is_live_only, NULL, NULL,
	    "print only what changes" },
	{ '\0', "since", OPT_STRING, &options.since, NULL, "CURSOR",
	    "print what happened since then, first" },
	{ 'n', "count", OPT_COUNT, &options.count_max, NULL, "N",
	    "end after N events" },
	{ '1', NULL, OPT_FLAG, &given.is_single, NULL, NULL,
	    "end after one event" },
	{ 't', "timeout", OPT_DURATION, &options.timeout_ns, NULL, "DUR",
	    "end with 124 after so long" },
	{ 'j', "json", OPT_FLAG, &printer.is_json, NULL, NULL,
	    "print a JSON object an event" },
	{ 'o', "fields", OPT_CALL, NULL, set_fields, "LIST",
	    "print only these values, event among them" },
	{ '0', "null", OPT_FLAG, &printer.is_null, NULL, NULL,
	    "end records with a NUL" },
	{ '\0', "heartbeat", OPT_CALL, NULL, set_heartbeat, "DUR",
	    "print tick when the daemon answers, so often" },
	{ '\0', "no-reconnect", OPT_FLAG, &options.stays_away, NULL, NULL,
	    "end with 69 when the daemon goes away" },
	{ '\0', "wait-daemon", OPT_CALL, NULL, set_wait, "[DUR]",
	    "wait for a daemon that is not there at the start" },
	{ '\0', "raw", OPT_FLAG, &given.is_raw, NULL, NULL,
	    "ask memberd, not quorumd: no verdict" },
	{ '\0', "ready-fd", OPT_FD, &options.ready_fd, NULL, "FD",
	    "write a line feed there once the state was told" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where quorum.sock is" },
};

static const struct opt_program program = {
	.name = "watch-membership",
	.operands = "[-- CMD [ARG…]]",
	.summary = "Tell who is in the cluster, what changes and why.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

/* 0 or OPT_E_USAGE. */
static int
check(int argc, char **argv, int first)
{
	bool has_dashes = first > 1 && strcmp(argv[first - 1], "--") == 0;

	if (has_dashes && first == argc)
		return opt_usage(&program, "a command must follow --");
	if (first < argc)
		return opt_usage(&program, "%s: not an option", argv[first]);
	if (printer.is_json && printer.fields != NULL)
		return opt_usage(&program, "only one format can be printed");
	if (options.is_snapshot_only && options.is_live_only)
		return opt_usage(&program,
		    "--now and --no-snapshot leave "
		    "nothing to print");
	if (given.is_single)
		options.count_max = 1;
	return 0;
}

int
main(int argc, char **argv)
{
	int first, rc;

	tool_start(program.name);
	rc = opt_parse(&program, argc, argv, &first);
	if (rc == 0)
		rc = check(argc, argv, first);
	if (rc != 0)
		return tool_opt_exit(rc);
	options.rundir = opt_rundir(given.rundir);
	options.daemon = given.is_raw ? "member" : "quorum";
	if (out_open(&printer.out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
	return (int)watcher_run(&options, &printer);
}
