/* SPDX-License-Identifier: BSD-3-Clause */
/* cfgstore watch: keys as they are, then every change; or a command for it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore.h"
#include "bin/cfgstore/cfgstore_follow.h"
#include "bin/cfgstore/cfgstore_hooks.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_operands.h"
#include "bin/cfgstore/cfgstore_scope.h"

#define HOOK_TIMEOUT_NS (30 * CLOCK_S_NS)

static struct {
	bool is_json, is_null, is_now, is_single, has_hook_option;
	const char *fields;
	uint64_t count_max;
} given = { .count_max = UINT64_MAX };

static struct cfgstore_printer printer = { .format = CFGSTORE_RECORD };
static struct cfgstore_scope scope;
static uint64_t count;

static struct cfgstore_hooks hooks = {
	.runner = {
		.max_delay_ns = PARSE_FOREVER,
		.timeout_ns = HOOK_TIMEOUT_NS,
		.retries = UINT64_MAX,
	},
};

static struct cfgstore_follow follow = {
	.timeout_ns = PARSE_FOREVER,
	.ready_fd = -1,
};

static bool
set_since(const char *arg)
{
	follow.has_since = true;
	return parse_u64(arg, strlen(arg), 0, UINT64_MAX, &follow.since) == 0;
}

static bool
set_wait(const char *arg)
{
	if (*arg != '\0')
		return parse_duration(
			   arg, strlen(arg), &follow.wait_daemon_ns) == 0;
	follow.wait_daemon_ns = PARSE_FOREVER;
	return true;
}

static bool
set_on_error(const char *arg)
{
	given.has_hook_option = true;
	hooks.runner.stops_on_error = strcmp(arg, "exit") == 0;
	return hooks.runner.stops_on_error || strcmp(arg, "continue") == 0;
}

static const struct opt opts[] = {
	{ '\0', "now", OPT_FLAG, &given.is_now, NULL, NULL,
	    "print the keys as they are and end" },
	{ '\0', "no-snapshot", OPT_FLAG, &follow.is_live_only, NULL, NULL,
	    "print only what changes" },
	{ '\0', "since", OPT_CALL, NULL, set_since, "REV",
	    "print what changed behind that revision, first" },
	{ '\0', "sync", OPT_FLAG, &follow.is_sync, NULL, NULL,
	    "begin with all that was written before" },
	{ 'n', "count", OPT_COUNT, &given.count_max, NULL, "N",
	    "end after N changes" },
	{ '1', NULL, OPT_FLAG, &given.is_single, NULL, NULL,
	    "end after one change" },
	{ 't', "timeout", OPT_DURATION, &follow.timeout_ns, NULL, "DUR",
	    "end with 124 after so long" },
	{ 'p', "prefix", OPT_FLAG, &scope.is_prefix, NULL, NULL,
	    "the operands are beginnings of keys, not globs" },
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object each" },
	{ 'o', "fields", OPT_STRING, &given.fields, NULL, "LIST",
	    "print these, apart by blanks: event,key,rev,…" },
	{ '0', "null", OPT_FLAG, &given.is_null, NULL, NULL,
	    "end records with a NUL" },
	{ '\0', "no-reconnect", OPT_FLAG, &follow.stays_away, NULL, NULL,
	    "end with 69 when the daemon goes away" },
	{ '\0', "wait-daemon", OPT_CALL, NULL, set_wait, "[DUR]",
	    "wait for a daemon that is not there at the start" },
	{ '\0', "ready-fd", OPT_FD, &follow.ready_fd, NULL, "FD",
	    "write a line feed there once the state was told" },
	{ '\0', "every", OPT_FLAG, &hooks.runner.is_every, NULL, NULL,
	    "run CMD for every change, not for what gathered" },
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
	    "remember what CMD did, run it only for what follows" },
	CFGSTORE_OPT_RUNDIR,
};

static const struct opt_program program = {
	.name = "cfgstore watch",
	.operands = "[GLOB…] [-- CMD [ARG…]]",
	.summary = "Tell keys and all changes of them, or run a command.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = cfgstore_operands_take,
};

/* ---- telling ----------------------------------------------------------- */

static bool
is_change(const struct cfgstore_news *news)
{
	return news->event == CFGSTORE_PUT || news->event == CFGSTORE_DEL;
}

