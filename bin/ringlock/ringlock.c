/* SPDX-License-Identifier: BSD-3-Clause */
/* Signals are read before every line of the store, so that none that came
 * before the lock did is behind it.
 */
#include "bin/ringlock/ringlock.h"

#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/base/text.h"
#include "libcommon/os/child.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/daemon.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/out.h"
#include "libcommon/os/record.h"
#include "libcommon/os/tool.h"
#include "libcommon/os/unixsock.h"

#include "bin/ringlock/ringlock_env.h"
#include "bin/ringlock/ringlock_stuck.h"
#include "bin/ringlock/ringlock_work.h"

enum { FDS = 8, VALUE_BYTES = 256 };

struct holder {
	const struct ringlock_options *options;
	struct loop *loop;
	struct feed *feed;
	struct lock *lock;
	struct ringlock_work work;
	struct out out;
	int signal_fd;
	int timer_fd;
	int work_slot; /* of the guard's descriptor; -1: none */
	int report_fd;
	bool is_over;
	const char *drop_why; /* the connection is to be made anew */
	int failed_code;      /* of work that could not begin; 0: none */
	bool has_told_end;
	int watchdog_fd;
	char value[VALUE_BYTES];
};

/* Ending, and what may be passed on. */
static const int end_signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
static const int other_signals[] = { SIGUSR1, SIGUSR2, SIGCONT, SIGWINCH,
	SIGTSTP };

static void carry_out(struct holder *h);

/* ---- what is said to the outside --------------------------------------- */

/* Once: the lock is held, or will not be. */
static void
report(struct holder *h, int code)
{
	if (h->report_fd < 0)
		return;
	(void)!write(h->report_fd, &code, sizeof code);
	fd_close(&h->report_fd);
	/* From here on nobody is to wait for us by waiting for our output. */
	h->report_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
	(void)dup2(h->report_fd, STDOUT_FILENO);
	(void)dup2(h->report_fd, STDERR_FILENO);
	fd_close(&h->report_fd);
}

static void
put_member(struct out *out, const char *key, const char *value, bool is_json)
{
	if (is_json) {
		record_put_json_bytes(out, key, value, strlen(value));
		return;
	}
	out_put_string(out, " ");
	out_put_string(out, key);
	out_put_string(out, "=");
	out_put_value(out, value, strlen(value));
}

static void
put_number(struct out *out, const char *key, uint64_t number, bool is_json)
{
	out_put_string(out, is_json ? ",\"" : " ");
	out_put_string(out, key);
	out_put_string(out, is_json ? "\":" : "=");
	out_put_u64(out, number);
}

/* Only who has no command to tell prints; nobody reads: then we must end. */
static void
print(struct holder *h, const char *event, const struct lock_effect *effect)
{
	bool is_json = h->options->is_json;

	if (h->options->command != NULL)
		return;
	out_put_string(&h->out, is_json ? "{\"v\":1,\"event\":\"" : "");
	out_put_string(&h->out, event);
	out_put_string(&h->out, is_json ? "\"" : "");
	put_member(&h->out, "name", h->options->lock.name, is_json);
	put_number(&h->out, "slot", effect->slot, is_json);
	put_number(&h->out, "token", effect->token, is_json);
	if (effect->text != NULL)
		put_member(&h->out, "why", effect->text, is_json);
	out_put_string(&h->out, is_json ? "}\n" : "\n");
	out_end(&h->out);
	if (out_flush(&h->out) != 0 && !h->is_over)
		raise(SIGTERM); /* it is blocked, and read in its turn */
}

static void
notify_held(const struct holder *h, const struct lock_effect *effect)
{
	char lines[LOCK_NAME_BYTES_MAX + 80];

	(void)snprintf(lines, sizeof lines,
	    "READY=1\nSTATUS=holds %s, token %llu\n", h->options->lock.name,
	    (unsigned long long)effect->token);
	daemon_notify(lines);
}

static void
notify_end(struct holder *h)
{
	if (!h->has_told_end)
		daemon_notify("STOPPING=1\n");
	h->has_told_end = true;
}

/* ---- the work ---------------------------------------------------------- */

static void on_work(
    struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns);

static void
watch_work(struct holder *h)
{
	int fd = ringlock_work_fd(&h->work);

	if (h->work_slot >= 0 && fd < 0) {
		loop_remove_fd(h->loop, h->work_slot);
		h->work_slot = -1;
		tree_close(&h->work.tree);
	} else if (h->work_slot < 0 && fd >= 0) {
		h->work_slot = loop_add_fd(h->loop, fd, on_work, h);
	}
}

/* It could not even begin: that will be its end. */
static void
fail_work(struct holder *h, int code, const char *what, int error)
{
	tool_warn("%s: %s", what, strerror(error));
	h->failed_code = code;
}

