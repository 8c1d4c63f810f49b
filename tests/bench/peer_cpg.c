/* SPDX-License-Identifier: BSD-3-Clause */
/* Loads a running Corosync in the same way as ringload does a ringd: the
 * peer that our figures stand beside.  Without its library this is a program
 * that says so.
 */
#if __has_include(<corosync/cpg.h>)
#include <corosync/cpg.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>

#include "libcommon/os/clock.h"

#include "tests/bench/load.h"

enum { DISPATCH_MAX = 4096, CONNECT_TRIES = 400, RETRY_MS = 5 };

static cpg_handle_t handle;
static unsigned self;
static bool is_refused; /* TRY_AGAIN: no event tells when to come again */

/* NOLINTBEGIN(readability-function-size): the library's signatures */
static void
on_deliver(cpg_handle_t from, const struct cpg_name *group, uint32_t node,
    uint32_t pid, void *bytes, size_t len)
{
	(void)from;
	(void)group;
	(void)pid;
	if (!load_is_over())
		load_take(node, bytes, len);
}

static void
on_change(cpg_handle_t from, const struct cpg_name *group,
    const struct cpg_address *members, size_t member_count,
    const struct cpg_address *left, size_t left_count,
    const struct cpg_address *joined, size_t joined_count)
{
	(void)from;
	(void)group;
	(void)members;
	(void)left;
	(void)left_count;
	(void)joined;
	(void)joined_count;
	load_see(self, (uint32_t)member_count);
}

/* NOLINTEND(readability-function-size) */

static void
check(cs_error_t rc, const char *what)
{
	errno = (int)rc;
	if (rc != CS_OK)
		load_die(what);
}

static void
pause_ms(int ms)
{
	(void)poll(NULL, 0, ms);
}

static void
cpg_open(const char *place, size_t message_bytes)
{
	cpg_callbacks_t calls = { on_deliver, on_change };
	struct cpg_name group = { .length = 4, .value = "load" };
	cs_error_t rc = CS_ERR_TRY_AGAIN;

	(void)place;
	(void)message_bytes;
	for (int i = 0; rc != CS_OK && i < CONNECT_TRIES; i++) {
		rc = cpg_initialize(&handle, &calls);
		if (rc != CS_OK)
			pause_ms(RETRY_MS);
	}
	check(rc, "cpg_initialize");
	check(cpg_local_get(handle, &self), "cpg_local_get");
	while ((rc = cpg_join(handle, &group)) == CS_ERR_TRY_AGAIN)
		pause_ms(RETRY_MS);
	check(rc, "cpg_join");
}

static bool
cpg_put(const void *bytes, size_t len)
{
	union {
		const void *in;
		void *out;
	} unqualified = { .in = bytes };
	struct iovec piece = { unqualified.out, len };
	cs_error_t rc = cpg_mcast_joined(handle, CPG_TYPE_AGREED, &piece, 1);

	is_refused = rc == CS_ERR_TRY_AGAIN;
	if (!is_refused)
		check(rc, "cpg_mcast_joined");
	return !is_refused;
}

static int
dispatch(void)
{
	int count = 0;

	while (count < DISPATCH_MAX && !load_is_over()) {
		cs_error_t rc =
		    cpg_dispatch(handle, CS_DISPATCH_ONE_NONBLOCKING);

		if (rc == CS_ERR_TRY_AGAIN)
			break;
		check(rc, "cpg_dispatch");
		count++;
	}
	return count;
}

static void
cpg_turn(uint64_t wait_ns)
{
	struct pollfd ready = { .events = POLLIN };
	struct timespec wait = { .tv_nsec = (long)wait_ns };

	if (dispatch() > 0)
		return;
	if (is_refused)
		wait.tv_nsec = CLOCK_MS_NS;
	check(cpg_fd_get(handle, &ready.fd), "cpg_fd_get");
	if (ppoll(&ready, 1, &wait, NULL) < 0 && errno != EINTR)
		load_die("poll");
	dispatch();
}

int
main(int argc, char **argv)
{
	static const struct load_carrier cpg = { "peer_cpg", "PLACE", cpg_open,
		cpg_put, cpg_turn };

	return load_main(argc, argv, &cpg);
}

#else
#include <stdio.h>

int
main(void)
{
	fputs("peer_cpg: built without libcpg-dev\n", stderr);
	return 69;
}
#endif