static enum cfgstore_step
take(struct cfgstore_follow *from, struct cfgstore_news *news)
{
	if (from->hook != NULL)
		cfgstore_hooks_take(&hooks, from, news);
	else if (!from->is_live_only || news->event != CFGSTORE_READY ||
	    from->seq > 1)
		cfgstore_print(&printer, &news->record);
	if (news->event == CFGSTORE_READY &&
	    (given.is_now || given.count_max == 0))
		return cfgstore_follow_end(from, EXITCODE_OK);
	if (is_change(news) && ++count >= given.count_max)
		return cfgstore_follow_end(from, EXITCODE_OK);
	return CFGSTORE_ON;
}

/* ---- the options ------------------------------------------------------- */

/* What hooks cannot be combined with; NULL: all is well. */
static const char *
hooks_complaint(bool has_command)
{
	const struct hook_options *runner = &hooks.runner;
	bool has_damping =
	    runner->settle_ns > 0 || runner->max_delay_ns != PARSE_FOREVER;

	if (!has_command)
		return runner->is_every || has_damping ||
			runner->state_path != NULL ||
			runner->retries != UINT64_MAX ||
			runner->timeout_ns != HOOK_TIMEOUT_NS ||
			given.has_hook_option
		    ? "this needs a command"
		    : NULL;
	if (given.is_json || given.fields != NULL || given.is_null)
		return "a command takes records, no format";
	if (runner->is_every && has_damping)
		return "--every does not wait";
	if (runner->state_path != NULL &&
	    (follow.has_since || follow.is_live_only))
		return "--state says where to begin";
	return NULL;
}

/* The command stands behind "--", the globs before it. */
static int
take_command(int argc, char **argv)
{
	struct cfgstore_operands *operands = &cfgstore_operands;
	const char *complaint;

	if (operands->has_dashes && operands->first == argc)
		return opt_usage(&program, "a command must follow --");
	if (operands->has_dashes) {
		hooks.runner.argv = argv + operands->first;
		operands->count -= (size_t)(argc - operands->first);
	}
	complaint = hooks_complaint(operands->has_dashes);
	return complaint != NULL ? opt_usage(&program, "%s", complaint) : 0;
}

static int
check(int argc, char **argv)
{
	if (take_command(argc, argv) != 0)
		return OPT_E_USAGE;
	scope.names = cfgstore_operands.at;
	scope.count = cfgstore_operands.count;
	if (given.is_now && (follow.is_live_only || given.is_single))
		return opt_usage(&program, "--now ends with the state");
	if (follow.has_since && follow.is_live_only)
		return opt_usage(
		    &program, "--since tells no state, but what followed");
	if (given.is_single)
		given.count_max = 1;
	if (cfgstore_scope_check(&scope, &program) != 0)
		return OPT_E_USAGE;
	return cfgstore_printer_check(&program, given.is_json, given.fields,
	    "event,key,rev,prev,created,by,lease,why,state,compacted,reason,"
	    "len,value,old_len,old,seq,ts");
}

/* A path is ours to understand: the command has another working folder. */
static void
resolve(char **name)
{
	static char path[4096];

	if (strchr(*name, '/') == NULL)
		return;
	if (realpath(*name, path) == NULL)
		tool_fail(EXITCODE_NOTFOUND, "%s: %s", *name, strerror(errno));
	*name = path;
}

static enum exitcode
run_hooks(void)
{
	enum exitcode code;

	resolve(&hooks.runner.argv[0]);
	hooks.runner.rundir = opt_rundir(cfgstore_given.rundir);
	hooks.is_first_skipped = follow.is_live_only;
	code = cfgstore_hooks_open(&hooks, &follow);
	follow.hook = hooks.hook;
	if (code == EXITCODE_OK)
		code = cfgstore_follow_run(&follow);
	cfgstore_hooks_close(&hooks);
	return code;
}

int
cfgstore_watch(int argc, char **argv)
{
	int rc = cfgstore_operands_parse(&program, argc, argv);

	if (rc == 0)
		rc = check(argc, argv);
	if (rc != 0)
		return tool_opt_exit(rc);
	printer.is_null = given.is_null;
	cfgstore_printer_open(&printer, given.is_json, given.fields);
	follow.scope = &scope;
	follow.take = take;
	follow.out = &printer.out;
	return (int)(hooks.runner.argv != NULL ? run_hooks()
					       : cfgstore_follow_run(&follow));
}
