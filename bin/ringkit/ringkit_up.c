/* SPDX-License-Identifier: BSD-3-Clause */
/* ringkit up and down: this node's daemons, in order, without systemd. */
#include <sys/stat.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/base/parse.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/opt.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_daemons.h"
#include "bin/ringkit/ringkit_find.h"
#include "bin/ringkit/ringkit_pidfile.h"
#include "bin/ringkit/ringkit_process.h"

static struct {
	const char *config, *rundir, *statedir, *node, *log;
	uint64_t timeout_ns;
	bool is_forced;
} given = { .timeout_ns = UINT64_C(20000000000) };

static const struct opt up_opts[] = {
	{ 'c', "config", OPT_STRING, &given.config, NULL, "FILE",
	    "configuration (default: /etc/ringkit/ringkit.conf)" },
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where the sockets and pid files are" },
	{ '\0', "statedir", OPT_STRING, &given.statedir, NULL, "DIR",
	    "what must survive (default: /var/lib/ringkit)" },
	{ '\0', "node", OPT_STRING, &given.node, NULL, "NODE",
	    "be this node of the configuration" },
	{ '\0', "log", OPT_STRING, &given.log, NULL, "FILE",
	    "where the logs go (default: RUNDIR/DAEMON.log)" },
	{ 't', "timeout", OPT_DURATION, &given.timeout_ns, NULL, "DUR",
	    "give up when they are not ready by then (default: 20s)" },
};

static const struct opt down_opts[] = {
	{ '\0', "rundir", OPT_STRING, &given.rundir, NULL, "DIR",
	    "where the sockets and pid files are" },
	{ '\0', "force", OPT_FLAG, &given.is_forced, NULL, NULL,
	    "even when it costs the others their quorum" },
	{ 't', "timeout", OPT_DURATION, &given.timeout_ns, NULL, "DUR",
	    "kill what has not left by then (default: 20s)" },
};

static const struct opt_program up = {
	.name = "ringkit up",
	.operands = "",
	.summary = "Start this node's daemons and wait until they serve.",
	.opts = up_opts,
	.opt_count = ARRAY_COUNT(up_opts),
};

static const struct opt_program down = {
	.name = "ringkit down",
	.operands = "",
	.summary = "End the daemons that ringkit up started; leave the ring.",
	.opts = down_opts,
	.opt_count = ARRAY_COUNT(down_opts),
};

static enum exitcode
start(const char *daemon, uint64_t deadline_ns)
{
	struct ringkit_plan plan = { .program = daemon,
		.config = given.config,
		.rundir = opt_rundir(given.rundir),
		.statedir = given.statedir,
		.node = given.node,
		.log = given.log };
	char log[RINGKIT_PATH_BYTES];
	struct ringkit_process process;
	int pidfd = ringkit_pidfile_open(plan.rundir, daemon);
	enum exitcode code;

	if (pidfd >= 0) {
		tool_say("%s: runs already", daemon);
		(void)close(pidfd);
		return EXITCODE_OK;
	}
	/* Its parents are the administrator's; a failure shows right below. */
	(void)mkdir(plan.rundir, 0755);
	snprintf(log, sizeof log, "%s/%s.log", plan.rundir, daemon);
	if (plan.log == NULL)
		plan.log = log;
	code = ringkit_process_start(&plan, &process);
	return code == EXITCODE_OK
	    ? ringkit_process_wait(&plan, &process, deadline_ns)
	    : code;
}

/* ---- what the others would lose ---------------------------------------- */

static uint64_t
number(const struct ask_line *line, const char *key)
{
	const char *value = ask_value(line, key);
	uint64_t out;

	if (parse_u64(value, strlen(value), 0, UINT32_MAX, &out) != 0)
		return 0;
	return out;
}

