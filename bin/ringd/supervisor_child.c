/* SPDX-License-Identifier: BSD-3-Clause */
/* The child's side: it shows that its loop turns. */
#include "libcommon/os/exitcode.h"
#include "libcommon/os/loop.h"

#include "bin/ringd/supervisor.h"

/* In a loop that has nothing to do: well before it counts as hanging. */
static uint64_t
get_turn_ns(const void *arg)
{
	const struct supervisor *s = arg;

	return s->watch.check_ns;
}

static void
on_turn_due(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct supervisor *s = arg;

	(void)loop;
	s->watch.check_ns = now_ns + SUPERVISOR_CHECK_NS;
}

static void
on_flush(struct loop *loop, void *arg, uint64_t now_ns)
{
	struct supervisor *s = arg;

	(void)loop;
	(void)now_ns;
	atomic_fetch_add_explicit(&s->page->turns, 1, memory_order_relaxed);
}

static void
on_asked(struct loop *loop, void *arg, int signo, uint64_t now_ns)
{
	struct supervisor *s = arg;

	(void)signo;
	if (s->is_asked)
		loop_stop(loop, EXITCODE_OK);
	s->is_asked = true;
	s->leave(s->leave_arg, now_ns);
}

int
supervisor_attend(struct supervisor *s, struct loop *loop,
    supervisor_leave_fn *leave, void *arg)
{
	s->leave = leave;
	s->leave_arg = arg;
	s->watch.check_ns = 0;
	loop_add_timer(loop, get_turn_ns, on_turn_due, s);
	loop_add_flush(loop, on_flush, s);
	return loop_add_signal(loop, SUPERVISOR_LEAVE, on_asked, s);
}