static void
start_work(struct holder *h, const struct lock_effect *effect)
{
	const struct ringlock_options *o = h->options;
	bool keeps = o->lock.ignores_loss;
	struct tree_command command = {
		.argv = o->command,
		.std = { -1, -1, -1 },
		.grace_ns = o->lock.grace_ns,
		.stop_ns = keeps ? 0 : effect->stop_ns,
		.kill_ns = keeps ? 0 : effect->kill_ns,
		.is_contained = o->is_contained,
	};
	int rc = 0;

	if (o->on_stuck == RINGLOCK_STUCK_WATCHDOG)
		rc = ringlock_stuck_arm(&h->watchdog_fd, o->watchdog,
		    effect->kill_ns + LOCK_MARGIN_NS);
	if (rc != 0) {
		fail_work(h, EXITCODE_OS, o->watchdog, -rc);
		return;
	}
	if (o->pid > 0) {
		command.stranger = o->pid;
		command.stranger_fd = h->work.strangers.root_fd;
	} else {
		command.envp = ringlock_env_make(&o->lock, effect);
	}
	rc = ringlock_work_start(&h->work, &command);
	if (rc != 0)
		fail_work(h, EXITCODE_WRAPPER,
		    o->pid > 0 ? "--for-pid" : o->command[0], -rc);
}

/* What the work has come to; told to the core once each. */
static void
look_at_work(struct holder *h)
{
	enum ringlock_work_state before = h->work.state, after;
	uint64_t now_ns = clock_boot_ns();

	ringlock_work_turn(&h->work);
	after = h->work.state;
	watch_work(h);
	if (before == RINGLOCK_WORK_RUNS && after != before &&
	    !h->work.tree.is_lost) {
		if (h->work.tree.error != 0)
			tool_warn("%s: %s", h->options->command[0],
			    strerror(h->work.tree.error));
		lock_work_ended(h->lock, tree_code(&h->work.tree), now_ns);
		carry_out(h);
	}
	if (before != after && after == RINGLOCK_WORK_EMPTY) {
		lock_work_empty(h->lock, h->work.is_guard_lost, now_ns);
		carry_out(h);
	}
}

/* ---- effects ----------------------------------------------------------- */

static void
send_request(struct holder *h, const struct lock_effect *effect)
{
	if (!feed_put(h->feed, effect->bytes, effect->len))
		h->drop_why = "requests pile up";
}

static void
hold(struct holder *h, const struct lock_effect *effect)
{
	print(h, "held", effect);
	if (h->options->lock.has_work)
		start_work(h, effect);
	if (h->failed_code != 0)
		return;
	report(h, 0);
	notify_held(h, effect);
	tool_say("%s: held, slot %llu, token %llu", h->options->lock.name,
	    (unsigned long long)effect->slot,
	    (unsigned long long)effect->token);
}

static void
lose(struct holder *h, const struct lock_effect *effect)
{
	tool_warn("%s: lost: %s", h->options->lock.name, effect->text);
	print(h, "lost", effect);
	notify_end(h);
}

static void
be_stuck(struct holder *h, const struct lock_effect *effect)
{
	tool_warn("%s: %s", h->options->lock.name, effect->text);
	if (h->options->on_stuck == RINGLOCK_STUCK_REBOOT)
		ringlock_stuck_reboot();
	/* A watchdog that is armed needs nothing but to be left alone. */
	h->watchdog_fd = -1;
}

static void
end(struct holder *h, const struct lock_effect *effect)
{
	h->is_over = true;
	notify_end(h);
	report(h, effect->code);
	ringlock_stuck_disarm(&h->watchdog_fd);
	feed_stop(h->feed);
	if (effect->signo != 0)
		ringlock_die(effect->signo);
	loop_stop(h->loop, effect->code);
}

static void
until(struct holder *h, const struct lock_effect *effect)
{
	if (h->options->lock.ignores_loss)
		return;
	ringlock_work_until(&h->work, effect->stop_ns, effect->kill_ns);
	ringlock_stuck_feed(h->watchdog_fd, effect->kill_ns + LOCK_MARGIN_NS);
}

static void
carry_out_one(struct holder *h, const struct lock_effect *effect)
{
	switch (effect->kind) {
	case LOCK_SEND:
		send_request(h, effect);
		break;
	case LOCK_RECONNECT:
		h->drop_why = effect->text;
		break;
	case LOCK_HELD:
		hold(h, effect);
		break;
	case LOCK_UNTIL:
		until(h, effect);
		break;
	case LOCK_STOP:
		notify_end(h);
		ringlock_work_stop(&h->work, effect->grace_ns);
		break;
	case LOCK_SIGNAL:
		tree_signal(&h->work.tree, effect->signo);
		break;
	case LOCK_LOST:
		lose(h, effect);
		break;
	case LOCK_STUCK:
		be_stuck(h, effect);
		break;
	case LOCK_WARN:
		tool_warn("%s: %s", h->options->lock.name, effect->text);
		break;
	case LOCK_END:
		end(h, effect);
		break;
	}
}

/* What effects lead to is an input, when all of them are carried out. */
static void
follow_up(struct holder *h)
{
	const char *why = h->drop_why;
	int code = h->failed_code;

	h->drop_why = NULL;
	h->failed_code = 0;
	if (h->is_over)
		return;
	if (why != NULL)
		feed_drop(h->feed, why, clock_now_ns());
	if (code == 0)
		return;
	lock_work_ended(h->lock, code, clock_boot_ns());
	carry_out(h);
	lock_work_empty(h->lock, false, clock_boot_ns());
	carry_out(h);
}

