/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals are read before every line of the store, so that none that came
 * before the lock did is behind it.
 */
#include "bin/ringlock/ringlock.h"

#include <sys/prctl.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/ask.h"
#include "libcommon/os/child.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/tool.h"

#include "bin/ringlock/ringlock_internal.h"
#include "bin/ringlock/ringlock_signals.h"

/* ---- inputs ------------------------------------------------------------ */

static void
take_signals(struct ringlock *h)
{
	int signo;

	while (
	    !h->is_over && (signo = ringlock_signals_next(h->signal_fd)) != 0) {
		lock_signal(h->lock,
		    ringlock_signals_is_end(signo) ? LOCK_SIGNAL_END
						   : LOCK_SIGNAL_OTHER,
		    signo, clock_boot_ns());
		ringlock_carry_out(h);
	}
}

static void
on_signal(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	(void)loop;
	(void)ready;
	(void)now_ns;
	take_signals(arg);
}

static void
on_opened(void *arg, struct feed *feed, uint64_t now_ns)
{
	struct ringlock *h = arg;

	(void)feed;
	(void)now_ns;
	take_signals(h);
	if (h->is_over)
		return;
	lock_opened(h->lock, clock_boot_ns());
	ringlock_carry_out(h);
}

static void
on_line(
    void *arg, struct feed *feed, const struct feed_line *line, uint64_t now_ns)
{
	static const enum lock_line_kind kinds[] = {
		[FEED_OK] = LOCK_OK,
		[FEED_NO] = LOCK_NO,
		[FEED_ERR] = LOCK_ERR,
		[FEED_ITEM] = LOCK_ITEM,
		[FEED_EV] = LOCK_EV,
	};
	struct ringlock *h = arg;
	struct lock_line told = { .kind = kinds[line->kind],
		.tag = line->tag,
		.event = line->event,
		.word = line->word,
		.data = line->data,
		.len = line->len };

	(void)feed;
	(void)now_ns;
	take_signals(h);
	if (h->is_over)
		return;
	lock_line(h->lock, &told, clock_boot_ns());
	ringlock_carry_out(h);
}

static void
on_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	struct ringlock *h = arg;

	(void)feed;
	(void)now_ns;
	if (h->is_over)
		return;
	tool_say("the store: %s", why);
	lock_closed(h->lock, "the daemon went away", clock_boot_ns());
	ringlock_carry_out(h);
}

/* ---- time -------------------------------------------------------------- */

static void
on_time(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct ringlock *h = arg;
	uint64_t expirations;

	(void)loop;
	(void)ready;
	(void)now_ns;
	(void)!read(h->timer_fd, &expirations, sizeof expirations);
	take_signals(h);
	if (h->is_over)
		return;
	ringlock_look_at_work(h);
	if (h->is_over)
		return;
	lock_pass(h->lock, clock_boot_ns());
	ringlock_carry_out(h);
}

