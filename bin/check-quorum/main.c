/* SPDX-License-Identifier: BSD-3-Clause */
/* check-quorum: may this node act?  Answered by the exit code. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/check-quorum/checkq.h"

enum { CONDS_MAX = 32 };

static struct {
	bool is_json, is_why, is_nagios, is_wait, is_hold, is_watch;
	const char *rundir;
} given;

static struct cond conds[CONDS_MAX];

static struct checkq_options options = {
	.conds = conds,
	.fresh_ns = UINT64_MAX,
	.timeout_ns = PARSE_FOREVER,
	.kill_after_ns = 2 * CLOCK_S_NS,
};

/* Read when all of them are here, so that the message can say why. */
static bool
add_condition(const char *arg)
{
	if (options.cond_count == CONDS_MAX)
		return false;
	conds[options.cond_count++].text = arg;
	return true;
}

static const struct opt opts[] = {
	{ 'j', "json", OPT_FLAG, &given.is_json, NULL, NULL,
	    "print a JSON object" },
	{ 'o', "fields", OPT_STRING, &options.fields, NULL, "LIST",
	    "print these, apart by blanks: quorate,votes,…" },
	{ '\0', "why", OPT_FLAG, &given.is_why, NULL, NULL,
	    "print the rules that decided, the first one first" },
	{ '\0', "nagios", OPT_FLAG, &given.is_nagios, NULL, NULL,
	    "be a monitoring plugin: one line, 0, 1, 2 or 3" },
	{ '\0', "fresh", OPT_DURATION, &options.fresh_ns, NULL, "DUR",
	    "what is older than that is unknown" },
	{ '\0', "wait", OPT_FLAG, &given.is_wait, NULL, NULL,
	    "wait until the conditions hold" },
	{ '\0', "hold", OPT_FLAG, &given.is_hold, NULL, NULL,
	    "wait likewise, then end when they stop to hold" },
	{ '\0', "for", OPT_DURATION, &options.for_ns, NULL, "DUR",
	    "they must hold for so long, without a break" },
	{ 't', "timeout", OPT_DURATION, &options.timeout_ns, NULL, "DUR",
	    "wait at most so long, then end with 124" },
	{ '\0', "ignore-child", OPT_FLAG, &options.ignores_child, NULL, NULL,
	    "with --wait: how CMD ends does not matter" },
	{ '\0', "kill-after", OPT_DURATION, &options.kill_after_ns, NULL, "DUR",
	    "from TERM to KILL for CMD (default: 2s)" },
	{ '\0', "watch", OPT_FLAG, &given.is_watch, NULL, NULL,
	    "print every change of the verdict" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where quorum.sock is" },
};

static const struct opt_program program = {
	.name = "check-quorum",
	.operands = "[COND…] [-- CMD [ARG…]]",
	.summary = "Tell, wait for or hold a condition of the cluster.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
	.operand = add_condition,
};

/* 0 or OPT_E_USAGE. */
static int
read_conditions(void)
{
	bool is_standing = given.is_wait || given.is_hold;

	if (options.cond_count == 0)
		(void)add_condition("quorate"); /* there is room for one */
	for (size_t i = 0; i < options.cond_count; i++) {
		const char *text = conds[i].text;
		int rc = cond_parse(&conds[i], text);

		if (rc != 0)
			return opt_usage(
			    &program, "%s: %s", text, cond_error_text(rc));
		if (conds[i].kind == COND_RESTARTED && !is_standing)
			return opt_usage(&program,
			    "%s: needs --wait or --hold, "
			    "it counts what happens from now on",
			    text);
	}
	return 0;
}

/* 0 or OPT_E_USAGE. */
static int
find_show(bool has_conds)
{
	int count = (options.fields != NULL) + given.is_nagios +
	    (given.is_json || given.is_why);

	if (count > 1)
		return opt_usage(&program, "only one format can be printed");
	if (options.fields != NULL &&
	    opt_check_fields(&program, options.fields, checkq_fields) != 0)
		return OPT_E_USAGE;
	if (given.is_nagios && has_conds)
		return opt_usage(&program, "--nagios takes no condition");
	if (options.fields != NULL)
		options.show = CHECKQ_FIELDS;
	else if (given.is_nagios)
		options.show = CHECKQ_NAGIOS;
	else if (given.is_why)
		options.show = given.is_json ? CHECKQ_WHY_JSON : CHECKQ_WHY;
	else if (given.is_json)
		options.show = CHECKQ_JSON;
	else if (!has_conds && opt_verbosity() >= 0)
		options.show = CHECKQ_HUMAN;
	return 0;
}

/* 0 or OPT_E_USAGE. */
static int
check_modes(void)
{
	bool is_standing = given.is_wait || given.is_hold;

	if (given.is_wait + given.is_hold + given.is_watch > 1)
		return opt_usage(
		    &program, "only one of --wait, --hold and --watch");
	if (options.command != NULL && !is_standing)
		return opt_usage(&program, "a command needs --wait or --hold");
	if (options.command != NULL && options.command[0] == NULL)
		return opt_usage(&program, "a command must follow --");
	if (options.for_ns > 0 && !is_standing)
		return opt_usage(&program, "--for needs --wait or --hold");
	if (is_standing &&
	    (given.is_json || given.is_why || given.is_nagios ||
		options.fields != NULL))
		return opt_usage(&program, "--wait and --hold print nothing");
	if (options.ignores_child &&
	    (!given.is_wait || options.command == NULL))
		return opt_usage(
		    &program, "--ignore-child needs --wait and a command");
	if (options.fresh_ns < 100 * CLOCK_MS_NS && is_standing)
		return opt_usage(&program, "--fresh: expected at least 100ms");
	options.is_hold = given.is_hold;
	return 0;
}

/* The program that is installed, or was built, beside this one. */
static void
become_sibling(char **argv)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof path - 64);
	char *slash;

	if (len > 0) {
		path[len] = '\0';
		slash = strrchr(path, '/');
		if (slash != NULL) {
			strcpy(slash + 1, argv[0]);
			execv(path, argv);
		}
	}
	execvp(argv[0], argv);
}

