/* SPDX-License-Identifier: BSD-3-Clause */
/* What the core orders, done; what the work comes to, told. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "libcommon/os/clock.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/fd.h"
#include "libcommon/os/feed.h"
#include "libcommon/os/loop.h"
#include "libcommon/os/tool.h"
#include "libcommon/os/vital.h"

#include "bin/ringlock/ringlock_env.h"
#include "bin/ringlock/ringlock_internal.h"
#include "bin/ringlock/ringlock_say.h"
#include "bin/ringlock/ringlock_signals.h"
#include "bin/ringlock/ringlock_stuck.h"

/* ---- what is said to the outside --------------------------------------- */

void
ringlock_report(struct ringlock *h, int code)
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

void
ringlock_unheard(struct ringlock *h, int rc)
{
	if (h->is_over || h->unheard_code != 0)
		return;
	h->unheard_code = EXITCODE_IO;
	if (rc == -EPIPE)
		h->unheard_code = 128 + SIGPIPE;
	else
		tool_warn("standard output: %s", strerror(-rc));
	raise(SIGTERM); /* it is blocked, and read in its turn */
}

static void
print(struct ringlock *h, const char *event, const struct lock_effect *effect)
{
	int rc = ringlock_say_event(&h->out, h->options, event, effect);

	if (rc != 0)
		ringlock_unheard(h, rc);
}

/* ---- the work ---------------------------------------------------------- */

static void on_work(
    struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns);

static void
watch_work(struct ringlock *h)
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
fail_work(struct ringlock *h, int code, const char *what, int error)
{
	tool_warn("%s: %s", what, strerror(error));
	h->failed_code = code;
}

static void
start_work(struct ringlock *h, const struct lock_effect *effect)
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
		.is_vital = true,
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
	vital_become(); /* behind the last fork: the work is not vital */
	if (rc != 0)
		fail_work(h, EXITCODE_WRAPPER,
		    o->pid > 0 ? "--for-pid" : o->command[0], -rc);
}

void
ringlock_look_at_work(struct ringlock *h)
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
		ringlock_carry_out(h);
	}
	if (before != after && after == RINGLOCK_WORK_EMPTY) {
		lock_work_empty(h->lock, h->work.is_guard_lost, now_ns);
		ringlock_carry_out(h);
	}
}

static void
on_work(struct loop *loop, void *arg, uint32_t ready, uint64_t now_ns)
{
	(void)loop;
	(void)ready;
	(void)now_ns;
	ringlock_look_at_work(arg);
}

/* ---- effects ----------------------------------------------------------- */

static void
send_request(struct ringlock *h, const struct lock_effect *effect)
{
	if (!feed_put(h->feed, effect->bytes, effect->len))
		h->drop_why = "requests pile up";
}

static void
hold(struct ringlock *h, const struct lock_effect *effect)
{
	print(h, "held", effect);
	if (h->options->lock.has_work && h->unheard_code != 0)
		h->failed_code = h->unheard_code;
	else if (h->options->lock.has_work)
		start_work(h, effect);
	if (h->failed_code != 0)
		return;
	ringlock_report(h, 0);
	ringlock_say_ready(h->options->lock.name, effect);
	tool_say("%s: held, slot %llu, token %llu", h->options->lock.name,
	    (unsigned long long)effect->slot,
	    (unsigned long long)effect->token);
}

static void
lose(struct ringlock *h, const struct lock_effect *effect)
{
	tool_warn("%s: lost: %s", h->options->lock.name, effect->text);
	print(h, "lost", effect);
	ringlock_say_stopping();
}

static void
be_stuck(struct ringlock *h, const struct lock_effect *effect)
{
	tool_warn("%s: %s", h->options->lock.name, effect->text);
	if (h->options->on_stuck == RINGLOCK_STUCK_REBOOT)
		ringlock_stuck_reboot();
	/* A watchdog that is armed needs nothing but to be left alone. */
	h->watchdog_fd = -1;
}

static void
end(struct ringlock *h, const struct lock_effect *effect)
{
	bool is_ours = effect->signo == SIGTERM && h->unheard_code != 0;
	int code = is_ours ? h->unheard_code : effect->code;

	h->is_over = true;
	ringlock_say_stopping();
	ringlock_report(h, code);
	ringlock_stuck_disarm(&h->watchdog_fd);
	feed_stop(h->feed);
	if (effect->signo != 0 && !is_ours)
		ringlock_signals_die(effect->signo);
	loop_stop(h->loop, code);
}

static void
until(struct ringlock *h, const struct lock_effect *effect)
{
	if (h->options->lock.ignores_loss)
		return;
	ringlock_work_until(&h->work, effect->stop_ns, effect->kill_ns);
	ringlock_stuck_feed(h->watchdog_fd, effect->kill_ns + LOCK_MARGIN_NS);
}

static void
carry_out_one(struct ringlock *h, const struct lock_effect *effect)
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
		ringlock_say_stopping();
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
follow_up(struct ringlock *h)
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
	ringlock_carry_out(h);
	lock_work_empty(h->lock, false, clock_boot_ns());
	ringlock_carry_out(h);
}

void
ringlock_carry_out(struct ringlock *h)
{
	struct lock_effect effect;

	while (lock_next(h->lock, &effect))
		carry_out_one(h, &effect);
	if (h->drop_why != NULL || h->failed_code != 0)
		follow_up(h);
	watch_work(h);
}
