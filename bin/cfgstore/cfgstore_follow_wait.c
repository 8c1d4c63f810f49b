/* SPDX-License-Identifier: BSD-3-Clause */
/* Asking the daemon to tell, and waiting for whatever comes next. */
#include <errno.h>
#include <poll.h>
#include <string.h>

#include "libcommon/base/limits.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/hook.h"
#include "libcommon/os/tool.h"

#include "bin/cfgstore/cfgstore_follow.h"
#include "bin/cfgstore/cfgstore_link.h"
#include "bin/cfgstore/cfgstore_scope.h"

#define PING_NS    (2 * CLOCK_S_NS)
#define CONNECT_NS (250 * CLOCK_MS_NS)

uint64_t
cfgstore_follow_later(uint64_t now_ns, uint64_t span_ns)
{
	return span_ns > UINT64_MAX - now_ns ? UINT64_MAX : now_ns + span_ns;
}

enum cfgstore_step
cfgstore_follow_end(struct cfgstore_follow *follow, enum exitcode code)
{
	follow->code = code;
	return CFGSTORE_END;
}

enum cfgstore_step
cfgstore_follow_lose(struct cfgstore_follow *follow, int rc)
{
	follow->rc = rc;
	return CFGSTORE_LOST;
}

/* ---- the subscription -------------------------------------------------- */

static void
put_request(const struct cfgstore_follow *follow, struct text *line)
{
	bool has_rev = follow->has_rev && !follow->is_filling;

	text_put(line, "watch id=1");
	cfgstore_scope_put(follow->scope, line);
	if (has_rev || (follow->has_since && !follow->is_ready)) {
		text_put(line, " since=");
		text_put_u64(line, has_rev ? follow->rev : follow->since);
	} else {
		text_put(line,
		    follow->is_live_only && !follow->is_ready
			? " snapshot=no"
			: " snapshot=yes");
	}
	text_put_char(line, '\n');
}

static enum cfgstore_step
subscribe(struct cfgstore_follow *follow)
{
	char bytes[LIMIT_REQUEST_BYTES];
	struct text line;
	int rc;

	text_init(&line, bytes, sizeof bytes);
	if (follow->is_sync && !follow->is_ready)
		text_put(&line, "sync\n");
	put_request(follow, &line);
	if (line.is_full) {
		tool_warn("too long for one request");
		return cfgstore_follow_end(follow, EXITCODE_DATA);
	}
	follow->is_subscribed = follow->is_pinging = false;
	follow->part_rev = follow->part_count = 0;
	follow->ping_ns = UINT64_MAX;
	follow->answer_ns = ask_deadline_ns();
	rc = ask_put(follow->ask, line.bytes, line.len);
	return rc == 0 ? CFGSTORE_ON : cfgstore_follow_lose(follow, rc);
}

/* Nobody looks after the hooks meanwhile. */
static uint64_t
connect_deadline_ns(const struct cfgstore_follow *follow)
{
	uint64_t deadline_ns = ask_deadline_ns();

	if (follow->hook == NULL || !follow->is_ready)
		return deadline_ns;
	return num_min(deadline_ns, clock_now_ns() + CONNECT_NS);
}

enum cfgstore_step
cfgstore_follow_connect(struct cfgstore_follow *follow)
{
	int rc = ask_open(&follow->ask, opt_rundir(cfgstore_given.rundir),
	    "cfg", connect_deadline_ns(follow));

	return rc == 0 ? subscribe(follow) : cfgstore_follow_lose(follow, rc);
}

/* ---- waiting ----------------------------------------------------------- */

static void
check_output(const struct cfgstore_follow *follow)
{
	if (follow->out->rc != 0)
		tool_fail_output(follow->out->rc);
	if (follow->hook == NULL && out_is_deserted(follow->out))
		tool_fail_output(-EPIPE);
}

/* Is it still there?  To be asked when all that it said was read. */
static enum cfgstore_step
ping(struct cfgstore_follow *follow)
{
	static const char request[] = "#ping ping\n";
	int rc = ask_put(follow->ask, request, strlen(request));

	follow->is_pinging = true;
	follow->ping_ns = UINT64_MAX;
	follow->answer_ns = ask_deadline_ns();
	if (rc == 0)
		rc = ask_flush(follow->ask, 0);
	if (rc == -ETIMEDOUT)
		rc = 0; /* it goes with the next that is read */
	return rc == 0 ? CFGSTORE_ON : cfgstore_follow_lose(follow, rc);
}

static enum cfgstore_step
look_at_daemon(struct cfgstore_follow *follow)
{
	uint64_t now_ns = clock_now_ns();

	if (follow->ask == NULL)
		return CFGSTORE_ON;
	if (now_ns >= follow->answer_ns)
		return cfgstore_follow_lose(follow, -ETIMEDOUT);
	if (follow->ping_ns == UINT64_MAX && follow->answer_ns == UINT64_MAX)
		follow->ping_ns = now_ns + PING_NS;
	return now_ns >= follow->ping_ns ? ping(follow) : CFGSTORE_ON;
}

enum cfgstore_step
cfgstore_follow_look(struct cfgstore_follow *follow)
{
	int code;

	follow->line_count = 0;
	check_output(follow);
	if (clock_now_ns() >= follow->deadline_ns)
		return cfgstore_follow_end(follow, EXITCODE_TIMEOUT);
	if (follow->hook == NULL ||
	    hook_turn(follow->hook, clock_now_ns(), &code) == 0)
		return CFGSTORE_ON;
	return cfgstore_follow_end(follow, (enum exitcode)code);
}

/* For poll: until the next thing that is due by itself. */
static int
wait_ms(const struct cfgstore_follow *follow, uint64_t until_ns)
{
	uint64_t at_ns = num_min(until_ns, follow->deadline_ns), left_ns;

	if (follow->hook != NULL)
		at_ns = num_min(at_ns, hook_deadline_ns(follow->hook));
	if (follow->ask != NULL)
		at_ns =
		    num_min(at_ns, num_min(follow->answer_ns, follow->ping_ns));
	if (at_ns == UINT64_MAX)
		return -1;
	left_ns = num_min(num_sub(at_ns, clock_now_ns()), 60 * CLOCK_S_NS);
	return (int)((left_ns + CLOCK_MS_NS - 1) / CLOCK_MS_NS);
}

/* The look was at the end of the last hook: nothing more will happen. */
static bool
is_all_done(const struct cfgstore_follow *follow)
{
	return follow->is_finishing && hook_is_idle(follow->hook);
}

enum cfgstore_step
cfgstore_follow_wait(struct cfgstore_follow *follow, int fd, uint64_t until_ns)
{
	struct pollfd fds[2 + HOOK_FDS] = {
		{ fd, POLLIN, 0 },
		{ follow->out->fd, 0, 0 },
	};
	nfds_t count = 2;
	int rc = out_flush(follow->out);
	enum cfgstore_step step;

	if (rc != 0)
		tool_fail_output(rc);
	step = cfgstore_follow_look(follow);
	if (step == CFGSTORE_ON && fd >= 0)
		step = look_at_daemon(follow);
	if (step != CFGSTORE_ON || is_all_done(follow))
		return step;
	if (follow->hook != NULL) {
		fds[1].fd = -1;
		hook_poll(follow->hook, fds + count);
		count += HOOK_FDS;
	}
	if (poll(fds, count, wait_ms(follow, until_ns)) < 0 && errno != EINTR)
		return cfgstore_follow_lose(follow, -errno);
	return CFGSTORE_ON;
}