RK_NORETURN static void
watch(void)
{
	static char name[] = "watch-membership", events[] = "-e",
		    which[] = "ready,view,quorum,down,up", json[] = "-j",
		    quiet[] = "-q";
	static char rundir[PATH_MAX + 16];
	char *argv[8] = { name, events, which };
	size_t count = 3;
	int error;

	if (given.is_json)
		argv[count++] = json;
	if (opt_verbosity() < 0)
		argv[count++] = quiet;
	(void)snprintf(rundir, sizeof rundir, "--rundir=%s", options.rundir);
	argv[count] = rundir;
	become_sibling(argv);
	error = errno;
	tool_fail(error == ENOENT ? EXITCODE_NOTFOUND : EXITCODE_NOTEXECUTABLE,
	    "%s: %s", name, strerror(error));
}

int
main(int argc, char **argv)
{
	int first, rc;
	bool has_conds;

	tool_start(program.name);
	rc = opt_parse(&program, argc, argv, &first);
	if (rc != 0)
		return tool_opt_exit(rc);
	has_conds = options.cond_count > 0;
	if (first > 1 && strcmp(argv[first - 1], "--") == 0)
		options.command = argv + first;
	rc = check_modes();
	if (rc == 0)
		rc = read_conditions();
	if (rc == 0)
		rc = find_show(has_conds);
	if (rc != 0)
		return tool_opt_exit(rc);
	options.rundir = opt_rundir(given.rundir);
	if (given.is_watch)
		watch();
	return given.is_wait || given.is_hold ? checkq_stand(&options)
					      : checkq_once(&options);
}