static void
carry_out(struct holder *h)
{
	struct lock_effect effect;

	while (lock_next(h->lock, &effect))
		carry_out_one(h, &effect);
	if (h->drop_why != NULL || h->failed_code != 0)
		follow_up(h);
	watch_work(h);
}

/* ---- inputs ------------------------------------------------------------ */

static bool
is_end_signal(int signo)
{
	for (size_t i = 0; i < ARRAY_COUNT(end_signals); i++)
		if (end_signals[i] == signo)
			return true;
	return false;
}

static void
take_signals(struct holder *h)
{
	struct signalfd_siginfo info;

	while (!h->is_over &&
	    read(h->signal_fd, &info, sizeof info) == sizeof info) {
		int signo = (int)info.ssi_signo;

		lock_signal(h->lock,
		    is_end_signal(signo) ? LOCK_SIGNAL_END : LOCK_SIGNAL_OTHER,
		    signo, clock_boot_ns());
		carry_out(h);
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
on_work(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	(void)loop;
	(void)ready;
	(void)now_ns;
	look_at_work(arg);
}

static void
on_opened(void *arg, struct feed *feed, uint64_t now_ns)
{
	struct holder *h = arg;

	(void)feed;
	(void)now_ns;
	take_signals(h);
	if (h->is_over)
		return;
	lock_opened(h->lock, clock_boot_ns());
	carry_out(h);
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
	struct holder *h = arg;
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
	carry_out(h);
}

static void
on_closed(void *arg, struct feed *feed, const char *why, uint64_t now_ns)
{
	struct holder *h = arg;

	(void)feed;
	(void)now_ns;
	if (h->is_over)
		return;
	tool_say("the store: %s", why);
	lock_closed(h->lock, "the daemon went away", clock_boot_ns());
	carry_out(h);
}

/* ---- time -------------------------------------------------------------- */

static void
on_time(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	struct holder *h = arg;
	uint64_t expirations;

	(void)loop;
	(void)ready;
	(void)now_ns;
	(void)!read(h->timer_fd, &expirations, sizeof expirations);
	take_signals(h);
	if (h->is_over)
		return;
	look_at_work(h);
	if (h->is_over)
		return;
	lock_pass(h->lock, clock_boot_ns());
	carry_out(h);
}

/* At the end of every turn. */
static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct holder *h = arg;
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

/* Those that were ignored stay so: nohup, and shells' background. */
static int
catch_signals(void)
{
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_COUNT(end_signals); i++) {
		struct sigaction now;

		if (sigaction(end_signals[i], NULL, &now) == 0 &&
		    now.sa_handler != SIG_IGN)
			sigaddset(&set, end_signals[i]);
	}
	for (size_t i = 0; i < ARRAY_COUNT(other_signals); i++)
		sigaddset(&set, other_signals[i]);
	sigprocmask(SIG_BLOCK, &set, NULL);
	(void)signal(SIGCHLD, SIG_DFL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

void
ringlock_die(int signo)
{
	sigset_t set;

	signal(signo, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
}

/* For those who ask who holds it. */
static void
make_value(struct holder *h)
{
	char host[64] = "";

	if (gethostname(host, sizeof host) < 0)
		host[0] = '\0';
	host[sizeof host - 1] = '\0';
	(void)snprintf(
	    h->value, sizeof h->value, "host=%s pid=%ld", host, (long)getpid());
}

static bool
create_parts(struct holder *h, struct arena *arena)
{
	const struct ringlock_options *o = h->options;
	char path[UNIXSOCK_PATH_BYTES];
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
	h->loop = loop_create(arena, FDS);
	h->feed = feed_create(arena, &feed);
	h->lock = lock_create(arena, &lock, now_ns);
	return h->loop != NULL;
}

static void
create(struct holder *h)
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

/* 0 or -E…. */
static int
open_all(struct holder *h)
{
	int rc;

	/* What loses the guard is adopted by us. */
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0 || h->signal_fd < 0)
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
	static struct holder h;
	int rc;

	h = (struct holder){ .options = options,
		.report_fd = report_fd,
		.timer_fd = -1,
		.work_slot = -1,
		.watchdog_fd = -1 };
	/* First of all: none of them may be missed. */
	h.signal_fd = catch_signals();
	ringlock_work_init(&h.work);
	create(&h);
	rc = open_all(&h);
	if (rc < 0) {
		tool_warn("%s", strerror(-rc));
		report(&h, EXITCODE_OS);
		return EXITCODE_OS;
	}
	feed_start(h.feed, h.loop, clock_now_ns());
	loop_add_flush(h.loop, on_flush, &h);
	if (*feed_trouble(h.feed) != '\0')
		lock_unreachable(h.lock, feed_trouble(h.feed), clock_boot_ns());
	carry_out(&h);
	if (h.is_over)
		return EXITCODE_UNAVAILABLE;
	on_flush(h.loop, &h, 0); /* for the first turn */
	rc = loop_run(h.loop);
	return rc < 0 ? EXITCODE_OS : rc;
}
