/* SPDX-License-Identifier: BSD-3-Clause */
#include "bin/ringkit/ringkit_views.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/tool.h"

#include "bin/ringkit/ringkit_daemons.h"
#include "bin/ringkit/ringkit_layout.h"

/* A daemon that had nothing to watch is asked again. */
#define AGAIN_NS (20 * CLOCK_MS_NS)

/* What one node has reported last. */
struct watch {
	struct ask *ask;
	uint32_t members;
	uint64_t again_ns; /* when it is asked again; UINT64_MAX: it tells */
	bool is_judged;    /* or there is nobody to judge */
	char view[RINGKIT_VIEW_BYTES];
};

struct watches {
	uint32_t count;
	bool has_quorumd;
	struct watch watch[LIMIT_NODES];
};

static uint32_t
count_items(const char *list)
{
	uint32_t count = *list != '\0';

	for (; *list != '\0'; list++)
		count += *list == ',';
	return count;
}

/* ready and regular views name the view that is; others are on the way.
 * quorumd's have no phase, and what it says of quorum besides. */
static void
note(struct watch *watch, const struct ask_line *line)
{
	const char *quorate;

	if (line->kind == ASK_ERR) {
		watch->members = 0;
		watch->again_ns = clock_now_ns() + AGAIN_NS;
	}
	if (line->kind != ASK_EV ||
	    strcmp(ask_value(line, "phase"), "transitional") == 0)
		return;
	quorate = ask_value(line, "quorate");
	if (*quorate != '\0')
		watch->is_judged = strcmp(quorate, "unknown") != 0;
	if (strcmp(line->event, "ready") != 0 &&
	    strcmp(line->event, "view") != 0)
		return;
	watch->members = count_items(ask_value(line, "members"));
	snprintf(
	    watch->view, sizeof watch->view, "%s", ask_value(line, "view"));
}

/* Takes what has come in: 0 or why the connection is of no use. */
static int
drain(struct watch *watch)
{
	struct ask_line line;
	int rc;

	while ((rc = ask_next(watch->ask, &line, 0)) == 0)
		note(watch, &line);
	return rc == -ETIMEDOUT ? 0 : rc;
}

static bool
is_common(const struct watches *all)
{
	for (uint32_t i = 0; i < all->count; i++)
		if (all->watch[i].members != all->count ||
		    !all->watch[i].is_judged ||
		    strcmp(all->watch[i].view, all->watch[0].view) != 0)
			return false;
	return true;
}

static int
ask_watch(const struct watches *all, struct watch *watch)
{
	const char *request = all->has_quorumd ? "watch\n" : "views\n";

	watch->again_ns = UINT64_MAX;
	return ask_put(watch->ask, request, strlen(request));
}

static int
open_watch(const struct watches *all, const struct ringkit_layout *layout,
    uint32_t node, struct watch *watch, uint64_t deadline_ns)
{
	char rundir[RINGKIT_PATH_BYTES];
	int rc;

	watch->is_judged = !all->has_quorumd;
	ringkit_layout_rundir(layout, node, rundir);
	rc = ask_open(&watch->ask, rundir, all->has_quorumd ? "quorum" : "ring",
	    deadline_ns);
	return rc == 0 ? ask_watch(all, watch) : rc;
}

static int
wait_any(const struct watches *all, uint64_t deadline_ns)
{
	struct pollfd fds[LIMIT_NODES];
	uint64_t left_ns = num_sub(deadline_ns, clock_now_ns());

	if (left_ns == 0)
		return -ETIMEDOUT;
	for (uint32_t i = 0; i < all->count; i++)
		fds[i] =
		    (struct pollfd){ ask_fd(all->watch[i].ask), POLLIN, 0 };
	left_ns = num_min(left_ns, 60 * CLOCK_S_NS);
	for (uint32_t i = 0; i < all->count; i++)
		if (all->watch[i].again_ns != UINT64_MAX)
			left_ns = num_min(left_ns, AGAIN_NS);
	if (poll(fds, all->count,
		(int)((left_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS)) < 0 &&
	    errno != EINTR)
		return -errno;
	return 0;
}

/* A question goes out with the drain behind it. */
static int
wait_common(struct watches *all, uint64_t deadline_ns)
{
	for (;;) {
		int rc = 0;

		for (uint32_t i = 0; rc == 0 && i < all->count; i++) {
			if (all->watch[i].again_ns <= clock_now_ns())
				rc = ask_watch(all, &all->watch[i]);
			if (rc == 0)
				rc = drain(&all->watch[i]);
		}
		if (rc != 0)
			return rc;
		if (is_common(all))
			return 0;
		rc = wait_any(all, deadline_ns);
		if (rc != 0)
			return rc;
	}
}

enum exitcode
ringkit_views_wait(const struct ringkit_layout *layout, uint64_t deadline_ns,
    char view[RINGKIT_VIEW_BYTES])
{
	const uint32_t daemons = ringkit_daemons_installed(layout->daemons);
	struct watches all = { .count = layout->nodes,
		.has_quorumd = daemons >> RINGKIT_DAEMON_QUORUM & 1 };
	int rc = 0;

	for (uint32_t i = 0; rc == 0 && i < all.count; i++)
		rc =
		    open_watch(&all, layout, i + 1, &all.watch[i], deadline_ns);
	if (rc == 0)
		rc = wait_common(&all, deadline_ns);
	snprintf(view, RINGKIT_VIEW_BYTES, "%s", all.watch[0].view);
	for (uint32_t i = 0; i < all.count; i++)
		ask_close(all.watch[i].ask);
	if (rc == -ETIMEDOUT) {
		tool_warn(
		    "no common view in time: see %s/*/*.log", layout->dir);
		return EXITCODE_TIMEOUT;
	}
	if (rc != 0)
		tool_warn("%s/*/*.sock: %s", layout->dir, ask_strerror(rc));
	return ask_exitcode(rc);
}
