/* SPDX-License-Identifier: BSD-3-Clause */
/* watch-membership: who is there, what changes and why; runs hooks for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/watch-membership/watcher_hooks.h"
#include "bin/watch-membership/watcher_print.h"
#include "bin/watch-membership/watcher_run.h"

#define HOOKS_DIR          "/etc/ringkit/hooks.d"
#define HOOKS_OTHER_DIR    "/usr/lib/ringkit/hooks.d"
#define HOOKS_HEARTBEAT_NS (1 * CLOCK_S_NS)
#define HOOKS_TIMEOUT_NS   (30 * CLOCK_S_NS)

static struct {
	bool is_raw, is_single, has_hook_option;
	const char *rundir, *unknown_events;
} given;

static struct watcher_options options = {
	.count_max = UINT64_MAX,
	.timeout_ns = PARSE_FOREVER,
	.heartbeat_ns = PARSE_FOREVER,
	.ready_fd = -1,
};

static struct watcher_hooks hooks = {
	.runner = {
		.max_delay_ns = PARSE_FOREVER,
		.timeout_ns = HOOKS_TIMEOUT_NS,
		.retries = UINT64_MAX,
	},
	.filter = &options.filter,
};

static struct watcher_printer printer;

static bool
add_events(const char *arg)
{
	if (!watcher_filter_events(&options.filter, arg))
		given.unknown_events = arg;
	return true;
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

static bool
set_on_error(const char *arg)
{
	given.has_hook_option = true;
	hooks.runner.stops_on_error = strcmp(arg, "exit") == 0;
	return hooks.runner.stops_on_error || strcmp(arg, "continue") == 0;
}

/* DIR or DIR:OTHER; hooks run in another folder than we do. */
static bool
set_dir(const char *arg)
{
	static char own[4096], other[4096];
	size_t len = strcspn(arg, ":");
	char *copy;

	if (*arg == '\0') {
		hooks.dir = HOOKS_DIR;
		hooks.other_dir = HOOKS_OTHER_DIR;
		return true;
	}
	copy = strndup(arg, len);
	if (copy == NULL || realpath(copy, own) == NULL ||
	    (arg[len] == ':' && realpath(arg + len + 1, other) == NULL)) {
		free(copy);
		return false;
	}
	free(copy);
	hooks.dir = own;
	hooks.other_dir = arg[len] == ':' ? other : NULL;
	return true;
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
	{ 'o', "fields", OPT_STRING, &printer.fields, NULL, "LIST",
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
	{ '\0', "hooks-dir", OPT_CALL, NULL, set_dir, "[DIR]",
	    "run the files of DIR/EVENT.d, not CMD" },
	{ '\0', "every", OPT_FLAG, &hooks.runner.is_every, NULL, NULL,
	    "run CMD for every event, not for what gathered" },
	{ '\0', "settle", OPT_DURATION, &hooks.runner.settle_ns, NULL, "DUR",
	    "run CMD once it was quiet for so long" },
	{ '\0', "max-delay", OPT_DURATION, &hooks.runner.max_delay_ns, NULL,
	    "DUR", "but do not wait longer than that" },
	{ '\0', "hook-timeout", OPT_DURATION, &hooks.runner.timeout_ns, NULL,
	    "DUR", "end CMD after so long (default: 30s)" },
	{ '\0', "retries", OPT_COUNT, &hooks.runner.retries, NULL, "N",
	    "run CMD again so often after 75 (default: no end)" },
	{ '\0', "on-error", OPT_CALL, NULL, set_on_error, "WHAT",
	    "when CMD fails: continue or exit (default: continue)" },
	{ '\0', "state", OPT_STRING, &hooks.runner.state_path, NULL, "FILE",
	    "remember what CMD did, run it only for what differs" },
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

/* What hooks cannot be combined with; NULL: all is well. */
static const char *
hooks_complaint(void)
{
	const struct hook_options *runner = &hooks.runner;
	bool has_damping =
	    runner->settle_ns > 0 || runner->max_delay_ns != PARSE_FOREVER;

	if (options.hooks == NULL)
		return runner->is_every || has_damping ||
			runner->state_path != NULL ||
			runner->retries != UINT64_MAX ||
			runner->timeout_ns != HOOKS_TIMEOUT_NS ||
			given.has_hook_option
		    ? "this needs a command or --hooks-dir"
		    : NULL;
	if (runner->argv != NULL && hooks.dir != NULL)
		return "a command and --hooks-dir exclude each other";
	if (printer.is_json || printer.fields != NULL || printer.is_null)
		return "a hook takes records, no format";
	if (runner->is_every && has_damping)
		return "--every does not wait";
	if (options.since != NULL)
		return "hooks have --state in place of --since";
	return NULL;
}

static int
complain_of_events(void)
{
	char bytes[256];
	struct text names;

	text_init(&names, bytes, sizeof bytes);
	for (int i = 0; i < WATCHER_OTHER; i++) {
		text_put(&names, i == 0 ? "" : ",");
		text_put(&names, watcher_event_name((enum watcher_event)i));
	}
	return opt_usage(&program,
	    "--events: %s: no such event, expected some of %s",
	    given.unknown_events, names.bytes);
}

/* 0 or OPT_E_USAGE. */
static int
check(int argc, char **argv, int first)
{
	bool has_dashes = first > 1 && strcmp(argv[first - 1], "--") == 0;
	const char *complaint;

	if (given.unknown_events != NULL)
		return complain_of_events();
	if (has_dashes && first == argc)
		return opt_usage(&program, "a command must follow --");
	if (first < argc && !has_dashes)
		return opt_usage(&program, "%s: not an option", argv[first]);
	if (first < argc)
		hooks.runner.argv = argv + first;
	if (first < argc || hooks.dir != NULL)
		options.hooks = &hooks;
	complaint = hooks_complaint();
	if (complaint != NULL)
		return opt_usage(&program, "%s", complaint);
	if (printer.is_json && printer.fields != NULL)
		return opt_usage(&program, "only one format can be printed");
	if (printer.fields != NULL &&
	    opt_check_fields(&program, printer.fields, watcher_fields) != 0)
		return OPT_E_USAGE;
	if (options.is_snapshot_only && options.is_live_only)
		return opt_usage(
		    &program, "--now and --no-snapshot leave nothing to print");
	if (given.is_single)
		options.count_max = 1;
	return 0;
}

/* A path is ours to understand: the command has another working folder. */
static bool
resolve(char **name)
{
	static char path[4096];

	if (strchr(*name, '/') == NULL)
		return true;
	if (realpath(*name, path) == NULL)
		return false;
	*name = path;
	return true;
}

static enum exitcode
run_hooks(void)
{
	enum exitcode code;

	if (hooks.runner.argv != NULL && !resolve(&hooks.runner.argv[0]))
		tool_fail(EXITCODE_NOTFOUND, "%s: %s", hooks.runner.argv[0],
		    strerror(errno));

	hooks.runner.rundir = options.rundir;
	hooks.is_first_skipped = options.is_live_only;
	/* A daemon that hangs must not look like one with nothing to say. */
	if (options.heartbeat_ns == PARSE_FOREVER)
		options.heartbeat_ns = HOOKS_HEARTBEAT_NS;
	code = watcher_hooks_open(&hooks);
	options.since = hooks.cursor;
	if (code == EXITCODE_OK)
		code = watcher_run(&options, &printer);
	hook_close(hooks.hook);
	return code;
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
	return (int)(options.hooks != NULL ? run_hooks()
					   : watcher_run(&options, &printer));
}
