/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_nodes.h"

#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/os/child.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit.h"
#include "bin/ringkit/ringkit_daemons.h"
#include "bin/ringkit/ringkit_layout.h"
#include "bin/ringkit/ringkit_pidfile.h"
#include "bin/ringkit/ringkit_process.h"

#define STOP_NS  UINT64_C(5000000000)
#define DYING_NS UINT64_C(500000000)

static bool
is_running(const struct ringkit_layout_plan *node)
{
	int pidfd = ringkit_pidfile_open(node->rundir, node->plan.program);
	bool is_there = pidfd >= 0;

	fd_close(&pidfd);
	return is_there;
}

/* One that was killed just now is given a moment to be gone. */
static bool
stays_running(const struct ringkit_layout_plan *node)
{
	int pidfd = ringkit_pidfile_open(node->rundir, node->plan.program);
	bool is_over;

	if (pidfd < 0)
		return false;
	is_over = child_ends_by(pidfd, ringkit_deadline_ns(DYING_NS));
	fd_close(&pidfd);
	return !is_over;
}

void
ringkit_nodes_check_stopped(const struct ringkit_nodes *nodes)
{
	struct ringkit_layout_plan node;

	for (uint32_t i = nodes->first; i <= nodes->last; i++) {
		ringkit_layout_plan(
		    nodes->layout, i, RINGKIT_DAEMON_RING, &node);
		if (stays_running(&node))
			tool_fail(EXITCODE_TRYAGAIN, "%s: its ringd runs",
			    node.rundir);
	}
}

/* One daemon of all nodes at once; then until each is ready. */
static enum exitcode
start_daemon(
    const struct ringkit_nodes *nodes, uint32_t daemon, uint64_t deadline_ns)
{
	static struct ringkit_layout_plan plans[LIMIT_NODES + 1];
	static struct ringkit_process processes[LIMIT_NODES + 1];
	enum exitcode code = EXITCODE_OK;
	uint32_t i;

	for (i = nodes->first; code == EXITCODE_OK && i <= nodes->last; i++) {
		ringkit_layout_plan(nodes->layout, i, daemon, &plans[i]);
		plans[i].plan.dies_with_us = nodes->dies_with_us;
		processes[i] = (struct ringkit_process){ .ready_fd = -1 };
		/* What outlived its ringd comes back to it by itself. */
		if (!is_running(&plans[i]))
			code = ringkit_process_start(
			    &plans[i].plan, &processes[i]);
	}
	for (i = nodes->first; code == EXITCODE_OK && i <= nodes->last; i++)
		if (processes[i].ready_fd >= 0)
			code = ringkit_process_wait(
			    &plans[i].plan, &processes[i], deadline_ns);
	return code;
}

enum exitcode
ringkit_nodes_start(const struct ringkit_nodes *nodes, uint64_t deadline_ns)
{
	uint32_t set = ringkit_daemons_installed(nodes->layout->daemons);
	enum exitcode code = EXITCODE_OK;

	for (uint32_t i = 0; code == EXITCODE_OK && i < RINGKIT_DAEMONS; i++)
		if (set & (UINT32_C(1) << i))
			code = start_daemon(nodes, i, deadline_ns);
	return code;
}

/* Asks all, then waits for each, so that it takes as long as the slowest. */
static void
stop_daemon(const struct ringkit_layout *layout, uint32_t daemon)
{
	uint64_t deadline_ns = ringkit_deadline_ns(STOP_NS);
	const char *name = ringkit_daemon_name(daemon);
	struct ringkit_layout_plan node;
	int rc, pidfds[LIMIT_NODES + 1];

	for (uint32_t i = 1; i <= layout->nodes; i++) {
		ringkit_layout_plan(layout, i, daemon, &node);
		pidfds[i] = ringkit_pidfile_open(node.rundir, name);
		if (pidfds[i] < 0)
			continue;
		rc = ringkit_process_ask_to_end(pidfds[i]);
		if (rc == 0)
			continue;
		tool_warn(
		    "node %u: %s cannot be ended: %s", i, name, strerror(-rc));
		fd_close(&pidfds[i]);
	}
	for (uint32_t i = 1; i <= layout->nodes; i++)
		if (pidfds[i] >= 0 &&
		    !ringkit_process_finish(pidfds[i], deadline_ns))
			tool_warn("node %u: %s did not leave, and was killed",
			    i, name);
}

void
ringkit_nodes_stop(const struct ringkit_layout *layout)
{
	for (uint32_t i = RINGKIT_DAEMONS; i-- > 0;)
		stop_daemon(layout, i);
}