/* This node's votes: 0 when nobody says. */
static uint64_t
ask_own_votes(struct ask *ask, uint64_t self, uint64_t deadline_ns)
{
	struct ask_line line;
	uint64_t own = 0;

	if (ask_put(ask, "nodes\n", strlen("nodes\n")) != 0)
		return 0;
	while (ask_next(ask, &line, deadline_ns) == 0 && line.kind == ASK_ITEM)
		if (number(&line, "node") == self)
			own = number(&line, "votes");
	return own;
}

/* Together with this node they have a quorum, and without it they have none. */
static bool
costs_quorum(const char *rundir)
{
	uint64_t deadline_ns = ask_deadline_ns(), votes, needed, own = 0;
	struct ask_line line;
	struct ask *ask;

	/* Who cannot be asked cannot forbid it, either. */
	if (ask_open(&ask, rundir, "quorum", deadline_ns) != 0)
		return false;
	votes = needed = 0;
	if (ask_put(ask, "quorum\n", strlen("quorum\n")) == 0 &&
	    ask_next(ask, &line, deadline_ns) == 0 && line.kind == ASK_OK &&
	    strcmp(ask_value(&line, "quorate"), "yes") == 0) {
		votes = number(&line, "votes");
		needed = number(&line, "needed");
		own = ask_own_votes(ask, number(&line, "self"), deadline_ns);
	}
	ask_close(ask);
	if (votes <= own || votes - own >= needed)
		return false;
	tool_warn("the others would have %llu of %llu votes and no quorum; "
		  "--force does it all the same",
	    (unsigned long long)(votes - own), (unsigned long long)needed);
	return true;
}

/* ---- ending ------------------------------------------------------------ */

static enum exitcode
stop(const char *rundir, const char *daemon)
{
	int rc, pidfd = ringkit_pidfile_open(rundir, daemon);

	if (pidfd < 0) {
		tool_say("%s: does not run", daemon);
		return EXITCODE_OK;
	}
	rc = ringkit_process_ask_to_end(pidfd);
	if (rc != 0) {
		tool_warn("%s: cannot be ended: %s", daemon, strerror(-rc));
		fd_close(&pidfd);
		return EXITCODE_DENIED;
	}
	if (!ringkit_process_finish(
		pidfd, ringkit_deadline_ns(given.timeout_ns)))
		tool_warn("%s: did not leave, and was killed", daemon);
	return EXITCODE_OK;
}

/* 0, or what opt_parse or opt_usage answered. */
static int
parse(const struct opt_program *program, int argc, char **argv)
{
	int first, rc = opt_parse(program, argc, argv, &first);

	if (rc == 0 && first < argc)
		rc = opt_usage(program, "%s: no operand is taken", argv[first]);
	return rc;
}

int
ringkit_up(int argc, char **argv)
{
	uint32_t set = ringkit_daemons_installed(RINGKIT_DAEMONS_ALL);
	enum exitcode code = EXITCODE_OK;
	uint64_t deadline_ns;
	int rc = parse(&up, argc, argv);

	if (rc != 0)
		return tool_opt_exit(rc);
	deadline_ns = ringkit_deadline_ns(given.timeout_ns);
	for (uint32_t i = 0; code == EXITCODE_OK && i < RINGKIT_DAEMONS; i++)
		if (set & (UINT32_C(1) << i))
			code = start(ringkit_daemon_name(i), deadline_ns);
	return (int)code;
}

int
ringkit_down(int argc, char **argv)
{
	enum exitcode code = EXITCODE_OK;
	const char *rundir;
	int rc = parse(&down, argc, argv);

	if (rc != 0)
		return tool_opt_exit(rc);
	rundir = opt_rundir(given.rundir);
	if (!given.is_forced && costs_quorum(rundir))
		return EXITCODE_TRYAGAIN;
	/* Nothing is taken away from under one that stays. */
	for (uint32_t i = RINGKIT_DAEMONS; code == EXITCODE_OK && i-- > 0;)
		code = stop(rundir, ringkit_daemon_name(i));
	return (int)code;
}
