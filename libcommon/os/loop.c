/* SPDX-License-Identifier: BSD-3-Clause */
/* Level-triggered: there are tens of descriptors, not thousands, and a
 * callback may then take a bounded batch and rely on being called again.
 *
 * The next deadline goes with the wait itself: deadlines move forward with
 * every packet, and a timer of its own would have to be armed anew for each, or
 * wake the loop for nothing.
 */
#include "libcommon/os/loop.h"

#include <sys/epoll.h>
#include <sys/signalfd.h>

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <time.h>
#include <unistd.h>

#include "libcommon/base/arena.h"
#include "libcommon/base/ensure.h"
#include "libcommon/base/num.h"
#include "libcommon/os/clock.h"
#include "libcommon/os/fd.h"

enum { EVENTS_PER_WAIT = 64 };

/* The token of the loop's own descriptor, beyond every slot. */
enum { TOKEN_SIGNAL = 1 << 30 };

struct slot {
	loop_fd_fn *fn; /* NULL: free */
	void *arg;
	int fd;
	uint32_t wanted;
	uint32_t ready;
};

struct timer {
	loop_deadline_fn *deadline;
	loop_fn *fn;
	void *arg;
};

struct flush {
	loop_fn *fn;
	void *arg;
};

struct signal_entry {
	loop_signal_fn *fn;
	void *arg;
	int signo;
};

struct loop {
	int epoll_fd, signal_fd;
	uint32_t slot_count;
	uint32_t slots_max;
	struct slot *slots;
	uint32_t timer_count;
	struct timer timers[LOOP_TIMERS];
	uint32_t flush_count;
	struct flush flushes[LOOP_FLUSHES];
	uint32_t signal_count;
	struct signal_entry signals[LOOP_SIGNALS];
	sigset_t signal_set;
	bool is_coarse; /* the kernel only knows waits in milliseconds */
	bool is_signalled;
	bool is_stopped;
	int code;
	struct loop_stats stats;
};

struct loop *
loop_create(struct arena *arena, uint32_t fds_max)
{
	struct loop *loop = arena_take(arena, sizeof *loop);
	struct slot *slots = arena_take(arena, fds_max * sizeof *slots);

	if (loop == NULL)
		return NULL;
	loop->slots = slots;
	loop->slots_max = fds_max;
	loop->epoll_fd = loop->signal_fd = -1;
	sigemptyset(&loop->signal_set);
	return loop;
}

static int
watch(struct loop *loop, int op, int fd, uint32_t events, uint32_t token)
{
	struct epoll_event ev = { .events = events, .data.u32 = token };

	return epoll_ctl(loop->epoll_fd, op, fd, &ev) < 0 ? -errno : 0;
}

int
loop_open(struct loop *loop)
{
	/* A writer finds out by EPIPE, at the descriptor concerned. */
	signal(SIGPIPE, SIG_IGN);
	loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop->epoll_fd < 0)
		return -errno;
	loop->signal_fd =
	    signalfd(-1, &loop->signal_set, SFD_NONBLOCK | SFD_CLOEXEC);
	if (loop->signal_fd < 0)
		return -errno;
	return watch(
	    loop, EPOLL_CTL_ADD, loop->signal_fd, EPOLLIN, TOKEN_SIGNAL);
}

void
loop_close(struct loop *loop)
{
	fd_close(&loop->signal_fd);
	fd_close(&loop->epoll_fd);
}

static uint32_t
epoll_events(uint32_t wanted)
{
	uint32_t events = 0;

	if (wanted & LOOP_READ)
		events |= EPOLLIN | EPOLLRDHUP;
	if (wanted & LOOP_WRITE)
		events |= EPOLLOUT;
	return events;
}

