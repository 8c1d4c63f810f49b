/* SPDX-License-Identifier: BSD-3-Clause */
/* ringkit sandbox: a whole cluster on this machine's loopback, without root.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_child.h"
#include "bin/ringkit/ringkit_daemons.h"
#include "bin/ringkit/ringkit_layout.h"
#include "bin/ringkit/ringkit_nodes.h"
#include "bin/ringkit/ringkit_views.h"

enum { PORT_DEFAULT = 5410, PORT_MAX = 65000 };

static struct {
	bool stops;
	uint64_t start; /* a node, 0: all */
	uint64_t port, timeout_ns;
	const char *extra, *only;
} given = { .port = PORT_DEFAULT, .timeout_ns = UINT64_C(20000000000) };

static const struct opt opts[] = {
	{ '\0', "stop", OPT_FLAG, &given.stops, NULL, NULL,
	    "end the nodes of DIR" },
	{ '\0', "start", OPT_COUNT, &given.start, NULL, "NODE",
	    "start a node of DIR again, that does not run" },
	{ 'p', "port", OPT_COUNT, &given.port, NULL, "PORT",
	    "the UDP port on 127.0.0.1 … N (default: 5410)" },
	{ 'c', "config", OPT_STRING, &given.extra, NULL, "FILE",
	    "lines for the end of ringkit.conf" },
	{ '\0', "only", OPT_STRING, &given.only, NULL, "LIST",
	    "run only these daemons: ringd, or ringd,memberd" },
	{ 't', "timeout", OPT_DURATION, &given.timeout_ns, NULL, "DUR",
	    "give up when there is no ring by then (default: 20s)" },
};

static const struct opt_program program = {
	.name = "ringkit sandbox",
	.operands = "N [DIR] [-- CMD [ARG…]] | --stop DIR | --start=NODE DIR",
	.summary =
	    "Run N nodes on this machine, while CMD runs or until --stop.",
	.opts = opts,
	.opt_count = ARRAY_COUNT(opts),
};

/* ---- what can be asked for --------------------------------------------- */

static void
set_environment(const struct ringkit_layout *layout)
{
	char name[32], rundir[RINGKIT_PATH_BYTES];

	setenv("RINGKIT_SANDBOX", layout->dir, 1);
	for (uint32_t i = layout->nodes; i >= 1; i--) {
		ringkit_layout_rundir(layout, i, rundir);
		snprintf(name, sizeof name, "RINGKIT_RUNDIR_%u", i);
		setenv(name, rundir, 1);
	}
	setenv("RINGKIT_RUNDIR", rundir, 1);
	ringkit_find_extend_path();
}

static void
tell(const struct ringkit_layout *layout, const char *view)
{
	printf("%u nodes in view %s, in %s\n"
	       "  export RINGKIT_RUNDIR=%s/1    # node n1; 2 … %u likewise\n"
	       "  ringkit msgcat GROUP\n"
	       "  ringkit msgsend GROUP hello\n"
	       "  ringkit sandbox --stop %s\n",
	    layout->nodes, view, layout->dir, layout->dir, layout->nodes,
	    layout->dir);
	if (fflush(stdout) != 0)
		tool_fail_output(-errno);
}

/* Without --only, a sandbox that was there keeps its daemons. */
static int
make(struct ringkit_layout *layout, const char *dir)
{
	uint32_t only = layout->daemons;
	int rc = ringkit_layout_make(layout, dir);

	if (rc < 0 || given.only == NULL)
		return rc;
	layout->daemons = only;
	return ringkit_layout_keep_daemons(layout);
}

