/* SPDX-License-Identifier: BSD-3-Clause */
/* Waiting for all that may happen, and for time. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "libcommon/base/num.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/tool.h"

#include "bin/watch-membership/watcher_hooks.h"
#include "bin/watch-membership/watcher_internal.h"
#include "bin/watch-membership/watcher_print.h"

static void
check_output(struct watcher *w)
{
	if (w->printer->out.rc != 0)
		tool_fail_output(w->printer->out.rc);
	if (out_is_deserted(&w->printer->out))
		tool_fail_output(-EPIPE);
}

static enum watcher_step
ask_tick(struct watcher *w)
{
	int rc = ask_put(w->ask, "#tick ping\n", strlen("#tick ping\n"));

	w->is_pinging = true;
	w->tick_ns = UINT64_MAX;
	w->ping_end_ns = ask_deadline_ns();
	if (rc == 0)
		rc = ask_flush(w->ask, 0);
	if (rc == -ETIMEDOUT)
		rc = 0; /* it goes with the next that is read */
	return rc == 0 ? WATCHER_ON : watcher_lose(w, rc);
}

enum watcher_step
watcher_turn_hooks(struct watcher *w)
{
	int code;

	if (w->options->hooks == NULL ||
	    watcher_hooks_turn(w->options->hooks, &code) == 0)
		return WATCHER_ON;
	w->is_closing = false;
	return watcher_end(w, (enum exitcode)code);
}

enum watcher_step
watcher_look(struct watcher *w)
{
	w->line_count = 0;
	if (w->options->hooks == NULL)
		check_output(w);
	if (clock_now_ns() < w->deadline_ns)
		return watcher_turn_hooks(w);
	w->is_closing = false;
	return watcher_end(w, EXITCODE_TIMEOUT);
}

/* Is it still there?  To be asked when all that it said was read. */
static enum watcher_step
look_at_daemon(struct watcher *w)
{
	uint64_t now_ns = clock_now_ns();

	if (w->ask == NULL || w->is_closing)
		return WATCHER_ON;
	if (w->is_pinging && now_ns >= w->ping_end_ns)
		return watcher_lose(w, -ETIMEDOUT);
	return now_ns >= w->tick_ns ? ask_tick(w) : WATCHER_ON;
}

/* For poll: until the next thing that is due by itself. */
static int
wait_ms(const struct watcher *w, uint64_t until_ns)
{
	uint64_t at_ns = num_min(until_ns, w->deadline_ns), now_ns, left_ns;

	if (w->options->hooks != NULL)
		at_ns = num_min(
		    at_ns, watcher_hooks_deadline_ns(w->options->hooks));
	if (w->ask != NULL && !w->is_closing)
		at_ns =
		    num_min(at_ns, w->is_pinging ? w->ping_end_ns : w->tick_ns);
	if (at_ns == UINT64_MAX)
		return -1;
	now_ns = clock_now_ns();
	left_ns = num_min(num_sub(at_ns, now_ns), 60 * CLOCK_S_NS);
	return (int)((left_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
}

/* The look was at the end of the last hook: nothing more will happen. */
static bool
is_all_done(const struct watcher *w)
{
	return w->is_closing && hook_is_idle(w->options->hooks->hook);
}

enum watcher_step
watcher_wait(struct watcher *w, int fd, uint64_t until_ns)
{
	struct pollfd fds[2 + HOOK_FDS] = {
		{ fd, POLLIN, 0 },
		{ w->printer->out.fd, 0, 0 },
	};
	nfds_t count = 2;
	int rc = out_flush(&w->printer->out);
	enum watcher_step step;

	if (rc != 0)
		tool_fail_output(rc);
	step = watcher_look(w);
	if (step == WATCHER_ON)
		step = look_at_daemon(w);
	if (step != WATCHER_ON || is_all_done(w))
		return step;
	if (w->options->hooks != NULL) {
		fds[1].fd = -1;
		hook_poll(w->options->hooks->hook, fds + count);
		count += HOOK_FDS;
	}
	if (poll(fds, count, wait_ms(w, until_ns)) < 0 && errno != EINTR)
		return watcher_lose(w, -errno);
	return WATCHER_ON;
}