int
loop_add_fd(struct loop *loop, int fd, loop_fd_fn *fn, void *arg)
{
	uint32_t i = 0;
	int rc;

	ENSURE(fn != NULL);
	while (i < loop->slot_count && loop->slots[i].fn != NULL)
		i++;
	if (i == loop->slots_max)
		return -ENOSPC;
	rc = watch(loop, EPOLL_CTL_ADD, fd, epoll_events(LOOP_READ), i);
	if (rc < 0)
		return rc;
	loop->slots[i] = (struct slot){
		.fn = fn, .arg = arg, .fd = fd, .wanted = LOOP_READ
	};
	if (i == loop->slot_count)
		loop->slot_count++;
	return (int)i;
}

static struct slot *
used_slot(struct loop *loop, int slot)
{
	ENSURE(slot >= 0 && (uint32_t)slot < loop->slot_count);
	ENSURE(loop->slots[slot].fn != NULL);
	return &loop->slots[slot];
}

void
loop_want(struct loop *loop, int slot, uint32_t wanted)
{
	struct slot *s = used_slot(loop, slot);

	if (s->wanted == wanted)
		return;
	s->wanted = wanted;
	ENSURE(watch(loop, EPOLL_CTL_MOD, s->fd, epoll_events(wanted),
		   (uint32_t)slot) == 0);
}

void
loop_remove_fd(struct loop *loop, int slot)
{
	struct slot *s = used_slot(loop, slot);

	ENSURE(watch(loop, EPOLL_CTL_DEL, s->fd, 0, 0) == 0);
	*s = (struct slot){ .fd = -1 };
}

void
loop_add_timer(
    struct loop *loop, loop_deadline_fn *deadline, loop_fn *fn, void *arg)
{
	ENSURE(loop->timer_count < LOOP_TIMERS);
	loop->timers[loop->timer_count++] =
	    (struct timer){ .deadline = deadline, .fn = fn, .arg = arg };
}

void
loop_add_flush(struct loop *loop, loop_fn *fn, void *arg)
{
	ENSURE(loop->flush_count < LOOP_FLUSHES);
	loop->flushes[loop->flush_count++] =
	    (struct flush){ .fn = fn, .arg = arg };
}

int
loop_add_signal(struct loop *loop, int signo, loop_signal_fn *fn, void *arg)
{
	ENSURE(loop->signal_fd >= 0);
	ENSURE(loop->signal_count < LOOP_SIGNALS);
	sigaddset(&loop->signal_set, signo);
	if (sigprocmask(SIG_BLOCK, &loop->signal_set, NULL) < 0)
		return -errno;
	if (signalfd(loop->signal_fd, &loop->signal_set, 0) < 0)
		return -errno;
	loop->signals[loop->signal_count++] =
	    (struct signal_entry){ .fn = fn, .arg = arg, .signo = signo };
	return 0;
}

/* The earliest deadline of all timers. */
static uint64_t
next_deadline_ns(const struct loop *loop)
{
	uint64_t first_ns = UINT64_MAX;

	for (uint32_t i = 0; i < loop->timer_count; i++)
		first_ns = num_min(
		    first_ns, loop->timers[i].deadline(loop->timers[i].arg));
	return first_ns;
}

static void
note_event(struct loop *loop, const struct epoll_event *ev)
{
	uint32_t ready = 0;

	if (ev->data.u32 == TOKEN_SIGNAL) {
		loop->is_signalled = true;
		return;
	}
	if (ev->events & (EPOLLIN | EPOLLRDHUP))
		ready |= LOOP_READ;
	if (ev->events & EPOLLOUT)
		ready |= LOOP_WRITE;
	if (ev->events & (EPOLLHUP | EPOLLERR))
		ready |= LOOP_HUP;
	loop->slots[ev->data.u32].ready = ready;
}