/* command: NULL, and the nodes go on when we are gone. */
static enum exitcode
run(struct ringkit_layout *layout, const char *dir, char *const *command)
{
	char view[RINGKIT_VIEW_BYTES];
	const struct ringkit_nodes nodes = { .layout = layout,
		.first = 1,
		.last = layout->nodes,
		.dies_with_us = command != NULL };
	enum exitcode code;
	int rc = make(layout, dir);

	if (rc == -EEXIST)
		tool_fail(EXITCODE_CANTCREATE,
		    "%s: there is something else in it", dir);
	if (rc < 0)
		tool_fail(EXITCODE_CANTCREATE, "%s: %s",
		    dir != NULL ? dir : layout->dir, strerror(-rc));
	ringkit_nodes_check_stopped(&nodes);
	code =
	    ringkit_nodes_start(&nodes, ringkit_deadline_ns(given.timeout_ns));
	if (code == EXITCODE_OK)
		code = ringkit_views_wait(
		    layout, ringkit_deadline_ns(given.timeout_ns), view);
	if (code == EXITCODE_OK && command == NULL) {
		tell(layout, view);
		return code;
	}
	if (code == EXITCODE_OK) {
		set_environment(layout);
		code = (enum exitcode)ringkit_child_run(command);
	}
	ringkit_nodes_stop(layout);
	if (code == EXITCODE_OK && dir == NULL)
		ringkit_layout_remove(layout);
	else if (dir == NULL)
		tool_warn("the logs are %s/*/*.log", layout->dir);
	return code;
}

static enum exitcode
change(struct ringkit_layout *layout, const char *dir)
{
	uint32_t node = (uint32_t)num_min(given.start, LIMIT_NODES + 1);
	const struct ringkit_nodes nodes = { layout, node, node, false };

	if (ringkit_layout_open(layout, dir) != 0)
		tool_fail(EXITCODE_NOINPUT, "%s: no sandbox", dir);
	if (given.stops) {
		ringkit_nodes_stop(layout);
		return EXITCODE_OK;
	}
	if (node > layout->nodes)
		tool_fail(
		    EXITCODE_USAGE, "%s: it has %u nodes", dir, layout->nodes);
	ringkit_nodes_check_stopped(&nodes);
	return ringkit_nodes_start(
	    &nodes, ringkit_deadline_ns(given.timeout_ns));
}

/* ---- the command line -------------------------------------------------- */

static int
check_operands(struct ringkit_layout *layout, int count, char **operands)
{
	uint64_t nodes;

	if (given.port < 1 || given.port > PORT_MAX)
		return opt_usage(
		    &program, "--port: expected 1 to %d", PORT_MAX);
	layout->daemons = RINGKIT_DAEMONS_ALL;
	if (given.only != NULL &&
	    !ringkit_daemons_parse(
		given.only, strlen(given.only), &layout->daemons))
		return opt_usage(
		    &program, "--only: expected ringd, or ringd,memberd");
	if (given.stops || given.start > 0)
		return count == 1 ? 0 : opt_usage(&program, "expected one DIR");
	if (count < 1 || count > 2)
		return opt_usage(&program, "expected N and perhaps a DIR");
	if (parse_u64(
		operands[0], strlen(operands[0]), 1, LIMIT_NODES, &nodes) != 0)
		return opt_usage(&program, "%s: expected 1 to %d nodes",
		    operands[0], LIMIT_NODES);
	layout->nodes = (uint32_t)nodes;
	return 0;
}

int
ringkit_sandbox(int argc, char **argv)
{
	static struct ringkit_layout layout;
	char *const *command = NULL;
	int first, last, rc = opt_parse(&program, argc, argv, &first);

	for (last = first; rc == 0 && last < argc && command == NULL;)
		if (strcmp(argv[last], "--") == 0)
			command = argv + last + 1;
		else
			last++;
	if (rc == 0 && command != NULL && command[0] == NULL)
		rc = opt_usage(&program, "a command must follow --");
	if (rc == 0)
		rc = check_operands(&layout, last - first, argv + first);
	if (rc != 0)
		return tool_opt_exit(rc);
	layout.port = (uint32_t)given.port;
	layout.extra = given.extra;
	if (given.stops || given.start > 0)
		return (int)change(&layout, argv[first]);
	if (command != NULL)
		ringkit_child_prepare();
	return (int)run(
	    &layout, last - first > 1 ? argv[first + 1] : NULL, command);
}
