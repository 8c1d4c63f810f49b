/* SPDX-License-Identifier: BSD-3-Clause */
/* What follows from the end of a child, and what may end it. */
#include <sys/wait.h>

#include <unistd.h>

#include "libcommon/base/num.h"
#include "libcommon/os/exitcode.h"
#include "libcommon/os/log.h"

#include "bin/ringd/ringd_bind.h"
#include "bin/ringd/ringd_reload.h"
#include "bin/ringd/session.h"
#include "bin/ringd/supervisor.h"

/* true: another configuration was taken by the child; where it lies does not
 * tell, for the one after the next lies there again. */
static bool
takes_conf(struct supervisor *s)
{
	const struct ringd_confs *confs = s->plan.confs;
	const uint32_t at = confs != NULL ? atomic_load(&confs->at) : 0;

	if (at == s->conf_at)
		return false;
	s->conf_at = at;
	s->plan.conf = ringd_confs_get(confs, s->plan.conf);
	if (s->plan.sockets != NULL)
		ringd_bind_pick(s->plan.sockets, s->plan.conf, s->plan.links);
	return true;
}

/* It is there, or a zombie: nobody else has its number. */
void
supervisor_signal(const struct supervisor *s, int signo)
{
	siginfo_t end = { .si_pid = 0 };

	if (waitid(P_PID, (id_t)s->child, &end, WEXITED | WNOHANG | WNOWAIT) ==
	    0)
		kill(s->child, signo);
}

/* First of all that follows from a death: the others wait for it. */
static void
tell(struct supervisor *s, const siginfo_t *end)
{
	struct session_obituary what = {
		.incarnation = atomic_load(&s->page->incarnation),
		.death = SESSION_DEATH_SIGNAL,
		.number = (uint8_t)end->si_status,
	};

	const bool has_keys = supervisor_take_keys(s->page, s->plan.keys);
	const bool has_conf = takes_conf(s);

	if (has_keys || has_conf)
		obituary_init(
		    &s->obituary, s->plan.conf, s->plan.keys, s->plan.links);
	if (what.incarnation == 0 || atomic_load(&s->page->has_left))
		return;
	if (end->si_code == CLD_EXITED)
		what.death = SESSION_DEATH_EXIT;
	else if (s->is_killed)
		what.death = SESSION_DEATH_HANG;
	obituary_send(&s->obituary, &what);
}

/*
 * A child that ended with a code knew what it did, and the code is for whoever
 * started us; but 75 asks for a new life.  If none ever served, the next one
 * will not do so.
 */
static bool
is_last(const struct supervisor *s, const siginfo_t *end)
{
	if (s->is_leaving || !s->has_served)
		return true;
	return end->si_code == CLD_EXITED &&
	    !supervisor_is_passing(end->si_status, s->is_serving);
}

static int
last_code(const struct supervisor *s, const siginfo_t *end)
{
	if (end->si_code == CLD_EXITED)
		return end->si_status;
	if (s->is_leaving && end->si_status == SUPERVISOR_LEAVE)
		return EXITCODE_OK; /* before it could do anything */
	return EXITCODE_INTERNAL;
}

static void
bury(struct supervisor *s, const siginfo_t *end, uint64_t now_ns)
{
	uint64_t delay_ns;

	s->child = 0;
	s->is_over = is_last(s, end);
	s->code = last_code(s, end);
	if (!s->is_over) {
		delay_ns = supervisor_delay_ns(
		    &s->deaths, num_sub(now_ns, s->born_ns));
		s->birth_ns = now_ns + delay_ns;
		log_line(LOG_LEVEL_ERROR, "died",
		    "inc=%llu by=%s number=%d restart_ms=%llu",
		    (unsigned long long)atomic_load(&s->page->incarnation),
		    end->si_code == CLD_EXITED ? "exit"
			: s->is_killed         ? "hang"
					       : "signal",
		    end->si_status,
		    (unsigned long long)(delay_ns / CLOCK_MS_NS));
	} else if (end->si_code != CLD_EXITED) {
		log_line(LOG_LEVEL_ERROR, "died", "by=signal number=%d",
		    end->si_status);
	}
	s->is_killed = false;
}

/* Where there is no init, what a dead child left behind comes to us as well. */
void
supervisor_reap(struct supervisor *s, uint64_t now_ns)
{
	for (;;) {
		siginfo_t end = { .si_pid = 0 };

		if (waitid(P_ALL, 0, &end, WEXITED | WNOHANG) < 0 ||
		    end.si_pid == 0)
			return;
		if (end.si_pid != s->child)
			continue;
		tell(s, &end);
		bury(s, &end, now_ns);
	}
}