/* Waits for at most wait_ns; UINT64_MAX: for as long as it takes. */
static int
poll_events(struct loop *loop, struct epoll_event *evs, uint64_t wait_ns)
{
	bool is_endless = wait_ns == UINT64_MAX;
	struct timespec span = { .tv_sec = (time_t)(wait_ns / CLOCK_S_NS),
		.tv_nsec = (long)(wait_ns % CLOCK_S_NS) };
	int n;

	if (!loop->is_coarse) {
		n = epoll_pwait2(loop->epoll_fd, evs, EVENTS_PER_WAIT,
		    is_endless ? NULL : &span, NULL);
		if (n >= 0 || errno != ENOSYS)
			return n;
		loop->is_coarse = true;
	}
	uint64_t wait_ms =
	    num_min(wait_ns / CLOCK_MS_NS + (wait_ns % CLOCK_MS_NS != 0),
		(uint64_t)INT_MAX);
	return epoll_wait(loop->epoll_fd, evs, EVENTS_PER_WAIT,
	    is_endless ? -1 : (int)wait_ms);
}

static int
wait_events(struct loop *loop)
{
	struct epoll_event evs[EVENTS_PER_WAIT];
	uint64_t wait_ns = next_deadline_ns(loop);
	int n;

	if (wait_ns != 0 && wait_ns != UINT64_MAX)
		wait_ns = num_sub(wait_ns, clock_now_ns());
	n = poll_events(loop, evs, wait_ns);
	if (n < 0)
		return errno == EINTR ? 0 : -errno;
	for (int i = 0; i < n; i++)
		note_event(loop, &evs[i]);
	return 0;
}

static void
serve_signals(struct loop *loop, uint64_t now_ns)
{
	struct signalfd_siginfo got;

	if (!loop->is_signalled)
		return;
	loop->is_signalled = false;
	while (read(loop->signal_fd, &got, sizeof got) == sizeof got) {
		for (uint32_t i = 0; i < loop->signal_count; i++) {
			struct signal_entry *s = &loop->signals[i];

			if ((uint32_t)s->signo == got.ssi_signo)
				s->fn(loop, s->arg, s->signo, now_ns);
		}
	}
}

static void
serve_timers(struct loop *loop, uint64_t now_ns)
{
	for (uint32_t i = 0; i < loop->timer_count; i++) {
		struct timer *timer = &loop->timers[i];
		uint64_t due_ns = timer->deadline(timer->arg);

		if (due_ns > now_ns)
			continue;
		if (due_ns != 0)
			loop->stats.late_ns_max =
			    num_max(loop->stats.late_ns_max, now_ns - due_ns);
		timer->fn(loop, timer->arg, now_ns);
	}
}

static void
serve_fds(struct loop *loop, uint64_t now_ns)
{
	for (uint32_t i = 0; i < loop->slot_count; i++) {
		struct slot *slot = &loop->slots[i];
		uint32_t ready = slot->ready;

		slot->ready = 0;
		if (ready != 0 && slot->fn != NULL)
			slot->fn(loop, slot->arg, ready, now_ns);
	}
}

static void
serve_flushes(struct loop *loop, uint64_t now_ns)
{
	for (uint32_t i = 0; i < loop->flush_count; i++)
		loop->flushes[i].fn(loop, loop->flushes[i].arg, now_ns);
}

int
loop_run(struct loop *loop)
{
	while (!loop->is_stopped) {
		int rc = wait_events(loop);
		uint64_t now_ns = clock_now_ns();

		if (rc < 0)
			return rc;
		serve_signals(loop, now_ns);
		serve_timers(loop, now_ns);
		serve_fds(loop, now_ns);
		serve_flushes(loop, now_ns);
		loop->stats.iterations++;
		loop->stats.busy_ns_max =
		    num_max(loop->stats.busy_ns_max, clock_now_ns() - now_ns);
	}
	loop->is_stopped = false;
	return loop->code;
}

void
loop_stop(struct loop *loop, int code)
{
	if (loop->is_stopped)
		return;
	loop->is_stopped = true;
	loop->code = code;
}

void
loop_stats(const struct loop *loop, struct loop_stats *out)
{
	*out = loop->stats;
}