/* At the end of every turn. */
static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct ringlock *h = arg;
	uint64_t due_ns = num_max(1,
	    num_min(lock_deadline_ns(h->lock),
		ringlock_work_deadline_ns(&h->work)));
	struct itimerspec when = { 0 };

	(void)loop;
	(void)now_ns;
	if (due_ns != UINT64_MAX) {
		when.it_value.tv_sec = (time_t)(due_ns / CLOCK_S_NS);
		when.it_value.tv_nsec = (long)(due_ns % CLOCK_S_NS);
	}
	(void)timerfd_settime(h->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

/* ---- beginning --------------------------------------------------------- */

/* For those who ask who holds it. */
static void
make_value(struct ringlock *h)
{
	char host[64] = "";

	if (gethostname(host, sizeof host) < 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	(void)snprintf(
	    h->value, sizeof h->value, "host=%s pid=%ld", host, (long)getpid());
}

static bool
create_parts(struct ringlock *h, struct arena *arena)
{
	const struct ringlock_options *o = h->options;
	char path[RINGLOCK_PATH_BYTES];
	struct feed_config feed = { .path = path,
		.arg = h,
		.opened = on_opened,
		.line = on_line,
		.closed = on_closed };
	struct lock_config lock = o->lock;
	uint64_t now_ns = clock_boot_ns();

	(void)snprintf(path, sizeof path, "%s/cfg.sock", o->rundir);
	if (lock.value == NULL) {
		make_value(h);
		lock.value = h->value;
		lock.value_len = strlen(h->value);
	}
	if (lock.wait_ns != UINT64_MAX)
		lock.wait_ns = now_ns + num_min(lock.wait_ns, INT64_MAX);
	h->loop = loop_create(arena, RINGLOCK_FDS);
	h->feed = feed_create(arena, &feed);
	h->lock = lock_create(arena, &lock, now_ns);
	return h->loop != NULL;
}

static void
create(struct ringlock *h)
{
	struct arena measure, arena;
	unsigned char *base;

	arena_init(&measure, NULL, 0);
	(void)create_parts(h, &measure);
	base = daemon_map_memory(measure.used_bytes);
	if (base == NULL)
		tool_fail(EXITCODE_OS, "out of memory");
	arena_init(&arena, base, measure.used_bytes);
	ENSURE(create_parts(h, &arena));
	if (out_open(&h->out, STDOUT_FILENO) != 0)
		tool_fail(EXITCODE_OS, "out of memory");
}

static void
on_unread(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct ringlock *h = arg;

	(void)ready;
	(void)now_ns;
	loop_remove_fd(loop, h->out_slot);
	h->out_slot = -1;
	ringlock_unheard(h, -EPIPE);
}

/* Who has no command is heard as long as somebody reads; files always are. */
static void
watch_reader(struct ringlock *h)
{
	if (h->options->command != NULL || h->options->pid > 0)
		return;
	h->out_slot = loop_add_fd(h->loop, STDOUT_FILENO, on_unread, h);
	if (h->out_slot >= 0)
		loop_want(h->loop, h->out_slot, 0);
}

/* 0 or -E…. */
static int
open_all(struct ringlock *h)
{
	int rc;

	/* What loses the guard is adopted by us. */
	if (h->signal_fd < 0)
		return h->signal_fd;
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return -errno;
	h->timer_fd =
	    timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
	if (h->timer_fd < 0)
		return -errno;
	if (h->options->pid > 0) {
		rc = child_open(h->options->pid);
		if (rc < 0)
			return rc;
		h->work.strangers.root_fd = rc;
	}
	rc = loop_open(h->loop);
	if (rc == 0)
		rc = loop_add_fd(h->loop, h->signal_fd, on_signal, h);
	if (rc >= 0)
		rc = loop_add_fd(h->loop, h->timer_fd, on_time, h);
	return rc < 0 ? rc : 0;
}

int
ringlock_hold(const struct ringlock_options *options, int report_fd)
{
	static struct ringlock h;
	int rc;

	h = (struct ringlock){ .options = options,
		.report_fd = report_fd,
		.timer_fd = -1,
		.work_slot = -1,
		.out_slot = -1,
		.watchdog_fd = -1 };
	/* First of all: none of them may be missed. */
	h.signal_fd = ringlock_signals_open(true);
	ringlock_work_init(&h.work);
	create(&h);
	rc = open_all(&h);
	if (rc < 0) {
		if (rc == -ESRCH || rc == -ENOENT)
			tool_warn("--for-pid: there is no such process");
		else
			tool_warn("%s", strerror(-rc));
		ringlock_report(&h, EXITCODE_OS);
		return EXITCODE_OS;
	}
	watch_reader(&h);
	feed_start(h.feed, h.loop, clock_now_ns());
	loop_add_flush(h.loop, on_flush, &h);
	if (*feed_trouble(h.feed) != '\0')
		lock_unreachable(h.lock,
		    ask_explain(options->rundir, "cfg", feed_trouble(h.feed)),
		    clock_boot_ns());
	ringlock_carry_out(&h);
	if (h.is_over)
		return EXITCODE_UNAVAILABLE;
	on_flush(h.loop, &h, 0); /* for the first turn */
	rc = loop_run(h.loop);
	return rc < 0 ? EXITCODE_OS : rc;
}
